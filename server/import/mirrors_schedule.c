/* SPDX-License-Identifier: Apache-2.0 */
#include "server/import/mirrors_schedule.h"
#include "common/base/log.h"
#include "common/json/json.h"
#include "server/import/mirrors.h"

#include <pthread.h>
#include <stdio.h>

#define START_GAP_MS  UINT64_C(2000)  /* between looks that were overdue at the start */
#define POLL_MS       UINT64_C(1000)  /* how often a job is asked whether it has ended */
#define AGAIN_MS      UINT64_C(60000) /* when the store or the queue did not let it through */
#define FAIL_FIRST_MS UINT64_C(60000) /* the pause after one failure */
#define FAIL_DOUBLED  20              /* as often at most */
#define IDLE_MS       UINT64_C(3600000)
#define JITTER_PARTS  256
#define WHO           "import.sources"

struct mirror {
	const struct mirrors_source *source;
	struct catalog_mirror row; /* written by the thread that runs, under the lock */
	uint64_t poll_ms;          /* of one with a job */
};

struct mirrors_schedule {
	struct mirrors_schedule_options options;
	struct mirrors_list sources;
	pthread_mutex_t lock;
	struct mirror *items;
	size_t n;
};

/* ---- times ---- */

static uint64_t sum(uint64_t a, uint64_t b)
{
	return a > UINT64_MAX - b ? UINT64_MAX : a + b;
}

/* `pause` less up to a tenth. */
static uint64_t with_jitter(const struct mirror *m, uint64_t pause)
{
	return pause - pause / 10 * m->row.url.bytes[0] / JITTER_PARTS;
}

static uint64_t pause_after(const struct mirror *m, uint64_t failures)
{
	uint64_t pause = FAIL_FIRST_MS << (failures - 1 < FAIL_DOUBLED ? failures - 1
								       : FAIL_DOUBLED);

	return pause < m->source->interval_ms ? pause : m->source->interval_ms;
}

/* ---- what is kept ---- */

/* What the catalog does not take now it gets with the next change. */
static void keep(struct mirrors_schedule *s, struct mirror *m, const struct catalog_mirror *row)
{
	struct err e;

	(void)pthread_mutex_lock(&s->lock);
	m->row = *row;
	(void)pthread_mutex_unlock(&s->lock);
	if (catalog_mirror_save(s->options.catalog, row, &e) < 0)
		log_err("keeping the state of a mirror failed", &e);
}

/* Without telling the catalog. */
static void put_off(struct mirrors_schedule *s, struct mirror *m, uint64_t next_ms)
{
	(void)pthread_mutex_lock(&s->lock);
	m->row.next_ms = next_ms;
	(void)pthread_mutex_unlock(&s->lock);
}

static void went_well(struct mirrors_schedule *s, struct mirror *m, uint64_t when_ms,
	uint64_t version)
{
	struct catalog_mirror row = m->row;
	bool failed = row.failures > 0;

	row.job[0] = row.error[0] = '\0';
	row.checked_ms = row.good_ms = when_ms;
	row.failing_ms = row.failures = 0;
	row.version = version > 0 ? version : row.version;
	row.next_ms = sum(when_ms, with_jitter(m, m->source->interval_ms));
	keep(s, m, &row);
	if (failed)
		log_event(LOG_LEVEL_INFO, "a mirror works again", "mirror", row.name, NULL);
}

static void went_wrong(struct mirrors_schedule *s, struct mirror *m, uint64_t when_ms,
	const char *error)
{
	struct catalog_mirror row = m->row;

	row.job[0] = '\0';
	(void)snprintf(row.error, sizeof(row.error), "%s", error);
	row.checked_ms = when_ms;
	if (row.failures++ == 0)
		row.failing_ms = when_ms;
	row.next_ms = sum(when_ms, with_jitter(m, pause_after(m, row.failures)));
	keep(s, m, &row);
	if (row.failures == 1)
		log_event(LOG_LEVEL_WARNING, "a mirror fails", "mirror", row.name, "error", error,
			NULL);
}

/* Somebody has cancelled it, or nobody knows what became of it. */
static void went_away(struct mirrors_schedule *s, struct mirror *m, uint64_t next_ms)
{
	struct catalog_mirror row = m->row;

	row.job[0] = '\0';
	row.next_ms = next_ms;
	keep(s, m, &row);
}

