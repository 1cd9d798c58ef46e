/* SPDX-License-Identifier: Apache-2.0 */
#include "common/registry/upload_archive.h"
#include "common/registry/upload_expect.h"
#include "common/registry/upload_info.h"
#include "common/registry/upload_internal.h"
#include "common/registry/upload_model.h"
#include "common/registry/upload_paths.h"
#include "common/registry/upload_store.h"
#include "common/registry/upload_weights.h"

#include <string.h>

static int require_whole(const struct upload *u, struct err *e)
{
	if (u->failure.code != ERR_NONE) {
		*e = u->failure;
		return -(int)e->code;
	}
	if (u->arriving)
		return err_set(e, ERR_INCOMPLETE_BODY, "the last file is not complete");
	if (u->files_n == 0)
		return err_set(e, ERR_BAD_MULTIPART, "there is no file in it");
	return 0;
}

/* What an upload has become on its way to a version. */
struct checked {
	struct upload_model model;
	struct upload_weights weights;
	struct upload_repair repair;
};

static void checked_done(struct checked *c)
{
	upload_repair_done(&c->repair);
	upload_model_done(&c->model);
}

static int check_files(struct upload *u, struct checked *c, struct findings *f, struct err *e)
{
	const struct manifest *manifest = c->model.json->manifest;
	int r = upload_paths_decide(u, c->model.file, manifest, e);

	if (r == 0)
		r = upload_expect_judge_files(u, e);
	if (r == 0 && manifest)
		r = upload_weights_check(u, manifest, &c->weights, f, e);
	if (r == 0 && !findings_refuse(f))
		r = upload_repair_shards(u, &c->model, &c->weights, &c->repair, f, e);
	/* Before what is wrong with files that are the wrong ones. */
	if (r == 0)
		r = upload_expect_judge_root(u,
			c->repair.rule ? &c->repair.original : NULL, e);
	if (r < 0)
		return r;
	return findings_refuse(f) ? findings_to_err(f, e) : 0;
}

/* What is told of a version, in words that its JSON is not needed for. */
struct told {
	struct upload_store_texts texts;
	struct published published;
};

static void told_done(struct told *t)
{
	free(t->texts.info);
	free(t->texts.provenance);
	free(t->texts.tensors);
}

static int tell(const struct upload *u, const struct checked *c, const struct findings *f,
	struct told *ret, struct err *e)
{
	const struct modeljson *json = c->repair.json ? c->repair.json : c->model.json;
	int r = upload_info_write(&c->model, &c->repair, c->weights.bytes, f, &ret->texts.info,
		e);

	ret->published = (struct published){
		.topology_bytes = json->topology_bytes,
		.weight_specs_bytes = json->weight_specs_bytes,
		.weight_data_bytes = c->weights.bytes,
	};
	ret->texts.tensors_due =
		c->weights.scan && !weightscan_has_digests(c->weights.scan);
	if (r == 0)
		r = upload_info_provenance(u, &ret->texts.provenance, e);
	return r < 0 ? r : upload_info_tensors(c->weights.scan, &ret->texts.tensors, e);
}

/* Or only say what that would give. */
static int store(struct upload *u, const struct told *t, bool dry_run, struct upload_stored *ret,
	struct err *e)
{
	int r = registry_require_space(u->registry, e);

	/* Before bytes are synced for nothing. A staged upload may be a version already. */
	if (r == 0 && (dry_run || !u->staged[0]))
		r = upload_store_require_room(u, e);
	if (r < 0)
		return r;
	return dry_run ? upload_store_compare(u, ret, e)
		       : upload_store_version(u, &t->texts, ret, e);
}

static void fill(const struct upload *u, const struct told *t, const struct upload_stored *stored,
	struct published *ret)
{
	*ret = t->published;
	ret->version = stored->version;
	ret->root = stored->root;
	ret->deduplicated = stored->deduplicated;
	ret->saved_ms = stored->created_ms;
	memcpy(ret->name, u->name, sizeof(ret->name));
}

/* The scan goes by the names as they were, on a thread of its own. */
static int drop_folder(struct upload *u, struct err *e)
{
	CLEANUP(upload_paths_view_done) struct lint_files view = {.n = 0};
	int r = upload_paths_view(u, &view, e);
	size_t n = r == 0 ? lint_files_shared_folder(&view) : 0;

	if (n == 0)
		return r;
	upload_scan_free(take_ptr(u->scan));
	upload_paths_drop_folder(u, n);
	return 0;
}

static int publish(struct upload *u, bool dry_run, struct published *ret, struct findings *f,
	struct err *e)
{
	CLEANUP(checked_done) struct checked c = {.weights = {0}};
	CLEANUP(told_done) struct told t = {.texts = {.info = NULL}};
	struct upload_stored stored;
	int r = upload_archive_unpack(u, e);

	if (r == 0)
		r = require_whole(u, e);
	if (r == 0)
		r = drop_folder(u, e);
	if (r == 0)
		r = upload_model_read(u, &c.model, f, e);
	if (r == 0)
		r = check_files(u, &c, f, e);
	if (r == 0)
		r = tell(u, &c, f, &t, e);
	checked_done(&c); /* nobody waits with it for the disk */
	if (r == 0 && u->gate && !dry_run)
		r = u->gate(u->gate_cls, e);
	if (r == 0)
		r = store(u, &t, dry_run, &stored, e);
	if (r < 0)
		return r;
	fill(u, &t, &stored, ret);
	return 0;
}

int upload_publish(struct upload *u, struct published *ret, struct findings *f, struct err *e)
{
	return publish(u, false, ret, f, e);
}

int upload_publish_dry_run(struct upload *u, struct published *ret, struct findings *f,
	struct err *e)
{
	return publish(u, true, ret, f, e);
}
