/* SPDX-License-Identifier: Apache-2.0 */
/* What an import asks of the registry: plans, archives that were staged, what is expected, and the
 * request files of jobs. */
#include "common/base/num.h"
#include "common/registry/registry_copy.h"
#include "common/registry/registry_request.h"
#include "common/registry/staging.h"
#include "common/store/catalog_job.h"
#include "common/model/rootdigest.h"
#include "tests/unit/archive_make.h"
#include "tests/unit/unit.h"
#include "tests/unit/unit_dir.h"
#include "tests/unit/unit_upload.h"

#include <fcntl.h>
#include <limits.h>
#include <sys/stat.h>
#include <unistd.h>

#define WEIGHTS "01234567"
#define A       "0000000000000000000000000000000a"
#define B       "0000000000000000000000000000000b"

/* Two files, one of which is spelled with "./", and one string. */
#define TWO_SHARDS \
	"{\"modelTopology\":" UNIT_TOPOLOGY ",\"weightsManifest\":[" \
	"{\"paths\":[\"./a.bin\",\"sub/b.bin\"],\"weights\":[" \
	"{\"name\":\"l/kernel\",\"shape\":[1,2],\"dtype\":\"float32\"}]}]}"

static char store[PATH_MAX];
static struct registry *registry;
static struct registry_options options;
static char upload[CATALOG_UPLOAD_ID + 1];

static void reopen(void)
{
	struct err e;

	registry_close(registry);
	ck_ok(registry_open(&options, &registry, &e));
}

static void open_registry(void)
{
	struct err e;

	unit_dir_make();
	options = unit_upload_options();
	(void)snprintf(store, sizeof(store), "%s", unit_dir_file("store"));
	options.dir = store;
	options.upload_age_ms = 3600000;
	options.max_uploads = 4;
	options.max_upload_bytes = 16 * MIB;
	ck_ok(registry_open(&options, &registry, &e));
	ck_ok(staging_create(registry, "m", upload, &e));
}

static void close_registry(void)
{
	registry_close(registry);
	unit_dir_remove();
}

static void put(const char *path, const char *bytes, size_t n)
{
	const struct staging_write how = {.id = upload, .path = str_of(path), .complete = true};
	CLEANUP(staging_writer_free_p) struct staging_writer *w = NULL;
	struct staging_file file;
	uint64_t offset;
	struct err e;

	ck_ok(staging_write_begin(registry, &how, &w, &offset, &e));
	ck_ok(staging_write(w, bytes, n, &e));
	ck_ok(staging_write_end(w, &file, &e));
}

static void put_text(const char *path, const char *text)
{
	put(path, text, strlen(text));
}

static struct digest sha256(const char *text)
{
	struct digest d;
	struct err e;

	ck_ok(digest_of(text, strlen(text), &d, &e));
	return d;
}

/* ---- loading ---- */

START_TEST(a_staged_file_is_loaded_after_a_restart)
{
	CLEANUP(blob_unref_p) struct blob *b = NULL;
	struct err e;

	put_text("model.json", UNIT_MODEL_JSON);
	reopen();
	ck_ok(staging_load(registry, upload, STR_LIT("./model.json"), &b, &e));
	ck_assert_uint_eq(blob_size(b), strlen(UNIT_MODEL_JSON));
	ck_assert_mem_eq(blob_data(b), UNIT_MODEL_JSON, strlen(UNIT_MODEL_JSON));
}
END_TEST

START_TEST(what_is_not_there_or_too_large_is_not_loaded)
{
	static char large[64 * KIB + 1];
	struct blob *b;
	struct err e;

	ck_err(staging_load(registry, upload, STR_LIT("model.json"), &b, &e), ERR_FILE_NOT_FOUND);
	ck_err(staging_load(registry, upload, STR_LIT("../x"), &b, &e), ERR_BAD_PATH);
	ck_err(staging_load(registry, A, STR_LIT("model.json"), &b, &e), ERR_UPLOAD_NOT_FOUND);
	put("x.bin", large, sizeof(large));
	ck_err(staging_load(registry, upload, STR_LIT("x.bin"), &b, &e), ERR_TOO_LARGE);
}
END_TEST

/* ---- plans ---- */

