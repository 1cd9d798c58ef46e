/* SPDX-License-Identifier: Apache-2.0 */
/* A route as OpenAPI has it. Pure. */
#pragma once

#include "common/base/buf.h"
#include "common/base/str.h"

struct api_openapi_route_method {
	unsigned bit;     /* of enum router_methods */
	const char *name; /* "GET" */
	const char *key;  /* of an operation in OpenAPI */
};

#define API_OPENAPI_ROUTE_METHODS 5
extern const struct api_openapi_route_method
	api_openapi_route_methods[API_OPENAPI_ROUTE_METHODS];

struct api_openapi_route_segment {
	struct str capture; /* its name; n == 0: there is none */
	char mark;          /* '+', '@', '*' or NUL: router.h says what they are */
	struct str literal; /* the segment, or what is glued to the capture */
};

/* The next segment of a pattern, of which `*rest` is what is left without its leading slash. False:
 * there is none. */
bool api_openapi_route_next(struct str *rest, struct api_openapi_route_segment *ret);
/* Appends the path template of a pattern. A capture with '@' is told apart into the two that it is
 * made of: "{name}@{revision}". */
void api_openapi_route_template(const char *pattern, struct buf *out);
