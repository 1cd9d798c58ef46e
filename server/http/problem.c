/* SPDX-License-Identifier: Apache-2.0 */
#include "server/http/problem.h"
#include "common/base/str.h"
#include "common/json/json_write.h"

#define PROBLEM_MAX   (64 * 1024) /* bytes, without the findings */
#define RETRY_AFTER_S "2"

/* RFC 6750 3. */
static const char *challenge(enum err_code code)
{
	switch (code) {
	case ERR_BAD_TOKEN:
		return "Bearer realm=\"modeld\", error=\"invalid_token\"";
	case ERR_NOT_ALLOWED:
		return "Bearer realm=\"modeld\", error=\"insufficient_scope\"";
	default:
		return err_status(code) == 401 ? "Bearer realm=\"modeld\"" : "";
	}
}

static void add_headers(struct reply *r, const struct err *e)
{
	reply_header(r, "X-Error-Code", err_name(e->code));
	reply_header(r, "Cache-Control", "no-store");
	if (err_status(e->code) == 503)
		reply_header(r, "Retry-After", RETRY_AFTER_S);
	reply_header(r, "WWW-Authenticate", challenge(e->code));
}

static void write_type(struct json_write *w, enum err_code code)
{
	char type[128] = "urn:modeld:problem:";
	size_t n = strlen(type);

	for (const char *p = err_name(code); *p && n + 1 < sizeof(type); p++)
		type[n++] = *p == '_' ? '-' : str_to_lower(*p);
	json_write_str(w, "type", type);
}

static void write_problem(struct buf *out, const struct err *e, const char *request_id,
	const char *errors_json, size_t errors_n)
{
	struct json_write w;

	json_write_init(&w, out);
	json_write_object(&w, NULL);
	write_type(&w, e->code);
	json_write_str(&w, "title", err_title(e->code));
	json_write_uint(&w, "status", (uint64_t)err_status(e->code));
	json_write_str(&w, "detail", e->text);
	json_write_str(&w, "code", err_name(e->code));
	if (request_id)
		json_write_str(&w, "request_id", request_id);
	if (errors_json)
		json_write_raw(&w, "errors", errors_json, errors_n);
	json_write_str(&w, "error", e->text);
	json_write_object_end(&w);
	buf_add_char(out, '\n');
}

struct reply *problem_reply(const struct err *e, const char *request_id, const char *errors_json,
	size_t errors_n)
{
	CLEANUP_BUF struct buf body = BUF_INIT(PROBLEM_MAX + errors_n);

	write_problem(&body, e, request_id, errors_json, errors_n);
	struct reply *r = reply_buf(err_status(e->code), "application/problem+json", &body);
	add_headers(r, e);
	return r;
}

struct reply *problem_reply_empty(const struct err *e)
{
	struct reply *r = reply_empty(err_status(e->code));

	add_headers(r, e);
	return r;
}
