/* SPDX-License-Identifier: Apache-2.0 */
/* When mirrors are looked at, by a clock that the tests move. */
#include "server/import/mirrors_schedule.h"
#include "tests/unit/unit.h"
#include "tests/unit/unit_catalog.h"

#define START    UINT64_C(1000000000000)
#define SECOND   UINT64_C(1000)
#define MINUTE   (60 * SECOND)
#define HOUR     (60 * MINUTE)
#define DAY      (24 * HOUR)
#define WORDS(...) ((const char *const[]){__VA_ARGS__})

static struct mirrors_schedule *schedule;
static uint64_t now;
static unsigned submitted;
static enum err_code refuse_with; /* ERR_NONE: submit() works */
static char last_mirror[CATALOG_MIRROR_MAX + 1], last_label[REF_LABEL_MAX + 1];
static char last_job[CATALOG_JOB_ID + 1];

static int submit(void *cls, const struct import_request *q, char *id, struct err *e)
{
	static char request[] = "{}";
	struct catalog_job j = {.kind = "import", .request = request};
	int r;

	(void)cls;
	if (refuse_with != ERR_NONE)
		return err_set(e, refuse_with, "refused on purpose");
	(void)snprintf(j.id, sizeof(j.id), "%032x", ++submitted);
	(void)snprintf(j.model, sizeof(j.model), "%s", q->model);
	(void)snprintf(j.mirror, sizeof(j.mirror), "%s", q->mirror);
	r = catalog_job_add(unit_catalog, &j, 0, e);
	if (r < 0) {
		submitted--;
		return r;
	}
	(void)snprintf(last_mirror, sizeof(last_mirror), "%s", q->mirror);
	(void)snprintf(last_label, sizeof(last_label), "%s", q->label);
	memcpy(last_job, j.id, sizeof(last_job));
	memcpy(id, j.id, sizeof(j.id));
	return 0;
}

static void open_schedule(const char *const *words, size_t n)
{
	const struct config_list sources = {.items = (char **)(uintptr_t)words, .n = n};
	const struct mirrors_schedule_options o = {
		.sources = &sources, .catalog = unit_catalog, .submit = submit};
	struct err e;

	mirrors_schedule_close(take_ptr(schedule));
	ck_ok(mirrors_schedule_open(&o, now, &schedule, &e));
}

static void restart(const char *const *words, size_t n)
{
	mirrors_schedule_close(take_ptr(schedule));
	unit_catalog_reopen();
	open_schedule(words, n);
}

static void set_up(void)
{
	unit_catalog_open();
	now = START;
}

static void tear_down(void)
{
	mirrors_schedule_close(schedule);
	unit_catalog_close();
}

static uint64_t run(void)
{
	return mirrors_schedule_run(schedule, now);
}

/* How many looks there are from now on within `ms`, with runs as they are asked for. */
static unsigned looks_within(uint64_t ms)
{
	uint64_t until = now + ms;
	unsigned before = submitted;

	for (;;) {
		uint64_t wait = run();
		ck_assert_uint_gt(wait, 0);
		if (now + wait > until)
			break;
		now += wait;
	}
	now = until;
	return submitted - before;
}

static struct catalog_mirror state_of(size_t i)
{
	struct catalog_mirror *rows, row;
	size_t n;
	struct err e;

	ck_ok(mirrors_schedule_list(schedule, &rows, &n, &e));
	ck_assert_uint_lt(i, n);
	row = rows[i];
	free(rows);
	return row;
}

