/* SPDX-License-Identifier: Apache-2.0 */
/* Coded forms: which files get them, and what becomes of them when anything goes wrong. */
#include "common/registry/registry_encode.h"
#include "common/ingest/decode.h"
#include "common/registry/registry_internal.h"
#include "common/registry/registry_scrub.h"
#include "common/store/blobs_fs.h"
#include "common/store/catalog_sqlite.h"
#include "common/store/catalog_variant.h"
#include "tests/unit/fault.h"
#include "tests/unit/unit.h"
#include "tests/unit/unit_catalog.h"
#include "tests/unit/unit_dir.h"
#include "tests/unit/unit_upload.h"

#include <sys/stat.h>

#define WEIGHTS   "12345678"
#define CALLS_MAX 100
#define LARGE     (600u << 10)

static struct registry *registry;
static atomic_bool stop;
static void (*before_coding)(void), (*after_coding)(void);
static char told[4096];
static char large[LARGE];
static struct registry_options options;

/* ---- helpers ---- */

static void open_registry(void)
{
	struct blobs *blobs;
	struct catalog *catalog;
	struct err e;

	ck_ok(blobs_fs_open(unit_dir_path, &blobs, &e));
	ck_ok(catalog_sqlite_open(unit_dir_path, &catalog, &e));
	fault_arm(FAULT_ONCE, 0);
	ck_ok(registry_open_on(&options, blobs_fault(blobs), catalog_fault(catalog), &registry,
		&e));
}

static void open_store(void)
{
	unit_dir_make();
	options = unit_upload_options();
	atomic_store(&stop, false);
	before_coding = after_coding = NULL;
	told[0] = '\0';
	open_registry();
}

static void close_store(void)
{
	registry_close(registry);
	unit_dir_remove();
}

static void reopen(void)
{
	registry_close(registry);
	open_registry();
}

static void made(void *cls, const char *model)
{
	size_t n = strlen(told);

	(void)cls;
	(void)snprintf(told + n, sizeof(told) - n, "%s ", model ? model : "*");
}

static int apart(void *cls, registry_encode_fn *fn, void *arg, struct err *e)
{
	int r;

	(void)cls;
	if (before_coding)
		before_coding();
	r = fn(arg, e);
	if (after_coding)
		after_coding();
	return r;
}

static int next(struct registry_encoded *ret, struct err *e)
{
	struct registry_encode how = {.stop = &stop, .made = made, .apart = apart};

	return registry_encode_next(registry, &how, ret, e);
}

/* All there is; how many forms that made. */
static unsigned encode_all(void)
{
	struct registry_encoded done = {.any = true};
	unsigned forms = 0;
	struct err e;

	while (done.any) {
		ck_ok(next(&done, &e));
		forms += done.forms;
	}
	return forms;
}

/* What was put off is put on. */
static void hurry(void)
{
	unit_catalog_raw("UPDATE variants_due SET due = 0");
}

static void publish_with(const char *name, const char *path, const char *bytes, size_t n)
{
	const struct unit_part parts[] = {
		UNIT_PART("model.json", "model.json", UNIT_MODEL_JSON),
		UNIT_PART("model.weights.bin", "model.weights.bin", WEIGHTS),
		{path, path, bytes, n},
	};
	CLEANUP_FINDINGS struct findings f;
	struct published p;
	struct err e;

	findings_init(&f);
	ck_ok(unit_upload_publish(registry, name, parts, ARRAY_SIZE(parts) - (path ? 0 : 1), &p, &f,
		&e));
}

static void publish(const char *name)
{
	publish_with(name, NULL, NULL, 0);
}

static struct catalog_version *newest(const char *name)
{
	struct catalog_version *v = NULL;
	struct err e;

	ck_ok(catalog_version(registry_catalog(registry), name, 0, &v, &e));
	return v;
}

static const struct catalog_version_file *file_of(const struct catalog_version *v, const char *path)
{
	for (size_t i = 0; i < v->files_n; i++)
		if (strcmp(v->files[i].path, path) == 0)
			return &v->files[i];
	ck_abort_msg("no %s", path);
	return NULL;
}

static bool has_form(const char *name, const char *path, enum encode_coding coding)
{
	CLEANUP(catalog_version_free_p) struct catalog_version *v = newest(name);
	CLEANUP(blob_unref_p) struct blob *b = NULL;
	struct digest digest;
	struct err e;

	ck_ok(registry_open_coded(registry, file_of(v, path), coding, &b, &digest, &e));
	return b != NULL;
}

