/* SPDX-License-Identifier: Apache-2.0 */
#include "server/api/api_openapi_table.h"
#include "server/api/api_openapi_errors.h"
#include "server/api/api_openapi_parts.h"
#include "server/api/api_openapi_route.h"

static void add_scopes(const struct handler *h, struct buf *out)
{
	const char *separator = "";

	for (unsigned bit = SCOPE_READ; bit <= SCOPE_ADMIN; bit <<= 1) {
		if (!(h->scope & bit))
			continue;
		buf_addf(out, "%s%s", separator, grants_scope_name((enum scope)bit));
		separator = " or ";
	}
	if (!h->scope)
		buf_add_char(out, '-');
}

static int add_row(const struct api_openapi_parts *parts, const struct router_row *row,
	const struct api_openapi_route_method *method, struct buf *out, struct err *e)
{
	const struct json *text;
	int result = api_openapi_parts_operation(parts, method->name, row->pattern, &text, e);

	if (result < 0)
		return result;
	buf_addf(out, "| `%s` | `", method->name);
	api_openapi_route_template(row->pattern, out);
	buf_add_str(out, "` | ");
	add_scopes(row->target, out);
	buf_addf(out, " | %s |\n", json_str(json_get(text, "summary")));
	return 0;
}

int api_openapi_table_operations(const struct router_row *rows, size_t n, struct buf *out,
	struct err *e)
{
	CLEANUP(api_openapi_parts_done) struct api_openapi_parts parts;
	int result = api_openapi_parts_read(&parts, e);

	buf_add_str(out, "| method | path | scope | what it does |\n|---|---|---|---|\n");
	for (size_t i = 0; i < n; i++)
		for (size_t k = 0; result == 0 && k < API_OPENAPI_ROUTE_METHODS; k++)
			if (rows[i].methods & api_openapi_route_methods[k].bit)
				result = add_row(&parts, &rows[i], &api_openapi_route_methods[k],
					out, e);
	return result < 0 ? result : buf_check(out, "the table of operations", e);
}

int api_openapi_table_errors(struct buf *out, struct err *e)
{
	buf_add_str(out, "| status | code | title |\n|---|---|---|\n");
	for (int status = 400; status < 600; status++)
		for (int i = 1; i <= API_OPENAPI_ERRORS_N; i++)
			if (err_status((enum err_code)i) == status)
				buf_addf(out, "| %d | `%s` | %s |\n", status,
					err_name((enum err_code)i), err_title((enum err_code)i));
	return buf_check(out, "the table of errors", e);
}
