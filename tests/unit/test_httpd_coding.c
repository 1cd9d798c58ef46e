/* SPDX-License-Identifier: Apache-2.0 */
/* Bodies with a Content-Encoding, and bodies that are no form, over real sockets. */
#include "common/base/num.h"
#include "tests/unit/archive_make.h"
#include "tests/unit/httpd_client.h"
#include "tests/unit/httpd_server.h"
#include "tests/unit/unit.h"

#define TYPE       "Content-Type: multipart/form-data; boundary=cut\r\n"
#define PART       "--cut\r\nContent-Disposition: form-data; name=\"f\"; filename=\"w.bin\"\r\n\r\n"
#define LAST       "\r\n--cut--\r\n"
#define POST(path) "POST " path " HTTP/1.1\r\nHost: localhost\r\n"
#define GZIP       "Content-Encoding: gzip\r\n"

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

static void say_body(const char *head, const struct buf *body)
{
	client_say(&c, head);
	say_length(body->len);
	client_send(&c, body->data, body->len);
}

static void check_answer(const char *want)
{
	struct answer a = client_read(&c, false);

	ck_assert_msg(a.status == 201, "%s%s", a.head, a.body);
	ck_assert_str_eq(a.body, want);
	answer_done(&a);
}

static void check_refusal(int status, const char *code, bool names_coding)
{
	struct answer a = client_read(&c, false);

	ck_assert_msg(a.status == status, "%s%s", a.head, a.body);
	ck_assert_msg(answer_has(&a, "X-Error-Code", code), "%s", a.head);
	ck_assert(answer_has(&a, "Accept-Encoding", "gzip") == names_coding);
	ck_assert(client_at_end(&c));
	ck_assert_uint_eq(server_seen().works, 0);
	answer_done(&a);
}

static void form_in_gzip(struct buf *b)
{
	static const char form[] = PART "hello" LAST;

	make_gzip(b, form, sizeof(form) - 1);
}

static const char *const gzip_heads[] = {
	GZIP,
	"Content-Encoding: x-gzip\r\n",
	"content-encoding:  GZIP , identity\r\n",
};

START_TEST(a_form_in_gzip_is_read)
{
	CLEANUP_BUF struct buf b = BUF_INIT(MIB);
	char head[256];

	form_in_gzip(&b);
	snprintf(head, sizeof(head), POST("/upload") TYPE "%s", gzip_heads[_i]);
	say_body(head, &b);
	check_answer("f|w.bin|hello;");
}
END_TEST

START_TEST(it_may_come_in_single_bytes_and_chunks_and_members)
{
	CLEANUP_BUF struct buf b = BUF_INIT(MIB);

	make_gzip(&b, PART, strlen(PART));
	make_gzip(&b, "hello", 5);
	make_gzip(&b, LAST, strlen(LAST));
	client_say(&c, POST("/upload") TYPE GZIP "Transfer-Encoding: chunked\r\n\r\n");
	for (size_t i = 0; i < b.len; i++) {
		client_say(&c, "1\r\n");
		client_send(&c, b.data + i, 1);
		client_say(&c, "\r\n");
	}
	client_say(&c, "0\r\n\r\n");
	check_answer("f|w.bin|hello;");
}
END_TEST

START_TEST(identity_is_no_coding)
{
	client_say(&c, POST("/upload") TYPE "Content-Encoding: identity\r\n");
	say_length(strlen(PART "x" LAST));
	client_say(&c, PART "x" LAST);
	check_answer("f|w.bin|x;");
}
END_TEST

static const char *const wrong[] = {
	"Content-Encoding: br\r\n",
	"Content-Encoding: deflate\r\n",
	"Content-Encoding: gzip, gzip\r\n",
	"Content-Encoding: gzip\r\nContent-Encoding: gzip\r\n",
	"Content-Encoding: br, gzip\r\n",
	"Content-Encoding: identity\r\nContent-Encoding: zstd\r\n",
	"Content-Encoding: gzip;q=1\r\n",
};

START_TEST(another_coding_is_415_and_the_answer_names_ours)
{
	client_say(&c, POST("/upload") TYPE);
	client_say(&c, wrong[_i]);
	say_length(3);
	client_say(&c, "abc");
	check_refusal(415, "UNSUPPORTED_MEDIA_TYPE", true);
}
END_TEST

START_TEST(another_media_type_is_415_and_the_answer_names_no_coding)
{
	client_say(&c, POST("/upload") "Content-Type: text/plain\r\n" GZIP);
	say_length(3);
	client_say(&c, "abc");
	check_refusal(415, "UNSUPPORTED_MEDIA_TYPE", false);
}
END_TEST

START_TEST(a_cut_off_or_changed_gzip_is_400)
{
	CLEANUP_BUF struct buf b = BUF_INIT(MIB);

	form_in_gzip(&b);
	if (_i == 0)
		b.len -= 3;
	else
		b.data[b.len - 6] ^= 1;
	say_body(POST("/upload") TYPE GZIP, &b);
	check_refusal(400, "BAD_GZIP", false);
}
END_TEST

START_TEST(the_limit_holds_for_the_decoded_bytes)
{
	CLEANUP_BUF struct buf b = BUF_INIT(MIB);

	make_gzip(&b, PART, strlen(PART));
	make_gzip_zeros(&b, 2 * MIB, true);
	make_gzip(&b, LAST, strlen(LAST));
	say_body(POST("/upload") TYPE GZIP, &b);
	check_refusal(413, "TOO_LARGE", false);
}
END_TEST

START_TEST(what_is_no_form_comes_as_it_is)
{
	CLEANUP_BUF struct buf b = BUF_INIT(MIB);

	buf_add_str(&b, PART);
	say_body(POST("/raw") "Content-Type: application/x-tar\r\n", &b);
	check_answer(PART);
}
END_TEST

START_TEST(what_is_no_form_may_come_in_gzip)
{
	CLEANUP_BUF struct buf b = BUF_INIT(MIB);

	make_gzip(&b, "any bytes", 9);
	say_body(POST("/raw") GZIP, &b);
	check_answer("any bytes");
}
END_TEST

START_TEST(a_form_is_a_form_where_other_bodies_are_read_too)
{
	CLEANUP_BUF struct buf b = BUF_INIT(MIB);

	form_in_gzip(&b);
	say_body(POST("/raw") TYPE GZIP, &b);
	check_answer("f|w.bin|hello;");
}
END_TEST

static Suite *suite(void)
{
	Suite *s = suite_create("httpd_coding");
	TCase *t = tcase_create("codings");

	tcase_set_timeout(t, 60);
	tcase_add_checked_fixture(t, setup, teardown);
	tcase_add_loop_test(t, a_form_in_gzip_is_read, 0, ARRAY_SIZE(gzip_heads));
	tcase_add_test(t, it_may_come_in_single_bytes_and_chunks_and_members);
	tcase_add_test(t, identity_is_no_coding);
	tcase_add_loop_test(t, another_coding_is_415_and_the_answer_names_ours, 0,
		ARRAY_SIZE(wrong));
	tcase_add_test(t, another_media_type_is_415_and_the_answer_names_no_coding);
	tcase_add_loop_test(t, a_cut_off_or_changed_gzip_is_400, 0, 2);
	tcase_add_test(t, the_limit_holds_for_the_decoded_bytes);
	tcase_add_test(t, what_is_no_form_comes_as_it_is);
	tcase_add_test(t, what_is_no_form_may_come_in_gzip);
	tcase_add_test(t, a_form_is_a_form_where_other_bodies_are_read_too);
	suite_add_tcase(s, t);
	return s;
}

UNIT_MAIN
