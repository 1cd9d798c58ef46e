/* SPDX-License-Identifier: Apache-2.0 */
/* Scrubbing with a clock that the test moves, and what becomes of a file that is damaged. */
#include "common/registry/registry_scrub.h"
#include "common/registry/registry_internal.h"
#include "common/registry/staging.h"
#include "common/store/blobs_fs.h"
#include "common/store/catalog_sqlite.h"
#include "tests/unit/fault.h"
#include "tests/unit/unit.h"
#include "tests/unit/unit_dir.h"
#include "tests/unit/unit_upload.h"

#include <sys/stat.h>

#define WEIGHTS   "model.weights.bin"
#define CALLS_MAX 100

static struct registry *registry;
static uint64_t clock_at_ms;
static unsigned waits;
static unsigned stop_after; /* waits; 0: never */
static unsigned told[REGISTRY_SCRUB_SOUND + 1];
static char told_text[1024];

static void open_registry(void)
{
	struct registry_options o = unit_upload_options();
	struct blobs *blobs;
	struct catalog *catalog;
	struct err e;

	o.upload_age_ms = 3600000;
	o.max_uploads = 10;
	o.max_upload_bytes = 1 << 20;
	ck_ok(blobs_fs_open(unit_dir_path, &blobs, &e));
	ck_ok(catalog_sqlite_open(unit_dir_path, &catalog, &e));
	fault_arm(FAULT_ONCE, 0);
	ck_ok(registry_open_on(&o, blobs_fault(blobs), catalog_fault(catalog), &registry, &e));
}

static void open_store(void)
{
	unit_dir_make();
	clock_at_ms = 1000000;
	stop_after = 0;
	open_registry();
}

static void close_store(void)
{
	registry_close(registry);
	unit_dir_remove();
}

static void reopen(void)
{
	registry_close(registry);
	open_registry();
}

static uint64_t test_clock_ms(void)
{
	return clock_at_ms;
}

static bool test_wait(void *cls, uint64_t ms)
{
	(void)cls;
	clock_at_ms += ms;
	return ++waits == stop_after;
}

static int test_tell(void *cls, enum registry_scrub_news news, const char *text, struct err *e)
{
	(void)cls;
	(void)e;
	told[news]++;
	(void)snprintf(told_text, sizeof(told_text), "%s", text);
	return 0;
}

static int scrub(uint64_t rate, bool go_on, struct registry_scrub_result *ret, struct err *e)
{
	const struct registry_scrub how = {
		.rate = rate,
		.go_on = go_on,
		.wait = test_wait,
		.clock_ms = test_clock_ms,
		.tell = test_tell,
	};

	waits = 0;
	memset(told, 0, sizeof(told));
	return registry_scrub(registry, &how, ret, e);
}

static struct registry_scrub_result scrubbed(void)
{
	struct registry_scrub_result done;
	struct err e;

	ck_ok(scrub(0, false, &done, &e));
	ck_assert(done.whole);
	return done;
}

static uint64_t published(const char *name, const char *weights)
{
	struct published p;
	struct err e;

	ck_ok(unit_upload_model(registry, name, weights, &p, &e));
	return p.version;
}

static struct registry_state state(void)
{
	struct registry_state s;
	struct err e;

	ck_ok(registry_state(registry, &s, &e));
	return s;
}

/* ---- files that are damaged ---- */

static struct catalog_version *newest(const char *name)
{
	struct catalog_version *v = NULL;
	struct err e;

	ck_ok(catalog_version(registry_catalog(registry), name, 0, &v, &e));
	return v;
}

static const char *weights_file(const char *name)
{
	CLEANUP(catalog_version_free_p) struct catalog_version *v = newest(name);
	char key[BLOB_KEY_TEXT], path[128];

	ck_assert_str_eq(v->files[1].path, WEIGHTS);
	(void)blob_key_text(&v->files[1].key, key);
	(void)snprintf(path, sizeof(path), "blobs/%.2s/%.2s/%s", key, key + 2, key);
	return unit_dir_file(path);
}

static void turn_a_bit(const char *path)
{
	FILE *f;
	int byte;

	ck_assert_int_eq(chmod(path, 0600), 0);
	f = fopen(path, "r+");
	ck_assert_ptr_nonnull(f);
	byte = fgetc(f);
	ck_assert_int_eq(fseek(f, 0, SEEK_SET), 0);
	ck_assert_int_ne(fputc(byte ^ 1, f), EOF);
	ck_assert_int_eq(fclose(f), 0);
}

