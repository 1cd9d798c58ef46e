/* SPDX-License-Identifier: Apache-2.0 */
#include "client/job.h"
#include "client/crew.h"
#include "client/say.h"
#include "common/base/num.h"

#include <stdio.h>
#include <time.h>

#define LOOK_MS     500u /* between two looks at the job */
#define TARGET_SIZE (sizeof("/v1/jobs/") + JOB_ID_MAX)

int job_check_id(const char *id, struct fault *f)
{
	size_t n = strlen(id);
	bool fine = n > 0 && n <= JOB_ID_MAX;

	for (size_t i = 0; fine && i < n; i++)
		fine = str_is_lower(str_to_lower(id[i])) || str_is_digit(id[i]);
	if (fine)
		return 0;
	(void)fault_usage(f, "\"%.100s\" is no id of a job", id);
	return fault_next(f, "`modelctl jobs` lists them.");
}

/* ---- how it ended ---- */

static enum fault_exit exit_of(const char *code)
{
	if (strcmp(code, "NOT_LOADABLE") == 0 || strcmp(code, "EXPECTED_OTHER") == 0)
		return FAULT_INVALID;
	return strcmp(code, "FETCH_REFUSED") == 0 ? FAULT_FORBIDDEN : FAULT_SERVER;
}

/* The error of the job takes the place of a problem document: it has the same members. */
static int explain(const struct json *job, struct fault *f)
{
	const struct json *error = json_get(job, "error");
	const char *code = json_str(json_get(error, "code"));
	const char *detail = json_str(json_get(error, "detail"));
	const char *model = json_str(json_get(job, "model"));
	CLEANUP_BUF struct buf text = BUF_INIT(SAY_MAX);
	static const struct json_limits limits = {SAY_MAX, 1000000, 32, false};
	struct json_write w;
	struct err ignored;

	json_write_init(&w, &text);
	say_value(&w, NULL, error);
	(void)json_parse(buf_str(&text), text.len, &limits, &f->problem, &ignored);
	(void)err_set(&f->e, ERR_FETCH_FAILED, "the import of %s failed: %s", model ? model : "?",
		detail ? detail : "the server does not say why");
	f->e.code = code ? api_error_code(code) : ERR_INTERNAL;
	return fault_as(f, code ? exit_of(code) : FAULT_SERVER);
}

static int judge(const struct json *job, struct fault *f)
{
	const struct json *state = json_get(job, "state");

	if (json_str_is(state, "failed"))
		return explain(job, f);
	if (!json_str_is(state, "cancelled"))
		return 0;
	(void)err_set(&f->e, ERR_CANCELLED, "the job was cancelled");
	return fault_as(f, FAULT_SERVER);
}

/* ---- following ---- */

static bool has_ended(const struct json *job)
{
	const struct json *state = json_get(job, "state");

	return json_str_is(state, "done") || json_str_is(state, "failed") ||
		json_str_is(state, "cancelled");
}

static void show(struct progress *p, const struct json *job)
{
	const struct json *progress = json_get(job, "progress");
	uint64_t bytes = 0;

	(void)json_uint(json_get(progress, "bytes"), NUM_SAFE_INTEGER_MAX, &bytes);
	(void)json_uint(json_get(progress, "total"), NUM_SAFE_INTEGER_MAX, &p->total);
	atomic_store(&p->done, bytes);
	if (p->total > 0)
		progress_tick(p);
}

/* False when the run is cancelled. */
static bool pause_a_little(const struct api *a)
{
	const struct timespec piece = {.tv_nsec = (long)LOOK_MS * 1000000 / 10};

	for (int i = 0; i < 10 && !api_cancelled(a); i++)
		(void)nanosleep(&piece, NULL);
	return !api_cancelled(a);
}

static int left(const char *id, struct fault *f)
{
	(void)err_set(&f->e, ERR_CANCELLED, "interrupted; the job goes on");
	f->exit = FAULT_NETWORK;
	return fault_next(f,
		"`modelctl jobs watch %s` follows it, `modelctl jobs cancel %s` ends it.", id, id);
}

/* An answer that says how far it is. */
static int look(struct api *a, const char *id, struct api_answer *ret, struct fault *f)
{
	char target[TARGET_SIZE];

	(void)snprintf(target, sizeof(target), "/v1/jobs/%s", id);
	for (unsigned attempt = 1;; attempt++) {
		int r = api_get(a, target, id, ret, f);
		if (r == 0 || !crew_may_retry(ret) || !crew_wait(a, ret, attempt))
			return r;
		api_answer_done(ret);
		fault_done(f);
		*f = (struct fault){.exit = FAULT_NONE};
	}
}

int job_watch(const struct run *run, struct api *a, const char *id, struct api_answer *ret,
	struct fault *f)
{
	struct progress p;

	progress_begin(&p, run, "importing", 0);
	for (;;) {
		int r = look(a, id, ret, f);
		if (api_cancelled(a))
			return left(id, f);
		if (r < 0)
			return r;
		show(&p, api_root(ret));
		if (has_ended(api_root(ret)))
			break;
		api_answer_done(ret);
		*ret = (struct api_answer){.doc = NULL};
		if (!pause_a_little(a))
			return left(id, f);
	}
	if (json_str_is(json_get(api_root(ret), "state"), "done") || p.open)
		progress_end(&p);
	return judge(api_root(ret), f);
}

int job_print(const struct run *run, const struct api_answer *answer, struct fault *f)
{
	CLEANUP_BUF struct buf text = BUF_INIT(8192);
	const struct json *job = api_root(answer);
	const char *ref = json_str(json_get(job, "ref")), *url = json_str(json_get(job, "url"));

	if (run->json)
		return say_out(&answer->http.body, f);
	say_note(run, "%s %s.", ref ? ref : "It",
		json_is(json_get(job, "unchanged"), JSON_TRUE) ? "has what is there already"
							       : "is published");
	say_clean(url ? url : "", &text);
	buf_add_char(&text, '\n');
	return say_out(&text, f);
}
