/* SPDX-License-Identifier: Apache-2.0 */
/* Connections, and the clock against slow clients. libmicrohttpd's own timeout starts anew with
 * each byte, so that a byte a second holds a connection for ever. */
#include "common/base/num.h"
#include "server/http/httpd_internal.h"
#include "server/http/problem.h"

#include <arpa/inet.h>
#include <linux/tcp.h>
#include <microhttpd.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>

#define HEAD_LOOK_MS  5000
#define EXPECTED_MS   1000 /* from a connection to its first request */
#define LATE_TEXT_MAX (16 * 1024)

/* TCP_CLOSE and TCP_CLOSE_WAIT of <netinet/tcp.h>, which cannot be had together with
 * <linux/tcp.h>. */
#define CLOSED     7
#define CLOSE_WAIT 8

static socklen_t size_of(const struct sockaddr *a)
{
	if (a->sa_family == AF_INET)
		return sizeof(struct sockaddr_in);
	return a->sa_family == AF_INET6 ? sizeof(struct sockaddr_in6) : sizeof(a->sa_family);
}

const char *httpd_conn_client(struct httpd_conn *c)
{
	const void *a = NULL;

	if (c->client[0])
		return c->client;
	if (c->peer.ss_family == AF_INET)
		a = &((const struct sockaddr_in *)&c->peer)->sin_addr;
	else if (c->peer.ss_family == AF_INET6)
		a = &((const struct sockaddr_in6 *)&c->peer)->sin6_addr;
	if (!a || !inet_ntop(c->peer.ss_family, a, c->client, sizeof(c->client)))
		(void)snprintf(c->client, sizeof(c->client), "local");
	return c->client;
}

/* libmicrohttpd has made the session before it tells of the connection. One that gets no
 * certificate fails its handshake. */
static void begin_tls(struct httpd_conn *c, struct httpd_loop *loop, struct MHD_Connection *mhd)
{
	const union MHD_ConnectionInfo *info = MHD_get_connection_info(mhd,
		MHD_CONNECTION_INFO_GNUTLS_SESSION);

	c->encrypted = info;
	if (info && loop->httpd->tls)
		c->certificate = tls_begin(loop->httpd->tls, info->tls_session);
}

/* The loop's thread alone writes it. */
static void add_one(_Atomic uint64_t *counter)
{
	atomic_store_explicit(counter,
		atomic_load_explicit(counter, memory_order_relaxed) + 1, memory_order_relaxed);
}

struct httpd_conn *httpd_conn_new(struct httpd_loop *loop, struct MHD_Connection *mhd)
{
	const union MHD_ConnectionInfo *fd = MHD_get_connection_info(mhd,
		MHD_CONNECTION_INFO_CONNECTION_FD);
	const union MHD_ConnectionInfo *from = MHD_get_connection_info(mhd,
		MHD_CONNECTION_INFO_CLIENT_ADDRESS);
	const union MHD_ConnectionInfo *daemon = MHD_get_connection_info(mhd,
		MHD_CONNECTION_INFO_DAEMON);
	struct httpd_conn *c = calloc(1, sizeof(*c));
	struct network address;

	if (!c || !fd || !from || !daemon) {
		free(c);
		return NULL;
	}
	c->fd = fd->connect_fd;
	c->mhd = mhd;
	c->timeout_s = loop->httpd->o.timeout_s;
	c->daemon = daemon->daemon;
	begin_tls(c, loop, mhd);
	memcpy(&c->peer, from->client_addr, size_of(from->client_addr));
	(void)network_of(from->client_addr, &address);
	c->is_proxy = forwarded_trusts(&httpd_settings_of(loop)->forwarded, &address);
	if (!c->is_proxy)
		c->counted = httpd_peers_add(loop->httpd->peers, &address);
	c->began_ms = c->since_ms = c->head_ms = clock_mono_ms();
	c->next = loop->conns;
	if (c->next)
		c->next->prev = c;
	loop->conns = c;
	add_one(&loop->accepted);
	return c;
}

void httpd_conn_free(struct httpd_loop *loop, struct httpd_conn *c)
{
	struct network address;

	if (!c)
		return;
	add_one(&loop->closed);
	if (c->counted) {
		(void)network_of((struct sockaddr *)&c->peer, &address);
		httpd_peers_remove(loop->httpd->peers, &address);
	}
	if (c->prev)
		c->prev->next = c->next;
	else
		loop->conns = c->next;
	if (c->next)
		c->next->prev = c->prev;
	tls_release(c->certificate);
	free(c);
}

void httpd_conn_renew(struct httpd_loop *loop)
{
	const struct forwarded_policy *p = &httpd_settings_of(loop)->forwarded;
	struct network address;

	for (struct httpd_conn *c = loop->conns; c; c = c->next) {
		(void)network_of((const struct sockaddr *)&c->peer, &address);
		c->is_proxy = forwarded_trusts(p, &address);
		if (c->is_proxy && c->counted)
			httpd_peers_remove(loop->httpd->peers, &address);
		if (c->is_proxy)
			c->counted = false;
		else if (!c->counted)
			c->counted = httpd_peers_add(loop->httpd->peers, &address);
	}
}

