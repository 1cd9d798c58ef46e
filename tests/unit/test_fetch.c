/* SPDX-License-Identifier: Apache-2.0 */
/* What a fetch gives: heads, bodies, ranges, codings, statuses. */
#include "common/base/clock.h"
#include "common/base/num.h"
#include "tests/unit/unit_fetch.h"

#include <pthread.h>

/* ---- heads ---- */

#define SHA256_OF_HELLO "LPJNul+wow4m6DsqxbninhsWHlwfp0JecwQzYpOLmCQ="

static bool serve_hello(struct net_conn *c)
{
	return net_serve(c,
		"ETag: \"1\"\r\nContent-Type: application/json; charset=utf-8\r\n"
		"last-modified:Sun, 06 Nov 1994 08:49:37 GMT  \r\n"
		"Content-Location: ../v3/model.json?x=y#z\r\n"
		"Repr-Digest: sha-512=:AAAA:,  sha-256=:" SHA256_OF_HELLO ":\r\n",
		"hello", 5);
}

START_TEST(a_head_says_what_the_other_side_did)
{
	unit_fetch_begin(serve_hello, NULL);
	struct fetched f = unit_fetch_get("/m/model.json?a=b");
	struct url at = unit_fetch_url("/m/model.json?a=b"),
		   there = unit_fetch_url("/v3/model.json?x=y");

	ck_fetched(f, "hello", 5);
	ck_assert_int_eq(f.head.status, 200);
	ck_assert_int_eq(f.status, 200);
	ck_assert_uint_eq(f.head.offset, 0);
	ck_assert_uint_eq(f.head.size, 5);
	ck_assert(!f.head.coded);
	ck_assert_str_eq(f.head.etag, "\"1\"");
	ck_assert_str_eq(f.head.last_modified, "Sun, 06 Nov 1994 08:49:37 GMT");
	ck_assert_str_eq(f.head.content_type, "application/json; charset=utf-8");
	ck_assert(f.head.has_digest);
	ck_assert_uint_eq(f.head.sha256[0], 0x2c);
	ck_assert_uint_eq(f.head.sha256[31], 0x24);
	ck_assert_str_eq(f.head.url.text, at.text);
	ck_assert(f.head.has_content_location);
	ck_assert_str_eq(f.head.content_location.text, there.text);
	ck_assert(!f.may_retry);
	fetched_done(&f);
	unit_fetch_end();
}
END_TEST

static bool serve_odd_fields(struct net_conn *c)
{
	char tag[300];

	memset(tag, 'x', sizeof(tag));
	tag[sizeof(tag) - 1] = '\0';
	return net_sayf(c,
		"HTTP/1.1 200 OK\r\nContent-Length: 0\r\nETag: \"%s\"\r\n"
		"Last-Modified: a\r\nLast-Modified: b\r\nContent-Location: file:///etc\r\n"
		"Repr-Digest: sha-256=:AAAA:\r\nX: y\r\n: z\r\n\tfolded: 1\r\n\r\n",
		tag);
}

START_TEST(fields_that_are_broken_are_as_if_absent)
{
	unit_fetch_begin(serve_odd_fields, NULL);
	struct fetched f = unit_fetch_get("/");

	ck_fetched(f, "", 0);
	ck_assert_str_eq(f.head.etag, "");
	ck_assert_str_eq(f.head.last_modified, "");
	ck_assert_str_eq(f.head.content_type, "");
	ck_assert(!f.head.has_digest);
	ck_assert(!f.head.has_content_location);
	unit_fetch_end();
}
END_TEST

