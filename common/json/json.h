/* SPDX-License-Identifier: Apache-2.0 */
/* JSON documents, read strictly. The only code that sees cJSON is json.c.
 *
 * What is accepted is a subset of what JavaScript's JSON.parse takes from a decoded body: RFC 8259
 * grammar, well-formed UTF-8, one leading BOM allowed, nothing behind the value. Refused as well:
 * duplicate keys (JavaScript keeps the last, cJSON finds the first), U+0000 and lone surrogates in
 * strings, numbers that overflow to infinity, and whatever passes the limits. Every refusal is
 * ERR_BAD_JSON (or ERR_TOO_LARGE) and names line and column, both from 1, columns in bytes.
 *
 * Pure: no I/O, may be called from any thread. Parsing 20 MB takes about 0.1 s: use a worker.
 */
#pragma once

#include "common/base/err.h"

#include <stddef.h>
#include <stdint.h>

struct json_limits {
	size_t max_bytes;
	size_t max_values;  /* objects, arrays, members and elements together: bounds the heap */
	unsigned max_depth; /* of nesting */
};

/* What a model.json may take (2 million values are about 180 MB of heap), and what a request to
 * the API may; the limits that other callers use are their own. More than 1000 levels are never
 * read into a tree. */
#define JSON_LIMITS_MODEL ((struct json_limits){32u << 20, 2000000, 512})
#define JSON_LIMITS_SMALL ((struct json_limits){64u << 10, 10000, 32})

struct json_doc; /* owns a tree */
struct json;     /* one value in it; lives as long as the document */

enum json_type {
	JSON_NULL,
	JSON_FALSE,
	JSON_TRUE,
	JSON_NUMBER,
	JSON_STRING,
	JSON_ARRAY,
	JSON_OBJECT,
};

/* Parse `n` bytes, which need no terminator. The caller frees *ret with json_doc_free(). */
int json_parse(const char *bytes, size_t n, const struct json_limits *limits,
	struct json_doc **ret, struct err *e);
void json_doc_free(struct json_doc *doc);
DEFINE_CLEANUP(struct json_doc, json_doc_free)

const struct json *json_root(const struct json_doc *doc);

/* Every getter accepts a NULL value and answers "absent" for it. */
enum json_type json_type(const struct json *v); /* JSON_NULL for a NULL pointer */
const char *json_type_name(enum json_type type); /* "object", "array", ... for messages */
static inline bool json_is(const struct json *v, enum json_type type)
{
	return v && json_type(v) == type;
}

/* Member by exact key; NULL when `object` is no object or lacks it. A walk: do not call it in a
 * loop over a wide object, use json_first()/json_next() there. */
const struct json *json_get(const struct json *object, const char *key);
/* The same, but a member that is JSON null counts as absent. */
const struct json *json_get_set(const struct json *object, const char *key);

/* Members of an object or elements of an array, in order; NULL at the end. */
const struct json *json_first(const struct json *container);
const struct json *json_next(const struct json *v);
size_t json_count(const struct json *container); /* a walk */
const char *json_key(const struct json *member); /* NULL for elements of arrays */

const char *json_str(const struct json *v); /* NULL unless a string */
bool json_bool(const struct json *v, bool *ret);
bool json_double(const struct json *v, double *ret);
/* A number that is a whole one between 0 and `max` (at most NUM_SAFE_INTEGER_MAX). */
bool json_uint(const struct json *v, uint64_t max, uint64_t *ret);
