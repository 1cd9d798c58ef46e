/* SPDX-License-Identifier: Apache-2.0 */
/* Publishing, inside a writing transaction of the caller. Inside the engine only. */
#pragma once

#include "common/store/catalog_sqlite_conn.h"

int catalog_sqlite_publish_stage(struct catalog_sqlite_conn *c, struct catalog_blob *blobs,
	size_t n, uint64_t expires_ms, struct err *e);
int catalog_sqlite_publish_unstage(struct catalog_sqlite_conn *c, const struct catalog_blob *blobs,
	size_t n, struct err *e);
int catalog_sqlite_publish_version(struct catalog_sqlite_conn *c, const struct catalog_publish *p,
	uint64_t *ret_version, bool *ret_deduplicated, uint64_t *ret_created_ms, struct err *e);

int catalog_sqlite_publish_check(struct catalog_sqlite_conn *c, const struct catalog_limits *l,
	const char *model, const struct digest *root, uint64_t bytes, struct err *e);
int catalog_sqlite_publish_room(struct catalog_sqlite_conn *c, const struct catalog_limits *l,
	const char *model, uint64_t bytes, uint64_t *ret_most, struct err *e);

/* The key is trash from now on, due at once, unless it is live. */
int catalog_sqlite_publish_trash(struct catalog_sqlite_conn *c, const struct blob_key *key,
	struct err *e);

/* A staged blob becomes live, unless another one of its digest is. */
int catalog_sqlite_publish_claim(struct catalog_sqlite_conn *c, const struct catalog_blob *blob,
	struct err *e);
