/* SPDX-License-Identifier: Apache-2.0 */
#include "common/json/json_number.h"
#include "common/json/json_mistake.h"

#define EXPONENT_MAX INT64_C(1000000000000) /* beyond this only the sign matters */
#define DOUBLE_EXP10 308                    /* decimal exponent of the largest double */

/* 2^1024 - 2^970: halfway between the largest double and the one that would follow. Round half
 * to even makes this and everything above it infinity. */
static const char first_infinite[] =
	"17976931348623158079372897140530341507993413271003782693617377898044496829276475"
	"09466490179775872070963302864166928879109465555478519404026306574886715058206819"
	"08902000708383676273854845817711531764475730270069855571366959622842914819860834"
	"936475292719074168444365510704342711559699508093042880177904174497792";

struct number {
	struct str whole;    /* digits before the point */
	struct str fraction; /* digits behind it */
	int64_t exponent;
};

static bool is_digit_at(struct str text, size_t at)
{
	return at < text.n && str_is_digit(text.p[at]);
}

static struct str digits_at(struct str text, size_t at)
{
	size_t n = 0;

	while (is_digit_at(text, at + n))
		n++;
	return (struct str){text.p + at, n};
}

static int scan_whole(struct str text, size_t *at, struct number *num, struct err *e)
{
	size_t start = *at;

	if (text.p[start] == '-')
		start++;
	num->whole = digits_at(text, start);
	if (num->whole.n == 0 && start < text.n && (text.p[start] == 'N' || text.p[start] == 'I' ||
			text.p[start] == 'n' || text.p[start] == 'i'))
		return json_mistake_word(text, *at, e);
	if (num->whole.n == 0)
		return json_mistake_at(text, start, e, "a number needs a digit behind its '-'");
	if (num->whole.n > 1 && *num->whole.p == '0')
		return json_mistake_at(text, start, e, "a number must not begin with 0");
	if (num->whole.n == 1 && *num->whole.p == '0' && start + 1 < text.n &&
		(text.p[start + 1] == 'x' || text.p[start + 1] == 'X'))
		return json_mistake_at(text, start, e, "hexadecimal numbers are not JSON");
	*at = start + num->whole.n;
	return 0;
}

static int scan_fraction(struct str text, size_t *at, struct number *num, struct err *e)
{
	if (*at >= text.n || text.p[*at] != '.')
		return 0;
	num->fraction = digits_at(text, *at + 1);
	if (num->fraction.n == 0)
		return json_mistake_at(text, *at, e,
			"a number needs a digit behind its decimal point");
	*at += 1 + num->fraction.n;
	return 0;
}

static int scan_exponent(struct str text, size_t *at, struct number *num, struct err *e)
{
	bool negative = false;
	size_t start = *at + 1;
	struct str digits;

	if (*at >= text.n || (text.p[*at] != 'e' && text.p[*at] != 'E'))
		return 0;
	if (start < text.n && (text.p[start] == '+' || text.p[start] == '-'))
		negative = text.p[start++] == '-';
	digits = digits_at(text, start);
	if (digits.n == 0)
		return json_mistake_at(text, *at, e, "a number needs a digit in its exponent");
	for (size_t i = 0; i < digits.n && num->exponent < EXPONENT_MAX; i++)
		num->exponent = num->exponent * 10 + (digits.p[i] - '0');
	if (negative)
		num->exponent = -num->exponent;
	*at = start + digits.n;
	return 0;
}

static char digit_of(const struct number *num, size_t i)
{
	return i < num->whole.n ? num->whole.p[i] : num->fraction.p[i - num->whole.n];
}

static bool is_infinite(const struct number *num)
{
	size_t n = num->whole.n + num->fraction.n, first = 0;
	int64_t exponent;

	while (first < n && digit_of(num, first) == '0')
		first++;
	if (first == n)
		return false;
	exponent = num->exponent + (int64_t)num->whole.n - 1 - (int64_t)first;
	if (exponent != DOUBLE_EXP10)
		return exponent > DOUBLE_EXP10;
	for (size_t i = 0; i < sizeof(first_infinite) - 1; i++) {
		char digit = first + i < n ? digit_of(num, first + i) : '0';
		if (digit != first_infinite[i])
			return digit > first_infinite[i];
	}
	return true;
}

int json_number_scan(struct str text, size_t at, bool keep, size_t *ret_end, bool *ret_infinite,
	struct err *e)
{
	struct number num = {.exponent = 0};
	size_t end = at;
	int r;

	r = scan_whole(text, &end, &num, e);
	if (r == 0)
		r = scan_fraction(text, &end, &num, e);
	if (r == 0)
		r = scan_exponent(text, &end, &num, e);
	if (r < 0)
		return r;
	*ret_infinite = (num.exponent > 0 || num.whole.n > DOUBLE_EXP10) && is_infinite(&num);
	if (*ret_infinite && !keep)
		return json_mistake_at(text, at, e, "the number is too large for a double");
	*ret_end = end;
	return 0;
}
