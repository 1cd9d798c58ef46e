/* SPDX-License-Identifier: Apache-2.0 */
/* Jobs and what they fetched, in the catalog. */
#include "common/base/clock.h"
#include "common/store/catalog_audit.h"
#include "common/store/catalog_job.h"
#include "tests/unit/unit.h"
#include "tests/unit/unit_catalog.h"

#include <pthread.h>

#define HOUR_MS UINT64_C(3600000)
#define A       "0000000000000000000000000000000a"
#define B       "0000000000000000000000000000000b"
#define C       "0000000000000000000000000000000c"

static int try_add(const char *id, const char *model, const char *mirror, uint64_t max_open,
	struct err *e)
{
	static char request[] = "{\"url\":\"https://example.org/model.json\"}";
	struct catalog_job j = {.kind = "import", .who = "token t", .request = request};

	(void)snprintf(j.id, sizeof(j.id), "%s", id);
	(void)snprintf(j.model, sizeof(j.model), "%s", model);
	(void)snprintf(j.mirror, sizeof(j.mirror), "%s", mirror);
	return catalog_job_add(unit_catalog, &j, max_open, e);
}

/* At a time that orders it. */
static void add(const char *id, const char *model)
{
	static int64_t created = 1000;
	char sql[128];
	struct err e;

	ck_ok(try_add(id, model, "", 0, &e));
	(void)snprintf(sql, sizeof(sql), "UPDATE jobs SET created = %lld WHERE id = '%s'",
		(long long)created++, id);
	ck_assert_int_eq(unit_catalog_raw(sql), -1);
}

static struct catalog_job read_job(const char *id)
{
	struct catalog_job j;
	struct err e;

	ck_ok(catalog_job_read(unit_catalog, id, &j, &e));
	return j;
}

static enum catalog_job_state state_of(const char *id)
{
	struct catalog_job j = read_job(id);

	catalog_job_clear(&j);
	return j.state;
}

/* The attempt, 0 when there was nothing to claim. */
static uint64_t claim(const char *want)
{
	struct catalog_job j;
	bool any = false;
	struct err e;

	ck_ok(catalog_job_claim(unit_catalog, HOUR_MS, &j, &any, &e));
	ck_assert_int_eq(any, want != NULL);
	if (!any)
		return 0;
	ck_assert_str_eq(j.id, want);
	ck_assert_int_eq(j.state, CATALOG_JOB_RUNNING);
	ck_assert_uint_gt(j.started_ms, 0);
	catalog_job_clear(&j);
	return j.attempt;
}

static int renew(const char *id, uint64_t attempt, struct err *e)
{
	const struct catalog_job_progress p = {
		.bytes = 5, .total = 9, .files = 1, .files_total = 2, .file = "b.bin"};

	return catalog_job_renew(unit_catalog, id, attempt, HOUR_MS, &p, e);
}

static int end(const char *id, uint64_t attempt, enum catalog_job_state state, struct err *e)
{
	static char outcome[] = "{\"code\":\"FETCH_FAILED\"}";
	struct catalog_job j = {
		.attempt = attempt, .state = state, .version = 3, .unchanged = true,
		.progress = {.bytes = 9, .total = 9}, .outcome = outcome};

	(void)snprintf(j.id, sizeof(j.id), "%s", id);
	return catalog_job_end(unit_catalog, &j, e);
}

START_TEST(a_job_is_read_as_it_was_added)
{
	struct catalog_job j;
	uint64_t before = clock_now_ms();
	struct err e;

	ck_ok(try_add(A, "team/pose", "team/pose@stable", 0, &e));
	j = read_job(A);
	ck_assert_str_eq(j.kind, "import");
	ck_assert_str_eq(j.model, "team/pose");
	ck_assert_str_eq(j.mirror, "team/pose@stable");
	ck_assert_str_eq(j.who, "token t");
	ck_assert_int_eq(j.state, CATALOG_JOB_QUEUED);
	ck_assert_uint_ge(j.created_ms, before);
	ck_assert_uint_eq(j.started_ms, 0);
	ck_assert_uint_eq(j.finished_ms, 0);
	ck_assert_uint_eq(j.attempt, 0);
	ck_assert_str_eq(j.upload, "");
	ck_assert_str_eq(j.request, "{\"url\":\"https://example.org/model.json\"}");
	ck_assert_ptr_null(j.outcome);
	catalog_job_clear(&j);
	ck_err(catalog_job_read(unit_catalog, B, &j, &e), ERR_JOB_NOT_FOUND);
}
END_TEST

