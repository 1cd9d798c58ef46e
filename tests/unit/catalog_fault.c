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
	bool *ret_deduplicated, uint64_t *ret_created_ms, struct err *e)
{
	void (*before)(void) = take_ptr(fault.before_publish);
	int r;

	if (before)
		before();
	r = FAULTY(inner->ops->publish(engine, p, ret_version, ret_deduplicated,
		ret_created_ms, e));
	if (r == 0 && fault.publish_after)
		return err_set(e, ERR_IO_FAILED, "the commit was made to look failed");
	return r;
}

static int faulty_check_limits(void *engine, const struct catalog_limits *l, const char *model,
	const struct digest *root, uint64_t bytes, struct err *e)
{
	return FAULTY(inner->ops->check_limits(engine, l, model, root, bytes, e));
}

static int faulty_room(void *engine, const struct catalog_limits *l, const char *model,
	uint64_t bytes, bool wait, uint64_t *ret_most, struct err *e)
{
	return FAULTY(inner->ops->room(engine, l, model, bytes, wait, ret_most, e));
}

static int faulty_read_version(void *engine, const char *model, uint64_t version,
	const struct digest *root, struct catalog_version *ret, struct err *e)
{
	return FAULTY(inner->ops->read_version(engine, model, version, root, ret, e));
}

static int faulty_tensors_read(void *engine, const char *model, uint64_t version, char **ret,
	bool *ret_due, struct err *e)
{
	return FAULTY(inner->ops->tensors_read(engine, model, version, ret, ret_due, e));
}

static int faulty_tensors_next(void *engine, struct catalog_name *ret_model, uint64_t *ret_version,
	bool *ret_any, uint64_t *ret_wait_ms, struct err *e)
{
	return FAULTY(inner->ops->tensors_next(engine, ret_model, ret_version, ret_any,
		ret_wait_ms, e));
}

static int faulty_tensors_set(void *engine, const char *model, uint64_t version,
	const char *tensors, struct err *e)
{
	return FAULTY(inner->ops->tensors_set(engine, model, version, tensors, e));
}

