/* SPDX-License-Identifier: Apache-2.0 */
#include "common/registry/upload_repair.h"
#include "common/base/num.h"
#include "common/lint/lint_weights.h"
#include "common/model/filepath.h"
#include "common/model/sharding.h"
#include "common/registry/upload_paths.h"
#include "common/registry/upload_store.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#define GROUPS_TRIED 100 /* names group<g>-shard... that companions may have taken */

/* The files that take the place of the shards and of model.json. */
struct remake {
	struct upload *upload;
	const struct manifest *manifest;
	struct sharding_plan plan;
	struct ingest_budget budget; /* what was sent is within the limits: these are as large */
	struct ingest *arriving;
	uint64_t arrived; /* bytes of it */
	struct upload_file *files;
	size_t files_n;
};

static void remake_done(struct remake *x)
{
	ingest_free(x->arriving);
	for (size_t i = 0; i < x->files_n; i++)
		upload_file_done(&x->files[i]);
	free(x->files);
}

void upload_repair_done(struct upload_repair *r)
{
	modeljson_free(r->json);
	blob_unref(r->bytes);
	*r = (struct upload_repair){0};
}

/* ---- what is wrong ---- */

static int judge(struct upload *u, const struct manifest *m, const struct upload_weights *w,
	enum sharding_fault *ret, struct err *e)
{
	CLEANUP(upload_paths_view_done) struct lint_files view = {.n = 0};
	int r = upload_paths_view(u, &view, e);

	return r < 0 ? r : lint_weights_sharding(&view, m, w->scan, ret, e);
}

/* ---- new files ---- */

static struct upload_file *last_file(struct remake *x)
{
	return &x->files[x->files_n - 1];
}

static int begin_file(struct remake *x, const char *path, struct err *e)
{
	struct ingest_limits limits = {.max_bytes = UINT64_MAX, .what = path};
	struct upload_file *f = &x->files[x->files_n++];

	f->part_name = strdup("");
	f->filename = strdup(path);
	f->path = strdup(path);
	if (!f->part_name || !f->filename || !f->path)
		return err_nomem(e);
	x->arrived = 0;
	return ingest_open(x->upload->registry->blobs, &limits, &x->budget, &x->arriving, e);
}

static int end_file(struct remake *x, struct err *e)
{
	struct upload_file *f = last_file(x);
	int r = ingest_finish(x->arriving, &f->writer, &f->digest, &f->size, e);

	ingest_free(take_ptr(x->arriving));
	return r;
}

static int next_shard(struct remake *x, struct err *e)
{
	char name[SHARDING_NAME_MAX];
	int r = x->arriving ? end_file(x, e) : 0;

	return r < 0 ? r : begin_file(x, sharding_name(&x->plan, x->files_n + 1, name), e);
}

static int add_bytes(struct remake *x, const uint8_t *bytes, size_t n, struct err *e)
{
	int r = 0;

	while (r == 0 && n > 0) {
		size_t piece = n;
		if (!x->arriving || x->arrived == x->plan.size)
			r = next_shard(x, e);
		if (piece > x->plan.size - x->arrived)
			piece = (size_t)(x->plan.size - x->arrived);
		if (r == 0)
			r = ingest_write(x->arriving, bytes, piece, e);
		x->arrived += piece;
		bytes += piece;
		n -= piece;
	}
	return r;
}

static int copy_shard(struct remake *x, const struct upload_file *shard, uint8_t *piece,
	struct err *e)
{
	int r = registry_require_space(x->upload->registry, e);

	for (uint64_t at = 0; r == 0 && at < shard->size; at += BLOB_WRITE_BUFFER) {
		uint64_t n = shard->size - at;
		if (n > BLOB_WRITE_BUFFER)
			n = BLOB_WRITE_BUFFER;
		r = upload_file_read_at(x->upload, shard, at, piece, (size_t)n, e);
		if (r == 0)
			r = add_bytes(x, piece, (size_t)n, e);
	}
	return r;
}

static int remake_shards(struct remake *x, struct err *e)
{
	CLEANUP_FREE uint8_t *piece = malloc(BLOB_WRITE_BUFFER);
	int r = piece ? 0 : err_nomem(e);

	for (size_t i = 0; r == 0 && i < x->manifest->paths_n; i++)
		r = copy_shard(x, upload_paths_find(x->upload, x->manifest->paths[i]), piece, e);
	return r < 0 ? r : end_file(x, e);
}

static int remake_json(struct remake *x, const struct blob *original, struct err *e)
{
	CLEANUP_BUF struct buf json = BUF_INIT((size_t)blob_size(original) +
		SHARDING_COUNT_MAX * (size_t)SHARDING_NAME_MAX + KIB);
	const char *paths[SHARDING_COUNT_MAX];
	int r;

	for (size_t i = 0; i < x->files_n; i++)
		paths[i] = x->files[i].path;
	r = modeljson_reshard((const char *)blob_data(original), (size_t)blob_size(original), paths,
		x->files_n, &json, e);
	if (r == 0)
		r = begin_file(x, FILEPATH_MODEL, e);
	if (r == 0)
		r = ingest_write(x->arriving, json.data, json.len, e);
	return r < 0 ? r : end_file(x, e);
}

/* ---- in place of the old ones ---- */

static int compare_text(const void *a, const void *b)
{
	return strcmp(*(const char *const *)a, *(const char *const *)b);
}

