/* SPDX-License-Identifier: Apache-2.0 */
#include "common/model/filepath.h"
#include "common/model/ref.h"
#include "tests/unit/unit.h"

#define HEX64 "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef"
#define TEN   "abcdefghij"
#define N64   TEN TEN TEN TEN TEN TEN "abcd"
#define N128  N64 N64
#define N50   TEN TEN TEN TEN TEN
#define N250  N50 N50 N50 N50 N50

struct row {
	const char *text;
	const char *words; /* of the refusal; NULL: accepted */
};

static const struct row names[] = {
	{"a", NULL},
	{"0", NULL},
	{"mobilenet-v2_1.0", NULL},
	{"a/b/c/d", NULL},
	{"team/model.json/x", NULL},
	{"versions2/label", NULL},
	{N128, NULL},
	{N128 "a", "at most 128 characters, not 129"},
	{"", "is not empty"},
	{"a/b/c/d/e", "at most 4 segments"},
	{"/a", "no empty segment"},
	{"a/", "no empty segment"},
	{"a//b", "no empty segment"},
	{"/", "no empty segment"},
	{"-a", "begins and ends with a letter or digit; '-a' does not"},
	{"a-", "begins and ends"},
	{".", "begins and ends"},
	{"a/../b", "begins and ends"},
	{"a..b", "a letter or digit follows each"},
	{"a-_b", "in 'a-_b' none does"},
	{"MobileNet", "use 'mobilenet'"},
	{"Team/Pose_V2", "use 'team/pose_v2'"},
	{"Team/Pose V2", "it has ' '"},
	{"Versions", "'versions' is part"},
	{"a b", "it has ' '"},
	{"a\tb", "it has the byte 0x09"},
	{"m\xC3\xB6" "del", "it has '\xC3\xB6'"},
	{"m\xF6" "del", "it has the byte 0xF6"},
	{"a:b", "it has ':'"},
	{"a%2fb", "it has '%'"},
	{"versions", "'versions' is part of other addresses"},
	{"a/labels", "'labels' is part"},
	{"metadata/a", "'metadata' is part"},
	{"a/uploads/b", "'uploads' is part"},
	{"a/rejections", "'rejections' is part"},
	{"model.json", "does not end in 'model.json'"},
	{"a/model.json", "does not end in 'model.json'"},
};

START_TEST(model_names_follow_their_grammar)
{
	const struct row *row = &names[_i];
	struct err e = {.code = ERR_NONE};
	int r = ref_check_name(str_of(row->text), &e);

	if (!row->words)
		ck_assert_msg(r == 0, "'%s': %s", row->text, e.text);
	else
		ck_assert_msg(r == -(int)ERR_BAD_NAME && strstr(e.text, row->words), "'%s': %s",
			row->text, r == 0 ? "accepted" : e.text);
}
END_TEST

static const struct row labels[] = {
	{"stable", NULL},
	{"a", NULL},
	{"a..-_9", NULL},
	{N64, NULL},
	{N64 "a", "at most 64 characters"},
	{"", "begins with a letter"},
	{"1a", "begins with a letter"},
	{"Stable", "begins with a letter"},
	{"stAble", "it has 'A'"},
	{"a/b", "it has '/'"},
	{"a@b", "it has '@'"},
	{"latest", "is computed"},
};

START_TEST(labels_follow_their_grammar)
{
	const struct row *row = &labels[_i];
	struct err e = {.code = ERR_NONE};
	int r = ref_check_label(str_of(row->text), &e);

	if (!row->words)
		ck_assert_msg(r == 0, "'%s': %s", row->text, e.text);
	else
		ck_assert_msg(r == -(int)ERR_BAD_NAME && strstr(e.text, row->words), "'%s': %s",
			row->text, r == 0 ? "accepted" : e.text);
}
END_TEST

static const struct {
	const char *text;
	enum ref_kind kind;
	const char *canonical; /* NULL: the same */
} refs[] = {
	{"m", REF_LATEST, NULL},
	{"m@latest", REF_LATEST, "m"},
	{"team/m@7", REF_VERSION, NULL},
	{"m@1", REF_VERSION, NULL},
	{"m@9007199254740991", REF_VERSION, NULL},
	{"m@stable", REF_LABEL, NULL},
	{"m@latest2", REF_LABEL, NULL},
	{"m@sha256", REF_LABEL, NULL},
	{"m@sha256:" HEX64, REF_DIGEST, NULL},
	{N128 "@sha256:" HEX64, REF_DIGEST, NULL},
};