/* ---- how an import ended ---- */

/* importer.h says what an outcome is. */
static void error_of(const char *outcome, char text[ERR_TEXT_MAX])
{
	static const struct json_limits limits = {
		.max_bytes = CATALOG_JOB_JSON, .max_values = 10000, .max_depth = 32};
	CLEANUP(json_doc_free_p) struct json_doc *doc = NULL;
	const char *detail = NULL;
	struct err ignored;

	if (outcome && json_parse(outcome, strlen(outcome), &limits, &doc, &ignored) == 0)
		detail = json_str(json_get(json_get(json_root(doc), "error"), "detail"));
	(void)snprintf(text, ERR_TEXT_MAX, "%s", detail ? detail : "the import failed");
}

static void take_end(struct mirrors_schedule *s, struct mirror *m, const struct catalog_job *j)
{
	char error[ERR_TEXT_MAX];

	switch (j->state) {
	case CATALOG_JOB_QUEUED:
	case CATALOG_JOB_RUNNING:
		break;
	case CATALOG_JOB_DONE:
		went_well(s, m, j->finished_ms, j->version);
		break;
	case CATALOG_JOB_FAILED:
		error_of(j->outcome, error);
		went_wrong(s, m, j->finished_ms, error);
		break;
	case CATALOG_JOB_CANCELLED:
		went_away(s, m, sum(j->finished_ms, with_jitter(m, m->source->interval_ms)));
		break;
	}
}

static void look_at_job(struct mirrors_schedule *s, struct mirror *m, uint64_t now_ms)
{
	struct catalog_job j;
	struct err e;
	int r = catalog_job_read(s->options.catalog, m->row.job, &j, &e);

	m->poll_ms = sum(now_ms, POLL_MS);
	if (r == 0) {
		take_end(s, m, &j);
		catalog_job_clear(&j);
	} else if (r == -(int)ERR_JOB_NOT_FOUND) {
		went_away(s, m, m->row.next_ms);
	} else {
		log_err("looking at the import of a mirror failed", &e);
		m->poll_ms = sum(now_ms, AGAIN_MS);
	}
}

/* ---- a look ---- */

static int submit(struct mirrors_schedule *s, const struct mirrors_source *source, char *id,
	struct err *e)
{
	struct import_request *q = calloc(1, sizeof(*q));
	int r;

	if (!q)
		return err_nomem(e);
	memcpy(q->model, source->model, sizeof(q->model));
	memcpy(q->label, source->label, sizeof(q->label));
	memcpy(q->mirror, source->name, sizeof(q->mirror));
	(void)snprintf(q->who, sizeof(q->who), WHO);
	q->url = source->url;
	q->models = strdup("read"); /* who configures it may have all */
	r = q->models ? s->options.submit(s->options.cls, q, id, e) : err_nomem(e);
	import_request_clear(q);
	free(q);
	return r;
}

/* Not the mirror's fault. */
static bool may_pass(const struct err *e)
{
	return e->code == ERR_TOO_MANY || e->code == ERR_CONFLICT || e->code == ERR_BUSY ||
		e->code == ERR_OUT_OF_MEMORY || e->code == ERR_STORAGE_FULL;
}

static void look(struct mirrors_schedule *s, struct mirror *m, uint64_t now_ms)
{
	struct catalog_mirror row = m->row;
	struct err e;

	if (submit(s, m->source, row.job, &e) == 0) {
		row.next_ms = sum(now_ms, with_jitter(m, m->source->interval_ms));
		m->poll_ms = sum(now_ms, POLL_MS);
		keep(s, m, &row);
	} else if (may_pass(&e)) {
		put_off(s, m, sum(now_ms, AGAIN_MS < m->source->interval_ms ? AGAIN_MS :
			m->source->interval_ms));
	} else {
		went_wrong(s, m, now_ms, e.text);
	}
}

uint64_t mirrors_schedule_run(struct mirrors_schedule *s, uint64_t now_ms)
{
	uint64_t next = sum(now_ms, IDLE_MS);

	for (size_t i = 0; i < s->n; i++) {
		struct mirror *m = &s->items[i];
		uint64_t due;
		if (m->row.job[0] && m->poll_ms <= now_ms)
			look_at_job(s, m, now_ms);
		if (!m->row.job[0] && m->row.next_ms <= now_ms)
			look(s, m, now_ms);
		due = m->row.job[0] ? m->poll_ms : m->row.next_ms;
		next = due < next ? due : next;
	}
	return next > now_ms ? next - now_ms : 0;
}