START_TEST(a_request_has_what_was_asked_for)
{
	static const char *const headers[] = {"Authorization: Bearer x", "X-Empty:"};
	unit_fetch_begin(serve_hello, NULL);
	struct url u = unit_fetch_url("/a/../m%20x?q");
	struct fetch_request q = unit_fetch_request(&u);
	char host[64];

	q.accept = "application/json";
	q.headers = headers;
	q.headers_n = 2;
	q.if_none_match = "\"old\"";
	struct fetched f = unit_fetch_all(&q);
	ck_fetched(f, "hello", 5);
	(void)snprintf(host, sizeof(host), "\r\nHost: 127.0.0.1:%u\r\n", unit_fetch.server->port);
	ck_assert(net_server_heard(unit_fetch.server, "GET /m%20x?q HTTP/1.1\r\n"));
	ck_assert(net_server_heard(unit_fetch.server, host));
	ck_assert(net_server_heard(unit_fetch.server, "\r\nUser-Agent: modeld/test\r\n"));
	ck_assert(net_server_heard(unit_fetch.server, "\r\nAccept: application/json\r\n"));
	ck_assert(net_server_heard(unit_fetch.server, "\r\nAccept-Encoding: identity\r\n"));
	ck_assert(net_server_heard(unit_fetch.server, "\r\nAuthorization: Bearer x\r\n"));
	ck_assert(net_server_heard(unit_fetch.server, "\r\nX-Empty:\r\n"));
	ck_assert(net_server_heard(unit_fetch.server, "\r\nIf-None-Match: \"old\"\r\n"));
	ck_assert(!net_server_heard(unit_fetch.server, "Range:"));
	ck_assert(!net_server_heard(unit_fetch.server, "Cookie"));
	fetched_done(&f);
	unit_fetch_end();
}
END_TEST

/* ---- statuses ---- */

static bool serve_status(struct net_conn *c)
{
	int status = 0;

	if (sscanf(c->head, "GET /%d", &status) != 1)
		return false;
	return net_sayf(c,
		"HTTP/1.1 %d Something\r\nContent-Length: %d\r\nRetry-After: 7\r\n\r\n%s", status,
		status == 204 || status == 304 ? 0 : 6,
		status == 204 || status == 304 ? "" : "secret");
}

static const struct {
	int status;
	bool retry;
} statuses[] = {
	{201, false},
	{202, false},
	{203, false},
	{204, false},
	{205, false},
	{206, false}, /* no range was asked for */
	{226, false},
	{300, false},
	{304, false}, /* nor whether it is new */
	{305, false},
	{306, false},
	{400, false},
	{401, false},
	{403, false},
	{404, false},
	{408, true},
	{410, false},
	{412, false},
	{416, false},
	{429, true},
	{500, true},
	{501, false},
	{502, true},
	{503, true},
	{504, true},
	{505, false},
	{599, false},
	{999, false},
};

START_TEST(other_statuses_fail_and_say_whether_to_try_again)
{
	char path[16], says[64];

	(void)snprintf(path, sizeof(path), "/%d", statuses[_i].status);
	(void)snprintf(says, sizeof(says), "status %d", statuses[_i].status);
	unit_fetch_begin(serve_status, NULL);
	struct fetched f = unit_fetch_get(path);
	ck_failed(f, ERR_FETCH_STATUS, says);
	ck_assert_ptr_null(strstr(f.e.text, "secret"));
	ck_assert_ptr_null(strstr(f.e.text, "Something"));
	ck_assert_ptr_nonnull(strstr(f.e.text, "model.json from http://127.0.0.1:"));
	ck_assert_int_eq(f.status, statuses[_i].status);
	ck_assert_int_eq(f.may_retry, statuses[_i].retry);
	ck_assert_uint_eq(f.after_ms, statuses[_i].retry ? 7000 : 0);
	ck_assert(!f.begin_anew);
	unit_fetch_end();
}
END_TEST

START_TEST(a_connection_lives_on_after_an_error)
{
	unit_fetch_begin(serve_status, NULL);
	for (int i = 0; i < 4; i++) {
		struct fetched f = unit_fetch_get("/404");
		ck_failed(f, ERR_FETCH_STATUS, "404");
	}
	ck_assert_uint_eq(unit_fetch.server->connections, 1);
	unit_fetch_end();
}
END_TEST

static bool serve_and_close(struct net_conn *c)
{
	(void)net_serve(c, "", "hello", 5);
	return false;
}

