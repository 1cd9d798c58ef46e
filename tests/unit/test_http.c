/* SPDX-License-Identifier: Apache-2.0 */
#include "common/net/http.h"
#include "common/base/str.h"
#include "tests/unit/net_server.h"
#include "tests/unit/unit.h"

#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

#define ANSWER_MAX 1000u
#define BODY       "0123456789"

static struct net_server *server;
static struct http *http;
static struct http_answer answer;
static atomic_bool cancel;
static struct err e;
static char url[64];

/* What came of a request's body; it is read as long as Content-Length says. */
static size_t read_body(struct net_conn *c, char *buf, size_t size)
{
	const char *at = strstr(c->head, "Content-Length: ");
	size_t n = at ? strtoul(at + strlen("Content-Length: "), NULL, 10) : 0, have = 0;

	while (have < n && have < size) {
		ssize_t got = recv(c->fd, buf + have, n - have, 0);
		if (got <= 0)
			break;
		have += (size_t)got;
	}
	return have;
}

static bool asks(const struct net_conn *c, const char *path)
{
	const char *at = strchr(c->head, ' ');
	size_t n = strlen(path);

	return at && strncmp(at + 1, path, n) == 0 && at[1 + n] == ' ';
}

static bool echo(struct net_conn *c)
{
	char body[4096];
	size_t n = read_body(c, body, sizeof(body));

	return net_serve(c, "X-One: 1\r\nx-two:  2 \r\nX-One: 3\r\n", body, n);
}

static bool serve(struct net_conn *c)
{
	if (asks(c, "/echo"))
		return echo(c);
	if (asks(c, "/redirect"))
		return net_say(c,
			"HTTP/1.1 302 Found\r\nLocation: /echo\r\nContent-Length: 0\r\n\r\n");
	if (asks(c, "/hint"))
		return net_say(c, "HTTP/1.1 103 Early Hints\r\nX-Early: 1\r\n\r\n") &&
			net_serve(c, "X-Late: 1\r\n", "", 0);
	if (asks(c, "/missing"))
		return net_say(c, "HTTP/1.1 404 Not Found\r\nContent-Length: 4\r\n\r\n") &&
			(strncmp(c->head, "HEAD", 4) == 0 || net_say(c, "gone"));
	if (asks(c, "/large"))
		return net_serve(c, "", (char[ANSWER_MAX + 1]){0}, ANSWER_MAX + 1);
	if (asks(c, "/cut"))
		(void)net_say(c, "HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nhalf");
	return false;
}

static void begin(void)
{
	const struct http_options options = {.user_agent = "test/1", .cancel = &cancel};

	server = net_server_start(serve, NULL);
	(void)unsetenv("http_proxy");
	ck_ok(http_new(&options, &http, &e));
}

static void end(void)
{
	http_answer_done(&answer);
	http_free(http);
	net_server_stop(server);
}

static struct http_request request(const char *method, const char *path)
{
	(void)snprintf(url, sizeof(url), "http://127.0.0.1:%u%s", server->port, path);
	return (struct http_request){.method = method, .url = url, .max_answer = ANSWER_MAX};
}

static int ask(const struct http_request *q)
{
	http_answer_done(&answer);
	return http_do(http, q, &answer, &e);
}

static void check_body(const char *text)
{
	ck_assert_uint_eq(answer.body.len, strlen(text));
	ck_assert_str_eq(buf_str(&answer.body), text);
}

START_TEST(bodies_come_from_memory)
{
	static const char *const methods[] = {"POST", "PUT", "PATCH"};

	for (size_t i = 0; i < ARRAY_SIZE(methods); i++) {
		struct http_request q = request(methods[i], "/echo");
		q.body = BODY;
		q.body_n = strlen(BODY);
		ck_ok(ask(&q));
		ck_assert_int_eq(answer.status, 200);
		check_body(BODY);
		ck_assert(net_server_heard(server, methods[i]));
	}
	ck_assert(net_server_heard(server, "User-Agent: test/1"));
	ck_assert_uint_eq(server->connections, 1); /* kept from one to the next */
}
END_TEST

START_TEST(no_body_has_a_length_where_there_could_be_one)
{
	struct http_request q = request("POST", "/echo");

	ck_ok(ask(&q));
	ck_assert(net_server_heard(server, "Content-Length: 0"));
}
END_TEST

static int file_with(const char *text)
{
	char path[] = "/tmp/test_http-XXXXXX";
	int fd = mkstemp(path);

	ck_assert(fd >= 0 && unlink(path) == 0);
	ck_assert_int_eq(write(fd, text, strlen(text)), (ssize_t)strlen(text));
	return fd;
}

START_TEST(bodies_come_from_a_file_at_an_offset)
{
	CLEANUP_FD int fd = file_with(BODY);
	struct http_request q = request("PUT", "/echo");

	q.has_file = true;
	q.fd = fd;
	q.offset = 3;
	q.body_n = 4;
	ck_ok(ask(&q));
	check_body("3456");
	ck_assert_uint_eq(answer.sent, 4);
}
END_TEST

