/* SPDX-License-Identifier: Apache-2.0 */
/* What the files of the local backend share. */
#pragma once

#include "common/store/blobs.h"
#include "common/store/blobs_fs_ahead.h"
#include "common/store/blobs_fs_room.h"
#include "common/store/blobs_fs_sync.h"

#include <dirent.h>
#include <stdatomic.h>

#define BLOBS_FS_OUTER 256u
#define BLOBS_FS_INNER 65536u

#define BLOBS_FS_DIR_TEXT  sizeof("ab/cd")
#define BLOBS_FS_PATH_TEXT (BLOBS_FS_DIR_TEXT + BLOB_KEY_TEXT) /* of a key, below blobs/ */

#define BLOBS_FS_PENDING_MODE 0600 /* of a file that is still written to */

/* A fan-out directory may exist without being durable: another thread, or a process that was
 * killed, made it a moment ago. So existence proves nothing: a flag here says that this process has
 * synced the parent while the directory was there. Flags only ever go from false to true. */
struct blobs_fs {
	int blobs_fd;
	int tmp_fd;
	int parts_fd;
	struct blobs_fs_sync sync;
	struct blobs_fs_ahead ahead;
	atomic_bool outer_durable[BLOBS_FS_OUTER]; /* blobs/ab */
	atomic_bool inner_durable[BLOBS_FS_INNER]; /* blobs/ab/cd */
};

struct blobs_fs_writer {
	struct blobs_fs *fs;
	int dir_fd; /* where its name is; belongs to `fs` */
	int fd;
	struct blobs_fs_ahead_file ahead;
	struct blobs_fs_room room;
	char name[BLOB_PART_NAME + 1];
};

/* Open a file of `dir_fd`, with `flags` beside those that every writer has. */
int blobs_fs_open_writer(struct blobs_fs *fs, int dir_fd, const char *name, int flags,
	struct blobs_fs_writer **ret, struct err *e);

/* Open a blob's file for reading; `path` is for messages. ERR_CORRUPT when it is missing. */
int blobs_fs_open_key(const struct blobs_fs *fs, const struct blob_key *key,
	char path[BLOBS_FS_PATH_TEXT], int *ret_fd, struct err *e);
/* ERR_CORRUPT unless it is a regular file of `size` bytes. */
int blobs_fs_require_size(int fd, uint64_t size, const char *what, struct err *e);

int blobs_fs_open_stream(int dirfd, const char *path, DIR **ret, struct err *e);
static inline void blobs_fs_close_stream(DIR **dir)
{
	if (*dir)
		(void)closedir(*dir);
}