static int read_weights(const char *name, struct err *e)
{
	CLEANUP(catalog_version_free_p) struct catalog_version *v = newest(name);
	CLEANUP(blob_unref_p) struct blob *b = NULL;
	const struct catalog_version_file *file;

	return registry_open_file(registry, v, WEIGHTS, &file, &b, e);
}

static void check_reads(const char *name, const char *weights)
{
	CLEANUP(catalog_version_free_p) struct catalog_version *v = newest(name);
	CLEANUP(blob_unref_p) struct blob *b = NULL;
	const struct catalog_version_file *file;
	struct err e;

	ck_ok(registry_open_file(registry, v, WEIGHTS, &file, &b, &e));
	ck_assert_uint_eq(blob_size(b), 8);
	ck_assert_int_eq(memcmp(blob_data(b), weights, 8), 0);
}

/* ---- tests ---- */

START_TEST(a_sound_store_is_read_whole)
{
	struct registry_scrub_result done;

	ck_assert_uint_eq(state().scrubbed_ms, 0);
	(void)published("m", "12345678");
	(void)published("n", "87654321");
	done = scrubbed();
	ck_assert_uint_eq(done.blobs, 3);
	ck_assert_uint_eq(done.bytes, strlen(UNIT_MODEL_JSON) + 16);
	ck_assert_uint_eq(done.damaged, 0);
	ck_assert_uint_gt(state().scrubbed_ms, 0);
}
END_TEST

START_TEST(an_empty_store_is_a_whole_pass)
{
	ck_assert_uint_eq(scrubbed().blobs, 0);
	ck_assert_uint_gt(state().scrubbed_ms, 0);
}
END_TEST

/* Three files of less than a block each. */
START_TEST(the_rate_is_kept)
{
	struct registry_scrub_result done;
	uint64_t start_ms = clock_at_ms;
	struct err e;

	(void)published("m", "12345678");
	(void)published("n", "87654321");
	ck_ok(scrub(4096, false, &done, &e));
	ck_assert_uint_eq(clock_at_ms - start_ms, 3000 - 100); /* the burst */
}
END_TEST

START_TEST(damage_is_told_once_and_stays_known)
{
	struct registry_scrub_result done;
	struct err e;

	(void)published("m", "12345678");
	turn_a_bit(weights_file("m"));
	check_reads("m", "02345678"); /* 500 only once it is known */
	ck_assert_uint_eq(scrubbed().damaged, 1);
	ck_assert_uint_eq(told[REGISTRY_SCRUB_DAMAGED], 1);
	ck_assert_ptr_nonnull(strstr(told_text, "has other bytes"));
	ck_assert_ptr_nonnull(strstr(told_text, "it is m@1/" WEIGHTS));
	ck_err(read_weights("m", &e), ERR_CORRUPT);
	reopen();
	ck_err(read_weights("m", &e), ERR_CORRUPT);
	ck_assert_uint_eq(state().damaged, 1);
	done = scrubbed();
	ck_assert_uint_eq(done.damaged, 1);
	ck_assert_uint_eq(told[REGISTRY_SCRUB_DAMAGED], 0);
	ck_assert_uint_eq(told[REGISTRY_SCRUB_STILL_DAMAGED], 1);
	ck_assert_uint_eq(state().damage_found, 1);
}
END_TEST

START_TEST(a_missing_file_is_damage)
{
	(void)published("m", "12345678");
	ck_assert_int_eq(unlink(weights_file("m")), 0);
	ck_assert_uint_eq(scrubbed().damaged, 1);
	ck_assert_ptr_nonnull(strstr(told_text, "is missing; it is m@1/" WEIGHTS));
}
END_TEST

START_TEST(a_file_that_is_sound_again_is_forgotten)
{
	(void)published("m", "12345678");
	turn_a_bit(weights_file("m"));
	(void)scrubbed();
	turn_a_bit(weights_file("m"));
	ck_assert_uint_eq(scrubbed().damaged, 0);
	ck_assert_uint_eq(told[REGISTRY_SCRUB_SOUND], 1);
	ck_assert_uint_eq(state().damaged, 0);
	check_reads("m", "12345678");
}
END_TEST

START_TEST(damage_ends_with_the_file)
{
	const struct registry_collect all = {.grace_ms = 0};
	struct registry_collected done;
	struct err e;

	(void)published("m", "12345678");
	turn_a_bit(weights_file("m"));
	(void)scrubbed();
	ck_ok(registry_delete_model(registry, "m", "", &e));
	ck_ok(registry_collect(registry, &all, &done, &e));
	ck_assert_uint_eq(state().damaged, 0);
	(void)published("m", "12345678");
	check_reads("m", "12345678");
}
END_TEST

