/* SPDX-License-Identifier: Apache-2.0 */
/* The client of the measurements: one thread that keeps so many connections asking; load_options.h
 * has its command line. */
#include "common/base/num.h"
#include "tests/bench/load_options.h"
#include "tests/bench/load_times.h"
#include "tests/bench/load_usage.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/epoll.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#define SCRATCH_BYTES (64 * 1024)
#define HEAD_MAX      (8 * 1024) /* and what is read of an answer before its body is dropped */
#define EVENTS        256
#define STALL_NS      (UINT64_C(20) * 1000000000)

struct conn {
	int fd;
	enum { UNUSED, CONNECTING, HEAD, BODY, ENDING, RESTING } state;
	const struct load_options_request *request;
	uint64_t start;
	uint64_t left; /* of the body */
	bool last;     /* answer on this connection, says the server */
	size_t have;   /* of a head that came in pieces: they wait in heads[] */
};

static struct load_options options;

static struct {
	uint64_t errors, bytes, closed;
	char error[200]; /* the first one */
	struct load_times times;
} seen;

static struct {
	size_t next, done; /* requests asked and answered */
	uint64_t start;
	bool ended; /* and its connections are gone: events that were fetched for them are void */
} page;

static int epoll_fd;
static struct conn *conns;
static char (*heads)[HEAD_MAX];
static int *idle; /* connections that rest */
static char scratch[SCRATCH_BYTES];
static uint64_t last_answer;
static volatile sig_atomic_t stopped;

static _Noreturn void fail_errno(const char *what)
{
	perror(what);
	exit(1);
}

static uint64_t now_ns(void)
{
	struct timespec t;

	(void)clock_gettime(CLOCK_MONOTONIC, &t);
	return (uint64_t)t.tv_sec * 1000000000 + (uint64_t)t.tv_nsec;
}

static void count(uint64_t start)
{
	last_answer = now_ns();
	load_times_add(&seen.times, last_answer - start);
}

/* ---- connections ---- */

static void watch(struct conn *c, uint32_t events, int how)
{
	struct epoll_event e = {.events = events, .data.ptr = c};

	if (epoll_ctl(epoll_fd, how, c->fd, &e) < 0)
		fail_errno("load: epoll_ctl");
}

