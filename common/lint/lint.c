/* SPDX-License-Identifier: Apache-2.0 */
#include "common/lint/lint.h"
#include "common/base/num.h"
#include "common/lint/lint_weights.h"
#include "common/model/filepath.h"
#include "common/model/rootdigest.h"

#define PIECE (256 * KIB)

void lint_verdict_done(struct lint_verdict *v)
{
	weightscan_free(v->scan);
	artifact_free(v->artifact);
	modeljson_free(v->json);
	if (v->drop)
		v->drop(&v->bytes);
	*v = (struct lint_verdict){.json = NULL};
}

/* ---- names ---- */

static void drop_folder(struct lint_files *l)
{
	size_t n = l->n > 0 ? lint_files_shared_folder(l) : 0;

	for (size_t i = 0; n > 0 && i < l->n; i++) {
		struct lint_file *file = &l->files[i];
		file->filename = lint_files_called(file->part_name, file->filename) + n;
		file->part_name = "";
	}
}

/* ---- bytes ---- */

/* All of a file into its digest, and into the scan where it is a shard. */
static int read_file(struct lint_files *l, size_t i, struct weightscan *scan, uint8_t *piece,
	struct err *e)
{
	CLEANUP(digest_ctx_free_p) struct digest_ctx *ctx = NULL;
	uint64_t size = l->files[i].size;
	int r = digest_ctx_new(&ctx, e);

	for (uint64_t at = 0; r == 0 && at < size; at += PIECE) {
		size_t n = size - at < PIECE ? (size_t)(size - at) : PIECE;
		r = l->read_at(l->cls, l->files[i].id, at, piece, n, e);
		if (r == 0)
			r = digest_ctx_update(ctx, piece, n, e);
		if (r == 0 && scan)
			r = weightscan_feed(scan, piece, n, e);
	}
	return r < 0 ? r : digest_ctx_finish(ctx, &l->files[i].digest, e);
}

static int scan_shards(struct lint_files *l, const struct manifest *m, uint8_t *piece, bool *read,
	struct lint_verdict *v, struct err *e)
{
	int r = weightscan_new(m, &v->scan, e);

	for (size_t i = 0; r == 0 && i < m->paths_n; i++) {
		size_t file = (size_t)(lint_files_find(l, m->paths[i]) - l->files);
		r = read_file(l, file, v->scan, piece, e);
		read[file] = true;
	}
	return r < 0 ? r : weightscan_finish(v->scan, e);
}

static int compute_root(const struct lint_files *l, struct digest *ret, struct err *e)
{
	CLEANUP_FREE struct rootdigest_file *lines = calloc(l->n + 1, sizeof(*lines));

	if (!lines)
		return err_nomem(e);
	for (size_t i = 0; i < l->n; i++)
		lines[i] = (struct rootdigest_file){
			.path = l->files[i].path,
			.digest = l->files[i].digest,
			.size = l->files[i].size,
		};
	return rootdigest_of(lines, l->n, ret, e);
}

/* ---- the steps of a publish ---- */

static int read_model(const struct lint_files *l, size_t *ret_model, struct lint_verdict *v,
	struct findings *f, struct err *e)
{
	const char *old_name;
	int r = lint_model_find(l, ret_model, &old_name, f, e);

	if (r == 0)
		r = lint_model_check_size(l, *ret_model, e);
	if (r == 0)
		r = l->hold(l->cls, l->files[*ret_model].id, &v->bytes, e);
	if (r < 0)
		return r;
	v->drop = l->drop;
	return lint_model_parse(v->bytes.n > 0 ? v->bytes.data : "", v->bytes.n, &v->json,
		&v->artifact, f, e);
}

static int check_weights(struct lint_files *l, uint8_t *piece, bool *read, struct lint_verdict *v,
	struct findings *f, struct err *e)
{
	const struct manifest *m = v->json->manifest;
	bool complete;
	int r;

	if (!m)
		return 0;
	r = lint_weights_add_up(l, m, &v->weight_bytes, &complete, f, e);
	if (r < 0 || !complete)
		return r;
	r = scan_shards(l, m, piece, read, v, e);
	return r < 0 ? r : lint_weights_judge(l, m, v->scan, f, e);
}

static int check_sharding(const struct lint_files *l, struct lint_verdict *v, struct findings *f,
	struct err *e)
{
	struct sharding_plan plan = sharding_plan(v->weight_bytes);
	enum sharding_fault fault;
	int r;

	if (!v->scan)
		return 0;
	r = lint_weights_sharding(l, v->json->manifest, v->scan, &fault, e);
	if (r < 0 || fault == SHARDING_FINE)
		return r;
	v->resharded = true;
	lint_weights_resharded(fault, &plan, &v->root, f);
	return 0;
}

static int check_files(struct lint_files *l, struct lint_verdict *v, struct findings *f,
	struct err *e)
{
	CLEANUP_FREE uint8_t *piece = malloc(PIECE);
	CLEANUP_FREE bool *read = calloc(l->n + 1, sizeof(*read));
	int r = piece && read ? 0 : err_nomem(e);

	if (r == 0)
		r = check_weights(l, piece, read, v, f, e);
	if (r == 0 && findings_refuse(f))
		r = findings_to_err(f, e);
	for (size_t i = 0; r == 0 && i < l->n; i++)
		if (!read[i])
			r = read_file(l, i, NULL, piece, e);
	if (r == 0)
		r = compute_root(l, &v->root, e);
	return r < 0 ? r : check_sharding(l, v, f, e);
}

int lint(struct lint_files *l, struct lint_verdict *ret, struct findings *f, struct err *e)
{
	size_t model;
	int r;

	*ret = (struct lint_verdict){.json = NULL};
	if (l->n == 0)
		return err_set(e, ERR_BAD_ARCHIVE, "there is no file in it");
	drop_folder(l);
	r = read_model(l, &model, ret, f, e);
	if (r == 0)
		r = lint_files_decide(l, model, ret->json->manifest, e);
	if (r < 0)
		return r;
	lint_files_sort(l);
	return check_files(l, ret, f, e);
}
