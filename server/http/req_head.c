/* SPDX-License-Identifier: Apache-2.0 */
/* Judging a request by its head. */
#include "common/base/num.h"
#include "server/http/preflight.h"
#include "server/http/req_internal.h"

#include <microhttpd.h>
#include <string.h>

/* libmicrohttpd 0.9 cuts the head into strings where it stands in its buffer, and what it skips
 * while doing so (anything behind a NUL, folded lines, a line that ends in LF alone, a second space
 * in the request line) is hidden from every check of the strings. But then the strings do not stand
 * side by side: from the method to the empty line each has to begin exactly where the one before it
 * ended, its separator included. Pointers are compared here, never followed. */
struct walk {
	struct guard_header headers[GUARD_HEADERS_MAX + 1]; /* the first `n` are set */
	size_t n;
	const char **fields; /* of the request */
	bool repeats; /* one of these is there again */
	uintptr_t at; /* where the next name has to begin */
	bool hidden;
};

#define LINE_END 2 /* CR LF */

#define KNOWN_FIELDS(X) \
	X(ACCEPT, "Accept") \
	X(ACCEPT_ENCODING, "Accept-Encoding") \
	X(IF_MATCH, "If-Match") \
	X(IF_MODIFIED_SINCE, "If-Modified-Since") \
	X(IF_NONE_MATCH, "If-None-Match") \
	X(IF_RANGE, "If-Range") \
	X(IF_UNMODIFIED_SINCE, "If-Unmodified-Since") \
	X(RANGE, "Range") \
	X(TRACEPARENT, "traceparent") \
	X(X_REQUEST_ID, "X-Request-Id")

/* Most fields have a length that none of these has. */
static bool has_known_length(struct str name)
{
#define BIT(id, text) | 1u << (sizeof(text) - 1)
	return name.n < 32 && ((0u KNOWN_FIELDS(BIT)) >> name.n & 1);
#undef BIT
}

/* False when there was one before. */
static bool note_field(const char **fields, struct str name, const char *value)
{
	static const struct {
		const char *name;
		size_t n;
	} known[REQ_FIELDS_N] = {
#define FIELD(id, text) [REQ_FIELD_##id] = {text, sizeof(text) - 1},
		KNOWN_FIELDS(FIELD)
#undef FIELD
	};

	if (!has_known_length(name))
		return true;
	for (size_t i = 0; i < REQ_FIELDS_N; i++) {
		if (name.n != known[i].n || !str_eq_nocase(name, known[i].name))
			continue;
		if (fields[i])
			return false;
		fields[i] = value;
	}
	return true;
}

static enum MHD_Result walk_header(void *cls, enum MHD_ValueKind kind, const char *name,
	size_t name_n, const char *value, size_t value_n)
{
	struct walk *w = cls;

	(void)kind;
	if (w->n == ARRAY_SIZE(w->headers))
		return MHD_NO;
	if ((uintptr_t)name != w->at || !value || (uintptr_t)value <= w->at + name_n)
		w->hidden = true;
	w->at = (uintptr_t)value + value_n + LINE_END;
	struct guard_header *h = &w->headers[w->n++];
	*h = (struct guard_header){
		.name = {name ? name : "", name ? name_n : 0},
		.value = {value ? value : "", value ? value_n : 0},
	};
	w->repeats |= !note_field(w->fields, h->name, h->value.p);
	return MHD_YES;
}

/* Later libraries read the head in other ways, and refuse such things themselves. */
static bool is_cut_in_place(void)
{
	return strncmp(MHD_get_version(), "0.9.", 4) == 0;
}

static bool request_line_is_whole(const struct req *r, const char *method, const char *version)
{
	return (uintptr_t)method + strlen(method) + 1 == (uintptr_t)r->target_mhd &&
		(uintptr_t)r->target_mhd + r->target_n + 1 == (uintptr_t)version;
}

