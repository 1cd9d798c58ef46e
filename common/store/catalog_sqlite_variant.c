/* SPDX-License-Identifier: Apache-2.0 */
#include "common/store/catalog_sqlite_variant.h"
#include "common/store/catalog_sqlite_publish.h"
#include "common/store/catalog_sqlite_scrub.h"

#include <stdio.h>
#include <string.h>

static int run_on_digest(struct catalog_sqlite_conn *c, const char *sql,
	const struct digest *digest, struct err *e)
{
	CATALOG_SQLITE_QUERY q = catalog_sqlite_conn_query(c, sql);

	catalog_sqlite_conn_digest(&q, "$1", digest);
	return catalog_sqlite_conn_run(&q, e);
}

static int any_of_digest(struct catalog_sqlite_conn *c, const char *sql,
	const struct digest *digest, bool *ret, struct err *e)
{
	CATALOG_SQLITE_QUERY q = catalog_sqlite_conn_query(c, sql);

	catalog_sqlite_conn_digest(&q, "$1", digest);
	return catalog_sqlite_conn_any(&q, ret, e);
}

/* ---- the queue ---- */

int catalog_sqlite_variant_want(struct catalog_sqlite_conn *c, const struct digest *digest,
	struct err *e)
{
	static const char sql[] =
		"INSERT INTO variants_due (digest, due)"
		" SELECT digest, now_ms() FROM blobs b WHERE b.digest = $1 AND b.coded = 0"
		" AND NOT EXISTS (SELECT 1 FROM variants x WHERE x.form = $1)"
		/* One that was put off has a reason to be looked at now. */
		" ON CONFLICT (digest) DO UPDATE SET due = excluded.due"
		" WHERE variants_due.due > excluded.due";

	return run_on_digest(c, sql, digest, e);
}

static int take_job(struct catalog_sqlite_query *q, struct catalog_variant_job *ret, bool *ret_any,
	uint64_t *ret_wait_ms, struct err *e)
{
	uint64_t due = catalog_sqlite_conn_col_uint(q, 3);
	uint64_t now = catalog_sqlite_conn_col_uint(q, 4);
	const char *path = catalog_sqlite_conn_col_text(q, 5);
	int r;

	*ret_any = due <= now;
	*ret_wait_ms = due <= now ? 0 : due - now;
	if (!*ret_any)
		return 0;
	r = catalog_sqlite_conn_col_digest(q, 0, &ret->key.digest, e);
	if (r == 0)
		r = catalog_sqlite_conn_col_gen(q, 1, &ret->key, e);
	ret->size = catalog_sqlite_conn_col_uint(q, 2);
	ret->damaged = catalog_sqlite_conn_col_uint(q, 6) > 0;
	(void)snprintf(ret->path, sizeof(ret->path), "%s", path);
	return r;
}

int catalog_sqlite_variant_next(struct catalog_sqlite_conn *c, struct catalog_variant_job *ret,
	bool *ret_any, uint64_t *ret_wait_ms, struct err *e)
{
	static const char sql[] =
		"SELECT b.digest, b.gen, b.size, q.due, now_ms(),"
		" COALESCE((SELECT f.path FROM version_files f WHERE f.digest = q.digest LIMIT 1),"
		" ''), " CATALOG_SQLITE_SCRUB_DAMAGED
		" FROM variants_due q JOIN blobs b ON b.digest = q.digest"
		" ORDER BY q.due, q.digest LIMIT 1";
	CATALOG_SQLITE_QUERY q = catalog_sqlite_conn_query(c, sql);
	bool row;
	int r = catalog_sqlite_conn_row(&q, &row, e);

	if (r < 0)
		return r;
	*ret_any = false;
	*ret_wait_ms = UINT64_MAX;
	return row ? take_job(&q, ret, ret_any, ret_wait_ms, e) : 0;
}

int catalog_sqlite_variant_defer(struct catalog_sqlite_conn *c, const struct digest *of,
	uint64_t ms, bool unless_held, struct err *e)
{
	static const char sql[] = "UPDATE variants_due SET due = now_ms() + $2 WHERE digest = $1";
	static const char sql_unless_held[] =
		"UPDATE variants_due SET due = now_ms() + $2 WHERE digest = $1"
		" AND NOT EXISTS (SELECT 1 FROM version_files f WHERE f.digest = $1)";
	CATALOG_SQLITE_QUERY q = catalog_sqlite_conn_query(c, unless_held ? sql_unless_held : sql);

	catalog_sqlite_conn_digest(&q, "$1", of);
	catalog_sqlite_conn_uint(&q, "$2", ms);
	return catalog_sqlite_conn_run(&q, e);
}

