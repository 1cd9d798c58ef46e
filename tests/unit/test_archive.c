/* SPDX-License-Identifier: Apache-2.0 */
#include "common/ingest/archive.h"
#include "common/base/num.h"
#include "tests/unit/archive_make.h"
#include "tests/unit/unit.h"

#define TAR ARCHIVE_KIND_TAR
#define TGZ ARCHIVE_KIND_TAR_GZ
#define ZIP ARCHIVE_KIND_ZIP

/* ---- what comes out: "name=bytes;" a file ---- */

struct seen {
	struct buf text;
	uint64_t bytes;
	uint64_t fail_at; /* data() fails once so many bytes have come; 0: never */
};

static int on_begin(void *cls, struct str name, struct err *e)
{
	struct seen *s = cls;

	(void)e;
	buf_add(&s->text, name.p, name.n);
	buf_add_char(&s->text, '=');
	return 0;
}

static int on_data(void *cls, const void *bytes, size_t n, struct err *e)
{
	struct seen *s = cls;

	ck_assert_uint_gt(n, 0);
	s->bytes += n;
	if (s->fail_at && s->bytes >= s->fail_at)
		return err_set(e, ERR_STORAGE_FULL, "no room");
	if (s->bytes < 4096)
		buf_add(&s->text, bytes, n);
	return 0;
}

static int on_end(void *cls, struct err *e)
{
	(void)e;
	buf_add_char(&((struct seen *)cls)->text, ';');
	return 0;
}

static const struct archive_files files = {on_begin, on_data, on_end};

static int on_read(void *cls, uint64_t at, void *to, size_t n, struct err *e)
{
	const struct buf *b = cls;

	if (b->max == 0)
		return err_set(e, ERR_IO_FAILED, "cannot be read");
	ck_assert_uint_gt(n, 0);
	ck_assert(at <= b->len && n <= b->len - at);
	memcpy(to, b->data + at, n);
	return 0;
}

static int unpack(enum archive_kind kind, struct buf *b, struct seen *s, struct err *e)
{
	const struct archive_limits limits = {.max_entries = 20, .max_expansion = 100};
	const struct archive_source source = {.n = b->len, .read = on_read, .cls = b};

	ck_assert(!buf_failed(b));
	return archive_unpack(kind, &source, &limits, &files, s, e);
}

typedef void build_fn(struct buf *b);

/* Builders of a tar leave the end to others, so that it can be left out or packed. */
static void finish(enum archive_kind kind, build_fn *build, struct buf *b)
{
	CLEANUP_BUF struct buf plain = BUF_INIT(64 * MIB);

	if (kind == ZIP) {
		build(b);
		return;
	}
	build(&plain);
	make_tar_end(&plain);
	if (kind == TGZ)
		make_gzip(b, plain.data, plain.len);
	else
		buf_add(b, plain.data, plain.len);
}

/* ---- archives that are fine ---- */

#define LONG20  "twenty-characters-oo"
#define LONG100 LONG20 LONG20 LONG20 LONG20 LONG20
#define LONG220 LONG100 "/" LONG100 "/" LONG20

static void tar_two(struct buf *b)
{
	make_tar_text(b, "a.bin", "A");
	make_tar_text(b, "b/c.bin", "");
}

static void tar_folders(struct buf *b)
{
	make_tar(b, &(struct make_tar){.name = "./", .type = MAKE_TAR_DIR});
	make_tar(b, &(struct make_tar){.name = "./d/", .type = MAKE_TAR_DIR});
	make_tar_text(b, "./d/e", "E");
}

static void tar_droppings(struct buf *b)
{
	make_tar_text(b, "./._a", "mac");
	make_tar_text(b, "a", "A");
	make_tar_text(b, "d/._a", "mac");
	make_tar_text(b, "d/.DS_Store", "mac");
	make_tar_text(b, "__MACOSX/x", "mac");
	make_tar_text(b, ".DS_Store", "mac");
}

static void tar_pax_name(struct buf *b)
{
	make_tar_pax(b, "path", LONG220);
	make_tar_text(b, "short", "A");
}

