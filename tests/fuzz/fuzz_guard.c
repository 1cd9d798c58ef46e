/* SPDX-License-Identifier: Apache-2.0 */
/* Input: "method target version" and LF, then "name:value" lines. What the guard lets through keeps
 * what its header promises. */
#include "tests/fuzz/fuzz.h"

#include "server/http/guard.h"
#include "server/http/router.h"

static void demand(bool holds)
{
	if (!holds)
		abort();
}

static size_t count(const struct guard_head *head, const char *name)
{
	size_t found = 0;

	for (size_t i = 0; i < head->headers_n; i++)
		found += str_eq_nocase(head->headers[i].name, name);
	return found;
}

static struct str find(const struct guard_head *head, const char *name)
{
	for (size_t i = 0; i < head->headers_n; i++)
		if (str_eq_nocase(head->headers[i].name, name))
			return head->headers[i].value;
	return (struct str){NULL, 0};
}

static void check_facts(const struct guard_head *head, const struct guard_facts *f)
{
	size_t lengths = count(head, "Content-Length");
	size_t encodings = count(head, "Transfer-Encoding");

	demand(lengths + encodings <= 1);
	demand(f->has_length == (lengths == 1));
	demand(f->has_body == (f->length > 0 || encodings == 1));
	demand(count(head, "Host") <= 1);
	demand(count(head, "Host") == 1 || str_eq_c(head->version, "HTTP/1.0"));
	demand(f->path.n > 0 && (f->path.p[0] == '/' || str_eq_c(f->path, "*")));
	demand(f->path.n + f->query.n <= ROUTER_TARGET_MAX);
	demand(!memchr(f->path.p, '?', f->path.n));
	for (size_t i = 0; i < f->path.n; i++)
		demand(f->path.p[i] > 0x20 && f->path.p[i] < 0x7F);
	for (size_t i = 0; i < f->host.n; i++)
		demand(f->host.p[i] > 0x20 && f->host.p[i] < 0x7F && f->host.p[i] != '@');
}

static void check_policy(const struct guard_head *head, struct str host)
{
	const struct guard_policy closed = {.loopback_only = true}, open = {.any_host = true};
	const struct guard_source from = {.origin = find(head, "Origin"),
		.sec_fetch_site = find(head, "Sec-Fetch-Site"), .host = host};
	struct err e;

	if (guard_host(&closed, host, &e) == 0)
		demand(!memchr(host.p, '/', host.n) && !memchr(host.p, ',', host.n));
	if (guard_write(&closed, &from, &e) == 0 && from.origin.p)
		demand(from.origin.n > 7 &&
			str_eq_nocase((struct str){from.origin.p, 4}, "http"));
	if (guard_write(&open, &from, &e) == 0)
		demand(!from.origin.p);
	(void)guard_is_loopback_host(host);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct guard_header headers[GUARD_HEADERS_MAX + 2];
	struct guard_head head = {.headers = headers};
	struct str rest = {(const char *)data, size}, line;
	struct guard_facts facts;
	struct err e;

	if (size == 0)
		return 0;
	(void)str_split(&rest, '\n', &line);
	if (!str_split(&line, ' ', &head.method) || !str_split(&line, ' ', &head.target) || !line.p)
		return 0;
	head.version = line;
	while (head.headers_n < ARRAY_SIZE(headers) && str_split(&rest, '\n', &line)) {
		struct guard_header *h = &headers[head.headers_n];
		if (!str_split(&line, ':', &h->name) || !line.p)
			continue;
		h->value = str_trim(line);
		head.headers_n++;
	}
	if (guard_check(&head, &facts, &e) < 0) {
		demand(err_status(e.code) >= 400 && e.text[0] != '\0');
		return 0;
	}
	check_facts(&head, &facts);
	check_policy(&head, facts.host);
	return 0;
}
