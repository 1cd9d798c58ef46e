/* SPDX-License-Identifier: Apache-2.0 */
/* Weights are measured the same in whichever order the files of an upload arrive. */
#include "common/base/num.h"
#include "common/registry/registry_internal.h"
#include "common/registry/registry_tensors.h"
#include "tests/unit/unit.h"
#include "tests/unit/unit_dir.h"
#include "tests/unit/unit_upload.h"

#define SHARD_BYTES (3u << 20)
#define WRITE       100003u /* bytes at a time: ends in the middle of things */

#define MODEL_JSON \
	"{\"weightsManifest\":[{\"paths\":[\"./s1.bin\",\"s2.bin\"],\"weights\":[" \
	"{\"name\":\"a\",\"shape\":[1000003],\"dtype\":\"float32\"}," \
	"{\"name\":\"b\",\"shape\":[2291444],\"dtype\":\"bool\"}]}]}"

struct piece {
	const char *name;
	const void *bytes;
	size_t n;
};

static struct registry *registry;
static uint8_t shards[2][SHARD_BYTES];
static const struct piece model_json = {"model.json", MODEL_JSON, sizeof(MODEL_JSON) - 1};
static const struct piece first = {"s1.bin", shards[0], SHARD_BYTES};
static const struct piece second = {"s2.bin", shards[1], SHARD_BYTES};

static void open_registry(void)
{
	struct registry_options o;
	struct err e;

	unit_dir_make();
	o = unit_upload_options();
	o.max_file_bytes = o.max_version_bytes = 64 * MIB;
	ck_ok(registry_open(&o, &registry, &e));
	for (size_t i = 0; i < sizeof(shards); i++)
		shards[i / SHARD_BYTES][i % SHARD_BYTES] = (uint8_t)(i * 2654435761u >> 13 & 63);
}

static void close_registry(void)
{
	registry_close(registry);
	unit_dir_remove();
}

static void send_some(struct upload *u, const struct piece *p, size_t n)
{
	struct err e;

	ck_ok(upload_file_begin(u, str_of(p->name), str_of(p->name), &e));
	for (size_t at = 0; at < n; at += WRITE)
		ck_ok(upload_file_write(u, (const uint8_t *)p->bytes + at,
			n - at < WRITE ? n - at : WRITE, &e));
}

static void send(struct upload *u, const struct piece *p)
{
	struct err e;

	send_some(u, p, p->n);
	ck_ok(upload_file_end(u, &e));
}

/* What was measured of the files sent in this order; *ret_followed says whether a thread did it. */
static char *measured(const struct piece *const *order, size_t n, bool *ret_followed)
{
	CLEANUP(upload_free_p) struct upload *u = NULL;
	CLEANUP_FINDINGS struct findings f;
	struct published p;
	CLEANUP(catalog_version_free_p) struct catalog_version *v = NULL;
	char *tensors = NULL;
	struct err e;

	findings_init(&f);
	ck_ok(upload_new(registry, "m", &u, &e));
	for (size_t i = 0; i < n; i++)
		send(u, order[i]);
	*ret_followed = atomic_load(&registry->scanners) == 1;
	ck_ok(upload_publish(u, &p, &f, &e));
	ck_assert_int_eq(atomic_load(&registry->scanners), 0);
	ck_ok(catalog_version(registry_catalog(registry), "m", p.version, &v, &e));
	ck_ok(registry_tensors(registry, v, &tensors, &e));
	return tensors;
}

START_TEST(the_order_of_arrival_changes_nothing)
{
	const struct piece *orders[][3] = {
		{&model_json, &first, &second},
		{&model_json, &second, &first},
		{&first, &model_json, &second},
		{&first, &second, &model_json},
	};
	CLEANUP_FREE char *want = NULL;
	bool followed;

	for (size_t i = 0; i < ARRAY_SIZE(orders); i++) {
		CLEANUP_FREE char *got = measured(orders[i], 3, &followed);
		ck_assert_int_eq(followed, i < 3);
		if (!want)
			want = strdup(got);
		ck_assert_str_eq(got, want);
	}
	ck_assert_ptr_nonnull(strstr(want, "\"name\":\"b\",\"dtype\":\"bool\",\"shape\":[2291444],"
		"\"offset\":4000012,\"bytes\":2291444,\"min\":0,\"max\":63,"));
}
END_TEST

START_TEST(an_upload_that_is_dropped_ends_its_thread)
{
	struct upload *u = NULL;
	struct err e;

	ck_ok(upload_new(registry, "m", &u, &e));
	send(u, &model_json);
	send_some(u, &second, SHARD_BYTES / 2);
	ck_assert_int_eq(atomic_load(&registry->scanners), 1);
	upload_free(u);
	ck_assert_int_eq(atomic_load(&registry->scanners), 0);
}
END_TEST

START_TEST(a_model_json_that_is_broken_is_refused_all_the_same)
{
	static const struct piece broken = {"model.json", "{\"weightsManifest\":7}", 21};
	CLEANUP(upload_free_p) struct upload *u = NULL;
	CLEANUP_FINDINGS struct findings f;
	struct published p;
	struct err e;

	findings_init(&f);
	ck_ok(upload_new(registry, "m", &u, &e));
	send(u, &broken);
	send(u, &first);
	ck_err(upload_publish(u, &p, &f, &e), ERR_NOT_LOADABLE);
}
END_TEST

START_TEST(a_shard_that_is_missing_is_named_all_the_same)
{
	CLEANUP(upload_free_p) struct upload *u = NULL;
	CLEANUP_FINDINGS struct findings f;
	struct published p;
	struct err e;

	findings_init(&f);
	ck_ok(upload_new(registry, "m", &u, &e));
	send(u, &model_json);
	send(u, &second);
	ck_err(upload_publish(u, &p, &f, &e), ERR_NOT_LOADABLE);
	ck_assert_uint_eq(f.n, 1);
	ck_assert_str_eq(f.items[0].rule, "manifest.file-missing");
}
END_TEST

static Suite *suite(void)
{
	Suite *s = suite_create("registry scan");
	TCase *t = tcase_create("scan");

	tcase_add_checked_fixture(t, open_registry, close_registry);
	tcase_add_test(t, the_order_of_arrival_changes_nothing);
	tcase_add_test(t, an_upload_that_is_dropped_ends_its_thread);
	tcase_add_test(t, a_model_json_that_is_broken_is_refused_all_the_same);
	tcase_add_test(t, a_shard_that_is_missing_is_named_all_the_same);
	suite_add_tcase(s, t);
	return s;
}

UNIT_MAIN
