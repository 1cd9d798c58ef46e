/* SPDX-License-Identifier: Apache-2.0 */
#include "client/cmd.h"
#include "client/cmd_label.h"
#include "client/job.h"
#include "client/say.h"
#include "common/net/url.h"

#include <stdio.h>

#define BODY_MAX 65536

/* "Name: value" as a member. The server says which it takes. */
static int write_header(struct json_write *w, const char *given, struct fault *f)
{
	struct str value = str_of(given), name;
	CLEANUP_FREE char *key = NULL, *text = NULL;

	if (!str_split(&value, ':', &name) || !value.p || !str_is_token(name))
		return fault_usage(f, "--header is \"Name: value\", not \"%.100s\"", given);
	key = str_dup(name);
	text = str_dup(str_trim(value));
	if (!key || !text)
		return err_nomem(&f->e);
	json_write_str(w, key, text);
	return 0;
}

static int write_headers(struct json_write *w, const struct args *a, struct fault *f)
{
	int r = 0;

	if (!args_has(a, USAGE_HEADER))
		return 0;
	json_write_object(w, "headers");
	for (size_t i = 0; r == 0 && i < a->given_n; i++)
		if (a->given[i].option == USAGE_HEADER)
			r = write_header(w, a->given[i].value, f);
	json_write_object_end(w);
	return r;
}

static void write_include(struct json_write *w, const struct args *a)
{
	if (!args_has(a, USAGE_INCLUDE))
		return;
	json_write_array(w, "include");
	for (size_t i = 0; i < a->given_n; i++)
		if (a->given[i].option == USAGE_INCLUDE)
			json_write_str(w, NULL, a->given[i].value);
	json_write_array_end(w);
}

static int write_body(const struct run *run, struct buf *out, struct fault *f)
{
	const char *label = args_value(run->args, USAGE_LABEL);
	struct json_write w;
	int r;

	json_write_init(&w, out);
	json_write_object(&w, NULL);
	json_write_str(&w, "url", run_operand(run, 0));
	if (label)
		json_write_str(&w, "label", label);
	if (args_has(run->args, USAGE_TF_HUB))
		json_write_bool(&w, "fromTFHub", true);
	write_include(&w, run->args);
	r = write_headers(&w, run->args, f);
	json_write_object_end(&w);
	return r < 0 ? r : buf_check(out, "what is asked of the server", &f->e);
}

static int submit(struct api *a, const char *name, const struct buf *body, struct api_answer *ret,
	struct fault *f)
{
	char target[REF_NAME_MAX + 32];
	const struct api_request q = {
		.method = "POST",
		.target = target,
		.what = name,
		.http = {.body = body->data, .body_n = body->len},
	};

	(void)snprintf(target, sizeof(target), "/v1/models/%s:import", name);
	return api_send(a, &q, ret, f);
}

static int follow(const struct run *run, struct api *a, const struct api_answer *job,
	struct fault *f)
{
	CLEANUP_API_ANSWER struct api_answer end = {.doc = NULL};
	CLEANUP_BUF struct buf text = BUF_INIT(JOB_ID_MAX + 2);
	const char *id = json_str(json_get(api_root(job), "id"));
	int r;

	if (!id || job_check_id(id, f) < 0) {
		(void)err_set(&f->e, ERR_BAD_JSON, "the server begins a job without an id");
		return fault_as(f, FAULT_SERVER);
	}
	if (args_has(run->args, USAGE_WATCH)) {
		r = job_watch(run, a, id, &end, f);
		return r < 0 ? r : job_print(run, &end, f);
	}
	if (run->json)
		return say_out(&job->http.body, f);
	say_note(run, "The server fetches it; `modelctl jobs watch %s` follows.", id);
	buf_addf(&text, "%s\n", id);
	return say_out(&text, f);
}

static int check_url(const char *text, struct fault *f)
{
	struct url ignored;

	if (url_parse(str_of(text), &ignored, &f->e) == 0)
		return 0;
	(void)err_prefix(&f->e, "\"%.200s\"", text);
	f->exit = FAULT_USAGE;
	return fault_next(f, "It is the URL of model.json, as a page would load it.");
}

int cmd_import(struct run *run, struct fault *f)
{
	CLEANUP_API_ANSWER struct api_answer job = {.doc = NULL};
	CLEANUP_BUF struct buf body = BUF_INIT(BODY_MAX);
	CLEANUP(api_close_p) struct api *a = NULL;
	const char *name = run_operand(run, 1), *label = args_value(run->args, USAGE_LABEL);
	int r = check_url(run_operand(run, 0), f);

	if (r == 0)
		r = api_check_name(name, f);
	if (r == 0 && label)
		r = api_check_label(label, f);
	if (r == 0)
		r = write_body(run, &body, f);
	if (r == 0)
		r = api_open(run, &a, f);
	if (r == 0)
		r = submit(a, name, &body, &job, f);
	return r < 0 ? r : follow(run, a, &job, f);
}
