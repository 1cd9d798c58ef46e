/* SPDX-License-Identifier: Apache-2.0 */
/* Imports from a small web server that misbehaves as it is told. */
#include "common/base/bell.h"
#include "common/model/finding_policy.h"
#include "common/registry/staging.h"
#include "server/import/importer.h"
#include "common/store/catalog_tensors.h"
#include "tests/unit/unit.h"
#include "tests/unit/unit_dir.h"
#include "tests/unit/unit_origin.h"
#include "tests/unit/unit_upload.h"

#include <errno.h>
#include <pthread.h>
#include <time.h>

#define WEIGHTS_N ((size_t)(1u << 20)) /* of a shard: enough to be cut in the middle */
#define LOOKS_MS  60000u

/* Weights alone are a model too: two shards. */
static const char weights_json[] =
	"{\"weightsManifest\":[{\"paths\":[\"a.bin\",\"b.bin\"],\"weights\":["
	"{\"name\":\"w\",\"shape\":[524288],\"dtype\":\"float32\"}]}]}";
/* The same, spelt otherwise. */
static const char other_json[] =
	"{ \"weightsManifest\":[{\"paths\":[\"a.bin\",\"b.bin\"],\"weights\":["
	"{\"name\":\"w\",\"shape\":[524288],\"dtype\":\"float32\"}]}]}";

static char weights_a[WEIGHTS_N], weights_b[WEIGHTS_N];
static struct config config;
static struct finding_policy rules;
static struct registry *registry;
static struct importer *importer;
static struct origin *origin;
static atomic_uint published_n;

enum { MODEL, SHARD_A, SHARD_B, EXTRA, FILES_N };
static struct origin_file files[FILES_N];

static void (*when_published)(void); /* NULL for nothing */

static void published(void *cls, const char *model)
{
	(void)cls;
	ck_assert_str_eq(model, "m");
	atomic_fetch_add(&published_n, 1);
	if (when_published)
		when_published();
}

