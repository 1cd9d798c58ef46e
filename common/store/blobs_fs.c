/* SPDX-License-Identifier: Apache-2.0 */
#include "common/store/blobs_fs.h"
#include "common/base/fsio.h"
#include "common/base/num.h"
#include "common/store/blobs_fs_internal.h"
#include "common/store/blobs_fs_map.h"
#include "common/store/blobs_fs_parts.h"
#include "common/store/blobs_fs_read.h"
#include "common/store/blobs_ops.h"

#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/statvfs.h>

#define TEMPORARY_HEX 32
#define DIR_TEXT      BLOBS_FS_DIR_TEXT
#define PATH_TEXT     BLOBS_FS_PATH_TEXT
#define BLOB_MODE     0440

static unsigned inner_of(const struct blob_key *key)
{
	return (unsigned)key->digest.bytes[0] << 8 | key->digest.bytes[1];
}

static const char *outer_text(unsigned outer, char buf[DIR_TEXT])
{
	(void)snprintf(buf, DIR_TEXT, "%02x", outer & 0xff);
	return buf;
}

static const char *inner_text(unsigned inner, char buf[DIR_TEXT])
{
	(void)snprintf(buf, DIR_TEXT, "%02x/%02x", inner >> 8 & 0xff, inner & 0xff);
	return buf;
}

static const char *path_text(const struct blob_key *key, char buf[PATH_TEXT])
{
	char dir[DIR_TEXT];
	char name[BLOB_KEY_TEXT];

	(void)snprintf(buf, PATH_TEXT, "%s/%s", inner_text(inner_of(key), dir),
		blob_key_text(key, name));
	return buf;
}

/* ---- in ---- */

static void fs_discard(void *writer)
{
	struct blobs_fs_writer *w = writer;

	blobs_fs_ahead_end(&w->fs->ahead, &w->ahead);
	if (w->fd >= 0)
		(void)unlinkat(w->dir_fd, w->name, 0);
	close_fd_p(&w->fd);
	free(w);
}

int blobs_fs_open_writer(struct blobs_fs *fs, int dir_fd, const char *name, int flags,
	struct blobs_fs_writer **ret, struct err *e)
{
	CLEANUP_FREE struct blobs_fs_writer *w = calloc(1, sizeof(*w));

	if (!w)
		return err_nomem(e);
	w->fs = fs;
	w->dir_fd = dir_fd;
	(void)snprintf(w->name, sizeof(w->name), "%s", name);
	w->fd = openat(dir_fd, name, O_RDWR | O_CLOEXEC | O_NOFOLLOW | flags,
		BLOBS_FS_PENDING_MODE);
	if (w->fd < 0)
		return err_sys(e, errno, "cannot open %s/%s in the store",
			dir_fd == fs->tmp_fd ? "tmp" : "uploads", name);
	blobs_fs_ahead_begin(&w->ahead, w->fd, 0);
	*ret = take_ptr(w);
	return 0;
}

static int fs_create(void *backend, void **ret_writer, struct err *e)
{
	struct blobs_fs *fs = backend;
	char name[TEMPORARY_HEX + 1];
	struct blobs_fs_writer *w = NULL;
	int r = digest_random_hex(name, TEMPORARY_HEX, e);

	if (r == 0)
		r = blobs_fs_open_writer(fs, fs->tmp_fd, name, O_CREAT | O_EXCL, &w, e);
	if (r == 0)
		*ret_writer = w;
	return r;
}

static int fs_write(void *writer, const void *bytes, size_t n, struct err *e)
{
	struct blobs_fs_writer *w = writer;
	int r;

	blobs_fs_room_make(&w->room, w->fd, w->ahead.written, n);
	r = fsio_write_all(w->fd, bytes, n, "a file of the store", e);
	if (r == 0)
		blobs_fs_ahead_wrote(&w->fs->ahead, &w->ahead, n);
	return r;
}

static void fs_expect(void *writer, uint64_t n)
{
	struct blobs_fs_writer *w = writer;

	if (!num_add(w->ahead.written, n, &w->room.expected))
		w->room.expected = 0;
}

