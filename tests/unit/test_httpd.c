/* SPDX-License-Identifier: Apache-2.0 */
/* Requests and their answers, over real sockets. Life and limits of the server:
 * test_httpd_life.c. */
#include "tests/unit/httpd_client.h"
#include "tests/unit/httpd_server.h"
#include "tests/unit/unit.h"

#define GET(path) "GET " path " HTTP/1.1\r\nHost: localhost\r\n\r\n"
#define DATE "Sun, 06 Nov 1994 08:49:37 GMT"
#define ASK(method, path, fields) method " " path " HTTP/1.1\r\nHost: localhost\r\n" fields "\r\n"

#define check_answer(request, want_status)                                                \
	({                                                                                \
		struct answer answer_ = client_ask(server_port(), request);               \
		ck_assert_msg(answer_.status == (want_status), "%d: %s%s", (want_status), \
			answer_.head, answer_.body);                                      \
		answer_;                                                                  \
	})

/* ---- answers ---- */

START_TEST(a_connection_serves_one_get_after_another)
{
	struct client c = client_open(server_port());

	for (int i = 0; i < 3; i++) {
		client_say(&c, GET("/hello"));
		struct answer a = client_read(&c, false);
		ck_assert_int_eq(a.status, 200);
		ck_assert_str_eq(a.body, "hello");
		ck_assert(!answer_has(&a, "Connection", "close"));
		answer_done(&a);
	}
	client_close(&c);
}
END_TEST

START_TEST(pipelined_gets_are_answered_in_order)
{
	struct client c = client_open(server_port());

	client_say(&c, GET("/hello") GET("/work?q=1") GET("/entity"));
	struct answer a = client_read(&c, false);
	struct answer b = client_read(&c, false);
	struct answer d = client_read(&c, false);
	ck_assert_str_eq(a.body, "hello");
	ck_assert_str_eq(b.body, "http://localhost 1");
	ck_assert_str_eq(d.body, "0123456789");
	answer_done(&a);
	answer_done(&b);
	answer_done(&d);
	client_close(&c);
}
END_TEST

START_TEST(every_answer_carries_the_common_headers)
{
	static const char *const requests[] = {GET("/hello"), GET("/none"), GET("/work"),
		ASK("OPTIONS", "/hello", ""), "GET /hello HTTP/1.1\r\n\r\n"};

	for (size_t i = 0; i < ARRAY_SIZE(requests); i++) {
		struct answer a = client_ask(server_port(), requests[i]);
		ck_assert_msg(answer_has(&a, "Access-Control-Allow-Origin", "*"), "%s", a.head);
		ck_assert(answer_has(&a, "Cross-Origin-Resource-Policy", "cross-origin"));
		ck_assert(answer_has(&a, "Timing-Allow-Origin", "*"));
		ck_assert(answer_has(&a, "X-Content-Type-Options", "nosniff"));
		answer_done(&a);
	}
}
END_TEST

START_TEST(head_has_every_header_of_get)
{
	static const char *const paths[] = {"/entity", "/hello", "/work", "/missing", "/quiet/x"};

	for (size_t i = 0; i < ARRAY_SIZE(paths); i++) {
		char request[256], of_get[4096], of_head[4096];

		snprintf(request, sizeof(request), "GET %s HTTP/1.1\r\nHost: localhost\r\n\r\n",
			paths[i]);
		struct answer get = client_ask(server_port(), request);
		snprintf(request, sizeof(request), "HEAD %s HTTP/1.1\r\nHost: localhost\r\n\r\n",
			paths[i]);
		struct answer head = client_ask(server_port(), request);
		answer_head_without_date(&get, of_get, sizeof(of_get));
		answer_head_without_date(&head, of_head, sizeof(of_head));
		ck_assert_str_eq(of_get, of_head);
		answer_done(&get);
		answer_done(&head);
	}
}
END_TEST

START_TEST(head_leaves_the_connection_in_step)
{
	struct client c = client_open(server_port());

	client_say(&c, ASK("HEAD", "/entity", "") GET("/hello"));
	struct answer a = client_read(&c, true);
	struct answer b = client_read(&c, false);
	ck_assert_str_eq(b.body, "hello");
	answer_done(&a);
	answer_done(&b);
	client_close(&c);
}
END_TEST

