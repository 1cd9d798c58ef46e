/* SPDX-License-Identifier: Apache-2.0 */
/* Files go to the disk while the rest of their bytes is on its way, so that the fsync(2) of a file
 * waits for the end of it alone, not for all.
 *
 * sync_file_range(2) starts the writing. That promises nothing: fsync comes all the same, and tells
 * of what failed here. It waits where the disk has enough to do, so a thread of its own calls it,
 * and who writes goes on. Small files are left alone: one flush takes many of them together.
 */
#pragma once

#include <pthread.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define BLOBS_FS_AHEAD_BYTES (1u << 20) /* that are started at a time */

/* A file that is written from its beginning to its end; part of its owner. `from`, `to`, `next` and
 * the two flags belong to the lock, the rest to the thread that writes. */
struct blobs_fs_ahead_file {
	int fd;
	uint64_t written; /* its size so far */
	uint64_t given;   /* of those, told to the thread */
	bool used;        /* any was */
	uint64_t from, to; /* to be started */
	bool queued;
	bool busy;
	struct blobs_fs_ahead_file *next;
};

struct blobs_fs_ahead {
	pthread_mutex_t lock;
	pthread_cond_t given;
	pthread_cond_t idle; /* the thread has done with a file */
	struct blobs_fs_ahead_file *first, **end;
	bool started; /* the thread: when it is first needed */
	bool stopping;
	pthread_t thread;
	uint64_t bytes; /* that were started, for tests */
};

void blobs_fs_ahead_init(struct blobs_fs_ahead *a);
/* Every file has ended. */
void blobs_fs_ahead_done(struct blobs_fs_ahead *a);

/* The next byte goes to `size` of `fd`. */
void blobs_fs_ahead_begin(struct blobs_fs_ahead_file *f, int fd, uint64_t size);
/* `n` more bytes were written. Does not wait for the disk. */
void blobs_fs_ahead_wrote(struct blobs_fs_ahead *a, struct blobs_fs_ahead_file *f, size_t n);
/* To be called before `fd` is closed. Waits when the thread is in a call for it. */
void blobs_fs_ahead_end(struct blobs_fs_ahead *a, struct blobs_fs_ahead_file *f);
