/* SPDX-License-Identifier: Apache-2.0 */
#include "common/json/json_arena.h"
#include "tests/unit/unit.h"

#include <stdint.h>

#define PIECES 5000

START_TEST(pieces_are_aligned_and_do_not_overlap)
{
	static unsigned char *pieces[PIECES];
	struct json_arena a = {0};

	json_arena_use(&a);
	for (size_t i = 0; i < PIECES; i++) {
		pieces[i] = json_arena_alloc(1 + i % 100);
		ck_assert_ptr_nonnull(pieces[i]);
		ck_assert_uint_eq((uintptr_t)pieces[i] % sizeof(void *), 0);
		memset(pieces[i], (int)(i % 251), 1 + i % 100);
	}
	json_arena_use(NULL);
	for (size_t i = 0; i < PIECES; i++) {
		size_t same = 0;
		for (size_t k = 0; k < 1 + i % 100; k++)
			same += pieces[i][k] == i % 251;
		ck_assert_uint_eq(same, 1 + i % 100);
	}
	json_arena_done(&a);
	ck_assert_ptr_null(a.blocks);
}
END_TEST

START_TEST(a_piece_may_be_larger_than_a_block)
{
	struct json_arena a = {0};
	size_t n = 5 << 20;
	char *large;

	json_arena_use(&a);
	ck_assert_ptr_nonnull(json_arena_alloc(10));
	large = json_arena_alloc(n);
	ck_assert_ptr_nonnull(large);
	memset(large, 1, n);
	ck_assert_ptr_nonnull(json_arena_alloc(10));
	json_arena_use(NULL);
	json_arena_done(&a);
}
END_TEST

START_TEST(what_cannot_be_had_is_null)
{
	struct json_arena a = {0};

	ck_assert_ptr_null(json_arena_alloc(1));
	json_arena_use(&a);
	ck_assert_ptr_null(json_arena_alloc(SIZE_MAX));
	json_arena_use(NULL);
	json_arena_done(&a);
}
END_TEST

static Suite *suite(void)
{
	Suite *s = suite_create("json_arena");
	TCase *t = tcase_create("json_arena");

	tcase_add_test(t, pieces_are_aligned_and_do_not_overlap);
	tcase_add_test(t, a_piece_may_be_larger_than_a_block);
	tcase_add_test(t, what_cannot_be_had_is_null);
	suite_add_tcase(s, t);
	return s;
}

UNIT_MAIN
