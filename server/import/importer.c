/* SPDX-License-Identifier: Apache-2.0 */
#include "server/import/importer.h"
#include "common/base/clock.h"
#include "common/base/log.h"
#include "common/registry/registry_request.h"
#include "common/registry/staging.h"
#include "common/store/requestfile.h"
#include "server/import/import_job.h"
#include "server/import/import_run.h"
#include "server/import/importer_internal.h"
#include "server/import/importer_keeper.h"
#include "server/metrics/metrics.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <stdio.h>
#include <sys/socket.h>

#define RETRY_MS   UINT64_C(60000) /* after a failure to claim */
#define COUNT_MOST 1000u           /* queued jobs that are counted */
#define COUNT_PAGE 50u

static void lock(struct importer *m)
{
	(void)pthread_mutex_lock(&m->lock);
}

static void unlock(struct importer *m)
{
	(void)pthread_mutex_unlock(&m->lock);
}

/* ---- jobs that run ---- */

static struct import_job *find_running(const struct importer *m, const char *id)
{
	struct import_job *j = m->running;

	while (j && strcmp(j->row.id, id) != 0)
		j = j->next;
	return j;
}

/* Where the catalog was out of reach for as long as a lease, its job was claimed again while it
 * still ran: the new attempt waits for the old one. Under the lock. */
static void await_older(struct importer *m, const char *id)
{
	struct import_job *older;

	while ((older = find_running(m, id))) {
		older->refs++;
		unlock(m);
		import_job_halt(older, IMPORT_HALT_LOST);
		lock(m);
		older->refs--;
		(void)pthread_cond_broadcast(&m->let_go);
		if (find_running(m, id) == older)
			(void)pthread_cond_wait(&m->let_go, &m->lock);
	}
}

void importer_list(struct import_job *j)
{
	struct importer *m = j->importer;

	lock(m);
	await_older(m, j->row.id);
	j->next = m->running;
	m->running = j;
	unlock(m);
	bell_ring(&m->beat);
	/* Whoever asked for the end before it was listed was not heard. */
	if (atomic_load(&m->stopping))
		import_job_halt(j, IMPORT_HALT_STOPPED);
}

void importer_unlist(struct import_job *j)
{
	struct importer *m = j->importer;
	struct import_job **at = &m->running;

	lock(m);
	while (*at != j)
		at = &(*at)->next;
	*at = j->next;
	(void)pthread_cond_broadcast(&m->let_go);
	while (j->refs > 0)
		(void)pthread_cond_wait(&m->let_go, &m->lock);
	unlock(m);
}

struct import_job *importer_find(struct importer *m, const char *id)
{
	struct import_job *j;

	lock(m);
	j = find_running(m, id);
	if (j)
		j->refs++;
	unlock(m);
	return j;
}

void importer_give_back(struct import_job *j)
{
	struct importer *m = j->importer;

	lock(m);
	j->refs--;
	(void)pthread_cond_broadcast(&m->let_go);
	unlock(m);
}

struct import_job **importer_all(struct importer *m, size_t *ret_n)
{
	size_t n = 0;
	struct import_job **all = calloc(IMPORTER_JOBS_MAX, sizeof(struct import_job *));

	lock(m);
	for (struct import_job *j = m->running; all && j && n < IMPORTER_JOBS_MAX; j = j->next) {
		j->refs++;
		all[n++] = j;
	}
	unlock(m);
	*ret_n = n;
	return all;
}

/* ---- threads that run them ---- */

static uint64_t wait_after(const struct err *e)
{
	log_err("looking for imports to run failed", e);
	return RETRY_MS;
}

static bool look_for_one(struct importer_worker *w, const struct importer_settings *s,
	struct catalog_job *row, uint64_t *wait_ms)
{
	struct importer *m = w->importer;
	bool any = false;
	struct err e;

	*wait_ms = IMPORTER_LEASE_MS;
	if (w->index >= s->import_jobs)
		return false;
	if (catalog_job_claim(m->catalog, IMPORTER_LEASE_MS, row, &any, &e) < 0)
		*wait_ms = wait_after(&e);
	return any;
}

