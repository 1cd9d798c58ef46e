/* SPDX-License-Identifier: Apache-2.0 */
/* A JSON writer into a bounded buffer: commas, quotes and escapes are its business.
 *
 * Calls nest as the text does. A NULL `key` writes an element; a non-NULL one a member. Failure
 * sticks in the buffer (buf_check() at the end). Strings must be UTF-8; other bytes become U+FFFD.
 */
#pragma once

#include "common/base/buf.h"

#define JSON_WRITE_DEPTH 32

struct json_write {
	struct buf *out;
	unsigned depth;
	bool has_items[JSON_WRITE_DEPTH];
};

void json_write_init(struct json_write *w, struct buf *out);

void json_write_object(struct json_write *w, const char *key);
void json_write_object_end(struct json_write *w);
void json_write_array(struct json_write *w, const char *key);
void json_write_array_end(struct json_write *w);

void json_write_str(struct json_write *w, const char *key, const char *value); /* NULL: null */
void json_write_uint(struct json_write *w, const char *key, uint64_t value);
void json_write_int(struct json_write *w, const char *key, int64_t value);
void json_write_double(struct json_write *w, const char *key, double value); /* not finite: null */
void json_write_bool(struct json_write *w, const char *key, bool value);
void json_write_null(struct json_write *w, const char *key);
/* Text that is JSON already. */
void json_write_raw(struct json_write *w, const char *key, const char *json, size_t n);
/* The members of an object that is JSON text already, added to the open object. */
void json_write_members(struct json_write *w, const char *object, size_t n);
