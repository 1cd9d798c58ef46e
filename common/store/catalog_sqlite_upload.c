/* SPDX-License-Identifier: Apache-2.0 */
#include "common/store/catalog_sqlite_upload.h"
#include "common/store/catalog_sqlite_publish.h"
#include "common/store/catalog_sqlite_scrub.h"

#include <stdio.h>

static int not_found(const char *id, struct err *e)
{
	return err_set(e, ERR_UPLOAD_NOT_FOUND, "there is no upload %s, or it has expired", id);
}

static int published(const char *id, uint64_t version, struct err *e)
{
	return err_set(e, ERR_CONFLICT, "upload %s was published as version %llu", id,
		(unsigned long long)version);
}

/* ---- opening ---- */

static int count_open(struct catalog_sqlite_conn *c, uint64_t *ret, struct err *e)
{
	static const char sql[] = "SELECT COUNT(*) FROM uploads WHERE version = 0";
	CATALOG_SQLITE_QUERY q = catalog_sqlite_conn_query(c, sql);
	bool row;
	int r = catalog_sqlite_conn_row(&q, &row, e);

	if (r == 0)
		*ret = catalog_sqlite_conn_col_uint(&q, 0);
	return r;
}

int catalog_sqlite_upload_add(struct catalog_sqlite_conn *c, const char *id, const char *model,
	uint64_t age_ms, uint64_t max_open, struct err *e)
{
	static const char sql[] =
		"INSERT INTO uploads (id, model, created, expires, revision, version)"
		" VALUES ($1, $2, now_ms(), now_ms() + $3, 0, 0)";
	CATALOG_SQLITE_QUERY q = catalog_sqlite_conn_query(c, sql);
	uint64_t open = 0;
	int r = count_open(c, &open, e);

	if (r < 0)
		return r;
	if (open >= max_open)
		return err_set(e, ERR_TOO_MANY,
			"%llu uploads are open, the limit: publish or delete one",
			(unsigned long long)open);
	catalog_sqlite_conn_text(&q, "$1", id);
	catalog_sqlite_conn_text(&q, "$2", model);
	catalog_sqlite_conn_uint(&q, "$3", age_ms);
	return catalog_sqlite_conn_run(&q, e);
}

/* ---- reading ---- */

static int read_row(struct catalog_sqlite_conn *c, const char *id, struct catalog_upload *ret,
	struct err *e)
{
	static const char sql[] =
		"SELECT model, created, expires, revision, version FROM uploads WHERE id = $1";
	CATALOG_SQLITE_QUERY q = catalog_sqlite_conn_query(c, sql);
	bool row;
	int r;

	catalog_sqlite_conn_text(&q, "$1", id);
	r = catalog_sqlite_conn_row(&q, &row, e);
	if (r < 0)
		return r;
	if (!row)
		return not_found(id, e);
	(void)snprintf(ret->id, sizeof(ret->id), "%s", id);
	(void)snprintf(ret->model, sizeof(ret->model), "%s", catalog_sqlite_conn_col_text(&q, 0));
	ret->created_ms = catalog_sqlite_conn_col_uint(&q, 1);
	ret->expires_ms = catalog_sqlite_conn_col_uint(&q, 2);
	ret->revision = catalog_sqlite_conn_col_uint(&q, 3);
	ret->version = catalog_sqlite_conn_col_uint(&q, 4);
	return 0;
}

/* Room for one more behind the `n` of `items`, whose capacity is the next power of two. NULL
 * without memory, and `items` is as it was. */
static void *make_room(void *items, size_t n, size_t size)
{
	return n & (n - 1) ? items : reallocarray(items, n ? 2 * n : 1, size);
}

static int take_file(struct catalog_sqlite_query *q, struct catalog_upload *u, struct err *e)
{
	struct catalog_version_file *file = make_room(u->files, u->files_n, sizeof(*u->files));
	int r;

	if (!file)
		return err_nomem(e);
	u->files = file;
	file += u->files_n++;
	*file = (struct catalog_version_file){
		.size = catalog_sqlite_conn_col_uint(q, 3),
		.damaged = catalog_sqlite_conn_col_uint(q, 4) > 0,
	};
	r = catalog_sqlite_conn_col_dup(q, 0, &file->path, e);
	if (r == 0)
		r = catalog_sqlite_conn_col_digest(q, 1, &file->key.digest, e);
	return r < 0 ? r : catalog_sqlite_conn_col_gen(q, 2, &file->key, e);
}