static int plan(const char *json, struct staging_plan **ret, struct findings *f, struct err *e)
{
	put_text("model.json", json);
	return staging_plan(registry, upload, ret, f, e);
}

START_TEST(a_plan_names_the_files_and_the_bytes_of_the_weights)
{
	CLEANUP(staging_plan_free_p) struct staging_plan *p = NULL;
	CLEANUP_FINDINGS struct findings f;
	struct err e;

	findings_init(&f);
	ck_ok(plan(TWO_SHARDS, &p, &f, &e));
	ck_assert(p->has_weights);
	ck_assert(!p->has_strings);
	ck_assert_uint_eq(p->paths_n, 2);
	ck_assert_str_eq(p->paths[0], "a.bin");
	ck_assert_str_eq(p->paths[1], "sub/b.bin");
	ck_assert_uint_eq(p->weight_bytes, 8);
}
END_TEST

START_TEST(a_model_without_weights_has_a_plan_of_nothing)
{
	CLEANUP(staging_plan_free_p) struct staging_plan *p = NULL;
	CLEANUP_FINDINGS struct findings f;
	struct err e;

	findings_init(&f);
	ck_ok(plan("{\"modelTopology\":" UNIT_TOPOLOGY_BARE "}", &p, &f, &e));
	ck_assert(!p->has_weights);
	ck_assert_uint_eq(p->paths_n, 0);
	ck_assert_uint_eq(p->weight_bytes, 0);
}
END_TEST

static const char *const unloadable[] = {
	"<!DOCTYPE html><html><body>404</body></html>",
	"{\"modelTopology\":" UNIT_TOPOLOGY ",\"weightsManifest\":[{\"paths\":[\"../a.bin\"],"
	"\"weights\":[{\"name\":\"l/kernel\",\"shape\":[1,2],\"dtype\":\"float32\"}]}]}",
	"{\"modelTopology\":" UNIT_TOPOLOGY ",\"weightsManifest\":[{\"paths\":[\"a.bin\"],"
	"\"weights\":[{\"name\":\"l/kernel\",\"shape\":[3,3],\"dtype\":\"float32\"}]}]}",
};

START_TEST(what_is_wrong_is_found_before_the_weights_are_there)
{
	CLEANUP_FINDINGS struct findings f;
	struct staging_plan *p = NULL;
	struct err e;

	findings_init(&f);
	ck_err(plan(unloadable[_i], &p, &f, &e), ERR_NOT_LOADABLE);
	ck_assert(findings_refuse(&f));
	ck_assert_ptr_null(p);
}
END_TEST

START_TEST(what_could_not_become_a_version_for_its_size_has_no_plan)
{
	CLEANUP_FINDINGS struct findings f;
	const struct catalog_quota quota = {.prefix = "", .bytes = strlen(UNIT_MODEL_JSON) + 7};
	struct staging_plan *p = NULL;
	struct err e;

	findings_init(&f);
	options.models = (struct catalog_limits){.quotas = &quota, .quotas_n = 1};
	reopen();
	ck_err(plan(UNIT_MODEL_JSON, &p, &f, &e), ERR_QUOTA_FULL);
	options.models = (struct catalog_limits){.quotas_n = 0};
	options.max_version_files = 2;
	reopen();
	ck_ok(staging_plan(registry, upload, &p, &f, &e));
	staging_plan_free(take_ptr(p));
	ck_err(plan(TWO_SHARDS, &p, &f, &e), ERR_TOO_LARGE);
	options.max_version_bytes = strlen(TWO_SHARDS) + 7;
	options.max_version_files = 10;
	reopen();
	ck_err(staging_plan(registry, upload, &p, &f, &e), ERR_TOO_LARGE);
}
END_TEST

/* ---- archives ---- */

static void model_in(struct buf *b, const char *weights)
{
	make_tar_text(b, "top/model.json", UNIT_MODEL_JSON);
	make_tar_text(b, "top/model.weights.bin", weights);
	make_tar_end(b);
}

