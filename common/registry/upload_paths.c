/* SPDX-License-Identifier: Apache-2.0 */
#include "common/registry/upload_paths.h"
#include "common/model/filepath.h"

#include <string.h>

/* Stripping only moves the start, so the result is still NUL terminated. */
static const char *stripped(const char *name)
{
	return filepath_strip(str_of(name)).p;
}

bool upload_paths_is(const char *name, const char *path)
{
	return strcmp(stripped(name), path) == 0;
}

const char *upload_paths_called(const struct upload_file *f)
{
	const char *filename = stripped(f->filename);

	if (*filename == '\0' || (strcmp(filename, "blob") == 0 && *f->part_name))
		return stripped(f->part_name);
	return filename;
}

int upload_paths_twice(const struct upload *u, const char *path, struct err *e)
{
	if (u->from_archive)
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

static size_t shared_folder(const struct upload *u)
{
	const char *first = upload_paths_called(&u->files[0]);
	size_t n = folder_within(first, strlen(first));

	for (size_t i = 1; i < u->files_n; i++)
		while (n > 0 && strncmp(upload_paths_called(&u->files[i]), first, n) != 0)
			n = folder_within(first, n - 1);
	return n;
}

static void drop_folder(char *name, const char *folder, size_t n)
{
	const char *path = stripped(name);

	if (strncmp(path, folder, n) == 0)
		memmove(name, path + n, strlen(path + n) + 1);
}

bool upload_paths_share_folder(const struct upload *u)
{
	size_t n = shared_folder(u);
	struct err unfit;

	return n > 0 &&
		filepath_check((struct str){upload_paths_called(&u->files[0]), n - 1}, &unfit) == 0;
}

void upload_paths_drop_folder(struct upload *u)
{
	size_t n = shared_folder(u);
	char folder[FILEPATH_MAX + 1];

	memcpy(folder, upload_paths_called(&u->files[0]), n);
	for (size_t i = 0; i < u->files_n; i++) {
		drop_folder(u->files[i].filename, folder, n);
		drop_folder(u->files[i].part_name, folder, n);
	}
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

static const char *choose(const struct upload_file *f, const struct listed *l)
{
	const char *filename = stripped(f->filename);
	const char *part_name = stripped(f->part_name);

	if (is_listed(l, filename))
		return filename;
	if (is_listed(l, part_name))
		return part_name;
	return upload_paths_called(f);
}

static int give_path(struct upload_file *f, const char *path, struct err *e)
{
	int r = filepath_check(str_of(path), e);

	if (r < 0)
		return err_prefix(e, "the file \"%.200s\"", path);
	free(f->path);
	f->path = strdup(path);
	return f->path ? 0 : err_nomem(e);
}

static int give_paths(struct upload *u, size_t model, const struct listed *l, struct err *e)
{
	int r = 0;

	for (size_t i = 0; r == 0 && i < u->files_n; i++)
		r = give_path(&u->files[i],
			i == model ? FILEPATH_MODEL : choose(&u->files[i], l), e);
	return r;
}

static int compare_folded(const void *a, const void *b)
{
	const char *x = (*(const struct upload_file *const *)a)->path;
	const char *y = (*(const struct upload_file *const *)b)->path;

	while (*x && str_to_lower(*x) == str_to_lower(*y)) {
		x++;
		y++;
	}
	return (unsigned char)str_to_lower(*x) - (unsigned char)str_to_lower(*y);
}

static int check_pair(const struct upload *u, const struct upload_file *a,
	const struct upload_file *b, struct err *e)
{
	if (strcmp(a->path, b->path) == 0)
		return upload_paths_twice(u, a->path, e);
	if (filepath_same_folded(str_of(a->path), str_of(b->path)))
		return err_set(e, ERR_BAD_PATH,
			"%.200s and %.200s differ only in letter case, which not every file system "
			"keeps apart",
			a->path, b->path);
	return 0;
}

static int check_distinct(const struct upload *u, struct err *e)
{
	CLEANUP_FREE const struct upload_file **sorted = calloc(u->files_n + 1, sizeof(*sorted));
	int r = 0;

	if (!sorted)
		return err_nomem(e);
	for (size_t i = 0; i < u->files_n; i++)
		sorted[i] = &u->files[i];
	qsort(sorted, u->files_n, sizeof(*sorted), compare_folded);
	for (size_t i = 1; r == 0 && i < u->files_n; i++)
		r = check_pair(u, sorted[i - 1], sorted[i], e);
	return r;
}

static int compare_file(const void *a, const void *b)
{
	return strcmp(((const struct upload_file *)a)->path, ((const struct upload_file *)b)->path);
}

void upload_paths_sort(struct upload *u)
{
	qsort(u->files, u->files_n, sizeof(*u->files), compare_file);
}

int upload_paths_decide(struct upload *u, size_t model, const struct manifest *manifest,
	struct err *e)
{
	CLEANUP(listed_done) struct listed l = {0};
	int r = list_paths(manifest, &l, e);

	if (r == 0)
		r = give_paths(u, model, &l, e);
	if (r == 0)
		r = check_distinct(u, e);
	if (r == 0)
		upload_paths_sort(u);
	return r;
}

static int compare_key(const void *key, const void *member)
{
	return strcmp(key, ((const struct upload_file *)member)->path);
}

const struct upload_file *upload_paths_find(const struct upload *u, const char *path)
{
	return bsearch(path, u->files, u->files_n, sizeof(*u->files), compare_key);
}
