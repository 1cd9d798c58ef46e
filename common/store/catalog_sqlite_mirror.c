/* SPDX-License-Identifier: Apache-2.0 */
#include "common/store/catalog_sqlite_mirror.h"
#include "common/store/catalog_sqlite_pool.h"

#include <stdio.h>
#include <string.h>

static int take(struct catalog_sqlite_query *q, struct catalog_mirror *m, struct err *e)
{
	(void)snprintf(m->name, sizeof(m->name), "%s", catalog_sqlite_conn_col_text(q, 0));
	(void)snprintf(m->model, sizeof(m->model), "%s", catalog_sqlite_conn_col_text(q, 1));
	m->next_ms = catalog_sqlite_conn_col_uint(q, 3);
	m->checked_ms = catalog_sqlite_conn_col_uint(q, 4);
	m->good_ms = catalog_sqlite_conn_col_uint(q, 5);
	m->failing_ms = catalog_sqlite_conn_col_uint(q, 6);
	m->failures = catalog_sqlite_conn_col_uint(q, 7);
	m->version = catalog_sqlite_conn_col_uint(q, 8);
	(void)snprintf(m->job, sizeof(m->job), "%s", catalog_sqlite_conn_col_text(q, 9));
	(void)snprintf(m->error, sizeof(m->error), "%s", catalog_sqlite_conn_col_text(q, 10));
	return catalog_sqlite_conn_col_digest(q, 2, &m->url, e);
}

static int read_mirror(struct catalog_sqlite_conn *c, const char *name, struct catalog_mirror *ret,
	bool *ret_found, struct err *e)
{
	static const char sql[] =
		"SELECT name, model, url, next, checked, good, failing, failures, version, job,"
		" error FROM mirrors WHERE name = $1";
	CATALOG_SQLITE_QUERY q = catalog_sqlite_conn_query(c, sql);
	int r;

	catalog_sqlite_conn_text(&q, "$1", name);
	r = catalog_sqlite_conn_row(&q, ret_found, e);
	return r < 0 || !*ret_found ? r : take(&q, ret, e);
}

int catalog_sqlite_mirror_read(void *engine, const char *name, struct catalog_mirror *ret,
	bool *ret_found, struct err *e)
{
	return CATALOG_SQLITE_POOL_READ(read_mirror(c, name, ret, ret_found, e));
}

static int save(struct catalog_sqlite_conn *c, const struct catalog_mirror *m, struct err *e)
{
	static const char sql[] =
		"INSERT INTO mirrors"
		" (name, model, url, next, checked, good, failing, failures, version, job, error)"
		" VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11)"
		" ON CONFLICT (name) DO UPDATE SET model = excluded.model, url = excluded.url,"
		" next = excluded.next, checked = excluded.checked, good = excluded.good,"
		" failing = excluded.failing, failures = excluded.failures,"
		" version = excluded.version, job = excluded.job,"
		" error = excluded.error";
	CATALOG_SQLITE_QUERY q = catalog_sqlite_conn_query(c, sql);

	catalog_sqlite_conn_text(&q, "$1", m->name);
	catalog_sqlite_conn_text(&q, "$2", m->model);
	catalog_sqlite_conn_digest(&q, "$3", &m->url);
	catalog_sqlite_conn_uint(&q, "$4", m->next_ms);
	catalog_sqlite_conn_uint(&q, "$5", m->checked_ms);
	catalog_sqlite_conn_uint(&q, "$6", m->good_ms);
	catalog_sqlite_conn_uint(&q, "$7", m->failing_ms);
	catalog_sqlite_conn_uint(&q, "$8", m->failures);
	catalog_sqlite_conn_uint(&q, "$9", m->version);
	catalog_sqlite_conn_text(&q, "$10", m->job);
	catalog_sqlite_conn_text(&q, "$11", m->error);
	return catalog_sqlite_conn_run(&q, e);
}

int catalog_sqlite_mirror_save(void *engine, const struct catalog_mirror *m, struct err *e)
{
	return CATALOG_SQLITE_POOL_WRITE(save(c, m, e));
}

/* ---- forgetting ---- */

static int read_next(struct catalog_sqlite_conn *c, char *name, size_t size, bool *ret_any,
	struct err *e)
{
	static const char sql[] =
		"SELECT name FROM mirrors WHERE name > $1 ORDER BY name LIMIT 1";
	CATALOG_SQLITE_QUERY q = catalog_sqlite_conn_query(c, sql);
	CLEANUP_FREE char *after = strdup(name);
	int r;

	if (!after)
		return err_nomem(e);
	catalog_sqlite_conn_text(&q, "$1", after);
	r = catalog_sqlite_conn_row(&q, ret_any, e);
	if (r == 0 && *ret_any)
		(void)snprintf(name, size, "%s", catalog_sqlite_conn_col_text(&q, 0));
	return r;
}

static int forget(struct catalog_sqlite_conn *c, const char *name, struct err *e)
{
	static const char sql[] = "DELETE FROM mirrors WHERE name = $1";
	CATALOG_SQLITE_QUERY q = catalog_sqlite_conn_query(c, sql);

	catalog_sqlite_conn_text(&q, "$1", name);
	return catalog_sqlite_conn_run(&q, e);
}

static bool is_among(const char *name, const char *const *names, size_t n)
{
	for (size_t i = 0; i < n; i++)
		if (strcmp(names[i], name) == 0)
			return true;
	return false;
}

static int keep(struct catalog_sqlite_conn *c, const char *const *names, size_t n, struct err *e)
{
	char name[CATALOG_MIRROR_MAX + 1] = "";
	bool any = true;
	int r = 0;

	while (r == 0 && any) {
		r = read_next(c, name, sizeof(name), &any, e);
		if (r == 0 && any && !is_among(name, names, n))
			r = forget(c, name, e);
	}
	return r;
}

int catalog_sqlite_mirror_keep(void *engine, const char *const *names, size_t n, struct err *e)
{
	return CATALOG_SQLITE_POOL_WRITE(keep(c, names, n, e));
}
