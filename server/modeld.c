/* SPDX-License-Identifier: Apache-2.0 */
/* The daemon's main: read the options, build the parts from the ground up, serve until told to
 * stop, take them down in the opposite order. */
#include "common/base/clock.h"
#include "common/base/fsio.h"
#include "common/base/log.h"
#include "server/api/api.h"
#include "server/api/api_files.h"
#include "server/api/api_near.h"
#include "server/api/api_openapi.h"
#include "server/auth/authority.h"
#include "server/audit.h"
#include "server/backup.h"
#include "server/certificate.h"
#include "server/api/api_cache.h"
#include "server/http/httpd.h"
#include "server/damage.h"
#include "server/encoder.h"
#include "server/fsck.h"
#include "server/gc.h"
#include "server/import/importer.h"
#include "server/metrics/metrics.h"
#include "server/metrics/tally.h"
#include "server/options.h"
#include "server/prune.h"
#include "server/scrub.h"
#include "server/scrubber.h"
#include "server/sysd.h"
#include "server/tokens.h"
#include "server/upkeep.h"
#include "server/work/access_log.h"
#include "server/work/workpool.h"

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sysexits.h>
#include <sys/resource.h>
#include <time.h>

#define CACHE_ENTRIES   16384u /* with API_CACHE_MAPPINGS each below the 65,530 of the kernel */
#define LOOP_STALLED_MS 10000u /* a loop that did not come round for so long is not alive */

struct daemon {
	const struct options *options;
	struct app app;
	struct workpool *workers;
	struct access_log *access;
	struct httpd *httpd;
	struct damage damage;
	struct scrubber *scrubber;
	struct encoder *encoder;
	struct upkeep upkeep;
};

/* ---- one count and one line for every request ---- */

