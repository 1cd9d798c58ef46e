/* SPDX-License-Identifier: Apache-2.0 */
#include "common/base/buf.h"
#include "server/http/guard.h"
#include "server/http/router.h"
#include "tests/unit/unit.h"

#define LOCAL "localhost:8570"
#define HOST  "Host: " LOCAL

/* A request head: its first line, and its header lines with '|' between them. */
static int check(const char *first_line, const char *lines, struct guard_facts *ret, struct err *e)
{
	struct guard_header headers[GUARD_HEADERS_MAX + 1];
	struct guard_head head = {.headers = headers};
	struct str rest = str_of(first_line), line;

	ck_assert(str_split(&rest, ' ', &head.method) && str_split(&rest, ' ', &head.target));
	head.version = rest;
	rest = str_of(lines);
	while (rest.n > 0 && str_split(&rest, '|', &line)) {
		struct guard_header *h = &headers[head.headers_n++];
		ck_assert(head.headers_n <= ARRAY_SIZE(headers));
		ck_assert(str_split(&line, ':', &h->name));
		h->value = str_trim(line);
	}
	return guard_check(&head, ret, e);
}

/* ---- good heads and what they say ---- */

static const struct {
	const char *first_line, *lines;
	const char *host, *path, *query;
	bool has_body, has_length, expects_continue;
	uint64_t length;
} good[] = {
	{"GET / HTTP/1.1", HOST, LOCAL, "/", "", 0, 0, 0, 0},
	{"GET /a/b?x=1&y HTTP/1.1", HOST, LOCAL, "/a/b", "x=1&y", 0, 0, 0, 0},
	{"GET /a? HTTP/1.1", HOST, LOCAL, "/a", "", 0, 0, 0, 0},
	{"GET /a?b?c HTTP/1.1", HOST, LOCAL, "/a", "b?c", 0, 0, 0, 0},
	{"GET /a%20b HTTP/1.1", HOST, LOCAL, "/a%20b", "", 0, 0, 0, 0},
	{"HEAD / HTTP/1.1", HOST, LOCAL, "/", "", 0, 0, 0, 0},
	{"PATCH / HTTP/1.1", HOST, LOCAL, "/", "", 0, 0, 0, 0},
	{"DELETE / HTTP/1.1", HOST, LOCAL, "/", "", 0, 0, 0, 0},
	{"OPTIONS / HTTP/1.1", HOST, LOCAL, "/", "", 0, 0, 0, 0},
	{"OPTIONS * HTTP/1.1", HOST, LOCAL, "*", "", 0, 0, 0, 0},
	{"GET / HTTP/1.1", "hOST: [::1]:8570", "[::1]:8570", "/", "", 0, 0, 0, 0},
	{"GET / HTTP/1.1", "Host: localhost:", "localhost:", "/", "", 0, 0, 0, 0},
	{"GET / HTTP/1.0", "", "", "/", "", 0, 0, 0, 0},
	{"GET / HTTP/1.0", HOST, LOCAL, "/", "", 0, 0, 0, 0},
	{"GET / HTTP/1.2", HOST, LOCAL, "/", "", 0, 0, 0, 0},
	{"GET / HTTP/1.1", HOST "|X-Note: tab\tand \xc3\xa4", LOCAL, "/", "", 0, 0, 0, 0},

	/* absolute form: its authority replaces Host (RFC 9112 3.2.2) */
	{"GET http://other:1/a?b HTTP/1.1", HOST, "other:1", "/a", "b", 0, 0, 0, 0},
	{"GET HTTP://other HTTP/1.1", HOST, "other", "/", "", 0, 0, 0, 0},
	{"GET http://other?b HTTP/1.1", HOST, "other", "/", "b", 0, 0, 0, 0},
	{"GET https://other/ HTTP/1.1", HOST, "other", "/", "", 0, 0, 0, 0},
	{"OPTIONS http://other HTTP/1.1", HOST, "other", "*", "", 0, 0, 0, 0},

	/* bodies */
	{"POST / HTTP/1.1", HOST "|Content-Length: 5", LOCAL, "/", "", 1, 1, 0, 5},
	{"POST / HTTP/1.1", HOST "|content-length: 0", LOCAL, "/", "", 0, 1, 0, 0},
	{"POST / HTTP/1.1", HOST "|Content-Length: 999999999999999", LOCAL, "/", "", 1, 1, 0,
		999999999999999},
	{"POST / HTTP/1.1", HOST "|Transfer-Encoding: chunked", LOCAL, "/", "", 1, 0, 0, 0},
	{"POST / HTTP/1.1", HOST "|Transfer-Encoding: Chunked", LOCAL, "/", "", 1, 0, 0, 0},
	{"PUT / HTTP/1.1", HOST "|Content-Length: 1|Expect: 100-Continue", LOCAL, "/", "",
		1, 1, 1, 1},
	{"PUT / HTTP/1.0", HOST "|Content-Length: 1|Expect: 100-continue", LOCAL, "/", "",
		1, 1, 0, 1},
};

