/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/unit/multipart_feed.h"

#include <regex.h>

#define MODEL  "name=\"model.json\"; filename=\"model.json\""
#define SHARD  "name=\"model.weights.bin\"; filename=\"model.weights.bin\""

/* ---- what clients send ---- */

static const struct {
	const char *type, *body, *want;
} clients[] = {
	/* Node, undici */
	{"multipart/form-data; boundary=----formdata-undici-012345678901",
		"------formdata-undici-012345678901\r\n"
		"Content-Disposition: form-data; " MODEL "\r\n"
		"Content-Type: application/json\r\n\r\n{\"a\":1}\r\n"
		"------formdata-undici-012345678901\r\n"
		"Content-Disposition: form-data; " SHARD "\r\n"
		"Content-Type: application/octet-stream\r\n\r\n\r\n"
		"------formdata-undici-012345678901--\r\n",
		"<model.json|model.json|application/json>{\"a\":1}</>"
		"<model.weights.bin|model.weights.bin|application/octet-stream></>"},
	/* older undici, without a last CRLF */
	{"multipart/form-data; boundary=----formdata-undici-012345678901",
		"------formdata-undici-012345678901\r\n"
		"Content-Disposition: form-data; " MODEL "\r\n"
		"Content-Type: application/json\r\n\r\n{}\r\n"
		"------formdata-undici-012345678901--",
		"<model.json|model.json|application/json>{}</>"},
	/* Chromium */
	{"multipart/form-data; boundary=----WebKitFormBoundary0123456789abcdef",
		"------WebKitFormBoundary0123456789abcdef\r\n"
		"Content-Disposition: form-data; " MODEL "\r\n"
		"Content-Type: application/json\r\n\r\n{}\r\n"
		"------WebKitFormBoundary0123456789abcdef\r\n"
		"Content-Disposition: form-data; " SHARD "\r\n"
		"Content-Type: application/octet-stream\r\n\r\n\1\2\3\r\n"
		"------WebKitFormBoundary0123456789abcdef--\r\n",
		"<model.json|model.json|application/json>{}</>"
		"<model.weights.bin|model.weights.bin|application/octet-stream>\1\2\3</>"},
	/* Firefox: boundary of many dashes, quotes as %22, raw UTF-8 */
	{"multipart/form-data; boundary=---------------------------9051914041544843365972754266",
		"-----------------------------9051914041544843365972754266\r\n"
		"Content-Disposition: form-data; name=\"f\"; filename=\"a%22\xc3\xa4.bin\"\r\n"
		"Content-Type: application/octet-stream\r\n\r\nx\r\n"
		"-----------------------------9051914041544843365972754266--\r\n",
		"<f|a\"\xc3\xa4.bin|application/octet-stream>x</>"},
	/* curl -F */
	{"multipart/form-data; boundary=------------------------d74496d66958873e",
		"--------------------------d74496d66958873e\r\n"
		"Content-Disposition: form-data; name=\"label\"\r\n\r\nstable\r\n"
		"--------------------------d74496d66958873e\r\n"
		"Content-Disposition: form-data; name=\"f\"; "
		"filename=\"sub/group1-shard1of1.bin\"\r\n"
		"Content-Type: application/octet-stream\r\n\r\nx\ny\r\n"
		"--------------------------d74496d66958873e--\r\n",
		"<label||>stable</><f|sub/group1-shard1of1.bin|application/octet-stream>x\ny</>"},
	/* Python requests */
	{"multipart/form-data; boundary=0f1e2d3c4b5a69788796a5b4c3d2e1f0",
		"--0f1e2d3c4b5a69788796a5b4c3d2e1f0\r\n"
		"Content-Disposition: form-data; " MODEL "\r\n\r\n{}\r\n"
		"--0f1e2d3c4b5a69788796a5b4c3d2e1f0--\r\n",
		"<model.json|model.json|>{}</>"},
	/* Chromium, an empty FormData */
	{TYPE, "--BOUNDARY--\r\n", ""},
};

