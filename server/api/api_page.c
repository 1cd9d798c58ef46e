/* SPDX-License-Identifier: Apache-2.0 */
#include "server/api/api_page.h"
#include "common/base/num.h"

int api_page_parameter(struct req *r, const char *key, struct buf *out, struct err *e)
{
	if (req_query(r, key, out))
		return 1;
	return req_query_has(r, key)
		? err_set(e, ERR_BAD_PARAMETER, "%s is not well percent-encoded", key)
		: 0;
}

int api_page_limit(struct req *r, size_t fallback, size_t *ret, struct err *e)
{
	CLEANUP_BUF struct buf text = BUF_INIT(32);
	uint64_t limit;
	int there = api_page_parameter(r, "limit", &text, e);

	*ret = fallback;
	if (there <= 0)
		return there;
	if (!num_parse(buf_str(&text), text.len, API_PAGE_MAX, &limit) || limit == 0)
		return err_set(e, ERR_BAD_PARAMETER, "limit is a number from 1 to %d, not \"%s\"",
			API_PAGE_MAX, buf_str(&text));
	*ret = (size_t)limit;
	return 0;
}

int api_page_below(struct req *r, uint64_t *ret, struct err *e)
{
	CLEANUP_BUF struct buf text = BUF_INIT(32);
	int there = api_page_parameter(r, "page_token", &text, e);

	*ret = 0;
	if (there <= 0)
		return there;
	if (!num_parse(buf_str(&text), text.len, NUM_SAFE_INTEGER_MAX, ret) || *ret == 0)
		return err_set(e, ERR_BAD_PARAMETER,
			"page_token is what next_page_token said, not \"%s\"", buf_str(&text));
	return 0;
}

void api_page_link(struct buf *out, const char *path, size_t limit, const char *token,
	const char *const *filters)
{
	buf_add_char(out, '<');
	str_percent_encode_path(str_of(path), out);
	buf_addf(out, "?limit=%zu&page_token=", limit);
	str_percent_encode_path(str_of(token), out);
	for (size_t i = 0; filters[i]; i += 2) {
		if (!*filters[i + 1])
			continue;
		buf_addf(out, "&%s=", filters[i]);
		str_percent_encode_path(str_of(filters[i + 1]), out);
	}
	buf_add_str(out, ">; rel=\"next\"");
}
