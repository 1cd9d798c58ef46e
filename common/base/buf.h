/* SPDX-License-Identifier: Apache-2.0 */
/* Growable bytes with a ceiling given at birth.
 *
 * Failure sticks: after an append that would pass the ceiling or found no memory, every further
 * append does nothing and buf_failed() is true; test it once, at the end. `data` is always NUL
 * terminated behind `len` once anything was appended, so it can be handed out as a C string.
 */
#pragma once

#include "common/base/err.h"

#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

struct buf {
	char *data; /* NULL until the first append */
	size_t len;
	size_t cap;
	size_t max; /* of `len` */
	enum err_code failure;
};

#define BUF_INIT(max_len) {.max = (max_len)}

void buf_init(struct buf *b, size_t max);
/* Frees the bytes; the buffer may be used again. Accepts a zeroed struct. */
void buf_done(struct buf *b);
/* Forget the content and any failure, keep the memory. */
void buf_clear(struct buf *b);

void buf_add(struct buf *b, const void *bytes, size_t n);
void buf_add_char(struct buf *b, char c);
void buf_add_str(struct buf *b, const char *s);
void buf_addf(struct buf *b, const char *fmt, ...) PRINTF_LIKE(2, 3);

/* Content as a C string, "" when empty. Valid until the next append. */
const char *buf_str(const struct buf *b);

static inline bool buf_failed(const struct buf *b)
{
	return b->failure != ERR_NONE;
}

/* 0, or the failure as an error: TOO_LARGE names `what` and the ceiling. */
int buf_check(const struct buf *b, const char *what, struct err *e);

/* Hands the bytes (NUL terminated) over to the caller, who frees them; the buffer is empty
 * after. */
char *buf_take(struct buf *b, size_t *ret_len);

#define CLEANUP_BUF CLEANUP(buf_done)
