/* SPDX-License-Identifier: Apache-2.0 */
/* Coded forms of what versions hold, made in the background: gzip and Brotli of text, and of
 * weights and other files where a sample says that it pays. A publish does not wait for them; it
 * puts its files into a queue of the catalog, where they stay until somebody has looked at them
 * here. It gives way to what arrives: each piece waits until nothing has come for a moment, though
 * not for long.
 *
 * Safe beside all that a daemon does, and beside others that do the same; what is cut off at any
 * moment is done again.
 */
#pragma once

#include "common/base/pace.h"
#include "common/registry/registry.h"

#define REGISTRY_ENCODE_LEAST   256u       /* bytes; what is smaller gets no forms */
#define REGISTRY_ENCODE_PERCENT 10u        /* that a form of what is no text has to save */
#define REGISTRY_ENCODE_BEST    (4u << 20) /* bytes; larger text is coded with less effort */

typedef int registry_encode_fn(void *arg, struct err *e);

struct registry_encode {
	/* Bytes of files a second, 128 KiB more for each file; all zero but its rate at first. */
	struct pace pace;
	const atomic_bool *stop;
	/* NULL, or told of each model of which a file has forms since just now; one may come
	 * several times. NULL instead of a name: of any model. */
	void (*made)(void *cls, const char *model);
	/* Calls fn(arg, e) and answers what it answers: for the part that takes long and holds
	 * nothing that others wait for, on a thread of low priority. */
	int (*apart)(void *cls, registry_encode_fn *fn, void *arg, struct err *e);
	void *cls;
	uint64_t seen; /* 0 at first; of registry_encode_wait() */
};

struct registry_encoded {
	bool any;         /* there was one to look at */
	bool damaged;     /* its bytes are wrong: no forms, and that is known from now on */
	unsigned forms;   /* that were made and kept */
	uint64_t saved;   /* bytes by which the smallest of them is smaller */
	uint64_t wait_ms; /* without any: until there may be one that was put off */
};

/* Look at the file whose turn it is, and keep the forms of it that pay. Text is coded with the
 * greatest effort, up to a size; the rest with a moderate one, when a sample saves as much as the
 * form has to. One that no version holds any more, or that could not be looked at, is put off. Ends
 * early, with ERR_SHUTTING_DOWN and the file still in the queue, once *stop is true. Blocks, for as
 * long as reading the file at the rate takes, and coding it. ERR_STORAGE_FULL: while the disk has
 * less space than publishing needs. */
int registry_encode_next(struct registry *r, struct registry_encode *how,
	struct registry_encoded *ret, struct err *e);

/* After `n` bytes were read: waits until the rate allows the next, and what arrives has gone first.
 * ERR_SHUTTING_DOWN once *stop is true. For other work of that kind. */
int registry_encode_keep_pace(struct registry *r, struct registry_encode *how, size_t n,
	struct err *e);

/* Wait up to `ms` for a publish since the last registry_encode_next(), or for *stop. */
void registry_encode_wait(struct registry *r, const struct registry_encode *how, uint64_t ms);
/* Whoever waits, here or for the rate, looks again whether he is to stop. Does not block. */
void registry_encode_wake(struct registry *r);
