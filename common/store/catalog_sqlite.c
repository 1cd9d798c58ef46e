/* SPDX-License-Identifier: Apache-2.0 */
#include "common/store/catalog_sqlite.h"
#include "common/base/fsio.h"
#include "common/store/catalog_ops.h"
#include "common/store/catalog_sqlite_change.h"
#include "common/store/catalog_sqlite_check.h"
#include "common/store/catalog_sqlite_collect.h"
#include "common/store/catalog_sqlite_delete.h"
#include "common/store/catalog_sqlite_fetched.h"
#include "common/store/catalog_sqlite_job.h"
#include "common/store/catalog_sqlite_label.h"
#include "common/store/catalog_sqlite_mirror.h"
#include "common/store/catalog_sqlite_pool.h"
#include "common/store/catalog_sqlite_publish.h"
#include "common/store/catalog_sqlite_read.h"
#include "common/store/catalog_sqlite_reject.h"
#include "common/store/catalog_sqlite_schema.h"
#include "common/store/catalog_sqlite_snapshot.h"
#include "common/store/catalog_sqlite_scrub.h"
#include "common/store/catalog_sqlite_tensors.h"
#include "common/store/catalog_sqlite_token.h"
#include "common/store/catalog_sqlite_upload.h"
#include "common/store/catalog_sqlite_usage.h"
#include "common/store/catalog_sqlite_variant.h"

#include <fcntl.h>
#include <limits.h>
#include <stdio.h>

/* The engine is a struct catalog_sqlite_pool. */

/* ---- the operations ---- */

#define WRITE CATALOG_SQLITE_POOL_WRITE
#define READ  CATALOG_SQLITE_POOL_READ

static int sqlite_ping(void *engine, struct err *e)
{
	return READ(catalog_sqlite_read_ping(c, e));
}

static int sqlite_stage(void *engine, struct catalog_blob *blobs, size_t n, uint64_t expires_ms,
	struct err *e)
{
	return WRITE(catalog_sqlite_publish_stage(c, blobs, n, expires_ms, e));
}

static int sqlite_unstage(void *engine, const struct catalog_blob *blobs, size_t n, struct err *e)
{
	return WRITE(catalog_sqlite_publish_unstage(c, blobs, n, e));
}

static int sqlite_publish(void *engine, const struct catalog_publish *p, uint64_t *ret_version,
	bool *ret_deduplicated, uint64_t *ret_created_ms, struct err *e)
{
	uint64_t version = 0, created_ms = 0;
	bool deduplicated = false;
	int r = WRITE(catalog_sqlite_publish_version(c, p, &version, &deduplicated, &created_ms,
		e));

	if (r < 0)
		return r;
	*ret_version = version;
	*ret_deduplicated = deduplicated;
	*ret_created_ms = created_ms;
	return 0;
}

static int sqlite_check_limits(void *engine, const struct catalog_limits *l, const char *model,
	const struct digest *root, uint64_t bytes, struct err *e)
{
	return READ(catalog_sqlite_publish_check(c, l, model, root, bytes, e));
}

static int sqlite_room(void *engine, const struct catalog_limits *l, const char *model,
	uint64_t bytes, bool wait, uint64_t *ret_most, struct err *e)
{
	struct catalog_sqlite_conn *c;
	int r = wait ? catalog_sqlite_pool_read_begin(engine, &c, e) :
		       catalog_sqlite_pool_read_try(engine, &c, e);

	if (r == 0)
		r = catalog_sqlite_publish_room(c, l, model, bytes, ret_most, e);
	return catalog_sqlite_pool_read_end(engine, c, r);
}

static int sqlite_read_version(void *engine, const char *model, uint64_t version,
	const struct digest *root, struct catalog_version *ret, struct err *e)
{
	return READ(catalog_sqlite_read_version(c, model, version, root, ret, e));
}

static int sqlite_read_model(void *engine, const char *name, struct catalog_model *ret,
	struct err *e)
{
	return READ(catalog_sqlite_read_model(c, name, ret, e));
}

static int sqlite_read_models(void *engine, const struct catalog_range *range,
	struct catalog_model *rows, size_t max, size_t *ret_n, struct err *e)
{
	return READ(catalog_sqlite_read_models(c, range, rows, max, ret_n, e));
}

static int sqlite_read_versions(void *engine, const char *model, uint64_t below,
	struct catalog_version_row *rows, size_t max, size_t *ret_n, struct err *e)
{
	return READ(catalog_sqlite_read_versions(c, model, below, rows, max, ret_n, e));
}