START_TEST(bodies_of_real_clients_are_read_however_they_are_cut)
{
	multipart_feed_expect_always(
		clients[_i].type, str_of(clients[_i].body), str_of(clients[_i].want));
}
END_TEST

/* ---- what RFC 2046 and RFC 7578 allow ---- */

static const struct {
	const char *body, *want;
} legal[] = {
	{"preamble\r\n" FIRST DISPO "\r\nx" LAST, "<n||>x</>"},
	{"--BOUNDARYX\r\n--BOUNDAR\r\n" FIRST DISPO "\r\nx" LAST, "<n||>x</>"},
	{"\r\n" FIRST DISPO "\r\nx" LAST, "<n||>x</>"},
	{FIRST DISPO "\r\nx" LAST "epilogue " FIRST "x\r\n", "<n||>x</>"},
	{FIRST DISPO "\r\nx" LAST "\r\n\r\n", "<n||>x</>"},
	{FIRST DISPO "\r\nx\r\n--BOUNDARY--", "<n||>x</>"},
	{FIRST DISPO "\r\nx\r\n--BOUNDARY-- \t", "<n||>x</>"},
	{FIRST DISPO "\r\nx\r\n--BOUNDARY-- \t\r\nepilogue", "<n||>x</>"},
	{"--BOUNDARY \t \r\n" DISPO "\r\nx" LAST, "<n||>x</>"},
	{FIRST DISPO "\r\n" "--BOUNDARY--\r\n", "<n||></>"}, /* a part may be its headers alone */
	{FIRST DISPO "\r\n" LAST, "<n||></>"},
	{FIRST DISPO "\r\n" NEXT DISPO "\r\n" LAST, "<n||></><n||></>"},
	{FIRST "X-Unknown: \"\xc3\xa4;\"\r\n" DISPO "\r\nx" LAST, "<n||>x</>"},
	{FIRST "CONTENT-disposition:FORM-DATA;NAME=n\r\n\r\nx" LAST, "<n||>x</>"},
	{FIRST "content-type:\ttext/plain;charset=utf-8 \r\n" DISPO "\r\nx" LAST,
		"<n||text/plain;charset=utf-8>x</>"},
	{FIRST DISPO "Content-Transfer-Encoding: Binary\r\n\r\nx" LAST, "<n||>x</>"},
};

START_TEST(legal_bodies_are_read_however_they_are_cut)
{
	multipart_feed_expect_always(TYPE, str_of(legal[_i].body), str_of(legal[_i].want));
}
END_TEST

/* ---- payload ---- */

#define BYTES(s) {s, sizeof(s) - 1}

static const struct str payloads[] = {
	BYTES(""),
	BYTES("\0"),
	BYTES("\0\1\2\377\376\r\n\0"),
	BYTES("\r"),
	BYTES("\n"),
	BYTES("\r\n"),
	BYTES("\r\n\r\n"),
	BYTES("\r\r\r\n"),
	BYTES("-"),
	BYTES("--"),
	BYTES("--BOUNDAR"),
	BYTES("--BOUNDARYX\r\n"),
	BYTES("--BOUNDARY-\r\n"),
	BYTES("--BOUNDARY--X\r\n"),
	BYTES("x--BOUNDARY\r\n"),
	BYTES("\n--BOUNDARY\r\n"),
	BYTES("\r--BOUNDARY\r\n"),
	BYTES("\r\n-"),
	BYTES("\r\n--"),
	BYTES("\r\n--B"),
	BYTES("\r\n--BOUNDAR"),
	BYTES("\r\n--BOUNDAR\r\n--BOUNDAR"),
	BYTES("\r\n--BOUNDAR\r"),
	BYTES("\r\n--boundary\r\n"),
	BYTES("\r\n--BOUNDARYXYZ\r\n"),
	BYTES("\r\n--BOUNDARYBOUNDARY\r\n"),
	BYTES("\r\n--BOUNDARY-"),
	BYTES("\r\n--BOUNDARY-\r\n"),
	BYTES("\r\n--BOUNDARY- -\r\n"),
	BYTES("\r\n--BOUNDARY---\r\n"),
	BYTES("\r\n--BOUNDARY--x"),
	BYTES("\r\n--BOUNDARY-- x"),
	BYTES("\r\n--BOUNDARY--\rx"),
	BYTES("\r\n--BOUNDARY--\n"),
	BYTES("\r\n--BOUNDARY  x"),
	BYTES("\r\n--BOUNDARY --\r\n"),
	BYTES("\r\n--BOUNDARY\rx"),
	BYTES("\r\n--BOUNDARY\n"),
	BYTES("\r\n--BOUNDARY\r"),
	BYTES("\r\n--BOUNDARY \t\r\r\n"),
	BYTES("\r\n--BOUNDARY\r\r\n--BOUNDARY \r"),
};