static bool head_is_whole(struct req *r, struct walk *w, const char *method)
{
	const union MHD_ConnectionInfo *size =
		MHD_get_connection_info(r->mhd, MHD_CONNECTION_INFO_REQUEST_HEADER_SIZE);

	/* Of a head with too many fields we did not see the end; the guard refuses it for that. */
	if (w->hidden || !size)
		return false;
	return w->n == ARRAY_SIZE(w->headers) ||
		w->at + LINE_END == (uintptr_t)method + size->header_size;
}

static void join_list(struct buf *out, const struct walk *w, const char *name)
{
	const char *separator = "";

	for (size_t i = 0; i < w->n; i++) {
		if (!str_eq_nocase(w->headers[i].name, name))
			continue;
		buf_add_str(out, separator);
		buf_add(out, w->headers[i].value.p, w->headers[i].value.n);
		separator = ", ";
	}
	buf_add_char(out, '\0');
}

/* A list may come in several lines (RFC 9110 5.3). Of other fields the first line counts. */
static int join_lists(struct req *r, const struct walk *w, struct err *e)
{
	static const struct {
		enum req_field field;
		const char *name;
	} lists[] = {
		{REQ_FIELD_ACCEPT, "Accept"},
		{REQ_FIELD_ACCEPT_ENCODING, "Accept-Encoding"},
		{REQ_FIELD_IF_MATCH, "If-Match"},
		{REQ_FIELD_IF_NONE_MATCH, "If-None-Match"},
	};
	size_t at[ARRAY_SIZE(lists)];

	for (size_t i = 0; i < ARRAY_SIZE(lists); i++) {
		at[i] = r->lists.len;
		join_list(&r->lists, w, lists[i].name);
	}
	if (buf_failed(&r->lists))
		return err_nomem(e);
	for (size_t i = 0; i < ARRAY_SIZE(lists); i++)
		if (r->fields[lists[i].field])
			r->fields[lists[i].field] = r->lists.data + at[i];
	return 0;
}

/* Of a head that is refused too, so that its client finds it. */
static void take_ids(struct req *r)
{
	const char *id = r->fields[REQ_FIELD_X_REQUEST_ID];
	const char *trace = r->fields[REQ_FIELD_TRACEPARENT];

	if (id && reqid_is_sane(str_of(id))) {
		(void)stpcpy(r->id, id);
		r->id_is_theirs = true;
	}
	if (trace)
		(void)reqid_trace(str_of(trace), r->trace);
}

/* Much more than that the library answers itself, since it does not fit. */
static int check_size(const struct req *r, struct err *e)
{
	const union MHD_ConnectionInfo *size =
		MHD_get_connection_info(r->mhd, MHD_CONNECTION_INFO_REQUEST_HEADER_SIZE);
	size_t most = r->loop->httpd->o.head_max;
	char text[NUM_SIZE_TEXT];

	if (!size || size->header_size <= most)
		return 0;
	return err_set(e, ERR_HEADERS_TOO_LARGE,
		"the head of the request is of %zu bytes, and %s are allowed (limits.head)",
		(size_t)size->header_size, num_format_size(most, text));
}

static int check_head(struct req *r, const char *method, const char *version, struct err *e)
{
	struct walk w; /* large: what is not set stays so */
	struct guard_head head = {
		.method = str_of(method),
		.target = {r->target, r->target_n},
		.version = str_of(version),
		.headers = w.headers,
	};
	int result;

	w.n = 0;
	w.hidden = false;
	w.repeats = false;
	w.fields = r->fields;
	w.at = (uintptr_t)version + head.version.n + LINE_END;
	(void)MHD_get_connection_values_n(r->mhd, MHD_HEADER_KIND, walk_header, &w);
	head.headers_n = w.n;
	take_ids(r);
	result = guard_check(&head, &r->facts, e);
	if (result < 0)
		return result;
	if (is_cut_in_place() &&
		(!request_line_is_whole(r, method, version) || !head_is_whole(r, &w, method)))
		return err_set(e, ERR_BAD_REQUEST,
			"the head of the request has a NUL, a folded line, "
			"a line that ends without CR LF, or more than one space in its first line");
	result = check_size(r, e);
	if (result < 0)
		return result;
	r->framed = true;
	result = req_proxied_read(r, w.headers, w.n, e);
	return result == 0 && w.repeats ? join_lists(r, &w, e) : result;
}