static void start_importer(void)
{
	struct registry_options o = unit_upload_options();
	struct err e;

	o.dir = unit_dir_path;
	o.max_model_json_bytes = 1 << 20;
	o.max_file_bytes = 8 << 20;
	o.max_version_bytes = 16 << 20;
	o.max_version_files = 100;
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

static void fill(void)
{
	for (size_t i = 0; i < WEIGHTS_N; i++) {
		weights_a[i] = (char)(i % 4 == 3 ? 0x3f : i / 4);
		weights_b[i] = (char)(i % 4 == 3 ? 0x3e : i / 8);
	}
	files[MODEL] = (struct origin_file){.target = "/m/model.json", .bytes = weights_json,
		.n = strlen(weights_json), .etag = "\"m1\""};
	files[SHARD_A] = (struct origin_file){.target = "/m/a.bin", .bytes = weights_a,
		.n = WEIGHTS_N, .etag = "\"a1\""};
	files[SHARD_B] = (struct origin_file){.target = "/m/b.bin", .bytes = weights_b,
		.n = WEIGHTS_N, .etag = "\"b1\""};
	files[EXTRA] = (struct origin_file){.target = "/m/labels.txt", .bytes = "cat\ndog\n",
		.n = 8};
}

static void setup(void)
{
	struct err e;

	unit_dir_make();
	ck_ok(config_init(&config, &e));
	ck_ok(config_set(&config, "import.allow=127.0.0.1", "test", &e));
	finding_policy_init(&rules);
	atomic_store(&published_n, 0);
	fill();
	origin = origin_start(files, FILES_N);
	start_importer();
}

static void teardown(void)
{
	stop_importer();
	origin_stop(origin);
	config_done(&config);
	unit_dir_remove();
}

/* ---- jobs ---- */

static void submit(const char *target, const char *more, char id[CATALOG_JOB_ID + 1])
{
	CLEANUP_BUF struct buf json = BUF_INIT(4096);
	struct import_request q;
	struct err e;

	buf_addf(&json, "{\"url\":\"%s\"%s}", origin_url(origin, target), more);
	ck_ok(import_request_parse((struct str){json.data, json.len}, &q, &e));
	(void)snprintf(q.model, sizeof(q.model), "m");
	(void)snprintf(q.who, sizeof(q.who), "test");
	q.models = strdup("read");
	ck_ok(importer_submit(importer, &q, id, &e));
	import_request_clear(&q);
}

static void ring(void *cls)
{
	bell_ring(cls);
}

static bool is_open(const struct catalog_job *j)
{
	return j->state == CATALOG_JOB_QUEUED || j->state == CATALOG_JOB_RUNNING;
}

/* Until it has ended, or has so many bytes. Clear *ret. */
static void await(const char *id, uint64_t bytes, struct catalog_job *ret)
{
	struct import_watch *watch;
	struct bell bell;
	uint64_t seen, rate;
	struct err e;

	bell_init(&bell);
	ck_ok(importer_watch(importer, id, ring, &bell, &watch, &e));
	for (;;) {
		seen = bell_rung(&bell);
		ck_ok(importer_look(importer, id, ret, &rate, &e));
		if (!is_open(ret) || ret->progress.bytes >= bytes)
			break;
		catalog_job_clear(ret);
		ck_assert_uint_gt(bell_wait(&bell, seen, LOOKS_MS), seen);
	}
	importer_unwatch(watch);
	bell_done(&bell);
}

static void await_end(const char *id, struct catalog_job *ret)
{
	await(id, UINT64_MAX, ret);
}

static void import(const char *target, const char *more, struct catalog_job *ret)
{
	char id[CATALOG_JOB_ID + 1];

	submit(target, more, id);
	await_end(id, ret);
}

static void expect_done(const struct catalog_job *j, uint64_t version, bool unchanged)
{
	ck_assert_msg(j->state == CATALOG_JOB_DONE, "%s", j->outcome ? j->outcome : "no outcome");
	ck_assert_uint_eq(j->version, version);
	ck_assert_int_eq(j->unchanged, unchanged);
}

static void expect_failed(const struct catalog_job *j, const char *words)
{
	ck_assert_int_eq(j->state, CATALOG_JOB_FAILED);
	ck_assert_ptr_nonnull(j->outcome);
	ck_assert_msg(strstr(j->outcome, words), "%s has no \"%s\"", j->outcome, words);
}

/* Of a job that has ended nothing is left but its row and what it published. Ends the importer:
 * that is cleared away behind the end of the job. */
static void expect_clean(const struct catalog_job *j)
{
	CLEANUP(catalog_upload_free_p) struct catalog_upload *u = NULL;
	struct err e;

	importer_stop(importer);
	ck_assert_uint_eq(unit_dir_count("jobs"), 0);
	if (j->upload[0])
		ck_err(staging_read(registry, j->upload, &u, &e), ERR_UPLOAD_NOT_FOUND);
}

static void expect_file(uint64_t version, const char *path, const char *bytes, size_t n)
{
	CLEANUP(catalog_version_free_p) struct catalog_version *v = NULL;
	CLEANUP(blob_unref_p) struct blob *blob = NULL;
	const struct catalog_version_file *file;
	struct err e;

	ck_ok(catalog_version(registry_catalog(registry), "m", version, &v, &e));
	ck_ok(registry_open_file(registry, v, path, &file, &blob, &e));
	ck_assert_uint_eq(blob_size(blob), n);
	ck_assert_int_eq(memcmp(blob_data(blob), bytes, n), 0);
}

/* ---- what goes well ---- */

START_TEST(a_model_becomes_a_version)
{
	struct catalog_job j;

	import("/m/model.json", ",\"include\":[\"labels.txt\"],\"label\":\"stable\"", &j);
	expect_done(&j, 1, false);
	expect_clean(&j);
	ck_assert_uint_eq(j.progress.files, 4);
	ck_assert_uint_eq(j.progress.bytes, 2 * WEIGHTS_N + strlen(weights_json) + 8);
	ck_assert_ptr_nonnull(strstr(j.outcome, "\"label\":\"stable\""));
	expect_file(1, "model.json", weights_json, strlen(weights_json));
	expect_file(1, "a.bin", weights_a, WEIGHTS_N);
	expect_file(1, "b.bin", weights_b, WEIGHTS_N);
	expect_file(1, "labels.txt", "cat\ndog\n", 8);
	ck_assert_uint_eq(atomic_load(&published_n), 1);
	catalog_job_clear(&j);
}
END_TEST

/* Weights that were looked at while others came are described like any others. */
START_TEST(weights_are_described_like_those_of_a_publish)
{
	const struct unit_part parts[] = {
		{"model.json", "", weights_json, sizeof(weights_json) - 1},
		{"a.bin", "", weights_a, WEIGHTS_N},
		{"b.bin", "", weights_b, WEIGHTS_N},
	};
	CLEANUP_FREE char *fetched = NULL, *sent = NULL;
	bool due;
	struct findings f;
	struct published p;
	struct catalog_job j;
	struct err e;

	import("/m/model.json", "", &j);
	expect_done(&j, 1, false);
	catalog_job_clear(&j);
	findings_init(&f);
	ck_ok(unit_upload_publish(registry, "n", parts, 3, &p, &f, &e));
	findings_done(&f);
	ck_ok(catalog_tensors_read(registry_catalog(registry), "m", 1, &fetched, &due, &e));
	ck_ok(catalog_tensors_read(registry_catalog(registry), "n", 1, &sent, &due, &e));
	ck_assert_ptr_nonnull(strstr(sent, "\"mean\""));
	ck_assert_str_eq(fetched, sent);
}
END_TEST

START_TEST(what_did_not_change_is_not_fetched_again)
{
	struct catalog_job j;

	import("/m/model.json", "", &j);
	catalog_job_clear(&j);
	import("/m/model.json", "", &j);
	expect_done(&j, 1, true);
	origin_lock(origin);
	/* Once at the end of the first one too. */
	ck_assert_uint_eq(files[MODEL].unchanged, 2);
	ck_assert_uint_eq(files[SHARD_A].unchanged, 2);
	ck_assert_uint_eq(files[SHARD_B].unchanged, 2);
	files[SHARD_B].bytes = weights_a;
	files[SHARD_B].etag = "\"b2\"";
	origin_unlock(origin);
	catalog_job_clear(&j);
	import("/m/model.json", "", &j);
	expect_done(&j, 2, false);
	expect_file(2, "b.bin", weights_a, WEIGHTS_N);
	catalog_job_clear(&j);
}
END_TEST

START_TEST(a_handle_of_tf_hub_is_completed)
{
	struct catalog_job j;

	files[MODEL].target = "/m/model.json?tfjs-format=file";
	files[SHARD_A].target = "/m/a.bin?tfjs-format=file";
	files[SHARD_B].target = "/m/b.bin?tfjs-format=file";
	import("/m", ",\"fromTFHub\":true", &j);
	expect_done(&j, 1, false);
	catalog_job_clear(&j);
}
END_TEST

START_TEST(headers_go_to_the_host_of_the_url)
{
	struct catalog_job j;

	import("/m/model.json", ",\"headers\":{\"X-Key\":\"secret\"}", &j);
	expect_done(&j, 1, false);
	origin_lock(origin);
	ck_assert_ptr_nonnull(strstr(files[MODEL].request, "X-Key: secret\r\n"));
	ck_assert_ptr_nonnull(strstr(files[SHARD_A].request, "X-Key: secret\r\n"));
	origin_unlock(origin);
	ck_assert_ptr_null(strstr(j.request, "secret"));
	ck_assert_ptr_null(strstr(j.outcome, "secret"));
	catalog_job_clear(&j);
}
END_TEST

/* ---- what does not ---- */

START_TEST(a_transfer_that_is_cut_goes_on_where_it_was)
{
	struct catalog_job j;

	files[SHARD_A].cuts = 2;
	import("/m/model.json", "", &j);
	expect_done(&j, 1, false);
	expect_file(1, "a.bin", weights_a, WEIGHTS_N);
	origin_lock(origin);
	ck_assert_uint_eq(files[SHARD_A].asked - files[SHARD_A].unchanged, 3);
	ck_assert_uint_eq(files[SHARD_A].ranges, 2);
	origin_unlock(origin);
	catalog_job_clear(&j);
}
END_TEST

START_TEST(without_a_strong_etag_it_begins_anew)
{
	struct catalog_job j;

	files[SHARD_A].cuts = 1;
	files[SHARD_A].etag = "W/\"a1\"";
	import("/m/model.json", "", &j);
	expect_done(&j, 1, false);
	expect_file(1, "a.bin", weights_a, WEIGHTS_N);
	origin_lock(origin);
	ck_assert_uint_eq(files[SHARD_A].asked - files[SHARD_A].unchanged, 2);
	ck_assert_uint_eq(files[SHARD_A].ranges, 0);
	origin_unlock(origin);
	catalog_job_clear(&j);
}
END_TEST

START_TEST(a_file_that_is_missing_is_named)
{
	struct catalog_job j;

	import("/m/model.json?key=secret", "", &j);
	expect_failed(&j, "\"upstream_status\":404");
	ck_assert_ptr_null(strstr(j.outcome, "secret"));
	catalog_job_clear(&j);
	import("/m/model.json", ",\"include\":[\"names.txt\"]", &j);
	expect_failed(&j, "names.txt");
	expect_clean(&j);
	ck_assert_uint_eq(atomic_load(&published_n), 0);
	catalog_job_clear(&j);
}
END_TEST

START_TEST(a_page_in_place_of_a_model_is_called_one)
{
	struct catalog_job j;

	files[MODEL].bytes = "<!DOCTYPE html><html><body>Not here</body></html>";
	files[MODEL].n = strlen(files[MODEL].bytes);
	import("/m/model.json", "", &j);
	expect_failed(&j, "\"code\":\"NOT_LOADABLE\"");
	ck_assert_ptr_nonnull(strstr(j.outcome, "HTML"));
	expect_clean(&j);
	catalog_job_clear(&j);
}
END_TEST

#define OTHER_DIGEST "sha256:0000000000000000000000000000000000000000000000000000000000000000"

START_TEST(what_is_expected_is_enforced)
{
	struct catalog_job j;

	import("/m/model.json", ",\"expect\":{\"root\":\"" OTHER_DIGEST "\"}", &j);
	expect_failed(&j, "\"code\":\"EXPECTED_OTHER\"");
	catalog_job_clear(&j);
	import("/m/model.json", ",\"expect\":{\"files\":{\"a.bin\":\"" OTHER_DIGEST "\"}}", &j);
	expect_failed(&j, "\"code\":\"EXPECTED_OTHER\"");
	catalog_job_clear(&j);
	import("/m/model.json", ",\"expect\":{\"files\":{\"model.json\":\"" OTHER_DIGEST "\"}}",
		&j);
	expect_failed(&j, "\"code\":\"EXPECTED_OTHER\"");
	expect_clean(&j);
	ck_assert_uint_eq(atomic_load(&published_n), 0);
	catalog_job_clear(&j);
}
END_TEST

static void reconfigure(const char *setting)
{
	struct importer_settings *s;
	struct err e;

	ck_ok(config_set(&config, setting, "test", &e));
	ck_ok(importer_settings_new(importer, &config, &rules, &s, &e));
	importer_settings_put(importer, s);
}

START_TEST(bytes_that_are_not_what_their_host_says_are_refused)
{
	struct catalog_job j;

	reconfigure("import.attempts=2");
	files[SHARD_A].headers =
		"Repr-Digest: sha-256=:AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=:\r\n";
	import("/m/model.json", "", &j);
	expect_failed(&j, "\"code\":\"FETCH_FAILED\"");
	origin_lock(origin);
	ck_assert_uint_eq(files[SHARD_A].asked, 2);
	origin_unlock(origin);
	catalog_job_clear(&j);
}
END_TEST

static void change_model(const char *etag, const char *json)
{
	origin_lock(origin);
	files[MODEL].etag = etag;
	files[MODEL].bytes = json;
	files[MODEL].n = strlen(json);
	origin_unlock(origin);
}

START_TEST(a_model_that_changes_meanwhile_is_begun_anew)
{
	char id[CATALOG_JOB_ID + 1];
	struct catalog_job j;

	files[SHARD_A].stalls = 1;
	submit("/m/model.json", "", id);
	origin_await_stall(origin);
	change_model("\"m2\"", other_json);
	origin_release(origin);
	await_end(id, &j);
	expect_done(&j, 1, false);
	expect_file(1, "model.json", other_json, strlen(other_json));
	catalog_job_clear(&j);
}
END_TEST

START_TEST(weights_that_change_meanwhile_are_fetched_anew)
{
	char id[CATALOG_JOB_ID + 1];
	struct catalog_job j;

	files[SHARD_A].stalls = 1;
	submit("/m/model.json", "", id);
	/* The other shard is there, and is replaced before this one has come. */
	await(id, strlen(weights_json) + WEIGHTS_N * 3 / 2, &j);
	catalog_job_clear(&j);
	origin_lock(origin);
	files[SHARD_B].bytes = weights_a;
	files[SHARD_B].etag = "\"b2\"";
	origin_unlock(origin);
	origin_release(origin);
	await_end(id, &j);
	expect_done(&j, 1, false);
	expect_file(1, "b.bin", weights_a, WEIGHTS_N);
	origin_lock(origin);
	ck_assert_uint_eq(files[SHARD_A].asked - files[SHARD_A].unchanged, 1);
	origin_unlock(origin);
	catalog_job_clear(&j);
}
END_TEST

/* ---- cancelling, stopping ---- */

START_TEST(a_cancelled_import_leaves_nothing)
{
	char id[CATALOG_JOB_ID + 1];
	struct catalog_job j;
	struct err e;

	files[SHARD_A].stalls = 1;
	submit("/m/model.json", "", id);
	origin_await_stall(origin);
	ck_ok(importer_cancel(importer, id, &j, &e));
	ck_assert_int_eq(j.state, CATALOG_JOB_CANCELLED);
	expect_clean(&j);
	catalog_job_clear(&j);
	ck_ok(importer_cancel(importer, id, &j, &e));
	ck_assert_int_eq(j.state, CATALOG_JOB_CANCELLED);
	catalog_job_clear(&j);
	ck_assert_uint_eq(atomic_load(&published_n), 0);
}
END_TEST

static char cancelled_id[CATALOG_JOB_ID + 1];
static pthread_t canceller;
static int cancel_result;
static bool cancel_waited;

static void *cancel_it(void *cls)
{
	struct catalog_job job;
	struct err e;

	(void)cls;
	cancel_result = importer_cancel(importer, cancelled_id, &job, &e);
	if (cancel_result == 0)
		catalog_job_clear(&job);
	return NULL;
}

static void cancel_late(void)
{
	struct timespec until;

	(void)clock_gettime(CLOCK_REALTIME, &until);
	until.tv_nsec += 200000000;
	until.tv_sec += until.tv_nsec / 1000000000;
	until.tv_nsec %= 1000000000;
	ck_assert_int_eq(pthread_create(&canceller, NULL, cancel_it, NULL), 0);
	cancel_waited = pthread_timedjoin_np(canceller, NULL, &until) == ETIMEDOUT;
}

/* A version that is there is not one of an import that was cancelled. */
START_TEST(an_import_that_became_a_version_cannot_be_cancelled)
{
	struct catalog_job job;

	when_published = cancel_late;
	submit("/m/model.json", "", cancelled_id);
	await_end(cancelled_id, &job);
	expect_done(&job, 1, false);
	catalog_job_clear(&job);
	ck_assert(cancel_waited);
	ck_assert_int_eq(pthread_join(canceller, NULL), 0);
	ck_assert_int_eq(cancel_result, -(int)ERR_CONFLICT);
}
END_TEST

START_TEST(an_import_goes_on_after_a_restart)
{
	char id[CATALOG_JOB_ID + 1];
	struct catalog_job j;

	files[SHARD_A].stalls = 1;
	submit("/m/model.json", "", id);
	await(id, strlen(weights_json) + WEIGHTS_N * 3 / 2, &j);
	ck_assert_int_eq(j.state, CATALOG_JOB_RUNNING);
	catalog_job_clear(&j);
	stop_importer();
	origin_release(origin);
	start_importer();
	await_end(id, &j);
	expect_done(&j, 1, false);
	ck_assert_uint_eq(j.attempt, 2);
	expect_file(1, "a.bin", weights_a, WEIGHTS_N);
	origin_lock(origin);
	ck_assert_uint_eq(files[SHARD_A].ranges, 1);
	origin_unlock(origin);
	expect_clean(&j);
	catalog_job_clear(&j);
}
END_TEST

START_TEST(without_jobs_nothing_is_taken)
{
	char id[CATALOG_JOB_ID + 1];
	struct import_request q;
	struct err e;

	stop_importer();
	ck_ok(config_set(&config, "import.jobs=0", "test", &e));
	start_importer();
	ck_ok(import_request_parse(STR_LIT("{\"url\":\"https://example.com/\"}"), &q, &e));
	(void)snprintf(q.model, sizeof(q.model), "m");
	ck_err(importer_submit(importer, &q, id, &e), ERR_FETCH_REFUSED);
	ck_assert_ptr_nonnull(strstr(e.text, "import.jobs"));
	import_request_clear(&q);
}
END_TEST

static Suite *suite(void)
{
	Suite *s = suite_create("importer");
	TCase *c = tcase_create("importer");

	tcase_add_checked_fixture(c, setup, teardown);
	tcase_add_test(c, a_model_becomes_a_version);
	tcase_add_test(c, weights_are_described_like_those_of_a_publish);
	tcase_add_test(c, what_did_not_change_is_not_fetched_again);
	tcase_add_test(c, a_handle_of_tf_hub_is_completed);
	tcase_add_test(c, headers_go_to_the_host_of_the_url);
	tcase_add_test(c, a_transfer_that_is_cut_goes_on_where_it_was);
	tcase_add_test(c, without_a_strong_etag_it_begins_anew);
	tcase_add_test(c, a_file_that_is_missing_is_named);
	tcase_add_test(c, a_page_in_place_of_a_model_is_called_one);
	tcase_add_test(c, what_is_expected_is_enforced);
	tcase_add_test(c, bytes_that_are_not_what_their_host_says_are_refused);
	tcase_add_test(c, a_model_that_changes_meanwhile_is_begun_anew);
	tcase_add_test(c, weights_that_change_meanwhile_are_fetched_anew);
	tcase_add_test(c, a_cancelled_import_leaves_nothing);
	tcase_add_test(c, an_import_that_became_a_version_cannot_be_cancelled);
	tcase_add_test(c, an_import_goes_on_after_a_restart);
	tcase_add_test(c, without_jobs_nothing_is_taken);
	suite_add_tcase(s, c);
	return s;
}

UNIT_MAIN
