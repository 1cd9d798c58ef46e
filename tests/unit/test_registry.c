/* SPDX-License-Identifier: Apache-2.0 */
#include "common/base/clock.h"
#include "common/base/fsio.h"
#include "common/base/num.h"
#include "common/registry/registry_internal.h"
#include "common/registry/registry_limits.h"
#include "common/model/rootdigest.h"
#include "tests/unit/unit.h"
#include "tests/unit/unit_dir.h"
#include "tests/unit/unit_upload.h"

#include <pthread.h>

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

static void reopen_with(const struct registry_options *o)
{
	struct err e;

	registry_close(take_ptr(registry));
	ck_ok(registry_open(o, &registry, &e));
}

static struct catalog_version *resolved(const char *text)
{
	struct catalog_version *v = NULL;
	struct ref ref;
	struct err e;

	ck_ok(ref_parse(str_of(text), &ref, &e));
	ck_ok(registry_resolve(registry, &ref, &v, &e));
	return v;
}

static void check_file(const struct catalog_version *v, const char *path, const char *want)
{
	CLEANUP(blob_unref_p) struct blob *b = NULL;
	const struct catalog_version_file *file = NULL;
	struct err e;

	ck_ok(registry_open_file(registry, v, path, &file, &b, &e));
	ck_assert_uint_eq(blob_size(b), strlen(want));
	if (*want)
		ck_assert_int_eq(memcmp(blob_data(b), want, strlen(want)), 0);
}

static void check_info_has(const char *ref, const char *want)
{
	CLEANUP(catalog_version_free_p) struct catalog_version *v = resolved(ref);

	ck_assert_msg(strstr(v->info, want), "no %s in %s", want, v->info);
}

/* Publishes parts that must be refused so, and proves that nothing stayed. */
static void check_refused(const struct unit_part *parts, size_t n, enum err_code code,
	const char *rule, const char *words)
{
	CLEANUP_FINDINGS struct findings f;
	struct catalog_model m;
	struct published p;
	struct err e;

	findings_init(&f);
	ck_err(unit_upload_publish(registry, "m", parts, n, &p, &f, &e), code);
	ck_assert_msg(strstr(e.text, words), "no \"%s\" in \"%s\"", words, e.text);
	if (rule) {
		ck_assert_uint_gt(f.n, 0);
		ck_assert_str_eq(f.items[0].rule, rule);
	} else {
		ck_assert_uint_eq(f.n, 0);
	}
	ck_err(catalog_model(registry_catalog(registry), "m", &m, &e), ERR_MODEL_NOT_FOUND);
	ck_assert_uint_eq(unit_dir_count("tmp"), 0);
	ck_assert_uint_eq(unit_dir_count("blobs"), 0);
}

static void publish(const struct unit_part *parts, size_t n, struct published *ret)
{
	CLEANUP_FINDINGS struct findings f;
	struct err e;

	findings_init(&f);
	ck_ok(unit_upload_publish(registry, "m", parts, n, ret, &f, &e));
}

/* ---- what is accepted ---- */

