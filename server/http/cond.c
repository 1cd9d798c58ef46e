/* SPDX-License-Identifier: Apache-2.0 */
#include "server/http/cond.h"
#include "common/base/clock.h"
#include "common/base/str.h"

enum comparison { STRONG, WEAK }; /* RFC 9110 8.8.3.2 */

/* Cuts an entity-tag (8.8.3) off; *ret is its quoted part. */
static bool cut_tag(struct str *rest, struct str *ret, bool *ret_is_weak)
{
	size_t n = 1;

	*ret_is_weak = str_starts(*rest, "W/");
	if (*ret_is_weak) {
		rest->p += 2;
		rest->n -= 2;
	}
	if (!str_starts(*rest, "\""))
		return false;
	while (n < rest->n && rest->p[n] != '"' && (uint8_t)rest->p[n] > 0x20 && rest->p[n] != 0x7F)
		n++;
	if (n == rest->n || rest->p[n] != '"')
		return false;
	*ret = (struct str){rest->p, n + 1};
	rest->p += n + 1;
	rest->n -= n + 1;
	return true;
}

/* Cuts blanks and commas off; false when there was no comma. */
static bool cut_separator(struct str *rest)
{
	bool has_comma = false;

	while (rest->n > 0 && strchr(", \t", rest->p[0])) {
		has_comma |= rest->p[0] == ',';
		rest->p++;
		rest->n--;
	}
	return has_comma;
}

static bool exists(const struct cond_current *now)
{
	return now->etag || now->modified_ms > 0;
}

/* Is the current tag in the list? A malformed list holds nothing. */
static bool list_matches(const char *header, const struct cond_current *now, enum comparison how)
{
	struct str rest = str_of(header), tag;
	bool is_weak, found = false, may_follow = true;

	if (str_eq_c(str_trim(rest), "*"))
		return exists(now);
	(void)cut_separator(&rest);
	while (rest.n > 0) {
		if (!may_follow || !cut_tag(&rest, &tag, &is_weak))
			return false;
		may_follow = cut_separator(&rest);
		found |= now->etag && str_eq_c(tag, now->etag) && (how == WEAK || !is_weak);
	}
	return found;
}

/* The date of a header in seconds; false when it is absent or malformed, or there is nothing to
 * compare it with: such a condition is ignored (13.1.3, 13.1.4). */
static bool read_date(const char *header, const struct cond_current *now, uint64_t *ret_s)
{
	uint64_t ms;

	if (!header || now->modified_ms == 0 || !clock_parse_http_date(header, &ms))
		return false;
	*ret_s = ms / 1000;
	return true;
}

enum cond_answer cond_judge(const struct cond_request *r, const struct cond_current *now)
{
	uint64_t modified_s = now->modified_ms / 1000, date_s;

	if (r->if_match) {
		if (!list_matches(r->if_match, now, STRONG))
			return COND_FAILED;
	} else if (read_date(r->if_unmodified_since, now, &date_s) && modified_s > date_s) {
		return COND_FAILED;
	}
	if (r->if_none_match) {
		if (list_matches(r->if_none_match, now, WEAK))
			return r->is_get_or_head ? COND_NOT_MODIFIED : COND_FAILED;
	} else if (r->is_get_or_head && read_date(r->if_modified_since, now, &date_s) &&
		modified_s <= date_s) {
		return COND_NOT_MODIFIED;
	}
	return COND_PROCEED;
}

bool cond_range_applies(const struct cond_request *r, const struct cond_current *now)
{
	uint64_t date_s;
	struct str value, tag;
	bool is_weak;

	if (!r->if_range)
		return true;
	value = str_trim(str_of(r->if_range));
	if (cut_tag(&value, &tag, &is_weak))
		return value.n == 0 && !is_weak && now->etag && str_eq_c(tag, now->etag);
	return read_date(r->if_range, now, &date_s) && date_s == now->modified_ms / 1000;
}
