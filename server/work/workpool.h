/* SPDX-License-Identifier: Apache-2.0 */
/* Threads for everything that waits: fsync, catalog commits, validation, behind a bounded queue. */
#pragma once

#include "common/base/err.h"

struct workpool;
typedef void work_fn(void *cls);

/* Both numbers are at least 1. The threads take no signals. */
int workpool_start(unsigned threads, size_t queue_max, struct workpool **ret, struct err *e);
/* Run `fn(cls)` on one of the threads. Does not block; ERR_BUSY when the queue is full and
 * ERR_SHUTTING_DOWN after workpool_stop() began: then fn will not run. Any thread. */
int workpool_submit(struct workpool *p, work_fn *fn, void *cls, struct err *e);
/* Finish what is queued, join the threads, free. Blocks; not from one of them. Accepts NULL. */
void workpool_stop(struct workpool *p);
