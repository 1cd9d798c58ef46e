/* SPDX-License-Identifier: Apache-2.0 */
/* GET from other hosts. The only code that sees libcurl's transfers.
 *
 * One thread drives all of them with curl_multi_poll(). Whoever wants bytes is another thread and
 * takes them with calls that block: fetch_start(), fetch_head(), fetch_read() until 0, fetch_free().
 * Between the two is a bounded queue of pieces; a transfer whose taker is slow is paused. So the
 * thread of the sockets neither hashes nor writes.
 *
 * Fixed for every transfer: http and https only; libcurl's own redirects are off and followed here,
 * at most FETCH_REDIRECTS, each hop judged like the first URL; every address that is connected to is
 * judged (CURLOPT_OPENSOCKETFUNCTION, address.h), and a connection that was judged is reused only
 * for the same host; no proxy, no .netrc, no cookies, nothing from the environment; certificates are
 * verified; HTTP/2 where the host has it over TLS; response heads of at most FETCH_HEAD_MAX bytes,
 * those of 1xx and of all hops included. Request headers of the caller go to the origin of the URL
 * alone, not to another that it redirects to, and never from https to http.
 *
 * What comes with a Content-Encoding (gzip, deflate, br) is decoded; limits count what comes out, at
 * the first surplus byte. One piece may come out before a limit stops it.
 */
#pragma once

#include "common/net/address.h"
#include "common/net/url.h"

#include <stdatomic.h>

#define FETCH_REDIRECTS 5
#define FETCH_HEAD_MAX  (64u << 10)
#define FETCH_PIECE     (256u << 10)
#define FETCH_PIECES    4 /* that wait in one transfer; so memory is at most 5 pieces each */

struct fetcher;

struct fetcher_options {
	const struct address_list *allow; /* outlives the fetcher; NULL: the public internet alone */
	unsigned max_connections;
	unsigned max_per_host;
	const char *ca_file;    /* PEM, trusted besides nothing else; NULL: what the system trusts */
	const char *user_agent;
};

int fetcher_start(const struct fetcher_options *o, struct fetcher **ret, struct err *e);
/* Every fetch has been freed. Joins the thread. Accepts NULL. */
void fetcher_stop(struct fetcher *f);

struct fetch_request {
	const struct url *url;
	const char *what;           /* how messages call it: "model.json" */
	const char *const *headers; /* "Name: value"; checked by fetch_check_header() */
	size_t headers_n;
	const char *accept;         /* NULL: any type */
	bool coded;                 /* ask for Content-Encoding; not with `from` */
	uint64_t from;              /* ask for the bytes from here on (Range); 0 for all */
	const char *if_range;       /* with `from`: only while it has this strong ETag */
	const char *if_none_match;  /* ask for it only if it has another ETag; NULL */
	uint64_t max_bytes;         /* of the body, those before `from` included */
	uint64_t connect_ms;
	uint64_t timeout_ms;        /* for all of it */
	uint64_t min_rate;          /* bytes a second, in the mean of `min_rate_ms`: slower ones are cut */
	uint64_t min_rate_ms;
	/* Looked at now and then, and by fetch_wake(): ERR_CANCELLED once it is true. */
	const atomic_bool *cancel;
};

/* "Name: value" that may be sent on: a token, no CR, LF or NUL, and not one that is ours (Host,
 * Range, If-*, Accept-Encoding, Connection, Content-Length, Transfer-Encoding, TE, Upgrade, Proxy-*,
 * Expect, Cookie2 ...). ERR_BAD_REQUEST. */
int fetch_check_header(struct str name, struct str value, struct err *e);

struct fetch_head {
	int status; /* 200, 206, 304 */
	bool coded; /* the body was decoded: its length is not known and ranges mean nothing */
	uint64_t offset; /* of the first byte that comes: `from`, or 0 when it began anew */
	uint64_t size;   /* of the whole, UINT64_MAX when it is not known */
	char etag[256];  /* strong or weak, as sent; "" for none, or one that is longer */
	char last_modified[64];
	char content_type[128];
	bool has_digest; /* of the whole body, from Repr-Digest (RFC 9530); never when coded */
	unsigned char sha256[32];
	struct url url;  /* after redirects */
	bool has_content_location;
	struct url content_location; /* resolved */
};

struct fetch;

/* Copies what it needs of the request, `cancel` but. Does not block. */
int fetch_start(struct fetcher *f, const struct fetch_request *q, struct fetch **ret,
	struct err *e);
/* Wait for the final head, redirects followed. *ret lives as long as the fetch.
 *
 * ERR_FETCH_REFUSED (a rule), ERR_FETCH_FAILED (no connection, TLS, a broken answer, a length that
 * is not kept, Range answered wrongly), ERR_FETCH_STATUS (not one of the above),
 * ERR_FETCH_TIMED_OUT, ERR_TOO_LARGE, ERR_CANCELLED. Sentences name `what`, the URL, redacted, and
 * for ERR_FETCH_STATUS the status; nothing that the other side wrote. */
int fetch_head(struct fetch *x, const struct fetch_head **ret, struct err *e);
/* Wait for more of the body: up to FETCH_PIECE bytes that live until the next call. *ret_n is 0 at
 * its end, where it is whole: as long as Content-Length said. Errors as above. */
int fetch_read(struct fetch *x, const char **ret, size_t *ret_n, struct err *e);
/* After a failure: may trying again help (connections, timeouts, 408, 429, 500, 502, 503, 504, cut
 * bodies)? *ret_after_ms: what Retry-After asks for, 0 for nothing. */
bool fetch_may_retry(const struct fetch *x, uint64_t *ret_after_ms);
/* The status of the last head, 0 for none; for what reports failures. */
int fetch_status(const struct fetch *x);
/* Whoever waits looks at `cancel` at once. Any thread. */
void fetch_wake(struct fetcher *f);
/* Ends the transfer, whatever its state. Waits for the thread to let go of it. Accepts NULL. */
void fetch_free(struct fetch *x);
DEFINE_CLEANUP(struct fetch, fetch_free)