static int to_buf(void *cls, const void *bytes, size_t n, struct err *e)
{
	buf_add(cls, bytes, n);
	return buf_check(cls, "what comes out", e);
}

/* It has both, and they decode to what was published. */
static void check_forms(const char *name, const char *path)
{
	CLEANUP(catalog_version_free_p) struct catalog_version *v = newest(name);
	CLEANUP(blob_unref_p) struct blob *identity = NULL;
	const struct catalog_version_file *file;
	struct err e;

	ck_ok(registry_open_file(registry, v, path, &file, &identity, &e));
	for (int i = 0; i < ENCODE_CODINGS; i++) {
		CLEANUP(blob_unref_p) struct blob *b = NULL;
		CLEANUP(decode_free_p) struct decode *d = NULL;
		CLEANUP_BUF struct buf back = BUF_INIT(blob_size(identity));
		struct digest digest, found;
		ck_ok(registry_open_coded(registry, file, (enum encode_coding)i, &b, &digest, &e));
		ck_assert_ptr_nonnull(b);
		ck_ok(digest_of(blob_data(b), blob_size(b), &found, &e));
		ck_assert(digest_eq(&found, &digest));
		ck_assert_uint_lt(blob_size(b), blob_size(identity));
		ck_ok(decode_new((enum encode_coding)i, UINT64_MAX, to_buf, &back, &d, &e));
		ck_ok(decode_write(d, blob_data(b), blob_size(b), &e));
		ck_ok(decode_finish(d, &e));
		ck_assert_uint_eq(back.len, blob_size(identity));
		ck_assert_int_eq(memcmp(back.data, blob_data(identity), back.len), 0);
	}
}

static void make_noise(void)
{
	unsigned long long x = 88172645463325252ull;

	for (size_t i = 0; i < sizeof(large); i++) {
		x ^= x << 13;
		x ^= x >> 7;
		x ^= x << 17;
		large[i] = (char)x;
	}
}

static const char *file_path(const struct blob_key *key)
{
	char text[BLOB_KEY_TEXT], path[128];

	(void)blob_key_text(key, text);
	(void)snprintf(path, sizeof(path), "blobs/%.2s/%.2s/%s", text, text + 2, text);
	return unit_dir_file(path);
}

static const char *form_path(const char *name, const char *path, const char *coding)
{
	CLEANUP(catalog_version_free_p) struct catalog_version *v = newest(name);
	struct catalog_variant form;
	bool found;
	struct err e;

	ck_ok(catalog_variant_find(registry_catalog(registry), &file_of(v, path)->key.digest,
		coding, &form, &found, &e));
	ck_assert(found);
	return file_path(&form.key);
}

static void turn_a_bit(const char *path)
{
	FILE *f;
	int byte;

	ck_assert_int_eq(chmod(path, 0600), 0);
	f = fopen(path, "r+");
	ck_assert_ptr_nonnull(f);
	byte = fgetc(f);
	ck_assert_int_eq(fseek(f, 0, SEEK_SET), 0);
	ck_assert_int_ne(fputc(byte ^ 1, f), EOF);
	ck_assert_int_eq(fclose(f), 0);
}

/* Nothing is lost or left over. */
static void check_whole(void)
{
	const struct registry_fsck how = {.tell = NULL};
	struct registry_fsck_result result;
	size_t removed;
	struct err e;

	ck_ok(registry_sweep(registry, &removed, &e));
	ck_ok(registry_fsck(registry, &how, &result, &e));
	ck_assert_uint_eq(result.damaged, 0);
	ck_assert_uint_eq(result.left_over, 0);
	ck_assert_uint_eq(unit_dir_count("tmp"), 0);
	ck_assert_uint_eq(unit_dir_count("blobs"), result.blobs);
}

static struct registry_collected collect(void)
{
	const struct registry_collect how = {.grace_ms = 0};
	struct registry_collected done;
	struct err e;

	ck_ok(registry_collect(registry, &how, &done, &e));
	return done;
}

/* ---- which files ---- */

START_TEST(tiny_files_are_not_queued)
{
	uint64_t n;
	struct err e;

	publish("m"); /* of its two files model.json is large enough */
	ck_ok(catalog_variant_count(registry_catalog(registry), 10, &n, &e));
	ck_assert_uint_eq(n, 1);
	(void)encode_all();
	ck_ok(catalog_variant_count(registry_catalog(registry), 10, &n, &e));
	ck_assert_uint_eq(n, 0);
}
END_TEST

