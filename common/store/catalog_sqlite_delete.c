/* SPDX-License-Identifier: Apache-2.0 */
#include "common/store/catalog_sqlite_delete.h"
#include "common/store/catalog_sqlite_change.h"
#include "common/store/catalog_sqlite_fetched.h"
#include "common/store/catalog_sqlite_label.h"
#include "common/store/catalog_sqlite_read.h"
#include "common/store/catalog_sqlite_usage.h"

#include <stdio.h>

#define ITEM_TEXT 24

/* What a tombstone does not keep. Statements take $1 and, of one version, $2. */
static int run(struct catalog_sqlite_conn *c, const char *sql, const char *model,
	const uint64_t *version, struct err *e)
{
	CATALOG_SQLITE_QUERY q = catalog_sqlite_conn_query(c, sql);

	catalog_sqlite_conn_text(&q, "$1", model);
	if (version)
		catalog_sqlite_conn_uint(&q, "$2", *version);
	return catalog_sqlite_conn_run(&q, e);
}

static int update_model(struct catalog_sqlite_conn *c, const char *model, struct err *e)
{
	static const char sql[] =
		"UPDATE models SET updated = now_ms(), latest = (SELECT COALESCE(MAX(v.version), 0)"
		" FROM versions v WHERE v.model = $1 AND v.deleted = 0) WHERE name = $1";

	int r = run(c, sql, model, NULL, e);

	return r < 0 ? r : catalog_sqlite_fetched_forget(c, model, e);
}

/* Of what is about to go; what was deleted before counts no more. */
static int take_usage(struct catalog_sqlite_conn *c, const char *sql, const char *model,
	const uint64_t *version, struct err *e)
{
	CATALOG_SQLITE_QUERY q = catalog_sqlite_conn_query(c, sql);
	bool row;
	int r;

	catalog_sqlite_conn_text(&q, "$1", model);
	if (version)
		catalog_sqlite_conn_uint(&q, "$2", *version);
	r = catalog_sqlite_conn_row(&q, &row, e);
	if (r < 0 || !row)
		return r;
	return catalog_sqlite_usage_take(c, model, catalog_sqlite_conn_col_uint(&q, 0),
		catalog_sqlite_conn_col_uint(&q, 1), e);
}

static int bury(struct catalog_sqlite_conn *c, const char *model, uint64_t version, struct err *e)
{
	static const char files[] = "DELETE FROM version_files WHERE model = $1 AND version = $2";
	static const char tensors[] =
		"DELETE FROM version_tensors WHERE model = $1 AND version = $2";
	static const char stone[] =
		"UPDATE versions SET deleted = now_ms(), info = '{}', provenance = ''"
		" WHERE model = $1 AND version = $2";
	static const char used[] =
		"SELECT 1, bytes FROM versions WHERE model = $1 AND version = $2";
	char item[ITEM_TEXT];
	int r = take_usage(c, used, model, &version, e);

	(void)snprintf(item, sizeof(item), "%llu", (unsigned long long)version);
	if (r == 0)
		r = run(c, files, model, &version, e);
	if (r == 0)
		r = run(c, tensors, model, &version, e);
	if (r == 0)
		r = run(c, stone, model, &version, e);
	if (r == 0)
		r = update_model(c, model, e);
	return r < 0 ? r : catalog_sqlite_change_add(c, "version-deleted", model, item, e);
}

int catalog_sqlite_delete_version(struct catalog_sqlite_conn *c, const char *model,
	uint64_t version, struct err *e)
{
	int r = catalog_sqlite_read_require_live(c, model, version, e);

	if (r == 0)
		r = catalog_sqlite_label_require_none(c, model, version, e);
	return r < 0 ? r : bury(c, model, version, e);
}

/* ---- what rules do not keep ---- */

static int require_newer(struct catalog_sqlite_conn *c, const struct catalog_prune_row *row,
	bool *ret_enough, struct err *e)
{
	static const char sql[] =
		"SELECT COUNT(*) FROM (SELECT 1 FROM versions WHERE model = $1 AND deleted = 0"
		" AND version > $2 LIMIT $3) newer";
	CATALOG_SQLITE_QUERY q = catalog_sqlite_conn_query(c, sql);
	uint64_t want = row->newer > 0 ? row->newer : 1;
	bool has_row;
	int r;

	catalog_sqlite_conn_text(&q, "$1", row->model);
	catalog_sqlite_conn_uint(&q, "$2", row->version);
	catalog_sqlite_conn_uint(&q, "$3", want);
	r = catalog_sqlite_conn_row(&q, &has_row, e);
	*ret_enough = r == 0 && catalog_sqlite_conn_col_uint(&q, 0) >= want;
	return r;
}

static int prune_one(struct catalog_sqlite_conn *c, struct catalog_prune_row *row, struct err *e)
{
	bool enough;
	int r = require_newer(c, row, &enough, e);

	if (r < 0 || !enough)
		return r;
	r = catalog_sqlite_delete_version(c, row->model, row->version, e);
	row->deleted = r == 0;
	return r == -(int)ERR_CONFLICT || r == -(int)ERR_DELETED ? 0 : r;
}

int catalog_sqlite_delete_prune(struct catalog_sqlite_conn *c, struct catalog_prune_row *rows,
	size_t n, struct err *e)
{
	int r = 0;

	for (size_t i = 0; i < n; i++)
		rows[i].deleted = false;
	for (size_t i = 0; r == 0 && i < n; i++)
		r = prune_one(c, &rows[i], e);
	return r;
}

/* ---- whole models ---- */

static int bury_all(struct catalog_sqlite_conn *c, const char *model, struct err *e)
{
	static const char files[] = "DELETE FROM version_files WHERE model = $1";
	static const char tensors[] = "DELETE FROM version_tensors WHERE model = $1";
	static const char stones[] =
		"UPDATE versions SET deleted = now_ms(), info = '{}', provenance = ''"
		" WHERE model = $1 AND deleted = 0";
	static const char used[] =
		"SELECT COUNT(*), COALESCE(SUM(bytes), 0) FROM versions"
		" WHERE model = $1 AND deleted = 0";
	int r = catalog_sqlite_change_add_deletions(c, model, e);

	if (r == 0)
		r = take_usage(c, used, model, NULL, e);
	if (r == 0)
		r = run(c, files, model, NULL, e);
	if (r == 0)
		r = run(c, tensors, model, NULL, e);
	if (r == 0)
		r = run(c, stones, model, NULL, e);
	if (r == 0)
		r = update_model(c, model, e);
	return r < 0 ? r : catalog_sqlite_change_add(c, "model-deleted", model, "", e);
}

int catalog_sqlite_delete_model(struct catalog_sqlite_conn *c, const char *model, const char *who,
	struct err *e)
{
	uint64_t newest;
	int r = catalog_sqlite_read_newest(c, model, &newest, e);

	if (r == 0 && newest == 0)
		r = catalog_sqlite_read_all_deleted(model, e);
	if (r == 0)
		r = catalog_sqlite_label_drop_all(c, model, who, e);
	return r < 0 ? r : bury_all(c, model, e);
}
