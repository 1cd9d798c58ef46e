/* SPDX-License-Identifier: Apache-2.0 */
#include "client/doctor_folder.h"
#include "common/base/str.h"

#define ABOVE      "\"../"
#define FOLDER_MAX 1024

/* The next string that begins so, its quote included, behind `rest`, which goes on behind its
 * beginning. A quote that is escaped within a string is none. */
static bool next_string(struct str *rest, struct str *ret)
{
	for (;;) {
		const char *at = memmem(rest->p, rest->n, ABOVE, sizeof(ABOVE) - 1);
		const char *begin = rest->p, *end = rest->p + rest->n, *quote;
		if (!at)
			return false;
		rest->p = at + sizeof(ABOVE) - 1;
		rest->n = (size_t)(end - rest->p);
		if (at > begin && at[-1] == '\\')
			continue;
		quote = memchr(rest->p, '"', rest->n);
		if (!quote)
			return false;
		*ret = (struct str){at, (size_t)(quote - at)};
		return true;
	}
}

/* Bytes that both begin with, up to and with a slash. */
static size_t common_folder(struct str a, struct str b, size_t n)
{
	size_t same = 0;

	while (same < n && same < a.n && same < b.n && a.p[same] == b.p[same])
		same++;
	while (same > 0 && a.p[same - 1] != '/')
		same--;
	return same;
}

static struct str find_folder(const struct buf *text)
{
	struct str rest = {buf_str(text), text->len}, first, s;
	size_t n;

	if (!next_string(&rest, &first))
		return (struct str){NULL, 0};
	n = common_folder(first, first, first.n);
	while (next_string(&rest, &s))
		n = common_folder(first, s, n);
	return (struct str){first.p, n};
}

int doctor_folder_aside(const struct buf *text, struct buf *out, char **ret_folder, size_t *ret_n,
	struct err *e)
{
	struct str folder = find_folder(text), rest = {buf_str(text), text->len}, s;
	const char *at = rest.p;

	*ret_folder = NULL;
	*ret_n = 0;
	if (folder.n == 0 || folder.n > FOLDER_MAX)
		return 0;
	while (next_string(&rest, &s)) {
		buf_add(out, at, (size_t)(s.p - at));
		buf_add_char(out, '"');
		at = s.p + folder.n;
		++*ret_n;
	}
	buf_add(out, at, (size_t)(buf_str(text) + text->len - at));
	*ret_folder = str_dup((struct str){folder.p + 1, folder.n - 1});
	return *ret_folder ? buf_check(out, "model.json", e) : err_nomem(e);
}
