/* SPDX-License-Identifier: Apache-2.0 */
/* Labels, deletion and collection in the registry: interleaved with publishes and reads, and with
 * every call that they make failing once. */
#include "common/registry/registry_internal.h"
#include "common/store/blobs_fs.h"
#include "common/store/catalog_sqlite.h"
#include "tests/unit/fault.h"
#include "tests/unit/unit.h"
#include "tests/unit/unit_dir.h"
#include "tests/unit/unit_upload.h"

#define CALLS_MAX 100

static struct registry *registry;

static void open_registry(void)
{
	struct registry_options o;
	struct blobs *blobs;
	struct catalog *catalog;
	struct err e;

	unit_dir_make();
	o = unit_upload_options();
	ck_ok(blobs_fs_open(unit_dir_path, &blobs, &e));
	ck_ok(catalog_sqlite_open(unit_dir_path, &catalog, &e));
	fault_arm(FAULT_ONCE, 0);
	ck_ok(registry_open_on(&o, blobs_fault(blobs), catalog_fault(catalog), &registry, &e));
}

static void close_registry(void)
{
	registry_close(registry);
	unit_dir_remove();
}

static const struct registry_collect at_once = {.grace_ms = 0};

static struct registry_collected collected(const struct registry_collect *how)
{
	struct registry_collected done;
	struct err e;

	ck_ok(registry_collect(registry, how, &done, &e));
	return done;
}

static uint64_t published(const char *name, const char *weights)
{
	struct published p;
	struct err e;

	ck_ok(unit_upload_model(registry, name, weights, &p, &e));
	return p.version;
}

static struct catalog_version *resolved(const char *text)
{
	struct catalog_version *v = NULL;
	struct ref ref;
	struct err e;

	ck_ok(ref_parse(str_of(text), &ref, &e));
	ck_ok(registry_resolve(registry, &ref, &v, &e));
	return v;
}

static void check_whole(const char *ref, const char *weights)
{
	CLEANUP(catalog_version_free_p) struct catalog_version *v = resolved(ref);
	CLEANUP(blob_unref_p) struct blob *json = NULL;
	CLEANUP(blob_unref_p) struct blob *bytes = NULL;
	const struct catalog_version_file *file;
	struct err e;

	ck_ok(registry_open_file(registry, v, "model.json", &file, &json, &e));
	ck_assert_uint_eq(blob_size(json), strlen(UNIT_MODEL_JSON));
	ck_ok(registry_open_file(registry, v, "model.weights.bin", &file, &bytes, &e));
	ck_assert_int_eq(memcmp(blob_data(bytes), weights, 8), 0);
}

static void deleted(const char *name)
{
	struct err e;

	ck_ok(registry_delete_model(registry, name, "", &e));
}

/* ---- labels ---- */

static int move(const char *label, uint64_t version, struct err *e)
{
	const struct catalog_label_move m = {
		.model = "m", .label = label, .version = version, .who = "me"};
	struct catalog_label now;
	bool created;

	return registry_move_label(registry, &m, &now, &created, e);
}

START_TEST(a_ref_with_a_label_is_the_version_that_it_names)
{
	struct err e;

	published("m", "11111111");
	published("m", "22222222");
	ck_ok(move("stable", 1, &e));
	check_whole("m@stable", "11111111");
	ck_ok(move("stable", 2, &e));
	check_whole("m@stable", "22222222");
	ck_err(move("latest", 1, &e), ERR_BAD_NAME);
	ck_err(move("Stable", 1, &e), ERR_BAD_NAME);
}
END_TEST

START_TEST(an_upload_takes_its_label_along)
{
	const struct unit_part parts[] = {
		UNIT_PART("model.json", "model.json", UNIT_MODEL_JSON),
		UNIT_PART("model.weights.bin", "model.weights.bin", "12345678"),
	};
	CLEANUP(upload_free_p) struct upload *u = NULL;
	CLEANUP_FINDINGS struct findings f;
	struct published p;
	struct err e;

	findings_init(&f);
	ck_ok(upload_new(registry, "m", &u, &e));
	ck_err(upload_set_label(u, STR_LIT("latest"), "", &e), ERR_BAD_NAME);
	ck_ok(upload_set_label(u, STR_LIT("stable"), "me", &e));
	for (size_t i = 0; i < ARRAY_SIZE(parts); i++) {
		ck_ok(upload_file_begin(u, str_of(parts[i].part_name), str_of(parts[i].filename),
			&e));
		ck_ok(upload_file_write(u, parts[i].bytes, parts[i].n, &e));
		ck_ok(upload_file_end(u, &e));
	}
	ck_ok(upload_publish(u, &p, &f, &e));
	check_whole("m@stable", "12345678");
}
END_TEST

