/* SPDX-License-Identifier: Apache-2.0 */
#include "common/store/catalog_sqlite.h"
#include "common/base/fsio.h"
#include "common/store/catalog_ops.h"
#include "common/store/catalog_sqlite_check.h"
#include "common/store/catalog_sqlite_collect.h"
#include "common/store/catalog_sqlite_conn.h"
#include "common/store/catalog_sqlite_delete.h"
#include "common/store/catalog_sqlite_label.h"
#include "common/store/catalog_sqlite_publish.h"
#include "common/store/catalog_sqlite_read.h"
#include "common/store/catalog_sqlite_reject.h"
#include "common/store/catalog_sqlite_schema.h"
#include "common/store/catalog_sqlite_upload.h"

#include <fcntl.h>
#include <limits.h>
#include <pthread.h>
#include <stdio.h>

#define READERS 4

/* All connections are opened at the start: opening one later needs descriptors just when there are
 * none. `writer` belongs to whoever holds `write_lock`. Holds whenever `read_lock` is free: idle[]
 * has the `idle_n` readers that nobody uses. */
struct engine {
	pthread_mutex_t write_lock;
	struct catalog_sqlite_conn writer;
	pthread_mutex_t read_lock;
	pthread_cond_t reader_free;
	struct catalog_sqlite_conn readers[READERS];
	struct catalog_sqlite_conn *idle[READERS];
	size_t idle_n;
};

/* ---- transactions ---- */

/* *ret stays NULL on failure, which write_end() understands. */
static int write_begin(struct engine *s, struct catalog_sqlite_conn **ret, struct err *e)
{
	int r;

	*ret = NULL;
	(void)pthread_mutex_lock(&s->write_lock);
	r = catalog_sqlite_conn_begin(&s->writer, true, e);
	if (r < 0)
		(void)pthread_mutex_unlock(&s->write_lock);
	else
		*ret = &s->writer;
	return r;
}

/* Commit when `r` is 0, else roll back; returns what came of it all. */
static int write_end(struct engine *s, struct catalog_sqlite_conn *c, int r, struct err *e)
{
	if (!c)
		return r;
	if (r == 0)
		r = catalog_sqlite_conn_commit(c, e);
	if (r < 0)
		catalog_sqlite_conn_rollback(c);
	(void)pthread_mutex_unlock(&s->write_lock);
	return r;
}

static void give_back(struct engine *s, struct catalog_sqlite_conn *c)
{
	(void)pthread_mutex_lock(&s->read_lock);
	s->idle[s->idle_n++] = c;
	(void)pthread_cond_signal(&s->reader_free);
	(void)pthread_mutex_unlock(&s->read_lock);
}

static int read_begin(struct engine *s, struct catalog_sqlite_conn **ret, struct err *e)
{
	struct catalog_sqlite_conn *c;
	int r;

	*ret = NULL;
	(void)pthread_mutex_lock(&s->read_lock);
	while (s->idle_n == 0)
		(void)pthread_cond_wait(&s->reader_free, &s->read_lock);
	c = s->idle[--s->idle_n];
	(void)pthread_mutex_unlock(&s->read_lock);
	r = catalog_sqlite_conn_begin(c, false, e);
	if (r < 0)
		give_back(s, c);
	else
		*ret = c;
	return r;
}

/* Nothing was written: rolling back is as good as committing, and never fails. */
static int read_end(struct engine *s, struct catalog_sqlite_conn *c, int r)
{
	if (!c)
		return r;
	catalog_sqlite_conn_rollback(c);
	give_back(s, c);
	return r;
}

/* ---- the operations ---- */

/* One transaction around a call that uses the connection `c`. */
#define WRITE(call) \
	({ \
		struct catalog_sqlite_conn *c; \
		int r_ = write_begin(engine, &c, e); \
		if (r_ == 0) \
			r_ = (call); \
		write_end(engine, c, r_, e); \
	})

#define READ(call) \
	({ \
		struct catalog_sqlite_conn *c; \
		int r_ = read_begin(engine, &c, e); \
		if (r_ == 0) \
			r_ = (call); \
		read_end(engine, c, r_); \
	})

