/* SPDX-License-Identifier: Apache-2.0 */
#include "server/api/api_near.h"
#include "tests/unit/unit.h"

static int released;

static void count_release(void *cls)
{
	(void)cls;
	released++;
}

static struct entity *make_entity(void)
{
	struct entity *entity = entity_new(&(struct entity_options){
		.forms[CODING_IDENTITY] = {
			.bytes = "x", .size = 1, .release = count_release, .etag = "\"x\"",
		},
		.content_type = "text/plain",
		.cache_control = "no-cache",
	});

	ck_assert_ptr_nonnull(entity);
	return entity;
}

static struct api_cache *make_cache(size_t entries, uint64_t bytes)
{
	struct api_cache *c;
	struct err e;

	released = 0;
	ck_ok(api_cache_new(entries, bytes, &c, &e));
	return c;
}

/* `epoch` NULL: a pinned entry, resolved just now. */
static void put(struct api_cache *c, const char *key, uint64_t bytes,
	const struct api_cache_epoch *epoch)
{
	char model[8] = "";
	struct entity *entity = make_entity();

	memcpy(model, key, strcspn(key, "@/"));
	struct api_cache_epoch now = api_cache_epoch(c, model);

	api_cache_put(c, str_of(key), entity, bytes, epoch ? epoch : &now,
		(epoch ? 0u : API_CACHE_PINNED) | API_CACHE_PUBLIC);
	entity_unref(entity);
}

static bool has(struct api_cache *c, const char *key)
{
	struct api_cache_entry *x = api_cache_find(c, str_of(key));

	api_cache_release(x);
	return x != NULL;
}

START_TEST(what_was_put_is_found_under_its_key_alone)
{
	struct api_cache *c = make_cache(100, 1000);

	put(c, "m@1/model.json", 0, NULL);
	ck_assert(has(c, "m@1/model.json"));
	ck_assert(!has(c, "m@2/model.json"));
	api_cache_free(c);
	ck_assert_int_eq(released, 1);
}
END_TEST

START_TEST(a_change_hides_mutable_entries_and_leaves_pinned_ones)
{
	struct api_cache *c = make_cache(100, 1000);
	struct api_cache_epoch epoch = api_cache_epoch(c, "m");

	put(c, "m/model.json", 0, &epoch);
	put(c, "m@1/model.json", 0, NULL);
	ck_assert(has(c, "m/model.json"));
	api_cache_touch(c, "m");
	ck_assert(!has(c, "m/model.json"));
	ck_assert(has(c, "m@1/model.json"));
	api_cache_free(c);
}
END_TEST

START_TEST(what_was_resolved_before_a_change_is_never_served_after)
{
	struct api_cache *c = make_cache(100, 1000);
	struct api_cache_epoch epoch = api_cache_epoch(c, "m"); /* a reader resolves ... */

	api_cache_touch(c, "m");           /* ... a publish commits ... */
	put(c, "m/model.json", 0, &epoch); /* ... and the reader comes late */
	ck_assert(!has(c, "m/model.json"));
	api_cache_free(c);
}
END_TEST

START_TEST(a_deletion_hides_and_lets_go_of_everything_of_the_model)
{
	struct api_cache *c = make_cache(100, 1000);
	struct api_cache_epoch epoch = api_cache_epoch(c, "m");
	struct entity *late = make_entity();

	put(c, "m/model.json", 0, &epoch);
	put(c, "m@1/model.json", 0, NULL);
	put(c, "m@2/w.bin", 0, NULL);
	put(c, "mm@1/model.json", 0, NULL);
	api_cache_forget(c, "m");
	ck_assert_int_eq(released, 3);
	ck_assert(!has(c, "m/model.json"));
	ck_assert(!has(c, "m@1/model.json"));
	ck_assert(has(c, "mm@1/model.json"));
	api_cache_put(c, str_of("m@1/model.json"), late, 0, &epoch,
		API_CACHE_PINNED); /* resolved before */
	ck_assert(!has(c, "m@1/model.json"));
	entity_unref(late);
	api_cache_free(c);
}
END_TEST

START_TEST(clearing_hides_and_lets_go_of_everything)
{
	struct api_cache *c = make_cache(100, 1000);
	struct api_cache_epoch epoch = api_cache_epoch(c, "m");
	struct entity *late = make_entity();

	put(c, "m@1/model.json", 0, NULL);
	put(c, "n@1/model.json", 0, NULL);
	api_cache_clear(c);
	ck_assert_int_eq(released, 2);
	ck_assert(!has(c, "n@1/model.json"));
	api_cache_put(c, str_of("m@1/model.json"), late, 0, &epoch,
		API_CACHE_PINNED); /* resolved before */
	ck_assert(!has(c, "m@1/model.json"));
	put(c, "m@1/model.json", 0, NULL);
	ck_assert(has(c, "m@1/model.json"));
	entity_unref(late);
	api_cache_free(c);
}
END_TEST

START_TEST(entries_and_bytes_stay_bounded)
{
	struct api_cache *c = make_cache(64, 1600);
	char key[32];
	size_t kept = 0;

	for (int i = 0; i < 10000; i++) {
		snprintf(key, sizeof(key), "m@%d/w", i + 1);
		put(c, key, i % 2 ? 40 : 0, NULL);
	}
	for (int i = 0; i < 10000; i++) {
		snprintf(key, sizeof(key), "m@%d/w", i + 1);
		kept += has(c, key);
	}
	ck_assert_uint_eq(kept, 64);
	put(c, "m@1/large", 1601, NULL);
	ck_assert(!has(c, "m@1/large"));
	put(c, "m@1/large", 1600, NULL); /* the only one that owns bytes then */
	ck_assert(has(c, "m@1/large"));
	put(c, "m@1/small", 1, NULL);
	ck_assert(!has(c, "m@1/large"));
	api_cache_free(c);
	ck_assert_int_eq(released, 10003);
}
END_TEST

