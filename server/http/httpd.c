/* SPDX-License-Identifier: Apache-2.0 */
#include "server/http/httpd.h"
#include "server/http/httpd_internal.h"
#include "server/http/problem.h"

#include <sched.h>
#include <signal.h>
#include <string.h>

unsigned httpd_default_loops(void)
{
	cpu_set_t mine;
	int n = sched_getaffinity(0, sizeof(mine), &mine) == 0 ? CPU_COUNT(&mine) : 1;

	return n > 0 ? (unsigned)n : 1;
}

static void copy_options(struct httpd *h, const struct httpd_options *o)
{
	h->o = *o;
	h->o.listen = NULL;
	h->o.sockets = NULL;
	h->o.secure_sockets = NULL;
	h->o.certificate = NULL;
	h->o.key = NULL;
	h->o.hosts = NULL;
	h->o.write_origins = NULL;
	h->o.proxies = NULL;
}

static int make_parts(struct httpd *h, const struct httpd_options *o, struct err *e)
{
	struct err no_memory;

	err_nomem(&no_memory);
	h->no_memory = problem_reply_empty(&no_memory);
	h->loops_n = o->loops ? o->loops : httpd_default_loops();
	h->loops = calloc(h->loops_n, sizeof(*h->loops));
	h->listeners_n = o->sockets_n ? o->sockets_n : o->listen_n;
	h->listeners = calloc(h->listeners_n ? h->listeners_n : 1, sizeof(*h->listeners));
	h->peers = httpd_peers_new(o->connections_per_address, o->connections);
	if (!h->no_memory || !h->loops || !h->listeners || !h->peers)
		return err_nomem(e);
	/* Both variants are made now, since there may be no memory for one when it is needed. */
	if (!reply_mhd(h->no_memory, true))
		return err_nomem(e);
	return h->listeners_n ? 0 : err_set(e, ERR_CONFIG, "there is no address to listen on");
}

static bool wants_tls(const struct httpd_options *o, size_t i)
{
	if (o->sockets_n)
		return o->secure_sockets && o->secure_sockets[i];
	return httpd_listen_wants_tls(o->listen[i]);
}

/* Sockets that were handed in are taken over here, all of them, also when one is refused. */
static int open_listeners(struct httpd *h, const struct httpd_options *o, struct err *e)
{
	int result = 0;

	for (size_t i = 0; i < h->listeners_n; i++) {
		struct httpd_listener *l = &h->listeners[i];

		if (o->sockets_n && result < 0)
			(void)close(o->sockets[i]);
		else if (o->sockets_n)
			result = httpd_listen_adopt(l, o->sockets[i], h->loops_n, o->send_buffer,
				e);
		else if (result == 0)
			result = httpd_listen_open(l, o->listen[i], h->loops_n, o->send_buffer, e);
		l->is_secure = wants_tls(o, i);
	}
	return result;
}

static void look_at_listeners(struct httpd *h)
{
	h->loopback_only = true;
	for (size_t i = 0; i < h->listeners_n; i++)
		h->loopback_only = h->loopback_only && httpd_listen_is_loopback(&h->listeners[i]);
}

static int make_settings(struct httpd *h, const struct httpd_options *o, struct err *e)
{
	struct httpd_settings *s;
	int result = httpd_settings_new(h, o, &s, e);

	if (result < 0)
		return result;
	tls_fresh_free(take_ptr(s->certificate)); /* it has just been read */
	snapshot_cell_init(&h->settings, &s->shared);
	h->has_settings = true;
	return 0;
}

/* Before the listeners: who cannot shake hands takes no connections. */
static int open_tls(struct httpd *h, const struct httpd_options *o, struct err *e)
{
	bool is_secure = false;

	for (size_t i = 0; i < h->listeners_n; i++)
		is_secure = is_secure || wants_tls(o, i);
	if (!is_secure)
		return 0;
	if (!o->certificate || !o->certificate[0] || !o->key || !o->key[0])
		return err_set(e, ERR_CONFIG, "TLS needs a certificate and its key");
	return tls_open(o->certificate, o->key, &h->tls, e);
}

