/* SPDX-License-Identifier: Apache-2.0 */
/* How far a transfer is, on standard error: one line that is written over at a terminal, a line
 * now and then elsewhere, nothing with --quiet. Bytes are told from any thread; the line is
 * drawn by one. */
#pragma once

#include "client/run.h"

#include <stdatomic.h>
#include <stdint.h>

#define PROGRESS_LINE_MS  5000u /* between lines that are no terminal's */
#define PROGRESS_FRAME_MS 200u

struct progress {
	const struct run *run;
	const char *doing; /* "sending" */
	uint64_t total;
	atomic_uint_fast64_t done;
	atomic_uint_fast64_t skipped; /* bytes of `done` that were there: no part of the rate */
	uint64_t began_ms;
	uint64_t drawn_ms;
	bool open; /* a line at a terminal that has no end yet */
};

void progress_begin(struct progress *p, const struct run *run, const char *doing, uint64_t total);
/* Any thread. */
void progress_add(struct progress *p, uint64_t bytes);
/* Bytes that need not be moved. */
void progress_skip(struct progress *p, uint64_t bytes);
void progress_take_back(struct progress *p, uint64_t bytes);
/* Draws when it is time to. */
void progress_tick(struct progress *p);
/* The last state. */
void progress_end(struct progress *p);
/* The same for work that is told only when it takes long: when something was drawn. */
void progress_end_drawn(struct progress *p);

/* "sending  45%  120.5 MiB of 1.0 GiB  85.3 MiB/s  0:11 left", appended, as much of it as there are
 * columns for; 0 for any number. Pure. */
struct buf;
struct progress_state {
	const char *doing;
	uint64_t done, total, skipped;
	uint64_t elapsed_ms;
};
void progress_format(const struct progress_state *s, size_t columns, struct buf *out);
