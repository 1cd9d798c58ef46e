/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/unit/httpd_client.h"

#include <arpa/inet.h>
#include <check.h>
#include <errno.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/socket.h>
#include <unistd.h>

static int connect_to(int fd, unsigned port)
{
	const struct sockaddr_in to = {
		.sin_family = AF_INET,
		.sin_port = htons((uint16_t)port),
		.sin_addr.s_addr = htonl(INADDR_LOOPBACK),
	};

	return connect(fd, (const struct sockaddr *)&to, sizeof(to));
}

struct client client_open(unsigned port)
{
	const struct timeval patience = {.tv_sec = CLIENT_PATIENCE_S};
	struct client c = {.fd = socket(AF_INET, SOCK_STREAM, 0)};

	ck_assert_int_ge(c.fd, 0);
	ck_assert_int_eq(setsockopt(c.fd, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof(patience)), 0);
	ck_assert_int_eq(setsockopt(c.fd, SOL_SOCKET, SO_SNDTIMEO, &patience, sizeof(patience)), 0);
	ck_assert_int_eq(connect_to(c.fd, port), 0);
	return c;
}

bool client_is_refused(unsigned port)
{
	int fd = socket(AF_INET, SOCK_STREAM, 0);
	bool refused = connect_to(fd, port) < 0;

	(void)close(fd);
	return refused;
}

void client_close(struct client *c)
{
	if (c->fd >= 0)
		(void)close(c->fd);
	free(c->in);
	*c = (struct client){.fd = -1};
}

void client_send(struct client *c, const void *bytes, size_t n)
{
	const char *p = bytes;

	while (n > 0) {
		ssize_t sent = send(c->fd, p, n, MSG_NOSIGNAL);
		if (sent < 0 && (errno == EPIPE || errno == ECONNRESET))
			return; /* the server has had enough: the answer says why */
		ck_assert_msg(sent > 0, "send: errno %d", errno);
		p += sent;
		n -= (size_t)sent;
	}
}

void client_say(struct client *c, const char *text)
{
	client_send(c, text, strlen(text));
}

/* False at the end of the connection. */
static bool more(struct client *c)
{
	if (c->in_cap - c->in_n < 65537) {
		c->in_cap = 2 * c->in_cap + 131072;
		c->in = realloc(c->in, c->in_cap);
		ck_assert_ptr_nonnull(c->in);
	}
	ssize_t n = recv(c->fd, c->in + c->in_n, 65536, 0);
	if (n < 0 && errno == ECONNRESET)
		n = 0;
	ck_assert_msg(n >= 0, "recv: errno %d", errno);
	c->in_n += (size_t)n;
	c->in[c->in_n] = '\0';
	return n > 0;
}

static void consume(struct client *c, size_t n)
{
	memmove(c->in, c->in + n, c->in_n - n + 1);
	c->in_n -= n;
}

static void read_head(struct client *c, struct answer *a)
{
	char *end = NULL;

	while (!c->in || !(end = strstr(c->in, "\r\n\r\n")))
		ck_assert_msg(more(c), "the connection ended before an answer: \"%s\"",
			c->in ? c->in : "");
	size_t n = (size_t)(end - c->in) + 2;
	ck_assert_uint_lt(n, sizeof(a->head));
	memcpy(a->head, c->in, n);
	a->head[n] = '\0';
	consume(c, n + 2);
	ck_assert_int_eq(sscanf(a->head, "HTTP/1.1 %3d ", &a->status), 1);
}

struct answer client_read_head(struct client *c)
{
	struct answer a = {0};

	read_head(c, &a);
	return a;
}

/* The line that the bytes begin with, without its CR LF, taken off; the caller frees it. */
static char *read_line(struct client *c)
{
	char *end = NULL;

	while (!c->in || !(end = strstr(c->in, "\r\n")))
		ck_assert_msg(more(c), "the body ended within a chunk");
	size_t n = (size_t)(end - c->in);
	char *line = strndup(c->in, n);
	ck_assert_ptr_nonnull(line);
	consume(c, n + 2);
	return line;
}

char *client_read_chunk(struct client *c)
{
	char *size = read_line(c), *end, *chunk;
	size_t n = strtoul(size, &end, 16);

	ck_assert_msg(end > size && *end == '\0', "not the size of a chunk: \"%s\"", size);
	free(size);
	while (c->in_n < n + 2)
		ck_assert_msg(more(c), "a chunk ended early");
	ck_assert_msg(memcmp(c->in + n, "\r\n", 2) == 0, "a chunk is longer than it says");
	chunk = n > 0 ? strndup(c->in, n) : NULL;
	consume(c, n + 2);
	return chunk;
}

struct answer client_read(struct client *c, bool bodiless)
{
	struct answer a = {0};
	char length[32];

	read_head(c, &a);
	if (a.status == 100 || a.status == 204 || a.status == 304)
		bodiless = true;
	if (!bodiless) {
		ck_assert_msg(answer_header(&a, "Content-Length", length, sizeof(length)), "%s",
			a.head);
		a.body_n = strtoul(length, NULL, 10);
	}
	while (c->in_n < a.body_n)
		ck_assert_msg(more(c), "the body ended early");
	a.body = malloc(a.body_n + 1);
	ck_assert_ptr_nonnull(a.body);
	memcpy(a.body, c->in, a.body_n);
	a.body[a.body_n] = '\0';
	consume(c, a.body_n);
	return a;
}

void answer_done(struct answer *a)
{
	free(a->body);
	a->body = NULL;
}

struct answer client_ask(unsigned port, const char *request)
{
	struct client c = client_open(port);
	bool head = strncmp(request, "HEAD ", 5) == 0;

	client_say(&c, request);
	struct answer a = client_read(&c, head);
	client_close(&c);
	return a;
}

char *client_read_to_end(struct client *c)
{
	while (more(c))
		;
	char *all = c->in;
	c->in = NULL;
	c->in_n = c->in_cap = 0;
	return all;
}

bool client_at_end(struct client *c)
{
	return c->in_n == 0 && !more(c);
}

bool answer_header(const struct answer *a, const char *name, char *value, size_t max)
{
	size_t n = strlen(name);

	for (const char *line = strchr(a->head, '\n'); line && line[1];
		line = strchr(line + 1, '\n'))
		if (strncasecmp(line + 1, name, n) == 0 && line[1 + n] == ':') {
			const char *start = line + 1 + n + 1 + strspn(line + 1 + n + 1, " ");
			(void)snprintf(value, max, "%.*s", (int)strcspn(start, "\r"), start);
			return true;
		}
	return false;
}

bool answer_has(const struct answer *a, const char *name, const char *value)
{
	char have[4096];

	return answer_header(a, name, have, sizeof(have)) && strcasecmp(have, value) == 0;
}

void answer_head_without_date(const struct answer *a, char *ret, size_t max)
{
	size_t used = 0;

	ret[0] = '\0';
	for (const char *line = a->head; *line; line = strchr(line, '\n') + 1)
		if (strncasecmp(line, "Date:", 5) != 0 &&
			strncasecmp(line, "X-Request-Id:", 13) != 0)
			used += (size_t)snprintf(ret + used, max - used, "%.*s",
				(int)strcspn(line, "\n") + 1, line);
}
