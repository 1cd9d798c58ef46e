/* SPDX-License-Identifier: Apache-2.0 */
#include "client/doctor_fetch.h"
#include "common/base/clock.h"
#include "common/base/num.h"

#include <inttypes.h>
#include <stdio.h>

#define ERROR_BODY_MAX (64u << 10)
#define STALL_MS       30000u
#define NAMES_MAX      4096
#define LINE_MAX_BYTES 8192
#define SLOW_MS        5000u
#define SLOW_RATE      100u /* bytes a millisecond */

/* Of one fetch, from hop to hop. */
struct way {
	struct doctor_fetch *x;
	struct url at;
	const char *origin; /* as it is sent; "null" behind a redirect between foreign origins */
	bool authorization; /* still sent */
};

void doctor_fetch_done(struct doctor_fetch *x)
{
	http_answer_done(&x->answer);
}

/* ---- bodies ---- */

static int stop(struct doctor_fetch *x, struct err *e)
{
	x->stopped = true;
	return err_set(e, ERR_TOO_LARGE, "no more is wanted");
}

static int take(void *cls, const struct http_answer *a, const void *bytes, size_t n, struct err *e)
{
	struct doctor_fetch *x = cls;
	size_t room = sizeof(x->start) - x->start_n, piece = n < room ? n : room;
	int r = 0;

	(void)a;
	if (x->bytes == 0)
		x->first_ms = clock_mono_ms() - x->began_ms;
	if (x->host->progress && !x->is_model)
		progress_add(x->host->progress, n);
	memcpy(x->start + x->start_n, bytes, piece);
	x->start_n += piece;
	x->bytes += n;
	if (x->bytes > x->max)
		return stop(x, e);
	if (x->take)
		r = x->take(x->cls, bytes, n, e);
	if (r == 0 && x->only_start && x->start_n == sizeof(x->start))
		return stop(x, e);
	return r;
}

static void count(void *cls, uint64_t sent, uint64_t received)
{
	struct doctor_fetch *x = cls;

	(void)sent;
	x->received = received;
	if (x->host->progress)
		progress_tick(x->host->progress);
}

/* ---- what goes wrong ---- */

static bool length_of(const struct http_answer *a, uint64_t *ret)
{
	struct str value;

	return http_answer_header(a, "Content-Length", &value) &&
		num_parse(value.p, value.n, UINT64_MAX, ret);
}

static void explain_broken_body(const struct way *w)
{
	const struct doctor_fetch *x = w->x;
	struct doctor_report *report = x->host->report;
	struct str coding;
	uint64_t length = 0;
	bool coded = http_answer_header(&x->answer, "Content-Encoding", &coding);

	if (coded && !x->answer.may_retry)
		doctor_report_add(report, DOCTOR_CODING_BROKEN, w->at.text,
			"Content-Encoding is \"" STR_FMT "\", and the body does not decode so",
			STR_ARG(coding));
	else if (coded && length_of(&x->answer, &length) && x->received < length)
		doctor_report_add(report, DOCTOR_CODING_LENGTH, w->at.text,
			"Content-Length promises %" PRIu64 " bytes and %" PRIu64
			" coded ones came: it seems to be the length before coding",
			length, x->received);
	else
		doctor_report_add(report, DOCTOR_CUT, w->at.text,
			"the answer ended after %" PRIu64 " bytes, before it was whole",
			x->received);
}

/* A failed request: a finding where the host is to blame, else the fault. */
static int explain_failure(struct way *w, bool is_first, struct fault *f)
{
	struct doctor_fetch *x = w->x;
	enum err_code code = f->e.code;
	int status = x->answer.status;

	if (x->stopped || (code == ERR_TOO_LARGE && status != 0 && status / 100 != 2)) {
		f->e = (struct err){.code = ERR_NONE};
		return 0;
	}
	if (code != ERR_FETCH_FAILED && code != ERR_FETCH_TIMED_OUT)
		return -(int)code;
	if (status == 0 && x->is_model && is_first)
		return fault_as(f, FAULT_NETWORK);
	if (status == 0)
		doctor_report_add(x->host->report, DOCTOR_UNREACHABLE, w->at.text, "%s", f->e.text);
	else
		explain_broken_body(w);
	f->e = (struct err){.code = ERR_NONE};
	return 1;
}

/* ---- requests ---- */

static bool is_foreign(const struct way *w)
{
	return !url_same_origin(&w->x->host->page, &w->at) || strcmp(w->origin, "null") == 0;
}

static size_t add_headers(const struct way *w, const char **lines)
{
	const struct doctor_host *h = w->x->host;
	size_t n = 0;

	for (size_t i = 0; i < h->headers_n; i++) {
		struct str name = {h->headers[i], strcspn(h->headers[i], ":")};
		if (w->authorization || !str_eq_nocase(name, "authorization"))
			lines[n++] = h->headers[i];
	}
	return n;
}

