/* SPDX-License-Identifier: Apache-2.0 */
#include "common/base/clock.h"
#include "common/base/fsio.h"
#include "common/store/catalog.h"
#include "common/store/catalog_sqlite.h"
#include "common/store/catalog_tensors.h"
#include "tests/unit/unit.h"
#include "tests/unit/unit_dir.h"

#include <pthread.h>
#include <sqlite3.h>
#include <stdatomic.h>

#define HOUR_MS UINT64_C(3600000)

static struct catalog *catalog;

static void open_catalog(void)
{
	struct err e;

	unit_dir_make();
	ck_ok(catalog_sqlite_open(unit_dir_path, &catalog, &e));
}

static void close_catalog(void)
{
	catalog_close(catalog);
	unit_dir_remove();
}

static void reopen(void)
{
	struct err e;

	catalog_close(take_ptr(catalog));
	ck_ok(catalog_sqlite_open(unit_dir_path, &catalog, &e));
}

static int compare_bytes(void *cls, int an, const void *a, int bn, const void *b)
{
	int order = memcmp(a, b, (size_t)(an < bn ? an : bn));

	(void)cls;
	return order ? order : an - bn;
}

/* Behind the catalog's back. */
static sqlite3_int64 raw_with(bool dialect, const char *sql)
{
	sqlite3 *db;
	sqlite3_stmt *stmt;
	sqlite3_int64 value = -1;
	int rc;

	ck_assert_int_eq(sqlite3_open(unit_dir_file("catalog.db"), &db), SQLITE_OK);
	sqlite3_busy_timeout(db, 5000);
	if (dialect)
		sqlite3_create_collation(db, "C", SQLITE_UTF8, NULL, compare_bytes);
	ck_assert_msg(sqlite3_prepare_v2(db, sql, -1, &stmt, NULL) == SQLITE_OK, "%s: %s", sql,
		sqlite3_errmsg(db));
	rc = sqlite3_step(stmt);
	ck_assert_msg(rc == SQLITE_ROW || rc == SQLITE_DONE, "%s: %s", sql, sqlite3_errmsg(db));
	if (rc == SQLITE_ROW)
		value = sqlite3_column_int64(stmt, 0);
	sqlite3_finalize(stmt);
	sqlite3_close(db);
	return value;
}

static sqlite3_int64 raw(const char *sql)
{
	return raw_with(true, sql);
}

static struct digest digest_of_text(const char *text)
{
	struct digest d;
	struct err e;

	ck_ok(digest_of(text, strlen(text), &d, &e));
	return d;
}

static struct catalog_blob blob_of(const char *text)
{
	return (struct catalog_blob){.digest = digest_of_text(text), .size = strlen(text)};
}

static int stage(struct catalog_blob *blobs, size_t n, struct err *e)
{
	return catalog_stage(catalog, blobs, n, clock_now_ms() + HOUR_MS, e);
}

static int publish_blob(const char *model, const struct catalog_blob *blob, const char *root,
	uint64_t *ret_version, bool *ret_deduplicated, struct err *e)
{
	struct catalog_file file = {.path = "model.json", .blob = 0};
	struct catalog_publish p = {
		.model = model,
		.root = digest_of_text(root),
		.info = "{\"kind\":\"layers-model\"}",
		.blobs = blob,
		.blobs_n = 1,
		.files = &file,
		.files_n = 1,
	};

	return catalog_publish(catalog, &p, ret_version, ret_deduplicated, NULL, e);
}

static uint64_t published(const char *model, const char *text)
{
	struct catalog_blob blob = blob_of(text);
	uint64_t version;
	bool deduplicated;
	struct err e;

	ck_ok(stage(&blob, 1, &e));
	ck_ok(publish_blob(model, &blob, text, &version, &deduplicated, &e));
	return version;
}

