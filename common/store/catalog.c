/* SPDX-License-Identifier: Apache-2.0 */
#include "common/store/catalog.h"
#include "common/store/catalog_ops.h"
#include "common/store/catalog_retry.h"

#include <assert.h>
#include <string.h>
#include <time.h>

#define TRIES        3
#define TRY_PAUSE_NS 20000000L
#define PAGE         500 /* rows that are held in memory while a list is read */

int catalog_new(const struct catalog_ops *ops, void *engine, struct catalog **ret, struct err *e)
{
	struct catalog *c;

	assert(ops->version == CATALOG_OPS_VERSION);
	c = calloc(1, sizeof(*c));
	if (!c)
		return err_nomem(e);
	c->ops = ops;
	c->engine = engine;
	*ret = c;
	return 0;
}

void catalog_close(struct catalog *c)
{
	if (!c)
		return;
	c->ops->close(c->engine);
	free(c);
}

bool catalog_retry(int r, unsigned *tries)
{
	struct timespec pause = {.tv_nsec = TRY_PAUSE_NS};

	if (r != -(int)ERR_BUSY || ++*tries >= TRIES)
		return false;
	(void)nanosleep(&pause, NULL);
	return true;
}

int catalog_ping(struct catalog *c, struct err *e)
{
	return CATALOG_RETRY(c->ops->ping(c->engine, e));
}

/* ---- publishing ---- */

static int fresh_keys(struct catalog_blob *blobs, size_t n, struct err *e)
{
	for (size_t i = 0; i < n; i++) {
		int r = blob_key_fresh(&blobs[i].digest, &blobs[i].key, e);
		if (r < 0)
			return r;
		blobs[i].exists = false;
	}
	return 0;
}

static int stage_once(struct catalog *c, struct catalog_blob *blobs, size_t n, uint64_t expires_ms,
	struct err *e)
{
	int r = fresh_keys(blobs, n, e);

	return r < 0 ? r : c->ops->stage(c->engine, blobs, n, expires_ms, e);
}

int catalog_stage(struct catalog *c, struct catalog_blob *blobs, size_t n, uint64_t expires_ms,
	struct err *e)
{
	return CATALOG_RETRY(stage_once(c, blobs, n, expires_ms, e));
}

int catalog_unstage(struct catalog *c, const struct catalog_blob *blobs, size_t n, struct err *e)
{
	return CATALOG_RETRY(c->ops->unstage(c->engine, blobs, n, e));
}

int catalog_publish(struct catalog *c, const struct catalog_publish *p, uint64_t *ret_version,
	bool *ret_deduplicated, uint64_t *ret_created_ms, struct err *e)
{
	uint64_t created_ms = 0;
	int r = CATALOG_RETRY(c->ops->publish(c->engine, p, ret_version, ret_deduplicated,
		&created_ms, e));

	if (ret_created_ms)
		*ret_created_ms = created_ms;
	return r;
}

int catalog_check_limits(struct catalog *c, const struct catalog_limits *l, const char *model,
	const struct digest *root, uint64_t bytes, struct err *e)
{
	return CATALOG_RETRY(c->ops->check_limits(c->engine, l, model, root, bytes, e));
}

int catalog_room(struct catalog *c, const struct catalog_limits *l, const char *model,
	uint64_t bytes, bool wait, uint64_t *ret_most, struct err *e)
{
	if (wait)
		return CATALOG_RETRY(c->ops->room(c->engine, l, model, bytes, true, ret_most, e));
	return c->ops->room(c->engine, l, model, bytes, false, ret_most, e);
}

/* ---- reading ---- */

void catalog_version_clear(struct catalog_version *v)
{
	for (size_t i = 0; i < v->files_n; i++)
		free(v->files[i].path);
	free(v->files);
	free(v->model);
	free(v->info);
	free(v->provenance);
	*v = (struct catalog_version){0};
}

void catalog_version_free(struct catalog_version *v)
{
	if (!v)
		return;
	catalog_version_clear(v);
	free(v);
}

