/* SPDX-License-Identifier: Apache-2.0 */
#include "common/ingest/encode.h"
#include "common/ingest/decode.h"
#include "tests/unit/unit.h"

#define KIB (1u << 10)
#define MIB (1u << 20)

/* ---- bytes to code ---- */

static void make_text(struct buf *out, size_t n)
{
	unsigned x = 1;

	while (out->len < n) {
		x = x * 1103515245 + 12345;
		buf_addf(out, "{\"name\":\"dense_%u/kernel\",\"shape\":[%u,%u]},", x >> 24,
			(x >> 16) & 255, (x >> 8) & 255);
	}
	out->len = n;
}

static void make_noise(struct buf *out, size_t n)
{
	unsigned long long x = 88172645463325252ull;

	while (out->len < n) {
		x ^= x << 13;
		x ^= x >> 7;
		x ^= x << 17;
		buf_add(out, &x, sizeof(x));
	}
	out->len = n;
}

static void make_zeros(struct buf *out, size_t n)
{
	static const char zeros[KIB];

	while (out->len < n)
		buf_add(out, zeros, n - out->len < sizeof(zeros) ? n - out->len : sizeof(zeros));
}

/* ---- helpers ---- */

static int to_buf(void *cls, const void *bytes, size_t n, struct err *e)
{
	ck_assert_uint_gt(n, 0);
	buf_add(cls, bytes, n);
	return buf_check(cls, "what comes out", e);
}

static int encode(const struct encode_options *o, const struct buf *in, size_t piece,
	struct buf *out, struct err *e)
{
	CLEANUP(encode_free_p) struct encode *x = NULL;
	int r = encode_new(o, to_buf, out, &x, e);

	for (size_t at = 0; r == 0 && at < in->len; at += piece)
		r = encode_write(x, in->data + at, piece < in->len - at ? piece : in->len - at, e);
	return r < 0 ? r : encode_finish(x, e);
}

static int decode(enum encode_coding coding, const struct buf *in, size_t piece, uint64_t most,
	struct buf *out, struct err *e)
{
	CLEANUP(decode_free_p) struct decode *x = NULL;
	int r = decode_new(coding, most, to_buf, out, &x, e);

	for (size_t at = 0; r == 0 && at < in->len; at += piece)
		r = decode_write(x, in->data + at, piece < in->len - at ? piece : in->len - at, e);
	return r < 0 ? r : decode_finish(x, e);
}

static void assert_same(const struct buf *a, const struct buf *b)
{
	ck_assert_uint_eq(a->len, b->len);
	ck_assert(a->len == 0 || memcmp(a->data, b->data, a->len) == 0);
}

/* ---- coding ---- */

static const struct {
	void (*make)(struct buf *out, size_t n);
	size_t n;
} inputs[] = {
	{make_text,  0        },
	{make_text,  1        },
	{make_text,  300 * KIB},
	{make_noise, 200 * KIB},
	{make_zeros, 3 * MIB  },
};

static const enum encode_effort efforts[] = {ENCODE_CHEAP, ENCODE_FAST, ENCODE_GOOD, ENCODE_BEST};

START_TEST(what_was_coded_comes_back_whatever_the_pieces)
{
	for (int coding = 0; coding < ENCODE_CODINGS; coding++)
		for (size_t i = 0; i < ARRAY_SIZE(inputs); i++) {
			CLEANUP_BUF struct buf in = BUF_INIT(8 * MIB), a = BUF_INIT(8 * MIB),
					       b = BUF_INIT(8 * MIB), back = BUF_INIT(8 * MIB);
			struct encode_options o = {
				(enum encode_coding)coding, efforts[_i], inputs[i].n, NULL};
			struct err e;

			inputs[i].make(&in, inputs[i].n);
			ck_ok(encode(&o, &in, in.len + 1, &a, &e));
			ck_ok(encode(&o, &in, 1000, &b, &e));
			assert_same(&a, &b);
			ck_ok(decode(o.coding, &a, 777, in.len, &back, &e));
			assert_same(&in, &back);
			if (inputs[i].make == make_text && in.len > KIB)
				ck_assert_uint_lt(a.len, in.len / 3);
		}
}
END_TEST

