/* SPDX-License-Identifier: Apache-2.0 */
/* Compiler helpers that every floor uses. */
#pragma once

#include <errno.h>
#include <stddef.h>
#include <stdlib.h>
#include <unistd.h>

#define ARRAY_SIZE(a)         (sizeof(a) / sizeof((a)[0]))
#define PRINTF_LIKE(fmt, arg) __attribute__((format(printf, fmt, arg)))
#define MUST_CHECK            __attribute__((warn_unused_result))

/* Run `fn(&variable)` when the variable leaves its scope. On success ownership is handed over with
 * take_ptr() or take_fd(), which leave NULL or -1 behind. */
#define CLEANUP(fn) __attribute__((cleanup(fn)))

/* Defines `name_p(type **)`, for CLEANUP(), from a `void name(type *)` that accepts NULL. */
#define DEFINE_CLEANUP(type, name) \
	static inline void name##_p(type **p) \
	{ \
		if (*p) \
			name(*p); \
	}

#define take_ptr(p) \
	({ \
		__typeof__(p) *take_src_ = &(p); \
		__typeof__(p) take_out_ = *take_src_; \
		*take_src_ = NULL; \
		take_out_; \
	})

static inline int take_fd(int *fd)
{
	int out = *fd;

	*fd = -1;
	return out;
}

/* Close without touching errno. On Linux the descriptor is gone whatever close() answers, so it is
 * never retried. */
static inline void close_fd_p(int *fd)
{
	int saved = errno;

	if (*fd >= 0)
		(void)close(*fd);
	*fd = -1;
	errno = saved;
}

static inline void free_p(void *p)
{
	free(*(void **)p);
}

#define CLEANUP_FREE CLEANUP(free_p)
#define CLEANUP_FD   CLEANUP(close_fd_p)