static void tar_pax_utf8(struct buf *b)
{
	make_tar_pax(b, "path", "d/\xc3\xa9.bin");
	make_tar_text(b, "d/_.bin", "A");
	make_tar_text(b, "\xc3\xa4", "B");
}

static void tar_pax_size(struct buf *b)
{
	make_tar_pax(b, "size", "3");
	make_tar(b, &(struct make_tar){.name = "a", .data = "AAA", .n = 3, .lies = true});
}

static void tar_pax_global(struct buf *b)
{
	static const char record[] = "20 comment=a comment\n";

	make_tar(b,
		&(struct make_tar){.name = "g",
			.type = MAKE_TAR_GLOBAL,
			.data = record,
			.n = sizeof(record) - 1});
	make_tar_text(b, "a", "A");
}

static void tar_gnu_name(struct buf *b)
{
	make_tar(b,
		&(struct make_tar){.name = "././@LongLink",
			.type = MAKE_TAR_LONG,
			.data = LONG220,
			.n = sizeof(LONG220)});
	make_tar_text(b, LONG20, "A");
}

static void tar_zeros_inside(struct buf *b)
{
	static const char zeros[2048];

	make_tar(b, &(struct make_tar){.name = "z", .data = zeros, .n = sizeof(zeros)});
	make_tar_text(b, "a", "");
}

static void tar_blocking(struct buf *b)
{
	make_tar_text(b, "a", "A");
	for (int i = 0; i < 9; i++)
		make_tar_end(b);
}

static void zip_two(struct buf *b)
{
	struct make_zip_list list = {.n = 0};

	make_zip_text(b, &list, "a.bin", "A");
	make_zip_text(b, &list, "b/c.bin", "");
	make_zip_end(b, &list, "");
}

static void zip_descriptor(struct buf *b)
{
	struct make_zip_list list = {.n = 0};

	make_zip(b, &list, &(struct make_zip){.name = "a", .data = "AAA", .n = 3, .flags = 8});
	make_zip_text(b, &list, "b", "B");
	make_zip_end(b, &list, "");
}

static void zip_deflated(struct buf *b)
{
	CLEANUP_BUF struct buf packed = BUF_INIT(MIB);
	struct make_zip_list list = {.n = 0};
	unsigned crc;
	size_t n = make_zip_zeros(&packed, 5000, &crc);

	make_zip(b, &list,
		&(struct make_zip){.name = "z",
			.data = packed.data,
			.n = packed.len,
			.method = 8,
			.unpacked_n = n,
			.crc = crc});
	make_zip_end(b, &list, "");
}

static void zip_folders_and_droppings(struct buf *b)
{
	struct make_zip_list list = {.n = 0};

	make_zip_text(b, &list, "d/", "");
	make_zip_text(b, &list, "d/a", "A");
	make_zip_text(b, &list, "__MACOSX/d/._a", "mac");
	make_zip_end(b, &list, "PK\5 a comment");
}

static void zip_padded(struct buf *b)
{
	static const char zeros[10240];

	zip_two(b);
	buf_add(b, zeros, sizeof(zeros) - b->len);
}

static void zip_utf8(struct buf *b)
{
	struct make_zip_list list = {.n = 0};

	make_zip(b, &list,
		&(struct make_zip){.name = "\xc3\xa9", .data = "A", .n = 1, .flags = 0x800});
	make_zip_end(b, &list, "");
}