START_TEST(a_published_version_is_read_back_with_its_files_in_order)
{
	struct catalog_blob blobs[] = {blob_of("json"), blob_of("weights one"), blob_of("w2")};
	struct catalog_file files[] = {{"model.json", 0}, {"b/shard", 1}, {"B/shard", 2}, {"a", 1}};
	struct catalog_publish p = {
		.model = "team/pose",
		.root = digest_of_text("root"),
		.info = "{\"a\":1}",
		.blobs = blobs,
		.blobs_n = ARRAY_SIZE(blobs),
		.files = files,
		.files_n = ARRAY_SIZE(files),
	};
	CLEANUP(catalog_version_free_p) struct catalog_version *v = NULL;
	uint64_t before = clock_now_ms();
	uint64_t version, created_ms;
	bool deduplicated;
	struct err e;

	ck_ok(stage(blobs, ARRAY_SIZE(blobs), &e));
	ck_assert(!blobs[0].exists && !blobs[1].exists && !blobs[2].exists);
	ck_assert_int_eq(raw("SELECT COUNT(*) FROM intents"), 3);
	ck_ok(catalog_publish(catalog, &p, &version, &deduplicated, &created_ms, &e));
	ck_assert_uint_eq(version, 1);
	ck_assert(!deduplicated);

	ck_ok(catalog_version(catalog, "team/pose", 0, &v, &e));
	ck_assert_str_eq(v->model, "team/pose");
	ck_assert_uint_eq(v->version, 1);
	ck_assert(digest_eq(&v->root, &p.root));
	ck_assert_str_eq(v->info, "{\"a\":1}");
	ck_assert_uint_eq(v->bytes, 4 + 11 + 2 + 11);
	ck_assert_uint_ge(v->created_ms, before);
	ck_assert_uint_eq(v->created_ms, created_ms);
	ck_assert_uint_eq(v->files_n, 4);
	ck_assert_str_eq(v->files[0].path, "B/shard");
	ck_assert_str_eq(v->files[1].path, "a");
	ck_assert_str_eq(v->files[2].path, "b/shard");
	ck_assert_str_eq(v->files[3].path, "model.json");
	ck_assert_str_eq(v->files[1].key.gen, blobs[1].key.gen);
	ck_assert(digest_eq(&v->files[1].key.digest, &blobs[1].digest));
	ck_assert_uint_eq(v->files[1].size, 11);
	ck_assert_int_eq(raw("SELECT COUNT(*) FROM intents"), 0);
	ck_assert_int_eq(raw("SELECT COUNT(*) FROM trash"), 0);
}
END_TEST

static uint64_t with_tensors(const char *model, const char *tensors, bool due)
{
	struct catalog_blob blob = blob_of(model);
	struct catalog_file file = {.path = "model.json", .blob = 0};
	struct catalog_publish p = {
		.model = model,
		.root = digest_of_text(model),
		.info = "{}",
		.tensors = tensors,
		.tensors_due = due,
		.blobs = &blob,
		.blobs_n = 1,
		.files = &file,
		.files_n = 1,
	};
	uint64_t version;
	bool deduplicated;
	struct err e;

	ck_ok(stage(&blob, 1, &e));
	ck_ok(catalog_publish(catalog, &p, &version, &deduplicated, NULL, &e));
	return version;
}

static void tensors_are(const char *model, uint64_t version, const char *want, bool want_due)
{
	CLEANUP_FREE char *text = NULL;
	bool due;
	struct err e;

	ck_ok(catalog_tensors_read(catalog, model, version, &text, &due, &e));
	ck_assert_str_eq(text, want);
	ck_assert_int_eq(due, want_due);
}

START_TEST(tensors_are_kept_apart_from_the_version)
{
	uint64_t version = with_tensors("pose", "[{\"name\":\"a\"}]", false);

	tensors_are("pose", version, "[{\"name\":\"a\"}]", false);
	version = published("pose", "other");
	tensors_are("pose", version, "", false);
	tensors_are("pose", version + 1, "", false);
}
END_TEST

