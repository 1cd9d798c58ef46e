/* SPDX-License-Identifier: Apache-2.0 */
#include "common/base/bell.h"
#include "common/base/buf.h"
#include "common/base/clock.h"
#include "common/base/fsio.h"
#include "common/base/num.h"
#include "common/base/pace.h"
#include "common/base/str.h"
#include "common/base/text.h"
#include "tests/unit/unit.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <sys/stat.h>

START_TEST(errors_keep_code_and_sentence)
{
	struct err e;

	ck_assert_int_eq(err_set(&e, ERR_BAD_JSON, "line %d", 3), -(int)ERR_BAD_JSON);
	ck_assert_str_eq(e.text, "line 3");
	err_prefix(&e, "model.json");
	ck_assert_str_eq(e.text, "model.json: line 3");
	ck_assert_int_eq(err_status(ERR_NOT_LOADABLE), 422);
	ck_assert_str_eq(err_name(ERR_NOT_LOADABLE), "NOT_LOADABLE");
}
END_TEST

START_TEST(errors_from_errno_choose_their_code)
{
	struct err e;

	err_sys(&e, ENOSPC, "cannot write x");
	ck_assert_int_eq(e.code, ERR_STORAGE_FULL);
	err_sys(&e, EMFILE, "cannot open x");
	ck_assert_int_eq(e.code, ERR_BUSY);
	err_sys(&e, EIO, "cannot read x");
	ck_assert_int_eq(e.code, ERR_IO_FAILED);
	ck_assert_ptr_nonnull(strstr(e.text, "cannot read x: "));
	ck_assert_int_eq(e.sys_errno, EIO);
}
END_TEST

START_TEST(errors_that_are_too_long_are_cut_visibly)
{
	char longer[2 * ERR_TEXT_MAX];
	struct err e;

	memset(longer, 'x', sizeof(longer) - 1);
	longer[sizeof(longer) - 1] = '\0';
	err_set(&e, ERR_INTERNAL, "%s", longer);
	ck_assert_uint_eq(strlen(e.text), ERR_TEXT_MAX - 1);
	ck_assert_str_eq(e.text + ERR_TEXT_MAX - 4, "...");
}
END_TEST

START_TEST(numbers_refuse_what_does_not_fit)
{
	uint64_t v = 7;

	ck_assert(num_parse("18446744073709551615", 20, UINT64_MAX, &v));
	ck_assert(v == UINT64_MAX);
	ck_assert(!num_parse("18446744073709551616", 20, UINT64_MAX, &v));
	ck_assert(!num_parse("", 0, UINT64_MAX, &v));
	ck_assert(!num_parse("-1", 2, UINT64_MAX, &v));
	ck_assert(!num_parse("11", 2, 10, &v));
	ck_assert(!num_add(UINT64_MAX, 1, &v));
	ck_assert(!num_mul(UINT64_MAX / 2, 3, &v));
	ck_assert(v == UINT64_MAX);
}
END_TEST

START_TEST(sizes_and_durations_need_their_unit)
{
	char text[NUM_SIZE_TEXT];
	uint64_t v;

	ck_assert(num_parse_size("4MiB", &v));
	ck_assert_uint_eq(v, 4 << 20);
	ck_assert(num_parse_size("17", &v));
	ck_assert(!num_parse_size("4MB", &v));
	ck_assert(!num_parse_size("99999999999TiB", &v));
	ck_assert(num_parse_duration("90s", &v));
	ck_assert_uint_eq(v, 90000);
	ck_assert(num_parse_duration("0", &v));
	ck_assert(!num_parse_duration("90", &v));
	ck_assert_str_eq(num_format_size(4 << 20, text), "4 MiB");
	ck_assert_str_eq(num_format_size(1536, text), "1.5 KiB");
	ck_assert_str_eq(num_format_size(17, text), "17 B");
}
END_TEST

START_TEST(buffers_stop_at_their_ceiling_and_stay_failed)
{
	CLEANUP_BUF struct buf b = BUF_INIT(8);
	struct err e;

	buf_add_str(&b, "12345678");
	ck_assert(!buf_failed(&b));
	buf_add_char(&b, '9');
	ck_assert(buf_failed(&b));
	buf_add_str(&b, "");
	ck_assert_str_eq(buf_str(&b), "12345678");
	ck_err(buf_check(&b, "the answer", &e), ERR_TOO_LARGE);
	ck_assert_str_eq(e.text, "the answer is larger than 8 B");
	buf_clear(&b);
	buf_addf(&b, "%d", 42);
	ck_assert_str_eq(buf_str(&b), "42");
}
END_TEST