void httpd_conn_close_idle(struct httpd_loop *loop)
{
	for (struct httpd_conn *c = loop->conns; c; c = c->next) {
		int unread = 0;

		if (c->wait == HTTPD_WAIT_HEAD && c->head_ms == 0 &&
			ioctl(c->fd, FIONREAD, &unread) == 0 && unread == 0)
			(void)shutdown(c->fd, SHUT_RDWR);
	}
}

/* libmicrohttpd gives a connection the time of the start, and one that is suspended no other. */
static void retime(struct httpd_conn *c, unsigned timeout_s)
{
	const union MHD_ConnectionInfo *info = MHD_get_connection_info(c->mhd,
		MHD_CONNECTION_INFO_CONNECTION_SUSPENDED);

	if (info && info->suspended != MHD_YES &&
		MHD_set_connection_option(c->mhd, MHD_CONNECTION_OPTION_TIMEOUT, timeout_s) ==
			MHD_YES)
		c->timeout_s = timeout_s;
}

/* No counter is read here, since every request passes: the first look of the sweep does. */
void httpd_conn_wait(struct httpd_conn *c, enum httpd_wait wait)
{
	if (!c || c->wait == wait)
		return;
	c->wait = wait;
	c->began_ms = 0;
	c->since_ms = 0;
	c->head_ms = 0;
	c->leaving = false;
	c->idle = false;
}

void httpd_conn_request(struct httpd_conn *c, enum httpd_wait wait, const char *id)
{
	httpd_conn_wait(c, wait);
	if (c)
		c->request_id = id;
}

/* A client that has just connected sends its request a moment later. What has arrived and was not
 * read is one, whenever the connection began. */
static bool expects(const struct httpd_conn *c, uint64_t now)
{
	int unread = 0;

	if (c->wait != HTTPD_WAIT_HEAD || c->late)
		return false;
	return (c->head_ms && now - c->head_ms < EXPECTED_MS) ||
		(ioctl(c->fd, FIONREAD, &unread) == 0 && unread > 0);
}

bool httpd_conn_any_expects(const struct httpd_loop *loop)
{
	uint64_t now = clock_mono_ms();

	for (const struct httpd_conn *c = loop->conns; c; c = c->next)
		if (expects(c, now))
			return true;
	return false;
}

static bool look(const struct httpd_conn *c, struct tcp_info *ret)
{
	socklen_t n = sizeof(*ret);

	*ret = (struct tcp_info){0};
	return getsockopt(c->fd, IPPROTO_TCP, TCP_INFO, ret, &n) == 0 &&
		n >= offsetof(struct tcp_info, tcpi_notsent_bytes) + sizeof(uint32_t);
}

void httpd_conn_peer(const struct httpd_conn *c, struct httpd_peer *ret)
{
	struct tcp_info info;

	/* Of a local socket nothing is known: there the next write tells. */
	*ret = (struct httpd_peer){.has_all = true};
	if (!look(c, &info))
		return;
	ret->is_gone = info.tcpi_state == CLOSED;
	ret->has_left = info.tcpi_state == CLOSE_WAIT;
	ret->has_all = info.tcpi_unacked == 0 && info.tcpi_notsent_bytes == 0;
	ret->taken = info.tcpi_bytes_acked;
}

/* The client will send no more, and all that it sent was read, yet the request is incomplete. The
 * library misses this when the end comes together with the last bytes (its bug 7192). Two looks in
 * a row, since what was read may wait for the next round of the loop. */
static bool has_left(struct httpd_conn *c, const struct tcp_info *info)
{
	bool before = c->leaving;
	int unread = 0;

	c->leaving = c->wait != HTTPD_WAIT_REPLY && info->tcpi_state == CLOSE_WAIT &&
		ioctl(c->fd, FIONREAD, &unread) == 0 && unread == 0;
	return c->leaving && before;
}

/* An answer whose bytes cannot be read: the library was sent away with fewer than it had asked for,
 * and waits for room in a socket that has it. All that was written is acknowledged, and nothing
 * follows from one look to the next, though the loop has come round between them. */
static bool is_stuck(struct httpd_conn *c, const struct tcp_info *info)
{
	bool before = c->idle && c->idle_at == info->tcpi_bytes_acked;

	c->idle = c->wait == HTTPD_WAIT_REPLY && info->tcpi_unacked == 0 &&
		info->tcpi_notsent_bytes == 0;
	c->idle_at = info->tcpi_bytes_acked;
	return c->idle && before;
}

enum verdict {
	KEEP,
	CUT,
	LATE, /* for its head, or as a whole */
	SLOW, /* below the rate */
};

