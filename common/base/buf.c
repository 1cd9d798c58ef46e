/* SPDX-License-Identifier: Apache-2.0 */
#include "common/base/buf.h"
#include "common/base/num.h"

#include <stdio.h>
#include <string.h>

#define BUF_FIRST_CAP 64

void buf_init(struct buf *b, size_t max)
{
	*b = (struct buf)BUF_INIT(max);
}

void buf_done(struct buf *b)
{
	free(b->data);
	*b = (struct buf)BUF_INIT(b->max);
}

void buf_clear(struct buf *b)
{
	b->len = 0;
	b->failure = ERR_NONE;
	if (b->data)
		b->data[0] = '\0';
}

/* Make room for `n` more bytes and a NUL. */
static bool reserve(struct buf *b, size_t n)
{
	size_t cap = b->cap ? b->cap : BUF_FIRST_CAP;
	char *data;

	if (buf_failed(b))
		return false;
	if (n > b->max - b->len) {
		b->failure = ERR_TOO_LARGE;
		return false;
	}
	if (b->data && b->cap - b->len > n)
		return true;
	while (cap - b->len <= n)
		cap = cap > SIZE_MAX / 2 ? SIZE_MAX : cap * 2;
	data = realloc(b->data, cap);
	if (!data) {
		b->failure = ERR_OUT_OF_MEMORY;
		return false;
	}
	b->data = data;
	b->cap = cap;
	return true;
}

void buf_add(struct buf *b, const void *bytes, size_t n)
{
	if (!reserve(b, n))
		return;
	if (n > 0)
		memcpy(b->data + b->len, bytes, n);
	b->len += n;
	b->data[b->len] = '\0';
}

void buf_add_char(struct buf *b, char c)
{
	buf_add(b, &c, 1);
}

void buf_add_str(struct buf *b, const char *s)
{
	buf_add(b, s, strlen(s));
}

void buf_addf(struct buf *b, const char *fmt, ...)
{
	va_list ap;
	int n;

	va_start(ap, fmt);
	n = vsnprintf(NULL, 0, fmt, ap);
	va_end(ap);
	if (n < 0 || !reserve(b, (size_t)n))
		return;
	va_start(ap, fmt);
	(void)vsnprintf(b->data + b->len, (size_t)n + 1, fmt, ap);
	va_end(ap);
	b->len += (size_t)n;
}

const char *buf_str(const struct buf *b)
{
	return b->data ? b->data : "";
}

int buf_check(const struct buf *b, const char *what, struct err *e)
{
	char max[NUM_SIZE_TEXT];

	if (!buf_failed(b))
		return 0;
	if (b->failure == ERR_OUT_OF_MEMORY)
		return err_nomem(e);
	return err_set(e, b->failure, "%s is larger than %s", what, num_format_size(b->max, max));
}

char *buf_take(struct buf *b, size_t *ret_len)
{
	char *data = b->data;

	if (ret_len)
		*ret_len = b->len;
	*b = (struct buf)BUF_INIT(b->max);
	return data;
}
