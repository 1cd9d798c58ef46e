/* SPDX-License-Identifier: Apache-2.0 */
/* A raw HTTP client for tests: it sends the bytes it is given and reads answers strictly. Every
 * wait ends after CLIENT_PATIENCE_S seconds, with a failed check. */
#pragma once

#include <stdbool.h>
#include <stddef.h>

#define CLIENT_PATIENCE_S 60

struct client {
	int fd;
	char *in; /* bytes that came and were not consumed */
	size_t in_n;
	size_t in_cap;
};

struct answer {
	int status;
	char head[4096]; /* status line and header lines, each with CR LF */
	char *body;      /* NUL terminated */
	size_t body_n;
};

struct client client_open(unsigned port);
/* Nobody listens there, or does any more. */
bool client_is_refused(unsigned port);
void client_close(struct client *c);
void client_send(struct client *c, const void *bytes, size_t n);
void client_say(struct client *c, const char *text);
/* The next answer. `bodiless` for one to HEAD. */
struct answer client_read(struct client *c, bool bodiless);
/* Its head alone; the body is to be read with one of the functions below. */
struct answer client_read_head(struct client *c);
/* The next chunk of a body (RFC 9112 7.1), NUL terminated; NULL for the end of the body. The caller
 * frees it. */
char *client_read_chunk(struct client *c);
void answer_done(struct answer *a);
/* One request on a connection of its own. */
struct answer client_ask(unsigned port, const char *request);
/* Everything up to the end of the connection; the caller frees it. */
char *client_read_to_end(struct client *c);
/* The other side has closed, and nothing more came before. */
bool client_at_end(struct client *c);

/* Value of a header field into `value`; false when it is absent. */
bool answer_header(const struct answer *a, const char *name, char *value, size_t max);
bool answer_has(const struct answer *a, const char *name, const char *value);
/* Header lines without Date, for comparisons. */
void answer_head_without_date(const struct answer *a, char *ret, size_t max);