/* What another process may leave behind is found when its lease is over. */
static void *work(void *cls)
{
	struct importer_worker *w = cls;
	struct importer *m = w->importer;

	for (;;) {
		uint64_t seen = bell_rung(&m->work); /* before the look that it is to outlast */
		struct importer_settings *s;
		struct catalog_job row;
		uint64_t wait_ms;

		if (atomic_load(&m->stopping))
			break;
		s = importer_settings_get(m);
		bool any = look_for_one(w, s, &row, &wait_ms);
		if (any)
			import_run(m, s, &row);
		importer_settings_unref(s);
		if (!any)
			(void)bell_wait(&m->work, seen, wait_ms);
	}
	return NULL;
}

/* ---- the start ---- */

static int start_thread(pthread_t *ret, void *(*fn)(void *), void *cls, struct err *e)
{
	int failure = pthread_create(ret, NULL, fn, cls);

	return failure == 0 ? 0 : err_sys(e, failure, "cannot start a thread for imports");
}

int importer_start_workers(struct importer *m, unsigned n, struct err *e)
{
	int r = 0;

	while (r == 0 && m->workers_n < n && m->workers_n < IMPORTER_JOBS_MAX) {
		struct importer_worker *w = &m->workers[m->workers_n];

		*w = (struct importer_worker){.importer = m, .index = m->workers_n};
		r = start_thread(&w->thread, work, w, e);
		m->workers_n += r == 0;
	}
	return r;
}

static int start_threads(struct importer *m, struct err *e)
{
	int r = start_thread(&m->keeper, importer_keeper_run, m, e);

	m->has_keeper = r == 0;
	return r < 0 ? r : importer_start_workers(m, m->options.config->import_jobs, e);
}

static struct importer *importer_new(const struct importer_options *o)
{
	struct importer *m = calloc(1, sizeof(*m));

	if (!m)
		return NULL;
	m->options = *o;
	m->registry = o->registry;
	atomic_init(&m->keeper_due_ms, clock_mono_ms());
	m->catalog = registry_catalog(o->registry);
	bell_init(&m->work);
	bell_init(&m->beat);
	(void)pthread_mutex_init(&m->lock, NULL);
	(void)pthread_cond_init(&m->let_go, NULL);
	return m;
}

static int submit_look(void *cls, const struct import_request *q, char *id, struct err *e)
{
	return importer_submit(cls, q, id, e);
}

int importer_schedule(struct importer *m, struct importer_settings *s, struct err *e)
{
	const struct mirrors_schedule_options o = {
		.sources = &s->sources,
		.catalog = m->catalog,
		.submit = submit_look,
		.cls = m,
	};
	struct mirrors_schedule *fresh, *old;
	int r = mirrors_schedule_open(&o, clock_now_ms(), &fresh, e);

	if (r < 0)
		return r;
	lock(m);
	old = m->mirrors;
	m->mirrors = fresh;
	unlock(m);
	mirrors_schedule_close(old);
	importer_settings_unref(m->scheduled);
	m->scheduled = s;
	(void)snapshot_ref(&s->shared);
	return 0;
}

static int open_settings(struct importer *m, struct importer_settings **ret, struct err *e)
{
	int r = importer_settings_make(m->options.config, m->options.rules, ret, e);

	if (r < 0)
		return r;
	snapshot_cell_init(&m->settings, &(*ret)->shared);
	m->has_settings = true;
	return 0;
}

int importer_start(const struct importer_options *o, struct importer **ret, struct err *e)
{
	struct importer *m = importer_new(o);
	struct importer_settings *s = NULL;
	int r = m ? open_settings(m, &s, e) : err_nomem(e);

	if (r == 0)
		r = catalog_job_reclaim(m->catalog, e);
	if (r == 0)
		r = registry_request_sweep(m->registry, e);
	if (r == 0)
		r = importer_schedule(m, s, e);
	if (r == 0)
		r = start_threads(m, e);
	if (r == 0) {
		m->options.config = NULL;
		m->options.rules = NULL;
		*ret = m;
		return 0;
	}
	importer_stop(m);
	importer_free(m);
	return r;
}

