/* SPDX-License-Identifier: Apache-2.0 */
/* /v1/jobs: what long work there is, one job, and the end of it. */
#include "server/api/api_jobs.h"
#include "common/base/num.h"
#include "server/api/api.h"
#include "server/api/api_job_json.h"
#include "server/api/api_json.h"
#include "server/api/api_page.h"
#include "server/api/api_watch.h"
#include "server/import/importer.h"

#include <inttypes.h>
#include <stdio.h>

/* A page ends early with a job that passes this: what was asked for and what became of it may be
 * long. */
#define PAGE_BYTES (1u << 20)
#define PAGE_MAX   (PAGE_BYTES + API_JOB_JSON_MAX + 4096u)
#define STEP       16u /* jobs that are read at a time */

/* ---- one ---- */

static int no_such_job(struct err *e)
{
	return err_set(e, ERR_JOB_NOT_FOUND, "there is no such job, or it was forgotten");
}

static int job_id(const struct req *r, char ret[CATALOG_JOB_ID + 1], struct err *e)
{
	struct str id = req_capture(r, 0);

	if (id.n != CATALOG_JOB_ID)
		return no_such_job(e);
	(void)snprintf(ret, CATALOG_JOB_ID + 1, STR_FMT, STR_ARG(id));
	return 0;
}

/* A job is shown to those who may read its model, or make versions of it as jobs do. */
static bool may_see(const struct req *r, const struct catalog_job *job)
{
	return req_may(r, SCOPE_READ | SCOPE_PUBLISH, job->model);
}

/* Of a job that may not be seen nothing is told, as if it were not there. */
static int look(struct req *r, const char *id, struct catalog_job *ret, uint64_t *ret_rate,
	struct err *e)
{
	const struct app *app = req_app(r);
	int result = importer_look(app->importer, id, ret, ret_rate, e);

	if (result < 0 || may_see(r, ret))
		return result;
	catalog_job_clear(ret);
	return no_such_job(e);
}

static void write_job(struct req *r, const struct catalog_job *job, uint64_t rate, struct buf *out)
{
	struct json_write w;

	json_write_init(&w, out);
	api_job_json(&w, job, rate, req_base_url(r));
}

static int make_reply(struct buf *json, int status, struct reply **ret, struct err *e)
{
	int result;

	buf_add_char(json, '\n');
	result = buf_check(json, "the answer", e);
	if (result < 0)
		return result;
	*ret = reply_buf(status, "application/json", json);
	reply_header(*ret, "Cache-Control", "no-store");
	reply_header(*ret, "Vary", "Accept");
	return *ret ? 0 : err_nomem(e);
}

int api_jobs_reply(struct req *r, int status, const char *id, struct reply **ret, struct err *e)
{
	const struct app *app = req_app(r);
	CLEANUP_BUF struct buf json = BUF_INIT(API_JOB_JSON_MAX);
	struct catalog_job job;
	uint64_t rate;
	int result = importer_look(app->importer, id, &job, &rate, e);

	if (result < 0)
		return result;
	write_job(r, &job, rate, &json);
	catalog_job_clear(&job);
	return make_reply(&json, status, ret, e);
}

/* What has ended has a validator: it is read again and again by those who wait for it. */
static int reply_job(struct req *r, const struct catalog_job *job, uint64_t rate, struct err *e)
{
	CLEANUP_BUF struct buf json = BUF_INIT(API_JOB_JSON_MAX);
	struct reply *reply;
	int result;

	write_job(r, job, rate, &json);
	if (api_job_json_ended(job))
		return api_json_reply_varied(r, &json, "Accept", e);
	result = make_reply(&json, 200, &reply, e);
	if (result == 0)
		req_reply(r, reply);
	return result;
}

static int follow(struct req *r, const char *id, struct err *e)
{
	struct api_watch *watch;
	struct reply *reply;
	int result = api_watch_new(r, &watch, e);

	if (result == 0)
		result = api_watch_reply(watch, id, 200, &reply, e);
	if (result == 0)
		req_reply(r, reply);
	return result;
}

static int show_work(struct req *r, struct err *e)
{
	char id[CATALOG_JOB_ID + 1];
	struct catalog_job job;
	uint64_t rate;
	int result = job_id(r, id, e);

	if (result == 0)
		result = look(r, id, &job, &rate, e);
	if (result < 0)
		return result;
	result = api_watch_asked(r) ? follow(r, id, e) : reply_job(r, &job, rate, e);
	catalog_job_clear(&job);
	return result;
}

const struct handler api_jobs_show = {
	.name = "job",
	.scope = SCOPE_READ | SCOPE_PUBLISH,
	.target = HANDLER_SOME,
	.work = show_work,
};

static int require_cancel(struct req *r, const char *id, struct err *e)
{
	struct catalog_job job;
	uint64_t rate;
	int result = look(r, id, &job, &rate, e);

	if (result < 0)
		return result;
	result = req_require(r, SCOPE_PUBLISH, job.model, e);
	catalog_job_clear(&job);
	return result;
}

static int cancel_work(struct req *r, struct err *e)
{
	const struct app *app = req_app(r);
	CLEANUP_BUF struct buf json = BUF_INIT(API_JOB_JSON_MAX);
	char id[CATALOG_JOB_ID + 1];
	struct catalog_job job;
	struct reply *reply;
	int result = job_id(r, id, e);

	if (result == 0)
		result = require_cancel(r, id, e);
	if (result == 0)
		result = importer_cancel(app->importer, id, &job, e);
	if (result < 0)
		return result;
	write_job(r, &job, 0, &json);
	catalog_job_clear(&job);
	result = make_reply(&json, 200, &reply, e);
	if (result == 0)
		req_reply(r, reply);
	return result;
}