/* The last job ends just now. */
static void end_job(enum catalog_job_state state)
{
	static char outcome[] = "{\"error\":{\"code\":\"FETCH_FAILED\",\"detail\":\"no route\"}}";
	struct catalog_job j;
	char sql[160];
	bool any;
	struct err e;

	if (state == CATALOG_JOB_CANCELLED) {
		ck_ok(catalog_job_cancel(unit_catalog, last_job, &j, &e));
		catalog_job_clear(&j);
	} else {
		ck_ok(catalog_job_claim(unit_catalog, HOUR, &j, &any, &e));
		ck_assert(any);
		ck_assert_str_eq(j.id, last_job);
		j.state = state;
		j.version = 7;
		j.outcome = state == CATALOG_JOB_FAILED ? outcome : NULL;
		ck_ok(catalog_job_end(unit_catalog, &j, &e));
		j.outcome = NULL;
		catalog_job_clear(&j);
	}
	(void)snprintf(sql, sizeof(sql), "UPDATE jobs SET finished = %llu WHERE id = '%s'",
		(unsigned long long)now, last_job);
	(void)unit_catalog_raw(sql);
	now += 2 * SECOND;
	(void)run();
}

START_TEST(a_new_mirror_is_looked_at_at_once_and_then_by_its_interval)
{
	open_schedule(WORDS("m@stable=https://h/model.json"), 1);
	(void)run();
	ck_assert_uint_eq(submitted, 1);
	ck_assert_str_eq(last_mirror, "m@stable");
	ck_assert_str_eq(last_label, "stable");
	ck_assert_str_eq(state_of(0).job, last_job);
	end_job(CATALOG_JOB_DONE);
	ck_assert_str_eq(state_of(0).job, "");
	ck_assert_uint_eq(state_of(0).version, 7);
	ck_assert_uint_eq(state_of(0).good_ms, now - 2 * SECOND);
	ck_assert_uint_eq(looks_within(DAY - DAY / 10 - MINUTE), 0);
	ck_assert_uint_eq(looks_within(DAY / 10 + MINUTE), 1);
}
END_TEST

START_TEST(one_that_runs_long_is_not_looked_at_again)
{
	open_schedule(WORDS("m=https://h/model.json|1h"), 1);
	(void)run();
	ck_assert_uint_eq(looks_within(5 * HOUR), 0);
	end_job(CATALOG_JOB_DONE);
	ck_assert_uint_eq(looks_within(HOUR), 1);
}
END_TEST

START_TEST(a_failing_one_is_tried_sooner_and_then_less_and_less)
{
	uint64_t pauses[12], since;

	open_schedule(WORDS("m=https://h/model.json|6h"), 1);
	(void)run();
	since = now;
	for (size_t i = 0; i < ARRAY_SIZE(pauses); i++) {
		struct catalog_mirror row;
		uint64_t failed = now;
		end_job(CATALOG_JOB_FAILED);
		row = state_of(0);
		ck_assert_str_eq(row.error, "no route");
		ck_assert_uint_eq(row.failures, i + 1);
		ck_assert_uint_eq(row.failing_ms, since);
		ck_assert_uint_eq(row.good_ms, 0);
		pauses[i] = row.next_ms - failed;
		now = row.next_ms;
		(void)run();
		ck_assert_uint_eq(submitted, i + 2);
	}
	ck_assert_uint_le(pauses[0], MINUTE);
	ck_assert_uint_ge(pauses[0], MINUTE - MINUTE / 10);
	ck_assert_uint_le(pauses[1], 2 * MINUTE);
	ck_assert_uint_gt(pauses[1], pauses[0]);
	ck_assert_uint_gt(pauses[2], pauses[1]);
	ck_assert_uint_ge(pauses[11], 6 * HOUR - 6 * HOUR / 10);
	ck_assert_uint_le(pauses[11], 6 * HOUR);
	end_job(CATALOG_JOB_DONE);
	ck_assert_uint_eq(state_of(0).failures, 0);
	ck_assert_uint_eq(state_of(0).failing_ms, 0);
	ck_assert_str_eq(state_of(0).error, "");
}
END_TEST

START_TEST(a_failure_pauses_no_longer_than_the_interval)
{
	open_schedule(WORDS("m=https://h/model.json|5s"), 1);
	(void)run();
	end_job(CATALOG_JOB_FAILED);
	ck_assert_uint_eq(looks_within(5 * SECOND), 1);
}
END_TEST

