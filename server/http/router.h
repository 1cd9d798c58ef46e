/* SPDX-License-Identifier: Apache-2.0 */
/* Which handler a method and a path belong to. Pure.
 *
 * A pattern is a path whose segments are literals or captures:
 *   {x}   one segment
 *   {x+}  one or more segments, none of which contains '@'; as few as let the rest match
 *   {x@}  one or more segments, of which exactly the last contains '@'
 *   {x*}  the rest of the path, one or more segments; only at the end
 * A literal segment may be glued to the end of a capture with ':' as in "{x+}:import".
 * The pattern with the most literal segments (a glued one counts) among those that match decides,
 * whatever its place in the table; among equals the first. Its rows (equal pattern text, adjacent
 * in the table) give the methods of Allow.
 *
 * Captures are percent-decoded segment by segment, so %40 is an '@'. A target with a malformed
 * escape, %00, an encoded slash, a backslash, a control character, ill-formed UTF-8, or a "." or
 * ".." or empty segment matches nothing but says ERR_BAD_TARGET. The path "/" has no segments.
 */
#pragma once

#include "common/base/buf.h"
#include "common/base/str.h"

#define ROUTER_CAPTURES_MAX 4
#define ROUTER_TARGET_MAX   8192 /* bytes of a raw target, query included */

enum router_methods { /* bits */
	METHOD_GET = 1, /* HEAD as well */
	METHOD_POST = 2,
	METHOD_PUT = 4,
	METHOD_PATCH = 8,
	METHOD_DELETE = 16,
};

struct router_row {
	unsigned methods;
	const char *pattern;
	const void *target; /* what the caller wants back */
};

struct router_match {
	const struct router_row *row; /* NULL: the path is known, the method is not allowed there */
	const char *pattern;          /* of the path that matched */
	unsigned allowed;             /* methods of all rows with that pattern */
	struct str captures[ROUTER_CAPTURES_MAX]; /* into `text` */
	size_t captures_n;
	struct buf text; /* owns the decoded captures; router_match_done() */
};

/* `path` is the raw path, still encoded, without the query. 0 when a pattern matched (look at
 * ret->row), ERR_ROUTE_NOT_FOUND, ERR_BAD_TARGET, ERR_TARGET_TOO_LONG. `*ret` needs
 * router_match_done() in every case. */
int router_find(const struct router_row *rows, size_t n, unsigned method, struct str path,
	struct router_match *ret, struct err *e);
void router_match_done(struct router_match *m);

/* "GET, HEAD, POST, OPTIONS" into `out`. */
void router_allow(unsigned methods, struct buf *out);

/* Value of a query parameter, percent-decoded ('+' stays), appended to `out`; the first of several.
 * False, with the content of `out` as it was, when it is absent, malformed or too long for `out`
 * (buf_failed() says so). */
bool router_query(struct str query, const char *key, struct buf *out);
/* True when the parameter is there, with whatever value. */
bool router_query_has(struct str query, const char *key);
