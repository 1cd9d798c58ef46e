/* SPDX-License-Identifier: Apache-2.0 */
#include "common/registry/upload_model.h"
#include "common/lint/lint_model.h"
#include "common/registry/upload_paths.h"

#include <malloc.h>
#include <string.h>

void upload_model_done(struct upload_model *m)
{
	artifact_free(m->artifact);
	modeljson_free(m->json);
	blob_unref(m->bytes);
	free(m->old_name);
	if (m->large) {
		(void)malloc_trim(0); /* or each thread keeps as much for the next time */
		pthread_mutex_unlock(m->large);
	}
	*m = (struct upload_model){0};
}

static int find(struct upload *u, struct upload_model *m, struct findings *f, struct err *e)
{
	CLEANUP(upload_paths_view_done) struct lint_files view = {.n = 0};
	const char *old_name = NULL;
	int r = upload_paths_view(u, &view, e);

	if (r == 0)
		r = lint_model_find(&view, &m->file, &old_name, f, e);
	if (r == 0)
		r = lint_model_check_size(&view, m->file, e);
	if (r < 0 || !old_name)
		return r;
	m->old_name = strdup(old_name);
	return m->old_name ? 0 : err_nomem(e);
}

static int parse(const struct upload *u, struct upload_model *m, struct findings *f, struct err *e)
{
	const struct upload_file *file = &u->files[m->file];
	int r;

	if (file->size > UPLOAD_MODEL_LARGE) {
		m->large = &u->registry->large_json;
		pthread_mutex_lock(m->large);
	}
	r = upload_file_load(u, file, &m->bytes, e);
	if (r < 0)
		return r;
	return lint_model_parse(file->size > 0 ? (const char *)blob_data(m->bytes) : "",
		(size_t)file->size, &m->json, &m->artifact, f, e);
}

int upload_model_read(struct upload *u, struct upload_model *ret, struct findings *f, struct err *e)
{
	CLEANUP(upload_model_done) struct upload_model m = {0};
	int r = find(u, &m, f, e);

	if (r == 0)
		r = parse(u, &m, f, e);
	if (r < 0)
		return r;
	*ret = m;
	m = (struct upload_model){0};
	return 0;
}
