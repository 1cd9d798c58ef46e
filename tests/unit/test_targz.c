/* SPDX-License-Identifier: Apache-2.0 */
/* The archive that versions are given as: its bytes, its size, and what readers find in it. */
#include "common/ingest/targz.h"
#include "common/base/buf.h"
#include "common/base/num.h"
#include "common/digest/digest.h"
#include "common/ingest/archive.h"
#include "tests/unit/unit.h"

#define STORED_MAX 65535
#define GOLDEN     "2ec27b25a74294cd91fcd553472caa362452bb3f45d3eb32e5a7c8b5018a0ce1"

/* ---- files whose bytes follow from their place ---- */

static uint8_t byte_of(size_t file, uint64_t at)
{
	return (uint8_t)(at * 31 + at / 251 + file * 7);
}

/* What targz.h promises of the order in which it asks. */
struct asked {
	const struct targz_file *files;
	size_t file;
	uint64_t at;
	uint64_t fail_at; /* of the bytes of all files; UINT64_MAX: never */
	uint64_t sum;
};

static int on_ask(void *cls, size_t file, uint64_t at, void *to, size_t n, struct err *e)
{
	struct asked *a = cls;
	uint8_t *bytes = to;

	ck_assert_uint_gt(n, 0);
	if (file != a->file) {
		ck_assert_uint_gt(file, a->file);
		a->file = file;
		a->at = 0;
	}
	ck_assert_uint_eq(at, a->at);
	ck_assert(n <= a->files[file].size - at);
	a->at += n;
	a->sum += n;
	if (a->sum > a->fail_at)
		return err_set(e, ERR_CORRUPT, "no more");
	for (size_t i = 0; i < n; i++)
		bytes[i] = byte_of(file, at + i);
	return 0;
}

/* The whole archive, taken in pieces of `step` bytes. */
static void make(const struct targz_file *files, size_t n, size_t step, struct buf *out)
{
	CLEANUP(targz_free_p) struct targz *t = NULL;
	CLEANUP_FREE uint8_t *piece = malloc(step);
	struct asked a = {.files = files, .fail_at = UINT64_MAX};
	uint64_t size;
	struct err e;

	ck_ok(targz_size(files, n, &size, &e));
	ck_ok(targz_new(files, n, on_ask, &a, &t, &e));
	ck_assert_uint_eq(targz_left(t), size);
	buf_clear(out);
	while (targz_left(t) > 0) {
		size_t part = targz_left(t) < step ? (size_t)targz_left(t) : step;
		ck_ok(targz_read(t, piece, part, &e));
		buf_add(out, piece, part);
	}
	ck_assert(!buf_failed(out));
	ck_assert_uint_eq(out->len, size);
}

/* ---- what a reader finds ---- */

struct found {
	const struct targz_file *files;
	size_t n;
	uint64_t at;
};

static int on_begin(void *cls, struct str name, struct err *e)
{
	struct found *f = cls;

	(void)e;
	ck_assert_msg(str_eq_c(name, f->files[f->n].path), "%.*s", (int)name.n, name.p);
	f->at = 0;
	return 0;
}

static int on_data(void *cls, const void *bytes, size_t n, struct err *e)
{
	struct found *f = cls;
	const uint8_t *p = bytes;

	(void)e;
	for (size_t i = 0; i < n; i++, f->at++)
		if (p[i] != byte_of(f->n, f->at))
			ck_abort_msg("byte %llu is wrong", (unsigned long long)f->at);
	return 0;
}

static int on_end(void *cls, struct err *e)
{
	struct found *f = cls;

	(void)e;
	ck_assert_uint_eq(f->at, f->files[f->n].size);
	f->n++;
	return 0;
}

static int on_read(void *cls, uint64_t at, void *to, size_t n, struct err *e)
{
	const struct buf *b = cls;

	(void)e;
	memcpy(to, b->data + at, n);
	return 0;
}

static void check_holds(struct buf *b, const struct targz_file *files, size_t n)
{
	static const struct archive_files handlers = {on_begin, on_data, on_end};
	struct archive_source source = {.n = b->len, .read = on_read, .cls = b};
	struct archive_limits limits = {.max_entries = 100, .max_expansion = 2};
	struct found f = {.files = files};
	struct err e;

	ck_ok(archive_unpack(ARCHIVE_KIND_TAR_GZ, &source, &limits, &handlers, &f, &e));
	ck_assert_uint_eq(f.n, n);
}

#define LONG_100 \
	"aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa" \
	"bbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbb"

static const struct targz_file some[] = {
	{"empty.txt", 0},
	{"group1-shard1of2.bin", 511},
	{"group1-shard2of2.bin", 512},
	{"large", 3 * STORED_MAX + 17},
	{LONG_100, 513},
	{LONG_100 "/b", 1},
	{"n\xc3\xa4mlich/\xe2\x82\xac.txt", 3},
};

START_TEST(readers_find_the_files)
{
	static const size_t steps[] = {7, 509, 512, STORED_MAX, STORED_MAX + 5, MIB};
	CLEANUP_BUF struct buf b = BUF_INIT(MIB), first = BUF_INIT(MIB);

	make(some, ARRAY_SIZE(some), steps[_i], &b);
	check_holds(&b, some, ARRAY_SIZE(some));
	make(some, ARRAY_SIZE(some), 4096, &first);
	ck_assert_uint_eq(b.len, first.len);
	ck_assert_int_eq(memcmp(b.data, first.data, b.len), 0);
}
END_TEST

