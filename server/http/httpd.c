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

static int copy_list(const char *const *from, size_t n, char ***ret, size_t *ret_n, struct err *e)
{
	*ret = calloc(n ? n : 1, sizeof(**ret));
	if (!*ret)
		return err_nomem(e);
	for (; *ret_n < n; (*ret_n)++) {
		(*ret)[*ret_n] = strdup(from[*ret_n]);
		if (!(*ret)[*ret_n])
			return err_nomem(e);
	}
	return 0;
}

static void free_list(char **list, size_t n)
{
	for (size_t i = 0; i < n; i++)
		free(list[i]);
	free(list);
}

static int copy_options(struct httpd *h, const struct httpd_options *o, struct err *e)
{
	struct guard_policy *p = &h->policy;
	int r;

	h->o = *o;
	h->o.listen = NULL;
	h->o.sockets = NULL;
	h->o.secure_sockets = NULL;
	h->o.certificate = NULL;
	h->o.key = NULL;
	h->o.hosts = NULL;
	h->o.write_origins = NULL;
	h->o.proxies = NULL;
	h->forwarded.is_standard = o->proxies_say_forwarded;
	r = copy_list(o->hosts, o->hosts_n, &h->hosts, &p->hosts_n, e);
	if (r == 0)
		r = copy_list(o->write_origins, o->write_origins_n, &h->write_origins,
			&p->write_origins_n, e);
	if (r == 0)
		r = forwarded_policy_init(&h->forwarded, o->proxies, o->proxies_n, e);
	p->hosts = (const char *const *)h->hosts;
	p->write_origins = (const char *const *)h->write_origins;
	for (size_t i = 0; i < p->hosts_n; i++)
		p->any_host |= strcmp(p->hosts[i], "*") == 0;
	return r;
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

static void complete_policy(struct httpd *h)
{
	bool loopback_only = true;

	for (size_t i = 0; i < h->listeners_n; i++)
		loopback_only = loopback_only && httpd_listen_is_loopback(&h->listeners[i]);
	h->policy.loopback_only = loopback_only;
	/* Beyond loopback we cannot know our names, and whoever asks can reach us anyway. */
	if (!loopback_only && h->policy.hosts_n == 0)
		h->policy.any_host = true;
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
	int result = copy_options(h, o, e);

	if (result == 0)
		result = make_parts(h, o, e);
	if (result == 0)
		result = open_tls(h, o, e);
	if (result == 0)
		result = open_listeners(h, o, e);
	complete_policy(h);
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
	return h->policy.loopback_only;
}

int httpd_refresh_certificate(struct httpd *h, bool anyway, struct buf *warning, struct err *e)
{
	int result = h->tls ? tls_refresh(h->tls, anyway, e) : 0;

	if (result > 0)
		(void)tls_warn(tls_facts(h->tls), clock_now_ms(), warning);
	return result;
}

void httpd_stop(struct httpd *h, unsigned deadline_ms)
{
	if (!h)
		return;
	atomic_store(&h->stop_by_ms, clock_mono_ms() + deadline_ms);
	for (size_t i = 0; h->loops && i < h->loops_n; i++)
		if (h->loops[i].started)
			httpd_loop_wake(&h->loops[i]);
	for (size_t i = 0; h->loops && i < h->loops_n; i++)
		httpd_loop_join(&h->loops[i]);
	for (size_t i = 0; h->listeners && i < h->listeners_n; i++)
		httpd_listen_close(&h->listeners[i]);
	free_list(h->hosts, h->policy.hosts_n);
	free_list(h->write_origins, h->policy.write_origins_n);
	forwarded_policy_done(&h->forwarded);
	free(h->listeners);
	free(h->loops);
	httpd_peers_free(h->peers);
	tls_free(h->tls);
	reply_unref(h->no_memory);
	free(h);
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
