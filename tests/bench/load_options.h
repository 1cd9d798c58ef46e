/* SPDX-License-Identifier: Apache-2.0 */
/* The command line of load, the client of the measurements:
 *
 *   load [OPTION...] ADDRESS PORT (METHOD TARGET STATUS LENGTH)...
 *
 *   -c N      connections (1)
 *   -t S      seconds to measure, or until SIGTERM (2)
 *   -w S      seconds before, which do not count (0.3)
 *   -r HOW    trunc: the kernel drops bodies unread; copy: they are read, as browsers do (copy)
 *   -H LINE   a header line of every request
 *   -n        a new connection for each request, which the server closes
 *   -p        the requests are a page: the first one, then the others over all connections, then
 *             all over again on new ones; a page is what is counted
 *   -i N      as many further connections, which make the first request once and then rest
 *   -P PIDS   the processes of the server, with commas between them
 *
 * Every answer must have the status and the Content-Length that are given with its request; the
 * first one that has not ends the run. A connection that the server closes after saying so is
 * opened anew. Prints one JSON object: what was answered, how long it took, and the processor time
 * of the server, of this program, and of each processor by whomever. */
#pragma once

#include "tests/bench/load_usage.h"

#include <netinet/in.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define LOAD_OPTIONS_CONNECTIONS_MAX 20000

struct load_options_request {
	const char *target;
	char *bytes;
	size_t bytes_n;
	unsigned status;
	uint64_t length; /* what Content-Length has to say */
	bool bodiless;
};

struct load_options {
	uint64_t connections, idle;
	double seconds, warm;
	bool copy, fresh, page;
	struct sockaddr_in address;
	struct load_usage_server server;
	struct load_options_request *requests; /* as long as the program lives */
	size_t requests_n;
};

/* Of argv, which must live as long as what is made of it. Ends the program when it is not
 * understood. */
void load_options_read(int argc, char **argv, struct load_options *ret);

/* Says why, and ends the program. */
_Noreturn void load_options_fail(const char *format, ...) __attribute__((format(printf, 1, 2)));