int catalog_sqlite_variant_count(struct catalog_sqlite_conn *c, uint64_t most, uint64_t *ret,
	struct err *e)
{
	static const char sql[] =
		"SELECT COUNT(*) FROM (SELECT 1 FROM variants_due LIMIT $1) counted";
	CATALOG_SQLITE_QUERY q = catalog_sqlite_conn_query(c, sql);
	bool row;
	int r;

	catalog_sqlite_conn_uint(&q, "$1", most);
	r = catalog_sqlite_conn_row(&q, &row, e);
	if (r == 0)
		*ret = row ? catalog_sqlite_conn_col_uint(&q, 0) : 0;
	return r;
}

static int looked_at(struct catalog_sqlite_conn *c, const struct digest *of, struct err *e)
{
	static const char unqueue[] = "DELETE FROM variants_due WHERE digest = $1";
	static const char mark[] = "UPDATE blobs SET coded = 1 WHERE digest = $1";
	int r = run_on_digest(c, unqueue, of, e);

	return r < 0 ? r : run_on_digest(c, mark, of, e);
}

/* ---- reading ---- */

/* Columns from 0: digest, gen, size, damaged. */
static int take_form(struct catalog_sqlite_query *q, struct catalog_variant *ret, struct err *e)
{
	int r = catalog_sqlite_conn_col_digest(q, 0, &ret->key.digest, e);

	if (r == 0)
		r = catalog_sqlite_conn_col_gen(q, 1, &ret->key, e);
	ret->size = catalog_sqlite_conn_col_uint(q, 2);
	ret->damaged = catalog_sqlite_conn_col_uint(q, 3) > 0;
	return r;
}

int catalog_sqlite_variant_find(struct catalog_sqlite_conn *c, const struct digest *of,
	const char *coding, struct catalog_variant *ret, bool *ret_found, struct err *e)
{
	static const char sql[] = "SELECT b.digest, b.gen, b.size, " CATALOG_SQLITE_SCRUB_DAMAGED
				  " FROM variants x JOIN blobs b ON b.digest = x.form"
				  " WHERE x.digest = $1 AND x.coding = $2";
	CATALOG_SQLITE_QUERY q = catalog_sqlite_conn_query(c, sql);
	int r;

	catalog_sqlite_conn_digest(&q, "$1", of);
	catalog_sqlite_conn_text(&q, "$2", coding);
	r = catalog_sqlite_conn_row(&q, ret_found, e);
	return r < 0 || !*ret_found ? r : take_form(&q, ret, e);
}

int catalog_sqlite_variant_of(struct catalog_sqlite_conn *c, const struct digest *of,
	struct catalog_variant rows[CATALOG_VARIANT_CODINGS], size_t *ret_n, struct err *e)
{
	static const char sql[] =
		"SELECT b.digest, b.gen, b.size, " CATALOG_SQLITE_SCRUB_DAMAGED
		" FROM variants x JOIN blobs b ON b.digest = x.form WHERE x.digest = $1 LIMIT $2";
	CATALOG_SQLITE_QUERY q = catalog_sqlite_conn_query(c, sql);
	size_t n = 0;

	catalog_sqlite_conn_digest(&q, "$1", of);
	catalog_sqlite_conn_uint(&q, "$2", CATALOG_VARIANT_CODINGS);
	for (;;) {
		bool row;
		int r = catalog_sqlite_conn_row(&q, &row, e);
		if (r < 0)
			return r;
		if (!row || n >= CATALOG_VARIANT_CODINGS)
			break;
		r = take_form(&q, &rows[n++], e);
		if (r < 0)
			return r;
	}
	*ret_n = n;
	return 0;
}

static int take_size(struct catalog_sqlite_query *q, const struct catalog_version *v,
	struct catalog_variant_size *row, size_t file, struct err *e)
{
	const char *path = catalog_sqlite_conn_col_text(q, 0);

	while (file < v->files_n && strcmp(v->files[file].path, path) < 0)
		file++;
	if (file == v->files_n || strcmp(v->files[file].path, path) != 0)
		return err_set(e, ERR_CORRUPT, "the catalog has other files of %s@%llu now",
			v->model, (unsigned long long)v->version);
	row->file = file;
	(void)snprintf(row->coding, sizeof(row->coding), "%s", catalog_sqlite_conn_col_text(q, 1));
	row->size = catalog_sqlite_conn_col_uint(q, 2);
	return 0;
}

int catalog_sqlite_variant_sizes(struct catalog_sqlite_conn *c, const struct catalog_version *v,
	struct catalog_variant_size *rows, size_t *ret_n, struct err *e)
{
	static const char sql[] =
		"SELECT f.path, x.coding, b.size FROM version_files f"
		" JOIN variants x ON x.digest = f.digest JOIN blobs b ON b.digest = x.form"
		" WHERE f.model = $1 AND f.version = $2 ORDER BY f.path, x.coding";
	CATALOG_SQLITE_QUERY q = catalog_sqlite_conn_query(c, sql);
	size_t n = 0;

