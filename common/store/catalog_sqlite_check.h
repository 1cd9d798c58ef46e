/* SPDX-License-Identifier: Apache-2.0 */
/* What a check of the store asks, each inside a read transaction of the caller. Inside the engine
 * only. */
#pragma once

#include "common/store/catalog_ops.h"
#include "common/store/catalog_sqlite_conn.h"

int catalog_sqlite_check_all(struct catalog_sqlite_conn *c, struct buf *faults, struct err *e);
int catalog_sqlite_check_blobs(struct catalog_sqlite_conn *c, struct catalog_cursor *at,
	struct catalog_blob *rows, size_t *ret_n, struct err *e);
int catalog_sqlite_check_key(struct catalog_sqlite_conn *c, const struct blob_key *key,
	enum catalog_key_state *ret, struct err *e);
int catalog_sqlite_check_holders(struct catalog_sqlite_conn *c, const struct digest *digest,
	struct buf *out, struct err *e);
