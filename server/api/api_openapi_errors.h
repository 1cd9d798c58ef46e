/* SPDX-License-Identifier: Apache-2.0 */
/* The errors of an operation, by the table of errors: which there may be, and how they are told. */
#pragma once

#include "common/json/json.h"
#include "common/json/json_write.h"
#include "server/http/req.h"

enum {
	API_OPENAPI_ERRORS_N = 0
#define ERR(code, status, blame, title) + 1
#include "common/base/err.def"
#undef ERR
};

#define API_OPENAPI_ERRORS_NAME 32

enum api_openapi_errors_kind {
	API_OPENAPI_ERRORS_PROBLEM, /* a problem document */
	API_OPENAPI_ERRORS_QUIET,   /* none, unless the path is that of a model.json */
	API_OPENAPI_ERRORS_EMPTY,   /* no body at all */
	API_OPENAPI_ERRORS_KINDS,
};

struct api_openapi_errors {
	bool quiet; /* a path on which errors have no body */
	bool there[API_OPENAPI_ERRORS_N + 1]; /* by code */
	bool empty[API_OPENAPI_ERRORS_N + 1];
};

/* Of which responses there are references. */
struct api_openapi_errors_used {
	bool statuses[API_OPENAPI_ERRORS_KINDS][200]; /* from 400 on */
};

/* Those that follow from what the handler is. */
void api_openapi_errors_init(struct api_openapi_errors *x, const struct handler *h, bool quiet);
/* Add the codes of a list. ERR_INTERNAL for one that there is not. NULL: none. */
int api_openapi_errors_add(struct api_openapi_errors *x, const struct json *codes, struct err *e);
int api_openapi_errors_add_empty(struct api_openapi_errors *x, const struct json *codes,
	struct err *e);

/* A reference for each status. */
void api_openapi_errors_write(const struct api_openapi_errors *x, struct json_write *w,
	struct api_openapi_errors_used *used);
/* The codes as an array. */
void api_openapi_errors_list(const struct api_openapi_errors *x, struct json_write *w,
	const char *key);

/* The name of a response. */
const char *api_openapi_errors_name(enum api_openapi_errors_kind kind, int status,
	char buf[API_OPENAPI_ERRORS_NAME]);
/* `description` of a response. */
void api_openapi_errors_describe(enum api_openapi_errors_kind kind, int status,
	struct json_write *w);
/* The schema of a code. */
void api_openapi_errors_schema(struct json_write *w, const char *key);
