/* SPDX-License-Identifier: Apache-2.0 */
#include "common/net/url.h"
#include "tests/unit/unit.h"

static struct url parsed(const char *text)
{
	struct url u;
	struct err e;

	ck_ok(url_parse(str_of(text), &u, &e));
	return u;
}

/* ---- reading ---- */

struct good {
	const char *text, *reads, *scheme, *host;
	unsigned port;
};

static const struct good goods[] = {
	{"https://example.com/m/model.json", "https://example.com/m/model.json", "https",
		"example.com", 443},
	{"HTTP://EXAMPLE.com:8080/A?B=c", "http://EXAMPLE.com:8080/A?B=c", "http", "example.com",
		8080},
	{"https://example.com", "https://example.com/", "https", "example.com", 443},
	{"https://example.com?x=/", "https://example.com/?x=/", "https", "example.com", 443},
	{"https://example.com:/m", "https://example.com/m", "https", "example.com", 443},
	{"https://example.com:0443/m", "https://example.com:443/m", "https", "example.com", 443},
	{"https://example.com/m#part", "https://example.com/m", "https", "example.com", 443},
	{"https://example.com/m#a b\\", "https://example.com/m", "https", "example.com", 443},
	{"https://h.example/a/./b/../m", "https://h.example/a/m", "https", "h.example", 443},
	{"https://h.example/../../m", "https://h.example/m", "https", "h.example", 443},
	{"https://h.example/a%2Fb/%2e%2E/m?a/../b", "https://h.example/a%2Fb/%2e%2E/m?a/../b",
		"https", "h.example", 443},
	{"http://[::1]/m", "http://[::1]/m", "http", "::1", 80},
	{"http://[0:0:0:0:0:ffff:7f00:1]:81/", "http://[::ffff:127.0.0.1]:81/", "http",
		"::ffff:127.0.0.1", 81},
	{"http://0x7f.1/", "http://127.0.0.1/", "http", "127.0.0.1", 80},
	{"http://0177.0.0.1/", "http://127.0.0.1/", "http", "127.0.0.1", 80},
	{"http://2130706433/", "http://127.0.0.1/", "http", "127.0.0.1", 80},
	{"http://127.1/", "http://127.0.0.1/", "http", "127.0.0.1", 80},
	{"http://0/", "http://0.0.0.0/", "http", "0.0.0.0", 80},
	{"http://a_b.example./", "http://a_b.example./", "http", "a_b.example.", 80},
	{"https://xn--bcher-kva.example/", "https://xn--bcher-kva.example/", "https",
		"xn--bcher-kva.example", 443},
};

START_TEST(urls_are_read_as_they_are_fetched)
{
	const struct good *g = &goods[_i];
	struct url u = parsed(g->text);

	ck_assert_str_eq(u.text, g->reads);
	ck_assert_str_eq(u.scheme, g->scheme);
	ck_assert_str_eq(u.host, g->host);
	ck_assert_uint_eq(u.port, g->port);
	/* Reading it again changes nothing. */
	struct url again = parsed(u.text);
	ck_assert_str_eq(again.text, u.text);
	ck_assert_str_eq(again.host, u.host);
}
END_TEST

