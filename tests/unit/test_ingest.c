/* SPDX-License-Identifier: Apache-2.0 */
#include "common/ingest/ingest.h"
#include "common/store/blobs_fs.h"
#include "tests/unit/unit.h"
#include "tests/unit/unit_dir.h"

static struct blobs *store;
static struct ingest_budget budget;

static void open_store(void)
{
	struct err e;

	unit_dir_make();
	ck_ok(blobs_fs_open(unit_dir_path, &store, &e));
	budget = (struct ingest_budget){.max_bytes = 100, .max_files = 3};
}

static void close_store(void)
{
	blobs_close(store);
	unit_dir_remove();
}

static struct ingest *opened(uint64_t max_bytes)
{
	struct ingest_limits limits = {.max_bytes = max_bytes, .what = "a.bin"};
	struct ingest *in;
	struct err e;

	ck_ok(ingest_open(store, &limits, &budget, &in, &e));
	return in;
}

static const char fifty[51] = "01234567890123456789012345678901234567890123456789";

START_TEST(a_file_of_exactly_its_limit_passes)
{
	CLEANUP(ingest_free_p) struct ingest *in = opened(50);
	CLEANUP(blob_writer_free_p) struct blob_writer *w = NULL;
	struct digest d;
	struct digest want;
	uint64_t size;
	struct err e;

	ck_ok(ingest_write(in, fifty, 20, &e));
	ck_ok(ingest_write(in, fifty + 20, 30, &e));
	ck_ok(ingest_write(in, "", 0, &e));
	ck_ok(ingest_finish(in, &w, &d, &size, &e));
	ck_ok(digest_of(fifty, 50, &want, &e));
	ck_assert(digest_eq(&d, &want));
	ck_assert_uint_eq(size, 50);
	ck_assert_uint_eq(budget.used_bytes, 50);
	ck_assert_uint_eq(budget.used_files, 1);
}
END_TEST

START_TEST(the_first_surplus_byte_is_refused_and_the_refusal_sticks)
{
	CLEANUP(ingest_free_p) struct ingest *in = opened(50);
	struct blob_writer *w = NULL;
	struct digest d;
	uint64_t size;
	struct err e;

	ck_ok(ingest_write(in, fifty, 50, &e));
	ck_err(ingest_write(in, "x", 1, &e), ERR_TOO_LARGE);
	ck_assert_str_eq(e.text, "a.bin is larger than 50 B, the limit for one file");
	ck_err(ingest_write(in, "", 0, &e), ERR_TOO_LARGE);
	ck_err(ingest_finish(in, &w, &d, &size, &e), ERR_TOO_LARGE);
	ck_assert_ptr_null(w);
	ck_assert_uint_eq(budget.used_bytes, 50);
}
END_TEST

START_TEST(files_share_one_budget)
{
	CLEANUP(ingest_free_p) struct ingest *a = opened(UINT64_MAX);
	CLEANUP(ingest_free_p) struct ingest *b = opened(UINT64_MAX);
	struct err e;

	ck_ok(ingest_write(a, fifty, 50, &e));
	ck_ok(ingest_write(b, fifty, 50, &e));
	ck_err(ingest_write(a, "x", 1, &e), ERR_TOO_LARGE);
	ck_assert_ptr_nonnull(strstr(e.text, "100 B"));
}
END_TEST

START_TEST(a_file_too_many_is_refused_by_its_name)
{
	struct ingest_limits limits = {.max_bytes = 1, .what = "group1-shard4of4.bin"};
	struct ingest *in = NULL;
	struct err e;

	for (unsigned i = 0; i < 3; i++)
		ingest_free(opened(1));
	ck_err(ingest_open(store, &limits, &budget, &in, &e), ERR_TOO_LARGE);
	ck_assert_ptr_nonnull(strstr(e.text, "group1-shard4of4.bin"));
	ck_assert_ptr_null(in);
}
END_TEST

START_TEST(a_file_that_is_dropped_leaves_nothing)
{
	struct ingest *in = opened(50);
	struct err e;

	ck_ok(ingest_write(in, fifty, 50, &e));
	ingest_free(in);
	ck_assert_uint_eq(unit_dir_count("tmp"), 0);
}
END_TEST

static Suite *suite(void)
{
	Suite *s = suite_create("ingest");
	TCase *t = tcase_create("ingest");

	tcase_add_checked_fixture(t, open_store, close_store);
	tcase_add_test(t, a_file_of_exactly_its_limit_passes);
	tcase_add_test(t, the_first_surplus_byte_is_refused_and_the_refusal_sticks);
	tcase_add_test(t, files_share_one_budget);
	tcase_add_test(t, a_file_too_many_is_refused_by_its_name);
	tcase_add_test(t, a_file_that_is_dropped_leaves_nothing);
	suite_add_tcase(s, t);
	return s;
}

UNIT_MAIN