START_TEST(a_saved_model_becomes_a_version_that_is_read_back)
{
	CLEANUP(catalog_version_free_p) struct catalog_version *v = NULL;
	uint64_t before = clock_now_ms();
	struct published p;
	struct err e;

	ck_ok(unit_upload_model(registry, "team/m", "12345678", &p, &e));
	ck_assert_str_eq(p.name, "team/m");
	ck_assert_uint_eq(p.version, 1);
	ck_assert(!p.deduplicated);
	ck_assert_uint_ge(p.saved_ms, before);
	ck_assert_uint_le(p.saved_ms, clock_now_ms());
	ck_assert_uint_eq(p.topology_bytes, strlen(UNIT_TOPOLOGY));
	ck_assert_uint_eq(p.weight_specs_bytes,
		strlen("[{\"name\":\"l/kernel\",\"shape\":[1,2],\"dtype\":\"float32\"}]"));
	ck_assert_uint_eq(p.weight_data_bytes, 8);

	v = resolved("team/m");
	ck_assert_uint_eq(v->files_n, 2);
	check_file(v, "model.json", UNIT_MODEL_JSON);
	check_file(v, "model.weights.bin", "12345678");
	ck_assert(digest_eq(&v->root, &p.root));
	ck_assert_uint_eq(v->created_ms, p.saved_ms);
	check_info_has("team/m", "\"kind\":\"layers-model\"");
	check_info_has("team/m", "\"weightDataBytes\":8");
	check_info_has("team/m", "\"signature\":{\"inputs\":{");
	check_info_has("team/m", "\"findings\":[]");
	ck_assert_ptr_null(strstr(v->info, "converted_by"));
	ck_assert_ptr_null(strstr(v->info, "model_json_name"));
	ck_assert_uint_eq(unit_dir_count("tmp"), 0);
	ck_assert_uint_eq(unit_dir_count("blobs"), 2);
}
END_TEST

START_TEST(a_retried_save_makes_no_second_version)
{
	struct published first;
	struct published again;
	struct err e;

	ck_ok(unit_upload_model(registry, "m", "12345678", &first, &e));
	ck_ok(unit_upload_model(registry, "m", "12345678", &again, &e));
	ck_assert(again.deduplicated);
	ck_assert_uint_eq(again.version, 1);
	ck_assert_uint_eq(again.saved_ms, first.saved_ms);
	ck_assert(digest_eq(&again.root, &first.root));
	ck_assert_uint_eq(again.weight_data_bytes, 8);
	ck_ok(unit_upload_model(registry, "m", "abcdefgh", &again, &e));
	ck_assert_uint_eq(again.version, 2);
	ck_ok(unit_upload_model(registry, "m", "12345678", &again, &e));
	ck_assert_uint_eq(again.version, 3);
	ck_assert_uint_eq(unit_dir_count("blobs"), 3);
}
END_TEST

static const struct {
	const char *part_name;
	const char *filename;
	const char *path;
} names[] = {
	{"weights", "./model.weights.bin", "model.weights.bin"},
	{"model.weights.bin", "C.bin", "model.weights.bin"},
	{"model.weights.bin", "blob", "model.weights.bin"},
	{"model.weights.bin", "", "model.weights.bin"},
	{"././model.weights.bin", "blob", "model.weights.bin"},
	{"", "model.weights.bin", "model.weights.bin"},
};

START_TEST(shards_are_found_by_either_name)
{
	CLEANUP(catalog_version_free_p) struct catalog_version *v = NULL;
	struct unit_part parts[] = {
		UNIT_PART("whatever", "model.json", UNIT_MODEL_JSON),
		{names[_i].part_name, names[_i].filename, "12345678", 8},
	};
	struct published p;

	publish(parts, ARRAY_SIZE(parts), &p);
	v = resolved("m");
	ck_assert_uint_eq(v->files_n, 2);
	check_file(v, names[_i].path, "12345678");
}
END_TEST

START_TEST(companions_are_kept_under_their_filename)
{
	const struct unit_part parts[] = {
		UNIT_PART("files", "labels.txt", "cat\ndog\n"),
		UNIT_PART("files", "model.json", UNIT_MODEL_JSON),
		UNIT_PART("files", "model.weights.bin", "12345678"),
		UNIT_PART("metadata.json", "blob", "{}"),
		UNIT_PART("a/b.txt", "", "x"),
	};
	CLEANUP(catalog_version_free_p) struct catalog_version *v = NULL;
	struct published p;

	publish(parts, ARRAY_SIZE(parts), &p);
	v = resolved("m");
	ck_assert_uint_eq(v->files_n, 5);
	check_file(v, "labels.txt", "cat\ndog\n");
	check_file(v, "metadata.json", "{}");
	check_file(v, "a/b.txt", "x");
}
END_TEST

