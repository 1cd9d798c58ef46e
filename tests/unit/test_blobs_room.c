/* SPDX-License-Identifier: Apache-2.0 */
/* Room that is made for a file whose size was said. */
#include "common/store/blobs.h"
#include "common/store/blobs_fs.h"
#include "common/store/blobs_fs_room.h"
#include "tests/unit/unit.h"
#include "tests/unit/unit_dir.h"

#include <fcntl.h>
#include <sys/stat.h>

#define PART   "part.1"
#define PIECE  BLOB_WRITE_BUFFER
#define BLOCK  512u /* of st_blocks */
#define SLACK  (128u << 10) /* what a file system may need for the file itself */

static struct blobs *store;
static char piece[PIECE];

static void open_store(void)
{
	struct err e;

	unit_dir_make();
	ck_ok(blobs_fs_open(unit_dir_path, &store, &e));
}

static void close_store(void)
{
	blobs_close(store);
	unit_dir_remove();
}

/* Of which `said` bytes are said to come, and `n` pieces do. */
static struct blob_writer *part_of(uint64_t said, unsigned n)
{
	struct blob_writer *w;
	struct err e;

	ck_ok(blobs_part_create(store, PART, &w, &e));
	blob_writer_expect(w, said);
	for (unsigned i = 0; i < n; i++)
		ck_ok(blob_writer_write(w, piece, sizeof(piece), &e));
	return w;
}

static struct stat stat_of(const char *name)
{
	struct stat st;

	ck_assert_int_eq(stat(unit_dir_file(name), &st), 0);
	return st;
}

static void is_as_large_as(const char *name, uint64_t size)
{
	struct stat st = stat_of(name);

	ck_assert_uint_eq((uint64_t)st.st_size, size);
	ck_assert_uint_le((uint64_t)st.st_blocks * BLOCK, size + SLACK);
}

START_TEST(room_is_made_as_the_bytes_come)
{
	struct blob_writer *w = part_of(64 * (uint64_t)BLOBS_FS_ROOM_BYTES, 1);
	struct stat st = stat_of("uploads/" PART);

	ck_assert_uint_eq((uint64_t)st.st_size, PIECE);
	ck_assert_uint_le((uint64_t)st.st_blocks * BLOCK, BLOBS_FS_ROOM_BYTES + SLACK);
	blob_writer_free(w);
}
END_TEST

START_TEST(room_that_is_not_needed_is_given_back_when_the_part_is_left)
{
	struct blob_writer *w = part_of(2 * (uint64_t)BLOBS_FS_ROOM_BYTES, 2);
	uint64_t size;
	struct err e;

	ck_ok(blob_writer_leave(w, &size, &e));
	ck_assert_uint_eq(size, 2 * PIECE);
	is_as_large_as("uploads/" PART, 2 * PIECE);
}
END_TEST

START_TEST(and_when_the_file_ends_early)
{
	struct blob_writer *w = part_of(2 * (uint64_t)BLOBS_FS_ROOM_BYTES, 3);
	struct digest d;
	uint64_t size;
	struct err e;

	ck_ok(blob_writer_finish(w, &d, &size, &e));
	ck_ok(blobs_seal(store, &w, 1, &e));
	is_as_large_as("uploads/" PART, 3 * PIECE);
	blob_writer_free(w);
}
END_TEST

/* A process that was killed had made room behind the end. */
START_TEST(what_is_left_of_another_process_goes_when_it_is_gone_on_with)
{
	struct blob_writer *w = part_of(0, 1);
	uint64_t size;
	struct err e;
	int fd;

	ck_ok(blob_writer_leave(w, &size, &e));
	fd = open(unit_dir_file("uploads/" PART), O_WRONLY | O_CLOEXEC);
	ck_assert_int_ge(fd, 0);
	(void)fallocate(fd, FALLOC_FL_KEEP_SIZE, PIECE, BLOBS_FS_ROOM_BYTES);
	(void)close(fd);
	ck_ok(blobs_part_open(store, PART, size, &w, &e));
	is_as_large_as("uploads/" PART, PIECE);
	ck_ok(blob_writer_leave(w, &size, &e));
}
END_TEST

START_TEST(more_than_was_said_is_written_all_the_same)
{
	struct blob_writer *w = part_of(PIECE + PIECE / 2, 4);
	struct digest d;
	uint64_t size;
	struct err e;

	ck_ok(blob_writer_finish(w, &d, &size, &e));
	ck_assert_uint_eq(size, 4 * PIECE);
	is_as_large_as("uploads/" PART, 4 * PIECE);
	blob_writer_free(w);
}
END_TEST

static Suite *suite(void)
{
	Suite *s = suite_create("blobs_room");
	TCase *t = tcase_create("blobs_room");

	tcase_add_checked_fixture(t, open_store, close_store);
	tcase_add_test(t, room_is_made_as_the_bytes_come);
	tcase_add_test(t, room_that_is_not_needed_is_given_back_when_the_part_is_left);
	tcase_add_test(t, and_when_the_file_ends_early);
	tcase_add_test(t, what_is_left_of_another_process_goes_when_it_is_gone_on_with);
	tcase_add_test(t, more_than_was_said_is_written_all_the_same);
	suite_add_tcase(s, t);
	return s;
}

UNIT_MAIN
