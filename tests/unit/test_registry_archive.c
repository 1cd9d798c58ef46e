/* SPDX-License-Identifier: Apache-2.0 */
/* Models that come in an archive, and in folders. */
#include "common/base/num.h"
#include "common/registry/registry.h"
#include "tests/unit/archive_make.h"
#include "tests/unit/unit.h"
#include "tests/unit/unit_dir.h"
#include "tests/unit/unit_upload.h"

#define WEIGHTS "01234567"

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

/* Sent in pieces of 1000 bytes. */
static int publish(enum archive_kind kind, const struct buf *b, struct published *ret,
	struct err *e)
{
	CLEANUP(upload_free_p) struct upload *u = NULL;
	CLEANUP_FINDINGS struct findings f;
	int r = upload_new(registry, "m", &u, e);

	findings_init(&f);
	ck_assert(!buf_failed(b));
	if (r == 0)
		r = upload_archive_begin(u, kind, e);
	for (size_t at = 0; r == 0 && at < b->len; at += 1000)
		r = upload_archive_write(u, b->data + at, b->len - at < 1000 ? b->len - at : 1000,
			e);
	return r < 0 ? r : upload_publish(u, ret, &f, e);
}

static void model_in(struct buf *b, const char *folder)
{
	char name[256];

	snprintf(name, sizeof(name), "%smodel.json", folder);
	make_tar_text(b, name, UNIT_MODEL_JSON);
	snprintf(name, sizeof(name), "%smodel.weights.bin", folder);
	make_tar_text(b, name, WEIGHTS);
}

static void check_has(uint64_t version, const char *const *paths, size_t n)
{
	CLEANUP(catalog_version_free_p) struct catalog_version *v = NULL;
	struct err e;

	ck_ok(catalog_version(registry_catalog(registry), "m", version, &v, &e));
	ck_assert_uint_eq(v->files_n, n);
	for (size_t i = 0; i < n; i++)
		ck_assert_str_eq(v->files[i].path, paths[i]);
}

static const char *const two[] = {"model.json", "model.weights.bin"};

static const char *const folders[] = {"", "./", "top/", "./top/", "export/2024/web model/"};

START_TEST(folders_that_all_files_lie_in_are_dropped)
{
	CLEANUP_BUF struct buf b = BUF_INIT(MIB);
	struct published p;
	struct err e;

	if (*folders[_i])
		make_tar(&b, &(struct make_tar){.name = folders[_i], .type = MAKE_TAR_DIR});
	model_in(&b, folders[_i]);
	make_tar_end(&b);
	ck_ok(publish(ARCHIVE_KIND_TAR, &b, &p, &e));
	check_has(p.version, two, 2);
	ck_assert_uint_eq(unit_dir_count("tmp"), 0);
	ck_assert_uint_eq(unit_dir_count("blobs"), 2);
}
END_TEST

START_TEST(folders_of_some_files_stay)
{
	static const char *const paths[] = {"docs/a/labels.txt", "model.json", "model.weights.bin"};
	CLEANUP_BUF struct buf b = BUF_INIT(MIB);
	struct published p;
	struct err e;

	make_tar_text(&b, "top/docs/a/labels.txt", "cat\n");
	model_in(&b, "top/");
	make_tar_end(&b);
	ck_ok(publish(ARCHIVE_KIND_TAR, &b, &p, &e));
	check_has(p.version, paths, 3);
}
END_TEST

/* "top" is no folder of "topping/x". */
START_TEST(a_common_beginning_that_is_no_folder_stays)
{
	static const char *const paths[] = {"model.json", "model.weights.bin", "model.weights/x"};
	CLEANUP_BUF struct buf b = BUF_INIT(MIB);
	struct published p;
	struct err e;

	model_in(&b, "");
	make_tar_text(&b, "model.weights/x", "x");
	make_tar_end(&b);
	ck_ok(publish(ARCHIVE_KIND_TAR, &b, &p, &e));
	check_has(p.version, paths, 3);
}
END_TEST

static void two_in_zip(struct buf *b)
{
	struct make_zip_list list = {.n = 0};

	make_zip_text(b, &list, "m/", "");
	make_zip_text(b, &list, "m/model.json", UNIT_MODEL_JSON);
	make_zip_text(b, &list, "m/model.weights.bin", WEIGHTS);
	make_zip_text(b, &list, "__MACOSX/m/._model.json", "mac");
	make_zip_end(b, &list, "");
}

