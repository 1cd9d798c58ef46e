/* SPDX-License-Identifier: Apache-2.0 */
#include "common/registry/registry.h"
#include "common/base/clock.h"
#include "common/base/fsio.h"
#include "common/base/num.h"
#include "common/model/filepath.h"
#include "common/registry/registry_internal.h"
#include "common/registry/registry_limits.h"
#include "common/registry/staging_internal.h"
#include "common/registry/upload_info.h"
#include "common/store/backupmark.h"
#include "common/store/blobs_fs.h"
#include "common/store/catalog_sqlite.h"
#include "common/store/catalog_variant.h"
#include "common/store/storelock.h"

#include <fcntl.h>
#include <string.h>

/* ---- opening and closing ---- */

/* What a process that had the store before this one left. */
static int clean_up(struct registry *reg, struct err *e)
{
	size_t removed;
	int r = blobs_sweep_temporary(reg->blobs, &removed, e);

	if (r == 0)
		r = REGISTRY_WITH_BALLAST(reg,
			catalog_expire_intents(reg->catalog, true, e));
	if (r == 0)
		r = staging_new(&reg->staging, e);
	if (r == 0)
		r = staging_start(reg, e);
	return r < 0 ? r : registry_sweep(reg, &removed, e);
}

static int wrap(const struct registry_options *o, struct blobs *blobs, struct catalog *catalog,
	struct registry **ret, struct err *e)
{
	struct registry *reg = calloc(1, sizeof(*reg));
	struct registry_limits *limits = NULL;
	int r = reg ? registry_limits_new(o, &limits, e) : err_nomem(e);

	if (r < 0) {
		free(reg);
		return r;
	}
	snapshot_cell_init(&reg->limits, &limits->shared);
	reg->lock_fd = -1;
	reg->dir_fd = -1;
	reg->blobs = blobs;
	reg->catalog = catalog;
	bell_init(&reg->work);
	bell_init(&reg->end);
	pthread_mutex_init(&reg->large_json, NULL);
	pthread_mutex_init(&reg->tensors, NULL);
	*ret = reg;
	return 0;
}

/* `dir_fd` is the registry's then, or -1. On failure nothing is. */
static int open_on(const struct registry_options *o, int dir_fd, struct blobs *blobs,
	struct catalog *catalog, struct registry **ret, struct err *e)
{
	struct registry *reg = NULL;
	int r = wrap(o, blobs, catalog, &reg, e);

	if (r < 0)
		return r;
	reg->dir_fd = dir_fd;
	r = clean_up(reg, e);
	if (r < 0) {
		staging_free(reg->staging);
		snapshot_cell_done(&reg->limits);
		bell_done(&reg->work);
		bell_done(&reg->end);
		pthread_mutex_destroy(&reg->large_json);
		pthread_mutex_destroy(&reg->tensors);
		free(reg); /* the backends are still the caller's */
		return r;
	}
	*ret = reg;
	return 0;
}

int registry_open_on(const struct registry_options *o, struct blobs *blobs, struct catalog *catalog,
	struct registry **ret, struct err *e)
{
	return open_on(o, -1, blobs, catalog, ret, e);
}

/* SQLite's log and index take room when they are opened, and it does not always say that there was
 * none. */
static int open_catalog(const char *dir, int dir_fd, struct blobs *blobs, struct catalog **ret,
	struct err *e)
{
	struct err ignored;
	uint64_t bytes;
	int r = catalog_sqlite_open(dir, ret, e);

	if (r < 0 && blobs_free_space(blobs, &bytes, &ignored) == 0 && bytes < BALLAST_BYTES &&
		ballast_let_go(dir_fd))
		r = catalog_sqlite_open(dir, ret, e);
	return r;
}

int registry_open(const struct registry_options *o, struct registry **ret, struct err *e)
{
	CLEANUP_FD int lock_fd = -1;
	CLEANUP_FD int dir_fd = -1;
	CLEANUP(blobs_close_p) struct blobs *blobs = NULL;
	CLEANUP(catalog_close_p) struct catalog *catalog = NULL;
	struct registry *reg;
	int r = 0;

	if (backupmark_is_there(o->dir))
		r = err_set(e, ERR_CONFIG,
			"%s is a backup: `modeld restore` makes a store of it in another directory",
			o->dir);
	if (r == 0)
		r = storelock_take(o->dir, &lock_fd, e);
	if (r == 0)
		r = fsio_open_dir(AT_FDCWD, o->dir, &dir_fd, e);
	if (r == 0)
		r = blobs_fs_open(o->dir, &blobs, e);
	if (r == 0)
		r = open_catalog(o->dir, dir_fd, blobs, &catalog, e);
	if (r == 0)
		r = open_on(o, dir_fd, blobs, catalog, &reg, e);
	if (r < 0)
		return r;
	(void)take_ptr(blobs);
	(void)take_ptr(catalog);
	(void)take_fd(&dir_fd);
	reg->lock_fd = take_fd(&lock_fd);
	*ret = reg;
	return 0;
}