START_TEST(what_is_kept_of_a_request_is_bounded)
{
	static char long_json[CATALOG_JOB_JSON + 2];
	struct catalog_job j = {.kind = "import", .id = A, .request = long_json};
	struct err e;

	memset(long_json, 'x', sizeof(long_json) - 1);
	ck_err(catalog_job_add(unit_catalog, &j, 0, &e), ERR_TOO_LARGE);
	long_json[CATALOG_JOB_JSON] = '\0';
	ck_ok(catalog_job_add(unit_catalog, &j, 0, &e));
}
END_TEST

START_TEST(two_who_claim_get_different_jobs_the_oldest_first)
{
	add(B, "m");
	add(A, "m");
	ck_assert_uint_eq(claim(B), 1);
	ck_assert_uint_eq(claim(A), 1);
	(void)claim(NULL);
}
END_TEST

#define JOBS 40

/* Claims until nothing is left, and ends what it got; how many that were. */
static void *claim_all(void *cls)
{
	uint64_t *got = cls;
	bool any = true;

	while (any) {
		struct catalog_job j;
		struct err e;
		ck_ok(catalog_job_claim(unit_catalog, HOUR_MS, &j, &any, &e));
		if (!any)
			break;
		ck_assert_uint_eq(j.attempt, 1);
		ck_ok(end(j.id, 1, CATALOG_JOB_DONE, &e));
		catalog_job_clear(&j);
		(*got)++;
	}
	return NULL;
}

START_TEST(threads_that_claim_at_once_share_the_jobs)
{
	pthread_t threads[2];
	uint64_t got[2] = {0, 0};
	char id[CATALOG_JOB_ID + 1];
	struct err e;

	for (unsigned i = 0; i < JOBS; i++) {
		(void)snprintf(id, sizeof(id), "%032x", i);
		ck_ok(try_add(id, "m", "", 0, &e));
	}
	for (size_t i = 0; i < 2; i++)
		ck_assert_int_eq(pthread_create(&threads[i], NULL, claim_all, &got[i]), 0);
	for (size_t i = 0; i < 2; i++)
		ck_assert_int_eq(pthread_join(threads[i], NULL), 0);
	ck_assert_uint_eq(got[0] + got[1], JOBS);
	ck_assert_int_eq(unit_catalog_raw("SELECT COUNT(*) FROM jobs WHERE state = 'done'"), JOBS);
}
END_TEST

START_TEST(a_job_whose_lease_ran_out_is_claimed_again)
{
	struct err e;

	add(A, "m");
	ck_assert_uint_eq(claim(A), 1);
	(void)claim(NULL);
	ck_assert_int_eq(unit_catalog_raw("UPDATE jobs SET leased = 1"), -1);
	ck_assert_uint_eq(claim(A), 2);
	ck_err(renew(A, 1, &e), ERR_CONFLICT);
	ck_err(catalog_job_set_upload(unit_catalog, A, 1, B, &e), ERR_CONFLICT);
	ck_err(end(A, 1, CATALOG_JOB_DONE, &e), ERR_CONFLICT);
	ck_ok(renew(A, 2, &e));
	ck_ok(catalog_job_set_upload(unit_catalog, A, 2, B, &e));
	ck_ok(end(A, 2, CATALOG_JOB_DONE, &e));
	ck_assert_int_eq(state_of(A), CATALOG_JOB_DONE);
}
END_TEST

START_TEST(a_renewed_lease_holds)
{
	struct err e;

	add(A, "m");
	(void)claim(A);
	ck_assert_int_eq(unit_catalog_raw("UPDATE jobs SET leased = 1"), -1);
	ck_ok(renew(A, 1, &e));
	(void)claim(NULL);
}
END_TEST