static int faulty_tensors_defer(void *engine, const char *model, uint64_t version, uint64_t ms,
	struct err *e)
{
	return FAULTY(inner->ops->tensors_defer(engine, model, version, ms, e));
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

static int faulty_upload_add(void *engine, const char *id, const char *model, uint64_t age_ms,
	uint64_t max_open, struct err *e)
{
	return FAULTY(inner->ops->upload_add(engine, id, model, age_ms, max_open, e));
}

static int faulty_upload_read(void *engine, const char *id, struct catalog_upload *ret,
	struct err *e)
{
	return FAULTY(inner->ops->upload_read(engine, id, ret, e));
}

static int faulty_upload_list(void *engine, const char *after, struct catalog_upload_id *rows,
	size_t max, size_t *ret_n, struct err *e)
{
	return FAULTY(inner->ops->upload_list(engine, after, rows, max, ret_n, e));
}

static int faulty_upload_put(void *engine, const struct catalog_upload_change *x,
	const struct catalog_blob *blob, struct catalog_upload_changed *ret, struct err *e)
{
	return FAULTY(inner->ops->upload_put(engine, x, blob, ret, e));
}

static int faulty_upload_mount(void *engine, const struct catalog_upload_change *x,
	const struct digest *digest, struct catalog_upload_changed *ret, struct err *e)
{
	return FAULTY(inner->ops->upload_mount(engine, x, digest, ret, e));
}

static int faulty_upload_set_part(void *engine, const struct catalog_upload_change *x,
	const char *name, uint64_t size, struct err *e)
{
	return FAULTY(inner->ops->upload_set_part(engine, x, name, size, e));
}

static int faulty_upload_remove(void *engine, const struct catalog_upload_change *x,
	struct catalog_upload_changed *ret, struct err *e)
{
	return FAULTY(inner->ops->upload_remove(engine, x, ret, e));
}

static int faulty_upload_drop(void *engine, const char *id, struct err *e)
{
	return FAULTY(inner->ops->upload_drop(engine, id, e));
}

static int faulty_expire_intents(void *engine, bool all, struct err *e)
{
	return FAULTY(inner->ops->expire_intents(engine, all, e));
}

static int faulty_trash_due(void *engine, bool early, struct blob_key *keys, size_t max,
	size_t *ret_n, struct err *e)
{
	return FAULTY(inner->ops->trash_due(engine, early, keys, max, ret_n, e));
}

static int faulty_trash_done(void *engine, const struct blob_key *keys, size_t n, struct err *e)
{
	return FAULTY(inner->ops->trash_done(engine, keys, n, e));
}

static int faulty_move_label(void *engine, const struct catalog_label_move *m,
	struct catalog_label *ret, bool *ret_created, struct err *e)
{
	return FAULTY(inner->ops->move_label(engine, m, ret, ret_created, e));
}

static int faulty_drop_label(void *engine, const struct catalog_label_move *m, struct err *e)
{
	return FAULTY(inner->ops->drop_label(engine, m, e));
}

static int faulty_read_labelled(void *engine, const char *model, const char *label,
	struct catalog_label *ret_label, struct catalog_version *ret, struct err *e)
{
	return FAULTY(inner->ops->read_labelled(engine, model, label, ret_label, ret, e));
}

static int faulty_read_labels(void *engine, const char *model, struct catalog_label *rows,
	size_t *ret_n, struct err *e)
{
	return FAULTY(inner->ops->read_labels(engine, model, rows, ret_n, e));
}

static int faulty_read_label_history(void *engine, const char *model, const char *label,
	uint64_t below, struct catalog_label_change *rows, size_t max, size_t *ret_n,
	struct err *e)
{
	return FAULTY(inner->ops->read_label_history(engine, model, label, below, rows, max,
		ret_n, e));
}

static int faulty_delete_version(void *engine, const char *model, uint64_t version, struct err *e)
{
	return FAULTY(inner->ops->delete_version(engine, model, version, e));
}

static int faulty_delete_model(void *engine, const char *model, const char *who, struct err *e)
{
	return FAULTY(inner->ops->delete_model(engine, model, who, e));
}

static int faulty_prune(void *engine, struct catalog_prune_row *rows, size_t n, struct err *e)
{
	return FAULTY(inner->ops->prune(engine, rows, n, e));
}

static int faulty_read_deletions(void *engine, struct catalog_feed *at, struct catalog_name *rows,
	size_t max, size_t *ret_n, struct err *e)
{
	return FAULTY(inner->ops->read_deletions(engine, at, rows, max, ret_n, e));
}

static int faulty_find_garbage(void *engine, struct catalog_cursor *at, uint64_t grace_ms,
	struct catalog_garbage *rows, size_t *ret_n, struct err *e)
{
	return FAULTY(inner->ops->find_garbage(engine, at, grace_ms, rows, ret_n, e));
}

static int faulty_collect(void *engine, const struct catalog_garbage *rows, size_t n,
	uint64_t grace_ms, uint64_t delay_ms, size_t *ret_n, uint64_t *ret_bytes, struct err *e)
{
	return FAULTY(inner->ops->collect(engine, rows, n, grace_ms, delay_ms, ret_n,
		ret_bytes, e));
}

static int faulty_snapshot(void *engine, const char *path, struct err *e)
{
	return FAULTY(inner->ops->snapshot(engine, path, e));
}

static int faulty_strip(void *engine, uint64_t *ret_versions, struct err *e)
{
	return FAULTY(inner->ops->strip(engine, ret_versions, e));
}

static int faulty_verify(void *engine, const atomic_bool *stop, struct err *e)
{
	return FAULTY(inner->ops->verify(engine, stop, e));
}

static int faulty_check(void *engine, struct buf *faults, struct err *e)
{
	return FAULTY(inner->ops->check(engine, faults, e));
}

static int faulty_read_blobs(void *engine, struct catalog_cursor *at, struct catalog_blob *rows,
	size_t *ret_n, struct err *e)
{
	return FAULTY(inner->ops->read_blobs(engine, at, rows, ret_n, e));
}

static int faulty_read_key_state(void *engine, const struct blob_key *key,
	enum catalog_key_state *ret, struct err *e)
{
	return FAULTY(inner->ops->read_key_state(engine, key, ret, e));
}

static int faulty_read_holders(void *engine, const struct digest *digest, struct buf *out,
	struct err *e)
{
	return FAULTY(inner->ops->read_holders(engine, digest, out, e));
}

static int faulty_damage_add(void *engine, const struct blob_key *key, const char *what,
	bool *ret_new, struct err *e)
{
	return FAULTY(inner->ops->damage_add(engine, key, what, ret_new, e));
}

static int faulty_damage_clear(void *engine, const struct blob_key *key, struct err *e)
{
	return FAULTY(inner->ops->damage_clear(engine, key, e));
}

static int faulty_scrub_read(void *engine, struct catalog_scrub *ret, struct err *e)
{
	return FAULTY(inner->ops->scrub_read(engine, ret, e));
}

static int faulty_scrub_save(void *engine, const struct catalog_scrub *s, struct err *e)
{
	return FAULTY(inner->ops->scrub_save(engine, s, e));
}

static int faulty_scrub_finish(void *engine, struct err *e)
{
	return FAULTY(inner->ops->scrub_finish(engine, e));
}

static int faulty_variant_find(void *engine, const struct digest *of, const char *coding,
	struct catalog_variant *ret, bool *ret_found,
	struct err *e)
{
	return FAULTY(inner->ops->variant_find(engine, of, coding, ret, ret_found, e));
}

static int faulty_variant_sizes(void *engine, const struct catalog_version *v,
	struct catalog_variant_size *rows, size_t *ret_n,
	struct err *e)
{
	return FAULTY(inner->ops->variant_sizes(engine, v, rows, ret_n, e));
}

static int faulty_variant_next(void *engine, struct catalog_variant_job *ret, bool *ret_any,
	uint64_t *ret_wait_ms,
	struct err *e)
{
	return FAULTY(inner->ops->variant_next(engine, ret, ret_any, ret_wait_ms, e));
}

static int faulty_variant_defer(void *engine, const struct digest *of, uint64_t ms,
	bool unless_held, struct err *e)
{
	return FAULTY(inner->ops->variant_defer(engine, of, ms, unless_held, e));
}

static int faulty_variant_count(void *engine, uint64_t most, uint64_t *ret,
	struct err *e)
{
	return FAULTY(inner->ops->variant_count(engine, most, ret, e));
}

static int faulty_variant_set(void *engine, const struct digest *of,
	const struct catalog_blob *blobs, const char *const *codings, size_t n, bool *ret_kept,
	struct err *e)
{
	return FAULTY(inner->ops->variant_set(engine, of, blobs, codings, n, ret_kept, e));
}

static int faulty_variant_drop(void *engine, const struct blob_key *key, bool *ret_dropped,
	struct err *e)
{
	return FAULTY(inner->ops->variant_drop(engine, key, ret_dropped, e));
}

static int faulty_variant_models(void *engine, const struct digest *of, struct catalog_name *rows,
	size_t max, size_t *ret_n,
	struct err *e)
{
	return FAULTY(inner->ops->variant_models(engine, of, rows, max, ret_n, e));
}

static int faulty_variant_list(void *engine, struct catalog_variant_cursor *at,
	struct catalog_variant_row *rows, size_t *ret_n,
	struct err *e)
{
	return FAULTY(inner->ops->variant_list(engine, at, rows, ret_n, e));
}

static int faulty_job_add(void *engine, const struct catalog_job *j, uint64_t max_open,
	struct err *e)
{
	return FAULTY(inner->ops->job_add(engine, j, max_open, e));
}

static int faulty_job_read(void *engine, const char *id, struct catalog_job *ret, struct err *e)
{
	return FAULTY(inner->ops->job_read(engine, id, ret, e));
}

static int faulty_job_list(void *engine, const struct catalog_job_filter *f,
	struct catalog_job *rows, size_t max, size_t *ret_n, struct err *e)
{
	return FAULTY(inner->ops->job_list(engine, f, rows, max, ret_n, e));
}

static int faulty_job_claim(void *engine, uint64_t lease_ms, struct catalog_job *ret, bool *ret_any,
	struct err *e)
{
	return FAULTY(inner->ops->job_claim(engine, lease_ms, ret, ret_any, e));
}

static int faulty_job_reclaim(void *engine, struct err *e)
{
	return FAULTY(inner->ops->job_reclaim(engine, e));
}

static int faulty_job_renew(void *engine, const char *id, uint64_t attempt, uint64_t lease_ms,
	const struct catalog_job_progress *p, struct err *e)
{
	return FAULTY(inner->ops->job_renew(engine, id, attempt, lease_ms, p, e));
}

static int faulty_job_set_upload(void *engine, const char *id, uint64_t attempt, const char *upload,
	struct err *e)
{
	return FAULTY(inner->ops->job_set_upload(engine, id, attempt, upload, e));
}

static int faulty_job_end(void *engine, const struct catalog_job *j, struct err *e)
{
	return FAULTY(inner->ops->job_end(engine, j, e));
}

static int faulty_job_cancel(void *engine, const char *id, struct catalog_job *ret, struct err *e)
{
	return FAULTY(inner->ops->job_cancel(engine, id, ret, e));
}

static int faulty_job_expire(void *engine, uint64_t before_ms, size_t *ret_n, struct err *e)
{
	return FAULTY(inner->ops->job_expire(engine, before_ms, ret_n, e));
}

static int faulty_fetched_find(void *engine, const char *model, const struct digest *url,
	struct catalog_fetched *ret, bool *ret_found, struct err *e)
{
	return FAULTY(inner->ops->fetched_find(engine, model, url, ret, ret_found, e));
}

static int faulty_fetched_set(void *engine, const struct catalog_fetched *rows, size_t n,
	struct err *e)
{
	return FAULTY(inner->ops->fetched_set(engine, rows, n, e));
}

static int faulty_fetched_expire(void *engine, uint64_t before_ms, struct err *e)
{
	return FAULTY(inner->ops->fetched_expire(engine, before_ms, e));
}

static int faulty_mirror_read(void *engine, const char *name, struct catalog_mirror *ret,
	bool *ret_found, struct err *e)
{
	return FAULTY(inner->ops->mirror_read(engine, name, ret, ret_found, e));
}

static int faulty_mirror_save(void *engine, const struct catalog_mirror *m, struct err *e)
{
	return FAULTY(inner->ops->mirror_save(engine, m, e));
}

static int faulty_mirror_keep(void *engine, const char *const *names, size_t n, struct err *e)
{
	return FAULTY(inner->ops->mirror_keep(engine, names, n, e));
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
		.check_limits = faulty_check_limits,
		.room = faulty_room,
		.read_version = faulty_read_version,
		.tensors_read = faulty_tensors_read,
		.tensors_next = faulty_tensors_next,
		.tensors_set = faulty_tensors_set,
		.tensors_defer = faulty_tensors_defer,
		.read_model = faulty_read_model,
		.read_models = faulty_read_models,
		.read_versions = faulty_read_versions,
		.reject = faulty_reject,
		.read_rejections = faulty_read_rejections,
		.expire_rejections = faulty_expire_rejections,
		.upload_add = faulty_upload_add,
		.upload_read = faulty_upload_read,
		.upload_list = faulty_upload_list,
		.upload_put = faulty_upload_put,
		.upload_mount = faulty_upload_mount,
		.upload_set_part = faulty_upload_set_part,
		.upload_remove = faulty_upload_remove,
		.upload_drop = faulty_upload_drop,
		.expire_intents = faulty_expire_intents,
		.trash_due = faulty_trash_due,
		.trash_done = faulty_trash_done,
		.move_label = faulty_move_label,
		.drop_label = faulty_drop_label,
		.read_labelled = faulty_read_labelled,
		.read_labels = faulty_read_labels,
		.read_label_history = faulty_read_label_history,
		.delete_version = faulty_delete_version,
		.delete_model = faulty_delete_model,
		.prune = faulty_prune,
		.read_deletions = faulty_read_deletions,
		.find_garbage = faulty_find_garbage,
		.collect = faulty_collect,
		.variant_find = faulty_variant_find,
		.variant_sizes = faulty_variant_sizes,
		.variant_next = faulty_variant_next,
		.variant_defer = faulty_variant_defer,
		.variant_count = faulty_variant_count,
		.variant_set = faulty_variant_set,
		.variant_drop = faulty_variant_drop,
		.variant_models = faulty_variant_models,
		.variant_list = faulty_variant_list,
		.job_add = faulty_job_add,
		.job_read = faulty_job_read,
		.job_list = faulty_job_list,
		.job_claim = faulty_job_claim,
		.job_reclaim = faulty_job_reclaim,
		.job_renew = faulty_job_renew,
		.job_set_upload = faulty_job_set_upload,
		.job_end = faulty_job_end,
		.job_cancel = faulty_job_cancel,
		.job_expire = faulty_job_expire,
		.fetched_find = faulty_fetched_find,
		.fetched_set = faulty_fetched_set,
		.fetched_expire = faulty_fetched_expire,
		.mirror_read = faulty_mirror_read,
		.mirror_save = faulty_mirror_save,
		.mirror_keep = faulty_mirror_keep,
		.snapshot = faulty_snapshot,
		.strip = faulty_strip,
		.verify = faulty_verify,
		.check = faulty_check,
		.read_blobs = faulty_read_blobs,
		.read_key_state = faulty_read_key_state,
		.read_holders = faulty_read_holders,
		.damage_add = faulty_damage_add,
		.damage_clear = faulty_damage_clear,
		.scrub_read = faulty_scrub_read,
		.scrub_save = faulty_scrub_save,
		.scrub_finish = faulty_scrub_finish,
		.close = faulty_close,
	};
	struct catalog *c = NULL;
	struct err e;

	assert(!inner);
	inner = wrapped;
	return catalog_new(&ops, inner->engine, &c, &e) == 0 ? c : NULL;
}
