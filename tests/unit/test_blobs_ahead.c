/* SPDX-License-Identifier: Apache-2.0 */
/* Which bytes are sent to the disk early, and that no file is touched after its end. */
#include "common/base/fsio.h"
#include "common/store/blobs_fs_ahead.h"
#include "tests/unit/unit.h"
#include "tests/unit/unit_dir.h"

#include <fcntl.h>
#include <sched.h>
#include <sys/stat.h>

#define STEP    BLOBS_FS_AHEAD_BYTES
#define WRITERS 4
#define FILES   40 /* of each */

static struct blobs_fs_ahead ahead;

static void set_up(void)
{
	unit_dir_make();
	blobs_fs_ahead_init(&ahead);
}

static void tear_down(void)
{
	blobs_fs_ahead_done(&ahead);
	unit_dir_remove();
}

static int open_new(const char *name)
{
	char path[4096];
	int fd;

	(void)snprintf(path, sizeof(path), "%s/%s", unit_dir_path, name);
	fd = open(path, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
	ck_assert_int_ge(fd, 0);
	return fd;
}

static uint64_t started(void)
{
	uint64_t bytes;

	(void)pthread_mutex_lock(&ahead.lock);
	bytes = ahead.bytes;
	(void)pthread_mutex_unlock(&ahead.lock);
	return bytes;
}

/* Only the limit of the whole test ends it. */
static void wait_for(uint64_t bytes)
{
	while (started() < bytes)
		(void)sched_yield();
	ck_assert_uint_eq(started(), bytes);
}

START_TEST(a_small_file_is_left_alone)
{
	CLEANUP_FD int fd = open_new("small");
	struct blobs_fs_ahead_file f;

	blobs_fs_ahead_begin(&f, fd, 0);
	blobs_fs_ahead_wrote(&ahead, &f, STEP / 2);
	blobs_fs_ahead_wrote(&ahead, &f, STEP / 2 - 1);
	ck_assert(!ahead.started);
	blobs_fs_ahead_end(&ahead, &f);
}
END_TEST

START_TEST(all_but_the_end_of_a_large_file_is_started)
{
	CLEANUP_FD int fd = open_new("large");
	struct blobs_fs_ahead_file f;

	blobs_fs_ahead_begin(&f, fd, 0);
	for (unsigned i = 0; i < 13; i++)
		blobs_fs_ahead_wrote(&ahead, &f, STEP / 4);
	wait_for(3 * STEP);
	blobs_fs_ahead_end(&ahead, &f);
	ck_assert_uint_eq(started(), 3 * STEP);
}
END_TEST

START_TEST(what_was_there_before_is_not_counted)
{
	CLEANUP_FD int fd = open_new("resumed");
	struct blobs_fs_ahead_file f;

	blobs_fs_ahead_begin(&f, fd, 10 * STEP);
	blobs_fs_ahead_wrote(&ahead, &f, STEP + 5);
	wait_for(STEP + 5);
	blobs_fs_ahead_end(&ahead, &f);
}
END_TEST

START_TEST(a_file_that_the_system_cannot_start_is_no_failure)
{
	int ends[2];
	struct blobs_fs_ahead_file f;

	ck_assert_int_eq(pipe2(ends, O_CLOEXEC), 0); /* ESPIPE */
	blobs_fs_ahead_begin(&f, ends[1], 0);
	blobs_fs_ahead_wrote(&ahead, &f, STEP);
	wait_for(STEP);
	blobs_fs_ahead_end(&ahead, &f);
	close_fd_p(&ends[0]);
	close_fd_p(&ends[1]);
}
END_TEST

static void *write_files(void *cls)
{
	const char *name = cls;
	static const uint8_t bytes[STEP / 4];
	struct err e;

	for (unsigned i = 0; i < FILES; i++) {
		char own[32];
		struct blobs_fs_ahead_file f;
		(void)snprintf(own, sizeof(own), "%s%u", name, i);
		int fd = open_new(own);
		blobs_fs_ahead_begin(&f, fd, 0);
		for (unsigned n = 0; n < 4 + i % 5; n++) {
			ck_ok(fsio_write_all(fd, bytes, sizeof(bytes), "a file", &e));
			blobs_fs_ahead_wrote(&ahead, &f, sizeof(bytes));
		}
		blobs_fs_ahead_end(&ahead, &f);
		ck_assert(!f.queued && !f.busy);
		ck_assert_int_eq(close(fd), 0);
	}
	return NULL;
}

START_TEST(files_end_while_others_are_written)
{
	static char names[WRITERS][2] = {"a", "b", "c", "d"};
	pthread_t threads[WRITERS];

	for (unsigned i = 0; i < WRITERS; i++)
		ck_assert_int_eq(pthread_create(&threads[i], NULL, write_files, names[i]), 0);
	for (unsigned i = 0; i < WRITERS; i++)
		ck_assert_int_eq(pthread_join(threads[i], NULL), 0);
	ck_assert_ptr_null(ahead.first);
}
END_TEST

static Suite *suite(void)
{
	Suite *s = suite_create("blobs_ahead");
	TCase *t = tcase_create("ahead");

	tcase_add_checked_fixture(t, set_up, tear_down);
	tcase_set_timeout(t, 120);
	tcase_add_test(t, a_small_file_is_left_alone);
	tcase_add_test(t, all_but_the_end_of_a_large_file_is_started);
	tcase_add_test(t, what_was_there_before_is_not_counted);
	tcase_add_test(t, a_file_that_the_system_cannot_start_is_no_failure);
	tcase_add_test(t, files_end_while_others_are_written);
	suite_add_tcase(s, t);
	return s;
}

UNIT_MAIN
