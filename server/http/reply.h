/* SPDX-License-Identifier: Apache-2.0 */
/* Answers: immutable once built, reference counted, sent by any number of requests on any thread.
 *
 * Every reply carries what every answer of this server carries: Access-Control-Allow-Origin: *,
 * Access-Control-Expose-Headers, Cross-Origin-Resource-Policy: cross-origin, Timing-Allow-Origin: *
 * and X-Content-Type-Options: nosniff. A status of 400 and above says Connection: close. No call
 * here blocks. A failed allocation makes the constructor return NULL; header calls on NULL do
 * nothing, so a caller tests once, at the end. */
#pragma once

#include "common/base/buf.h"

#include <stdbool.h>
#include <sys/types.h>

struct reply;
struct MHD_Response;

/* No body. */
struct reply *reply_empty(int status);
/* A copy of the bytes. */
struct reply *reply_bytes(int status, const char *content_type, const void *bytes, size_t n);
/* The content of `body`, which is taken over and empty after. NULL when the buffer had failed. */
struct reply *reply_buf(int status, const char *content_type, struct buf *body);
/* `n` bytes that stay valid until `release(cls)` is called, once, when the last reference has gone
 * and the last transfer is over. On failure release is called before the return. */
struct reply *reply_borrowed(int status, const char *content_type, const void *bytes, size_t n,
	void (*release)(void *cls), void *cls);

/* `size` bytes that come piece by piece: read() puts the next ones, from `at` on and at most `max`
 * of them, into `to`, and says how many. 0: none so far, and it has suspended the connection. Below
 * 0: there are no more, and the connection is cut. Called on the loop's thread, for at most `piece`
 * (1 or more) bytes at a time; NULL where the body is not sent: to HEAD, with 304. For one request
 * alone. release() as of reply_borrowed(). */
typedef ssize_t reply_read_fn(void *cls, uint64_t at, char *to, size_t max);
struct reply *reply_streamed(int status, const char *content_type, uint64_t size, size_t piece,
	reply_read_fn *read, void (*release)(void *cls), void *cls);

/* The same of a body whose length nobody knows: read() says REPLY_END where it ends. To HTTP/1.1
 * it is sent in chunks, to HTTP/1.0 its end is that of the connection. A `read` of NULL is for
 * HEAD. */
#define REPLY_END (-2)
struct reply *reply_unsized(int status, const char *content_type, size_t piece,
	reply_read_fn *read, void (*release)(void *cls), void *cls);

/* Only while the reply has not been used yet. */
void reply_header(struct reply *r, const char *name, const char *value);
void reply_headerf(struct reply *r, const char *name, const char *fmt, ...) PRINTF_LIKE(3, 4);

struct reply *reply_ref(struct reply *r);
void reply_unref(struct reply *r); /* accepts NULL */
DEFINE_CLEANUP(struct reply, reply_unref)

/* Have others a reference? */
bool reply_is_shared(struct reply *r);
/* The answer with one header more: itself when it is not shared, else one like it for one request.
 * Takes the reference. NULL without memory. One that is shared and streamed stays as it is. */
struct reply *reply_with(struct reply *r, const char *name, const char *value);

int reply_status(const struct reply *r);
/* Of the body; where nobody knew, what read() has given. */
uint64_t reply_length(const struct reply *r);

/* For req_run.c. Encrypting reads the bytes in this process, which SIGBUS would end where a file
 * that they are mapped from has been cut. So over TLS a reply of borrowed bytes is sent as a copy
 * that goes through the file behind `fd`, piece by piece: the kernel reads the bytes and fails,
 * which cuts the connection. `fd` is open for reading and writing, the thread's own, and outlives
 * the transfer. For one request alone. NULL without memory. */
bool reply_is_borrowed(const struct reply *r);
struct reply *reply_copying(struct reply *r, int fd);

/* All of a reply from memory as it is sent, for where libmicrohttpd cannot send it; the connection
 * is to be closed behind it. `out` fails without memory. */
void reply_print(const struct reply *r, struct buf *out);

/* For req_run.c. libmicrohttpd 0.9.75 closes a connection after an answer only if the response
 * itself says so, hence a reply has a second response over the same bytes, made when `close` is
 * first asked for. NULL without memory. Lives as long as the reply. Any thread. */
struct MHD_Response *reply_mhd(struct reply *r, bool close);
