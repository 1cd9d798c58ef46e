/* SPDX-License-Identifier: Apache-2.0 */
#include "common/registry/retention.h"
#include "common/base/num.h"
#include "common/model/nameglob.h"

#define LAST_MAX    UINT64_C(1000000000)
#define YOUNGER_MAX (UINT64_C(36500) * 86400000) /* a hundred years */

#define EXPECTED "expected PATTERN=KEEP, as in team-a/**=last:5+younger:30d"
#define SHOWN    "%.80s" /* a setting has been checked for control characters, not for its length */

/* ---- reading ---- */

static int read_last(struct str text, struct retention_rule *rule, const char *setting,
	struct err *e)
{
	if (rule->last == 0 && num_parse(text.p, text.n, LAST_MAX, &rule->last) && rule->last > 0)
		return 0;
	return err_set(e, ERR_CONFIG, SHOWN ": last:N stands there once, N a number from 1",
		setting);
}

static int read_younger(struct str text, struct retention_rule *rule, const char *setting,
	struct err *e)
{
	if (!rule->younger[0] && text.n > 0 && text.n < sizeof(rule->younger)) {
		memcpy(rule->younger, text.p, text.n);
		if (num_parse_duration(rule->younger, &rule->younger_ms) && rule->younger_ms > 0 &&
			rule->younger_ms <= YOUNGER_MAX)
			return 0;
	}
	return err_set(e, ERR_CONFIG,
		SHOWN ": younger:TIME stands there once, TIME written like 12h or 30d", setting);
}

static int read_keep(struct str keep, struct retention_rule *rule, const char *setting,
	struct err *e)
{
	struct str what, name;

	rule->all = str_eq_c(keep, "all");
	if (rule->all)
		return 0;
	while (str_split(&keep, '+', &what)) {
		int r;
		(void)str_split(&what, ':', &name);
		if (!what.p)
			what = STR_LIT("");
		if (str_eq_c(name, "last"))
			r = read_last(what, rule, setting, e);
		else if (str_eq_c(name, "younger"))
			r = read_younger(what, rule, setting, e);
		else
			r = err_set(e, ERR_CONFIG,
				SHOWN ": KEEP is all, last:N, younger:TIME, or both with a +",
				setting);
		if (r < 0)
			return r;
	}
	return 0;
}

static int check_pattern(struct str pattern, const char *setting, struct err *e)
{
	if (nameglob_check(pattern, "PATTERN", e) == 0)
		return 0;
	e->code = ERR_CONFIG;
	return err_prefix(e, SHOWN, setting);
}

static int read_setting(const char *setting, struct retention *list, struct err *e)
{
	struct retention_rule *rule = &list->rules[list->n];
	struct str keep = str_of(setting), pattern;
	int r;

	if (!str_split(&keep, '=', &pattern) || !keep.p || keep.n == 0)
		return err_set(e, ERR_CONFIG, SHOWN ": " EXPECTED, setting);
	r = check_pattern(pattern, setting, e);
	if (r == 0)
		r = read_keep(keep, rule, setting, e);
	for (size_t i = 0; r == 0 && i < list->n; i++)
		if (str_eq_c(pattern, list->rules[i].pattern))
			r = err_set(e, ERR_CONFIG, "%s is set twice", list->rules[i].pattern);
	if (r < 0)
		return r;
	rule->pattern = str_dup(pattern);
	if (!rule->pattern)
		return err_nomem(e);
	list->n++;
	return 0;
}

int retention_read(char *const *settings, size_t n, struct retention *ret, struct err *e)
{
	struct retention list = {.rules = calloc(n + 1, sizeof(*list.rules))};
	int r = list.rules ? 0 : err_nomem(e);

	for (size_t i = 0; r == 0 && i < n; i++)
		r = read_setting(settings[i], &list, e);
	if (r < 0)
		retention_done(&list);
	else
		*ret = list;
	return r;
}

void retention_done(struct retention *r)
{
	for (size_t i = 0; i < r->n; i++)
		free(r->rules[i].pattern);
	free(r->rules);
	*r = (struct retention){.rules = NULL};
}

/* ---- judging ---- */

const struct retention_rule *retention_find(const struct retention *r, const char *model)
{
	for (size_t i = 0; i < r->n; i++)
		if (nameglob_matches(r->rules[i].pattern, model))
			return &r->rules[i];
	return NULL;
}

uint64_t retention_least(const struct retention_rule *rule)
{
	if (rule->all)
		return UINT64_MAX;
	return rule->last > 0 ? rule->last : 1;
}

bool retention_keeps(const struct retention_rule *rule, const struct retention_version *v,
	uint64_t now_ms)
{
	if (v->labelled || v->newer < retention_least(rule))
		return true;
	/* What was made in the future, by a clock that has been set since, is young. */
	return rule->younger_ms > 0 &&
		(v->created_ms > now_ms || now_ms - v->created_ms < rule->younger_ms);
}

void retention_explain(const struct retention_rule *rule, struct buf *out)
{
	if (rule->younger_ms > 0)
		buf_addf(out, "older than %s, ", rule->younger);
	if (rule->last > 1)
		buf_addf(out, "not among the last %llu, ", (unsigned long long)rule->last);
	else
		buf_add_str(out, "not the newest, ");
	buf_add_str(out, "no label");
}
