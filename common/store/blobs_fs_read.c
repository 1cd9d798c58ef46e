/* SPDX-License-Identifier: Apache-2.0 */
#include "common/store/blobs_fs_read.h"
#include "common/base/fsio.h"
#include "common/store/blobs_fs_internal.h"

#include <fcntl.h>

int blobs_fs_read(void *backend, const struct blob_key *key, uint64_t size, blobs_read_fn *fn,
	void *cls, struct err *e)
{
	CLEANUP_FREE uint8_t *piece = malloc(BLOB_READ_PIECE);
	char path[BLOBS_FS_PATH_TEXT];
	CLEANUP_FD int fd = -1;
	int r = piece ? blobs_fs_open_key(backend, key, path, &fd, e) : err_nomem(e);

	if (r == 0)
		r = blobs_fs_require_size(fd, size, path, e);
	for (uint64_t at = 0; r == 0 && at < size; at += BLOB_READ_PIECE) {
		size_t n = size - at < BLOB_READ_PIECE ? (size_t)(size - at) : BLOB_READ_PIECE;
		r = fsio_read_at(fd, at, piece, n, path, e);
		if (r == 0)
			r = fn(cls, piece, n, e);
		(void)posix_fadvise(fd, (off_t)at, (off_t)n, POSIX_FADV_DONTNEED);
	}
	return r;
}

struct reader {
	int fd;
	char path[BLOBS_FS_PATH_TEXT];
};

int blobs_fs_read_open(void *backend, const struct blob_key *key, uint64_t size, void **ret_reader,
	struct err *e)
{
	CLEANUP_FREE struct reader *reader = calloc(1, sizeof(*reader));
	CLEANUP_FD int fd = -1;
	int r = reader ? blobs_fs_open_key(backend, key, reader->path, &fd, e) : err_nomem(e);

	if (r == 0)
		r = blobs_fs_require_size(fd, size, reader->path, e);
	if (r < 0)
		return r;
	(void)posix_fadvise(fd, 0, 0, POSIX_FADV_SEQUENTIAL);
	reader->fd = take_fd(&fd);
	*ret_reader = take_ptr(reader);
	return 0;
}

int blobs_fs_read_at(const void *reader, uint64_t offset, void *buf, size_t n, struct err *e)
{
	const struct reader *b = reader;

	return fsio_read_at(b->fd, offset, buf, n, b->path, e);
}

void blobs_fs_read_close(void *reader)
{
	struct reader *b = reader;

	close_fd_p(&b->fd);
	free(b);
}