START_TEST(progress_and_result_are_kept)
{
	struct catalog_job j;
	struct err e;

	add(A, "m");
	(void)claim(A);
	ck_ok(renew(A, 1, &e));
	ck_ok(catalog_job_set_upload(unit_catalog, A, 1, B, &e));
	j = read_job(A);
	ck_assert_uint_eq(j.progress.bytes, 5);
	ck_assert_uint_eq(j.progress.total, 9);
	ck_assert_uint_eq(j.progress.files, 1);
	ck_assert_uint_eq(j.progress.files_total, 2);
	ck_assert_str_eq(j.progress.file, "b.bin");
	ck_assert_str_eq(j.upload, B);
	catalog_job_clear(&j);
	ck_ok(end(A, 1, CATALOG_JOB_FAILED, &e));
	j = read_job(A);
	ck_assert_int_eq(j.state, CATALOG_JOB_FAILED);
	ck_assert_uint_gt(j.finished_ms, 0);
	ck_assert_uint_eq(j.version, 3);
	ck_assert(j.unchanged);
	ck_assert_uint_eq(j.progress.bytes, 9);
	ck_assert_str_eq(j.outcome, "{\"code\":\"FETCH_FAILED\"}");
	catalog_job_clear(&j);
	ck_err(renew(A, 1, &e), ERR_CONFLICT);
}
END_TEST

START_TEST(a_failure_is_in_the_audit_unless_it_is_a_mirrors)
{
	struct catalog_audit_event rows[4];
	struct err e;
	size_t n;

	add(A, "m");
	(void)claim(A);
	ck_ok(try_add(B, "m", "m@stable", 0, &e));
	(void)claim(B);
	ck_ok(try_add(C, "n", "", 0, &e));
	(void)claim(C);
	ck_ok(end(C, 1, CATALOG_JOB_DONE, &e));
	ck_ok(end(B, 1, CATALOG_JOB_FAILED, &e));
	ck_ok(end(A, 1, CATALOG_JOB_FAILED, &e));
	ck_ok(catalog_audit_read(unit_catalog, 0, rows, ARRAY_SIZE(rows), &n, &e));
	ck_assert_uint_eq(n, 1);
	ck_assert_str_eq(rows[0].kind, "import-failed");
	ck_assert_str_eq(rows[0].model, "m");
	ck_assert_str_eq(rows[0].item, A);
}
END_TEST

START_TEST(a_job_that_is_given_back_waits_again)
{
	struct err e;

	add(A, "m");
	(void)claim(A);
	ck_ok(end(A, 1, CATALOG_JOB_QUEUED, &e));
	ck_assert_int_eq(state_of(A), CATALOG_JOB_QUEUED);
	ck_err(renew(A, 1, &e), ERR_CONFLICT);
	ck_assert_uint_eq(claim(A), 2);
}
END_TEST

START_TEST(cancelling_fences_whoever_has_the_job)
{
	struct catalog_job j;
	struct err e;

	add(A, "m");
	add(B, "m");
	(void)claim(A);
	ck_ok(catalog_job_cancel(unit_catalog, A, &j, &e));
	ck_assert_int_eq(j.state, CATALOG_JOB_CANCELLED);
	ck_assert_uint_gt(j.finished_ms, 0);
	catalog_job_clear(&j);
	ck_err(renew(A, 1, &e), ERR_CONFLICT);
	ck_err(end(A, 1, CATALOG_JOB_DONE, &e), ERR_CONFLICT);
	ck_assert_int_eq(state_of(A), CATALOG_JOB_CANCELLED);
	ck_ok(catalog_job_cancel(unit_catalog, B, &j, &e));
	catalog_job_clear(&j);
	(void)claim(NULL);
}
END_TEST

START_TEST(cancelling_again_changes_nothing)
{
	struct catalog_job j;
	uint64_t ended;
	struct err e;

	add(A, "m");
	ck_ok(catalog_job_cancel(unit_catalog, A, &j, &e));
	catalog_job_clear(&j);
	ck_assert_int_eq(unit_catalog_raw("UPDATE jobs SET finished = finished - 1000"), -1);
	ended = j.finished_ms - 1000;
	ck_ok(catalog_job_cancel(unit_catalog, A, &j, &e));
	ck_assert_uint_eq(j.finished_ms, ended);
	catalog_job_clear(&j);
	ck_err(catalog_job_cancel(unit_catalog, B, &j, &e), ERR_JOB_NOT_FOUND);
}
END_TEST