static void dial(struct conn *c)
{
	static const int on = 1;

	c->fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	if (c->fd < 0)
		fail_errno("load: socket");
	(void)setsockopt(c->fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
	c->state = CONNECTING;
	c->start = now_ns();
	if (connect(c->fd, (const struct sockaddr *)&options.address, sizeof(options.address)) <
			0 &&
		errno != EINPROGRESS)
		fail_errno("load: connect");
	watch(c, EPOLLOUT, EPOLL_CTL_ADD);
}

/* With a reset, so that this side keeps no port in TIME_WAIT, when it closes first. */
static void hang_up(struct conn *c, bool reset)
{
	static const struct linger at_once = {.l_onoff = 1};

	if (reset)
		(void)setsockopt(c->fd, SOL_SOCKET, SO_LINGER, &at_once, sizeof(at_once));
	(void)close(c->fd);
	c->fd = -1;
	c->state = UNUSED;
}

static void broken(struct conn *c, const char *what)
{
	seen.errors++;
	if (seen.error[0] == '\0')
		(void)snprintf(seen.error, sizeof(seen.error), "%s: %s", c->request->target, what);
	if (options.page)
		load_options_fail("%s", seen.error);
	hang_up(c, true);
	dial(c);
}

static void ask(struct conn *c, const struct load_options_request *r)
{
	ssize_t n;

	c->request = r;
	c->state = HEAD;
	c->have = 0;
	if (!options.fresh)
		c->start = now_ns();
	n = send(c->fd, r->bytes, r->bytes_n, MSG_NOSIGNAL);
	if (n < 0)
		broken(c, "the request could not be sent");
	else if ((size_t)n < r->bytes_n)
		load_options_fail("a request of %zu bytes does not fit into the socket",
			r->bytes_n);
}

/* ---- pages ---- */

static void ask_next(struct conn *c)
{
	if (page.next == options.requests_n)
		c->state = RESTING;
	else
		ask(c, &options.requests[page.next++]);
}

static void start_page(void)
{
	for (size_t i = 0; i < options.connections; i++)
		if (conns[i].state != UNUSED)
			hang_up(&conns[i], true);
	page.next = page.done = 0;
	page.start = now_ns();
	dial(&conns[0]);
}

static void answered_of_page(struct conn *c)
{
	page.done++;
	if (page.done == options.requests_n) {
		count(page.start);
		page.ended = true;
		start_page();
		return;
	}
	ask_next(c);
	for (size_t i = 1; page.done == 1 && i < options.connections && i + 1 < options.requests_n;
		i++)
		dial(&conns[i]);
}

/* ---- answers ---- */

static void answered(struct conn *c)
{
	if (options.page) {
		answered_of_page(c);
		return;
	}
	count(c->start);
	if (c->last || options.fresh) {
		c->state = ENDING;
		seen.closed++;
	} else {
		ask(c, c->request);
	}
}

/* True when the line is of that field; *ret is where its value begins. */
static bool field(const char *line, const char *name, size_t name_n, const char **ret)
{
	if ((*line | 0x20) != *name || strncasecmp(line, name, name_n) != 0)
		return false;
	*ret = line + name_n + strspn(line + name_n, " ");
	return true;
}

/* The value of Content-Length, or UINT64_MAX where there is none; and whether the server will
 * close. */
static uint64_t length_of(const char *head, const char *end, bool *ret_last)
{
	static const char length_name[] = "content-length:", connection_name[] = "connection:";
	uint64_t length = UINT64_MAX;
	const char *eol, *value;

	*ret_last = false;
	for (const char *line = head; line < end; line = eol + 1) {
		eol = memchr(line, '\n', (size_t)(end - line));
		if (eol == NULL)
			break;
		if (field(line, length_name, sizeof(length_name) - 1, &value)) {
			if (!num_parse(value, (size_t)(eol - 1 - value), UINT64_MAX - 1, &length))
				break;
		} else if (field(line, connection_name, sizeof(connection_name) - 1, &value)) {
			*ret_last = strncasecmp(value, "close", 5) == 0;
		}
	}
	return length;
}

static void check_head(struct conn *c, const char *head, const char *end)
{
	const struct load_options_request *r = c->request;
	uint64_t status, length = length_of(head, end, &c->last);

	if (end - head < 12 || memcmp(head, "HTTP/1.1 ", 9) != 0 ||
		!num_parse(head + 9, 3, 999, &status))
		load_options_fail("%s: this is no HTTP: %.*s", r->target, (int)(end - head), head);
	if (status != r->status)
		load_options_fail("%s: status %u, not %u", r->target, (unsigned)status, r->status);
	if (r->status != 304 && length != r->length)
		load_options_fail("%s: Content-Length %lld, not %llu", r->target, (long long)length,
			(unsigned long long)r->length);
	c->left = r->bodiless ? 0 : r->length;
}

static void take_body(struct conn *c, uint64_t n)
{
	if (n > c->left)
		load_options_fail("%s: more bytes than Content-Length says", c->request->target);
	seen.bytes += n;
	c->left -= n;
	if (c->left == 0)
		answered(c);
}

/* True when there may be more to read. */
static bool read_head(struct conn *c)
{
	size_t max = options.copy ? SCRATCH_BYTES : HEAD_MAX;
	const char *end;
	ssize_t n;

	if (c->have > 0)
		memcpy(scratch, heads[c - conns], c->have);
	n = recv(c->fd, scratch + c->have, max - c->have, 0);
	if (n <= 0) {
		if (n == 0 || errno != EAGAIN)
			broken(c, n == 0 ? "closed before the answer" : "reset before the answer");
		return false;
	}
	c->have += (size_t)n;
	end = memmem(scratch, c->have, "\r\n\r\n", 4);
	if (end == NULL) {
		if (c->have >= HEAD_MAX)
			load_options_fail("%s: a head of more than %d bytes", c->request->target,
				HEAD_MAX);
		memcpy(heads[c - conns], scratch, c->have);
		return false;
	}
	check_head(c, scratch, end + 2);
	c->state = BODY;
	take_body(c, (uint64_t)(scratch + c->have - (end + 4)));
	return c->state == BODY && c->have == max;
}

static bool read_body(struct conn *c)
{
	size_t max = !options.copy || c->left < SCRATCH_BYTES ? (size_t)c->left : SCRATCH_BYTES;
	/* TCP drops what MSG_TRUNC asks for, whatever the buffer. */
	ssize_t n = options.copy ? recv(c->fd, scratch, max, 0) : recv(c->fd, NULL, max, MSG_TRUNC);

	if (n <= 0) {
		if (n == 0 || errno != EAGAIN)
			broken(c, n == 0 ? "closed in the body" : "reset in the body");
		return false;
	}
	take_body(c, (uint64_t)n);
	return c->state == BODY && (size_t)n == max;
}

static void connected(struct conn *c)
{
	int error = 0;
	socklen_t size = sizeof(error);

	if (getsockopt(c->fd, SOL_SOCKET, SO_ERROR, &error, &size) < 0 || error != 0)
		load_options_fail("a connection was refused");
	watch(c, EPOLLIN, EPOLL_CTL_MOD);
	if (options.page)
		ask_next(c);
	else
		ask(c, &options.requests[0]);
}

static void ready(struct conn *c)
{
	switch (c->state) {
	case CONNECTING:
		connected(c);
		break;
	case HEAD:
		if (!read_head(c))
			break;
		/* fall through */
	case BODY:
		while (read_body(c))
			;
		break;
	case ENDING:
		if (recv(c->fd, scratch, 1, 0) > 0)
			load_options_fail("%s: more bytes than Content-Length says",
				c->request->target);
		hang_up(c, false);
		dial(c);
		break;
	case RESTING:
		broken(c, "closed between requests");
		break;
	case UNUSED: /* hung up since the events were fetched */
		break;
	}
}

/* ---- the run ---- */

static void run_until(uint64_t deadline)
{
	struct epoll_event events[EVENTS];

	while (!stopped) {
		uint64_t now = now_ns();
		int n;

		if (now >= deadline)
			return;
		if (now > last_answer + STALL_NS)
			load_options_fail("%s: nothing was answered for 20 seconds",
				options.requests[0].target);
		n = epoll_wait(epoll_fd, events, EVENTS,
			(int)((deadline - now) / 1000000 % 100) + 1);
		if (n < 0 && errno != EINTR)
			fail_errno("load: epoll_wait");
		page.ended = false;
		for (int i = 0; i < n && !page.ended; i++)
			ready(events[i].data.ptr);
	}
}

/* Asks once, in blocking calls, and leaves the connection open. */
static int open_idle(void)
{
	const struct load_options_request *r = &options.requests[0];
	struct conn c = {.request = r};
	const char *end = NULL;
	size_t have = 0;

	c.fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	if (c.fd < 0 ||
		connect(c.fd, (const struct sockaddr *)&options.address, sizeof(options.address)) <
			0 ||
		send(c.fd, r->bytes, r->bytes_n, MSG_NOSIGNAL) != (ssize_t)r->bytes_n)
		fail_errno("load: an idle connection");
	while (end == NULL || have < (size_t)(end + 4 - scratch) + c.left) {
		ssize_t n = recv(c.fd, scratch + have, sizeof(scratch) - have, 0);
		if (n <= 0)
			load_options_fail("%s: an idle connection was closed", r->target);
		have += (size_t)n;
		if (end == NULL && (end = memmem(scratch, have, "\r\n\r\n", 4)) != NULL)
			check_head(&c, scratch, end + 2);
	}
	return c.fd;
}

static void check_idle(int fd)
{
	if (recv(fd, scratch, 1, MSG_PEEK | MSG_DONTWAIT) >= 0 || errno != EAGAIN)
		load_options_fail("an idle connection was closed, or got more than it asked for");
}

static void print(uint64_t ns, const struct load_usage *a, const struct load_usage *b)
{
	double seconds = (double)ns / 1e9, tick_ns = 1e9 / (double)sysconf(_SC_CLK_TCK);
	uint64_t rss, rss_own;

	if (!load_usage_rss(&options.server, &rss, &rss_own))
		load_options_fail("the memory of the server cannot be read");
	(void)printf("{\"requests\":%llu,\"bytes\":%llu,\"seconds\":%.6f,\"rate\":%.2f,"
		     "\"mb_per_s\":%.3f,",
		(unsigned long long)seen.times.n, (unsigned long long)seen.bytes, seconds,
		(double)seen.times.n / seconds, (double)seen.bytes / seconds / 1e6);
	(void)printf("\"closed\":%llu,\"errors\":%llu,\"error\":\"%s\",",
		(unsigned long long)seen.closed, (unsigned long long)seen.errors, seen.error);
	(void)printf("\"p50_us\":%.2f,\"p90_us\":%.2f,\"p99_us\":%.2f,\"max_us\":%.2f,",
		load_times_us(&seen.times, 0.5), load_times_us(&seen.times, 0.9),
		load_times_us(&seen.times, 0.99), (double)seen.times.max / 1000);
	(void)printf("\"server_cpu_ns\":%llu,\"client_cpu_ns\":%llu,",
		(unsigned long long)(b->server_ns - a->server_ns),
		(unsigned long long)(b->client_ns - a->client_ns));
	(void)printf("\"rss_kib\":%llu,\"rss_own_kib\":%llu,\"busy_ns\":[", (unsigned long long)rss,
		(unsigned long long)rss_own);
	for (size_t i = 0; i < b->cpus; i++)
		(void)printf("%s%.0f", i > 0 ? "," : "",
			(double)(b->busy[i] - a->busy[i]) * tick_ns);
	(void)printf("]}\n");
}

static void usage_now(struct load_usage *ret)
{
	if (!load_usage_read(&options.server, ret))
		fail_errno("load: a process of the server");
}

static void run(void)
{
	struct load_usage before, after;
	uint64_t start, ns;

	for (uint64_t i = 0; i < options.idle; i++)
		idle[i] = open_idle();
	last_answer = now_ns();
	if (options.page)
		start_page();
	else
		for (uint64_t i = 0; i < options.connections; i++) {
			conns[i].request = &options.requests[0];
			dial(&conns[i]);
		}
	run_until(now_ns() + (uint64_t)(options.warm * 1e9));
	memset(&seen, 0, sizeof(seen));
	usage_now(&before);
	start = now_ns();
	run_until(start + (uint64_t)(options.seconds * 1e9));
	usage_now(&after);
	ns = now_ns() - start;
	for (uint64_t i = 0; i < options.idle; i++)
		check_idle(idle[i]);
	print(ns, &before, &after);
}

static void make_room(void)
{
	rlim_t wanted = options.connections + options.idle + 100;
	struct rlimit l = {.rlim_cur = wanted, .rlim_max = wanted}, have;

	if (getrlimit(RLIMIT_NOFILE, &have) == 0 && have.rlim_max > wanted)
		l.rlim_max = have.rlim_max;
	if (setrlimit(RLIMIT_NOFILE, &l) < 0)
		fail_errno("load: so many open files");
	conns = calloc(options.connections, sizeof(*conns));
	heads = calloc(options.connections, sizeof(*heads));
	idle = calloc(options.idle + 1, sizeof(*idle));
	epoll_fd = epoll_create1(EPOLL_CLOEXEC);
	if (conns == NULL || heads == NULL || idle == NULL || epoll_fd < 0)
		fail_errno("load: room for connections");
}

static void stop(int signo)
{
	(void)signo;
	stopped = 1;
}

int main(int argc, char **argv)
{
	const struct sigaction on_term = {.sa_handler = stop};

	load_options_read(argc, argv, &options);
	make_room();
	(void)sigaction(SIGTERM, &on_term, NULL);
	run();
	return 0;
}
