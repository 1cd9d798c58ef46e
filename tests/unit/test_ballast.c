/* SPDX-License-Identifier: Apache-2.0 */
/* The file that takes room until a full disk needs it back. */
#include "common/base/fsio.h"
#include "common/store/ballast.h"
#include "tests/unit/unit.h"
#include "tests/unit/unit_dir.h"

#include <fcntl.h>
#include <sys/stat.h>

static int dir_fd = -1;

static void set_up(void)
{
	struct err e;

	unit_dir_make();
	ck_ok(fsio_open_dir(AT_FDCWD, unit_dir_path, &dir_fd, &e));
}

static void tear_down(void)
{
	close_fd_p(&dir_fd);
	unit_dir_remove();
}

START_TEST(it_is_made_where_there_is_room_for_it)
{
	struct stat st;
	struct err e;

	ck_ok(ballast_keep(dir_fd, BALLAST_BYTES + 99, 100, &e));
	ck_assert(!ballast_is_there(dir_fd));
	ck_ok(ballast_keep(dir_fd, BALLAST_BYTES + 100, 100, &e));
	ck_assert(ballast_is_there(dir_fd));
	ck_assert_int_eq(stat(unit_dir_file("ballast"), &st), 0);
	ck_assert_uint_eq((uint64_t)st.st_blocks * 512, BALLAST_BYTES);
}
END_TEST

START_TEST(one_that_was_let_go_or_cut_short_is_made_again)
{
	struct err e;

	ck_ok(ballast_keep(dir_fd, UINT64_MAX, 0, &e));
	ck_assert(ballast_let_go(dir_fd));
	ck_assert(!ballast_is_there(dir_fd));
	ck_assert(ballast_let_go(dir_fd));
	ck_ok(ballast_keep(dir_fd, UINT64_MAX, 0, &e));
	ck_assert_int_eq(truncate(unit_dir_file("ballast"), 4096), 0);
	ck_assert(!ballast_is_there(dir_fd));
	ck_ok(ballast_keep(dir_fd, UINT64_MAX, 0, &e));
	ck_assert(ballast_is_there(dir_fd));
}
END_TEST

START_TEST(numbers_that_cannot_be_added_are_no_room)
{
	struct err e;

	ck_ok(ballast_keep(dir_fd, UINT64_MAX, UINT64_MAX, &e));
	ck_assert(!ballast_is_there(dir_fd));
}
END_TEST

START_TEST(without_a_directory_there_is_nothing_to_keep_or_let_go)
{
	struct err e;

	ck_ok(ballast_keep(-1, UINT64_MAX, 0, &e));
	ck_assert(ballast_is_there(-1));
	ck_assert(!ballast_let_go(-1));
}
END_TEST

static Suite *suite(void)
{
	Suite *s = suite_create("ballast");
	TCase *t = tcase_create("file");

	tcase_add_checked_fixture(t, set_up, tear_down);
	tcase_add_test(t, it_is_made_where_there_is_room_for_it);
	tcase_add_test(t, one_that_was_let_go_or_cut_short_is_made_again);
	tcase_add_test(t, numbers_that_cannot_be_added_are_no_room);
	tcase_add_test(t, without_a_directory_there_is_nothing_to_keep_or_let_go);
	suite_add_tcase(s, t);
	return s;
}

UNIT_MAIN
