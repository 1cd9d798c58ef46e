/* SPDX-License-Identifier: Apache-2.0 */
#include "server/http/forwarded.h"
#include "tests/unit/unit.h"

static const char *const proxies[] = {"127.0.0.1", "10.0.0.0/8", "fd00::/8"};

static struct forwarded_policy policy;

static void setup(void)
{
	struct err e;

	ck_ok(forwarded_policy_init(&policy, proxies, ARRAY_SIZE(proxies), &e));
}

static void teardown(void)
{
	forwarded_policy_done(&policy);
}

static int read_pairs(const char *const *pairs, size_t n, struct forwarded *ret, struct err *e)
{
	struct guard_header headers[8];
	struct network peer;

	for (size_t i = 0; i < n / 2; i++)
		headers[i] = (struct guard_header){
			str_of(pairs[2 * i]), str_of(pairs[2 * i + 1])};
	ck_assert(network_parse_address(str_of("127.0.0.1"), &peer));
	return forwarded_read(&policy, &peer, headers, n / 2, ret, e);
}

#define READ(f, e, ...) \
	read_pairs((const char *const[]){__VA_ARGS__}, \
		sizeof((const char *const[]){__VA_ARGS__}) / sizeof(char *), f, e)

#define assert_client(text, ...) \
	do { \
		struct forwarded f_; \
		struct err e_; \
		char buf_[NETWORK_TEXT]; \
		ck_assert_int_eq(READ(&f_, &e_, __VA_ARGS__), 0); \
		ck_assert_str_eq(network_text(&f_.client, buf_), text); \
	} while (0)

#define assert_refused(...) \
	do { \
		struct forwarded f_; \
		struct err e_; \
		ck_assert_int_eq(READ(&f_, &e_, __VA_ARGS__), -(int)ERR_BAD_REQUEST); \
	} while (0)

#define XFF "X-Forwarded-For"

START_TEST(the_last_address_that_is_no_proxy_is_the_client)
{
	assert_client("127.0.0.1", "Accept", "x");
	assert_client("192.0.2.1", XFF, "192.0.2.1");
	assert_client("192.0.2.1", "x-forwarded-for", "192.0.2.1:4711");
	assert_client("192.0.2.1", XFF, "6.6.6.6, 192.0.2.1");
	assert_client("192.0.2.1", XFF, "6.6.6.6, 192.0.2.1, 10.1.2.3,10.9.9.9");
	assert_client("192.0.2.1", XFF, "6.6.6.6", XFF, "192.0.2.1", XFF, "10.1.2.3");
	assert_client("192.0.2.1", XFF, "<script>, 192.0.2.1");
	assert_client("192.0.2.1", XFF, " , 192.0.2.1 , ");
	assert_client("10.1.2.3", XFF, "10.1.2.3");
	assert_client("127.0.0.1", XFF, "");
}
END_TEST

START_TEST(addresses_are_written_in_many_ways)
{
	assert_client("2001:db8::1", XFF, "2001:db8::1");
	assert_client("2001:db8::1", XFF, "[2001:db8::1]");
	assert_client("2001:db8::1", XFF, "[2001:DB8::1]:80");
	assert_client("192.0.2.1", XFF, "::ffff:192.0.2.1");
	assert_client("192.0.2.1", XFF, "192.0.2.1, ::ffff:10.0.0.1, fd00::1");
	assert_client("10.0.0.1", XFF, "6.6.6.6, unknown, 10.0.0.1");
	assert_client("127.0.0.1", XFF, "6.6.6.6, _hidden");
}
END_TEST

START_TEST(what_a_proxy_cannot_have_meant_is_refused)
{
	assert_refused(XFF, "here");
	assert_refused(XFF, "192.0.2.1:x");
	assert_refused(XFF, "192.0.2.1:70000");
	assert_refused(XFF, "[2001:db8::1");
	assert_refused(XFF, "[2001:db8::1]80");
	assert_refused(XFF, "192.0.2.1, 1.2.3");
	assert_refused("X-Forwarded-Proto", "gopher");
	assert_refused("X-Forwarded-Host", "a/b");
	assert_refused("X-Forwarded-Host", "user@host");
}
END_TEST

START_TEST(the_nearest_proxy_tells_scheme_and_host)
{
	struct forwarded f;
	struct err e;

	ck_ok(READ(&f, &e, XFF, "192.0.2.1", "X-Forwarded-Proto", "http, HTTPS",
		"X-Forwarded-Host", "evil.example", "X-Forwarded-Host", "models.example:8443"));
	ck_assert(f.has_scheme && f.is_https);
	ck_assert(str_eq_c(f.host, "models.example:8443"));
	ck_ok(READ(&f, &e, XFF, "192.0.2.1", "Forwarded", "for=6.6.6.6;proto=https;host=x"));
	ck_assert(!f.has_scheme && f.host.n == 0);
}
END_TEST