START_TEST(a_connection_that_was_closed_meanwhile_is_made_anew)
{
	unit_fetch_begin(serve_and_close, NULL);
	for (int i = 0; i < 20; i++) {
		struct fetched f = unit_fetch_get("/");
		ck_fetched(f, "hello", 5);
		fetched_done(&f);
	}
	ck_assert_uint_eq(unit_fetch.server->connections, 20);
	unit_fetch_end();
}
END_TEST

static bool serve_retry_after(struct net_conn *c)
{
	char date[CLOCK_TEXT];
	const char *value = strstr(c->head, "/date")
		? clock_http_date(clock_now_ms() + 100000, date)
		: strstr(c->head, "/past")   ? "Sun, 06 Nov 1994 08:49:37 GMT"
		: strstr(c->head, "/huge")   ? "99999999999999999999"
		: strstr(c->head, "/broken") ? "soon"
					     : "0";

	return net_sayf(c, "HTTP/1.1 503 x\r\nRetry-After: %s\r\nContent-Length: 0\r\n\r\n", value);
}

START_TEST(retry_after_is_seconds_or_a_date)
{
	unit_fetch_begin(serve_retry_after, NULL);
	ck_assert_uint_eq(unit_fetch_get("/0").after_ms, 0);
	ck_assert_uint_eq(unit_fetch_get("/past").after_ms, 0);
	ck_assert_uint_eq(unit_fetch_get("/broken").after_ms, 0);
	ck_assert_uint_eq(unit_fetch_get("/huge").after_ms, 0);
	uint64_t after = unit_fetch_get("/date").after_ms;
	ck_assert(after > 10000 && after <= 100000);
	unit_fetch_end();
}
END_TEST

static bool serve_304(struct net_conn *c)
{
	return net_say(c, "HTTP/1.1 304 Not Modified\r\nETag: \"1\"\r\nContent-Length: 99\r\n\r\n");
}

START_TEST(a_304_to_who_has_it_is_a_head_without_a_body)
{
	unit_fetch_begin(serve_304, NULL);
	struct url u = unit_fetch_url("/");
	struct fetch_request q = unit_fetch_request(&u);

	q.if_none_match = "\"1\"";
	struct fetched f = unit_fetch_all(&q);
	ck_fetched(f, "", 0);
	ck_assert_int_eq(f.head.status, 304);
	ck_assert_str_eq(f.head.etag, "\"1\"");
	unit_fetch_end();
}
END_TEST

/* ---- bodies ---- */

#define BODY_N (5 * MIB + 12345)
static char body[BODY_N];

static bool serve_chunked(struct net_conn *c)
{
	size_t at = 0, part = 1;

	if (!net_say(c, "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"))
		return false;
	while (at < BODY_N) {
		if (part > BODY_N - at)
			part = BODY_N - at;
		if (!net_sayf(c, "%zx;ext=\"y\"\r\n", part) || !net_send(c, body + at, part) ||
			!net_say(c, "\r\n"))
			return false;
		at += part;
		part = part * 3 % 100003 + 1;
	}
	return net_say(c, "0\r\nETag: \"trailer\"\r\nHTTP/1.1: 500 x\r\n\r\n");
}

static bool serve_to_the_end(struct net_conn *c)
{
	(void)net_say(c, "HTTP/1.0 200 OK\r\n\r\n");
	(void)net_send(c, body, BODY_N);
	return false;
}

static bool serve_counted(struct net_conn *c)
{
	return net_serve(c, "", body, BODY_N);
}

static net_answer_fn *const framings[] = {serve_chunked, serve_to_the_end, serve_counted};

START_TEST(a_body_comes_whole_however_it_is_framed)
{
	unit_fetch_fill(body, BODY_N);
	unit_fetch_begin(framings[_i], NULL);
	for (int i = 0; i < 3; i++) {
		struct fetched f = unit_fetch_get("/");
		ck_fetched(f, body, BODY_N);
		ck_assert_uint_eq(f.head.size, _i == 2 ? BODY_N : UINT64_MAX);
		ck_assert_str_eq(f.head.etag, "");
		fetched_done(&f);
	}
	unit_fetch_end();
}
END_TEST

