/* SPDX-License-Identifier: Apache-2.0 */
/* Uploads that stay open; each inside a transaction of the caller. For the engine only. */
#pragma once

#include "common/store/catalog_sqlite_conn.h"

int catalog_sqlite_upload_add(struct catalog_sqlite_conn *c, const char *id, const char *model,
	uint64_t age_ms, uint64_t max_open, struct err *e);
int catalog_sqlite_upload_read(struct catalog_sqlite_conn *c, const char *id,
	struct catalog_upload *ret, struct err *e);
int catalog_sqlite_upload_list(struct catalog_sqlite_conn *c, const char *after,
	struct catalog_upload_id *rows, size_t max, size_t *ret_n, struct err *e);
int catalog_sqlite_upload_put(struct catalog_sqlite_conn *c, const struct catalog_upload_change *x,
	const struct catalog_blob *blob, struct catalog_upload_changed *ret, struct err *e);
int catalog_sqlite_upload_mount(struct catalog_sqlite_conn *c,
	const struct catalog_upload_change *x, const struct digest *digest,
	struct catalog_upload_changed *ret, struct err *e);
int catalog_sqlite_upload_part(struct catalog_sqlite_conn *c,
	const struct catalog_upload_change *x, const char *name, uint64_t size, struct err *e);
int catalog_sqlite_upload_remove(struct catalog_sqlite_conn *c,
	const struct catalog_upload_change *x, struct catalog_upload_changed *ret, struct err *e);
int catalog_sqlite_upload_drop(struct catalog_sqlite_conn *c, const char *id, struct err *e);

/* For a publish of one: *ret_version is what it became before, or 0 when this publish is to make
 * it; ERR_CONFLICT when it is not what was read at `revision`; ERR_DELETED. */
int catalog_sqlite_upload_begin_publish(struct catalog_sqlite_conn *c, const char *id,
	uint64_t revision, uint64_t *ret_version, struct err *e);
int catalog_sqlite_upload_end_publish(struct catalog_sqlite_conn *c, const char *id,
	uint64_t version, struct err *e);