static const struct fine {
	enum archive_kind kind;
	build_fn *build;
	const char *want; /* NULL: by the bytes */
	uint64_t bytes;
} fine[] = {
	{TAR, tar_two,                   "a.bin=A;b/c.bin=;",            0   },
	{TGZ, tar_two,                   "a.bin=A;b/c.bin=;",            0   },
	{TAR, tar_folders,               "./d/e=E;",                     0   },
	{TAR, tar_droppings,             "a=A;",                         0   },
	{TAR, tar_pax_name,              LONG220 "=A;",                  0   },
	{TAR, tar_pax_utf8,              "d/\xc3\xa9.bin=A;\xc3\xa4=B;", 0   },
	{TAR, tar_pax_size,              "a=AAA;",                       0   },
	{TAR, tar_pax_global,            "a=A;",                         0   },
	{TAR, tar_gnu_name,              LONG220 "=A;",                  0   },
	{TAR, tar_zeros_inside,          NULL,                           2048},
	{TAR, tar_blocking,              "a=A;",                         0   },
	{TGZ, tar_blocking,              "a=A;",                         0   },
	{ZIP, zip_two,                   "a.bin=A;b/c.bin=;",            0   },
	{ZIP, zip_descriptor,            "a=AAA;b=B;",                   0   },
	{ZIP, zip_deflated,              NULL,                           5161},
	{ZIP, zip_folders_and_droppings, "d/a=A;",                       0   },
	{ZIP, zip_padded, "a.bin=A;b/c.bin=;", 0},
	{ZIP, zip_utf8,                  "\xc3\xa9=A;",                  0   },
};

START_TEST(an_archive_gives_its_files)
{
	const struct fine *c = &fine[_i];
	CLEANUP_BUF struct buf b = BUF_INIT(64 * MIB);
	struct seen s = {.text = BUF_INIT(MIB)};
	struct err e;

	finish(c->kind, c->build, &b);
	ck_ok(unpack(c->kind, &b, &s, &e));
	if (c->want)
		ck_assert_str_eq(buf_str(&s.text), c->want);
	else
		ck_assert_uint_eq(s.bytes, c->bytes);
	buf_done(&s.text);
}
END_TEST

/* ---- archives that are not ---- */

static void nothing(struct buf *b)
{
	(void)b;
}

static void garbage(struct buf *b)
{
	for (int i = 0; i < 2000; i++)
		buf_addf(b, "garbage %d ", i);
}

static void tar_hard_link(struct buf *b)
{
	make_tar_text(b, "a", "A");
	make_tar(b, &(struct make_tar){.name = "l", .type = MAKE_TAR_HARD, .link = "a"});
}

static void tar_symlink(struct buf *b)
{
	make_tar(b,
		&(struct make_tar){.name = "l", .type = MAKE_TAR_SYMLINK, .link = "/etc/passwd"});
}

static void tar_pax_link(struct buf *b)
{
	make_tar_pax(b, "linkpath", "/etc/passwd");
	make_tar(b, &(struct make_tar){.name = "l", .type = MAKE_TAR_SYMLINK, .link = "x"});
}

static void tar_char_device(struct buf *b)
{
	make_tar(b, &(struct make_tar){.name = "d", .type = MAKE_TAR_CHAR});
}

static void tar_block_device(struct buf *b)
{
	make_tar(b, &(struct make_tar){.name = "d", .type = MAKE_TAR_BLOCK});
}

static void tar_fifo(struct buf *b)
{
	make_tar(b, &(struct make_tar){.name = "d", .type = MAKE_TAR_FIFO});
}

static void tar_link_called_dropping(struct buf *b)
{
	make_tar(b, &(struct make_tar){.name = "._l", .type = MAKE_TAR_SYMLINK, .link = "x"});
}

static void tar_bad_sum(struct buf *b)
{
	make_tar_text(b, "a", "A");
	make_tar(b, &(struct make_tar){.name = "b", .bad_sum = true});
}

static void tar_first_sum(struct buf *b)
{
	make_tar(b, &(struct make_tar){.name = "b", .bad_sum = true});
}

static void tar_size_beyond(struct buf *b)
{
	make_tar(b,
		&(struct make_tar){
			.name = "a", .data = "A", .n = 1, .lies = true, .says = 1 << 20});
}

static void tar_size_huge(struct buf *b)
{
	make_tar(b, &(struct make_tar){.name = "a", .lies = true, .says = 077777777777});
}

static void tar_too_many(struct buf *b)
{
	for (int i = 0; i < 21; i++)
		make_tar_text(b, "a", "");
}

static void tar_too_many_folders(struct buf *b)
{
	for (int i = 0; i < 21; i++)
		make_tar(b, &(struct make_tar){.name = "d/", .type = MAKE_TAR_DIR});
}

