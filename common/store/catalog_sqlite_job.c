/* SPDX-License-Identifier: Apache-2.0 */
#include "common/store/catalog_sqlite_job.h"
#include "common/store/catalog_sqlite_change.h"
#include "common/store/catalog_sqlite_pool.h"

#include <stdio.h>
#include <string.h>

#define EXPIRE_BATCH 500

static const char *const states[] = {
	[CATALOG_JOB_QUEUED] = "queued",
	[CATALOG_JOB_RUNNING] = "running",
	[CATALOG_JOB_DONE] = "done",
	[CATALOG_JOB_FAILED] = "failed",
	[CATALOG_JOB_CANCELLED] = "cancelled",
};

#define COLUMNS \
	"id, kind, model, mirror, who, state, created, started, finished, attempt, upload, bytes," \
	" total, files, files_total, file, version, unchanged, request, outcome"

/* ---- reading ---- */

static void copy_text(struct catalog_sqlite_query *q, int column, char *to, size_t size)
{
	(void)snprintf(to, size, "%s", catalog_sqlite_conn_col_text(q, column));
}

static int take_state(struct catalog_sqlite_query *q, int column, enum catalog_job_state *ret,
	struct err *e)
{
	const char *text = catalog_sqlite_conn_col_text(q, column);

	for (size_t i = 0; i < ARRAY_SIZE(states); i++) {
		if (strcmp(states[i], text) == 0) {
			*ret = (enum catalog_job_state)i;
			return 0;
		}
	}
	return err_set(e, ERR_CORRUPT, "the catalog holds \"%.80s\" where a job's state belongs",
		text);
}

static void take_progress(struct catalog_sqlite_query *q, int column,
	struct catalog_job_progress *ret)
{
	ret->bytes = catalog_sqlite_conn_col_uint(q, column);
	ret->total = catalog_sqlite_conn_col_uint(q, column + 1);
	ret->files = catalog_sqlite_conn_col_uint(q, column + 2);
	ret->files_total = catalog_sqlite_conn_col_uint(q, column + 3);
	copy_text(q, column + 4, ret->file, sizeof(ret->file));
}

static void take_head(struct catalog_sqlite_query *q, struct catalog_job *j)
{
	copy_text(q, 0, j->id, sizeof(j->id));
	copy_text(q, 1, j->kind, sizeof(j->kind));
	copy_text(q, 2, j->model, sizeof(j->model));
	copy_text(q, 3, j->mirror, sizeof(j->mirror));
	copy_text(q, 4, j->who, sizeof(j->who));
	j->created_ms = catalog_sqlite_conn_col_uint(q, 6);
	j->started_ms = catalog_sqlite_conn_col_uint(q, 7);
	j->finished_ms = catalog_sqlite_conn_col_uint(q, 8);
	j->attempt = catalog_sqlite_conn_col_uint(q, 9);
	copy_text(q, 10, j->upload, sizeof(j->upload));
	take_progress(q, 11, &j->progress);
	j->version = catalog_sqlite_conn_col_uint(q, 16);
	j->unchanged = catalog_sqlite_conn_col_uint(q, 17) > 0;
}

/* The row has COLUMNS. On failure nothing is left to clear. */
static int take(struct catalog_sqlite_query *q, struct catalog_job *ret, struct err *e)
{
	struct catalog_job j = {.state = CATALOG_JOB_QUEUED};
	int r = take_state(q, 5, &j.state, e);

	take_head(q, &j);
	if (r == 0)
		r = catalog_sqlite_conn_col_dup(q, 18, &j.request, e);
	if (r == 0 && *catalog_sqlite_conn_col_text(q, 19))
		r = catalog_sqlite_conn_col_dup(q, 19, &j.outcome, e);
	if (r < 0)
		catalog_job_clear(&j);
	else
		*ret = j;
	return r;
}

static int read_job(struct catalog_sqlite_conn *c, const char *id, struct catalog_job *ret,
	struct err *e)
{
	static const char sql[] = "SELECT " COLUMNS " FROM jobs WHERE id = $1";
	CATALOG_SQLITE_QUERY q = catalog_sqlite_conn_query(c, sql);
	bool row;
	int r;

	catalog_sqlite_conn_text(&q, "$1", id);
	r = catalog_sqlite_conn_row(&q, &row, e);
	if (r < 0)
		return r;
	if (!row)
		return err_set(e, ERR_JOB_NOT_FOUND, "there is no job %.*s, or it was forgotten",
			CATALOG_JOB_ID, id);
	return take(&q, ret, e);
}

int catalog_sqlite_job_read(void *engine, const char *id, struct catalog_job *ret, struct err *e)
{
	return CATALOG_SQLITE_POOL_READ(read_job(c, id, ret, e));
}