/* ---- the start and the end ---- */

static void begin_anew(struct mirror *m, const struct digest *url, uint64_t now_ms)
{
	m->row = (struct catalog_mirror){.url = *url, .next_ms = now_ms};
	memcpy(m->row.name, m->source->name, sizeof(m->row.name));
	memcpy(m->row.model, m->source->model, sizeof(m->row.model));
}

/* `*overdue` counts those that are. A clock that was ahead, or a longer interval, leaves no pause
 * behind that is longer than the interval. */
static int open_one(struct mirrors_schedule *s, struct mirror *m, uint64_t now_ms, size_t *overdue,
	struct err *e)
{
	const struct url *u = &m->source->url;
	uint64_t latest = sum(now_ms, m->source->interval_ms);
	struct digest url;
	bool found;
	int r = digest_of(u->text, strlen(u->text), &url, e);

	if (r == 0)
		r = catalog_mirror_read(s->options.catalog, m->source->name, &m->row, &found, e);
	if (r < 0)
		return r;
	if (!found || !digest_eq(&m->row.url, &url))
		begin_anew(m, &url, now_ms);
	if (m->row.next_ms > latest)
		m->row.next_ms = latest;
	if (!m->row.job[0] && m->row.next_ms <= now_ms)
		m->row.next_ms = sum(now_ms, START_GAP_MS * (*overdue)++);
	return 0;
}

static int forget_others(struct mirrors_schedule *s, struct err *e)
{
	CLEANUP_FREE const char **names = calloc(s->sources.n + 1, sizeof(*names));

	if (!names)
		return err_nomem(e);
	for (size_t i = 0; i < s->sources.n; i++)
		names[i] = s->sources.items[i].name;
	return catalog_mirror_keep(s->options.catalog, names, s->sources.n, e);
}

static int fill(struct mirrors_schedule *s, uint64_t now_ms, struct err *e)
{
	size_t overdue = 0;
	int r = mirrors_read(s->options.sources->items, s->options.sources->n, &s->sources, e);

	if (r == 0)
		r = forget_others(s, e);
	if (r < 0)
		return r;
	s->items = calloc(s->sources.n + 1, sizeof(*s->items));
	if (!s->items)
		return err_nomem(e);
	for (; r == 0 && s->n < s->sources.n; s->n++) {
		s->items[s->n].source = &s->sources.items[s->n];
		r = open_one(s, &s->items[s->n], now_ms, &overdue, e);
	}
	return r;
}

int mirrors_schedule_open(const struct mirrors_schedule_options *o, uint64_t now_ms,
	struct mirrors_schedule **ret, struct err *e)
{
	struct mirrors_schedule *s = calloc(1, sizeof(*s));
	int r;

	if (!s)
		return err_nomem(e);
	s->options = *o;
	(void)pthread_mutex_init(&s->lock, NULL);
	r = fill(s, now_ms, e);
	if (r < 0)
		mirrors_schedule_close(s);
	else
		*ret = s;
	return r;
}

void mirrors_schedule_close(struct mirrors_schedule *s)
{
	if (!s)
		return;
	mirrors_done(&s->sources);
	(void)pthread_mutex_destroy(&s->lock);
	free(s->items);
	free(s);
}

/* ---- looking ---- */

void mirrors_schedule_count(struct mirrors_schedule *s, uint64_t *ret_n, uint64_t *ret_failing)
{
	*ret_n = s->n;
	*ret_failing = 0;
	(void)pthread_mutex_lock(&s->lock);
	for (size_t i = 0; i < s->n; i++)
		*ret_failing += s->items[i].row.failures > 0;
	(void)pthread_mutex_unlock(&s->lock);
}

int mirrors_schedule_list(struct mirrors_schedule *s, struct catalog_mirror **ret, size_t *ret_n,
	struct err *e)
{
	struct catalog_mirror *rows = calloc(s->n + 1, sizeof(*rows));

	if (!rows)
		return err_nomem(e);
	(void)pthread_mutex_lock(&s->lock);
	for (size_t i = 0; i < s->n; i++)
		rows[i] = s->items[i].row;
	(void)pthread_mutex_unlock(&s->lock);
	*ret = rows;
	*ret_n = s->n;
	return 0;
}