static const struct {
	const char *text, *says;
} bads[] = {
	{"", "neither http"},
	{"example.com/m", "neither http"},
	{"//example.com/m", "neither http"},
	{"/m/model.json", "neither http"},
	{"ftp://example.com/m", "neither http"},
	{"file:///etc/passwd", "://"},
	{"file://localhost/etc/passwd", "neither http"},
	{"gopher://example.com:70/_x", "neither http"},
	{"dict://example.com:11211/stats", "neither http"},
	{"ws://example.com/", "neither http"},
	{"data:text/plain,x", "://"},
	{"javascript:alert(1)", "://"},
	{"https:example.com/m", "://"},
	{"https:/example.com/m", "://"},
	{"https:///example.com/m", "://"},
	{"https:////example.com/m", "://"},
	{"https://", "no host"},
	{"https:///", "://"},
	{"https://?x", "no host"},
	{"https://:80/", "no host"},
	{"https://user@example.com/", "user name"},
	{"https://user:password@example.com/", "user name"},
	{"https://@example.com/", "user name"},
	{"https://:@example.com/", "user name"},
	{"https://a@b@example.com/", "user name"},
	{"https://example.com:80:80/", "port"},
	{"https://example.com:0/", "port"},
	{"https://example.com:65536/", "port"},
	{"https://example.com:99999999999999999999/", "port"},
	{"https://example.com:80x/", "port"},
	{"https://example.com:-1/", "port"},
	{"https://example.com:+80/", "port"},
	{"https://example.com\\@evil.example/", "byte 19"},
	{"https://example.com/a b", "byte 21"},
	{" https://example.com/", "byte 0"},
	{"https://example.com/\r\nX: y", "byte 20"},
	{"https://example.com/\t", "byte 20"},
	{"https://ex\xc3\xa4mple.com/", "byte 10"},
	{"https://\xef\xbc\x91\xef\xbc\x92\xef\xbc\x97.0.0.1/", "byte 8"}, /* full-width digits */
	{"https://%EF%BC%91%EF%BC%92%EF%BC%97.0.0.1/", "not a name"},
	{"https://127%E3%80%820.0.1/", "not a name"},
	{"https://%6cocalhost/", "not a name"},
	{"https://%30x7f.1/", "not a name"},
	{"https://exa%00mple.com/", "not a name"},
	{"https://exa%0ample.com/", "not a name"},
	{"https://a%2fb.example/", "not a name"},
	{"https://a%40b.example/", "not a name"},
	{"https://a*b/", "not a name"},
	{"https://.example/", "not a name"},
	{"https://./", "not a name"},
	{"https://[fe80::1%25eth0]/", "zone"},
	{"https://[fe80::1%eth0]/", "zone"},
	{"https://[::1/", "IPv6"},
	{"https://[::g]/", "IPv6"},
	{"https://[127.0.0.1]/", "IPv6"},
	{"https://[::1]x/", "port"},
};

START_TEST(other_texts_are_refused_with_the_rule)
{
	struct url u;
	struct err e;

	ck_err(url_parse(str_of(bads[_i].text), &u, &e), ERR_BAD_URL);
	ck_assert_msg(strstr(e.text, bads[_i].says) != NULL, "%s: %s", bads[_i].text, e.text);
}
END_TEST

START_TEST(a_nul_is_refused)
{
	struct url u;
	struct err e;

	ck_err(url_parse(STR_LIT("https://example.com\0.evil/"), &u, &e), ERR_BAD_URL);
}
END_TEST

static size_t long_url(char *to, size_t n)
{
	memset(to, 'a', n);
	memcpy(to, "https://example.com/", 20);
	to[n] = '\0';
	return n;
}

START_TEST(a_url_has_at_most_so_many_bytes)
{
	char text[URL_MAX + 8];
	struct url u;
	struct err e;

	ck_ok(url_parse((struct str){text, long_url(text, URL_MAX)}, &u, &e));
	ck_assert_uint_eq(strlen(u.text), URL_MAX);
	ck_err(url_parse((struct str){text, long_url(text, URL_MAX + 1)}, &u, &e), ERR_BAD_URL);
	ck_assert_ptr_nonnull(strstr(e.text, "2048"));
	/* "/" is added. */
	memset(text, 'a', URL_MAX);
	memcpy(text, "https://example.com?", 20);
	ck_err(url_parse((struct str){text, URL_MAX}, &u, &e), ERR_BAD_URL);
	/* A host that no name server would take. */
	memset(text, 'a', 300);
	memcpy(text, "https://", 8);
	ck_err(url_parse((struct str){text, 300}, &u, &e), ERR_BAD_URL);
}
END_TEST

/* ---- references ---- */