/* One of two versions that share the damaged file is published again, or another one. */
START_TEST(a_publish_of_the_same_bytes_heals_every_version)
{
	const struct registry_collect all = {.grace_ms = 0};
	struct registry_collected done;
	struct err e;
	const char *name = _i == 0 ? "m" : "other";

	ck_assert_uint_eq(published("m", "12345678"), 1);
	ck_assert_uint_eq(published("n", "12345678"), 1);
	turn_a_bit(weights_file("m"));
	(void)scrubbed();
	ck_err(read_weights("n", &e), ERR_CORRUPT);
	ck_assert_uint_eq(published(name, "12345678"), 1);
	check_reads(name, "12345678");
	check_reads("m", "12345678");
	check_reads("n", "12345678");
	ck_assert_uint_eq(state().damaged, 0);
	ck_ok(registry_collect(registry, &all, &done, &e));
	ck_assert_uint_eq(unit_dir_count("blobs"), 2);
	ck_assert_uint_eq(scrubbed().damaged, 0);
}
END_TEST

static int put(const char *id, const char *path, const char *bytes, size_t n, struct err *e)
{
	const struct staging_write how = {.id = id, .path = str_of(path), .complete = true};
	CLEANUP(staging_writer_free_p) struct staging_writer *w = NULL;
	struct staging_file file;
	uint64_t offset;
	int r = staging_write_begin(registry, &how, &w, &offset, e);

	if (r == 0)
		r = staging_write(w, bytes, n, e);
	return r < 0 ? r : staging_write_end(w, &file, e);
}

START_TEST(an_upload_with_a_damaged_file_is_healed_by_sending_it_again)
{
	CLEANUP(upload_free_p) struct upload *u = NULL;
	char id[CATALOG_UPLOAD_ID + 1];
	struct err e;

	(void)published("m", "12345678");
	ck_ok(staging_create(registry, "n", id, &e));
	ck_ok(put(id, "model.json", UNIT_MODEL_JSON, strlen(UNIT_MODEL_JSON), &e));
	ck_ok(put(id, WEIGHTS, "12345678", 8, &e));
	turn_a_bit(weights_file("m"));
	ck_assert_uint_eq(scrubbed().damaged, 1);
	ck_err(staging_publish(registry, id, &u, &e), ERR_CORRUPT);
	ck_ok(put(id, WEIGHTS, "12345678", 8, &e));
	ck_ok(staging_publish(registry, id, &u, &e));
	check_reads("m", "12345678");
}
END_TEST

START_TEST(it_goes_on_where_it_stopped)
{
	struct registry_scrub_result first, second;
	uint64_t due;
	struct err e;

	(void)published("m", "12345678");
	(void)published("n", "87654321");
	stop_after = 3; /* before the first, after its only piece, before the second */
	ck_ok(scrub(0, true, &first, &e));
	ck_assert(!first.whole);
	ck_assert_uint_eq(first.blobs, 1);
	reopen();
	ck_ok(registry_scrub_due(registry, 1000000, &due, &e));
	ck_assert_uint_eq(due, 0);
	ck_assert_uint_eq(state().scrubbed_ms, 0);
	stop_after = 0;
	ck_ok(scrub(0, true, &second, &e));
	ck_assert(second.whole);
	ck_assert_uint_eq(second.blobs, 2);
	ck_ok(registry_scrub_due(registry, 1000000, &due, &e));
	ck_assert_uint_gt(due, 0);
	ck_assert_uint_le(due, 1000000);
}
END_TEST

START_TEST(a_position_that_cannot_be_read_is_kept)
{
	struct registry_scrub_result done;
	struct err e;

	(void)published("m", "12345678");
	(void)published("n", "87654321");
	stop_after = 3;
	ck_ok(scrub(0, true, &done, &e));
	ck_assert_uint_eq(done.blobs, 1);
	stop_after = 0;
	fault_arm(FAULT_ONCE, 1);
	ck_err(scrub(0, true, &done, &e), ERR_IO_FAILED);
	ck_assert(fault.fired);
	fault_arm(FAULT_ONCE, 0);
	ck_ok(scrub(0, true, &done, &e));
	ck_assert_uint_eq(done.blobs, 2);
}
END_TEST