int registry_open_beside(const struct registry_options *o, struct registry **ret, struct err *e)
{
	CLEANUP_FD int dir_fd = -1;
	CLEANUP(blobs_close_p) struct blobs *blobs = NULL;
	CLEANUP(catalog_close_p) struct catalog *catalog = NULL;
	int r = catalog_sqlite_open_beside(o->dir, &catalog, e);

	if (r == 0)
		r = fsio_open_dir(AT_FDCWD, o->dir, &dir_fd, e);
	if (r == 0)
		r = blobs_fs_open(o->dir, &blobs, e);
	if (r == 0)
		r = wrap(o, blobs, catalog, ret, e);
	if (r < 0)
		return r;
	(void)take_ptr(blobs);
	(void)take_ptr(catalog);
	(*ret)->dir_fd = take_fd(&dir_fd);
	return 0;
}

void registry_close(struct registry *r)
{
	if (!r)
		return;
	staging_free(r->staging);
	catalog_close(r->catalog);
	blobs_close(r->blobs);
	close_fd_p(&r->dir_fd);
	close_fd_p(&r->lock_fd);
	snapshot_cell_done(&r->limits);
	bell_done(&r->work);
	bell_done(&r->end);
	pthread_mutex_destroy(&r->large_json);
	pthread_mutex_destroy(&r->tensors);
	free(r);
}

struct catalog *registry_catalog(struct registry *r)
{
	return r->catalog;
}

/* ---- upkeep ---- */

void registry_arrived(struct registry *r)
{
	atomic_store_explicit(&r->arrived_ms, clock_mono_ms(), memory_order_relaxed);
}

int registry_require_space(struct registry *r, struct err *e)
{
	char left[NUM_SIZE_TEXT];
	char least[NUM_SIZE_TEXT];
	uint64_t needed = registry_limits_now(r).min_free_bytes;
	uint64_t bytes;
	int x = blobs_free_space(r->blobs, &bytes, e);

	if (x < 0)
		return x;
	if (!ballast_is_there(r->dir_fd) && !num_add(needed, BALLAST_BYTES, &needed))
		needed = UINT64_MAX;
	if (bytes < needed)
		return err_set(e, ERR_STORAGE_FULL,
			"the store's disk has %s left; publishing needs %s free",
			num_format_size(bytes, left), num_format_size(needed, least));
	return 0;
}

int registry_room(struct registry *r, const char *name, uint64_t *ret_most, struct err *e)
{
	CLEANUP(registry_limits_unref_p) struct registry_limits *l = registry_limits_get(r);

	return catalog_room(r->catalog, &l->o.models, name, 0, true, ret_most, e);
}

int registry_keep_ballast(struct registry *r, struct err *e)
{
	uint64_t bytes;
	int x = blobs_free_space(r->blobs, &bytes, e);

	return x < 0 ? x : ballast_keep(r->dir_fd, bytes, registry_limits_now(r).min_free_bytes, e);
}

int registry_check(struct registry *r, struct err *e)
{
	int x = catalog_ping(r->catalog, e);

	if (x == 0)
		x = blobs_require_writable(r->blobs, e);
	return x < 0 ? x : registry_require_space(r, e);
}

int registry_verify_catalog(struct registry *r, const atomic_bool *stop, struct err *e)
{
	return catalog_verify(r->catalog, stop, e);
}

int registry_state(struct registry *r, struct registry_state *ret, struct err *e)
{
	struct catalog_scrub scrub;
	int x = catalog_scrub_read(r->catalog, &scrub, e);

	if (x == 0)
		x = blobs_free_space(r->blobs, &ret->free_bytes, e);
	if (x == 0)
		x = catalog_variant_count(r->catalog, REGISTRY_UNCODED_MAX, &ret->uncoded, e);
	if (x < 0)
		return x;
	ret->damaged = scrub.damaged;
	ret->damage_found = scrub.found;
	ret->scrubbed_ms = scrub.finished_ms;
	return 0;
}

/* ---- labels and deletion ---- */

int registry_move_label(struct registry *r, const struct catalog_label_move *m,
	struct catalog_label *ret, bool *ret_created, struct err *e)
{
	int x = ref_check_label(str_of(m->label), e);

	if (x < 0)
		return x;
	return REGISTRY_WITH_BALLAST(r, catalog_move_label(r->catalog, m, ret, ret_created, e));
}

int registry_drop_label(struct registry *r, const struct catalog_label_move *m, struct err *e)
{
	int x = ref_check_label(str_of(m->label), e);

	return x < 0 ? x : REGISTRY_WITH_BALLAST(r, catalog_drop_label(r->catalog, m, e));
}