/* These numbers never change: TARGZ_FORMAT says that the bytes do not. */
START_TEST(the_bytes_are_those_of_every_release)
{
	CLEANUP_BUF struct buf b = BUF_INIT(MIB);
	char hex[DIGEST_HEX + 1];
	struct digest d;
	struct err e;

	make(some, ARRAY_SIZE(some), 4096, &b);
	ck_assert_uint_eq(b.len, 206886);
	ck_ok(digest_of(b.data, b.len, &d, &e));
	ck_assert_str_eq(digest_hex(&d, hex), GOLDEN);
	ck_assert_str_eq(TARGZ_FORMAT, "tgz1");
}
END_TEST

/* The tar is a file's header, the file, padding, and 1024 zeros: around the edges of blocks. */
START_TEST(every_length_near_an_edge_is_right)
{
	static const uint64_t edges[] = {0, 1, 512, STORED_MAX - 1536, STORED_MAX - 1535,
		STORED_MAX * 2 - 1536, 10 * STORED_MAX - 1536};
	CLEANUP_BUF struct buf b = BUF_INIT(64 * MIB);

	for (int off = -1; off <= 1; off++) {
		if (edges[_i] == 0 && off < 0)
			continue;
		struct targz_file one = {"f", edges[_i] + (uint64_t)off};
		make(&one, 1, 100000, &b);
		check_holds(&b, &one, 1);
	}
}
END_TEST

START_TEST(no_files_make_an_empty_archive)
{
	CLEANUP_BUF struct buf b = BUF_INIT(MIB);

	make(NULL, 0, 100, &b);
	ck_assert_uint_eq(b.len, 10 + 5 + 1024 + 8);
	check_holds(&b, NULL, 0);
}
END_TEST

/* Of 8 GiB and more, whose size is in a pax header. */
START_TEST(a_file_may_be_larger_than_ustar_can_say)
{
	static const struct targz_file large[] = {{"w.bin", UINT64_C(1) << 33}, {"x", 1}};
	struct asked a = {.files = large, .fail_at = UINT64_MAX};
	CLEANUP(targz_free_p) struct targz *t = NULL;
	uint64_t tar = 3 * 512 + large[0].size + 512 + 512 + 1024, size;
	uint8_t head[15 + 3 * 512];
	struct err e;

	ck_ok(targz_size(large, 2, &size, &e));
	ck_assert_uint_eq(size, 10 + tar + (tar + STORED_MAX - 1) / STORED_MAX * 5 + 8);
	ck_ok(targz_new(large, 2, on_ask, &a, &t, &e));
	ck_ok(targz_read(t, head, sizeof(head), &e));
	ck_assert_str_eq((char *)head + 15 + 512, "19 size=8589934592\n");
	ck_assert_str_eq((char *)head + 15 + 1024, "w.bin");
	ck_assert_str_eq((char *)head + 15 + 1024 + 124, "00000000000");
}
END_TEST

START_TEST(what_cannot_be_counted_is_too_large)
{
	const struct targz_file two[] = {{"a", UINT64_MAX - 4096}, {"b", 4096}};
	const struct targz_file near = {"a", UINT64_MAX - 4096};
	char path[TARGZ_PATH_MAX + 2];
	struct targz_file long_one = {path, 1};
	uint64_t size;
	struct err e;

	ck_err(targz_size(two, 2, &size, &e), ERR_TOO_LARGE);
	ck_err(targz_size(&near, 1, &size, &e), ERR_TOO_LARGE);
	memset(path, 'x', sizeof(path));
	path[TARGZ_PATH_MAX + 1] = '\0';
	ck_err(targz_size(&long_one, 1, &size, &e), ERR_TOO_LARGE);
	path[TARGZ_PATH_MAX] = '\0';
	ck_ok(targz_size(&long_one, 1, &size, &e));
}
END_TEST

START_TEST(the_longest_path_is_found)
{
	CLEANUP_BUF struct buf b = BUF_INIT(MIB);
	char path[TARGZ_PATH_MAX + 1];
	struct targz_file one = {path, 5};

	memset(path, 'x', TARGZ_PATH_MAX);
	path[TARGZ_PATH_MAX] = '\0';
	make(&one, 1, 1000, &b);
	check_holds(&b, &one, 1);
}
END_TEST

START_TEST(a_failure_to_read_is_the_answer)
{
	struct asked a = {.files = some, .fail_at = 70000};
	CLEANUP(targz_free_p) struct targz *t = NULL;
	CLEANUP_FREE uint8_t *all = malloc(MIB);
	struct err e;

	ck_ok(targz_new(some, ARRAY_SIZE(some), on_ask, &a, &t, &e));
	ck_err(targz_read(t, all, (size_t)targz_left(t), &e), ERR_CORRUPT);
}
END_TEST

static Suite *suite(void)
{
	Suite *s = suite_create("targz");
	TCase *t = tcase_create("targz");

	tcase_add_loop_test(t, readers_find_the_files, 0, 6);
	tcase_add_test(t, the_bytes_are_those_of_every_release);
	tcase_add_loop_test(t, every_length_near_an_edge_is_right, 0, 7);
	tcase_add_test(t, no_files_make_an_empty_archive);
	tcase_add_test(t, a_file_may_be_larger_than_ustar_can_say);
	tcase_add_test(t, what_cannot_be_counted_is_too_large);
	tcase_add_test(t, the_longest_path_is_found);
	tcase_add_test(t, a_failure_to_read_is_the_answer);
	suite_add_tcase(s, t);
	return s;
}

UNIT_MAIN
