/* SPDX-License-Identifier: Apache-2.0 */
#include "server/auth/grants.h"

static const char *const names[SCOPES_N] = {"read", "publish", "label", "delete", "admin"};

#define SHOWN_MAX 64 /* bytes of what somebody wrote that an error repeats */

void grants_done(struct grants *g)
{
	free(g->items);
	*g = (struct grants){NULL, 0};
}

const char *grants_scope_name(enum scope scope)
{
	for (size_t i = 0; i < SCOPES_N; i++)
		if ((unsigned)scope & 1u << i)
			return names[i];
	return "none";
}

static int read_scope(struct str text, unsigned *ret, struct err *e)
{
	for (size_t i = 0; i < SCOPES_N; i++)
		if (str_eq_c(text, names[i])) {
			*ret = 1u << i;
			return 0;
		}
	if (text.n > SHOWN_MAX || !str_is_token(text))
		return err_set(e, ERR_BAD_PARAMETER,
			"a scope is read, publish, label, delete or admin");
	return err_set(e, ERR_BAD_PARAMETER,
		"there is no scope " STR_FMT ": it is read, publish, label, delete or admin",
		STR_ARG(text));
}

static struct grant *find(struct grants *g, struct str models)
{
	for (size_t i = 0; i < g->n; i++)
		if (str_eq_c(models, g->items[i].models))
			return &g->items[i];
	return NULL;
}

static int add_pattern(struct grants *g, unsigned scope, struct str models, struct err *e)
{
	struct grant *item = find(g, models);

	if (nameglob_check(models, "a pattern of names", e) < 0) {
		e->code = ERR_BAD_PARAMETER;
		return -(int)e->code;
	}
	if (!item && g->n == GRANTS_MAX)
		return err_set(e, ERR_BAD_PARAMETER, "there are more than %d patterns of names",
			GRANTS_MAX);
	if (!item && !g->items)
		g->items = calloc(GRANTS_MAX, sizeof(*g->items));
	if (!g->items)
		return err_nomem(e);
	if (!item) {
		item = &g->items[g->n++];
		memcpy(item->models, models.p, models.n); /* the rest is zero */
	}
	item->scopes |= scope;
	return 0;
}

int grants_add(struct grants *g, struct str word, const char *const *models, size_t models_n,
	struct err *e)
{
	struct str pattern = word, name;
	unsigned scope = 0;
	int r;

	(void)str_split(&pattern, '=', &name);
	r = read_scope(name, &scope, e);
	if (r == 0 && pattern.p)
		return add_pattern(g, scope, pattern, e);
	for (size_t i = 0; r == 0 && i < models_n; i++)
		r = add_pattern(g, scope, str_of(models[i]), e);
	return r;
}

int grants_read(struct grants *g, struct str text, struct err *e)
{
	static const char *const every[] = {"**"};
	size_t at = 0;

	while (at < text.n) {
		size_t from = at;
		while (at < text.n && !strchr(" \t,", text.p[at]))
			at++;
		if (at > from) {
			int r = grants_add(g, (struct str){text.p + from, at - from}, every, 1, e);
			if (r < 0)
				return r;
		}
		at++;
	}
	return 0;
}

void grants_write(const struct grants *g, struct buf *out)
{
	const char *separator = "";

	for (size_t i = 0; i < g->n; i++)
		for (size_t s = 0; s < SCOPES_N; s++) {
			if (!(g->items[i].scopes & 1u << s))
				continue;
			buf_addf(out, "%s%s=%s", separator, names[s], g->items[i].models);
			separator = " ";
		}
}

bool grants_allow(const struct grants *g, enum scope scope, const char *model)
{
	for (size_t i = 0; i < g->n; i++)
		if ((g->items[i].scopes & ((unsigned)scope | SCOPE_ADMIN)) &&
			(!model || nameglob_matches(g->items[i].models, model)))
			return true;
	return false;
}

bool grants_allow_all(const struct grants *g, enum scope scope)
{
	for (size_t i = 0; i < g->n; i++)
		if ((g->items[i].scopes & ((unsigned)scope | SCOPE_ADMIN)) &&
			strcmp(g->items[i].models, "**") == 0)
			return true;
	return false;
}

static bool is_within(const struct grant *inner, const struct grants *outer)
{
	for (size_t i = 0; i < outer->n; i++)
		if ((outer->items[i].scopes & SCOPE_ADMIN) &&
			nameglob_within(inner->models, outer->items[i].models))
			return true;
	return false;
}

bool grants_within(const struct grants *inner, const struct grants *outer)
{
	for (size_t i = 0; i < inner->n; i++)
		if (!is_within(&inner->items[i], outer))
			return false;
	return true;
}