void importer_stop(struct importer *m)
{
	size_t n;

	if (!m)
		return;
	atomic_store(&m->stopping, true);
	bell_ring(&m->work);
	bell_ring(&m->beat);
	struct import_job **jobs = importer_all(m, &n);
	for (size_t i = 0; i < n; i++) {
		import_job_halt(jobs[i], IMPORT_HALT_STOPPED);
		importer_give_back(jobs[i]);
	}
	free(jobs);
	for (unsigned i = 0; i < m->workers_n; i++)
		(void)pthread_join(m->workers[i].thread, NULL);
	m->workers_n = 0;
	if (m->has_keeper)
		(void)pthread_join(m->keeper, NULL);
	m->has_keeper = false;
}

void importer_free(struct importer *m)
{
	if (!m)
		return;
	mirrors_schedule_close(m->mirrors);
	importer_settings_unref(m->scheduled);
	if (m->has_settings)
		snapshot_cell_done(&m->settings);
	bell_done(&m->work);
	bell_done(&m->beat);
	(void)pthread_cond_destroy(&m->let_go);
	(void)pthread_mutex_destroy(&m->lock);
	free(m);
}

/* ---- submitting ---- */

/* Of a host that is an address, what is known already. */
static int judge_address(const struct importer_settings *s, const struct url *u, struct err *e)
{
	struct sockaddr_in v4 = {.sin_family = AF_INET, .sin_port = htons((uint16_t)u->port)};
	struct sockaddr_in6 v6 = {.sin6_family = AF_INET6, .sin6_port = htons((uint16_t)u->port)};

	if (inet_pton(AF_INET, u->host, &v4.sin_addr) == 1)
		return address_check(s->allow, u->scheme, u->host, u->port,
			(const struct sockaddr *)&v4, e);
	if (inet_pton(AF_INET6, u->host, &v6.sin6_addr) == 1)
		return address_check(s->allow, u->scheme, u->host, u->port,
			(const struct sockaddr *)&v6, e);
	return 0;
}

static int judge(const struct importer_settings *s, const struct import_request *q, struct err *e)
{
	int r;

	if (!s->fetcher)
		return err_set(e, ERR_FETCH_REFUSED,
			"this server does not import: import.jobs is 0 in its configuration");
	r = address_check_port(s->allow, q->url.host, q->url.port, e);
	return r < 0 ? r : judge_address(s, &q->url, e);
}

static int add(struct importer *m, const struct importer_settings *s,
	const struct import_request *q, const char *id, struct err *e)
{
	CLEANUP_BUF struct buf shown = BUF_INIT(CATALOG_JOB_JSON);
	struct catalog_job row = {.kind = "import"};
	int r;

	import_request_show(q, &shown);
	r = buf_check(&shown, "what is asked for", e);
	if (r < 0)
		return r;
	memcpy(row.id, id, sizeof(row.id));
	(void)snprintf(row.model, sizeof(row.model), "%s", q->model);
	(void)snprintf(row.mirror, sizeof(row.mirror), "%s", q->mirror);
	(void)snprintf(row.who, sizeof(row.who), "%s", q->who);
	row.request = shown.data;
	return catalog_job_add(m->catalog, &row, s->import_queue, e);
}

static int keep_request(struct importer *m, const struct import_request *q, const char *id,
	struct err *e)
{
	CLEANUP_BUF struct buf text = BUF_INIT(REQUESTFILE_MAX);
	int r;

	import_request_write(q, &text);
	r = buf_check(&text, "what is asked for", e);
	if (r == 0)
		r = registry_request_write(m->registry, id, text.data, text.len, e);
	if (text.data)
		explicit_bzero(text.data, text.len);
	return r;
}

