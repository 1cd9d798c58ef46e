/* SPDX-License-Identifier: Apache-2.0 */
#include "client/api.h"
#include "client/cmd.h"
#include "client/say.h"
#include "common/base/num.h"

#include <stdio.h>

#define TTL_DEFAULT "7d"
#define BODY_MAX    8192

static int check(const char *text, const char *ttl, struct fault *f)
{
	struct ref ignored;
	uint64_t ms;

	if (api_check_ref(text, &ignored, f) < 0)
		return -(int)f->e.code;
	if (!num_parse_duration(ttl, &ms) || ms == 0)
		return fault_usage(f, "--ttl is a time like 12h or 7d, not \"%.100s\"", ttl);
	return 0;
}

static int ask(struct api *a, const char *text, const char *ttl, struct api_answer *ret,
	struct fault *f)
{
	CLEANUP_BUF struct buf body = BUF_INIT(BODY_MAX);
	struct api_request q = {.method = "POST", .target = "/v1/links", .what = text};
	struct json_write w;
	int r;

	json_write_init(&w, &body);
	json_write_object(&w, NULL);
	json_write_str(&w, "ref", text);
	json_write_str(&w, "ttl", ttl);
	json_write_object_end(&w);
	r = buf_check(&body, "what is asked of the server", &f->e);
	if (r < 0)
		return r;
	q.http.body = body.data;
	q.http.body_n = body.len;
	r = api_send(a, &q, ret, f);
	/* A time that is longer than the server gives. */
	return r < 0 && ret->http.status == 400 ? fault_as(f, FAULT_USAGE) : r;
}

/* The server says what it is for: a label stands for the version that it names now. */
static void tell(const struct run *run, const struct json *link)
{
	const char *ref = json_str(json_get(link, "ref"));
	const char *expires = json_str(json_get(link, "expires"));

	if (ref && expires)
		say_note(run, "Whoever has this address may read %s%s, until %s.", ref,
			strchr(ref, '@') ? "" : " with all its versions", expires);
}

static int print(const struct run *run, const char *text, const struct api_answer *answer,
	struct fault *f)
{
	CLEANUP_BUF struct buf line = BUF_INIT(BODY_MAX);
	const char *url = json_str(json_get(api_root(answer), "url"));

	if (!url) {
		(void)err_set(&f->e, ERR_BAD_JSON, "%s: the server answers without an address",
			text);
		return fault_as(f, FAULT_SERVER);
	}
	if (run->json)
		return say_out(&answer->http.body, f);
	tell(run, api_root(answer));
	say_clean(url, &line);
	buf_add_char(&line, '\n');
	return say_out(&line, f);
}

int cmd_link(struct run *run, struct fault *f)
{
	CLEANUP_API_ANSWER struct api_answer answer = {.doc = NULL};
	CLEANUP(api_close_p) struct api *a = NULL;
	const char *text = run_operand(run, 0), *ttl = args_value(run->args, USAGE_TTL);
	int r;

	if (!ttl)
		ttl = TTL_DEFAULT;
	r = check(text, ttl, f);
	if (r == 0)
		r = api_open(run, &a, f);
	if (r == 0)
		r = ask(a, text, ttl, &answer, f);
	return r < 0 ? r : print(run, text, &answer, f);
}