START_TEST(errors_are_problem_documents_and_close)
{
	struct client c = client_open(server_port());

	client_say(&c, GET("/missing"));
	struct answer a = client_read(&c, false);
	ck_assert_int_eq(a.status, 404);
	ck_assert(answer_has(&a, "Content-Type", "application/problem+json"));
	ck_assert(answer_has(&a, "X-Error-Code", "MODEL_NOT_FOUND"));
	ck_assert(answer_has(&a, "Cache-Control", "no-store"));
	ck_assert(answer_has(&a, "Connection", "close"));
	ck_assert_ptr_nonnull(strstr(a.body, "\"type\":\"urn:modeld:problem:model-not-found\""));
	ck_assert_ptr_nonnull(strstr(a.body, "\"detail\":\"there is no model \\\"x\\\"\""));
	ck_assert_ptr_nonnull(strstr(a.body, "\"error\":\"there is no model \\\"x\\\"\""));
	ck_assert_ptr_nonnull(strstr(a.body, "\"request_id\":\"0-0\""));
	ck_assert(client_at_end(&c));
	answer_done(&a);
	client_close(&c);
}
END_TEST

START_TEST(findings_go_into_the_problem_document)
{
	struct answer a = check_answer(GET("/broken"), 422);

	ck_assert_ptr_nonnull(strstr(a.body, "\"errors\":[{\"rule\":\"x\"}]"));
	answer_done(&a);
}
END_TEST

START_TEST(quiet_errors_have_no_body)
{
	struct answer a = check_answer(GET("/quiet/x"), 404);

	ck_assert_uint_eq(a.body_n, 0);
	ck_assert(answer_has(&a, "X-Error-Code", "MODEL_NOT_FOUND"));
	answer_done(&a);
	/* A client that writes takes no body for weights. */
	a = check_answer(ASK("POST", "/quiet/x", "Content-Length: 0\r\n"), 405);
	ck_assert_uint_gt(a.body_n, 0);
	answer_done(&a);
}
END_TEST

START_TEST(unknown_paths_and_methods_are_told_apart)
{
	struct answer a = check_answer(GET("/none"), 404);

	answer_done(&a);
	a = check_answer(ASK("DELETE", "/upload", ""), 405);
	ck_assert(answer_has(&a, "Allow", "POST, OPTIONS"));
	answer_done(&a);
	a = check_answer(ASK("TRACE", "/hello", ""), 501);
	answer_done(&a);
	a = check_answer(GET("/a/%2e%2e/b"), 400);
	answer_done(&a);
}
END_TEST

START_TEST(a_worker_that_forgets_to_answer_is_an_internal_error)
{
	struct answer a = check_answer(GET("/nothing"), 500);

	answer_done(&a);
}
END_TEST

START_TEST(a_full_queue_of_workers_is_503_with_retry_after)
{
	enum { AT_WORK = 2, QUEUED = 16 };
	struct client c[AT_WORK + QUEUED];

	for (int i = 0; i < AT_WORK + QUEUED; i++) {
		c[i] = client_open(server_port());
		client_say(&c[i], GET("/gate"));
		if (i < AT_WORK)
			server_wait_at_gate();
	}
	struct answer a;
	do { /* until the loop has queued them all */
		a = client_ask(server_port(), GET("/broken"));
		answer_done(&a);
	} while (a.status != 503);
	ck_assert(answer_has(&a, "Retry-After", "2"));
	for (int i = 0; i < AT_WORK + QUEUED; i++)
		server_open_gate();
	for (int i = 0; i < AT_WORK + QUEUED; i++) {
		a = client_read(&c[i], false);
		ck_assert_int_eq(a.status, 200);
		answer_done(&a);
		client_close(&c[i]);
	}
}
END_TEST

/* ---- representations ---- */

