/* SPDX-License-Identifier: Apache-2.0 */
/* The feed of changes, inside a writing transaction of the caller. Inside the engine only.
 *
 * Kinds and their items: model-created "", version-published and version-deleted the number,
 * label-moved and label-dropped the label, model-deleted ""; token-created and token-revoked, of no
 * model, its id; import-failed its job. Who did it is actor_now(). */
#pragma once

#include "common/store/catalog_audit.h"
#include "common/store/catalog_sqlite_conn.h"

int catalog_sqlite_change_add(struct catalog_sqlite_conn *c, const char *kind, const char *model,
	const char *item, struct err *e);
int catalog_sqlite_change_deletions(struct catalog_sqlite_conn *c, struct catalog_feed *at,
	struct catalog_name *rows, size_t max, size_t *ret_n, struct err *e);
/* version-deleted for every version of a model that is not deleted yet. */
int catalog_sqlite_change_add_deletions(struct catalog_sqlite_conn *c, const char *model,
	struct err *e);
/* import-failed for a job that somebody asked for; of a mirror, which tries again, nothing. */
int catalog_sqlite_change_add_failure(struct catalog_sqlite_conn *c, const char *job,
	struct err *e);
/* As catalog_audit.h says. */
int catalog_sqlite_change_read(struct catalog_sqlite_conn *c, uint64_t since,
	struct catalog_audit_event *rows, size_t max, size_t *ret_n, struct err *e);
int catalog_sqlite_change_expire(struct catalog_sqlite_conn *c, uint64_t before_ms, struct err *e);