static int take_part(struct catalog_sqlite_query *q, struct catalog_upload *u, struct err *e)
{
	struct catalog_upload_part *part = make_room(u->parts, u->parts_n, sizeof(*u->parts));
	int r;

	if (!part)
		return err_nomem(e);
	u->parts = part;
	part += u->parts_n++;
	*part = (struct catalog_upload_part){.size = catalog_sqlite_conn_col_uint(q, 2)};
	r = catalog_sqlite_conn_col_dup(q, 0, &part->path, e);
	return r < 0 ? r : catalog_sqlite_conn_col_dup(q, 1, &part->name, e);
}

typedef int take_fn(struct catalog_sqlite_query *q, struct catalog_upload *u, struct err *e);

static int take_all(struct catalog_sqlite_conn *c, const char *sql, const char *id, take_fn *take,
	struct catalog_upload *ret, struct err *e)
{
	CATALOG_SQLITE_QUERY q = catalog_sqlite_conn_query(c, sql);

	catalog_sqlite_conn_text(&q, "$1", id);
	for (;;) {
		bool row;
		int r = catalog_sqlite_conn_row(&q, &row, e);
		if (r < 0 || !row)
			return r;
		r = take(&q, ret, e);
		if (r < 0)
			return r;
	}
}

int catalog_sqlite_upload_read(struct catalog_sqlite_conn *c, const char *id,
	struct catalog_upload *ret, struct err *e)
{
	static const char files[] =
		"SELECT f.path, f.digest, b.gen, b.size, " CATALOG_SQLITE_SCRUB_DAMAGED
		" FROM upload_files f"
		" JOIN blobs b ON b.digest = f.digest WHERE f.upload = $1 ORDER BY f.path";
	static const char parts[] =
		"SELECT path, name, size FROM upload_parts WHERE upload = $1 ORDER BY path";
	int r = read_row(c, id, ret, e);

	if (r == 0)
		r = take_all(c, files, id, take_file, ret, e);
	return r < 0 ? r : take_all(c, parts, id, take_part, ret, e);
}

int catalog_sqlite_upload_list(struct catalog_sqlite_conn *c, const char *after,
	struct catalog_upload_id *rows, size_t max, size_t *ret_n, struct err *e)
{
	static const char sql[] = "SELECT id FROM uploads WHERE id > $1 ORDER BY id LIMIT $2";
	CATALOG_SQLITE_QUERY q = catalog_sqlite_conn_query(c, sql);
	size_t n = 0;

	catalog_sqlite_conn_text(&q, "$1", after);
	catalog_sqlite_conn_uint(&q, "$2", max);
	for (;;) {
		bool row;
		int r = catalog_sqlite_conn_row(&q, &row, e);
		if (r < 0)
			return r;
		if (!row || n >= max)
			break;
		(void)snprintf(rows[n].text, sizeof(rows[n].text), "%s",
			catalog_sqlite_conn_col_text(&q, 0));
		n++;
	}
	*ret_n = n;
	return 0;
}

/* ---- changing ---- */

/* Every change makes it live as long as a new one. */
static int touch(struct catalog_sqlite_conn *c, const struct catalog_upload_change *x,
	struct err *e)
{
	static const char sql[] =
		"UPDATE uploads SET revision = revision + 1, expires = now_ms() + $2"
		" WHERE id = $1 RETURNING version";
	CATALOG_SQLITE_QUERY q = catalog_sqlite_conn_query(c, sql);
	uint64_t version;
	bool row;
	int r;

	catalog_sqlite_conn_text(&q, "$1", x->id);
	catalog_sqlite_conn_uint(&q, "$2", x->age_ms);
	r = catalog_sqlite_conn_row(&q, &row, e);
	if (r < 0)
		return r;
	if (!row)
		return not_found(x->id, e);
	version = catalog_sqlite_conn_col_uint(&q, 0);
	r = catalog_sqlite_conn_run(&q, e);
	return r == 0 && version > 0 ? published(x->id, version, e) : r;
}

static int drop_row(struct catalog_sqlite_conn *c, const char *sql,
	const struct catalog_upload_change *x, struct err *e)
{
	CATALOG_SQLITE_QUERY q = catalog_sqlite_conn_query(c, sql);

	catalog_sqlite_conn_text(&q, "$1", x->id);
	catalog_sqlite_conn_text(&q, "$2", x->path);
	return catalog_sqlite_conn_run(&q, e);
}

static int drop_part(struct catalog_sqlite_conn *c, const struct catalog_upload_change *x,
	struct err *e)
{
	static const char sql[] = "DELETE FROM upload_parts WHERE upload = $1 AND path = $2";

