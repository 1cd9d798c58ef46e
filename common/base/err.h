/* SPDX-License-Identifier: Apache-2.0 */
/* Errors: a code from one table and a sentence a person can act on.
 *
 * A `struct err` lives on the caller's stack and holds no allocation, so it travels between threads
 * by copying. Functions that can fail take one as their last parameter and return 0 or a negative
 * code; they never log. Exactly one place turns an error into an HTTP answer
 * (server/http/problem.c) and one into a process exit (server/modeld.c).
 */
#pragma once

#include "common/base/macros.h"

#include <stdbool.h>

enum err_code {
	ERR_NONE = 0,
#define ERR(code, status, blame, title) ERR_##code,
#include "common/base/err.def"
#undef ERR
};

#define ERR_TEXT_MAX 512 /* bytes of a sentence, its NUL included; longer ones are cut with "..." */

struct err {
	enum err_code code;
	int sys_errno; /* the errno behind it, or 0 */
	const char *rule; /* of ERR_FETCH_REFUSED: the one that it breaks; static; NULL: none */
	char text[ERR_TEXT_MAX];
};

/* Set code and sentence. Returns -(int)code, so that `return err_set(e, ...)` reads well.
 * The text is UTF-8 without a final stop. */
int err_set(struct err *e, enum err_code code, const char *fmt, ...) PRINTF_LIKE(3, 4);

/* Set from an errno value: the code is chosen by the errno (ENOSPC, EDQUOT, EFBIG: STORAGE_FULL;
 * EMFILE, ENFILE: BUSY; ENOMEM: OUT_OF_MEMORY; else IO_FAILED), and ": <strerror>" is appended. */
int err_sys(struct err *e, int sys_errno, const char *fmt, ...) PRINTF_LIKE(3, 4);

/* Out of memory, with the sentence for it. */
int err_nomem(struct err *e);

/* These three return a negative number. Compilers are told so, or they would follow the path on
 * which a function failed and its caller takes it for a success, and warn of results that were
 * never set. */
static inline int err_negative(int r)
{
	if (r >= 0)
		__builtin_unreachable();
	return r;
}
#define err_set(...)    err_negative(err_set(__VA_ARGS__))
#define err_sys(...)    err_negative(err_sys(__VA_ARGS__))
#define err_nomem(e)    err_negative(err_nomem(e))

/* Put "<prefix>: " before the sentence; returns the code again. For callers that know the
 * context. */
int err_prefix(struct err *e, const char *fmt, ...) PRINTF_LIKE(2, 3);

/* Facts of a code. `err_name` is "BAD_JSON"; `err_status` its HTTP status; `err_ours` says whether
 * the fault is the server's. Valid for every code; ERR_NONE is "NONE", 200. */
const char *err_name(enum err_code code);
const char *err_title(enum err_code code);
int err_status(enum err_code code);
bool err_ours(enum err_code code);
