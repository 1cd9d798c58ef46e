/* SPDX-License-Identifier: Apache-2.0 */
/* What reads the catalog, each inside a transaction of the caller. Inside the engine only. */
#pragma once

#include "common/store/catalog_ops.h"
#include "common/store/catalog_sqlite_conn.h"

int catalog_sqlite_read_ping(struct catalog_sqlite_conn *c, struct err *e);
/* Of a model: the newest version that is not deleted, 0 for none. ERR_MODEL_NOT_FOUND. */
int catalog_sqlite_read_newest(struct catalog_sqlite_conn *c, const char *model, uint64_t *ret,
	struct err *e);
/* ERR_MODEL_NOT_FOUND, ERR_VERSION_NOT_FOUND, ERR_DELETED. */
int catalog_sqlite_read_require_live(struct catalog_sqlite_conn *c, const char *model,
	uint64_t version, struct err *e);
/* "every version of model ... has been deleted" */
int catalog_sqlite_read_all_deleted(const char *model, struct err *e);
int catalog_sqlite_read_version(struct catalog_sqlite_conn *c, const char *model, uint64_t version,
	const struct digest *root, struct catalog_version *ret, struct err *e);
int catalog_sqlite_read_model(struct catalog_sqlite_conn *c, const char *name,
	struct catalog_model *ret, struct err *e);
int catalog_sqlite_read_models(struct catalog_sqlite_conn *c, const struct catalog_range *range,
	struct catalog_model *rows, size_t max, size_t *ret_n, struct err *e);
int catalog_sqlite_read_versions(struct catalog_sqlite_conn *c, const char *model, uint64_t below,
	struct catalog_version_row *rows, size_t max, size_t *ret_n, struct err *e);