START_TEST(a_model_under_another_name_is_found_and_keeps_it)
{
	const struct unit_part parts[] = {
		UNIT_PART("file", "my-model.json", UNIT_MODEL_JSON),
		UNIT_PART("file", "model.weights.bin", "12345678"),
		UNIT_PART("file", "metadata.json", "{\"labels\":[]}"),
	};
	CLEANUP(catalog_version_free_p) struct catalog_version *v = NULL;
	const struct catalog_version_file *file = NULL;
	struct blob *b = NULL;
	struct published p;
	struct err e;

	publish(parts, ARRAY_SIZE(parts), &p);
	v = resolved("m");
	check_file(v, "model.json", UNIT_MODEL_JSON);
	check_file(v, "my-model.json", UNIT_MODEL_JSON);
	check_file(v, "metadata.json", "{\"labels\":[]}");
	check_info_has("m", "\"model_json_name\":\"my-model.json\"");
	ck_err(registry_open_file(registry, v, "other.json", &file, &b, &e), ERR_FILE_NOT_FOUND);
	ck_assert_ptr_null(file);
}
END_TEST

START_TEST(a_model_without_weights_has_an_empty_shard)
{
	const struct unit_part parts[] = {
		UNIT_PART("model.json", "model.json",
			"{\"modelTopology\":" UNIT_TOPOLOGY_BARE ","
			"\"weightsManifest\":[{\"paths\":[\"./model.weights.bin\"],"
			"\"weights\":[]}]}"),
		UNIT_PART("model.weights.bin", "model.weights.bin", ""),
	};
	CLEANUP(catalog_version_free_p) struct catalog_version *v = NULL;
	struct published p;

	publish(parts, ARRAY_SIZE(parts), &p);
	ck_assert_uint_eq(p.weight_data_bytes, 0);
	v = resolved("m");
	check_file(v, "model.weights.bin", "");
}
END_TEST

#define SHARDS_JSON(dtype) \
	"{\"weightsManifest\":[{\"paths\":[\"b.bin\",\"a.bin\"],\"weights\":" \
	"[{\"name\":\"s\",\"shape\":[2],\"dtype\":\"" dtype "\"}]}]}"

START_TEST(string_weights_are_walked_across_shards_in_manifest_order)
{
	const struct unit_part parts[] = {
		UNIT_PART("f", "a.bin", "\0\0\0cd"),
		UNIT_PART("f", "model.json", SHARDS_JSON("string")),
		UNIT_PART("f", "b.bin", "\1\0\0\0a\2"),
	};
	struct published p;

	publish(parts, ARRAY_SIZE(parts), &p);
	ck_assert_uint_eq(p.weight_data_bytes, 11);
	check_info_has("m", "\"has_strings\":true");
	check_info_has("m", "\"shards\":2");
}
END_TEST

START_TEST(equal_shards_share_one_blob)
{
	const struct unit_part parts[] = {
		UNIT_PART("f", "model.json", SHARDS_JSON("float32")),
		UNIT_PART("f", "a.bin", "same"),
		UNIT_PART("f", "b.bin", "same"),
	};
	CLEANUP(catalog_version_free_p) struct catalog_version *v = NULL;
	struct published p;

	publish(parts, ARRAY_SIZE(parts), &p);
	v = resolved("m");
	ck_assert_uint_eq(v->files_n, 3);
	check_file(v, "a.bin", "same");
	check_file(v, "b.bin", "same");
	ck_assert_uint_eq(unit_dir_count("blobs"), 2);
}
END_TEST

/* ---- what is refused ---- */

START_TEST(a_missing_shard_is_named)
{
	const struct unit_part parts[] = {
		UNIT_PART("model.json", "model.json", UNIT_MODEL_JSON),
		UNIT_PART("weights.bin", "weights.bin", "12345678"),
	};

	check_refused(parts, ARRAY_SIZE(parts), ERR_NOT_LOADABLE, "manifest.file-missing",
		"model.weights.bin");
}
END_TEST

