/* SPDX-License-Identifier: Apache-2.0 */
/* What went wrong, for the person or the script that called: a sentence that names the thing and
 * the cause, what to do next, and the exit status. Functions of the client take one as their
 * last parameter and give its `e` to those of common/. */
#pragma once

#include "common/base/err.h"
#include "common/json/json.h"

enum fault_exit {
	FAULT_NONE = 0,
	FAULT_DIFFERS = 1,
	FAULT_USAGE = 2, /* arguments, configuration, local files */
	FAULT_INVALID = 3,
	FAULT_FORBIDDEN = 4,
	FAULT_NETWORK = 5,
	FAULT_SERVER = 6,
};

struct fault {
	struct err e;
	enum fault_exit exit;     /* FAULT_NONE: what fault_exit() makes of e.code */
	char next[384];           /* "" for nothing to say */
	struct json_doc *problem; /* the problem document that the server answered with, or NULL */
};

void fault_done(struct fault *f);

/* ERR_BAD_PARAMETER. Returns it negative, like err_set(). */
int fault_usage(struct fault *f, const char *fmt, ...) PRINTF_LIKE(2, 3);
#define fault_usage(...) err_negative(fault_usage(__VA_ARGS__))
/* What to do about it. Returns the code of the fault, negative. */
int fault_next(struct fault *f, const char *fmt, ...) PRINTF_LIKE(2, 3);
/* Give it an exit status of its own. Returns the code of the fault, negative. */
int fault_as(struct fault *f, enum fault_exit exit);

enum fault_exit fault_exit_of(const struct fault *f);
