/* SPDX-License-Identifier: Apache-2.0 */
/* How two JSON values differ, as a list that people and programs read. Pure. */
#pragma once

#include "client/fault.h"
#include "common/base/buf.h"
#include "common/json/json_write.h"

#define DIFF_MAX    1000 /* kept in full; further ones are only counted */
#define DIFF_FIELDS 12

enum diff_kind { DIFF_ADDED, DIFF_REMOVED, DIFF_CHANGED };

struct diff_field {
	const char *key;          /* "" when the value itself is meant */
	const struct json *a, *b; /* NULL where there is none */
};

struct diff_item {
	enum diff_kind kind;
	char *name;
	struct diff_field fields[DIFF_FIELDS];
	size_t fields_n;
};

/* The documents that were compared outlive it. */
struct diff {
	struct diff_item *items;
	size_t n;
	size_t total;
};

void diff_done(struct diff *d);
#define CLEANUP_DIFF CLEANUP(diff_done)

/* Arrays of objects, matched by the text of their member `key`, in whatever order; of those that
 * both have the `fields_n` members `fields` are compared, in this order. A NULL array is an
 * empty one. */
int diff_lists(const struct json *a, const struct json *b, const char *key,
	const char *const *fields, size_t fields_n, struct diff *ret, struct err *e);

/* Two documents, but for the member `except` of their roots. Names are JSON pointers. Elements
 * of arrays are matched by "name" or "config.name" where all have one of their own, which then
 * stands in the pointer as [name]; else by their places. */
int diff_documents(const struct json *a, const struct json *b, const char *except, struct diff *ret,
	struct err *e);

/* As lines under `title`, nothing when there is no difference; and as a member `key`, an array of
 * {"change","name","fields":{key:{"a","b"}}}. */
void diff_print(const struct diff *d, const char *title, bool color, struct buf *out);
void diff_write(const struct diff *d, struct json_write *w, const char *key);