/* ---- collection, interleaved ---- */

START_TEST(a_collection_takes_what_nobody_holds)
{
	static const struct registry_collect dry = {.dry_run = true};
	struct registry_collected done;

	published("m", "11111111");
	published("n", "22222222");
	deleted("m");
	done = collected(&dry);
	ck_assert_uint_eq(done.blobs, 1);
	ck_assert_uint_eq(done.bytes, 8);
	ck_assert_uint_eq(unit_dir_count("blobs"), 3);
	done = collected(&at_once);
	ck_assert_uint_eq(done.blobs, 1);
	ck_assert_uint_eq(done.files, 1);
	ck_assert_uint_eq(unit_dir_count("blobs"), 2);
	check_whole("n@1", "22222222");
	ck_assert_uint_eq(published("m", "11111111"), 2);
	check_whole("m@2", "11111111");
}
END_TEST

START_TEST(a_collection_that_is_told_to_stop_does)
{
	atomic_bool stop = true;
	const struct registry_collect how = {.grace_ms = 0, .stop = &stop};

	published("m", "11111111");
	deleted("m");
	ck_assert_uint_eq(collected(&how).blobs, 0);
	ck_assert_uint_eq(unit_dir_count("blobs"), 2);
}
END_TEST

static void collect_at_once(void)
{
	collected(&at_once);
}

START_TEST(a_publish_goes_on_when_its_blobs_are_taken_before_the_commit)
{
	published("m", "11111111");
	deleted("m");
	fault.before_publish = collect_at_once;
	ck_assert_uint_eq(published("n", "11111111"), 1);
	ck_assert_ptr_null((void *)(uintptr_t)fault.before_publish);
	collected(&at_once);
	check_whole("n@1", "11111111");
	ck_assert_uint_eq(unit_dir_count("blobs"), 2);
}
END_TEST

START_TEST(a_publish_goes_on_when_its_blobs_are_taken_before_it_looks_for_them)
{
	published("m", "11111111");
	deleted("m");
	fault.before_open = collect_at_once;
	ck_assert_uint_eq(published("n", "11111111"), 1);
	ck_assert_ptr_null((void *)(uintptr_t)fault.before_open);
	collected(&at_once);
	check_whole("n@1", "11111111");
	ck_assert_uint_eq(unit_dir_count("blobs"), 2);
}
END_TEST

/* And in between somebody else has published the same. */
static void collect_and_publish(void)
{
	collected(&at_once);
	published("other", "11111111");
}

START_TEST(a_publish_goes_on_when_its_blobs_are_taken_and_come_back)
{
	published("m", "11111111");
	deleted("m");
	fault.before_publish = collect_and_publish;
	ck_assert_uint_eq(published("n", "11111111"), 1);
	deleted("other");
	collected(&at_once);
	check_whole("n@1", "11111111");
	ck_assert_uint_eq(unit_dir_count("blobs"), 2);
}
END_TEST

START_TEST(what_a_publish_in_flight_linked_is_not_taken)
{
	fault.before_publish = collect_at_once;
	ck_assert_uint_eq(published("m", "11111111"), 1);
	check_whole("m@1", "11111111");
}
END_TEST

START_TEST(a_reader_that_comes_late_is_told_of_the_deletion)
{
	CLEANUP(catalog_version_free_p) struct catalog_version *v = NULL;
	CLEANUP(blob_unref_p) struct blob *b = NULL;
	const struct catalog_version_file *file;
	struct err e;

	published("m", "11111111");
	v = resolved("m");
	deleted("m");
	collected(&at_once);
	ck_err(registry_open_file(registry, v, "model.json", &file, &b, &e), ERR_DELETED);
}
END_TEST

START_TEST(a_reader_that_has_opened_a_file_keeps_it)
{
	CLEANUP(catalog_version_free_p) struct catalog_version *v = NULL;
	CLEANUP(blob_unref_p) struct blob *b = NULL;
	const struct catalog_version_file *file;
	struct err e;

	published("m", "11111111");
	v = resolved("m");
	ck_ok(registry_open_file(registry, v, "model.weights.bin", &file, &b, &e));
	deleted("m");
	collected(&at_once);
	ck_assert_uint_eq(unit_dir_count("blobs"), 0);
	ck_assert_int_eq(memcmp(blob_data(b), "11111111", 8), 0);
}
END_TEST

