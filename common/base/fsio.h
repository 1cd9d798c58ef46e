/* SPDX-License-Identifier: Apache-2.0 */
/* File-system helpers: whole writes, whole reads, names that appear at once. All of them block.
 *
 * `dirfd` is an open directory or AT_FDCWD. Errors name the path.
 */
#pragma once

#include "common/base/buf.h"

#include <stddef.h>
#include <stdint.h>

/* Open a directory for the *at() calls. The caller closes it. */
int fsio_open_dir(int dirfd, const char *path, int *ret_fd, struct err *e);

/* Make a directory, and its parents, mode 0750; existing ones are fine. Syncs each parent that got
 * a new name, so that the path survives power loss. */
int fsio_mkdirs(const char *path, struct err *e);

/* mkdirat() that accepts an existing directory; *ret_made says whether it is new. */
int fsio_mkdir_at(int dirfd, const char *name, bool *ret_made, struct err *e);

/* Write all of it at the descriptor's offset; short writes and EINTR are continued. */
int fsio_write_all(int fd, const void *bytes, size_t n, const char *what, struct err *e);

/* Write it to standard output; what has failed as a buffer is an error. */
int fsio_print(const struct buf *text, struct err *e);

/* Read `n` bytes from `offset` on, all of them: ERR_CORRUPT where the file ends before. */
int fsio_read_at(int fd, uint64_t offset, void *buf, size_t n, const char *what, struct err *e);

/* fsync. An error is final for that file (the kernel may have dropped its dirty pages). */
int fsio_sync(int fd, const char *what, struct err *e);
int fsio_sync_dir(int dirfd, const char *path, struct err *e);

/* Read a whole file of at most `max` bytes; *ret is NUL terminated, the caller frees it. */
int fsio_read_file(int dirfd, const char *path, size_t max, char **ret, size_t *ret_n,
	struct err *e);

/* Replace `path` with these bytes in one step (temporary file, rename). Not synced: for files that
 * only live as long as the process, such as a port file. */
int fsio_write_file(const char *path, const void *bytes, size_t n, struct err *e);
