/* SPDX-License-Identifier: Apache-2.0 */
#include "common/digest/digest_pool.h"
#include "tests/unit/unit.h"

#include <pthread.h>

#define PIECE   (64u << 10)
#define PIECES  40u
#define STREAMS 8u

static struct digest_pool *pool;

/* Two buffers, of which one is filled while the other is hashed. */
static void *hash_stream(void *cls)
{
	uint8_t seed = *(const uint8_t *)cls;
	static __thread uint8_t buffers[2][PIECE];
	CLEANUP(digest_ctx_free_p) struct digest_ctx *beside = NULL, *inline_ctx = NULL;
	struct digest_pool_piece piece = {.n = PIECE};
	struct digest a, b;
	struct err e;

	ck_ok(digest_ctx_new(&beside, &e));
	ck_ok(digest_ctx_new(&inline_ctx, &e));
	piece.ctx = beside;
	for (unsigned i = 0; i < PIECES; i++) {
		uint8_t *buffer = buffers[i % 2];
		memset(buffer, seed + (int)i, PIECE);
		ck_ok(digest_ctx_update(inline_ctx, buffer, PIECE, &e));
		ck_ok(digest_pool_wait(pool, &piece, &e));
		piece.bytes = buffer;
		digest_pool_give(pool, &piece);
	}
	ck_ok(digest_pool_wait(pool, &piece, &e));
	ck_ok(digest_pool_wait(pool, &piece, &e)); /* nothing was given since */
	ck_ok(digest_ctx_finish(beside, &a, &e));
	ck_ok(digest_ctx_finish(inline_ctx, &b, &e));
	ck_assert(digest_eq(&a, &b));
	return NULL;
}

START_TEST(streams_at_once_get_the_digests_of_their_own_bytes)
{
	pthread_t threads[STREAMS];
	uint8_t seeds[STREAMS];
	struct err e;

	ck_ok(digest_pool_new(&pool, &e));
	for (unsigned i = 0; i < STREAMS; i++) {
		seeds[i] = (uint8_t)(16 * i);
		ck_assert_int_eq(
			pthread_create(&threads[i], NULL, hash_stream, &seeds[i]), 0);
	}
	for (unsigned i = 0; i < STREAMS; i++)
		pthread_join(threads[i], NULL);
	digest_pool_free(pool);
}
END_TEST

START_TEST(a_pool_that_was_never_used_ends)
{
	struct err e;

	ck_ok(digest_pool_new(&pool, &e));
	digest_pool_free(pool);
	digest_pool_free(NULL);
}
END_TEST

static Suite *suite(void)
{
	Suite *s = suite_create("digest_pool");
	TCase *t = tcase_create("digest_pool");

	tcase_set_timeout(t, 120);
	tcase_add_test(t, streams_at_once_get_the_digests_of_their_own_bytes);
	tcase_add_test(t, a_pool_that_was_never_used_ends);
	suite_add_tcase(s, t);
	return s;
}

UNIT_MAIN
