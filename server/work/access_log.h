/* SPDX-License-Identifier: Apache-2.0 */
/* Access lines without waiting: loop threads put finished lines into a bounded queue, one thread
 * writes them. A reader of the log that stalls costs lines, which are counted and said, never
 * requests.
 */
#pragma once

#include "common/base/err.h"

#include <stddef.h>
#include <stdint.h>

struct access_log;

/* Lines go to `fd`, which stays the caller's. */
int access_log_start(int fd, struct access_log **ret, struct err *e);
/* Queue one line (with its newline). Does not block. */
void access_log_add(struct access_log *l, const char *line, size_t n);
/* Write what is queued, join the thread, free. Accepts NULL. */
void access_log_stop(struct access_log *l);
