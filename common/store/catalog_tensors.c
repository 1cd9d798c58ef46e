/* SPDX-License-Identifier: Apache-2.0 */
#include "common/store/catalog_tensors.h"
#include "common/store/catalog_ops.h"
#include "common/store/catalog_retry.h"

int catalog_tensors_read(struct catalog *c, const char *model, uint64_t version, char **ret,
	bool *ret_due, struct err *e)
{
	return CATALOG_RETRY(c->ops->tensors_read(c->engine, model, version, ret, ret_due, e));
}

int catalog_tensors_next(struct catalog *c, struct catalog_name *ret_model, uint64_t *ret_version,
	bool *ret_any, uint64_t *ret_wait_ms, struct err *e)
{
	return CATALOG_RETRY(c->ops->tensors_next(c->engine, ret_model, ret_version, ret_any,
		ret_wait_ms, e));
}

int catalog_tensors_set(struct catalog *c, const char *model, uint64_t version,
	const char *tensors, struct err *e)
{
	return CATALOG_RETRY(c->ops->tensors_set(c->engine, model, version, tensors, e));
}

int catalog_tensors_defer(struct catalog *c, const char *model, uint64_t version, uint64_t ms,
	struct err *e)
{
	return CATALOG_RETRY(c->ops->tensors_defer(c->engine, model, version, ms, e));
}
