/* SPDX-License-Identifier: Apache-2.0 */
/* Event loops. Everything that concerns a libmicrohttpd daemon happens on the thread of its loop,
 * but for MHD_resume_connection(), which workers call. */
#include "server/http/httpd_internal.h"
#include "common/base/log.h"
#include "common/base/num.h"
#include "server/http/req_internal.h"

#include <microhttpd.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/mman.h>

/* Beside a head the library keeps its records of the fields and the head of the answer in the pool
 * of a connection. It zeroes the whole pool after each request: more is slower. */
#define POOL_ROOM      (4 * 1024)
#define POOL_INCREMENT (12 * 1024)

#define ROUND_MAX_MS 1000 /* at least one round a second, for the sweep and the watchdog */
#define DRAIN_ROUND_MS 20
#define FULL_ROUND_MS  50

/* Rounds, of 10 connections each, for what waits to be accepted when the order to stop comes. */
#define QUEUE_ROUNDS 512

/* Events that the library fetches at a time (its MAX_EVENTS). When it gets as many it asks for
 * more, and waits for those with the first ones in hand. */
#define LIBRARY_EVENTS 128
#define OTHER_EVENTS   2 /* of the listening socket, and of wake_fd */

#define LIBRARY_LINE_MAX 512

static void log_library(void *cls, const char *fmt, va_list ap) PRINTF_LIKE(2, 0);

static void log_library(void *cls, const char *fmt, va_list ap)
{
	char line[LIBRARY_LINE_MAX];

	(void)cls;
	(void)vsnprintf(line, sizeof(line), fmt, ap);
	line[strcspn(line, "\r\n")] = '\0';
	log_event(LOG_LEVEL_DEBUG, "libmicrohttpd", "text", line, NULL);
}

static enum MHD_Result admit(void *cls, const struct sockaddr *a, socklen_t n)
{
	const struct httpd_loop *loop = cls;
	const struct httpd *h = loop->httpd;
	struct network from;

	(void)n;
	(void)network_of(a, &from);
	return forwarded_trusts(&httpd_settings_of(loop)->forwarded, &from) ||
			httpd_peers_admit(h->peers, &from)
		? MHD_YES
		: MHD_NO;
}

static void notify_connection(void *cls, struct MHD_Connection *mhd, void **context,
	enum MHD_ConnectionNotificationCode code)
{
	struct httpd_loop *loop = cls;

	if (code == MHD_CONNECTION_NOTIFY_STARTED) {
		*context = httpd_conn_new(loop, mhd);
		loop->conns_n++;
		loop->came++;
		loop->began += 2; /* the request is on its way as a rule */
		return;
	}
	loop->conns_n--;
	loop->defer.left++;
	httpd_conn_free(loop, *context);
	*context = NULL;
}

static void *request_line(void *cls, const char *target, struct MHD_Connection *mhd)
{
	return req_new(cls, mhd, target ? target : "");
}

/* `url` is no use: it is decoded, and cut at %00. */
static enum MHD_Result request_step(void *cls, struct MHD_Connection *mhd, const char *url,
	const char *method, const char *version, const char *data, size_t *n, void **request)
{
	size_t have = *n;

	(void)cls;
	(void)mhd;
	(void)url;
	*n = 0;
	/* Without memory for the request there is no answer either. */
	return *request && req_run_step(*request, method, version, data, have) ? MHD_YES : MHD_NO;
}

static void request_completed(void *cls, struct MHD_Connection *mhd, void **request,
	enum MHD_RequestTerminationCode why)
{
	(void)cls;
	(void)mhd;
	if (*request)
		req_run_completed(*request, why == MHD_REQUEST_TERMINATED_WITH_ERROR);
	*request = NULL;
}

static struct MHD_Daemon *start_daemon(struct httpd_loop *loop, int listen_fd, bool is_secure)
{
	const struct httpd *h = loop->httpd;
	struct MHD_OptionItem tls[TLS_OPTIONS_N] = {{MHD_OPTION_END, 0, NULL}};
	unsigned flags = MHD_USE_EPOLL | MHD_ALLOW_SUSPEND_RESUME | MHD_USE_ERROR_LOG;

