/* SPDX-License-Identifier: Apache-2.0 */
#include "common/base/err.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

enum blame { CLIENT, OURS };

static const struct {
	const char *name;
	const char *title;
	int status;
	enum blame blame;
} codes[] = {
	[ERR_NONE] = {"NONE", "No error", 200, CLIENT},
#define ERR(code, status, blame, title) [ERR_##code] = {#code, title, status, blame},
#include "common/base/err.def"
#undef ERR
};

static void mark_cut(struct err *e, int wanted)
{
	if (wanted >= ERR_TEXT_MAX)
		memcpy(e->text + ERR_TEXT_MAX - 4, "...", 4);
}

int (err_set)(struct err *e, enum err_code code, const char *fmt, ...)
{
	va_list ap;

	e->code = code;
	e->sys_errno = 0;
	e->rule = NULL;
	va_start(ap, fmt);
	mark_cut(e, vsnprintf(e->text, sizeof(e->text), fmt, ap));
	va_end(ap);
	return -(int)code;
}

static enum err_code code_of_errno(int sys_errno)
{
	switch (sys_errno) {
	case ENOSPC:
	case EDQUOT:
	case EFBIG:
		return ERR_STORAGE_FULL;
	case EMFILE:
	case ENFILE:
		return ERR_BUSY;
	case ENOMEM:
		return ERR_OUT_OF_MEMORY;
	default:
		return ERR_IO_FAILED;
	}
}

int (err_sys)(struct err *e, int sys_errno, const char *fmt, ...)
{
	char what[ERR_TEXT_MAX / 2];
	char reason[128];
	va_list ap;

	va_start(ap, fmt);
	(void)vsnprintf(what, sizeof(what), fmt, ap);
	va_end(ap);
	(void)err_set(e, code_of_errno(sys_errno), "%s: %s", what,
		strerror_r(sys_errno, reason, sizeof(reason)));
	e->sys_errno = sys_errno;
	return -(int)e->code;
}

int (err_nomem)(struct err *e)
{
	return err_set(e, ERR_OUT_OF_MEMORY, "there is not enough memory for this right now");
}

int err_prefix(struct err *e, const char *fmt, ...)
{
	char prefix[ERR_TEXT_MAX / 2];
	char text[ERR_TEXT_MAX];
	va_list ap;

	va_start(ap, fmt);
	(void)vsnprintf(prefix, sizeof(prefix), fmt, ap);
	va_end(ap);
	memcpy(text, e->text, sizeof(text));
	mark_cut(e, snprintf(e->text, sizeof(e->text), "%s: %s", prefix, text));
	return -(int)e->code;
}

const char *err_name(enum err_code code)
{
	return codes[code].name;
}

const char *err_title(enum err_code code)
{
	return codes[code].title;
}

int err_status(enum err_code code)
{
	return codes[code].status;
}

bool err_ours(enum err_code code)
{
	return codes[code].blame == OURS;
}
