/* SPDX-License-Identifier: Apache-2.0 */
/* Verdicts without a version: dry runs, and what is kept of refused publishes. */
#include "common/base/clock.h"
#include "common/base/num.h"
#include "common/model/finding_policy.h"
#include "common/registry/registry_internal.h"
#include "common/registry/registry_limits.h"
#include "tests/unit/unit.h"
#include "tests/unit/unit_dir.h"
#include "tests/unit/unit_upload.h"

#include <sqlite3.h>

static struct registry *registry;

static void open_registry(void)
{
	struct registry_options o;
	struct err e;

	unit_dir_make();
	o = unit_upload_options();
	ck_ok(registry_open(&o, &registry, &e));
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

static void send_file(struct upload *u, const char *name, const char *bytes)
{
	struct err e;

	ck_ok(upload_file_begin(u, str_of(name), str_of(name), &e));
	ck_ok(upload_file_write(u, bytes, strlen(bytes), &e));
	ck_ok(upload_file_end(u, &e));
}

/* A model with these weights. */
static struct upload *uploaded(const char *weights)
{
	struct upload *u = NULL;
	struct err e;

	ck_ok(upload_new(registry, "m", &u, &e));
	send_file(u, "model.json", UNIT_MODEL_JSON);
	send_file(u, "model.weights.bin", weights);
	return u;
}

static int dry_run(const char *weights, struct published *ret, struct findings *f, struct err *e)
{
	CLEANUP(upload_free_p) struct upload *u = uploaded(weights);

	return upload_publish_dry_run(u, ret, f, e);
}

static struct catalog_rejections *rejections(void)
{
	struct catalog_rejections *list = NULL;
	struct err e;

	ck_ok(catalog_rejections(registry_catalog(registry), "m", &list, &e));
	return list;
}

/* ---- dry runs ---- */

START_TEST(a_dry_run_says_what_a_publish_would_and_stores_nothing)
{
	CLEANUP_FINDINGS struct findings f;
	uint64_t before = clock_now_ms();
	struct published would_be, p;
	struct catalog_model m;
	struct err e;

	findings_init(&f);
	ck_ok(dry_run("12345678", &would_be, &f, &e));
	ck_assert_str_eq(would_be.name, "m");
	ck_assert_uint_eq(would_be.version, 0);
	ck_assert(!would_be.deduplicated);
	ck_assert_uint_ge(would_be.saved_ms, before);
	ck_err(catalog_model(registry_catalog(registry), "m", &m, &e), ERR_MODEL_NOT_FOUND);
	ck_assert_uint_eq(unit_dir_count("blobs"), 0);
	ck_assert_uint_eq(unit_dir_count("tmp"), 0);

	ck_ok(unit_upload_model(registry, "m", "12345678", &p, &e));
	ck_assert_uint_eq(p.version, 1);
	ck_assert(digest_eq(&p.root, &would_be.root));
	ck_assert_uint_eq(p.topology_bytes, would_be.topology_bytes);
	ck_assert_uint_eq(p.weight_specs_bytes, would_be.weight_specs_bytes);
	ck_assert_uint_eq(p.weight_data_bytes, would_be.weight_data_bytes);
}
END_TEST

START_TEST(a_dry_run_knows_the_files_of_the_newest_version_only)
{
	CLEANUP_FINDINGS struct findings f;
	struct published would_be, p;
	struct err e;

	findings_init(&f);
	ck_ok(unit_upload_model(registry, "m", "12345678", &p, &e));
	ck_ok(dry_run("12345678", &would_be, &f, &e));
	ck_assert(would_be.deduplicated);
	ck_assert_uint_eq(would_be.version, 1);
	ck_ok(unit_upload_model(registry, "m", "87654321", &p, &e));
	ck_ok(dry_run("12345678", &would_be, &f, &e));
	ck_assert(!would_be.deduplicated);
	ck_assert_uint_eq(would_be.version, 0);
	ck_assert_uint_eq(unit_dir_count("blobs"), 3);
}
END_TEST

static void leave_no_space(void)
{
	struct registry_options o = unit_upload_options();
	struct registry_limits *limits;
	struct err e;

	o.min_free_bytes = UINT64_MAX;
	ck_ok(registry_limits_new(&o, &limits, &e));
	registry_limits_put(registry, limits);
}

START_TEST(a_dry_run_is_refused_as_the_publish_would_be)
{
	CLEANUP(upload_free_p) struct upload *u = uploaded("12345678");
	CLEANUP_FINDINGS struct findings f;
	struct published would_be;
	struct err e;

	findings_init(&f);
	ck_err(dry_run("1234", &would_be, &f, &e), ERR_NOT_LOADABLE);
	ck_assert_str_eq(f.items[0].rule, "weights.too-short");
	findings_done(&f);
	leave_no_space();
	ck_err(upload_publish_dry_run(u, &would_be, &f, &e), ERR_STORAGE_FULL);
}
END_TEST

/* ---- severities ---- */

START_TEST(a_milder_rule_publishes_and_its_warning_is_kept)
{
	CLEANUP(catalog_version_free_p) struct catalog_version *v = NULL;
	CLEANUP(upload_free_p) struct upload *u = uploaded("123456789");
	CLEANUP_FINDINGS struct findings f;
	struct finding_policy policy;
	struct published p;
	struct err e;

	finding_policy_init(&policy);
	policy.severity[RULE_WEIGHTS_TOO_LONG] = FINDING_WARNING;
	findings_init_policy(&f, &policy);
	ck_ok(upload_publish(u, &p, &f, &e));
	ck_assert_uint_eq(f.n, 1);
	ck_ok(catalog_version(registry_catalog(registry), "m", 0, &v, &e));
	ck_assert_ptr_nonnull(strstr(v->info,
		"\"findings\":[{\"rule\":\"weights.too-long\",\"severity\":\"warning\""));
}
END_TEST

#define LFS_POINTER \
	"version https://git-lfs.github.com/spec/v1\n" \
	"oid sha256:4d7a214614ab2935c943f9e0ff69d22eadbb8f32b1258daaa5e2ca24d17e2393\n" \
	"size 12345\n"

START_TEST(accidents_are_named_though_the_length_is_let_pass)
{
	CLEANUP(upload_free_p) struct upload *u = uploaded(LFS_POINTER);
	CLEANUP_FINDINGS struct findings f;
	struct finding_policy policy;
	struct published p;
	struct err e;

	finding_policy_init(&policy);
	policy.severity[RULE_WEIGHTS_TOO_LONG] = FINDING_OFF;
	findings_init_policy(&f, &policy);
	ck_err(upload_publish(u, &p, &f, &e), ERR_NOT_LOADABLE);
	ck_assert_str_eq(f.items[0].rule, "weights.not-weights");
}
END_TEST

/* ---- refused publishes ---- */

static int refuse(struct findings *f, struct err *e)
{
	struct err why;

	(void)findings_to_err(f, &why);
	return registry_reject(registry, "m", &why, f, "id-1", e);
}

START_TEST(a_refusal_keeps_its_findings)
{
	CLEANUP(catalog_rejections_free_p) struct catalog_rejections *list = NULL;
	CLEANUP_FINDINGS struct findings f;
	struct err e;

	findings_init(&f);
	findings_add(&f, RULE_JSON_ROOT, "model.json", "", "no \"root\"");
	ck_ok(refuse(&f, &e));
	list = rejections();
	ck_assert_uint_eq(list->n, 1);
	ck_assert_uint_eq(list->items[0].status, 422);
	ck_assert_str_eq(list->items[0].code, "NOT_LOADABLE");
	ck_assert_str_eq(list->items[0].detail, "no \"root\"");
	ck_assert_str_eq(list->items[0].request_id, "id-1");
	ck_assert_ptr_nonnull(strstr(list->items[0].errors, "[{\"rule\":\"json.root\","));
}
END_TEST

START_TEST(of_too_many_findings_the_first_are_kept)
{
	CLEANUP(catalog_rejections_free_p) struct catalog_rejections *list = NULL;
	CLEANUP_FINDINGS struct findings f;
	const char *errors;
	struct err e;

	findings_init(&f);
	for (int i = 0; i < FINDINGS_MAX; i++)
		findings_add(&f, RULE_JSON_ROOT, NULL, NULL, "number %d%1000s", i, "");
	ck_ok(refuse(&f, &e));
	list = rejections();
	errors = list->items[0].errors;
	ck_assert_uint_le(strlen(errors), CATALOG_REJECTION_ERRORS_MAX);
	ck_assert_ptr_nonnull(strstr(errors, "number 49 "));
	ck_assert_ptr_null(strstr(errors, "number 50 "));
	ck_assert_str_eq(errors + strlen(errors) - 2, "}]");
}
END_TEST

START_TEST(a_finding_that_is_too_long_alone_leaves_the_sentence)
{
	CLEANUP(catalog_rejections_free_p) struct catalog_rejections *list = NULL;
	CLEANUP_FINDINGS struct findings f;
	struct err e;

	findings_init(&f);
	findings_add(&f, RULE_JSON_ROOT, NULL, NULL, "long%*s", CATALOG_REJECTION_ERRORS_MAX, "");
	ck_ok(refuse(&f, &e));
	list = rejections();
	ck_assert_str_eq(list->items[0].errors, "[]");
	ck_assert_int_eq(strncmp(list->items[0].detail, "long ", 5), 0);
}
END_TEST

START_TEST(a_disk_that_is_nearly_full_keeps_no_refusal)
{
	CLEANUP(catalog_rejections_free_p) struct catalog_rejections *list = NULL;
	CLEANUP_FINDINGS struct findings f;
	struct err e;

	findings_init(&f);
	findings_add(&f, RULE_JSON_ROOT, NULL, NULL, "no");
	leave_no_space();
	ck_err(refuse(&f, &e), ERR_STORAGE_FULL);
	list = rejections();
	ck_assert_uint_eq(list->n, 0);
}
END_TEST

START_TEST(a_sweep_forgets_refusals_of_yesterday)
{
	CLEANUP(catalog_rejections_free_p) struct catalog_rejections *before = NULL;
	CLEANUP(catalog_rejections_free_p) struct catalog_rejections *after = NULL;
	CLEANUP_FINDINGS struct findings f;
	char sql[128];
	size_t removed;
	struct err e;

	findings_init(&f);
	findings_add(&f, RULE_JSON_ROOT, NULL, NULL, "no");
	ck_ok(refuse(&f, &e));
	ck_ok(refuse(&f, &e));
	(void)snprintf(sql, sizeof(sql), "UPDATE rejections SET refused = %llu WHERE sequence = 1",
		(unsigned long long)(clock_now_ms() - REGISTRY_REJECTION_MS + 60000));
	raw(sql);
	ck_ok(registry_sweep(registry, &removed, &e));
	before = rejections();
	ck_assert_uint_eq(before->n, 2);
	(void)snprintf(sql, sizeof(sql), "UPDATE rejections SET refused = %llu WHERE sequence = 1",
		(unsigned long long)(clock_now_ms() - REGISTRY_REJECTION_MS - 1));
	raw(sql);
	ck_ok(registry_sweep(registry, &removed, &e));
	after = rejections();
	ck_assert_uint_eq(after->n, 1);
}
END_TEST

static Suite *suite(void)
{
	Suite *s = suite_create("registry verdicts");
	TCase *t = tcase_create("registry verdicts");

	tcase_add_checked_fixture(t, open_registry, close_registry);
	tcase_set_timeout(t, 60);
	tcase_add_test(t, a_dry_run_says_what_a_publish_would_and_stores_nothing);
	tcase_add_test(t, a_dry_run_knows_the_files_of_the_newest_version_only);
	tcase_add_test(t, a_dry_run_is_refused_as_the_publish_would_be);
	tcase_add_test(t, a_milder_rule_publishes_and_its_warning_is_kept);
	tcase_add_test(t, accidents_are_named_though_the_length_is_let_pass);
	tcase_add_test(t, a_refusal_keeps_its_findings);
	tcase_add_test(t, of_too_many_findings_the_first_are_kept);
	tcase_add_test(t, a_finding_that_is_too_long_alone_leaves_the_sentence);
	tcase_add_test(t, a_disk_that_is_nearly_full_keeps_no_refusal);
	tcase_add_test(t, a_sweep_forgets_refusals_of_yesterday);
	suite_add_tcase(s, t);
	return s;
}

UNIT_MAIN
