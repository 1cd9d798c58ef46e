/* SPDX-License-Identifier: Apache-2.0 */
#include "common/store/catalog_sqlite_reject.h"

static int insert(struct catalog_sqlite_conn *c, const struct catalog_reject *x, struct err *e)
{
	static const char sql[] =
		"INSERT INTO rejections"
		" (sequence, model, refused, status, code, detail, errors, request_id)"
		" SELECT COALESCE(MAX(sequence), 0) + 1, $1, now_ms(), $2, $3, $4, $5, $6"
		" FROM rejections";
	CATALOG_SQLITE_QUERY q = catalog_sqlite_conn_query(c, sql);

	catalog_sqlite_conn_text(&q, "$1", x->model);
	catalog_sqlite_conn_uint(&q, "$2", x->status);
	catalog_sqlite_conn_text(&q, "$3", x->code);
	catalog_sqlite_conn_text(&q, "$4", x->detail);
	catalog_sqlite_conn_text(&q, "$5", x->errors);
	catalog_sqlite_conn_text(&q, "$6", x->request_id);
	return catalog_sqlite_conn_run(&q, e);
}

/* Both compare with the first one that is too much; there is none while the limit holds. */
static int trim_model(struct catalog_sqlite_conn *c, const char *model, struct err *e)
{
	static const char sql[] =
		"DELETE FROM rejections WHERE model = $1 AND sequence <="
		" (SELECT sequence FROM rejections WHERE model = $1"
		" ORDER BY sequence DESC LIMIT 1 OFFSET $2)";
	CATALOG_SQLITE_QUERY q = catalog_sqlite_conn_query(c, sql);

	catalog_sqlite_conn_text(&q, "$1", model);
	catalog_sqlite_conn_uint(&q, "$2", CATALOG_REJECTIONS_OF_MODEL);
	return catalog_sqlite_conn_run(&q, e);
}

static int trim_all(struct catalog_sqlite_conn *c, struct err *e)
{
	static const char sql[] =
		"DELETE FROM rejections WHERE sequence <="
		" (SELECT sequence FROM rejections ORDER BY sequence DESC LIMIT 1 OFFSET $1)";
	CATALOG_SQLITE_QUERY q = catalog_sqlite_conn_query(c, sql);

	catalog_sqlite_conn_uint(&q, "$1", CATALOG_REJECTIONS_MAX);
	return catalog_sqlite_conn_run(&q, e);
}

int catalog_sqlite_reject_add(struct catalog_sqlite_conn *c, const struct catalog_reject *x,
	struct err *e)
{
	int r = insert(c, x, e);

	if (r == 0)
		r = trim_model(c, x->model, e);
	return r < 0 ? r : trim_all(c, e);
}

/* The row counts even when it is half taken: the caller clears it then. */
static int take(struct catalog_sqlite_query *q, struct catalog_rejections *ret, struct err *e)
{
	struct catalog_rejection *x = &ret->items[ret->n++];
	int r = catalog_sqlite_conn_col_dup(q, 2, &x->code, e);

	x->refused_ms = catalog_sqlite_conn_col_uint(q, 0);
	x->status = (unsigned)catalog_sqlite_conn_col_uint(q, 1);
	if (r == 0)
		r = catalog_sqlite_conn_col_dup(q, 3, &x->detail, e);
	if (r == 0)
		r = catalog_sqlite_conn_col_dup(q, 4, &x->errors, e);
	return r < 0 ? r : catalog_sqlite_conn_col_dup(q, 5, &x->request_id, e);
}

int catalog_sqlite_reject_read(struct catalog_sqlite_conn *c, const char *model,
	struct catalog_rejections *ret, struct err *e)
{
	static const char sql[] =
		"SELECT refused, status, code, detail, errors, request_id FROM rejections"
		" WHERE model = $1 ORDER BY sequence DESC LIMIT $2";
	CATALOG_SQLITE_QUERY q = catalog_sqlite_conn_query(c, sql);
	bool row = true;
	int r = 0;

	catalog_sqlite_conn_text(&q, "$1", model);
	catalog_sqlite_conn_uint(&q, "$2", ARRAY_SIZE(ret->items));
	while (r == 0 && row) {
		r = catalog_sqlite_conn_row(&q, &row, e);
		if (r == 0 && row && ret->n < ARRAY_SIZE(ret->items))
			r = take(&q, ret, e);
	}
	return r;
}

int catalog_sqlite_reject_expire(struct catalog_sqlite_conn *c, uint64_t before_ms, struct err *e)
{
	static const char sql[] = "DELETE FROM rejections WHERE refused < $1";
	CATALOG_SQLITE_QUERY q = catalog_sqlite_conn_query(c, sql);

	catalog_sqlite_conn_uint(&q, "$1", before_ms);
	return catalog_sqlite_conn_run(&q, e);
}
