/* SPDX-License-Identifier: Apache-2.0 */
#include "client/api.h"
#include "client/cmd.h"
#include "client/say.h"
#include "common/base/num.h"

#include <inttypes.h>
#include <stdio.h>

#define PAGE_TARGET "/v1/models?limit=500"

/* What becomes of the pages. */
struct list {
	const struct run *run;
	struct say_table table;
	struct buf names;
	struct buf json;
	struct json_write w;
};

static void list_done(struct list *l)
{
	say_table_done(&l->table);
	buf_done(&l->names);
	buf_done(&l->json);
}

static void add_number(struct say_table *t, uint64_t n)
{
	char text[24];

	(void)snprintf(text, sizeof(text), "%" PRIu64, n);
	say_table_add(t, text);
}

static void add_labels(struct say_table *t, const struct json *labels)
{
	CLEANUP_BUF struct buf text = BUF_INIT(SAY_MAX);

	for (const struct json *x = json_first(labels); x; x = json_next(x)) {
		uint64_t version = 0;
		(void)json_uint(x, REF_VERSION_MAX, &version);
		buf_addf(&text, "%s%s=%" PRIu64, text.len > 0 ? " " : "", json_key(x), version);
	}
	say_table_add(t, buf_str(&text));
}

static void add_model(struct list *l, const struct json *model)
{
	const char *name = json_str(json_get(model, "name"));
	const char *updated = json_str(json_get(model, "updated"));
	uint64_t latest = 0, versions = 0, bytes = 0;
	char size[NUM_SIZE_TEXT], day[sizeof("2026-01-01")];

	if (l->run->json) {
		say_value(&l->w, NULL, model);
		return;
	}
	if (!name)
		return;
	say_clean(name, &l->names);
	buf_add_char(&l->names, '\n');
	(void)json_uint(json_get(model, "latest"), REF_VERSION_MAX, &latest);
	(void)json_uint(json_get(model, "versions"), REF_VERSION_MAX, &versions);
	(void)json_uint(json_get(model, "bytes"), NUM_SAFE_INTEGER_MAX, &bytes);
	(void)snprintf(day, sizeof(day), "%s", updated ? updated : "");
	say_table_add(&l->table, name);
	add_number(&l->table, latest);
	add_number(&l->table, versions);
	say_table_add(&l->table, num_format_size(bytes, size));
	say_table_add(&l->table, day);
	add_labels(&l->table, json_get(model, "labels"));
}

/* Names and prefixes of them are sent as they are: what cannot be in one is encoded. */
static void add_query(struct buf *target, const char *key, const char *value)
{
	buf_addf(target, "&%s=", key);
	for (; *value; value++) {
		if (str_is_lower(*value) || str_is_digit(*value) || strchr("/._-", *value))
			buf_add_char(target, *value);
		else
			buf_addf(target, "%%%02X", (unsigned)(unsigned char)*value);
	}
}

static int add_page(struct list *l, struct api *a, const char *prefix, char next[REF_NAME_MAX + 1],
	struct fault *f)
{
	CLEANUP_API_ANSWER struct api_answer page = {.doc = NULL};
	CLEANUP_BUF struct buf target = BUF_INIT(4096);
	const char *token;
	int r;

	buf_add_str(&target, PAGE_TARGET);
	if (prefix)
		add_query(&target, "prefix", prefix);
	if (next[0])
		add_query(&target, "page_token", next);
	next[0] = '\0';
	r = buf_check(&target, "the prefix", &f->e);
	if (r == 0)
		r = api_get(a, buf_str(&target), "the list of models", &page, f);
	if (r < 0)
		return r;
	for (const struct json *m = json_first(json_get(api_root(&page), "models")); m;
		m = json_next(m))
		add_model(l, m);
	token = json_str(json_get(api_root(&page), "next_page_token"));
	if (token && strlen(token) <= REF_NAME_MAX)
		(void)snprintf(next, REF_NAME_MAX + 1, "%s", token);
	return 0;
}

static void begin(struct list *l)
{
	static const char *const heads[] = {
		"NAME", "LATEST", "VERSIONS", "SIZE", "UPDATED", "LABELS"};

	l->table.columns = ARRAY_SIZE(heads);
	l->table.right = 1u << 1 | 1u << 2 | 1u << 3;
	for (size_t i = 0; i < ARRAY_SIZE(heads); i++)
		say_table_add(&l->table, heads[i]);
	json_write_init(&l->w, &l->json);
	json_write_object(&l->w, NULL);
	json_write_array(&l->w, "models");
}

static int print(struct list *l, struct fault *f)
{
	CLEANUP_BUF struct buf text = BUF_INIT(SAY_MAX);

	if (l->run->json) {
		json_write_array_end(&l->w);
		json_write_object_end(&l->w);
		return say_json(&l->json, f);
	}
	if (l->run->quiet)
		return say_out(&l->names, f);
	if (l->names.len == 0) {
		say_note(l->run, "There are no such models on %s.", l->run->settings->server);
		return 0;
	}
	say_table_print(&l->table, &text);
	return say_out(&text, f);
}

int cmd_ls(struct run *run, struct fault *f)
{
	CLEANUP(list_done)
	struct list l = {.run = run, .names = BUF_INIT(SAY_MAX), .json = BUF_INIT(SAY_MAX)};
	CLEANUP(api_close_p) struct api *a = NULL;
	char next[REF_NAME_MAX + 1] = "";
	int r = api_open(run, &a, f);

	begin(&l);
	while (r == 0) {
		r = add_page(&l, a, run_operand(run, 0), next, f);
		if (!next[0])
			break;
	}
	return r < 0 ? r : print(&l, f);
}