/* Slower than what comes, so that the transfer is paused over and over. */
START_TEST(a_slow_taker_gets_every_byte)
{
	const char *bytes;
	struct fetch *x;
	uint64_t at = 0;
	struct err e;
	size_t n;

	unit_fetch_fill(body, BODY_N);
	unit_fetch_begin(framings[_i], NULL);
	struct url u = unit_fetch_url("/");
	struct fetch_request q = unit_fetch_request(&u);
	ck_ok(fetch_start(unit_fetch.fetcher, &q, &x, &e));
	for (;;) {
		ck_ok(fetch_read(x, &bytes, &n, &e));
		if (n == 0)
			break;
		usleep(20000); /* the load of the test: being slow */
		ck_assert(unit_fetch_is_filled(bytes, n, at));
		at += n;
	}
	ck_assert_uint_eq(at, BODY_N);
	fetch_free(x);
	unit_fetch_end();
}
END_TEST

static bool serve_cut(struct net_conn *c)
{
	if (net_asks(c, "/counted"))
		(void)net_say(c, "HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\n12345");
	else if (net_asks(c, "/chunk"))
		(void)net_say(c,
			"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n64\r\n12345");
	else if (net_asks(c, "/chunks"))
		(void)net_say(c,
			"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\n12345\r\n");
	else if (net_asks(c, "/head"))
		(void)net_say(c, "HTTP/1.1 200 OK\r\nContent-Length: 100\r\nX-");
	else if (net_asks(c, "/1xx"))
		(void)net_say(c, "HTTP/1.1 103 Early Hints\r\nX: y\r\n\r\n");
	return false;
}

static const struct {
	const char *path;
	size_t came;
} cuts[] = {{"/counted", 5}, {"/chunk", 5}, {"/chunks", 5}, {"/head", 0}, {"/1xx", 0}, {"/", 0}};

START_TEST(what_is_cut_fails_after_what_came_and_may_be_tried_again)
{
	unit_fetch_begin(serve_cut, NULL);
	struct fetched f = unit_fetch_get(cuts[_i].path);
	ck_failed(f, ERR_FETCH_FAILED, "");
	ck_assert_uint_eq(f.n, cuts[_i].came);
	ck_assert(f.may_retry);
	ck_assert(!f.begin_anew);
	fetched_done(&f);
	unit_fetch_end();
}
END_TEST

static bool serve_more(struct net_conn *c)
{
	return net_say(c,
		"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhelloHTTP/1.1 200 OK\r\n"
		"Content-Length: 4\r\n\r\nevil");
}

/* What follows is not taken for the answer to the next request. */
START_TEST(bytes_behind_the_length_are_not_of_the_body_nor_of_the_next)
{
	unit_fetch_begin(serve_more, NULL);
	for (int i = 0; i < 3; i++) {
		struct fetched f = unit_fetch_get("/");
		ck_fetched(f, "hello", 5);
		fetched_done(&f);
	}
	unit_fetch_end();
}
END_TEST

static bool serve_lengths(struct net_conn *c)
{
	(void)net_say(c, "HTTP/1.1 200 OK\r\nContent-Length: 5\r\nContent-Length: 6\r\n\r\nhello!");
	return false;
}

START_TEST(two_lengths_are_none)
{
	unit_fetch_begin(serve_lengths, NULL);
	struct fetched f = unit_fetch_get("/");
	ck_failed(f, ERR_FETCH_FAILED, "two different lengths");
	unit_fetch_end();
}
END_TEST

/* ---- ranges ---- */

static const char *part_head = "";

static bool serve_part(struct net_conn *c)
{
	return net_sayf(c, "HTTP/1.1 %s\r\n\r\n56789", part_head) && false;
}

static struct fetched get_from(const char *head, uint64_t from, uint64_t max)
{
	part_head = head;
	unit_fetch_begin(serve_part, NULL);
	struct url u = unit_fetch_url("/");
	struct fetch_request q = unit_fetch_request(&u);
	q.from = from;
	q.if_range = "\"1\"";
	q.coded = true;
	q.max_bytes = max;
	struct fetched f = unit_fetch_all(&q);
	ck_assert(!net_server_heard(unit_fetch.server, "gzip"));
	unit_fetch_end();
	return f;
}

