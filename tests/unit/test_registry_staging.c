/* SPDX-License-Identifier: Apache-2.0 */
/* Uploads that stay open: what survives what, with every call failing once. */
#include "common/registry/registry_internal.h"
#include "common/registry/registry_limits.h"
#include "common/registry/staging.h"
#include "common/store/blobs_fs.h"
#include "common/store/catalog_sqlite.h"
#include "tests/unit/archive_make.h"
#include "tests/unit/fault.h"
#include "tests/unit/unit.h"
#include "tests/unit/unit_dir.h"
#include "tests/unit/unit_upload.h"

#include <sqlite3.h>

#define CALLS_MAX 300
#define WEIGHTS   "model.weights.bin"

static struct registry *registry;

static void open_again(void)
{
	struct registry_options o = unit_upload_options();
	struct blobs *blobs;
	struct catalog *catalog;
	struct err e;

	o.upload_age_ms = 3600000;
	o.max_uploads = 2;
	o.max_upload_bytes = 3 << 20;
	ck_ok(blobs_fs_open(unit_dir_path, &blobs, &e));
	ck_ok(catalog_sqlite_open(unit_dir_path, &catalog, &e));
	fault_arm(FAULT_ONCE, 0);
	ck_ok(registry_open_on(&o, blobs_fault(blobs), catalog_fault(catalog), &registry, &e));
}

static void open_registry(void)
{
	unit_dir_make();
	open_again();
}

static void close_registry(void)
{
	registry_close(registry);
	unit_dir_remove();
}

static void restart(void)
{
	registry_close(registry);
	open_again();
}

static void raw(const char *sql)
{
	sqlite3 *db;

	ck_assert_int_eq(sqlite3_open(unit_dir_file("catalog.db"), &db), SQLITE_OK);
	sqlite3_busy_timeout(db, 5000);
	ck_assert_msg(sqlite3_exec(db, sql, NULL, NULL, NULL) == SQLITE_OK, "%s: %s", sql,
		sqlite3_errmsg(db));
	sqlite3_close(db);
}

static int begin(const char *id, const char *path, struct staging_writer **ret, struct err *e)
{
	const struct staging_write how = {.id = id, .path = str_of(path), .complete = true};
	uint64_t offset;

	return staging_write_begin(registry, &how, ret, &offset, e);
}

static int put(const char *id, const char *path, const char *bytes, size_t n, struct err *e)
{
	CLEANUP(staging_writer_free_p) struct staging_writer *w = NULL;
	struct staging_file file;
	int r = begin(id, path, &w, e);

	if (r == 0)
		r = staging_write(w, bytes, n, e);
	return r < 0 ? r : staging_write_end(w, &file, e);
}

/* `n` bytes behind the first `offset`; at 0 the file is begun. */
static int piece(const char *id, const char *path, uint64_t offset, bool complete,
	const char *bytes, size_t n, struct err *e)
{
	const struct staging_write how = {
		.id = id,
		.path = str_of(path),
		.append = offset > 0,
		.offset = offset,
		.complete = complete,
	};
	CLEANUP(staging_writer_free_p) struct staging_writer *w = NULL;
	struct staging_file file;
	uint64_t right;
	int r = staging_write_begin(registry, &how, &w, &right, e);

	if (r == 0)
		r = staging_write(w, bytes, n, e);
	return r < 0 ? r : staging_write_end(w, &file, e);
}

static int publish(const char *id, struct published *ret, struct err *e)
{
	CLEANUP(upload_free_p) struct upload *u = NULL;
	CLEANUP_FINDINGS struct findings f;
	int r = staging_publish(registry, id, &u, e);

	findings_init(&f);
	return r < 0 ? r : upload_publish(u, ret, &f, e);
}

/* A connection that is lost after these bytes. */
static int cut_short(const char *id, const char *path, const char *bytes, size_t n, struct err *e)
{
	CLEANUP(staging_writer_free_p) struct staging_writer *w = NULL;
	int r = begin(id, path, &w, e);

	return r < 0 ? r : staging_write(w, bytes, n, e);
}

/* All that an upload can live through. `id` is set once there is one. */
static int whole_life(const char *name, const char *weights, char *id, struct published *ret,
	struct err *e)
{
	struct staging_file file;
	int r = staging_create(registry, name, id, e);

	if (r == 0)
		r = put(id, "model.json", UNIT_MODEL_JSON, strlen(UNIT_MODEL_JSON), e);
	if (r == 0)
		r = cut_short(id, WEIGHTS, weights, 2, e);
	if (r == 0)
		r = staging_look(registry, id, str_of(WEIGHTS), &file, e);
	if (r == 0)
		r = piece(id, WEIGHTS, file.offset, false, weights + file.offset,
			6 - file.offset, e);
	if (r == 0)
		r = piece(id, WEIGHTS, 6, true, weights + 6, 2, e);
	return r < 0 ? r : publish(id, ret, e);
}