/* The model whose turn it is, "" for none; *ret_waits: until one may be. */
static const char *next_due(uint64_t *ret_wait_ms)
{
	static struct catalog_name name;
	uint64_t version;
	bool any;
	struct err e;

	ck_ok(catalog_tensors_next(catalog, &name, &version, &any, ret_wait_ms, &e));
	if (any)
		ck_assert_uint_eq(version, 1);
	return any ? name.text : "";
}

START_TEST(tensors_without_digests_wait_for_them_in_a_queue)
{
	uint64_t wait_ms;
	struct err e;

	with_tensors("whole", "[]", false);
	ck_assert_str_eq(next_due(&wait_ms), "");
	ck_assert_uint_eq(wait_ms, UINT64_MAX);
	with_tensors("a", "[1]", true);
	with_tensors("b", "[2]", true);
	raw("UPDATE version_tensors SET due = due - 1000 WHERE (model || '') = 'a' AND due > 0");
	ck_assert_str_eq(next_due(&wait_ms), "a");
	ck_ok(catalog_tensors_defer(catalog, "a", 1, 3600000, &e));
	ck_assert_str_eq(next_due(&wait_ms), "b");
	ck_ok(catalog_tensors_set(catalog, "b", 1, "[3]", &e));
	ck_assert_str_eq(next_due(&wait_ms), "");
	ck_assert_uint_gt(wait_ms, 1800000);
	ck_assert_uint_le(wait_ms, 3600000);
	reopen();
	tensors_are("a", 1, "[1]", true);
	tensors_are("b", 1, "[3]", false);
	ck_ok(catalog_tensors_set(catalog, "b", 1, "[4]", &e));
	ck_ok(catalog_tensors_set(catalog, "none", 1, "[4]", &e));
	tensors_are("b", 1, "[3]", false);
	ck_ok(catalog_delete_version(catalog, "a", 1, &e));
	(void)next_due(&wait_ms);
	ck_assert_uint_eq(wait_ms, UINT64_MAX);
}
END_TEST

START_TEST(a_version_is_found_by_its_root_and_the_newest_wins)
{
	CLEANUP(catalog_version_free_p) struct catalog_version *v = NULL;
	struct catalog_version *none = NULL;
	struct digest root = digest_of_text("one");
	struct digest other = digest_of_text("other");
	struct err e;

	published("m", "one");
	published("m", "two");
	ck_assert_uint_eq(published("m", "one"), 3);
	ck_ok(catalog_version_by_root(catalog, "m", &root, &v, &e));
	ck_assert_uint_eq(v->version, 3);
	ck_assert_uint_eq(v->files_n, 1);
	ck_err(catalog_version_by_root(catalog, "m", &other, &none, &e), ERR_VERSION_NOT_FOUND);
	ck_err(catalog_version_by_root(catalog, "n", &root, &none, &e), ERR_MODEL_NOT_FOUND);
}
END_TEST

START_TEST(what_is_missing_is_named)
{
	struct catalog_version *v = NULL;
	struct catalog_model m;
	struct err e;

	ck_err(catalog_version(catalog, "m", 0, &v, &e), ERR_MODEL_NOT_FOUND);
	ck_err(catalog_model(catalog, "m", &m, &e), ERR_MODEL_NOT_FOUND);
	published("m", "one");
	ck_err(catalog_version(catalog, "m", 7, &v, &e), ERR_VERSION_NOT_FOUND);
	ck_assert_str_eq(e.text, "model m has no version 7; its newest is 1");
}
END_TEST

