/* SPDX-License-Identifier: Apache-2.0 */
#include "server/api/api_openapi_route.h"
#include "server/http/router.h"

const struct api_openapi_route_method api_openapi_route_methods[] = {
	{METHOD_GET,    "GET",    "get"   },
	{METHOD_PUT,    "PUT",    "put"   },
	{METHOD_POST,   "POST",   "post"  },
	{METHOD_PATCH,  "PATCH",  "patch" },
	{METHOD_DELETE, "DELETE", "delete"},
};

bool api_openapi_route_next(struct str *rest, struct api_openapi_route_segment *ret)
{
	struct str text;
	const char *close;

	if (!str_split(rest, '/', &text))
		return false;
	*ret = (struct api_openapi_route_segment){.literal = text};
	close = memchr(text.p, '}', text.n);
	if (!str_starts(text, "{") || !close)
		return true;
	ret->capture = (struct str){text.p + 1, (size_t)(close - text.p - 1)};
	ret->literal = (struct str){close + 1, text.n - ret->capture.n - 2};
	if (strchr("+@*", close[-1])) {
		ret->mark = close[-1];
		ret->capture.n--;
	}
	return true;
}

void api_openapi_route_template(const char *pattern, struct buf *out)
{
	struct str rest = str_of(pattern + 1);
	struct api_openapi_route_segment s;

	while (api_openapi_route_next(&rest, &s)) {
		buf_add_char(out, '/');
		if (s.mark == '@')
			buf_add_str(out, "{name}@{revision}");
		else if (s.capture.n > 0)
			buf_addf(out, "{" STR_FMT "}", STR_ARG(s.capture));
		buf_add(out, s.literal.p, s.literal.n);
	}
}
