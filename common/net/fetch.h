/* SPDX-License-Identifier: Apache-2.0 */
/* GET from other hosts. The only code that sees libcurl's transfers.
 *
 * Whoever wants bytes takes them with calls that block: fetch_start(), fetch_head(), fetch_read()
 * until 0, fetch_free(). The transfer goes on in these calls, on the thread that makes them, so
 * that bytes are hashed and written by the processor that has them in its cache. Several transfers
 * at a time are several threads; one thread at a time has a fetch. While no call waits, nothing is
 * received but by the socket.
 *
 * Fixed for every transfer: http and https only; libcurl's own redirects are off and followed here,
 * at most FETCH_REDIRECTS, each hop judged like the first URL; every address that is connected to
 * is judged (CURLOPT_OPENSOCKETFUNCTION, address.h), and a connection that was judged is reused
 * only for the same host; no proxy, no .netrc, no cookies, nothing from the environment;
 * certificates are verified, TLS is 1.2 at least; HTTP/1.1, or HTTP/2 where TLS agrees on it, with
 * one transfer on a connection at a time; response heads of at most FETCH_HEAD_MAX bytes, those of
 * 1xx, of trailers and of all hops included. Request headers of the caller go to the origin of the
 * URL alone, not to another that it redirects to, nor to any behind that, and never from https to
 * http.
 *
 * What comes with a Content-Encoding (gzip, br) is decoded, whether it was asked for or not; limits
 * count what comes out, at the first surplus byte. One piece may come out before a limit stops it.
 *
 * The body of a 200 is whole when it is as long as Content-Length says, when its last chunk came,
 * or, where the host says neither, when it closes the connection: a cut is not seen then, and
 * `size` is not known. A 200 without bytes is an empty file. Other statuses than those that were
 * asked for are ERR_FETCH_STATUS: 203, 204, 205 and a 206 or 304 out of turn among them.
 */
#pragma once

#include "common/net/address.h"
#include "common/net/url.h"

#include <stdatomic.h>

#define FETCH_REDIRECTS 5
#define FETCH_HEAD_MAX  (64u << 10)
#define FETCH_PIECE     (256u << 10)
#define FETCH_HEADER_MAX 8192u /* bytes of a request header's value */

/* Memory of one transfer is at most FETCH_PIECE, the buffer of libcurl of 128 KiB, 16 KiB that it
 * holds back, and what decoding needs: 40 KiB for gzip, 16 MiB for Brotli, and one piece. */

struct fetcher;

struct fetcher_options {
	const struct address_list *allow; /* outlives the fetcher; NULL for an empty one */
	unsigned max_connections;
	unsigned max_per_host;
	const char *ca_file; /* PEM, trusted besides nothing else; NULL: what the system trusts */
	const char *user_agent; /* NULL for none */
};

int fetcher_start(const struct fetcher_options *o, struct fetcher **ret, struct err *e);
/* Every fetch has been freed. A look-up of a name that is still under way is left to itself: its
 * thread ends when the system's resolver does. Accepts NULL. */
void fetcher_stop(struct fetcher *f);

struct fetch_request {
	const struct url *url;
	const char *what;           /* how messages call it: "model.json" */
	const char *const *headers; /* "Name: value"; checked by fetch_check_header() */
	size_t headers_n;
	const char *accept;         /* NULL: any type */
	bool coded;                 /* ask for Content-Encoding; ignored with `from` */
	uint64_t from;              /* ask for the bytes from here on (Range); 0 for all */
	const char *if_range;       /* with `from`: only while it has this strong ETag */
	const char *if_none_match;  /* ask for it only if it has another ETag; NULL */
	uint64_t max_bytes;         /* of the body, those before `from` included */
	uint64_t connect_ms;        /* for name, connection and TLS, each hop */
	uint64_t timeout_ms;        /* from fetch_start() on, the times when it waits too */
	/* Bytes a second that come, of heads and bodies, in the mean of min_rate_ms: slower ones
	 * are cut. Counted from when the request was sent, while a call waits for them. 0 for any
	 * rate. */
	uint64_t min_rate;
	uint64_t min_rate_ms;
	/* Looked at now and then, and by fetch_wake(): ERR_CANCELLED once it is true. */
	const atomic_bool *cancel;
};

/* "Name: value" that may be sent on: a token, no control character but tabs, at most
 * FETCH_HEADER_MAX bytes, and not one that is ours (Host, Range, If-*, Accept-Encoding, Connection,
 * Content-Length, Transfer-Encoding, TE, Upgrade, Proxy-*, Expect, Forwarded ...). ERR_BAD_REQUEST,
 * with the name and never the value. */
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

/* Copies what it needs of the request, `cancel` but. Neither blocks nor connects. ERR_FETCH_REFUSED
 * when the URL is, whatever its name resolves to; ERR_BAD_REQUEST for headers. */
int fetch_start(struct fetcher *f, const struct fetch_request *q, struct fetch **ret,
	struct err *e);
/* Wait for the final head, redirects followed. *ret lives as long as the fetch.
 *
 * ERR_FETCH_REFUSED (a rule), ERR_FETCH_FAILED (no connection, TLS, a broken answer, a length that
 * is not kept, Range answered wrongly), ERR_FETCH_STATUS (not one of the above),
 * ERR_FETCH_TIMED_OUT, ERR_TOO_LARGE, ERR_CANCELLED. Sentences name `what`, the URL, redacted, and
 * for ERR_FETCH_STATUS the status; nothing that the other side wrote but where it redirects to,
 * redacted. */
int fetch_head(struct fetch *x, const struct fetch_head **ret, struct err *e);
/* Wait for more of the body: up to FETCH_PIECE bytes that live until the next call. *ret_n is 0 at
 * its end, where it is whole. Errors as above; what came before one is given out first. */
int fetch_read(struct fetch *x, const char **ret, size_t *ret_n, struct err *e);
/* After a failure: may trying again help (connections, timeouts, 408, 429, 500, 502, 503, 504, cut
 * bodies)? *ret_after_ms: what Retry-After asks for, 0 for nothing. */
bool fetch_may_retry(const struct fetch *x, uint64_t *ret_after_ms);
/* After a failure: the same Range would fail again, so all of it is to be asked for. After 416 and
 * 412, a part that is not the one that was asked for, says no or a wrong Content-Range, has another
 * ETag than `if_range`, or a Content-Encoding. fetch_may_retry() is true then. */
bool fetch_must_begin_anew(const struct fetch *x);
/* The status of the last head, 0 for none; for what reports failures. */
int fetch_status(const struct fetch *x);
/* Whoever waits looks at `cancel` at once. Any thread. */
void fetch_wake(struct fetcher *f);
/* Ends the transfer, whatever its state. Accepts NULL. */
void fetch_free(struct fetch *x);
DEFINE_CLEANUP(struct fetch, fetch_free)
