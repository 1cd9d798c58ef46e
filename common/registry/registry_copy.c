/* SPDX-License-Identifier: Apache-2.0 */
#include "common/registry/registry_copy.h"
#include "common/base/fsio.h"
#include "common/base/num.h"
#include "common/registry/registry_internal.h"
#include "common/registry/registry_verify.h"
#include "common/store/backupmark.h"
#include "common/store/blobs_fs.h"
#include "common/store/catalog_sqlite.h"
#include "common/store/storelock.h"

#include <dirent.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#define NEXT       "next"
#define CATALOG    "catalog.db"
#define BATCH      32 /* blobs that are made durable together */
#define SNAPSHOTS  5  /* a collection may take blobs of one; not of all */
#define NAME_SHOWN 60

struct copy {
	const struct registry_copy *how;
	struct registry *from;
	struct blobs *blobs;  /* of the copy */
	struct catalog *next; /* the snapshot */
	struct registry_copied out;
	bool vanished; /* a blob of the snapshot was collected before it was copied */
	/* copied and not yet durable */
	struct blob_writer *writers[BATCH];
	struct blob_key keys[BATCH];
	size_t n;
};

/* ---- paths ---- */

static int path_in(const char *dir, const char *name, char path[PATH_MAX], struct err *e)
{
	if (snprintf(path, PATH_MAX, "%s/%s", dir, name) >= PATH_MAX)
		return err_sys(e, ENAMETOOLONG, "cannot use %s", dir);
	return 0;
}

static bool has_catalog(const char *dir)
{
	char path[PATH_MAX];
	struct err ignored;

	return path_in(dir, CATALOG, path, &ignored) == 0 && access(path, F_OK) == 0;
}

/* The part of `path` that exists, without links or dots. */
static bool resolve(const char *path, char ret[PATH_MAX])
{
	char part[PATH_MAX];

	if (snprintf(part, sizeof(part), "%s", path) >= PATH_MAX)
		return false;
	while (!realpath(part, ret)) {
		char *slash = strrchr(part, '/');
		if (errno != ENOENT || !*part)
			return false;
		if (!slash)
			return realpath(".", ret);
		part[slash == part ? 1 : slash - part] = '\0';
	}
	return true;
}

/* A copy inside the store would be one of itself. */
static int require_apart(const struct registry_copy *how, struct err *e)
{
	char from[PATH_MAX], to[PATH_MAX];
	size_t n;

	if (!resolve(how->from, from) || !resolve(how->to, to))
		return err_sys(e, errno, "cannot find out where %s is", how->to);
	n = strlen(from);
	if (strncmp(from, to, n) == 0 && (to[n] == '/' || to[n] == '\0'))
		return err_set(e, ERR_CONFIG, "%s is in %s itself: give a directory elsewhere",
			how->to, how->from);
	return 0;
}

/* ---- what may be overwritten ---- */

static bool is_ours(const char *name)
{
	static const char *const names[] = {".", "..", "lock", "blobs", "tmp", "uploads", NEXT,
		"lost+found"};

	for (size_t i = 0; i < ARRAY_SIZE(names); i++)
		if (strcmp(name, names[i]) == 0)
			return true;
	return false;
}

/* Only what a run leaves that did not get to the catalog. */
static int require_empty(const char *dir, struct err *e)
{
	DIR *d = opendir(dir);
	char foreign[NAME_SHOWN + 1] = "";
	const struct dirent *entry;

	if (!d)
		return err_sys(e, errno, "cannot read the directory %s", dir);
	while (!*foreign && (entry = readdir(d)))
		if (!is_ours(entry->d_name))
			(void)snprintf(foreign, sizeof(foreign), "%.*s", NAME_SHOWN,
				entry->d_name);
	(void)closedir(d);
	if (*foreign)
		return err_set(e, ERR_CONFIG,
			"%s has other files in it (%s): give an empty directory, or a new one",
			dir, foreign);
	return 0;
}

static int require_backup(const char *dir, struct err *e)
{
	if (access(dir, F_OK) < 0)
		return err_set(e, ERR_CONFIG, "there is no %s", dir);
	if (!backupmark_is_there(dir))
		return err_set(e, ERR_CONFIG, "%s is no backup: it has no file BACKUP", dir);
	if (!has_catalog(dir))
		return err_set(e, ERR_CONFIG,
			"%s is a backup that was cut off before it was whole for the first time",
			dir);
	return 0;
}

