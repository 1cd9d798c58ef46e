/* SPDX-License-Identifier: Apache-2.0 */
#include "server/daemon.h"
#include "common/base/clock.h"
#include "common/base/log.h"
#include "server/api/api.h"
#include "server/api/api_cache.h"
#include "server/api/api_files.h"
#include "server/api/api_near.h"
#include "server/api/api_openapi.h"
#include "server/api/api_rules.h"
#include "server/auth/authority.h"
#include "server/encoder.h"
#include "server/herald.h"
#include "server/http/httpd.h"
#include "server/import/importer.h"
#include "server/metrics/tally.h"
#include "server/scrubber.h"
#include "server/sysd.h"
#include "server/work/access_log.h"
#include "server/work/workpool.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <sys/resource.h>

#define CACHE_ENTRIES 16384u /* with API_CACHE_MAPPINGS each below the 65,530 of the kernel */
#define START_MOST_MS UINT64_C(3600000) /* migrating a catalog, or mending one after a crash */
#define STOP_MOST_MS  UINT64_C(600000)  /* beyond the drain */

/* ---- one count and one line for every request ---- */

static void note_access(void *cls, const struct httpd_access *a)
{
	const struct app *app = cls;
	struct access_log *log = atomic_load_explicit(&app->access, memory_order_acquire);

	tally_add(app->tally, a->loop, &(struct tally_request){
		.handler = a->handler,
		.method = a->method,
		.status = a->status,
		.sent = a->sent,
		.received = a->received,
		.micros = a->micros,
	});
	if (!log)
		return;
	access_log_add(log, a->loop, &(struct access_log_line){
		.when_ms = clock_now_ms(),
		.request_id = a->request_id,
		.trace = a->trace,
		.method = a->method,
		.target = a->target,
		.client = a->client,
		.handler = a->handler,
		.status = a->status,
		.sent = a->sent,
		.received = a->received,
		.micros = a->micros,
	});
}

/* ---- what parts go by ---- */

static unsigned loops_of(const struct config *c)
{
	return c->http_threads ? c->http_threads : httpd_default_loops();
}

struct httpd_options daemon_httpd_options(const struct options *o)
{
	const struct config *c = &o->config;

	return (struct httpd_options){
		.listen = (const char *const *)c->http_listen.items,
		.listen_n = c->http_listen.n,
		.certificate = c->tls_certificate,
		.key = c->tls_key,
		.loops = loops_of(c),
		.connections = c->http_connections,
		.connections_per_address = c->http_connections_per_address,
		.timeout_s = (unsigned)(c->http_timeout / 1000),
		.patience = {
			.head_ms = c->http_head_timeout,
			.request_ms = c->http_request_timeout,
			.rate = c->http_min_rate,
			.rate_ms = c->http_min_rate_time,
		},
		.max_expansion = c->limits_expansion,
		.send_buffer = (unsigned)c->http_send_buffer,
		.head_max = c->limits_head,
		.hosts = (const char *const *)c->http_hosts.items,
		.hosts_n = c->http_hosts.n,
		.write_origins = (const char *const *)c->http_cors_write_origins.items,
		.write_origins_n = c->http_cors_write_origins.n,
		.proxies = (const char *const *)c->http_trusted_proxies.items,
		.proxies_n = c->http_trusted_proxies.n,
		.proxies_say_forwarded = strcmp(c->http_forwarded, "standard") == 0,
	};
}

struct registry_options daemon_registry_options(const struct options *o)
{
	const struct config *c = &o->config;

	return (struct registry_options){
		.dir = c->store_dir,
		.max_model_json_bytes = c->limits_model_json,
		.max_file_bytes = c->limits_file,
		.max_version_bytes = c->limits_version,
		.max_version_files = c->limits_files,
		.upload_age_ms = c->limits_upload_age,
		.max_uploads = c->limits_uploads,
		.max_upload_bytes = c->limits_uploads_size,
		.max_expansion = c->limits_expansion,
		.models = {
			.quotas = o->quotas.items,
			.quotas_n = o->quotas.n,
			.max_versions = c->limits_versions,
		},
		.min_free_bytes = c->store_min_free,
		.repair = strcmp(c->validation_repair, "on") == 0,
	};
}

bool daemon_logs_access(const struct options *o)
{
	return o->config.log_access && options_log_level(o) <= LOG_LEVEL_INFO;
}

