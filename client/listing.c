/* SPDX-License-Identifier: Apache-2.0 */
#include "client/listing.h"
#include "common/base/num.h"

#include <inttypes.h>
#include <stdio.h>

#define TARGET_MAX 8192
#define TOKEN_MAX  1024 /* of the next page */

/* What becomes of the pages. */
struct pages {
	const struct run *run;
	const struct listing *l;
	struct say_table table;
	struct buf ids;
	struct buf json;
	struct json_write w;
	char next[TOKEN_MAX + 1]; /* the token of the next page, "" for none */
};

static void pages_done(struct pages *p)
{
	say_table_done(&p->table);
	buf_done(&p->ids);
	buf_done(&p->json);
}

void listing_encode(const char *value, struct buf *target)
{
	for (; *value; value++) {
		if (str_is_lower(str_to_lower(*value)) || str_is_digit(*value) ||
			strchr("/._~-", *value))
			buf_add_char(target, *value);
		else
			buf_addf(target, "%%%02X", (unsigned)(unsigned char)*value);
	}
}

void listing_add_number(struct say_table *t, const struct json *row, const char *key)
{
	uint64_t n = 0;
	char text[24];

	(void)json_uint(json_get(row, key), NUM_SAFE_INTEGER_MAX, &n);
	(void)snprintf(text, sizeof(text), "%" PRIu64, n);
	say_table_add(t, text);
}

static void add_row(struct pages *p, const struct json *row)
{
	if (p->run->json) {
		say_value(&p->w, NULL, row);
		return;
	}
	say_clean(say_text(row, p->l->id), &p->ids);
	buf_add_char(&p->ids, '\n');
	p->l->add(&p->table, row);
}

static int add_page(struct pages *p, struct api *a, const char *target, struct fault *f)
{
	CLEANUP_API_ANSWER struct api_answer page = {.doc = NULL};
	CLEANUP_BUF struct buf full = BUF_INIT(TARGET_MAX);
	char what[64];
	const char *next;
	int r;

	buf_add_str(&full, target);
	if (p->next[0]) {
		buf_addf(&full, "%cpage_token=", strchr(target, '?') ? '&' : '?');
		listing_encode(p->next, &full);
	}
	(void)snprintf(what, sizeof(what), "the list of %s", p->l->what);
	r = buf_check(&full, what, &f->e);
	if (r == 0)
		r = api_get(a, buf_str(&full), what, &page, f);
	if (r < 0)
		return r;
	for (const struct json *x = json_first(json_get(api_root(&page), p->l->key)); x;
		x = json_next(x))
		add_row(p, x);
	next = say_text(api_root(&page), "next_page_token");
	if (strlen(next) > TOKEN_MAX) {
		(void)err_set(&f->e, ERR_BAD_JSON, "%s: the next page has too long a token", what);
		return fault_as(f, FAULT_SERVER);
	}
	(void)snprintf(p->next, sizeof(p->next), "%s", next);
	return 0;
}

static void begin(struct pages *p)
{
	p->table.columns = p->l->columns;
	p->table.right = p->l->right;
	for (size_t i = 0; i < p->l->columns; i++)
		say_table_add(&p->table, p->l->heads[i]);
	json_write_init(&p->w, &p->json);
	json_write_object(&p->w, NULL);
	json_write_array(&p->w, p->l->key);
}

static int print(struct pages *p, struct fault *f)
{
	CLEANUP_BUF struct buf text = BUF_INIT(SAY_MAX);

	if (p->run->json) {
		json_write_array_end(&p->w);
		json_write_object_end(&p->w);
		return say_json(&p->json, f);
	}
	if (p->run->quiet)
		return say_out(&p->ids, f);
	if (p->ids.len == 0) {
		say_note(p->run, "There are no %s%s on %s.", p->l->some ? "such " : "",
			p->l->what, p->run->settings->server);
		return 0;
	}
	say_table_print(&p->table, &text);
	return say_out(&text, f);
}

int listing_print(const struct run *run, struct api *a, const struct listing *l, const char *target,
	struct fault *f)
{
	CLEANUP(pages_done)
	struct pages p = {
		.run = run, .l = l, .ids = BUF_INIT(SAY_MAX), .json = BUF_INIT(SAY_MAX)};
	int r;

	begin(&p);
	do
		r = add_page(&p, a, target, f);
	while (r == 0 && p.next[0] && !l->first_page);
	return r < 0 ? r : print(&p, f);
}