static int sqlite_ping(void *engine, struct err *e)
{
	struct catalog_sqlite_conn *c;
	int r = read_begin(engine, &c, e);

	if (r == 0)
		r = catalog_sqlite_read_ping(c, e);
	return read_end(engine, c, r);
}

static int sqlite_stage(void *engine, struct catalog_blob *blobs, size_t n, uint64_t expires_ms,
	struct err *e)
{
	struct catalog_sqlite_conn *c;
	int r = write_begin(engine, &c, e);

	if (r == 0)
		r = catalog_sqlite_publish_stage(c, blobs, n, expires_ms, e);
	return write_end(engine, c, r, e);
}

static int sqlite_unstage(void *engine, const struct catalog_blob *blobs, size_t n, struct err *e)
{
	struct catalog_sqlite_conn *c;
	int r = write_begin(engine, &c, e);

	if (r == 0)
		r = catalog_sqlite_publish_unstage(c, blobs, n, e);
	return write_end(engine, c, r, e);
}

static int sqlite_publish(void *engine, const struct catalog_publish *p, uint64_t *ret_version,
	bool *ret_deduplicated, struct err *e)
{
	struct catalog_sqlite_conn *c;
	uint64_t version = 0;
	bool deduplicated = false;
	int r = write_begin(engine, &c, e);

	if (r == 0)
		r = catalog_sqlite_publish_version(c, p, &version, &deduplicated, e);
	r = write_end(engine, c, r, e);
	if (r < 0)
		return r;
	*ret_version = version;
	*ret_deduplicated = deduplicated;
	return 0;
}

static int sqlite_read_version(void *engine, const char *model, uint64_t version,
	const struct digest *root, struct catalog_version *ret, struct err *e)
{
	struct catalog_sqlite_conn *c;
	int r = read_begin(engine, &c, e);

	if (r == 0)
		r = catalog_sqlite_read_version(c, model, version, root, ret, e);
	return read_end(engine, c, r);
}

static int sqlite_read_tensors(void *engine, const char *model, uint64_t version, char **ret,
	struct err *e)
{
	struct catalog_sqlite_conn *c;
	int r = read_begin(engine, &c, e);

	if (r == 0)
		r = catalog_sqlite_read_tensors(c, model, version, ret, e);
	return read_end(engine, c, r);
}

static int sqlite_read_model(void *engine, const char *name, struct catalog_model *ret,
	struct err *e)
{
	struct catalog_sqlite_conn *c;
	int r = read_begin(engine, &c, e);

	if (r == 0)
		r = catalog_sqlite_read_model(c, name, ret, e);
	return read_end(engine, c, r);
}

static int sqlite_read_models(void *engine, const struct catalog_range *range,
	struct catalog_model *rows, size_t max, size_t *ret_n, struct err *e)
{
	struct catalog_sqlite_conn *c;
	int r = read_begin(engine, &c, e);

	if (r == 0)
		r = catalog_sqlite_read_models(c, range, rows, max, ret_n, e);
	return read_end(engine, c, r);
}

static int sqlite_read_versions(void *engine, const char *model, uint64_t below,
	struct catalog_version_row *rows, size_t max, size_t *ret_n, struct err *e)
{
	struct catalog_sqlite_conn *c;
	int r = read_begin(engine, &c, e);

	if (r == 0)
		r = catalog_sqlite_read_versions(c, model, below, rows, max, ret_n, e);
	return read_end(engine, c, r);
}

static int sqlite_move_label(void *engine, const struct catalog_label_move *m,
	struct catalog_label *ret, bool *ret_created, struct err *e)
{
	struct catalog_sqlite_conn *c;
	int r = write_begin(engine, &c, e);

	if (r == 0)
		r = catalog_sqlite_label_move(c, m, ret, ret_created, e);
	return write_end(engine, c, r, e);
}