static void check_readable(const char *name)
{
	struct ref ref = {.kind = REF_LATEST};
	CLEANUP(catalog_version_free_p) struct catalog_version *v = NULL;
	struct err e;

	(void)snprintf(ref.name, sizeof(ref.name), "%s", name);
	ck_ok(registry_resolve(registry, &ref, &v, &e));
	ck_assert_uint_eq(v->files_n, 2);
	for (size_t i = 0; i < v->files_n; i++) {
		CLEANUP(blob_unref_p) struct blob *b = NULL;
		const struct catalog_version_file *file;
		ck_ok(registry_open_file(registry, v, v->files[i].path, &file, &b, &e));
	}
}

static int fail_at(void *cls, bool damage, const char *text, struct err *e)
{
	(void)cls;
	(void)e;
	ck_abort_msg("%d %s", damage, text);
	return 0;
}

/* Nothing is left of the uploads that were, once they are dropped. */
static void check_sound(unsigned live_blobs)
{
	const struct registry_collect all = {.grace_ms = 0};
	const struct registry_fsck how = {.tell = fail_at};
	struct registry_fsck_result result;
	struct registry_collected done;
	struct err e;

	raw("UPDATE intents SET expires = 0"); /* their hour has passed */
	ck_ok(registry_collect(registry, &all, &done, &e));
	ck_ok(registry_fsck(registry, &how, &result, &e));
	ck_assert_uint_eq(unit_dir_count("blobs"), live_blobs);
	ck_assert_uint_eq(unit_dir_count("uploads"), 0);
	ck_assert_uint_eq(unit_dir_count("tmp"), 0);
}

static void drop_if_there(const char *id)
{
	struct err e;
	int r = *id ? staging_drop(registry, id, &e) : 0;

	ck_assert_msg(r == 0 || r == -(int)ERR_UPLOAD_NOT_FOUND, "%s", e.text);
}

static const enum fault_mode modes[] = {FAULT_ONCE, FAULT_ONCE_AFTER, FAULT_FROM_ON};

START_TEST(whatever_call_fails_the_next_upload_works_and_nothing_is_left)
{
	unsigned live_blobs = 0;
	bool clean = false;
	unsigned failures = 0;
	struct published p;
	struct err e;

	for (unsigned n = 1; !clean && n < CALLS_MAX; n++) {
		char name[32], weights[32], id[CATALOG_UPLOAD_ID + 1] = "";
		int r;

		(void)snprintf(name, sizeof(name), "m%u", n);
		(void)snprintf(weights, sizeof(weights), "%08u", n);
		fault_arm(modes[_i], n);
		r = whole_life(name, weights, id, &p, &e);
		clean = fault.calls < n;
		fault_arm(FAULT_ONCE, 0);
		if (r < 0) {
			struct catalog_model m;
			failures++;
			ck_err(catalog_model(registry_catalog(registry), name, &m, &e),
				ERR_MODEL_NOT_FOUND);
			drop_if_there(id);
			check_sound(live_blobs);
			ck_ok(whole_life(name, weights, id, &p, &e));
		}
		ck_assert_uint_eq(p.version, 1);
		check_readable(name);
		ck_ok(staging_drop(registry, id, &e));
		live_blobs += live_blobs == 0 ? 2 : 1;
		check_sound(live_blobs);
	}
	ck_assert(clean);
	ck_assert_uint_ge(failures, 12);
}
END_TEST

/* What an import does with an archive that it has fetched. */
static int unpacked_life(const char *name, const struct buf *tar, char *id, struct published *ret,
	struct err *e)
{
	CLEANUP(upload_free_p) struct upload *u = NULL;
	CLEANUP_FINDINGS struct findings f;
	int r = staging_create(registry, name, id, e);

	findings_init(&f);
	if (r == 0)
		r = put(id, "archive", tar->data, tar->len, e);
	if (r == 0)
		r = staging_unpack(registry, id, STR_LIT("archive"), &u, e);
	return r < 0 ? r : upload_publish(u, ret, &f, e);
}