static void note_access(void *cls, const struct httpd_access *a)
{
	const struct app *app = cls;

	tally_add(app->tally, a->loop, &(struct tally_request){
		.handler = a->handler,
		.method = a->method,
		.status = a->status,
		.sent = a->sent,
		.received = a->received,
		.micros = a->micros,
	});
	if (!app->access)
		return;
	access_log_add(app->access, a->loop, &(struct access_log_line){
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

/* ---- start ---- */

static unsigned loops_of(const struct config *c)
{
	return c->http_threads ? c->http_threads : httpd_default_loops();
}

static int start_httpd(struct daemon *d, const int *sockets, const bool *secure, size_t sockets_n,
	struct err *e)
{
	const struct config *c = &d->options->config;

	return httpd_start(
		&(struct httpd_options){
			.listen = (const char *const *)c->http_listen.items,
			.listen_n = c->http_listen.n,
			.sockets = sockets,
			.sockets_n = sockets_n,
			.secure_sockets = secure,
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
			.head_max = c->limits_head,
			.max_expansion = c->limits_expansion,
			.send_buffer = (unsigned)c->http_send_buffer,
			.hosts = (const char *const *)c->http_hosts.items,
			.hosts_n = c->http_hosts.n,
			.write_origins = (const char *const *)c->http_cors_write_origins.items,
			.write_origins_n = c->http_cors_write_origins.n,
			.proxies = (const char *const *)c->http_trusted_proxies.items,
			.proxies_n = c->http_trusted_proxies.n,
			.proxies_say_forwarded = strcmp(c->http_forwarded, "standard") == 0,
			.authority = d->app.authority,
			.routes = api_routes,
			.routes_n = api_routes_n,
			.app = &d->app,
			.workers = d->workers,
			.peek = api_files_peek,
			.peeked = &api_files,
			.tick = api_files_tick,
			.quiet_errors = api_routes_quiet,
			.access = note_access,
		},
		&d->httpd, e);
}

static int open_registry(struct daemon *d, struct err *e)
{
	const struct config *c = &d->options->config;

	return registry_open(
		&(struct registry_options){
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
				.quotas = d->options->quotas.items,
				.quotas_n = d->options->quotas.n,
				.max_versions = c->limits_versions,
			},
			.min_free_bytes = c->store_min_free,
			.repair = strcmp(c->validation_repair, "on") == 0,
		},
		&d->app.registry, e);
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

static int start(struct daemon *d, struct err *e)
{
	const struct config *c = &d->options->config;
	CLEANUP_FREE int *sockets = NULL;
	CLEANUP_FREE bool *secure = NULL;
	size_t sockets_n = 0;
	int r = sysd_sockets(&sockets, &secure, &sockets_n, e);

	d->app.config = c;
	d->app.rules = &d->options->rules;
	if (r == 0)
		r = open_registry(d, e);
	if (r == 0)
		r = open_authority(d, e);
	if (r == 0)
		r = api_cache_new(CACHE_ENTRIES, c->http_cache, &d->app.cache, e);
	if (r == 0)
		r = api_near_new(d->app.cache, loops_of(c), &d->app.near, e);
	if (r == 0)
		r = api_openapi_new(&d->app.openapi, e);
	if (r == 0)
		r = workpool_start(c->work_threads, c->work_threads / 4, c->work_queue,
			&d->workers, e);
	if (r == 0)
		damage_init(&d->damage, d->app.registry, d->app.cache);
	if (r == 0)
		r = upkeep_init(&d->upkeep, d->options, &d->app, &d->damage, d->workers, e);
	if (r == 0 && c->log_access && log_enabled(LOG_LEVEL_INFO))
		r = access_log_start(STDERR_FILENO, loops_of(c), &d->access, e);
	d->app.access = d->access;
	if (r == 0)
		r = api_metrics_tally(loops_of(c), &d->app.tally, e);
	if (r == 0)
		r = start_importer(d, e);
	if (r == 0)
		r = start_httpd(d, sockets, secure, sockets_n, e);
	if (r == 0)
		r = scrubber_start(c, d->app.registry, &d->damage, &d->scrubber, e);
	if (r == 0)
		r = encoder_start(c, d->app.registry, d->app.cache, &d->damage, &d->encoder, e);
	return r;
}

/* ---- what people and scripts are told ---- */

static int write_port_file(const struct daemon *d, struct err *e)
{
	char text[16];

	if (!d->options->port_file)
		return 0;
	int n = snprintf(text, sizeof(text), "%u\n", httpd_port(d->httpd, 0));
	return fsio_write_file(d->options->port_file, text, (size_t)n, e);
}

static const char lines_to_try[] =
	"Try:\n"
	"  TensorFlow.js   await model.save('%s/models/my-model')\n"
	"                  await tf.loadLayersModel('%s/models/my-model/model.json')\n"
	"  curl            curl -F model.json=@model.json -F weights.bin=@weights.bin"
	" %s/models/my-model\n"
	"                  curl %s/v1/models\n\n";

static const char beyond_loopback[] =
	"It listens beyond loopback, where publishing needs a token. To make one:\n"
	"  modeld token create --store '%s' --scope read,publish,label\n"
	"and to use it: curl -H 'Authorization: Bearer mdl_...'\n\n";

static void print_banner(const struct daemon *d, const char *url)
{
	const char *store = d->options->config.store_dir;

	printf("modeld " PACKAGE_VERSION " serves %s\nstore: %s\n\n", url, store);
	if (httpd_loopback_only(d->httpd))
		printf(lines_to_try, url, url, url, url);
	else
		printf(beyond_loopback, store);
	(void)fflush(stdout);
}

static int announce(const struct daemon *d, struct err *e)
{
	CLEANUP_BUF struct buf url = BUF_INIT(512);
	int r = write_port_file(d, e);

	if (r < 0)
		return r;
	httpd_url(d->httpd, 0, &url);
	print_banner(d, buf_str(&url));
	log_event(LOG_LEVEL_INFO, "serving", "url", buf_str(&url), "store",
		d->options->config.store_dir, "version", PACKAGE_VERSION, NULL);
	sysd_ready(buf_str(&url));
	return 0;
}

/* ---- until told to stop ---- */

static sigset_t expected_signals(void)
{
	sigset_t set;

	(void)sigemptyset(&set);
	(void)sigaddset(&set, SIGHUP);
	(void)sigaddset(&set, SIGTERM);
	(void)sigaddset(&set, SIGINT);
	return set;
}

static void feed_watchdog(struct daemon *d)
{
	if (httpd_alive(d->httpd, LOOP_STALLED_MS))
		sysd_watchdog_ping();
	else
		log_event(LOG_LEVEL_ERROR, "an event loop stalls", NULL);
}

static void wait_for_stop(struct daemon *d)
{
	uint64_t watchdog = sysd_watchdog_interval_ms();
	uint64_t upkeep = upkeep_interval_ms(&d->upkeep);
	uint64_t tick = watchdog > 0 && watchdog / 2 < upkeep ? watchdog / 2 : upkeep;
	struct timespec timeout = {
		.tv_sec = (time_t)(tick / 1000), .tv_nsec = (long)(tick % 1000) * 1000000};
	sigset_t set = expected_signals();

	for (;;) {
		if (watchdog > 0)
			feed_watchdog(d);
		upkeep_tick(&d->upkeep);
		int sig = sigtimedwait(&set, NULL, &timeout);
		certificate_refresh(d->httpd, sig == SIGHUP);
		if (sig > 0 && sig != SIGHUP) {
			log_event(LOG_LEVEL_INFO, "stopping", "signal", strsignal(sig), NULL);
			return;
		}
	}
}

/* ---- stop: from the roof down, each part while what it stands on still runs ---- */

static void close_authority(struct authority *a)
{
	struct err e;

	if (a && authority_tidy(a, &e) < 0)
		log_err("noting when tokens were used failed", &e);
	authority_free(a);
}

static void stop(struct daemon *d)
{
	sysd_stopping();
	upkeep_stop(&d->upkeep);
	scrubber_stop(d->scrubber);
	encoder_stop(d->encoder);
	importer_stop(d->app.importer);
	httpd_stop(d->httpd, (unsigned)d->options->config.http_drain);
	workpool_stop(d->workers);
	importer_free(d->app.importer);
	access_log_stop(d->access);
	tally_free(d->app.tally);
	api_openapi_free(d->app.openapi);
	api_near_free(d->app.near);
	api_cache_free(d->app.cache);
	close_authority(d->app.authority);
	registry_close(d->app.registry);
}

/* Files, sockets and blobs in flight all take descriptors: use what the system lets us have. */
static void raise_file_limit(void)
{
	struct rlimit limit;

	if (getrlimit(RLIMIT_NOFILE, &limit) == 0 && limit.rlim_cur < limit.rlim_max) {
		limit.rlim_cur = limit.rlim_max;
		(void)setrlimit(RLIMIT_NOFILE, &limit);
	}
}

static int serve(const struct options *o, struct err *e)
{
	struct daemon d = {.options = o};
	sigset_t set = expected_signals();

	(void)pthread_sigmask(SIG_BLOCK, &set, NULL); /* before any thread: they inherit it */
	raise_file_limit();
	metrics_set(METRICS_START, clock_now_ms() / 1000);
	int r = start(&d, e);
	if (r == 0)
		r = announce(&d, e);
	if (r == 0)
		wait_for_stop(&d);
	stop(&d);
	return r;
}

static int exit_status(const struct err *e)
{
	if (e->code == ERR_BAD_PARAMETER)
		return EX_USAGE;
	return e->code == ERR_CONFIG ? EX_CONFIG : EXIT_FAILURE;
}

static int run(const struct options *o, struct err *e)
{
	switch (o->verb) {
	case OPTIONS_BACKUP:
	case OPTIONS_RESTORE:
		return backup_run(o, e);
	case OPTIONS_FSCK:
		return fsck_run(o, e);
	case OPTIONS_PRUNE:
		return prune_run(o, e);
	case OPTIONS_GC:
		return gc_run(o, e);
	case OPTIONS_SCRUB:
		return scrub_run(o, e);
	case OPTIONS_AUDIT:
		return audit_run(o, e);
	case OPTIONS_TOKEN:
		return tokens_run(o, e);
	default:
		return serve(o, e);
	}
}

int main(int argc, char **argv, char **env)
{
	struct options options;
	struct err e;
	int status = EXIT_SUCCESS;

	if (!options_parse(argc, argv, env, &options, &status))
		return status;
	log_set_level(options_log_level(&options));
	if (strcmp(options.config.log_format, "json") == 0)
		log_set_style(LOG_STYLE_JSON);
	/* A write beyond RLIMIT_FSIZE fails with EFBIG then, and does not end the process. */
	(void)sigaction(SIGXFSZ, &(struct sigaction){.sa_handler = SIG_IGN}, NULL);
	if (options.verb != OPTIONS_SERVE)
		audit_begin(options.verb);
	if (run(&options, &e) < 0) {
		(void)fprintf(stderr, "modeld: %s\n", e.text);
		status = exit_status(&e);
	}
	options_done(&options);
	return status;
}