int daemon_want_access_log(struct daemon *d, const struct config *c, struct err *e)
{
	if (d->access || !c->log_access)
		return 0;
	return access_log_start(STDERR_FILENO, loops_of(&d->options->config), &d->access, e);
}

/* ---- start ---- */

static int open_registry(struct daemon *d, struct err *e)
{
	const struct registry_options o = daemon_registry_options(d->options);

	return registry_open(&o, &d->app.registry, e);
}

static int open_authority(struct daemon *d, struct err *e)
{
	const struct config *c = &d->options->config;

	return authority_new(
		&(struct authority_options){
			.catalog = registry_catalog(d->app.registry),
			.loops = loops_of(c),
			.anonymous = c->auth_anonymous,
		},
		&d->app.authority, e);
}

static int open_rules(struct daemon *d, struct err *e)
{
	struct api_rules *rules;
	int r = api_rules_new(&d->options->rules, &rules, e);

	if (r == 0)
		snapshot_set(&d->app.rules, &rules->shared);
	return r;
}

static int open_memory(struct daemon *d, struct err *e)
{
	const struct config *c = &d->options->config;
	int r = api_cache_new(CACHE_ENTRIES, c->http_cache, &d->app.cache, e);

	if (r == 0)
		r = api_near_new(d->app.cache, loops_of(c), &d->app.near, e);
	if (r == 0)
		r = api_openapi_new(&d->app.openapi, e);
	if (r == 0)
		r = api_metrics_tally(loops_of(c), &d->app.tally, e);
	return r;
}

static int start_workers(struct daemon *d, struct err *e)
{
	const struct config *c = &d->options->config;
	int r = workpool_start(c->work_threads, c->work_threads / 4, c->work_queue, &d->workers,
		e);

	if (r < 0)
		return r;
	damage_init(&d->damage, d->app.registry, d->app.cache);
	return upkeep_init(&d->upkeep, c, &d->app, &d->damage, d->workers, e);
}

static int open_access_log(struct daemon *d, struct err *e)
{
	if (!daemon_logs_access(d->options))
		return 0;
	int r = daemon_want_access_log(d, &d->options->config, e);

	atomic_store(&d->app.access, d->access);
	return r;
}

/* As after any other publish. */
static void imported(void *cls, const char *model)
{
	struct daemon *d = cls;

	api_cache_touch(d->app.cache, model);
}

static int start_importer(struct daemon *d, struct err *e)
{
	return importer_start(
		&(struct importer_options){
			.config = &d->options->config,
			.rules = &d->options->rules,
			.registry = d->app.registry,
			.published = imported,
			.cls = d,
		},
		&d->app.importer, e);
}

/* A part of the descriptors is for files: without it a crowd of clients would keep everybody else
 * from publishing and reading. */
static unsigned leave_descriptors(unsigned connections)
{
	struct rlimit limit;
	char asked[24], may[24];

	if (getrlimit(RLIMIT_NOFILE, &limit) < 0 || limit.rlim_cur == RLIM_INFINITY ||
		limit.rlim_cur / 4 * 3 >= connections)
		return connections;
	(void)snprintf(asked, sizeof(asked), "%u", connections);
	connections = (unsigned)(limit.rlim_cur / 4 * 3);
	(void)snprintf(may, sizeof(may), "%u", connections);
	log_event(LOG_LEVEL_WARNING,
		"fewer connections than http.connections says: three quarters of the files that "
		"may be open", "#asked", asked, "#connections", may, NULL);
	return connections;
}

static int start_httpd(struct daemon *d, struct err *e)
{
	struct httpd_options o = daemon_httpd_options(d->options);

	o.connections = leave_descriptors(o.connections);
	o.sockets = d->sockets;
	o.secure_sockets = d->secure;
	o.sockets_n = d->sockets_n;
	o.authority = d->app.authority;
	o.routes = api_routes;
	o.routes_n = api_routes_n;
	o.app = &d->app;
	o.workers = d->workers;
	o.peek = api_files_peek;
	o.peeked = &api_files;
	o.tick = api_files_tick;
	o.quiet_errors = api_routes_quiet;
	o.access = note_access;
	return httpd_start(&o, &d->httpd, e);
}

static int start_scrubber(struct daemon *d, struct err *e)
{
	return scrubber_start(&d->options->config, d->app.registry, &d->damage, &d->scrubber, e);
}

static int start_encoder(struct daemon *d, struct err *e)
{
	return encoder_start(&d->options->config, d->app.registry, d->app.cache, &d->damage,
		&d->encoder, e);
}

