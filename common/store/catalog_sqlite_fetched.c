/* SPDX-License-Identifier: Apache-2.0 */
#include "common/store/catalog_sqlite_fetched.h"
#include "common/store/catalog_sqlite_pool.h"

#include <stdio.h>

static int find(struct catalog_sqlite_conn *c, const char *model, const struct digest *url,
	struct catalog_fetched *ret, bool *ret_found, struct err *e)
{
	static const char sql[] =
		"SELECT f.model, f.etag, f.digest, f.size FROM fetched f"
		" JOIN blobs b ON b.digest = f.digest AND b.size = f.size"
		" WHERE f.model = $1 AND f.url = $2"
		" AND NOT EXISTS (SELECT 1 FROM damage d WHERE d.digest = b.digest)";
	CATALOG_SQLITE_QUERY q = catalog_sqlite_conn_query(c, sql);
	int r;

	catalog_sqlite_conn_text(&q, "$1", model);
	catalog_sqlite_conn_digest(&q, "$2", url);
	r = catalog_sqlite_conn_row(&q, ret_found, e);
	if (r < 0 || !*ret_found)
		return r;
	ret->url = *url;
	(void)snprintf(ret->model, sizeof(ret->model), "%s", catalog_sqlite_conn_col_text(&q, 0));
	(void)snprintf(ret->etag, sizeof(ret->etag), "%s", catalog_sqlite_conn_col_text(&q, 1));
	ret->size = catalog_sqlite_conn_col_uint(&q, 3);
	return catalog_sqlite_conn_col_digest(&q, 2, &ret->digest, e);
}

int catalog_sqlite_fetched_find(void *engine, const char *model, const struct digest *url,
	struct catalog_fetched *ret, bool *ret_found, struct err *e)
{
	return CATALOG_SQLITE_POOL_READ(find(c, model, url, ret, ret_found, e));
}

static int set_one(struct catalog_sqlite_conn *c, const struct catalog_fetched *f, struct err *e)
{
	static const char sql[] =
		"INSERT INTO fetched (model, url, etag, digest, size, updated)"
		" VALUES ($1, $2, $3, $4, $5, now_ms())"
		" ON CONFLICT (model, url) DO UPDATE SET etag = excluded.etag,"
		" digest = excluded.digest, size = excluded.size, updated = excluded.updated";
	CATALOG_SQLITE_QUERY q = catalog_sqlite_conn_query(c, sql);

	catalog_sqlite_conn_text(&q, "$1", f->model);
	catalog_sqlite_conn_digest(&q, "$2", &f->url);
	catalog_sqlite_conn_text(&q, "$3", f->etag);
	catalog_sqlite_conn_digest(&q, "$4", &f->digest);
	catalog_sqlite_conn_uint(&q, "$5", f->size);
	return catalog_sqlite_conn_run(&q, e);
}

static int set(struct catalog_sqlite_conn *c, const struct catalog_fetched *rows, size_t n,
	struct err *e)
{
	int r = 0;

	for (size_t i = 0; r == 0 && i < n; i++)
		r = set_one(c, &rows[i], e);
	return r;
}

int catalog_sqlite_fetched_set(void *engine, const struct catalog_fetched *rows, size_t n,
	struct err *e)
{
	return CATALOG_SQLITE_POOL_WRITE(set(c, rows, n, e));
}

static int expire(struct catalog_sqlite_conn *c, uint64_t before_ms, struct err *e)
{
	static const char sql[] = "DELETE FROM fetched WHERE updated < $1";
	CATALOG_SQLITE_QUERY q = catalog_sqlite_conn_query(c, sql);

	catalog_sqlite_conn_uint(&q, "$1", before_ms);
	return catalog_sqlite_conn_run(&q, e);
}

int catalog_sqlite_fetched_expire(void *engine, uint64_t before_ms, struct err *e)
{
	return CATALOG_SQLITE_POOL_WRITE(expire(c, before_ms, e));
}

int catalog_sqlite_fetched_forget(struct catalog_sqlite_conn *c, const char *model, struct err *e)
{
	static const char sql[] =
		"DELETE FROM fetched WHERE model = $1 AND NOT EXISTS"
		" (SELECT 1 FROM versions v WHERE v.model = $1 AND v.deleted = 0)";
	CATALOG_SQLITE_QUERY q = catalog_sqlite_conn_query(c, sql);

	catalog_sqlite_conn_text(&q, "$1", model);
	return catalog_sqlite_conn_run(&q, e);
}
