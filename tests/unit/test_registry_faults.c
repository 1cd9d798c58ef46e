/* SPDX-License-Identifier: Apache-2.0 */
/* A publish that is made to fail at every call that it makes, one after the other. */
#include "common/registry/registry_internal.h"
#include "common/store/blobs_fs.h"
#include "common/store/catalog_sqlite.h"
#include "tests/unit/archive_make.h"
#include "tests/unit/fault.h"
#include "tests/unit/unit.h"
#include "tests/unit/unit_dir.h"
#include "tests/unit/unit_upload.h"

#include <sqlite3.h>

#define CALLS_MAX 200

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

static void raw(const char *sql)
{
	sqlite3 *db;

	ck_assert_int_eq(sqlite3_open(unit_dir_file("catalog.db"), &db), SQLITE_OK);
	sqlite3_busy_timeout(db, 5000);
	ck_assert_msg(sqlite3_exec(db, sql, NULL, NULL, NULL) == SQLITE_OK, "%s: %s", sql,
		sqlite3_errmsg(db));
	sqlite3_close(db);
}

/* Nothing of the failed publish is there, or it all goes with the next sweep. */
static void check_nothing_left(const char *name, unsigned live_blobs)
{
	struct catalog_model m;
	size_t removed;
	struct err e;

	if (fault.mode == FAULT_FROM_ON)
		raw("UPDATE intents SET expires = 0"); /* their hour has passed */
	fault_arm(FAULT_ONCE, 0);
	ck_err(catalog_model(registry_catalog(registry), name, &m, &e), ERR_MODEL_NOT_FOUND);
	ck_ok(registry_sweep(registry, &removed, &e));
	ck_assert_uint_eq(unit_dir_count("blobs"), live_blobs);
	ck_assert_uint_eq(unit_dir_count("tmp"), 0);
}

static void check_readable(const char *name)
{
	struct ref ref = {.kind = REF_LATEST};
	CLEANUP(catalog_version_free_p) struct catalog_version *v = NULL;
	struct err e;

	(void)snprintf(ref.name, sizeof(ref.name), "%s", name);
	ck_ok(registry_resolve(registry, &ref, &v, &e));
	ck_assert_uint_eq(v->version, 1);
	ck_assert_uint_eq(v->files_n, 2);
	for (size_t i = 0; i < v->files_n; i++) {
		CLEANUP(blob_unref_p) struct blob *b = NULL;
		const struct catalog_version_file *file;
		ck_ok(registry_open_file(registry, v, v->files[i].path, &file, &b, &e));
	}
}

/* The model of unit_upload_model(), in one tar. */
static int upload_tar(const char *name, const char *weights, struct published *ret, struct err *e)
{
	CLEANUP(upload_free_p) struct upload *u = NULL;
	CLEANUP_BUF struct buf b = BUF_INIT(1 << 20);
	CLEANUP_FINDINGS struct findings f;
	int r = upload_new(registry, name, &u, e);

	findings_init(&f);
	make_tar_text(&b, "m/model.json", UNIT_MODEL_JSON);
	make_tar_text(&b, "m/model.weights.bin", weights);
	make_tar_end(&b);
	if (r == 0)
		r = upload_archive_begin(u, ARCHIVE_KIND_TAR, e);
	if (r == 0)
		r = upload_archive_write(u, b.data, b.len, e);
	return r < 0 ? r : upload_publish(u, ret, &f, e);
}

static int upload_parts(const char *name, const char *weights, struct published *ret,
	struct err *e)
{
	return unit_upload_model(registry, name, weights, ret, e);
}

static const struct {
	enum fault_mode mode;
	int (*upload)(const char *name, const char *weights, struct published *ret, struct err *e);
} ways[] = {
	{FAULT_ONCE, upload_parts},
	{FAULT_ONCE_AFTER, upload_parts},
	{FAULT_FROM_ON, upload_parts},
	{FAULT_ONCE, upload_tar},
	{FAULT_ONCE_AFTER, upload_tar},
	{FAULT_FROM_ON, upload_tar},
};

