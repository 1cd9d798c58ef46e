/* SPDX-License-Identifier: Apache-2.0 */
/* What the processes of a server, this one and all of the machine have used so far. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>
#include <time.h>

#define LOAD_USAGE_PIDS 64
#define LOAD_USAGE_CPUS 256

struct load_usage_server {
	pid_t pids[LOAD_USAGE_PIDS];
	clockid_t clocks[LOAD_USAGE_PIDS];
	size_t n;
};

struct load_usage {
	uint64_t server_ns; /* processor time of all threads, those that have ended too */
	uint64_t client_ns;
	uint64_t busy[LOAD_USAGE_CPUS]; /* ticks of each processor, by whomever, stolen ones too */
	size_t cpus;
};

/* False when there is no such process, or they are too many. */
bool load_usage_add(struct load_usage_server *s, pid_t pid);

/* False, with errno set, when a process is gone or /proc cannot be read. */
bool load_usage_read(const struct load_usage_server *s, struct load_usage *ret);

/* Resident memory of the server in KiB, and the part of it that is in no file. */
bool load_usage_rss(const struct load_usage_server *s, uint64_t *ret_total, uint64_t *ret_own);