START_TEST(it_stops_within_a_file_and_reads_that_again)
{
	struct registry_scrub_result done;
	struct err e;

	(void)published("m", "12345678");
	stop_after = 2;
	ck_ok(scrub(0, true, &done, &e));
	ck_assert_uint_eq(done.blobs, 0);
	stop_after = 0;
	ck_ok(scrub(0, true, &done, &e));
	ck_assert_uint_eq(done.blobs, 2);
}
END_TEST

START_TEST(a_pass_of_its_own_leaves_the_position_alone)
{
	struct registry_scrub_result done;
	struct err e;

	(void)published("m", "12345678");
	(void)published("n", "87654321");
	stop_after = 3;
	ck_ok(scrub(0, true, &done, &e));
	stop_after = 0;
	ck_assert_uint_eq(scrubbed().blobs, 3);
	ck_ok(scrub(0, true, &done, &e));
	ck_assert_uint_eq(done.blobs, 2);
}
END_TEST

static void collect_all(void)
{
	const struct registry_collect all = {.grace_ms = 0};
	struct registry_collected done;
	struct err e;

	ck_ok(registry_delete_model(registry, "m", "", &e));
	ck_ok(registry_collect(registry, &all, &done, &e));
}

static bool collect_meanwhile(void *cls, uint64_t ms)
{
	(void)cls;
	(void)ms;
	if (waits++ == 0)
		collect_all();
	return false;
}

START_TEST(what_is_collected_meanwhile_is_not_damage)
{
	const struct registry_scrub how = {.wait = collect_meanwhile, .tell = test_tell};
	struct registry_scrub_result done;
	struct err e;

	(void)published("m", "12345678");
	waits = 0;
	memset(told, 0, sizeof(told));
	ck_ok(registry_scrub(registry, &how, &done, &e));
	ck_assert_uint_eq(done.blobs, 2);
	ck_assert_uint_eq(done.damaged, 0);
	ck_assert_uint_eq(unit_dir_count("blobs"), 0);
	ck_assert_uint_eq(told[REGISTRY_SCRUB_DAMAGED], 0);
}
END_TEST

/* A store that fails to answer has said nothing about a file. */
START_TEST(whatever_call_fails_damage_is_found_at_last_and_only_that)
{
	struct registry_scrub_result done;
	struct err e;
	bool clean = false;
	unsigned failures = 0;

	(void)published("m", "12345678");
	turn_a_bit(weights_file("m"));
	for (unsigned n = 1; !clean && n < CALLS_MAX; n++) {
		fault_arm(FAULT_ONCE, n);
		int r = scrub(0, true, &done, &e);
		clean = fault.calls < n;
		fault_arm(FAULT_ONCE, 0);
		failures += r < 0;
		ck_assert_uint_le(state().damaged, 1);
	}
	ck_assert(clean);
	ck_assert_uint_gt(failures, 3);
	ck_assert_uint_eq(state().damaged, 1);
	ck_assert_uint_eq(state().damage_found, 1);
}
END_TEST

static Suite *suite(void)
{
	Suite *s = suite_create("registry_scrub");
	TCase *t = tcase_create("registry_scrub");

	tcase_add_checked_fixture(t, open_store, close_store);
	tcase_set_timeout(t, 120);
	tcase_add_test(t, a_sound_store_is_read_whole);
	tcase_add_test(t, an_empty_store_is_a_whole_pass);
	tcase_add_test(t, the_rate_is_kept);
	tcase_add_test(t, damage_is_told_once_and_stays_known);
	tcase_add_test(t, a_missing_file_is_damage);
	tcase_add_test(t, a_file_that_is_sound_again_is_forgotten);
	tcase_add_test(t, damage_ends_with_the_file);
	tcase_add_loop_test(t, a_publish_of_the_same_bytes_heals_every_version, 0, 2);
	tcase_add_test(t, an_upload_with_a_damaged_file_is_healed_by_sending_it_again);
	tcase_add_test(t, it_goes_on_where_it_stopped);
	tcase_add_test(t, a_position_that_cannot_be_read_is_kept);
	tcase_add_test(t, it_stops_within_a_file_and_reads_that_again);
	tcase_add_test(t, a_pass_of_its_own_leaves_the_position_alone);
	tcase_add_test(t, what_is_collected_meanwhile_is_not_damage);
	tcase_add_test(t, whatever_call_fails_damage_is_found_at_last_and_only_that);
	suite_add_tcase(s, t);
	return s;
}

UNIT_MAIN