int blobs_fs_require_size(int fd, uint64_t size, const char *what, struct err *e)
{
	struct stat st;

	if (fstat(fd, &st) < 0)
		return err_sys(e, errno, "cannot read %s", what);
	if (!S_ISREG(st.st_mode) || (uint64_t)st.st_size != size)
		return err_set(e, ERR_CORRUPT, "%s should have %llu bytes and has %llu", what,
			(unsigned long long)size, (unsigned long long)st.st_size);
	return 0;
}

static int fs_read_at(const void *writer, uint64_t offset, void *buf, size_t n, struct err *e)
{
	const struct blobs_fs_writer *w = writer;

	return fsio_read_at(w->fd, offset, buf, n, "a file that was just received", e);
}

static int seal_one(void *cls, size_t i, struct err *e)
{
	struct blobs_fs_writer *const *writers = cls;

	return fsio_sync(writers[i]->fd, "a file of the store", e);
}

static int fs_seal(void *backend, void **writers, size_t n, struct err *e)
{
	struct blobs_fs *fs = backend;

	for (size_t i = 0; i < n; i++) {
		struct blobs_fs_writer *w = writers[i];
		blobs_fs_room_trim(&w->room, w->fd, w->ahead.written);
		if (fchmod(w->fd, BLOB_MODE) < 0)
			return err_sys(e, errno, "cannot set the mode of a file of the store");
	}
	return blobs_fs_sync_run(&fs->sync, n, seal_one, writers, e);
}

static int make_dirs(struct blobs_fs *fs, unsigned inner, struct err *e)
{
	char dir[DIR_TEXT];
	bool made;
	int r;

	if (atomic_load(&fs->inner_durable[inner]))
		return 0;
	r = fsio_mkdir_at(fs->blobs_fd, outer_text(inner >> 8, dir), &made, e);
	if (r < 0)
		return r;
	return fsio_mkdir_at(fs->blobs_fd, inner_text(inner, dir), &made, e);
}

static int fs_link(void *writer, const struct blob_key *key, struct err *e)
{
	struct blobs_fs_writer *w = writer;
	char path[PATH_TEXT];
	int r = make_dirs(w->fs, inner_of(key), e);

	if (r < 0)
		return r;
	if (linkat(w->dir_fd, w->name, w->fs->blobs_fd, path_text(key, path), 0) < 0)
		return err_sys(e, errno, "cannot link blobs/%s", path);
	return 0;
}

/* ---- directories ---- */

/* A directory as a number: blobs/ab/cd is abcd, then come blobs/ab, and blobs. */
#define DIR_OUTER BLOBS_FS_INNER
#define DIR_ROOT  (BLOBS_FS_INNER + BLOBS_FS_OUTER)

struct dirs {
	struct blobs_fs *fs;
	uint32_t *dirs;
	size_t n;
	bool may_be_missing; /* one without names was perhaps never made */
};

static void dirs_done(struct dirs *d)
{
	free(d->dirs);
}

static int compare_dirs(const void *a, const void *b)
{
	uint32_t x = *(const uint32_t *)a;
	uint32_t y = *(const uint32_t *)b;

	return (x > y) - (x < y);
}

static void drop_doubles(struct dirs *d)
{
	size_t n = 0;

	qsort(d->dirs, d->n, sizeof(*d->dirs), compare_dirs);
	for (size_t i = 0; i < d->n; i++)
		if (n == 0 || d->dirs[n - 1] != d->dirs[i])
			d->dirs[n++] = d->dirs[i];
	d->n = n;
}

/* Those that hold the names of `keys`, and above them those in which a directory's name is not
 * known to be durable. */
