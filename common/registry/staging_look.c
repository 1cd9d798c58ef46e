/* SPDX-License-Identifier: Apache-2.0 */
/* What an upload holds, and its way to a version. */
#include "common/base/clock.h"
#include "common/base/num.h"
#include "common/registry/registry_limits.h"
#include "common/registry/staging_internal.h"
#include "common/registry/upload_archive.h"

#include <string.h>

/* ---- how far a file is ---- */

static int not_there(const char *path, struct err *e)
{
	return err_set(e, ERR_FILE_NOT_FOUND, "the upload has no file %s", path);
}

/* A body that was cut off may be on its way out, on another thread. */
static int find_settled(struct registry *r, const char *id, const char *path,
	struct staging_upload **ret_u, struct staging_part **ret, struct err *e)
{
	for (;;) {
		int x = staging_find(r, id, false, ret_u, e);
		if (x < 0)
			return x;
		*ret = (*ret_u)->version == 0 ? staging_find_part(*ret_u, str_of(path)) : NULL;
		if (!*ret || !(*ret)->leaving)
			return 0;
		(void)pthread_cond_wait(&r->staging->left, &r->staging->lock);
	}
}

/* Claim the part for making it durable; `*ret_out` is what a writer had open. False when there is
 * nothing to do: `ret` has the answer then. */
static int claim(struct registry *r, const char *id, const char *path, struct staging_part **ret,
	struct blob_writer **ret_out, struct staging_file *file, struct err *e)
{
	struct staging_upload *u;
	struct staging_part *p;
	int x = find_settled(r, id, path, &u, &p, e);

	*ret = NULL;
	if (x < 0)
		return x;
	file->complete = !p;
	if (!p)
		return 0;
	*ret_out = staging_part_take_over(p);
	if (!*ret_out && p->written)
		return err_set(e, ERR_BUSY, "%s is being completed", path);
	file->offset = p->acked;
	if (!*ret_out && p->size == p->acked && p->recorded)
		return 0;
	p->written = true;
	p->refs++;
	*ret = p;
	return 0;
}

static int make_durable(struct registry *r, const char *id, struct staging_part *p,
	struct blob_writer *out, uint64_t *ret_size, struct err *e)
{
	struct catalog_upload_change change = staging_change(r, id, p->path);
	struct err ignored;
	uint64_t size = 0;
	int x = out ? 0 : blobs_part_open(r->blobs, p->name, p->size, &out, e);

	if (x < 0)
		return x;
	x = blob_writer_sync(out, &size, e);
	if (x == 0)
		x = catalog_upload_set_part(r->catalog, &change, p->name, size, e);
	(void)blob_writer_leave(out, ret_size, &ignored);
	*ret_size = size;
	return x;
}

/* What could not be made durable does not count. */
static void give_back(struct registry *r, struct staging_part *p, uint64_t size, bool recorded)
{
	staging_lock(r);
	p->recorded = p->recorded || recorded;
	p->written = false;
	p->acked = size;
	p->size = size;
	if (p->charged > size)
		staging_discharge(r, p, p->charged - size);
	staging_part_unref(p);
	staging_unlock(r);
}

static int look_part(struct registry *r, const char *id, const char *path,
	struct staging_file *ret, struct err *e)
{
	struct blob_writer *out = NULL;
	struct staging_part *p = NULL;
	uint64_t size = 0;
	int x;

	staging_lock(r);
	x = claim(r, id, path, &p, &out, ret, e);
	staging_unlock(r);
	if (x < 0 || !p)
		return x;
	x = make_durable(r, id, p, out, &size, e);
	if (x == 0)
		ret->offset = size;
	give_back(r, p, ret->offset, x == 0);
	return x;
}

static int compare_path(const void *path, const void *file)
{
	return strcmp(path, ((const struct catalog_version_file *)file)->path);
}

static int look_file(struct registry *r, const char *id, const char *path,
	struct staging_file *ret, struct err *e)
{
	CLEANUP(catalog_upload_free_p) struct catalog_upload *u = NULL;
	const struct catalog_version_file *file;
	int x = catalog_upload(r->catalog, id, &u, e);

	if (x < 0)
		return x;
	file = u->files_n == 0 ? NULL : bsearch(path, u->files, u->files_n, sizeof(*u->files),
						compare_path);
	if (!file)
		return not_there(path, e);
	*ret = (struct staging_file){
		.complete = true, .offset = file->size, .digest = file->key.digest,
		.key = file->key};
	return 0;
}

