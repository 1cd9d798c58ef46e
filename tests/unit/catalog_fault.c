/* SPDX-License-Identifier: Apache-2.0 */
#include "common/store/catalog_ops.h"
#include "tests/unit/fault.h"

#include <assert.h>

static struct catalog *inner;

/* A transaction is whole or absent: it does nothing and fails, or it works. What a commit that
 * worked and was called a failure does is `publish_after`. */
#define FAULTY(call) \
	({ \
		unsigned n_; \
		int r_ = fault_before(e, &n_); \
		r_ < 0 ? r_ : (call); \
	})

static int faulty_ping(void *engine, struct err *e)
{
	return FAULTY(inner->ops->ping(engine, e));
}

static int faulty_stage(void *engine, struct catalog_blob *blobs, size_t n, uint64_t expires_ms,
	struct err *e)
{
	return FAULTY(inner->ops->stage(engine, blobs, n, expires_ms, e));
}

static int faulty_unstage(void *engine, const struct catalog_blob *blobs, size_t n, struct err *e)
{
	return FAULTY(inner->ops->unstage(engine, blobs, n, e));
}

static int faulty_publish(void *engine, const struct catalog_publish *p, uint64_t *ret_version,
	bool *ret_deduplicated, struct err *e)
{
	void (*before)(void) = take_ptr(fault.before_publish);
	int r;

	if (before)
		before();
	r = FAULTY(inner->ops->publish(engine, p, ret_version, ret_deduplicated, e));
	if (r == 0 && fault.publish_after)
		return err_set(e, ERR_IO_FAILED, "the commit was made to look failed");
	return r;
}

static int faulty_read_version(void *engine, const char *model, uint64_t version,
	const struct digest *root, struct catalog_version *ret, struct err *e)
{
	return FAULTY(inner->ops->read_version(engine, model, version, root, ret, e));
}

static int faulty_read_tensors(void *engine, const char *model, uint64_t version, char **ret,
	struct err *e)
{
	return FAULTY(inner->ops->read_tensors(engine, model, version, ret, e));
}

static int faulty_read_model(void *engine, const char *name, struct catalog_model *ret,
	struct err *e)
{
	return FAULTY(inner->ops->read_model(engine, name, ret, e));
}

static int faulty_read_models(void *engine, const struct catalog_range *range,
	struct catalog_model *rows, size_t max, size_t *ret_n, struct err *e)
{
	return FAULTY(inner->ops->read_models(engine, range, rows, max, ret_n, e));
}

static int faulty_read_versions(void *engine, const char *model, uint64_t below,
	struct catalog_version_row *rows, size_t max, size_t *ret_n, struct err *e)
{
	return FAULTY(inner->ops->read_versions(engine, model, below, rows, max, ret_n, e));
}

static int faulty_reject(void *engine, const struct catalog_reject *x, struct err *e)
{
	return FAULTY(inner->ops->reject(engine, x, e));
}

static int faulty_read_rejections(void *engine, const char *model, struct catalog_rejections *ret,
	struct err *e)
{
	return FAULTY(inner->ops->read_rejections(engine, model, ret, e));
}

static int faulty_expire_rejections(void *engine, uint64_t before_ms, struct err *e)
{
	return FAULTY(inner->ops->expire_rejections(engine, before_ms, e));
}

static int faulty_expire_intents(void *engine, struct err *e)
{
	return FAULTY(inner->ops->expire_intents(engine, e));
}

static int faulty_trash_due(void *engine, struct blob_key *keys, size_t max, size_t *ret_n,
	struct err *e)
{
	return FAULTY(inner->ops->trash_due(engine, keys, max, ret_n, e));
}

static int faulty_trash_done(void *engine, const struct blob_key *key, struct err *e)
{
	return FAULTY(inner->ops->trash_done(engine, key, e));
}

static void faulty_close(void *engine)
{
	(void)engine;
	catalog_close(take_ptr(inner));
}

struct catalog *catalog_fault(struct catalog *wrapped)
{
	static const struct catalog_ops ops = {
		.version = CATALOG_OPS_VERSION,
		.ping = faulty_ping,
		.stage = faulty_stage,
		.unstage = faulty_unstage,
		.publish = faulty_publish,
		.read_version = faulty_read_version,
		.read_tensors = faulty_read_tensors,
		.read_model = faulty_read_model,
		.read_models = faulty_read_models,
		.read_versions = faulty_read_versions,
		.reject = faulty_reject,
		.read_rejections = faulty_read_rejections,
		.expire_rejections = faulty_expire_rejections,
		.expire_intents = faulty_expire_intents,
		.trash_due = faulty_trash_due,
		.trash_done = faulty_trash_done,
		.close = faulty_close,
	};
	struct catalog *c = NULL;
	struct err e;

	assert(!inner);
	inner = wrapped;
	return catalog_new(&ops, inner->engine, &c, &e) == 0 ? c : NULL;
}
