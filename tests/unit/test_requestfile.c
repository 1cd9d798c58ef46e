/* SPDX-License-Identifier: Apache-2.0 */
/* The files of what jobs were asked to do. */
#include "common/store/requestfile.h"
#include "tests/unit/unit.h"
#include "tests/unit/unit_dir.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#define A "0000000000000000000000000000000a"
#define B "0000000000000000000000000000000b"

static int store_fd;

static void open_store(void)
{
	unit_dir_make();
	store_fd = open(unit_dir_path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	ck_assert_int_ge(store_fd, 0);
}

static void close_store(void)
{
	(void)close(store_fd);
	unit_dir_remove();
}

static void write_one(const char *id, const char *text)
{
	struct err e;

	ck_ok(requestfile_write(store_fd, id, text, strlen(text), &e));
}

static mode_t mode_of(const char *path)
{
	struct stat st;

	ck_assert_int_eq(fstatat(store_fd, path, &st, 0), 0);
	return st.st_mode & 07777;
}

START_TEST(a_request_is_read_as_it_was_written)
{
	CLEANUP_BUF struct buf out = BUF_INIT(REQUESTFILE_MAX);
	struct err e;

	write_one(A, "{\"headers\":[]}");
	ck_ok(requestfile_read(store_fd, A, &out, &e));
	ck_assert_str_eq(buf_str(&out), "{\"headers\":[]}");
	ck_assert(requestfile_exists(store_fd, A));
	ck_assert(!requestfile_exists(store_fd, B));
	ck_err(requestfile_read(store_fd, B, &out, &e), ERR_JOB_NOT_FOUND);
}
END_TEST

START_TEST(nobody_else_can_read_it)
{
	mode_t before = umask(0);

	write_one(A, "x");
	umask(before);
	ck_assert_uint_eq(mode_of("jobs"), 0700);
	ck_assert_uint_eq(mode_of("jobs/" A), 0600);
}
END_TEST

START_TEST(without_the_folder_there_is_none)
{
	CLEANUP_BUF struct buf out = BUF_INIT(REQUESTFILE_MAX);
	struct err e;

	ck_err(requestfile_read(store_fd, A, &out, &e), ERR_JOB_NOT_FOUND);
	ck_ok(requestfile_remove(store_fd, A, &e));
	ck_ok(requestfile_sweep(store_fd, NULL, NULL, &e));
	ck_assert(!requestfile_exists(store_fd, A));
}
END_TEST

START_TEST(a_name_that_is_no_id_never_reaches_the_disk)
{
	static const char *const names[] = {"", "..", "../catalog.db", "a/b", A "0",
		"0000000000000000000000000000000A", "0000000000000000000000000000000"};
	CLEANUP_BUF struct buf out = BUF_INIT(REQUESTFILE_MAX);
	struct err e;

	for (size_t i = 0; i < ARRAY_SIZE(names); i++) {
		ck_err(requestfile_write(store_fd, names[i], "x", 1, &e), ERR_JOB_NOT_FOUND);
		ck_err(requestfile_read(store_fd, names[i], &out, &e), ERR_JOB_NOT_FOUND);
		ck_err(requestfile_remove(store_fd, names[i], &e), ERR_JOB_NOT_FOUND);
	}
	ck_assert_int_lt(faccessat(store_fd, "jobs", F_OK, 0), 0);
}
END_TEST

START_TEST(a_request_is_bounded)
{
	static char bytes[REQUESTFILE_MAX + 1];
	struct err e;

	ck_err(requestfile_write(store_fd, A, bytes, sizeof(bytes), &e), ERR_TOO_LARGE);
	ck_ok(requestfile_write(store_fd, A, bytes, REQUESTFILE_MAX, &e));
}
END_TEST

START_TEST(its_bytes_are_overwritten_when_it_is_removed)
{
	char bytes[6] = "";
	struct err e;
	int fd;

	write_one(A, "secret");
	fd = openat(store_fd, "jobs/" A, O_RDONLY | O_CLOEXEC);
	ck_assert_int_ge(fd, 0);
	ck_ok(requestfile_remove(store_fd, A, &e));
	ck_assert_int_lt(faccessat(store_fd, "jobs/" A, F_OK, 0), 0);
	ck_assert_int_eq(pread(fd, bytes, sizeof(bytes), 0), 6);
	ck_assert_mem_eq(bytes, "\0\0\0\0\0\0", 6);
	(void)close(fd);
	ck_ok(requestfile_remove(store_fd, A, &e));
}
END_TEST

static bool keep_b(void *cls, const char *id)
{
	(*(unsigned *)cls)++;
	return strcmp(id, B) == 0;
}

static int count(void *cls, const char *id, struct err *e)
{
	(void)id;
	(void)e;
	(*(unsigned *)cls)++;
	return 0;
}

START_TEST(a_sweep_leaves_what_is_wanted_and_what_is_not_its_own)
{
	unsigned asked = 0, n = 0;
	struct err e;
	int fd;

	write_one(A, "a");
	write_one(B, "b");
	fd = openat(store_fd, "jobs/" B ".new", O_WRONLY | O_CREAT | O_CLOEXEC, 0600);
	(void)close(fd);
	fd = openat(store_fd, "jobs/notes.txt", O_WRONLY | O_CREAT | O_CLOEXEC, 0600);
	(void)close(fd);
	ck_ok(requestfile_list(store_fd, count, &n, &e));
	ck_assert_uint_eq(n, 2);
	ck_ok(requestfile_sweep(store_fd, keep_b, &asked, &e));
	ck_assert_uint_eq(asked, 2);
	ck_assert(!requestfile_exists(store_fd, A));
	ck_assert(requestfile_exists(store_fd, B));
	ck_assert_int_lt(faccessat(store_fd, "jobs/" B ".new", F_OK, 0), 0);
	ck_assert_int_eq(faccessat(store_fd, "jobs/notes.txt", F_OK, 0), 0);
}
END_TEST

static Suite *suite(void)
{
	Suite *s = suite_create("requestfile");
	TCase *t = tcase_create("requestfile");

	tcase_add_checked_fixture(t, open_store, close_store);
	tcase_add_test(t, a_request_is_read_as_it_was_written);
	tcase_add_test(t, nobody_else_can_read_it);
	tcase_add_test(t, without_the_folder_there_is_none);
	tcase_add_test(t, a_name_that_is_no_id_never_reaches_the_disk);
	tcase_add_test(t, a_request_is_bounded);
	tcase_add_test(t, its_bytes_are_overwritten_when_it_is_removed);
	tcase_add_test(t, a_sweep_leaves_what_is_wanted_and_what_is_not_its_own);
	suite_add_tcase(s, t);
	return s;
}

UNIT_MAIN
