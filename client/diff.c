/* SPDX-License-Identifier: Apache-2.0 */
#include "client/diff.h"
#include "client/say.h"

#include <stdio.h>

#define VALUE_MAX   60 /* characters of a value in a line */
#define OUTLINE_MIN 8  /* elements that are shown one by one */
#define RED         "\033[31m"
#define GREEN       "\033[32m"
#define YELLOW      "\033[33m"
#define PLAIN       "\033[0m"

void diff_done(struct diff *d)
{
	for (size_t i = 0; i < d->n; i++)
		free(d->items[i].name);
	free(d->items);
	*d = (struct diff){.n = 0};
}

/* A new item; NULL in *ret when there are enough. */
static int add(struct diff *d, enum diff_kind kind, const char *name, struct diff_item **ret,
	struct err *e)
{
	*ret = NULL;
	if (d->total++ >= DIFF_MAX)
		return 0;
	if (!d->items)
		d->items = calloc(DIFF_MAX, sizeof(*d->items));
	if (!d->items)
		return err_nomem(e);
	*ret = &d->items[d->n];
	(*ret)->kind = kind;
	(*ret)->name = strdup(name);
	if (!(*ret)->name)
		return err_nomem(e);
	d->n++;
	return 0;
}

static void add_field(struct diff_item *item, const char *key, const struct json *a,
	const struct json *b)
{
	if (item && item->fields_n < DIFF_FIELDS)
		item->fields[item->fields_n++] = (struct diff_field){key, a, b};
}

/* ---- equality ---- */

static bool same(const struct json *a, const struct json *b);

/* Members in any order; mostly it is the same one. */
static const struct json *member_like(const struct json *object, const struct json *beside,
	const char *key)
{
	if (beside && json_key(beside) && strcmp(json_key(beside), key) == 0)
		return beside;
	return json_get(object, key);
}

static bool same_members(const struct json *a, const struct json *b)
{
	const struct json *y = json_first(b);

	if (json_count(a) != json_count(b))
		return false;
	for (const struct json *x = json_first(a); x; x = json_next(x)) {
		const struct json *other = member_like(b, y, json_key(x));
		if (!other || !same(x, other))
			return false;
		y = y ? json_next(y) : NULL;
	}
	return true;
}

static bool same_elements(const struct json *a, const struct json *b)
{
	const struct json *x = json_first(a), *y = json_first(b);

	for (; x && y; x = json_next(x), y = json_next(y))
		if (!same(x, y))
			return false;
	return !x && !y;
}

static bool same(const struct json *a, const struct json *b)
{
	double x = 0, y = 0;

	if (!a || !b)
		return a == b;
	if (json_type(a) != json_type(b))
		return false;
	switch (json_type(a)) {
	case JSON_OBJECT:
		return same_members(a, b);
	case JSON_ARRAY:
		return same_elements(a, b);
	case JSON_STRING:
		return strcmp(json_str(a), json_str(b)) == 0;
	case JSON_NUMBER:
		return json_double(a, &x) && json_double(b, &y) && memcmp(&x, &y, sizeof(x)) == 0;
	default:
		return true;
	}
}

/* ---- lists ---- */

struct entry {
	const char *name;
	const struct json *value;
};

struct entries {
	struct entry *items;
	size_t n;
};

static void entries_done(struct entries *x)
{
	free(x->items);
}

static int compare_entry(const void *a, const void *b)
{
	return strcmp(((const struct entry *)a)->name, ((const struct entry *)b)->name);
}

/* The text that an element of a list goes by, or NULL. */
static const char *name_by(const struct json *element, const char *key)
{
	const char *name;

	if (key)
		return json_str(json_get(element, key));
	name = json_str(json_get(element, "name"));
	return name ? name : json_str(json_get(json_get(element, "config"), "name"));
}

/* Sorted by name. *ret_distinct: all have one, and no two the same. */
static int collect(const struct json *list, const char *key, struct entries *ret,
	bool *ret_distinct, struct err *e)
{
	ret->items = calloc(json_count(list) + 1, sizeof(*ret->items));
	*ret_distinct = true;
	if (!ret->items)
		return err_nomem(e);
	for (const struct json *x = json_first(list); x; x = json_next(x)) {
		const char *name = name_by(x, key);
		if (name)
			ret->items[ret->n++] = (struct entry){name, x};
		else
			*ret_distinct = false;
	}
	qsort(ret->items, ret->n, sizeof(*ret->items), compare_entry);
	for (size_t i = 1; i < ret->n; i++)
		if (strcmp(ret->items[i - 1].name, ret->items[i].name) == 0)
			*ret_distinct = false;
	return 0;
}