static const struct {
	const char *bytes;
	const char *rule;
	const char *words;
} shards[] = {
	{"1234567", "weights.too-short", "7 bytes"},
	{"123456789", "weights.too-long", "9 bytes"},
	{"", "weights.too-short", "0 bytes"},
	{"<!DOCTYPE html><title>404</title>", "weights.not-weights", "an HTML page"},
	{"version https://git-lfs.github.com/spec/v1\noid sha256:0", "weights.not-weights", "LFS"},
};

START_TEST(wrong_weights_are_refused_and_accidents_named)
{
	const struct unit_part parts[] = {
		UNIT_PART("model.json", "model.json", UNIT_MODEL_JSON),
		{"weights", "model.weights.bin", shards[_i].bytes, strlen(shards[_i].bytes)},
	};

	check_refused(parts, ARRAY_SIZE(parts), ERR_NOT_LOADABLE, shards[_i].rule,
		shards[_i].words);
}
END_TEST

START_TEST(weights_of_the_right_length_may_look_like_anything)
{
	const struct unit_part parts[] = {
		UNIT_PART("model.json", "model.json", UNIT_MODEL_JSON),
		UNIT_PART("model.weights.bin", "model.weights.bin", "<html>12"),
	};
	struct published p;

	publish(parts, ARRAY_SIZE(parts), &p);
	ck_assert_uint_eq(p.version, 1);
}
END_TEST

START_TEST(without_a_model_json_there_is_no_version)
{
	const struct unit_part none[] = {
		UNIT_PART("f", "a.bin", "x"), UNIT_PART("f", "b.json", "{}")};
	const struct unit_part two[] = {
		UNIT_PART("f", "a.json", UNIT_MODEL_JSON),
		UNIT_PART("f", "b.json", UNIT_MODEL_JSON),
	};
	const struct unit_part broken[] = {UNIT_PART("f", "model.json", "{\"modelTopology\":")};
	const struct unit_part page[] = {UNIT_PART("f", "model.json", "<!doctype html><p>hello")};
	const struct unit_part empty[] = {UNIT_PART("f", "model.json", "")};

	check_refused(none, ARRAY_SIZE(none), ERR_NOT_LOADABLE, "json.missing",
		"none of the 2 files");
	check_refused(two, ARRAY_SIZE(two), ERR_NOT_LOADABLE, "json.missing", "a.json and b.json");
	check_refused(broken, ARRAY_SIZE(broken), ERR_NOT_LOADABLE, "json.syntax", "");
	check_refused(page, ARRAY_SIZE(page), ERR_NOT_LOADABLE, "json.syntax", "an HTML page");
	check_refused(empty, ARRAY_SIZE(empty), ERR_NOT_LOADABLE, "json.syntax", "");
	check_refused(none, 0, ERR_BAD_MULTIPART, NULL, "no file");
}
END_TEST

#define TOPOLOGY_PART(filename) \
	UNIT_PART("f", filename, \
		"{\"modelTopology\":" UNIT_TOPOLOGY "}")

static const struct {
	struct unit_part parts[3];
	enum err_code code;
	const char *words;
} collisions[] = {
	{{TOPOLOGY_PART("model.json"), UNIT_PART("a", "x", "1"), UNIT_PART("b", "./x", "2")},
		ERR_BAD_MULTIPART, "two parts are called x"},
	{{TOPOLOGY_PART("model.json"), TOPOLOGY_PART("./model.json"), UNIT_PART("b", "x", "2")},
		ERR_BAD_MULTIPART, "two parts are called model.json"},
	{{TOPOLOGY_PART("model.json"), UNIT_PART("model.json", "", "1"), UNIT_PART("b", "x", "2")},
		ERR_BAD_MULTIPART, "two parts are called model.json"},
	{{TOPOLOGY_PART("model.json"), UNIT_PART("a", "x.txt", "1"), UNIT_PART("b", "X.TXT", "2")},
		ERR_BAD_PATH, "letter case"},
	{{TOPOLOGY_PART("model.json"), UNIT_PART("a", "Model.JSON", "1"), UNIT_PART("b", "x", "2")},
		ERR_BAD_PATH, "letter case"},
	{{TOPOLOGY_PART("model.json"), UNIT_PART("a", "../x", "1"), UNIT_PART("b", "x", "2")},
		ERR_BAD_PATH, "../x"},
	{{TOPOLOGY_PART("model.json"), UNIT_PART("a", "/etc/x", "1"), UNIT_PART("b", "x", "2")},
		ERR_BAD_PATH, "/etc/x"},
	{{TOPOLOGY_PART("model.json"), UNIT_PART("a", "what?.bin", "1"), UNIT_PART("b", "x", "2")},
		ERR_BAD_PATH, "what?.bin"},
	{{TOPOLOGY_PART("model.json"), UNIT_PART("", "", "1"), UNIT_PART("b", "x", "2")},
		ERR_BAD_MULTIPART, "neither a name nor a filename"},
};