START_TEST(text_is_coded_and_tiny_files_are_not)
{
	publish("m");
	ck_assert_uint_eq(encode_all(), 2);
	check_forms("m", "model.json");
	ck_assert(!has_form("m", "model.weights.bin", ENCODE_GZIP));
	ck_assert_str_eq(told, "m ");
	ck_assert_uint_eq(unit_dir_count("blobs"), 4);
	check_whole();
}
END_TEST

START_TEST(what_is_no_text_is_coded_where_it_saves_a_tenth)
{
	make_noise();
	publish_with("noise", "more.bin", large, LARGE);
	ck_assert_uint_eq(encode_all(), 2);
	ck_assert(!has_form("noise", "more.bin", ENCODE_BROTLI));
	memset(large, 0, LARGE / 20); /* a twentieth */
	publish_with("less", "more.bin", large, LARGE);
	ck_assert_uint_eq(encode_all(), 0);
	for (size_t i = 0; i < LARGE; i += 4)
		large[i] = 0;
	publish_with("quarter", "more.bin", large, LARGE);
	ck_assert_uint_eq(encode_all(), 2);
	check_forms("quarter", "more.bin");
	check_whole();
}
END_TEST

/* A sample may promise what the whole does not keep. */
START_TEST(a_form_that_does_not_pay_after_all_is_not_kept)
{
	make_noise();
	for (size_t i = 0; i < 5; i++)
		memset(large + i * (LARGE - (64u << 10)) / 4, 0, 8u << 10);
	publish_with("m", "more.bin", large, LARGE);
	ck_assert_uint_eq(encode_all(), 2);
	ck_assert(!has_form("m", "more.bin", ENCODE_GZIP));
	check_whole();
}
END_TEST

START_TEST(text_that_does_not_shrink_has_no_forms)
{
	make_noise();
	publish_with("m", "labels.txt", large, 1000);
	ck_assert_uint_eq(encode_all(), 2);
	ck_assert(!has_form("m", "labels.txt", ENCODE_GZIP));
	check_whole();
}
END_TEST

START_TEST(versions_and_models_share_forms)
{
	publish("a");
	publish("b");
	ck_assert_uint_eq(encode_all(), 2);
	ck_assert_str_eq(told, "a b ");
	publish_with("b", "labels.txt", "x", 1);
	ck_assert_uint_eq(encode_all(), 0);
	check_forms("a", "model.json");
	check_forms("b", "model.json");
}
END_TEST

/* ---- stopping and going on ---- */

static void stop_now(void)
{
	atomic_store(&stop, true);
}

START_TEST(what_was_stopped_is_done_after_the_next_start)
{
	struct registry_encoded done;
	struct err e;

	publish("m");
	hurry();
	before_coding = stop_now;
	ck_err(next(&done, &e), ERR_SHUTTING_DOWN);
	atomic_store(&stop, false);
	before_coding = NULL;
	ck_assert_uint_eq(unit_dir_count("tmp"), 0);
	reopen();
	ck_assert_uint_eq(encode_all(), 2);
	check_forms("m", "model.json");
}
END_TEST

START_TEST(a_full_disk_is_waited_for)
{
	struct registry_encoded done;
	struct err e;

	publish("m");
	options.min_free_bytes = UINT64_MAX / 2;
	reopen();
	ck_err(next(&done, &e), ERR_STORAGE_FULL);
	options.min_free_bytes = 0;
	reopen();
	ck_assert_uint_eq(encode_all(), 2);
	check_whole();
}
END_TEST

static const enum fault_mode modes[] = {FAULT_ONCE, FAULT_ONCE_AFTER, FAULT_FROM_ON};

START_TEST(whatever_call_fails_the_next_time_works)
{
	bool clean = false;
	unsigned failures = 0;

	for (unsigned n = 1; !clean && n < CALLS_MAX; n++) {
		struct registry_encoded done;
		char name[32];
		struct err e;
		int r;

		(void)snprintf(name, sizeof(name), "m%u", n);
		memset(large, 'a' + (char)(n % 26), 1000 + n);
		publish_with(name, "labels.txt", large, 1000 + n);
		hurry();
		fault_arm(modes[_i], n);
		do {
			r = next(&done, &e);
		} while (r == 0 && done.any);
		clean = fault.calls < n;
		failures += r < 0;
		fault_arm(FAULT_ONCE, 0);
		unit_catalog_raw("UPDATE intents SET expires = 0");
		hurry();
		(void)encode_all();
		check_forms(name, "labels.txt");
		check_forms(name, "model.json");
		check_whole();
	}
	ck_assert(clean);
	ck_assert_uint_ge(failures, 9);
}
END_TEST

