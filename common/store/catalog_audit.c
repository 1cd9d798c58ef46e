/* SPDX-License-Identifier: Apache-2.0 */
#include "common/store/catalog_audit.h"
#include "common/store/catalog_ops.h"
#include "common/store/catalog_retry.h"

int catalog_audit_read(struct catalog *c, uint64_t since, struct catalog_audit_event *rows,
	size_t max, size_t *ret_n, struct err *e)
{
	return CATALOG_RETRY(c->ops->audit_read(c->engine, since, rows, max, ret_n, e));
}

int catalog_audit_expire(struct catalog *c, uint64_t before_ms, struct err *e)
{
	return CATALOG_RETRY(c->ops->audit_expire(c->engine, before_ms, e));
}
