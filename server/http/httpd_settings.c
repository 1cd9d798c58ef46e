/* SPDX-License-Identifier: Apache-2.0 */
/* What can change while the server runs. */
#include "server/http/httpd_internal.h"

#include <string.h>

#define TAKE_MS 5000 /* a loop that does not come round for so long is left alone */

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
	for (size_t i = 0; list && i < n; i++)
		free(list[i]);
	free(list);
}

static void free_settings(struct snapshot *shared)
{
	struct httpd_settings *s = (struct httpd_settings *)shared;

	free_list(s->hosts, s->policy.hosts_n);
	free_list(s->write_origins, s->policy.write_origins_n);
	forwarded_policy_done(&s->forwarded);
	tls_fresh_free(s->certificate);
	free(s);
}

static int copy_lists(struct httpd_settings *s, const struct httpd_options *o, struct err *e)
{
	struct guard_policy *p = &s->policy;
	int r = copy_list(o->hosts, o->hosts_n, &s->hosts, &p->hosts_n, e);

	if (r == 0)
		r = copy_list(o->write_origins, o->write_origins_n, &s->write_origins,
			&p->write_origins_n, e);
	if (r == 0)
		r = forwarded_policy_init(&s->forwarded, o->proxies, o->proxies_n, e);
	s->forwarded.is_standard = o->proxies_say_forwarded;
	p->hosts = (const char *const *)s->hosts;
	p->write_origins = (const char *const *)s->write_origins;
	return r;
}

/* Beyond loopback we cannot know our names, and whoever asks can reach us anyway. */
static void complete_policy(const struct httpd *h, struct guard_policy *p)
{
	p->loopback_only = h->loopback_only;
	for (size_t i = 0; i < p->hosts_n; i++)
		p->any_host |= strcmp(p->hosts[i], "*") == 0;
	if (!p->loopback_only && p->hosts_n == 0)
		p->any_host = true;
}

int httpd_settings_new(const struct httpd *h, const struct httpd_options *o,
	struct httpd_settings **ret, struct err *e)
{
	struct httpd_settings *s = calloc(1, sizeof(*s));
	int r;

	if (!s)
		return err_nomem(e);
	snapshot_init(&s->shared, free_settings);
	s->patience = o->patience;
	s->timeout_s = o->timeout_s;
	s->max_expansion = o->max_expansion;
	s->connections_per_address = o->connections_per_address;
	r = copy_lists(s, o, e);
	complete_policy(h, &s->policy);
	/* Without TLS in the configuration a server that has it goes on with what it has. */
	if (r == 0 && h->tls && o->certificate && o->certificate[0])
		r = tls_fresh_new(o->certificate, o->key, &s->certificate, e);
	if (r < 0)
		httpd_settings_unref(s);
	else
		*ret = s;
	return r;
}

void httpd_settings_unref(struct httpd_settings *s)
{
	if (s)
		snapshot_unref(&s->shared);
}

/* ---- putting them in force ---- */

static bool all_have(const struct httpd *h, const struct snapshot *s)
{
	for (size_t i = 0; i < h->loops_n; i++)
		if (atomic_load(&h->loops[i].goes_by) != s)
			return false;
	return true;
}

static bool wait_for_loops(struct httpd *h, const struct snapshot *s)
{
	uint64_t until = clock_mono_ms() + TAKE_MS, now = clock_mono_ms();
	uint64_t seen = bell_rung(&h->renewed);

	for (size_t i = 0; i < h->loops_n; i++)
		httpd_loop_wake(&h->loops[i]);
	for (; !all_have(h, s) && now < until; now = clock_mono_ms())
		seen = bell_wait(&h->renewed, seen, until - now);
	return all_have(h, s);
}

bool httpd_settings_put(struct httpd *h, struct httpd_settings *s)
{
	if (s->certificate)
		tls_replace(h->tls, take_ptr(s->certificate));
	httpd_peers_set_limit(h->peers, s->connections_per_address);
	snapshot_set(&h->settings, &s->shared); /* which has a reference from here on */
	return wait_for_loops(h, &s->shared);
}

void httpd_settings_renew(struct httpd_loop *loop)
{
	if (!snapshot_renew(&loop->httpd->settings, &loop->settings))
		return;
	loop->host_n = 0;
	httpd_conn_renew(loop);
	atomic_store(&loop->goes_by, loop->settings);
	bell_ring(&loop->httpd->renewed);
}
