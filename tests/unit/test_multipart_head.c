/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/unit/multipart_feed.h"

/* ---- the media type ---- */

static const struct {
	const char *type;
	enum err_code code; /* ERR_NONE: the boundary is BOUNDARY */
} types[] = {
	{"multipart/form-data; boundary=BOUNDARY", ERR_NONE},
	{"Multipart/Form-Data;boundary=BOUNDARY", ERR_NONE},
	{"multipart/form-data ; Boundary=BOUNDARY", ERR_NONE},
	{"multipart/form-data; boundary=\"BOUNDARY\"", ERR_NONE},
	{"multipart/form-data; boundary=BOUNDARY; charset=utf-8", ERR_NONE},
	{"multipart/form-data; charset=utf-8; boundary=BOUNDARY ;", ERR_NONE},
	{"multipart/form-data;; x=\"a;boundary=b\"; boundary=BOUNDARY", ERR_NONE},
	{"multipart/form-data", ERR_BAD_MULTIPART},
	{"multipart/form-data;", ERR_BAD_MULTIPART},
	{"multipart/form-data; charset=utf-8", ERR_BAD_MULTIPART},
	{"multipart/form-data; boundary", ERR_BAD_MULTIPART},
	{"multipart/form-data; boundary=", ERR_BAD_MULTIPART},
	{"multipart/form-data; boundary=\"\"", ERR_BAD_MULTIPART},
	{"multipart/form-data; boundary=\"BOUNDARY", ERR_BAD_MULTIPART},
	{"multipart/form-data; boundary=\"BOUNDARY \"", ERR_BAD_MULTIPART},
	{"multipart/form-data; boundary=\"a\tb\"", ERR_BAD_MULTIPART},
	{"multipart/form-data; boundary=\"a\r\nb\"", ERR_BAD_MULTIPART},
	{"multipart/form-data; boundary=\xc3\xa4", ERR_BAD_MULTIPART},
	{"multipart/form-data; boundary=a; boundary=b", ERR_BAD_MULTIPART},
	{"multipart/form-data; boundary=a b", ERR_BAD_MULTIPART},
	{"multipart/form-data; boundary =a", ERR_BAD_MULTIPART},
	{"multipart/form-data, boundary=a", ERR_UNSUPPORTED_MEDIA_TYPE},
	{"multipart/form-data2; boundary=a", ERR_UNSUPPORTED_MEDIA_TYPE},
	{"multipart/mixed; boundary=a", ERR_UNSUPPORTED_MEDIA_TYPE},
	{"application/json", ERR_UNSUPPORTED_MEDIA_TYPE},
	{"", ERR_UNSUPPORTED_MEDIA_TYPE},
};

START_TEST(the_boundary_is_found_among_the_parameters)
{
	struct multipart_record rec = {.log = BUF_INIT(1)};
	struct multipart *m;
	struct err e;
	size_t size = SIZE_MAX;

	if (types[_i].code == ERR_NONE)
		multipart_feed_expect(types[_i].type, STR_LIT(FIRST DISPO "\r\nx" LAST),
			STR_LIT("<n||>x</>"), multipart_feed_same, &size);
	else
		ck_err(multipart_new(str_of(types[_i].type), &multipart_recorder, &rec, &m, &e),
			types[_i].code);
}
END_TEST

START_TEST(unusual_boundaries_work)
{
	static const char *const boundaries[] = {"x", "-", "--", "a b", "'()+_,-./:=?", "a\\\\b"};
	char type[64], body[256];
	size_t size = 1;

	for (size_t i = 0; i < ARRAY_SIZE(boundaries); i++) {
		const char *b = i == 5 ? "a\\b" : boundaries[i];
		snprintf(type, sizeof(type), "multipart/form-data; boundary=\"%s\"", boundaries[i]);
		snprintf(body, sizeof(body), "--%s\r\n" DISPO "\r\nx\r\n--y\r\n--%s--", b, b);
		multipart_feed_expect(type, str_of(body), STR_LIT("<n||>x\r\n--y</>"),
			multipart_feed_same, &size);
	}
}
END_TEST

START_TEST(boundaries_are_bounded)
{
	CLEANUP_BUF struct buf type = BUF_INIT(1024);
	struct multipart_record rec = {.log = BUF_INIT(1)};
	struct multipart *m;
	struct err e;

	buf_add_str(&type, "multipart/form-data; boundary=");
	for (size_t i = 0; i < MULTIPART_BOUNDARY_MAX; i++)
		buf_add_char(&type, 'x');
	ck_ok(multipart_new(str_of(type.data), &multipart_recorder, &rec, &m, &e));
	multipart_free(m);
	buf_add_char(&type, 'x');
	ck_err(multipart_new(str_of(type.data), &multipart_recorder, &rec, &m, &e),
		ERR_BAD_MULTIPART);
}
END_TEST

/* ---- Content-Disposition ---- */

