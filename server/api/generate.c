/* SPDX-License-Identifier: Apache-2.0 */
/* What is made of the table of routes: the description of the API, for tests, and the table of
 * operations that docs/api.md has. */
#include "server/api/api.h"
#include "server/api/api_openapi_write.h"

#include <stdio.h>
#include <string.h>

#define TEXT_MAX (1u << 20)

int main(int argc, char **argv)
{
	CLEANUP_BUF struct buf text = BUF_INIT(TEXT_MAX);
	bool table = argc == 2 && strcmp(argv[1], "table") == 0;
	struct err e;
	int result;

	if (!table && !(argc == 2 && strcmp(argv[1], "openapi") == 0)) {
		(void)fputs("usage: generate openapi|table\n", stderr);
		return 64;
	}
	result = table ? api_openapi_write_table(api_routes, api_routes_n, &text, &e)
		       : api_openapi_write(api_routes, api_routes_n, &text, &e);
	if (result < 0) {
		(void)fprintf(stderr, "generate: %s\n", e.text);
		return 1;
	}
	(void)fputs(buf_str(&text), stdout);
	return fflush(stdout) != 0;
}
