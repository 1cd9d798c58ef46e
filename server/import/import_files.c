/* SPDX-License-Identifier: Apache-2.0 */
#include "server/import/import_files.h"
#include "server/import/import_retry.h"

#include <sys/random.h>

/* ---- one file, as often as it takes ---- */

/* Without randomness the bound itself is no worse than any other time. */
static uint64_t random_bits(void)
{
	uint64_t bits;

	return getrandom(&bits, sizeof(bits), 0) == (ssize_t)sizeof(bits) ? bits : UINT64_MAX;
}

bool import_files_pause(struct import_job *j, unsigned failures, const struct import_again *again)
{
	uint64_t seen = bell_rung(&j->bell);

	if (!again->worth_it || failures >= j->settings->import_attempts ||
		atomic_load(&j->halted))
		return false;
	if (!again->at_once)
		(void)bell_wait(&j->bell, seen,
			import_retry_wait(failures, again->after_ms, random_bits()));
	return !atomic_load(&j->halted);
}

static int fetch_known(struct import_job *j, struct import_file *f, bool *ret_there, struct err *e)
{
	int r = 0;

	*ret_there = false;
	if (f->has_expected)
		r = import_attempt_mount_told(j, f, &f->expected, ret_there, e);
	if (r == 0 && !*ret_there && f->has_digest)
		r = import_attempt_mount_told(j, f, &f->digest, ret_there, e);
	return r;
}

static int fetch_tries(struct import_job *j, const struct import_plan *p, struct import_file *f,
	struct import_again *again, struct err *e)
{
	/* What an earlier attempt of the job left. */
	import_job_part(j, f->path, f->etag, sizeof(f->etag));
	if (f->etag[0])
		import_attempt_settle(j, f, false);
	for (unsigned failures = 1;; failures++) {
		int r = import_attempt_run(j, p, f, again, e);

		if (r == 0)
			return 0;
		import_attempt_settle(j, f, again->anew);
		if (!import_files_pause(j, failures, again))
			return r;
	}
}

static void tell_failure(struct import_job *j, const struct import_plan *p,
	const struct import_file *f, const struct import_again *again, const struct err *e)
{
	struct err ignored;
	struct url url;
	bool has_url = import_plan_url(p, f, &url, &ignored) == 0;

	import_job_fail(j, e, has_url ? url.text : NULL, again->status);
}

int import_files_fetch_one(struct import_job *j, const struct import_plan *p,
	struct import_file *f, struct err *e)
{
	struct import_again again = {.worth_it = false};
	struct import_at at;
	bool there = false;
	int r = fetch_known(j, f, &there, e);

	if (r == 0 && !there) {
		import_job_begin(j, &at, f->path);
		r = fetch_tries(j, p, f, &again, e);
		import_job_end(j, &at);
	}
	if (r < 0)
		tell_failure(j, p, f, &again, e);
	return r;
}

/* ---- all of them ---- */

/* Threads besides one for each transfer that may run: as many files wait for the disk, several of
 * them for the same flush, while others come. */
#define SETTLERS 16

struct crew {
	struct import_job *job;
	struct import_plan *plan;
	void (*each)(struct crew *c, struct import_file *f);
	atomic_size_t next;  /* index of the file that nobody works at yet */
	atomic_bool changed; /* a file is another one by now */
};

static size_t transfers(const struct import_job *j)
{
	return j->settings->import_transfers;
}

static void *work(void *cls)
{
	struct crew *c = cls;

	while (!atomic_load(&c->job->halted)) {
		size_t i = atomic_fetch_add(&c->next, 1);
		if (i >= c->plan->n)
			break;
		c->each(c, &c->plan->files[i]);
	}
	return NULL;
}

/* The job's own thread is one of them, so that without others it is slower, and no more. */
static int work_together(struct crew *c, size_t want, struct err *e)
{
	size_t n = 0;
	CLEANUP_FREE pthread_t *threads = NULL;

	if (want > c->plan->n)
		want = c->plan->n;
	threads = calloc(want + 1, sizeof(*threads));
	if (!threads)
		return err_nomem(e);
	while (n + 1 < want && pthread_create(&threads[n], NULL, work, c) == 0)
		n++;
	(void)work(c);
	while (n > 0)
		(void)pthread_join(threads[--n], NULL);
	return import_job_check(c->job, e);
}

static void fetch_each(struct crew *c, struct import_file *f)
{
	struct err e;

	if (import_files_fetch_one(c->job, c->plan, f, &e) < 0)
		import_job_halt(c->job, IMPORT_HALT_FAILED);
}

int import_files_fetch(struct import_job *j, struct import_plan *p, struct err *e)
{
	struct crew crew = {.job = j, .plan = p, .each = fetch_each};

	return work_together(&crew, transfers(j) + SETTLERS, e);
}

static void compare_each(struct crew *c, struct import_file *f)
{
	bool same = true;
	struct err ignored;

	if (atomic_load(&c->changed))
		return;
	if (import_attempt_same(c->job, c->plan, f, &same, &ignored) == 0 && !same)
		atomic_store(&c->changed, true);
}

int import_files_same(struct import_job *j, struct import_plan *p, bool *ret, struct err *e)
{
	struct crew crew = {.job = j, .plan = p, .each = compare_each};
	int r = work_together(&crew, transfers(j), e);

	*ret = !atomic_load(&crew.changed);
	return r;
}