	/* In 0.9.75 it makes three differences: a connection is read from before it is watched, its
	 * socket is closed without shutdown(), and TLS without an end of its own. */
	if (is_secure) {
		flags |= MHD_USE_TLS;
		tls_options(tls);
	} else {
		flags |= MHD_USE_TURBO;
	}

	/* clang-format off */
	return MHD_start_daemon(flags, 0, admit, loop, request_step, loop,
		MHD_OPTION_EXTERNAL_LOGGER, log_library, NULL,
		MHD_OPTION_LISTEN_SOCKET, listen_fd,
		MHD_OPTION_CONNECTION_MEMORY_LIMIT, h->o.head_max + POOL_ROOM,
		MHD_OPTION_CONNECTION_MEMORY_INCREMENT, (size_t)POOL_INCREMENT,
		MHD_OPTION_CONNECTION_LIMIT, httpd_share_of_connections(h),
		MHD_OPTION_CONNECTION_TIMEOUT, h->o.timeout_s,
		MHD_OPTION_URI_LOG_CALLBACK, request_line, loop,
		MHD_OPTION_NOTIFY_COMPLETED, request_completed, loop,
		MHD_OPTION_NOTIFY_CONNECTION, notify_connection, loop,
		/* -1, not 1, is what refuses white space before the colon of a header field. */
		MHD_OPTION_STRICT_FOR_CLIENT, -1,
		/* Without it an outer loop never gets sendfile(). httpd_start() ignores it. */
		MHD_OPTION_SIGPIPE_HANDLED_BY_APP, 1,
		MHD_OPTION_ARRAY, tls,
		MHD_OPTION_END);
	/* clang-format on */
}

/* So that a loop of one daemon can wait within the library, which takes an event without a pointer
 * for the order to shut down, and then looks whether it was given. Told of the edge alone, so that
 * nobody has to read. */
static int watch_wake(struct httpd_loop *loop, struct err *e)
{
	struct epoll_event event = {.events = EPOLLIN | EPOLLET};

	if (loop->daemons_n == 1 &&
		epoll_ctl(loop->polls[0].fd, EPOLL_CTL_ADD, loop->wake_fd, &event) < 0)
		return err_sys(e, errno, "cannot watch an eventfd");
	return 0;
}

static int start_daemons(struct httpd_loop *loop, struct err *e)
{
	struct httpd *h = loop->httpd;

	for (; loop->daemons_n < h->listeners_n; loop->daemons_n++) {
		size_t i = loop->daemons_n;
		int fd = h->listeners[i].fds[loop->index];
		struct MHD_Daemon *d = start_daemon(loop, fd, h->listeners[i].is_secure);
		const union MHD_DaemonInfo *info = d
			? MHD_get_daemon_info(d, MHD_DAEMON_INFO_EPOLL_FD)
			: NULL;

		if (d && !info)
			MHD_stop_daemon(d);
		if (!info)
			return err_set(e, ERR_INTERNAL, "libmicrohttpd did not start");
		h->listeners[i].fds[loop->index] = -1;
		loop->daemons[i] = d;
		loop->listen_fds[i] = fd;
		loop->polls[i] = (struct pollfd){.fd = info->epoll_fd, .events = POLLIN};
	}
	loop->polls[loop->daemons_n] = (struct pollfd){.fd = loop->wake_fd, .events = POLLIN};
	loop->polls[loop->daemons_n + 1] = (struct pollfd){.fd = loop->intake_fd, .events = POLLIN};
	return watch_wake(loop, e);
}

static int milliseconds_to_wait(const struct httpd_loop *loop, int at_most)
{
	MHD_UNSIGNED_LONG_LONG ms;
	int least = at_most;

	for (size_t i = 0; i < loop->daemons_n; i++)
		if (MHD_get_timeout(loop->daemons[i], &ms) == MHD_YES && ms < (unsigned)least)
			least = (int)ms;
	return least;
}

