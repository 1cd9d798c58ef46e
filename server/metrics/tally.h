/* SPDX-License-Identifier: Apache-2.0 */
/* Requests, counted without a lock and without a cache line that two loops write: each loop has
 * counters of its own, which are summed up when somebody asks. */
#pragma once

#include "common/base/buf.h"
#include "common/base/err.h"
#include "common/base/str.h"

/* Requests that take alike long; a histogram each. */
enum tally_class {
	TALLY_FILE,    /* what a page loads: files of a version, archives */
	TALLY_PUBLISH, /* bodies with files */
	TALLY_API,
	TALLY_OTHER,
	TALLY_CLASSES_N
};

struct tally_handler {
	const char *name; /* of static storage; requests give the same pointer */
	enum tally_class of;
};

struct tally;

/* For `loops` loops. A name that stands twice counts once; the first is found fastest. `handlers`
 * is copied. */
int tally_new(const struct tally_handler *handlers, size_t n, unsigned loops, struct tally **ret,
	struct err *e);
void tally_free(struct tally *t); /* accepts NULL */

struct tally_request {
	const char *handler; /* of an unknown one, TALLY_OTHER */
	struct str method;
	int status; /* 0: none was answered */
	uint64_t sent, received, micros;
};

/* Of loop number `loop`, on its thread. Some tens of instructions. */
void tally_add(struct tally *t, unsigned loop, const struct tally_request *r);

/* In the format of metrics.h, appended; any thread. What is counted meanwhile is in or not. */
void tally_write(const struct tally *t, struct buf *out);