static void archive_of(enum archive_kind kind, struct buf *b)
{
	CLEANUP_BUF struct buf tar = BUF_INIT(MIB);
	struct make_zip_list list = {.central = BUF_INIT(MIB)};

	switch (kind) {
	case ARCHIVE_KIND_TAR:
		model_in(b, WEIGHTS);
		break;
	case ARCHIVE_KIND_TAR_GZ:
		model_in(&tar, WEIGHTS);
		make_gzip(b, tar.data, tar.len);
		break;
	case ARCHIVE_KIND_ZIP:
		make_zip_text(b, &list, "top/model.json", UNIT_MODEL_JSON);
		make_zip_text(b, &list, "top/model.weights.bin", WEIGHTS);
		make_zip_end(b, &list, "");
		buf_done(&list.central);
		break;
	}
	ck_assert(!buf_failed(b));
}

START_TEST(an_archive_that_was_staged_is_published_after_a_restart)
{
	CLEANUP_BUF struct buf b = BUF_INIT(MIB);
	CLEANUP(upload_free_p) struct upload *u = NULL;
	CLEANUP_FINDINGS struct findings f;
	struct published p;
	struct err e;

	findings_init(&f);
	archive_of((enum archive_kind)_i, &b);
	put("model.download", b.data, b.len);
	reopen();
	ck_ok(staging_unpack(registry, upload, STR_LIT("model.download"), &u, &e));
	ck_ok(upload_publish(u, &p, &f, &e));
	ck_assert_str_eq(p.name, "m");
	ck_assert_uint_eq(p.version, 1);
	ck_assert_uint_eq(p.weight_data_bytes, 8);
	upload_free(take_ptr(u));
	ck_ok(staging_unpack(registry, upload, STR_LIT("model.download"), &u, &e));
	ck_ok(upload_publish(u, &p, &f, &e));
	ck_assert_uint_eq(p.version, 1);
	ck_assert(p.deduplicated);
}
END_TEST

START_TEST(what_is_no_archive_is_not_unpacked)
{
	CLEANUP_BUF struct buf b = BUF_INIT(MIB);
	struct upload *u = NULL;
	struct err e;

	put_text("a", UNIT_MODEL_JSON);
	ck_err(staging_unpack(registry, upload, STR_LIT("a"), &u, &e), ERR_BAD_ARCHIVE);
	put_text("a", "");
	ck_err(staging_unpack(registry, upload, STR_LIT("a"), &u, &e), ERR_BAD_ARCHIVE);
	make_tar(&b, &(struct make_tar){.name = "model.json", .data = "{}", .n = 2,
		.bad_sum = true});
	make_tar_end(&b);
	put("a", b.data, b.len);
	ck_err(staging_unpack(registry, upload, STR_LIT("a"), &u, &e), ERR_BAD_ARCHIVE);
	ck_err(staging_unpack(registry, upload, STR_LIT("b"), &u, &e), ERR_FILE_NOT_FOUND);
}
END_TEST

START_TEST(a_truncated_archive_makes_no_version)
{
	CLEANUP_BUF struct buf b = BUF_INIT(MIB);
	CLEANUP(upload_free_p) struct upload *u = NULL;
	CLEANUP_FINDINGS struct findings f;
	struct published p;
	struct err e;

	findings_init(&f);
	archive_of(ARCHIVE_KIND_TAR_GZ, &b);
	put("a", b.data, b.len / 2);
	ck_ok(staging_unpack(registry, upload, STR_LIT("a"), &u, &e));
	ck_assert_int_lt(upload_publish(u, &p, &f, &e), 0);
	ck_assert(e.code == ERR_BAD_ARCHIVE || e.code == ERR_BAD_GZIP);
}
END_TEST

/* ---- what is expected ---- */

static struct upload *staged(void)
{
	struct upload *u = NULL;
	struct err e;

	put_text("model.json", UNIT_MODEL_JSON);
	put_text("model.weights.bin", WEIGHTS);
	ck_ok(staging_publish(registry, upload, &u, &e));
	return u;
}

static int publish(struct upload *u, struct published *ret, struct err *e)
{
	CLEANUP_FINDINGS struct findings f;

	findings_init(&f);
	return upload_publish(u, ret, &f, e);
}

static void ck_nothing_is_there(void)
{
	struct catalog_model m;
	struct err e;

	ck_err(catalog_model(registry_catalog(registry), "m", &m, &e), ERR_MODEL_NOT_FOUND);
}