START_TEST(refs_are_read_and_written_back)
{
	CLEANUP_BUF struct buf b = BUF_INIT(REF_TEXT_MAX);
	struct ref ref;
	struct err e;

	ck_ok(ref_parse(str_of(refs[_i].text), &ref, &e));
	ck_assert_int_eq(ref.kind, refs[_i].kind);
	ck_assert_int_eq(ref_is_pinned(&ref), ref.kind == REF_VERSION || ref.kind == REF_DIGEST);
	ref_format(&ref, &b);
	ck_assert(!buf_failed(&b));
	ck_assert_str_eq(buf_str(&b), refs[_i].canonical ? refs[_i].canonical : refs[_i].text);
}
END_TEST

START_TEST(refs_keep_what_they_name)
{
	struct ref ref;
	struct err e;

	ck_ok(ref_parse(STR_LIT("a/b@42"), &ref, &e));
	ck_assert_str_eq(ref.name, "a/b");
	ck_assert_uint_eq(ref.version, 42);
	ck_ok(ref_parse(STR_LIT("a@canary.2"), &ref, &e));
	ck_assert_str_eq(ref.label, "canary.2");
	ck_ok(ref_parse(STR_LIT("a@sha256:" HEX64), &ref, &e));
	ck_assert_uint_eq(ref.root.bytes[0], 0x01);
	ck_assert_uint_eq(ref.root.bytes[31], 0xEF);
	ck_ok(ref_parse((struct str){"a@12345", 4}, &ref, &e));
	ck_assert_uint_eq(ref.version, 12);
}
END_TEST

static const struct {
	const char *text;
	enum err_code code;
	const char *words;
} bad_refs[] = {
	{"", ERR_BAD_NAME, "is not empty"},
	{"@1", ERR_BAD_NAME, "is not empty"},
	{"M@1", ERR_BAD_NAME, "use 'm'"},
	{"m@", ERR_BAD_REF, "is a version, a label or a digest: a label begins"},
	{"m@0", ERR_BAD_REF, "from 1 without leading zeros"},
	{"m@01", ERR_BAD_REF, "without leading zeros"},
	{"m@1a", ERR_BAD_REF, "decimal number"},
	{"m@9007199254740992", ERR_BAD_REF, "decimal number"},
	{"m@99999999999999999999999", ERR_BAD_REF, "decimal number"},
	{"m@-1", ERR_BAD_REF, "a label begins"},
	{"m@1@2", ERR_BAD_REF, "decimal number"},
	{"m@a@b", ERR_BAD_REF, "it has '@'"},
	{"m@Stable", ERR_BAD_REF, "a label begins"},
	{"m@a/b", ERR_BAD_REF, "it has '/'"},
	{"m@sha256:", ERR_BAD_REF, "64 hexadecimal digits"},
	{"m@sha256:ABCDEF" HEX64, ERR_BAD_REF, "64 hexadecimal digits"},
	{"m@sha256:" HEX64 "0", ERR_BAD_REF, "64 hexadecimal digits"},
	{"m@sha512:abc", ERR_BAD_REF, "it has ':'"},
};

START_TEST(refs_that_name_nothing_are_refused)
{
	struct ref ref = {.kind = REF_LABEL, .version = 99};
	struct err e;

	ck_err(ref_parse(str_of(bad_refs[_i].text), &ref, &e), bad_refs[_i].code);
	ck_assert_msg(strstr(e.text, bad_refs[_i].words), "'%s': %s", bad_refs[_i].text, e.text);
	ck_assert_msg(ref.kind == REF_LABEL && ref.version == 99, "the result was touched");
}
END_TEST

START_TEST(the_last_segment_of_a_name)
{
	ck_assert_str_eq(ref_last_segment("a"), "a");
	ck_assert_str_eq(ref_last_segment("team/a.b"), "a.b");
}
END_TEST

static const struct row paths[] = {
	{"model.json", NULL},
	{"group1-shard1of3.bin", NULL},
	{"group1-shard1of1", NULL},
	{"sub/dir/w.bin", NULL},
	{"with space.bin", NULL},
	{"w\xC3\xB6rter.txt", NULL},
	{"a..b/.hidden", NULL},
	{"a+b&c=d;e,f(1)[2]", NULL},
	{N250 "abcde", NULL},
	{N250 "abcdef", "a part of more than 255 bytes"},
	{N250 "/" N250 "/" N250 "/" N250 "/" TEN TEN, NULL},
	{N250 "/" N250 "/" N250 "/" N250 "/" TEN TEN "a", "more than 1024 bytes"},
	{"", "empty"},
	{"/etc/passwd", "not relative"},
	{"../w.bin", "has a part '..'"},
	{"a/../../w.bin", "has a part '..'"},
	{"./w.bin", "has a part '.'"},
	{"a/./b", "has a part '.'"},
	{"..", "has a part '..'"},
	{"a//b", "empty part"},
	{"a/", "empty part"},
	{"https://cdn/w.bin", "has a ':'"},
	{"C:w.bin", "has a ':'"},
	{"a\\b", "has a '\\'"},
	{"..\\b", "has a '\\'"},
	{"w.bin?x=1", "has a '?'"},
	{"w.bin#x", "has a '#'"},
	{"%2e%2e/w.bin", "has a '%'"},
	{" w.bin", "begins with ' '"},
	{"w.bin ", "ends with a space"},
	{"a/ w.bin", "begins with ' '"},
	{"-rf", "begins with '-'"},
	{"a/-rf", "begins with '-'"},
	{"a\nb", "control character"},
	{"a\x7f" "b", "control character"},
	{"a\xC2\x85" "b", "control character"},
	{"a\xFF" "b", "not UTF-8"},
	{"a\xC0\xAF" "b", "not UTF-8"},
};