START_TEST(the_same_root_as_the_newest_adds_nothing)
{
	struct catalog_blob blob = blob_of("one");
	struct catalog_blob spare = blob_of("spare");
	uint64_t version = 0;
	bool deduplicated = false;
	struct err e;

	published("m", "one");
	ck_ok(stage(&blob, 1, &e));
	ck_assert(blob.exists);
	ck_ok(publish_blob("m", &blob, "one", &version, &deduplicated, &e));
	ck_assert(deduplicated);
	ck_assert_uint_eq(version, 1);

	/* a staged key that is not needed then becomes trash */
	ck_ok(stage(&spare, 1, &e));
	ck_ok(publish_blob("m", &spare, "one", &version, &deduplicated, &e));
	ck_assert(deduplicated);
	ck_assert_int_eq(raw("SELECT COUNT(*) FROM trash"), 1);
	ck_assert_int_eq(raw("SELECT COUNT(*) FROM intents"), 0);
	ck_assert_int_eq(raw("SELECT COUNT(*) FROM versions"), 1);
	ck_assert_int_eq(raw("SELECT COUNT(*) FROM changes"), 2);
}
END_TEST

START_TEST(an_older_root_makes_a_new_version)
{
	published("m", "one");
	published("m", "two");
	ck_assert_uint_eq(published("m", "one"), 3);
	ck_assert_int_eq(raw("SELECT COUNT(*) FROM blobs"), 2);
}
END_TEST

START_TEST(staging_a_blob_that_exists_touches_it)
{
	struct catalog_blob blob = blob_of("one");
	struct err e;

	published("m", "one");
	raw("UPDATE blobs SET touched = 5");
	ck_ok(stage(&blob, 1, &e));
	ck_assert(blob.exists);
	ck_assert_int_gt(raw("SELECT touched FROM blobs"), 5);
	ck_assert_int_eq(raw("SELECT COUNT(*) FROM intents"), 0);
}
END_TEST

START_TEST(a_blob_of_another_size_under_the_same_digest_is_corrupt)
{
	struct catalog_blob blob = blob_of("one");
	struct err e;

	published("m", "one");
	blob.size++;
	ck_err(stage(&blob, 1, &e), ERR_CORRUPT);
}
END_TEST

START_TEST(the_key_that_loses_a_race_becomes_trash)
{
	struct catalog_blob first = blob_of("same");
	struct catalog_blob second = blob_of("same");
	CLEANUP(catalog_version_free_p) struct catalog_version *v = NULL;
	struct blob_key trash[2];
	uint64_t version;
	bool deduplicated;
	size_t n = 0;
	struct err e;

	ck_ok(stage(&first, 1, &e));
	ck_ok(stage(&second, 1, &e));
	ck_assert(!first.exists && !second.exists);
	ck_assert_str_ne(first.key.gen, second.key.gen);
	ck_ok(publish_blob("a", &first, "ra", &version, &deduplicated, &e));
	ck_ok(publish_blob("b", &second, "rb", &version, &deduplicated, &e));
	ck_ok(catalog_trash_due(catalog, false, trash, ARRAY_SIZE(trash), &n, &e));
	ck_assert_uint_eq(n, 1);
	ck_assert_str_eq(trash[0].gen, second.key.gen);
	ck_ok(catalog_version(catalog, "b", 1, &v, &e));
	ck_assert_str_eq(v->files[0].key.gen, first.key.gen);
	ck_ok(catalog_trash_done(catalog, &trash[0], 1, &e));
	ck_ok(catalog_trash_done(catalog, &trash[0], 1, &e));
	ck_ok(catalog_trash_due(catalog, false, trash, ARRAY_SIZE(trash), &n, &e));
	ck_assert_uint_eq(n, 0);
}
END_TEST

START_TEST(a_blob_that_was_collected_since_is_gone_and_can_be_staged_again)
{
	struct catalog_blob blob = blob_of("one");
	uint64_t version = 99;
	bool deduplicated;
	struct err e;

	published("m", "one");
	ck_ok(stage(&blob, 1, &e));
	ck_assert(blob.exists);
	raw("DELETE FROM version_files WHERE version = 1");
	raw("DELETE FROM blobs");
	ck_err(publish_blob("n", &blob, "one", &version, &deduplicated, &e), ERR_BLOB_GONE);
	ck_assert_uint_eq(version, 99);
	ck_assert_int_eq(raw("SELECT COUNT(*) FROM models"), 1);
	ck_ok(stage(&blob, 1, &e));
	ck_assert(!blob.exists);
	ck_ok(publish_blob("n", &blob, "one", &version, &deduplicated, &e));
	ck_assert_uint_eq(version, 1);
}
END_TEST

