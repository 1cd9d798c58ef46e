/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/unit/unit_origin.h"
#include "common/base/num.h"
#include "tests/unit/unit.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <poll.h>
#include <pthread.h>
#include <sys/socket.h>
#include <unistd.h>

#define CONNECTIONS 256

struct origin {
	struct origin_file *files;
	size_t n;
	int listener;
	int wake[2];
	unsigned port;
	pthread_t acceptor;
	pthread_t threads[CONNECTIONS];
	int sockets[CONNECTIONS];
	size_t threads_n;
	pthread_mutex_t lock; /* of what follows, and of the files */
	pthread_cond_t changed;
	bool released;
	bool stopping;
	unsigned stalling;
	char url[512];
};

struct connection {
	struct origin *origin;
	int fd;
};

void origin_lock(struct origin *o)
{
	(void)pthread_mutex_lock(&o->lock);
}

void origin_unlock(struct origin *o)
{
	(void)pthread_mutex_unlock(&o->lock);
}

static bool send_all(int fd, const char *bytes, size_t n)
{
	while (n > 0) {
		ssize_t sent = send(fd, bytes, n, MSG_NOSIGNAL);
		if (sent <= 0)
			return false;
		bytes += sent;
		n -= (size_t)sent;
	}
	return true;
}

static bool read_request(int fd, char *buf, size_t size)
{
	size_t have = 0;

	buf[0] = '\0';
	while (!strstr(buf, "\r\n\r\n")) {
		ssize_t n = recv(fd, buf + have, size - 1 - have, 0);
		if (n <= 0)
			return false;
		have += (size_t)n;
		buf[have] = '\0';
	}
	return true;
}

/* The value of a header, "" for none. */
static void header(const char *request, const char *name, char *out, size_t size)
{
	char line[64];
	const char *at;

	(void)snprintf(line, sizeof(line), "\r\n%s: ", name);
	at = strcasestr(request, line);
	out[0] = '\0';
	if (at)
		(void)snprintf(out, size, "%.*s", (int)strcspn(at + strlen(line), "\r"),
			at + strlen(line));
}

static struct origin_file *find(struct origin *o, const char *request)
{
	for (size_t i = 0; i < o->n; i++) {
		char line[1024];

		(void)snprintf(line, sizeof(line), "GET %s HTTP/1.1\r\n", o->files[i].target);
		if (strncmp(request, line, strlen(line)) == 0)
			return &o->files[i];
	}
	return NULL;
}

struct answer {
	char head[1024];
	const char *body;
	size_t n;     /* that the head announces */
	bool cut, stall;
};

static size_t asked_from(const struct origin_file *f, const char *request)
{
	char range[64], if_range[256];
	uint64_t from = 0;

	header(request, "Range", range, sizeof(range));
	header(request, "If-Range", if_range, sizeof(if_range));
	if (strncmp(range, "bytes=", 6) != 0 || !f->etag || strcmp(if_range, f->etag) != 0)
		return 0;
	(void)num_parse(range + 6, strcspn(range + 6, "-"), f->n, &from);
	return (size_t)from;
}

static void make_answer(struct origin *o, const char *request, struct answer *a)
{
	struct origin_file *f = find(o, request);
	char known[256], range[128] = "", etag[256] = "";
	size_t from;
	int status;

	if (!f) {
		(void)snprintf(a->head, sizeof(a->head),
			"HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\nConnection: close\r\n\r\n");
		return;
	}
	f->asked++;
	(void)snprintf(f->request, sizeof(f->request), "%s", request);
	header(request, "If-None-Match", known, sizeof(known));
	from = asked_from(f, request);
	status = f->status ? f->status : from > 0 ? 206 : 200;
	if (f->etag && strcmp(known, f->etag) == 0)
		status = 304;
	f->unchanged += status == 304;
	f->ranges += status == 206;
	if (status == 206)
		(void)snprintf(range, sizeof(range), "Content-Range: bytes %zu-%zu/%zu\r\n", from,
			f->n - 1, f->n);
	if (f->etag)
		(void)snprintf(etag, sizeof(etag), "ETag: %s\r\n", f->etag);
	a->body = f->bytes + from;
	a->n = status == 304 ? 0 : f->n - from;
	a->cut = status != 304 && f->cuts > 0;
	a->stall = status != 304 && !a->cut && f->stalls > 0;
	f->cuts -= a->cut;
	f->stalls -= a->stall;
	(void)snprintf(a->head, sizeof(a->head),
		"HTTP/1.1 %d X\r\nContent-Length: %zu\r\n%s%s%sConnection: close\r\n\r\n", status,
		a->n, etag, range, f->headers ? f->headers : "");
}