START_TEST(files_with_the_expected_digests_are_published)
{
	CLEANUP(upload_free_p) struct upload *u = staged();
	const struct digest json = sha256(UNIT_MODEL_JSON), weights = sha256(WEIGHTS);
	struct published p;
	struct err e;

	ck_ok(upload_expect_file(u, STR_LIT("model.json"), &json, &e));
	ck_ok(upload_expect_file(u, STR_LIT("./model.weights.bin"), &weights, &e));
	ck_ok(publish(u, &p, &e));
	upload_free(take_ptr(u));
	ck_ok(staging_publish(registry, upload, &u, &e));
	upload_expect_root(u, &p.root);
	ck_ok(publish(u, &p, &e));
}
END_TEST

START_TEST(another_root_than_the_expected_one_makes_no_version)
{
	CLEANUP(upload_free_p) struct upload *u = staged();
	const struct digest other = sha256("other");
	char hex[DIGEST_HEX + 1];
	struct published p;
	struct err e;

	upload_expect_root(u, &other);
	ck_err(publish(u, &p, &e), ERR_EXPECTED_OTHER);
	ck_assert_ptr_nonnull(strstr(e.text, digest_hex(&other, hex)));
	ck_assert_ptr_nonnull(strstr(e.text, "root digest sha256:"));
	ck_nothing_is_there();
}
END_TEST

static int shut(void *cls, struct err *e)
{
	(*(unsigned *)cls)++;
	return err_set(e, ERR_CANCELLED, "shut");
}

START_TEST(a_gate_that_is_shut_lets_no_version_through)
{
	CLEANUP(upload_free_p) struct upload *u = staged();
	unsigned asked = 0;
	struct published p;
	struct err e;

	upload_set_gate(u, shut, &asked);
	ck_err(publish(u, &p, &e), ERR_CANCELLED);
	ck_assert_uint_eq(asked, 1);
	ck_nothing_is_there();
}
END_TEST

START_TEST(another_file_than_the_expected_one_makes_no_version)
{
	CLEANUP(upload_free_p) struct upload *u = staged();
	const struct digest other = sha256("other"), weights = sha256(WEIGHTS);
	char hex[DIGEST_HEX + 1];
	struct published p;
	struct err e;

	ck_err(upload_expect_file(u, STR_LIT("../x"), &other, &e), ERR_BAD_PATH);
	ck_ok(upload_expect_file(u, STR_LIT("model.weights.bin"), &other, &e));
	ck_err(publish(u, &p, &e), ERR_EXPECTED_OTHER);
	ck_assert_ptr_nonnull(strstr(e.text, digest_hex(&other, hex)));
	ck_assert_ptr_nonnull(strstr(e.text, digest_hex(&weights, hex)));
	ck_assert_ptr_nonnull(strstr(e.text, "model.weights.bin"));
	ck_nothing_is_there();
}
END_TEST

START_TEST(a_file_that_was_expected_and_is_not_there_makes_no_version)
{
	CLEANUP(upload_free_p) struct upload *u = staged();
	const struct digest other = sha256("other");
	struct published p;
	struct err e;

	ck_ok(upload_expect_file(u, STR_LIT("labels.txt"), &other, &e));
	ck_err(publish(u, &p, &e), ERR_EXPECTED_OTHER);
	ck_nothing_is_there();
}
END_TEST

START_TEST(files_of_an_archive_are_judged_once_they_are_unpacked)
{
	CLEANUP_BUF struct buf b = BUF_INIT(MIB);
	CLEANUP(upload_free_p) struct upload *u = NULL;
	const struct digest weights = sha256(WEIGHTS), other = sha256("other");
	struct published p;
	struct err e;

	model_in(&b, WEIGHTS);
	put("a", b.data, b.len);
	ck_ok(staging_unpack(registry, upload, STR_LIT("a"), &u, &e));
	ck_ok(upload_expect_file(u, STR_LIT("model.weights.bin"), &other, &e));
	ck_err(publish(u, &p, &e), ERR_EXPECTED_OTHER);
	ck_nothing_is_there();
	upload_free(take_ptr(u));
	ck_ok(staging_unpack(registry, upload, STR_LIT("a"), &u, &e));
	ck_ok(upload_expect_file(u, STR_LIT("model.weights.bin"), &weights, &e));
	ck_ok(publish(u, &p, &e));
}
END_TEST