static int dirs_of(struct dirs *d, const struct blob_key *keys, size_t n, struct err *e)
{
	d->dirs = calloc(n, 3 * sizeof(*d->dirs));
	if (!d->dirs)
		return err_nomem(e);
	for (size_t i = 0; i < n; i++) {
		unsigned inner = inner_of(&keys[i]);
		d->dirs[d->n++] = inner;
		if (d->may_be_missing || atomic_load(&d->fs->inner_durable[inner]))
			continue;
		d->dirs[d->n++] = DIR_OUTER + (inner >> 8);
		if (!atomic_load(&d->fs->outer_durable[inner >> 8]))
			d->dirs[d->n++] = DIR_ROOT;
	}
	drop_doubles(d);
	return 0;
}

static const char *dir_text(uint32_t dir, char buf[DIR_TEXT])
{
	if (dir < DIR_OUTER)
		return inner_text(dir, buf);
	return dir < DIR_ROOT ? outer_text(dir - DIR_OUTER, buf) : ".";
}

static int sync_one_dir(void *cls, size_t i, struct err *e)
{
	const struct dirs *d = cls;
	char text[DIR_TEXT];
	struct err why;
	int r = fsio_sync_dir(d->fs->blobs_fd, dir_text(d->dirs[i], text), &why);

	if (r == 0 || (d->may_be_missing && why.sys_errno == ENOENT))
		return 0;
	*e = why;
	return r;
}

static int fs_sync_names(void *backend, const struct blob_key *keys, size_t n, struct err *e)
{
	struct blobs_fs *fs = backend;
	CLEANUP(dirs_done) struct dirs d = {.fs = fs};
	int r = dirs_of(&d, keys, n, e);

	if (r == 0)
		r = blobs_fs_sync_run(&fs->sync, d.n, sync_one_dir, &d, e);
	for (size_t i = 0; r == 0 && i < n; i++) {
		unsigned inner = inner_of(&keys[i]);
		atomic_store(&fs->inner_durable[inner], true);
		atomic_store(&fs->outer_durable[inner >> 8], true);
	}
	return r;
}

/* ---- out ---- */

int blobs_fs_open_key(const struct blobs_fs *fs, const struct blob_key *key,
	char path[BLOBS_FS_PATH_TEXT], int *ret_fd, struct err *e)
{
	int fd = openat(fs->blobs_fd, path_text(key, path), O_RDONLY | O_CLOEXEC | O_NOFOLLOW);

	if (fd < 0 && errno == ENOENT)
		return err_set(e, ERR_CORRUPT, "blobs/%s is missing", path);
	if (fd < 0)
		return err_sys(e, errno, "cannot open blobs/%s", path);
	*ret_fd = fd;
	return 0;
}

static int fs_open(void *backend, const struct blob_key *key, uint64_t size, const uint8_t **ret,
	struct err *e)
{
	char path[PATH_TEXT];
	CLEANUP_FD int fd = -1;
	int r = blobs_fs_open_key(backend, key, path, &fd, e);

	if (r == 0)
		r = blobs_fs_require_size(fd, size, path, e);
	return r < 0 ? r : blobs_fs_map(fd, size, path, ret, e);
}

/* ---- upkeep ---- */

/* Syncs the directory even when a name is gone: an earlier call may have got that far only. */
static int fs_remove(void *backend, const struct blob_key *keys, size_t n, bool *ret_removed,
	struct err *e)
{
	struct blobs_fs *fs = backend;
	CLEANUP(dirs_done) struct dirs d = {.fs = fs, .may_be_missing = true};
	char path[PATH_TEXT];
	struct err later;
	int r = 0;

	for (size_t i = 0; i < n; i++) {
		ret_removed[i] = unlinkat(fs->blobs_fd, path_text(&keys[i], path), 0) == 0 ||
			errno == ENOENT;
		if (!ret_removed[i] && r == 0)
			r = err_sys(e, errno, "cannot remove blobs/%s", path);
	}
	int x = dirs_of(&d, keys, n, r < 0 ? &later : e);
	if (x == 0)
		x = blobs_fs_sync_run(&fs->sync, d.n, sync_one_dir, &d, r < 0 ? &later : e);
	for (size_t i = 0; x < 0 && i < n; i++)
		ret_removed[i] = false;
	return r < 0 ? r : x;
}