static void stall(struct origin *o)
{
	origin_lock(o);
	o->stalling++;
	(void)pthread_cond_broadcast(&o->changed);
	while (!o->released && !o->stopping)
		(void)pthread_cond_wait(&o->changed, &o->lock);
	origin_unlock(o);
}

static void answer(struct origin *o, int fd, const char *request)
{
	struct answer a = {.body = ""};
	size_t first;

	origin_lock(o);
	make_answer(o, request, &a);
	origin_unlock(o);
	first = a.cut || a.stall ? a.n / 2 : a.n;
	if (!send_all(fd, a.head, strlen(a.head)) || !send_all(fd, a.body, first) || !a.stall)
		return;
	stall(o);
	(void)send_all(fd, a.body + first, a.n - first);
}

static void *serve(void *cls)
{
	struct connection c = *(struct connection *)cls;
	char request[4096];

	free(cls);
	if (read_request(c.fd, request, sizeof(request)))
		answer(c.origin, c.fd, request);
	(void)shutdown(c.fd, SHUT_WR);
	return NULL;
}

static void take(struct origin *o, int fd)
{
	struct connection *c = malloc(sizeof(*c));

	ck_assert_ptr_nonnull(c);
	ck_assert_uint_lt(o->threads_n, CONNECTIONS);
	*c = (struct connection){o, fd};
	o->sockets[o->threads_n] = fd;
	ck_assert_int_eq(pthread_create(&o->threads[o->threads_n++], NULL, serve, c), 0);
}

static void *accept_all(void *cls)
{
	struct origin *o = cls;
	struct pollfd fds[2] = {{.fd = o->listener, .events = POLLIN},
		{.fd = o->wake[0], .events = POLLIN}};

	while (poll(fds, 2, -1) > 0 && fds[1].revents == 0) {
		int fd = accept(o->listener, NULL, NULL);
		if (fd >= 0)
			take(o, fd);
	}
	return NULL;
}

struct origin *origin_start(struct origin_file *files, size_t n)
{
	struct sockaddr_in a = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
	socklen_t len = sizeof(a);
	struct origin *o = calloc(1, sizeof(*o));

	ck_assert_ptr_nonnull(o);
	o->files = files;
	o->n = n;
	(void)pthread_mutex_init(&o->lock, NULL);
	(void)pthread_cond_init(&o->changed, NULL);
	o->listener = socket(AF_INET, SOCK_STREAM, 0);
	ck_assert_int_eq(bind(o->listener, (struct sockaddr *)&a, sizeof(a)), 0);
	ck_assert_int_eq(listen(o->listener, 64), 0);
	ck_assert_int_eq(getsockname(o->listener, (struct sockaddr *)&a, &len), 0);
	o->port = ntohs(a.sin_port);
	ck_assert_int_eq(pipe(o->wake), 0);
	ck_assert_int_eq(pthread_create(&o->acceptor, NULL, accept_all, o), 0);
	return o;
}

void origin_stop(struct origin *o)
{
	origin_lock(o);
	o->stopping = true;
	(void)pthread_cond_broadcast(&o->changed);
	origin_unlock(o);
	ck_assert_int_eq(write(o->wake[1], "x", 1), 1);
	(void)pthread_join(o->acceptor, NULL);
	for (size_t i = 0; i < o->threads_n; i++) {
		(void)shutdown(o->sockets[i], SHUT_RDWR);
		(void)pthread_join(o->threads[i], NULL);
		(void)close(o->sockets[i]);
	}
	(void)close(o->listener);
	(void)close(o->wake[0]);
	(void)close(o->wake[1]);
	(void)pthread_cond_destroy(&o->changed);
	(void)pthread_mutex_destroy(&o->lock);
	free(o);
}

const char *origin_url(struct origin *o, const char *target)
{
	(void)snprintf(o->url, sizeof(o->url), "http://127.0.0.1:%u%s", o->port, target);
	return o->url;
}

void origin_release(struct origin *o)
{
	origin_lock(o);
	o->released = true;
	(void)pthread_cond_broadcast(&o->changed);
	origin_unlock(o);
}

void origin_await_stall(struct origin *o)
{
	origin_lock(o);
	while (o->stalling == 0)
		(void)pthread_cond_wait(&o->changed, &o->lock);
	origin_unlock(o);
}
