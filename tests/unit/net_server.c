/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/unit/net_server.h"

#include "common/base/macros.h"

#include <arpa/inet.h>
#include <check.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>

#define PATIENCE_S 60

/* The head of one request into c->head; false at the end of the connection. Requests have no body
 * here and are not sent before the answer to the one before. */
static bool read_head(struct net_conn *c)
{
	size_t n = 0;

	while (n < sizeof(c->head) - 1) {
		ssize_t got = recv(c->fd, c->head + n, sizeof(c->head) - 1 - n, 0);
		if (got <= 0)
			return false;
		n += (size_t)got;
		c->head[n] = '\0';
		if (n >= 4 && memcmp(c->head + n - 4, "\r\n\r\n", 4) == 0)
			return true;
	}
	return false;
}

static void note(struct net_conn *c)
{
	struct net_server *s = c->server;
	size_t n = strlen(c->head);
	char *more;

	pthread_mutex_lock(&s->lock);
	more = realloc(s->heads, s->heads_n + n + 1);
	if (!more)
		abort();
	s->heads = more;
	memcpy(s->heads + s->heads_n, c->head, n + 1);
	s->heads_n += n;
	s->requests++;
	pthread_cond_broadcast(&s->changed);
	pthread_mutex_unlock(&s->lock);
}

static void *serve(void *conn)
{
	struct net_conn *c = conn;
	struct net_server *s = c->server;

	while (read_head(c)) {
		note(c);
		if (!s->answer(c))
			break;
	}
	pthread_mutex_lock(&s->lock);
	s->fds[c->number] = -1;
	(void)close(c->fd);
	s->open--;
	pthread_cond_broadcast(&s->changed);
	pthread_mutex_unlock(&s->lock);
	free(c);
	return NULL;
}

static void begin(struct net_server *s, int fd)
{
	struct net_conn *c = calloc(1, sizeof(*c));
	pthread_t thread;
	int on = 1;

	if (!c)
		abort();
	(void)setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
	c->server = s;
	c->cls = s->cls;
	c->fd = fd;
	pthread_mutex_lock(&s->lock);
	c->number = s->connections++;
	if (c->number >= ARRAY_SIZE(s->fds))
		abort();
	s->fds[c->number] = fd;
	s->open++;
	if (s->open > s->most_open)
		s->most_open = s->open;
	pthread_mutex_unlock(&s->lock);
	if (pthread_create(&thread, NULL, serve, c) != 0)
		abort();
	pthread_detach(thread);
}

static void *accept_all(void *server)
{
	struct net_server *s = server;
	int fd;

	while ((fd = accept4(s->fd, NULL, NULL, SOCK_CLOEXEC)) >= 0)
		begin(s, fd);
	return NULL;
}

struct net_server *net_server_start(net_answer_fn *answer, void *cls)
{
	struct sockaddr_in at = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
	socklen_t n = sizeof(at);
	struct net_server *s = calloc(1, sizeof(*s));

	ck_assert_ptr_nonnull(s);
	s->answer = answer;
	s->cls = cls;
	pthread_mutex_init(&s->lock, NULL);
	pthread_cond_init(&s->changed, NULL);
	s->fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	ck_assert_int_ge(s->fd, 0);
	ck_assert_int_eq(bind(s->fd, (struct sockaddr *)&at, sizeof(at)), 0);
	ck_assert_int_eq(listen(s->fd, 512), 0);
	ck_assert_int_eq(getsockname(s->fd, (struct sockaddr *)&at, &n), 0);
	s->port = ntohs(at.sin_port);
	ck_assert_int_eq(pthread_create(&s->thread, NULL, accept_all, s), 0);
	return s;
}

void net_server_stop(struct net_server *s)
{
	(void)shutdown(s->fd, SHUT_RDWR);
	pthread_join(s->thread, NULL);
	pthread_mutex_lock(&s->lock);
	s->stopping = true;
	pthread_cond_broadcast(&s->changed);
	for (unsigned i = 0; i < s->connections; i++) {
		if (s->fds[i] >= 0)
			(void)shutdown(s->fds[i], SHUT_RDWR);
	}
	while (s->open > 0)
		pthread_cond_wait(&s->changed, &s->lock);
	pthread_mutex_unlock(&s->lock);
	(void)close(s->fd);
	pthread_cond_destroy(&s->changed);
	pthread_mutex_destroy(&s->lock);
	free(s->heads);
	free(s);
}

unsigned net_server_requests(struct net_server *s)
{
	unsigned n;

	pthread_mutex_lock(&s->lock);
	n = s->requests;
	pthread_mutex_unlock(&s->lock);
	return n;
}

void net_server_await(struct net_server *s, unsigned requests)
{
	struct timespec until;
	int r = 0;

	clock_gettime(CLOCK_REALTIME, &until);
	until.tv_sec += PATIENCE_S;
	pthread_mutex_lock(&s->lock);
	while (s->requests < requests && r == 0)
		r = pthread_cond_timedwait(&s->changed, &s->lock, &until);
	pthread_mutex_unlock(&s->lock);
	ck_assert_int_eq(r, 0);
}

bool net_server_heard(struct net_server *s, const char *text)
{
	bool heard;

	pthread_mutex_lock(&s->lock);
	heard = s->heads && strstr(s->heads, text);
	pthread_mutex_unlock(&s->lock);
	return heard;
}

bool net_asks(const struct net_conn *c, const char *path)
{
	size_t n = strlen(path);

	return strncmp(c->head, "GET ", 4) == 0 && strncmp(c->head + 4, path, n) == 0 &&
		c->head[4 + n] == ' ';
}

bool net_has(const struct net_conn *c, const char *line)
{
	return strstr(c->head, line) != NULL;
}

bool net_send(struct net_conn *c, const void *bytes, size_t n)
{
	const char *at = bytes;

	while (n > 0) {
		ssize_t sent = send(c->fd, at, n, MSG_NOSIGNAL);
		if (sent <= 0)
			return false;
		at += sent;
		n -= (size_t)sent;
	}
	return true;
}

bool net_say(struct net_conn *c, const char *text)
{
	return net_send(c, text, strlen(text));
}

bool net_sayf(struct net_conn *c, const char *fmt, ...)
{
	char text[4096];
	va_list ap;
	int n;

	va_start(ap, fmt);
	n = vsnprintf(text, sizeof(text), fmt, ap);
	va_end(ap);
	if (n < 0 || (size_t)n >= sizeof(text))
		abort();
	return net_send(c, text, (size_t)n);
}

bool net_serve(struct net_conn *c, const char *fields, const void *bytes, size_t n)
{
	return net_sayf(c, "HTTP/1.1 200 OK\r\nContent-Length: %zu\r\n%s\r\n", n, fields) &&
		net_send(c, bytes, n);
}

bool net_pause(struct net_conn *c, unsigned ms)
{
	struct pollfd gone = {.fd = c->fd, .events = POLLRDHUP};

	return poll(&gone, 1, (int)ms) == 0;
}

void net_hang(struct net_conn *c)
{
	while (net_pause(c, 1000))
		continue;
}
