/* SPDX-License-Identifier: Apache-2.0 */
#include "common/lint/lint_files.h"
#include "common/model/filepath.h"

#include <string.h>

/* Stripping only moves the start, so the result is still NUL terminated. */
static const char *stripped(const char *name)
{
	return filepath_strip(str_of(name)).p;
}

bool lint_files_is(const char *name, const char *path)
{
	return strcmp(stripped(name), path) == 0;
}

const char *lint_files_called(const char *part_name, const char *filename)
{
	const char *name = stripped(filename);

	if (*name == '\0' || (strcmp(name, "blob") == 0 && *part_name))
		return stripped(part_name);
	return name;
}

static const char *called(const struct lint_file *f)
{
	return lint_files_called(f->part_name, f->filename);
}

int lint_files_twice(const struct lint_files *l, const char *path, struct err *e)
{
	if (l->from_archive)
		return err_set(e, ERR_BAD_ARCHIVE, "two entries are called %s", path);
	return err_set(e, ERR_BAD_MULTIPART, "two parts are called %s", path);
}

/* ---- folders that all files lie in ---- */

/* Bytes of `name` up to and with its last slash within the first `n`. */
static size_t folder_within(const char *name, size_t n)
{
	while (n > 0 && name[n - 1] != '/')
		n--;
	return n;
}

size_t lint_files_shared_folder(const struct lint_files *l)
{
	const char *first = called(&l->files[0]);
	size_t n = folder_within(first, strlen(first));
	struct err unfit;

	for (size_t i = 1; i < l->n; i++)
		while (n > 0 && strncmp(called(&l->files[i]), first, n) != 0)
			n = folder_within(first, n - 1);
	return n > 0 && filepath_check((struct str){first, n - 1}, &unfit) == 0 ? n : 0;
}

/* ---- the manifest's paths, sorted ---- */

struct listed {
	const char **paths;
	size_t n;
};

static void listed_done(struct listed *l)
{
	free(l->paths);
}

static int compare_text(const void *a, const void *b)
{
	return strcmp(*(const char *const *)a, *(const char *const *)b);
}

static int list_paths(const struct manifest *m, struct listed *ret, struct err *e)
{
	if (!m || m->paths_n == 0)
		return 0;
	ret->paths = calloc(m->paths_n, sizeof(*ret->paths));
	if (!ret->paths)
		return err_nomem(e);
	for (size_t i = 0; i < m->paths_n; i++)
		ret->paths[i] = m->paths[i];
	ret->n = m->paths_n;
	qsort(ret->paths, ret->n, sizeof(*ret->paths), compare_text);
	return 0;
}

static bool is_listed(const struct listed *l, const char *path)
{
	return l->n > 0 && bsearch(&path, l->paths, l->n, sizeof(*l->paths), compare_text);
}

/* ---- deciding ---- */

static const char *choose(const struct lint_file *f, const struct listed *listed)
{
	const char *filename = stripped(f->filename);
	const char *part_name = stripped(f->part_name);

	if (is_listed(listed, filename))
		return filename;
	if (is_listed(listed, part_name))
		return part_name;
	return called(f);
}

static int give_path(struct lint_file *f, const char *path, struct err *e)
{
	int r = filepath_check(str_of(path), e);

	if (r < 0)
		return err_prefix(e, "the file \"%.200s\"", path);
	f->path = path;
	return 0;
}

static int give_paths(struct lint_files *l, size_t model, const struct listed *listed,
	struct err *e)
{
	int r = 0;

	for (size_t i = 0; r == 0 && i < l->n; i++)
		r = give_path(&l->files[i],
			i == model ? FILEPATH_MODEL : choose(&l->files[i], listed), e);
	return r;
}

static int compare_folded(const void *a, const void *b)
{
	const char *x = (*(const struct lint_file *const *)a)->path;
	const char *y = (*(const struct lint_file *const *)b)->path;

	while (*x && str_to_lower(*x) == str_to_lower(*y)) {
		x++;
		y++;
	}
	return (unsigned char)str_to_lower(*x) - (unsigned char)str_to_lower(*y);
}

static int check_pair(const struct lint_files *l, const struct lint_file *a,
	const struct lint_file *b, struct err *e)
{
	if (strcmp(a->path, b->path) == 0)
		return lint_files_twice(l, a->path, e);
	if (filepath_same_folded(str_of(a->path), str_of(b->path)))
		return err_set(e, ERR_BAD_PATH,
			"%.200s and %.200s differ only in letter case, which not every file system "
			"keeps apart",
			a->path, b->path);
	return 0;
}

static int check_distinct(const struct lint_files *l, struct err *e)
{
	CLEANUP_FREE const struct lint_file **sorted = calloc(l->n + 1, sizeof(*sorted));
	int r = 0;

	if (!sorted)
		return err_nomem(e);
	for (size_t i = 0; i < l->n; i++)
		sorted[i] = &l->files[i];
	qsort(sorted, l->n, sizeof(*sorted), compare_folded);
	for (size_t i = 1; r == 0 && i < l->n; i++)
		r = check_pair(l, sorted[i - 1], sorted[i], e);
	return r;
}

static int compare_file(const void *a, const void *b)
{
	return strcmp(((const struct lint_file *)a)->path, ((const struct lint_file *)b)->path);
}

void lint_files_sort(struct lint_files *l)
{
	qsort(l->files, l->n, sizeof(*l->files), compare_file);
}

int lint_files_decide(struct lint_files *l, size_t model, const struct manifest *manifest,
	struct err *e)
{
	CLEANUP(listed_done) struct listed listed = {.n = 0};
	int r = list_paths(manifest, &listed, e);

	if (r == 0)
		r = give_paths(l, model, &listed, e);
	return r < 0 ? r : check_distinct(l, e);
}

static int compare_key(const void *key, const void *member)
{
	return strcmp(key, ((const struct lint_file *)member)->path);
}

struct lint_file *lint_files_find(const struct lint_files *l, const char *path)
{
	return bsearch(path, l->files, l->n, sizeof(*l->files), compare_key);
}
