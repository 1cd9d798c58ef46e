/* SPDX-License-Identifier: Apache-2.0 */
/* Requests with bodies, over real sockets. */
#include "tests/unit/httpd_client.h"
#include "tests/unit/httpd_server.h"
#include "tests/unit/unit.h"

#include <sys/socket.h>

#define TYPE     "Content-Type: multipart/form-data; boundary=cut\r\n"
#define PART     "--cut\r\nContent-Disposition: form-data; name=\"f\"; filename=\"w.bin\"\r\n\r\n"
#define LAST     "\r\n--cut--\r\n"
#define POST(path) "POST " path " HTTP/1.1\r\nHost: localhost\r\n"
#define CHUNKED  "Transfer-Encoding: chunked\r\n"

static struct client c;

static void setup(void)
{
	server_start_default();
	c = client_open(server_port());
}

static void teardown(void)
{
	client_close(&c);
	server_stop();
}

static void say_length(size_t n)
{
	char line[64];

	snprintf(line, sizeof(line), "Content-Length: %zu\r\n\r\n", n);
	client_say(&c, line);
}

/* Bytes with everything in them that a careless reader stumbles over. */
static char *make_payload(size_t n)
{
	static const char traps[] = "\r\n--cu\r\n--\0\r\r\n--cu-\r\n\r\n";
	char *p = malloc(n);
	uint32_t x = 1;

	ck_assert_ptr_nonnull(p);
	for (size_t i = 0; i < n; i++) {
		x = x * 1664525 + 1013904223;
		p[i] = (i / 64) % 2 ? traps[i % (sizeof(traps) - 1)] : (char)(x >> 24);
	}
	return p;
}

static void check_echo(const char *payload, size_t n)
{
	static const char before[] = "f|w.bin|";
	struct answer a = client_read(&c, false);

	ck_assert_msg(a.status == 201, "%s%s", a.head, a.body);
	ck_assert(answer_has(&a, "Connection", "close"));
	ck_assert_uint_eq(a.body_n, strlen(before) + n + 1);
	ck_assert_int_eq(memcmp(a.body, before, strlen(before)), 0);
	ck_assert_int_eq(memcmp(a.body + strlen(before), payload, n), 0);
	ck_assert(client_at_end(&c));
	answer_done(&a);
}

START_TEST(an_upload_with_content_length_arrives_byte_for_byte)
{
	size_t n = 1000000;
	char *payload = make_payload(n);

	client_say(&c, POST("/upload") TYPE);
	say_length(strlen(PART) + n + strlen(LAST));
	client_say(&c, PART);
	client_send(&c, payload, n);
	client_say(&c, LAST);
	check_echo(payload, n);
	free(payload);
}
END_TEST

static void send_chunk(const char *bytes, size_t n)
{
	char size[32];

	snprintf(size, sizeof(size), "%zx\r\n", n);
	client_say(&c, size);
	client_send(&c, bytes, n);
	client_say(&c, "\r\n");
}

START_TEST(a_chunked_upload_arrives_byte_for_byte)
{
	size_t n = 300000, step;
	char *payload = make_payload(n);

	client_say(&c, POST("/upload") TYPE CHUNKED "\r\n");
	send_chunk(PART, strlen(PART));
	for (size_t at = 0; at < n; at += step) {
		step = 1 + at % 7919 < n - at ? 1 + at % 7919 : n - at;
		send_chunk(payload + at, step);
	}
	send_chunk(LAST, strlen(LAST));
	client_say(&c, "0\r\n\r\n");
	check_echo(payload, n);
	free(payload);
}
END_TEST

START_TEST(an_upload_in_single_bytes_arrives)
{
	static const char body[] = PART "x" LAST;

	client_say(&c, POST("/upload") TYPE);
	say_length(strlen(body));
	for (size_t i = 0; i < strlen(body); i++)
		client_send(&c, body + i, 1);
	check_echo("x", 1);
}
END_TEST

START_TEST(continue_is_sent_when_the_body_is_welcome)
{
	static const char body[] = PART "x" LAST;

	client_say(&c, POST("/upload") TYPE "Expect: 100-continue\r\n");
	say_length(strlen(body));
	struct answer a = client_read(&c, false);
	ck_assert_int_eq(a.status, 100);
	answer_done(&a);
	client_say(&c, body);
	check_echo("x", 1);
}
END_TEST

