/* SPDX-License-Identifier: Apache-2.0 */
#include "common/store/catalog_sqlite_token.h"
#include "common/store/catalog_sqlite_change.h"
#include "common/store/catalog_sqlite_mark.h"
#include "common/store/catalog_sqlite_pool.h"

#include <stdio.h>

#define WRITE CATALOG_SQLITE_POOL_WRITE

/* ---- the mark ---- */

void catalog_sqlite_token_watch(void *engine)
{
	struct catalog_sqlite_pool *p = engine;

	if (!p->mark)
		p->mark = catalog_sqlite_mark_open(catalog_sqlite_conn_path(&p->writer), true);
}

void catalog_sqlite_token_unwatch(void *engine)
{
	struct catalog_sqlite_pool *p = engine;

	catalog_sqlite_mark_close(take_ptr(p->mark));
}

/* After a commit, or what may have been one: whoever reads too often does no harm. Where there is
 * no mark nobody watches. */
static int tell(void *engine, int r)
{
	struct catalog_sqlite_pool *p = engine;
	struct catalog_sqlite_mark *own = NULL;

	if (!p->mark)
		own = catalog_sqlite_mark_open(catalog_sqlite_conn_path(&p->writer), false);
	catalog_sqlite_mark_add(p->mark ? p->mark : own);
	catalog_sqlite_mark_close(own);
	return r;
}

uint64_t catalog_sqlite_token_mark(void *engine)
{
	return catalog_sqlite_mark_read(((struct catalog_sqlite_pool *)engine)->mark);
}

/* ---- adding and removing ---- */

static int check_room(struct catalog_sqlite_conn *c, struct err *e)
{
	static const char sql[] = "SELECT COUNT(*) FROM tokens";
	CATALOG_SQLITE_QUERY q = catalog_sqlite_conn_query(c, sql);
	bool row;
	int r = catalog_sqlite_conn_row(&q, &row, e);

	if (r == 0 && row && catalog_sqlite_conn_col_uint(&q, 0) >= CATALOG_TOKENS_MAX)
		r = err_set(e, ERR_TOO_MANY,
			"there are %d tokens, the most there may be: revoke one first",
			CATALOG_TOKENS_MAX);
	return r;
}

static int insert(struct catalog_sqlite_conn *c, const struct catalog_token *t, struct err *e)
{
	static const char sql[] =
		"INSERT INTO tokens (id, name, secret, grants, created, expires, used)"
		" VALUES ($1, $2, $3, $4, now_ms(), $5, 0) ON CONFLICT (id) DO NOTHING"
		" RETURNING 1";
	CATALOG_SQLITE_QUERY q = catalog_sqlite_conn_query(c, sql);
	bool any = false;
	int r;

	catalog_sqlite_conn_text(&q, "$1", t->id);
	catalog_sqlite_conn_text(&q, "$2", t->name);
	catalog_sqlite_conn_digest(&q, "$3", &t->secret);
	catalog_sqlite_conn_text(&q, "$4", t->grants);
	catalog_sqlite_conn_uint(&q, "$5", t->expires_ms);
	r = catalog_sqlite_conn_any(&q, &any, e);
	if (r == 0 && !any)
		r = err_set(e, ERR_CONFLICT, "there is a token %s", t->id);
	return r;
}

static int add(struct catalog_sqlite_conn *c, const struct catalog_token *t, struct err *e)
{
	int r = check_room(c, e);

	if (r == 0)
		r = insert(c, t, e);
	return r < 0 ? r : catalog_sqlite_change_add(c, "token-created", "", t->id, e);
}

int catalog_sqlite_token_add(void *engine, const struct catalog_token *t, struct err *e)
{
	return tell(engine, WRITE(add(c, t, e)));
}

static int remove_row(struct catalog_sqlite_conn *c, const char *id, struct err *e)
{
	static const char sql[] = "DELETE FROM tokens WHERE id = $1 RETURNING 1";
	CATALOG_SQLITE_QUERY q = catalog_sqlite_conn_query(c, sql);
	bool any = false;
	int r;

	catalog_sqlite_conn_text(&q, "$1", id);
	r = catalog_sqlite_conn_any(&q, &any, e);
	if (r == 0 && !any)
		r = err_set(e, ERR_TOKEN_NOT_FOUND, "there is no token %.*s", CATALOG_TOKEN_ID,
			id);
	return r < 0 ? r : catalog_sqlite_change_add(c, "token-revoked", "", id, e);
}

int catalog_sqlite_token_remove(void *engine, const char *id, struct err *e)
{
	return tell(engine, WRITE(remove_row(c, id, e)));
}

/* ---- reading ---- */