START_TEST(a_store_in_use_can_be_collected_from_beside)
{
	struct registry_options o = unit_upload_options();
	CLEANUP(registry_close_p) struct registry *beside = NULL;
	CLEANUP(registry_close_p) struct registry *none = NULL;
	struct registry_collected done;
	struct err e;

	published("m", "11111111");
	published("n", "22222222");
	deleted("m");
	ck_ok(registry_open_beside(&o, &beside, &e));
	ck_ok(registry_collect(beside, &at_once, &done, &e));
	ck_assert_uint_eq(done.files, 1);
	check_whole("n@1", "22222222");
	o.dir = unit_dir_file("nothing");
	ck_err(registry_open_beside(&o, &none, &e), ERR_CONFIG);
}
END_TEST

/* ---- failures ---- */

static const enum fault_mode modes[] = {FAULT_ONCE, FAULT_ONCE_AFTER, FAULT_FROM_ON};

START_TEST(a_collection_that_fails_anywhere_can_be_repeated)
{
	bool clean = false;
	unsigned failures = 0;
	struct registry_collected done;
	struct err e;

	published("keep", "00000000");
	for (unsigned n = 1; !clean && n < CALLS_MAX; n++) {
		char weights[32];
		int r;

		(void)snprintf(weights, sizeof(weights), "%08u", n);
		fault_arm(FAULT_ONCE, 0);
		published("m", weights);
		deleted("m");
		fault_arm(modes[_i], n);
		r = registry_collect(registry, &at_once, &done, &e);
		clean = fault.calls < n;
		ck_assert(!clean || r == 0);
		failures += r < 0;
		fault_arm(FAULT_ONCE, 0);
		check_whole("keep@1", "00000000");
		collected(&at_once);
		ck_assert_uint_eq(unit_dir_count("blobs"), 2);
	}
	ck_assert(clean);
	ck_assert_uint_ge(failures, modes[_i] == FAULT_ONCE_AFTER ? 1 : 6);
}
END_TEST

static int drop_stable(struct err *e)
{
	return registry_drop_label(registry,
		&(struct catalog_label_move){.model = "m", .label = "stable", .who = ""}, e);
}

static int move_stable(struct err *e)
{
	return move("stable", 2, e);
}

static int delete_first(struct err *e)
{
	return registry_delete_version(registry, "m", 1, e);
}

static int delete_all(struct err *e)
{
	return registry_delete_model(registry, "m", "", e);
}

START_TEST(a_change_that_fails_changes_nothing_and_works_the_next_time)
{
	static int (*const changes[])(struct err *) = {move_stable, delete_first, drop_stable,
		delete_all};
	struct err e;

	published("m", "11111111");
	published("m", "22222222");
	ck_ok(move("stable", 1, &e));
	for (size_t i = 0; i < ARRAY_SIZE(changes); i++) {
		CLEANUP(catalog_version_free_p) struct catalog_version *before = NULL;
		CLEANUP(catalog_version_free_p) struct catalog_version *after = NULL;

		before = resolved(i < 3 ? "m@stable" : "m");
		fault_arm(FAULT_ONCE, 1);
		ck_err(changes[i](&e), ERR_IO_FAILED);
		fault_arm(FAULT_ONCE, 0);
		after = resolved(i < 3 ? "m@stable" : "m");
		ck_assert_uint_eq(before->version, after->version);
		ck_ok(changes[i](&e));
	}
}
END_TEST

static Suite *suite(void)
{
	Suite *s = suite_create("registry life");
	TCase *t = tcase_create("registry life");

	tcase_add_checked_fixture(t, open_registry, close_registry);
	tcase_set_timeout(t, 120);
	tcase_add_test(t, a_ref_with_a_label_is_the_version_that_it_names);
	tcase_add_test(t, an_upload_takes_its_label_along);
	tcase_add_test(t, a_collection_takes_what_nobody_holds);
	tcase_add_test(t, a_collection_that_is_told_to_stop_does);
	tcase_add_test(t, a_publish_goes_on_when_its_blobs_are_taken_before_the_commit);
	tcase_add_test(t, a_publish_goes_on_when_its_blobs_are_taken_before_it_looks_for_them);
	tcase_add_test(t, a_publish_goes_on_when_its_blobs_are_taken_and_come_back);
	tcase_add_test(t, what_a_publish_in_flight_linked_is_not_taken);
	tcase_add_test(t, a_reader_that_comes_late_is_told_of_the_deletion);
	tcase_add_test(t, a_reader_that_has_opened_a_file_keeps_it);
	tcase_add_test(t, a_store_in_use_can_be_collected_from_beside);
	tcase_add_loop_test(t, a_collection_that_fails_anywhere_can_be_repeated, 0,
		ARRAY_SIZE(modes));
	tcase_add_test(t, a_change_that_fails_changes_nothing_and_works_the_next_time);
	suite_add_tcase(s, t);
	return s;
}

UNIT_MAIN