static void check_refusal(int status, const char *code)
{
	struct answer a = client_read(&c, false);

	ck_assert_msg(a.status == status, "%s%s", a.head, a.body);
	ck_assert_msg(answer_has(&a, "X-Error-Code", code), "%s", a.head);
	ck_assert(answer_has(&a, "Connection", "close"));
	ck_assert(client_at_end(&c));
	ck_assert_uint_eq(server_seen().works, 0);
	answer_done(&a);
}

START_TEST(a_refused_body_is_not_asked_for)
{
	client_say(&c, POST("/none") TYPE "Expect: 100-continue\r\n");
	say_length(100);
	check_refusal(404, "ROUTE_NOT_FOUND");
}
END_TEST

START_TEST(a_short_refused_body_is_read_before_the_answer)
{
	client_say(&c, POST("/none") TYPE);
	say_length(100);
	/* Nothing may come before the last byte is sent. */
	struct timeval soon = {.tv_usec = 50000};
	char byte;
	ck_assert_int_eq(setsockopt(c.fd, SOL_SOCKET, SO_RCVTIMEO, &soon, sizeof(soon)), 0);
	ck_assert_int_eq(recv(c.fd, &byte, 1, 0), -1);
	soon.tv_sec = CLIENT_PATIENCE_S;
	ck_assert_int_eq(setsockopt(c.fd, SOL_SOCKET, SO_RCVTIMEO, &soon, sizeof(soon)), 0);
	for (int i = 0; i < 100; i++)
		client_say(&c, "x");
	check_refusal(404, "ROUTE_NOT_FOUND");
}
END_TEST

START_TEST(a_declared_body_over_the_limit_is_refused_at_once)
{
	client_say(&c, POST("/upload") TYPE);
	say_length((65 << 20) + 1);
	check_refusal(413, "TOO_LARGE");
}
END_TEST

START_TEST(an_undeclared_body_over_the_limit_is_refused_after_it)
{
	char *payload = make_payload(65536);

	client_say(&c, POST("/upload") TYPE CHUNKED "\r\n");
	send_chunk(PART, strlen(PART));
	for (int i = 0; i < 32; i++)
		send_chunk(payload, 65536);
	client_say(&c, "0\r\n\r\n");
	check_refusal(413, "TOO_LARGE");
	free(payload);
}
END_TEST

START_TEST(an_endless_body_is_cut)
{
	char *payload = make_payload(1 << 20);

	client_say(&c, POST("/upload") TYPE CHUNKED "\r\n");
	for (int i = 0; i < 80; i++)
		send_chunk(payload, 1 << 20);
	ck_assert(client_at_end(&c));
	ck_assert_uint_eq(server_seen().works, 0);
	free(payload);
}
END_TEST

START_TEST(a_body_without_a_media_type_for_it_is_415)
{
	client_say(&c, POST("/upload") "Content-Type: application/json\r\n");
	say_length(2);
	client_say(&c, "{}");
	check_refusal(415, "UNSUPPORTED_MEDIA_TYPE");
}
END_TEST

START_TEST(an_upload_without_a_body_is_malformed)
{
	client_say(&c, POST("/upload") TYPE);
	say_length(0);
	check_refusal(400, "BAD_MULTIPART");
}
END_TEST

START_TEST(a_fault_in_the_middle_is_answered_at_the_end)
{
	char *payload = make_payload(500000);

	client_say(&c, POST("/late") TYPE);
	say_length(strlen(PART) + 500000 + strlen(LAST));
	client_say(&c, PART);
	client_send(&c, payload, 500000);
	client_say(&c, LAST);
	check_refusal(507, "STORAGE_FULL");
	free(payload);
}
END_TEST

START_TEST(malformed_chunks_end_the_connection)
{
	client_say(&c, POST("/upload") TYPE CHUNKED "\r\nnonsense\r\n");
	char *all = client_read_to_end(&c);
	ck_assert_int_eq(strncmp(all, "HTTP/1.1 400 ", 13), 0);
	free(all);
}
END_TEST

static bool a_state_was_freed(void)
{
	return server_seen().states_freed == 1;
}