START_TEST(what_has_ended_is_not_cancelled)
{
	struct catalog_job j;
	struct err e;

	add(A, "m");
	(void)claim(A);
	ck_ok(end(A, 1, CATALOG_JOB_DONE, &e));
	ck_err(catalog_job_cancel(unit_catalog, A, &j, &e), ERR_CONFLICT);
	ck_assert_int_eq(state_of(A), CATALOG_JOB_DONE);
}
END_TEST

START_TEST(after_a_restart_what_ran_is_queued)
{
	struct err e;

	add(A, "m");
	add(B, "m");
	(void)claim(A);
	ck_ok(renew(A, 1, &e));
	unit_catalog_reopen();
	ck_ok(catalog_job_reclaim(unit_catalog, &e));
	ck_assert_int_eq(state_of(A), CATALOG_JOB_QUEUED);
	ck_assert_uint_eq(claim(A), 2);
	ck_assert_uint_eq(claim(B), 1);
	ck_err(end(A, 1, CATALOG_JOB_DONE, &e), ERR_CONFLICT);
}
END_TEST

START_TEST(so_many_may_be_open)
{
	struct err e;

	ck_ok(try_add(A, "m", "", 2, &e));
	ck_ok(try_add(B, "m", "", 2, &e));
	ck_err(try_add(C, "m", "", 2, &e), ERR_TOO_MANY);
	ck_assert_uint_eq(claim(A), 1);
	ck_err(try_add(C, "m", "", 2, &e), ERR_TOO_MANY);
	ck_ok(end(A, 1, CATALOG_JOB_FAILED, &e));
	ck_ok(try_add(C, "m", "", 2, &e));
}
END_TEST

START_TEST(a_mirror_has_one_open_job)
{
	struct err e;

	ck_ok(try_add(A, "m", "m", 0, &e));
	ck_err(try_add(B, "m", "m", 0, &e), ERR_CONFLICT);
	ck_ok(try_add(B, "m", "m@stable", 0, &e));
	ck_assert_uint_eq(claim(A), 1);
	ck_err(try_add(C, "m", "m", 0, &e), ERR_CONFLICT);
	ck_ok(end(A, 1, CATALOG_JOB_DONE, &e));
	ck_ok(try_add(C, "m", "m", 0, &e));
}
END_TEST

START_TEST(those_that_ended_long_ago_are_forgotten)
{
	struct catalog_job j;
	size_t n = 9;
	struct err e;

	add(A, "m");
	add(B, "m");
	add(C, "m");
	(void)claim(A);
	(void)claim(B);
	ck_ok(end(A, 1, CATALOG_JOB_DONE, &e));
	ck_ok(end(B, 1, CATALOG_JOB_DONE, &e));
	ck_assert_int_eq(unit_catalog_raw("UPDATE jobs SET finished = 1000 WHERE id = '" A "'"),
		-1);
	ck_ok(catalog_job_expire(unit_catalog, 1000, &n, &e));
	ck_assert_uint_eq(n, 0);
	ck_ok(catalog_job_expire(unit_catalog, 1001, &n, &e));
	ck_assert_uint_eq(n, 1);
	ck_err(catalog_job_read(unit_catalog, A, &j, &e), ERR_JOB_NOT_FOUND);
	ck_assert_int_eq(state_of(B), CATALOG_JOB_DONE);
	ck_ok(catalog_job_expire(unit_catalog, clock_now_ms() + HOUR_MS, &n, &e));
	ck_assert_uint_eq(n, 1);
	ck_assert_int_eq(state_of(C), CATALOG_JOB_QUEUED);
}
END_TEST

/* The last characters of the ids, in order. */
static void ck_list(const struct catalog_job_filter *f, size_t max, const char *want)
{
	struct catalog_job rows[4];
	char ids[ARRAY_SIZE(rows) + 1] = "";
	size_t n = 0;
	struct err e;

	ck_ok(catalog_jobs(unit_catalog, f, rows, max, &n, &e));
	for (size_t i = 0; i < n; i++) {
		ids[i] = rows[i].id[CATALOG_JOB_ID - 1];
		catalog_job_clear(&rows[i]);
	}
	ck_assert_str_eq(ids, want);
}