static const struct {
	const char *parameters;
	const char *want; /* name|filename; NULL: refused */
} dispositions[] = {
	{"; name=\"a\"; filename=\"b\"", "a|b"},
	{"; filename=\"b\"; name=\"a\"", "a|b"},
	{";name=a;filename=b", "a|b"},
	{"; name=a.b-c/d=e", "a.b-c/d=e|"},
	{" ; ; NAME=\"a\" ; ", "a|"},
	{"; filename=\"b\"", "|b"},
	{"; name=\"a\"; filename=\"\"", "a|"},
	{"; name=\"a\"; size=12; x=\"name=\\\"z\\\"\"", "a|"},
	{"; name=\"a;b=c\"", "a;b=c|"},
	{"; name=\"a\"; filename=\"dir/b c.bin\"", "a|dir/b c.bin"},
	{"; name=\"a\"; filename=\"./b.bin\"", "a|./b.bin"},
	{"; name=\"a\"; filename=\"../b.bin\"", "a|../b.bin"},
	{"; name=\"a\"; filename=\"C:\\dir\\b\"", "a|C:\\dir\\b"},
	{"; name=\"a\"; filename=\"a\\\"b\\\\c\"", "a|a\"b\\c"},
	{"; name=\"%22a%22\"; filename=\"b%22%22\"", "\"a\"|b\"\""},
	{"; name=\"a\"; filename=\"%0D%0A%41%2%2\"", "a|%0D%0A%41%2%2"},
	{"; name=\"a\"; filename=\"\xc3\xa4\"", "a|\xc3\xa4"},
	{"; name=\"a\"; filename*=UTF-8''%c3%A4.bin", "a|\xc3\xa4.bin"},
	{"; name=\"a\"; filename*=utf-8'de'a%20b", "a|a b"},
	{"; name=\"a\"; filename=\"plain\"; filename*=UTF-8''better", "a|better"},
	{"; name=\"a\"; filename*=UTF-8''better; filename=\"plain\"", "a|better"},

	{"", NULL},
	{";", NULL},
	{"; name=\"\"", NULL},
	{"; name=", NULL},
	{"; name", NULL},
	{"; name=\"a", NULL},
	{"; name=\"a\\\"", NULL},
	{"; name=\"a\"b", NULL},
	{"; name=\"a\" b", NULL},
	{"; name=\"a\" b=c", NULL},
	{"; name=\"a\"b=c", NULL},
	{"; name=a; x y=z", NULL},
	{"; name=a; x=", NULL},
	{"; name=a; =x", NULL},
	{"; name=a\"b\"", NULL},
	{"; name =a", NULL},
	{"; name= a", NULL},
	{"; na me=a", NULL},
	{" name=a", NULL},
	{"; name=a; name=a", NULL},
	{"; name=a; filename=b; filename=c", NULL},
	{"; name=a; filename*=UTF-8''b; filename*=UTF-8''c", NULL},
	{"; name=a; filename*=\"\"", NULL},
	{"; name=a; filename*=UTF-8", NULL},
	{"; name=a; filename*=UTF-8'b", NULL},
	{"; name=a; filename*=ISO-8859-1''%e4", NULL},
	{"; name=a; filename*=UTF-8''%e4", NULL},
	{"; name=a; filename*=UTF-8''%", NULL},
	{"; name=a; filename*=UTF-8''%4", NULL},
	{"; name=a; filename*=UTF-8''%zz", NULL},
	{"; name=a; filename*=UTF-8''%00", NULL},
	{"; name=a; filename*=UTF-8''a%0Ab", NULL},
	{"; name=a; filename*=UTF-8''a/b", NULL},
};

START_TEST(dispositions_give_name_and_filename)
{
	CLEANUP_BUF struct buf body = BUF_INIT(4096), want = BUF_INIT(4096);
	struct err e;

	buf_addf(&body, FIRST "Content-Disposition: form-data%s\r\n\r\n" LAST,
		dispositions[_i].parameters);
	buf_addf(&want, "<%s|></>", dispositions[_i].want ? dispositions[_i].want : "");
	if (dispositions[_i].want)
		multipart_feed_expect_always(
			TYPE, (struct str){body.data, body.len}, (struct str){want.data, want.len});
	else
		ck_err(multipart_feed_whole(TYPE, (struct str){body.data, body.len}, &e),
			ERR_BAD_MULTIPART);
}
END_TEST

static Suite *suite(void)
{
	Suite *s = suite_create("multipart head");
	TCase *t = tcase_create("multipart head");

	tcase_add_loop_test(t, the_boundary_is_found_among_the_parameters, 0, ARRAY_SIZE(types));
	tcase_add_test(t, unusual_boundaries_work);
	tcase_add_test(t, boundaries_are_bounded);
	tcase_add_loop_test(t, dispositions_give_name_and_filename, 0, ARRAY_SIZE(dispositions));
	suite_add_tcase(s, t);
	return s;
}

UNIT_MAIN