static int sqlite_drop_label(void *engine, const struct catalog_label_move *m, struct err *e)
{
	struct catalog_sqlite_conn *c;
	int r = write_begin(engine, &c, e);

	if (r == 0)
		r = catalog_sqlite_label_drop(c, m, e);
	return write_end(engine, c, r, e);
}

static int sqlite_read_labelled(void *engine, const char *model, const char *label,
	struct catalog_label *ret_label, struct catalog_version *ret, struct err *e)
{
	struct catalog_sqlite_conn *c;
	int r = read_begin(engine, &c, e);

	if (r == 0)
		r = catalog_sqlite_label_read(c, model, label, ret_label, e);
	if (r == 0 && ret)
		r = catalog_sqlite_read_version(c, model, ret_label->version, NULL, ret, e);
	return read_end(engine, c, r);
}

static int sqlite_read_labels(void *engine, const char *model, struct catalog_label *rows,
	size_t *ret_n, struct err *e)
{
	struct catalog_sqlite_conn *c;
	int r = read_begin(engine, &c, e);

	if (r == 0)
		r = catalog_sqlite_label_list(c, model, rows, ret_n, e);
	return read_end(engine, c, r);
}

static int sqlite_read_label_history(void *engine, const char *model, const char *label,
	uint64_t below, struct catalog_label_change *rows, size_t max, size_t *ret_n,
	struct err *e)
{
	struct catalog_sqlite_conn *c;
	int r = read_begin(engine, &c, e);

	if (r == 0)
		r = catalog_sqlite_label_history(c, model, label, below, rows, max, ret_n, e);
	return read_end(engine, c, r);
}

static int sqlite_delete_version(void *engine, const char *model, uint64_t version, struct err *e)
{
	struct catalog_sqlite_conn *c;
	int r = write_begin(engine, &c, e);

	if (r == 0)
		r = catalog_sqlite_delete_version(c, model, version, e);
	return write_end(engine, c, r, e);
}

static int sqlite_delete_model(void *engine, const char *model, const char *who, struct err *e)
{
	struct catalog_sqlite_conn *c;
	int r = write_begin(engine, &c, e);

	if (r == 0)
		r = catalog_sqlite_delete_model(c, model, who, e);
	return write_end(engine, c, r, e);
}

static int sqlite_reject(void *engine, const struct catalog_reject *x, struct err *e)
{
	struct catalog_sqlite_conn *c;
	int r = write_begin(engine, &c, e);

	if (r == 0)
		r = catalog_sqlite_reject_add(c, x, e);
	return write_end(engine, c, r, e);
}

static int sqlite_read_rejections(void *engine, const char *model, struct catalog_rejections *ret,
	struct err *e)
{
	struct catalog_sqlite_conn *c;
	int r = read_begin(engine, &c, e);