static void tar_trailing(struct buf *b)
{
	make_tar_text(b, "a", "A");
	make_tar_end(b);
	buf_add_str(b, "more");
	make_tar_end(b);
}

static void tar_two_archives(struct buf *b)
{
	make_tar_text(b, "a", "A");
	make_tar_end(b);
	make_tar_text(b, "b", "B");
}

static void tar_gnu_sparse(struct buf *b)
{
	char h[512];

	make_tar(b, &(struct make_tar){.name = "s", .type = MAKE_TAR_SPARSE, .data = "A", .n = 1});
	/* One region at 1 MiB in a file of 1 MiB and a byte. */
	memcpy(h, b->data, sizeof(h));
	memcpy(h + 386, "00004000000", 12);
	memcpy(h + 398, "00000000001", 12);
	memcpy(h + 483, "00004000001", 12);
	memset(h + 148, ' ', 8);
	unsigned sum = 0;
	for (size_t i = 0; i < sizeof(h); i++)
		sum += (unsigned char)h[i];
	snprintf(h + 148, 8, "%06o", sum);
	memcpy(b->data, h, sizeof(h));
}

static void tar_pax_sparse(struct buf *b)
{
	static const char record[] = "28 GNU.sparse.map=1048576,1\n27 GNU.sparse.size=1048577\n";

	make_tar(b,
		&(struct make_tar){.name = "x",
			.type = MAKE_TAR_PAX,
			.data = record,
			.n = sizeof(record) - 1});
	make_tar_text(b, "s", "A");
}

static void tar_pax_sparse_one(struct buf *b)
{
	static const char record[] = "22 GNU.sparse.major=1\n22 GNU.sparse.minor=0\n"
				     "25 GNU.sparse.name=s.bin\n31 GNU.sparse.realsize=1048577\n";
	char map[513] = {0};

	memcpy(map, "1\n1048576\n1\n", 12);
	map[512] = 'A';
	make_tar(b,
		&(struct make_tar){.name = "x",
			.type = MAKE_TAR_PAX,
			.data = record,
			.n = sizeof(record) - 1});
	make_tar(b, &(struct make_tar){.name = "s", .data = map, .n = sizeof(map)});
}

static void tar_pax_large(struct buf *b)
{
	CLEANUP_BUF struct buf value = BUF_INIT(4 * MIB);

	for (size_t i = 0; i < 2 * MIB; i++)
		buf_add_char(&value, 'v');
	make_tar(b,
		&(struct make_tar){
			.name = "x", .type = MAKE_TAR_PAX, .data = value.data, .n = value.len});
	make_tar_text(b, "a", "A");
}

static void tar_gnu_name_large(struct buf *b)
{
	CLEANUP_BUF struct buf value = BUF_INIT(4 * MIB);

	for (size_t i = 0; i < 2 * MIB; i++)
		buf_add_char(&value, 'v');
	make_tar(b,
		&(struct make_tar){
			.name = "x", .type = MAKE_TAR_LONG, .data = value.data, .n = value.len});
	make_tar_text(b, "a", "A");
}

static void tar_pax_broken(struct buf *b)
{
	make_tar(b,
		&(struct make_tar){
			.name = "x", .type = MAKE_TAR_PAX, .data = "99 path=a\n", .n = 10});
	make_tar_text(b, "a", "A");
}

static void tar_nested_heads(struct buf *b)
{
	for (int i = 0; i < 5000; i++)
		make_tar(b,
			&(struct make_tar){
				.name = "x", .type = MAKE_TAR_LONG, .data = "name", .n = 4});
	make_tar_text(b, "a", "A");
}

static void tar_no_name(struct buf *b)
{
	make_tar_text(b, "", "A");
}

static void gzip_in_tar(struct buf *b)
{
	make_gzip(b, "A", 1);
}

static void zip_hidden_in_tar(struct buf *b)
{
	zip_two(b);
}

