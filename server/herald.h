/* SPDX-License-Identifier: Apache-2.0 */
/* Tells the service manager how a start or a stop gets on while the main thread is busy with it,
 * and that it needs more time; during a stop it also hears the second signal. A thread of its own,
 * for as long as that takes. */
#pragma once

#include "common/base/buf.h"

#include <pthread.h>
#include <signal.h>
#include <stdbool.h>
#include <stdint.h>

struct herald_task {
	/* How it gets on, for people; on the herald's thread. */
	void (*describe)(void *cls, struct buf *out);
	/* A signal of `signals` has come, on the herald's thread; may be NULL. When the task is not
	 * over a moment later, the process ends there and then. */
	void (*hurry)(void *cls);
	void *cls;
	const char *told; /* the manager knows this description already; NULL for none */
	sigset_t signals; /* blocked by all threads */
	uint64_t most_ms; /* how long more time is asked for; after it the manager decides */
};

struct herald {
	struct herald_task task;
	pthread_t thread;
	int over_fd;   /* eventfd, readable once the task is over */
	int signal_fd; /* -1 without `hurry` */
	bool runs;
};

/* Without a manager that listens and without `hurry` there is no thread. Nor is there one where the
 * system has none for us: the task goes on without. */
void herald_begin(struct herald *h, const struct herald_task *task);
/* The task is over. Joins. */
void herald_end(struct herald *h);
