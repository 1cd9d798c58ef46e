/* SPDX-License-Identifier: Apache-2.0 */
#include "common/store/catalog_sqlite_usage.h"
#include "common/base/num.h"

#include <string.h>

/* ---- scopes: a model's name, the prefixes of whole segments above it, "" ---- */

static void scope_of(const char *model, char scope[CATALOG_NAME_MAX + 1])
{
	size_t n = strnlen(model, CATALOG_NAME_MAX);

	memcpy(scope, model, n);
	scope[n] = '\0';
}

/* False above "". */
static bool go_up(char *scope)
{
	char *slash = strrchr(scope, '/');

	if (!*scope)
		return false;
	*(slash ? slash : scope) = '\0';
	return true;
}

/* ---- following changes ---- */

static int add_to(struct catalog_sqlite_conn *c, const char *scope, uint64_t bytes, bool own,
	struct err *e)
{
	static const char sql[] =
		"INSERT INTO usage (scope, bytes, versions, own_versions) VALUES ($1, $2, 1, $3)"
		" ON CONFLICT (scope) DO UPDATE SET bytes = usage.bytes + excluded.bytes,"
		" versions = usage.versions + 1,"
		" own_versions = usage.own_versions + excluded.own_versions";
	CATALOG_SQLITE_QUERY q = catalog_sqlite_conn_query(c, sql);

	catalog_sqlite_conn_text(&q, "$1", scope);
	catalog_sqlite_conn_uint(&q, "$2", bytes);
	catalog_sqlite_conn_uint(&q, "$3", own);
	return catalog_sqlite_conn_run(&q, e);
}

int catalog_sqlite_usage_add(struct catalog_sqlite_conn *c, const char *model, uint64_t bytes,
	struct err *e)
{
	char scope[CATALOG_NAME_MAX + 1];
	bool own = true;
	int r;

	scope_of(model, scope);
	do {
		r = add_to(c, scope, bytes, own, e);
		own = false;
	} while (r == 0 && go_up(scope));
	return r;
}

static int take_from(struct catalog_sqlite_conn *c, const char *scope, uint64_t versions,
	uint64_t bytes, bool own, struct err *e)
{
	static const char sql[] =
		"UPDATE usage SET bytes = bytes - $2, versions = versions - $3,"
		" own_versions = own_versions - $4 WHERE scope = $1";
	CATALOG_SQLITE_QUERY q = catalog_sqlite_conn_query(c, sql);

	catalog_sqlite_conn_text(&q, "$1", scope);
	catalog_sqlite_conn_uint(&q, "$2", bytes);
	catalog_sqlite_conn_uint(&q, "$3", versions);
	catalog_sqlite_conn_uint(&q, "$4", own ? versions : 0);
	return catalog_sqlite_conn_run(&q, e);
}

static int drop_empty(struct catalog_sqlite_conn *c, const char *scope, struct err *e)
{
	static const char sql[] = "DELETE FROM usage WHERE scope = $1 AND versions = 0";
	CATALOG_SQLITE_QUERY q = catalog_sqlite_conn_query(c, sql);

	catalog_sqlite_conn_text(&q, "$1", scope);
	return catalog_sqlite_conn_run(&q, e);
}

int catalog_sqlite_usage_take(struct catalog_sqlite_conn *c, const char *model, uint64_t versions,
	uint64_t bytes, struct err *e)
{
	char scope[CATALOG_NAME_MAX + 1];
	bool own = true;
	int r;

	scope_of(model, scope);
	do {
		r = take_from(c, scope, versions, bytes, own, e);
		if (r == 0)
			r = drop_empty(c, scope, e);
		own = false;
	} while (r == 0 && go_up(scope));
	return r;
}

/* ---- limits ---- */

struct used {
	uint64_t bytes;
	uint64_t own_versions;
};

static int read_row(struct catalog_sqlite_conn *c, const char *scope, struct used *ret,
	struct err *e)
{
	static const char sql[] = "SELECT bytes, own_versions FROM usage WHERE scope = $1";
	CATALOG_SQLITE_QUERY q = catalog_sqlite_conn_query(c, sql);
	bool row;
	int r;

	*ret = (struct used){.bytes = 0};
	catalog_sqlite_conn_text(&q, "$1", scope);
	r = catalog_sqlite_conn_row(&q, &row, e);
	if (r == 0 && row) {
		ret->bytes = catalog_sqlite_conn_col_uint(&q, 0);
		ret->own_versions = catalog_sqlite_conn_col_uint(&q, 1);
	}
	return r;
}

static int require_fewer(struct catalog_sqlite_conn *c, const struct catalog_limits *l,
	const char *model, struct err *e)
{
	struct used used;
	int r = l->max_versions > 0 ? read_row(c, model, &used, e) : 0;

	if (r < 0 || l->max_versions == 0 || used.own_versions < l->max_versions)
		return r;
	return err_set(e, ERR_QUOTA_FULL,
		"%s may have %llu versions (limits.versions) and has %llu: delete some, by hand or "
		"with `modeld prune`, or raise the limit", model,
		(unsigned long long)l->max_versions, (unsigned long long)used.own_versions);
}

static const struct catalog_quota *find_quota(const struct catalog_limits *l, const char *scope)
{
	for (size_t i = 0; i < l->quotas_n; i++)
		if (strcmp(l->quotas[i].prefix, scope) == 0)
			return &l->quotas[i];
	return NULL;
}

