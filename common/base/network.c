/* SPDX-License-Identifier: Apache-2.0 */
#include "common/base/network.h"
#include "common/base/macros.h"
#include "common/base/num.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <stdio.h>

_Static_assert(NETWORK_TEXT == INET6_ADDRSTRLEN, "as inet_ntop() needs it");

bool network_parse_address(struct str s, struct network *ret)
{
	char text[NETWORK_TEXT];

	if (s.n == 0 || s.n >= sizeof(text) || memchr(s.p, '\0', s.n))
		return false;
	(void)snprintf(text, sizeof(text), STR_FMT, STR_ARG(s));
	*ret = (struct network){0};
	if (inet_pton(AF_INET, text, ret->bytes) == 1) {
		ret->family = AF_INET;
		ret->prefix = 32;
		return true;
	}
	if (inet_pton(AF_INET6, text, ret->bytes) == 1) {
		ret->family = AF_INET6;
		ret->prefix = 128;
		return true;
	}
	return false;
}

bool network_parse(struct str word, struct network *ret)
{
	struct str rest = word, front;
	uint64_t prefix = 0;

	(void)str_split(&rest, '/', &front);
	if (front.n >= 2 && front.p[0] == '[' && front.p[front.n - 1] == ']')
		front = (struct str){front.p + 1, front.n - 2};
	if (!network_parse_address(front, ret))
		return false;
	if (!rest.p)
		return true;
	if (!num_parse(rest.p, rest.n, ret->prefix, &prefix))
		return false;
	for (unsigned bit = (unsigned)prefix; bit < ret->prefix; bit++) {
		if (ret->bytes[bit / 8] & (0x80u >> bit % 8))
			return false;
	}
	ret->prefix = (unsigned)prefix;
	return true;
}

bool network_of(const struct sockaddr *a, struct network *ret)
{
	*ret = (struct network){.family = a->sa_family};
	if (a->sa_family == AF_INET) {
		memcpy(ret->bytes, &((const struct sockaddr_in *)(const void *)a)->sin_addr, 4);
		ret->prefix = 32;
		return true;
	}
	if (a->sa_family == AF_INET6) {
		memcpy(ret->bytes, &((const struct sockaddr_in6 *)(const void *)a)->sin6_addr, 16);
		ret->prefix = 128;
		return true;
	}
	ret->family = 0;
	return false;
}

bool network_prefix_is(const unsigned char *address, const unsigned char *network, unsigned prefix)
{
	unsigned whole = prefix / 8, rest = prefix % 8;

	if (memcmp(address, network, whole) != 0)
		return false;
	return rest == 0 || ((address[whole] ^ network[whole]) & (0xff00u >> rest) & 0xffu) == 0;
}

bool network_any_has(const struct network *networks, size_t n, unsigned family,
	const unsigned char *bytes)
{
	for (size_t i = 0; i < n; i++) {
		if (networks[i].family == family &&
			network_prefix_is(bytes, networks[i].bytes, networks[i].prefix))
			return true;
	}
	return false;
}

const char *network_text(const struct network *n, char buf[NETWORK_TEXT])
{
	return inet_ntop((int)n->family, n->bytes, buf, NETWORK_TEXT);
}