	catalog_sqlite_conn_text(&q, "$1", v->model);
	catalog_sqlite_conn_uint(&q, "$2", v->version);
	for (;;) {
		bool row;
		int r = catalog_sqlite_conn_row(&q, &row, e);
		if (r < 0)
			return r;
		if (!row || n >= v->files_n * CATALOG_VARIANT_CODINGS)
			break;
		r = take_size(&q, v, &rows[n], n > 0 ? rows[n - 1].file : 0, e);
		if (r < 0)
			return r;
		n++;
	}
	*ret_n = n;
	return 0;
}

int catalog_sqlite_variant_models(struct catalog_sqlite_conn *c, const struct digest *of,
	struct catalog_name *rows, size_t max, size_t *ret_n, struct err *e)
{
	static const char sql[] = "SELECT model FROM version_files WHERE digest = $1 LIMIT $2";
	CATALOG_SQLITE_QUERY q = catalog_sqlite_conn_query(c, sql);
	size_t n = 0;

	catalog_sqlite_conn_digest(&q, "$1", of);
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

/* ---- keeping ---- */

/* Also when the blob is gone. */
static int may_have(struct catalog_sqlite_conn *c, const struct digest *of, bool *ret,
	struct err *e)
{
	static const char sql[] = "SELECT 1 FROM blobs WHERE digest = $1"
				  " AND NOT EXISTS (SELECT 1 FROM variants x WHERE x.form = $1)";

	return any_of_digest(c, sql, of, ret, e);
}

static int may_be(struct catalog_sqlite_conn *c, const struct digest *form, bool *ret,
	struct err *e)
{
	static const char sql[] = "SELECT 1 FROM variants WHERE digest = $1";
	bool any;
	int r = any_of_digest(c, sql, form, &any, e);

	if (r == 0)
		*ret = !any;
	return r;
}

/* As long as what it is a form of is young, and no longer, it would stay without being held. One
 * that somebody else brought has a moment of its own. */
static int share_moment(struct catalog_sqlite_conn *c, const struct digest *of,
	const struct catalog_blob *form, struct err *e)
{
	static const char sql[] =
		"UPDATE blobs SET touched = (SELECT i.touched FROM blobs i WHERE i.digest = $1)"
		" WHERE digest = $2 AND gen = $3";
	CATALOG_SQLITE_QUERY q = catalog_sqlite_conn_query(c, sql);

	if (form->exists)
		return 0;
	catalog_sqlite_conn_digest(&q, "$1", of);
	catalog_sqlite_conn_digest(&q, "$2", &form->digest);
	catalog_sqlite_conn_text(&q, "$3", form->key.gen);
	return catalog_sqlite_conn_run(&q, e);
}

static int add_form(struct catalog_sqlite_conn *c, const struct digest *of,
	const struct catalog_blob *form, const char *coding, struct err *e)
{
	static const char sql[] = "INSERT INTO variants (digest, coding, form) VALUES ($1, $2, $3)";
	CATALOG_SQLITE_QUERY q = catalog_sqlite_conn_query(c, sql);

	catalog_sqlite_conn_digest(&q, "$1", of);
	catalog_sqlite_conn_text(&q, "$2", coding);
	catalog_sqlite_conn_digest(&q, "$3", &form->digest);
	return catalog_sqlite_conn_run(&q, e);
}

static int keep_form(struct catalog_sqlite_conn *c, const struct digest *of,
	const struct catalog_blob *form, const char *coding, struct err *e)
{
	int r = catalog_sqlite_publish_claim(c, form, e);

	if (r == 0)
		r = share_moment(c, of, form, e);
	return r < 0 ? r : add_form(c, of, form, coding, e);
}

static int forget_forms(struct catalog_sqlite_conn *c, const struct digest *of, struct err *e)
{
	static const char sql[] = "DELETE FROM variants WHERE digest = $1";

	return run_on_digest(c, sql, of, e);
}

int catalog_sqlite_variant_set(struct catalog_sqlite_conn *c, const struct digest *of,
	const struct catalog_blob *blobs, const char *const *codings, size_t n, bool *ret_kept,
	struct err *e)
{
	bool kept = false;
	int r = may_have(c, of, &kept, e);

