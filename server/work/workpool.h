/* SPDX-License-Identifier: Apache-2.0 */
/* Threads for everything that waits: fsync, catalog commits, validation, behind bounded queues. */
#pragma once

#include "common/base/err.h"

#include <stdint.h>

struct workpool;
typedef void work_fn(void *cls);

enum work_kind {
	WORK_READ,  /* soon done: what is read, and cleaning up */
	WORK_WRITE, /* waits for the disk, or judges a model */
	WORK_KINDS_N,
};

/* At most `threads` pieces of work that write run at a time; `reserve` threads more are left to
 * what reads, however many writes there are. `queue_max` pieces of each kind may wait. `threads`
 * and `queue_max` are at least 1. The threads take no signals. */
int workpool_start(unsigned threads, unsigned reserve, size_t queue_max, struct workpool **ret,
	struct err *e);
/* Run `fn(cls)` on one of the threads. Does not block; ERR_BUSY when the queue of that kind is full
 * and ERR_SHUTTING_DOWN after workpool_stop() began: then fn will not run. Any thread. */
int workpool_submit(struct workpool *p, enum work_kind kind, work_fn *fn, void *cls, struct err *e);
/* What workpool_submit() would say now. Any thread. */
int workpool_check(struct workpool *p, enum work_kind kind, struct err *e);
/* How many pieces of work were begun so far: it grows while the threads get on. Any thread. */
uint64_t workpool_begun(struct workpool *p);
/* Finish what is queued, join the threads, free. Blocks; not from one of them. Accepts NULL. */
void workpool_stop(struct workpool *p);
