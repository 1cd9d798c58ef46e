/* SPDX-License-Identifier: Apache-2.0 */
/* Jobs, as operations of the engine. Inside the engine only. */
#pragma once

#include "common/store/catalog_ops.h"
#include "common/store/catalog_sqlite_conn.h"

int catalog_sqlite_job_add(void *engine, const struct catalog_job *j, uint64_t max_open,
	struct err *e);
int catalog_sqlite_job_read(void *engine, const char *id, struct catalog_job *ret, struct err *e);
int catalog_sqlite_job_list(void *engine, const struct catalog_job_filter *f,
	struct catalog_job *rows, size_t max, size_t *ret_n, struct err *e);
int catalog_sqlite_job_claim(void *engine, uint64_t lease_ms, struct catalog_job *ret,
	bool *ret_any, struct err *e);
int catalog_sqlite_job_reclaim(void *engine, struct err *e);
int catalog_sqlite_job_renew(void *engine, const char *id, uint64_t attempt, uint64_t lease_ms,
	const struct catalog_job_progress *p, struct err *e);
int catalog_sqlite_job_set_upload(void *engine, const char *id, uint64_t attempt,
	const char *upload, struct err *e);
int catalog_sqlite_job_end(void *engine, const struct catalog_job *j, struct err *e);
int catalog_sqlite_job_cancel(void *engine, const char *id, struct catalog_job *ret, struct err *e);
int catalog_sqlite_job_expire(void *engine, uint64_t before_ms, size_t *ret_n, struct err *e);

/* What no engine writes, a line each. */
int catalog_sqlite_job_check(struct catalog_sqlite_conn *c, struct buf *faults, struct err *e);