/* ---- what goes meanwhile ---- */

static void remove_model(void)
{
	struct err e;

	ck_ok(registry_delete_model(registry, "m", "", &e));
	(void)collect();
}

START_TEST(what_is_deleted_meanwhile_leaves_nothing)
{
	if (_i == 0)
		before_coding = remove_model;
	else
		after_coding = remove_model;
	publish_with("m", "labels.txt", large, LARGE);
	struct registry_encoded done;
	struct err e;
	ck_ok(next(&done, &e));
	ck_assert(done.any && !done.damaged);
	ck_assert_uint_eq(done.forms, 0);
	before_coding = after_coding = NULL;
	ck_assert_uint_eq(encode_all(), 0);
	check_whole();
	ck_assert_uint_eq(unit_dir_count("blobs"), 0);
}
END_TEST

START_TEST(forms_go_with_the_version_in_one_collection)
{
	struct registry_collected done;

	publish_with("m", "labels.txt", large, 1000);
	ck_assert_uint_eq(encode_all(), 4);
	ck_assert_uint_eq(collect().blobs, 0);
	struct err e;
	ck_ok(registry_delete_model(registry, "m", "", &e));
	done = collect();
	ck_assert_uint_eq(done.blobs, 7);
	ck_assert_uint_eq(done.files, 7);
	ck_assert_uint_eq(unit_dir_count("blobs"), 0);
}
END_TEST

START_TEST(what_no_version_holds_is_put_off)
{
	struct registry_encoded done;
	struct err e;

	publish("m");
	ck_ok(registry_delete_model(registry, "m", "", &e));
	ck_assert_uint_eq(encode_all(), 0);
	ck_ok(next(&done, &e));
	ck_assert(!done.any && done.wait_ms > 0 && done.wait_ms < UINT64_MAX);
	publish("m");
	hurry();
	ck_assert_uint_eq(encode_all(), 2);
	check_forms("m", "model.json");
}
END_TEST

/* ---- damage ---- */

START_TEST(damaged_bytes_have_no_forms_and_are_known_from_then_on)
{
	CLEANUP(catalog_version_free_p) struct catalog_version *v = NULL;
	struct registry_encoded done;
	struct registry_state state;
	struct err e;

	publish_with("m", "labels.txt", large, LARGE);
	hurry();
	v = newest("m");
	turn_a_bit(file_path(&file_of(v, "labels.txt")->key));
	bool damaged = false;
	do {
		ck_ok(next(&done, &e));
		damaged |= done.damaged;
	} while (done.any);
	ck_assert(damaged);
	ck_assert(!has_form("m", "labels.txt", ENCODE_GZIP));
	ck_ok(registry_state(registry, &state, &e));
	ck_assert_uint_eq(state.damaged, 1);
	publish_with("m", "labels.txt", large, LARGE);
	hurry();
	ck_assert_uint_eq(encode_all(), 2);
	check_forms("m", "labels.txt");
	check_whole();
}
END_TEST

START_TEST(a_form_that_is_missing_is_none_and_is_made_again)
{
	publish("m");
	ck_assert_uint_eq(encode_all(), 2);
	ck_assert_int_eq(unlink(form_path("m", "model.json", "br")), 0);
	ck_assert(!has_form("m", "model.json", ENCODE_BROTLI));
	ck_assert(has_form("m", "model.json", ENCODE_GZIP));
	ck_assert_uint_eq(encode_all(), 2);
	check_forms("m", "model.json");
	check_whole();
}
END_TEST

static bool no_wait(void *cls, uint64_t ms)
{
	(void)cls;
	(void)ms;
	return false;
}

static int tell_news(void *cls, enum registry_scrub_news news, const char *text, struct err *e)
{
	(void)cls;
	(void)e;
	ck_assert_int_eq(news, REGISTRY_SCRUB_DROPPED);
	(void)snprintf(told, sizeof(told), "%s", text);
	return 0;
}

