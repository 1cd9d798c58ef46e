/* SPDX-License-Identifier: Apache-2.0 */
#include "server/reload.h"
#include "common/base/clock.h"
#include "common/base/log.h"
#include "common/registry/registry_limits.h"
#include "server/api/api_cache.h"
#include "server/api/api_rules.h"
#include "server/auth/authority.h"
#include "server/encoder.h"
#include "server/http/httpd.h"
#include "server/import/importer.h"
#include "server/metrics/metrics.h"
#include "server/scrubber.h"

#include <string.h>

#define KEYS_MAX 8192 /* bytes of the names of all keys */

/* What each part will go by. */
struct prepared {
	struct httpd_settings *httpd;
	struct registry_limits *limits;
	struct api_rules *rules;
	struct authority_anonymous *anonymous;
	struct importer_settings *importer;
	struct upkeep_settings *upkeep;
};

static void prepared_done(struct prepared *p)
{
	httpd_settings_unref(p->httpd);
	registry_limits_unref(p->limits);
	api_rules_unref(p->rules);
	authority_anonymous_unref(p->anonymous);
	importer_settings_unref(p->importer);
	upkeep_settings_unref(p->upkeep);
}

static int prepare(struct daemon *d, const struct options *o, struct prepared *p, struct err *e)
{
	const struct httpd_options httpd = daemon_httpd_options(o);
	const struct registry_options registry = daemon_registry_options(o);
	int r = httpd_settings_new(d->httpd, &httpd, &p->httpd, e);

	if (r == 0)
		r = registry_limits_new(&registry, &p->limits, e);
	if (r == 0)
		r = api_rules_new(&o->rules, &p->rules, e);
	if (r == 0)
		r = authority_anonymous_new(o->config.auth_anonymous, &p->anonymous, e);
	if (r == 0)
		r = importer_settings_new(d->app.importer, &o->config, &o->rules, &p->importer, e);
	if (r == 0)
		r = upkeep_settings_new(&o->config, &p->upkeep, e);
	if (r == 0)
		r = daemon_want_access_log(d, &o->config, e);
	return r;
}

/* ---- nothing fails from here on ---- */

/* What is kept ready says of each file whether everybody may have it. */
static void change_anonymous(struct daemon *d, const struct options *o, struct prepared *p)
{
	bool changed = strcmp(o->config.auth_anonymous, d->options->config.auth_anonymous) != 0;

	authority_anonymous_put(d->app.authority, take_ptr(p->anonymous));
	if (changed)
		api_cache_clear(d->app.cache);
}

static void change_log(struct daemon *d, const struct options *o)
{
	log_set_level(options_log_level(o));
	log_set_style(options_log_style(o));
	atomic_store(&d->app.access, daemon_logs_access(o) ? d->access : NULL);
}

static void change_all(struct daemon *d, const struct options *o, struct prepared *p)
{
	change_log(d, o);
	if (!httpd_settings_put(d->httpd, take_ptr(p->httpd)))
		log_event(LOG_LEVEL_ERROR, "an event loop does not take over what was reloaded",
			NULL);
	registry_limits_put(d->app.registry, take_ptr(p->limits));
	snapshot_set(&d->app.rules, &take_ptr(p->rules)->shared);
	change_anonymous(d, o, p);
	importer_settings_put(d->app.importer, take_ptr(p->importer));
	upkeep_settings_put(&d->upkeep, take_ptr(p->upkeep));
	scrubber_set(d->scrubber, &o->config);
	encoder_set(d->encoder, &o->config);
}

/* Who has what was there before points into none of it: it is freed here. */
static void succeed(struct daemon *d, struct options *o)
{
	struct options before = *d->options;

	config_reload_keep(&o->config, &before.config);
	*d->options = *o;
	options_done(&before);
}

/* ---- what came of it: first noted, then told, so that who has read the line finds it ---- */

static void tell_success(const struct buf *changed, const struct buf *restart)
{
	if (restart->len > 0)
		log_event(LOG_LEVEL_WARNING, "a change of these keys takes a restart", "keys",
			buf_str(restart), NULL);
	log_event(LOG_LEVEL_INFO, "reloaded the configuration", "changed",
		changed->len > 0 ? buf_str(changed) : "nothing", NULL);
}

static void tell_failure(const struct err *e)
{
	log_event(LOG_LEVEL_ERROR,
		"the configuration was not reloaded; the one from before stays in force", "code",
		err_name(e->code), "error", e->text, NULL);
}

static void note(struct daemon *d, const struct err *e)
{
	uint64_t now = clock_now_ms();

	api_reload_note(&d->reload, now, e ? e->text : NULL);
	metrics_set(METRICS_RELOAD_GOOD, e ? 0 : 1);
	if (!e)
		metrics_set(METRICS_RELOAD_TIME, now / 1000);
}

void reload_note_start(void)
{
	metrics_set(METRICS_RELOAD_GOOD, 1);
	metrics_set(METRICS_RELOAD_TIME, clock_now_ms() / 1000);
}

static int reload(struct daemon *d, const struct reload_source *from, struct err *e)
{
	CLEANUP(prepared_done) struct prepared p = {.httpd = NULL};
	CLEANUP_BUF struct buf changed = BUF_INIT(KEYS_MAX), restart = BUF_INIT(KEYS_MAX);
	struct options o;
	int r = options_read(from->argc, from->argv, from->env, &o, e);

	if (r < 0)
		return r;
	r = prepare(d, &o, &p, e);
	if (r < 0) {
		options_done(&o);
		return r;
	}
	config_reload_compare(&d->options->config, &o.config, &changed, &restart);
	change_all(d, &o, &p);
	succeed(d, &o);
	note(d, NULL);
	tell_success(&changed, &restart);
	return 0;
}

void reload_run(struct daemon *d, const struct reload_source *from)
{
	struct err e;
	int r = reload(d, from, &e);

	if (r == 0)
		return;
	note(d, &e);
	tell_failure(&e);
}