static struct doctor_cors cors_of(const struct way *w)
{
	return (struct doctor_cors){.origin = w->origin,
		.credentials = w->x->host->credentials,
		.url = w->at.text};
}

static int send_preflight(const struct way *w, struct fault *f)
{
	CLEANUP_BUF struct buf names = BUF_INIT(NAMES_MAX), asked = BUF_INIT(NAMES_MAX + 64);
	CLEANUP_HTTP_ANSWER struct http_answer a = {.status = 0};
	const struct doctor_host *h = w->x->host;
	const struct doctor_cors cors = cors_of(w);
	char origin[DOCTOR_CORS_ORIGIN_MAX + 16];
	const char *lines[] = {origin, "Access-Control-Request-Method: GET", NULL};
	const struct http_request q = {.method = "OPTIONS",
		.url = w->at.text,
		.headers = lines,
		.headers_n = ARRAY_SIZE(lines),
		.max_answer = ERROR_BODY_MAX,
		.stall_ms = STALL_MS};
	int r;

	if (!doctor_cors_unsafe(h->headers, h->headers_n, w->authorization, &names))
		return 0;
	buf_addf(&asked, "Access-Control-Request-Headers: %s", buf_str(&names));
	r = buf_check(&asked, "the names of all headers", &f->e);
	if (r < 0)
		return r;
	lines[2] = buf_str(&asked);
	(void)snprintf(origin, sizeof(origin), "Origin: %s", w->origin);
	r = http_do(h->http, &q, &a, &f->e);
	if (r == 0 || (a.status != 0 && f->e.code == ERR_TOO_LARGE))
		doctor_cors_preflight(&a, &cors, buf_str(&names), h->report);
	else if (f->e.code != ERR_FETCH_FAILED && f->e.code != ERR_FETCH_TIMED_OUT)
		return r;
	else
		doctor_report_add(h->report, DOCTOR_PREFLIGHT_STATUS, w->at.text,
			"the preflight (OPTIONS) is not answered");
	f->e = (struct err){.code = ERR_NONE};
	return 0;
}

static int send_get(const struct way *w, struct fault *f)
{
	struct doctor_fetch *x = w->x;
	char origin[DOCTOR_CORS_ORIGIN_MAX + 16], range[64];
	const char *lines[DOCTOR_CORS_HEADERS_MAX + 2];
	size_t n = add_headers(w, lines);

	(void)snprintf(origin, sizeof(origin), "Origin: %s", w->origin);
	(void)snprintf(range, sizeof(range), "Range: bytes=0-%d", MODELJSON_SNIFF - 1);
	if (is_foreign(w))
		lines[n++] = origin;
	if (x->only_start)
		lines[n++] = range;
	http_answer_done(&x->answer);
	x->start_n = 0;
	x->bytes = x->received = 0;
	x->began_ms = clock_mono_ms();
	return http_do(x->host->http,
		&(struct http_request){
			.method = "GET",
			.url = w->at.text,
			.headers = lines,
			.headers_n = n,
			.max_answer = ERROR_BODY_MAX,
			.take = take,
			.progress = count,
			.cls = x,
			.coded = !x->only_start,
			.stall_ms = STALL_MS,
		},
		&x->answer, &f->e);
}

/* ---- hops ---- */

/* What browsers do not even ask for (W3C Mixed Content, 4.4). */
static void judge_mixed(const struct way *w)
{
	const struct doctor_host *h = w->x->host;

	if (strcmp(h->page.scheme, "https") == 0 && strcmp(w->at.scheme, "http") == 0 &&
		!doctor_cors_is_loopback(&w->at))
		doctor_report_add(h->report, DOCTOR_MIXED, w->at.text,
			"a page of %s does not get anything over http", h->origin);
}

static void note_hop(struct way *w, const struct url *next)
{
	const struct doctor_host *h = w->x->host;
	CLEANUP_BUF struct buf where = BUF_INIT(4 * URL_MAX);

	for (size_t i = 0; i < h->headers_n; i++)
		if (w->authorization && !url_same_origin(&w->at, next) &&
			strncasecmp(h->headers[i], "authorization:", 14) == 0)
			doctor_report_add(h->report, DOCTOR_REDIRECT_HEADER, w->at.text,
				"the redirect to %s goes without Authorization", next->host);
	w->authorization = w->authorization && url_same_origin(&w->at, next);
	if (is_foreign(w) && !url_same_origin(&w->at, next))
		w->origin = "null";
	if (w->x->is_model) {
		url_redact(str_of(next->text), &where);
		doctor_report_add(h->report, DOCTOR_REDIRECT, w->at.text,
			"model.json is redirected (%d) to %s", w->x->answer.status,
			buf_str(&where));
	}
}

static bool is_redirect(int status)
{
	return status == 301 || status == 302 || status == 303 || status == 307 || status == 308;
}

