/* SPDX-License-Identifier: Apache-2.0 */
#include "common/store/catalog_sqlite_read.h"
#include "common/base/num.h"
#include "common/store/catalog_sqlite_scrub.h"

#include <stdio.h>
#include <string.h>

#define FIRST_FILES 8

#define MODEL_COLUMNS \
	"m.name, m.latest, m.created, m.updated," \
	" (SELECT COUNT(*) FROM versions v WHERE v.model = m.name AND v.deleted = 0)," \
	" (SELECT COALESCE(SUM(v.bytes), 0) FROM versions v" \
	" WHERE v.model = m.name AND v.deleted = 0)"
#define VERSION_COLUMNS "version, root, created, bytes, info, deleted, provenance"

int catalog_sqlite_read_ping(struct catalog_sqlite_conn *c, struct err *e)
{
	static const char sql[] = "SELECT MAX(version) FROM schema_versions";
	CATALOG_SQLITE_QUERY q = catalog_sqlite_conn_query(c, sql);

	return catalog_sqlite_conn_run(&q, e);
}

/* ---- one version ---- */

int catalog_sqlite_read_newest(struct catalog_sqlite_conn *c, const char *model, uint64_t *ret,
	struct err *e)
{
	static const char sql[] = "SELECT latest FROM models WHERE name = $1";
	CATALOG_SQLITE_QUERY q = catalog_sqlite_conn_query(c, sql);
	bool row;
	int r;

	catalog_sqlite_conn_text(&q, "$1", model);
	r = catalog_sqlite_conn_row(&q, &row, e);
	if (r < 0)
		return r;
	if (!row)
		return err_set(e, ERR_MODEL_NOT_FOUND, "there is no model called %s", model);
	*ret = catalog_sqlite_conn_col_uint(&q, 0);
	return 0;
}

int catalog_sqlite_read_all_deleted(const char *model, struct err *e)
{
	return err_set(e, ERR_DELETED, "every version of model %s has been deleted", model);
}

static int no_version(const char *model, uint64_t version, uint64_t newest, struct err *e)
{
	char rest[64] = "";

	if (newest > 0)
		(void)snprintf(rest, sizeof(rest), "; its newest is %llu",
			(unsigned long long)newest);
	return err_set(e, ERR_VERSION_NOT_FOUND, "model %s has no version %llu%s", model,
		(unsigned long long)version, rest);
}

static int version_deleted(const char *model, uint64_t version, struct err *e)
{
	return err_set(e, ERR_DELETED, "version %llu of model %s has been deleted",
		(unsigned long long)version, model);
}

int catalog_sqlite_read_require_live(struct catalog_sqlite_conn *c, const char *model,
	uint64_t version, struct err *e)
{
	static const char sql[] = "SELECT deleted FROM versions WHERE model = $1 AND version = $2";
	CATALOG_SQLITE_QUERY q = catalog_sqlite_conn_query(c, sql);
	uint64_t newest;
	bool row = false;
	int r = catalog_sqlite_read_newest(c, model, &newest, e);

	if (r < 0)
		return r;
	catalog_sqlite_conn_text(&q, "$1", model);
	catalog_sqlite_conn_uint(&q, "$2", version);
	r = catalog_sqlite_conn_row(&q, &row, e);
	if (r < 0)
		return r;
	if (!row)
		return no_version(model, version, newest, e);
	return catalog_sqlite_conn_col_uint(&q, 0) > 0 ? version_deleted(model, version, e) : 0;
}

static int take_version(struct catalog_sqlite_query *q, const char *model,
	struct catalog_version *ret, struct err *e)
{
	int r;

	if (catalog_sqlite_conn_col_uint(q, 5) > 0)
		return version_deleted(model, catalog_sqlite_conn_col_uint(q, 0), e);
	r = catalog_sqlite_conn_col_digest(q, 1, &ret->root, e);
	if (r == 0)
		r = catalog_sqlite_conn_col_dup(q, 4, &ret->info, e);
	if (r == 0)
		r = catalog_sqlite_conn_col_dup(q, 6, &ret->provenance, e);
	if (r < 0)
		return r;
	ret->version = catalog_sqlite_conn_col_uint(q, 0);
	ret->created_ms = catalog_sqlite_conn_col_uint(q, 2);
	ret->bytes = catalog_sqlite_conn_col_uint(q, 3);
	ret->model = strdup(model);
	return ret->model ? 0 : err_nomem(e);
}