/* Each condition of the filter has an index that also gives the order. */
static const char *list_sql(const struct catalog_job_filter *f)
{
#define LIST(where) \
	"SELECT " COLUMNS " FROM jobs WHERE " where "(created, id) < ($1, $2)" \
	" ORDER BY created DESC, id DESC LIMIT $3"
	static const char all[] = LIST("");
	static const char open[] = LIST("finished = 0 AND ");
	static const char of_model[] = LIST("model = $4 AND ");
	static const char open_of_model[] = LIST("model = $4 AND finished = 0 AND ");

	if (f->model)
		return f->open ? open_of_model : of_model;
	return f->open ? open : all;
}

static int list(struct catalog_sqlite_conn *c, const struct catalog_job_filter *f,
	struct catalog_job *rows, size_t max, size_t *n, struct err *e)
{
	CATALOG_SQLITE_QUERY q = catalog_sqlite_conn_query(c, list_sql(f));
	bool paged = f->before_ms > 0;

	catalog_sqlite_conn_uint(&q, "$1", paged ? f->before_ms : INT64_MAX);
	catalog_sqlite_conn_text(&q, "$2", paged ? f->before_id : "");
	catalog_sqlite_conn_uint(&q, "$3", max);
	if (f->model)
		catalog_sqlite_conn_text(&q, "$4", f->model);
	for (;;) {
		bool row;
		int r = catalog_sqlite_conn_row(&q, &row, e);
		if (r < 0 || !row || *n >= max)
			return r;
		r = take(&q, &rows[*n], e);
		if (r < 0)
			return r;
		(*n)++;
	}
}

int catalog_sqlite_job_list(void *engine, const struct catalog_job_filter *f,
	struct catalog_job *rows, size_t max, size_t *ret_n, struct err *e)
{
	size_t n = 0;
	int r = CATALOG_SQLITE_POOL_READ(list(c, f, rows, max, &n, e));

	while (r < 0 && n > 0)
		catalog_job_clear(&rows[--n]);
	*ret_n = n;
	return r;
}

/* ---- a new one ---- */

static int count_open(struct catalog_sqlite_conn *c, uint64_t *ret, struct err *e)
{
	static const char sql[] = "SELECT COUNT(*) FROM jobs WHERE finished = 0";
	CATALOG_SQLITE_QUERY q = catalog_sqlite_conn_query(c, sql);
	bool row;
	int r = catalog_sqlite_conn_row(&q, &row, e);

	if (r == 0)
		*ret = catalog_sqlite_conn_col_uint(&q, 0);
	return r;
}

static int require_idle(struct catalog_sqlite_conn *c, const char *mirror, struct err *e)
{
	static const char sql[] = "SELECT id FROM jobs WHERE mirror = $1 AND finished = 0";
	CATALOG_SQLITE_QUERY q = catalog_sqlite_conn_query(c, sql);
	bool row;
	int r;

	catalog_sqlite_conn_text(&q, "$1", mirror);
	r = catalog_sqlite_conn_row(&q, &row, e);
	if (r < 0 || !row)
		return r;
	return err_set(e, ERR_CONFLICT, "job %s of the mirror %s has not ended",
		catalog_sqlite_conn_col_text(&q, 0), mirror);
}

static int insert(struct catalog_sqlite_conn *c, const struct catalog_job *j, struct err *e)
{
	static const char sql[] =
		"INSERT INTO jobs (" COLUMNS ", leased)"
		" VALUES ($1, $2, $3, $4, $5, $6, now_ms(), 0, 0, 0, '', 0, 0, 0, 0, '', 0, 0, $7,"
		" '', 0)";
	CATALOG_SQLITE_QUERY q = catalog_sqlite_conn_query(c, sql);

	catalog_sqlite_conn_text(&q, "$1", j->id);
	catalog_sqlite_conn_text(&q, "$2", j->kind);
	catalog_sqlite_conn_text(&q, "$3", j->model);
	catalog_sqlite_conn_text(&q, "$4", j->mirror);
	catalog_sqlite_conn_text(&q, "$5", j->who);
	catalog_sqlite_conn_text(&q, "$6", states[CATALOG_JOB_QUEUED]);
	catalog_sqlite_conn_text(&q, "$7", j->request);
	return catalog_sqlite_conn_run(&q, e);
}

static int add(struct catalog_sqlite_conn *c, const struct catalog_job *j, uint64_t max_open,
	struct err *e)
{
	uint64_t open = 0;
	int r = max_open > 0 ? count_open(c, &open, e) : 0;

	if (r == 0 && max_open > 0 && open >= max_open)
		r = err_set(e, ERR_TOO_MANY, "%llu jobs wait or run, the limit: try again later",
			(unsigned long long)open);
	if (r == 0 && j->mirror[0])
		r = require_idle(c, j->mirror, e);
	return r < 0 ? r : insert(c, j, e);
}