int blobs_fs_open_stream(int dirfd, const char *path, DIR **ret, struct err *e)
{
	CLEANUP_FD int fd = -1;
	DIR *dir;
	int r = fsio_open_dir(dirfd, path, &fd, e);

	if (r < 0)
		return r;
	dir = fdopendir(fd);
	if (!dir)
		return err_sys(e, errno, "cannot read the directory %s of the store", path);
	(void)take_fd(&fd); /* closedir() closes it */
	*ret = dir;
	return 0;
}

static bool fs_exists(void *backend, const struct blob_key *key)
{
	struct blobs_fs *fs = backend;
	char path[PATH_TEXT];

	return faccessat(fs->blobs_fd, path_text(key, path), F_OK, AT_SYMLINK_NOFOLLOW) == 0;
}

struct listing {
	struct blobs_fs *fs;
	blobs_list_fn *fn;
	void *cls;
};

/* Calls `visit` with the path of each entry of a directory below blobs/. */
static int each_entry(const struct listing *l, const char *dir_path,
	int (*visit)(const struct listing *l, const char *path, struct err *e), struct err *e)
{
	CLEANUP(blobs_fs_close_stream) DIR *dir = NULL;
	char path[PATH_MAX];
	int r = blobs_fs_open_stream(l->fs->blobs_fd, dir_path, &dir, e);

	while (r == 0) {
		errno = 0;
		const struct dirent *entry = readdir(dir);
		if (!entry && errno != 0)
			return err_sys(e, errno, "cannot read the directory blobs/%s", dir_path);
		if (!entry)
			break;
		if (strcmp(entry->d_name, ".") == 0 || strcmp(entry->d_name, "..") == 0)
			continue;
		(void)snprintf(path, sizeof(path), "%s%s%.*s",
			strcmp(dir_path, ".") == 0 ? "" : dir_path,
			strcmp(dir_path, ".") == 0 ? "" : "/", NAME_MAX, entry->d_name);
		r = visit(l, path, e);
	}
	return r;
}

static bool is_fan_out(const char *name)
{
	return strlen(name) == 2 && str_hex_value(name[0]) >= 0 && str_hex_value(name[1]) >= 0;
}

static int list_file(const struct listing *l, const char *path, struct err *e)
{
	struct blob_key key;
	char expected[PATH_TEXT];
	bool is_key = blob_key_parse(str_of(path + DIR_TEXT), &key) &&
		strcmp(path_text(&key, expected), path) == 0;

	return l->fn(l->cls, is_key ? &key : NULL, path, e);
}

static int list_inner(const struct listing *l, const char *path, struct err *e)
{
	if (!is_fan_out(path + sizeof("ab")))
		return l->fn(l->cls, NULL, path, e);
	return each_entry(l, path, list_file, e);
}

static int list_outer(const struct listing *l, const char *path, struct err *e)
{
	if (!is_fan_out(path))
		return l->fn(l->cls, NULL, path, e);
	return each_entry(l, path, list_inner, e);
}

static int fs_list(void *backend, blobs_list_fn *fn, void *cls, struct err *e)
{
	struct listing l = {.fs = backend, .fn = fn, .cls = cls};

	return each_entry(&l, ".", list_outer, e);
}

static int fs_sweep_temporary(void *backend, size_t *ret_removed, struct err *e)
{
	struct blobs_fs *fs = backend;
	CLEANUP(blobs_fs_close_stream) DIR *dir = NULL;
	size_t removed = 0;
	int r = blobs_fs_open_stream(fs->tmp_fd, ".", &dir, e);

	if (r < 0)
		return r;
	for (;;) {
		errno = 0;
		const struct dirent *entry = readdir(dir);
		if (!entry && errno != 0)
			return err_sys(e, errno, "cannot read the directory tmp of the store");
		if (!entry)
			break;
		if (strcmp(entry->d_name, ".") == 0 || strcmp(entry->d_name, "..") == 0)
			continue;
		if (unlinkat(fs->tmp_fd, entry->d_name, 0) < 0 && errno != ENOENT)
			return err_sys(e, errno, "cannot remove tmp/%s", entry->d_name);
		removed++;
	}
	*ret_removed = removed;
	return 0;
}

