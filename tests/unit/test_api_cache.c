/* SPDX-License-Identifier: Apache-2.0 */
#include "server/api/api_cache.h"
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
		.bytes = "x",
		.size = 1,
		.release = count_release,
		.content_type = "text/plain",
		.etag = "\"x\"",
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
	struct api_cache_epoch now = api_cache_epoch(c, "m");
	struct entity *entity = make_entity();

	api_cache_put(c, key, entity, bytes, epoch ? epoch : &now, !epoch);
	entity_unref(entity);
}

static bool has(struct api_cache *c, const char *model, const char *key)
{
	struct entity *entity = api_cache_get(c, model, key);

	entity_unref(entity);
	return entity != NULL;
}

START_TEST(what_was_put_is_found_under_its_key_alone)
{
	struct api_cache *c = make_cache(100, 1000);

	put(c, "m@1/model.json", 0, NULL);
	ck_assert(has(c, "m", "m@1/model.json"));
	ck_assert(!has(c, "m", "m@2/model.json"));
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
	ck_assert(has(c, "m", "m/model.json"));
	api_cache_touch(c, "m");
	ck_assert(!has(c, "m", "m/model.json"));
	ck_assert(has(c, "m", "m@1/model.json"));
	api_cache_free(c);
}
END_TEST

START_TEST(what_was_resolved_before_a_change_is_never_served_after)
{
	struct api_cache *c = make_cache(100, 1000);
	struct api_cache_epoch epoch = api_cache_epoch(c, "m"); /* a reader resolves ... */

	api_cache_touch(c, "m");           /* ... a publish commits ... */
	put(c, "m/model.json", 0, &epoch); /* ... and the reader comes late */
	ck_assert(!has(c, "m", "m/model.json"));
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
	ck_assert(!has(c, "m", "m/model.json"));
	ck_assert(!has(c, "m", "m@1/model.json"));
	ck_assert(has(c, "mm", "mm@1/model.json"));
	api_cache_put(c, "m@1/model.json", late, 0, &epoch, true); /* resolved before */
	ck_assert(!has(c, "m", "m@1/model.json"));
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
	ck_assert(!has(c, "n", "n@1/model.json"));
	api_cache_put(c, "m@1/model.json", late, 0, &epoch, true); /* resolved before */
	ck_assert(!has(c, "m", "m@1/model.json"));
	put(c, "m@1/model.json", 0, NULL);
	ck_assert(has(c, "m", "m@1/model.json"));
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
		put(c, key, 40, NULL);
	}
	for (int i = 0; i < 10000; i++) {
		snprintf(key, sizeof(key), "m@%d/w", i + 1);
		kept += has(c, "m", key);
	}
	ck_assert_uint_gt(kept, 0);
	ck_assert_uint_le(kept, 1600 / 40);
	put(c, "m@1/large", 101, NULL); /* more than a shard may own */
	ck_assert(!has(c, "m", "m@1/large"));
	api_cache_free(c);
	ck_assert_int_eq(released, 10001);
}
END_TEST

START_TEST(an_entity_outlives_its_entry)
{
	struct api_cache *c = make_cache(100, 1000);
	struct entity *held;

	put(c, "m@1/w", 0, NULL);
	held = api_cache_get(c, "m", "m@1/w");
	api_cache_free(c);
	ck_assert_int_eq(released, 0);
	entity_unref(held);
	ck_assert_int_eq(released, 1);
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
	tcase_add_test(t, an_entity_outlives_its_entry);
	suite_add_tcase(s, t);
	return s;
}

UNIT_MAIN