static int require_no_store(const char *dir, const char *otherwise, struct err *e)
{
	if (has_catalog(dir))
		return err_set(e, ERR_CONFIG, "%s %s", dir, otherwise);
	return require_empty(dir, e);
}

/* ---- one blob ---- */

static void drop_writers(struct copy *x)
{
	for (size_t i = 0; i < x->n; i++)
		blob_writer_free(x->writers[i]);
	x->n = 0;
}

static int make_durable(struct copy *x, struct err *e)
{
	int r = blobs_seal(x->blobs, x->writers, x->n, e);

	for (size_t i = 0; r == 0 && i < x->n; i++)
		r = blob_writer_link(x->writers[i], &x->keys[i], e);
	if (r == 0)
		r = blobs_sync(x->blobs, x->keys, x->n, e);
	drop_writers(x);
	return r;
}

struct piping {
	struct blob_writer *writer;
	int r; /* of the side that is written to */
};

static int pipe_piece(void *cls, const uint8_t *bytes, size_t n, struct err *e)
{
	struct piping *p = cls;

	return p->r = blob_writer_write(p->writer, bytes, n, e);
}

/* What is wrong with the bytes in `fault`, else a writer that has them. */
static int fetch(struct copy *x, const struct catalog_blob *blob, struct blob_writer **ret,
	char fault[REGISTRY_VERIFY_FAULT], struct err *e)
{
	CLEANUP(blob_writer_free_p) struct blob_writer *w = NULL;
	struct piping p = {.r = 0};
	struct digest found;
	uint64_t size;
	int r = blobs_create(x->blobs, &w, e);

	p.writer = w;
	if (r == 0)
		r = blobs_read(x->from->blobs, &blob->key, blob->size, pipe_piece, &p, e);
	if (r < 0 && w && p.r == 0 && registry_verify_is_fault(e)) {
		(void)snprintf(fault, REGISTRY_VERIFY_FAULT, "%s", e->text);
		return 0;
	}
	if (r == 0)
		r = blob_writer_finish(w, &found, &size, e);
	if (r < 0)
		return r;
	if (!digest_eq(&found, &blob->digest))
		(void)snprintf(fault, REGISTRY_VERIFY_FAULT, "its bytes have another SHA-256");
	else
		*ret = take_ptr(w);
	return 0;
}

/* One that was collected, or replaced by a sound one, after the snapshot is not damaged. */
static int tell_fault(struct copy *x, const struct catalog_blob *blob, const char *fault,
	struct err *e)
{
	CLEANUP_BUF struct buf text = BUF_INIT(REGISTRY_VERIFY_LINE_MAX);
	CLEANUP_BUF struct buf line = BUF_INIT(REGISTRY_VERIFY_LINE_MAX);
	char key[BLOB_KEY_TEXT];
	enum catalog_key_state state;
	int r = catalog_key_state(x->from->catalog, &blob->key, &state, e);

	if (r < 0)
		return r;
	if (state != CATALOG_KEY_LIVE) {
		x->vanished = true;
		return 0;
	}
	x->out.damaged++;
	buf_addf(&text, "%s: %s", blob_key_text(&blob->key, key), fault);
	r = registry_verify_line(x->from, blob, buf_str(&text), &line, e);
	return r < 0 || !x->how->tell ? r : x->how->tell(x->how->cls, buf_str(&line), e);
}

static void count(uint64_t *n, uint64_t *bytes, uint64_t size)
{
	++*n;
	if (!num_add(*bytes, size, bytes))
		*bytes = UINT64_MAX;
}

/* A blob that is there has its key only because its bytes were right and durable. */
static int copy_blob(struct copy *x, const struct catalog_blob *blob, struct err *e)
{
	char fault[REGISTRY_VERIFY_FAULT] = "";
	struct blob_writer *w = NULL;
	int r;

	count(&x->out.blobs, &x->out.bytes, blob->size);
	if (blobs_exists(x->blobs, &blob->key))
		return 0;
	r = fetch(x, blob, &w, fault, e);
	if (r < 0)
		return r;
	if (*fault)
		return tell_fault(x, blob, fault, e);
	count(&x->out.copied, &x->out.copied_bytes, blob->size);
	x->writers[x->n] = w;
	x->keys[x->n++] = blob->key;
	return x->n == BATCH ? make_durable(x, e) : 0;
}