static void forget_wake(struct httpd_loop *loop)
{
	uint64_t count;

	if (read(loop->wake_fd, &count, sizeof(count)) < 0)
		return; /* nothing to read after all: somebody woke us for nothing */
}

static void wait_for_events(struct httpd_loop *loop, int at_most)
{
	struct pollfd *wake = &loop->polls[loop->daemons_n];
	int ms = milliseconds_to_wait(loop, at_most);

	if (ms == 0)
		return; /* a signalled eventfd stays signalled */
	wake->revents = 0;
	if (poll(loop->polls, loop->daemons_n + 2, ms) > 0 && (wake->revents & POLLIN))
		forget_wake(loop);
}

/* Where several requests came in the last round there are more by now, as a rule: asking the
 * library at once saves asking the system whether to. After a single one the next takes its client
 * a while; of a body that has more bytes to read the library itself says so. */
static bool is_busy(const struct httpd_loop *loop)
{
	return loop->began > 1;
}

/* One system call instead of two, while there are too few descriptors for as many events as make
 * the library ask for more, and nobody to wait for that it does not know. */
static bool can_wait_within(const struct httpd_loop *loop)
{
	return loop->daemons_n == 1 && !loop->intakes &&
		loop->conns_n + OTHER_EVENTS < LIBRARY_EVENTS;
}

void httpd_loop_run(struct httpd_loop *loop, int at_most)
{
	loop->began = 0;
	for (size_t i = 0; i < loop->daemons_n; i++)
		(void)MHD_run_wait(loop->daemons[i], at_most);
}

static void come_round(struct httpd_loop *loop, int at_most)
{
	httpd_settings_renew(loop);
	if (loop->full && at_most > FULL_ROUND_MS)
		at_most = FULL_ROUND_MS;
	bool within = can_wait_within(loop);
	if (!within && !is_busy(loop))
		wait_for_events(loop, at_most);
	if (!within || !httpd_look(loop))
		httpd_loop_run(loop, within ? at_most : 0);
	req_intake_round(loop);
	httpd_look_round(loop);
	httpd_defer_round(loop);
	loop->full = httpd_room_make(loop);
	uint64_t now = clock_mono_ms();
	atomic_store_explicit(&loop->round_ms, now, memory_order_relaxed);
	atomic_store_explicit(&loop->shown_active, loop->active, memory_order_relaxed);
	if (now - loop->swept_ms >= ROUND_MAX_MS) {
		loop->swept_ms = now;
		httpd_conn_sweep(loop);
		httpd_defer_sweep(loop);
		feed_sweep(loop);
		if (loop->httpd->o.tick)
			loop->httpd->o.tick(loop->httpd->o.app, loop->index);
	}
}

static bool is_readable(int fd)
{
	struct pollfd p = {.fd = fd, .events = POLLIN};

	return poll(&p, 1, 0) > 0;
}

/* Connections that wait in the queue of a socket of our own would be reset when it is closed; those
 * of a socket that was handed in wait for the next daemon. */
static void accept_what_waits(struct httpd_loop *loop)
{
	for (size_t i = 0; i < loop->daemons_n; i++)
		for (int n = 0; n < QUEUE_ROUNDS && !loop->httpd->listeners[i].handed_in &&
				is_readable(loop->listen_fds[i]); n++)
			(void)MHD_run_wait(loop->daemons[i], 0);
}

static void stop_accepting(struct httpd_loop *loop)
{
	accept_what_waits(loop);
	for (size_t i = 0; i < loop->daemons_n; i++) {
		int fd = MHD_quiesce_daemon(loop->daemons[i]);
		close_fd_p(&fd);
	}
	httpd_loop_run(loop, 0);
}

static uint64_t stop_by(const struct httpd_loop *loop)
{
	return atomic_load(&loop->httpd->stop_by_ms);
}