START_TEST(mirrors_of_one_interval_are_looked_at_apart)
{
	uint64_t n, failing, first, second;

	open_schedule(WORDS("a=https://h/a", "b=https://h/b", "c=https://h/c"), 3);
	(void)run();
	ck_assert_uint_eq(submitted, 1);
	end_job(CATALOG_JOB_DONE);
	ck_assert_uint_eq(submitted, 2);
	end_job(CATALOG_JOB_DONE);
	ck_assert_uint_eq(submitted, 3);
	end_job(CATALOG_JOB_DONE);
	first = state_of(0).next_ms;
	second = state_of(1).next_ms;
	ck_assert(first > second + SECOND || second > first + SECOND);
	mirrors_schedule_count(schedule, &n, &failing);
	ck_assert_uint_eq(n, 3);
	ck_assert_uint_eq(failing, 0);
}
END_TEST

START_TEST(a_restart_neither_forgets_a_look_nor_repeats_one)
{
	const char *const *words = WORDS("m=https://h/model.json|6h");

	open_schedule(words, 1);
	(void)run();
	end_job(CATALOG_JOB_FAILED);
	restart(words, 1);
	ck_assert_uint_eq(state_of(0).failures, 1);
	ck_assert_str_eq(state_of(0).error, "no route");
	(void)run();
	ck_assert_uint_eq(submitted, 1);
	ck_assert_uint_eq(looks_within(MINUTE), 1);
	restart(words, 1);
	(void)run();
	ck_assert_uint_eq(submitted, 2);
	end_job(CATALOG_JOB_DONE);
	restart(words, 1);
	ck_assert_uint_eq(looks_within(5 * HOUR), 0);
	now += 10 * DAY;
	restart(words, 1);
	(void)run();
	ck_assert_uint_eq(submitted, 3);
}
END_TEST

START_TEST(what_ended_while_nobody_looked_is_taken_down_at_the_start)
{
	const char *const *words = WORDS("m=https://h/model.json");

	open_schedule(words, 1);
	(void)run();
	mirrors_schedule_close(take_ptr(schedule));
	open_schedule(words, 1);
	end_job(CATALOG_JOB_FAILED);
	ck_assert_uint_eq(state_of(0).failures, 1);
	ck_assert_str_eq(state_of(0).job, "");
}
END_TEST

START_TEST(a_job_that_was_forgotten_is_waited_for_no_longer)
{
	open_schedule(WORDS("m=https://h/model.json"), 1);
	(void)run();
	(void)unit_catalog_raw("DELETE FROM jobs");
	ck_assert_uint_eq(looks_within(DAY / 2), 0);
	ck_assert_str_eq(state_of(0).job, "");
	ck_assert_uint_eq(looks_within(DAY / 2), 1);
}
END_TEST

START_TEST(a_cancelled_look_is_no_failure)
{
	open_schedule(WORDS("m=https://h/model.json"), 1);
	(void)run();
	end_job(CATALOG_JOB_CANCELLED);
	ck_assert_uint_eq(state_of(0).failures, 0);
	ck_assert_uint_eq(looks_within(DAY - DAY / 10 - MINUTE), 0);
	ck_assert_uint_eq(looks_within(DAY / 10 + MINUTE), 1);
}
END_TEST

START_TEST(a_full_queue_is_no_failure_and_a_refusal_is)
{
	open_schedule(WORDS("m=https://h/model.json"), 1);
	refuse_with = ERR_TOO_MANY;
	ck_assert_uint_le(run(), MINUTE);
	ck_assert_uint_eq(state_of(0).failures, 0);
	refuse_with = ERR_FETCH_REFUSED;
	now += MINUTE;
	(void)run();
	ck_assert_uint_eq(state_of(0).failures, 1);
	ck_assert_str_eq(state_of(0).error, "refused on purpose");
	refuse_with = ERR_NONE;
	now += MINUTE;
	(void)run();
	ck_assert_uint_eq(submitted, 1);
}
END_TEST