static int sqlite_move_label(void *engine, const struct catalog_label_move *m,
	struct catalog_label *ret, bool *ret_created, struct err *e)
{
	return WRITE(catalog_sqlite_label_move(c, m, ret, ret_created, e));
}

static int sqlite_drop_label(void *engine, const struct catalog_label_move *m, struct err *e)
{
	return WRITE(catalog_sqlite_label_drop(c, m, e));
}

static int read_labelled(struct catalog_sqlite_conn *c, const char *model, const char *label,
	struct catalog_label *ret_label, struct catalog_version *ret, struct err *e)
{
	int r = catalog_sqlite_label_read(c, model, label, ret_label, e);

	if (r == 0 && ret)
		r = catalog_sqlite_read_version(c, model, ret_label->version, NULL, ret, e);
	return r;
}

static int sqlite_read_labelled(void *engine, const char *model, const char *label,
	struct catalog_label *ret_label, struct catalog_version *ret, struct err *e)
{
	return READ(read_labelled(c, model, label, ret_label, ret, e));
}

static int sqlite_read_labels(void *engine, const char *model, struct catalog_label *rows,
	size_t *ret_n, struct err *e)
{
	return READ(catalog_sqlite_label_list(c, model, rows, ret_n, e));
}

static int sqlite_read_label_history(void *engine, const char *model, const char *label,
	uint64_t below, struct catalog_label_change *rows, size_t max, size_t *ret_n,
	struct err *e)
{
	return READ(catalog_sqlite_label_history(c, model, label, below, rows, max, ret_n, e));
}

static int sqlite_delete_version(void *engine, const char *model, uint64_t version, struct err *e)
{
	return WRITE(catalog_sqlite_delete_version(c, model, version, e));
}

static int sqlite_delete_model(void *engine, const char *model, const char *who, struct err *e)
{
	return WRITE(catalog_sqlite_delete_model(c, model, who, e));
}

static int sqlite_prune(void *engine, struct catalog_prune_row *rows, size_t n, struct err *e)
{
	return WRITE(catalog_sqlite_delete_prune(c, rows, n, e));
}

static int sqlite_read_deletions(void *engine, struct catalog_feed *at, struct catalog_name *rows,
	size_t max, size_t *ret_n, struct err *e)
{
	return READ(catalog_sqlite_change_deletions(c, at, rows, max, ret_n, e));
}

static int sqlite_audit_read(void *engine, uint64_t since, struct catalog_audit_event *rows,
	size_t max, size_t *ret_n, struct err *e)
{
	return READ(catalog_sqlite_change_read(c, since, rows, max, ret_n, e));
}

static int sqlite_audit_expire(void *engine, uint64_t before_ms, struct err *e)
{
	return WRITE(catalog_sqlite_change_expire(c, before_ms, e));
}

static int sqlite_reject(void *engine, const struct catalog_reject *x, struct err *e)
{
	return WRITE(catalog_sqlite_reject_add(c, x, e));
}

static int sqlite_read_rejections(void *engine, const char *model, struct catalog_rejections *ret,
	struct err *e)
{
	return READ(catalog_sqlite_reject_read(c, model, ret, e));
}

static int sqlite_expire_rejections(void *engine, uint64_t before_ms, struct err *e)
{
	return WRITE(catalog_sqlite_reject_expire(c, before_ms, e));
}

static int sqlite_upload_add(void *engine, const char *id, const char *model, uint64_t age_ms,
	uint64_t max_open, struct err *e)
{
	return WRITE(catalog_sqlite_upload_add(c, id, model, age_ms, max_open, e));
}

static int sqlite_upload_read(void *engine, const char *id, struct catalog_upload *ret,
	struct err *e)
{
	int r = READ(catalog_sqlite_upload_read(c, id, ret, e));

	if (r < 0)
		catalog_upload_clear(ret);
	return r;
}

static int sqlite_upload_list(void *engine, const char *after, struct catalog_upload_id *rows,
	size_t max, size_t *ret_n, struct err *e)
{
	return READ(catalog_sqlite_upload_list(c, after, rows, max, ret_n, e));
}

static int sqlite_upload_put(void *engine, const struct catalog_upload_change *x,
	const struct catalog_blob *blob, struct catalog_upload_changed *ret, struct err *e)
{
	return WRITE(catalog_sqlite_upload_put(c, x, blob, ret, e));
}

static int sqlite_upload_mount(void *engine, const struct catalog_upload_change *x,
	const struct digest *digest, struct catalog_upload_changed *ret, struct err *e)
{
	return WRITE(catalog_sqlite_upload_mount(c, x, digest, ret, e));
}