static int fs_free_space(void *backend, uint64_t *ret_bytes, struct err *e)
{
	struct blobs_fs *fs = backend;
	struct statvfs st;

	if (fstatvfs(fs->blobs_fd, &st) < 0)
		return err_sys(e, errno, "cannot ask for the free space of the store");
	if (!num_mul(st.f_bavail, st.f_frsize, ret_bytes))
		*ret_bytes = UINT64_MAX;
	return 0;
}

/* ---- opening ---- */

static void fs_close(void *backend)
{
	struct blobs_fs *fs = backend;

	blobs_fs_ahead_done(&fs->ahead);
	blobs_fs_sync_done(&fs->sync);
	close_fd_p(&fs->blobs_fd);
	close_fd_p(&fs->tmp_fd);
	close_fd_p(&fs->parts_fd);
	free(fs);
}

static void fs_close_p(struct blobs_fs **fs)
{
	if (*fs)
		fs_close(*fs);
}

static const struct blobs_ops fs_ops = {
	.version = BLOBS_OPS_VERSION,
	.create = fs_create,
	.expect = fs_expect,
	.write = fs_write,
	.read_at = fs_read_at,
	.seal = fs_seal,
	.link = fs_link,
	.discard = fs_discard,
	.part_create = blobs_fs_parts_create,
	.part_open = blobs_fs_parts_open,
	.part_sync = blobs_fs_parts_sync,
	.leave = blobs_fs_parts_leave,
	.part_remove = blobs_fs_parts_remove,
	.part_list = blobs_fs_parts_list,
	.part_exists = blobs_fs_parts_exists,
	.sync_names = fs_sync_names,
	.open = fs_open,
	.read = blobs_fs_read,
	.reader_open = blobs_fs_read_open,
	.reader_read = blobs_fs_read_at,
	.reader_close = blobs_fs_read_close,
	.unmap = blobs_fs_map_end,
	.remove = fs_remove,
	.exists = fs_exists,
	.list = fs_list,
	.sweep_temporary = fs_sweep_temporary,
	.free_space = fs_free_space,
	.close = fs_close,
};

static int open_sub_dir(int dirfd, const char *name, int *ret_fd, struct err *e)
{
	bool made;
	int r = fsio_mkdir_at(dirfd, name, &made, e);

	return r < 0 ? r : fsio_open_dir(dirfd, name, ret_fd, e);
}

static int open_dirs(struct blobs_fs *fs, const char *dir, struct err *e)
{
	CLEANUP_FD int dirfd = -1;
	int r = fsio_mkdirs(dir, e);

	if (r == 0)
		r = fsio_open_dir(AT_FDCWD, dir, &dirfd, e);
	if (r == 0)
		r = open_sub_dir(dirfd, "blobs", &fs->blobs_fd, e);
	if (r == 0)
		r = open_sub_dir(dirfd, "tmp", &fs->tmp_fd, e);
	if (r == 0)
		r = open_sub_dir(dirfd, "uploads", &fs->parts_fd, e);
	if (r == 0)
		r = fsio_sync(dirfd, dir, e);
	return r;
}

int blobs_fs_open(const char *dir, struct blobs **ret, struct err *e)
{
	CLEANUP(fs_close_p) struct blobs_fs *fs = calloc(1, sizeof(*fs));
	int r;

	if (!fs)
		return err_nomem(e);
	fs->blobs_fd = -1;
	fs->tmp_fd = -1;
	fs->parts_fd = -1;
	blobs_fs_sync_init(&fs->sync, -1);
	blobs_fs_ahead_init(&fs->ahead);
	r = open_dirs(fs, dir, e);
	if (r < 0)
		return r;
	fs->sync.fd = fs->blobs_fd;
	r = blobs_new(&fs_ops, fs, ret, e);
	if (r == 0)
		(void)take_ptr(fs);
	return r;
}