START_TEST(good_heads_pass_and_their_facts_are_told)
{
	struct guard_facts f;
	struct err e;

	ck_ok(check(good[_i].first_line, good[_i].lines, &f, &e));
	ck_assert_msg(str_eq_c(f.host, good[_i].host), "host " STR_FMT, STR_ARG(f.host));
	ck_assert_msg(str_eq_c(f.path, good[_i].path), "path " STR_FMT, STR_ARG(f.path));
	ck_assert_msg(str_eq_c(f.query, good[_i].query), "query " STR_FMT, STR_ARG(f.query));
	ck_assert_int_eq(f.has_body, good[_i].has_body);
	ck_assert_int_eq(f.has_length, good[_i].has_length);
	ck_assert_int_eq(f.expects_continue, good[_i].expects_continue);
	ck_assert_uint_eq(f.length, good[_i].length);
}
END_TEST

/* ---- the rules, one test each ---- */

static void refuses(enum err_code code, const char *first_line, const char *lines)
{
	struct guard_facts f;
	struct err e;
	int r = check(first_line, lines, &f, &e);

	ck_assert_msg(r == -(int)code && e.code == code, "%s | %s: %d", first_line, lines, r);
	ck_assert_uint_gt(strlen(e.text), 10);
}

static void passes(const char *first_line, const char *lines)
{
	struct guard_facts f;
	struct err e;

	ck_ok(check(first_line, lines, &f, &e));
}

START_TEST(header_names_are_tokens)
{
	refuses(ERR_BAD_REQUEST, "GET / HTTP/1.1", HOST "|X Y: 1");
	refuses(ERR_BAD_REQUEST, "GET / HTTP/1.1", HOST "|X : 1");
	refuses(ERR_BAD_REQUEST, "GET / HTTP/1.1", HOST "| X: 1");
	refuses(ERR_BAD_REQUEST, "GET / HTTP/1.1", HOST "|: 1");
	refuses(ERR_BAD_REQUEST, "GET / HTTP/1.1", HOST "|X(: 1");
	refuses(ERR_BAD_REQUEST, "GET / HTTP/1.1", HOST "|X\x80: 1");
	refuses(ERR_BAD_REQUEST, "POST / HTTP/1.1", HOST "|Transfer-Encoding : chunked");
	refuses(ERR_BAD_REQUEST, "POST / HTTP/1.1", HOST "|Content-Length\t: 5");
}
END_TEST

START_TEST(header_values_hold_no_control_bytes)
{
	static const struct guard_header with_nul[] = {
		{STR_LIT("Host"), STR_LIT("localhost")}, {STR_LIT("X"), STR_LIT("a\0b")}};
	struct guard_head head = {STR_LIT("GET"), STR_LIT("/"), STR_LIT("HTTP/1.1"), with_nul, 2};
	char line[] = HOST "|X: a?";
	struct guard_facts f;
	struct err e;

	refuses(ERR_BAD_REQUEST, "GET / HTTP/1.1", HOST "|X: a\nContent-Length: 5");
	for (char c = 1; c < 0x20; c++) {
		line[sizeof(line) - 2] = c;
		if (c != '\t')
			refuses(ERR_BAD_REQUEST, "GET / HTTP/1.1", line);
	}
	line[sizeof(line) - 2] = 0x7F;
	refuses(ERR_BAD_REQUEST, "GET / HTTP/1.1", line);
	ck_err(guard_check(&head, &f, &e), ERR_BAD_REQUEST);
}
END_TEST