START_TEST(payload_comes_out_byte_for_byte)
{
	CLEANUP_BUF struct buf body = BUF_INIT(4096), want = BUF_INIT(4096);

	buf_add_str(&body, FIRST DISPO "\r\n");
	buf_add(&body, payloads[_i].p, payloads[_i].n);
	buf_add_str(&body, NEXT DISPO "\r\nsecond" LAST);
	buf_add_str(&want, "<n||>");
	buf_add(&want, payloads[_i].p, payloads[_i].n);
	buf_add_str(&want, "</><n||>second</>");
	multipart_feed_expect_always(
		TYPE, (struct str){body.data, body.len}, (struct str){want.data, want.len});
}
END_TEST

/* Random text over the alphabet of delimiters, which holds no whole delimiter line. */
START_TEST(random_payload_comes_out_byte_for_byte)
{
	static const char *const words[] = {
		"\r", "\n", "\r\n", "-", "--", "BOUNDARY", "BOUNDAR", " ", "\r\n--BOUNDARY", "x"};
	uint64_t x = (uint64_t)_i + 1;
	regex_t delimiter;

	ck_assert_int_eq(regcomp(&delimiter, "\r\n--BOUNDARY(--)?[ \t]*\r\n", REG_EXTENDED), 0);
	for (int round = 0; round < 300; round++) {
		CLEANUP_BUF struct buf body = BUF_INIT(4096), want = BUF_INIT(4096);
		size_t start;

		buf_add_str(&body, FIRST DISPO "\r\n");
		start = body.len;
		for (size_t n = multipart_feed_random(&x); n > 0; n--)
			buf_add_str(
				&body, words[multipart_feed_random(&x) * 31 % ARRAY_SIZE(words)]);
		buf_add_char(&body, 'x');
		if (regexec(&delimiter, body.data + start - 2, 0, NULL, 0) == 0)
			continue;
		buf_add_str(&want, "<n||>");
		buf_add_str(&want, body.data + start);
		buf_add_str(&want, "</>");
		buf_add_str(&body, LAST);
		multipart_feed_expect(TYPE, (struct str){body.data, body.len},
			(struct str){want.data, want.len}, multipart_feed_random, &x);
	}
	regfree(&delimiter);
}
END_TEST

START_TEST(payload_is_handed_over_where_it_stands_and_whole)
{
	CLEANUP_BUF struct buf body = BUF_INIT(MIB);
	size_t start, payload_n = 100000;
	struct multipart_record rec;
	struct multipart *m = multipart_feed_new(TYPE, &rec);
	struct err e;

	buf_add_str(&body, FIRST DISPO "\r\n");
	start = body.len;
	for (size_t i = 0; i < payload_n; i++)
		buf_add_char(&body, "\r\n--BOUND"[i % 9]);
	buf_add_str(&body, "!" LAST);
	ck_ok(multipart_feed(m, body.data, body.len, &e));
	ck_ok(multipart_finish(m, &e));
	ck_assert_uint_eq(rec.datas, 1);
	ck_assert_ptr_eq(rec.last_data, body.data + start);
	multipart_free(m);
	buf_done(&rec.log);
}
END_TEST

/* ---- what is refused ---- */