static int start_parts(struct daemon *d, struct err *e)
{
	static const struct {
		const char *what;
		int (*start)(struct daemon *d, struct err *e);
	} steps[] = {
		{"opening the store", open_registry},
		{"reading the tokens", open_authority},
		{"making room in memory", open_rules},
		{"making room in memory", open_memory},
		{"starting the workers", start_workers},
		{"opening the log", open_access_log},
		{"looking for imports to go on with", start_importer},
		{"listening", start_httpd},
		{"starting what runs beside", start_scrubber},
		{"starting what runs beside", start_encoder},
	};
	int r = 0;

	for (size_t i = 0; i < ARRAY_SIZE(steps) && r == 0; i++) {
		atomic_store(&d->step, steps[i].what);
		r = steps[i].start(d, e);
	}
	return r;
}

static void describe_start(void *cls, struct buf *out)
{
	const struct daemon *d = cls;

	buf_addf(out, "Starting: %s", atomic_load(&d->step));
}

int daemon_start(struct daemon *d, unsigned watchdog_ms, struct err *e)
{
	struct herald herald;
	int r;

	atomic_init(&d->step, "reading the configuration");
	atomic_init(&d->app.access, NULL);
	snapshot_cell_init(&d->app.rules, NULL);
	api_reload_init(&d->reload);
	d->app.reload = &d->reload;
	r = sysd_sockets(&d->sockets, &d->secure, &d->sockets_n, e); /* before there are threads */
	if (r == 0) {
		herald_begin(&herald, &(struct herald_task){
			.describe = describe_start, .cls = d, .most_ms = START_MOST_MS});
		r = start_parts(d, e);
		herald_end(&herald);
	}
	vigil_init(&d->vigil, d->httpd, d->workers, &d->app, &d->upkeep, watchdog_ms,
		d->options->config.work_threads);
	return r;
}

/* ---- stop: from the roof down, each part while what it stands on still runs ---- */

static void close_authority(struct authority *a)
{
	struct err e;

	if (a && authority_tidy(a, &e) < 0)
		log_err("noting when tokens were used failed", &e);
	authority_free(a);
}

static void stop_parts(struct daemon *d)
{
	upkeep_stop(&d->upkeep);
	scrubber_stop(d->scrubber);
	encoder_stop(d->encoder);
	importer_stop(d->app.importer);
	if (d->httpd)
		httpd_drain(d->httpd, (unsigned)d->options->config.http_drain);
	workpool_stop(d->workers);
	upkeep_done(&d->upkeep);
	importer_free(d->app.importer);
	access_log_stop(d->access);
	tally_free(d->app.tally);
	api_openapi_free(d->app.openapi);
	api_near_free(d->app.near);
	api_cache_free(d->app.cache);
	close_authority(d->app.authority);
	registry_close(d->app.registry);
}

static void describe_stop(void *cls, struct buf *out)
{
	const struct daemon *d = cls;
	struct httpd_load load = {.requests = 0};

	if (d->httpd)
		httpd_load(d->httpd, &load);
	buf_addf(out, "Stopping: %" PRIu64 " request%s on %" PRIu64 " connection%s left",
		load.requests, load.requests == 1 ? "" : "s", load.connections,
		load.connections == 1 ? "" : "s");
	if (load.left_ms > 0)
		buf_addf(out, ", to be cut in %" PRIu64 " s", (load.left_ms + 999) / 1000);
}

static void hurry(void *cls)
{
	struct daemon *d = cls;

	if (d->httpd)
		httpd_hurry(d->httpd);
}

void daemon_stop(struct daemon *d)
{
	struct herald_task task = {.describe = describe_stop, .hurry = hurry, .cls = d};
	CLEANUP_BUF struct buf status = BUF_INIT(256);
	struct herald herald;

	(void)sigemptyset(&task.signals);
	(void)sigaddset(&task.signals, SIGTERM);
	(void)sigaddset(&task.signals, SIGINT);
	task.most_ms = d->options->config.http_drain + STOP_MOST_MS;
	describe_stop(d, &status);
	task.told = buf_str(&status);
	sysd_stopping(task.told);
	herald_begin(&herald, &task);
	stop_parts(d);
	herald_end(&herald);
	httpd_free(d->httpd); /* the herald asks it how many are left */
	vigil_done(&d->vigil);
	snapshot_cell_done(&d->app.rules);
	api_reload_done(&d->reload);
	free(d->sockets);
	free(d->secure);
}