static const struct {
	const char *head;
	uint64_t offset, size;
} parts[] = {
	{"206 x\r\nContent-Range: bytes 5-9/10\r\nContent-Length: 5", 5, 10},
	{"206 x\r\nContent-Range: bytes 5-9/10", 5, 10},
	{"206 x\r\nContent-Range: bytes 5-9/10\r\nETag: \"1\"", 5, 10},
	{"206 x\r\nContent-Range: BYTES 5-9/*\r\nContent-Length: 5", 5, UINT64_MAX},
	{"200 x\r\nContent-Length: 5", 0, 5},
	{"200 x\r\nContent-Length: 5\r\nContent-Range: bytes 5-9/10", 0, 5},
};

START_TEST(the_rest_is_asked_for_and_comes_or_all_of_it)
{
	struct fetched f = get_from(parts[_i].head, 5, 10);

	ck_fetched(f, "56789", 5);
	ck_assert_uint_eq(f.head.offset, parts[_i].offset);
	ck_assert_uint_eq(f.head.size, parts[_i].size);
	fetched_done(&f);
}
END_TEST

static bool serve_range_seen(struct net_conn *c)
{
	bool seen = net_has(c, "\r\nRange: bytes=5-\r\n") && net_has(c, "\r\nIf-Range: \"1\"\r\n");

	return net_sayf(c,
		"HTTP/1.1 206 x\r\nContent-Range: bytes 5-9/10\r\nContent-Length: 5\r\n\r\n%s",
		seen ? "there" : "none!");
}

START_TEST(a_range_goes_out_with_its_condition)
{
	unit_fetch_begin(serve_range_seen, NULL);
	struct url u = unit_fetch_url("/");
	struct fetch_request q = unit_fetch_request(&u);
	q.from = 5;
	q.if_range = "\"1\"";
	struct fetched f = unit_fetch_all(&q);
	ck_fetched(f, "there", 5);
	fetched_done(&f);
	unit_fetch_end();
}
END_TEST

static const char *const lies[] = {
	"206 x\r\nContent-Length: 5",
	"206 x\r\nContent-Length: 5\r\nContent-Type: multipart/byteranges; boundary=x",
	"206 x\r\nContent-Range: bytes 4-8/10\r\nContent-Length: 5",
	"206 x\r\nContent-Range: bytes 0-4/10\r\nContent-Length: 5",
	"206 x\r\nContent-Range: bytes 6-10/11\r\nContent-Length: 5",
	"206 x\r\nContent-Range: bytes 5-9/9\r\nContent-Length: 5",
	"206 x\r\nContent-Range: bytes 5-9/5\r\nContent-Length: 5",
	"206 x\r\nContent-Range: bytes 5-4/10\r\nContent-Length: 5",
	"206 x\r\nContent-Range: bytes 5-8/10\r\nContent-Length: 5",
	"206 x\r\nContent-Range: bytes 5-99/100\r\nContent-Length: 5",
	"206 x\r\nContent-Range: bytes */10\r\nContent-Length: 5",
	"206 x\r\nContent-Range: lines 5-9/10\r\nContent-Length: 5",
	"206 x\r\nContent-Range: bytes=5-9/10\r\nContent-Length: 5",
	"206 x\r\nContent-Range: bytes 5-9/\r\nContent-Length: 5",
	"206 x\r\nContent-Range: bytes 5-9\r\nContent-Length: 5",
	"206 x\r\nContent-Range: bytes -5-9/10\r\nContent-Length: 5",
	"206 x\r\nContent-Range: bytes 5-18446744073709551615/*\r\nContent-Length: 5",
	"206 x\r\nContent-Range: bytes 5-9/10\r\nContent-Range: bytes 5-9/11\r\nContent-Length: 5",
	"206 x\r\nContent-Range: bytes 5-9/10\r\nContent-Encoding: gzip\r\nContent-Length: 5",
	"206 x\r\nContent-Range: bytes 5-9/10\r\nETag: \"2\"\r\nContent-Length: 5",
	"206 x\r\nContent-Range: bytes 5-9/10\r\nETag: W/\"1\"\r\nContent-Length: 5",
};