	if (r == 0)
		r = catalog_sqlite_reject_read(c, model, ret, e);
	return read_end(engine, c, r);
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

static int sqlite_expire_intents(void *engine, struct err *e)
{
	return WRITE(catalog_sqlite_collect_expire(c, e));
}

static int sqlite_trash_due(void *engine, bool early, struct blob_key *keys, size_t max,
	size_t *ret_n, struct err *e)
{
	return READ(catalog_sqlite_collect_trash(c, early, keys, max, ret_n, e));
}

static int sqlite_trash_done(void *engine, const struct blob_key *key, struct err *e)
{
	return WRITE(catalog_sqlite_collect_trash_done(c, key, e));
}

static int sqlite_find_garbage(void *engine, struct catalog_cursor *at, uint64_t grace_ms,
	struct catalog_garbage *rows, size_t *ret_n, struct err *e)
{
	return READ(catalog_sqlite_collect_find(c, at, grace_ms, rows, ret_n, e));
}

static int sqlite_collect(void *engine, const struct catalog_garbage *rows, size_t n,
	uint64_t grace_ms, uint64_t delay_ms, size_t *ret_n, uint64_t *ret_bytes, struct err *e)
{
	struct catalog_sqlite_conn *c;
	int r = write_begin(engine, &c, e);

	if (r == 0)
		r = catalog_sqlite_collect_mark(c, rows, n, grace_ms, delay_ms, ret_n, ret_bytes,
			e);
	return write_end(engine, c, r, e);
}

/* ---- checking ---- */

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

/* ---- opening and closing ---- */

static void sqlite_close(void *engine)
{
	struct engine *s = engine;

	for (size_t i = 0; i < READERS; i++)
		catalog_sqlite_conn_close(&s->readers[i]);
	catalog_sqlite_conn_close(&s->writer); /* last: it empties the log into the database */
	(void)pthread_cond_destroy(&s->reader_free);
	(void)pthread_mutex_destroy(&s->read_lock);
	(void)pthread_mutex_destroy(&s->write_lock);
	free(s);
}

static void sqlite_close_p(struct engine **s)
{
	if (*s)
		sqlite_close(*s);
}

static const struct catalog_ops sqlite_ops = {
	.version = CATALOG_OPS_VERSION,
	.ping = sqlite_ping,
	.stage = sqlite_stage,
	.unstage = sqlite_unstage,
	.publish = sqlite_publish,
	.read_version = sqlite_read_version,
	.read_tensors = sqlite_read_tensors,
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
	.check = sqlite_check,
	.read_blobs = sqlite_read_blobs,
	.read_key_state = sqlite_read_key_state,
	.read_holders = sqlite_read_holders,
	.close = sqlite_close,
};

static int engine_new(struct engine **ret, struct err *e)
{
	struct engine *s = calloc(1, sizeof(*s));

	if (!s)
		return err_nomem(e);
	(void)pthread_mutex_init(&s->write_lock, NULL);
	(void)pthread_mutex_init(&s->read_lock, NULL);
	(void)pthread_cond_init(&s->reader_free, NULL);
	*ret = s;
	return 0;
}

static int open_readers(struct engine *s, const char *path, struct err *e)
{
	for (size_t i = 0; i < READERS; i++) {
		int r = catalog_sqlite_conn_open(path, CATALOG_SQLITE_CONN_READ,
			&s->readers[i], e);
		if (r < 0)
			return r;
		s->idle[s->idle_n++] = &s->readers[i];
	}
	return 0;
}

static int open_writer(struct engine *s, const char *path, struct err *e)
{
	int r = catalog_sqlite_conn_open(path, CATALOG_SQLITE_CONN_CREATE, &s->writer, e);

	if (r == 0)
		r = catalog_sqlite_schema_check(&s->writer, e);
	return r < 0 ? r : catalog_sqlite_schema_upgrade(&s->writer, e);
}

static int open_writer_beside(struct engine *s, const char *path, struct err *e)
{
	int r = catalog_sqlite_conn_open(path, CATALOG_SQLITE_CONN_WRITE, &s->writer, e);

	return r < 0 ? r : catalog_sqlite_schema_require(&s->writer, e);
}

static int open_connections(struct engine *s, const char *dir, bool beside, struct err *e)
{
	char path[PATH_MAX];
	int r;

	if (snprintf(path, sizeof(path), "%s/catalog.db", dir) >= (int)sizeof(path))
		return err_sys(e, ENAMETOOLONG, "cannot open the catalog in %s", dir);
	if (beside && access(path, F_OK) < 0)
		return err_set(e, ERR_CONFIG, "%s: there is no store", dir);
	r = beside ? open_writer_beside(s, path, e) : open_writer(s, path, e);
	if (r == 0)
		r = open_readers(s, path, e);
	return r < 0 ? err_prefix(e, "%s", path) : 0;
}

static int open_engine(const char *dir, bool beside, struct catalog **ret, struct err *e)
{
	CLEANUP(sqlite_close_p) struct engine *s = NULL;
	int r = engine_new(&s, e);

	if (r == 0)
		r = open_connections(s, dir, beside, e);
	if (r == 0 && !beside)
		r = fsio_sync_dir(AT_FDCWD, dir, e);
	if (r == 0)
		r = catalog_new(&sqlite_ops, s, ret, e);
	if (r == 0)
		(void)take_ptr(s);
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
