/* SPDX-License-Identifier: Apache-2.0 */
#include "common/store/blobs_fs_parts.h"
#include "common/base/fsio.h"

#include <fcntl.h>
#include <sys/stat.h>

void blobs_fs_parts_leave(void *writer)
{
	struct blobs_fs_writer *w = writer;

	blobs_fs_ahead_end(&w->fs->ahead, &w->ahead);
	blobs_fs_room_trim(&w->room, w->fd, w->ahead.written);
	close_fd_p(&w->fd);
	free(w);
}

int blobs_fs_parts_create(void *backend, const char *name, void **ret_writer, struct err *e)
{
	struct blobs_fs *fs = backend;
	struct blobs_fs_writer *w = NULL;
	int r = blobs_fs_open_writer(fs, fs->parts_fd, name, O_CREAT | O_EXCL, &w, e);

	if (r == 0)
		*ret_writer = w;
	return r;
}

static int cut(struct blobs_fs_writer *w, uint64_t size, struct err *e)
{
	struct stat st;

	if (fstat(w->fd, &st) < 0)
		return err_sys(e, errno, "cannot read uploads/%s", w->name);
	if ((uint64_t)st.st_size < size)
		return err_set(e, ERR_CORRUPT, "uploads/%s should have %llu bytes and has %llu",
			w->name, (unsigned long long)size, (unsigned long long)st.st_size);
	/* Of the same size it may have room that a process which has ended made for more. */
	if (ftruncate(w->fd, (off_t)size) < 0)
		return err_sys(e, errno, "cannot cut uploads/%s", w->name);
	if (lseek(w->fd, (off_t)size, SEEK_SET) < 0)
		return err_sys(e, errno, "cannot write to uploads/%s", w->name);
	blobs_fs_ahead_begin(&w->ahead, w->fd, size);
	return 0;
}

int blobs_fs_parts_open(void *backend, const char *name, uint64_t size, void **ret_writer,
	struct err *e)
{
	struct blobs_fs *fs = backend;
	struct blobs_fs_writer *w = NULL;
	int r = blobs_fs_open_writer(fs, fs->parts_fd, name, 0, &w, e);

	/* A process that ended while it made a blob of the part has taken our right to write. */
	if (r < 0 && e->sys_errno == EACCES &&
		fchmodat(fs->parts_fd, name, BLOBS_FS_PENDING_MODE, 0) == 0)
		r = blobs_fs_open_writer(fs, fs->parts_fd, name, 0, &w, e);
	if (r == 0)
		r = cut(w, size, e);
	if (r == 0)
		*ret_writer = w;
	else if (w)
		blobs_fs_parts_leave(w);
	return r;
}

int blobs_fs_parts_sync(void *writer, struct err *e)
{
	struct blobs_fs_writer *w = writer;
	int r = fsio_sync(w->fd, "a file of the store", e);

	return r < 0 ? r : fsio_sync(w->dir_fd, "uploads", e);
}

int blobs_fs_parts_remove(void *backend, const char *name, struct err *e)
{
	struct blobs_fs *fs = backend;

	if (unlinkat(fs->parts_fd, name, 0) < 0 && errno != ENOENT)
		return err_sys(e, errno, "cannot remove uploads/%s", name);
	return 0;
}

int blobs_fs_parts_list(void *backend, blobs_part_fn *fn, void *cls, struct err *e)
{
	struct blobs_fs *fs = backend;
	CLEANUP(blobs_fs_close_stream) DIR *dir = NULL;
	int r = blobs_fs_open_stream(fs->parts_fd, ".", &dir, e);

	while (r == 0) {
		struct stat st;
		errno = 0;
		const struct dirent *entry = readdir(dir);
		if (!entry && errno != 0)
			return err_sys(e, errno, "cannot read the directory uploads of the store");
		if (!entry)
			break;
		if (entry->d_name[0] != '.' &&
			fstatat(fs->parts_fd, entry->d_name, &st, AT_SYMLINK_NOFOLLOW) == 0)
			r = fn(cls, entry->d_name, (uint64_t)st.st_size, e);
	}
	return r;
}

bool blobs_fs_parts_exists(void *backend, const char *name)
{
	struct blobs_fs *fs = backend;

	return faccessat(fs->parts_fd, name, F_OK, AT_SYMLINK_NOFOLLOW) == 0;
}
