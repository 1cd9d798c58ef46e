/* SPDX-License-Identifier: Apache-2.0 */
#include "common/ingest/inflate.h"
#include "common/base/num.h"
#include "tests/unit/archive_make.h"
#include "tests/unit/unit.h"

static const char text[] = "The first member, and then some more of it.";

/* All of `in`, given and taken in pieces of these sizes. */
static int unpack(const struct buf *in, size_t piece, size_t room, struct buf *out, struct err *e)
{
	CLEANUP(inflate_free_p) struct inflate *z = NULL;
	char to[256];
	int r = inflate_new("the body", 100, &z, e);

	for (size_t at = 0; r == 0 && at < in->len; at += piece) {
		struct str left = {in->data + at, piece < in->len - at ? piece : in->len - at};
		size_t n;
		do {
			r = inflate_step(z, &left, to, room, &n, e);
			buf_add(out, to, n);
		} while (r == 0 && n == room);
		ck_assert(r < 0 || left.n == 0);
	}
	return r < 0 ? r : inflate_finish(z, e);
}

static const size_t sizes[][2] = {
	{1,      1  },
        {1,      256},
        {7,      3  },
        {100000, 1  },
        {100000, 256}
};

START_TEST(pieces_of_any_size_give_the_same_bytes)
{
	CLEANUP_BUF struct buf in = BUF_INIT(MIB), out = BUF_INIT(MIB);
	struct err e;

	make_gzip(&in, text, sizeof(text));
	make_gzip(&in, "", 0);
	make_gzip_zeros(&in, 10000, true);
	ck_ok(unpack(&in, sizes[_i][0], sizes[_i][1], &out, &e));
	ck_assert_uint_eq(out.len, sizeof(text) + 1 + 39 * 258);
	ck_assert_int_eq(memcmp(out.data, text, sizeof(text)), 0);
	for (size_t i = sizeof(text); i < out.len; i++)
		ck_assert_int_eq(out.data[i], 0);
}
END_TEST

START_TEST(a_stream_that_is_cut_off_anywhere_is_refused)
{
	CLEANUP_BUF struct buf in = BUF_INIT(MIB);
	struct err e;

	make_gzip(&in, text, sizeof(text));
	size_t first = in.len;
	make_gzip(&in, text, sizeof(text));
	size_t whole = in.len;
	for (in.len = 0; in.len < whole; in.len++) {
		CLEANUP_BUF struct buf out = BUF_INIT(MIB);
		if (in.len == first)
			ck_ok(unpack(&in, 16, 16, &out, &e));
		else
			ck_err(unpack(&in, 16, 16, &out, &e), ERR_BAD_GZIP);
	}
}
END_TEST

START_TEST(a_changed_checksum_or_length_is_refused)
{
	CLEANUP_BUF struct buf in = BUF_INIT(MIB), out = BUF_INIT(MIB);
	struct err e;

	make_gzip(&in, text, sizeof(text));
	in.data[in.len - 8 + (size_t)_i] ^= 1;
	ck_err(unpack(&in, 1000, 256, &out, &e), ERR_BAD_GZIP);
	ck_assert_ptr_nonnull(strstr(e.text, "damaged"));
}
END_TEST

static const struct {
	const char *bytes;
	size_t n;
	const char *says;
} not_gzip[] = {
	{"",			     0,  "cut off after 0 bytes"},
	{"plain text",                   10, "not gzip"             },
	{"\x78\x9c\x03\0\0\0\0\1",       8,  "not gzip"             },
	{"\x1f\x8b\x07\0\0\0\0\0\0\x03", 10, "not gzip"             },
	{"PK\3\4",		       4,  "not gzip"             },
};

START_TEST(what_is_not_gzip_is_refused)
{
	CLEANUP_BUF struct buf in = BUF_INIT(MIB), out = BUF_INIT(MIB);
	struct err e;

	buf_add(&in, not_gzip[_i].bytes, not_gzip[_i].n);
	ck_err(unpack(&in, 3, 256, &out, &e), ERR_BAD_GZIP);
	ck_assert_msg(strstr(e.text, not_gzip[_i].says), "%s", e.text);
}
END_TEST