/* Two sorted lists side by side: `both` for what both have, the others as added or removed. */
static int merge(const struct entries *a, const struct entries *b,
	int (*visit)(void *cls, const char *name, const struct json *a, const struct json *b,
		struct err *e),
	void *cls, struct err *e)
{
	size_t i = 0, j = 0;
	int r = 0;

	while (r == 0 && (i < a->n || j < b->n)) {
		int order = i == a->n ? 1
			: j == b->n   ? -1
				      : compare_entry(&a->items[i], &b->items[j]);
		const struct json *x = order <= 0 ? a->items[i].value : NULL;
		const struct json *y = order >= 0 ? b->items[j].value : NULL;
		const char *name = x ? a->items[i].name : b->items[j].name;

		i += x != NULL;
		j += y != NULL;
		r = visit(cls, name, x, y, e);
	}
	return r;
}

struct fields {
	struct diff *diff;
	const char *const *names;
	size_t n;
};

static int visit_fields(void *cls, const char *name, const struct json *a, const struct json *b,
	struct err *e)
{
	const struct fields *fields = cls;
	struct diff_item *item = NULL;
	bool differs = !a || !b;
	int r = 0;

	for (size_t i = 0; !differs && i < fields->n; i++)
		differs = !same(json_get(a, fields->names[i]), json_get(b, fields->names[i]));
	if (!differs)
		return 0;
	r = add(fields->diff, !a ? DIFF_ADDED : !b ? DIFF_REMOVED : DIFF_CHANGED, name, &item, e);
	for (size_t i = 0; r == 0 && i < fields->n; i++) {
		const struct json *x = json_get(a, fields->names[i]);
		const struct json *y = json_get(b, fields->names[i]);
		if (!same(x, y))
			add_field(item, fields->names[i], x, y);
	}
	return r;
}

int diff_lists(const struct json *a, const struct json *b, const char *key,
	const char *const *fields, size_t fields_n, struct diff *ret, struct err *e)
{
	CLEANUP(entries_done) struct entries x = {.n = 0}, y = {.n = 0};
	struct fields visitor = {ret, fields, fields_n};
	bool ignored;
	int r = collect(a, key, &x, &ignored, e);

	if (r == 0)
		r = collect(b, key, &y, &ignored, e);
	return r < 0 ? r : merge(&x, &y, visit_fields, &visitor, e);
}

/* ---- documents ---- */

struct walk {
	struct diff *diff;
	struct buf pointer;
	const char *except; /* at the root */
	unsigned depth;
};

static int compare(struct walk *w, const struct json *a, const struct json *b, struct err *e);

/* One step down, and back. */
static int step(struct walk *w, const char *before, const char *name, const char *after,
	const struct json *a, const struct json *b, struct err *e)
{
	size_t len = w->pointer.len;
	int r;

	buf_addf(&w->pointer, "%s%s%s", before, name, after);
	r = buf_check(&w->pointer, "a pointer", e);
	if (r == 0)
		r = compare(w, a, b, e);
	w->pointer.len = len;
	if (w->pointer.data)
		w->pointer.data[len] = '\0';
	return r;
}

static int compare_members(struct walk *w, const struct json *a, const struct json *b,
	struct err *e)
{
	const char *except = w->depth == 1 ? w->except : NULL;
	int r = 0;

	for (const struct json *x = json_first(a); r == 0 && x; x = json_next(x))
		if (!except || strcmp(json_key(x), except) != 0)
			r = step(w, "/", json_key(x), "", x, json_get(b, json_key(x)), e);
	for (const struct json *y = json_first(b); r == 0 && y; y = json_next(y))
		if ((!except || strcmp(json_key(y), except) != 0) && !json_get(a, json_key(y)))
			r = step(w, "/", json_key(y), "", NULL, y, e);
	return r;
}

static int visit_named(void *cls, const char *name, const struct json *a, const struct json *b,
	struct err *e)
{
	return step(cls, "/[", name, "]", a, b, e);
}

static int compare_places(struct walk *w, const struct json *a, const struct json *b, struct err *e)
{
	const struct json *x = json_first(a), *y = json_first(b);
	char place[24];
	int r = 0;

	for (size_t i = 0; r == 0 && (x || y); i++) {
		(void)snprintf(place, sizeof(place), "%zu", i);
		r = step(w, "/", place, "", x, y, e);
		x = x ? json_next(x) : NULL;
		y = y ? json_next(y) : NULL;
	}
	return r;
}

static int compare_elements(struct walk *w, const struct json *a, const struct json *b,
	struct err *e)
{
	CLEANUP(entries_done) struct entries x = {.n = 0}, y = {.n = 0};
	bool distinct_a, distinct_b;
	int r = collect(a, NULL, &x, &distinct_a, e);

	if (r == 0)
		r = collect(b, NULL, &y, &distinct_b, e);
	if (r < 0)
		return r;
	return distinct_a && distinct_b ? merge(&x, &y, visit_named, w, e)
					: compare_places(w, a, b, e);
}