START_TEST(headers_are_counted)
{
	CLEANUP_BUF struct buf lines = BUF_INIT(4096);
	struct guard_facts f;
	struct err e;

	buf_add_str(&lines, HOST);
	for (size_t i = 1; i < GUARD_HEADERS_MAX; i++)
		buf_add_str(&lines, "|X: 1");
	ck_ok(check("GET / HTTP/1.1", buf_str(&lines), &f, &e));
	buf_add_str(&lines, "|X: 1");
	refuses(ERR_HEADERS_TOO_LARGE, "GET / HTTP/1.1", buf_str(&lines));
}
END_TEST

START_TEST(exactly_one_host_in_http_1_1)
{
	refuses(ERR_BAD_REQUEST, "GET / HTTP/1.1", "");
	refuses(ERR_BAD_REQUEST, "GET / HTTP/1.1", HOST "|" HOST);
	refuses(ERR_BAD_REQUEST, "GET / HTTP/1.1", HOST "|host: evil.com");
	refuses(ERR_BAD_REQUEST, "GET / HTTP/1.0", HOST "|" HOST);
	refuses(ERR_BAD_REQUEST, "GET http://localhost/ HTTP/1.1", "");
}
END_TEST

START_TEST(a_host_is_well_formed)
{
	static const char *const malformed[] = {
		"", "a b", "a,b", "a/b", "user@localhost", "user:password@localhost", "localhost:x",
		"localhost:65536", "localhost:000080", "localhost:-1", "localhost:1:2", ":8570",
		"::1", "[::1", "::1]",
		"[::1]x", "[::1]8570", "[]", "[127.0.0.1]", "[::1%25lo]", "[v1.a]", "a%41", "\"a\"",
		"http://localhost", "localhost?", "\xc3\xa4.example",
	};
	char line[64];

	for (size_t i = 0; i < ARRAY_SIZE(malformed); i++) {
		snprintf(line, sizeof(line), "Host: %s", malformed[i]);
		refuses(ERR_BAD_REQUEST, "GET / HTTP/1.1", line);
	}
}
END_TEST

START_TEST(at_most_one_content_length_of_at_most_15_digits)
{
	static const char *const malformed[] = {
		"", "+5", "-5", "5, 5", "5,", "0x5", "5 5", "5a", "1e3", "5.0", "1000000000000000",
		"9223372036854775808", "18446744073709551616", "000000000000000005", "\"5\"",
	};
	char line[64];

	for (size_t i = 0; i < ARRAY_SIZE(malformed); i++) {
		snprintf(line, sizeof(line), HOST "|Content-Length: %s", malformed[i]);
		refuses(ERR_BAD_REQUEST, "POST / HTTP/1.1", line);
	}
	refuses(ERR_BAD_REQUEST, "POST / HTTP/1.1", HOST "|Content-Length: 5|Content-Length: 6");
	refuses(ERR_BAD_REQUEST, "POST / HTTP/1.1", HOST "|Content-Length: 5|CONTENT-LENGTH: 5");
}
END_TEST

START_TEST(transfer_encoding_is_a_single_chunked)
{
	static const char *const malformed[] = {
		"", "gzip", "gzip, chunked", "chunked, chunked", "chunked, identity", "identity",
		"xchunked", "chunked;q=1", "\"chunked\"", "chunked,", "\vchunked",
	};
	char line[64];

	for (size_t i = 0; i < ARRAY_SIZE(malformed); i++) {
		snprintf(line, sizeof(line), HOST "|Transfer-Encoding: %s", malformed[i]);
		refuses(ERR_BAD_REQUEST, "POST / HTTP/1.1", line);
	}
	refuses(ERR_BAD_REQUEST, "POST / HTTP/1.1",
		HOST "|Transfer-Encoding: chunked|Transfer-Encoding: chunked");
	refuses(ERR_BAD_REQUEST, "POST / HTTP/1.1",
		HOST "|Transfer-Encoding: chunked|Transfer-Encoding: identity");
}
END_TEST

START_TEST(transfer_encoding_is_not_for_http_1_0)
{
	refuses(ERR_BAD_REQUEST, "POST / HTTP/1.0", HOST "|Transfer-Encoding: chunked");
}
END_TEST

