/* SPDX-License-Identifier: Apache-2.0 */
/* What trusted proxies say of a request: RFC 7239 Forwarded, or X-Forwarded-For, -Proto and -Host,
 * which came before it and which most proxies write. Which of the two is a matter of
 * configuration: a proxy that writes one passes the other on as it came from the client. Pure. */
#pragma once

#include "common/base/err.h"
#include "common/base/network.h"
#include "server/http/guard.h"

struct forwarded_policy {
	struct network *proxies; /* addresses and networks of those that are believed */
	size_t n;
	bool is_standard; /* Forwarded is read, else X-Forwarded-* */
};

/* ERR_CONFIG, naming the word that is neither address nor network. */
int forwarded_policy_init(struct forwarded_policy *p, const char *const *words, size_t n,
	struct err *e);
void forwarded_policy_done(struct forwarded_policy *p);

/* Is it one of the proxies? */
bool forwarded_trusts(const struct forwarded_policy *p, const struct network *address);

struct forwarded {
	struct network client; /* an address */
	bool has_scheme;
	bool is_https;
	struct str host; /* well-formed, as guard.h has it; n == 0: not told */
};

#define FORWARDED_MAX 32 /* hops of one header line */

/* For a request from `peer`, a trusted proxy. The addresses are followed from the right, from one
 * trusted proxy to the one before it; the first that is not one is the client, and what stands to
 * the left of it is the client's own claim. "unknown" and obfuscated identifiers end the way: the
 * client is the last address known. Of Forwarded, scheme and host are those of the element that
 * counts for the client, or of the nearest one to its right that has them; of X-Forwarded-Proto and
 * -Host the last values count. ERR_BAD_REQUEST for an element that is reached and malformed, for
 * other schemes than http and https, and for a malformed Forwarded line. */
int forwarded_read(const struct forwarded_policy *p, const struct network *peer,
	const struct guard_header *headers, size_t n, struct forwarded *ret, struct err *e);
