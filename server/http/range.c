/* SPDX-License-Identifier: Apache-2.0 */
#include "server/http/range.h"
#include "common/base/num.h"
#include "common/base/str.h"

/* A number too large to be held is beyond the end of everything. */
static bool parse_position(struct str s, uint64_t *ret)
{
	for (size_t i = 0; i < s.n; i++)
		if (!str_is_digit(s.p[i]))
			return false;
	if (!num_parse(s.p, s.n, UINT64_MAX, ret))
		*ret = UINT64_MAX;
	return s.n > 0;
}

/* The one element of the list; empty ones do not count (RFC 9110 5.6.1.2). */
static bool single_element(struct str list, struct str *ret)
{
	struct str element;
	size_t count = 0;

	while (str_split(&list, ',', &element)) {
		element = str_trim(element);
		if (element.n == 0)
			continue;
		*ret = element;
		count++;
	}
	return count == 1;
}

/* "-500": the last so many bytes (RFC 9110 14.1.2). */
static enum range_answer take_suffix(uint64_t suffix, uint64_t size, uint64_t *ret_start,
	uint64_t *ret_length)
{
	if (suffix == 0)
		return RANGE_UNSATISFIABLE;
	if (size == 0)
		return RANGE_WHOLE; /* satisfiable, but Content-Range cannot say "no bytes" */
	*ret_length = suffix < size ? suffix : size;
	*ret_start = size - *ret_length;
	return RANGE_PART;
}

static enum range_answer take_from(uint64_t first, uint64_t last, uint64_t size,
	uint64_t *ret_start, uint64_t *ret_length)
{
	if (first >= size)
		return RANGE_UNSATISFIABLE;
	if (last >= size)
		last = size - 1;
	*ret_start = first;
	*ret_length = last - first + 1;
	return RANGE_PART;
}

enum range_answer range_parse(const char *header, uint64_t size, uint64_t *ret_start,
	uint64_t *ret_length)
{
	struct str rest, unit, element, before;
	uint64_t first, last = UINT64_MAX;

	if (!header)
		return RANGE_WHOLE;
	rest = str_trim(str_of(header));
	if (!str_split(&rest, '=', &unit) || !str_eq_nocase(unit, "bytes"))
		return RANGE_WHOLE;
	if (!single_element(rest, &element) || !str_split(&element, '-', &before) || !element.p)
		return RANGE_WHOLE;
	if (element.n > 0 && !parse_position(element, &last))
		return RANGE_WHOLE;
	if (before.n == 0)
		return element.n > 0 ? take_suffix(last, size, ret_start, ret_length) : RANGE_WHOLE;
	if (!parse_position(before, &first) || first > last)
		return RANGE_WHOLE;
	return take_from(first, last, size, ret_start, ret_length);
}