/* RFC 3986 5.4, less the parts that no web server knows. */
static const struct {
	const char *reference, *means;
} references[] = {
	{"g", "http://a/b/c/g"},
	{"./g", "http://a/b/c/g"},
	{"g/", "http://a/b/c/g/"},
	{"/g", "http://a/g"},
	{"//g", "http://g/"},
	{"?y", "http://a/b/c/d;p?y"},
	{"g?y", "http://a/b/c/g?y"},
	{"#s", "http://a/b/c/d;p?q"},
	{"g#s", "http://a/b/c/g"},
	{"g?y#s", "http://a/b/c/g?y"},
	{";x", "http://a/b/c/;x"},
	{"g;x", "http://a/b/c/g;x"},
	{"g;x?y#s", "http://a/b/c/g;x?y"},
	{"", "http://a/b/c/d;p?q"},
	{".", "http://a/b/c/"},
	{"./", "http://a/b/c/"},
	{"..", "http://a/b/"},
	{"../", "http://a/b/"},
	{"../g", "http://a/b/g"},
	{"../..", "http://a/"},
	{"../../", "http://a/"},
	{"../../g", "http://a/g"},
	{"../../../g", "http://a/g"},
	{"../../../../g", "http://a/g"},
	{"/./g", "http://a/g"},
	{"/../g", "http://a/g"},
	{"g.", "http://a/b/c/g."},
	{".g", "http://a/b/c/.g"},
	{"g..", "http://a/b/c/g.."},
	{"..g", "http://a/b/c/..g"},
	{"./../g", "http://a/b/g"},
	{"./g/.", "http://a/b/c/g/"},
	{"g/./h", "http://a/b/c/g/h"},
	{"g/../h", "http://a/b/c/h"},
	{"g;x=1/./y", "http://a/b/c/g;x=1/y"},
	{"g;x=1/../y", "http://a/b/c/y"},
	{"g?y/./x", "http://a/b/c/g?y/./x"},
	{"g?y/../x", "http://a/b/c/g?y/../x"},
	{"g#s/../x", "http://a/b/c/g"},
	{"https://other.example/x", "https://other.example/x"},
	{"g?u=http://x/../y", "http://a/b/c/g?u=http://x/../y"},
};

START_TEST(references_mean_what_rfc_3986_says)
{
	struct url base = parsed("http://a/b/c/d;p?q"), u;
	struct err e;

	ck_ok(url_resolve(&base, references[_i].reference, &u, &e));
	ck_assert_msg(strcmp(u.text, references[_i].means) == 0, "\"%s\": %s, not %s",
		references[_i].reference, u.text, references[_i].means);
}
END_TEST

static const char *const bad_references[] = {"file:///etc/passwd", "ftp://a/b", "http:g", "data:x",
	"//user@a/", "//@a/", "//user:p@a/", "///etc", "https://user@a/", "http:///a", "/a b",
	"/\x80", "\\\\a\\b", "/\r\nSet-Cookie: x", "//a:0/", "//[::1%25lo]/", "//", "///"};

START_TEST(bad_references_are_refused)
{
	struct url base = parsed("https://a/b/c/d"), u;
	struct err e;

	ck_err(url_resolve(&base, bad_references[_i], &u, &e), ERR_BAD_URL);
}
END_TEST

START_TEST(references_with_slashes_in_the_base_s_query)
{
	struct url base = parsed("http://a/b/c?q=/x/y"), u;
	struct err e;

	ck_ok(url_resolve(&base, "g", &u, &e));
	ck_assert_str_eq(u.text, "http://a/b/g");
	base = parsed("http://a?q=/x/y");
	ck_ok(url_resolve(&base, "/g", &u, &e));
	ck_assert_str_eq(u.text, "http://a/g");
	base = parsed("http://a?q=//b/x");
	ck_ok(url_resolve(&base, "//c/d", &u, &e));
	ck_assert_str_eq(u.text, "http://c/d");
}
END_TEST

START_TEST(an_origin_is_scheme_host_and_port)
{
	struct url a = parsed("https://Example.com/a"), b = parsed("https://example.com:443/b?c"),
		   c = parsed("http://example.com:443/"), d = parsed("https://example.com:444/"),
		   f = parsed("https://www.example.com/");

	ck_assert(url_same_origin(&a, &b));
	ck_assert(!url_same_origin(&a, &c));
	ck_assert(!url_same_origin(&a, &d));
	ck_assert(!url_same_origin(&a, &f));
}
END_TEST

