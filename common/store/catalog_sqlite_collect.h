/* SPDX-License-Identifier: Apache-2.0 */
/* Collection and trash, each inside a transaction of the caller, which writes for all but _find and
 * _trash. Inside the engine only. */
#pragma once

#include "common/store/catalog_ops.h"
#include "common/store/catalog_sqlite_conn.h"

int catalog_sqlite_collect_find(struct catalog_sqlite_conn *c, struct catalog_cursor *at,
	uint64_t grace_ms, struct catalog_garbage *rows, size_t *ret_n, struct err *e);
int catalog_sqlite_collect_mark(struct catalog_sqlite_conn *c, const struct catalog_garbage *rows,
	size_t n, uint64_t grace_ms, uint64_t delay_ms, size_t *ret_n, uint64_t *ret_bytes,
	struct err *e);

int catalog_sqlite_collect_expire(struct catalog_sqlite_conn *c, bool all, struct err *e);
int catalog_sqlite_collect_trash(struct catalog_sqlite_conn *c, bool early,
	struct blob_key *keys, size_t max, size_t *ret_n, struct err *e);
int catalog_sqlite_collect_trash_done(struct catalog_sqlite_conn *c, const struct blob_key *keys,
	size_t n, struct err *e);
