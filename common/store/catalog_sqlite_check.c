/* SPDX-License-Identifier: Apache-2.0 */
#include "common/store/catalog_sqlite_check.h"
#include "common/store/catalog_sqlite_job.h"
#include "common/store/catalog_sqlite_scrub.h"
#include "common/store/catalog_sqlite_usage.h"

#define HOLDERS_TOLD 4

/* ---- the database itself ---- */

static int add_integrity(struct catalog_sqlite_conn *c, struct buf *faults, struct err *e)
{
	static const char sql[] = "PRAGMA integrity_check";
	CATALOG_SQLITE_QUERY q = catalog_sqlite_conn_query(c, sql);

	for (;;) {
		bool row;
		int r = catalog_sqlite_conn_row(&q, &row, e);
		if (r < 0 || !row)
			return r;
		const char *verdict = catalog_sqlite_conn_col_text(&q, 0);
		if (strcmp(verdict, "ok") != 0)
			buf_addf(faults, "%s\n", verdict);
	}
}

static int add_foreign_keys(struct catalog_sqlite_conn *c, struct buf *faults, struct err *e)
{
	static const char sql[] = "PRAGMA foreign_key_check";
	CATALOG_SQLITE_QUERY q = catalog_sqlite_conn_query(c, sql);

	for (;;) {
		bool row;
		int r = catalog_sqlite_conn_row(&q, &row, e);
		if (r < 0 || !row)
			return r;
		buf_addf(faults, "a row of %s names one of %s that is not there\n",
			catalog_sqlite_conn_col_text(&q, 0), catalog_sqlite_conn_col_text(&q, 2));
	}
}

int catalog_sqlite_check_all(struct catalog_sqlite_conn *c, struct buf *faults, struct err *e)
{
	int r = add_integrity(c, faults, e);

	if (r == 0)
		r = add_foreign_keys(c, faults, e);
	if (r == 0)
		r = catalog_sqlite_job_check(c, faults, e);
	return r < 0 ? r : catalog_sqlite_usage_check(c, faults, e);
}

/* ---- blobs ---- */

static int take_blob(struct catalog_sqlite_query *q, struct catalog_blob *blob, struct err *e)
{
	int r = catalog_sqlite_conn_col_digest(q, 0, &blob->digest, e);

	if (r == 0)
		r = catalog_sqlite_conn_col_gen(q, 1, &blob->key, e);
	blob->key.digest = blob->digest;
	blob->size = catalog_sqlite_conn_col_uint(q, 2);
	blob->exists = true;
	blob->damaged = catalog_sqlite_conn_col_uint(q, 3) > 0;
	return r;
}

int catalog_sqlite_check_blobs(struct catalog_sqlite_conn *c, struct catalog_cursor *at,
	struct catalog_blob *rows, size_t *ret_n, struct err *e)
{
	static const char sql[] =
		"SELECT b.digest, b.gen, b.size, " CATALOG_SQLITE_SCRUB_DAMAGED
		" FROM blobs b WHERE b.digest > $1 ORDER BY b.digest LIMIT $2";
	CATALOG_SQLITE_QUERY q = catalog_sqlite_conn_query(c, sql);
	char hex[DIGEST_HEX + 1];
	size_t n = 0;

	catalog_sqlite_conn_text(&q, "$1", at->started ? digest_hex(&at->last, hex) : "");
	catalog_sqlite_conn_uint(&q, "$2", CATALOG_BLOBS_BATCH);
	for (;;) {
		bool row;
		int r = catalog_sqlite_conn_row(&q, &row, e);
		if (r < 0)
			return r;
		if (!row || n >= CATALOG_BLOBS_BATCH)
			break;
		r = take_blob(&q, &rows[n], e);
		if (r < 0)
			return r;
		at->last = rows[n++].digest;
		at->started = true;
	}
	at->ended = n < CATALOG_BLOBS_BATCH;
	*ret_n = n;
	return 0;
}

int catalog_sqlite_check_key(struct catalog_sqlite_conn *c, const struct blob_key *key,
	enum catalog_key_state *ret, struct err *e)
{
	static const char sql[] =
		"SELECT CASE"
		" WHEN EXISTS (SELECT 1 FROM blobs WHERE digest = $1 AND gen = $2) THEN 1"
		" WHEN EXISTS (SELECT 1 FROM intents WHERE digest = $1 AND gen = $2) THEN 2"
		" WHEN EXISTS (SELECT 1 FROM trash WHERE digest = $1 AND gen = $2) THEN 3"
		" ELSE 0 END";
	CATALOG_SQLITE_QUERY q = catalog_sqlite_conn_query(c, sql);
	bool row;
	int r;

	catalog_sqlite_conn_digest(&q, "$1", &key->digest);
	catalog_sqlite_conn_text(&q, "$2", key->gen);
	r = catalog_sqlite_conn_row(&q, &row, e);
	if (r == 0)
		*ret = (enum catalog_key_state)catalog_sqlite_conn_col_uint(&q, 0);
	return r;
}

int catalog_sqlite_check_holders(struct catalog_sqlite_conn *c, const struct digest *digest,
	struct buf *out, struct err *e)
{
	static const char sql[] =
		"SELECT model || '@' || version, path FROM version_files WHERE digest = $1"
		" UNION ALL"
		" SELECT 'upload ' || upload, path FROM upload_files WHERE digest = $1"
		" UNION ALL"
		" SELECT 'the ' || x.coding || ' form of ' || f.model || '@' || f.version, f.path"
		" FROM variants x JOIN version_files f ON f.digest = x.digest WHERE x.form = $1"
		" ORDER BY 1, 2 LIMIT $2";
	CATALOG_SQLITE_QUERY q = catalog_sqlite_conn_query(c, sql);

	catalog_sqlite_conn_digest(&q, "$1", digest);
	catalog_sqlite_conn_uint(&q, "$2", HOLDERS_TOLD + 1);
	for (size_t n = 0;; n++) {
		bool row;
		int r = catalog_sqlite_conn_row(&q, &row, e);
		if (r < 0 || !row)
			return r;
		if (n == HOLDERS_TOLD) {
			buf_add_str(out, ", ...");
			return 0;
		}
		buf_addf(out, "%s%s/%s", n > 0 ? ", " : "",
			catalog_sqlite_conn_col_text(&q, 0), catalog_sqlite_conn_col_text(&q, 1));
	}
}