START_TEST(a_file_that_became_shorter_is_an_error)
{
	CLEANUP_FD int fd = file_with(BODY);
	struct http_request q = request("PUT", "/echo");

	q.has_file = true;
	q.fd = fd;
	q.body_n = strlen(BODY) + 1;
	ck_err(ask(&q), ERR_IO_FAILED);
	ck_assert(!answer.may_retry);
}
END_TEST

START_TEST(headers_are_those_of_the_final_answer_by_any_case)
{
	struct http_request q = request("GET", "/hint");
	struct str value;

	ck_ok(ask(&q));
	ck_assert(http_answer_header(&answer, "x-late", &value));
	ck_assert(str_eq_c(value, "1"));
	ck_assert(!http_answer_header(&answer, "X-Early", &value));
	ck_assert_ptr_null(value.p);
	q = request("GET", "/echo");
	ck_ok(ask(&q));
	ck_assert(http_answer_header(&answer, "X-ONE", &value) && str_eq_c(value, "1"));
	ck_assert(http_answer_header(&answer, "X-Two", &value) && str_eq_c(value, "2"));
	ck_assert(!http_answer_header(&answer, "X-On", &value));
}
END_TEST

START_TEST(a_status_of_any_kind_is_an_answer)
{
	struct http_request q = request("GET", "/missing");

	ck_ok(ask(&q));
	ck_assert_int_eq(answer.status, 404);
	check_body("gone");
	q = request("HEAD", "/missing");
	ck_ok(ask(&q));
	ck_assert_uint_eq(answer.body.len, 0);
	q = request("GET", "/redirect");
	ck_ok(ask(&q));
	ck_assert_int_eq(answer.status, 302);
	ck_assert(!net_server_heard(server, "GET /echo"));
}
END_TEST

static int refuse(void *cls, const struct http_answer *a, const void *bytes, size_t n,
	struct err *err)
{
	unsigned *called = cls;

	(void)bytes;
	(void)n;
	ck_assert_int_eq(a->status, 200);
	++*called;
	return err_set(err, ERR_CORRUPT, "not these");
}

START_TEST(who_takes_the_body_can_end_the_request_but_sees_no_refusals)
{
	struct http_request q = request("GET", "/large");
	unsigned called = 0;

	q.take = refuse;
	q.cls = &called;
	ck_err(ask(&q), ERR_CORRUPT);
	ck_assert_uint_eq(called, 1);
	q = request("GET", "/missing");
	q.take = refuse;
	q.cls = &called;
	ck_ok(ask(&q));
	check_body("gone");
	ck_assert_uint_eq(called, 1);
}
END_TEST

START_TEST(what_fails_is_told_apart)
{
	struct http_request q = request("GET", "/large");

	ck_err(ask(&q), ERR_TOO_LARGE);
	ck_assert(!answer.may_retry);
	q = request("GET", "/cut");
	ck_err(ask(&q), ERR_FETCH_FAILED);
	ck_assert(answer.may_retry);
	q = request("GET", "/nothing");
	ck_err(ask(&q), ERR_FETCH_FAILED);
	ck_assert(answer.may_retry);
	q.url = "ftp://127.0.0.1/";
	ck_err(ask(&q), ERR_BAD_URL);
	q = request("GET", "/echo");
	atomic_store(&cancel, true);
	ck_err(ask(&q), ERR_CANCELLED);
	atomic_store(&cancel, false);
}
END_TEST

START_TEST(proxies_of_the_environment_are_used)
{
	struct http_request q = request("GET", "/echo");
	char proxy[64];

	(void)snprintf(proxy, sizeof(proxy), "http://127.0.0.1:%u", server->port);
	(void)setenv("http_proxy", proxy, 1);
	q.url = "http://models.invalid/";
	ck_err(ask(&q), ERR_FETCH_FAILED);
	ck_assert(net_server_heard(server, "GET http://models.invalid/ "));
}
END_TEST

static Suite *suite(void)
{
	Suite *s = suite_create("http");
	TCase *t = tcase_create("http");

	tcase_add_checked_fixture(t, begin, end);
	tcase_add_test(t, bodies_come_from_memory);
	tcase_add_test(t, no_body_has_a_length_where_there_could_be_one);
	tcase_add_test(t, bodies_come_from_a_file_at_an_offset);
	tcase_add_test(t, a_file_that_became_shorter_is_an_error);
	tcase_add_test(t, headers_are_those_of_the_final_answer_by_any_case);
	tcase_add_test(t, a_status_of_any_kind_is_an_answer);
	tcase_add_test(t, who_takes_the_body_can_end_the_request_but_sees_no_refusals);
	tcase_add_test(t, what_fails_is_told_apart);
	tcase_add_test(t, proxies_of_the_environment_are_used);
	suite_add_tcase(s, t);
	return s;
}

UNIT_MAIN
