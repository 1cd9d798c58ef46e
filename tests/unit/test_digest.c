/* SPDX-License-Identifier: Apache-2.0 */
#include "common/digest/digest.h"
#include "tests/unit/unit.h"

#define HEX_OF_ABC    "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"
#define BASE64_OF_ABC "ungWv48Bz+pBQUDeXa4iI7ADYaOWF3qctBD/YfIAFa0="
#define HEX_OF_NONE   "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"

static struct digest digest_of_abc(void)
{
	struct digest d;
	struct err e;

	ck_ok(digest_of("abc", 3, &d, &e));
	return d;
}

static void check_hex(const struct digest *d, const char *want)
{
	char hex[DIGEST_HEX + 1];

	ck_assert_str_eq(digest_hex(d, hex), want);
}

START_TEST(known_vectors_are_reproduced)
{
	struct digest d = digest_of_abc();
	struct err e;

	check_hex(&d, HEX_OF_ABC);
	ck_ok(digest_of("", 0, &d, &e));
	check_hex(&d, HEX_OF_NONE);
}
END_TEST

START_TEST(pieces_give_the_digest_of_the_whole_and_finish_starts_anew)
{
	CLEANUP(digest_ctx_free_p) struct digest_ctx *ctx = NULL;
	struct digest d;
	struct err e;

	ck_ok(digest_ctx_new(&ctx, &e));
	ck_ok(digest_ctx_update(ctx, "a", 1, &e));
	ck_ok(digest_ctx_update(ctx, "", 0, &e));
	ck_ok(digest_ctx_update(ctx, "bc", 2, &e));
	ck_ok(digest_ctx_finish(ctx, &d, &e));
	check_hex(&d, HEX_OF_ABC);
	ck_ok(digest_ctx_finish(ctx, &d, &e));
	check_hex(&d, HEX_OF_NONE);
}
END_TEST

START_TEST(hex_is_read_back_and_must_be_64_lower_case_digits)
{
	struct digest d;
	struct digest want = digest_of_abc();

	ck_assert(digest_parse_hex(STR_LIT(HEX_OF_ABC), &d));
	ck_assert(digest_eq(&d, &want));
	d.bytes[31] ^= 1;
	ck_assert(!digest_eq(&d, &want));
	ck_assert(!digest_parse_hex(STR_LIT(HEX_OF_ABC "0"), &d));
	ck_assert(!digest_parse_hex((struct str){HEX_OF_ABC, 63}, &d));
	ck_assert(!digest_parse_hex(STR_LIT(""), &d));
	ck_assert(!digest_parse_hex(
		STR_LIT("Ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"), &d));
	ck_assert(!digest_parse_hex(
		STR_LIT("ga7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"), &d));
}
END_TEST

START_TEST(fields_are_written_as_rfc_9530_says)
{
	struct digest d = digest_of_abc();
	char field[DIGEST_FIELD];

	ck_assert_str_eq(digest_field(&d, field), "sha-256=:" BASE64_OF_ABC ":");
}
END_TEST

static const struct {
	const char *field;
	bool valid;
	bool present;
} fields[] = {
	{"sha-256=:" BASE64_OF_ABC ":", true, true},
	{"sha-512=:AAAA:, sha-256=:" BASE64_OF_ABC ":", true, true},
	{"sha-256=:" BASE64_OF_ABC ":;q=1,md5=:AA==:", true, true},
	{"sha-256=:AAAA:,sha-256=:" BASE64_OF_ABC ":", true, true},
	{"sha-256=:" BASE64_OF_ABC ":,sha-256=:AAAA:", false, true},
	{"sha-256=:" BASE64_OF_ABC, false, true},
	{"sha-256=:" BASE64_OF_ABC ":x", false, true},
	{"sha-256=" BASE64_OF_ABC, false, true},
	{"sha-256=:ungWv48Bz+pBQUDeXa4iI7ADYaOWF3qctBD/YfIAFa1=:", false, true}, /* spare bits */
	{"sha-256=: ngWv48Bz+pBQUDeXa4iI7ADYaOWF3qctBD/YfIAFa0=:", false, true},
	{"sha-256=", false, true},
	{"sha-512=:AAAA:", false, false},
	{"", false, false},
	{",,", false, false},
};

START_TEST(fields_are_read_strictly)
{
	struct digest want = digest_of_abc();
	struct digest d;
	bool present;

	ck_assert(digest_parse_field(str_of(fields[_i].field), &d, &present) == fields[_i].valid);
	ck_assert(present == fields[_i].present);
	if (fields[_i].valid)
		ck_assert(digest_eq(&d, &want));
}
END_TEST

START_TEST(random_hex_has_its_length_and_does_not_repeat)
{
	char a[201];
	char b[201];
	struct err e;

	ck_ok(digest_random_hex(a, 200, &e));
	ck_ok(digest_random_hex(b, 200, &e));
	ck_assert_uint_eq(strlen(a), 200);
	ck_assert_uint_eq(strspn(a, "0123456789abcdef"), 200);
	ck_assert_str_ne(a, b);
	ck_assert_int_ne(memcmp(a, a + 64, 64), 0);
}
END_TEST

static Suite *suite(void)
{
	Suite *s = suite_create("digest");
	TCase *t = tcase_create("digest");

	tcase_add_test(t, known_vectors_are_reproduced);
	tcase_add_test(t, pieces_give_the_digest_of_the_whole_and_finish_starts_anew);
	tcase_add_test(t, hex_is_read_back_and_must_be_64_lower_case_digits);
	tcase_add_test(t, fields_are_written_as_rfc_9530_says);
	tcase_add_loop_test(t, fields_are_read_strictly, 0, ARRAY_SIZE(fields));
	tcase_add_test(t, random_hex_has_its_length_and_does_not_repeat);
	suite_add_tcase(s, t);
	return s;
}

UNIT_MAIN
