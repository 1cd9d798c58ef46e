/* SPDX-License-Identifier: Apache-2.0 */
#include "common/store/catalog_sqlite_collect.h"
#include "common/base/num.h"
#include "common/store/catalog_sqlite_variant.h"

/* ---- what nobody holds ---- */

/* Of a blob `b`: nothing holds it, and no publish wanted it since the grace time began. */
#define UNWANTED(b) \
	b ".touched <= now_ms() - $3" \
	" AND NOT EXISTS (SELECT 1 FROM version_files f WHERE f.digest = " b ".digest)" \
	" AND NOT EXISTS (SELECT 1 FROM upload_files u WHERE u.digest = " b ".digest)"

static int take_candidate(struct catalog_sqlite_query *q, struct catalog_cursor *at,
	struct catalog_garbage *row, bool *ret_is_garbage, struct err *e)
{
	int r = catalog_sqlite_conn_col_digest(q, 0, &at->last, e);

	if (r == 0)
		r = catalog_sqlite_conn_col_gen(q, 1, &row->key, e);
	row->key.digest = at->last;
	row->size = catalog_sqlite_conn_col_uint(q, 2);
	*ret_is_garbage = catalog_sqlite_conn_col_uint(q, 3) > 0;
	at->started = true;
	return r;
}

int catalog_sqlite_collect_find(struct catalog_sqlite_conn *c, struct catalog_cursor *at,
	uint64_t grace_ms, struct catalog_garbage *rows, size_t *ret_n, struct err *e)
{
	static const char sql[] =
		"SELECT b.digest, b.gen, b.size, CASE WHEN " UNWANTED("b")
		" AND NOT EXISTS (SELECT 1 FROM variants x JOIN blobs i ON i.digest = x.digest"
		" WHERE x.form = b.digest AND NOT (" UNWANTED("i") ")) THEN 1 ELSE 0 END"
		" FROM blobs b WHERE b.digest > $1 ORDER BY b.digest LIMIT $2";
	CATALOG_SQLITE_QUERY q = catalog_sqlite_conn_query(c, sql);
	char hex[DIGEST_HEX + 1];
	size_t seen = 0;
	size_t n = 0;

	catalog_sqlite_conn_text(&q, "$1", at->started ? digest_hex(&at->last, hex) : "");
	catalog_sqlite_conn_uint(&q, "$2", CATALOG_GARBAGE_BATCH);
	catalog_sqlite_conn_uint(&q, "$3", grace_ms);
	for (;;) {
		struct catalog_garbage row;
		bool is_garbage;
		bool has_row;
		int r = catalog_sqlite_conn_row(&q, &has_row, e);
		if (r < 0)
			return r;
		if (!has_row || seen >= CATALOG_GARBAGE_BATCH)
			break;
		seen++;
		r = take_candidate(&q, at, &row, &is_garbage, e);
		if (r < 0)
			return r;
		if (is_garbage)
			rows[n++] = row;
	}
	at->ended = seen < CATALOG_GARBAGE_BATCH;
	*ret_n = n;
	return 0;
}

static int drop_row(struct catalog_sqlite_conn *c, const struct blob_key *key, uint64_t grace_ms,
	bool *ret_dropped, struct err *e)
{
	static const char sql[] =
		"DELETE FROM blobs WHERE digest = $1 AND gen = $2 AND " UNWANTED("blobs")
		" AND NOT EXISTS (SELECT 1 FROM variants x WHERE x.form = $1)"
		" RETURNING gen";
	CATALOG_SQLITE_QUERY q = catalog_sqlite_conn_query(c, sql);

	catalog_sqlite_conn_digest(&q, "$1", &key->digest);
	catalog_sqlite_conn_text(&q, "$2", key->gen);
	catalog_sqlite_conn_uint(&q, "$3", grace_ms);
	return catalog_sqlite_conn_any(&q, ret_dropped, e);
}

static int add_trash(struct catalog_sqlite_conn *c, const struct blob_key *key, uint64_t delay_ms,
	struct err *e)
{
	static const char sql[] =
		"INSERT INTO trash (digest, gen, due) VALUES ($1, $2, now_ms() + $3)"
		" ON CONFLICT (digest, gen) DO NOTHING";
	CATALOG_SQLITE_QUERY q = catalog_sqlite_conn_query(c, sql);

	catalog_sqlite_conn_digest(&q, "$1", &key->digest);
	catalog_sqlite_conn_text(&q, "$2", key->gen);
	catalog_sqlite_conn_uint(&q, "$3", delay_ms);
	return catalog_sqlite_conn_run(&q, e);
}

struct marked {
	uint64_t grace_ms;
	uint64_t delay_ms;
	size_t n;
	uint64_t bytes;
};

static int drop_blob(struct catalog_sqlite_conn *c, const struct blob_key *key, uint64_t size,
	struct marked *m, bool *ret_dropped, struct err *e)
{
	int r = drop_row(c, key, m->grace_ms, ret_dropped, e);

