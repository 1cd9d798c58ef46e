/* SPDX-License-Identifier: Apache-2.0 */
/* What libmicrohttpd 0.9.75 lets through and must not pass: framing, Host, names, targets, and
 * pages of other sites that write. Pure: judged from the head of a request, before its body.
 */
#pragma once

#include "common/base/err.h"
#include "common/base/str.h"

struct guard_header {
	struct str name;
	struct str value;
};

struct guard_head {
	struct str method;
	struct str target; /* raw, as it came on the request line */
	struct str version; /* "HTTP/1.1" */
	const struct guard_header *headers; /* all of them, in order, repeats included */
	size_t headers_n;
};

#define GUARD_HEADERS_MAX 100

/* What the head says about the body; filled by guard_check(). */
struct guard_facts {
	bool has_body;    /* Content-Length above 0, or chunked */
	bool has_length;
	uint64_t length;
	bool expects_continue;
	struct str host; /* the Host value, or the authority of an absolute target */
	struct str path; /* of the target, raw, without query; "/" at least ("*" for OPTIONS *) */
	struct str query; /* behind '?', n == 0 when there is none */
};

/* RFC 9112 framing and RFC 9110 syntax: at most GUARD_HEADERS_MAX headers (else
 * ERR_HEADERS_TOO_LARGE), header names are tokens, values hold no control bytes, exactly one
 * well-formed Host in 1.1, at most one Content-Length of at most 15 digits, Transfer-Encoding only
 * as a single "chunked" in 1.1 and never with Content-Length, a known method (else
 * ERR_METHOD_UNKNOWN), Expect only 100-continue (else ERR_EXPECTATION_FAILED), a target of
 * printable ASCII without # " < > and %00, in its path also without \ ` { } (else ERR_BAD_TARGET),
 * and of at most ROUTER_TARGET_MAX bytes (else ERR_TARGET_TOO_LONG). The authority of an absolute
 * target replaces Host (RFC 9112 3.2.2). `*ret` points into the head; it is set on success only. */
int guard_check(const struct guard_head *head, struct guard_facts *ret, struct err *e);

struct guard_policy {
	bool loopback_only;         /* every listening address is a loopback address */
	const char *const *hosts;   /* further names this server answers for, as Host spells them
	                             * (IPv6 in brackets), without port */
	size_t hosts_n;
	bool any_host;              /* answer for every Host */
	/* Origins whose pages may change state, as browsers write them: "https://app.example" */
	const char *const *write_origins;
	size_t write_origins_n;
};

/* DNS rebinding: ERR_WRONG_HOST unless `host` is localhost, a loopback address, or listed. */
int guard_host(const struct guard_policy *p, struct str host, struct err *e);

/* Where a request comes from; p == NULL for what is absent. */
struct guard_source {
	struct str origin;
	struct str sec_fetch_site;
	struct str host; /* that it is for */
	bool has_token;  /* a valid one, in a header that no page can have sent by accident */
};

/* May a request from there change state? A program, which sends no Origin, may. Of pages those may
 * that are served from here, under a name that is known to be ours or with a token, those that the
 * policy lists, and, on a server that listens on loopback only, those from loopback origins; any
 * other page may not, token or not (ERR_CROSS_SITE). Who may do what is judged elsewhere. */
int guard_write(const struct guard_policy *p, const struct guard_source *from, struct err *e);

/* "https://app.example:8080": a scheme, http or https, and an authority. */
bool guard_is_origin(struct str origin);

/* host [ ":" port ], as Host has it. */
bool guard_is_authority(struct str text);

/* localhost, *.localhost, 127.0.0.0/8, ::1; with or without brackets, no port. */
bool guard_is_loopback_host(struct str host);