/* One server is asked under one name, nearly always: what was allowed last is allowed again. */
static int check_host(const struct req *r, struct err *e)
{
	struct httpd_loop *loop = r->loop;
	struct str host = r->facts.host;
	int result;

	if (host.n > 0 && str_eq(host, (struct str){loop->host, loop->host_n}))
		return 0;
	result = guard_host(&httpd_settings_of(loop)->policy, host, e);
	if (result == 0 && host.n <= sizeof(loop->host)) {
		memcpy(loop->host, host.p, host.n);
		loop->host_n = host.n;
	}
	return result;
}

static struct str header_str(const struct req *r, const char *name)
{
	const char *value = req_header(r, name);

	return value ? str_of(value) : (struct str){NULL, 0};
}

static unsigned method_bit(const char *method)
{
	static const struct {
		const char *name;
		unsigned bit;
	} methods[] = {
		{"GET", METHOD_GET},
		{"HEAD", METHOD_GET},
		{"POST", METHOD_POST},
		{"PUT", METHOD_PUT},
		{"PATCH", METHOD_PATCH},
		{"DELETE", METHOD_DELETE},
	};

	for (size_t i = 0; i < ARRAY_SIZE(methods); i++)
		if (strcmp(method, methods[i].name) == 0)
			return methods[i].bit;
	return 0;
}

static int may_write(const struct req *r, struct err *e)
{
	return guard_write(&httpd_settings_of(r->loop)->policy,
		&(struct guard_source){
			.origin = header_str(r, "Origin"),
			.sec_fetch_site = header_str(r, "Sec-Fetch-Site"),
			.host = r->facts.host,
			.has_token = req_is_private(r),
		},
		e);
}

static int find_route(struct req *r, unsigned method, struct err *e)
{
	const struct httpd_options *o = &r->loop->httpd->o;

	return router_find(o->routes, o->routes_n, method, r->facts.path, &r->match, e);
}

/* For any target: a preflight that fails hides from a page what is wrong with its request. */
static void answer_options(struct req *r)
{
	struct err ignored;
	bool known = find_route(r, 0, &ignored) == 0;

	req_reply(r, preflight_reply(known ? r->match.allowed : 0, may_write(r, &ignored) == 0));
}

/* Who asks, and where from: a page of another site is not told what is there, either. */
static int judge_sender(struct req *r, struct err *e)
{
	int result = req_auth_judge(r, e), site;
	struct err foreign;

	if (!r->handler->writes || (result < 0 && err_status(e->code) != 404))
		return result;
	site = may_write(r, &foreign);
	if (site == 0)
		return result;
	*e = foreign;
	return site;
}

static int route(struct req *r, struct err *e)
{
	int result = find_route(r, method_bit(r->method), e);

	if (result < 0)
		return result;
	if (!r->match.row)
		return err_set(e, ERR_METHOD_NOT_ALLOWED, "%s is not allowed here", r->method);
	r->handler = r->match.row->target;
	return judge_sender(r, e);
}

/* Not of a request with a body, which a handler has to see. */
static bool answer_from_memory(struct req *r)
{
	const struct httpd_options *o = &r->loop->httpd->o;
	struct entity *found;

	if (!o->peek || r->facts.has_body || method_bit(r->method) != METHOD_GET)
		return false;
	found = o->peek(o->app, r->loop->index, r->facts.path);
	if (!found)
		return false;
	r->handler = o->peeked;
	req_entity(r, found);
	return true;
}

int req_head_judge(struct req *r, const char *method, const char *version, struct err *e)
{
	int result = check_head(r, method, version, e);

	if (result == 0)
		result = check_host(r, e);
	if (result < 0)
		return result;
	if (answer_from_memory(r))
		return 0;
	if (strcmp(r->method, "OPTIONS") != 0)
		return route(r, e);
	answer_options(r);
	return 0;
}