START_TEST(not_modified_says_what_the_whole_would)
{
	struct answer a = check_answer(ASK("GET", "/entity", "If-None-Match: \"e1\"\r\n"), 304);

	ck_assert(answer_has(&a, "ETag", "\"e1\""));
	ck_assert(answer_has(&a, "Cache-Control", "no-cache"));
	ck_assert(answer_has(&a, "Repr-Digest", "sha-256=:AA==:"));
	ck_assert(answer_has(&a, "Content-Length", "10"));
	answer_done(&a);
	a = check_answer(ASK("GET", "/entity", "If-Modified-Since: " DATE "\r\n"), 304);
	answer_done(&a);
	a = check_answer(ASK("GET", "/entity", "If-None-Match: \"e2\"\r\n"), 200);
	ck_assert(answer_has(&a, "Last-Modified", DATE));
	ck_assert(answer_has(&a, "Accept-Ranges", "bytes"));
	answer_done(&a);
}
END_TEST

START_TEST(not_modified_leaves_the_connection_in_step)
{
	struct client c = client_open(server_port());

	client_say(&c, ASK("GET", "/entity", "If-None-Match: \"e1\"\r\n") GET("/hello"));
	struct answer a = client_read(&c, false);
	struct answer b = client_read(&c, false);
	ck_assert_int_eq(a.status, 304);
	ck_assert_str_eq(b.body, "hello");
	answer_done(&a);
	answer_done(&b);
	client_close(&c);
}
END_TEST

START_TEST(ranges_are_cut_from_the_same_bytes)
{
	struct answer a = check_answer(ASK("GET", "/entity", "Range: bytes=2-4\r\n"), 206);

	ck_assert_str_eq(a.body, "234");
	ck_assert(answer_has(&a, "Content-Range", "bytes 2-4/10"));
	ck_assert(answer_has(&a, "ETag", "\"e1\""));
	ck_assert(answer_has(&a, "Repr-Digest", "sha-256=:AA==:"));
	answer_done(&a);
	a = check_answer(ASK("GET", "/entity", "Range: bytes=-3\r\nIf-Range: \"e1\"\r\n"), 206);
	ck_assert_str_eq(a.body, "789");
	answer_done(&a);
	a = check_answer(ASK("GET", "/entity", "Range: bytes=-3\r\nIf-Range: \"old\"\r\n"), 200);
	ck_assert_str_eq(a.body, "0123456789");
	answer_done(&a);
	a = check_answer(ASK("HEAD", "/entity", "Range: bytes=2-4\r\n"), 200);
	answer_done(&a);
}
END_TEST

START_TEST(a_range_behind_the_end_is_416_without_a_body)
{
	struct answer a = check_answer(ASK("GET", "/entity", "Range: bytes=10-\r\n"), 416);

	ck_assert(answer_has(&a, "Content-Range", "bytes */10"));
	ck_assert_uint_eq(a.body_n, 0);
	answer_done(&a);
	a = check_answer(ASK("GET", "/entity", "If-Match: \"other\"\r\n"), 412);
	ck_assert_uint_eq(a.body_n, 0);
	answer_done(&a);
}
END_TEST

START_TEST(large_answers_arrive_whole)
{
	struct answer a = check_answer(GET("/large"), 200);

	ck_assert_uint_eq(a.body_n, SERVER_LARGE);
	answer_done(&a);
}
END_TEST

/* ---- OPTIONS ---- */

START_TEST(preflights_are_answered_for_every_target)
{
	struct answer a =
		check_answer(ASK("OPTIONS", "/upload", "Origin: http://localhost:3000\r\n"), 204);

	ck_assert(answer_has(&a, "Allow", "POST, OPTIONS"));
	ck_assert(answer_has(&a, "Access-Control-Allow-Methods", "POST, OPTIONS"));
	ck_assert(answer_has(&a, "Access-Control-Max-Age", "86400"));
	ck_assert(answer_has(&a, "Vary", "Origin"));
	answer_done(&a);
	a = check_answer(ASK("OPTIONS", "/upload", "Origin: https://example.com\r\n"), 204);
	ck_assert(answer_has(&a, "Access-Control-Allow-Methods", "GET, HEAD"));
	answer_done(&a);
	a = check_answer(ASK("OPTIONS", "/none", "Origin: https://example.com\r\n"), 204);
	ck_assert(!answer_has(&a, "Allow", ""));
	answer_done(&a);
	a = check_answer(ASK("OPTIONS", "*", ""), 204);
	answer_done(&a);
}
END_TEST