/* The paths that are replaced, sorted. */
static int replaced_paths(const struct manifest *m, const char ***ret, size_t *ret_n, struct err *e)
{
	const char **paths = calloc(m->paths_n + 1, sizeof(*paths));

	if (!paths)
		return err_nomem(e);
	for (size_t i = 0; i < m->paths_n; i++)
		paths[i] = m->paths[i];
	paths[m->paths_n] = FILEPATH_MODEL;
	*ret_n = m->paths_n + 1;
	qsort(paths, *ret_n, sizeof(*paths), compare_text);
	*ret = paths;
	return 0;
}

static bool is_among(const char *path, const char *const *sorted, size_t n)
{
	return bsearch(&path, sorted, n, sizeof(*sorted), compare_text) != NULL;
}

static bool is_taken(const struct upload *u, const struct sharding_plan *plan,
	const char *const *replaced, size_t replaced_n)
{
	char name[SHARDING_NAME_MAX];

	for (uint64_t k = 1; k <= plan->count; k++) {
		struct str wanted = str_of(sharding_name(plan, k, name));
		for (size_t i = 0; i < u->files_n; i++)
			if (filepath_same_folded(str_of(u->files[i].path), wanted) &&
				!is_among(u->files[i].path, replaced, replaced_n))
				return true;
	}
	return false;
}

/* Companions keep their names: the shards take the first group that is free. */
static int choose_group(struct remake *x, const char *const *replaced, size_t replaced_n,
	struct err *e)
{
	while (is_taken(x->upload, &x->plan, replaced, replaced_n))
		if (x->plan.group++ == GROUPS_TRIED)
			return err_set(e, ERR_BAD_PATH,
				"companion files have the names that shards would be stored under; "
				"rename group1-shard1of%" PRIu64 ".bin and the like",
				x->plan.count);
	return 0;
}

static int put_in_place(struct remake *x, const char *const *replaced, size_t replaced_n,
	struct err *e)
{
	struct upload *u = x->upload;
	struct upload_file *files = calloc(u->files_n + x->files_n, sizeof(*files));
	size_t n = 0;

	if (!files)
		return err_nomem(e);
	for (size_t i = 0; i < u->files_n; i++) {
		if (is_among(u->files[i].path, replaced, replaced_n))
			upload_file_done(&u->files[i]);
		else
			files[n++] = u->files[i];
	}
	memcpy(files + n, x->files, x->files_n * sizeof(*files));
	free(u->files);
	u->files = files;
	u->files_n = n + x->files_n;
	u->files_cap = u->files_n;
	x->files_n = 0;
	upload_paths_sort(u);
	return 0;
}

static int remake(struct remake *x, const struct blob *json, struct err *e)
{
	CLEANUP_FREE const char **replaced = NULL;
	size_t replaced_n;
	int r = replaced_paths(x->manifest, &replaced, &replaced_n, e);

	if (r == 0)
		r = choose_group(x, replaced, replaced_n, e);
	if (r == 0)
		r = remake_shards(x, e);
	if (r == 0)
		r = remake_json(x, json, e);
	return r < 0 ? r : put_in_place(x, replaced, replaced_n, e);
}

/* ---- all of it ---- */

/* What was right before is right now; a policy that let something pass lets it pass again. */
static int read_new_json(const struct upload *u, struct upload_repair *ret,
	const struct finding_policy *policy, struct err *e)
{
	CLEANUP_FINDINGS struct findings again;
	int r = upload_file_load(u, upload_paths_find(u, FILEPATH_MODEL), &ret->bytes, e);

	findings_init_policy(&again, policy);
	if (r == 0)
		r = modeljson_parse((const char *)blob_data(ret->bytes),
			(size_t)blob_size(ret->bytes), &ret->json, &again, e);
	if (r == 0 && !ret->json)
		r = err_set(e, ERR_INTERNAL, "the repaired " FILEPATH_MODEL " is not one");
	return r;
}

static int repair(struct upload *u, const struct upload_model *m, const struct upload_weights *w,
	enum sharding_fault fault, struct upload_repair *ret, struct findings *f, struct err *e)
{
	CLEANUP(remake_done) struct remake x = {
		.upload = u,
		.manifest = m->json->manifest,
		.plan = sharding_plan(w->bytes),
		.budget = {.max_bytes = UINT64_MAX, .max_files = UINT64_MAX},
	};
	CLEANUP(upload_repair_done) struct upload_repair done = {
		.rule = finding_rule_id(lint_weights_sharding_rule(fault))};
	int r = upload_store_root(u, &done.original, e);

	x.files = calloc(x.plan.count + 1, sizeof(*x.files));
	if (r == 0 && !x.files)
		r = err_nomem(e);
	if (r == 0)
		r = remake(&x, m->bytes, e);
	if (r == 0)
		r = read_new_json(u, &done, f->policy, e);
	if (r < 0)
		return r;
	lint_weights_resharded(fault, &x.plan, &done.original, f);
	*ret = done;
	done = (struct upload_repair){0};
	return 0;
}

int upload_repair_shards(struct upload *u, const struct upload_model *m,
	const struct upload_weights *w, struct upload_repair *ret, struct findings *f,
	struct err *e)
{
	enum sharding_fault fault;
	int r;

	*ret = (struct upload_repair){0};
	if (!w->scan)
		return 0;
	r = judge(u, m->json->manifest, w, &fault, e);
	if (r < 0 || fault == SHARDING_FINE)
		return r;
	if (u->limits->o.repair)
		return repair(u, m, w, fault, ret, f, e);
	lint_weights_refuse(fault, f);
	return 0;
}