START_TEST(a_part_that_lies_is_refused_and_all_is_to_be_asked_for)
{
	struct fetched f = get_from(lies[_i], 5, 100);

	ck_failed(f, ERR_FETCH_FAILED, "");
	ck_assert(!f.has_head);
	ck_assert(f.may_retry);
	ck_assert(f.begin_anew);
}
END_TEST

START_TEST(a_range_that_cannot_be_had_is_to_be_asked_for_anew)
{
	static const char *const heads[] = {
		"416 x\r\nContent-Range: bytes */3\r\nContent-Length: 5",
		"412 x\r\nContent-Length: 5"};
	struct fetched f = get_from(heads[_i], 5, 100);

	ck_failed(f, ERR_FETCH_STATUS, _i ? "412" : "416");
	ck_assert(f.may_retry);
	ck_assert(f.begin_anew);
}
END_TEST

/* RFC 9110 15.3.7 lets a host send less than was asked for; what came is kept and asked for on. */
START_TEST(a_part_that_ends_before_the_file_does_is_cut)
{
	struct fetched f = get_from("206 x\r\nContent-Range: bytes 5-9/12\r\nContent-Length: 5", 5,
		100);

	ck_failed(f, ERR_FETCH_FAILED, "ended early");
	ck_assert_uint_eq(f.n, 5);
	ck_assert(f.may_retry);
	ck_assert(!f.begin_anew);
	fetched_done(&f);
}
END_TEST

START_TEST(a_part_that_is_longer_or_shorter_than_it_says_fails)
{
	struct fetched f = get_from("206 x\r\nContent-Range: bytes 5-7/8", 5, 100);

	ck_failed(f, ERR_FETCH_FAILED, "longer");
	fetched_done(&f);
	f = get_from("206 x\r\nContent-Range: bytes 5-10/11", 5, 100);
	ck_failed(f, ERR_FETCH_FAILED, "ended early");
	ck_assert_uint_eq(f.n, 5);
	fetched_done(&f);
}
END_TEST

/* ---- limits ---- */

START_TEST(a_limit_counts_what_is_before_a_part)
{
	struct fetched f = get_from("206 x\r\nContent-Range: bytes 5-9/10\r\nContent-Length: 5", 5,
		9);

	ck_failed(f, ERR_TOO_LARGE, "9 B");
	ck_assert(!f.may_retry);
	f = get_from("206 x\r\nContent-Range: bytes 5-9/*", 5, 9);
	ck_failed(f, ERR_TOO_LARGE, "9 B");
	ck_assert(!f.has_head);
	f = get_from("200 x", 5, 4);
	ck_failed(f, ERR_TOO_LARGE, "4 B");
	ck_assert(f.has_head);
	fetched_done(&f);
}
END_TEST

static struct fetched get_at_most(net_answer_fn *answer, uint64_t max)
{
	unit_fetch_begin(answer, NULL);
	struct url u = unit_fetch_url("/");
	struct fetch_request q = unit_fetch_request(&u);
	q.max_bytes = max;
	struct fetched f = unit_fetch_all(&q);
	unit_fetch_end();
	return f;
}

START_TEST(the_first_surplus_byte_is_refused)
{
	unit_fetch_fill(body, BODY_N);
	struct fetched f = get_at_most(framings[_i], BODY_N);
	ck_fetched(f, body, BODY_N);
	fetched_done(&f);
	f = get_at_most(framings[_i], BODY_N - 1);
	ck_failed(f, ERR_TOO_LARGE, "it has more than");
	ck_assert_uint_lt(f.n, BODY_N);
	ck_assert_int_eq(f.has_head, _i != 2);
	ck_assert(!f.may_retry);
	fetched_done(&f);
}
END_TEST

/* ---- many ---- */

#define FILES  48u
#define TAKERS 8u
static atomic_uint next_file;