START_TEST(whatever_call_fails_nothing_is_published_and_the_next_publish_works)
{
	unsigned live_blobs = 0; /* the weights of each round; model.json is the same in all */
	bool clean = false;
	unsigned failures = 0;
	struct published p;
	struct err e;

	for (unsigned n = 1; !clean && n < CALLS_MAX; n++) {
		char name[32];
		char weights[32];
		int r;

		(void)snprintf(name, sizeof(name), "m%u", n);
		(void)snprintf(weights, sizeof(weights), "%08u", n);
		fault_arm(ways[_i].mode, n);
		r = ways[_i].upload(name, weights, &p, &e);
		clean = fault.calls < n;
		ck_assert(!clean || r == 0);
		if (r < 0) {
			ck_assert_int_eq(r, -(int)ERR_IO_FAILED);
			ck_assert(fault.fired);
			failures++;
			check_nothing_left(name, live_blobs);
			ck_ok(ways[_i].upload(name, weights, &p, &e));
		}
		fault_arm(FAULT_ONCE, 0);
		ck_assert_uint_eq(p.version, 1);
		check_readable(name);
		live_blobs += live_blobs == 0 ? 2 : 1;
		ck_assert_uint_eq(unit_dir_count("blobs"), live_blobs);
	}
	ck_assert(clean);
	ck_assert_uint_ge(failures, 6);
}
END_TEST

START_TEST(a_commit_that_only_looked_failed_keeps_its_blobs)
{
	struct published p;
	struct err e;

	fault.publish_after = true;
	ck_err(unit_upload_model(registry, "m", "12345678", &p, &e), ERR_IO_FAILED);
	fault.publish_after = false;
	check_readable("m");
	ck_ok(unit_upload_model(registry, "m", "12345678", &p, &e));
	ck_assert(p.deduplicated);
	ck_assert_uint_eq(p.version, 1);
}
END_TEST

static void collect_everything(void)
{
	raw("DELETE FROM version_files; DELETE FROM versions; DELETE FROM blobs");
}

START_TEST(a_blob_that_is_collected_before_the_commit_is_linked_anew)
{
	struct published p;
	struct err e;

	ck_ok(unit_upload_model(registry, "old", "12345678", &p, &e));
	fault.before_publish = collect_everything;
	ck_ok(unit_upload_model(registry, "m", "12345678", &p, &e));
	ck_assert_ptr_null((void *)(uintptr_t)fault.before_publish);
	check_readable("m");
}
END_TEST

static void expire_and_sweep(void)
{
	size_t removed;
	struct err e;

	raw("UPDATE intents SET expires = 0");
	ck_ok(registry_sweep(registry, &removed, &e));
	ck_assert_uint_eq(removed, 2);
}

START_TEST(an_intent_that_expires_before_the_commit_is_taken_anew)
{
	struct published p;
	struct err e;

	fault.before_publish = expire_and_sweep;
	ck_ok(unit_upload_model(registry, "m", "12345678", &p, &e));
	check_readable("m");
	ck_assert_uint_eq(unit_dir_count("blobs"), 2);
}
END_TEST

static Suite *suite(void)
{
	Suite *s = suite_create("registry faults");
	TCase *t = tcase_create("registry faults");

	tcase_add_checked_fixture(t, open_registry, close_registry);
	tcase_set_timeout(t, 120);
	tcase_add_loop_test(t, whatever_call_fails_nothing_is_published_and_the_next_publish_works,
		0, ARRAY_SIZE(ways));
	tcase_add_test(t, a_commit_that_only_looked_failed_keeps_its_blobs);
	tcase_add_test(t, a_blob_that_is_collected_before_the_commit_is_linked_anew);
	tcase_add_test(t, an_intent_that_expires_before_the_commit_is_taken_anew);
	suite_add_tcase(s, t);
	return s;
}

UNIT_MAIN
