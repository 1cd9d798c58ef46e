/* SPDX-License-Identifier: Apache-2.0 */
/* jobs, jobs watch, jobs cancel */
#include "client/cmd.h"
#include "client/job.h"
#include "client/listing.h"
#include "common/base/num.h"

#include <stdio.h>

/* The ref that it made, or why it did not. */
static const char *outcome_of(const struct json *job)
{
	const char *ref = say_text(job, "ref");

	return *ref ? ref : say_text(json_get(job, "error"), "detail");
}

static void add_job(struct say_table *t, const struct json *job)
{
	char size[NUM_SIZE_TEXT];
	uint64_t bytes = 0;

	(void)json_uint(json_get(json_get(job, "progress"), "bytes"), NUM_SAFE_INTEGER_MAX, &bytes);
	say_table_add(t, say_text(job, "id"));
	say_table_add(t, say_text(job, "state"));
	say_table_add(t, say_text(job, "model"));
	say_table_add(t, num_format_size(bytes, size));
	say_table_add(t, say_text(job, "created"));
	say_table_add(t, outcome_of(job));
}

int cmd_jobs(struct run *run, struct fault *f)
{
	static const char *const heads[] = {"ID", "STATE", "MODEL", "SIZE", "CREATED", "OUTCOME"};
	const struct listing jobs = {
		.what = "jobs",
		.key = "jobs",
		.id = "id",
		.heads = heads,
		.columns = ARRAY_SIZE(heads),
		.right = 1u << 3,
		.add = add_job,
		.some = run_operand(run, 0) != NULL,
		.first_page = !args_has(run->args, USAGE_ALL),
	};
	CLEANUP(api_close_p) struct api *a = NULL;
	const char *model = run_operand(run, 0);
	char target[REF_NAME_MAX + 64];
	int r = model ? api_check_name(model, f) : 0;

	if (r == 0)
		r = api_open(run, &a, f);
	if (r < 0)
		return r;
	(void)snprintf(target, sizeof(target), "/v1/jobs?limit=50%s%s", model ? "&model=" : "",
		model ? model : "");
	return listing_print(run, a, &jobs, target, f);
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
