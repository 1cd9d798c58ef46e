/* SPDX-License-Identifier: Apache-2.0 */
#include "common/store/catalog_sqlite_change.h"

int catalog_sqlite_change_add(struct catalog_sqlite_conn *c, const char *kind, const char *model,
	const char *item, struct err *e)
{
	static const char sql[] =
		"INSERT INTO changes (sequence, changed, kind, model, item)"
		" SELECT COALESCE(MAX(sequence), 0) + 1, now_ms(), $1, $2, $3 FROM changes";
	CATALOG_SQLITE_QUERY q = catalog_sqlite_conn_query(c, sql);

	catalog_sqlite_conn_text(&q, "$1", kind);
	catalog_sqlite_conn_text(&q, "$2", model);
	catalog_sqlite_conn_text(&q, "$3", item);
	return catalog_sqlite_conn_run(&q, e);
}

int catalog_sqlite_change_add_deletions(struct catalog_sqlite_conn *c, const char *model,
	struct err *e)
{
	static const char sql[] =
		"INSERT INTO changes (sequence, changed, kind, model, item)"
		" SELECT (SELECT COALESCE(MAX(sequence), 0) FROM changes)"
		" + ROW_NUMBER() OVER (ORDER BY version),"
		" now_ms(), 'version-deleted', model, CAST(version AS TEXT)"
		" FROM versions WHERE model = $1 AND deleted = 0";
	CATALOG_SQLITE_QUERY q = catalog_sqlite_conn_query(c, sql);

	catalog_sqlite_conn_text(&q, "$1", model);
	return catalog_sqlite_conn_run(&q, e);
}
