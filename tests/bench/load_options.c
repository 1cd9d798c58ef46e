/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/bench/load_options.h"
#include "common/base/num.h"

#include <arpa/inet.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static char headers[4096]; /* of every request */

_Noreturn void load_options_fail(const char *format, ...)
{
	va_list args;

	va_start(args, format);
	(void)fputs("load: ", stderr);
	(void)vfprintf(stderr, format, args);
	(void)fputc('\n', stderr);
	va_end(args);
	exit(1);
}

static uint64_t number(const char *s, uint64_t max)
{
	uint64_t n;

	if (!num_parse(s, strlen(s), max, &n))
		load_options_fail("%s is no number up to %llu", s, (unsigned long long)max);
	return n;
}

static double seconds_of(const char *s)
{
	char *end;
	double value = strtod(s, &end);

	if (*s == '\0' || *end != '\0' || !(value >= 0 && value < 1e6))
		load_options_fail("%s is no number of seconds", s);
	return value;
}

static void take_header(const char *line)
{
	size_t have = strlen(headers);
	int n = snprintf(headers + have, sizeof(headers) - have, "%s\r\n", line);

	if (n < 0 || (size_t)n >= sizeof(headers) - have)
		load_options_fail("too many headers");
}

static void take_pids(struct load_options *o, char *list)
{
	char *rest = list, *word;

	while ((word = strtok_r(rest, ",", &rest)) != NULL) {
		if (!load_usage_add(&o->server, (pid_t)number(word, INT32_MAX)))
			load_options_fail("there is no process %s, or there are too many", word);
	}
}

static void take_options(struct load_options *o, int argc, char **argv)
{
	int option;

	while ((option = getopt(argc, argv, "+c:t:w:r:H:i:P:np")) != -1) {
		switch (option) {
		case 'c':
			o->connections = number(optarg, LOAD_OPTIONS_CONNECTIONS_MAX);
			break;
		case 't':
			o->seconds = seconds_of(optarg);
			break;
		case 'w':
			o->warm = seconds_of(optarg);
			break;
		case 'r':
			o->copy = strcmp(optarg, "trunc") != 0;
			break;
		case 'H':
			take_header(optarg);
			break;
		case 'i':
			o->idle = number(optarg, LOAD_OPTIONS_CONNECTIONS_MAX);
			break;
		case 'P':
			take_pids(o, optarg);
			break;
		case 'n':
			o->fresh = true;
			break;
		case 'p':
			o->page = true;
			break;
		default:
			exit(2);
		}
	}
}

static void make_request(const struct load_options *o, struct load_options_request *r,
	const char *host, char **words)
{
	size_t room = strlen(words[0]) + strlen(words[1]) + strlen(host) + sizeof(headers) + 100;
	int n;

	r->target = words[1];
	r->status = (unsigned)number(words[2], 999);
	r->length = number(words[3], INT64_MAX);
	r->bodiless = strcmp(words[0], "HEAD") == 0 || r->status == 304 || r->status == 204;
	r->bytes = malloc(room);
	if (r->bytes == NULL)
		load_options_fail("no memory");
	n = snprintf(r->bytes, room, "%s %s HTTP/1.1\r\nHost: %s\r\n%s%s\r\n", words[0], words[1],
		host, headers, o->fresh ? "Connection: close\r\n" : "");
	r->bytes_n = (size_t)n;
}

static void take_requests(struct load_options *o, int argc, char **argv)
{
	char host[64];

	if (argc < 6 || argc % 4 != 2)
		load_options_fail(
			"usage: load [OPTION...] ADDRESS PORT (METHOD TARGET STATUS LENGTH)...");
	o->address.sin_family = AF_INET;
	o->address.sin_port = htons((uint16_t)number(argv[1], UINT16_MAX));
	if (inet_pton(AF_INET, argv[0], &o->address.sin_addr) != 1)
		load_options_fail("%s is no IPv4 address", argv[0]);
	(void)snprintf(host, sizeof(host), "%s:%s", argv[0], argv[1]);
	o->requests_n = (size_t)(argc - 2) / 4;
	o->requests = calloc(o->requests_n, sizeof(*o->requests));
	if (o->requests == NULL)
		load_options_fail("no memory");
	for (size_t i = 0; i < o->requests_n; i++)
		make_request(o, &o->requests[i], host, argv + 2 + 4 * i);
}

void load_options_read(int argc, char **argv, struct load_options *ret)
{
	*ret = (struct load_options){.connections = 1, .seconds = 2, .warm = 0.3, .copy = true};
	take_options(ret, argc, argv);
	take_requests(ret, argc - optind, argv + optind);
}
