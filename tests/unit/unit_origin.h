/* SPDX-License-Identifier: Apache-2.0 */
/* A small web server on loopback that does what a test says, right or wrong. A thread for each
 * connection, one request each. */
#pragma once

#include <stdbool.h>
#include <stddef.h>

struct origin_file {
	const char *target; /* of the request, with its query */
	const char *bytes;
	size_t n;
	const char *etag;    /* NULL for none; honoured in If-None-Match and If-Range then */
	const char *headers; /* more lines, each with its CRLF; NULL */
	int status;          /* 0: 200 */
	unsigned cuts;       /* so many answers end after half of what they announced */
	unsigned stalls;     /* so many stop there until origin_release() or the end */
	/* What was seen. */
	unsigned asked;
	unsigned unchanged;  /* answered 304 */
	unsigned ranges;     /* answered 206 */
	char request[4096];  /* the last one */
};

struct origin;

/* `files` belongs to the origin until its end; between origin_lock() and origin_unlock() a test may
 * read and change them. */
struct origin *origin_start(struct origin_file *files, size_t n);
void origin_stop(struct origin *o);
/* "http://127.0.0.1:<port><target>"; valid until the next call. */
const char *origin_url(struct origin *o, const char *target);
void origin_lock(struct origin *o);
void origin_unlock(struct origin *o);
/* Those that stall go on, and nobody stalls any more. */
void origin_release(struct origin *o);
/* Wait until somebody stalls. */
void origin_await_stall(struct origin *o);