START_TEST(a_preflight_leaves_the_connection_open)
{
	struct client c = client_open(server_port());

	client_say(&c, ASK("OPTIONS", "/hello", "") GET("/hello"));
	struct answer a = client_read(&c, false);
	struct answer b = client_read(&c, false);
	ck_assert_int_eq(b.status, 200);
	answer_done(&a);
	answer_done(&b);
	client_close(&c);
}
END_TEST

/* ---- what must not pass ---- */

START_TEST(pages_of_other_sites_may_not_write)
{
	struct answer a = check_answer(ASK("POST", "/upload",
		"Origin: https://example.com\r\nContent-Type: multipart/form-data; boundary=x\r\n"
		"Content-Length: 0\r\n"), 403);

	ck_assert(answer_has(&a, "X-Error-Code", "CROSS_SITE"));
	answer_done(&a);
}
END_TEST

START_TEST(names_of_others_are_refused)
{
	struct answer a = check_answer("GET /hello HTTP/1.1\r\nHost: rebound.example\r\n\r\n", 421);

	answer_done(&a);
}
END_TEST

#define RAW(s) {s, sizeof(s) - 1}
#define OK_SO_FAR "GET /hello HTTP/1.1\r\nHost: localhost\r\n"
#define FOLLOWED  "\r\n" GET("/hello")

/* Each must be refused, with one answer, and whatever follows it must not be taken for a
 * request. */
static const struct {
	const char *bytes;
	size_t n;
} hostile[] = {
	RAW(OK_SO_FAR "Content-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n"
	    "0\r\n" FOLLOWED),
	RAW(OK_SO_FAR "Content-Length: 0\r\nContent-Length: 5\r\n" FOLLOWED),
	RAW(OK_SO_FAR "Content-Length: 0\r\nContent-Length: 0\r\n" FOLLOWED),
	RAW(OK_SO_FAR "Transfer-Encoding: gzip\r\n" FOLLOWED),
	RAW(OK_SO_FAR "Transfer-Encoding: gzip, chunked\r\n" FOLLOWED),
	RAW("GET /hello HTTP/1.0\r\nHost: localhost\r\n"
	    "Transfer-Encoding: chunked\r\n\r\n0\r\n" FOLLOWED),
	RAW("GET /hello HTTP/1.1\r\n" FOLLOWED),
	RAW("GET /hello HTTP/1.1\r\nHost: a b\r\n" FOLLOWED),
	RAW(OK_SO_FAR "Host: localhost\r\n" FOLLOWED),
	RAW("GET /hello HTTP/1.1\r\nHost : localhost\r\n" FOLLOWED),
	RAW(OK_SO_FAR "Transfer-Encoding : chunked\r\n" FOLLOWED),
	RAW(OK_SO_FAR "X: a\0b\r\n" FOLLOWED),
	RAW(OK_SO_FAR "X: a\0\r\n" FOLLOWED),
	RAW("GET /hello HTTP/1.1\r\nHost: localhost\0.example\r\n" FOLLOWED),
	RAW("GET /hello\0/x HTTP/1.1\r\nHost: localhost\r\n" FOLLOWED),
	RAW("GET /hello%00 HTTP/1.1\r\nHost: localhost\r\n" FOLLOWED),
	RAW("GET  /hello HTTP/1.1\r\nHost: localhost\r\n" FOLLOWED),
	RAW("GET /hello  HTTP/1.1\r\nHost: localhost\r\n" FOLLOWED),
	RAW("GET /hel lo HTTP/1.1\r\nHost: localhost\r\n" FOLLOWED),
	RAW(OK_SO_FAR "X: a\r\n Content-Length: 5\r\n" FOLLOWED),
	RAW(OK_SO_FAR "X: a\nContent-Length: 0\r\n" FOLLOWED),
	RAW(OK_SO_FAR "X: a\rContent-Length: 5\r\n" FOLLOWED),
	RAW("GET /hello HTTP/1.1\nHost: localhost\r\n" FOLLOWED),
	RAW(OK_SO_FAR ": x\r\n" FOLLOWED),
	RAW(OK_SO_FAR "Content-Length: 9223372036854775808\r\n" FOLLOWED),
	RAW(OK_SO_FAR "Expect: 200-ok\r\n" FOLLOWED),
};