static const struct {
	const char *bytes;
	size_t n;
} trailing[] = {{"more", 4}, {"\0\0\0more", 7}, {"\0\x1f\x8b\x08\0\0\0\0\0\0\x03\x03\0\0", 14}};

START_TEST(what_follows_a_member_has_to_be_one)
{
	CLEANUP_BUF struct buf in = BUF_INIT(MIB), out = BUF_INIT(MIB);
	struct err e;

	make_gzip(&in, text, sizeof(text));
	buf_add(&in, trailing[_i].bytes, trailing[_i].n);
	ck_err(unpack(&in, 3, 256, &out, &e), ERR_BAD_GZIP);
	ck_assert_ptr_nonnull(strstr(e.text, "something follows"));
}
END_TEST

START_TEST(zeros_may_follow)
{
	CLEANUP_BUF struct buf in = BUF_INIT(MIB), out = BUF_INIT(MIB);
	struct err e;

	make_gzip(&in, text, sizeof(text));
	for (int i = 0; i < 10240; i++)
		buf_add_char(&in, '\0');
	ck_ok(unpack(&in, 1000, 256, &out, &e));
	ck_assert_uint_eq(out.len, sizeof(text));
}
END_TEST

START_TEST(a_bomb_is_stopped_and_the_failure_sticks)
{
	CLEANUP_BUF struct buf in = BUF_INIT(MIB);
	CLEANUP(inflate_free_p) struct inflate *z = NULL;
	char to[4096];
	uint64_t total = 0;
	size_t n;
	struct err e;
	int r;

	make_gzip_zeros(&in, 100 * MIB, false);
	ck_ok(inflate_new("the body", 100, &z, &e));
	struct str left = {in.data, in.len};
	do {
		r = inflate_step(z, &left, to, sizeof(to), &n, &e);
		total += n;
	} while (r == 0 && n == sizeof(to));
	ck_assert_int_eq(r, -(int)ERR_TOO_LARGE);
	ck_assert_uint_lt(total, 65 * MIB);
	ck_err(inflate_step(z, &left, to, sizeof(to), &n, &e), ERR_TOO_LARGE);
	ck_assert_uint_eq(n, 0);
	ck_err(inflate_finish(z, &e), ERR_TOO_LARGE);
}
END_TEST

/* 60 MiB of zeros from 400 KB: below what is always let through. */
START_TEST(what_is_not_large_may_swell)
{
	CLEANUP_BUF struct buf one = BUF_INIT(MIB), in = BUF_INIT(MIB), out = BUF_INIT(64 * MIB);
	struct err e;

	make_gzip_zeros(&one, MIB, true);
	for (int i = 0; i < 60; i++)
		buf_add(&in, one.data, one.len);
	ck_ok(unpack(&in, 16384, 256, &out, &e));
	ck_assert_uint_ge(out.len, 60 * MIB);
}
END_TEST

static Suite *suite(void)
{
	Suite *s = suite_create("inflate");
	TCase *t = tcase_create("inflate");

	tcase_add_loop_test(t, pieces_of_any_size_give_the_same_bytes, 0, ARRAY_SIZE(sizes));
	tcase_add_test(t, a_stream_that_is_cut_off_anywhere_is_refused);
	tcase_add_loop_test(t, a_changed_checksum_or_length_is_refused, 0, 8);
	tcase_add_loop_test(t, what_is_not_gzip_is_refused, 0, ARRAY_SIZE(not_gzip));
	tcase_add_loop_test(t, what_follows_a_member_has_to_be_one, 0, ARRAY_SIZE(trailing));
	tcase_add_test(t, zeros_may_follow);
	tcase_add_test(t, a_bomb_is_stopped_and_the_failure_sticks);
	tcase_add_test(t, what_is_not_large_may_swell);
	suite_add_tcase(s, t);
	return s;
}

UNIT_MAIN
