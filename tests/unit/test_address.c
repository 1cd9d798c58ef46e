/* SPDX-License-Identifier: Apache-2.0 */
#include "common/net/address.h"
#include "tests/unit/unit.h"

#include <arpa/inet.h>
#include <netinet/in.h>

static void to_address(const char *text, struct sockaddr_storage *ret)
{
	struct sockaddr_in *in4 = (struct sockaddr_in *)ret;
	struct sockaddr_in6 *in6 = (struct sockaddr_in6 *)ret;

	memset(ret, 0, sizeof(*ret));
	if (inet_pton(AF_INET, text, &in4->sin_addr) == 1) {
		in4->sin_family = AF_INET;
		return;
	}
	ck_assert_int_eq(inet_pton(AF_INET6, text, &in6->sin6_addr), 1);
	in6->sin6_family = AF_INET6;
}

static int check(const struct address_list *l, const char *scheme, const char *host, unsigned port,
	const char *address, struct err *e)
{
	struct sockaddr_storage to;

	to_address(address, &to);
	return address_check(l, scheme, host, port, (const struct sockaddr *)&to, e);
}

static struct address_list *list_of(const char *a, const char *b, const char *c)
{
	const char *words[] = {a, b, c};
	struct address_list *l;
	struct err e;

	ck_ok(address_list_parse(words, c ? 3 : b ? 2 : 1, &l, &e));
	return l;
}

/* ---- without a list ---- */

static const char *const public[] = {"1.1.1.1", "8.8.8.8", "9.255.255.255", "11.0.0.0",
	"100.63.255.255", "100.128.0.0", "126.255.255.255", "128.0.0.0", "169.253.255.255",
	"169.255.0.0", "168.63.129.15", "168.63.129.17", "172.15.255.255", "172.32.0.0",
	"192.0.1.0", "192.0.3.0", "192.167.255.255", "192.169.0.0", "198.17.255.255", "198.20.0.0",
	"223.255.255.255", "2606:4700::1111", "2001:4860:4860::8888", "2001:200::1", "2a00::1",
	"3ffe::1", "2003::1", "2620:4f:8001::1"};

START_TEST(public_addresses_are_allowed_with_https)
{
	struct err e;

	ck_ok(check(NULL, "https", "a.example", 443, public[_i], &e));
	ck_ok(check(NULL, "https", "a.example", 8443, public[_i], &e));
	ck_err(check(NULL, "http", "a.example", 80, public[_i], &e), ERR_FETCH_REFUSED);
	ck_assert_ptr_nonnull(strstr(e.text, "(rule: scheme)"));
	ck_err(check(NULL, "https", "a.example", 25, public[_i], &e), ERR_FETCH_REFUSED);
	ck_assert_ptr_nonnull(strstr(e.text, "(rule: port)"));
}
END_TEST