static int read_version_once(struct catalog *c, const char *model, uint64_t version,
	const struct digest *root, struct catalog_version **ret, struct err *e)
{
	CLEANUP(catalog_version_free_p) struct catalog_version *v = calloc(1, sizeof(*v));
	int r;

	if (!v)
		return err_nomem(e);
	r = c->ops->read_version(c->engine, model, version, root, v, e);
	if (r < 0)
		return r;
	*ret = take_ptr(v);
	return 0;
}

int catalog_version(struct catalog *c, const char *model, uint64_t version,
	struct catalog_version **ret, struct err *e)
{
	return CATALOG_RETRY(read_version_once(c, model, version, NULL, ret, e));
}

int catalog_version_by_root(struct catalog *c, const char *model, const struct digest *root,
	struct catalog_version **ret, struct err *e)
{
	return CATALOG_RETRY(read_version_once(c, model, 0, root, ret, e));
}

int catalog_model(struct catalog *c, const char *name, struct catalog_model *ret, struct err *e)
{
	return CATALOG_RETRY(c->ops->read_model(c->engine, name, ret, e));
}

/* The first text behind all that start with `prefix`. False when no name can start with it: names
 * are ASCII. */
static bool prefix_successor(const char *prefix, char *out)
{
	size_t n = strlen(prefix);

	if (n > CATALOG_NAME_MAX)
		return false;
	for (size_t i = 0; i < n; i++)
		if ((unsigned char)prefix[i] >= 0x7f)
			return false;
	memcpy(out, prefix, n + 1);
	if (n > 0)
		out[n - 1]++;
	return true;
}

static size_t min_size(size_t a, size_t b)
{
	return a < b ? a : b;
}

/* Rows are collected page by page before `fn` sees them, so that no transaction stays open while
 * the caller works, and none is repeated after `fn` was called. */
int catalog_list_models(struct catalog *c, const char *prefix, const char *after, size_t limit,
	catalog_model_fn *fn, void *cls, struct err *e)
{
	CLEANUP_FREE struct catalog_model *rows = calloc(min_size(limit, PAGE) + 1, sizeof(*rows));
	char prefix_end[CATALOG_NAME_MAX + 1];
	struct catalog_range range = {
		.from = strcmp(after, prefix) > 0 ? after : prefix,
		.except = after,
		.end = prefix_end,
	};
	char last[CATALOG_NAME_MAX + 1];

	if (!rows)
		return err_nomem(e);
	if (!prefix_successor(prefix, prefix_end))
		return 0;
	while (limit > 0) {
		size_t max = min_size(limit, PAGE);
		size_t n = 0;
		int r = CATALOG_RETRY(c->ops->read_models(c->engine, &range, rows, max, &n, e));

		for (size_t i = 0; r == 0 && i < n; i++)
			r = fn(cls, &rows[i], e);
		if (r < 0 || n < max)
			return r;
		limit -= n;
		memcpy(last, rows[n - 1].name, sizeof(last));
		range.from = last;
		range.except = last;
	}
	return 0;
}

int catalog_list_versions(struct catalog *c, const char *model, uint64_t below, size_t limit,
	catalog_version_fn *fn, void *cls, struct err *e)
{
	CLEANUP_FREE struct catalog_version_row *rows = calloc(min_size(limit, PAGE) + 1,
		sizeof(*rows));

	if (!rows)
		return err_nomem(e);
	while (limit > 0) {
		size_t max = min_size(limit, PAGE);
		size_t n = 0;
		int r = CATALOG_RETRY(
			c->ops->read_versions(c->engine, model, below, rows, max, &n, e));

		for (size_t i = 0; r == 0 && i < n; i++)
			r = fn(cls, &rows[i], e);
		if (r < 0 || n < max)
			return r;
		limit -= n;
		below = rows[n - 1].version;
		if (below <= 1)
			break;
	}
	return 0;
}

/* ---- labels and deletion ---- */

int catalog_move_label(struct catalog *c, const struct catalog_label_move *m,
	struct catalog_label *ret, bool *ret_created, struct err *e)
{
	return CATALOG_RETRY(c->ops->move_label(c->engine, m, ret, ret_created, e));
}

