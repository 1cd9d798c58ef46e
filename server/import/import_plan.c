/* SPDX-License-Identifier: Apache-2.0 */
#include "server/import/import_plan.h"

#include <stdint.h>

struct import_file *import_plan_find(struct import_plan *p, const char *path)
{
	for (size_t i = 0; i < p->n; i++)
		if (strcmp(p->files[i].path, path) == 0)
			return &p->files[i];
	return NULL;
}

static int grow(struct import_plan *p, struct err *e)
{
	size_t cap = p->cap ? 2 * p->cap : 16;
	struct import_file *files;

	if (p->n < p->cap)
		return 0;
	files = reallocarray(p->files, cap, sizeof(*files));
	if (!files)
		return err_nomem(e);
	p->files = files;
	p->cap = cap;
	return 0;
}

int import_plan_add(struct import_plan *p, struct str path, struct import_file **ret,
	struct err *e)
{
	CLEANUP_FREE char *copy = str_dup(path);
	struct import_file *f = copy ? import_plan_find(p, copy) : NULL;
	int r = copy ? 0 : err_nomem(e);

	if (r == 0 && !f) {
		r = grow(p, e);
		if (r < 0)
			return r;
		f = &p->files[p->n++];
		*f = (struct import_file){.path = take_ptr(copy)};
	}
	if (r == 0 && ret)
		*ret = f;
	return r;
}

int import_plan_url(const struct import_plan *p, const struct import_file *f, struct url *ret,
	struct err *e)
{
	if (p->is_archive) {
		*ret = p->model;
		return 0;
	}
	return url_of_shard(&p->model, f->is_companion ? NULL : p->prefix, f->path, ret, e);
}

void import_plan_done(struct import_plan *p)
{
	for (size_t i = 0; i < p->n; i++)
		free(p->files[i].path);
	free(p->files);
	*p = (struct import_plan){.n = 0};
}
