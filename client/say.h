/* SPDX-License-Identifier: Apache-2.0 */
/* What people and programs read: results on standard output, everything else on standard error. */
#pragma once

#include "client/run.h"
#include "common/base/buf.h"
#include "common/json/json_write.h"
#include "common/model/finding.h"

#define SAY_MAX (64u << 20) /* bytes of a result */

/* The fault on standard error, as "modelctl: sentence" and the next step; with --json as a document
 * on standard output too: {"error":{"code","detail","next"?,"exit","errors"?}}. */
void say_fault(const struct run *run, const struct fault *f);

/* Standard output; a buffer that has failed is an error. */
int say_out(const struct buf *text, struct fault *f);
/* The same, with a newline behind it. */
int say_json(struct buf *json, struct fault *f);

/* A line on standard error, unless --quiet. */
void say_note(const struct run *run, const char *fmt, ...) PRINTF_LIKE(2, 3);

/* "team/m@7 is deleted.", or {"deleted":"team/m@7"}. */
int say_deleted(const struct run *run, const char *what, struct fault *f);

/* Findings as lines for people: "error weights.too-short model.json /weightsManifest: message"
 * and the fix below. From the list, and from JSON in which they are an array. */
void say_finding(const struct finding *x, bool color, struct buf *out);
void say_findings(const struct findings *f, bool color, struct buf *out);
void say_findings_json(const struct json *findings, bool color, struct buf *out);

/* A value of a document as it is, for results made of several answers. What is nested deeper than
 * json_write goes becomes "...". */
void say_value(struct json_write *w, const char *key, const struct json *value);

/* A member that is a string; "" when there is none. */
const char *say_text(const struct json *object, const char *key);

/* Rows of cells, aligned. Texts are copied. */
#define SAY_COLUMNS 8
struct say_table {
	size_t columns;
	uint64_t right; /* bits: columns whose cells stand at their right end */
	char **cells;   /* row by row */
	size_t n, cap;
	bool no_memory;
};
void say_table_add(struct say_table *t, const char *cell);
void say_table_print(const struct say_table *t, struct buf *out);
void say_table_done(struct say_table *t);
#define CLEANUP_SAY_TABLE CLEANUP(say_table_done)

/* Text from elsewhere, appended without what a terminal would take for commands. */
void say_clean(const char *text, struct buf *out);