START_TEST(an_intent_that_expired_gave_its_key_up)
{
	struct catalog_blob blob = blob_of("slow");
	struct blob_key trash;
	uint64_t version;
	bool deduplicated;
	size_t n = 0;
	struct err e;

	ck_ok(catalog_stage(catalog, &blob, 1, clock_now_ms(), &e));
	ck_ok(catalog_expire_intents(catalog, false, &e));
	ck_ok(catalog_trash_due(catalog, false, &trash, 1, &n, &e));
	ck_assert_uint_eq(n, 1);
	ck_assert_str_eq(trash.gen, blob.key.gen);
	ck_ok(catalog_trash_done(catalog, &trash, 1, &e));
	ck_err(publish_blob("m", &blob, "slow", &version, &deduplicated, &e), ERR_BLOB_GONE);
	/* it may have been linked after the sweep: giving it up makes it trash again */
	ck_ok(catalog_unstage(catalog, &blob, 1, &e));
	ck_ok(catalog_trash_due(catalog, false, &trash, 1, &n, &e));
	ck_assert_uint_eq(n, 1);
}
END_TEST

START_TEST(intents_that_have_time_left_stay)
{
	struct catalog_blob blob = blob_of("x");
	struct err e;

	ck_ok(stage(&blob, 1, &e));
	ck_ok(catalog_expire_intents(catalog, false, &e));
	ck_assert_int_eq(raw("SELECT COUNT(*) FROM intents"), 1);
	ck_assert_int_eq(raw("SELECT COUNT(*) FROM trash"), 0);
}
END_TEST

START_TEST(giving_up_spares_what_is_live)
{
	struct catalog_blob blob = blob_of("x");
	uint64_t version;
	bool deduplicated;
	struct err e;

	ck_ok(stage(&blob, 1, &e));
	ck_ok(publish_blob("m", &blob, "x", &version, &deduplicated, &e));
	ck_ok(catalog_unstage(catalog, &blob, 1, &e));
	ck_assert_int_eq(raw("SELECT COUNT(*) FROM trash"), 0);
	ck_assert_int_eq(raw("SELECT COUNT(*) FROM blobs"), 1);
}
END_TEST

START_TEST(everything_survives_a_reopen)
{
	CLEANUP(catalog_version_free_p) struct catalog_version *v = NULL;
	struct catalog_blob blob = blob_of("left over");
	struct err e;

	published("m", "one");
	published("m", "two");
	ck_ok(stage(&blob, 1, &e));
	reopen();
	ck_ok(catalog_ping(catalog, &e));
	ck_ok(catalog_version(catalog, "m", 0, &v, &e));
	ck_assert_uint_eq(v->version, 2);
	ck_assert_int_eq(raw("SELECT COUNT(*) FROM intents"), 1);
	ck_assert_int_eq(raw("SELECT COUNT(*) FROM schema_versions"), 13);
}
END_TEST

START_TEST(a_number_is_not_given_again_after_its_version_is_gone)
{
	published("m", "one");
	published("m", "two");
	raw("DELETE FROM version_files WHERE version = 2");
	raw("DELETE FROM versions WHERE version = 2");
	reopen();
	ck_assert_uint_eq(published("m", "two"), 3);
}
END_TEST

START_TEST(a_newer_schema_is_refused)
{
	struct err e;
	struct catalog *other = NULL;

	raw("INSERT INTO schema_versions (version, applied) VALUES (1000, 0)");
	ck_err(catalog_sqlite_open(unit_dir_path, &other, &e), ERR_CONFIG);
	ck_assert_ptr_nonnull(strstr(e.text, "schema version 1000"));
}
END_TEST

