/* SPDX-License-Identifier: Apache-2.0 */
/* Making files and directories durable, few or many at a time.
 *
 * fsync(2) costs about the same for one small file as a flush of the whole file system, syncfs(2),
 * does for a thousand. So requests that come while another is being served wait and are served
 * together, and when that is more than a few files, by one syncfs. It waits for what others write
 * to the same file system too; that is why few files are synced one by one.
 *
 * syncfs reports write errors since Linux 5.8 (sync(2)), of any file on the file system: all that
 * it served have failed then. On an older kernel each file is synced by itself.
 */
#pragma once

#include "common/base/err.h"

#include <pthread.h>
#include <stddef.h>

#define BLOBS_FS_SYNC_FEW 4 /* as many are synced one by one */

struct blobs_fs_sync_request;

struct blobs_fs_sync {
	int fd;       /* of a directory in the file system; belongs to the owner */
	bool reports; /* the kernel tells what went wrong in a syncfs */
	pthread_mutex_t lock;
	pthread_cond_t ended;
	bool running;
	struct blobs_fs_sync_request *queue;
	size_t flushes; /* how many syncfs there were, for tests */
};

void blobs_fs_sync_init(struct blobs_fs_sync *s, int fd);
void blobs_fs_sync_done(struct blobs_fs_sync *s);

/* Make all `n` durable: one() syncs number i alone, on any thread. Blocks. An error is final for
 * every file of the request, as it is for fsync. */
typedef int blobs_fs_sync_fn(void *cls, size_t i, struct err *e);
int blobs_fs_sync_run(struct blobs_fs_sync *s, size_t n, blobs_fs_sync_fn *one, void *cls,
	struct err *e);