	return drop_row(c, sql, x, e);
}

/* The size of what the path holds now. */
static int read_old(struct catalog_sqlite_conn *c, const struct catalog_upload_change *x,
	struct catalog_upload_changed *ret, struct err *e)
{
	static const char sql[] =
		"SELECT b.size FROM upload_files f JOIN blobs b ON b.digest = f.digest"
		" WHERE f.upload = $1 AND f.path = $2";
	CATALOG_SQLITE_QUERY q = catalog_sqlite_conn_query(c, sql);
	int r;

	*ret = (struct catalog_upload_changed){.replaced = false};
	catalog_sqlite_conn_text(&q, "$1", x->id);
	catalog_sqlite_conn_text(&q, "$2", x->path);
	r = catalog_sqlite_conn_row(&q, &ret->replaced, e);
	if (r == 0 && ret->replaced)
		ret->old_size = catalog_sqlite_conn_col_uint(&q, 0);
	return r;
}

static int require_room(struct catalog_sqlite_conn *c, const struct catalog_upload_change *x,
	struct err *e)
{
	static const char sql[] = "SELECT COUNT(*) FROM upload_files WHERE upload = $1";
	CATALOG_SQLITE_QUERY q = catalog_sqlite_conn_query(c, sql);
	bool row;
	int r;

	catalog_sqlite_conn_text(&q, "$1", x->id);
	r = catalog_sqlite_conn_row(&q, &row, e);
	if (r < 0 || catalog_sqlite_conn_col_uint(&q, 0) < x->max_files)
		return r;
	return err_set(e, ERR_TOO_LARGE, "%s is one file too many: the limit is %llu", x->path,
		(unsigned long long)x->max_files);
}

static int set_file(struct catalog_sqlite_conn *c, const struct catalog_upload_change *x,
	const struct digest *digest, struct catalog_upload_changed *ret, struct err *e)
{
	static const char sql[] =
		"INSERT INTO upload_files (upload, path, digest) VALUES ($1, $2, $3)"
		" ON CONFLICT (upload, path) DO UPDATE SET digest = excluded.digest";
	CATALOG_SQLITE_QUERY q = catalog_sqlite_conn_query(c, sql);
	int r = read_old(c, x, ret, e);

	if (r == 0 && !ret->replaced)
		r = require_room(c, x, e);
	if (r < 0)
		return r;
	catalog_sqlite_conn_text(&q, "$1", x->id);
	catalog_sqlite_conn_text(&q, "$2", x->path);
	catalog_sqlite_conn_digest(&q, "$3", digest);
	r = catalog_sqlite_conn_run(&q, e);
	return r < 0 ? r : drop_part(c, x, e);
}

int catalog_sqlite_upload_put(struct catalog_sqlite_conn *c, const struct catalog_upload_change *x,
	const struct catalog_blob *blob, struct catalog_upload_changed *ret, struct err *e)
{
	int r = touch(c, x, e);

	if (r == 0)
		r = catalog_sqlite_publish_claim(c, blob, e);
	return r < 0 ? r : set_file(c, x, &blob->digest, ret, e);
}

static int find_blob(struct catalog_sqlite_conn *c, const struct digest *digest, uint64_t *ret_size,
	struct err *e)
{
	static const char sql[] =
		"UPDATE blobs SET touched = now_ms() WHERE digest = $1"
		" AND NOT EXISTS (SELECT 1 FROM damage d WHERE d.digest = $1) RETURNING size";
	CATALOG_SQLITE_QUERY q = catalog_sqlite_conn_query(c, sql);
	char hex[DIGEST_HEX + 1];
	bool row;
	int r;

	catalog_sqlite_conn_digest(&q, "$1", digest);
	r = catalog_sqlite_conn_row(&q, &row, e);
	if (r < 0)
		return r;
	if (!row)
		return err_set(e, ERR_FILE_NOT_FOUND, "the store has no file with SHA-256 %s",
			digest_hex(digest, hex));
	*ret_size = catalog_sqlite_conn_col_uint(&q, 0);
	return catalog_sqlite_conn_run(&q, e);
}

int catalog_sqlite_upload_mount(struct catalog_sqlite_conn *c,
	const struct catalog_upload_change *x, const struct digest *digest,
	struct catalog_upload_changed *ret, struct err *e)
{
	uint64_t size = 0;
	int r = touch(c, x, e);