static int copy_blobs(struct copy *x, struct err *e)
{
	CLEANUP_FREE struct catalog_blob *rows = calloc(CATALOG_BLOBS_BATCH, sizeof(*rows));
	struct catalog_cursor at = {.started = false};
	int r = rows ? 0 : err_nomem(e);

	while (r == 0 && !at.ended && !x->vanished) {
		size_t n = 0;
		r = catalog_blobs(x->next, &at, rows, &n, e);
		for (size_t i = 0; r == 0 && i < n && !x->vanished; i++)
			r = copy_blob(x, &rows[i], e);
	}
	if (r == 0 && x->n > 0)
		r = make_durable(x, e);
	drop_writers(x);
	return r;
}

/* ---- the catalog ---- */

/* A run that was cut off may have left one, with its log. */
static int clear_next(const char *next, struct err *e)
{
	static const char *const names[] = {CATALOG, CATALOG "-wal", CATALOG "-shm",
		CATALOG "-journal"};
	char path[PATH_MAX];
	int r = fsio_mkdirs(next, e);

	for (size_t i = 0; r == 0 && i < ARRAY_SIZE(names); i++) {
		r = path_in(next, names[i], path, e);
		if (r == 0 && unlink(path) < 0 && errno != ENOENT)
			r = err_sys(e, errno, "cannot remove %s", path);
	}
	return r;
}

static int take_snapshot(struct copy *x, const char *next, struct err *e)
{
	char path[PATH_MAX];
	int r = clear_next(next, e);

	if (r == 0)
		r = path_in(next, CATALOG, path, e);
	if (r == 0)
		r = catalog_snapshot(x->from->catalog, path, e);
	if (r == 0)
		r = catalog_sqlite_open(next, &x->next, e);
	return r < 0 ? r : catalog_strip(x->next, &x->out.versions, e);
}

/* Again from the start when a collection was faster. */
static int copy_all(struct copy *x, const char *next, struct err *e)
{
	int r = 0;

	for (unsigned i = 0; r == 0 && i < SNAPSHOTS; i++) {
		catalog_close(take_ptr(x->next));
		x->vanished = false;
		x->out = (struct registry_copied){.removed = 0};
		r = take_snapshot(x, next, e);
		if (r == 0)
			r = copy_blobs(x, e);
		if (r == 0 && !x->vanished)
			return 0;
	}
	return r < 0 ? r : err_set(e, ERR_BUSY,
		"files were collected %u times while they were being copied: try again, and not "
		"beside `modeld gc --grace 0`", SNAPSHOTS);
}

/* A command that worked on the copy and was killed may have left a log: with another catalog put
 * beside it, that would be taken for its own. Opening and closing empties it, unless somebody has
 * it open. */
static int require_settled(const char *dir, struct err *e)
{
	CLEANUP(catalog_close_p) struct catalog *catalog = NULL;
	char wal[PATH_MAX];
	int r = path_in(dir, CATALOG "-wal", wal, e);

	if (r < 0 || access(wal, F_OK) < 0)
		return r;
	r = catalog_sqlite_open(dir, &catalog, e);
	catalog_close(take_ptr(catalog));
	if (r == 0 && access(wal, F_OK) == 0)
		r = err_set(e, ERR_BUSY, "another command is at work on %s: try again after it",
			dir);
	return r;
}

/* Closing a catalog empties its log into it; with a log left it would not be whole alone. */
static int put_in_place(struct copy *x, const char *next, struct err *e)
{
	char path[PATH_MAX], wal[PATH_MAX], final[PATH_MAX];
	int r = path_in(next, CATALOG, path, e);

	catalog_close(take_ptr(x->next));
	if (r == 0)
		r = path_in(next, CATALOG "-wal", wal, e);
	if (r == 0)
		r = path_in(x->how->to, CATALOG, final, e);
	if (r < 0)
		return r;
	if (access(wal, F_OK) == 0)
		return err_set(e, ERR_IO_FAILED, "%s could not be written to the end", path);
	r = require_settled(x->how->to, e);
	if (r < 0)
		return r;
	if (rename(path, final) < 0)
		return err_sys(e, errno, "cannot rename %s to %s", path, final);
	(void)rmdir(next);
	return fsio_sync_dir(AT_FDCWD, x->how->to, e);
}

/* ---- what is held no more ---- */

struct leftovers {
	struct copy *copy;
	struct catalog *catalog;
	struct blob_key keys[BATCH];
	size_t n;
};

static int remove_batch(struct leftovers *l, struct err *e)
{
	bool removed[BATCH];
	int r = blobs_remove(l->copy->blobs, l->keys, l->n, removed, e);

	l->copy->out.removed += r == 0 ? l->n : 0;
	l->n = 0;
	return r;
}

