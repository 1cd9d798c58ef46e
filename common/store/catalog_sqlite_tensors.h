/* SPDX-License-Identifier: Apache-2.0 */
/* What was measured of weights: the operations of catalog_ops.h, each a transaction, and the step
 * of a publish. Inside the engine only. */
#pragma once

#include "common/store/catalog_sqlite_conn.h"
#include "common/store/catalog_tensors.h"

/* Inside a transaction of the caller, which writes. */
int catalog_sqlite_tensors_insert(struct catalog_sqlite_conn *c, const struct catalog_publish *p,
	uint64_t version, struct err *e);

int catalog_sqlite_tensors_read(void *engine, const char *model, uint64_t version, char **ret,
	bool *ret_due, struct err *e);
int catalog_sqlite_tensors_next(void *engine, struct catalog_name *ret_model,
	uint64_t *ret_version, bool *ret_any, uint64_t *ret_wait_ms, struct err *e);
int catalog_sqlite_tensors_set(void *engine, const char *model, uint64_t version,
	const char *tensors, struct err *e);
int catalog_sqlite_tensors_defer(void *engine, const char *model, uint64_t version, uint64_t ms,
	struct err *e);
