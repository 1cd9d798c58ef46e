/* SPDX-License-Identifier: Apache-2.0 */
/* The watchdog's look at a daemon whose parts are stopped one by one. */
#include "common/config/config.h"
#include "common/model/finding_policy.h"
#include "server/import/importer.h"
#include "server/vigil.h"
#include "server/work/workpool.h"
#include "tests/unit/httpd_client.h"
#include "tests/unit/httpd_server.h"
#include "tests/unit/unit.h"
#include "tests/unit/unit_dir.h"
#include "tests/unit/unit_upload.h"

#include <sqlite3.h>
#include <time.h>

#define PATIENCE_MS 50u
#define LOOP_MS     2000u /* a loop that rests comes round once a second */
#define LOOKS       60000

#define GET(path) "GET " path " HTTP/1.1\r\nHost: localhost\r\n\r\n"

static struct config config;
static struct finding_policy rules;
static struct app app;
static struct upkeep upkeep;
static struct vigil vigil;

static void start_importer(void)
{
	struct registry_options o = unit_upload_options();
	struct err e;

	o.dir = unit_dir_path;
	ck_ok(registry_open(&o, &app.registry, &e));
	ck_ok(importer_start(
		&(struct importer_options){
			.config = &config, .rules = &rules, .registry = app.registry},
		&app.importer, &e));
}

static void setup(void)
{
	struct err e;

	unit_dir_make();
	ck_ok(config_init(&config, &e));
	finding_policy_init(&rules);
	start_importer();
	server_start_default();
	vigil_init(&vigil, server, server_workers, &app, &upkeep, 0, 2);
}

static void teardown(void)
{
	server_stop();
	vigil_done(&vigil);
	importer_stop(app.importer);
	importer_free(app.importer);
	registry_close(app.registry);
	config_done(&config);
	unit_dir_remove();
}

static bool is_seen(const char *stuck)
{
	const char *seen = vigil_look(&vigil);

	return stuck && seen ? strcmp(seen, stuck) == 0 : stuck == seen;
}

/* Looks until it sees this; NULL: that all is well. */
static void look_until(const char *stuck)
{
	for (int i = 0; i < LOOKS; i++) {
		if (is_seen(stuck))
			return;
		nanosleep(&(struct timespec){.tv_nsec = 1000000}, NULL);
	}
	ck_abort_msg("never seen: %s", stuck ? stuck : "all is well");
}

START_TEST(nothing_is_wrong_with_a_daemon_at_rest)
{
	ck_assert_ptr_null(vigil_look(&vigil));
}
END_TEST

START_TEST(a_loop_that_does_not_come_round_is_seen)
{
	struct client c = client_open(server_port());

	vigil.loop_ms = LOOP_MS;
	client_say(&c, GET("/stall"));
	server_wait_at_gate();
	look_until("an event loop");
	server_open_gate();
	look_until(NULL);
	client_close(&c);
}
END_TEST

START_TEST(workers_that_are_all_held_up_are_seen)
{
	struct client held[2] = {client_open(server_port()), client_open(server_port())};

	for (size_t i = 0; i < 2; i++) {
		client_say(&held[i], GET("/gate"));
		server_wait_at_gate();
	}
	vigil.probe_ms = PATIENCE_MS;
	look_until("the workers or the catalog");
	for (size_t i = 0; i < 2; i++)
		server_open_gate();
	vigil.probe_ms = UINT32_MAX;
	look_until(NULL);
	for (size_t i = 0; i < 2; i++)
		client_close(&held[i]);
}
END_TEST

START_TEST(work_that_is_begun_is_life_though_the_probe_waits)
{
	ck_assert_ptr_null(vigil_look(&vigil));
	vigil.probe_ms = PATIENCE_MS;
	vigil.next_ms = UINT64_MAX; /* no other probe */
	look_until("the workers or the catalog");
	struct answer a = client_ask(server_port(), GET("/work"));
	ck_assert_int_eq(a.status, 200);
	answer_done(&a);
	vigil.probe_ms = UINT32_MAX;
	ck_assert_ptr_null(vigil_look(&vigil));
	ck_assert_uint_eq(vigil.begun, workpool_begun(server_workers));
}
END_TEST

static void tell_new_sources(void)
{
	struct importer_settings *s;
	struct err e;

	ck_ok(config_set(&config, "import.sources=m=https://models.example/m/model.json|1h",
		"test", &e));
	ck_ok(importer_settings_new(app.importer, &config, &rules, &s, &e));
	importer_settings_put(app.importer, s);
}

/* It waits for the lock of the catalog's writers. */
START_TEST(a_keeper_that_does_not_come_round_is_seen)
{
	sqlite3 *db;

	ck_assert_int_eq(sqlite3_open(unit_dir_file("catalog.db"), &db), SQLITE_OK);
	ck_assert_int_eq(sqlite3_busy_timeout(db, 60000), SQLITE_OK);
	ck_assert_int_eq(sqlite3_exec(db, "BEGIN IMMEDIATE", NULL, NULL, NULL), SQLITE_OK);
	vigil.keeper_ms = PATIENCE_MS;
	tell_new_sources();
	look_until("the importer");
	ck_assert_int_eq(sqlite3_exec(db, "ROLLBACK", NULL, NULL, NULL), SQLITE_OK);
	sqlite3_close(db);
	look_until(NULL);
}
END_TEST

static void describe(struct buf *out)
{
	buf_clear(out);
	vigil_describe(&vigil, out);
}

START_TEST(the_status_counts_what_the_probe_found)
{
	CLEANUP_BUF struct buf out = BUF_INIT(4096);
	struct published published;
	struct err e;

	ck_ok(unit_upload_model(app.registry, "m", "abcdefgh", &published, &e));
	describe(&out);
	ck_assert_ptr_null(strstr(buf_str(&out), "version"));
	for (int i = 0; i < LOOKS && !strstr(buf_str(&out), ": 1 model, 1 version"); i++) {
		ck_assert_ptr_null(vigil_look(&vigil));
		nanosleep(&(struct timespec){.tv_nsec = 1000000}, NULL);
		describe(&out);
	}
	ck_assert_ptr_nonnull(strstr(buf_str(&out), ": 1 model, 1 version"));
	atomic_store(&upkeep.doing, "checking the catalog");
	describe(&out);
	ck_assert_ptr_nonnull(strstr(buf_str(&out), "; checking the catalog"));
}
END_TEST

static Suite *suite(void)
{
	Suite *s = suite_create("vigil");
	TCase *t = tcase_create("vigil");

	tcase_add_checked_fixture(t, setup, teardown);
	tcase_set_timeout(t, 120);
	tcase_add_test(t, nothing_is_wrong_with_a_daemon_at_rest);
	tcase_add_test(t, a_loop_that_does_not_come_round_is_seen);
	tcase_add_test(t, workers_that_are_all_held_up_are_seen);
	tcase_add_test(t, work_that_is_begun_is_life_though_the_probe_waits);
	tcase_add_test(t, a_keeper_that_does_not_come_round_is_seen);
	tcase_add_test(t, the_status_counts_what_the_probe_found);
	suite_add_tcase(s, t);
	return s;
}

UNIT_MAIN