int importer_submit(struct importer *m, const struct import_request *q, char *id, struct err *e)
{
	CLEANUP(importer_settings_unref_p) struct importer_settings *s = importer_settings_get(m);
	struct err ignored;
	int r = judge(s, q, e);

	if (r == 0)
		r = digest_random_hex(id, CATALOG_JOB_ID, e);
	if (r == 0)
		r = keep_request(m, q, id, e);
	if (r < 0)
		return r;
	r = add(m, s, q, id, e);
	if (r < 0)
		(void)registry_request_remove(m->registry, id, &ignored);
	else
		bell_ring(&m->work);
	return r;
}

/* ---- looking and cancelling ---- */

int importer_look(struct importer *m, const char *id, struct catalog_job *ret, uint64_t *ret_rate,
	struct err *e)
{
	struct import_job *j;
	int r = catalog_job_read(m->catalog, id, ret, e);

	*ret_rate = 0;
	if (r < 0 || ret->state != CATALOG_JOB_RUNNING)
		return r;
	j = importer_find(m, id);
	if (!j)
		return 0;
	import_job_progress(j, &ret->progress, ret_rate);
	importer_give_back(j);
	return 0;
}

/* One that runs does so too, once it has let go: what it writes meanwhile is gone then. */
static void clear_away(struct importer *m, const struct catalog_job *row)
{
	struct err e;

	if (registry_request_remove(m->registry, row->id, &e) < 0)
		log_err("removing the request of an import failed", &e);
	if (row->upload[0] && staging_drop(m->registry, row->upload, &e) < 0 &&
		e.code != ERR_UPLOAD_NOT_FOUND)
		log_err("removing the files of an import failed", &e);
}

int importer_cancel(struct importer *m, const char *id, struct catalog_job *ret, struct err *e)
{
	uint64_t begin_ms = clock_now_ms();
	struct import_job *j = importer_find(m, id);
	int r;

	if (j) {
		import_job_cancel(j);
		importer_give_back(j);
	}
	r = catalog_job_cancel(m->catalog, id, ret, e);
	if (r < 0)
		return r;
	if (ret->finished_ms >= begin_ms) /* else it was before */
		metrics_add(METRICS_IMPORTS_CANCELLED, 1);
	clear_away(m, ret);
	importer_tell(m, id);
	return 0;
}

/* ---- what an operator wants to watch ---- */

static void count_queued(struct importer *m, struct importer_state *ret)
{
	struct catalog_job *rows = calloc(COUNT_PAGE, sizeof(*rows));
	struct catalog_job_filter f = {.open = true};
	char last[CATALOG_JOB_ID + 1];
	size_t n = COUNT_PAGE;
	struct err ignored;

	while (rows && n == COUNT_PAGE && ret->queued < COUNT_MOST) {
		if (catalog_jobs(m->catalog, &f, rows, COUNT_PAGE, &n, &ignored) < 0)
			break;
		for (size_t i = 0; i < n; i++) {
			ret->queued += rows[i].state == CATALOG_JOB_QUEUED;
			f.before_ms = rows[i].created_ms;
			memcpy(last, rows[i].id, sizeof(last));
			catalog_job_clear(&rows[i]);
		}
		f.before_id = last;
	}
	free(rows);
}

bool importer_alive(const struct importer *m, unsigned patience_ms)
{
	return clock_mono_ms() <= atomic_load(&m->keeper_due_ms) + patience_ms;
}

void importer_state(struct importer *m, struct importer_state *ret)
{
	*ret = (struct importer_state){.queued = 0};
	lock(m);
	for (const struct import_job *j = m->running; j; j = j->next)
		ret->running++;
	mirrors_schedule_count(m->mirrors, &ret->mirrors, &ret->mirrors_failing);
	unlock(m);
	count_queued(m, ret);
}

int importer_mirrors(struct importer *m, struct catalog_mirror **ret, size_t *ret_n, struct err *e)
{
	int r;

	lock(m);
	r = mirrors_schedule_list(m->mirrors, ret, ret_n, e);
	unlock(m);
	return r;
}
