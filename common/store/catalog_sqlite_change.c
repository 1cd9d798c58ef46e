/* SPDX-License-Identifier: Apache-2.0 */
#include "common/store/catalog_sqlite_change.h"
#include "common/base/actor.h"

#include <stdio.h>

static void bind_actor(struct catalog_sqlite_query *q)
{
	const struct actor *a = actor_now();

	catalog_sqlite_conn_text(q, "$4", a->who);
	catalog_sqlite_conn_text(q, "$5", a->address);
	catalog_sqlite_conn_text(q, "$6", a->request);
}

int catalog_sqlite_change_add(struct catalog_sqlite_conn *c, const char *kind, const char *model,
	const char *item, struct err *e)
{
	static const char sql[] =
		"INSERT INTO changes (sequence, changed, kind, model, item, who, address, request)"
		" SELECT COALESCE(MAX(sequence), 0) + 1, now_ms(), $1, $2, $3, $4, $5, $6"
		" FROM changes";
	CATALOG_SQLITE_QUERY q = catalog_sqlite_conn_query(c, sql);

	catalog_sqlite_conn_text(&q, "$1", kind);
	catalog_sqlite_conn_text(&q, "$2", model);
	catalog_sqlite_conn_text(&q, "$3", item);
	bind_actor(&q);
	return catalog_sqlite_conn_run(&q, e);
}

int catalog_sqlite_change_add_deletions(struct catalog_sqlite_conn *c, const char *model,
	struct err *e)
{
	static const char sql[] =
		"INSERT INTO changes (sequence, changed, kind, model, item, who, address, request)"
		" SELECT (SELECT COALESCE(MAX(sequence), 0) FROM changes)"
		" + ROW_NUMBER() OVER (ORDER BY version),"
		" now_ms(), 'version-deleted', model, CAST(version AS TEXT), $4, $5, $6"
		" FROM versions WHERE model = $1 AND deleted = 0";
	CATALOG_SQLITE_QUERY q = catalog_sqlite_conn_query(c, sql);

	catalog_sqlite_conn_text(&q, "$1", model);
	bind_actor(&q);
	return catalog_sqlite_conn_run(&q, e);
}

int catalog_sqlite_change_add_failure(struct catalog_sqlite_conn *c, const char *job, struct err *e)
{
	static const char sql[] =
		"INSERT INTO changes (sequence, changed, kind, model, item, who, address, request)"
		" SELECT (SELECT COALESCE(MAX(sequence), 0) + 1 FROM changes), now_ms(),"
		" 'import-failed', model, id, $4, $5, $6 FROM jobs WHERE id = $1 AND mirror = ''";
	CATALOG_SQLITE_QUERY q = catalog_sqlite_conn_query(c, sql);

	catalog_sqlite_conn_text(&q, "$1", job);
	bind_actor(&q);
	return catalog_sqlite_conn_run(&q, e);
}

static int read_last(struct catalog_sqlite_conn *c, uint64_t *ret, struct err *e)
{
	static const char sql[] = "SELECT COALESCE(MAX(sequence), 0) FROM changes";
	CATALOG_SQLITE_QUERY q = catalog_sqlite_conn_query(c, sql);
	bool row;
	int r = catalog_sqlite_conn_row(&q, &row, e);

	if (r == 0)
		*ret = catalog_sqlite_conn_col_uint(&q, 0);
	return r;
}

/* When there are no more, what was looked at need not be looked at again. */
int catalog_sqlite_change_deletions(struct catalog_sqlite_conn *c, struct catalog_feed *at,
	struct catalog_name *rows, size_t max, size_t *ret_n, struct err *e)
{
	static const char sql[] =
		"SELECT sequence, model FROM changes WHERE sequence > $1"
		" AND kind = 'version-deleted' ORDER BY sequence LIMIT $2";
	CATALOG_SQLITE_QUERY q = catalog_sqlite_conn_query(c, sql);
	uint64_t last = 0;
	bool row = at->started;
	size_t n = 0;
	int r = read_last(c, &last, e);

	catalog_sqlite_conn_uint(&q, "$1", at->sequence);
	catalog_sqlite_conn_uint(&q, "$2", max);
	while (r == 0 && row && n < max) {
		r = catalog_sqlite_conn_row(&q, &row, e);
		if (r < 0 || !row)
			break;
		at->sequence = catalog_sqlite_conn_col_uint(&q, 0);
		(void)snprintf(rows[n].text, sizeof(rows[n].text), "%s",
			catalog_sqlite_conn_col_text(&q, 1));
		n++;
	}
	if (!at->started || n < max)
		at->sequence = last;
	at->started = true;
	*ret_n = n;
	return r;
}

/* ---- for people ---- */

#define TAKE_TEXT(q, column, field) \
	((void)snprintf(field, sizeof(field), "%s", catalog_sqlite_conn_col_text(q, column)))

static void take_event(struct catalog_sqlite_query *q, struct catalog_audit_event *ret)
{
	ret->sequence = catalog_sqlite_conn_col_uint(q, 0);
	ret->changed_ms = catalog_sqlite_conn_col_uint(q, 1);
	TAKE_TEXT(q, 2, ret->kind);
	TAKE_TEXT(q, 3, ret->model);
	TAKE_TEXT(q, 4, ret->item);
	TAKE_TEXT(q, 5, ret->who);
	TAKE_TEXT(q, 6, ret->address);
	TAKE_TEXT(q, 7, ret->request);
}

int catalog_sqlite_change_read(struct catalog_sqlite_conn *c, uint64_t since,
	struct catalog_audit_event *rows, size_t max, size_t *ret_n, struct err *e)
{
	static const char sql[] =
		"SELECT sequence, changed, kind, model, item, who, address, request FROM changes"
		" WHERE sequence > $1 ORDER BY sequence LIMIT $2";
	CATALOG_SQLITE_QUERY q = catalog_sqlite_conn_query(c, sql);
	size_t n = 0;
	bool row = true;
	int r = 0;

	catalog_sqlite_conn_uint(&q, "$1", since);
	catalog_sqlite_conn_uint(&q, "$2", max);
	while (r == 0 && row && n < max) {
		r = catalog_sqlite_conn_row(&q, &row, e);
		if (r == 0 && row)
			take_event(&q, &rows[n++]);
	}
	*ret_n = n;
	return r;
}

int catalog_sqlite_change_expire(struct catalog_sqlite_conn *c, uint64_t before_ms, struct err *e)
{
	static const char sql[] =
		"DELETE FROM changes WHERE changed < $1"
		" AND sequence < (SELECT MAX(sequence) FROM changes)";
	CATALOG_SQLITE_QUERY q = catalog_sqlite_conn_query(c, sql);

	catalog_sqlite_conn_uint(&q, "$1", before_ms);
	return catalog_sqlite_conn_run(&q, e);
}