static int start(struct httpd *h, const struct httpd_options *o, struct err *e)
{
	int result;

	copy_options(h, o);
	result = make_parts(h, o, e);
	if (result == 0)
		result = open_tls(h, o, e);
	if (result == 0)
		result = open_listeners(h, o, e);
	if (result == 0) {
		look_at_listeners(h);
		result = make_settings(h, o, e);
	}
	for (unsigned i = 0; result == 0 && i < h->loops_n; i++)
		result = httpd_loop_start(h, i, e);
	return result;
}

int httpd_start(const struct httpd_options *o, struct httpd **ret, struct err *e)
{
	struct httpd *h = calloc(1, sizeof(*h));
	int result;

	if (!h)
		return err_nomem(e);
	bell_init(&h->renewed);
	(void)sigaction(SIGPIPE, &(struct sigaction){.sa_handler = SIG_IGN}, NULL);
	result = start(h, o, e);
	if (result < 0) {
		httpd_stop(h, 0);
		return result;
	}
	*ret = h;
	return 0;
}

unsigned httpd_port(const struct httpd *h, size_t i)
{
	return i < h->listeners_n ? httpd_listen_port(&h->listeners[i]) : 0;
}

void httpd_url(const struct httpd *h, size_t i, struct buf *out)
{
	if (i < h->listeners_n)
		httpd_listen_url(&h->listeners[i], out);
}

bool httpd_loopback_only(const struct httpd *h)
{
	return h->loopback_only;
}

int httpd_refresh_certificate(struct httpd *h, bool anyway, struct buf *warning, struct err *e)
{
	int result = h->tls ? tls_refresh(h->tls, anyway, e) : 0;

	if (result > 0)
		(void)tls_warn(tls_facts(h->tls), clock_now_ms(), warning);
	return result;
}

void httpd_drain(struct httpd *h, unsigned deadline_ms)
{
	atomic_store(&h->stop_by_ms, clock_mono_ms() + deadline_ms);
	for (size_t i = 0; h->loops && i < h->loops_n; i++)
		if (h->loops[i].started)
			httpd_loop_wake(&h->loops[i]);
	for (size_t i = 0; h->loops && i < h->loops_n; i++)
		httpd_loop_join(&h->loops[i]);
}

void httpd_hurry(struct httpd *h)
{
	atomic_store(&h->stop_by_ms, 1);
}

void httpd_free(struct httpd *h)
{
	if (!h)
		return;
	for (size_t i = 0; h->listeners && i < h->listeners_n; i++)
		httpd_listen_close(&h->listeners[i]);
	if (h->has_settings)
		snapshot_cell_done(&h->settings);
	bell_done(&h->renewed);
	free(h->listeners);
	free(h->loops);
	httpd_peers_free(h->peers);
	tls_free(h->tls);
	reply_unref(h->no_memory);
	free(h);
}

void httpd_stop(struct httpd *h, unsigned deadline_ms)
{
	if (!h)
		return;
	httpd_drain(h, deadline_ms);
	httpd_free(h);
}

void httpd_load(const struct httpd *h, struct httpd_load *ret)
{
	uint64_t until = atomic_load(&h->stop_by_ms), now = clock_mono_ms();

	*ret = (struct httpd_load){.left_ms = until > now ? until - now : 0};
	for (size_t i = 0; i < h->loops_n; i++) {
		const struct httpd_loop *loop = &h->loops[i];
		uint64_t closed = atomic_load(&loop->closed); /* first: never more of them */

		ret->connections += atomic_load(&loop->accepted) - closed;
		ret->requests += atomic_load_explicit(&loop->shown_active, memory_order_relaxed);
	}
}

bool httpd_alive(const struct httpd *h, unsigned within_ms)
{
	uint64_t now = clock_mono_ms();

	for (size_t i = 0; i < h->loops_n; i++)
		if (now - atomic_load_explicit(&h->loops[i].round_ms, memory_order_relaxed) >
			within_ms)
			return false;
	return true;
}