/* A client between two requests is left to libmicrohttpd's timeout until it sends the next byte. */
static enum verdict judge_head(struct httpd_conn *c, const struct httpd_patience *p, uint64_t now,
	uint64_t moved)
{
	if (moved != c->moved && c->head_ms == 0)
		c->head_ms = now;
	if (!c->head_ms || now - c->head_ms < p->head_ms)
		return KEEP;
	return moved > 0 ? LATE : CUT;
}

static enum verdict judge_rate(const struct httpd_conn *c, const struct httpd_patience *p,
	uint64_t moved)
{
	return moved - c->moved < p->rate * p->rate_ms / 1000 ? SLOW : KEEP;
}

static uint64_t time_between_looks(const struct httpd_conn *c, const struct httpd_patience *p)
{
	if (c->wait != HTTPD_WAIT_HEAD)
		return p->rate_ms;
	return p->head_ms / 4 < HEAD_LOOK_MS ? p->head_ms / 4 : HEAD_LOOK_MS;
}

static enum verdict judge(struct httpd_conn *c, const struct httpd_patience *p, uint64_t now)
{
	bool due = c->since_ms == 0 || now - c->since_ms >= time_between_looks(c, p);
	enum verdict verdict = KEEP;
	struct tcp_info info;

	if (c->wait == HTTPD_WAIT_WORK)
		return KEEP;
	if (c->began_ms == 0)
		c->began_ms = now;
	if (c->wait != HTTPD_WAIT_HEAD && now - c->began_ms >= p->request_ms)
		return LATE;
	if ((!due && !c->leaving && !c->idle) || !look(c, &info))
		return KEEP;
	if (has_left(c, &info) || is_stuck(c, &info))
		return CUT;
	if (!due)
		return KEEP;
	uint64_t moved =
		c->wait == HTTPD_WAIT_REPLY ? info.tcpi_bytes_acked : info.tcpi_bytes_received;
	if (c->since_ms != 0)
		verdict = c->wait == HTTPD_WAIT_HEAD ? judge_head(c, p, now, moved)
						     : judge_rate(c, p, moved);
	c->since_ms = now;
	c->moved = moved;
	return verdict;
}

/* What goes past libmicrohttpd is suspended there, and the time of a silent connection with it. */
static bool is_silent(const struct httpd_conn *c, unsigned timeout_s, uint64_t now)
{
	return c->heard_ms != 0 && c->wait != HTTPD_WAIT_WORK &&
		now - c->heard_ms >= timeout_s * UINT64_C(1000);
}

static struct reply *late_reply(const struct httpd_conn *c, const struct httpd_patience *p,
	enum verdict verdict)
{
	char rate[NUM_SIZE_TEXT];
	struct reply *r;
	struct err e;

	if (verdict == SLOW)
		err_set(&e, ERR_TIMED_OUT, "the body came slower than %s a second",
			num_format_size(p->rate, rate));
	else
		err_set(&e, ERR_TIMED_OUT, "the request took longer than allowed");
	/* Whose head is incomplete may be about to read a shard. */
	if (!c->request_id)
		return problem_reply_empty(&e);
	r = problem_reply(&e, c->request_id, NULL, 0);
	return r ? reply_with(r, "X-Request-Id", c->request_id) : NULL;
}

/* Past libmicrohttpd, which takes no answer in the middle of a head or a body. Nothing else is on
 * the way to a client whose request is incomplete. One whose socket takes no bytes gets none. Not
 * for an encrypted connection, where these bytes would be no answer. */
static void tell_late(struct httpd_conn *c, const struct httpd_patience *p, enum verdict verdict)
{
	CLEANUP_BUF struct buf text = BUF_INIT(LATE_TEXT_MAX);
	CLEANUP(reply_unref_p) struct reply *r = late_reply(c, p, verdict);

	if (r)
		reply_print(r, &text);
	if (!buf_failed(&text) && text.len > 0 &&
		send(c->fd, text.data, text.len, MSG_DONTWAIT | MSG_NOSIGNAL) > 0)
		c->late = true;
}

void httpd_conn_sweep(struct httpd_loop *loop)
{
	const struct httpd_settings *s = httpd_settings_of(loop);
	const struct httpd_patience *p = &s->patience;
	uint64_t now = clock_mono_ms();

	for (struct httpd_conn *c = loop->conns; c; c = c->next) {
		enum verdict verdict = judge(c, p, now);

		if (c->timeout_s != s->timeout_s)
			retime(c, s->timeout_s);
		if (verdict == KEEP && is_silent(c, s->timeout_s, now))
			verdict = CUT;
		if (verdict == KEEP)
			continue;
		if (verdict != CUT && c->wait != HTTPD_WAIT_REPLY && !c->late && !c->encrypted)
			tell_late(c, p, verdict);
		/* The loop sees the end of the stream and ends the request, as if the client had
		 * gone. */
		(void)shutdown(c->fd, SHUT_RDWR);
	}
}
