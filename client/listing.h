/* SPDX-License-Identifier: Apache-2.0 */
/* Lists of the server, page by page: for people a table, with --quiet an id a line, with --json one
 * document {"<key>":[...]} of all pages. */
#pragma once

#include "client/api.h"
#include "client/say.h"

struct listing {
	const char *what;         /* of messages, "models": "There are no models on ..." */
	const char *key;          /* of the array, in pages and in the document: "models" */
	const char *id;           /* member of a row: "name" */
	const char *const *heads; /* of columns, up to SAY_COLUMNS */
	size_t columns;
	uint64_t right; /* as in struct say_table */
	/* The cells of a row, or those of several rows. */
	void (*add)(struct say_table *t, const struct json *row);
	bool some;       /* those that were asked for, not all */
	bool first_page; /* that one alone */
};

/* `target` as in struct api_request. Blocks. The errors of api_get(). */
int listing_print(const struct run *run, struct api *a, const struct listing *l, const char *target,
	struct fault *f);

/* Percent-encode for a query, appended. */
void listing_encode(const char *value, struct buf *target);

/* A member that is a number, as a cell; 0 when there is none. */
void listing_add_number(struct say_table *t, const struct json *row, const char *key);