START_TEST(jobs_are_listed_newest_first_by_model_and_state)
{
	struct err e;

	add(A, "m");
	add(B, "n");
	add(C, "m");
	(void)claim(A);
	ck_ok(end(A, 1, CATALOG_JOB_DONE, &e));
	(void)claim(B);
	ck_list(&(struct catalog_job_filter){.model = NULL}, 4, "cba");
	ck_list(&(struct catalog_job_filter){.open = true}, 4, "cb");
	ck_list(&(struct catalog_job_filter){.model = "m"}, 4, "ca");
	ck_list(&(struct catalog_job_filter){.model = "m", .open = true}, 4, "c");
	ck_list(&(struct catalog_job_filter){.model = "o"}, 4, "");
}
END_TEST

START_TEST(a_page_begins_behind_the_one_before)
{
	struct catalog_job_filter f = {.model = NULL};
	struct catalog_job j;

	add(A, "m");
	add(B, "m");
	add(C, "m");
	ck_assert_int_eq(unit_catalog_raw("UPDATE jobs SET created = 7000 WHERE id <> '" A "'"),
		-1);
	ck_list(&f, 1, "c");
	j = read_job(C);
	catalog_job_clear(&j);
	f.before_ms = j.created_ms;
	f.before_id = C;
	ck_list(&f, 2, "ba");
	f.before_id = B;
	ck_list(&f, 2, "a");
	f.before_ms = 1;
	ck_list(&f, 2, "");
}
END_TEST

START_TEST(the_check_finds_a_job_that_is_in_two_minds)
{
	CLEANUP_BUF struct buf faults = BUF_INIT(4096);
	struct err e;

	add(A, "m");
	ck_ok(catalog_check(unit_catalog, &faults, &e));
	ck_assert_str_eq(buf_str(&faults), "");
	ck_assert_int_eq(unit_catalog_raw("UPDATE jobs SET finished = 5"), -1);
	ck_ok(catalog_check(unit_catalog, &faults, &e));
	ck_assert_str_eq(buf_str(&faults), "job " A " is \"queued\" and has ended\n");
}
END_TEST

/* ---- what was fetched ---- */

static struct catalog_fetched fetched(const char *model, const char *url, const char *text)
{
	struct catalog_fetched f = {.etag = "\"1\"", .size = strlen(text)};
	struct err e;

	(void)snprintf(f.model, sizeof(f.model), "%s", model);
	ck_ok(digest_of(url, strlen(url), &f.url, &e));
	ck_ok(digest_of(text, strlen(text), &f.digest, &e));
	return f;
}

static bool find(const char *model, const char *url, struct catalog_fetched *ret)
{
	struct catalog_fetched want = fetched(model, url, "");
	bool found = false;
	struct err e;

	ck_ok(catalog_fetched_find(unit_catalog, model, &want.url, ret, &found, &e));
	return found;
}

START_TEST(what_was_fetched_is_found_while_its_blob_is_sound)
{
	struct catalog_fetched f = fetched("m", "u", "1"), got;
	struct catalog_blob rows[CATALOG_BLOBS_BATCH];
	struct catalog_cursor at = {.started = false};
	bool new;
	size_t n;
	struct err e;

	ck_ok(catalog_fetched_set(unit_catalog, &f, 1, &e));
	ck_assert(!find("m", "u", &got));
	(void)unit_catalog_publish("m", "1", NULL);
	ck_assert(find("m", "u", &got));
	ck_assert_str_eq(got.etag, "\"1\"");
	ck_assert(digest_eq(&got.digest, &f.digest));
	ck_assert_uint_eq(got.size, 1);
	ck_assert(!find("n", "u", &got));
	ck_assert(!find("m", "v", &got));
	ck_ok(catalog_blobs(unit_catalog, &at, rows, &n, &e));
	ck_assert_uint_eq(n, 1);
	ck_ok(catalog_damage_add(unit_catalog, &rows[0].key, "gone", &new, &e));
	ck_assert(!find("m", "u", &got));
	ck_ok(catalog_damage_clear(unit_catalog, &rows[0].key, &e));
	ck_assert(find("m", "u", &got));
}
END_TEST