START_TEST(transfer_encoding_never_comes_with_content_length)
{
	refuses(ERR_BAD_REQUEST, "POST / HTTP/1.1",
		HOST "|Content-Length: 5|Transfer-Encoding: chunked");
	refuses(ERR_BAD_REQUEST, "POST / HTTP/1.1",
		HOST "|Transfer-Encoding: chunked|Content-Length: 0");
}
END_TEST

START_TEST(methods_are_a_closed_list)
{
	refuses(ERR_METHOD_UNKNOWN, "TRACE / HTTP/1.1", HOST);
	refuses(ERR_METHOD_UNKNOWN, "CONNECT localhost:8570 HTTP/1.1", HOST);
	refuses(ERR_METHOD_UNKNOWN, "get / HTTP/1.1", HOST);
	refuses(ERR_METHOD_UNKNOWN, "GETS / HTTP/1.1", HOST);
	refuses(ERR_METHOD_UNKNOWN, "PROPFIND / HTTP/1.1", HOST);
	refuses(ERR_BAD_REQUEST, "G(T / HTTP/1.1", HOST);
	refuses(ERR_BAD_REQUEST, " / HTTP/1.1", HOST);
}
END_TEST

START_TEST(versions_are_1_0_and_1_1)
{
	refuses(ERR_BAD_REQUEST, "GET / HTTP/2.0", HOST);
	refuses(ERR_BAD_REQUEST, "GET / HTTP/0.9", HOST);
	refuses(ERR_BAD_REQUEST, "GET / HTTP/1.10", HOST);
	refuses(ERR_BAD_REQUEST, "GET / http/1.1", HOST);
	refuses(ERR_BAD_REQUEST, "GET / ", HOST);
}
END_TEST

START_TEST(the_only_expectation_is_100_continue)
{
	refuses(ERR_EXPECTATION_FAILED, "PUT / HTTP/1.1", HOST "|Expect: 200-ok");
	refuses(ERR_EXPECTATION_FAILED, "PUT / HTTP/1.1", HOST "|Expect: 100-continue, x");
	refuses(ERR_EXPECTATION_FAILED, "PUT / HTTP/1.1", HOST "|Expect: 100-continue|Expect: x");
}
END_TEST

static void judge_target(const char *line, bool bad)
{
	if (bad)
		refuses(ERR_BAD_TARGET, line, HOST);
	else
		passes(line, HOST);
}

START_TEST(targets_are_printable_ascii_without_delimiters)
{
	char line[] = "GET /a?b HTTP/1.1";

	for (int c = 1; c < 256; c++) {
		bool not_ascii = c < 0x21 || c > 0x7E;
		if (c == ' ') /* would end the target */
			continue;
		line[5] = (char)c;
		judge_target(line, not_ascii || strchr("#\\\"<>`{}", c));
		line[5] = 'a';
		line[7] = (char)c;
		judge_target(line, not_ascii || strchr("#\"<>", c));
		line[7] = 'b';
	}
}
END_TEST

START_TEST(targets_hold_no_encoded_nul)
{
	refuses(ERR_BAD_TARGET, "GET /a%00 HTTP/1.1", HOST);
	refuses(ERR_BAD_TARGET, "GET /a?b=%00c HTTP/1.1", HOST);
}
END_TEST

START_TEST(targets_have_one_of_the_forms_of_rfc_9112_3_2)
{
	refuses(ERR_BAD_TARGET, "GET a HTTP/1.1", HOST);
	refuses(ERR_BAD_TARGET, "GET  HTTP/1.1", HOST);
	refuses(ERR_BAD_TARGET, "GET ?a HTTP/1.1", HOST);
	refuses(ERR_BAD_TARGET, "GET * HTTP/1.1", HOST);
	refuses(ERR_BAD_TARGET, "OPTIONS ** HTTP/1.1", HOST);
	refuses(ERR_BAD_TARGET, "GET localhost:8570 HTTP/1.1", HOST);
	refuses(ERR_BAD_TARGET, "GET ftp://localhost/ HTTP/1.1", HOST);
}
END_TEST

