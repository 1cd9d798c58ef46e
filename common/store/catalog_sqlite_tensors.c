/* SPDX-License-Identifier: Apache-2.0 */
#include "common/store/catalog_sqlite_tensors.h"
#include "common/store/catalog_sqlite_pool.h"

#include <stdio.h>
#include <string.h>

#define WRITE CATALOG_SQLITE_POOL_WRITE
#define READ  CATALOG_SQLITE_POOL_READ

int catalog_sqlite_tensors_insert(struct catalog_sqlite_conn *c, const struct catalog_publish *p,
	uint64_t version, struct err *e)
{
	static const char sql[] =
		"INSERT INTO version_tensors (model, version, tensors, due)"
		" VALUES ($1, $2, $3, CASE $4 WHEN 0 THEN 0 ELSE now_ms() END)";
	CATALOG_SQLITE_QUERY q = catalog_sqlite_conn_query(c, sql);

	if (!p->tensors)
		return 0;
	catalog_sqlite_conn_text(&q, "$1", p->model);
	catalog_sqlite_conn_uint(&q, "$2", version);
	catalog_sqlite_conn_text(&q, "$3", p->tensors);
	catalog_sqlite_conn_uint(&q, "$4", p->tensors_due);
	return catalog_sqlite_conn_run(&q, e);
}

static int read_text(struct catalog_sqlite_conn *c, const char *model, uint64_t version,
	char **ret, bool *ret_due, struct err *e)
{
	static const char sql[] =
		"SELECT tensors, due FROM version_tensors WHERE model = $1 AND version = $2";
	CATALOG_SQLITE_QUERY q = catalog_sqlite_conn_query(c, sql);
	bool row;
	int r;

	catalog_sqlite_conn_text(&q, "$1", model);
	catalog_sqlite_conn_uint(&q, "$2", version);
	r = catalog_sqlite_conn_row(&q, &row, e);
	if (r < 0)
		return r;
	*ret_due = row && catalog_sqlite_conn_col_uint(&q, 1) > 0;
	if (row)
		return catalog_sqlite_conn_col_dup(&q, 0, ret, e);
	*ret = strdup("");
	return *ret ? 0 : err_nomem(e);
}

int catalog_sqlite_tensors_read(void *engine, const char *model, uint64_t version, char **ret,
	bool *ret_due, struct err *e)
{
	return READ(read_text(c, model, version, ret, ret_due, e));
}

/* ---- the queue ---- */

static int read_next(struct catalog_sqlite_conn *c, struct catalog_name *ret_model,
	uint64_t *ret_version, bool *ret_any, uint64_t *ret_wait_ms, struct err *e)
{
	static const char sql[] =
		"SELECT model, version, due, now_ms() FROM version_tensors WHERE due > 0"
		" ORDER BY due, model, version LIMIT 1";
	CATALOG_SQLITE_QUERY q = catalog_sqlite_conn_query(c, sql);
	uint64_t due, now;
	bool row;
	int r = catalog_sqlite_conn_row(&q, &row, e);

	*ret_any = false;
	*ret_wait_ms = UINT64_MAX;
	if (r < 0 || !row)
		return r;
	due = catalog_sqlite_conn_col_uint(&q, 2);
	now = catalog_sqlite_conn_col_uint(&q, 3);
	*ret_any = due <= now;
	*ret_wait_ms = due <= now ? 0 : due - now;
	*ret_version = catalog_sqlite_conn_col_uint(&q, 1);
	(void)snprintf(ret_model->text, sizeof(ret_model->text), "%s",
		catalog_sqlite_conn_col_text(&q, 0));
	return 0;
}

int catalog_sqlite_tensors_next(void *engine, struct catalog_name *ret_model,
	uint64_t *ret_version, bool *ret_any, uint64_t *ret_wait_ms, struct err *e)
{
	return READ(read_next(c, ret_model, ret_version, ret_any, ret_wait_ms, e));
}

static int set_text(struct catalog_sqlite_conn *c, const char *model, uint64_t version,
	const char *tensors, struct err *e)
{
	static const char sql[] =
		"UPDATE version_tensors SET tensors = $3, due = 0"
		" WHERE model = $1 AND version = $2 AND due > 0";
	CATALOG_SQLITE_QUERY q = catalog_sqlite_conn_query(c, sql);

	catalog_sqlite_conn_text(&q, "$1", model);
	catalog_sqlite_conn_uint(&q, "$2", version);
	catalog_sqlite_conn_text(&q, "$3", tensors);
	return catalog_sqlite_conn_run(&q, e);
}

int catalog_sqlite_tensors_set(void *engine, const char *model, uint64_t version,
	const char *tensors, struct err *e)
{
	return WRITE(set_text(c, model, version, tensors, e));
}

static int put_off(struct catalog_sqlite_conn *c, const char *model, uint64_t version, uint64_t ms,
	struct err *e)
{
	static const char sql[] =
		"UPDATE version_tensors SET due = now_ms() + $3"
		" WHERE model = $1 AND version = $2 AND due > 0";
	CATALOG_SQLITE_QUERY q = catalog_sqlite_conn_query(c, sql);

	catalog_sqlite_conn_text(&q, "$1", model);
	catalog_sqlite_conn_uint(&q, "$2", version);
	catalog_sqlite_conn_uint(&q, "$3", ms);
	return catalog_sqlite_conn_run(&q, e);
}

int catalog_sqlite_tensors_defer(void *engine, const char *model, uint64_t version, uint64_t ms,
	struct err *e)
{
	return WRITE(put_off(c, model, version, ms, e));
}