static int emit(struct walk *w, const struct json *a, const struct json *b, struct err *e)
{
	struct diff_item *item;
	int r = add(w->diff,
		!a           ? DIFF_ADDED
			: !b ? DIFF_REMOVED
			     : DIFF_CHANGED,
		buf_str(&w->pointer), &item, e);

	if (r == 0)
		add_field(item, "", a, b);
	return r;
}

static int compare(struct walk *w, const struct json *a, const struct json *b, struct err *e)
{
	int r = 0;

	if (same(a, b))
		return 0;
	w->depth++;
	if (json_is(a, JSON_OBJECT) && json_is(b, JSON_OBJECT))
		r = compare_members(w, a, b, e);
	else if (json_is(a, JSON_ARRAY) && json_is(b, JSON_ARRAY))
		r = compare_elements(w, a, b, e);
	else
		r = emit(w, a, b, e);
	w->depth--;
	return r;
}

int diff_documents(const struct json *a, const struct json *b, const char *except, struct diff *ret,
	struct err *e)
{
	struct walk w = {.diff = ret, .pointer = BUF_INIT(65536), .except = except};
	int r = compare(&w, a, b, e);

	buf_done(&w.pointer);
	return r;
}

/* ---- for people ---- */

/* "[3]" of what is too large to be shown. */
static bool add_outline(const struct json *v, struct buf *out)
{
	bool is_array = json_is(v, JSON_ARRAY);
	const struct json *first = json_first(v);
	size_t n = json_count(v);

	if (!is_array && !json_is(v, JSON_OBJECT))
		return false;
	if (n <= OUTLINE_MIN && !json_is(first, JSON_OBJECT) && !json_is(first, JSON_ARRAY))
		return false;
	buf_addf(out, is_array ? "[%zu]" : "{%zu}", n);
	return true;
}

/* What stands in model.json is shown as it stands there; what was measured, as people read it. */
static void add_value(const struct diff_field *field, const struct json *v, struct buf *out)
{
	CLEANUP_BUF struct buf text = BUF_INIT(SAY_MAX);
	struct json_write w;
	double number;

	if (!v) {
		buf_add_str(out, "none");
	} else if (strcmp(field->key, "sha256") == 0 && json_str(v)) {
		buf_addf(out, "%.12s", json_str(v));
	} else if (*field->key && json_double(v, &number)) {
		buf_addf(out, "%.9g", number);
	} else if (*field->key && json_str(v)) {
		say_clean(json_str(v), out);
	} else if (!add_outline(v, out)) {
		json_write_init(&w, &text);
		say_value(&w, NULL, v);
		buf_addf(out, "%.*s%s", VALUE_MAX, buf_str(&text),
			text.len > VALUE_MAX ? "..." : "");
	}
}

static void print_item(const struct diff_item *item, bool color, struct buf *out)
{
	static const char marks[] = {'+', '-', '~'};
	static const char *const colors[] = {GREEN, RED, YELLOW};

	buf_addf(out, "  %s%c ", color ? colors[item->kind] : "", marks[item->kind]);
	say_clean(item->name, out);
	buf_add_str(out, color ? PLAIN : "");
	for (size_t i = 0; i < item->fields_n; i++) {
		const struct diff_field *x = &item->fields[i];
		buf_addf(out, "%s%s%s", i == 0 ? "  " : ", ", x->key, *x->key ? " " : "");
		if (item->kind != DIFF_ADDED)
			add_value(x, x->a, out);
		if (item->kind == DIFF_CHANGED)
			buf_add_str(out, " -> ");
		if (item->kind != DIFF_REMOVED)
			add_value(x, x->b, out);
	}
	buf_add_char(out, '\n');
}

void diff_print(const struct diff *d, const char *title, bool color, struct buf *out)
{
	if (d->total == 0)
		return;
	buf_addf(out, "%s:\n", title);
	for (size_t i = 0; i < d->n; i++)
		print_item(&d->items[i], color, out);
	if (d->total > d->n)
		buf_addf(out, "  and %zu more\n", d->total - d->n);
}

/* ---- for programs ---- */

static void write_field(const struct diff_field *x, struct json_write *w)
{
	json_write_object(w, *x->key ? x->key : "value");
	if (x->a)
		say_value(w, "a", x->a);
	if (x->b)
		say_value(w, "b", x->b);
	json_write_object_end(w);
}

void diff_write(const struct diff *d, struct json_write *w, const char *key)
{
	static const char *const kinds[] = {"added", "removed", "changed"};

	json_write_array(w, key);
	for (size_t i = 0; i < d->n; i++) {
		json_write_object(w, NULL);
		json_write_str(w, "change", kinds[d->items[i].kind]);
		json_write_str(w, "name", d->items[i].name);
		json_write_object(w, "fields");
		for (size_t j = 0; j < d->items[i].fields_n; j++)
			write_field(&d->items[i].fields[j], w);
		json_write_object_end(w);
		json_write_object_end(w);
	}
	json_write_array_end(w);
}
