/* SPDX-License-Identifier: Apache-2.0 */
/* A version as an archive: what is in it, and what ends it before its end. */
#include "common/registry/registry_export.h"
#include "common/base/num.h"
#include "tests/unit/unit.h"
#include "tests/unit/unit_dir.h"
#include "tests/unit/unit_upload.h"

#include <fcntl.h>
#include <sys/stat.h>

#define WEIGHTS_NAME "model.weights.bin"
#define WEIGHTS      "01234567"

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

static struct catalog_version *published(void)
{
	struct catalog_version *v;
	struct published p;
	struct err e;

	ck_ok(unit_upload_model(registry, "m", WEIGHTS, &p, &e));
	ck_ok(catalog_version(registry_catalog(registry), "m", p.version, &v, &e));
	return v;
}

static const char *file_of(const struct catalog_version *v, size_t i)
{
	static char path[128];
	char text[BLOB_KEY_TEXT];

	blob_key_text(&v->files[i].key, text);
	(void)snprintf(path, sizeof(path), "blobs/%.2s/%.2s/%s", text, text + 2, text);
	return unit_dir_file(path);
}

static struct registry_export *exported(struct catalog_version *v)
{
	struct registry_export *x;
	struct err e;

	ck_ok(registry_export_new(registry, v, &x, &e));
	return x;
}

/* All but the last `spare` bytes. */
static int read_until(struct registry_export *x, size_t spare, struct buf *out, struct err *e)
{
	size_t n = (size_t)registry_export_size(x) - spare;
	CLEANUP_FREE char *bytes = malloc(n);
	int r = registry_export_read(x, bytes, n, e);

	if (r == 0)
		buf_add(out, bytes, n);
	return r;
}

START_TEST(publishing_the_archive_again_changes_nothing)
{
	CLEANUP(registry_export_free_p) struct registry_export *x = exported(published());
	CLEANUP(upload_free_p) struct upload *u = NULL;
	CLEANUP_FINDINGS struct findings f;
	CLEANUP_BUF struct buf b = BUF_INIT(MIB);
	struct published p;
	struct err e;

	findings_init(&f);
	ck_ok(read_until(x, 0, &b, &e));
	ck_ok(upload_new(registry, "m", &u, &e));
	ck_ok(upload_archive_begin(u, ARCHIVE_KIND_TAR_GZ, &e));
	ck_ok(upload_archive_write(u, b.data, b.len, &e));
	ck_ok(upload_publish(u, &p, &f, &e));
	ck_assert(p.deduplicated);
	ck_assert_uint_eq(p.version, 1);
}
END_TEST

START_TEST(the_tag_names_the_format_and_the_root)
{
	CLEANUP(catalog_version_free_p) struct catalog_version *v = published();
	char tag[REGISTRY_EXPORT_ETAG], hex[DIGEST_HEX + 1], want[128];

	(void)snprintf(want, sizeof(want), "\"tgz1-%s\"", digest_hex(&v->root, hex));
	ck_assert_str_eq(registry_export_etag(&v->root, tag), want);
}
END_TEST

/* The file has the right size and other bytes. */
START_TEST(damage_ends_the_archive_and_is_known_from_then_on)
{
	struct catalog_version *v = published();
	const char *path = file_of(v, 1);
	CLEANUP(registry_export_free_p) struct registry_export *x = NULL;
	CLEANUP(catalog_version_free_p) struct catalog_version *again = NULL;
	CLEANUP_BUF struct buf b = BUF_INIT(MIB);
	CLEANUP_FD int fd = -1;
	struct err e;

	ck_assert_str_eq(v->files[1].path, WEIGHTS_NAME);
	ck_assert_int_eq(chmod(path, 0600), 0);
	fd = open(path, O_WRONLY | O_CLOEXEC);
	ck_assert_int_eq(write(fd, "x", 1), 1);
	x = exported(v);
	ck_err(read_until(x, 0, &b, &e), ERR_CORRUPT);
	ck_assert_ptr_nonnull(strstr(e.text, WEIGHTS_NAME " of m@1"));
	ck_ok(catalog_version(registry_catalog(registry), "m", 1, &again, &e));
	ck_assert(again->files[1].damaged);
	registry_export_free(take_ptr(x));
	ck_err(registry_export_new(registry, take_ptr(again), &x, &e), ERR_CORRUPT);
}
END_TEST

START_TEST(a_missing_file_ends_the_archive)
{
	struct catalog_version *v = published();
	CLEANUP(registry_export_free_p) struct registry_export *x = NULL;
	CLEANUP_BUF struct buf b = BUF_INIT(MIB);
	struct err e;

	ck_assert_int_eq(unlink(file_of(v, 1)), 0);
	x = exported(v);
	ck_err(read_until(x, 0, &b, &e), ERR_CORRUPT);
}
END_TEST

static void delete_and_collect(void)
{
	const struct registry_collect now = {.grace_ms = 0};
	struct registry_collected done;
	struct err e;

	ck_ok(registry_delete_version(registry, "m", 1, &e));
	ck_ok(registry_collect(registry, &now, &done, &e));
	ck_assert_uint_eq(done.files, 2);
}

START_TEST(a_deleted_version_ends_with_the_file_that_is_open)
{
	CLEANUP(registry_export_free_p) struct registry_export *x = exported(published());
	size_t model = sizeof(UNIT_MODEL_JSON) - 1;
	char *rest = malloc((size_t)registry_export_size(x)), head[600];
	struct err e;

	ck_ok(registry_export_read(x, head, sizeof(head), &e));
	delete_and_collect();
	ck_ok(registry_export_read(x, rest, model - (sizeof(head) - 15 - 512), &e));
	ck_assert_int_eq(memcmp(rest, &UNIT_MODEL_JSON[sizeof(head) - 15 - 512], 100), 0);
	ck_err(registry_export_read(x, rest, 2000, &e), ERR_DELETED);
	free(rest);
}
END_TEST

static Suite *suite(void)
{
	Suite *s = suite_create("registry_export");
	TCase *t = tcase_create("registry_export");

	tcase_add_checked_fixture(t, open_registry, close_registry);
	tcase_add_test(t, publishing_the_archive_again_changes_nothing);
	tcase_add_test(t, the_tag_names_the_format_and_the_root);
	tcase_add_test(t, damage_ends_the_archive_and_is_known_from_then_on);
	tcase_add_test(t, a_missing_file_ends_the_archive);
	tcase_add_test(t, a_deleted_version_ends_with_the_file_that_is_open);
	suite_add_tcase(s, t);
	return s;
}

UNIT_MAIN
