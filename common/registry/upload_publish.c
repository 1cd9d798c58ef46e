/* SPDX-License-Identifier: Apache-2.0 */
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

static int check_files(struct upload *u, const struct upload_model *m, uint64_t *ret_weight_bytes,
	struct findings *f, struct err *e)
{
	const struct manifest *manifest = m->json->manifest;
	int r = upload_paths_decide(u, m->file, manifest, e);

	*ret_weight_bytes = 0;
	if (r == 0 && manifest)
		r = upload_weights_check(u, manifest, ret_weight_bytes, f, e);
	if (r < 0)
		return r;
	return findings_refuse(f) ? findings_to_err(f, e) : 0;
}

/* Or only say what that would give. */
static int store(struct upload *u, const struct upload_model *m, uint64_t weight_bytes,
	bool dry_run, const struct findings *f, struct upload_stored *ret, struct err *e)
{
	CLEANUP_FREE char *info = NULL;
	int r = upload_info_write(m, weight_bytes, f, &info, e);

	if (r == 0)
		r = registry_require_space(u->registry, e);
	if (r < 0)
		return r;
	return dry_run ? upload_store_compare(u, ret, e) : upload_store_version(u, info, ret, e);
}

static void fill(const struct upload *u, const struct upload_model *m, uint64_t weight_bytes,
	const struct upload_stored *stored, struct published *ret)
{
	*ret = (struct published){
		.version = stored->version,
		.root = stored->root,
		.deduplicated = stored->deduplicated,
		.saved_ms = stored->created_ms,
		.topology_bytes = m->json->topology_bytes,
		.weight_specs_bytes = m->json->weight_specs_bytes,
		.weight_data_bytes = weight_bytes,
	};
	memcpy(ret->name, u->name, sizeof(ret->name));
}

static int publish(struct upload *u, bool dry_run, struct published *ret, struct findings *f,
	struct err *e)
{
	CLEANUP(upload_model_done) struct upload_model m = {0};
	struct upload_stored stored;
	uint64_t weight_bytes;
	int r = require_whole(u, e);

	if (r == 0)
		r = upload_model_read(u, &m, f, e);
	if (r == 0)
		r = check_files(u, &m, &weight_bytes, f, e);
	if (r == 0)
		r = store(u, &m, weight_bytes, dry_run, f, &stored, e);
	if (r < 0)
		return r;
	fill(u, &m, weight_bytes, &stored, ret);
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