int catalog_drop_label(struct catalog *c, const struct catalog_label_move *m, struct err *e)
{
	return CATALOG_RETRY(c->ops->drop_label(c->engine, m, e));
}

int catalog_label(struct catalog *c, const char *model, const char *label,
	struct catalog_label *ret, struct err *e)
{
	return CATALOG_RETRY(c->ops->read_labelled(c->engine, model, label, ret, NULL, e));
}

static int read_labelled_once(struct catalog *c, const char *model, const char *label,
	struct catalog_label *ret_label, struct catalog_version **ret, struct err *e)
{
	CLEANUP(catalog_version_free_p) struct catalog_version *v = calloc(1, sizeof(*v));
	int r;

	if (!v)
		return err_nomem(e);
	r = c->ops->read_labelled(c->engine, model, label, ret_label, v, e);
	if (r < 0)
		return r;
	*ret = take_ptr(v);
	return 0;
}

int catalog_version_by_label(struct catalog *c, const char *model, const char *label,
	struct catalog_label *ret_label, struct catalog_version **ret, struct err *e)
{
	return CATALOG_RETRY(read_labelled_once(c, model, label, ret_label, ret, e));
}

int catalog_labels(struct catalog *c, const char *model,
	struct catalog_label rows[CATALOG_LABELS_OF_MODEL], size_t *ret_n, struct err *e)
{
	return CATALOG_RETRY(c->ops->read_labels(c->engine, model, rows, ret_n, e));
}

int catalog_label_history(struct catalog *c, const char *model, const char *label, uint64_t below,
	size_t limit, catalog_label_change_fn *fn, void *cls, struct err *e)
{
	CLEANUP_FREE struct catalog_label_change *rows = calloc(min_size(limit, PAGE) + 1,
		sizeof(*rows));

	if (!rows)
		return err_nomem(e);
	while (limit > 0) {
		size_t max = min_size(limit, PAGE);
		size_t n = 0;
		int r = CATALOG_RETRY(c->ops->read_label_history(c->engine, model, label, below,
			rows, max, &n, e));

		for (size_t i = 0; r == 0 && i < n; i++)
			r = fn(cls, &rows[i], e);
		if (r < 0 || n < max)
			return r;
		limit -= n;
		below = rows[n - 1].revision;
	}
	return 0;
}

int catalog_delete_version(struct catalog *c, const char *model, uint64_t version, struct err *e)
{
	return CATALOG_RETRY(c->ops->delete_version(c->engine, model, version, e));
}

int catalog_delete_model(struct catalog *c, const char *model, const char *who, struct err *e)
{
	return CATALOG_RETRY(c->ops->delete_model(c->engine, model, who, e));
}

int catalog_prune(struct catalog *c, struct catalog_prune_row *rows, size_t n, struct err *e)
{
	return CATALOG_RETRY(c->ops->prune(c->engine, rows, n, e));
}

static int read_deletions_once(struct catalog *c, struct catalog_feed *at,
	struct catalog_name *rows, size_t max, size_t *ret_n, struct err *e)
{
	struct catalog_feed next = *at;
	int r = c->ops->read_deletions(c->engine, &next, rows, max, ret_n, e);

	if (r == 0)
		*at = next;
	return r;
}

int catalog_deletions(struct catalog *c, struct catalog_feed *at, struct catalog_name *rows,
	size_t max, size_t *ret_n, struct err *e)
{
	return CATALOG_RETRY(read_deletions_once(c, at, rows, max, ret_n, e));
}

/* ---- refused publishes ---- */

int catalog_reject(struct catalog *c, const struct catalog_reject *x, struct err *e)
{
	if (strlen(x->errors) > CATALOG_REJECTION_ERRORS_MAX)
		return err_set(e, ERR_TOO_LARGE, "the findings have more than %d bytes",
			CATALOG_REJECTION_ERRORS_MAX);
	return CATALOG_RETRY(c->ops->reject(c->engine, x, e));
}