START_TEST(every_kind_of_archive_and_single_files_give_the_same_version)
{
	CLEANUP_BUF struct buf tar = BUF_INIT(MIB), tgz = BUF_INIT(MIB), zip = BUF_INIT(MIB);
	struct published first, p;
	struct err e;

	model_in(&tar, "x/");
	make_tar_end(&tar);
	make_gzip(&tgz, tar.data, tar.len);
	two_in_zip(&zip);
	ck_ok(unit_upload_model(registry, "m", WEIGHTS, &first, &e));
	ck_ok(publish(ARCHIVE_KIND_TAR, &tar, &p, &e));
	ck_assert(p.deduplicated && digest_eq(&p.root, &first.root));
	ck_ok(publish(ARCHIVE_KIND_TAR_GZ, &tgz, &p, &e));
	ck_assert(p.deduplicated && digest_eq(&p.root, &first.root));
	ck_ok(publish(ARCHIVE_KIND_ZIP, &zip, &p, &e));
	ck_assert(p.deduplicated && digest_eq(&p.root, &first.root));
}
END_TEST

static const struct {
	const char *path;
	enum err_code code;
	const char *says;
} bad_paths[] = {
	{"/etc/passwd",       ERR_BAD_PATH,    "the entry \"/etc/passwd\": "             },
	{"../model.json",     ERR_BAD_PATH,    "'..'"                                    },
	{"a/../../b",         ERR_BAD_PATH,    "'..'"                                    },
	{"a/./b",             ERR_BAD_PATH,    "'.'"				     },
	{"a//b",              ERR_BAD_PATH,    "empty part"                              },
	{"a\\b",              ERR_BAD_PATH,    "'\\'"                                    },
	{"C:x",               ERR_BAD_PATH,    "':'"				     },
	{"a%2e",              ERR_BAD_PATH,    "'%'"				     },
	{"a?b",               ERR_BAD_PATH,    "'?'"				     },
	{"-rf",               ERR_BAD_PATH,    "begins with '-'"                         },
	{"a/ b",              ERR_BAD_PATH,    "begins with ' '"                         },
	{"a\tb",              ERR_BAD_PATH,    "control character"                       },
	{"\xff\xfe",          ERR_BAD_PATH,    "not UTF-8"                               },
	{"\xc0\xaf",          ERR_BAD_PATH,    "not UTF-8"                               },
	{"model.json",        ERR_BAD_ARCHIVE, "two entries are called model.json"       },
	{"./model.json",      ERR_BAD_ARCHIVE, "two entries are called model.json"       },
	{"model.weights.bin", ERR_BAD_ARCHIVE, "two entries are called model.weights.bin"},
	{"MODEL.weights.bin", ERR_BAD_PATH,    "letter case"                             },
};

START_TEST(an_entry_with_a_path_that_no_version_may_have_is_refused)
{
	CLEANUP_BUF struct buf b = BUF_INIT(MIB);
	struct published p;
	struct err e;

	model_in(&b, "");
	make_tar_text(&b, bad_paths[_i].path, "x");
	make_tar_end(&b);
	ck_err(publish(ARCHIVE_KIND_TAR, &b, &p, &e), bad_paths[_i].code);
	ck_assert_msg(strstr(e.text, bad_paths[_i].says), "\"%s\" does not say \"%s\"", e.text,
		bad_paths[_i].says);
	ck_assert_uint_eq(unit_dir_count("tmp"), 0);
	ck_assert_uint_eq(unit_dir_count("blobs"), 0);
}
END_TEST

START_TEST(a_folder_with_a_bad_name_is_not_dropped)
{
	static const char *const bad[] = {"/top/", "../", "a//", "-x/"};
	const struct unit_part parts[] = {
		UNIT_PART("", NULL, UNIT_MODEL_JSON),
		UNIT_PART("", NULL, WEIGHTS),
	};

	for (size_t i = 0; i < ARRAY_SIZE(bad); i++) {
		struct unit_part in_folder[2];
		char names[2][64];
		struct published p;
		CLEANUP_FINDINGS struct findings f;
		struct err e;

		findings_init(&f);
		for (size_t k = 0; k < 2; k++) {
			snprintf(names[k], sizeof(names[k]), "%s%s", bad[i], two[k]);
			in_folder[k] = parts[k];
			in_folder[k].filename = names[k];
		}
		ck_err(unit_upload_publish(registry, "m", in_folder, 2, &p, &f, &e), ERR_BAD_PATH);
	}
}
END_TEST

START_TEST(parts_in_one_folder_lose_it_in_any_order)
{
	const struct unit_part parts[] = {
		UNIT_PART("f", "m/model.weights.bin", WEIGHTS),
		UNIT_PART("f", "m/docs/labels.txt", "cat\n"),
		UNIT_PART("f", "m/model.json", UNIT_MODEL_JSON),
	};
	static const char *const paths[] = {"docs/labels.txt", "model.json", "model.weights.bin"};

	for (size_t i = 0; i < 3; i++) {
		const struct unit_part turned[] = {
			parts[i], parts[(i + 1) % 3], parts[(i + 2) % 3]};
		CLEANUP_FINDINGS struct findings f;
		struct published p;
		struct err e;

		findings_init(&f);
		ck_ok(unit_upload_publish(registry, "m", turned, 3, &p, &f, &e));
		ck_assert_uint_eq(p.version, 1);
		check_has(1, paths, 3);
	}
}
END_TEST