START_TEST(a_guess_of_the_size_may_be_wrong)
{
	CLEANUP_BUF struct buf in = BUF_INIT(MIB), out = BUF_INIT(MIB), back = BUF_INIT(MIB);
	struct encode_options o = {ENCODE_BROTLI, ENCODE_FAST, _i == 0 ? 1 : UINT64_MAX, NULL};
	struct err e;

	make_text(&in, 300 * KIB);
	ck_ok(encode(&o, &in, 5000, &out, &e));
	ck_ok(decode(ENCODE_BROTLI, &out, out.len, in.len, &back, &e));
	assert_same(&in, &back);
}
END_TEST

/* RFC 1952 2.3.1; and RFC 1951 3.2.3, 3.2.4: a stored block of no bytes ends what is flushed, and a
 * last block with fixed codes that holds nothing is 03 00. */
START_TEST(gzip_has_no_time_and_no_system_and_can_be_continued)
{
	static const uint8_t head[] = {0x1f, 0x8b, 8, 0, 0, 0, 0, 0};
	static const uint8_t tail[] = {0, 0, 0xff, 0xff, 3, 0};
	struct encode_options o = {ENCODE_GZIP, efforts[_i], 50 * KIB, NULL};
	CLEANUP_BUF struct buf in = BUF_INIT(MIB), out = BUF_INIT(MIB);
	struct err e;

	make_text(&in, 50 * KIB);
	ck_ok(encode(&o, &in, 1000, &out, &e));
	ck_assert_int_eq(memcmp(out.data, head, sizeof(head)), 0);
	ck_assert_int_eq((uint8_t)out.data[9], 255);
	ck_assert_int_eq(memcmp(out.data + out.len - 8 - sizeof(tail), tail, sizeof(tail)), 0);
}
END_TEST

struct stopper {
	atomic_bool stop;
	size_t seen;
};

static int stop_at_once(void *cls, const void *bytes, size_t n, struct err *e)
{
	struct stopper *s = cls;

	(void)bytes;
	(void)e;
	s->seen += n;
	atomic_store(&s->stop, true);
	return 0;
}

START_TEST(the_flag_stops_it_within_one_write)
{
	CLEANUP(encode_free_p) struct encode *x = NULL;
	CLEANUP_BUF struct buf in = BUF_INIT(8 * MIB);
	struct stopper s = {.seen = 0};
	struct encode_options o = {(enum encode_coding)_i, ENCODE_FAST, 8 * MIB, &s.stop};
	struct err e;

	atomic_init(&s.stop, false);
	make_noise(&in, 8 * MIB);
	ck_ok(encode_new(&o, stop_at_once, &s, &x, &e));
	ck_err(encode_write(x, in.data, in.len, &e), ERR_SHUTTING_DOWN);
	ck_assert_uint_lt(s.seen, 4 * MIB);
}
END_TEST

static int full(void *cls, const void *bytes, size_t n, struct err *e)
{
	(void)cls;
	(void)bytes;
	(void)n;
	return err_set(e, ERR_STORAGE_FULL, "full");
}

START_TEST(what_the_sink_says_is_the_answer)
{
	CLEANUP(encode_free_p) struct encode *x = NULL;
	CLEANUP_BUF struct buf in = BUF_INIT(8 * MIB);
	struct encode_options o = {(enum encode_coding)_i, ENCODE_FAST, 8 * MIB, NULL};
	struct err e;

	make_noise(&in, 8 * MIB);
	ck_ok(encode_new(&o, full, NULL, &x, &e));
	ck_err(encode_write(x, in.data, in.len, &e), ERR_STORAGE_FULL);
}
END_TEST

START_TEST(names_are_those_of_http)
{
	enum encode_coding coding;

	ck_assert_str_eq(encode_name(ENCODE_BROTLI), "br");
	ck_assert_str_eq(encode_name(ENCODE_GZIP), "gzip");
	ck_assert(encode_parse("gzip", &coding) && coding == ENCODE_GZIP);
	ck_assert(encode_parse("br", &coding) && coding == ENCODE_BROTLI);
	ck_assert(!encode_parse("deflate", &coding) && !encode_parse("", &coding));
}
END_TEST

/* ---- at once ---- */

START_TEST(a_buffer_is_coded_where_it_pays)
{
	CLEANUP_BUF struct buf in = BUF_INIT(MIB), out = BUF_INIT(MIB), back = BUF_INIT(MIB);
	bool pays;
	struct err e;

	make_text(&in, 100 * KIB);
	ck_ok(encode_buf((enum encode_coding)_i, (struct str){in.data, in.len}, &out, &pays, &e));
	ck_assert(pays);
	ck_ok(decode((enum encode_coding)_i, &out, out.len, in.len, &back, &e));
	assert_same(&in, &back);
}
END_TEST

