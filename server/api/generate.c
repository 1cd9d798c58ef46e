/* SPDX-License-Identifier: Apache-2.0 */
/* What is made of the table of routes: the description of the API, for tests, and the tables
 * of docs/api.md. */
#include "server/api/api.h"
#include "server/api/api_openapi_table.h"
#include "server/api/api_openapi_write.h"

#include <stdio.h>
#include <string.h>

#define TEXT_MAX (1u << 20)

static int write_errors(const struct router_row *rows, size_t n, struct buf *out, struct err *e)
{
	(void)rows;
	(void)n;
	return api_openapi_table_errors(out, e);
}

int main(int argc, char **argv)
{
	static const struct {
		const char *name;
		int (*write)(const struct router_row *rows, size_t n, struct buf *out,
			struct err *e);
	} what[] = {
		{"openapi", api_openapi_write},
		{"operations", api_openapi_table_operations},
		{"errors", write_errors},
	};
	CLEANUP_BUF struct buf text = BUF_INIT(TEXT_MAX);
	struct err e;

	for (size_t i = 0; argc == 2 && i < ARRAY_SIZE(what); i++) {
		if (strcmp(argv[1], what[i].name) != 0)
			continue;
		if (what[i].write(api_routes, api_routes_n, &text, &e) == 0)
			return fputs(buf_str(&text), stdout) < 0 || fflush(stdout) != 0;
		(void)fprintf(stderr, "generate: %s\n", e.text);
		return 1;
	}
	(void)fputs("usage: generate openapi|operations|errors\n", stderr);
	return 64;
}
