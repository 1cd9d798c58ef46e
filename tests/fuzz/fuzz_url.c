/* SPDX-License-Identifier: Apache-2.0 */
/* Input: a URL and LF, then a reference or the path of a shard and LF, and the prefix of shards.
 * What is read reads as the same again, and is where its text says; redaction leaves no value of a
 * query and nothing that is not printable. */
#include "tests/fuzz/fuzz.h"

#include "common/net/url.h"

static void demand(bool holds)
{
	if (!holds)
		abort();
}

static bool same(const struct url *a, const struct url *b)
{
	return url_same_origin(a, b) && strcmp(a->text, b->text) == 0;
}

/* "scheme://host", brackets aside, then nothing that would belong to the host. */
static void check_front(const struct url *u)
{
	size_t n = strlen(u->scheme), host_n = strlen(u->host);
	const char *at = u->text + n + 3;

	demand(strncmp(u->text, u->scheme, n) == 0 && strncmp(u->text + n, "://", 3) == 0);
	demand(host_n > 0);
	if (strchr(u->host, ':')) {
		demand(at[0] == '[' && at[1 + host_n] == ']');
		at++;
		host_n++;
	}
	demand(at[host_n] == ':' || at[host_n] == '/');
	demand(!memchr(u->text, '@', (size_t)(url_path(u).p - u->text)));
}

static void check_read(const struct url *u)
{
	struct url again;
	struct err e;
	size_t n = strlen(u->text);

	demand(n <= URL_MAX && u->port >= 1 && u->port <= 65535);
	for (size_t i = 0; i < n; i++)
		demand(u->text[i] > ' ' && u->text[i] <= '~' && u->text[i] != '#' &&
			u->text[i] != '\\');
	check_front(u);
	demand(url_path(u).n > 0 && url_path(u).p[0] == '/');
	demand(url_parse(str_of(u->text), &again, &e) == 0 && same(u, &again));
}

static void check_redacted(struct str text)
{
	CLEANUP_BUF struct buf out = BUF_INIT(64 << 10), twice = BUF_INIT(64 << 10);

	url_redact(text, &out);
	if (buf_failed(&out))
		return;
	for (size_t i = 0; i < out.len; i++)
		demand(out.data[i] > ' ' && out.data[i] <= '~' && out.data[i] != '#');
	/* Nothing is left to take away. */
	url_redact((struct str){out.data, out.len}, &twice);
	demand(buf_failed(&twice) || strcmp(buf_str(&out), buf_str(&twice)) == 0);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct str rest = {(const char *)data, size}, url, reference;
	struct url base, there;
	struct err e;

	if (size == 0)
		return 0;
	check_redacted(rest);
	(void)str_split(&rest, '\n', &url);
	if (url_parse(url, &base, &e) < 0)
		return 0;
	check_read(&base);
	if (!rest.p || !str_split(&rest, '\n', &reference))
		return 0;
	CLEANUP_FREE char *path = str_dup(reference);
	CLEANUP_FREE char *prefix = rest.p ? str_dup(rest) : NULL;
	if (!path)
		return 0;
	if (url_resolve(&base, path, &there, &e) == 0)
		check_read(&there);
	if (url_of_shard(&base, prefix, path, &there, &e) == 0)
		check_read(&there);
	return 0;
}