START_TEST(forwarded_is_followed_likewise)
{
	struct forwarded f;
	struct err e;

	policy.is_standard = true;
	assert_client("192.0.2.1", "Forwarded", "for=192.0.2.1", XFF, "6.6.6.6");
	assert_client("2001:db8::1", "Forwarded", "For=\"[2001:db8::1]:4711\"");
	assert_client("192.0.2.1", "Forwarded",
		"for=6.6.6.6, for=192.0.2.1;by=10.0.0.1 , , for=10.0.0.1;secret=\"a,b;c\"");
	assert_client("192.0.2.1", "Forwarded", "for=6.6.6.6", "Forwarded", "for=192.0.2.1");
	assert_client("127.0.0.1", "Forwarded", "for=6.6.6.6, for=unknown");
	assert_client("127.0.0.1", "Forwarded", "for=6.6.6.6, by=_x");
	ck_ok(READ(&f, &e, "Forwarded",
		"for=6.6.6.6;host=evil.example, for=192.0.2.1;proto=https;host=\"m.example:8443\", "
		"for=10.0.0.1;proto=http;host=inner"));
	ck_assert(f.has_scheme && f.is_https);
	ck_assert(str_eq_c(f.host, "m.example:8443"));
}
END_TEST

START_TEST(a_forwarded_line_has_to_be_well_formed)
{
	CLEANUP_BUF struct buf many = BUF_INIT(FORWARDED_MAX * 32);

	policy.is_standard = true;
	assert_refused("Forwarded", "for");
	assert_refused("Forwarded", "for=");
	assert_refused("Forwarded", "for=\"_x, for=192.0.2.1");
	assert_refused("Forwarded", "for=\"6.6.6.6\\\", for=192.0.2.1");
	assert_refused("Forwarded", "for=192.0.2.1:80"); /* a colon needs quotes */
	assert_refused("Forwarded", "for=192.0.2.1;for=6.6.6.6");
	assert_refused("Forwarded", "for=192.0.2.1 x");
	assert_refused("Forwarded", "proto=ftp;for=192.0.2.1");
	assert_refused("Forwarded", "host=\"a b\";for=192.0.2.1");
	for (size_t i = 0; i < FORWARDED_MAX; i++)
		buf_add_str(&many, "for=10.0.0.1, ");
	assert_client("10.0.0.1", "Forwarded", buf_str(&many));
	buf_add_str(&many, "for=10.0.0.1");
	assert_refused("Forwarded", buf_str(&many));
}
END_TEST

START_TEST(proxies_are_addresses_and_networks)
{
	static const char *const names[] = {"10.0.0.0/8", "proxy.lan"};
	static const char *const bits[] = {"10.1.0.0/8"};
	struct forwarded_policy p = {0};
	struct err e;

	ck_assert_int_eq(forwarded_policy_init(&p, names, 2, &e), -(int)ERR_CONFIG);
	ck_assert_ptr_nonnull(strstr(e.text, "proxy.lan"));
	forwarded_policy_done(&p);
	ck_assert_int_eq(forwarded_policy_init(&p, bits, 1, &e), -(int)ERR_CONFIG);
	forwarded_policy_done(&p);
	ck_ok(forwarded_policy_init(&p, NULL, 0, &e));
	struct network local;
	ck_assert(network_parse_address(str_of("127.0.0.1"), &local));
	ck_assert(!forwarded_trusts(&p, &local));
	forwarded_policy_done(&p);
}
END_TEST

static Suite *suite(void)
{
	Suite *s = suite_create("forwarded");
	TCase *t = tcase_create("forwarded");

	tcase_add_checked_fixture(t, setup, teardown);
	tcase_add_test(t, the_last_address_that_is_no_proxy_is_the_client);
	tcase_add_test(t, addresses_are_written_in_many_ways);
	tcase_add_test(t, what_a_proxy_cannot_have_meant_is_refused);
	tcase_add_test(t, the_nearest_proxy_tells_scheme_and_host);
	tcase_add_test(t, forwarded_is_followed_likewise);
	tcase_add_test(t, a_forwarded_line_has_to_be_well_formed);
	tcase_add_test(t, proxies_are_addresses_and_networks);
	suite_add_tcase(s, t);
	return s;
}

UNIT_MAIN