START_TEST(fetching_anew_replaces_what_was_known)
{
	struct catalog_fetched f = fetched("m", "u", "1"), got;
	struct err e;

	(void)unit_catalog_publish("m", "1", NULL);
	(void)unit_catalog_publish("m", "22", NULL);
	ck_ok(catalog_fetched_set(unit_catalog, &f, 1, &e));
	f = fetched("m", "u", "22");
	(void)snprintf(f.etag, sizeof(f.etag), "\"2\"");
	ck_ok(catalog_fetched_set(unit_catalog, &f, 1, &e));
	ck_assert(find("m", "u", &got));
	ck_assert_str_eq(got.etag, "\"2\"");
	ck_assert_uint_eq(got.size, 2);
}
END_TEST

START_TEST(what_was_fetched_goes_with_the_last_version_or_by_age)
{
	const struct catalog_fetched f[] = {fetched("m", "u", "1"), fetched("m", "v", "1")};
	struct catalog_fetched got;
	struct err e;

	(void)unit_catalog_publish("m", "1", NULL);
	(void)unit_catalog_publish("m", "2", NULL);
	ck_ok(catalog_fetched_set(unit_catalog, f, 2, &e));
	ck_ok(catalog_delete_version(unit_catalog, "m", 2, &e));
	ck_assert(find("m", "u", &got));
	ck_ok(catalog_delete_version(unit_catalog, "m", 1, &e));
	ck_assert_int_eq(unit_catalog_raw("SELECT COUNT(*) FROM fetched"), 0);
	(void)unit_catalog_publish("m", "1", NULL);
	ck_ok(catalog_fetched_set(unit_catalog, f, 2, &e));
	ck_ok(catalog_delete_model(unit_catalog, "m", "", &e));
	ck_assert_int_eq(unit_catalog_raw("SELECT COUNT(*) FROM fetched"), 0);
	ck_ok(catalog_fetched_set(unit_catalog, f, 2, &e));
	ck_assert_int_eq(unit_catalog_raw("UPDATE fetched SET updated = 5 WHERE url ="
		" (SELECT MIN(url) FROM fetched)"), -1);
	ck_ok(catalog_fetched_expire(unit_catalog, 6, &e));
	ck_assert_int_eq(unit_catalog_raw("SELECT COUNT(*) FROM fetched"), 1);
}
END_TEST

static Suite *suite(void)
{
	Suite *s = suite_create("catalog jobs");
	TCase *t = tcase_create("catalog jobs");

	tcase_add_checked_fixture(t, unit_catalog_open, unit_catalog_close);
	tcase_set_timeout(t, 60);
	tcase_add_test(t, a_job_is_read_as_it_was_added);
	tcase_add_test(t, what_is_kept_of_a_request_is_bounded);
	tcase_add_test(t, two_who_claim_get_different_jobs_the_oldest_first);
	tcase_add_test(t, threads_that_claim_at_once_share_the_jobs);
	tcase_add_test(t, a_job_whose_lease_ran_out_is_claimed_again);
	tcase_add_test(t, a_renewed_lease_holds);
	tcase_add_test(t, progress_and_result_are_kept);
	tcase_add_test(t, a_failure_is_in_the_audit_unless_it_is_a_mirrors);
	tcase_add_test(t, a_job_that_is_given_back_waits_again);
	tcase_add_test(t, cancelling_fences_whoever_has_the_job);
	tcase_add_test(t, cancelling_again_changes_nothing);
	tcase_add_test(t, what_has_ended_is_not_cancelled);
	tcase_add_test(t, after_a_restart_what_ran_is_queued);
	tcase_add_test(t, so_many_may_be_open);
	tcase_add_test(t, a_mirror_has_one_open_job);
	tcase_add_test(t, those_that_ended_long_ago_are_forgotten);
	tcase_add_test(t, jobs_are_listed_newest_first_by_model_and_state);
	tcase_add_test(t, a_page_begins_behind_the_one_before);
	tcase_add_test(t, the_check_finds_a_job_that_is_in_two_minds);
	tcase_add_test(t, what_was_fetched_is_found_while_its_blob_is_sound);
	tcase_add_test(t, fetching_anew_replaces_what_was_known);
	tcase_add_test(t, what_was_fetched_goes_with_the_last_version_or_by_age);
	suite_add_tcase(s, t);
	return s;
}

UNIT_MAIN
