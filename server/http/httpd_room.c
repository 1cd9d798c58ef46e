/* SPDX-License-Identifier: Apache-2.0 */
/* Room for newcomers. libmicrohttpd accepts nobody while it has as many connections as it may, and
 * leaves them in the queue of the socket until one ends by itself. */
#include "server/http/httpd_internal.h"

#include <microhttpd.h>
#include <sys/ioctl.h>

#define CLOSED_AT_ONCE 32 /* at most, of one daemon in one round */
#define REST_MS        1000 /* who came or was answered since then is left alone */

struct candidate {
	struct httpd_conn *conn;
	unsigned crowd; /* connections from its address; of a proxy none count */
};

static bool is_readable(int fd)
{
	struct pollfd p = {.fd = fd, .events = POLLIN};

	return poll(&p, 1, 0) > 0 && (p.revents & POLLIN);
}

/* Between two requests, or with a head that does not come on; what has arrived and was not read
 * may be one that does. */
static bool is_idle(const struct httpd_conn *c, uint64_t now)
{
	int unread = 0;

	return c->wait == HTTPD_WAIT_HEAD && c->began_ms && now - c->began_ms >= REST_MS &&
		ioctl(c->fd, FIONREAD, &unread) == 0 && unread == 0;
}

/* From the largest crowd first, of equal ones the longest at rest. */
static bool goes_before(const struct candidate *a, const struct candidate *b)
{
	if (a->crowd != b->crowd)
		return a->crowd > b->crowd;
	return a->conn->began_ms < b->conn->began_ms;
}

/* Keeps the `max` first ones, in order. */
static void insert(struct candidate *list, size_t *n, size_t max, const struct candidate *one)
{
	if (*n == max && !goes_before(one, &list[max - 1]))
		return;
	size_t at = *n < max ? (*n)++ : max - 1;
	for (; at > 0 && goes_before(one, &list[at - 1]); at--)
		list[at] = list[at - 1];
	list[at] = *one;
}

static unsigned crowd_of(const struct httpd_loop *loop, const struct httpd_conn *c)
{
	struct network address;

	if (c->is_proxy)
		return 0;
	(void)network_of((const struct sockaddr *)&c->peer, &address);
	return httpd_peers_count(loop->httpd->peers, &address);
}

static void close_idle(struct httpd_loop *loop, const struct MHD_Daemon *daemon, size_t max)
{
	struct candidate list[CLOSED_AT_ONCE];
	uint64_t now = clock_mono_ms();
	size_t n = 0;

	for (struct httpd_conn *c = loop->conns; c; c = c->next)
		if (c->daemon == daemon && is_idle(c, now))
			insert(list, &n, max, &(struct candidate){c, crowd_of(loop, c)});
	for (size_t i = 0; i < n; i++)
		(void)shutdown(list[i].conn->fd, SHUT_RDWR);
}

static bool is_full(struct MHD_Daemon *daemon, unsigned limit)
{
	const union MHD_DaemonInfo *info =
		MHD_get_daemon_info(daemon, MHD_DAEMON_INFO_CURRENT_CONNECTIONS);

	return info && info->num_connections >= limit;
}

bool httpd_room_make(struct httpd_loop *loop)
{
	unsigned limit = httpd_share_of_connections(loop->httpd);
	bool full = false;

	if (loop->conns_n < limit)
		return false;
	for (size_t i = 0; i < loop->daemons_n; i++) {
		if (!is_full(loop->daemons[i], limit))
			continue;
		full = true;
		if (is_readable(loop->listen_fds[i]))
			close_idle(loop, loop->daemons[i],
				limit / 8 < CLOSED_AT_ONCE ? 1 + limit / 8 : CLOSED_AT_ONCE);
	}
	return full;
}