START_TEST(paths_are_without_the_query)
{
	struct url a = parsed("https://example.com?x=/y"),
		   b = parsed("https://example.com/a/b?c/d");

	ck_assert(str_eq_c(url_path(&a), "/"));
	ck_assert(str_eq_c(url_path(&b), "/a/b"));
}
END_TEST

/* ---- shards ---- */

/* tfjs-core io/http.ts; what @tensorflow/tfjs 4.22 asked for in Node, but for the second. */
static const struct {
	const char *model, *prefix, *path, *means;
} shards[] = {
	{"http://h/m/model.json", NULL, "w.bin", "http://h/m/w.bin"},
	{"http://h", NULL, "w.bin", "http://h/w.bin"},
	{"http://h/m/model.json?sig=a&x=1", NULL, "w.bin", "http://h/m/w.bin?sig=a&x=1"},
	{"http://h/m/model.json?sig=a/b", NULL, "w.bin", "http://h/m/model.json?sig=a/w.bin"},
	{"http://h/m/model.json?sig=a%2Fb", NULL, "w.bin", "http://h/m/w.bin?sig=a%2Fb"},
	{"http://h/m/model.json?a=1?b=2", NULL, "w.bin", "http://h/m/w.bin?b=2"},
	{"http://h/m/model.json?q=1#f", NULL, "w.bin", "http://h/m/w.bin?q=1"},
	{"http://h/models/foo", NULL, "w.bin", "http://h/models/w.bin"},
	{"http://h/models/foo/", NULL, "w.bin", "http://h/models/foo/w.bin"},
	{"http://h/m/model.json", NULL, "./w.bin", "http://h/m/w.bin"},
	{"http://h/m/model.json", NULL, "sub/w.bin", "http://h/m/sub/w.bin"},
	{"http://h/m/model.json", NULL, "../w.bin", "http://h/w.bin"},
	{"http://h/m/model.json", NULL, "/w.bin", "http://h/m//w.bin"},
	{"http://h/m/model.json", NULL, "https://cdn/w.bin", "http://h/m/https://cdn/w.bin"},
	{"http://h/m/model.json", NULL, "a b/\xc3\xa4.bin", "http://h/m/a%20b/%C3%A4.bin"},
	{"http://h/m/model.json", NULL, "a#b.bin", "http://h/m/a"},
	{"http://h/m/model.json", NULL, "a%41.bin", "http://h/m/a%41.bin"},
	{"http://h/m/model.json", NULL, "", "http://h/m/"},
	{"http://h/m/model.json?q=1", "http://h/alt", "w.bin", "http://h/altw.bin?q=1"},
	{"http://h/m/model.json", "https://cdn.example/x/", "w.bin", "https://cdn.example/x/w.bin"},
};

START_TEST(shards_are_where_tensorflow_js_finds_them)
{
	struct url model = parsed(shards[_i].model), u;
	struct err e;

	ck_ok(url_of_shard(&model, shards[_i].prefix, shards[_i].path, &u, &e));
	ck_assert_msg(strcmp(u.text, shards[_i].means) == 0, "%s, not %s", u.text,
		shards[_i].means);
}
END_TEST

START_TEST(shards_that_make_no_url_are_refused)
{
	struct url model = parsed("http://h/m/model.json"), u;
	char longer[URL_MAX];
	struct err e;

	memset(longer, 'x', sizeof(longer) - 1);
	longer[sizeof(longer) - 1] = '\0';
	ck_err(url_of_shard(&model, NULL, longer, &u, &e), ERR_BAD_URL);
	ck_err(url_of_shard(&model, longer, longer, &u, &e), ERR_BAD_URL);
	ck_err(url_of_shard(&model, NULL, "a\\b", &u, &e), ERR_BAD_URL);
	ck_err(url_of_shard(&model, NULL, "a\nb", &u, &e), ERR_BAD_URL);
	ck_err(url_of_shard(&model, "relative/", "w.bin", &u, &e), ERR_BAD_URL);
	ck_err(url_of_shard(&model, "ftp://h/", "w.bin", &u, &e), ERR_BAD_URL);
}
END_TEST

/* ---- redaction ---- */

