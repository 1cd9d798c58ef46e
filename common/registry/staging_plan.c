/* SPDX-License-Identifier: Apache-2.0 */
/* What a model.json alone tells of the files that it needs. */
#include "common/base/num.h"
#include "common/registry/staging_internal.h"
#include "common/registry/upload_model.h"

#include <string.h>

void staging_plan_free(struct staging_plan *p)
{
	if (!p)
		return;
	for (size_t i = 0; i < p->paths_n; i++)
		free(p->paths[i]);
	free(p->paths);
	free(p);
}

static int copy_paths(const struct manifest *m, struct staging_plan *p, struct err *e)
{
	p->paths = calloc(m->paths_n + 1, sizeof(*p->paths));
	if (!p->paths)
		return err_nomem(e);
	for (; p->paths_n < m->paths_n; p->paths_n++) {
		p->paths[p->paths_n] = strdup(m->paths[p->paths_n]);
		if (!p->paths[p->paths_n])
			return err_nomem(e);
	}
	return 0;
}

static int plan(const struct manifest *m, struct staging_plan **ret, struct err *e)
{
	CLEANUP(staging_plan_free_p) struct staging_plan *p = calloc(1, sizeof(*p));
	int r = 0;

	if (!p)
		return err_nomem(e);
	if (m) {
		p->has_weights = true;
		p->weight_bytes = m->fixed_bytes;
		p->has_strings = m->has_strings;
		r = copy_paths(m, p, e);
	}
	if (r == 0)
		*ret = take_ptr(p);
	return r;
}

/* It can only be larger: strings, and what else is beside it. */
static int require_room(struct upload *u, uint64_t json_bytes, const struct staging_plan *p,
	struct err *e)
{
	const struct registry_options *o = &u->limits->o;
	char max[NUM_SIZE_TEXT];
	uint64_t bytes;

	if (!num_add(p->weight_bytes, json_bytes, &bytes) || bytes > o->max_version_bytes)
		return err_set(e, ERR_TOO_LARGE,
			"with its weights the model is larger than %s, the limit",
			num_format_size(o->max_version_bytes, max));
	if (p->paths_n >= o->max_version_files)
		return err_set(e, ERR_TOO_LARGE,
			"the model has %zu files of weights: the limit is %llu files in all",
			p->paths_n, (unsigned long long)o->max_version_files);
	return upload_expect(u, bytes, e);
}

int staging_plan(struct registry *r, const char *id, struct staging_plan **ret, struct findings *f,
	struct err *e)
{
	CLEANUP(catalog_upload_free_p) struct catalog_upload *row = NULL;
	CLEANUP(upload_free_p) struct upload *u = NULL;
	CLEANUP(upload_model_done) struct upload_model m = {.json = NULL};
	CLEANUP(staging_plan_free_p) struct staging_plan *p = NULL;
	int x = staging_read(r, id, &row, e);

	if (x == 0)
		x = staging_open(r, row, &u, e);
	if (x == 0)
		x = upload_model_read(u, &m, f, e);
	if (x == 0 && findings_refuse(f))
		x = findings_to_err(f, e);
	if (x == 0)
		x = plan(m.json->manifest, &p, e);
	if (x == 0)
		x = require_room(u, blob_size(m.bytes), p, e);
	if (x == 0)
		*ret = take_ptr(p);
	return x;
}
