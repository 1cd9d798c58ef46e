/* SPDX-License-Identifier: Apache-2.0 */
/* What reads the catalog, each inside a transaction of the caller. Inside the engine only. */
#pragma once

#include "common/store/catalog_ops.h"
#include "common/store/catalog_sqlite_conn.h"

int catalog_sqlite_read_ping(struct catalog_sqlite_conn *c, struct err *e);
int catalog_sqlite_read_version(struct catalog_sqlite_conn *c, const char *model, uint64_t version,
	const struct digest *root, struct catalog_version *ret, struct err *e);
int catalog_sqlite_read_tensors(struct catalog_sqlite_conn *c, const char *model, uint64_t version,
	char **ret, struct err *e);
int catalog_sqlite_read_model(struct catalog_sqlite_conn *c, const char *name,
	struct catalog_model *ret, struct err *e);
int catalog_sqlite_read_models(struct catalog_sqlite_conn *c, const struct catalog_range *range,
	struct catalog_model *rows, size_t max, size_t *ret_n, struct err *e);
int catalog_sqlite_read_versions(struct catalog_sqlite_conn *c, const char *model, uint64_t below,
	struct catalog_version_row *rows, size_t max, size_t *ret_n, struct err *e);
int catalog_sqlite_read_trash(struct catalog_sqlite_conn *c, struct blob_key *keys, size_t max,
	size_t *ret_n, struct err *e);