static const struct {
	const char *text, *shown;
} redactions[] = {
	{"https://example.com/m/model.json", "https://example.com/m/model.json"},
	{"https://example.com/m?sig=abc", "https://example.com/m?sig=***"},
	{"https://e.com/m?a=1&X-Amz-Signature=2", "https://e.com/m?a=***&X-Amz-Signature=***"},
	{"https://e.com/m?tfjs-format=file&token=x", "https://e.com/m?tfjs-format=file&token=***"},
	{"https://e.com/m?tfjs-format=aGVsbG8gd29ybGQgYWdhaW4", "https://e.com/m?tfjs-format=***"},
	{"https://e.com/m?alt=media", "https://e.com/m?alt=media"},
	{"https://e.com/m?secret", "https://e.com/m?***"},
	{"https://e.com/m?c2VjcmV0=", "https://e.com/m?***"},
	{"https://e.com/m?c2VjcmV0==", "https://e.com/m?***"},
	{"https://e.com/m?a=b&", "https://e.com/m?a=***&"},
	{"https://e.com/m?", "https://e.com/m?"},
	{"https://e.com/m?a=1?b=2", "https://e.com/m?a=***"},
	{"https://e.com/m?a=1;b=2", "https://e.com/m?a=***"},
	{"https://e.com/m#token", "https://e.com/m"},
	{"https://e.com/m#?a=token", "https://e.com/m"},
	{"https://user:word@e.com/m", "https://***@e.com/m"},
	{"https://user@e.com/m", "https://***@e.com/m"},
	{"https://a:b@c:d@e.com/m", "https://***@e.com/m"},
	{"https://user:wo/rd@e.com/m", "https://***@e.com/m"},
	{"https://user:wo?rd@e.com/m", "https://***?***"},
	{"https://user:wo#rd@e.com/m", "https://***"},
	{"https://user:12/@x@e.com/m", "https://user:12/@x@e.com/m"}, /* a host, and its port */
	{"https://[::1]:80/@scope/m@1/x", "https://[::1]:80/@scope/m@1/x"},
	{"https://cdn.e.com/npm/@scope/m@1.0/model.json",
		"https://cdn.e.com/npm/@scope/m@1.0/model.json"},
	{"user:word@e.com/m", "***@e.com/m"},
	{"https:/user:word@e.com/m", "***@e.com/m"},
	{"a b\r\nc\x80", "a_b__c_"},
	{"", ""},
};

START_TEST(credentials_are_not_shown)
{
	CLEANUP_BUF struct buf out = BUF_INIT(4096);

	url_redact(str_of(redactions[_i].text), &out);
	ck_assert_msg(strcmp(buf_str(&out), redactions[_i].shown) == 0, "%s: %s, not %s",
		redactions[_i].text, buf_str(&out), redactions[_i].shown);
}
END_TEST

static Suite *suite(void)
{
	Suite *s = suite_create("url");
	TCase *t = tcase_create("url");

	tcase_add_loop_test(t, urls_are_read_as_they_are_fetched, 0, (int)ARRAY_SIZE(goods));
	tcase_add_loop_test(t, other_texts_are_refused_with_the_rule, 0, (int)ARRAY_SIZE(bads));
	tcase_add_test(t, a_nul_is_refused);
	tcase_add_test(t, a_url_has_at_most_so_many_bytes);
	tcase_add_loop_test(t, references_mean_what_rfc_3986_says, 0, (int)ARRAY_SIZE(references));
	tcase_add_loop_test(t, bad_references_are_refused, 0, (int)ARRAY_SIZE(bad_references));
	tcase_add_test(t, references_with_slashes_in_the_base_s_query);
	tcase_add_test(t, an_origin_is_scheme_host_and_port);
	tcase_add_test(t, paths_are_without_the_query);
	tcase_add_loop_test(t, shards_are_where_tensorflow_js_finds_them, 0,
		(int)ARRAY_SIZE(shards));
	tcase_add_test(t, shards_that_make_no_url_are_refused);
	tcase_add_loop_test(t, credentials_are_not_shown, 0, (int)ARRAY_SIZE(redactions));
	suite_add_tcase(s, t);
	return s;
}

UNIT_MAIN