static void zip_symlink(struct buf *b)
{
	struct make_zip_list list = {.n = 0};

	make_zip(b, &list,
		&(struct make_zip){.name = "l", .data = "/etc/passwd", .n = 11, .mode = 0120777});
	make_zip_end(b, &list, "");
}

static void zip_device(struct buf *b)
{
	struct make_zip_list list = {.n = 0};

	make_zip(b, &list, &(struct make_zip){.name = "d", .data = "", .mode = 0020666});
	make_zip_end(b, &list, "");
}

static void zip_encrypted(struct buf *b)
{
	struct make_zip_list list = {.n = 0};

	make_zip(b, &list,
		&(struct make_zip){.name = "e", .data = "0123456789abcdef", .n = 16, .flags = 1});
	make_zip_end(b, &list, "");
}

static void zip_method(struct buf *b, unsigned method)
{
	struct make_zip_list list = {.n = 0};

	make_zip(b, &list,
		&(struct make_zip){.name = "m",
			.data = "0123456789abcdef",
			.n = 16,
			.method = method,
			.unpacked_n = 100});
	make_zip_end(b, &list, "");
}

static void zip_bzip2(struct buf *b)
{
	zip_method(b, 12);
}

static void zip_lzma(struct buf *b)
{
	zip_method(b, 14);
}

static void zip_unknown_method(struct buf *b)
{
	zip_method(b, 77);
}

static void zip_bad_deflate(struct buf *b)
{
	zip_method(b, 8);
}

static void zip_bad_crc(struct buf *b)
{
	struct make_zip_list list = {.n = 0};

	make_zip(b, &list, &(struct make_zip){.name = "c", .data = "A", .n = 1, .crc = 7});
	make_zip_end(b, &list, "");
}

static void zip_trailing(struct buf *b)
{
	zip_two(b);
	buf_add_str(b, "more");
}

static void zip_without_end(struct buf *b)
{
	struct make_zip_list list = {.n = 0};

	make_zip_text(b, &list, "a", "A");
	buf_done(&list.central);
}

static void zip_shared_place(struct buf *b)
{
	struct make_zip_list list = {.n = 0};

	make_zip_text(b, &list, "a", "A");
	make_zip(b, &list,
		&(struct make_zip){.name = "b", .data = "A", .n = 1, .only_listed = true});
	make_zip_end(b, &list, "");
}

static void zip_too_many(struct buf *b)
{
	struct make_zip_list list = {.n = 0};

	for (int i = 0; i < 21; i++)
		make_zip_text(b, &list, "a", "A");
	make_zip_end(b, &list, "");
}

/* The end record counts one entry, the directory goes on for a hundred thousand. */
static void zip_large_list(struct buf *b)
{
	struct make_zip_list list = {.n = 0};

	for (int i = 0; i < 90000; i++)
		make_zip(b, &list,
			&(struct make_zip){
				.name = LONG100, .data = "A", .n = 1, .only_listed = i > 0});
	list.n = 1;
	make_zip_end(b, &list, "");
}

static void zip_list_outside(struct buf *b)
{
	zip_two(b);
	memcpy(b->data + b->len - 6, "\xff\xff\xff\x7f", 4);
}

static void zip_cut_data(struct buf *b)
{
	struct make_zip_list list = {.n = 0};

	make_zip_text(b, &list, "a", "A");
	make_zip_text(b, &list, "b", "");
	/* The second lies at the end of the first and says it had a thousand bytes. */
	memcpy(list.central.data + 46 + 1 + 20, "\xe8\x03\0\0\xe8\x03\0\0", 8);
	make_zip_end(b, &list, "");
}

static void zip_bomb(struct buf *b)
{
	CLEANUP_BUF struct buf packed = BUF_INIT(16 * MIB);
	struct make_zip_list list = {.n = 0};
	size_t n = make_zip_zeros(&packed, 80 * MIB, NULL);

	make_zip(b, &list,
		&(struct make_zip){.name = "z",
			.data = packed.data,
			.n = packed.len,
			.method = 8,
			.unpacked_n = n,
			.crc = 1});
	make_zip_end(b, &list, "");
}