START_TEST(whatever_call_fails_an_archive_is_unpacked_again_and_nothing_is_left)
{
	CLEANUP_BUF struct buf tar = BUF_INIT(65536);
	bool clean = false;
	struct published p;
	struct err e;

	make_tar_text(&tar, "model.json", UNIT_MODEL_JSON);
	make_tar_text(&tar, WEIGHTS, "12345678");
	make_tar_end(&tar);
	for (unsigned n = 1; !clean && n < CALLS_MAX; n++) {
		char name[32], id[CATALOG_UPLOAD_ID + 1] = "";
		int r;

		(void)snprintf(name, sizeof(name), "m%u", n);
		fault_arm(modes[_i], n);
		r = unpacked_life(name, &tar, id, &p, &e);
		clean = fault.calls < n;
		fault_arm(FAULT_ONCE, 0);
		if (r < 0) {
			drop_if_there(id);
			check_sound(n == 1 ? 0 : 2);
			ck_ok(unpacked_life(name, &tar, id, &p, &e));
		}
		check_readable(name);
		ck_ok(staging_drop(registry, id, &e));
		check_sound(2);
	}
	ck_assert(clean);
}
END_TEST

START_TEST(whatever_call_fails_a_plan_is_made_the_next_time)
{
	CLEANUP_FINDINGS struct findings f;
	char id[CATALOG_UPLOAD_ID + 1];
	bool clean = false;
	struct err e;

	findings_init(&f);
	ck_ok(staging_create(registry, "m", id, &e));
	ck_ok(put(id, "model.json", UNIT_MODEL_JSON, strlen(UNIT_MODEL_JSON), &e));
	for (unsigned n = 1; !clean && n < CALLS_MAX; n++) {
		struct staging_plan *plan = NULL;
		struct blob *json = NULL;
		int r;

		fault_arm(modes[_i], n);
		r = staging_load(registry, id, STR_LIT("model.json"), &json, &e);
		if (r == 0)
			r = staging_plan(registry, id, &plan, &f, &e);
		clean = fault.calls < n;
		fault_arm(FAULT_ONCE, 0);
		ck_assert(r < 0 || plan);
		staging_plan_free(plan);
		blob_unref(json);
		ck_ok(staging_plan(registry, id, &plan, &f, &e));
		staging_plan_free(plan);
	}
	ck_assert(clean);
}
END_TEST

START_TEST(a_publish_that_only_looked_failed_is_the_one_that_is_repeated)
{
	char id[CATALOG_UPLOAD_ID + 1];
	struct published p;
	struct err e;

	fault.publish_after = true;
	ck_err(whole_life("m", "12345678", id, &p, &e), ERR_IO_FAILED);
	fault.publish_after = false;
	ck_ok(unit_upload_model(registry, "m", "87654321", &p, &e));
	ck_assert_uint_eq(p.version, 2);
	ck_ok(publish(id, &p, &e));
	ck_assert_uint_eq(p.version, 1);
	ck_assert(p.deduplicated);
}
END_TEST

START_TEST(a_restart_keeps_what_was_acknowledged_and_no_more)
{
	char id[CATALOG_UPLOAD_ID + 1];
	struct staging_file file;
	struct published p;
	struct err e;

	ck_ok(staging_create(registry, "m", id, &e));
	ck_ok(put(id, "model.json", UNIT_MODEL_JSON, strlen(UNIT_MODEL_JSON), &e));
	ck_ok(piece(id, WEIGHTS, 0, false, "1234", 4, &e));
	ck_ok(cut_short(id, "never", "1234", 4, &e));
	ck_assert_uint_eq(unit_dir_count("uploads"), 2);
	restart();
	ck_assert_uint_eq(unit_dir_count("uploads"), 1);
	ck_err(staging_look(registry, id, STR_LIT("never"), &file, &e), ERR_FILE_NOT_FOUND);
	ck_ok(staging_look(registry, id, STR_LIT(WEIGHTS), &file, &e));
	ck_assert(!file.complete);
	ck_assert_uint_eq(file.offset, 4);
	ck_ok(piece(id, WEIGHTS, 4, true, "5678", 4, &e));
	ck_ok(publish(id, &p, &e));
	check_readable("m");
	restart();
	ck_ok(publish(id, &p, &e));
	ck_assert(p.deduplicated);
}
END_TEST

START_TEST(a_later_writer_takes_the_path_over)
{
	CLEANUP(staging_writer_free_p) struct staging_writer *w = NULL;
	char id[CATALOG_UPLOAD_ID + 1];
	struct staging_file file;
	struct err e;

	ck_ok(staging_create(registry, "m", id, &e));
	ck_ok(begin(id, "a", &w, &e));
	ck_ok(staging_write(w, "old", 3, &e));
	ck_ok(put(id, "a", "newer", 5, &e));
	ck_err(staging_write(w, "old", 3, &e), ERR_CONFLICT);
	ck_err(staging_write_end(w, &file, &e), ERR_CONFLICT);
	ck_ok(staging_look(registry, id, STR_LIT("a"), &file, &e));
	ck_assert(file.complete);
	ck_assert_uint_eq(file.offset, 5);
	ck_assert_uint_eq(unit_dir_count("uploads"), 0);
}
END_TEST