START_TEST(a_file_that_is_no_database_is_corrupt)
{
	char path[512];
	struct err e;
	struct catalog *other = NULL;

	(void)snprintf(path, sizeof(path), "%s/elsewhere", unit_dir_path);
	ck_ok(fsio_mkdirs(path, &e));
	(void)snprintf(path, sizeof(path), "%s/elsewhere/catalog.db", unit_dir_path);
	ck_ok(fsio_write_file(path, "not a database, but long enough to have a header", 48, &e));
	(void)snprintf(path, sizeof(path), "%s/elsewhere", unit_dir_path);
	ck_err(catalog_sqlite_open(path, &other, &e), ERR_CORRUPT);
	(void)snprintf(path, sizeof(path), "%s/nowhere", unit_dir_path);
	ck_err(catalog_sqlite_open(path, &other, &e), ERR_IO_FAILED);
}
END_TEST

/* ---- lists ---- */

#define NUMBERS_TEXT 64

static void append(char *text, size_t size, const char *word)
{
	size_t n = strlen(text);

	(void)snprintf(text + n, size - n, "%s ", word);
}

struct names {
	char text[512];
	size_t n;
	size_t stop_at;
};

static int add_name(void *cls, const struct catalog_model *m, struct err *e)
{
	struct names *names = cls;

	append(names->text, sizeof(names->text), m->name);
	if (++names->n == names->stop_at)
		return err_set(e, ERR_CONFLICT, "enough");
	return 0;
}

static const char *listed(const char *prefix, const char *after, size_t limit)
{
	static struct names names;
	struct err e;

	names = (struct names){0};
	ck_ok(catalog_list_models(catalog, prefix, after, limit, add_name, &names, &e));
	return names.text;
}

START_TEST(models_are_listed_bytewise_by_prefix_and_page)
{
	static const char *const models[] = {
		"b", "a", "a-b", "a/b", "a.b", "a0", "ab", "ab/c", "z9"};

	for (size_t i = 0; i < ARRAY_SIZE(models); i++)
		published(models[i], models[i]);
	ck_assert_str_eq(listed("", "", 100), "a a-b a.b a/b a0 ab ab/c b z9 ");
	ck_assert_str_eq(listed("a", "", 100), "a a-b a.b a/b a0 ab ab/c ");
	ck_assert_str_eq(listed("a", "", 2), "a a-b ");
	ck_assert_str_eq(listed("a", "a-b", 2), "a.b a/b ");
	ck_assert_str_eq(listed("ab", "a", 9), "ab ab/c ");
	ck_assert_str_eq(listed("ab", "ab", 9), "ab/c ");
	ck_assert_str_eq(listed("ab", "b", 9), "");
	ck_assert_str_eq(listed("", "z9", 9), "");
	ck_assert_str_eq(listed("%", "", 9), "");
	ck_assert_str_eq(listed("\xff", "", 9), "");
	ck_assert_str_eq(listed("z\x7f", "", 9), "");
	ck_assert_str_eq(listed("a", "", 0), "");
}
END_TEST

START_TEST(a_callback_stops_a_list)
{
	struct names names = {.stop_at = 2};
	struct err e;

	published("a", "a");
	published("b", "b");
	published("c", "c");
	ck_err(catalog_list_models(catalog, "", "", 9, add_name, &names, &e), ERR_CONFLICT);
	ck_assert_str_eq(names.text, "a b ");
}
END_TEST

START_TEST(a_model_has_its_sums)
{
	struct catalog_model m;
	struct err e;

	published("m", "one");
	published("m", "three");
	published("m", "one");
	ck_ok(catalog_model(catalog, "m", &m, &e));
	ck_assert_str_eq(m.name, "m");
	ck_assert_uint_eq(m.latest, 3);
	ck_assert_uint_eq(m.versions, 3);
	ck_assert_uint_eq(m.bytes, 3 + 5 + 3);
	ck_assert_uint_ge(m.updated_ms, m.created_ms);
	ck_assert_uint_gt(m.created_ms, 0);
}
END_TEST