/* clang-format off */
static const struct bad {
	enum archive_kind kind;
	build_fn *build;
	enum err_code code;
	const char *says;
} bad[] = {
	{TAR, garbage, ERR_BAD_ARCHIVE, "no tar archive"},
	{TGZ, garbage, ERR_BAD_ARCHIVE, "no tar.gz archive"},
	{ZIP, garbage, ERR_BAD_ARCHIVE, "no zip directory"},
	{ZIP, nothing, ERR_BAD_ARCHIVE, "no bytes"},
	{TAR, gzip_in_tar, ERR_BAD_ARCHIVE, "the body is gzip"},
	{TGZ, gzip_in_tar, ERR_BAD_ARCHIVE, "no tar.gz archive"},
	{TAR, zip_hidden_in_tar, ERR_BAD_ARCHIVE, "the body is a zip"},
	{TAR, tar_hard_link, ERR_BAD_ARCHIVE, "the entry \"l\" is a link"},
	{TGZ, tar_hard_link, ERR_BAD_ARCHIVE, "the entry \"l\" is a link"},
	{TAR, tar_symlink, ERR_BAD_ARCHIVE, "the entry \"l\" is a link"},
	{TAR, tar_pax_link, ERR_BAD_ARCHIVE, "the entry \"l\" is a link"},
	{TAR, tar_link_called_dropping, ERR_BAD_ARCHIVE, "is a link"},
	{TAR, tar_char_device, ERR_BAD_ARCHIVE, "the entry \"d\" is a device"},
	{TAR, tar_block_device, ERR_BAD_ARCHIVE, "the entry \"d\" is a device"},
	{TAR, tar_fifo, ERR_BAD_ARCHIVE, "a pipe"},
	{TAR, tar_bad_sum, ERR_BAD_ARCHIVE, "damaged at or behind the entry \"a\""},
	{TAR, tar_first_sum, ERR_BAD_ARCHIVE, "no tar archive"},
	{TAR, tar_size_beyond, ERR_BAD_ARCHIVE, "\"a\""},
	{TAR, tar_size_huge, ERR_BAD_ARCHIVE, "\"a\""},
	{TAR, tar_too_many, ERR_TOO_LARGE, "more than 20 entries"},
	{TAR, tar_too_many_folders, ERR_TOO_LARGE, "more than 20 entries"},
	{TAR, tar_trailing, ERR_BAD_ARCHIVE, "something follows"},
	{TGZ, tar_trailing, ERR_BAD_ARCHIVE, "something follows"},
	{TAR, tar_two_archives, ERR_BAD_ARCHIVE, "something follows"},
	{TAR, tar_gnu_sparse, ERR_BAD_ARCHIVE, "is a sparse file"},
	{TAR, tar_pax_sparse, ERR_BAD_ARCHIVE, "is a sparse file"},
	{TAR, tar_pax_sparse_one, ERR_BAD_ARCHIVE, "is a sparse file"},
	{TAR, tar_pax_large, ERR_BAD_ARCHIVE, ""},
	{TAR, tar_gnu_name_large, ERR_BAD_ARCHIVE, ""},
	{TAR, tar_pax_broken, ERR_BAD_ARCHIVE, ""},
	{TAR, tar_nested_heads, ERR_BAD_ARCHIVE, ""},
	{TAR, tar_no_name, ERR_BAD_ARCHIVE, "has no name"},
	{ZIP, tar_two, ERR_BAD_ARCHIVE, "no zip directory"},
	{ZIP, zip_symlink, ERR_BAD_ARCHIVE, "the entry \"l\" is a link"},
	{ZIP, zip_device, ERR_BAD_ARCHIVE, "the entry \"d\" is a device"},
	{ZIP, zip_encrypted, ERR_BAD_ARCHIVE, "the entry \"e\" is encrypted"},
	{ZIP, zip_bzip2, ERR_BAD_ARCHIVE, "the entry \"m\" is compressed in another way"},
	{ZIP, zip_lzma, ERR_BAD_ARCHIVE, "the entry \"m\" is compressed in another way"},
	{ZIP, zip_unknown_method, ERR_BAD_ARCHIVE, "the entry \"m\" is compressed in another way"},
	{ZIP, zip_bad_deflate, ERR_BAD_ARCHIVE, "\"m\""},
	{ZIP, zip_bad_crc, ERR_BAD_ARCHIVE, "\"c\""},
	{ZIP, zip_trailing, ERR_BAD_ARCHIVE, "something follows"},
	{ZIP, zip_without_end, ERR_BAD_ARCHIVE, "no zip directory"},
	{ZIP, zip_shared_place, ERR_BAD_ARCHIVE, "announces 2 entries, while 1"},
	{ZIP, zip_too_many, ERR_TOO_LARGE, "more than 20 entries"},
	{ZIP, zip_large_list, ERR_BAD_ARCHIVE, "too large"},
	{ZIP, zip_list_outside, ERR_BAD_ARCHIVE, ""},
	{ZIP, zip_cut_data, ERR_BAD_ARCHIVE, "\"b\""},
	{ZIP, zip_bomb, ERR_TOO_LARGE, "more than 100 times its size"},
};
/* clang-format on */