static const struct {
	const char *address, *rule;
} refused[] = {
	{"0.0.0.0", "reserved"},
	{"0.255.255.255", "reserved"},
	{"10.0.0.0", "private"},
	{"10.255.255.255", "private"},
	{"100.64.0.0", "carrier-nat"},
	{"100.127.255.255", "carrier-nat"},
	{"100.100.100.200", "metadata"},
	{"127.0.0.1", "loopback"},
	{"127.255.255.255", "loopback"},
	{"168.63.129.16", "metadata"},
	{"169.254.0.0", "link-local"},
	{"169.254.169.253", "link-local"},
	{"169.254.169.254", "metadata"},
	{"169.254.170.2", "metadata"},
	{"169.254.255.255", "link-local"},
	{"172.16.0.0", "private"},
	{"172.31.255.255", "private"},
	{"192.0.0.0", "reserved"},
	{"192.0.0.192", "metadata"},
	{"192.0.2.1", "reserved"},
	{"192.31.196.1", "reserved"},
	{"192.52.193.1", "reserved"},
	{"192.88.99.1", "reserved"},
	{"192.168.0.1", "private"},
	{"192.175.48.1", "reserved"},
	{"198.18.0.0", "reserved"},
	{"198.19.255.255", "reserved"},
	{"198.51.100.1", "reserved"},
	{"203.0.113.1", "reserved"},
	{"224.0.0.1", "multicast"},
	{"239.255.255.255", "multicast"},
	{"240.0.0.1", "reserved"},
	{"255.255.255.255", "reserved"},
	{"::", "reserved"},
	{"::1", "loopback"},
	{"::2", "mapped"},
	{"::127.0.0.1", "mapped"},
	{"::8.8.8.8", "mapped"},
	{"::ffff:127.0.0.1", "mapped"},
	{"::ffff:8.8.8.8", "mapped"},
	{"::ffff:0:127.0.0.1", "mapped"},
	{"64:ff9b::127.0.0.1", "nat64"},
	{"64:ff9b::8.8.8.8", "nat64"},
	{"64:ff9b:1::1", "nat64"},
	{"64:ff9b:2::1", "reserved"},
	{"100::1", "reserved"},
	{"100:0:0:1::1", "reserved"},
	{"1fff::1", "reserved"},
	{"2001::1", "mapped"},
	{"2001:10::1", "reserved"},
	{"2001:1ff::1", "reserved"},
	{"2001:db8::1", "reserved"},
	{"2002:7f00:1::1", "mapped"},
	{"2002:808:808::1", "mapped"},
	{"2620:4f:8000::1", "reserved"},
	{"3fff::1", "reserved"},
	{"4000::1", "reserved"},
	{"5f00::1", "reserved"},
	{"fc00::1", "private"},
	{"fd00::1", "private"},
	{"fd00:ec2::254", "metadata"},
	{"fd20:ce::254", "metadata"},
	{"fe80::1", "link-local"},
	{"febf::1", "link-local"},
	{"fec0::1", "reserved"},
	{"ff02::1", "multicast"},
};

START_TEST(all_other_addresses_are_refused_by_a_rule)
{
	char rule[64];
	struct err e;

	(void)snprintf(rule, sizeof(rule), "(rule: %s)", refused[_i].rule);
	ck_err(check(NULL, "https", "a.example", 443, refused[_i].address, &e), ERR_FETCH_REFUSED);
	ck_assert_msg(strstr(e.text, rule) != NULL, "%s: %s", refused[_i].address, e.text);
	ck_assert_msg(strstr(e.text, "a.example leads to ") != NULL, "%s", e.text);
	ck_assert_ptr_nonnull(strstr(e.text, "import.allow"));
}
END_TEST

/* Private and loopback addresses may be what an allowed name leads to. */
START_TEST(a_listed_name_allows_no_more_than_private_and_loopback_addresses)
{
	CLEANUP(address_list_free_p) struct address_list *l = list_of("a.example", NULL, NULL);
	bool fine = strcmp(refused[_i].rule, "private") == 0 ||
		strcmp(refused[_i].rule, "loopback") == 0;
	struct err e;

	if (fine)
		ck_ok(check(l, "http", "a.example", 22, refused[_i].address, &e));
	else
		ck_err(check(l, "http", "a.example", 22, refused[_i].address, &e),
			ERR_FETCH_REFUSED);
	ck_err(check(l, "http", "b.example", 22, refused[_i].address, &e), ERR_FETCH_REFUSED);
}
END_TEST

START_TEST(a_listed_address_is_allowed_whatever_it_is)
{
	CLEANUP(address_list_free_p)
	struct address_list *l = list_of(refused[_i].address, NULL, NULL);
	bool carries = strchr(refused[_i].address, ':') &&
		(strcmp(refused[_i].rule, "mapped") == 0 || strcmp(refused[_i].rule, "nat64") == 0);
	struct err e;

	if (!carries)
		ck_ok(check(l, "http", "a.example", 22, refused[_i].address, &e));
	ck_err(check(l, "https", "a.example", 443, "203.0.113.77", &e), ERR_FETCH_REFUSED);
}
END_TEST