static int add_number(void *cls, const struct catalog_version_row *v, struct err *e)
{
	char number[32];

	(void)e;
	(void)snprintf(number, sizeof(number), "%llu", (unsigned long long)v->version);
	append(cls, NUMBERS_TEXT, number);
	ck_assert_uint_gt(v->bytes, 0);
	return 0;
}

START_TEST(versions_are_listed_newest_first)
{
	char text[NUMBERS_TEXT] = "";
	struct err e;

	published("m", "1");
	published("m", "2");
	published("m", "3");
	published("m", "4");
	ck_ok(catalog_list_versions(catalog, "m", 0, 9, add_number, text, &e));
	ck_assert_str_eq(text, "4 3 2 1 ");
	text[0] = '\0';
	ck_ok(catalog_list_versions(catalog, "m", 4, 2, add_number, text, &e));
	ck_assert_str_eq(text, "3 2 ");
	text[0] = '\0';
	ck_ok(catalog_list_versions(catalog, "m", 1, 2, add_number, text, &e));
	ck_assert_str_eq(text, "");
	ck_ok(catalog_list_versions(catalog, "nothing", 0, 2, add_number, text, &e));
	ck_assert_str_eq(text, "");
}
END_TEST

static int count_models(void *cls, const struct catalog_model *m, struct err *e)
{
	size_t *n = cls;

	(void)m;
	(void)e;
	(*n)++;
	return 0;
}

START_TEST(a_list_longer_than_a_page_is_whole)
{
	size_t n = 0;
	struct err e;

	raw("WITH RECURSIVE c (i) AS (SELECT 1000 UNION ALL SELECT i + 1 FROM c WHERE i < 2200)"
	    " INSERT INTO models (name, next_version, latest, created, updated)"
	    " SELECT 'm' || i, 2, 1, 0, 0 FROM c");
	ck_ok(catalog_list_models(catalog, "m", "", 5000, count_models, &n, &e));
	ck_assert_uint_eq(n, 1201);
	n = 0;
	ck_ok(catalog_list_models(catalog, "m", "", 1100, count_models, &n, &e));
	ck_assert_uint_eq(n, 1100);
}
END_TEST

START_TEST(a_person_reads_the_tables_with_plain_sqlite3)
{
	published("m", "one");
	ck_assert_int_eq(raw_with(false, "SELECT latest FROM models"), 1);
	ck_assert_int_eq(raw_with(false, "SELECT version, path, digest FROM version_files"), 1);
	ck_assert_int_eq(raw_with(false, "SELECT size FROM blobs"), 3);
	ck_assert_int_eq(raw_with(false, "SELECT version FROM versions WHERE model LIKE 'm%'"), 1);
}
END_TEST

START_TEST(changes_are_recorded_in_sequence)
{
	published("m", "one");
	published("m", "two");
	ck_assert_int_eq(raw("SELECT COUNT(*) FROM changes WHERE kind = 'model-created'"), 1);
	ck_assert_int_eq(raw("SELECT COUNT(*) FROM changes WHERE kind = 'version-published'"), 2);
	ck_assert_int_eq(raw("SELECT MAX(sequence) FROM changes"), 3);
	ck_assert_int_eq(raw("SELECT item FROM changes WHERE sequence = 3"), 2);
}
END_TEST

/* ---- together ---- */

#define PUBLISHES 50

struct publisher {
	const char *name;
	uint64_t versions[PUBLISHES];
};

static void *publish_many(void *arg)
{
	struct publisher *p = arg;

	for (unsigned i = 0; i < PUBLISHES; i++) {
		char text[64];
		(void)snprintf(text, sizeof(text), "%s %u", p->name, i);
		p->versions[i] = published("m", text);
	}
	return NULL;
}

