/* SPDX-License-Identifier: Apache-2.0 */
/* Whether a loop looks for the next request for a moment before it sleeps: a client that is near
 * and alone has sent it by then. Which of both takes less processor time depends on the machine and
 * on where the client runs, so both are measured, and the cheaper one is done. */
#include "server/http/httpd_internal.h"

#include <time.h>

#define LOOK_NS 20000 /* what it takes to sleep and be woken in a virtual machine */
#define PERIOD  256   /* requests that are measured together */
#define TRIAL   16    /* in one period of so many the dearer one is tried */
#define MISSES  64    /* in vain so often in a period: nobody is near */

static uint64_t read_ns(clockid_t clock)
{
	struct timespec t = {0};

	(void)clock_gettime(clock, &t);
	return (uint64_t)t.tv_sec * 1000000000u + (uint64_t)t.tv_nsec;
}

bool httpd_look(struct httpd_loop *loop)
{
	if (!loop->look.on || !loop->look.is_due)
		return false;
	uint64_t until = read_ns(CLOCK_MONOTONIC) + LOOK_NS;
	do
		httpd_loop_run(loop, 0);
	while (loop->began == 0 && read_ns(CLOCK_MONOTONIC) < until);
	if (loop->began == 0)
		loop->look.misses++;
	return loop->began > 0;
}

void httpd_look_round(struct httpd_loop *loop)
{
	struct httpd_look *l = &loop->look;

	/* Whoever comes anew for each request takes longer. */
	l->is_due = loop->began > 0 && loop->came == 0;
	l->requests += loop->began;
	if (l->requests < PERIOD && l->misses < MISSES)
		return;
	uint64_t now = read_ns(CLOCK_THREAD_CPUTIME_ID);
	l->cost_ns[l->on] = l->misses < MISSES ? (now - l->began_ns) / l->requests : UINT64_MAX;
	bool pays = l->cost_ns[true] < l->cost_ns[false];
	l->on = ++l->periods % TRIAL == 0 ? !pays : pays;
	l->requests = 0;
	l->misses = 0;
	l->began_ns = now;
}