START_TEST(another_url_begins_anew)
{
	open_schedule(WORDS("m=https://h/model.json"), 1);
	(void)run();
	end_job(CATALOG_JOB_FAILED);
	restart(WORDS("m=https://other/model.json"), 1);
	ck_assert_uint_eq(state_of(0).failures, 0);
	(void)run();
	ck_assert_uint_eq(submitted, 2);
}
END_TEST

/* The import of the old one is still under way. */
START_TEST(another_url_waits_for_the_look_at_the_old_one)
{
	open_schedule(WORDS("m=https://h/model.json"), 1);
	(void)run();
	restart(WORDS("m=https://other/model.json"), 1);
	(void)run();
	ck_assert_uint_eq(submitted, 1);
	ck_assert_uint_eq(state_of(0).failures, 0);
	end_job(CATALOG_JOB_DONE);
	ck_assert_uint_eq(state_of(0).version, 0);
	ck_assert_uint_eq(looks_within(MINUTE), 1);
}
END_TEST

START_TEST(a_shorter_interval_counts_at_once)
{
	open_schedule(WORDS("m=https://h/model.json|30d"), 1);
	(void)run();
	end_job(CATALOG_JOB_DONE);
	restart(WORDS("m=https://h/model.json|1h"), 1);
	ck_assert_uint_eq(looks_within(HOUR), 1);
}
END_TEST

START_TEST(mirrors_that_are_configured_no_more_are_forgotten)
{
	open_schedule(WORDS("a=https://h/a", "b=https://h/b"), 2);
	(void)looks_within(MINUTE);
	ck_assert_int_eq(unit_catalog_raw("SELECT COUNT(*) FROM mirrors"), 2);
	restart(WORDS("b=https://h/b"), 1);
	ck_assert_int_eq(unit_catalog_raw("SELECT COUNT(*) FROM mirrors"), 1);
	restart(NULL, 0);
	ck_assert_int_eq(unit_catalog_raw("SELECT COUNT(*) FROM mirrors"), 0);
	ck_assert_uint_gt(run(), 0);
}
END_TEST

START_TEST(bad_sources_are_refused)
{
	const char *const words[] = {"m=nothing"};
	const struct config_list sources = {.items = (char **)(uintptr_t)words, .n = 1};
	const struct mirrors_schedule_options o = {
		.sources = &sources, .catalog = unit_catalog, .submit = submit};
	struct err e;

	ck_err(mirrors_schedule_open(&o, now, &schedule, &e), ERR_CONFIG);
}
END_TEST

static Suite *suite(void)
{
	Suite *s = suite_create("mirrors schedule");
	TCase *t = tcase_create("mirrors schedule");

	tcase_add_checked_fixture(t, set_up, tear_down);
	tcase_set_timeout(t, 60);
	tcase_add_test(t, a_new_mirror_is_looked_at_at_once_and_then_by_its_interval);
	tcase_add_test(t, one_that_runs_long_is_not_looked_at_again);
	tcase_add_test(t, a_failing_one_is_tried_sooner_and_then_less_and_less);
	tcase_add_test(t, a_failure_pauses_no_longer_than_the_interval);
	tcase_add_test(t, mirrors_of_one_interval_are_looked_at_apart);
	tcase_add_test(t, a_restart_neither_forgets_a_look_nor_repeats_one);
	tcase_add_test(t, what_ended_while_nobody_looked_is_taken_down_at_the_start);
	tcase_add_test(t, a_job_that_was_forgotten_is_waited_for_no_longer);
	tcase_add_test(t, a_cancelled_look_is_no_failure);
	tcase_add_test(t, a_full_queue_is_no_failure_and_a_refusal_is);
	tcase_add_test(t, another_url_begins_anew);
	tcase_add_test(t, another_url_waits_for_the_look_at_the_old_one);
	tcase_add_test(t, a_shorter_interval_counts_at_once);
	tcase_add_test(t, mirrors_that_are_configured_no_more_are_forgotten);
	tcase_add_test(t, bad_sources_are_refused);
	suite_add_tcase(s, t);
	return s;
}

UNIT_MAIN
