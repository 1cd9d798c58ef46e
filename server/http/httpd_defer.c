/* SPDX-License-Identifier: Apache-2.0 */
/* Connections in dense succession that end with their first answer. Each wakes its loop twice: to
 * be accepted, and with its request. TCP_DEFER_ACCEPT (tcp(7)) has the system keep it until its
 * request is here, or for a second. Where one client comes after another it would cost time: a
 * connection is accepted while its request is on the way. So it would where many come that stay:
 * libmicrohttpd takes ten a round, and each round the longer the more of them ask already. */
#include "server/http/httpd_internal.h"

#include <netinet/tcp.h>

#define WINDOW 64 /* connections that are judged together */
#define DENSE  51 /* in at most so many rounds: the succession is dense */
#define SPARSE 60 /* in more: it has been */

#define KEPT_S          1 /* the system's timer knows no less */
#define KEPT_AT_MOST_MS 1500 /* with a way there and back */

static void set(struct httpd_loop *loop, bool on)
{
	const struct httpd *h = loop->httpd;
	const int seconds = on ? KEPT_S : 0;

	loop->defer.on = false;
	/* Another loop, or the next daemon, has the same socket when it was handed in. */
	for (size_t i = 0; i < loop->daemons_n; i++)
		if (!h->listeners[i].handed_in &&
			setsockopt(loop->listen_fds[i], IPPROTO_TCP, TCP_DEFER_ACCEPT, &seconds,
				sizeof(seconds)) == 0)
			loop->defer.on |= on;
}

static void begin_window(struct httpd_defer *d)
{
	d->came = 0;
	d->left = 0;
	d->rounds = 0;
}

void httpd_defer_round(struct httpd_loop *loop)
{
	struct httpd_defer *d = &loop->defer;

	if (loop->came == 0)
		return;
	d->came += loop->came;
	d->rounds++;
	loop->came = 0;
	if (d->came < WINDOW)
		return;
	bool dense = d->rounds <= (d->on ? SPARSE : DENSE) && d->left >= WINDOW / 2;
	if (dense != d->on && !httpd_stopping(loop->httpd))
		set(loop, dense);
	begin_window(d);
	d->fresh = true;
}

void httpd_defer_sweep(struct httpd_loop *loop)
{
	struct httpd_defer *d = &loop->defer;

	if (d->on && !d->fresh)
		set(loop, false);
	if (!d->fresh)
		begin_window(d);
	d->fresh = false;
}

unsigned httpd_defer_end(struct httpd_loop *loop)
{
	if (!loop->defer.on)
		return 0;
	set(loop, false);
	return KEPT_AT_MOST_MS;
}