START_TEST(paths_are_distinct_and_safe)
{
	check_refused(collisions[_i].parts, 3, collisions[_i].code, NULL, collisions[_i].words);
}
END_TEST

START_TEST(names_with_a_nul_or_without_end_are_refused)
{
	CLEANUP(upload_free_p) struct upload *u = NULL;
	CLEANUP(upload_free_p) struct upload *v = NULL;
	char longest[2000];
	struct err e;

	memset(longest, 'x', sizeof(longest));
	ck_ok(upload_new(registry, "m", &u, &e));
	ck_err(upload_file_begin(u, STR_LIT("a\0b"), STR_LIT(""), &e), ERR_BAD_PATH);
	ck_ok(upload_new(registry, "m", &v, &e));
	ck_err(upload_file_begin(v, STR_LIT(""), (struct str){longest, sizeof(longest)}, &e),
		ERR_BAD_PATH);
}
END_TEST

/* ---- limits ---- */

START_TEST(what_is_too_large_is_refused_at_the_first_surplus_byte)
{
	static char bytes[3 * MIB];
	const struct unit_part json[] = {{"f", "model.json", bytes, 64 * KIB + 1}};
	const struct unit_part file[] = {{"f", "weights.bin", bytes, MIB + 1}};
	const struct unit_part all[] = {
		{"f", "a", bytes, MIB}, {"f", "b", bytes, MIB}, {"f", "c", bytes, 1}};
	const struct unit_part other[] = {{"f", "other.json", bytes, 64 * KIB + 1}};

	memset(bytes, ' ', sizeof(bytes));
	check_refused(json, 1, ERR_TOO_LARGE, NULL, "model.json is larger than 64 KiB");
	check_refused(file, 1, ERR_TOO_LARGE, NULL, "weights.bin is larger than 1 MiB");
	check_refused(all, 3, ERR_TOO_LARGE, NULL, "larger than 2 MiB");
	check_refused(other, 1, ERR_TOO_LARGE, NULL, "the limit for a model.json");
}
END_TEST

START_TEST(a_failed_upload_cannot_be_published)
{
	CLEANUP(upload_free_p) struct upload *u = NULL;
	CLEANUP_FINDINGS struct findings f;
	static char bytes[MIB + 1];
	struct published p;
	struct err e;

	findings_init(&f);
	ck_ok(upload_new(registry, "m", &u, &e));
	ck_ok(upload_file_begin(u, STR_LIT("model.json"), STR_LIT(""), &e));
	ck_ok(upload_file_write(u, UNIT_MODEL_JSON, strlen(UNIT_MODEL_JSON), &e));
	ck_err(upload_publish(u, &p, &f, &e), ERR_INCOMPLETE_BODY);
	ck_ok(upload_file_end(u, &e));
	ck_ok(upload_file_begin(u, STR_LIT("model.weights.bin"), STR_LIT(""), &e));
	ck_err(upload_file_write(u, bytes, sizeof(bytes), &e), ERR_TOO_LARGE);
	ck_err(upload_file_end(u, &e), ERR_TOO_LARGE);
	ck_err(upload_file_begin(u, STR_LIT("x"), STR_LIT(""), &e), ERR_TOO_LARGE);
	ck_err(upload_publish(u, &p, &f, &e), ERR_TOO_LARGE);
}
END_TEST

