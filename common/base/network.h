/* SPDX-License-Identifier: Apache-2.0 */
/* Addresses of the internet and networks of them, as bytes. Nothing here looks up a name. */
#pragma once

#include "common/base/str.h"

#include <stdbool.h>

struct sockaddr;

/* An address is a network whose prefix is all of it. */
struct network {
	unsigned family; /* AF_INET, AF_INET6; 0: none */
	unsigned char bytes[16];
	unsigned prefix;
};

#define NETWORK_TEXT 46 /* bytes of an address as text, INET6_ADDRSTRLEN */

/* "192.168.1.7", "::1", without brackets. */
bool network_parse_address(struct str text, struct network *ret);
/* "10.0.0.0/8", "::1", "[fd00::]/8". A bit behind the prefix is a mistake. */
bool network_parse(struct str word, struct network *ret);
/* Of a socket: false for one that is not of the internet. */
bool network_of(const struct sockaddr *a, struct network *ret);

/* Do the first `prefix` bits agree? Both have as many. */
bool network_prefix_is(const unsigned char *address, const unsigned char *network, unsigned prefix);
/* Is the address in one of these? */
bool network_any_has(const struct network *networks, size_t n, unsigned family,
	const unsigned char *bytes);

/* The address without its prefix. */
const char *network_text(const struct network *n, char buf[NETWORK_TEXT]);
