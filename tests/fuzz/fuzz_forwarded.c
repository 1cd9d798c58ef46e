/* SPDX-License-Identifier: Apache-2.0 */
/* Input: "s" for Forwarded or anything else for X-Forwarded-*, LF, then "name:value" lines. What is
 * read names an address and a host that can stand in Host, and whatever a client puts in front of
 * what its proxy adds, the client is the one that the proxy named. */
#include "tests/fuzz/fuzz.h"

#include "server/http/forwarded.h"

#include <stdlib.h>

#define LINES_MAX 16

static const char *const proxies[] = {"127.0.0.1", "10.0.0.0/8", "fd00::/8"};

static void demand(bool holds)
{
	if (!holds)
		abort();
}

static bool is_named(const struct network *a, const char *text)
{
	char buf[NETWORK_TEXT];

	return network_text(a, buf) && strcmp(buf, text) == 0;
}

static size_t take_lines(struct str rest, struct guard_header *ret)
{
	struct str line;
	size_t n = 0;

	while (n < LINES_MAX && str_split(&rest, '\n', &line)) {
		if (!str_split(&line, ':', &ret[n].name) || !line.p)
			continue;
		ret[n++].value = str_trim(line);
	}
	return n;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct guard_header headers[LINES_MAX + 1];
	struct str rest = {(const char *)data, size}, mode;
	struct forwarded_policy policy = {0};
	struct network peer;
	struct forwarded f;
	struct err e;

	if (size == 0 || !str_split(&rest, '\n', &mode) || !rest.p)
		return 0;
	demand(forwarded_policy_init(&policy, proxies, ARRAY_SIZE(proxies), &e) == 0);
	demand(network_parse_address(STR_LIT("127.0.0.1"), &peer));
	policy.is_standard = str_eq_c(mode, "s");
	size_t n = take_lines(rest, headers);
	if (forwarded_read(&policy, &peer, headers, n, &f, &e) == 0) {
		demand(f.client.family != 0);
		demand(f.host.n == 0 || guard_is_authority(f.host));
		demand(f.has_scheme || !f.is_https);
	} else {
		demand(e.code == ERR_BAD_REQUEST && e.text[0] != '\0');
	}
	headers[n] = policy.is_standard
		? (struct guard_header){STR_LIT("Forwarded"), STR_LIT("for=192.0.2.1")}
		: (struct guard_header){STR_LIT("X-Forwarded-For"), STR_LIT("192.0.2.1")};
	if (forwarded_read(&policy, &peer, headers, n + 1, &f, &e) == 0)
		demand(is_named(&f.client, "192.0.2.1"));
	forwarded_policy_done(&policy);
	return 0;
}
