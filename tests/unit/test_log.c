/* SPDX-License-Identifier: Apache-2.0 */
#include "common/base/log.h"
#include "common/base/buf.h"
#include "tests/unit/unit.h"

#include <inttypes.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#define WHEN 784111777000

static const char *formatted(const char *msg, const char *value)
{
	static char text[4096];
	CLEANUP_BUF struct buf out = BUF_INIT(4096);

	log_format(&out, LOG_LEVEL_WARNING, WHEN, msg, "key", value, "#count", "12", NULL);
	ck_assert(!buf_failed(&out));
	(void)snprintf(text, sizeof(text), "%s", buf_str(&out));
	return text;
}

START_TEST(logfmt_quotes_what_could_be_taken_for_more)
{
	ck_assert_str_eq(formatted("a thing", "plain"),
		"time=1994-11-06T08:49:37.000Z level=warning msg=\"a thing\" key=plain count=12\n");
	ck_assert_str_eq(formatted("a", "x\" level=error\n"),
		"time=1994-11-06T08:49:37.000Z level=warning msg=a "
		"key=\"x\\\" level=error\\x0a\" count=12\n");
	ck_assert_str_eq(formatted("a", NULL),
		"time=1994-11-06T08:49:37.000Z level=warning msg=a key=\"\" count=12\n");
}
END_TEST

START_TEST(json_is_one_object_a_line_whatever_the_value)
{
	log_set_style(LOG_STYLE_JSON);
	ck_assert_str_eq(formatted("a thing", "plain"),
		"{\"time\":\"1994-11-06T08:49:37.000Z\",\"level\":\"warning\",\"msg\":\"a thing\","
		"\"key\":\"plain\",\"count\":12}\n");
	ck_assert_str_eq(formatted("a", "\"\\\n\x01\xc3\xa4\xff\xc3"),
		"{\"time\":\"1994-11-06T08:49:37.000Z\",\"level\":\"warning\",\"msg\":\"a\","
		"\"key\":\"\\\"\\\\\\u000a\\u0001\xc3\xa4\\ufffd\\ufffd\",\"count\":12}\n");
}
END_TEST

/* Standard error is a file from here on; gives its content after one line was logged. */
static const char *logged(bool names_it)
{
	static char text[4096];
	FILE *file = tmpfile();
	char stream[64];
	struct stat s;

	ck_assert_ptr_nonnull(file);
	ck_assert_int_eq(fstat(fileno(file), &s), 0);
	(void)snprintf(stream, sizeof(stream), "%" PRIuMAX ":%" PRIuMAX, (uintmax_t)s.st_dev,
		(uintmax_t)s.st_ino + !names_it);
	ck_assert_int_eq(setenv("JOURNAL_STREAM", stream, 1), 0);
	ck_assert_int_ge(dup2(fileno(file), STDERR_FILENO), 0);
	log_event(LOG_LEVEL_ERROR, "bad", "key", "v", NULL);
	ssize_t n = pread(fileno(file), text, sizeof(text) - 1, 0);
	ck_assert_int_gt(n, 0);
	text[n] = '\0';
	(void)fclose(file);
	return text;
}

START_TEST(the_journal_gets_priorities_and_no_time)
{
	ck_assert_str_eq(logged(true), "<3>level=error msg=bad key=v\n");
}
END_TEST

START_TEST(a_stream_that_is_not_the_journal_gets_none)
{
	const char *text = logged(false);

	ck_assert_msg(strncmp(text, "time=", 5) == 0, "%s", text);
}
END_TEST

static Suite *suite(void)
{
	Suite *s = suite_create("log");
	TCase *t = tcase_create("log");

	tcase_add_test(t, logfmt_quotes_what_could_be_taken_for_more);
	tcase_add_test(t, json_is_one_object_a_line_whatever_the_value);
	tcase_add_test(t, the_journal_gets_priorities_and_no_time);
	tcase_add_test(t, a_stream_that_is_not_the_journal_gets_none);
	suite_add_tcase(s, t);
	return s;
}

UNIT_MAIN
