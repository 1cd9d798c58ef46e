/* SPDX-License-Identifier: Apache-2.0 */
/* How much models take, by name and by every prefix of whole segments; what quotas are checked
 * against. Inside the engine only.
 *
 * A row of `usage` sums up the versions that are not deleted: of the model with that name and of
 * all below it ("a" has those of "a" and of "a/b/c"), and of "" those of all. Rows follow each
 * publish and deletion in the same transaction, five at most, so that neither gets slower with the
 * number of models. What nothing is left of has no row. */
#pragma once

#include "common/store/catalog_ops.h"
#include "common/store/catalog_sqlite_conn.h"

/* What the rows are to be; also what the migration that makes the table fills it with, so it
 * stays as it is. The inner rtrim() takes off everything behind the last slash. */
#define CATALOG_SQLITE_USAGE_EXPECTED \
	"WITH RECURSIVE live (model, bytes, versions) AS (" \
	" SELECT model, SUM(bytes), COUNT(*) FROM versions WHERE deleted = 0 GROUP BY model)," \
	" scopes (model, scope) AS (" \
	" SELECT model, model FROM live UNION ALL" \
	" SELECT model, rtrim(rtrim(scope, replace(scope, '/', '')), '/') FROM scopes" \
	" WHERE scope <> '')" \
	" SELECT s.scope AS scope, SUM(l.bytes) AS bytes, SUM(l.versions) AS versions," \
	" SUM(CASE WHEN s.scope = s.model THEN l.versions ELSE 0 END) AS own_versions" \
	" FROM scopes s JOIN live l ON l.model = s.model GROUP BY s.scope"

/* In a writing transaction: a version more, or so many less. */
int catalog_sqlite_usage_add(struct catalog_sqlite_conn *c, const char *model, uint64_t bytes,
	struct err *e);
int catalog_sqlite_usage_take(struct catalog_sqlite_conn *c, const char *model, uint64_t versions,
	uint64_t bytes, struct err *e);

/* ERR_QUOTA_FULL unless the model may have a version of so many bytes more. NULL: it may. */
int catalog_sqlite_usage_require(struct catalog_sqlite_conn *c, const struct catalog_limits *l,
	const char *model, uint64_t bytes, struct err *e);
/* How many bytes the limits leave to a new version; UINT64_MAX when none holds for the model. */
int catalog_sqlite_usage_left(struct catalog_sqlite_conn *c, const struct catalog_limits *l,
	const char *model, uint64_t *ret, struct err *e);

/* Reads every blob's row. */
int catalog_sqlite_usage_sizes(struct catalog_sqlite_conn *c, struct catalog_sizes *ret,
	struct err *e);

/* A line for each row that is not what it is to be. Reads every version. */
int catalog_sqlite_usage_check(struct catalog_sqlite_conn *c, struct buf *faults, struct err *e);