static int sqlite_upload_set_part(void *engine, const struct catalog_upload_change *x,
	const char *name, uint64_t size, struct err *e)
{
	return WRITE(catalog_sqlite_upload_part(c, x, name, size, e));
}

static int sqlite_upload_remove(void *engine, const struct catalog_upload_change *x,
	struct catalog_upload_changed *ret, struct err *e)
{
	return WRITE(catalog_sqlite_upload_remove(c, x, ret, e));
}

static int sqlite_upload_drop(void *engine, const char *id, struct err *e)
{
	return WRITE(catalog_sqlite_upload_drop(c, id, e));
}

static int sqlite_expire_intents(void *engine, bool all, struct err *e)
{
	return WRITE(catalog_sqlite_collect_expire(c, all, e));
}

static int sqlite_trash_due(void *engine, bool early, struct blob_key *keys, size_t max,
	size_t *ret_n, struct err *e)
{
	return READ(catalog_sqlite_collect_trash(c, early, keys, max, ret_n, e));
}

static int sqlite_trash_done(void *engine, const struct blob_key *keys, size_t n, struct err *e)
{
	return WRITE(catalog_sqlite_collect_trash_done(c, keys, n, e));
}

static int sqlite_find_garbage(void *engine, struct catalog_cursor *at, uint64_t grace_ms,
	struct catalog_garbage *rows, size_t *ret_n, struct err *e)
{
	return READ(catalog_sqlite_collect_find(c, at, grace_ms, rows, ret_n, e));
}

static int sqlite_collect(void *engine, const struct catalog_garbage *rows, size_t n,
	uint64_t grace_ms, uint64_t delay_ms, size_t *ret_n, uint64_t *ret_bytes, struct err *e)
{
	return WRITE(catalog_sqlite_collect_mark(c, rows, n, grace_ms, delay_ms, ret_n, ret_bytes,
		e));
}

/* ---- checking ---- */

static int sqlite_verify(void *engine, const atomic_bool *stop, struct err *e)
{
	return READ(catalog_sqlite_schema_check(c, stop, e));
}

static int sqlite_check(void *engine, struct buf *faults, struct err *e)
{
	return READ(catalog_sqlite_check_all(c, faults, e));
}

static int sqlite_read_blobs(void *engine, struct catalog_cursor *at, struct catalog_blob *rows,
	size_t *ret_n, struct err *e)
{
	return READ(catalog_sqlite_check_blobs(c, at, rows, ret_n, e));
}

static int sqlite_read_key_state(void *engine, const struct blob_key *key,
	enum catalog_key_state *ret, struct err *e)
{
	return READ(catalog_sqlite_check_key(c, key, ret, e));
}

static int sqlite_read_holders(void *engine, const struct digest *digest, struct buf *out,
	struct err *e)
{
	return READ(catalog_sqlite_check_holders(c, digest, out, e));
}

/* ---- scrubbing ---- */

static int sqlite_damage_add(void *engine, const struct blob_key *key, const char *what,
	bool *ret_new, struct err *e)
{
	return WRITE(catalog_sqlite_scrub_damaged(c, key, what, ret_new, e));
}

static int sqlite_damage_clear(void *engine, const struct blob_key *key, struct err *e)
{
	return WRITE(catalog_sqlite_scrub_sound(c, &key->digest, e));
}

static int sqlite_scrub_read(void *engine, struct catalog_scrub *ret, struct err *e)
{
	return READ(catalog_sqlite_scrub_read(c, ret, e));
}

static int sqlite_scrub_save(void *engine, const struct catalog_scrub *s, struct err *e)
{
	return WRITE(catalog_sqlite_scrub_save(c, s, e));
}

static int sqlite_scrub_finish(void *engine, struct err *e)
{
	return WRITE(catalog_sqlite_scrub_finish(c, e));
}

/* ---- coded forms ---- */

static int sqlite_variant_find(void *engine, const struct digest *of, const char *coding,
	struct catalog_variant *ret, bool *ret_found,
	struct err *e)
{
	return READ(catalog_sqlite_variant_find(c, of, coding, ret, ret_found, e));
}

static int sqlite_variant_sizes(void *engine, const struct catalog_version *v,
	struct catalog_variant_size *rows, size_t *ret_n,
	struct err *e)
{
	return READ(catalog_sqlite_variant_sizes(c, v, rows, ret_n, e));
}

static int sqlite_sizes(void *engine, struct catalog_sizes *ret, struct err *e)
{
	return READ(catalog_sqlite_usage_sizes(c, ret, e));
}

static int sqlite_variant_next(void *engine, struct catalog_variant_job *ret, bool *ret_any,
	uint64_t *ret_wait_ms,
	struct err *e)
{
	return READ(catalog_sqlite_variant_next(c, ret, ret_any, ret_wait_ms, e));
}