START_TEST(the_authority_of_an_absolute_target_is_well_formed)
{
	refuses(ERR_BAD_TARGET, "GET http:///a HTTP/1.1", HOST);
	refuses(ERR_BAD_TARGET, "GET http:// HTTP/1.1", HOST);
	refuses(ERR_BAD_TARGET, "GET http://user@localhost/ HTTP/1.1", HOST);
	refuses(ERR_BAD_TARGET, "GET http://localhost:99999/ HTTP/1.1", HOST);
	refuses(ERR_BAD_TARGET, "GET http://[::1/ HTTP/1.1", HOST);
}
END_TEST

START_TEST(targets_are_bounded)
{
	char target[ROUTER_TARGET_MAX + 2], line[ROUTER_TARGET_MAX + 64];
	struct guard_facts f;
	struct err e;

	memset(target, 'a', sizeof(target));
	target[0] = '/';
	snprintf(line, sizeof(line), "GET %.*s HTTP/1.1", ROUTER_TARGET_MAX, target);
	ck_ok(check(line, HOST, &f, &e));
	snprintf(line, sizeof(line), "GET %.*s HTTP/1.1", ROUTER_TARGET_MAX + 1, target);
	refuses(ERR_TARGET_TOO_LONG, line, HOST);
}
END_TEST

/* ---- DNS rebinding ---- */

static const char *const listed[] = {"models.example", "10.0.0.7", "[fd00::1]"};

static const struct {
	const char *host;
	bool is_answered;
} hosts[] = {
	{"localhost", true},
	{"localhost:8570", true},
	{"LOCALHOST", true},
	{"LocalHost:1", true},
	{"127.0.0.1:1", true},
	{"127.0.0.1", true},
	{"127.255.0.9", true},
	{"[::1]:8570", true},
	{"[::1]", true},
	{"[0:0:0:0:0:0:0:1]", true},
	{"app.localhost", true},
	{"a.b.LOCALHOST:8570", true},
	{"models.example", true},
	{"Models.Example:443", true},
	{"10.0.0.7:8570", true},
	{"[fd00::1]:8570", true},
	{"evil.com", false},
	{"127.0.0.1.evil.com", false},
	{"localhost.evil.com", false},
	{"evillocalhost", false},
	{".localhost", false},
	{"localhost.", false},
	{"x.models.example", false},
	{"2130706433", false},
	{"0x7f000001", false},
	{"0x7f.1", false},
	{"127.1", false},
	{"0177.0.0.1", false},
	{"127.0.0.01", false},
	{"127.0.0.256", false},
	{"128.0.0.1", false},
	{"0.0.0.0", false},
	{"[::]", false},
	{"[::2]", false},
	{"[::ffff:127.0.0.1]", false},
	{"[::1", false},
	{"user@localhost", false},
	{"localhost@evil.com", false},
	{"localhost:8570@evil.com", false},
	{"localhost, evil.com", false},
	{"", false},
};

START_TEST(only_loopback_and_listed_hosts_are_answered_for)
{
	struct guard_policy policy = {.loopback_only = true, .hosts = listed,
		.hosts_n = ARRAY_SIZE(listed)};
	struct err e;

	if (hosts[_i].is_answered)
		ck_ok(guard_host(&policy, str_of(hosts[_i].host), &e));
	else
		ck_err(guard_host(&policy, str_of(hosts[_i].host), &e), ERR_WRONG_HOST);
}
END_TEST

START_TEST(an_open_server_answers_for_every_host)
{
	struct guard_policy policy = {.any_host = true};
	struct err e;

	for (size_t i = 0; i < ARRAY_SIZE(hosts); i++)
		ck_ok(guard_host(&policy, str_of(hosts[i].host), &e));
}
END_TEST

START_TEST(loopback_hosts_come_with_or_without_brackets)
{
	ck_assert(guard_is_loopback_host(STR_LIT("::1")));
	ck_assert(guard_is_loopback_host(STR_LIT("[::1]")));
	ck_assert(guard_is_loopback_host(STR_LIT("127.0.0.1")));
	ck_assert(!guard_is_loopback_host(STR_LIT("[127.0.0.1]")));
	ck_assert(!guard_is_loopback_host(STR_LIT("localhost:8570")));
	ck_assert(!guard_is_loopback_host(STR_LIT("a b.localhost")));
	ck_assert(!guard_is_loopback_host(STR_LIT("127.0.0.1\0")));
	ck_assert(!guard_is_loopback_host(STR_LIT("")));
	ck_assert(!guard_is_loopback_host((struct str){NULL, 0}));
}
END_TEST