START_TEST(splitting_gives_empty_parts_too)
{
	struct str rest = STR_LIT("a,,b"), part;

	ck_assert(str_split(&rest, ',', &part) && str_eq_c(part, "a"));
	ck_assert(str_split(&rest, ',', &part) && str_eq_c(part, ""));
	ck_assert(str_split(&rest, ',', &part) && str_eq_c(part, "b"));
	ck_assert(!str_split(&rest, ',', &part));
}
END_TEST

START_TEST(utf8_is_judged_by_rfc_3629)
{
	ck_assert(str_is_utf8(STR_LIT("a\xc3\xa4\xe2\x82\xac\xf0\x9f\x98\x80")));
	ck_assert(!str_is_utf8(STR_LIT("\xc0\xaf")));
	ck_assert(!str_is_utf8(STR_LIT("\xed\xa0\x80")));
	ck_assert(!str_is_utf8(STR_LIT("\xf4\x90\x80\x80")));
	ck_assert(!str_is_utf8(STR_LIT("\xe2\x82")));
	ck_assert(!str_is_utf8(STR_LIT("\x80")));
}
END_TEST

START_TEST(percent_decoding_refuses_nul_and_halves)
{
	CLEANUP_BUF struct buf b = BUF_INIT(64);

	ck_assert(str_percent_decode(STR_LIT("a%20b%C3%A4"), &b));
	ck_assert_str_eq(buf_str(&b), "a b\xc3\xa4");
	ck_assert(!str_percent_decode(STR_LIT("%00"), &b));
	ck_assert(!str_percent_decode(STR_LIT("%2"), &b));
	ck_assert(!str_percent_decode(STR_LIT("%zz"), &b));
	buf_clear(&b);
	str_percent_encode_path(STR_LIT("a b/\xc3\xa4?"), &b);
	ck_assert_str_eq(buf_str(&b), "a%20b/%C3%A4%3F");
}
END_TEST

START_TEST(http_dates_are_read_in_three_forms)
{
	char text[CLOCK_TEXT];
	uint64_t ms;

	ck_assert_str_eq(clock_http_date(784111777000, text), "Sun, 06 Nov 1994 08:49:37 GMT");
	ck_assert(clock_parse_http_date("Sun, 06 Nov 1994 08:49:37 GMT", &ms));
	ck_assert_uint_eq(ms, 784111777000);
	ck_assert(clock_parse_http_date("Sunday, 06-Nov-94 08:49:37 GMT", &ms));
	ck_assert_uint_eq(ms, 784111777000);
	ck_assert(clock_parse_http_date("Sun Nov  6 08:49:37 1994", &ms));
	ck_assert_uint_eq(ms, 784111777000);
	ck_assert(!clock_parse_http_date("Sun, 06 Nov 1994 08:49:37 GMT+1", &ms));
	ck_assert(!clock_parse_http_date("yesterday", &ms));
	ck_assert_str_eq(clock_rfc3339(784111777123, text), "1994-11-06T08:49:37.123Z");
}
END_TEST

START_TEST(directories_are_made_with_their_parents)
{
	char template[] = "/tmp/modeld-base-XXXXXX";
	char path[PATH_MAX], *content;
	struct stat st;
	struct err e;
	size_t n;

	ck_assert_ptr_nonnull(mkdtemp(template));
	snprintf(path, sizeof(path), "%s/a/b/c", template);
	ck_ok(fsio_mkdirs(path, &e));
	ck_ok(fsio_mkdirs(path, &e));
	ck_assert(stat(path, &st) == 0 && S_ISDIR(st.st_mode));
	snprintf(path, sizeof(path), "%s/a/file", template);
	ck_ok(fsio_write_file(path, "hello", 5, &e));
	ck_ok(fsio_read_file(AT_FDCWD, path, 5, &content, &n, &e));
	ck_assert_str_eq(content, "hello");
	free(content);
	ck_err(fsio_read_file(AT_FDCWD, path, 4, &content, &n, &e), ERR_TOO_LARGE);
	ck_assert_int_eq(unlink(path), 0);
	snprintf(path, sizeof(path), "rm -rf %s", template);
	ck_assert_int_eq(system(path), 0);
}
END_TEST

START_TEST(text_wraps_at_a_width_and_keeps_long_words_whole)
{
	CLEANUP_BUF struct buf out = BUF_INIT(1000);

	text_wrap(STR_LIT("one two three-is-longer four"), 10, "- ", &out);
	ck_assert_str_eq(buf_str(&out), "- one two\n- three-is-longer\n- four\n");
}
END_TEST

START_TEST(text_for_roff_is_escaped)
{
	CLEANUP_BUF struct buf out = BUF_INIT(1000);

	text_roff(".a-b\\c~", &out);
	ck_assert_str_eq(buf_str(&out), "\\&.a\\-b\\ec\\(ti");
}
END_TEST