static int sqlite_variant_defer(void *engine, const struct digest *of, uint64_t ms,
	bool unless_held, struct err *e)
{
	return WRITE(catalog_sqlite_variant_defer(c, of, ms, unless_held, e));
}

static int sqlite_variant_count(void *engine, uint64_t most, uint64_t *ret,
	struct err *e)
{
	return READ(catalog_sqlite_variant_count(c, most, ret, e));
}

static int sqlite_variant_set(void *engine, const struct digest *of,
	const struct catalog_blob *blobs, const char *const *codings, size_t n, bool *ret_kept,
	struct err *e)
{
	return WRITE(catalog_sqlite_variant_set(c, of, blobs, codings, n, ret_kept, e));
}

static int sqlite_variant_drop(void *engine, const struct blob_key *key, bool *ret_dropped,
	struct err *e)
{
	return WRITE(catalog_sqlite_variant_drop(c, key, ret_dropped, e));
}

static int sqlite_variant_models(void *engine, const struct digest *of, struct catalog_name *rows,
	size_t max, size_t *ret_n,
	struct err *e)
{
	return READ(catalog_sqlite_variant_models(c, of, rows, max, ret_n, e));
}

static int sqlite_variant_list(void *engine, struct catalog_variant_cursor *at,
	struct catalog_variant_row *rows, size_t *ret_n,
	struct err *e)
{
	return READ(catalog_sqlite_variant_list(c, at, rows, ret_n, e));
}

/* ---- copying ---- */

/* Its name is that of the database; no connection is used. */
static int sqlite_snapshot(void *engine, const char *path, struct err *e)
{
	const struct catalog_sqlite_pool *p = engine;

	return catalog_sqlite_snapshot_write(catalog_sqlite_conn_path(&p->writer), path, e);
}

static int sqlite_strip(void *engine, uint64_t *ret_versions, struct err *e)
{
	return WRITE(catalog_sqlite_snapshot_strip(c, ret_versions, e));
}

/* ---- opening and closing ---- */

static void sqlite_close(void *engine)
{
	catalog_sqlite_token_unwatch(engine);
	catalog_sqlite_pool_close(engine);
	free(engine);
}

static void sqlite_close_p(struct catalog_sqlite_pool **p)
{
	if (*p)
		sqlite_close(*p);
}

static const struct catalog_ops sqlite_ops = {
	.version = CATALOG_OPS_VERSION,
	.ping = sqlite_ping,
	.stage = sqlite_stage,
	.unstage = sqlite_unstage,
	.publish = sqlite_publish,
	.check_limits = sqlite_check_limits,
	.room = sqlite_room,
	.read_version = sqlite_read_version,
	.tensors_read = catalog_sqlite_tensors_read,
	.tensors_next = catalog_sqlite_tensors_next,
	.tensors_set = catalog_sqlite_tensors_set,
	.tensors_defer = catalog_sqlite_tensors_defer,
	.read_model = sqlite_read_model,
	.read_models = sqlite_read_models,
	.read_versions = sqlite_read_versions,
	.move_label = sqlite_move_label,
	.drop_label = sqlite_drop_label,
	.read_labelled = sqlite_read_labelled,
	.read_labels = sqlite_read_labels,
	.read_label_history = sqlite_read_label_history,
	.delete_version = sqlite_delete_version,
	.delete_model = sqlite_delete_model,
	.prune = sqlite_prune,
	.read_deletions = sqlite_read_deletions,
	.reject = sqlite_reject,
	.read_rejections = sqlite_read_rejections,
	.expire_rejections = sqlite_expire_rejections,
	.upload_add = sqlite_upload_add,
	.upload_read = sqlite_upload_read,
	.upload_list = sqlite_upload_list,
	.upload_put = sqlite_upload_put,
	.upload_mount = sqlite_upload_mount,
	.upload_set_part = sqlite_upload_set_part,
	.upload_remove = sqlite_upload_remove,
	.upload_drop = sqlite_upload_drop,
	.expire_intents = sqlite_expire_intents,
	.trash_due = sqlite_trash_due,
	.trash_done = sqlite_trash_done,
	.find_garbage = sqlite_find_garbage,
	.collect = sqlite_collect,
	.verify = sqlite_verify,
	.check = sqlite_check,
	.read_blobs = sqlite_read_blobs,
	.read_key_state = sqlite_read_key_state,
	.read_holders = sqlite_read_holders,
	.damage_add = sqlite_damage_add,
	.damage_clear = sqlite_damage_clear,
	.scrub_read = sqlite_scrub_read,
	.scrub_save = sqlite_scrub_save,
	.scrub_finish = sqlite_scrub_finish,
	.variant_find = sqlite_variant_find,
	.variant_sizes = sqlite_variant_sizes,
	.variant_next = sqlite_variant_next,
	.variant_defer = sqlite_variant_defer,
	.variant_count = sqlite_variant_count,
	.sizes = sqlite_sizes,
	.audit_read = sqlite_audit_read,
	.audit_expire = sqlite_audit_expire,
	.variant_set = sqlite_variant_set,
	.variant_drop = sqlite_variant_drop,
	.variant_models = sqlite_variant_models,
	.variant_list = sqlite_variant_list,
	.job_add = catalog_sqlite_job_add,
	.job_read = catalog_sqlite_job_read,
	.job_list = catalog_sqlite_job_list,
	.job_claim = catalog_sqlite_job_claim,
	.job_reclaim = catalog_sqlite_job_reclaim,
	.job_renew = catalog_sqlite_job_renew,
	.job_set_upload = catalog_sqlite_job_set_upload,
	.job_end = catalog_sqlite_job_end,
	.job_cancel = catalog_sqlite_job_cancel,
	.job_expire = catalog_sqlite_job_expire,
	.fetched_find = catalog_sqlite_fetched_find,
	.fetched_set = catalog_sqlite_fetched_set,
	.fetched_expire = catalog_sqlite_fetched_expire,
	.mirror_read = catalog_sqlite_mirror_read,
	.mirror_save = catalog_sqlite_mirror_save,
	.mirror_keep = catalog_sqlite_mirror_keep,
	.token_add = catalog_sqlite_token_add,
	.token_remove = catalog_sqlite_token_remove,
	.token_list = catalog_sqlite_token_list,
	.token_use = catalog_sqlite_token_use,
	.token_watch = catalog_sqlite_token_watch,
	.token_mark = catalog_sqlite_token_mark,
	.token_key = catalog_sqlite_token_key,
	.snapshot = sqlite_snapshot,
	.strip = sqlite_strip,
	.close = sqlite_close,
};

