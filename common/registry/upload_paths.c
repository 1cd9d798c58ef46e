/* SPDX-License-Identifier: Apache-2.0 */
#include "common/registry/upload_paths.h"
#include "common/model/filepath.h"

#include <assert.h>
#include <string.h>

/* ---- an upload as lint_files.h sees it ---- */

static int read_at(void *cls, size_t id, uint64_t at, void *to, size_t n, struct err *e)
{
	const struct upload *u = cls;

	return upload_file_read_at(u, &u->files[id], at, to, n, e);
}

static int hold(void *cls, size_t id, struct lint_bytes *ret, struct err *e)
{
	const struct upload *u = cls;
	struct blob *blob;
	int r = upload_file_load(u, &u->files[id], &blob, e);

	if (r == 0)
		*ret = (struct lint_bytes){
			(const char *)blob_data(blob), (size_t)blob_size(blob), blob};
	return r;
}

static void drop(struct lint_bytes *bytes)
{
	blob_unref(bytes->owner);
}

int upload_paths_view(struct upload *u, struct lint_files *ret, struct err *e)
{
	*ret = (struct lint_files){
		.files = calloc(u->files_n + 1, sizeof(*ret->files)),
		.n = u->files_n,
		.from_archive = u->from_archive,
		.max_model_json = u->limits->o.max_model_json_bytes,
		.read_at = read_at,
		.hold = hold,
		.drop = drop,
		.cls = u,
	};
	if (!ret->files)
		return err_nomem(e);
	for (size_t i = 0; i < u->files_n; i++)
		ret->files[i] = (struct lint_file){
			.part_name = u->files[i].part_name,
			.filename = u->files[i].filename,
			.path = u->files[i].path,
			.id = i,
			.size = u->files[i].size,
			.digest = u->files[i].digest,
		};
	return 0;
}

void upload_paths_view_done(struct lint_files *view)
{
	free(view->files);
}

/* ---- names ---- */

bool upload_paths_is(const char *name, const char *path)
{
	return lint_files_is(name, path);
}

const char *upload_paths_called(const struct upload_file *f)
{
	return lint_files_called(f->part_name, f->filename);
}

static void drop_folder(char *name, const char *folder, size_t n)
{
	/* Stripping only moves the start, so the result is still NUL terminated. */
	const char *path = filepath_strip(str_of(name)).p;

	if (strncmp(path, folder, n) == 0)
		memmove(name, path + n, strlen(path + n) + 1);
}

void upload_paths_drop_folder(struct upload *u, size_t n)
{
	char folder[FILEPATH_MAX + 1];

	assert(n < sizeof(folder));
	memcpy(folder, upload_paths_called(&u->files[0]), n);
	for (size_t i = 0; i < u->files_n; i++) {
		drop_folder(u->files[i].filename, folder, n);
		drop_folder(u->files[i].part_name, folder, n);
	}
}

/* ---- paths ---- */

static int compare_file(const void *a, const void *b)
{
	return strcmp(((const struct upload_file *)a)->path, ((const struct upload_file *)b)->path);
}

void upload_paths_sort(struct upload *u)
{
	qsort(u->files, u->files_n, sizeof(*u->files), compare_file);
}

static int copy_paths(struct upload *u, const struct lint_files *view, struct err *e)
{
	for (size_t i = 0; i < u->files_n; i++) {
		char *path = strdup(view->files[i].path);
		if (!path)
			return err_nomem(e);
		free(u->files[i].path);
		u->files[i].path = path;
	}
	return 0;
}

int upload_paths_decide(struct upload *u, size_t model, const struct manifest *manifest,
	struct err *e)
{
	CLEANUP(upload_paths_view_done) struct lint_files view = {.n = 0};
	int r = upload_paths_view(u, &view, e);

	if (r == 0)
		r = lint_files_decide(&view, model, manifest, e);
	if (r == 0)
		r = copy_paths(u, &view, e);
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
