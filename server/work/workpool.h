/* SPDX-License-Identifier: Apache-2.0 */
/* Threads for everything that waits: fsync, catalog commits, validation. A bounded queue in front. */
#pragma once

#include "common/base/err.h"

struct workpool;
typedef void work_fn(void *cls);

int workpool_start(unsigned threads, size_t queue_max, struct workpool **ret, struct err *e);
/* Run `fn(cls)` on one of the threads. Does not block; ERR_BUSY when the queue is full and
 * ERR_SHUTTING_DOWN after workpool_stop() began: then fn will not run. Any thread. */
int workpool_submit(struct workpool *p, work_fn *fn, void *cls, struct err *e);
/* Finish what is queued, join the threads, free. Accepts NULL. */
void workpool_stop(struct workpool *p);