START_TEST(a_bad_archive_is_refused_and_the_sentence_says_why)
{
	const struct bad *c = &bad[_i];
	CLEANUP_BUF struct buf b = BUF_INIT(64 * MIB);
	struct seen s = {.text = BUF_INIT(MIB)};
	struct err e;

	finish(c->kind, c->build, &b);
	ck_err(unpack(c->kind, &b, &s, &e), c->code);
	ck_assert_msg(strstr(e.text, c->says), "\"%s\" does not say \"%s\"", e.text, c->says);
	buf_done(&s.text);
}
END_TEST

/* ---- the end ---- */

/* But for its last block of zeros, which is only custom, and what pads it. */
START_TEST(an_archive_that_is_cut_off_anywhere_is_refused)
{
	static const enum archive_kind kinds[] = {TAR, TGZ, ZIP};
	enum archive_kind kind = kinds[_i];
	CLEANUP_BUF struct buf b = BUF_INIT(MIB);
	struct err e;

	finish(kind, kind == ZIP ? zip_two : tar_two, &b);
	size_t whole = kind == TAR ? b.len - 512 : b.len;
	for (size_t n = 0; n < whole; n++) {
		struct seen s = {.text = BUF_INIT(MIB)};
		b.len = n;
		int r = unpack(kind, &b, &s, &e);
		ck_assert_msg(r == -(int)ERR_BAD_ARCHIVE || r == -(int)ERR_BAD_GZIP,
			"%zu of %zu bytes: %d", n, whole, r);
		buf_done(&s.text);
	}
}
END_TEST

START_TEST(a_gzip_bomb_is_refused_before_it_is_unpacked)
{
	CLEANUP_BUF struct buf b = BUF_INIT(64 * MIB);
	CLEANUP_BUF struct buf head = BUF_INIT(MIB);
	struct seen s = {.text = BUF_INIT(MIB)};
	struct err e;

	make_tar(&head, &(struct make_tar){.name = "z", .lies = true, .says = 8 * GIB - 1});
	make_gzip(&b, head.data, head.len);
	make_gzip_zeros(&b, 160 * MIB, false);
	ck_err(unpack(TGZ, &b, &s, &e), ERR_TOO_LARGE);
	ck_assert_ptr_nonnull(strstr(e.text, "100 times"));
	ck_assert_uint_lt(s.bytes, 160 * MIB);
	buf_done(&s.text);
}
END_TEST

/* A reader of tar would stop at the end mark and never see it. */
START_TEST(a_bomb_behind_the_end_or_in_what_is_skipped_is_refused)
{
	CLEANUP_BUF struct buf b = BUF_INIT(64 * MIB);
	CLEANUP_BUF struct buf head = BUF_INIT(MIB);
	struct seen s = {.text = BUF_INIT(MIB)};
	struct err e;

	if (_i == 0) {
		make_tar_text(&head, "a", "A");
		make_tar_end(&head);
	} else {
		make_tar(&head,
			&(struct make_tar){.name = "._z", .lies = true, .says = 8 * GIB - 1});
	}
	make_gzip(&b, head.data, head.len);
	make_gzip_zeros(&b, 160 * MIB, false);
	ck_err(unpack(TGZ, &b, &s, &e), ERR_TOO_LARGE);
	buf_done(&s.text);
}
END_TEST