static const struct {
	const char *body;
	const char *says;
} bad[] = {
	{"", "does not hold the boundary"},
	{"{\"not\":\"multipart\"}", "does not hold the boundary"},
	{"--BOUNDAR\r\n", "does not hold the boundary"},
	{"--BOUNDARY", "does not hold the boundary"},
	{"--BOUNDARY\n\nx\n--BOUNDARY--\n", "does not hold the boundary"},
	{"--BOUNDARY-", "does not hold the boundary"},
	{FIRST, "ends in part 1"},
	{FIRST "Content-Disp", "ends in part 1"},
	{FIRST DISPO "\r\n", "ends in part 1"},
	{FIRST DISPO "\r\nx", "ends in part 1"},
	{FIRST DISPO "\r\nx\r\n--BOUNDARY", "ends in part 1"},
	{FIRST DISPO "\r\nx\r\n--BOUNDARY \t", "ends in part 1"},
	{FIRST DISPO "\r\nx\r\n--BOUNDARY-", "ends in part 1"},
	{FIRST DISPO "\r\nx\r\n--BOUNDARY--x", "ends in part 1"},
	{FIRST DISPO "\r\n\r\n--BOUNDARY--x\r\n--BOUNDARY-", "ends in part 1"},
	{FIRST DISPO "\r\nx" NEXT, "ends in part 2"},
	{FIRST DISPO "\r\nx" NEXT DISPO "\r\nx", "ends in part 2"},
	{FIRST "\r\nx" LAST, "part 1: it has no Content-Disposition"},
	{FIRST DISPO "\r\nx" NEXT "\r\nx" LAST, "part 2: it has no Content-Disposition"},
	{FIRST "Content-Type: text/plain\r\n\r\nx" LAST, "no Content-Disposition"},
	{FIRST DISPO DISPO "\r\nx" LAST, "more than one Content-Disposition"},
	{FIRST "Content-Disposition: attachment; name=\"n\"\r\n\r\nx" LAST, "not form-data"},
	{FIRST "Content-Disposition:\r\n\r\nx" LAST, "not form-data"},
	{FIRST "Content-Disposition: form-data;\r\n name=\"n\"\r\n\r\nx" LAST, "folded"},
	{FIRST DISPO "\tx\r\n\r\nx" LAST, "folded"},
	{FIRST DISPO "no colon\r\n\r\nx" LAST, "without a colon"},
	{FIRST "--BOUNDARY--\r\n", "ends in part 1"},
	{FIRST "--BOUNDARY--\r\n\r\n", "without a colon"},
	{FIRST DISPO "X Y: 1\r\n\r\nx" LAST, "not a token"},
	{FIRST DISPO ": 1\r\n\r\nx" LAST, "not a token"},
	{FIRST "Content-Disposition : form-data; name=\"n\"\r\n\r\nx" LAST, "not a token"},
	{FIRST "Content-Disposition: form-data; name=\"a\nb\"\r\n\r\nx" LAST, "control character"},
	{FIRST DISPO "X: a\rb\r\n\r\nx" LAST, "control character"},
	{FIRST DISPO "X: a\nb\r\n\r\nx" LAST, "control character"},
	{FIRST DISPO "Content-Transfer-Encoding: base64\r\n\r\neA==" LAST, "Transfer-Encoding"},
};

START_TEST(malformed_bodies_are_refused_with_the_reason)
{
	struct err e;

	ck_err(multipart_feed_whole(TYPE, str_of(bad[_i].body), &e), ERR_BAD_MULTIPART);
	ck_assert_msg(strstr(e.text, bad[_i].says) != NULL, "%s", e.text);
}
END_TEST

START_TEST(a_body_cut_anywhere_before_its_end_is_refused)
{
	static const char body[] = FIRST DISPO "\r\nx\r\n" NEXT DISPO "\r\ny" "\r\n--BOUNDARY--";
	struct err e;

	for (size_t n = 0; n < sizeof(body) - 1; n++)
		ck_err(multipart_feed_whole(TYPE, (struct str){body, n}, &e), ERR_BAD_MULTIPART);
	ck_ok(multipart_feed_whole(TYPE, STR_LIT(body), &e));
}
END_TEST