int staging_look(struct registry *r, const char *id, struct str path, struct staging_file *ret,
	struct err *e)
{
	struct staging_file out = {.complete = false};
	char text[CATALOG_PATH_MAX + 1];
	int x = staging_path(path, text, e);

	if (x == 0)
		x = look_part(r, id, text, &out, e);
	if (x == 0 && out.complete)
		x = look_file(r, id, text, &out, e);
	if (x == 0)
		*ret = out;
	return x;
}

/* ---- files that come and go without bytes ---- */

/* After the change in the catalog: parts of the path are of no use, unless somebody writes. */
static void changed(struct registry *r, const char *id, const char *path, uint64_t old_size,
	uint64_t size)
{
	struct staging_upload *u;
	struct err ignored;

	staging_lock(r);
	if (staging_find(r, id, true, &u, &ignored) == 0) {
		for (struct staging_part *p = u->parts; p; p = p->next)
			p->dead = p->dead || (!p->written && strcmp(p->path, path) == 0);
		staging_file_changed(r, u, old_size, size);
	}
	staging_unlock(r);
	staging_reap(r, id);
}

static int require_open(struct registry *r, const char *id, struct err *e)
{
	struct staging_upload *u;
	int x;

	staging_lock(r);
	x = staging_find(r, id, true, &u, e);
	staging_unlock(r);
	return x;
}

int staging_mount(struct registry *r, const char *id, struct str path, const struct digest *digest,
	struct staging_file *ret, struct err *e)
{
	struct catalog_upload_changed done = {.replaced = false};
	char text[CATALOG_PATH_MAX + 1];
	struct catalog_upload_change change;
	int x = staging_path(path, text, e);

	if (x == 0)
		x = require_open(r, id, e);
	if (x < 0)
		return x;
	change = staging_change(r, id, text);
	x = catalog_upload_mount(r->catalog, &change, digest, &done, e);
	if (x < 0)
		return x;
	changed(r, id, text, done.old_size, done.size);
	*ret = (struct staging_file){.complete = true, .replaced = done.replaced,
		.offset = done.size, .digest = *digest};
	return 0;
}

/* Whoever writes to it has written for nothing. */
static bool stop_writing(struct registry *r, const char *id, const char *path)
{
	struct blob_writer *out = NULL;
	struct staging_part *p = NULL;
	struct staging_upload *u;
	struct err ignored;
	uint64_t size = 0;

	staging_lock(r);
	if (staging_find(r, id, true, &u, &ignored) == 0)
		p = staging_find_part(u, str_of(path));
	if (p)
		out = staging_part_take_over(p);
	if (out)
		(void)blob_writer_leave(out, &size, &ignored);
	if (out)
		p->written = false;
	staging_unlock(r);
	return p != NULL;
}

int staging_remove(struct registry *r, const char *id, struct str path, struct err *e)
{
	struct catalog_upload_changed done = {.replaced = false};
	char text[CATALOG_PATH_MAX + 1];
	struct catalog_upload_change change;
	bool had_part;
	int x = staging_path(path, text, e);

	if (x == 0)
		x = require_open(r, id, e);
	if (x < 0)
		return x;
	change = staging_change(r, id, text);
	had_part = stop_writing(r, id, text);
	x = REGISTRY_WITH_BALLAST(r, catalog_upload_remove(r->catalog, &change, &done, e));
	if (x < 0)
		return x;
	changed(r, id, text, done.old_size, 0);
	return had_part || done.replaced ? 0 : not_there(text, e);
}

/* ---- publishing ---- */

static int lost(const char *path, struct err *e)
{
	return err_set(e, ERR_CORRUPT, "the store has lost %s; send it again", path);
}

static int add_stored(struct upload *u, const struct catalog_version_file *row, struct err *e)
{
	struct upload_file *f = &u->files[u->files_n];
	CLEANUP(blob_unref_p) struct blob *there = NULL;
	int r;

	f->part_name = strdup("");
	f->filename = strdup(row->path);
	f->stored = row->key;
	f->digest = row->key.digest;
	f->size = row->size;
	if (!f->part_name || !f->filename)
		return err_nomem(e);
	if (row->damaged)
		return lost(row->path, e);
	r = blobs_open(u->registry->blobs, &row->key, row->size, &there, e);
	if (r == 0)
		u->files_n++;
	return r;
}