const struct handler api_jobs_cancel = {
	.name = "job-cancel",
	.writes = true,
	.scope = SCOPE_PUBLISH,
	.target = HANDLER_SOME,
	.work = cancel_work,
};

/* ---- the list ---- */

#define TOKEN_MAX (20 + 1 + CATALOG_JOB_ID) /* when it was made, '.', its id */

struct page {
	const struct req *req;
	struct catalog *catalog;
	const char *base_url;
	struct catalog_job_filter filter;
	char model[REF_NAME_MAX + 1];
	char id[CATALOG_JOB_ID + 1]; /* filter.before_id */
	size_t limit;
	struct json_write w;
	size_t n;
	bool has_next;
	uint64_t last_ms; /* of the last one that is shown: nothing tells of others */
	char last_id[CATALOG_JOB_ID + 1];
};

static int read_model(struct req *r, struct page *p, struct err *e)
{
	CLEANUP_BUF struct buf text = BUF_INIT(8192);

	if (!req_query(r, "model", &text))
		return 0;
	if (ref_check_name((struct str){buf_str(&text), text.len}, e) < 0) {
		e->code = ERR_BAD_PARAMETER;
		return err_prefix(e, "model");
	}
	(void)snprintf(p->model, sizeof(p->model), "%s", buf_str(&text));
	p->filter.model = p->model;
	return 0;
}

static int read_state(struct req *r, struct page *p, struct err *e)
{
	CLEANUP_BUF struct buf text = BUF_INIT(8192);

	if (!req_query(r, "state", &text) || strcmp(buf_str(&text), "all") == 0)
		return 0;
	if (strcmp(buf_str(&text), "open") != 0)
		return err_set(e, ERR_BAD_PARAMETER,
			"state is open, for what is queued or running, or all");
	p->filter.open = true;
	return 0;
}

static int read_token(struct req *r, struct page *p, struct err *e)
{
	CLEANUP_BUF struct buf text = BUF_INIT(8192);
	int there = api_page_parameter(r, "page_token", &text, e);
	struct str id, ms;

	if (there <= 0)
		return there;
	id = (struct str){buf_str(&text), text.len};
	if (!str_split(&id, '.', &ms) || id.n != CATALOG_JOB_ID ||
		!num_parse(ms.p, ms.n, NUM_SAFE_INTEGER_MAX, &p->filter.before_ms) ||
		p->filter.before_ms == 0)
		return err_set(e, ERR_BAD_PARAMETER, "page_token is what next_page_token said");
	(void)snprintf(p->id, sizeof(p->id), STR_FMT, STR_ARG(id));
	return 0;
}

static void add_job(struct page *p, const struct catalog_job *job)
{
	p->filter.before_ms = job->created_ms;
	(void)snprintf(p->id, sizeof(p->id), "%s", job->id);
	if (!may_see(p->req, job))
		return;
	if (p->n == p->limit || p->w.out->len > PAGE_BYTES) {
		p->has_next = true;
		return;
	}
	api_job_json(&p->w, job, 0, p->base_url);
	p->last_ms = job->created_ms;
	(void)snprintf(p->last_id, sizeof(p->last_id), "%s", job->id);
	p->n++;
}

/* *ret_more is false when there are no others. */
static int add_step(struct page *p, bool *ret_more, struct err *e)
{
	struct catalog_job *rows = calloc(STEP, sizeof(*rows));
	size_t n = 0;
	int result = rows ? catalog_jobs(p->catalog, &p->filter, rows, STEP, &n, e) : err_nomem(e);

	for (size_t i = 0; i < n; i++) {
		if (!p->has_next)
			add_job(p, &rows[i]);
		catalog_job_clear(&rows[i]);
	}
	free(rows);
	*ret_more = n == STEP && !p->has_next;
	return result;
}

static void write_next(struct page *p, struct buf *link)
{
	char token[TOKEN_MAX + 1];

	(void)snprintf(token, sizeof(token), "%" PRIu64 ".%s", p->last_ms, p->last_id);
	json_write_str(&p->w, "next_page_token", token);
	api_page_link(link, "/v1/jobs", p->limit, token, (const char *const[]){
		"model", p->model, "state", p->filter.open ? "open" : "", NULL});
}

static int write_page(struct page *p, struct buf *json, struct buf *link, struct err *e)
{
	bool more = true;
	int result = 0;

	json_write_init(&p->w, json);
	json_write_object(&p->w, NULL);
	json_write_array(&p->w, "jobs");
	while (result == 0 && more)
		result = add_step(p, &more, e);
	json_write_array_end(&p->w);
	if (p->has_next)
		write_next(p, link);
	json_write_object_end(&p->w);
	return result;
}

static int list_work(struct req *r, struct err *e)
{
	const struct app *app = req_app(r);
	CLEANUP_BUF struct buf json = BUF_INIT(PAGE_MAX), link = BUF_INIT(API_PAGE_LINK_MAX);
	struct page p = {.req = r,
		.catalog = registry_catalog(app->registry), .base_url = req_base_url(r)};
	int result = api_page_limit(r, API_PAGE_DEFAULT, &p.limit, e);

	p.filter.before_id = p.id;
	if (result == 0)
		result = read_model(r, &p, e);
	if (result == 0)
		result = read_state(r, &p, e);
	if (result == 0)
		result = read_token(r, &p, e);
	if (result == 0)
		result = write_page(&p, &json, &link, e);
	return result < 0 ? result : api_json_reply_page(r, &json, &link, e);
}

const struct handler api_jobs_list = {
	.name = "jobs",
	.scope = SCOPE_READ | SCOPE_PUBLISH,
	.target = HANDLER_SOME,
	.work = list_work,
};
