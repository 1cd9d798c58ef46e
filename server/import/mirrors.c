/* SPDX-License-Identifier: Apache-2.0 */
#include "server/import/mirrors.h"
#include "common/base/num.h"

#include <stdio.h>
#include <string.h>

void mirrors_done(struct mirrors_list *l)
{
	free(l->items);
	*l = (struct mirrors_list){NULL, 0};
}

/* A word in its parts, of which none is judged. */
struct word {
	struct str name, model, label, url, interval;
	bool has_label, has_url, has_interval;
};

static struct word split(struct str text)
{
	struct word w = {.url = text};
	const char *bar;

	(void)str_split(&w.url, '=', &w.name);
	w.has_url = w.url.p != NULL;
	w.label = w.name;
	(void)str_split(&w.label, '@', &w.model);
	w.has_label = w.label.p != NULL;
	bar = w.has_url && w.url.n > 0 ? memrchr(w.url.p, '|', w.url.n) : NULL;
	if (bar) {
		w.has_interval = true;
		w.interval = (struct str){bar + 1, w.url.n - (size_t)(bar - w.url.p) - 1};
		w.url.n = (size_t)(bar - w.url.p);
	}
	return w;
}

static int read_name(const struct word *w, struct mirrors_source *ret, struct err *e)
{
	int r = ref_check_name(w->model, e);

	if (r == 0 && w->has_label)
		r = ref_check_label(w->label, e);
	if (r < 0)
		return r;
	(void)snprintf(ret->name, sizeof(ret->name), STR_FMT, STR_ARG(w->name));
	(void)snprintf(ret->model, sizeof(ret->model), STR_FMT, STR_ARG(w->model));
	if (w->has_label)
		(void)snprintf(ret->label, sizeof(ret->label), STR_FMT, STR_ARG(w->label));
	return 0;
}

static int read_interval(const struct word *w, struct mirrors_source *ret, struct err *e)
{
	CLEANUP_FREE char *text = str_dup(w->interval);

	if (!text)
		return err_nomem(e);
	if (num_parse_duration(text, &ret->interval_ms) &&
		ret->interval_ms >= MIRRORS_INTERVAL_MIN_MS &&
		ret->interval_ms <= MIRRORS_INTERVAL_MAX_MS)
		return 0;
	return err_set(e, ERR_CONFIG,
		"expected a duration from 1s to 365d behind the last |, written like 30min, 6h or "
		"7d");
}

static int read_source(const struct word *w, struct mirrors_source *ret, struct err *e)
{
	int r;

	if (!w->has_url)
		return err_set(e, ERR_CONFIG, "expected MODEL=URL or MODEL@LABEL=URL");
	ret->interval_ms = MIRRORS_INTERVAL_MS;
	r = read_name(w, ret, e);
	if (r == 0)
		r = url_parse(w->url, &ret->url, e);
	if (r == 0 && w->has_interval)
		r = read_interval(w, ret, e);
	return r;
}

/* The error of a word. */
static int blame(struct str text, struct err *e)
{
	CLEANUP_BUF struct buf shown = BUF_INIT(ERR_TEXT_MAX / 2);
	struct word w = split(text);
	struct str name = w.has_url ? w.name : text;

	buf_addf(&shown, "%.*s", name.n < 100 ? (int)name.n : 100, name.p);
	if (w.has_url) {
		buf_add_char(&shown, '=');
		url_redact(w.url, &shown);
	}
	if (w.has_interval)
		buf_addf(&shown, "|%.*s", w.interval.n < 20 ? (int)w.interval.n : 20,
			w.interval.p);
	e->code = ERR_CONFIG;
	return err_prefix(e, "%.200s", buf_str(&shown));
}

static int require_new(const struct mirrors_list *l, const char *name, struct err *e)
{
	for (size_t i = 0; i < l->n; i++)
		if (strcmp(l->items[i].name, name) == 0)
			return err_set(e, ERR_CONFIG, "there is another source for %s", name);
	return 0;
}

int mirrors_read(char *const *settings, size_t n, struct mirrors_list *ret, struct err *e)
{
	CLEANUP(mirrors_done) struct mirrors_list l = {calloc(n + 1, sizeof(*l.items)), 0};

	if (!l.items)
		return err_nomem(e);
	for (size_t i = 0; i < n; i++) {
		struct word w = split(str_of(settings[i]));
		int r = read_source(&w, &l.items[l.n], e);
		if (r == 0)
			r = require_new(&l, l.items[l.n].name, e);
		if (r == -(int)ERR_OUT_OF_MEMORY)
			return r;
		if (r < 0)
			return blame(str_of(settings[i]), e);
		l.n++;
	}
	*ret = l;
	l = (struct mirrors_list){NULL, 0};
	return 0;
}
