/* SPDX-License-Identifier: Apache-2.0 */
#include "common/store/catalog_variant.h"
#include "common/store/catalog_ops.h"
#include "common/store/catalog_retry.h"

int catalog_variant_find(struct catalog *c, const struct digest *of, const char *coding,
	struct catalog_variant *ret, bool *ret_found, struct err *e)
{
	return CATALOG_RETRY(c->ops->variant_find(c->engine, of, coding, ret, ret_found, e));
}

int catalog_variant_sizes(struct catalog *c, const struct catalog_version *v,
	struct catalog_variant_size *rows, size_t *ret_n, struct err *e)
{
	return CATALOG_RETRY(c->ops->variant_sizes(c->engine, v, rows, ret_n, e));
}

int catalog_variant_next(struct catalog *c, struct catalog_variant_job *ret, bool *ret_any,
	uint64_t *ret_wait_ms, struct err *e)
{
	return CATALOG_RETRY(c->ops->variant_next(c->engine, ret, ret_any, ret_wait_ms, e));
}

int catalog_variant_defer(struct catalog *c, const struct digest *of, uint64_t ms, bool unless_held,
	struct err *e)
{
	return CATALOG_RETRY(c->ops->variant_defer(c->engine, of, ms, unless_held, e));
}

int catalog_variant_count(struct catalog *c, uint64_t most, uint64_t *ret, struct err *e)
{
	return CATALOG_RETRY(c->ops->variant_count(c->engine, most, ret, e));
}

int catalog_variant_set(struct catalog *c, const struct digest *of,
	const struct catalog_blob *blobs, const char *const *codings, size_t n, bool *ret_kept,
	struct err *e)
{
	return CATALOG_RETRY(c->ops->variant_set(c->engine, of, blobs, codings, n, ret_kept, e));
}

int catalog_variant_drop(struct catalog *c, const struct blob_key *key, bool *ret_dropped,
	struct err *e)
{
	return CATALOG_RETRY(c->ops->variant_drop(c->engine, key, ret_dropped, e));
}

int catalog_variant_models(struct catalog *c, const struct digest *of, struct catalog_name *rows,
	size_t max, size_t *ret_n, struct err *e)
{
	return CATALOG_RETRY(c->ops->variant_models(c->engine, of, rows, max, ret_n, e));
}

static int list_once(struct catalog *c, struct catalog_variant_cursor *at,
	struct catalog_variant_row *rows, size_t *ret_n, struct err *e)
{
	struct catalog_variant_cursor next = *at;
	int r = c->ops->variant_list(c->engine, &next, rows, ret_n, e);

	if (r == 0)
		*at = next;
	return r;
}

int catalog_variant_list(struct catalog *c, struct catalog_variant_cursor *at,
	struct catalog_variant_row *rows, size_t *ret_n, struct err *e)
{
	return CATALOG_RETRY(list_once(c, at, rows, ret_n, e));
}