START_TEST(trailing_bytes_behind_the_gzip_are_refused)
{
	CLEANUP_BUF struct buf b = BUF_INIT(MIB);
	struct seen s = {.text = BUF_INIT(MIB)};
	struct err e;

	finish(TGZ, tar_two, &b);
	buf_add_str(&b, "more");
	ck_err(unpack(TGZ, &b, &s, &e), ERR_BAD_GZIP);
	buf_done(&s.text);
}
END_TEST

START_TEST(the_failure_of_its_caller_ends_it)
{
	static const enum archive_kind kinds[] = {TAR, TGZ, ZIP};
	CLEANUP_BUF struct buf b = BUF_INIT(MIB);
	struct seen s = {.text = BUF_INIT(MIB), .fail_at = 1};
	struct err e;

	finish(kinds[_i], kinds[_i] == ZIP ? zip_two : tar_two, &b);
	ck_err(unpack(kinds[_i], &b, &s, &e), ERR_STORAGE_FULL);
	ck_assert_str_eq(e.text, "no room");
	buf_done(&s.text);
}
END_TEST

START_TEST(the_failure_of_reading_is_its_own)
{
	static const enum archive_kind kinds[] = {TAR, TGZ, ZIP};
	CLEANUP_BUF struct buf b = BUF_INIT(MIB);
	struct seen s = {.text = BUF_INIT(MIB)};
	struct err e;

	finish(kinds[_i], kinds[_i] == ZIP ? zip_two : tar_two, &b);
	b.max = 0;
	ck_err(unpack(kinds[_i], &b, &s, &e), ERR_IO_FAILED);
}
END_TEST

/* ---- every byte ---- */

/* Nothing is claimed of the answer: it is there, and a sanitizer has nothing to say. */
START_TEST(no_changed_byte_does_harm)
{
	static const enum archive_kind kinds[] = {TAR, TGZ, ZIP};
	static const char values[] = {0, '9', (char)0xff};
	enum archive_kind kind = kinds[_i];
	CLEANUP_BUF struct buf b = BUF_INIT(MIB);
	struct err e;

	finish(kind, kind == ZIP ? zip_two : tar_pax_name, &b);
	for (size_t i = 0; i < b.len; i++) {
		char kept = b.data[i];
		for (size_t k = 0; k < ARRAY_SIZE(values); k++) {
			struct seen s = {.text = BUF_INIT(MIB)};
			b.data[i] = values[k];
			(void)unpack(kind, &b, &s, &e);
			buf_done(&s.text);
		}
		b.data[i] = kept;
	}
}
END_TEST

static Suite *suite(void)
{
	Suite *s = suite_create("archive");
	TCase *t = tcase_create("archive");

	tcase_add_loop_test(t, an_archive_gives_its_files, 0, ARRAY_SIZE(fine));
	tcase_add_loop_test(t, a_bad_archive_is_refused_and_the_sentence_says_why, 0,
		ARRAY_SIZE(bad));
	tcase_add_loop_test(t, an_archive_that_is_cut_off_anywhere_is_refused, 0, 3);
	tcase_add_test(t, a_gzip_bomb_is_refused_before_it_is_unpacked);
	tcase_add_loop_test(t, a_bomb_behind_the_end_or_in_what_is_skipped_is_refused, 0, 2);
	tcase_add_test(t, trailing_bytes_behind_the_gzip_are_refused);
	tcase_add_loop_test(t, the_failure_of_its_caller_ends_it, 0, 3);
	tcase_add_loop_test(t, the_failure_of_reading_is_its_own, 0, 3);
	tcase_add_loop_test(t, no_changed_byte_does_harm, 0, 3);
	suite_add_tcase(s, t);
	return s;
}

UNIT_MAIN