START_TEST(hostile_heads_are_refused_and_end_the_connection)
{
	struct client c = client_open(server_port());
	int status = 0, answers = 0;

	client_send(&c, hostile[_i].bytes, hostile[_i].n);
	char *all = client_read_to_end(&c);
	ck_assert_int_eq(sscanf(all, "HTTP/1.1 %d", &status), 1);
	ck_assert_msg(status == 400 || status == 417, "%s", all);
	for (const char *p = all; (p = strstr(p, "HTTP/1.1 ")); p++)
		answers++;
	ck_assert_int_eq(answers, 1);
	ck_assert_ptr_null(strstr(all, "hello"));
	free(all);
	client_close(&c);
}
END_TEST

START_TEST(blanks_around_values_are_harmless)
{
	struct answer a =
		check_answer("GET /hello HTTP/1.1\r\nHost:localhost\r\nX:\t a  \r\nY:\r\n\r\n",
			200);

	answer_done(&a);
}
END_TEST

START_TEST(long_heads_pass_and_longer_ones_are_refused)
{
	static const struct {
		int n;
		int status;
	} cases[] = {{7000, 200}, {9000, 414}, {40000, 414}};
	char request[50000], path[41000];

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		memset(path, 'a', sizeof(path));
		snprintf(request, sizeof(request),
			"GET /hello?%.*s HTTP/1.1\r\nHost: localhost\r\n\r\n", cases[i].n, path);
		struct answer a = check_answer(request, cases[i].status);
		answer_done(&a);
	}
	snprintf(request, sizeof(request),
		"GET /hello HTTP/1.1\r\nHost: localhost\r\nX: %.*s\r\n\r\n", 10000, path);
	struct answer a = check_answer(request, 200);
	answer_done(&a);
	snprintf(request, sizeof(request),
		"GET /hello HTTP/1.1\r\nHost: localhost\r\nX: %.*s\r\n\r\n", 12500, path);
	a = check_answer(request, 431);
	ck_assert_ptr_nonnull(strstr(a.head, "X-Error-Code: HEADERS_TOO_LARGE"));
	answer_done(&a);
	snprintf(request, sizeof(request),
		"GET /hello HTTP/1.1\r\nHost: localhost\r\nX: %.*s\r\n\r\n", 40000, path);
	a = check_answer(request, 431);
	answer_done(&a);
}
END_TEST

static Suite *suite(void)
{
	Suite *s = suite_create("httpd");
	TCase *t = tcase_create("requests");

	tcase_set_timeout(t, 60);
	tcase_add_checked_fixture(t, server_start_default, server_stop);
	tcase_add_test(t, a_connection_serves_one_get_after_another);
	tcase_add_test(t, pipelined_gets_are_answered_in_order);
	tcase_add_test(t, every_answer_carries_the_common_headers);
	tcase_add_test(t, head_has_every_header_of_get);
	tcase_add_test(t, head_leaves_the_connection_in_step);
	tcase_add_test(t, errors_are_problem_documents_and_close);
	tcase_add_test(t, findings_go_into_the_problem_document);
	tcase_add_test(t, quiet_errors_have_no_body);
	tcase_add_test(t, unknown_paths_and_methods_are_told_apart);
	tcase_add_test(t, a_worker_that_forgets_to_answer_is_an_internal_error);
	tcase_add_test(t, a_full_queue_of_workers_is_503_with_retry_after);
	tcase_add_test(t, not_modified_says_what_the_whole_would);
	tcase_add_test(t, not_modified_leaves_the_connection_in_step);
	tcase_add_test(t, ranges_are_cut_from_the_same_bytes);
	tcase_add_test(t, a_range_behind_the_end_is_416_without_a_body);
	tcase_add_test(t, large_answers_arrive_whole);
	tcase_add_test(t, preflights_are_answered_for_every_target);
	tcase_add_test(t, a_preflight_leaves_the_connection_open);
	tcase_add_test(t, pages_of_other_sites_may_not_write);
	tcase_add_test(t, names_of_others_are_refused);
	tcase_add_loop_test(t, hostile_heads_are_refused_and_end_the_connection, 0,
		(int)ARRAY_SIZE(hostile));
	tcase_add_test(t, blanks_around_values_are_harmless);
	tcase_add_test(t, long_heads_pass_and_longer_ones_are_refused);
	suite_add_tcase(s, t);
	return s;
}

UNIT_MAIN
