/* SPDX-License-Identifier: Apache-2.0 */
/* A server for the tests of server/http: real loops on a free port, and handlers that show what
 * they were given.
 *
 *   GET  /hello          answered from the head
 *   GET  /entity         "0123456789" with validators
 *   GET  /large          64 MiB
 *   GET  /work           answered by a worker, with the base URL and the parameter q
 *   GET  /gate           a worker that waits for server_open_gate()
 *   GET  /stall          stops the loop's thread until server_open_gate()
 *   GET  /missing        refused by its head handler with MODEL_NOT_FOUND
 *   GET  /broken         its worker fails with findings
 *   GET  /nothing        its worker forgets to answer
 *   GET  /quiet/{x}      refused like /missing, without a body
 *   POST /upload         multipart, at most 1 MiB: answers the parts as "name|filename|bytes;"
 *   POST /raw            the same, or a body of another media type, answered as it is
 *   POST /late           the same, refused by its second piece of data
 */
#pragma once

#include "server/http/httpd.h"

#define SERVER_LARGE (64u << 20)

extern struct httpd *server;
extern struct workpool *server_workers;

struct server_seen { /* counts, atomic */
	unsigned states_freed;
	unsigned states_freed_by_loop; /* of /upload */
	unsigned works;
	unsigned accesses;
	int last_status;
	uint64_t last_received;
};

/* Options with one loop on a free port; change them before server_start(). */
struct httpd_options server_options(void);
void server_start(const struct httpd_options *o);
void server_start_default(void); /* a checked fixture */
void server_stop(void);          /* its end */
unsigned server_port(void);
struct server_seen server_seen(void);
/* Waits, for a while, until the condition holds. */
void server_wait_until(bool (*holds)(void));

void server_wait_at_gate(void); /* until a handler waits there */
void server_open_gate(void);
