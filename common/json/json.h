/* SPDX-License-Identifier: Apache-2.0 */
/* JSON documents, read strictly. The only code that sees cJSON is json.c.
 *
 * What is accepted is a subset of what JavaScript's JSON.parse takes from a decoded body: RFC 8259
 * grammar, well-formed UTF-8, one leading BOM allowed, nothing behind the value. Refused as well:
 * duplicate keys (JavaScript keeps the last, cJSON finds the first) and whatever passes the limits.
 * Every refusal is ERR_BAD_JSON (or ERR_TOO_LARGE) and names line and column, both from 1, columns
 * in bytes.
 *
 * Unreadable values are those that JSON.parse makes and C has no form for: strings and keys with an
 * escape for U+0000, where a C string ends, or for half a surrogate pair, which UTF-8 cannot spell;
 * and numbers that overflow to infinity. They are refused as well, unless the limits keep them,
 * which is for text that a browser will read as it came: there they do no harm where nobody looks,
 * in user-defined metadata for one. A kept value has its place and type in the tree. Whoever asks
 * what it says gets a stand-in that equals no readable text, and that somebody asked is noted:
 * json_check_read() refuses the document then. So nothing is ever decided, shown or written on
 * the strength of a text that the browser reads differently. A key that is unreadable is found by
 * no json_get(); but being compared is not being read.
 *
 * Pure: no I/O. Different documents may be used in different threads; one document in one at a
 * time. Parsing 20 MB takes about 0.1 s: use a worker.
 */
#pragma once

#include "common/base/err.h"

#include <stddef.h>
#include <stdint.h>

struct json_limits {
	size_t max_bytes;
	size_t max_values;  /* objects, arrays, members and elements together: bounds the heap */
	unsigned max_depth; /* of nesting */
	bool keep_unreadable;
};

/* What a model.json may take (2 million values are about 180 MB of heap), and what a request to
 * the API may; the limits that other callers use are their own. More than 1000 levels are never
 * read into a tree. */
#define JSON_LIMITS_MODEL ((struct json_limits){32u << 20, 2000000, 512, true})
#define JSON_LIMITS_SMALL ((struct json_limits){64u << 10, 10000, 32, false})

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

/* Refuses a document of which an unreadable value was read, with the place of the first such one.
 * `bytes` are those that were parsed. To be called when all that is to be read has been. */
int json_check_read(const struct json_doc *doc, const char *bytes, size_t n, struct err *e);

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
/* The same, to compare with and for nothing else: does not count as reading. */
const char *json_key_to_compare(const struct json *member);

const char *json_str(const struct json *v); /* NULL unless a string */
/* NULL as well for an unreadable one: for texts that may be left out, this does not count as
 * reading. */
const char *json_str_if_readable(const struct json *v);
/* Whether it is just this text; being compared is not being read. */
bool json_str_is(const struct json *v, const char *text);
bool json_bool(const struct json *v, bool *ret);
bool json_double(const struct json *v, double *ret);
/* A number that is a whole one between 0 and `max` (at most NUM_SAFE_INTEGER_MAX). */
bool json_uint(const struct json *v, uint64_t max, uint64_t *ret);