START_TEST(what_was_not_used_goes_first)
{
	struct api_cache *c = make_cache(3, 1000);

	put(c, "m@1/a", 0, NULL);
	put(c, "m@1/b", 0, NULL);
	put(c, "m@1/c", 0, NULL);
	ck_assert(has(c, "m@1/a"));
	put(c, "m@1/d", 0, NULL);
	put(c, "m@1/e", 0, NULL);
	ck_assert(has(c, "m@1/a"));
	ck_assert(!has(c, "m@1/b"));
	ck_assert(!has(c, "m@1/c"));
	api_cache_free(c);
}
END_TEST

START_TEST(an_entity_outlives_its_entry)
{
	struct api_cache *c = make_cache(100, 1000);
	struct api_cache_entry *x;
	struct entity *held;

	put(c, "m@1/w", 0, NULL);
	x = api_cache_find(c, str_of("m@1/w"));
	held = entity_ref(api_cache_entity(x));
	api_cache_release(x);
	api_cache_free(c);
	ck_assert_int_eq(released, 0);
	entity_unref(held);
	ck_assert_int_eq(released, 1);
}
END_TEST

/* ---- api_near ---- */

static bool is_near(struct api_near *n, const char *key)
{
	return api_near_find(n, 0, str_of(key)) != NULL;
}

static struct api_near *make_near(struct api_cache *c)
{
	struct api_near *n;
	struct err e;

	ck_ok(api_near_new(c, 2, &n, &e));
	return n;
}

START_TEST(a_loop_finds_what_the_cache_has_and_nothing_else)
{
	struct api_cache *c = make_cache(5000, 1000);
	struct api_near *n = make_near(c);
	char key[32];

	for (int round = 0; round < 2; round++)
		for (int i = 0; i < 3000; i++) { /* more than a loop keeps */
			snprintf(key, sizeof(key), "m@%d/w", i + 1);
			if (round == 0)
				put(c, key, 0, NULL);
			ck_assert(is_near(n, key));
			ck_assert(is_near(n, key));
		}
	ck_assert(!is_near(n, "m@3001/w"));
	ck_assert(!is_near(n, ""));
	api_near_free(n);
	api_cache_free(c);
	ck_assert_int_eq(released, 3000);
}
END_TEST

START_TEST(a_loop_sees_a_change_at_once)
{
	struct api_cache *c = make_cache(100, 1000);
	struct api_near *n = make_near(c);
	struct api_cache_epoch epoch = api_cache_epoch(c, "m");

	put(c, "m/model.json", 0, &epoch);
	put(c, "m@1/model.json", 0, NULL);
	ck_assert(is_near(n, "m/model.json"));
	ck_assert(is_near(n, "m@1/model.json"));
	api_cache_touch(c, "m");
	ck_assert(!is_near(n, "m/model.json"));
	ck_assert(is_near(n, "m@1/model.json"));
	api_cache_forget(c, "m");
	ck_assert(!is_near(n, "m@1/model.json"));
	api_near_free(n);
	api_cache_free(c);
}
END_TEST

START_TEST(a_loop_lets_go_when_it_tidies)
{
	struct api_cache *c = make_cache(100, 1000);
	struct api_near *n = make_near(c);

	put(c, "m@1/a", 0, NULL);
	put(c, "n@1/a", 0, NULL);
	ck_assert(is_near(n, "m@1/a"));
	ck_assert(is_near(n, "n@1/a"));
	api_cache_forget(c, "m");
	api_near_tidy(n, 1);
	ck_assert_int_eq(released, 0);
	api_near_tidy(n, 0);
	ck_assert_int_eq(released, 1);
	ck_assert(is_near(n, "n@1/a"));
	api_near_free(n);
	api_cache_free(c);
}
END_TEST

START_TEST(what_a_loop_serves_counts_as_used)
{
	struct api_cache *c = make_cache(3, 1000);
	struct api_near *n = make_near(c);
	char key[32];

	put(c, "m@1/hot", 0, NULL);
	for (int i = 0; i < 20; i++) {
		ck_assert(is_near(n, "m@1/hot"));
		snprintf(key, sizeof(key), "m@1/%d", i);
		put(c, key, 0, NULL);
	}
	ck_assert(has(c, "m@1/hot"));
	api_near_free(n);
	api_cache_free(c);
}
END_TEST

static Suite *suite(void)
{
	Suite *s = suite_create("api_cache");
	TCase *t = tcase_create("api_cache");

	tcase_add_test(t, what_was_put_is_found_under_its_key_alone);
	tcase_add_test(t, a_change_hides_mutable_entries_and_leaves_pinned_ones);
	tcase_add_test(t, what_was_resolved_before_a_change_is_never_served_after);
	tcase_add_test(t, a_deletion_hides_and_lets_go_of_everything_of_the_model);
	tcase_add_test(t, clearing_hides_and_lets_go_of_everything);
	tcase_add_test(t, entries_and_bytes_stay_bounded);
	tcase_add_test(t, what_was_not_used_goes_first);
	tcase_add_test(t, an_entity_outlives_its_entry);
	tcase_add_test(t, a_loop_finds_what_the_cache_has_and_nothing_else);
	tcase_add_test(t, a_loop_sees_a_change_at_once);
	tcase_add_test(t, a_loop_lets_go_when_it_tidies);
	tcase_add_test(t, what_a_loop_serves_counts_as_used);
	suite_add_tcase(s, t);
	return s;
}

UNIT_MAIN