START_TEST(too_many_files_are_refused)
{
	struct unit_part parts[11];

	for (size_t i = 0; i < ARRAY_SIZE(parts); i++)
		parts[i] = (struct unit_part){"f", "x", "", 0};
	check_refused(parts, ARRAY_SIZE(parts), ERR_TOO_LARGE, NULL, "the limit is 10");
}
END_TEST

START_TEST(a_disk_that_is_nearly_full_takes_no_upload)
{
	struct registry_options o = unit_upload_options();
	const struct unit_part parts[] = {UNIT_PART("f", "model.json", "{}")};
	struct err e;

	ck_ok(registry_check(registry, &e));
	o.min_free_bytes = UINT64_MAX;
	reopen_with(&o);
	ck_err(registry_check(registry, &e), ERR_STORAGE_FULL);
	check_refused(parts, 1, ERR_STORAGE_FULL, NULL, "free");
}
END_TEST

static void limit(uint64_t file_bytes, const struct catalog_quota *quotas, size_t n)
{
	struct registry_options o = unit_upload_options();
	struct registry_limits *limits;
	struct err e;

	o.max_file_bytes = file_bytes;
	o.models = (struct catalog_limits){.quotas = quotas, .quotas_n = n};
	ck_ok(registry_limits_new(&o, &limits, &e));
	registry_limits_put(registry, limits);
}

START_TEST(an_upload_keeps_the_limits_of_its_beginning)
{
	const uint64_t before = registry_limits_now(registry).max_file_bytes;
	CLEANUP(upload_free_p) struct upload *u = NULL, *late = NULL;
	char prefix[] = "m";
	struct err e;

	ck_ok(upload_new(registry, "m", &u, &e));
	ck_ok(upload_file_begin(u, STR_LIT("f"), STR_LIT("a.bin"), &e));
	limit(4, &(struct catalog_quota){.prefix = prefix, .bytes = 1000}, 1);
	prefix[0] = 'x'; /* it was copied */
	ck_ok(upload_file_write(u, "12345", 5, &e));
	ck_ok(upload_file_end(u, &e));
	ck_ok(upload_file_begin(u, STR_LIT("f"), STR_LIT("b.bin"), &e));
	ck_ok(upload_file_write(u, "12345", 5, &e));
	ck_ok(upload_file_end(u, &e));

	ck_ok(upload_new(registry, "m", &late, &e));
	ck_err(upload_expect(late, 1001, &e), ERR_QUOTA_FULL);
	ck_ok(upload_file_begin(late, STR_LIT("f"), STR_LIT("a.bin"), &e));
	ck_err(upload_file_write(late, "12345", 5, &e), ERR_TOO_LARGE);
	limit(before, NULL, 0);
	ck_assert_uint_eq(registry_limits_now(registry).max_file_bytes, before);
}
END_TEST

/* ---- reading ---- */

START_TEST(refs_are_resolved_or_say_what_is_missing)
{
	CLEANUP(catalog_version_free_p) struct catalog_version *latest = NULL;
	CLEANUP(catalog_version_free_p) struct catalog_version *first = NULL;
	CLEANUP(catalog_version_free_p) struct catalog_version *by_root = NULL;
	struct catalog_version *none = NULL;
	struct published p;
	struct ref ref = {.kind = REF_DIGEST, .name = "m"};
	struct err e;

	ck_ok(unit_upload_model(registry, "m", "12345678", &p, &e));
	ref.root = p.root;
	ck_ok(unit_upload_model(registry, "m", "abcdefgh", &p, &e));
	latest = resolved("m");
	first = resolved("m@1");
	ck_assert_uint_eq(latest->version, 2);
	ck_assert_uint_eq(first->version, 1);
	ck_ok(registry_resolve(registry, &ref, &by_root, &e));
	ck_assert_uint_eq(by_root->version, 1);
	ref = (struct ref){.kind = REF_LABEL, .name = "m", .label = "stable"};
	ck_err(registry_resolve(registry, &ref, &none, &e), ERR_LABEL_NOT_FOUND);
	ck_assert_str_eq(e.text, "model m has no label stable");
	ref.name[0] = 'n';
	ck_err(registry_resolve(registry, &ref, &none, &e), ERR_MODEL_NOT_FOUND);
}
END_TEST