	if (r == 0 && *ret_dropped)
		r = add_trash(c, key, m->delay_ms, e);
	if (r < 0 || !*ret_dropped)
		return r;
	m->n++;
	if (!num_add(m->bytes, size, &m->bytes))
		m->bytes = UINT64_MAX;
	return 0;
}

/* Its forms go with it: until then they are held, and their turn comes here. */
static int drop_with_forms(struct catalog_sqlite_conn *c, const struct catalog_garbage *row,
	struct marked *m, struct err *e)
{
	struct catalog_variant forms[CATALOG_VARIANT_CODINGS];
	bool dropped = false;
	size_t n = 0;
	int r = catalog_sqlite_variant_of(c, &row->key.digest, forms, &n, e);

	if (r == 0)
		r = drop_blob(c, &row->key, row->size, m, &dropped, e);
	for (size_t i = 0; r == 0 && dropped && i < n; i++) {
		bool ignored;
		r = drop_blob(c, &forms[i].key, forms[i].size, m, &ignored, e);
	}
	return r;
}

int catalog_sqlite_collect_mark(struct catalog_sqlite_conn *c, const struct catalog_garbage *rows,
	size_t n, uint64_t grace_ms, uint64_t delay_ms, size_t *ret_n, uint64_t *ret_bytes,
	struct err *e)
{
	struct marked m = {.grace_ms = grace_ms, .delay_ms = delay_ms};
	int r = 0;

	for (size_t i = 0; r == 0 && i < n; i++)
		r = drop_with_forms(c, &rows[i], &m, e);
	*ret_n = m.n;
	*ret_bytes = m.bytes;
	return r;
}

/* ---- trash ---- */

static int run_on_intents(struct catalog_sqlite_conn *c, const char *sql, uint64_t before_ms,
	struct err *e)
{
	CATALOG_SQLITE_QUERY q = catalog_sqlite_conn_query(c, sql);

	catalog_sqlite_conn_uint(&q, "$1", before_ms);
	return catalog_sqlite_conn_run(&q, e);
}

/* Both statements must mean the same moment. */
static int read_now(struct catalog_sqlite_conn *c, uint64_t *ret, struct err *e)
{
	static const char sql[] = "SELECT now_ms()";
	CATALOG_SQLITE_QUERY q = catalog_sqlite_conn_query(c, sql);
	bool row;
	int r = catalog_sqlite_conn_row(&q, &row, e);

	if (r < 0)
		return r;
	*ret = catalog_sqlite_conn_col_uint(&q, 0);
	return 0;
}

int catalog_sqlite_collect_expire(struct catalog_sqlite_conn *c, bool all, struct err *e)
{
	static const char to_trash[] =
		"INSERT INTO trash (digest, gen, due)"
		" SELECT digest, gen, now_ms() FROM intents WHERE expires <= $1"
		" ON CONFLICT (digest, gen) DO NOTHING";
	static const char drop[] = "DELETE FROM intents WHERE expires <= $1";
	uint64_t before_ms = INT64_MAX;
	int r = all ? 0 : read_now(c, &before_ms, e);

	if (r == 0)
		r = run_on_intents(c, to_trash, before_ms, e);
	if (r == 0)
		r = run_on_intents(c, drop, before_ms, e);
	return r;
}

static int drop_trash(struct catalog_sqlite_conn *c, const struct blob_key *key, struct err *e)
{
	static const char sql[] = "DELETE FROM trash WHERE digest = $1 AND gen = $2";
	CATALOG_SQLITE_QUERY q = catalog_sqlite_conn_query(c, sql);

	catalog_sqlite_conn_digest(&q, "$1", &key->digest);
	catalog_sqlite_conn_text(&q, "$2", key->gen);
	return catalog_sqlite_conn_run(&q, e);
}

int catalog_sqlite_collect_trash_done(struct catalog_sqlite_conn *c, const struct blob_key *keys,
	size_t n, struct err *e)
{
	int r = 0;

	for (size_t i = 0; r == 0 && i < n; i++)
		r = drop_trash(c, &keys[i], e);
	return r;
}

int catalog_sqlite_collect_trash(struct catalog_sqlite_conn *c, bool early,
	struct blob_key *keys, size_t max, size_t *ret_n, struct err *e)
{
	static const char of_due[] =
		"SELECT digest, gen FROM trash WHERE due <= now_ms() ORDER BY due LIMIT $1";
	static const char of_all[] = "SELECT digest, gen FROM trash ORDER BY due LIMIT $1";
	CATALOG_SQLITE_QUERY q = catalog_sqlite_conn_query(c, early ? of_all : of_due);
	size_t n = 0;

	catalog_sqlite_conn_uint(&q, "$1", max);
	for (;;) {
		bool row;
		int r = catalog_sqlite_conn_row(&q, &row, e);
		if (r < 0)
			return r;
		if (!row || n >= max)
			break;
		r = catalog_sqlite_conn_col_digest(&q, 0, &keys[n].digest, e);
		if (r == 0)
			r = catalog_sqlite_conn_col_gen(&q, 1, &keys[n++], e);
		if (r < 0)
			return r;
	}
	*ret_n = n;
	return 0;
}
