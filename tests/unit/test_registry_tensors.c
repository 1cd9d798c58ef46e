/* SPDX-License-Identifier: Apache-2.0 */
/* The digests of weights that a publish does not wait for. */
#include "common/base/num.h"
#include "common/registry/registry_internal.h"
#include "common/registry/registry_tensors.h"
#include "common/store/catalog_tensors.h"
#include "tests/unit/unit.h"
#include "tests/unit/unit_dir.h"
#include "tests/unit/unit_upload.h"

#include <glob.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define A_BYTES     (4u * 400003)
#define B_BYTES     (1u << 20)
#define BYTES       (A_BYTES + B_BYTES)
#define BORDER      (B_BYTES + 13) /* between two shards, within `a` */
#define SMALL_BYTES 4096u

#define MANIFEST(paths, floats, bools) \
	"{\"weightsManifest\":[{\"paths\":[" paths "],\"weights\":[" \
	"{\"name\":\"a\",\"shape\":[" floats "],\"dtype\":\"float32\"}," \
	"{\"name\":\"b\",\"shape\":[" bools "],\"dtype\":\"bool\"}]}]}"

static struct registry *registry;
static uint8_t weights[BYTES];

static void reopen(void)
{
	struct registry_options o = unit_upload_options();
	struct err e;

	registry_close(registry);
	o.max_file_bytes = o.max_version_bytes = 64 * MIB;
	ck_ok(registry_open(&o, &registry, &e));
}

static void open_registry(void)
{
	unit_dir_make();
	for (size_t i = 0; i < BYTES; i++)
		weights[i] = (uint8_t)(i * 2654435761u >> 13 & 63);
	reopen();
}

static void close_registry(void)
{
	registry_close(take_ptr(registry));
	unit_dir_remove();
}

static void publish(const char *name, const char *json, size_t border, size_t n)
{
	const struct unit_part parts[] = {
		{"model.json", "model.json", json, strlen(json)},
		{"s1.bin", "s1.bin", (const char *)weights, border},
		{"s2.bin", "s2.bin", (const char *)weights + border, n - border},
	};
	CLEANUP_FINDINGS struct findings f;
	struct published p;
	struct err e;

	findings_init(&f);
	ck_ok(unit_upload_publish(registry, name, parts, ARRAY_SIZE(parts), &p, &f, &e));
}

/* Two large weights, the border of the shards in the first. */
static void publish_large(const char *name)
{
	publish(name, MANIFEST("\"s1.bin\",\"s2.bin\"", "400003", "1048576"), BORDER, BYTES);
}

static struct catalog_version *version_of(const char *name)
{
	struct catalog_version *v = NULL;
	struct err e;

	ck_ok(catalog_version(registry_catalog(registry), name, 1, &v, &e));
	return v;
}

static char *kept(const char *name, bool *ret_due)
{
	char *text = NULL;
	struct err e;

	ck_ok(catalog_tensors_read(registry_catalog(registry), name, 1, &text, ret_due, &e));
	return text;
}

static char *asked(const char *name)
{
	CLEANUP(catalog_version_free_p) struct catalog_version *v = version_of(name);
	char *text = NULL;
	struct err e;

	ck_ok(registry_tensors(registry, v, &text, &e));
	return text;
}

/* "sha256" of `n` bytes stands where weight `name` is told of. */
static void tells_digest(const char *text, const char *name, const uint8_t *bytes, size_t n)
{
	char want[DIGEST_HEX + 32], hex[DIGEST_HEX + 1];
	struct digest digest;
	const char *at, *end;
	struct err e;

	(void)snprintf(want, sizeof(want), "{\"name\":\"%s\"", name);
	at = strstr(text, want);
	ck_assert_ptr_nonnull(at);
	end = strchr(at, '}');
	ck_assert_ptr_nonnull(end);
	ck_ok(digest_of(bytes, n, &digest, &e));
	(void)snprintf(want, sizeof(want), "\"sha256\":\"%s\"}", digest_hex(&digest, hex));
	ck_assert_msg(strncmp(end + 1 - strlen(want), want, strlen(want)) == 0, "%s", text);
}

static void tells_both(const char *text, size_t a, size_t all)
{
	tells_digest(text, "a", weights, a);
	tells_digest(text, "b", weights + a, all - a);
}

static int at_once(void *cls, registry_encode_fn *fn, void *arg, struct err *e)
{
	(void)cls;
	return fn(arg, e);
}

static int compute_next(bool stopped, struct registry_encoded *ret, struct err *e)
{
	atomic_bool stop;
	struct registry_encode how = {.stop = &stop, .apart = at_once};

	atomic_init(&stop, stopped);
	return registry_tensors_next(registry, &how, ret, e);
}

static void remove_shards(void)
{
	CLEANUP_FREE char *pattern = NULL;
	glob_t found;

	ck_assert_int_gt(asprintf(&pattern, "%s/blobs/*/*/*", unit_upload_options().dir), 0);
	ck_assert_int_eq(glob(pattern, 0, NULL, &found), 0);
	for (size_t i = 0; i < found.gl_pathc; i++) {
		struct stat s;
		ck_assert_int_eq(stat(found.gl_pathv[i], &s), 0);
		if ((size_t)s.st_size > SMALL_BYTES)
			ck_assert_int_eq(unlink(found.gl_pathv[i]), 0);
	}
	globfree(&found);
}

/* ---- tests ---- */

