/* SPDX-License-Identifier: Apache-2.0 */
#include "common/base/snapshot.h"
#include "common/base/macros.h"
#include "tests/unit/unit.h"

#define CHANGES 2000u
#define READERS 3u

/* Both numbers of a whole one are the same. */
struct pair {
	struct snapshot shared;
	unsigned a, b;
};

static atomic_uint freed;

static void free_pair(struct snapshot *s)
{
	struct pair *p = (struct pair *)s;

	p->a = 0;
	p->b = 1;
	free(p);
	atomic_fetch_add(&freed, 1);
}

static struct snapshot *pair(unsigned n)
{
	struct pair *p = calloc(1, sizeof(*p));

	ck_assert_ptr_nonnull(p);
	snapshot_init(&p->shared, free_pair);
	p->a = p->b = n;
	return &p->shared;
}

static unsigned number(const struct snapshot *s)
{
	return ((const struct pair *)s)->a;
}

START_TEST(who_holds_one_keeps_it_whatever_is_put_in_its_place)
{
	struct snapshot_cell c;
	struct snapshot *held, *mine = NULL;

	snapshot_cell_init(&c, pair(1));
	held = snapshot_get(&c);
	ck_assert(snapshot_renew(&c, &mine));
	ck_assert(!snapshot_renew(&c, &mine));
	snapshot_set(&c, pair(2));
	ck_assert_uint_eq(number(held), 1);
	ck_assert_uint_eq(number(mine), 1);
	ck_assert(snapshot_renew(&c, &mine));
	ck_assert_uint_eq(number(mine), 2);
	ck_assert_uint_eq(atomic_load(&freed), 0);
	snapshot_unref(held);
	ck_assert_uint_eq(atomic_load(&freed), 1);
	snapshot_unref(mine);
	snapshot_cell_done(&c);
	ck_assert_uint_eq(atomic_load(&freed), 2);
}
END_TEST

struct reader {
	struct snapshot_cell *cell;
	atomic_bool *stop;
	pthread_t thread;
};

static void check_whole(const struct snapshot *s)
{
	const struct pair *p = (const struct pair *)s;

	ck_assert_uint_eq(p->a, p->b);
}

/* As a loop reads, and as a worker does. */
static void *read_on(void *cls)
{
	struct reader *r = cls;
	struct snapshot *mine = NULL;

	while (!atomic_load(r->stop)) {
		struct snapshot *job = snapshot_get(r->cell);

		(void)snapshot_renew(r->cell, &mine);
		check_whole(job);
		check_whole(mine);
		snapshot_unref(job);
	}
	snapshot_unref(mine);
	return NULL;
}

START_TEST(readers_see_whole_ones_while_they_change)
{
	atomic_bool stop = false;
	struct snapshot_cell c;
	struct reader readers[READERS];

	snapshot_cell_init(&c, pair(CHANGES));
	for (unsigned i = 0; i < READERS; i++) {
		readers[i] = (struct reader){.cell = &c, .stop = &stop};
		ck_assert_int_eq(
			pthread_create(&readers[i].thread, NULL, read_on, &readers[i]), 0);
	}
	for (unsigned i = 0; i < CHANGES; i++)
		snapshot_set(&c, pair(i));
	atomic_store(&stop, true);
	for (unsigned i = 0; i < READERS; i++)
		(void)pthread_join(readers[i].thread, NULL);
	snapshot_cell_done(&c);
	ck_assert_uint_eq(atomic_load(&freed), CHANGES + 1);
}
END_TEST

static Suite *suite(void)
{
	Suite *s = suite_create("snapshot");
	TCase *t = tcase_create("snapshot");

	tcase_add_test(t, who_holds_one_keeps_it_whatever_is_put_in_its_place);
	tcase_add_test(t, readers_see_whole_ones_while_they_change);
	suite_add_tcase(s, t);
	return s;
}

UNIT_MAIN