static void take_deferred(struct httpd_loop *loop)
{
	uint64_t now = clock_mono_ms(), until = now + httpd_defer_end(loop);

	for (; now < until && now < stop_by(loop); now = clock_mono_ms())
		come_round(loop, DRAIN_ROUND_MS);
}

static void drain(struct httpd_loop *loop)
{
	feed_stop(loop);
	take_deferred(loop);
	stop_accepting(loop);
	httpd_conn_close_idle(loop);
	while ((loop->active > 0 || httpd_conn_any_expects(loop)) &&
		clock_mono_ms() < stop_by(loop))
		come_round(loop, DRAIN_ROUND_MS);
	/* A worker cannot be cut, and libmicrohttpd aborts when it is stopped with a connection
	 * suspended. */
	while (atomic_load(&loop->working) > 0)
		if (poll(&loop->polls[loop->daemons_n], 1, DRAIN_ROUND_MS) > 0)
			forget_wake(loop);
	req_intake_stop(loop);
	httpd_loop_run(loop, 0);
	for (size_t i = 0; i < loop->daemons_n; i++)
		MHD_stop_daemon(loop->daemons[i]);
	loop->daemons_n = 0;
}

static void *run(void *cls)
{
	struct httpd_loop *loop = cls;

	while (stop_by(loop) == 0)
		come_round(loop, ROUND_MAX_MS);
	drain(loop);
	return NULL;
}

static int start_thread(struct httpd_loop *loop, struct err *e)
{
	char name[16];
	sigset_t all, before;

	sigfillset(&all);
	pthread_sigmask(SIG_SETMASK, &all, &before); /* signals are the main thread's */
	int failed = pthread_create(&loop->thread, NULL, run, loop);
	pthread_sigmask(SIG_SETMASK, &before, NULL);
	if (failed)
		return err_sys(e, failed, "cannot start a thread");
	loop->started = true;
	(void)snprintf(name, sizeof(name), "http-%u", loop->index);
	(void)pthread_setname_np(loop->thread, name);
	return 0;
}

int httpd_loop_start(struct httpd *h, unsigned index, struct err *e)
{
	struct httpd_loop *loop = &h->loops[index];

	*loop = (struct httpd_loop){
		.httpd = h, .index = index, .swept_ms = clock_mono_ms(), .copy_fd = -1,
		.intake_fd = -1};
	atomic_init(&loop->round_ms, loop->swept_ms);
	loop->wake_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	if (loop->wake_fd < 0)
		return err_sys(e, errno, "cannot make an eventfd");
	if (h->tls && (loop->copy_fd = memfd_create("modeld-tls", MFD_CLOEXEC)) < 0)
		return err_sys(e, errno, "cannot make a memory file");
	int result = req_intake_open(loop, e);
	if (result < 0)
		return result;
	loop->daemons = calloc(h->listeners_n, sizeof(*loop->daemons));
	loop->listen_fds = calloc(h->listeners_n, sizeof(*loop->listen_fds));
	loop->polls = calloc(h->listeners_n + 2, sizeof(*loop->polls));
	if (!loop->daemons || !loop->listen_fds || !loop->polls)
		return err_nomem(e);
	httpd_settings_renew(loop); /* before anybody can come */
	result = start_daemons(loop, e);
	return result < 0 ? result : start_thread(loop, e);
}

void httpd_loop_wake(struct httpd_loop *loop)
{
	const uint64_t one = 1;

	/* The one failure there is, a full counter, wakes the loop as well. */
	if (write(loop->wake_fd, &one, sizeof(one)) < 0)
		return;
}

void httpd_loop_join(struct httpd_loop *loop)
{
	if (!loop->httpd)
		return;
	if (loop->started)
		pthread_join(loop->thread, NULL);
	for (size_t i = 0; i < loop->daemons_n; i++)
		MHD_stop_daemon(loop->daemons[i]);
	snapshot_unref(loop->settings);
	free(loop->daemons);
	free(loop->listen_fds);
	free(loop->polls);
	close_fd_p(&loop->wake_fd);
	close_fd_p(&loop->copy_fd);
	req_intake_close(loop);
}
