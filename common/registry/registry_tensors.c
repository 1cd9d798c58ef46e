/* SPDX-License-Identifier: Apache-2.0 */
#include "common/registry/registry_tensors.h"
#include "common/model/filepath.h"
#include "common/model/modeljson.h"
#include "common/model/weightscan.h"
#include "common/registry/registry_internal.h"
#include "common/registry/upload_info.h"
#include "common/store/catalog_tensors.h"

#define PIECE      BLOB_READ_PIECE
#define FAILED_MS  UINT64_C(600000)
#define DAMAGED_MS UINT64_C(3600000)

struct work {
	struct registry *registry;
	const struct catalog_version *version;
	struct registry_encode *how; /* NULL: somebody waits for it */
	struct blob *bytes;          /* of model.json */
	struct modeljson *json;
	struct weightscan *scan;
	uint8_t *piece;
	char *text;
};

static void work_done(struct work *w)
{
	weightscan_free(w->scan);
	modeljson_free(w->json);
	blob_unref(w->bytes);
	free(w->piece);
	free(w->text);
}

/* ---- computing ---- */

/* It was accepted, so what there is to find was found. */
static int read_manifest(struct work *w, struct err *e)
{
	const struct catalog_version *v = w->version;
	const struct catalog_version_file *file;
	CLEANUP_FINDINGS struct findings known;
	int r = registry_load_file(w->registry, v, FILEPATH_MODEL, &file, &w->bytes, e);

	if (r < 0)
		return r;
	findings_init(&known);
	r = modeljson_parse((const char *)blob_data(w->bytes), (size_t)blob_size(w->bytes),
		&w->json, &known, e);
	if (r == 0 && (!w->json || !w->json->manifest))
		r = err_set(e, ERR_CORRUPT, "the manifest of %s@%llu cannot be read any more",
			v->model, (unsigned long long)v->version);
	return r;
}

static int scan_pieces(struct work *w, const struct blob_reader *shard, uint64_t size,
	struct err *e)
{
	int r = 0;

	for (uint64_t at = 0; r == 0 && at < size; at += PIECE) {
		size_t n = size - at < PIECE ? (size_t)(size - at) : PIECE;
		r = blob_reader_read(shard, at, w->piece, n, e);
		if (r == 0)
			r = weightscan_feed(w->scan, w->piece, n, e);
		if (r == 0 && w->how)
			r = registry_encode_keep_pace(w->registry, w->how, n, e);
	}
	return r;
}

static int scan_shard(struct work *w, const char *path, struct err *e)
{
	const struct catalog_version_file *f = registry_find_file(w->version, path);
	CLEANUP(blob_reader_close_p) struct blob_reader *shard = NULL;
	int r;

	if (!f)
		return err_set(e, ERR_CORRUPT, "%s@%llu has no file %s", w->version->model,
			(unsigned long long)w->version->version, path);
	r = registry_check_file(w->version, f, e);
	if (r == 0)
		r = blobs_reader_open(w->registry->blobs, &f->key, f->size, &shard, e);
	return r < 0 ? r : scan_pieces(w, shard, f->size, e);
}

static int compute(void *work, struct err *e)
{
	struct work *w = work;
	const struct manifest *m;
	int r = read_manifest(w, e);

	if (r < 0)
		return r;
	m = w->json->manifest;
	w->piece = malloc(PIECE);
	r = w->piece ? weightscan_new(m, &w->scan, e) : err_nomem(e);
	for (size_t i = 0; r == 0 && i < m->paths_n; i++)
		r = scan_shard(w, m->paths[i], e);
	if (r == 0)
		r = weightscan_finish(w->scan, e);
	return r < 0 ? r : upload_info_tensors(w->scan, &w->text, e);
}

static int keep(const struct work *w, struct err *e)
{
	const struct catalog_version *v = w->version;

	return catalog_tensors_set(w->registry->catalog, v->model, v->version, w->text, e);
}

/* ---- for somebody ---- */

/* What cannot be kept is right all the same. */
static int compute_now(struct registry *r, const struct catalog_version *v, char **ret,
	struct err *e)
{
	CLEANUP(work_done) struct work w = {.registry = r, .version = v};
	struct err ignored;
	int x = compute(&w, e);

	if (x == -(int)ERR_CORRUPT)
		x = registry_deleted_since(r, v, e);
	if (x < 0)
		return x;
	(void)keep(&w, &ignored);
	*ret = take_ptr(w.text);
	return 0;
}

static int read_or_compute(struct registry *r, const struct catalog_version *v, bool may_compute,
	char **ret, bool *ret_due, struct err *e)
{
	CLEANUP_FREE char *text = NULL;
	int x = catalog_tensors_read(r->catalog, v->model, v->version, &text, ret_due, e);

	if (x < 0)
		return x;
	if (!*ret_due)
		*ret = take_ptr(text);
	return *ret_due && may_compute ? compute_now(r, v, ret, e) : 0;
}

/* Of several who ask at once, one computes it for all. */
static int wait_and_compute(struct registry *r, const struct catalog_version *v, char **ret,
	struct err *e)
{
	bool due;
	int x;

	pthread_mutex_lock(&r->tensors);
	x = read_or_compute(r, v, true, ret, &due, e);
	pthread_mutex_unlock(&r->tensors);
	return x;
}

int registry_tensors(struct registry *r, const struct catalog_version *v, char **ret,
	struct err *e)
{
	bool due = false;
	int x = read_or_compute(r, v, false, ret, &due, e);

	if (x < 0 || !due)
		return x;
	if (atomic_fetch_add(&r->tensors_asked, 1) < REGISTRY_TENSORS_ASKED)
		x = wait_and_compute(r, v, ret, e);
	else
		x = err_set(e, ERR_BUSY, "the digests of other weights are being computed");
	atomic_fetch_sub(&r->tensors_asked, 1);
	return x;
}

/* ---- in the background ---- */

static void put_off(const struct work *w, const struct err *why)
{
	uint64_t ms = why->code == ERR_CORRUPT ? DAMAGED_MS : FAILED_MS;
	struct err ignored;

	(void)catalog_tensors_defer(w->registry->catalog, w->version->model, w->version->version,
		ms, &ignored);
}

static int compute_apart(struct work *w, struct err *e)
{
	int r = w->how->apart(w->how->cls, compute, w, e);

	if (r == 0)
		r = keep(w, e);
	if (r == -(int)ERR_CORRUPT)
		r = registry_deleted_since(w->registry, w->version, e);
	if (r == -(int)ERR_DELETED)
		return 0; /* and so is its place in the queue */
	if (r < 0 && r != -(int)ERR_SHUTTING_DOWN)
		put_off(w, e);
	return r;
}

int registry_tensors_next(struct registry *r, struct registry_encode *how,
	struct registry_encoded *ret, struct err *e)
{
	CLEANUP(catalog_version_free_p) struct catalog_version *v = NULL;
	CLEANUP(work_done) struct work w = {.registry = r, .how = how};
	struct catalog_name model;
	uint64_t version;
	int x;

	*ret = (struct registry_encoded){.any = false};
	x = catalog_tensors_next(r->catalog, &model, &version, &ret->any, &ret->wait_ms, e);
	if (x < 0 || !ret->any)
		return x;
	x = catalog_version(r->catalog, model.text, version, &v, e);
	if (x == -(int)ERR_DELETED)
		return 0;
	w.version = v;
	return x < 0 ? x : compute_apart(&w, e);
}
