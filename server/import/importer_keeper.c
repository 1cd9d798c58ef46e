/* SPDX-License-Identifier: Apache-2.0 */
#include "server/import/importer_keeper.h"
#include "common/base/clock.h"
#include "common/base/log.h"
#include "server/import/import_job.h"

#define TELL_MS    UINT64_C(100)        /* those who watch, at most as often */
#define EXPIRE_MS  UINT64_C(600000)     /* how often what is old is looked for */
#define AGAIN_MS   UINT64_C(5000)       /* after a failure to take over other mirrors */
#define FETCHED_MS UINT64_C(7776000000) /* 90 days: so long what was fetched is known */

/* ---- a job ---- */

static void renew(struct import_job *j)
{
	struct catalog_job_progress p;
	struct err e;
	int r;

	import_job_keep(j);
	import_job_progress(j, &p, NULL);
	r = catalog_job_renew(j->importer->catalog, j->row.id, j->row.attempt, IMPORTER_LEASE_MS,
		&p, &e);
	if (r == 0)
		return;
	if (e.code == ERR_CONFLICT)
		import_job_halt(j, IMPORT_HALT_LOST);
	else
		log_err("keeping how far an import is failed", &e);
}

static void tell(struct import_job *j, uint64_t now)
{
	uint64_t bytes = atomic_load(&j->bytes);

	if (bytes == j->told_bytes || now - j->told_ms < TELL_MS)
		return;
	j->told_bytes = bytes;
	j->told_ms = now;
	importer_tell(j->importer, j->row.id);
}

static void look_at(struct import_job *j)
{
	uint64_t now = clock_mono_ms();

	if (now - j->started_ms >= j->settings->import_timeout)
		import_job_halt(j, IMPORT_HALT_LATE);
	if (now - j->renewed_ms >= IMPORTER_RENEW_MS) {
		j->renewed_ms = now;
		renew(j);
	}
	tell(j, now);
}

static bool look_at_all(struct importer *m)
{
	size_t n;
	struct import_job **jobs = importer_all(m, &n);

	for (size_t i = 0; i < n; i++) {
		look_at(jobs[i]);
		importer_give_back(jobs[i]);
	}
	free(jobs);
	return n > 0;
}

/* ---- what is old ---- */

static void expire(struct importer *m)
{
	uint64_t now = clock_now_ms(), keep = m->scheduled->import_keep;
	struct err e;
	size_t n = 1;
	int r = 0;

	while (r == 0 && n > 0 && !atomic_load(&m->stopping))
		r = catalog_job_expire(m->catalog, now > keep ? now - keep : 0, &n, &e);
	if (r == 0)
		r = catalog_fetched_expire(m->catalog, now > FETCHED_MS ? now - FETCHED_MS : 0, &e);
	if (r < 0)
		log_err("forgetting old imports failed", &e);
}

/* ---- mirrors ---- */

/* By the settings in force. While the catalog lets no other schedule be made the one from before
 * goes on; true: try again. */
static bool reschedule(struct importer *m)
{
	CLEANUP(importer_settings_unref_p) struct importer_settings *s = importer_settings_get(m);
	struct err e;

	if (s == m->scheduled)
		return false;
	if (importer_settings_same_sources(s, m->scheduled)) {
		importer_settings_unref(m->scheduled);
		m->scheduled = take_ptr(s);
		return false;
	}
	if (importer_schedule(m, s, &e) == 0)
		return false;
	log_err("taking over import.sources failed; it is tried again", &e);
	return true;
}

void *importer_keeper_run(void *cls)
{
	struct importer *m = cls;
	uint64_t expired = 0, seen = bell_rung(&m->beat);
	bool first = true;

	while (!atomic_load(&m->stopping)) {
		uint64_t now = clock_mono_ms(), wait = EXPIRE_MS, next;

		if (first || now - expired >= EXPIRE_MS) {
			expire(m);
			expired = now;
			first = false;
		}
		if (look_at_all(m))
			wait = importer_is_watched(m) ? TELL_MS : IMPORTER_RENEW_MS;
		if (reschedule(m) && wait > AGAIN_MS)
			wait = AGAIN_MS;
		next = mirrors_schedule_run(m->mirrors, clock_now_ms());
		wait = next < wait ? next : wait;
		atomic_store(&m->keeper_due_ms, clock_mono_ms() + wait);
		seen = bell_wait(&m->beat, seen, wait);
		atomic_store(&m->keeper_due_ms, clock_mono_ms());
	}
	return NULL;
}