/* ---- limits ---- */

START_TEST(header_blocks_are_bounded)
{
	for (size_t total = MULTIPART_HEAD_MAX; total <= MULTIPART_HEAD_MAX + 1; total++) {
		CLEANUP_BUF struct buf body = BUF_INIT(4 * MULTIPART_HEAD_MAX);
		struct err e;

		buf_add_str(&body, FIRST DISPO "X: ");
		while (body.len < strlen(FIRST) + total - 4)
			buf_add_char(&body, 'x');
		buf_add_str(&body, "\r\n\r\nx" LAST);
		if (total <= MULTIPART_HEAD_MAX) {
			ck_ok(multipart_feed_whole(TYPE, (struct str){body.data, body.len}, &e));
		} else {
			ck_err(multipart_feed_whole(TYPE, (struct str){body.data, body.len}, &e),
				ERR_BAD_MULTIPART);
			ck_assert_ptr_nonnull(strstr(e.text, "part 1: its headers are longer"));
		}
	}
}
END_TEST

START_TEST(parts_are_counted)
{
	CLEANUP_BUF struct buf body = BUF_INIT(8 * MIB);
	struct err e;

	buf_add_str(&body, FIRST DISPO "\r\n");
	for (size_t i = 1; i < MULTIPART_PARTS_MAX; i++)
		buf_add_str(&body, NEXT DISPO "\r\n");
	size_t n = body.len;
	buf_add_str(&body, LAST);
	ck_ok(multipart_feed_whole(TYPE, (struct str){body.data, body.len}, &e));
	body.len = n;
	buf_add_str(&body, NEXT DISPO "\r\n" LAST);
	ck_err(multipart_feed_whole(TYPE, (struct str){body.data, body.len}, &e),
		ERR_BAD_MULTIPART);
	ck_assert_ptr_nonnull(strstr(e.text, "more than 20000 parts"));
}
END_TEST

START_TEST(blanks_behind_a_boundary_are_bounded)
{
	for (int blanks = 127; blanks <= 128; blanks++) {
		CLEANUP_BUF struct buf body = BUF_INIT(4096);
		struct err e;

		buf_addf(&body, "--BOUNDARY%*s\r\n" DISPO "\r\nx", blanks, "");
		buf_addf(&body, "\r\n--BOUNDARY--%*s\r\n", blanks - 2, "");
		if (blanks == 127)
			ck_ok(multipart_feed_whole(TYPE, (struct str){body.data, body.len}, &e));
		else
			ck_err(multipart_feed_whole(TYPE, (struct str){body.data, body.len}, &e),
				ERR_BAD_MULTIPART);
	}
}
END_TEST

/* ---- failures of the handler ---- */

START_TEST(a_failure_of_the_handler_stops_the_parser_and_is_repeated)
{
	static const char *const places[] = {"begin", "data", "end"};
	static const char body[] = FIRST DISPO "\r\nx" NEXT DISPO "\r\ny" LAST;

	for (size_t i = 0; i < ARRAY_SIZE(places); i++) {
		struct multipart_record rec;
		struct multipart *m = multipart_feed_new(TYPE, &rec);
		struct err e;

		rec.fail_in = places[i];
		ck_err(multipart_feed(m, body, strlen(body), &e), ERR_STORAGE_FULL);
		memset(&e, 0, sizeof(e));
		ck_err(multipart_feed(m, body, strlen(body), &e), ERR_STORAGE_FULL);
		ck_assert_ptr_nonnull(strstr(e.text, places[i]));
		ck_err(multipart_finish(m, &e), ERR_STORAGE_FULL);
		ck_assert_uint_eq(rec.begins, 1);
		ck_assert_uint_le(rec.ends, 1);
		multipart_free(m);
		buf_done(&rec.log);
	}
}
END_TEST