START_TEST(whoever_asks_first_gets_digests_and_the_next_one_the_same)
{
	CLEANUP_FREE char *before = NULL, *first = NULL, *second = NULL, *after = NULL;
	bool due;

	publish_large("m");
	before = kept("m", &due);
	ck_assert(due);
	ck_assert_ptr_null(strstr(before, "sha256"));
	first = asked("m");
	tells_both(first, A_BYTES, BYTES);
	second = asked("m");
	ck_assert_str_eq(second, first);
	after = kept("m", &due);
	ck_assert(!due);
	ck_assert_str_eq(after, first);
}
END_TEST

START_TEST(digests_that_are_due_are_computed_after_a_restart_too)
{
	CLEANUP_FREE char *text = NULL;

	publish_large("m");
	reopen();
	text = asked("m");
	tells_both(text, A_BYTES, BYTES);
}
END_TEST

START_TEST(as_many_callers_wait_as_leave_threads_to_others)
{
	CLEANUP(catalog_version_free_p) struct catalog_version *v = NULL;
	char *text = NULL;
	struct err e;

	publish_large("m");
	v = version_of("m");
	atomic_store(&registry->tensors_asked, REGISTRY_TENSORS_ASKED);
	ck_err(registry_tensors(registry, v, &text, &e), ERR_BUSY);
	atomic_store(&registry->tensors_asked, REGISTRY_TENSORS_ASKED - 1);
	ck_ok(registry_tensors(registry, v, &text, &e));
	tells_both(text, A_BYTES, BYTES);
	free(text);
	ck_assert_int_eq(atomic_load(&registry->tensors_asked), REGISTRY_TENSORS_ASKED - 1);
	atomic_store(&registry->tensors_asked, REGISTRY_TENSORS_ASKED);
	ck_ok(registry_tensors(registry, v, &text, &e)); /* it is kept, so nobody waits */
	free(text);
}
END_TEST

START_TEST(the_background_computes_what_is_due_and_nothing_else)
{
	CLEANUP_FREE char *text = NULL;
	struct registry_encoded done;
	bool due;
	struct err e;

	publish("small", MANIFEST("\"s1.bin\",\"s2.bin\"", "512", "2048"), 1000, SMALL_BYTES);
	publish_large("m");
	ck_err(compute_next(true, &done, &e), ERR_SHUTTING_DOWN);
	reopen();
	ck_ok(compute_next(false, &done, &e));
	ck_assert(done.any);
	text = kept("m", &due);
	ck_assert(!due);
	tells_both(text, A_BYTES, BYTES);
	ck_ok(compute_next(false, &done, &e));
	ck_assert(!done.any);
}
END_TEST

START_TEST(small_weights_and_those_that_are_whole_files_have_theirs_at_once)
{
	CLEANUP_FREE char *small = NULL, *files = NULL;
	bool due;

	publish("small", MANIFEST("\"s1.bin\",\"s2.bin\"", "512", "2048"), 1000, SMALL_BYTES);
	small = kept("small", &due);
	ck_assert(!due);
	tells_both(small, SMALL_BYTES / 2, SMALL_BYTES);
	publish("files", MANIFEST("\"s1.bin\",\"s2.bin\"", "400003", "1048576"), A_BYTES, BYTES);
	files = kept("files", &due);
	ck_assert(!due);
	tells_both(files, A_BYTES, BYTES);
}
END_TEST

START_TEST(a_lost_file_is_an_error_and_no_answer_without_digests)
{
	CLEANUP(catalog_version_free_p) struct catalog_version *v = NULL;
	struct registry_encoded done;
	char *text = NULL;
	struct err e;

	publish_large("m");
	v = version_of("m");
	remove_shards();
	ck_err(registry_tensors(registry, v, &text, &e), ERR_CORRUPT);
	ck_assert_ptr_null(text);
	ck_err(compute_next(false, &done, &e), ERR_CORRUPT);
	ck_ok(compute_next(false, &done, &e)); /* it does not stand in the way of others */
	ck_assert(!done.any);
	ck_assert_uint_gt(done.wait_ms, 1800000);
}
END_TEST

START_TEST(a_version_that_was_deleted_meanwhile_is_said_to_be)
{
	CLEANUP(catalog_version_free_p) struct catalog_version *v = NULL;
	struct registry_encoded done;
	char *text = NULL;
	struct err e;

	publish_large("m");
	v = version_of("m");
	remove_shards();
	ck_ok(catalog_delete_version(registry_catalog(registry), "m", 1, &e));
	ck_ok(registry_tensors(registry, v, &text, &e));
	ck_assert_str_eq(text, ""); /* as of one without weights: who resolves it anew learns why */
	free(text);
	ck_ok(compute_next(false, &done, &e));
	ck_assert(!done.any);
}
END_TEST

static Suite *suite(void)
{
	Suite *s = suite_create("registry tensors");
	TCase *t = tcase_create("tensors");

	tcase_add_checked_fixture(t, open_registry, close_registry);
	tcase_add_test(t, whoever_asks_first_gets_digests_and_the_next_one_the_same);
	tcase_add_test(t, digests_that_are_due_are_computed_after_a_restart_too);
	tcase_add_test(t, as_many_callers_wait_as_leave_threads_to_others);
	tcase_add_test(t, the_background_computes_what_is_due_and_nothing_else);
	tcase_add_test(t, small_weights_and_those_that_are_whole_files_have_theirs_at_once);
	tcase_add_test(t, a_lost_file_is_an_error_and_no_answer_without_digests);
	tcase_add_test(t, a_version_that_was_deleted_meanwhile_is_said_to_be);
	suite_add_tcase(s, t);
	return s;
}

UNIT_MAIN
