/* SPDX-License-Identifier: Apache-2.0 */
/* The daemon's main: read the options, do what they ask for; to serve, wait for signals, keep the
 * store up and the service manager informed, until told to stop. */
#include "common/base/clock.h"
#include "common/base/fsio.h"
#include "common/base/log.h"
#include "server/audit.h"
#include "server/backup.h"
#include "server/certificate.h"
#include "server/daemon.h"
#include "server/fsck.h"
#include "server/gc.h"
#include "server/http/httpd.h"
#include "server/metrics/metrics.h"
#include "server/prune.h"
#include "server/reload.h"
#include "server/scrub.h"
#include "server/sysd.h"
#include "server/tokens.h"

#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sysexits.h>
#include <sys/resource.h>
#include <time.h>

#define STATUS_MS  10000u /* a status line, at most as often */
#define STATUS_MAX 2048

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

static int announce(struct daemon *d, struct err *e)
{
	CLEANUP_BUF struct buf url = BUF_INIT(512);
	int r;

	reload_note_start();
	r = write_port_file(d, e);
	if (r < 0)
		return r;
	httpd_url(d->httpd, 0, &url);
	print_banner(d, buf_str(&url));
	log_event(LOG_LEVEL_INFO, "serving", "url", buf_str(&url), "store",
		d->options->config.store_dir, "version", PACKAGE_VERSION, NULL);
	return 0;
}

/* ---- until told to stop ---- */

/* What goes on from one round to the next. */
struct watch {
	struct daemon *d;
	const struct reload_source *source;
	unsigned watchdog_ms;    /* that the manager waits for a ping; 0: it does not */
	bool is_managed;
	const char *stuck;       /* what did not answer at the last look */
	uint64_t told_ms;        /* when the manager got the last status */
	char told[STATUS_MAX];
};

static sigset_t expected_signals(void)
{
	sigset_t set;

	(void)sigemptyset(&set);
	(void)sigaddset(&set, SIGHUP);
	(void)sigaddset(&set, SIGTERM);
	(void)sigaddset(&set, SIGINT);
	return set;
}

static void describe(struct daemon *d, struct buf *out)
{
	char error[ERR_TEXT_MAX];

	vigil_describe(&d->vigil, out);
	if (api_reload_failure(&d->reload, error) > 0)
		buf_addf(out, "; the configuration was not reloaded: %s", error);
}

static void tell_ready(struct watch *w)
{
	CLEANUP_BUF struct buf status = BUF_INIT(STATUS_MAX);

	describe(w->d, &status);
	(void)snprintf(w->told, sizeof(w->told), "%s", buf_str(&status));
	w->told_ms = clock_mono_ms();
	sysd_ready(w->told);
}

static void tell_status(struct watch *w)
{
	CLEANUP_BUF struct buf status = BUF_INIT(STATUS_MAX);
	uint64_t now = clock_mono_ms();

	if (now - w->told_ms < STATUS_MS)
		return;
	describe(w->d, &status);
	if (strcmp(w->told, buf_str(&status)) == 0)
		return;
	(void)snprintf(w->told, sizeof(w->told), "%s", buf_str(&status));
	w->told_ms = now;
	sysd_status(w->told);
}

/* What does not answer keeps the manager from its ping, until it answers again or the manager has
 * waited for too long. */
static void look_around(struct watch *w)
{
	const char *stuck = vigil_look(&w->d->vigil);

	if (stuck && !w->stuck)
		log_event(LOG_LEVEL_ERROR, "a part of the daemon does not answer", "part", stuck,
			NULL);
	if (w->stuck && !stuck)
		log_event(LOG_LEVEL_INFO, "a part of the daemon answers again", "part", w->stuck,
			NULL);
	w->stuck = stuck;
	if (!stuck && w->watchdog_ms > 0)
		sysd_watchdog_ping();
	tell_status(w);
}

static uint64_t round_ms(const struct watch *w)
{
	uint64_t ms = upkeep_interval_ms(&w->d->upkeep);

	if (w->is_managed && ms > VIGIL_EVERY_MS)
		ms = VIGIL_EVERY_MS;
	if (w->watchdog_ms > 0 && ms > w->watchdog_ms / 2)
		ms = w->watchdog_ms / 2;
	return ms;
}

static void reload_once(struct watch *w)
{
	sysd_reloading();
	reload_run(w->d, w->source);
	tell_ready(w);
}

static void wait_for_stop(struct watch *w)
{
	sigset_t set = expected_signals();

	for (;;) {
		if (w->is_managed)
			look_around(w);
		upkeep_tick(&w->d->upkeep);
		uint64_t ms = round_ms(w);
		const struct timespec timeout = {
			.tv_sec = (time_t)(ms / 1000), .tv_nsec = (long)(ms % 1000) * 1000000};
		int sig = sigtimedwait(&set, NULL, &timeout);
		if (sig == SIGHUP)
			reload_once(w);
		else if (sig > 0) {
			log_event(LOG_LEVEL_INFO, "stopping", "signal", strsignal(sig), NULL);
			return;
		}
		certificate_refresh(w->d->httpd, false);
	}
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

static int serve(struct options *o, const struct reload_source *source, struct err *e)
{
	struct daemon d = {.options = o};
	struct watch w = {
		.d = &d,
		.source = source,
		.watchdog_ms = sysd_watchdog_interval_ms(),
		.is_managed = sysd_listens(),
	};
	sigset_t set = expected_signals();

	(void)pthread_sigmask(SIG_BLOCK, &set, NULL); /* before any thread: they inherit it */
	raise_file_limit();
	metrics_set(METRICS_START, clock_now_ms() / 1000);
	int r = daemon_start(&d, w.watchdog_ms, e);
	if (r == 0)
		r = announce(&d, e);
	if (r == 0) {
		tell_ready(&w);
		wait_for_stop(&w);
	}
	daemon_stop(&d);
	if (r < 0)
		sysd_status(e->text);
	return r;
}

static int exit_status(const struct err *e)
{
	if (e->code == ERR_BAD_PARAMETER)
		return EX_USAGE;
	return e->code == ERR_CONFIG ? EX_CONFIG : EXIT_FAILURE;
}

static int run(struct options *o, const struct reload_source *source, struct err *e)
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
		return serve(o, source, e);
	}
}

int main(int argc, char **argv, char **env)
{
	const struct reload_source source = {.argc = argc, .argv = argv, .env = env};
	struct options options;
	struct err e;
	int status = EXIT_SUCCESS;

	if (!options_parse(argc, argv, env, &options, &status))
		return status;
	log_set_level(options_log_level(&options));
	log_set_style(options_log_style(&options));
	/* A write beyond RLIMIT_FSIZE fails with EFBIG then, and does not end the process. */
	(void)sigaction(SIGXFSZ, &(struct sigaction){.sa_handler = SIG_IGN}, NULL);
	if (options.verb != OPTIONS_SERVE)
		audit_begin(options.verb);
	if (run(&options, &source, &e) < 0) {
		(void)fprintf(stderr, "modeld: %s\n", e.text);
		status = exit_status(&e);
	}
	options_done(&options);
	return status;
}