START_TEST(the_limits_of_files_hold_for_what_is_unpacked)
{
	CLEANUP_BUF struct buf b = BUF_INIT(8 * MIB), large = BUF_INIT(4 * MIB);
	struct published p;
	struct err e;

	for (size_t i = 0; i < MIB + 1; i++)
		buf_add_char(&large, (char)(i * 7));
	model_in(&b, "");
	if (_i == 0)
		make_tar(&b, &(struct make_tar){.name = "l", .data = large.data, .n = large.len});
	for (int i = 0; _i == 1 && i < 9; i++) {
		char name[] = {'a' + (char)i, '\0'};
		make_tar_text(&b, name, "x");
	}
	for (int i = 0; _i == 2 && i < 2; i++)
		make_tar(&b,
			&(struct make_tar){.name = i ? "b" : "a", .data = large.data, .n = MIB});
	make_tar_end(&b);
	ck_err(publish(ARCHIVE_KIND_TAR, &b, &p, &e), ERR_TOO_LARGE);
	ck_assert_uint_eq(unit_dir_count("tmp"), 0);
}
END_TEST

START_TEST(an_archive_without_a_file_is_refused)
{
	CLEANUP_BUF struct buf b = BUF_INIT(MIB);
	struct published p;
	struct err e;

	make_tar(&b, &(struct make_tar){.name = "d/", .type = MAKE_TAR_DIR});
	make_tar_end(&b);
	ck_err(publish(ARCHIVE_KIND_TAR, &b, &p, &e), ERR_BAD_ARCHIVE);
	ck_assert_ptr_nonnull(strstr(e.text, "no file in the archive"));
}
END_TEST

START_TEST(an_archive_that_is_given_up_leaves_nothing)
{
	CLEANUP_BUF struct buf b = BUF_INIT(MIB);
	struct upload *u;
	struct err e;

	model_in(&b, "");
	ck_ok(upload_new(registry, "m", &u, &e));
	ck_ok(upload_archive_begin(u, ARCHIVE_KIND_TAR, &e));
	for (size_t n = 0; n < MIB; n += b.len) /* more than is held in memory */
		ck_ok(upload_archive_write(u, b.data, b.len, &e));
	ck_assert_uint_eq(unit_dir_count("tmp"), 1);
	upload_free(u);
	ck_assert_uint_eq(unit_dir_count("tmp"), 0);
}
END_TEST

START_TEST(a_dry_run_unpacks_and_stores_nothing)
{
	CLEANUP(upload_free_p) struct upload *u = NULL;
	CLEANUP_BUF struct buf b = BUF_INIT(MIB);
	CLEANUP_FINDINGS struct findings f;
	struct published p;
	struct err e;

	findings_init(&f);
	model_in(&b, "top/");
	make_tar_end(&b);
	ck_ok(upload_new(registry, "m", &u, &e));
	ck_ok(upload_archive_begin(u, ARCHIVE_KIND_TAR, &e));
	ck_ok(upload_archive_write(u, b.data, b.len, &e));
	ck_ok(upload_publish_dry_run(u, &p, &f, &e));
	ck_assert_uint_eq(p.version, 0);
	ck_assert_uint_eq(p.weight_data_bytes, 8);
	upload_free(take_ptr(u));
	ck_assert_uint_eq(unit_dir_count("tmp"), 0);
	ck_assert_uint_eq(unit_dir_count("blobs"), 0);
}
END_TEST

static Suite *suite(void)
{
	Suite *s = suite_create("registry_archive");
	TCase *t = tcase_create("registry_archive");

	tcase_add_checked_fixture(t, open_registry, close_registry);
	tcase_add_loop_test(t, folders_that_all_files_lie_in_are_dropped, 0, ARRAY_SIZE(folders));
	tcase_add_test(t, folders_of_some_files_stay);
	tcase_add_test(t, a_common_beginning_that_is_no_folder_stays);
	tcase_add_test(t, every_kind_of_archive_and_single_files_give_the_same_version);
	tcase_add_loop_test(t, an_entry_with_a_path_that_no_version_may_have_is_refused, 0,
		ARRAY_SIZE(bad_paths));
	tcase_add_test(t, a_folder_with_a_bad_name_is_not_dropped);
	tcase_add_test(t, parts_in_one_folder_lose_it_in_any_order);
	tcase_add_loop_test(t, the_limits_of_files_hold_for_what_is_unpacked, 0, 3);
	tcase_add_test(t, an_archive_without_a_file_is_refused);
	tcase_add_test(t, an_archive_that_is_given_up_leaves_nothing);
	tcase_add_test(t, a_dry_run_unpacks_and_stores_nothing);
	suite_add_tcase(s, t);
	return s;
}

UNIT_MAIN
