/* SPDX-License-Identifier: Apache-2.0 */
/* Labels, each call inside a transaction of the caller. Inside the engine only. */
#pragma once

#include "common/store/catalog_ops.h"
#include "common/store/catalog_sqlite_conn.h"

int catalog_sqlite_label_move(struct catalog_sqlite_conn *c, const struct catalog_label_move *m,
	struct catalog_label *ret, bool *ret_created, struct err *e);
int catalog_sqlite_label_drop(struct catalog_sqlite_conn *c, const struct catalog_label_move *m,
	struct err *e);
int catalog_sqlite_label_drop_all(struct catalog_sqlite_conn *c, const char *model,
	const char *who, struct err *e);
/* ERR_CONFLICT while a label names it. */
int catalog_sqlite_label_require_none(struct catalog_sqlite_conn *c, const char *model,
	uint64_t version, struct err *e);

int catalog_sqlite_label_read(struct catalog_sqlite_conn *c, const char *model, const char *label,
	struct catalog_label *ret, struct err *e);
int catalog_sqlite_label_list(struct catalog_sqlite_conn *c, const char *model,
	struct catalog_label *rows, size_t *ret_n, struct err *e);
int catalog_sqlite_label_history(struct catalog_sqlite_conn *c, const char *model,
	const char *label, uint64_t below, struct catalog_label_change *rows, size_t max,
	size_t *ret_n, struct err *e);