static int no_room(const struct catalog_quota *q, uint64_t used, uint64_t bytes, struct err *e)
{
	char all[NUM_SIZE_TEXT], taken[NUM_SIZE_TEXT], wanted[NUM_SIZE_TEXT];
	bool store = q->prefix[0] == '\0';

	return err_set(e, ERR_QUOTA_FULL,
		"%s may hold %s (%s) and holds %s: %s more do not fit; delete versions, by hand or "
		"with `modeld prune`, or raise the limit",
		store ? "the store" : q->prefix, num_format_size(q->bytes, all),
		store ? "limits.store" : "limits.quotas", num_format_size(used, taken),
		num_format_size(bytes, wanted));
}

int catalog_sqlite_usage_require(struct catalog_sqlite_conn *c, const struct catalog_limits *l,
	const char *model, uint64_t bytes, struct err *e)
{
	char scope[CATALOG_NAME_MAX + 1];
	int r = l ? require_fewer(c, l, model, e) : 0;

	if (r < 0 || !l || l->quotas_n == 0)
		return r;
	scope_of(model, scope);
	do {
		const struct catalog_quota *q = find_quota(l, scope);
		struct used used;
		uint64_t sum;

		r = q ? read_row(c, scope, &used, e) : 0;
		if (r == 0 && q && (!num_add(used.bytes, bytes, &sum) || sum > q->bytes))
			r = no_room(q, used.bytes, bytes, e);
	} while (r == 0 && go_up(scope));
	return r;
}

int catalog_sqlite_usage_left(struct catalog_sqlite_conn *c, const struct catalog_limits *l,
	const char *model, uint64_t *ret, struct err *e)
{
	char scope[CATALOG_NAME_MAX + 1];
	uint64_t left = UINT64_MAX;
	struct used used;
	int r = read_row(c, model, &used, e);

	if (r == 0 && l->max_versions > 0 && used.own_versions >= l->max_versions)
		left = 0;
	scope_of(model, scope);
	do {
		const struct catalog_quota *q = find_quota(l, scope);

		if (r == 0 && q)
			r = read_row(c, scope, &used, e);
		if (r == 0 && q && used.bytes >= q->bytes)
			left = 0;
		else if (r == 0 && q && q->bytes - used.bytes < left)
			left = q->bytes - used.bytes;
	} while (r == 0 && go_up(scope));
	*ret = left;
	return r;
}

/* ---- for people ---- */

/* What is held is what versions and their coded forms have; other blobs wait for their version, or
 * for collection. */
int catalog_sqlite_usage_sizes(struct catalog_sqlite_conn *c, struct catalog_sizes *ret,
	struct err *e)
{
	static const char sql[] =
		"SELECT (SELECT COUNT(*) FROM models WHERE latest > 0),"
		" COALESCE((SELECT versions FROM usage WHERE scope = ''), 0),"
		" COALESCE((SELECT bytes FROM usage WHERE scope = ''), 0),"
		" COUNT(*), COALESCE(SUM(size), 0),"
		" COALESCE(SUM(CASE WHEN EXISTS (SELECT 1 FROM version_files f"
		" WHERE f.digest = blobs.digest) THEN size ELSE 0 END), 0) FROM blobs";
	CATALOG_SQLITE_QUERY q = catalog_sqlite_conn_query(c, sql);
	bool row;
	int r = catalog_sqlite_conn_row(&q, &row, e);

	if (r < 0)
		return r;
	ret->models = catalog_sqlite_conn_col_uint(&q, 0);
	ret->versions = catalog_sqlite_conn_col_uint(&q, 1);
	ret->version_bytes = catalog_sqlite_conn_col_uint(&q, 2);
	ret->blobs = catalog_sqlite_conn_col_uint(&q, 3);
	ret->blob_bytes = catalog_sqlite_conn_col_uint(&q, 4);
	ret->held_bytes = catalog_sqlite_conn_col_uint(&q, 5);
	return 0;
}

/* ---- checking ---- */

static void add_fault(struct catalog_sqlite_query *q, struct buf *faults)
{
	const char *scope = catalog_sqlite_conn_col_text(q, 0);

	buf_addf(faults, "usage of %s says %llu bytes, %llu versions, %llu of its own; it has "
		"%llu, %llu and %llu\n", *scope ? scope : "the store",
		(unsigned long long)catalog_sqlite_conn_col_uint(q, 4),
		(unsigned long long)catalog_sqlite_conn_col_uint(q, 5),
		(unsigned long long)catalog_sqlite_conn_col_uint(q, 6),
		(unsigned long long)catalog_sqlite_conn_col_uint(q, 1),
		(unsigned long long)catalog_sqlite_conn_col_uint(q, 2),
		(unsigned long long)catalog_sqlite_conn_col_uint(q, 3));
}

int catalog_sqlite_usage_check(struct catalog_sqlite_conn *c, struct buf *faults, struct err *e)
{
	static const char sql[] =
		"SELECT t.scope, SUM(t.a), SUM(t.b), SUM(t.c), SUM(t.x), SUM(t.y), SUM(t.z) FROM ("
		"SELECT w.scope AS scope, w.bytes AS a, w.versions AS b, w.own_versions AS c,"
		" 0 AS x, 0 AS y, 0 AS z FROM (" CATALOG_SQLITE_USAGE_EXPECTED ") w"
		" UNION ALL SELECT u.scope, 0, 0, 0, u.bytes, u.versions, u.own_versions"
		" FROM usage u) t GROUP BY t.scope"
		" HAVING SUM(t.a) <> SUM(t.x) OR SUM(t.b) <> SUM(t.y) OR SUM(t.c) <> SUM(t.z)"
		" ORDER BY t.scope";
	CATALOG_SQLITE_QUERY q = catalog_sqlite_conn_query(c, sql);

	for (;;) {
		bool row;
		int r = catalog_sqlite_conn_row(&q, &row, e);
		if (r < 0 || !row)
			return r;
		add_fault(&q, faults);
	}
}
