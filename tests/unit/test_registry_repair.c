/* SPDX-License-Identifier: Apache-2.0 */
/* Shards that TensorFlow.js reads as zeros, and what is measured of weights on the way. */
#include "common/registry/registry_internal.h"
#include "common/store/catalog_tensors.h"
#include "tests/unit/unit.h"
#include "tests/unit/unit_dir.h"
#include "tests/unit/unit_upload.h"

#define TWO_WEIGHTS \
	"[{\"name\":\"a\",\"shape\":[1],\"dtype\":\"float32\"}]}," \
	"{\"paths\":[\"b.bin\"],\"weights\":" \
	"[{\"name\":\"b\",\"shape\":[3],\"dtype\":\"float32\"}]}]}"
/* The second shard is larger and holds a weight that begins behind twice the first one's size. */
#define ZEROS_JSON \
	"{\"x\":1.50,\"weightsManifest\":[{\"paths\":[\"a.bin\"],\"weights\":" TWO_WEIGHTS
#define ZEROS_TWICE \
	"{\"weightsManifest\":[{\"paths\":[\"a.bin\"],\"weights\":" \
	"[{\"name\":\"a\",\"shape\":[1],\"dtype\":\"float32\"}," \
	"{\"name\":\"b\",\"shape\":[1],\"dtype\":\"float32\"}," \
	"{\"name\":\"c\",\"shape\":[2],\"dtype\":\"float32\"}]}," \
	"{\"paths\":[\"b.bin\"],\"weights\":[]}]}"

static struct registry *registry;

static void open_with(bool repair)
{
	struct registry_options o = unit_upload_options();
	struct err e;

	o.repair = repair;
	registry_close(take_ptr(registry));
	ck_ok(registry_open(&o, &registry, &e));
}

static void open_registry(void)
{
	unit_dir_make();
	open_with(true);
}

static void close_registry(void)
{
	registry_close(registry);
	unit_dir_remove();
}

static const struct unit_part broken[] = {
	UNIT_PART("", "model.json", ZEROS_TWICE),
	UNIT_PART("", "a.bin", "aaaa"),
	UNIT_PART("", "b.bin", "bbbbccccdddd"),
	UNIT_PART("", "labels.txt", "cat\n"),
};

static void file_is(struct catalog_version *v, const char *path, const char *want)
{
	CLEANUP(blob_unref_p) struct blob *blob = NULL;
	const struct catalog_version_file *file;
	struct err e;

	ck_ok(registry_open_file(registry, v, path, &file, &blob, &e));
	ck_assert_uint_eq(blob_size(blob), strlen(want));
	ck_assert_mem_eq(blob_data(blob), want, strlen(want));
}

static const struct finding *finding(const struct findings *f, const char *rule)
{
	for (size_t i = 0; i < f->n; i++)
		if (strcmp(f->items[i].rule, rule) == 0)
			return &f->items[i];
	return NULL;
}

START_TEST(a_layout_that_loads_as_zeros_is_stored_in_equal_shards)
{
	CLEANUP_FINDINGS struct findings f;
	CLEANUP(catalog_version_free_p) struct catalog_version *v = NULL;
	const struct finding *told;
	struct published p, again;
	struct err e;

	findings_init(&f);
	ck_ok(unit_upload_publish(registry, "m", broken, 4, &p, &f, &e));
	told = finding(&f, "weights.resharded");
	ck_assert(told && told->severity == FINDING_WARNING);
	ck_ok(catalog_version(registry_catalog(registry), "m", 1, &v, &e));
	ck_assert_uint_eq(v->files_n, 3);
	file_is(v, "group1-shard1of1.bin", "aaaabbbbccccdddd");
	file_is(v, "labels.txt", "cat\n");
	file_is(v, "model.json",
		"{\"weightsManifest\":[{\"paths\":[\"group1-shard1of1.bin\"],\"weights\":["
		"{\"name\":\"a\",\"shape\":[1],\"dtype\":\"float32\"},"
		"{\"name\":\"b\",\"shape\":[1],\"dtype\":\"float32\"},"
		"{\"name\":\"c\",\"shape\":[2],\"dtype\":\"float32\"}]}]}");
	ck_assert_ptr_nonnull(strstr(v->info, "\"repaired\":{\"rule\":\"weights.shard-layout\","
		"\"original_root_digest\":\"sha256:"));
	ck_assert_ptr_nonnull(strstr(v->info, "\"groups\":1,\"shards\":1,"));

	findings_done(&f);
	findings_init(&f);
	ck_ok(unit_upload_publish(registry, "m", broken, 4, &again, &f, &e));
	ck_assert(again.deduplicated && again.version == 1);
	ck_assert(digest_eq(&p.root, &again.root));
}
END_TEST

