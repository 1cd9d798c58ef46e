/* SPDX-License-Identifier: Apache-2.0 */
#include "client/progress.h"
#include "common/base/buf.h"
#include "common/base/num.h"
#include "tests/unit/unit.h"

static const struct {
	uint64_t done, total, skipped, elapsed_ms;
	const char *line;
} lines[] = {
	{0, 100, 0, 0, "x   0%  0 B of 100 B"},
	{50, 100, 0, 1000, "x  50%  50 B of 100 B  50 B/s  0:01 left"},
	{100, 100, 0, 1000, "x 100%  100 B of 100 B  100 B/s"},
	{0, 0, 0, 1000, "x 100%  0 B of 0 B"},
	/* What was there before is no part of the rate. */
	{75, 100, 50, 1000, "x  75%  75 B of 100 B  25 B/s  0:01 left"},
	{MIB, GIB, 0, 1000, "x   0%  1.0 MiB of 1.0 GiB  1.0 MiB/s  17:03 left"},
	{MIB, 10 * GIB, 0, 2000, "x   0%  1.0 MiB of 10.0 GiB  512.0 KiB/s  5:41:18 left"},
	/* A file that grew. */
	{200, 100, 0, 1000, "x 100%  200 B of 100 B  200 B/s"},
};

START_TEST(the_line_tells_share_bytes_rate_and_time)
{
	CLEANUP_BUF struct buf out = BUF_INIT(1000);

	progress_format(&(struct progress_state){"x", lines[_i].done, lines[_i].total,
				lines[_i].skipped, lines[_i].elapsed_ms},
		0, &out);
	ck_assert_str_eq(buf_str(&out), lines[_i].line);
}
END_TEST

static const struct {
	size_t columns;
	const char *line;
} widths[] = {
	{80, "sending  50%  50 B of 100 B  50 B/s  0:01 left"},
	{46, "sending  50%  50 B of 100 B  50 B/s  0:01 left"},
	{45, "sending  50%  50 B of 100 B  50 B/s"},
	{35, "sending  50%  50 B of 100 B  50 B/s"},
	{34, "sending  50%  50 B of 100 B"},
	{26, "sending  50%"},
	{1, "sending  50%"},
};

START_TEST(what_has_no_room_in_a_window_is_left_out)
{
	static const struct progress_state state = {"sending", 50, 100, 0, 1000};
	CLEANUP_BUF struct buf out = BUF_INIT(1000);

	progress_format(&state, widths[_i].columns, &out);
	ck_assert_str_eq(buf_str(&out), widths[_i].line);
}
END_TEST

static Suite *suite(void)
{
	Suite *s = suite_create("progress");
	TCase *t = tcase_create("progress");

	tcase_add_loop_test(
		t, the_line_tells_share_bytes_rate_and_time, 0, (int)ARRAY_SIZE(lines));
	tcase_add_loop_test(
		t, what_has_no_room_in_a_window_is_left_out, 0, (int)ARRAY_SIZE(widths));
	suite_add_tcase(s, t);
	return s;
}

UNIT_MAIN