/* 1: there is a next hop; 0: the redirect leads nowhere, which is told. */
static int follow(struct way *w, struct fault *f)
{
	struct doctor_fetch *x = w->x;
	CLEANUP_FREE char *location = NULL;
	struct url next;
	struct str value;

	if (!http_answer_header(&x->answer, "Location", &value) || value.n == 0) {
		doctor_report_add(x->host->report, DOCTOR_REDIRECT_BROKEN, w->at.text,
			"the answer is %d without a Location", x->answer.status);
		return 0;
	}
	location = str_dup(value);
	if (!location)
		return err_nomem(&f->e);
	if (url_resolve(&w->at, location, &next, &f->e) < 0) {
		if (f->e.code != ERR_BAD_URL)
			return -(int)f->e.code;
		doctor_report_add(x->host->report, DOCTOR_REDIRECT_BROKEN, w->at.text,
			"the answer is %d, and of its Location: %s", x->answer.status, f->e.text);
		f->e = (struct err){.code = ERR_NONE};
		return 0;
	}
	note_hop(w, &next);
	w->at = next;
	return 1;
}

static void judge_status(const struct way *w)
{
	const struct doctor_fetch *x = w->x;

	doctor_report_add(x->host->report, x->is_model ? DOCTOR_MODEL_STATUS : DOCTOR_SHARD_STATUS,
		w->at.text, "the answer is %d%s", x->answer.status,
		x->is_model ? "" : ", whose body TensorFlow.js takes for weights");
}

/* 416: of an empty file there is no range. */
static bool is_success(const struct doctor_fetch *x)
{
	uint64_t size;

	if (x->answer.status == 416)
		return x->only_start && doctor_fetch_size(x, &size) && size == 0;
	return x->answer.status / 100 == 2;
}

static void note_place(const struct way *w)
{
	struct str server;

	(void)http_answer_header(&w->x->answer, "Server", &server);
	w->x->host->report->place = doctor_place_of(w->at.host, server);
}

static void judge_speed(const struct way *w)
{
	const struct doctor_fetch *x = w->x;
	uint64_t took = clock_mono_ms() - x->began_ms;
	char size[NUM_SIZE_TEXT];

	if (x->bytes > 0 && x->first_ms >= SLOW_MS)
		doctor_report_add(x->host->report, DOCTOR_SLOW, w->at.text,
			"the first byte came after %" PRIu64 " s", x->first_ms / 1000);
	else if (took >= SLOW_MS && x->bytes / took < SLOW_RATE)
		doctor_report_add(x->host->report, DOCTOR_SLOW, w->at.text,
			"%s took %" PRIu64 " s", num_format_size(x->bytes, size), took / 1000);
}

/* 1: go on with the next hop. */
static int do_hop(struct way *w, bool is_first, struct fault *f)
{
	struct doctor_fetch *x = w->x;
	int r = 0;

	judge_mixed(w);
	if (is_foreign(w))
		r = send_preflight(w, f);
	if (r < 0)
		return r;
	r = send_get(w, f);
	note_place(w);
	if (r < 0)
		r = explain_failure(w, is_first, f);
	if (r < 0)
		return r;
	if (is_foreign(w) && x->answer.status != 0 && x->answer.status < 400) {
		const struct doctor_cors cors = cors_of(w);
		(void)doctor_cors_judge(&x->answer, &cors, "", x->host->report);
	}
	judge_speed(w);
	if (r > 0)
		return 0;
	if (is_redirect(x->answer.status))
		return follow(w, f);
	x->arrived = is_success(x);
	if (!x->arrived)
		judge_status(w);
	return 0;
}

int doctor_fetch(struct doctor_fetch *x, struct fault *f)
{
	struct way w = {.x = x, .at = x->url, .origin = x->host->origin, .authorization = true};
	int r = 1;

	for (unsigned hop = 0; r > 0 && hop <= DOCTOR_FETCH_HOPS_MAX; hop++)
		r = do_hop(&w, hop == 0, f);
	if (r > 0)
		doctor_report_add(x->host->report, DOCTOR_REDIRECT_BROKEN, x->url.text,
			"there are more than %d redirects", DOCTOR_FETCH_HOPS_MAX);
	x->final = w.at;
	return r < 0 ? r : 0;
}

/* ---- sizes ---- */

bool doctor_fetch_size(const struct doctor_fetch *x, uint64_t *ret)
{
	struct str value, unit;

	if (http_answer_header(&x->answer, "Content-Range", &value))
		return str_split(&value, '/', &unit) && value.p &&
			num_parse(value.p, value.n, UINT64_MAX, ret);
	if (http_answer_header(&x->answer, "Content-Encoding", &value))
		return false;
	if (length_of(&x->answer, ret))
		return true;
	*ret = x->bytes;
	return !x->stopped;
}