/* Weights that are too short explain nothing when they are not the right ones. */
START_TEST(wrong_bytes_are_named_before_what_is_wrong_with_them)
{
	CLEANUP(upload_free_p) struct upload *u = NULL;
	const struct digest other = sha256("other");
	struct published p;
	struct err e;

	put_text("model.json", UNIT_MODEL_JSON);
	put_text("model.weights.bin", "short");
	ck_ok(staging_publish(registry, upload, &u, &e));
	ck_err(publish(u, &p, &e), ERR_NOT_LOADABLE);
	upload_free(take_ptr(u));
	ck_ok(staging_publish(registry, upload, &u, &e));
	upload_expect_root(u, &other);
	ck_err(publish(u, &p, &e), ERR_EXPECTED_OTHER);
}
END_TEST

/* The second shard is larger and holds a weight that begins behind twice the first one's size, so
 * that they are cut anew. */
#define ZEROS \
	"{\"weightsManifest\":[{\"paths\":[\"a.bin\",\"b.bin\"],\"weights\":[" \
	"{\"name\":\"a\",\"shape\":[1],\"dtype\":\"float32\"}," \
	"{\"name\":\"b\",\"shape\":[1],\"dtype\":\"float32\"}," \
	"{\"name\":\"c\",\"shape\":[2],\"dtype\":\"float32\"}]}]}"

START_TEST(the_root_of_files_that_are_cut_anew_is_the_old_or_the_new_one)
{
	const struct rootdigest_file files[] = {
		{.path = "a.bin", .digest = sha256("aaaa"), .size = 4},
		{.path = "b.bin", .digest = sha256("bbbbccccdddd"), .size = 12},
		{.path = "model.json", .digest = sha256(ZEROS), .size = strlen(ZEROS)},
	};
	CLEANUP(upload_free_p) struct upload *u = NULL;
	struct published p;
	struct digest root;
	struct err e;

	put_text("model.json", ZEROS);
	put_text("a.bin", "aaaa");
	put_text("b.bin", "bbbbccccdddd");
	ck_ok(rootdigest_of(files, ARRAY_SIZE(files), &root, &e));
	ck_ok(staging_publish(registry, upload, &u, &e));
	upload_expect_root(u, &root);
	ck_ok(upload_expect_file(u, STR_LIT("a.bin"), &files[0].digest, &e));
	ck_ok(publish(u, &p, &e));
	upload_free(take_ptr(u));
	ck_assert(!digest_eq(&p.root, &root));
	ck_ok(staging_publish(registry, upload, &u, &e));
	upload_expect_root(u, &p.root);
	ck_ok(publish(u, &p, &e));
}
END_TEST

/* ---- request files ---- */

static void add_job(const char *id)
{
	static char request[] = "{}";
	struct catalog_job j = {.kind = "import", .model = "m", .request = request};
	struct err e;

	(void)snprintf(j.id, sizeof(j.id), "%s", id);
	ck_ok(catalog_job_add(registry_catalog(registry), &j, 0, &e));
}

static void write_request(const char *id)
{
	struct err e;

	ck_ok(registry_request_write(registry, id, "secret", 6, &e));
}

static int read_request(const char *id, struct err *e)
{
	CLEANUP_BUF struct buf out = BUF_INIT(REQUESTFILE_MAX);

	return registry_request_read(registry, id, &out, e);
}

START_TEST(a_request_lives_as_long_as_its_job)
{
	struct catalog_job j;
	struct err e;

	write_request(A);
	write_request(B);
	add_job(A);
	reopen();
	ck_ok(registry_request_sweep(registry, &e));
	ck_ok(read_request(A, &e));
	ck_err(read_request(B, &e), ERR_JOB_NOT_FOUND);
	ck_ok(catalog_job_cancel(registry_catalog(registry), A, &j, &e));
	catalog_job_clear(&j);
	ck_ok(registry_request_sweep(registry, &e));
	ck_err(read_request(A, &e), ERR_JOB_NOT_FOUND);
	write_request(A);
	ck_ok(registry_request_remove(registry, A, &e));
	ck_err(read_request(A, &e), ERR_JOB_NOT_FOUND);
}
END_TEST