static bool serve_numbered(struct net_conn *c)
{
	unsigned number = 0;

	if (sscanf(c->head, "GET /%u", &number) != 1)
		return false;
	return net_serve(c, "", body, 100000 + number);
}

static void *take_files(void *unused)
{
	unsigned number;
	char path[16];

	(void)unused;
	while ((number = atomic_fetch_add(&next_file, 1)) < FILES) {
		(void)snprintf(path, sizeof(path), "/%u", number);
		struct fetched f = unit_fetch_get(path);
		ck_fetched(f, body, 100000 + number);
		fetched_done(&f);
	}
	return NULL;
}

START_TEST(many_at_once_share_a_bounded_number_of_connections)
{
	struct fetcher_options options = {.max_connections = 64, .max_per_host = 3};
	pthread_t takers[TAKERS];

	unit_fetch_fill(body, BODY_N);
	if (_i == 1)
		options = (struct fetcher_options){.max_connections = 3, .max_per_host = 64};
	unit_fetch_begin_with(serve_numbered, NULL, options);
	for (unsigned i = 0; i < TAKERS; i++)
		ck_assert_int_eq(pthread_create(&takers[i], NULL, take_files, NULL), 0);
	for (unsigned i = 0; i < TAKERS; i++)
		pthread_join(takers[i], NULL);
	ck_assert_uint_eq(net_server_requests(unit_fetch.server), FILES);
	ck_assert_uint_le(unit_fetch.server->most_open, 3);
	ck_assert_uint_le(unit_fetch.server->connections, 3);
	unit_fetch_end();
}
END_TEST

static Suite *suite(void)
{
	Suite *s = suite_create("fetch");
	TCase *t = tcase_create("fetch");

	tcase_set_timeout(t, 300);
	tcase_add_test(t, a_head_says_what_the_other_side_did);
	tcase_add_test(t, fields_that_are_broken_are_as_if_absent);
	tcase_add_test(t, a_request_has_what_was_asked_for);
	tcase_add_loop_test(t, other_statuses_fail_and_say_whether_to_try_again, 0,
		(int)ARRAY_SIZE(statuses));
	tcase_add_test(t, a_connection_lives_on_after_an_error);
	tcase_add_test(t, a_connection_that_was_closed_meanwhile_is_made_anew);
	tcase_add_test(t, retry_after_is_seconds_or_a_date);
	tcase_add_test(t, a_304_to_who_has_it_is_a_head_without_a_body);
	tcase_add_loop_test(t, a_body_comes_whole_however_it_is_framed, 0, 3);
	tcase_add_loop_test(t, a_slow_taker_gets_every_byte, 0, 3);
	tcase_add_loop_test(t, what_is_cut_fails_after_what_came_and_may_be_tried_again, 0,
		(int)ARRAY_SIZE(cuts));
	tcase_add_test(t, bytes_behind_the_length_are_not_of_the_body_nor_of_the_next);
	tcase_add_test(t, two_lengths_are_none);
	tcase_add_loop_test(t, the_rest_is_asked_for_and_comes_or_all_of_it, 0,
		(int)ARRAY_SIZE(parts));
	tcase_add_test(t, a_range_goes_out_with_its_condition);
	tcase_add_loop_test(t, a_part_that_lies_is_refused_and_all_is_to_be_asked_for, 0,
		(int)ARRAY_SIZE(lies));
	tcase_add_loop_test(t, a_range_that_cannot_be_had_is_to_be_asked_for_anew, 0, 2);
	tcase_add_test(t, a_part_that_ends_before_the_file_does_is_cut);
	tcase_add_test(t, a_part_that_is_longer_or_shorter_than_it_says_fails);
	tcase_add_test(t, a_limit_counts_what_is_before_a_part);
	tcase_add_loop_test(t, the_first_surplus_byte_is_refused, 0, 3);
	tcase_add_loop_test(t, many_at_once_share_a_bounded_number_of_connections, 0, 2);
	suite_add_tcase(s, t);
	return s;
}

UNIT_MAIN