/* The budget is what a repair may add to. */
static int add_files(struct upload *u, const struct catalog_upload *row, struct err *e)
{
	int r = 0;

	u->files = calloc(row->files_n, sizeof(*u->files));
	if (!u->files)
		return err_nomem(e);
	u->files_cap = row->files_n;
	u->budget.used_files = row->files_n;
	for (size_t i = 0; r == 0 && i < row->files_n; i++) {
		u->budget.used_bytes += row->files[i].size;
		r = add_stored(u, &row->files[i], e);
	}
	return r;
}

int staging_open(struct registry *r, const struct catalog_upload *row, struct upload **ret,
	struct err *e)
{
	CLEANUP(upload_free_p) struct upload *u = NULL;
	int x = upload_new(r, row->model, &u, e);

	if (x == 0 && row->files_n > 0)
		x = add_files(u, row, e);
	if (x == 0)
		*ret = take_ptr(u);
	return x;
}

static int require_whole(const struct catalog_upload *row, struct err *e)
{
	if (row->version == 0 && row->parts_n > 0)
		return err_set(e, ERR_CONFLICT, "%s has arrived in part: complete or delete it",
			row->parts[0].path);
	if (row->files_n == 0)
		return err_set(e, ERR_CONFLICT, "upload %s has no file", row->id);
	return 0;
}

int staging_publish(struct registry *r, const char *id, struct upload **ret, struct err *e)
{
	CLEANUP(catalog_upload_free_p) struct catalog_upload *row = NULL;
	CLEANUP(upload_free_p) struct upload *u = NULL;
	int x = staging_read(r, id, &row, e);

	if (x == 0)
		x = require_whole(row, e);
	if (x == 0)
		x = staging_open(r, row, &u, e);
	if (x < 0)
		return x;
	memcpy(u->staged, row->id, sizeof(u->staged));
	u->staged_revision = row->revision;
	*ret = take_ptr(u);
	return 0;
}

/* ---- single files ---- */

/* The complete one of a path, which lives as long as `row`. */
static int read_file(struct registry *r, const char *id, struct str path,
	struct catalog_upload **row, const struct catalog_version_file **ret, struct err *e)
{
	char text[CATALOG_PATH_MAX + 1];
	int x = staging_path(path, text, e);

	if (x == 0)
		x = staging_read(r, id, row, e);
	if (x < 0)
		return x;
	*ret = (*row)->files_n == 0 ? NULL : bsearch(text, (*row)->files, (*row)->files_n,
						     sizeof(*(*row)->files), compare_path);
	if (!*ret)
		return not_there(text, e);
	return (*ret)->damaged ? lost((*ret)->path, e) : 0;
}

int staging_load(struct registry *r, const char *id, struct str path, struct blob **ret,
	struct err *e)
{
	CLEANUP(catalog_upload_free_p) struct catalog_upload *row = NULL;
	const struct catalog_version_file *file;
	char max[NUM_SIZE_TEXT];
	uint64_t most;
	int x = read_file(r, id, path, &row, &file, e);

	if (x < 0)
		return x;
	most = registry_limits_now(r).max_model_json_bytes;
	if (file->size > most)
		return err_set(e, ERR_TOO_LARGE, "%s is larger than %s, the limit for a model.json",
			file->path, num_format_size(most, max));
	return blobs_load(r->blobs, &file->key, file->size, ret, e);
}

static int sniff(struct registry *r, const struct catalog_version_file *file,
	enum archive_kind *ret, struct err *e)
{
	uint8_t start[ARCHIVE_SNIFF];
	size_t n = file->size < sizeof(start) ? (size_t)file->size : sizeof(start);
	int x = blobs_read_at(r->blobs, &file->key, file->size, 0, start, n, e);

	if (x < 0 || archive_sniff(start, n, ret))
		return x;
	return err_set(e, ERR_BAD_ARCHIVE, "%s is no tar, tar.gz or zip", file->path);
}

int staging_unpack(struct registry *r, const char *id, struct str path, struct upload **ret,
	struct err *e)
{
	CLEANUP(catalog_upload_free_p) struct catalog_upload *row = NULL;
	CLEANUP(upload_free_p) struct upload *u = NULL;
	const struct catalog_version_file *file;
	enum archive_kind kind;
	int x = read_file(r, id, path, &row, &file, e);

	if (x == 0)
		x = sniff(r, file, &kind, e);
	if (x == 0)
		x = upload_new(r, row->model, &u, e);
	if (x == 0)
		x = upload_archive_stored(u, kind, &file->key, file->size, e);
	if (x == 0)
		*ret = take_ptr(u);
	return x;
}
