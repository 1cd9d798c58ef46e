/* SPDX-License-Identifier: Apache-2.0 */
#include "client/fault.h"

#include <stdarg.h>
#include <stdio.h>

void fault_done(struct fault *f)
{
	json_doc_free(f->problem);
	f->problem = NULL;
}

int (fault_usage)(struct fault *f, const char *fmt, ...)
{
	char text[ERR_TEXT_MAX];
	va_list ap;

	va_start(ap, fmt);
	(void)vsnprintf(text, sizeof(text), fmt, ap);
	va_end(ap);
	f->exit = FAULT_USAGE;
	return err_set(&f->e, ERR_BAD_PARAMETER, "%s", text);
}

int fault_next(struct fault *f, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	(void)vsnprintf(f->next, sizeof(f->next), fmt, ap);
	va_end(ap);
	return -(int)f->e.code;
}

int fault_as(struct fault *f, enum fault_exit exit)
{
	f->exit = exit;
	return -(int)f->e.code;
}

enum fault_exit fault_exit_of(const struct fault *f)
{
	if (f->exit != FAULT_NONE)
		return f->exit;
	switch (f->e.code) {
	case ERR_NONE:
		return FAULT_NONE;
	case ERR_NOT_LOADABLE:
	case ERR_BAD_ARCHIVE:
	case ERR_BAD_GZIP:
		return FAULT_INVALID;
	case ERR_FETCH_STATUS:
		return FAULT_SERVER;
	case ERR_FETCH_FAILED:
	case ERR_FETCH_TIMED_OUT:
	case ERR_CANCELLED:
		return FAULT_NETWORK;
	default:
		return FAULT_USAGE;
	}
}
