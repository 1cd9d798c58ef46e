/* SPDX-License-Identifier: Apache-2.0 */
/* Which hosts this machine may be sent to by somebody who is not its owner. The address that is
 * connected to is judged, at every connection, not only the name that led there: names can have
 * several addresses, and others a moment later.
 *
 * Without being named by the owner only addresses of the public internet are allowed: IPv4 outside
 * the IANA special-purpose registry, IPv6 inside 2000::/3 less its special parts. Forms that
 * carry an IPv4 address (mapped, compatible, NAT64, 6to4, Teredo) are refused; where the owner has
 * listed a network of theirs, the address inside is judged as well. Nothing here blocks; a list is
 * constant after address_list_parse().
 */
#pragma once

#include "common/base/err.h"
#include "common/base/str.h"

struct sockaddr;

/* What the owner allows besides: addresses and networks ("10.0.0.0/8", "::1", "[fd00::]/8"), with
 * plain http and any port; names ("models.lan", "*.models.lan" for all below), with plain http, any
 * port and addresses that are private or loopback, but never link-local, metadata, multicast or
 * reserved ones: those are allowed by address alone. */
struct address_list;

/* ERR_CONFIG, naming the word that is neither. */
int address_list_parse(const char *const *words, size_t n, struct address_list **ret,
	struct err *e);
void address_list_free(struct address_list *l); /* accepts NULL */
DEFINE_CLEANUP(struct address_list, address_list_free)

/* A list of NULL is an empty one, in all of these. */

/* May `port` be used with this host, before its addresses are known? ERR_FETCH_REFUSED by the
 * rule "port" for those that belong to other protocols: all below 1024 but 80 and 443, and some
 * above. Not for a host that the list has as a name or an address. The scheme is judged by
 * address_check(), since an address that the list has allows http. */
int address_check_port(const struct address_list *l, const char *host, unsigned port,
	struct err *e);
/* May a connection for `scheme://host:port` go to this address? ERR_FETCH_REFUSED, and by which
 * rule: loopback, private, link-local, carrier-nat, multicast, metadata, mapped, nat64, reserved,
 * port, scheme. The sentence says which address, and what to put in import.allow. */
int address_check(const struct address_list *l, const char *scheme, const char *host,
	unsigned port, const struct sockaddr *address, struct err *e);
/* What of these can be said before a name is looked up: the port, and an address that stands in
 * place of a name. */
int address_check_host(const struct address_list *l, const char *scheme, const char *host,
	unsigned port, struct err *e);
