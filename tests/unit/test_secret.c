/* SPDX-License-Identifier: Apache-2.0 */
#include "common/digest/secret.h"
#include "tests/unit/unit.h"

#include <setjmp.h>
#include <signal.h>
#include <sys/mman.h>
#include <unistd.h>

START_TEST(random_bytes_do_not_repeat)
{
	uint8_t a[SECRET_BYTES] = {0}, b[SECRET_BYTES] = {0};
	struct err e;

	ck_ok(secret_random(a, sizeof(a), &e));
	ck_ok(secret_random(b, sizeof(b), &e));
	ck_assert(!secret_eq(a, b, sizeof(a)));
	ck_assert(secret_eq(a, a, sizeof(a)));
}
END_TEST

START_TEST(a_difference_in_any_bit_is_seen)
{
	uint8_t a[SECRET_BYTES] = {0}, b[SECRET_BYTES] = {0};

	for (size_t i = 0; i < 8 * sizeof(a); i++) {
		b[i / 8] = (uint8_t)(1u << i % 8);
		ck_assert(!secret_eq(a, b, sizeof(a)));
		b[i / 8] = 0;
	}
}
END_TEST

static sigjmp_buf beyond;

static void jump(int number)
{
	(void)number;
	siglongjmp(beyond, 1);
}

/* Whoever measures how long it takes learns nothing of where the first difference is: behind one in
 * the first byte the last page is read all the same, which nobody may read. */
START_TEST(all_bytes_are_read_whatever_differs)
{
	const struct sigaction act = {.sa_handler = jump, .sa_flags = SA_NODEFER};
	size_t page = (size_t)sysconf(_SC_PAGESIZE);
	uint8_t *a = mmap(NULL, 2 * page, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1,
		0);
	struct sigaction was;
	volatile bool compared = false;
	uint8_t *b = calloc(2, page);

	ck_assert_ptr_ne(a, MAP_FAILED);
	ck_assert_ptr_nonnull(b);
	a[0] = 1;
	ck_assert_int_eq(mprotect(a + page, page, PROT_NONE), 0);
	ck_assert_int_eq(sigaction(SIGSEGV, &act, &was), 0);
	if (sigsetjmp(beyond, 1) == 0)
		compared = !secret_eq(a, b, 2 * page);
	ck_assert_int_eq(sigaction(SIGSEGV, &was, NULL), 0);
	ck_assert(!compared);
	free(b);
	munmap(a, 2 * page);
}
END_TEST

#define HMAC_HI_THERE "198a607eb44bfbc69903a0f1cf2bbdc5ba0aa3f3d9ae3c1c7a3b1696a0b68cf7"

/* RFC 4231 has no key of 32 bytes; this one is of Python's hmac module. */
START_TEST(macs_are_those_of_rfc_2104)
{
	uint8_t key[SECRET_BYTES];
	char hex[DIGEST_HEX + 1];
	struct digest d;
	struct err e;

	memset(key, 0x0b, sizeof(key));
	ck_ok(secret_mac(key, "Hi There", 8, &d, &e));
	ck_assert_str_eq(digest_hex(&d, hex), HMAC_HI_THERE);
}
END_TEST

static const struct {
	const char *bytes;
	const char *text;
} pairs[] = {{"", ""}, {"f", "Zg"}, {"fo", "Zm8"}, {"foo", "Zm9v"}, {"foob", "Zm9vYg"},
	{"fooba", "Zm9vYmE"}, {"foobar", "Zm9vYmFy"}, {"\xfb\xff\xbf", "-_-_"}};

START_TEST(base64url_is_written_and_read_back)
{
	CLEANUP_BUF struct buf text = BUF_INIT(64);
	char back[16];
	size_t n;

	secret_write(pairs[_i].bytes, strlen(pairs[_i].bytes), &text);
	ck_assert_str_eq(buf_str(&text), pairs[_i].text);
	ck_assert(secret_read(str_of(pairs[_i].text), back, sizeof(back), &n));
	ck_assert_uint_eq(n, strlen(pairs[_i].bytes));
	ck_assert_int_eq(memcmp(back, pairs[_i].bytes, n), 0);
}
END_TEST

START_TEST(text_that_would_not_be_written_is_not_read)
{
	static const char *const wrong[] = {"Z", "Zh", "Zm9", "Zg==", "Zm9v ", "Zm+v", "Zm/v",
		"Zm9vY", "Zm9v.mFy", "\n"};
	char back[16];
	size_t n;

	for (size_t i = 0; i < ARRAY_SIZE(wrong); i++)
		ck_assert_msg(!secret_read(str_of(wrong[i]), back, sizeof(back), &n), "%s",
			wrong[i]);
	ck_assert(!secret_read((struct str){"Zg\0", 3}, back, sizeof(back), &n));
	ck_assert(!secret_read(STR_LIT("Zm9vYmFy"), back, 5, &n));
}
END_TEST

START_TEST(wiped_bytes_are_gone)
{
	char secret[] = "secret";

	secret_wipe(secret, sizeof(secret));
	for (size_t i = 0; i < sizeof(secret); i++)
		ck_assert_int_eq(secret[i], 0);
}
END_TEST

static Suite *suite(void)
{
	Suite *s = suite_create("secret");
	TCase *t = tcase_create("secret");

	tcase_add_test(t, random_bytes_do_not_repeat);
	tcase_add_test(t, a_difference_in_any_bit_is_seen);
	tcase_add_test(t, all_bytes_are_read_whatever_differs);
	tcase_add_test(t, macs_are_those_of_rfc_2104);
	tcase_add_loop_test(t, base64url_is_written_and_read_back, 0, ARRAY_SIZE(pairs));
	tcase_add_test(t, text_that_would_not_be_written_is_not_read);
	tcase_add_test(t, wiped_bytes_are_gone);
	suite_add_tcase(s, t);
	return s;
}

UNIT_MAIN