START_TEST(a_layout_that_reads_right_is_left_alone)
{
	static const struct unit_part fine[] = {
		UNIT_PART("", "model.json", ZEROS_JSON),
		UNIT_PART("", "a.bin", "aaaa"),
		UNIT_PART("", "b.bin", "bbbbccccdddd"),
	};
	CLEANUP_FINDINGS struct findings f;
	CLEANUP(catalog_version_free_p) struct catalog_version *v = NULL;
	struct published p;
	struct err e;

	findings_init(&f);
	ck_ok(unit_upload_publish(registry, "m", fine, 3, &p, &f, &e));
	ck_assert_uint_eq(f.n, 0);
	ck_ok(catalog_version(registry_catalog(registry), "m", 1, &v, &e));
	file_is(v, "model.json", ZEROS_JSON);
}
END_TEST

START_TEST(without_repair_the_layout_is_refused)
{
	CLEANUP_FINDINGS struct findings f;
	struct published p;
	struct err e;

	findings_init(&f);
	open_with(false);
	ck_err(unit_upload_publish(registry, "m", broken, 4, &p, &f, &e), ERR_NOT_LOADABLE);
	ck_assert_ptr_nonnull(finding(&f, "weights.shard-layout"));
}
END_TEST

START_TEST(a_companion_keeps_its_name_beside_new_shards)
{
	struct unit_part parts[5];
	CLEANUP_FINDINGS struct findings f;
	CLEANUP(catalog_version_free_p) struct catalog_version *v = NULL;
	struct published p;
	struct err e;

	findings_init(&f);
	memcpy(parts, broken, sizeof(broken));
	parts[4] = (struct unit_part)UNIT_PART("", "Group1-shard1of1.bin", "mine");
	ck_ok(unit_upload_publish(registry, "m", parts, 5, &p, &f, &e));
	ck_ok(catalog_version(registry_catalog(registry), "m", 1, &v, &e));
	file_is(v, "Group1-shard1of1.bin", "mine");
	file_is(v, "group2-shard1of1.bin", "aaaabbbbccccdddd");
}
END_TEST

START_TEST(what_is_measured_is_kept_with_the_version)
{
	CLEANUP_FREE char *tensors = NULL;
	struct published p;
	bool due = true;
	struct err e;

	ck_ok(unit_upload_model(registry, "m", "\0\0\200\077\0\0\0\100", &p, &e));
	ck_ok(catalog_tensors_read(registry_catalog(registry), "m", 1, &tensors, &due, &e));
	ck_assert(!due);
	ck_assert_msg(strstr(tensors,
		"[{\"name\":\"l/kernel\",\"dtype\":\"float32\",\"shape\":[1,2],\"offset\":0,"
		"\"bytes\":8,\"min\":1,\"max\":2,\"mean\":1.5,\"zeros\":0,\"nan\":0,\"infinite\":0,"
		"\"sha256\":\"") == tensors, "%s", tensors);
}
END_TEST

static Suite *suite(void)
{
	Suite *s = suite_create("registry repair");
	TCase *t = tcase_create("repair");

	tcase_add_checked_fixture(t, open_registry, close_registry);
	tcase_add_test(t, a_layout_that_loads_as_zeros_is_stored_in_equal_shards);
	tcase_add_test(t, a_layout_that_reads_right_is_left_alone);
	tcase_add_test(t, without_repair_the_layout_is_refused);
	tcase_add_test(t, a_companion_keeps_its_name_beside_new_shards);
	tcase_add_test(t, what_is_measured_is_kept_with_the_version);
	suite_add_tcase(s, t);
	return s;
}

UNIT_MAIN