/* ---- who may write ---- */

static const struct {
	const char *origin, *site; /* NULL: absent */
	bool may_write;
} writers[] = {
	{NULL, NULL, true}, /* a program */
	{NULL, "same-origin", true},
	{NULL, "none", true},
	{NULL, "cross-site", false},
	{NULL, "same-site", false},
	{NULL, "something-new", false},
	{NULL, "", false},

	{"http://localhost", NULL, true},
	{"http://localhost:3000", "same-site", true},
	{"http://localhost:3000", "cross-site", true},
	{"https://app.localhost:3000", "cross-site", true},
	{"http://127.0.0.1:8080", "same-site", true},
	{"http://[::1]:8080", "cross-site", true},
	{"http://localhost:8570", "same-origin", true},

	{"null", NULL, false},
	{"null", "same-origin", false},
	{"", NULL, false},
	{"https://evil.com", "cross-site", false},
	{"https://evil.com", "same-origin", false},
	{"https://evil.com", NULL, false},
	{"http://localhost.evil.com", NULL, false},
	{"http://localhost@evil.com", NULL, false},
	{"http://evil.com:8570", "same-origin", false},
	{"http://models.example", NULL, false},
	{"http://localhost/", NULL, false},
	{"http://localhost http://localhost", NULL, false},
	{"http://localhost, http://evil.com", NULL, false},
	{"file://", NULL, false},
	{"file://localhost", NULL, false},
	{"chrome-extension://abcdefgh", NULL, false},
	{"localhost", NULL, false},
	{"//localhost", NULL, false},
};

static struct str optional(const char *s)
{
	return s ? str_of(s) : (struct str){NULL, 0};
}

START_TEST(programs_and_loopback_pages_may_write_and_no_other_page)
{
	struct guard_policy policy = {.loopback_only = true, .hosts = listed,
		.hosts_n = ARRAY_SIZE(listed)};
	struct str origin = optional(writers[_i].origin), site = optional(writers[_i].site);
	struct err e;

	for (int token = 0; token < 2; token++) {
		const struct guard_source from = {
			.origin = origin, .sec_fetch_site = site, .host = STR_LIT("127.0.0.1:8570"),
			.has_token = token};
		if (writers[_i].may_write)
			ck_ok(guard_write(&policy, &from, &e));
		else
			ck_err(guard_write(&policy, &from, &e), ERR_CROSS_SITE);
	}
}
END_TEST

START_TEST(a_refused_page_is_told_what_to_do)
{
	struct guard_policy policy = {.loopback_only = true};
	struct guard_source from = {.origin = STR_LIT("https://evil.com")};
	struct err e;

	ck_err(guard_write(&policy, &from, &e), ERR_CROSS_SITE);
	ck_assert_ptr_nonnull(strstr(e.text, "https://evil.com"));
	ck_assert_ptr_nonnull(strstr(e.text, "http://localhost"));
	from.origin = STR_LIT("\xff\xfe");
	ck_err(guard_write(&policy, &from, &e), ERR_CROSS_SITE);
	ck_assert_ptr_nonnull(strstr(e.text, "another site"));
}
END_TEST

/* Host is the name that a page was loaded from, and so is one that was made to lead here. */
static const struct {
	const char *origin, *site, *host;
	bool any_host, has_token, may_write;
} own[] = {
	{NULL, NULL, "models.example", true, false, true},
	{NULL, "cross-site", "models.example", true, true, false},
	{"http://models.example", NULL, "models.example", false, false, true},
	{"https://Models.Example:8570", "same-origin", "models.example:8570", false, false, true},
	{"http://models.example:1", NULL, "models.example:2", false, true, false},
	{"http://models.example", NULL, "models.example", true, false, false},
	{"http://models.example", NULL, "models.example", true, true, true},
	{"http://models.example", "same-site", "models.example", true, true, false},
	{"http://localhost:3000", NULL, "models.example", true, true, false},
	{"https://app.example", "cross-site", "models.example", true, false, true},
	{"https://app.example", "cross-site", "models.example", true, true, true},
	{"https://app.example:1", "cross-site", "models.example", true, true, false},
	{"http://app.example", "cross-site", "models.example", true, true, false},
	{"null", NULL, "models.example", true, true, false},
	{"http://", NULL, NULL, false, true, false}, /* HTTP/1.0 without a Host */
	{"http://", "same-origin", NULL, true, true, false},
};

