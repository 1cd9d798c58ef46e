/* SPDX-License-Identifier: Apache-2.0 */
/* Mirrors from the configuration to the versions, with a web server that changes. */
#include "common/base/bell.h"
#include "common/model/finding_policy.h"
#include "server/import/importer.h"
#include "tests/unit/unit.h"
#include "tests/unit/unit_dir.h"
#include "tests/unit/unit_origin.h"
#include "tests/unit/unit_upload.h"

#define WAIT_MS 120000u

static struct config config;
static struct finding_policy rules;
static struct registry *registry;
static struct importer *importer;
static struct origin *origin;
static struct bell published_bell;

enum { MODEL, SHARD, FILES_N };
static struct origin_file files[FILES_N];

static void published(void *cls, const char *model)
{
	(void)cls;
	ck_assert_str_eq(model, "team/m");
	bell_ring(&published_bell);
}

static void start_importer(void)
{
	struct registry_options o = unit_upload_options();
	struct err e;

	o.upload_age_ms = 3600000;
	o.max_uploads = 10;
	o.max_upload_bytes = 64 << 20;
	ck_ok(registry_open(&o, &registry, &e));
	ck_ok(importer_start(
		&(struct importer_options){
			.config = &config,
			.rules = &rules,
			.registry = registry,
			.published = published,
		},
		&importer, &e));
}

static void stop_importer(void)
{
	importer_stop(importer);
	importer_free(importer);
	registry_close(registry);
}

static void setup(void)
{
	char setting[256];
	struct err e;

	unit_dir_make();
	bell_init(&published_bell);
	ck_ok(config_init(&config, &e));
	ck_ok(config_set(&config, "import.allow=127.0.0.1", "test", &e));
	finding_policy_init(&rules);
	files[MODEL] = (struct origin_file){.target = "/m/model.json", .bytes = UNIT_MODEL_JSON,
		.n = strlen(UNIT_MODEL_JSON), .etag = "\"m1\""};
	files[SHARD] = (struct origin_file){.target = "/m/model.weights.bin",
		.bytes = "01234567", .n = 8, .etag = "\"w1\""};
	origin = origin_start(files, FILES_N);
	(void)snprintf(setting, sizeof(setting), "import.sources=team/m@stable=%s|1s",
		origin_url(origin, "/m/model.json"));
	ck_ok(config_set(&config, setting, "test", &e));
}

static void teardown(void)
{
	stop_importer();
	origin_stop(origin);
	config_done(&config);
	bell_done(&published_bell);
	unit_dir_remove();
}

static void await_published(uint64_t seen)
{
	ck_assert_uint_gt(bell_wait(&published_bell, seen, WAIT_MS), seen);
}

static struct catalog_mirror state(void)
{
	struct catalog_mirror *rows, row;
	size_t n;
	struct err e;

	ck_ok(importer_mirrors(importer, &rows, &n, &e));
	ck_assert_uint_eq(n, 1);
	row = rows[0];
	free(rows);
	return row;
}

static uint64_t labelled(void)
{
	struct catalog_label label;
	struct err e;

	ck_ok(catalog_label(registry_catalog(registry), "team/m", "stable", &label, &e));
	return label.version;
}

static struct importer_state counts(void)
{
	struct importer_state now;

	importer_state(importer, &now);
	return now;
}

START_TEST(what_is_new_at_the_source_becomes_a_version_with_the_label)
{
	uint64_t seen = bell_rung(&published_bell);

	start_importer();
	await_published(seen);
	ck_assert_uint_eq(labelled(), 1);
	ck_assert_uint_eq(counts().mirrors, 1);
	origin_lock(origin);
	files[SHARD].bytes = "76543210";
	files[SHARD].etag = "\"w2\"";
	origin_unlock(origin);
	while (labelled() < 2) {
		seen = bell_rung(&published_bell);
		if (labelled() < 2)
			await_published(seen);
	}
	ck_assert_str_eq(state().name, "team/m@stable");
}
END_TEST

static void reconfigure(const char *sources, const char *jobs)
{
	char setting[512];
	struct importer_settings *s;
	struct err e;

	(void)snprintf(setting, sizeof(setting), "import.sources=%s", sources);
	ck_ok(config_set(&config, setting, "test", &e));
	(void)snprintf(setting, sizeof(setting), "import.jobs=%s", jobs);
	ck_ok(config_set(&config, setting, "test", &e));
	ck_ok(importer_settings_new(importer, &config, &rules, &s, &e));
	importer_settings_put(importer, s);
}

static void await_mirrors(uint64_t n)
{
	for (unsigned i = 0; counts().mirrors != n; i++) {
		struct bell never;
		ck_assert_uint_lt(i, WAIT_MS / 20);
		bell_init(&never);
		(void)bell_wait(&never, 0, 20);
		bell_done(&never);
	}
}

START_TEST(mirrors_come_and_go_while_it_runs)
{
	char sources[400];
	uint64_t seen = bell_rung(&published_bell);

	start_importer();
	await_published(seen);
	reconfigure("", "0"); /* nothing is imported any more */
	await_mirrors(0);
	(void)snprintf(sources, sizeof(sources), "team/m@stable=%s|1s other=%s|1s",
		origin_url(origin, "/m/model.json"), origin_url(origin, "/m/model.json"));
	seen = bell_rung(&published_bell);
	reconfigure(sources, "5");
	await_mirrors(2);
	await_published(seen);
	ck_assert_uint_eq(labelled(), 1);
}
END_TEST

static void await_failures(uint64_t n)
{
	for (unsigned i = 0; state().failures < n; i++) {
		struct bell never;
		ck_assert_uint_lt(i, WAIT_MS / 20);
		bell_init(&never);
		(void)bell_wait(&never, 0, 20);
		bell_done(&never);
	}
}

START_TEST(a_source_that_fails_leaves_what_is_served)
{
	uint64_t seen = bell_rung(&published_bell);

	start_importer();
	await_published(seen);
	origin_lock(origin);
	files[MODEL].status = 404;
	files[MODEL].etag = NULL;
	origin_unlock(origin);
	await_failures(1);
	ck_assert_uint_eq(labelled(), 1);
	ck_assert_uint_eq(counts().mirrors_failing, 1);
	ck_assert_msg(strstr(state().error, "404"), "%s", state().error);
	ck_assert_uint_gt(state().failing_ms, 0);
	stop_importer();
	start_importer();
	ck_assert_uint_ge(state().failures, 1);
	ck_assert_uint_eq(labelled(), 1);
	origin_lock(origin);
	files[MODEL].status = 0;
	files[SHARD].bytes = "76543210";
	files[SHARD].etag = "\"w2\"";
	origin_unlock(origin);
	while (labelled() < 2) {
		seen = bell_rung(&published_bell);
		if (labelled() < 2)
			await_published(seen);
	}
}
END_TEST

static Suite *suite(void)
{
	Suite *s = suite_create("importer mirrors");
	TCase *t = tcase_create("importer mirrors");

	tcase_add_checked_fixture(t, setup, teardown);
	tcase_set_timeout(t, 280);
	tcase_add_test(t, what_is_new_at_the_source_becomes_a_version_with_the_label);
	tcase_add_test(t, mirrors_come_and_go_while_it_runs);
	tcase_add_test(t, a_source_that_fails_leaves_what_is_served);
	suite_add_tcase(s, t);
	return s;
}

UNIT_MAIN