static void *list_all_the_time(void *arg)
{
	atomic_bool *stop = arg;
	struct err e;

	while (!atomic_load(stop)) {
		size_t n = 0;
		ck_ok(catalog_list_models(catalog, "", "", 10, count_models, &n, &e));
		ck_assert_uint_le(n, 1);
	}
	return NULL;
}

START_TEST(two_publishers_get_distinct_numbers_while_others_read)
{
	struct publisher publishers[2] = {{.name = "a"}, {.name = "b"}};
	pthread_t threads[2];
	pthread_t readers[6];
	bool seen[2 * PUBLISHES + 1] = {false};
	atomic_bool stop = false;

	for (size_t i = 0; i < ARRAY_SIZE(readers); i++)
		ck_assert_int_eq(pthread_create(&readers[i], NULL, list_all_the_time, &stop), 0);
	for (size_t i = 0; i < 2; i++)
		ck_assert_int_eq(pthread_create(&threads[i], NULL, publish_many, &publishers[i]),
			0);
	for (size_t i = 0; i < 2; i++)
		ck_assert_int_eq(pthread_join(threads[i], NULL), 0);
	atomic_store(&stop, true);
	for (size_t i = 0; i < ARRAY_SIZE(readers); i++)
		ck_assert_int_eq(pthread_join(readers[i], NULL), 0);
	for (size_t i = 0; i < 2; i++) {
		for (size_t k = 0; k < PUBLISHES; k++) {
			ck_assert_uint_le(publishers[i].versions[k], 2 * PUBLISHES);
			ck_assert(!seen[publishers[i].versions[k]]);
			seen[publishers[i].versions[k]] = true;
		}
	}
}
END_TEST

static Suite *suite(void)
{
	Suite *s = suite_create("catalog");
	TCase *t = tcase_create("catalog");

	tcase_add_checked_fixture(t, open_catalog, close_catalog);
	tcase_set_timeout(t, 60);
	tcase_add_test(t, a_published_version_is_read_back_with_its_files_in_order);
	tcase_add_test(t, tensors_are_kept_apart_from_the_version);
	tcase_add_test(t, tensors_without_digests_wait_for_them_in_a_queue);
	tcase_add_test(t, a_version_is_found_by_its_root_and_the_newest_wins);
	tcase_add_test(t, what_is_missing_is_named);
	tcase_add_test(t, the_same_root_as_the_newest_adds_nothing);
	tcase_add_test(t, an_older_root_makes_a_new_version);
	tcase_add_test(t, staging_a_blob_that_exists_touches_it);
	tcase_add_test(t, a_blob_of_another_size_under_the_same_digest_is_corrupt);
	tcase_add_test(t, the_key_that_loses_a_race_becomes_trash);
	tcase_add_test(t, a_blob_that_was_collected_since_is_gone_and_can_be_staged_again);
	tcase_add_test(t, an_intent_that_expired_gave_its_key_up);
	tcase_add_test(t, intents_that_have_time_left_stay);
	tcase_add_test(t, giving_up_spares_what_is_live);
	tcase_add_test(t, everything_survives_a_reopen);
	tcase_add_test(t, a_number_is_not_given_again_after_its_version_is_gone);
	tcase_add_test(t, a_newer_schema_is_refused);
	tcase_add_test(t, a_file_that_is_no_database_is_corrupt);
	tcase_add_test(t, models_are_listed_bytewise_by_prefix_and_page);
	tcase_add_test(t, a_callback_stops_a_list);
	tcase_add_test(t, a_model_has_its_sums);
	tcase_add_test(t, versions_are_listed_newest_first);
	tcase_add_test(t, a_list_longer_than_a_page_is_whole);
	tcase_add_test(t, a_person_reads_the_tables_with_plain_sqlite3);
	tcase_add_test(t, changes_are_recorded_in_sequence);
	tcase_add_test(t, two_publishers_get_distinct_numbers_while_others_read);
	suite_add_tcase(s, t);
	return s;
}

UNIT_MAIN
