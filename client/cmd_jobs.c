/* SPDX-License-Identifier: Apache-2.0 */
/* jobs, jobs watch, jobs cancel */
#include "client/cmd.h"
#include "client/job.h"
#include "client/say.h"
#include "common/base/num.h"

#include <stdio.h>

#define TOKEN_MAX 256

struct list {
	const struct run *run;
	struct say_table table;
	struct buf ids;
	struct buf json;
	struct json_write w;
	char next[TOKEN_MAX + 1]; /* page token, fit for a URL; "" for no page */
};

static void list_done(struct list *l)
{
	say_table_done(&l->table);
	buf_done(&l->ids);
	buf_done(&l->json);
}

static const char *text_of(const struct json *v, const char *key)
{
	const char *text = json_str(json_get(v, key));

	return text ? text : "";
}

/* The ref that it made, or why it did not. */
static const char *outcome_of(const struct json *job)
{
	const char *ref = text_of(job, "ref");

	return *ref ? ref : text_of(json_get(job, "error"), "detail");
}

static void add_job(struct list *l, const struct json *job)
{
	char size[NUM_SIZE_TEXT];
	uint64_t bytes = 0;

	if (l->run->json) {
		say_value(&l->w, NULL, job);
		return;
	}
	(void)json_uint(json_get(json_get(job, "progress"), "bytes"), NUM_SAFE_INTEGER_MAX, &bytes);
	say_clean(text_of(job, "id"), &l->ids);
	buf_add_char(&l->ids, '\n');
	say_table_add(&l->table, text_of(job, "id"));
	say_table_add(&l->table, text_of(job, "state"));
	say_table_add(&l->table, text_of(job, "model"));
	say_table_add(&l->table, num_format_size(bytes, size));
	say_table_add(&l->table, text_of(job, "created"));
	say_table_add(&l->table, outcome_of(job));
}

static void keep_token(struct list *l, const char *token)
{
	l->next[0] = '\0';
	if (!token || strlen(token) > TOKEN_MAX)
		return;
	for (const char *c = token; *c; c++)
		if (!str_is_lower(str_to_lower(*c)) && !str_is_digit(*c) && !strchr("-_.~/", *c))
			return;
	(void)snprintf(l->next, sizeof(l->next), "%s", token);
}

static int add_page(struct list *l, struct api *a, const char *model, struct fault *f)
{
	CLEANUP_API_ANSWER struct api_answer page = {.doc = NULL};
	char target[REF_NAME_MAX + TOKEN_MAX + 64];
	int r;

	(void)snprintf(target, sizeof(target), "/v1/jobs?limit=50%s%s%s%s", model ? "&model=" : "",
		model ? model : "", l->next[0] ? "&page_token=" : "", l->next);
	r = api_get(a, target, "the list of jobs", &page, f);
	if (r < 0)
		return r;
	for (const struct json *x = json_first(json_get(api_root(&page), "jobs")); x;
		x = json_next(x))
		add_job(l, x);
	keep_token(l, json_str(json_get(api_root(&page), "next_page_token")));
	return 0;
}

static void begin(struct list *l)
{
	static const char *const heads[] = {"ID", "STATE", "MODEL", "SIZE", "CREATED", "OUTCOME"};

	l->table.columns = ARRAY_SIZE(heads);
	l->table.right = 1u << 3;
	for (size_t i = 0; i < ARRAY_SIZE(heads); i++)
		say_table_add(&l->table, heads[i]);
	json_write_init(&l->w, &l->json);
	json_write_object(&l->w, NULL);
	json_write_array(&l->w, "jobs");
}

static int print(struct list *l, struct fault *f)
{
	CLEANUP_BUF struct buf text = BUF_INIT(SAY_MAX);

	if (l->run->json) {
		json_write_array_end(&l->w);
		json_write_object_end(&l->w);
		return say_json(&l->json, f);
	}
	if (l->run->quiet)
		return say_out(&l->ids, f);
	if (l->ids.len == 0) {
		say_note(l->run, "There are no such jobs on %s.", l->run->settings->server);
		return 0;
	}
	say_table_print(&l->table, &text);
	return say_out(&text, f);
}

int cmd_jobs(struct run *run, struct fault *f)
{
	CLEANUP(list_done)
	struct list l = {.run = run, .ids = BUF_INIT(SAY_MAX), .json = BUF_INIT(SAY_MAX)};
	CLEANUP(api_close_p) struct api *a = NULL;
	const char *model = run_operand(run, 0);
	int r = model ? api_check_name(model, f) : 0;

	if (r == 0)
		r = api_open(run, &a, f);
	begin(&l);
	while (r == 0) {
		r = add_page(&l, a, model, f);
		if (!l.next[0] || !args_has(run->args, USAGE_ALL))
			break;
	}
	return r < 0 ? r : print(&l, f);
}

int cmd_jobs_watch(struct run *run, struct fault *f)
{
	CLEANUP_API_ANSWER struct api_answer end = {.doc = NULL};
	CLEANUP(api_close_p) struct api *a = NULL;
	const char *id = run_operand(run, 0);
	int r = job_check_id(id, f);

	if (r == 0)
		r = api_open(run, &a, f);
	if (r == 0)
		r = job_watch(run, a, id, &end, f);
	return r < 0 ? r : job_print(run, &end, f);
}

int cmd_jobs_cancel(struct run *run, struct fault *f)
{
	CLEANUP_API_ANSWER struct api_answer answer = {.doc = NULL};
	CLEANUP(api_close_p) struct api *a = NULL;
	const char *id = run_operand(run, 0);
	char target[sizeof("/v1/jobs/") + JOB_ID_MAX];
	const struct api_request q = {.method = "DELETE", .target = target, .what = id};
	int r = job_check_id(id, f);

	if (r == 0)
		r = api_open(run, &a, f);
	if (r < 0)
		return r;
	(void)snprintf(target, sizeof(target), "/v1/jobs/%s", id);
	r = api_send(a, &q, &answer, f);
	if (r < 0)
		return r;
	say_note(run, "%s is cancelled.", id);
	return run->json ? say_out(&answer.http.body, f) : 0;
}