START_TEST(an_upload_that_is_dropped_takes_its_writers_along)
{
	struct staging_writer *w = NULL;
	char id[CATALOG_UPLOAD_ID + 1];
	struct err e;

	ck_ok(staging_create(registry, "m", id, &e));
	ck_ok(begin(id, "a", &w, &e));
	ck_ok(staging_write(w, "old", 3, &e));
	ck_ok(staging_drop(registry, id, &e));
	ck_err(staging_write(w, "old", 3, &e), ERR_CONFLICT);
	staging_writer_free(w);
	check_sound(0);
}
END_TEST

static void allow_files_of(uint64_t bytes)
{
	struct registry_options o = unit_upload_options();
	struct registry_limits *limits;
	struct err e;

	o.upload_age_ms = 3600000;
	o.max_uploads = 2;
	o.max_upload_bytes = 3 << 20;
	o.max_file_bytes = bytes;
	ck_ok(registry_limits_new(&o, &limits, &e));
	registry_limits_put(registry, limits);
}

START_TEST(a_file_on_its_way_keeps_the_limits_of_its_beginning)
{
	CLEANUP(staging_writer_free_p) struct staging_writer *w = NULL;
	char id[CATALOG_UPLOAD_ID + 1];
	struct staging_file file;
	struct err e;

	ck_ok(staging_create(registry, "m", id, &e));
	ck_assert_uint_eq(staging_count(registry), 1);
	ck_ok(begin(id, "a", &w, &e));
	ck_ok(staging_write(w, "1234", 4, &e));
	allow_files_of(4);
	ck_ok(staging_write(w, "5678", 4, &e));
	ck_ok(staging_write_end(w, &file, &e));
	ck_err(put(id, "b", "12345", 5, &e), ERR_TOO_LARGE);
	allow_files_of(5);
	ck_ok(put(id, "b", "12345", 5, &e));
}
END_TEST

START_TEST(limits_count_what_is_there_and_nothing_else)
{
	static char half[1 << 20];
	char one[CATALOG_UPLOAD_ID + 1], two[CATALOG_UPLOAD_ID + 1], more[CATALOG_UPLOAD_ID + 1];
	struct err e;

	ck_ok(staging_create(registry, "m", one, &e));
	ck_ok(staging_create(registry, "m", two, &e));
	ck_err(staging_create(registry, "m", more, &e), ERR_TOO_MANY);
	for (unsigned i = 0; i < 3; i++) { /* the last time each is replaced */
		ck_ok(put(one, "a", half, sizeof(half), &e));
		ck_err(put(one, "b", half, sizeof(half) + 1, &e), ERR_TOO_LARGE);
	}
	ck_ok(put(one, "b", half, sizeof(half), &e));
	ck_err(put(one, "c", half, 1, &e), ERR_TOO_LARGE);
	ck_ok(put(two, "a", half, sizeof(half), &e));
	ck_err(put(two, "b", half, 1, &e), ERR_STORAGE_FULL);
	ck_ok(staging_remove(registry, one, STR_LIT("b"), &e));
	ck_ok(put(two, "b", half, 1, &e));
	ck_ok(staging_drop(registry, one, &e));
	restart();
	ck_ok(staging_remove(registry, two, STR_LIT("b"), &e));
	ck_ok(put(two, "b", half, sizeof(half), &e));
	ck_err(put(two, "c", half, 1, &e), ERR_TOO_LARGE);
	ck_ok(staging_drop(registry, two, &e));
	check_sound(0);
}
END_TEST

static Suite *suite(void)
{
	Suite *s = suite_create("registry staging");
	TCase *t = tcase_create("registry staging");

	tcase_add_checked_fixture(t, open_registry, close_registry);
	tcase_set_timeout(t, 300);
	tcase_add_loop_test(t, whatever_call_fails_the_next_upload_works_and_nothing_is_left, 0,
		ARRAY_SIZE(modes));
	tcase_add_loop_test(t, whatever_call_fails_an_archive_is_unpacked_again_and_nothing_is_left,
		0, ARRAY_SIZE(modes));
	tcase_add_loop_test(t, whatever_call_fails_a_plan_is_made_the_next_time, 0,
		ARRAY_SIZE(modes));
	tcase_add_test(t, a_publish_that_only_looked_failed_is_the_one_that_is_repeated);
	tcase_add_test(t, a_restart_keeps_what_was_acknowledged_and_no_more);
	tcase_add_test(t, a_later_writer_takes_the_path_over);
	tcase_add_test(t, an_upload_that_is_dropped_takes_its_writers_along);
	tcase_add_test(t, limits_count_what_is_there_and_nothing_else);
	tcase_add_test(t, a_file_on_its_way_keeps_the_limits_of_its_beginning);
	suite_add_tcase(s, t);
	return s;
}

UNIT_MAIN