static int take(struct catalog_sqlite_query *q, struct catalog_token *t, struct err *e)
{
	int r = catalog_sqlite_conn_col_digest(q, 2, &t->secret, e);

	if (r == 0)
		r = catalog_sqlite_conn_col_dup(q, 3, &t->grants, e);
	(void)snprintf(t->id, sizeof(t->id), "%s", catalog_sqlite_conn_col_text(q, 0));
	(void)snprintf(t->name, sizeof(t->name), "%s", catalog_sqlite_conn_col_text(q, 1));
	t->created_ms = catalog_sqlite_conn_col_uint(q, 4);
	t->expires_ms = catalog_sqlite_conn_col_uint(q, 5);
	t->used_ms = catalog_sqlite_conn_col_uint(q, 6);
	return r;
}

/* A row counts even when it is half taken: the caller clears it then. */
static int read_all(struct catalog_sqlite_conn *c, struct catalog_tokens *list, struct err *e)
{
	static const char sql[] =
		"SELECT id, name, secret, grants, created, expires, used FROM tokens"
		" ORDER BY id LIMIT $1";
	CATALOG_SQLITE_QUERY q = catalog_sqlite_conn_query(c, sql);
	bool row = true;
	int r = 0;

	catalog_sqlite_conn_uint(&q, "$1", CATALOG_TOKENS_MAX);
	while (r == 0 && row) {
		r = catalog_sqlite_conn_row(&q, &row, e);
		if (r == 0 && row && list->n < CATALOG_TOKENS_MAX)
			r = take(&q, &list->items[list->n++], e);
	}
	return r;
}

int catalog_sqlite_token_list(void *engine, bool wait, struct catalog_tokens *ret, struct err *e)
{
	struct catalog_tokens list = {
		.items = calloc(CATALOG_TOKENS_MAX, sizeof(*list.items)),
	};
	struct catalog_sqlite_conn *c;
	int r;

	if (!list.items)
		return err_nomem(e);
	r = wait ? catalog_sqlite_pool_read_begin(engine, &c, e) :
		   catalog_sqlite_pool_read_try(engine, &c, e);
	if (r == 0)
		r = read_all(c, &list, e);
	r = catalog_sqlite_pool_read_end(engine, c, r);
	if (r < 0)
		catalog_token_list_done(&list);
	else
		*ret = list;
	return r;
}

/* ---- use ---- */

static int use(struct catalog_sqlite_conn *c, const struct catalog_token_use *rows, size_t n,
	struct err *e)
{
	static const char sql[] = "UPDATE tokens SET used = $2 WHERE id = $1 AND used < $2";

	for (size_t i = 0; i < n; i++) {
		CATALOG_SQLITE_QUERY q = catalog_sqlite_conn_query(c, sql);
		catalog_sqlite_conn_text(&q, "$1", rows[i].id);
		catalog_sqlite_conn_uint(&q, "$2", rows[i].used_ms);
		int r = catalog_sqlite_conn_run(&q, e);
		if (r < 0)
			return r;
	}
	return 0;
}

int catalog_sqlite_token_use(void *engine, const struct catalog_token_use *rows, size_t n,
	struct err *e)
{
	return WRITE(use(c, rows, n, e));
}

/* ---- the key ---- */

static int insert_key(struct catalog_sqlite_conn *c, const uint8_t fresh[SECRET_BYTES],
	struct err *e)
{
	static const char sql[] =
		"INSERT INTO store_keys (name, secret) VALUES ('links', $1)"
		" ON CONFLICT (name) DO NOTHING";
	struct digest bytes; /* that have their spelling */
	CATALOG_SQLITE_QUERY q = catalog_sqlite_conn_query(c, sql);

	_Static_assert(sizeof(bytes.bytes) == SECRET_BYTES, "a key is as long as a digest");
	memcpy(bytes.bytes, fresh, SECRET_BYTES);
	catalog_sqlite_conn_digest(&q, "$1", &bytes);
	return catalog_sqlite_conn_run(&q, e);
}

static int read_key(struct catalog_sqlite_conn *c, uint8_t ret[SECRET_BYTES], bool *ret_found,
	struct err *e)
{
	static const char sql[] = "SELECT secret FROM store_keys WHERE name = 'links'";
	CATALOG_SQLITE_QUERY q = catalog_sqlite_conn_query(c, sql);
	struct digest bytes;
	int r = catalog_sqlite_conn_row(&q, ret_found, e);

	if (r == 0 && *ret_found)
		r = catalog_sqlite_conn_col_digest(&q, 0, &bytes, e);
	if (r == 0 && *ret_found)
		memcpy(ret, bytes.bytes, SECRET_BYTES);
	return r;
}

static int make_key(struct catalog_sqlite_conn *c, const uint8_t fresh[SECRET_BYTES],
	uint8_t ret[SECRET_BYTES], bool *ret_found, struct err *e)
{
	int r = insert_key(c, fresh, e);

	return r < 0 ? r : read_key(c, ret, ret_found, e);
}

int catalog_sqlite_token_key(void *engine, const uint8_t fresh[SECRET_BYTES],
	uint8_t ret[SECRET_BYTES], bool *ret_found, struct err *e)
{
	if (fresh)
		return WRITE(make_key(c, fresh, ret, ret_found, e));
	return CATALOG_SQLITE_POOL_READ(read_key(c, ret, ret_found, e));
}