	if (r == 0)
		r = find_blob(c, digest, &size, e);
	if (r == 0)
		r = set_file(c, x, digest, ret, e);
	ret->size = size;
	return r;
}

int catalog_sqlite_upload_part(struct catalog_sqlite_conn *c,
	const struct catalog_upload_change *x, const char *name, uint64_t size, struct err *e)
{
	static const char sql[] =
		"INSERT INTO upload_parts (upload, path, name, size) VALUES ($1, $2, $3, $4)"
		" ON CONFLICT (upload, path) DO UPDATE SET name = excluded.name,"
		" size = excluded.size";
	CATALOG_SQLITE_QUERY q = catalog_sqlite_conn_query(c, sql);
	int r = touch(c, x, e);

	if (r < 0)
		return r;
	catalog_sqlite_conn_text(&q, "$1", x->id);
	catalog_sqlite_conn_text(&q, "$2", x->path);
	catalog_sqlite_conn_text(&q, "$3", name);
	catalog_sqlite_conn_uint(&q, "$4", size);
	return catalog_sqlite_conn_run(&q, e);
}

int catalog_sqlite_upload_remove(struct catalog_sqlite_conn *c,
	const struct catalog_upload_change *x, struct catalog_upload_changed *ret, struct err *e)
{
	static const char sql[] = "DELETE FROM upload_files WHERE upload = $1 AND path = $2";
	int r = touch(c, x, e);

	if (r == 0)
		r = read_old(c, x, ret, e);
	if (r == 0)
		r = drop_row(c, sql, x, e);
	return r < 0 ? r : drop_part(c, x, e);
}

static int drop_rows(struct catalog_sqlite_conn *c, const char *sql, const char *id, bool *ret_any,
	struct err *e)
{
	CATALOG_SQLITE_QUERY q = catalog_sqlite_conn_query(c, sql);

	catalog_sqlite_conn_text(&q, "$1", id);
	return catalog_sqlite_conn_any(&q, ret_any, e);
}

int catalog_sqlite_upload_drop(struct catalog_sqlite_conn *c, const char *id, struct err *e)
{
	static const char files[] = "DELETE FROM upload_files WHERE upload = $1";
	static const char parts[] = "DELETE FROM upload_parts WHERE upload = $1";
	static const char itself[] = "DELETE FROM uploads WHERE id = $1 RETURNING id";
	bool any;
	int r = drop_rows(c, files, id, &any, e);

	if (r == 0)
		r = drop_rows(c, parts, id, &any, e);
	if (r == 0)
		r = drop_rows(c, itself, id, &any, e);
	return r == 0 && !any ? not_found(id, e) : r;
}

/* ---- publishing ---- */

static int require_version(struct catalog_sqlite_conn *c, const struct catalog_upload *u,
	struct err *e)
{
	static const char sql[] =
		"SELECT 1 FROM versions WHERE model = $1 AND version = $2 AND deleted = 0";
	CATALOG_SQLITE_QUERY q = catalog_sqlite_conn_query(c, sql);
	bool any;
	int r;

	catalog_sqlite_conn_text(&q, "$1", u->model);
	catalog_sqlite_conn_uint(&q, "$2", u->version);
	r = catalog_sqlite_conn_any(&q, &any, e);
	if (r < 0 || any)
		return r;
	return err_set(e, ERR_DELETED, "upload %s became %s@%llu, which was deleted", u->id,
		u->model, (unsigned long long)u->version);
}

int catalog_sqlite_upload_begin_publish(struct catalog_sqlite_conn *c, const char *id,
	uint64_t revision, uint64_t *ret_version, struct err *e)
{
	struct catalog_upload u = {.version = 0};
	int r = read_row(c, id, &u, e);

	if (r == 0 && u.version > 0)
		r = require_version(c, &u, e);
	else if (r == 0 && u.revision != revision)
		r = err_set(e, ERR_CONFLICT,
			"upload %s changed while it was published; publish it again", id);
	if (r == 0)
		*ret_version = u.version;
	return r;
}

int catalog_sqlite_upload_end_publish(struct catalog_sqlite_conn *c, const char *id,
	uint64_t version, struct err *e)
{
	static const char sql[] = "UPDATE uploads SET version = $2 WHERE id = $1";
	CATALOG_SQLITE_QUERY q = catalog_sqlite_conn_query(c, sql);

	catalog_sqlite_conn_text(&q, "$1", id);
	catalog_sqlite_conn_uint(&q, "$2", version);
	return catalog_sqlite_conn_run(&q, e);
}