START_TEST(what_an_address_carries_is_judged_as_well)
{
	CLEANUP(address_list_free_p)
	struct address_list *l = list_of("64:ff9b::/96", "::ffff:0:0/96", NULL);
	CLEANUP(address_list_free_p)
	struct address_list *both = list_of("64:ff9b::/96", "10.0.0.0/8", "2002::/16");
	struct err e;

	ck_ok(check(l, "https", "a.example", 443, "64:ff9b::8.8.8.8", &e));
	ck_ok(check(l, "https", "a.example", 443, "::ffff:8.8.8.8", &e));
	ck_err(check(l, "https", "a.example", 443, "64:ff9b::10.0.0.1", &e), ERR_FETCH_REFUSED);
	ck_assert_ptr_nonnull(strstr(e.text, "10.0.0.1"));
	ck_err(check(l, "https", "a.example", 443, "::ffff:169.254.169.254", &e),
		ERR_FETCH_REFUSED);
	ck_assert_ptr_nonnull(strstr(e.text, "(rule: metadata)"));
	ck_ok(check(both, "https", "a.example", 443, "64:ff9b::10.0.0.1", &e));
	ck_ok(check(both, "https", "a.example", 443, "2002:a00:1::1", &e));
	ck_err(check(both, "https", "a.example", 443, "2002:7f00:1::1", &e), ERR_FETCH_REFUSED);
}
END_TEST

START_TEST(a_network_has_its_addresses_and_no_others)
{
	CLEANUP(address_list_free_p)
	struct address_list *l = list_of("192.168.4.0/22", "[fd00:1::]/33", "169.254.0.0/16");
	CLEANUP(address_list_free_p) struct address_list *all = list_of("0.0.0.0/0", NULL, NULL);
	struct err e;

	ck_ok(check(l, "http", "x", 1, "192.168.4.0", &e));
	ck_ok(check(l, "http", "x", 1, "192.168.7.255", &e));
	ck_err(check(l, "https", "x", 443, "192.168.8.0", &e), ERR_FETCH_REFUSED);
	ck_err(check(l, "https", "x", 443, "192.168.3.255", &e), ERR_FETCH_REFUSED);
	ck_ok(check(l, "http", "x", 1, "fd00:1:7fff::1", &e));
	ck_err(check(l, "https", "x", 443, "fd00:1:8000::1", &e), ERR_FETCH_REFUSED);
	ck_ok(check(l, "http", "x", 80, "169.254.169.254", &e));
	ck_ok(check(all, "http", "x", 80, "127.0.0.1", &e));
	ck_err(check(all, "http", "x", 80, "::1", &e), ERR_FETCH_REFUSED);
}
END_TEST

START_TEST(names_match_whole_and_below_alone)
{
	CLEANUP(address_list_free_p)
	struct address_list *l = list_of("Models.lan", "*.below.lan", "localhost");
	struct err e;

	ck_ok(check(l, "http", "models.lan", 80, "10.0.0.1", &e));
	ck_ok(check(l, "http", "models.lan.", 80, "10.0.0.1", &e));
	ck_ok(check(l, "http", "a.below.lan", 80, "10.0.0.1", &e));
	ck_ok(check(l, "http", "b.a.below.lan", 80, "10.0.0.1", &e));
	ck_ok(check(l, "http", "localhost", 80, "::1", &e));
	ck_err(check(l, "http", "below.lan", 80, "10.0.0.1", &e), ERR_FETCH_REFUSED);
	ck_err(check(l, "http", "abelow.lan", 80, "10.0.0.1", &e), ERR_FETCH_REFUSED);
	ck_err(check(l, "http", ".below.lan", 80, "10.0.0.1", &e), ERR_FETCH_REFUSED);
	ck_err(check(l, "http", "a.models.lan", 80, "10.0.0.1", &e), ERR_FETCH_REFUSED);
	ck_err(check(l, "http", "models.lan.evil.example", 80, "10.0.0.1", &e), ERR_FETCH_REFUSED);
	ck_err(check(l, "http", "xmodels.lan", 80, "10.0.0.1", &e), ERR_FETCH_REFUSED);
	ck_err(check(l, "http", "", 80, "10.0.0.1", &e), ERR_FETCH_REFUSED);
}
END_TEST