START_TEST(a_scrub_drops_a_damaged_form_and_nothing_else)
{
	const struct registry_scrub how = {.wait = no_wait, .tell = tell_news};
	struct registry_scrub_result done;
	struct registry_state before, after;
	struct err e;

	publish("m");
	ck_assert_uint_eq(encode_all(), 2);
	turn_a_bit(form_path("m", "model.json", "gzip"));
	ck_ok(registry_state(registry, &before, &e));
	ck_ok(registry_scrub(registry, &how, &done, &e));
	ck_assert(done.damaged == 0 && done.dropped == 1);
	ck_assert_ptr_nonnull(strstr(told, "it is the gzip form of m@1/model.json"));
	ck_ok(registry_state(registry, &after, &e));
	ck_assert_uint_eq(after.damaged, 0);
	ck_assert_uint_eq(after.damage_found, before.damage_found + 1);
	ck_assert_uint_eq(after.uncoded, 1);
	ck_assert(has_form("m", "model.json", ENCODE_BROTLI));
	ck_assert(!has_form("m", "model.json", ENCODE_GZIP));
	ck_assert_uint_eq(encode_all(), 2);
	check_forms("m", "model.json");
	check_whole();
}
END_TEST

static int tell_fault(void *cls, bool damage, const char *text, struct err *e)
{
	size_t n = strlen(told);

	(void)cls;
	(void)e;
	ck_assert(damage);
	(void)snprintf(told + n, sizeof(told) - n, "%s\n", text);
	return 0;
}

#define BR_OF_MODEL "(SELECT form FROM variants WHERE coding = 'br')"
#define WEIGHTS_BLOB "(SELECT digest FROM blobs WHERE size = 8)"

static const struct {
	const char *change, *says;
} wrongs[] = {
	{"SET form = " BR_OF_MODEL " WHERE coding = 'gzip'",
		"is not what it should be, coded: "},
	{"SET digest = " WEIGHTS_BLOB " WHERE coding = 'br'",
		"hold more than they should; it is the br form of m@1/model.weights.bin"},
	{"SET coding = 'zstd' WHERE coding = 'br'",
		"has a coding that is not known, zstd"},
	{"SET digest = " BR_OF_MODEL " WHERE coding = 'gzip'",
		"is a coded form that has coded forms"},
};

START_TEST(a_check_names_what_is_no_form_of_it)
{
	const struct registry_fsck how = {.tell = tell_fault};
	struct registry_fsck_result result;
	char sql[256];
	struct err e;

	publish("m");
	ck_assert_uint_eq(encode_all(), 2);
	(void)snprintf(sql, sizeof(sql), "UPDATE variants %s", wrongs[_i].change);
	unit_catalog_raw(sql);
	told[0] = '\0';
	ck_ok(registry_fsck(registry, &how, &result, &e));
	ck_assert_uint_ge(result.damaged, 1);
	ck_assert_msg(strstr(told, wrongs[_i].says) != NULL, "%s", told);
}
END_TEST

static Suite *suite(void)
{
	Suite *s = suite_create("registry encode");
	TCase *t = tcase_create("registry encode");

	tcase_add_checked_fixture(t, open_store, close_store);
	tcase_set_timeout(t, 120);
	tcase_add_test(t, tiny_files_are_not_queued);
	tcase_add_test(t, text_is_coded_and_tiny_files_are_not);
	tcase_add_test(t, what_is_no_text_is_coded_where_it_saves_a_tenth);
	tcase_add_test(t, a_form_that_does_not_pay_after_all_is_not_kept);
	tcase_add_test(t, text_that_does_not_shrink_has_no_forms);
	tcase_add_test(t, versions_and_models_share_forms);
	tcase_add_test(t, what_was_stopped_is_done_after_the_next_start);
	tcase_add_test(t, a_full_disk_is_waited_for);
	tcase_add_loop_test(t, whatever_call_fails_the_next_time_works, 0, ARRAY_SIZE(modes));
	tcase_add_loop_test(t, what_is_deleted_meanwhile_leaves_nothing, 0, 2);
	tcase_add_test(t, forms_go_with_the_version_in_one_collection);
	tcase_add_test(t, what_no_version_holds_is_put_off);
	tcase_add_test(t, damaged_bytes_have_no_forms_and_are_known_from_then_on);
	tcase_add_test(t, a_form_that_is_missing_is_none_and_is_made_again);
	tcase_add_test(t, a_scrub_drops_a_damaged_form_and_nothing_else);
	tcase_add_loop_test(t, a_check_names_what_is_no_form_of_it, 0, ARRAY_SIZE(wrongs));
	suite_add_tcase(s, t);
	return s;
}

UNIT_MAIN