START_TEST(beyond_loopback_pages_write_that_are_ours_or_listed)
{
	static const char *const origins[] = {"https://app.example"};
	struct guard_policy policy = {.any_host = own[_i].any_host, .hosts = listed,
		.hosts_n = ARRAY_SIZE(listed), .write_origins = origins, .write_origins_n = 1};
	const struct guard_source from = {.origin = optional(own[_i].origin),
		.sec_fetch_site = optional(own[_i].site), .host = optional(own[_i].host),
		.has_token = own[_i].has_token};
	struct err e;

	if (own[_i].may_write)
		ck_ok(guard_write(&policy, &from, &e));
	else
		ck_err(guard_write(&policy, &from, &e), ERR_CROSS_SITE);
}
END_TEST

START_TEST(an_origin_is_a_scheme_and_an_authority)
{
	static const char *const origins[] = {"https://app.example", "http://a:1",
		"http://[::1]:80"};
	static const char *const wrong[] = {"app.example", "https://app.example/", "https://", "*",
		"null", "ftp://a", "https://a b", "https://u@a"};

	for (size_t i = 0; i < ARRAY_SIZE(origins); i++)
		ck_assert_msg(guard_is_origin(str_of(origins[i])), "%s", origins[i]);
	for (size_t i = 0; i < ARRAY_SIZE(wrong); i++)
		ck_assert_msg(!guard_is_origin(str_of(wrong[i])), "%s", wrong[i]);
}
END_TEST

static TCase *rules(void)
{
	TCase *t = tcase_create("rules");

	tcase_add_loop_test(t, good_heads_pass_and_their_facts_are_told, 0, ARRAY_SIZE(good));
	tcase_add_test(t, header_names_are_tokens);
	tcase_add_test(t, header_values_hold_no_control_bytes);
	tcase_add_test(t, headers_are_counted);
	tcase_add_test(t, exactly_one_host_in_http_1_1);
	tcase_add_test(t, a_host_is_well_formed);
	tcase_add_test(t, at_most_one_content_length_of_at_most_15_digits);
	tcase_add_test(t, transfer_encoding_is_a_single_chunked);
	tcase_add_test(t, transfer_encoding_is_not_for_http_1_0);
	tcase_add_test(t, transfer_encoding_never_comes_with_content_length);
	tcase_add_test(t, methods_are_a_closed_list);
	tcase_add_test(t, versions_are_1_0_and_1_1);
	tcase_add_test(t, the_only_expectation_is_100_continue);
	tcase_add_test(t, targets_are_printable_ascii_without_delimiters);
	tcase_add_test(t, targets_hold_no_encoded_nul);
	tcase_add_test(t, targets_have_one_of_the_forms_of_rfc_9112_3_2);
	tcase_add_test(t, the_authority_of_an_absolute_target_is_well_formed);
	tcase_add_test(t, targets_are_bounded);
	return t;
}

static Suite *suite(void)
{
	Suite *s = suite_create("guard");
	TCase *t = tcase_create("policy");

	tcase_add_loop_test(
		t, only_loopback_and_listed_hosts_are_answered_for, 0, ARRAY_SIZE(hosts));
	tcase_add_test(t, an_open_server_answers_for_every_host);
	tcase_add_test(t, loopback_hosts_come_with_or_without_brackets);
	tcase_add_loop_test(t, programs_and_loopback_pages_may_write_and_no_other_page, 0,
		ARRAY_SIZE(writers));
	tcase_add_test(t, a_refused_page_is_told_what_to_do);
	tcase_add_loop_test(t, beyond_loopback_pages_write_that_are_ours_or_listed, 0,
		ARRAY_SIZE(own));
	tcase_add_test(t, an_origin_is_a_scheme_and_an_authority);
	suite_add_tcase(s, rules());
	suite_add_tcase(s, t);
	return s;
}

UNIT_MAIN