START_TEST(a_client_that_goes_away_in_the_middle_leaves_nothing)
{
	client_say(&c, POST("/upload") TYPE);
	say_length(1000);
	client_say(&c, PART "half of it");
	client_close(&c);
	server_wait_until(a_state_was_freed);
	ck_assert_uint_eq(server_seen().works, 0);
	ck_assert_uint_eq(server_seen().states_freed_by_loop, 0);
	ck_assert_int_eq(server_seen().last_status, 0);
}
END_TEST

START_TEST(a_client_that_half_closes_in_the_middle_leaves_nothing)
{
	client_say(&c, POST("/upload") TYPE);
	say_length(1000);
	client_say(&c, PART "half of it");
	ck_assert_int_eq(shutdown(c.fd, SHUT_WR), 0);
	ck_assert(client_at_end(&c));
	server_wait_until(a_state_was_freed);
	ck_assert_uint_eq(server_seen().works, 0);
}
END_TEST

START_TEST(a_client_that_goes_away_during_work_leaves_nothing)
{
	client_say(&c, "GET /gate HTTP/1.1\r\nHost: localhost\r\n\r\n");
	server_wait_at_gate();
	client_close(&c);
	server_open_gate();
	server_wait_until(a_state_was_freed);
	ck_assert_uint_eq(server_seen().works, 1);
}
END_TEST

START_TEST(a_get_with_a_small_body_is_answered_and_closes)
{
	client_say(&c, "GET /hello HTTP/1.1\r\nHost: localhost\r\nContent-Length: 5\r\n\r\n12345");
	struct answer a = client_read(&c, false);
	ck_assert_str_eq(a.body, "hello");
	ck_assert(answer_has(&a, "Connection", "close"));
	ck_assert(client_at_end(&c));
	answer_done(&a);
}
END_TEST

START_TEST(a_get_with_a_large_body_is_413)
{
	client_say(&c, "GET /work HTTP/1.1\r\nHost: localhost\r\n");
	say_length(200000000);
	check_refusal(413, "TOO_LARGE");
}
END_TEST

static bool one_access(void)
{
	return server_seen().accesses == 1;
}

START_TEST(the_access_record_counts_the_body)
{
	static const char body[] = PART "x" LAST;

	client_say(&c, POST("/upload") TYPE);
	say_length(strlen(body));
	client_say(&c, body);
	check_echo("x", 1);
	server_wait_until(one_access);
	ck_assert_int_eq(server_seen().last_status, 201);
	ck_assert_uint_eq(server_seen().last_received, strlen(body));
}
END_TEST

static Suite *suite(void)
{
	Suite *s = suite_create("httpd_body");
	TCase *t = tcase_create("bodies");

	tcase_set_timeout(t, 60);
	tcase_add_checked_fixture(t, setup, teardown);
	tcase_add_test(t, an_upload_with_content_length_arrives_byte_for_byte);
	tcase_add_test(t, a_chunked_upload_arrives_byte_for_byte);
	tcase_add_test(t, an_upload_in_single_bytes_arrives);
	tcase_add_test(t, continue_is_sent_when_the_body_is_welcome);
	tcase_add_test(t, a_refused_body_is_not_asked_for);
	tcase_add_test(t, a_short_refused_body_is_read_before_the_answer);
	tcase_add_test(t, a_declared_body_over_the_limit_is_refused_at_once);
	tcase_add_test(t, an_undeclared_body_over_the_limit_is_refused_after_it);
	tcase_add_test(t, an_endless_body_is_cut);
	tcase_add_test(t, a_body_without_a_media_type_for_it_is_415);
	tcase_add_test(t, an_upload_without_a_body_is_malformed);
	tcase_add_test(t, a_fault_in_the_middle_is_answered_at_the_end);
	tcase_add_test(t, malformed_chunks_end_the_connection);
	tcase_add_test(t, a_client_that_goes_away_in_the_middle_leaves_nothing);
	tcase_add_test(t, a_client_that_half_closes_in_the_middle_leaves_nothing);
	tcase_add_test(t, a_client_that_goes_away_during_work_leaves_nothing);
	tcase_add_test(t, a_get_with_a_small_body_is_answered_and_closes);
	tcase_add_test(t, a_get_with_a_large_body_is_413);
	tcase_add_test(t, the_access_record_counts_the_body);
	suite_add_tcase(s, t);
	return s;
}

UNIT_MAIN