static int version_by_number(struct catalog_sqlite_conn *c, const char *model, uint64_t version,
	uint64_t newest, struct catalog_version *ret, struct err *e)
{
	static const char sql[] =
		"SELECT " VERSION_COLUMNS " FROM versions WHERE model = $1 AND version = $2";
	CATALOG_SQLITE_QUERY q = catalog_sqlite_conn_query(c, sql);
	bool row;
	int r;

	catalog_sqlite_conn_text(&q, "$1", model);
	catalog_sqlite_conn_uint(&q, "$2", version);
	r = catalog_sqlite_conn_row(&q, &row, e);
	if (r < 0)
		return r;
	if (!row)
		return no_version(model, version, newest, e);
	return take_version(&q, model, ret, e);
}

static int version_by_root(struct catalog_sqlite_conn *c, const char *model,
	const struct digest *root, struct catalog_version *ret, struct err *e)
{
	static const char sql[] =
		"SELECT " VERSION_COLUMNS " FROM versions WHERE model = $1 AND root = $2"
		" ORDER BY CASE WHEN deleted = 0 THEN 0 ELSE 1 END, version DESC LIMIT 1";
	CATALOG_SQLITE_QUERY q = catalog_sqlite_conn_query(c, sql);
	char hex[DIGEST_HEX + 1];
	bool row;
	int r;

	catalog_sqlite_conn_text(&q, "$1", model);
	catalog_sqlite_conn_digest(&q, "$2", root);
	r = catalog_sqlite_conn_row(&q, &row, e);
	if (r < 0)
		return r;
	if (!row)
		return err_set(e, ERR_VERSION_NOT_FOUND,
			"model %s has no version with root digest sha256:%s", model,
			digest_hex(root, hex));
	return take_version(&q, model, ret, e);
}

static int add_file(struct catalog_version *v, size_t *cap, struct err *e)
{
	struct catalog_version_file *files;
	size_t want = *cap ? 2 * *cap : FIRST_FILES;

	if (v->files_n < *cap)
		return 0;
	files = reallocarray(v->files, want, sizeof(*files));
	if (!files)
		return err_nomem(e);
	v->files = files;
	*cap = want;
	return 0;
}

static int take_file(struct catalog_sqlite_query *q, struct catalog_version_file *ret,
	struct err *e)
{
	int r = catalog_sqlite_conn_col_digest(q, 1, &ret->key.digest, e);

	if (r == 0)
		r = catalog_sqlite_conn_col_gen(q, 2, &ret->key, e);
	ret->size = catalog_sqlite_conn_col_uint(q, 3);
	ret->damaged = catalog_sqlite_conn_col_uint(q, 4) > 0;
	return r < 0 ? r : catalog_sqlite_conn_col_dup(q, 0, &ret->path, e);
}

static int read_files(struct catalog_sqlite_conn *c, struct catalog_version *v, struct err *e)
{
	static const char sql[] =
		"SELECT f.path, b.digest, b.gen, b.size, " CATALOG_SQLITE_SCRUB_DAMAGED
		" FROM version_files f"
		" JOIN blobs b ON b.digest = f.digest"
		" WHERE f.model = $1 AND f.version = $2 ORDER BY f.path";
	CATALOG_SQLITE_QUERY q = catalog_sqlite_conn_query(c, sql);
	size_t cap = 0;

	catalog_sqlite_conn_text(&q, "$1", v->model);
	catalog_sqlite_conn_uint(&q, "$2", v->version);
	for (;;) {
		bool row;
		int r = catalog_sqlite_conn_row(&q, &row, e);
		if (r < 0 || !row)
			return r;
		r = add_file(v, &cap, e);
		if (r == 0)
			r = take_file(&q, &v->files[v->files_n], e);
		if (r < 0)
			return r;
		v->files_n++;
	}
}

int catalog_sqlite_read_version(struct catalog_sqlite_conn *c, const char *model, uint64_t version,
	const struct digest *root, struct catalog_version *ret, struct err *e)
{
	struct catalog_version v = {0};
	uint64_t newest;
	int r = catalog_sqlite_read_newest(c, model, &newest, e);

	if (r == 0 && !root && version == 0 && newest == 0)
		r = catalog_sqlite_read_all_deleted(model, e);
	if (r == 0 && root)
		r = version_by_root(c, model, root, &v, e);
	else if (r == 0)
		r = version_by_number(c, model, version ? version : newest, newest, &v, e);
	if (r == 0)
		r = read_files(c, &v, e);
	if (r < 0) {
		catalog_version_clear(&v);
		return r;
	}
	*ret = v;
	return 0;
}

/* ---- lists ---- */