START_TEST(a_buffer_is_left_alone_where_it_does_not)
{
	static const struct {
		void (*make)(struct buf *out, size_t n);
		size_t n, room;
	} cases[] = {
		{make_text,  0,                  MIB    },
		{make_text,  ENCODE_LEAST_SAVED, MIB    },
		{make_noise, 10 * KIB,           MIB    },
		{make_text,  100 * KIB,          1 * KIB},
	};

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		CLEANUP_BUF struct buf in = BUF_INIT(MIB), out = BUF_INIT(cases[i].room);
		bool pays = true;
		struct err e;

		buf_add_str(&out, "before");
		cases[i].make(&in, cases[i].n);
		ck_ok(encode_buf((enum encode_coding)_i, (struct str){buf_str(&in), in.len}, &out,
			&pays, &e));
		ck_assert(!pays);
		ck_assert_str_eq(buf_str(&out), "before");
	}
}
END_TEST

/* ---- decoding what is not right ---- */

static void make_coded(enum encode_coding coding, struct buf *out)
{
	CLEANUP_BUF struct buf in = BUF_INIT(MIB);
	struct encode_options o = {coding, ENCODE_FAST, 4 * KIB, NULL};
	struct err e;

	make_text(&in, 4 * KIB);
	ck_ok(encode(&o, &in, in.len, out, &e));
}

START_TEST(a_stream_that_is_cut_off_anywhere_is_damaged)
{
	CLEANUP_BUF struct buf coded = BUF_INIT(MIB);
	struct err e;

	make_coded((enum encode_coding)_i, &coded);
	for (size_t whole = coded.len; coded.len-- > 0;) {
		CLEANUP_BUF struct buf back = BUF_INIT(MIB);
		ck_assert_uint_lt(coded.len, whole);
		ck_err(decode((enum encode_coding)_i, &coded, 100, MIB, &back, &e), ERR_CORRUPT);
		if (coded.len == 0)
			break;
	}
}
END_TEST

START_TEST(what_follows_or_is_too_much_is_damage)
{
	CLEANUP_BUF struct buf coded = BUF_INIT(MIB), back = BUF_INIT(MIB);
	struct err e;

	make_coded((enum encode_coding)_i, &coded);
	ck_err(decode((enum encode_coding)_i, &coded, 100, 4 * KIB - 1, &back, &e), ERR_CORRUPT);
	buf_clear(&back);
	ck_ok(decode((enum encode_coding)_i, &coded, 100, 4 * KIB, &back, &e));
	buf_clear(&back);
	buf_add_str(&coded, "more");
	ck_err(decode((enum encode_coding)_i, &coded, 1, MIB, &back, &e), ERR_CORRUPT);
	buf_clear(&coded);
	buf_clear(&back);
	buf_add_str(&coded, "\xff\xff\xff\xff\xff neither");
	ck_err(decode((enum encode_coding)_i, &coded, 100, MIB, &back, &e), ERR_CORRUPT);
}
END_TEST

static Suite *suite(void)
{
	Suite *s = suite_create("encode");
	TCase *t = tcase_create("encode");

	tcase_set_timeout(t, 60);
	tcase_add_loop_test(t, what_was_coded_comes_back_whatever_the_pieces, 0,
		ARRAY_SIZE(efforts));
	tcase_add_loop_test(t, a_guess_of_the_size_may_be_wrong, 0, 2);
	tcase_add_loop_test(t, gzip_has_no_time_and_no_system_and_can_be_continued, 0,
		ARRAY_SIZE(efforts));
	tcase_add_loop_test(t, the_flag_stops_it_within_one_write, 0, ENCODE_CODINGS);
	tcase_add_loop_test(t, what_the_sink_says_is_the_answer, 0, ENCODE_CODINGS);
	tcase_add_test(t, names_are_those_of_http);
	tcase_add_loop_test(t, a_buffer_is_coded_where_it_pays, 0, ENCODE_CODINGS);
	tcase_add_loop_test(t, a_buffer_is_left_alone_where_it_does_not, 0, ENCODE_CODINGS);
	tcase_add_loop_test(t, a_stream_that_is_cut_off_anywhere_is_damaged, 0, ENCODE_CODINGS);
	tcase_add_loop_test(t, what_follows_or_is_too_much_is_damage, 0, ENCODE_CODINGS);
	suite_add_tcase(s, t);
	return s;
}

UNIT_MAIN
