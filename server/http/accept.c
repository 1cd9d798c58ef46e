/* SPDX-License-Identifier: Apache-2.0 */
#include "server/http/accept.h"
#include <strings.h>

bool accept_weight(struct str s, int *ret)
{
	int weight = 0, unit = ACCEPT_WEIGHT_MAX;

	if (s.n == 0 || s.n > 5 || (s.p[0] != '0' && s.p[0] != '1') || (s.n > 1 && s.p[1] != '.'))
		return false;
	for (size_t i = 0; i < s.n; i++) {
		if (i == 1)
			continue;
		if (!str_is_digit(s.p[i]))
			return false;
		weight += (s.p[i] - '0') * unit;
		unit /= 10;
	}
	*ret = weight;
	return weight <= ACCEPT_WEIGHT_MAX;
}

/* media-range *( OWS ";" OWS parameter ), one of which may be q. */
static bool parse_member(struct str member, struct str *ret_range, int *ret_weight)
{
	struct str part;

	*ret_weight = ACCEPT_WEIGHT_MAX;
	if (!str_split(&member, ';', &part))
		return false;
	*ret_range = str_trim(part);
	while (str_split(&member, ';', &part)) {
		part = str_trim(part);
		if (part.n >= 2 && str_to_lower(part.p[0]) == 'q' && part.p[1] == '=')
			return accept_weight((struct str){part.p + 2, part.n - 2}, ret_weight);
	}
	return true;
}

/* All subtypes of the type of `type`. */
static bool is_range_of(struct str range, const char *type)
{
	size_t slash = strcspn(type, "/");

	return range.n == slash + 2 && range.p[slash + 1] == '*' &&
		strncasecmp(range.p, type, slash + 1) == 0;
}

/* How closely a range names the type: 3 as it is, 0 not at all. */
static int closeness(struct str range, const char *type)
{
	if (str_eq_nocase(range, type))
		return 3;
	if (is_range_of(range, type))
		return 2;
	return str_eq_c(range, "*/*") ? 1 : 0;
}

/* The weight of the range that names the type most closely, 0 where none does. */
static int weight_of(struct str list, const char *type, int *ret_closeness)
{
	struct str member, range;
	int found = 0, weight;

	*ret_closeness = 0;
	while (str_split(&list, ',', &member)) {
		int close = parse_member(member, &range, &weight) ? closeness(range, type) : 0;
		if (close <= *ret_closeness)
			continue;
		*ret_closeness = close;
		found = weight;
	}
	return found;
}

bool accept_asks(const char *accept, const char *type, const char *usual)
{
	int close, ignored;

	if (!accept)
		return false;
	int weight = weight_of(str_of(accept), type, &close);
	return close == 3 && weight > 0 && weight >= weight_of(str_of(accept), usual, &ignored);
}