START_TEST(ports_of_other_protocols_need_a_listed_host)
{
	CLEANUP(address_list_free_p)
	struct address_list *l = list_of("models.lan", "10.0.0.0/8", "::1");
	struct err e;

	ck_ok(address_check_port(NULL, "a.example", 80, &e));
	ck_ok(address_check_port(NULL, "a.example", 443, &e));
	ck_ok(address_check_port(NULL, "a.example", 1024, &e));
	ck_ok(address_check_port(NULL, "a.example", 65535, &e));
	ck_err(address_check_port(NULL, "a.example", 22, &e), ERR_FETCH_REFUSED);
	ck_err(address_check_port(NULL, "a.example", 1023, &e), ERR_FETCH_REFUSED);
	ck_err(address_check_port(NULL, "a.example", 6379, &e), ERR_FETCH_REFUSED);
	ck_err(address_check_port(l, "a.example", 22, &e), ERR_FETCH_REFUSED);
	ck_assert_ptr_nonnull(strstr(e.text, "port 22 of a.example"));
	ck_ok(address_check_port(l, "models.lan", 22, &e));
	ck_ok(address_check_port(l, "10.1.2.3", 22, &e));
	ck_ok(address_check_port(l, "::1", 22, &e));
}
END_TEST

static const char *const bad_words[] = {"", ".", "*", "*.", "a..b", "a b", "10.0.0.0/33",
	"10.0.0.1/8", "10.0.0.0/", "10.0.0.0/-1", "10.0.0.0/8/8", "10.0.0/8", "127.1", "0x7f.1",
	"0x7f000001", "2130706433", "256.0.0.1", "fd00::1/8", "fd00::/129",
	"[fd00::", "fe80::1%eth0", "a/8", "*.*.lan", "a.*.lan", "http://models.lan",
	"models.lan:80",
	"m\303\266del.lan"};

START_TEST(other_words_are_refused_by_name)
{
	struct address_list *l;
	struct err e;
	char quoted[64];

	(void)snprintf(quoted, sizeof(quoted), "\"%s\"", bad_words[_i]);
	ck_err(address_list_parse(&bad_words[_i], 1, &l, &e), ERR_CONFIG);
	ck_assert_ptr_nonnull(strstr(e.text, quoted));
}
END_TEST

static Suite *suite(void)
{
	Suite *s = suite_create("address");
	TCase *t = tcase_create("address");
	int n = (int)ARRAY_SIZE(refused);

	tcase_add_loop_test(t, public_addresses_are_allowed_with_https, 0, (int)ARRAY_SIZE(public));
	tcase_add_loop_test(t, all_other_addresses_are_refused_by_a_rule, 0, n);
	tcase_add_loop_test(t, a_listed_name_allows_no_more_than_private_and_loopback_addresses, 0,
		n);
	tcase_add_loop_test(t, a_listed_address_is_allowed_whatever_it_is, 0, n);
	tcase_add_test(t, what_an_address_carries_is_judged_as_well);
	tcase_add_test(t, a_network_has_its_addresses_and_no_others);
	tcase_add_test(t, names_match_whole_and_below_alone);
	tcase_add_test(t, ports_of_other_protocols_need_a_listed_host);
	tcase_add_loop_test(t, other_words_are_refused_by_name, 0, (int)ARRAY_SIZE(bad_words));
	suite_add_tcase(s, t);
	return s;
}

UNIT_MAIN