START_TEST(text_distance_counts_edits)
{
	char longest[TEXT_DISTANCE_MAX + 1] = {0};

	ck_assert_uint_eq(text_distance(STR_LIT("weights"), STR_LIT("Weights")), 0);
	ck_assert_uint_eq(text_distance(STR_LIT("wieghts"), STR_LIT("weights")), 1);
	ck_assert_uint_eq(text_distance(STR_LIT("weigts"), STR_LIT("weights")), 1);
	ck_assert_uint_eq(text_distance(STR_LIT("abc"), STR_LIT("xyz")), 3);
	ck_assert_uint_eq(text_distance(STR_LIT(""), STR_LIT("ab")), 2);
	memset(longest, 'a', TEXT_DISTANCE_MAX);
	ck_assert_uint_eq(text_distance(str_of(longest), STR_LIT("a")), SIZE_MAX);
	ck_assert_uint_eq(text_distance(STR_LIT("a"), str_of(longest + 1)), TEXT_DISTANCE_MAX - 2);
}
END_TEST

/* Whoever waits as told, and a little longer, uses no more than the rate allows in any time. */
START_TEST(a_pace_bounds_the_rate)
{
	static const uint64_t rates[] = {1, 7, 4096, 1000003, 1 << 30};
	struct pace p = {.rate = rates[_i]};
	uint64_t now = 12345, start = now, used = 0;

	for (unsigned i = 0; i < 1000; i++) {
		size_t n = i * 37 % 1000;
		uint64_t late = i % 7;
		ck_assert_uint_le(used, rates[_i] * (now - start + PACE_BURST_MS) / 1000 + 1);
		used += n;
		now += pace_take(&p, now, n) + late;
	}
}
END_TEST

START_TEST(a_pace_gives_what_it_promises)
{
	struct pace p = {.rate = 1000}, any = {.rate = 0};
	uint64_t now = 50000;

	ck_assert_uint_eq(pace_take(&p, now, 1000), 1000 - PACE_BURST_MS);
	now += 1000 - PACE_BURST_MS;
	for (unsigned i = 0; i < 10; i++, now += 250)
		ck_assert_uint_eq(pace_take(&p, now, 250), 250);
	ck_assert_uint_eq(pace_take(&any, now, SIZE_MAX), 0);
	ck_assert_uint_gt(pace_take(&p, now, SIZE_MAX), 1000000000);
}
END_TEST

static void *ring_once(void *cls)
{
	bell_ring(cls);
	return NULL;
}

START_TEST(a_bell_is_heard_before_and_after_the_wait_begins)
{
	struct bell b;
	pthread_t thread;
	uint64_t began = clock_mono_ms();

	bell_init(&b);
	ck_assert_uint_eq(bell_wait(&b, 0, 20), 0);
	ck_assert_uint_ge(clock_mono_ms() - began, 19);
	bell_ring(&b);
	ck_assert_uint_eq(bell_wait(&b, 0, UINT64_MAX), 1);
	ck_assert_int_eq(pthread_create(&thread, NULL, ring_once, &b), 0);
	ck_assert_uint_eq(bell_wait(&b, 1, UINT64_MAX), 2);
	ck_assert_int_eq(pthread_join(thread, NULL), 0);
	ck_assert_uint_eq(bell_rung(&b), 2);
	bell_done(&b);
}
END_TEST

static Suite *suite(void)
{
	Suite *s = suite_create("base");
	TCase *t = tcase_create("base");

	tcase_add_test(t, errors_keep_code_and_sentence);
	tcase_add_test(t, errors_from_errno_choose_their_code);
	tcase_add_test(t, errors_that_are_too_long_are_cut_visibly);
	tcase_add_test(t, numbers_refuse_what_does_not_fit);
	tcase_add_test(t, sizes_and_durations_need_their_unit);
	tcase_add_test(t, buffers_stop_at_their_ceiling_and_stay_failed);
	tcase_add_loop_test(t, a_pace_bounds_the_rate, 0, 5);
	tcase_add_test(t, a_pace_gives_what_it_promises);
	tcase_add_test(t, a_bell_is_heard_before_and_after_the_wait_begins);
	tcase_add_test(t, splitting_gives_empty_parts_too);
	tcase_add_test(t, utf8_is_judged_by_rfc_3629);
	tcase_add_test(t, percent_decoding_refuses_nul_and_halves);
	tcase_add_test(t, http_dates_are_read_in_three_forms);
	tcase_add_test(t, directories_are_made_with_their_parents);
	tcase_add_test(t, text_wraps_at_a_width_and_keeps_long_words_whole);
	tcase_add_test(t, text_for_roff_is_escaped);
	tcase_add_test(t, text_distance_counts_edits);
	suite_add_tcase(s, t);
	return s;
}

UNIT_MAIN