START_TEST(a_blob_that_lost_its_file_is_not_published_again)
{
	struct published p;
	struct catalog_model m;
	struct blob_key key;
	bool removed;
	struct err e;
	CLEANUP(catalog_version_free_p) struct catalog_version *v = NULL;

	ck_ok(unit_upload_model(registry, "m", "12345678", &p, &e));
	v = resolved("m");
	key = v->files[1].key;
	ck_ok(blobs_remove(registry->blobs, &key, 1, &removed, &e));
	ck_err(unit_upload_model(registry, "n", "12345678", &p, &e), ERR_CORRUPT);
	ck_err(catalog_model(registry_catalog(registry), "n", &m, &e), ERR_MODEL_NOT_FOUND);
}
END_TEST

START_TEST(the_root_digest_is_that_of_its_lines)
{
	struct rootdigest_file files[] = {{.path = "a", .size = 3}, {.path = "b/c", .size = 0}};
	char hex[DIGEST_HEX + 1];
	struct digest root;
	struct err e;

	ck_ok(digest_of("abc", 3, &files[0].digest, &e));
	ck_ok(digest_of("", 0, &files[1].digest, &e));
	ck_ok(rootdigest_of(files, 2, &root, &e));
	/* printf '%s 3 a\n%s 0 b/c\n' <sha256 of abc> <sha256 of nothing> | sha256sum */
	ck_assert_str_eq(digest_hex(&root, hex),
		"b31db50528ec68ecbaa88c15b80afc878c1857b623db131200940560f7665f49");
}
END_TEST

/* ---- starting, stopping, together ---- */

START_TEST(a_second_daemon_is_refused)
{
	struct registry_options o = unit_upload_options();
	struct registry *second = NULL;
	struct err e;

	ck_err(registry_open(&o, &second, &e), ERR_CONFIG);
}
END_TEST

START_TEST(what_a_crash_left_is_gone_after_the_start_and_versions_stay)
{
	struct registry_options o = unit_upload_options();
	struct catalog_blob staged = {.size = 5};
	struct blob_writer *w;
	struct published p;
	struct err e;

	ck_ok(unit_upload_model(registry, "m", "12345678", &p, &e));
	ck_ok(blobs_create(registry->blobs, &w, &e));
	ck_ok(blob_writer_write(w, "crash", 5, &e));
	ck_ok(blob_writer_finish(w, &staged.digest, &staged.size, &e));
	ck_ok(catalog_stage(registry->catalog, &staged, 1, clock_now_ms(), &e));
	ck_ok(blob_writer_link(w, &staged.key, &e));
	blob_writer_free(w);
	ck_ok(fsio_write_file(unit_dir_file("tmp/0123456789abcdef"), "half a fi", 9, &e));
	ck_assert_uint_eq(unit_dir_count("blobs"), 3);
	ck_assert_uint_eq(unit_dir_count("tmp"), 1);
	reopen_with(&o);
	ck_assert_uint_eq(unit_dir_count("blobs"), 2);
	ck_assert_uint_eq(unit_dir_count("tmp"), 0);
	ck_assert_uint_eq(unit_dir_count("."), 2 + 5); /* catalog.db, -wal, -shm, lock, ballast */
	check_info_has("m", "\"kind\"");
}
END_TEST

#define ROUNDS 12

struct saver {
	char first;
	uint64_t versions[ROUNDS];
};

