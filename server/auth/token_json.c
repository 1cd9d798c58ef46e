/* SPDX-License-Identifier: Apache-2.0 */
#include "server/auth/token_json.h"
#include "common/base/clock.h"
#include "common/base/str.h"
#include "common/model/nameglob.h"

#include <stdio.h>

#define WORD_MAX (NAMEGLOB_MAX + sizeof("publish="))

static void write_time(struct json_write *w, const char *key, uint64_t ms)
{
	char text[CLOCK_TEXT];

	if (ms > 0)
		json_write_str(w, key, clock_rfc3339(ms, text));
}

void token_json_members(struct json_write *w, const struct catalog_token *t)
{
	struct str rest = str_of(t->grants), word;

	json_write_str(w, "id", t->id);
	if (t->name[0])
		json_write_str(w, "name", t->name);
	json_write_array(w, "scopes");
	while (str_split(&rest, ' ', &word)) {
		char text[WORD_MAX + 1];
		(void)snprintf(text, sizeof(text), STR_FMT, STR_ARG(word));
		json_write_str(w, NULL, text);
	}
	json_write_array_end(w);
	write_time(w, "created", t->created_ms);
	write_time(w, "expires", t->expires_ms);
	write_time(w, "last_used", t->used_ms);
}

void token_json(struct json_write *w, const struct catalog_token *t)
{
	json_write_object(w, NULL);
	token_json_members(w, t);
	json_write_object_end(w);
}

void token_json_list(const struct catalog_tokens *list, struct buf *out)
{
	struct json_write w;

	json_write_init(&w, out);
	json_write_object(&w, NULL);
	json_write_array(&w, "tokens");
	for (size_t i = 0; i < list->n; i++)
		token_json(&w, &list->items[i]);
	json_write_array_end(&w);
	json_write_object_end(&w);
	buf_add_char(out, '\n');
}