START_TEST(a_refusal_is_repeated)
{
	struct multipart_record rec;
	struct multipart *m = multipart_feed_new(TYPE, &rec);
	struct err e;

	ck_err(multipart_feed(m, FIRST "\r\n", strlen(FIRST "\r\n"), &e), ERR_BAD_MULTIPART);
	ck_err(multipart_feed(m, "x", 1, &e), ERR_BAD_MULTIPART);
	ck_err(multipart_finish(m, &e), ERR_BAD_MULTIPART);
	ck_assert_uint_eq(rec.begins, 0);
	multipart_free(m);
	multipart_free(NULL);
}
END_TEST

/* ---- cost ---- */

static const char *const hostile[] = {
	"\r",
	"\r\n",
	"\r\n--",
	"\r\n--BOUNDAR",
	"\r\n--BOUNDARYX",
	"\r\n--BOUNDARY-",
	"\r\n--BOUNDARY--x",
	"\r\n--BOUNDARY \r",
	"\r\r\n--BOUNDARY\r",
};

/* Bytes looked at, calls made and bytes handed over grow with the size and not with its square. */
START_TEST(hostile_payload_costs_no_more_than_its_size)
{
	static const size_t piece_sizes[] = {1, 7, 1460, SIZE_MAX};
	const char *word = hostile[_i];
	struct err e;

	for (size_t i = 0; i < ARRAY_SIZE(piece_sizes); i++) {
		CLEANUP_BUF struct buf body = BUF_INIT(MIB);
		struct multipart_record rec;
		struct multipart *m = multipart_feed_new(TYPE, &rec);
		size_t size = piece_sizes[i];

		buf_add_str(&body, FIRST DISPO "\r\n");
		while (body.len < 200000)
			buf_add_str(&body, word);
		buf_add_str(&body, "x" LAST);
		multipart_feed_work = 0;
		ck_ok(multipart_feed_pieces(
			m, (struct str){body.data, body.len}, multipart_feed_same, &size, &e));
		ck_assert_uint_gt(multipart_feed_work, 0);
		ck_assert_uint_le(multipart_feed_work, 2 * body.len);
		ck_assert_uint_le(rec.datas, body.len);
		ck_assert_uint_eq(rec.log.len, body.len - strlen(FIRST DISPO "\r\n" LAST) +
			strlen("<n||></>"));
		multipart_free(m);
		buf_done(&rec.log);
	}
}
END_TEST

static TCase *reading(void)
{
	TCase *t = tcase_create("reading");

	tcase_add_loop_test(t, bodies_of_real_clients_are_read_however_they_are_cut, 0,
		ARRAY_SIZE(clients));
	tcase_add_loop_test(t, legal_bodies_are_read_however_they_are_cut, 0, ARRAY_SIZE(legal));
	tcase_add_loop_test(t, payload_comes_out_byte_for_byte, 0, ARRAY_SIZE(payloads));
	tcase_add_loop_test(t, random_payload_comes_out_byte_for_byte, 0, 8);
	tcase_add_test(t, payload_is_handed_over_where_it_stands_and_whole);
	return t;
}

static TCase *refusing(void)
{
	TCase *t = tcase_create("refusing");

	tcase_add_loop_test(t, malformed_bodies_are_refused_with_the_reason, 0, ARRAY_SIZE(bad));
	tcase_add_test(t, a_body_cut_anywhere_before_its_end_is_refused);
	tcase_add_test(t, header_blocks_are_bounded);
	tcase_add_test(t, parts_are_counted);
	tcase_add_test(t, blanks_behind_a_boundary_are_bounded);
	tcase_add_test(t, a_failure_of_the_handler_stops_the_parser_and_is_repeated);
	tcase_add_test(t, a_refusal_is_repeated);
	tcase_add_loop_test(t, hostile_payload_costs_no_more_than_its_size, 0, ARRAY_SIZE(hostile));
	return t;
}

static Suite *suite(void)
{
	Suite *s = suite_create("multipart");

	suite_add_tcase(s, reading());
	suite_add_tcase(s, refusing());
	return s;
}

UNIT_MAIN