static int open_writer(struct catalog_sqlite_pool *p, const char *path, struct err *e)
{
	int r = catalog_sqlite_pool_open(p, path, CATALOG_SQLITE_CONN_CREATE, e);

	if (r == 0)
		r = catalog_sqlite_schema_check_small(&p->writer, e);
	return r < 0 ? r : catalog_sqlite_schema_upgrade(&p->writer, e);
}

static int open_writer_beside(struct catalog_sqlite_pool *p, const char *path, struct err *e)
{
	int r = catalog_sqlite_pool_open(p, path, CATALOG_SQLITE_CONN_WRITE, e);

	return r < 0 ? r : catalog_sqlite_schema_require(&p->writer, e);
}

static int path_of(const char *dir, char path[PATH_MAX], struct err *e)
{
	if (snprintf(path, PATH_MAX, "%s/catalog.db", dir) >= PATH_MAX)
		return err_sys(e, ENAMETOOLONG, "cannot open the catalog in %s", dir);
	return 0;
}

static int open_pool(struct catalog_sqlite_pool *p, const char *path, bool beside, struct err *e)
{
	int r = beside ? open_writer_beside(p, path, e) : open_writer(p, path, e);

	if (r == 0)
		r = catalog_sqlite_pool_open_readers(p, path, e);
	return r < 0 ? err_prefix(e, "%s", path) : 0;
}

static int open_engine(const char *dir, bool beside, struct catalog **ret, struct err *e)
{
	CLEANUP(sqlite_close_p) struct catalog_sqlite_pool *p = NULL;
	char path[PATH_MAX];
	int r = path_of(dir, path, e);

	if (r < 0)
		return r;
	if (beside && access(path, F_OK) < 0)
		return err_set(e, ERR_CONFIG, "%s: there is no store", dir);
	p = calloc(1, sizeof(*p));
	if (!p)
		return err_nomem(e);
	r = open_pool(p, path, beside, e);
	if (r == 0 && !beside)
		r = fsio_sync_dir(AT_FDCWD, dir, e);
	if (r == 0)
		r = catalog_new(&sqlite_ops, p, ret, e);
	if (r == 0)
		(void)take_ptr(p);
	return r;
}

int catalog_sqlite_open(const char *dir, struct catalog **ret, struct err *e)
{
	return open_engine(dir, false, ret, e);
}

int catalog_sqlite_open_beside(const char *dir, struct catalog **ret, struct err *e)
{
	return open_engine(dir, true, ret, e);
}