int registry_delete_version(struct registry *r, const char *model, uint64_t version,
	struct err *e)
{
	return REGISTRY_WITH_BALLAST(r, catalog_delete_version(r->catalog, model, version, e));
}

int registry_delete_model(struct registry *r, const char *model, const char *who, struct err *e)
{
	return REGISTRY_WITH_BALLAST(r, catalog_delete_model(r->catalog, model, who, e));
}

/* ---- reading ---- */

int registry_deletions(struct registry *r, struct catalog_feed *at, struct catalog_name *rows,
	size_t max, size_t *ret_n, struct err *e)
{
	return catalog_deletions(r->catalog, at, rows, max, ret_n, e);
}

static int by_label(struct registry *r, const struct ref *ref, struct catalog_version **ret,
	struct err *e)
{
	struct catalog_label label;

	return catalog_version_by_label(r->catalog, ref->name, ref->label, &label, ret, e);
}

int registry_resolve(struct registry *r, const struct ref *ref, struct catalog_version **ret,
	struct err *e)
{
	switch (ref->kind) {
	case REF_LATEST:
		return catalog_version(r->catalog, ref->name, 0, ret, e);
	case REF_VERSION:
		return catalog_version(r->catalog, ref->name, ref->version, ret, e);
	case REF_DIGEST:
		return catalog_version_by_root(r->catalog, ref->name, &ref->root, ret, e);
	case REF_LABEL:
		return by_label(r, ref, ret, e);
	}
	return err_set(e, ERR_INTERNAL, "a reference of an unknown kind");
}

static int compare_path(const void *key, const void *member)
{
	return strcmp(key, ((const struct catalog_version_file *)member)->path);
}

const struct catalog_version_file *registry_find_file(const struct catalog_version *v,
	const char *path)
{
	if (v->files_n == 0)
		return NULL;
	return bsearch(path, v->files, v->files_n, sizeof(*v->files), compare_path);
}

int registry_deleted_since(struct registry *r, const struct catalog_version *v, struct err *e)
{
	CLEANUP(catalog_version_free_p) struct catalog_version *again = NULL;
	struct err other;

	if (catalog_version(r->catalog, v->model, v->version, &again, &other) == -(int)ERR_DELETED)
		*e = other;
	return -(int)e->code;
}

int registry_check_file(const struct catalog_version *v, const struct catalog_version_file *file,
	struct err *e)
{
	if (file->damaged)
		return err_set(e, ERR_CORRUPT, "the store has lost %s of %s@%llu; publishing the "
			"same file again restores it", file->path, v->model,
			(unsigned long long)v->version);
	return 0;
}

typedef int blob_getter(struct blobs *s, const struct blob_key *key, uint64_t size,
	struct blob **ret, struct err *e);

static int get_file(struct registry *r, const struct catalog_version *v, const char *path,
	blob_getter *get, const struct catalog_version_file **ret_file, struct blob **ret,
	struct err *e)
{
	const struct catalog_version_file *file = registry_find_file(v, path);
	int x;

	if (!file && v->files_n > 0 && upload_info_is_model_json_name(v->info, path))
		file = registry_find_file(v, FILEPATH_MODEL);
	if (!file)
		return err_set(e, ERR_FILE_NOT_FOUND, "%s@%llu has no file %s", v->model,
			(unsigned long long)v->version, path);
	x = registry_check_file(v, file, e);
	if (x == 0)
		x = get(r->blobs, &file->key, file->size, ret, e);
	if (x == -(int)ERR_CORRUPT)
		x = registry_deleted_since(r, v, e);
	if (x == 0)
		*ret_file = file;
	return x;
}

int registry_open_coded(struct registry *r, const struct catalog_version_file *file,
	enum encode_coding coding, struct blob **ret, struct digest *ret_digest, struct err *e)
{
	struct catalog_variant v;
	struct err ignored;
	bool found, dropped;
	int x = catalog_variant_find(r->catalog, &file->key.digest, encode_name(coding), &v,
		&found, e);

	*ret = NULL;
	if (x < 0 || !found || v.damaged)
		return x;
	x = blobs_open(r->blobs, &v.key, v.size, ret, e);
	if (x == -(int)ERR_CORRUPT) {
		*ret = NULL;
		(void)catalog_variant_drop(r->catalog, &v.key, &dropped, &ignored);
		bell_ring(&r->work);
		return 0;
	}
	if (x == 0)
		*ret_digest = v.key.digest;
	return x;
}

int registry_open_file(struct registry *r, const struct catalog_version *v, const char *path,
	const struct catalog_version_file **ret_file, struct blob **ret, struct err *e)
{
	return get_file(r, v, path, blobs_open, ret_file, ret, e);
}

int registry_load_file(struct registry *r, const struct catalog_version *v, const char *path,
	const struct catalog_version_file **ret_file, struct blob **ret, struct err *e)
{
	return get_file(r, v, path, blobs_load, ret_file, ret, e);
}