START_TEST(file_paths_are_safe_in_urls_and_archives)
{
	const struct row *row = &paths[_i];
	struct err e = {.code = ERR_NONE};
	int r = filepath_check(str_of(row->text), &e);

	if (!row->words)
		ck_assert_msg(r == 0, "'%s': %s", row->text, e.text);
	else
		ck_assert_msg(r == -(int)ERR_BAD_PATH && strstr(e.text, row->words), "'%s': %s",
			row->text, r == 0 ? "accepted" : e.text);
}
END_TEST

START_TEST(a_nul_in_a_path_is_refused)
{
	struct err e;

	ck_err(filepath_check(STR_LIT("a\0b"), &e), ERR_BAD_PATH);
}
END_TEST

START_TEST(stripping_takes_leading_dots_only)
{
	ck_assert(str_eq_c(filepath_strip(STR_LIT("./w.bin")), "w.bin"));
	ck_assert(str_eq_c(filepath_strip(STR_LIT("././w.bin")), "w.bin"));
	ck_assert(str_eq_c(filepath_strip(STR_LIT("w.bin")), "w.bin"));
	ck_assert(str_eq_c(filepath_strip(STR_LIT("a/./w.bin")), "a/./w.bin"));
	ck_assert(str_eq_c(filepath_strip(STR_LIT("../w.bin")), "../w.bin"));
	ck_assert(str_eq_c(filepath_strip(STR_LIT("./")), ""));
	ck_assert(str_eq_c(filepath_strip(STR_LIT(".")), "."));
}
END_TEST

START_TEST(folding_ignores_ascii_case_only)
{
	ck_assert(filepath_same_folded(STR_LIT("A/b.BIN"), STR_LIT("a/B.bin")));
	ck_assert(!filepath_same_folded(STR_LIT("a"), STR_LIT("ab")));
	ck_assert(!filepath_same_folded(STR_LIT("\xC3\x84"), STR_LIT("\xC3\xA4")));
	ck_assert(!filepath_same_folded(STR_LIT("a@"), STR_LIT("a`")));
}
END_TEST

START_TEST(media_types_never_let_a_page_run)
{
	static const struct {
		const char *path, *type;
	} rows[] = {
		{"model.json", "application/json"},
		{"a/B.JSON", "application/json"},
		{"labels.txt", "text/plain"},
		{"README.md", "text/plain"},
		{"x.csv", "text/csv"},
		{"w.bin", "application/octet-stream"},
		{"group1-shard1of1", "application/octet-stream"},
		{"page.html", "application/octet-stream"},
		{"pic.svg", "application/octet-stream"},
		{"json", "application/octet-stream"},
		{"a.js", "application/octet-stream"},
		{"", "application/octet-stream"},
	};

	for (size_t i = 0; i < ARRAY_SIZE(rows); i++)
		ck_assert_str_eq(filepath_media_type(str_of(rows[i].path)), rows[i].type);
}
END_TEST

static Suite *suite(void)
{
	Suite *s = suite_create("ref");
	TCase *ref = tcase_create("ref");
	TCase *path = tcase_create("filepath");

	tcase_add_loop_test(ref, model_names_follow_their_grammar, 0, ARRAY_SIZE(names));
	tcase_add_loop_test(ref, labels_follow_their_grammar, 0, ARRAY_SIZE(labels));
	tcase_add_loop_test(ref, refs_are_read_and_written_back, 0, ARRAY_SIZE(refs));
	tcase_add_test(ref, refs_keep_what_they_name);
	tcase_add_loop_test(ref, refs_that_name_nothing_are_refused, 0, ARRAY_SIZE(bad_refs));
	tcase_add_test(ref, the_last_segment_of_a_name);
	suite_add_tcase(s, ref);
	tcase_add_loop_test(path, file_paths_are_safe_in_urls_and_archives, 0, ARRAY_SIZE(paths));
	tcase_add_test(path, a_nul_in_a_path_is_refused);
	tcase_add_test(path, stripping_takes_leading_dots_only);
	tcase_add_test(path, folding_ignores_ascii_case_only);
	tcase_add_test(path, media_types_never_let_a_page_run);
	suite_add_tcase(s, path);
	return s;
}

UNIT_MAIN
