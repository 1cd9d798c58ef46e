/* SPDX-License-Identifier: Apache-2.0 */
/* The parts of the daemon that serves: built from the ground up, taken down in the opposite order.
 * One thread; the parts have theirs. */
#pragma once

#include "server/api/api_reload.h"
#include "server/api/app.h"
#include "server/damage.h"
#include "server/options.h"
#include "server/upkeep.h"
#include "server/vigil.h"

struct access_log;
struct encoder;
struct httpd_options;
struct scrubber;

struct daemon {
	struct options *options; /* in force; a reload replaces what is in it */
	const char *_Atomic step; /* of the start */
	struct app app;
	struct workpool *workers;
	struct access_log *access; /* NULL until it is wanted for the first time */
	struct httpd *httpd;
	struct damage damage;
	struct scrubber *scrubber;
	struct encoder *encoder;
	struct upkeep upkeep;
	struct vigil vigil;
	struct api_reload reload;
	int *sockets; /* that the manager handed over, with `secure`, until they are served */
	bool *secure;
	size_t sockets_n;
};

/* Serve by `d->options`, of a struct with nothing else in it. `watchdog_ms` is how long the service
 * manager waits for a ping, 0 when it does not. After a failure too daemon_stop() has to follow. */
int daemon_start(struct daemon *d, unsigned watchdog_ms, struct err *e);
/* Serve no longer: let requests in flight end, for as long as http.drain says. */
void daemon_stop(struct daemon *d);

/* ---- what parts go by, of a configuration ---- */

/* Point into `o`. */
struct registry_options daemon_registry_options(const struct options *o);
struct httpd_options daemon_httpd_options(const struct options *o);
/* Start what writes access lines, if they are wanted and it was not started before. */
int daemon_want_access_log(struct daemon *d, const struct config *c, struct err *e);
/* Are requests logged, by this configuration? */
bool daemon_logs_access(const struct options *o);