static int judge_name(void *cls, const struct blob_key *key, const char *name, struct err *e)
{
	struct leftovers *l = cls;
	enum catalog_key_state state;
	int r = key ? catalog_key_state(l->catalog, key, &state, e) : 0;

	(void)name;
	if (r < 0 || !key || state == CATALOG_KEY_LIVE)
		return r;
	l->keys[l->n++] = *key;
	return l->n == BATCH ? remove_batch(l, e) : 0;
}

static int remove_leftovers(struct copy *x, struct err *e)
{
	CLEANUP(catalog_close_p) struct catalog *catalog = NULL;
	struct leftovers l = {.copy = x};
	int r = catalog_sqlite_open(x->how->to, &catalog, e);

	l.catalog = catalog;
	if (r == 0)
		r = blobs_list(x->blobs, judge_name, &l, e);
	return r < 0 || l.n == 0 ? r : remove_batch(&l, e);
}

/* ---- all of it ---- */

static int open_both(struct copy *x, struct err *e)
{
	const struct registry_options options = {.dir = x->how->from};
	size_t swept;
	int r = registry_open_beside(&options, &x->from, e);

	if (r == 0)
		r = blobs_fs_open(x->how->to, &x->blobs, e);
	return r < 0 ? r : blobs_sweep_temporary(x->blobs, &swept, e);
}

static void copy_done(struct copy *x)
{
	drop_writers(x);
	catalog_close(x->next);
	blobs_close(x->blobs);
	registry_close(x->from);
}

static int copy(const struct registry_copy *how, struct registry_copied *ret, struct err *e)
{
	CLEANUP(copy_done) struct copy x = {.how = how};
	char next[PATH_MAX];
	int r = path_in(how->to, NEXT, next, e);

	if (r == 0)
		r = require_settled(how->to, e);
	if (r == 0)
		r = open_both(&x, e);
	if (r == 0)
		r = copy_all(&x, next, e);
	if (r == 0)
		r = put_in_place(&x, next, e);
	if (r == 0)
		r = remove_leftovers(&x, e);
	*ret = x.out;
	return r;
}

/* Asked before the lock, which would leave a file in what is none of ours, and under it. */
static int require_place_for_backup(const char *dir, struct err *e)
{
	if (access(dir, F_OK) < 0 || backupmark_is_there(dir))
		return 0;
	return require_no_store(dir,
		"is a store, not a backup: give the backup a directory of its own", e);
}

int registry_copy_backup(const struct registry_copy *how, struct registry_copied *ret,
	struct err *e)
{
	CLEANUP_FD int lock = -1;
	int r = 0;

	if (!has_catalog(how->from))
		return err_set(e, ERR_CONFIG, "%s: there is no store", how->from);
	r = require_apart(how, e);
	if (r == 0)
		r = require_place_for_backup(how->to, e);
	if (r == 0)
		r = storelock_take(how->to, &lock, e);
	if (r == 0)
		r = require_place_for_backup(how->to, e);
	if (r == 0 && !backupmark_is_there(how->to))
		r = backupmark_make(how->to, e); /* before there is a catalog in it */
	return r < 0 ? r : copy(how, ret, e);
}

static int require_place_for_store(const char *dir, struct err *e)
{
	if (access(dir, F_OK) < 0)
		return 0;
	return require_no_store(dir,
		"has a store already: restore into a new directory, and start modeld on it", e);
}

/* It may be one of an earlier release. */
static int upgrade(const char *backup, struct err *e)
{
	CLEANUP(catalog_close_p) struct catalog *catalog = NULL;

	return catalog_sqlite_open(backup, &catalog, e);
}

int registry_copy_restore(const struct registry_copy *how, struct registry_copied *ret,
	struct err *e)
{
	CLEANUP_FD int from_lock = -1;
	CLEANUP_FD int lock = -1;
	int r = require_backup(how->from, e);

	if (r == 0)
		r = require_apart(how, e);
	if (r == 0)
		r = require_place_for_store(how->to, e);
	if (r == 0)
		r = storelock_take(how->from, &from_lock, e);
	if (r == 0)
		r = storelock_take(how->to, &lock, e);
	if (r == 0)
		r = require_place_for_store(how->to, e);
	if (r == 0)
		r = upgrade(how->from, e);
	return r < 0 ? r : copy(how, ret, e);
}
