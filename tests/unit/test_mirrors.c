/* SPDX-License-Identifier: Apache-2.0 */
/* Mirrors as they are written. */
#include "server/import/mirrors.h"
#include "tests/unit/unit.h"

static int read_words(const char *const *words, size_t n, struct mirrors_list *ret, struct err *e)
{
	return mirrors_read((char *const *)(uintptr_t)words, n, ret, e);
}

START_TEST(a_source_has_a_model_a_url_and_perhaps_a_label_and_an_interval)
{
	static const char *const words[] = {
		"pose=https://example.com/pose/model.json",
		"team/pose@stable=https://example.com/a=b/model.json?x=1|6h",
		"team/pose=https://example.com/a|b/model.json|30min",
	};
	struct mirrors_list l;
	struct err e;

	ck_ok(read_words(words, ARRAY_SIZE(words), &l, &e));
	ck_assert_uint_eq(l.n, 3);
	ck_assert_str_eq(l.items[0].name, "pose");
	ck_assert_str_eq(l.items[0].model, "pose");
	ck_assert_str_eq(l.items[0].label, "");
	ck_assert_str_eq(l.items[0].url.text, "https://example.com/pose/model.json");
	ck_assert_uint_eq(l.items[0].interval_ms, 86400000);
	ck_assert_str_eq(l.items[1].name, "team/pose@stable");
	ck_assert_str_eq(l.items[1].model, "team/pose");
	ck_assert_str_eq(l.items[1].label, "stable");
	ck_assert_str_eq(l.items[1].url.text, "https://example.com/a=b/model.json?x=1");
	ck_assert_uint_eq(l.items[1].interval_ms, 21600000);
	ck_assert_str_eq(l.items[2].url.host, "example.com");
	ck_assert_uint_eq(l.items[2].interval_ms, 1800000);
	mirrors_done(&l);
	ck_ok(read_words(NULL, 0, &l, &e));
	ck_assert_uint_eq(l.n, 0);
	mirrors_done(&l);
}
END_TEST

START_TEST(names_and_urls_may_be_as_long_as_they_are_anywhere)
{
	CLEANUP_BUF struct buf b = BUF_INIT(4096);
	struct mirrors_list l;
	const char *word;
	struct err e;

	for (int i = 0; i < REF_NAME_MAX; i++)
		buf_add_char(&b, 'm');
	buf_add_char(&b, '@');
	for (int i = 0; i < REF_LABEL_MAX; i++)
		buf_add_char(&b, 'l');
	buf_add_str(&b, "=https://h/");
	for (int i = 0; i < URL_MAX - 10; i++)
		buf_add_char(&b, 'u');
	word = buf_str(&b);
	ck_ok(read_words(&word, 1, &l, &e));
	ck_assert_uint_eq(strlen(l.items[0].name), CATALOG_MIRROR_MAX);
	ck_assert_uint_eq(strlen(l.items[0].url.text), URL_MAX);
	mirrors_done(&l);
	buf_add_char(&b, 'u');
	word = buf_str(&b);
	ck_err(read_words(&word, 1, &l, &e), ERR_CONFIG);
}
END_TEST

static const struct {
	const char *word, *says, *why;
} refused[] = {
	{"pose", "pose: ", "expected MODEL=URL"},
	{"", ": ", "expected MODEL=URL"},
	{"Pose=https://h/", "Pose=https://h/: ", "pose"},
	{"a/versions/b=https://h/", "a/versions/b=https://h/: ", "versions"},
	{"m@Stable=https://h/", "m@Stable=https://h/: ", "label"},
	{"m@=https://h/", "m@=https://h/: ", "label"},
	{"m@latest=https://h/", "m@latest=https://h/: ", "latest"},
	{"m=", "m=: ", ""},
	{"m=h/model.json", "m=h/model.json: ", ""},
	{"m=ftp://h/model.json", "m=ftp://h/model.json: ", "http"},
	{"m=https://u:secret@h/", "m=https://***", ""},
	{"m=https://h/?sig=secret|6hours", "m=https://h/?sig=***|6hours: ", "duration"},
	{"m=https://h/|", "m=https://h/|: ", "duration"},
	{"m=https://h/|0", "m=https://h/|0: ", "1s to 365d"},
	{"m=https://h/|500ms", "m=https://h/|500ms: ", "1s to 365d"},
	{"m=https://h/|366d", "m=https://h/|366d: ", "1s to 365d"},
	{"ok=https://other/", "ok=https://other/: ", "another source for ok"},
};

START_TEST(what_is_wrong_is_told_of_the_word_without_what_is_secret)
{
	const char *words[] = {"ok=https://h/", refused[_i].word};
	struct mirrors_list l;
	struct err e;

	ck_err(read_words(words, 2, &l, &e), ERR_CONFIG);
	ck_assert_msg(strncmp(e.text, refused[_i].says, strlen(refused[_i].says)) == 0,
		"\"%s\" does not begin with \"%s\"", e.text, refused[_i].says);
	ck_assert_msg(strstr(e.text, refused[_i].why), "\"%s\" has no \"%s\"", e.text,
		refused[_i].why);
	ck_assert_msg(!strstr(e.text, "secret"), "%s", e.text);
}
END_TEST

static Suite *suite(void)
{
	Suite *s = suite_create("mirrors");
	TCase *t = tcase_create("mirrors");

	tcase_add_test(t, a_source_has_a_model_a_url_and_perhaps_a_label_and_an_interval);
	tcase_add_test(t, names_and_urls_may_be_as_long_as_they_are_anywhere);
	tcase_add_loop_test(t, what_is_wrong_is_told_of_the_word_without_what_is_secret, 0,
		ARRAY_SIZE(refused));
	suite_add_tcase(s, t);
	return s;
}

UNIT_MAIN
