/* SPDX-License-Identifier: Apache-2.0 */
#include "common/store/catalog_sqlite_scrub.h"

/* ---- damage ---- */

static int add_damage(struct catalog_sqlite_conn *c, const struct blob_key *key, const char *what,
	bool *ret_new, struct err *e)
{
	static const char sql[] =
		"INSERT INTO damage (digest, gen, found, what)"
		" SELECT digest, gen, now_ms(), $3 FROM blobs WHERE digest = $1 AND gen = $2"
		" ON CONFLICT (digest) DO NOTHING RETURNING digest";
	CATALOG_SQLITE_QUERY q = catalog_sqlite_conn_query(c, sql);

	catalog_sqlite_conn_digest(&q, "$1", &key->digest);
	catalog_sqlite_conn_text(&q, "$2", key->gen);
	catalog_sqlite_conn_text(&q, "$3", what);
	return catalog_sqlite_conn_any(&q, ret_new, e);
}

int catalog_sqlite_scrub_count(struct catalog_sqlite_conn *c, struct err *e)
{
	static const char sql[] = "UPDATE scrub SET found = found + 1";
	CATALOG_SQLITE_QUERY q = catalog_sqlite_conn_query(c, sql);

	return catalog_sqlite_conn_run(&q, e);
}

int catalog_sqlite_scrub_damaged(struct catalog_sqlite_conn *c, const struct blob_key *key,
	const char *what, bool *ret_new, struct err *e)
{
	int r = add_damage(c, key, what, ret_new, e);

	return r < 0 || !*ret_new ? r : catalog_sqlite_scrub_count(c, e);
}

int catalog_sqlite_scrub_sound(struct catalog_sqlite_conn *c, const struct digest *digest,
	struct err *e)
{
	static const char sql[] = "DELETE FROM damage WHERE digest = $1";
	CATALOG_SQLITE_QUERY q = catalog_sqlite_conn_query(c, sql);

	catalog_sqlite_conn_digest(&q, "$1", digest);
	return catalog_sqlite_conn_run(&q, e);
}

int catalog_sqlite_scrub_find(struct catalog_sqlite_conn *c, const struct digest *digest,
	struct blob_key *ret, bool *ret_damaged, struct err *e)
{
	static const char sql[] = "SELECT gen FROM damage WHERE digest = $1";
	CATALOG_SQLITE_QUERY q = catalog_sqlite_conn_query(c, sql);
	int r;

	catalog_sqlite_conn_digest(&q, "$1", digest);
	r = catalog_sqlite_conn_row(&q, ret_damaged, e);
	if (r < 0 || !*ret_damaged)
		return r;
	ret->digest = *digest;
	return catalog_sqlite_conn_col_gen(&q, 0, ret, e);
}

/* ---- the pass ---- */

static int take_state(struct catalog_sqlite_query *q, struct catalog_scrub *ret, struct err *e)
{
	*ret = (struct catalog_scrub){
		.underway = catalog_sqlite_conn_col_uint(q, 0) > 0,
		.started_ms = catalog_sqlite_conn_col_uint(q, 1),
		.at.started = catalog_sqlite_conn_col_text(q, 2)[0] != '\0',
		.finished_ms = catalog_sqlite_conn_col_uint(q, 3),
		.found = catalog_sqlite_conn_col_uint(q, 4),
		.damaged = catalog_sqlite_conn_col_uint(q, 5),
	};
	return ret->at.started ? catalog_sqlite_conn_col_digest(q, 2, &ret->at.last, e) : 0;
}

int catalog_sqlite_scrub_read(struct catalog_sqlite_conn *c, struct catalog_scrub *ret,
	struct err *e)
{
	static const char sql[] =
		"SELECT underway, started, position, finished, found,"
		" (SELECT COUNT(*) FROM damage) FROM scrub";
	CATALOG_SQLITE_QUERY q = catalog_sqlite_conn_query(c, sql);
	bool row;
	int r = catalog_sqlite_conn_row(&q, &row, e);

	if (r == 0 && !row)
		r = err_set(e, ERR_CORRUPT, "the catalog has no row of how far scrubbing is");
	return r < 0 ? r : take_state(&q, ret, e);
}

int catalog_sqlite_scrub_save(struct catalog_sqlite_conn *c, const struct catalog_scrub *s,
	struct err *e)
{
	static const char sql[] = "UPDATE scrub SET underway = $1, started = $2, position = $3";
	CATALOG_SQLITE_QUERY q = catalog_sqlite_conn_query(c, sql);
	char hex[DIGEST_HEX + 1];

	catalog_sqlite_conn_uint(&q, "$1", s->underway);
	catalog_sqlite_conn_uint(&q, "$2", s->started_ms);
	catalog_sqlite_conn_text(&q, "$3", s->at.started ? digest_hex(&s->at.last, hex) : "");
	return catalog_sqlite_conn_run(&q, e);
}

int catalog_sqlite_scrub_finish(struct catalog_sqlite_conn *c, struct err *e)
{
	static const char sql[] = "UPDATE scrub SET finished = now_ms()";
	CATALOG_SQLITE_QUERY q = catalog_sqlite_conn_query(c, sql);

	return catalog_sqlite_conn_run(&q, e);
}
