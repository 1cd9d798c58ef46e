/* SPDX-License-Identifier: Apache-2.0 */
/* HTTP requests of tools: one at a time, each call blocks until the answer is whole. Over a libcurl
 * easy handle, which keeps its connections for the next request; for requests in parallel, have one
 * of these in each thread.
 *
 * This is not the way for URLs that somebody else chose (fetch.h is): where it goes is up to the
 * person who runs the tool, so that proxies of the environment are honoured (curl(1), ENVIRONMENT)
 * and no address is judged. http and https only, certificates are verified, a redirect is an answer
 * like any other and is not followed, no .netrc, no cookies.
 */
#pragma once

#include "common/base/buf.h"

#include <stdatomic.h>
#include <stddef.h>
#include <stdint.h>

#define HTTP_HEAD_MAX (64u << 10) /* bytes of all headers of an answer */

struct http;

struct http_options {
	const char *user_agent;    /* copied */
	const char *ca_file;       /* PEM; copied. NULL: what the system trusts */
	uint64_t connect_ms;       /* for name, connection and TLS; 0: 30 s */
	const atomic_bool *cancel; /* looked at at least once a second; NULL for none */
};

int http_new(const struct http_options *o, struct http **ret, struct err *e);
void http_free(struct http *h); /* accepts NULL */
DEFINE_CLEANUP(struct http, http_free)

struct http_answer;

struct http_request {
	const char *method; /* "GET", "HEAD", "POST", "PUT", "PATCH", "DELETE" */
	const char *url;
	const char *const *headers; /* "Name: value" */
	size_t headers_n;
	/* The body: `body_n` bytes from `body`; or, with `has_file`, from `fd` from `offset` on,
	 * which stays the caller's and is read with pread(). Neither: no body. */
	const void *body;
	uint64_t body_n;
	bool has_file;
	int fd;
	uint64_t offset;
	/* What may come back at most: of the answer's body into its buffer. */
	size_t max_answer;
	/* When set, bodies of 2xx answers go here instead, piece by piece; a negative result
	 * ends the request and is its result. */
	int (*take)(void *cls, const struct http_answer *a, const void *bytes, size_t n,
		struct err *e);
	/* Called now and then: bytes of the body sent, and received. */
	void (*progress)(void *cls, uint64_t sent, uint64_t received);
	void *cls;
	bool coded;        /* take the answer gzipped or Brotli-coded; decoded here */
	uint64_t stall_ms; /* no byte for so long, either way: give up. 0: 60 s */
};

/* Why there is no answer, as far as that tells what to do. */
enum http_trouble {
	HTTP_TROUBLE_NONE,        /* or another */
	HTTP_TROUBLE_CERTIFICATE, /* that of the server is not trusted */
	HTTP_TROUBLE_CA_FILE,     /* `ca_file` cannot be read, or holds no certificate */
	HTTP_TROUBLE_TLS,         /* the other side does not speak it, or not well */
	HTTP_TROUBLE_PROXY,       /* its name is not known */
};

struct http_answer {
	int status;
	struct buf body; /* when it did not go to `take` */
	struct buf head; /* "Name: value" lines of the final answer, each ended by a newline */
	uint64_t sent;   /* bytes of the request's body */
	bool may_retry;  /* after a failure: the network's, that may pass */
	enum http_trouble trouble; /* after a failure */
};

/* The answer is `*ret`, which http_answer_done() frees in any case. A status of any kind is a
 * success here. Errors: ERR_BAD_URL; ERR_FETCH_FAILED (no connection, TLS, a cut answer),
 * ERR_FETCH_TIMED_OUT, ERR_TOO_LARGE (the answer), ERR_CANCELLED, ERR_IO_FAILED (of the file, or
 * one that became shorter), and those of `take`. Sentences name the host, not the whole URL. */
int http_do(struct http *h, const struct http_request *q, struct http_answer *ret, struct err *e);
void http_answer_done(struct http_answer *a);
#define CLEANUP_HTTP_ANSWER CLEANUP(http_answer_done)

/* The value of the header, the first of several; an empty str with p NULL for none. */
struct str;
bool http_answer_header(const struct http_answer *a, const char *name, struct str *ret);