	for (size_t i = 0; r == 0 && kept && i < n; i++)
		r = may_be(c, &blobs[i].digest, &kept, e);
	if (r == 0)
		r = looked_at(c, of, e);
	*ret_kept = kept;
	if (r < 0 || !kept)
		return r < 0 ? r : catalog_sqlite_publish_unstage(c, blobs, n, e);
	r = forget_forms(c, of, e);
	for (size_t i = 0; r == 0 && i < n; i++)
		r = keep_form(c, of, &blobs[i], codings[i], e);
	return r;
}

/* ---- losing one ---- */

static int is_only_form(struct catalog_sqlite_conn *c, const struct blob_key *key, bool *ret,
	struct err *e)
{
	static const char sql[] =
		"SELECT 1 FROM blobs WHERE digest = $1 AND gen = $2"
		" AND EXISTS (SELECT 1 FROM variants x WHERE x.form = $1)"
		" AND NOT EXISTS (SELECT 1 FROM version_files f WHERE f.digest = $1)"
		" AND NOT EXISTS (SELECT 1 FROM upload_files u WHERE u.digest = $1)";
	CATALOG_SQLITE_QUERY q = catalog_sqlite_conn_query(c, sql);

	catalog_sqlite_conn_digest(&q, "$1", &key->digest);
	catalog_sqlite_conn_text(&q, "$2", key->gen);
	return catalog_sqlite_conn_any(&q, ret, e);
}

int catalog_sqlite_variant_drop(struct catalog_sqlite_conn *c, const struct blob_key *key,
	bool *ret_dropped, struct err *e)
{
	static const char again[] = "INSERT INTO variants_due (digest, due)"
				    " SELECT x.digest, now_ms() FROM variants x WHERE x.form = $1"
				    " ON CONFLICT (digest) DO NOTHING";
	static const char unhold[] = "DELETE FROM variants WHERE form = $1";
	static const char drop[] = "DELETE FROM blobs WHERE digest = $1";
	int r = is_only_form(c, key, ret_dropped, e);

	if (r < 0 || !*ret_dropped)
		return r;
	r = run_on_digest(c, again, &key->digest, e);
	if (r == 0)
		r = run_on_digest(c, unhold, &key->digest, e);
	if (r == 0)
		r = run_on_digest(c, drop, &key->digest, e);
	if (r == 0)
		r = catalog_sqlite_publish_trash(c, key, e);
	return r < 0 ? r : catalog_sqlite_scrub_count(c, e);
}

/* ---- checking ---- */

static int take_row(struct catalog_sqlite_query *q, struct catalog_variant_row *row, struct err *e)
{
	int r = catalog_sqlite_conn_col_digest(q, 0, &row->of.digest, e);

	if (r == 0)
		r = catalog_sqlite_conn_col_gen(q, 1, &row->of.key, e);
	if (r == 0)
		r = catalog_sqlite_conn_col_digest(q, 3, &row->form.digest, e);
	if (r == 0)
		r = catalog_sqlite_conn_col_gen(q, 4, &row->form.key, e);
	row->of.key.digest = row->of.digest;
	row->of.size = catalog_sqlite_conn_col_uint(q, 2);
	row->form.key.digest = row->form.digest;
	row->form.size = catalog_sqlite_conn_col_uint(q, 5);
	(void)snprintf(row->coding, sizeof(row->coding), "%s", catalog_sqlite_conn_col_text(q, 6));
	row->chained = catalog_sqlite_conn_col_uint(q, 7) > 0;
	row->of.exists = row->form.exists = true;
	return r;
}

int catalog_sqlite_variant_list(struct catalog_sqlite_conn *c, struct catalog_variant_cursor *at,
	struct catalog_variant_row *rows, size_t *ret_n, struct err *e)
{
	static const char sql[] =
		"SELECT i.digest, i.gen, i.size, b.digest, b.gen, b.size, x.coding,"
		" CASE WHEN EXISTS (SELECT 1 FROM variants y WHERE y.digest = x.form)"
		" THEN 1 ELSE 0 END"
		" FROM variants x JOIN blobs i ON i.digest = x.digest"
		" JOIN blobs b ON b.digest = x.form"
		" WHERE (x.digest, x.coding) > ($1, $2) ORDER BY x.digest, x.coding LIMIT $3";
	CATALOG_SQLITE_QUERY q = catalog_sqlite_conn_query(c, sql);
	size_t n = 0;

	catalog_sqlite_conn_text(&q, "$1", at->of);
	catalog_sqlite_conn_text(&q, "$2", at->coding);
	catalog_sqlite_conn_uint(&q, "$3", CATALOG_VARIANT_BATCH);
	for (;;) {
		bool row;
		int r = catalog_sqlite_conn_row(&q, &row, e);
		if (r < 0)
			return r;
		if (!row || n >= CATALOG_VARIANT_BATCH)
			break;
		rows[n] = (struct catalog_variant_row){.chained = false};
		r = take_row(&q, &rows[n++], e);
		if (r < 0)
			return r;
	}
	if (n > 0) {
		(void)digest_hex(&rows[n - 1].of.digest, at->of);
		memcpy(at->coding, rows[n - 1].coding, sizeof(at->coding));
	}
	at->ended = n < CATALOG_VARIANT_BATCH;
	*ret_n = n;
	return 0;
}
