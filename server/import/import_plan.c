/* SPDX-License-Identifier: Apache-2.0 */
#include "server/import/import_plan.h"

#include <stdint.h>

static int compare_files(const void *a, const void *b)
{
	return strcmp((*(struct import_file *const *)a)->path,
		(*(struct import_file *const *)b)->path);
}

static int compare_path(const void *path, const void *file)
{
	return strcmp(path, (*(struct import_file *const *)file)->path);
}

int import_plan_sort(struct import_plan *p, struct err *e)
{
	p->sorted = calloc(p->n + 1, sizeof(struct import_file *));
	if (!p->sorted)
		return err_nomem(e);
	for (size_t i = 0; i < p->n; i++)
		p->sorted[i] = &p->files[i];
	qsort(p->sorted, p->n, sizeof(struct import_file *), compare_files);
	return 0;
}

struct import_file *import_plan_find(const struct import_plan *p, const char *path)
{
	if (p->sorted) {
		struct import_file **found = bsearch(path, p->sorted, p->n,
			sizeof(struct import_file *), compare_path);
		return found ? *found : NULL;
	}
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
	int r = copy ? grow(p, e) : err_nomem(e);

	if (r < 0)
		return r;
	p->files[p->n] = (struct import_file){.path = take_ptr(copy)};
	if (ret)
		*ret = &p->files[p->n];
	p->n++;
	return 0;
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
	for (size_t i = 0; i < p->n; i++) {
		free(p->files[i].path);
		free(p->files[i].seen);
	}
	free(p->files);
	free(p->sorted);
	*p = (struct import_plan){.n = 0};
}