static void fsck(uint64_t damaged, uint64_t left_over)
{
	const struct registry_fsck how = {.quick = true};
	struct registry_fsck_result result;
	struct err e;

	ck_ok(registry_fsck(registry, &how, &result, &e));
	ck_assert_uint_eq(result.damaged, damaged);
	ck_assert_uint_eq(result.left_over, left_over);
}

static void age_request(const char *id)
{
	const struct timespec times[2] = {{.tv_sec = 1}, {.tv_sec = 1}};
	char name[64];

	(void)snprintf(name, sizeof(name), "store/jobs/%s", id);
	ck_assert_int_eq(utimensat(AT_FDCWD, unit_dir_file(name), times, 0), 0);
}

START_TEST(fsck_compares_jobs_with_their_requests)
{
	struct err e;

	write_request(A);
	add_job(A);
	fsck(0, 0);
	write_request(B);
	fsck(0, 0); /* its job may be just on its way */
	age_request(B);
	fsck(0, 1);
	ck_ok(registry_request_remove(registry, A, &e));
	fsck(1, 1);
}
END_TEST

START_TEST(a_backup_has_no_requests_and_no_jobs)
{
	char to[PATH_MAX];
	const struct registry_copy how = {.from = store, .to = to};
	struct registry_copied copied;
	struct published p;
	struct err e;

	ck_ok(unit_upload_model(registry, "m", WEIGHTS, &p, &e));
	write_request(A);
	add_job(A);
	(void)snprintf(to, sizeof(to), "%s", unit_dir_file("backup"));
	ck_ok(registry_copy_backup(&how, &copied, &e));
	ck_assert_uint_eq(copied.versions, 1);
	ck_assert_int_eq(access(unit_dir_file("store/jobs/" A), F_OK), 0);
	ck_assert_int_ne(access(unit_dir_file("backup/jobs"), F_OK), 0);
}
END_TEST

static Suite *suite(void)
{
	Suite *s = suite_create("registry import");
	TCase *t = tcase_create("registry import");

	tcase_add_checked_fixture(t, open_registry, close_registry);
	tcase_set_timeout(t, 60);
	tcase_add_test(t, a_staged_file_is_loaded_after_a_restart);
	tcase_add_test(t, what_is_not_there_or_too_large_is_not_loaded);
	tcase_add_test(t, a_plan_names_the_files_and_the_bytes_of_the_weights);
	tcase_add_test(t, a_model_without_weights_has_a_plan_of_nothing);
	tcase_add_loop_test(t, what_is_wrong_is_found_before_the_weights_are_there, 0,
		ARRAY_SIZE(unloadable));
	tcase_add_test(t, what_could_not_become_a_version_for_its_size_has_no_plan);
	tcase_add_loop_test(t, an_archive_that_was_staged_is_published_after_a_restart,
		ARCHIVE_KIND_TAR, ARCHIVE_KIND_ZIP + 1);
	tcase_add_test(t, what_is_no_archive_is_not_unpacked);
	tcase_add_test(t, a_truncated_archive_makes_no_version);
	tcase_add_test(t, files_with_the_expected_digests_are_published);
	tcase_add_test(t, another_root_than_the_expected_one_makes_no_version);
	tcase_add_test(t, a_gate_that_is_shut_lets_no_version_through);
	tcase_add_test(t, another_file_than_the_expected_one_makes_no_version);
	tcase_add_test(t, a_file_that_was_expected_and_is_not_there_makes_no_version);
	tcase_add_test(t, files_of_an_archive_are_judged_once_they_are_unpacked);
	tcase_add_test(t, wrong_bytes_are_named_before_what_is_wrong_with_them);
	tcase_add_test(t, the_root_of_files_that_are_cut_anew_is_the_old_or_the_new_one);
	tcase_add_test(t, a_request_lives_as_long_as_its_job);
	tcase_add_test(t, fsck_compares_jobs_with_their_requests);
	tcase_add_test(t, a_backup_has_no_requests_and_no_jobs);
	suite_add_tcase(s, t);
	return s;
}

UNIT_MAIN