void catalog_rejections_clear(struct catalog_rejections *r)
{
	for (size_t i = 0; i < r->n; i++) {
		free(r->items[i].code);
		free(r->items[i].detail);
		free(r->items[i].errors);
		free(r->items[i].request_id);
	}
	*r = (struct catalog_rejections){.n = 0};
}

void catalog_rejections_free(struct catalog_rejections *r)
{
	if (!r)
		return;
	catalog_rejections_clear(r);
	free(r);
}

static int read_rejections_once(struct catalog *c, const char *model,
	struct catalog_rejections **ret, struct err *e)
{
	CLEANUP(catalog_rejections_free_p) struct catalog_rejections *x = calloc(1, sizeof(*x));
	int r;

	if (!x)
		return err_nomem(e);
	r = c->ops->read_rejections(c->engine, model, x, e);
	if (r < 0)
		return r;
	*ret = take_ptr(x);
	return 0;
}

int catalog_rejections(struct catalog *c, const char *model, struct catalog_rejections **ret,
	struct err *e)
{
	return CATALOG_RETRY(read_rejections_once(c, model, ret, e));
}

/* ---- uploads that stay open ---- */

int catalog_upload_add(struct catalog *c, const char *id, const char *model, uint64_t age_ms,
	uint64_t max_open, struct err *e)
{
	return CATALOG_RETRY(c->ops->upload_add(c->engine, id, model, age_ms, max_open, e));
}

void catalog_upload_clear(struct catalog_upload *u)
{
	for (size_t i = 0; i < u->files_n; i++)
		free(u->files[i].path);
	for (size_t i = 0; i < u->parts_n; i++) {
		free(u->parts[i].path);
		free(u->parts[i].name);
	}
	free(u->files);
	free(u->parts);
	*u = (struct catalog_upload){.files = NULL};
}

void catalog_upload_free(struct catalog_upload *u)
{
	if (!u)
		return;
	catalog_upload_clear(u);
	free(u);
}

static int read_upload_once(struct catalog *c, const char *id, struct catalog_upload **ret,
	struct err *e)
{
	CLEANUP(catalog_upload_free_p) struct catalog_upload *u = calloc(1, sizeof(*u));
	int r;

	if (!u)
		return err_nomem(e);
	r = c->ops->upload_read(c->engine, id, u, e);
	if (r == 0)
		*ret = take_ptr(u);
	return r;
}

int catalog_upload(struct catalog *c, const char *id, struct catalog_upload **ret, struct err *e)
{
	return CATALOG_RETRY(read_upload_once(c, id, ret, e));
}

int catalog_uploads(struct catalog *c, const char *after, struct catalog_upload_id *rows,
	size_t max, size_t *ret_n, struct err *e)
{
	return CATALOG_RETRY(c->ops->upload_list(c->engine, after, rows, max, ret_n, e));
}

int catalog_upload_put(struct catalog *c, const struct catalog_upload_change *x,
	const struct catalog_blob *blob, struct catalog_upload_changed *ret, struct err *e)
{
	return CATALOG_RETRY(c->ops->upload_put(c->engine, x, blob, ret, e));
}

int catalog_upload_mount(struct catalog *c, const struct catalog_upload_change *x,
	const struct digest *digest, struct catalog_upload_changed *ret, struct err *e)
{
	return CATALOG_RETRY(c->ops->upload_mount(c->engine, x, digest, ret, e));
}

int catalog_upload_set_part(struct catalog *c, const struct catalog_upload_change *x,
	const char *name, uint64_t size, struct err *e)
{
	return CATALOG_RETRY(c->ops->upload_set_part(c->engine, x, name, size, e));
}

int catalog_upload_remove(struct catalog *c, const struct catalog_upload_change *x,
	struct catalog_upload_changed *ret, struct err *e)
{
	return CATALOG_RETRY(c->ops->upload_remove(c->engine, x, ret, e));
}

int catalog_upload_drop(struct catalog *c, const char *id, struct err *e)
{
	return CATALOG_RETRY(c->ops->upload_drop(c->engine, id, e));
}