static int take_model(struct catalog_sqlite_query *q, struct catalog_model *ret, struct err *e)
{
	const char *name = catalog_sqlite_conn_col_text(q, 0);

	if (strlen(name) > CATALOG_NAME_MAX)
		return err_set(e, ERR_CORRUPT, "the catalog holds a model with a name of %zu bytes",
			strlen(name));
	*ret = (struct catalog_model){
		.latest = catalog_sqlite_conn_col_uint(q, 1),
		.created_ms = catalog_sqlite_conn_col_uint(q, 2),
		.updated_ms = catalog_sqlite_conn_col_uint(q, 3),
		.versions = catalog_sqlite_conn_col_uint(q, 4),
		.bytes = catalog_sqlite_conn_col_uint(q, 5),
	};
	memcpy(ret->name, name, strlen(name) + 1);
	return 0;
}

int catalog_sqlite_read_model(struct catalog_sqlite_conn *c, const char *name,
	struct catalog_model *ret, struct err *e)
{
	static const char sql[] = "SELECT " MODEL_COLUMNS " FROM models m WHERE m.name = $1";
	CATALOG_SQLITE_QUERY q = catalog_sqlite_conn_query(c, sql);
	bool row;
	int r;

	catalog_sqlite_conn_text(&q, "$1", name);
	r = catalog_sqlite_conn_row(&q, &row, e);
	if (r < 0)
		return r;
	if (!row)
		return err_set(e, ERR_MODEL_NOT_FOUND, "there is no model called %s", name);
	r = take_model(&q, ret, e);
	return r == 0 && ret->latest == 0 ? catalog_sqlite_read_all_deleted(name, e) : r;
}

int catalog_sqlite_read_models(struct catalog_sqlite_conn *c, const struct catalog_range *range,
	struct catalog_model *rows, size_t max, size_t *ret_n, struct err *e)
{
	static const char to_the_last[] =
		"SELECT " MODEL_COLUMNS " FROM models m WHERE m.name >= $1 AND m.name <> $2"
		" AND m.latest > 0 ORDER BY m.name LIMIT $3";
	static const char to_an_end[] =
		"SELECT " MODEL_COLUMNS " FROM models m WHERE m.name >= $1 AND m.name <> $2"
		" AND m.name < $4 AND m.latest > 0 ORDER BY m.name LIMIT $3";
	bool has_end = range->end[0] != '\0';
	CATALOG_SQLITE_QUERY q = catalog_sqlite_conn_query(c, has_end ? to_an_end : to_the_last);
	size_t n = 0;

	catalog_sqlite_conn_text(&q, "$1", range->from);
	catalog_sqlite_conn_text(&q, "$2", range->except);
	catalog_sqlite_conn_uint(&q, "$3", max);
	if (has_end)
		catalog_sqlite_conn_text(&q, "$4", range->end);
	for (;;) {
		bool row;
		int r = catalog_sqlite_conn_row(&q, &row, e);
		if (r == 0 && row && n < max)
			r = take_model(&q, &rows[n++], e);
		if (r < 0)
			return r;
		if (!row)
			break;
	}
	*ret_n = n;
	return 0;
}

int catalog_sqlite_read_versions(struct catalog_sqlite_conn *c, const char *model, uint64_t below,
	struct catalog_version_row *rows, size_t max, size_t *ret_n, struct err *e)
{
	static const char sql[] =
		"SELECT version, root, created, bytes FROM versions"
		" WHERE model = $1 AND version < $2 AND deleted = 0 ORDER BY version DESC LIMIT $3";
	CATALOG_SQLITE_QUERY q = catalog_sqlite_conn_query(c, sql);
	size_t n = 0;

	catalog_sqlite_conn_text(&q, "$1", model);
	catalog_sqlite_conn_uint(&q, "$2", below ? below : NUM_SAFE_INTEGER_MAX);
	catalog_sqlite_conn_uint(&q, "$3", max);
	for (;;) {
		bool row;
		int r = catalog_sqlite_conn_row(&q, &row, e);
		if (r < 0)
			return r;
		if (!row || n >= max)
			break;
		rows[n].version = catalog_sqlite_conn_col_uint(&q, 0);
		rows[n].created_ms = catalog_sqlite_conn_col_uint(&q, 2);
		rows[n].bytes = catalog_sqlite_conn_col_uint(&q, 3);
		r = catalog_sqlite_conn_col_digest(&q, 1, &rows[n++].root, e);
		if (r < 0)
			return r;
	}
	*ret_n = n;
	return 0;
}