int catalog_sqlite_job_add(void *engine, const struct catalog_job *j, uint64_t max_open,
	struct err *e)
{
	return CATALOG_SQLITE_POOL_WRITE(add(c, j, max_open, e));
}

/* ---- who has it ---- */

static int claim(struct catalog_sqlite_conn *c, uint64_t lease_ms, struct catalog_job *ret,
	bool *ret_any, struct err *e)
{
	static const char sql[] =
		"UPDATE jobs SET state = 'running', started = now_ms(), attempt = attempt + 1,"
		" leased = now_ms() + $1 WHERE id ="
		" (SELECT id FROM jobs WHERE finished = 0"
		" AND (state = 'queued' OR leased <= now_ms()) ORDER BY created, id LIMIT 1)"
		" RETURNING " COLUMNS;
	CATALOG_SQLITE_QUERY q = catalog_sqlite_conn_query(c, sql);
	int r;

	catalog_sqlite_conn_uint(&q, "$1", lease_ms);
	r = catalog_sqlite_conn_row(&q, ret_any, e);
	if (r < 0 || !*ret_any)
		return r;
	r = take(&q, ret, e);
	return r < 0 ? r : catalog_sqlite_conn_run(&q, e);
}

int catalog_sqlite_job_claim(void *engine, uint64_t lease_ms, struct catalog_job *ret,
	bool *ret_any, struct err *e)
{
	struct catalog_job j = {.request = NULL};
	bool any = false;
	int r = CATALOG_SQLITE_POOL_WRITE(claim(c, lease_ms, &j, &any, e));

	if (r < 0) {
		catalog_job_clear(&j);
		return r;
	}
	*ret_any = any;
	if (any)
		*ret = j;
	return 0;
}

static int reclaim(struct catalog_sqlite_conn *c, struct err *e)
{
	static const char sql[] =
		"UPDATE jobs SET state = 'queued', leased = 0 WHERE finished = 0"
		" AND state = 'running'";
	CATALOG_SQLITE_QUERY q = catalog_sqlite_conn_query(c, sql);

	return catalog_sqlite_conn_run(&q, e);
}

int catalog_sqlite_job_reclaim(void *engine, struct err *e)
{
	return CATALOG_SQLITE_POOL_WRITE(reclaim(c, e));
}

/* The fence: a statement with RETURNING that changes the row only while this attempt has it. */
static int run_fenced(struct catalog_sqlite_query *q, const char *id, uint64_t attempt,
	struct err *e)
{
	bool ours;
	int r;

	catalog_sqlite_conn_text(q, "$1", id);
	catalog_sqlite_conn_uint(q, "$2", attempt);
	r = catalog_sqlite_conn_any(q, &ours, e);
	if (r < 0 || ours)
		return r;
	return err_set(e, ERR_CONFLICT,
		"job %s is not that of attempt %llu: it was cancelled, or somebody else has it", id,
		(unsigned long long)attempt);
}

#define FENCE " WHERE id = $1 AND attempt = $2 AND state = 'running' RETURNING id"

static void bind_progress(struct catalog_sqlite_query *q, const struct catalog_job_progress *p)
{
	catalog_sqlite_conn_uint(q, "$4", p->bytes);
	catalog_sqlite_conn_uint(q, "$5", p->total);
	catalog_sqlite_conn_uint(q, "$6", p->files);
	catalog_sqlite_conn_uint(q, "$7", p->files_total);
	catalog_sqlite_conn_text(q, "$8", p->file);
}

#define SET_PROGRESS "bytes = $4, total = $5, files = $6, files_total = $7, file = $8"

static int renew(struct catalog_sqlite_conn *c, const char *id, uint64_t attempt,
	uint64_t lease_ms, const struct catalog_job_progress *p, struct err *e)
{
	static const char sql[] = "UPDATE jobs SET leased = now_ms() + $3, " SET_PROGRESS FENCE;
	CATALOG_SQLITE_QUERY q = catalog_sqlite_conn_query(c, sql);

	catalog_sqlite_conn_uint(&q, "$3", lease_ms);
	bind_progress(&q, p);
	return run_fenced(&q, id, attempt, e);
}

int catalog_sqlite_job_renew(void *engine, const char *id, uint64_t attempt, uint64_t lease_ms,
	const struct catalog_job_progress *p, struct err *e)
{
	return CATALOG_SQLITE_POOL_WRITE(renew(c, id, attempt, lease_ms, p, e));
}

static int set_upload(struct catalog_sqlite_conn *c, const char *id, uint64_t attempt,
	const char *upload, struct err *e)
{
	static const char sql[] = "UPDATE jobs SET upload = $3" FENCE;
	CATALOG_SQLITE_QUERY q = catalog_sqlite_conn_query(c, sql);

	catalog_sqlite_conn_text(&q, "$3", upload);
	return run_fenced(&q, id, attempt, e);
}

