/* SPDX-License-Identifier: Apache-2.0 */
/* Access lines without waiting: each loop thread copies what a line says into a ring of its own,
 * one thread makes lines of them and writes them. Loops share no lock for it and format nothing. A
 * reader of the log that stalls costs lines, which are counted and said, never requests.
 */
#pragma once

#include "common/base/err.h"
#include "common/base/str.h"

#include <stddef.h>
#include <stdint.h>

struct access_log;

struct access_log_line {
	uint64_t when_ms; /* since 1970 */
	const char *request_id;
	const char *trace; /* "": none */
	struct str method, target; /* a long target is cut */
	const char *client;
	const char *handler;
	int status;
	uint64_t sent, received; /* bytes of body */
	uint64_t micros;
};

/* For `loops` loops. Lines go to `fd`, which stays the caller's; within a moment, in the order of
 * each loop. */
int access_log_start(int fd, unsigned loops, struct access_log **ret, struct err *e);
/* Of loop number `loop`, on its thread. Does not block. */
void access_log_add(struct access_log *l, unsigned loop, const struct access_log_line *line);
/* Write what is there, join the thread, free. The loops have ended. Accepts NULL. */
void access_log_stop(struct access_log *l);