static void *save_many(void *arg)
{
	struct saver *s = arg;

	for (unsigned i = 0; i < ROUNDS; i++) {
		struct published p;
		char weights[16];
		struct err e;
		(void)snprintf(weights, sizeof(weights), "%c%07u", s->first, i);
		ck_ok(unit_upload_model(registry, "m", weights, &p, &e));
		s->versions[i] = p.version;
		/* the same bytes as the other thread, at the same time */
		(void)snprintf(weights, sizeof(weights), "s%07u", i);
		ck_ok(unit_upload_model(registry, s->first == 'a' ? "a" : "b", weights, &p, &e));
	}
	return NULL;
}

START_TEST(savers_at_the_same_time_get_distinct_versions_and_share_blobs)
{
	struct saver savers[] = {{.first = 'a'}, {.first = 'b'}};
	bool seen[2 * ROUNDS + 1] = {false};
	pthread_t threads[2];
	size_t removed;
	struct err e;

	for (size_t i = 0; i < 2; i++)
		ck_assert_int_eq(pthread_create(&threads[i], NULL, save_many, &savers[i]), 0);
	for (size_t i = 0; i < 2; i++)
		ck_assert_int_eq(pthread_join(threads[i], NULL), 0);
	for (size_t i = 0; i < 2 * ROUNDS; i++) {
		uint64_t v = savers[i % 2].versions[i / 2];
		ck_assert(v >= 1 && v <= 2 * ROUNDS && !seen[v]);
		seen[v] = true;
	}
	ck_ok(registry_sweep(registry, &removed, &e));
	ck_assert_uint_eq(unit_dir_count("blobs"), 1 + 2 * ROUNDS + ROUNDS);
}
END_TEST

static Suite *suite(void)
{
	Suite *s = suite_create("registry");
	TCase *t = tcase_create("registry");

	tcase_add_checked_fixture(t, open_registry, close_registry);
	tcase_set_timeout(t, 60);
	tcase_add_test(t, a_saved_model_becomes_a_version_that_is_read_back);
	tcase_add_test(t, a_retried_save_makes_no_second_version);
	tcase_add_loop_test(t, shards_are_found_by_either_name, 0, ARRAY_SIZE(names));
	tcase_add_test(t, companions_are_kept_under_their_filename);
	tcase_add_test(t, a_model_under_another_name_is_found_and_keeps_it);
	tcase_add_test(t, a_model_without_weights_has_an_empty_shard);
	tcase_add_test(t, string_weights_are_walked_across_shards_in_manifest_order);
	tcase_add_test(t, equal_shards_share_one_blob);
	tcase_add_test(t, a_missing_shard_is_named);
	tcase_add_loop_test(t, wrong_weights_are_refused_and_accidents_named, 0,
		ARRAY_SIZE(shards));
	tcase_add_test(t, weights_of_the_right_length_may_look_like_anything);
	tcase_add_test(t, without_a_model_json_there_is_no_version);
	tcase_add_loop_test(t, paths_are_distinct_and_safe, 0, ARRAY_SIZE(collisions));
	tcase_add_test(t, names_with_a_nul_or_without_end_are_refused);
	tcase_add_test(t, what_is_too_large_is_refused_at_the_first_surplus_byte);
	tcase_add_test(t, a_failed_upload_cannot_be_published);
	tcase_add_test(t, too_many_files_are_refused);
	tcase_add_test(t, a_disk_that_is_nearly_full_takes_no_upload);
	tcase_add_test(t, an_upload_keeps_the_limits_of_its_beginning);
	tcase_add_test(t, refs_are_resolved_or_say_what_is_missing);
	tcase_add_test(t, a_blob_that_lost_its_file_is_not_published_again);
	tcase_add_test(t, the_root_digest_is_that_of_its_lines);
	tcase_add_test(t, a_second_daemon_is_refused);
	tcase_add_test(t, what_a_crash_left_is_gone_after_the_start_and_versions_stay);
	tcase_add_test(t, savers_at_the_same_time_get_distinct_versions_and_share_blobs);
	suite_add_tcase(s, t);
	return s;
}

UNIT_MAIN