int catalog_sqlite_job_set_upload(void *engine, const char *id, uint64_t attempt,
	const char *upload, struct err *e)
{
	return CATALOG_SQLITE_POOL_WRITE(set_upload(c, id, attempt, upload, e));
}

/* ---- the end ---- */

static int end(struct catalog_sqlite_conn *c, const struct catalog_job *j, struct err *e)
{
	static const char sql[] =
		"UPDATE jobs SET state = $3, leased = 0, version = $9, unchanged = $10,"
		" outcome = $11, finished = CASE WHEN $3 = 'queued' THEN 0 ELSE now_ms() END,"
		" " SET_PROGRESS FENCE;
	CATALOG_SQLITE_QUERY q = catalog_sqlite_conn_query(c, sql);
	int r;

	catalog_sqlite_conn_text(&q, "$3", states[j->state]);
	bind_progress(&q, &j->progress);
	catalog_sqlite_conn_uint(&q, "$9", j->version);
	catalog_sqlite_conn_uint(&q, "$10", j->unchanged);
	catalog_sqlite_conn_text(&q, "$11", j->outcome ? j->outcome : "");
	r = run_fenced(&q, j->id, j->attempt, e);
	if (r == 0 && j->state == CATALOG_JOB_FAILED)
		r = catalog_sqlite_change_add_failure(c, j->id, e);
	return r;
}

int catalog_sqlite_job_end(void *engine, const struct catalog_job *j, struct err *e)
{
	return CATALOG_SQLITE_POOL_WRITE(end(c, j, e));
}

static int cancel(struct catalog_sqlite_conn *c, const char *id, struct catalog_job *ret,
	struct err *e)
{
	static const char sql[] =
		"UPDATE jobs SET state = 'cancelled', finished = now_ms(), leased = 0"
		" WHERE id = $1 AND finished = 0";
	CATALOG_SQLITE_QUERY q = catalog_sqlite_conn_query(c, sql);
	int r;

	catalog_sqlite_conn_text(&q, "$1", id);
	r = catalog_sqlite_conn_run(&q, e);
	if (r == 0)
		r = read_job(c, id, ret, e);
	if (r == 0 && ret->state != CATALOG_JOB_CANCELLED)
		r = err_set(e, ERR_CONFLICT, "job %s has ended before: it is %s", id,
			states[ret->state]);
	return r;
}

int catalog_sqlite_job_cancel(void *engine, const char *id, struct catalog_job *ret, struct err *e)
{
	struct catalog_job j = {.request = NULL};
	int r = CATALOG_SQLITE_POOL_WRITE(cancel(c, id, &j, e));

	if (r < 0)
		catalog_job_clear(&j);
	else
		*ret = j;
	return r;
}

static int expire(struct catalog_sqlite_conn *c, uint64_t before_ms, size_t *n, struct err *e)
{
	static const char sql[] =
		"DELETE FROM jobs WHERE id IN (SELECT id FROM jobs WHERE finished > 0"
		" AND finished < $1 ORDER BY finished LIMIT $2) RETURNING id";
	CATALOG_SQLITE_QUERY q = catalog_sqlite_conn_query(c, sql);

	catalog_sqlite_conn_uint(&q, "$1", before_ms);
	catalog_sqlite_conn_uint(&q, "$2", EXPIRE_BATCH);
	for (;;) {
		bool row;
		int r = catalog_sqlite_conn_row(&q, &row, e);
		if (r < 0 || !row)
			return r;
		(*n)++;
	}
}

int catalog_sqlite_job_expire(void *engine, uint64_t before_ms, size_t *ret_n, struct err *e)
{
	size_t n = 0;
	int r = CATALOG_SQLITE_POOL_WRITE(expire(c, before_ms, &n, e));

	*ret_n = r < 0 ? 0 : n;
	return r;
}

/* ---- checking ---- */

int catalog_sqlite_job_check(struct catalog_sqlite_conn *c, struct buf *faults, struct err *e)
{
	static const char sql[] =
		"SELECT id, state, finished FROM jobs"
		" WHERE NOT (state IN ('queued', 'running') AND finished = 0)"
		" AND NOT (state IN ('done', 'failed', 'cancelled') AND finished > 0) ORDER BY id";
	CATALOG_SQLITE_QUERY q = catalog_sqlite_conn_query(c, sql);

	for (;;) {
		bool row;
		int r = catalog_sqlite_conn_row(&q, &row, e);
		if (r < 0 || !row)
			return r;
		buf_addf(faults, "job %s is \"%.80s\" and has %s\n",
			catalog_sqlite_conn_col_text(&q, 0), catalog_sqlite_conn_col_text(&q, 1),
			catalog_sqlite_conn_col_uint(&q, 2) > 0 ? "ended" : "not ended");
	}
}
