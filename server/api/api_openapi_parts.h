/* SPDX-License-Identifier: Apache-2.0 */
/* The texts and schemas of openapi/, which are compiled in. */
#pragma once

#include "common/json/json.h"
#include "common/json/json_write.h"

/* Roots and members of three documents, which it owns. */
struct api_openapi_parts {
	struct json_doc *docs[3];
	const struct json *about;
	const struct json *traits;
	const struct json *operations;
	const struct json *components;
};

/* *ret needs done() in every case. */
int api_openapi_parts_read(struct api_openapi_parts *ret, struct err *e);
void api_openapi_parts_done(struct api_openapi_parts *p);

/* What is said of the operation with this method ("GET") and pattern of a route. ERR_INTERNAL:
 * nothing. */
int api_openapi_parts_operation(const struct api_openapi_parts *p, const char *method,
	const char *pattern, const struct json **ret, struct err *e);

/* Writes a value as it is; nothing for NULL. */
void api_openapi_parts_copy(struct json_write *w, const char *key, const struct json *v);
