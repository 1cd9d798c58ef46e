/* SPDX-License-Identifier: Apache-2.0 */
#include "common/model/finding_policy.h"
#include "common/base/text.h"

#define EXPECTED "expected RULE=error, RULE=warning or RULE=off"
#define SHOWN    "%.80s" /* a setting has been checked for control characters, not for its length */

static const enum finding_severity choices[] = {FINDING_ERROR, FINDING_WARNING, FINDING_OFF};

void finding_policy_init(struct finding_policy *p)
{
	for (size_t i = 0; i < FINDING_RULE_COUNT; i++)
		p->severity[i] = finding_rule_severity((enum finding_rule)i);
}

/* ---- rules ---- */

static const char *nearest_rule(struct str id)
{
	size_t best = text_distance_allowed(id) + 1;
	const char *nearest = NULL;

	for (size_t i = 0; i < FINDING_RULE_COUNT; i++) {
		const char *known = finding_rule_id((enum finding_rule)i);
		size_t d = text_distance(id, str_of(known));
		if (d >= best)
			continue;
		nearest = known;
		best = d;
	}
	return nearest;
}

static int find_rule(struct str id, const char *setting, enum finding_rule *ret, struct err *e)
{
	const char *nearest;

	for (size_t i = 0; i < FINDING_RULE_COUNT; i++) {
		if (str_eq_c(id, finding_rule_id((enum finding_rule)i))) {
			*ret = (enum finding_rule)i;
			return 0;
		}
	}
	nearest = nearest_rule(id);
	if (!nearest)
		return err_set(e, ERR_CONFIG,
			SHOWN ": there is no such rule; `modeld rules` lists them", setting);
	return err_set(e, ERR_CONFIG, SHOWN ": there is no such rule; did you mean %s?", setting,
		nearest);
}

/* ---- severities ---- */

static int find_severity(struct str word, const char *setting, enum finding_severity *ret,
	struct err *e)
{
	const char *nearest = NULL;
	size_t best = text_distance_allowed(word) + 1;

	for (size_t i = 0; i < ARRAY_SIZE(choices); i++) {
		const char *known = finding_severity_name(choices[i]);
		size_t d = text_distance(word, str_of(known));
		if (str_eq_c(word, known)) {
			*ret = choices[i];
			return 0;
		}
		if (d < best) {
			nearest = known;
			best = d;
		}
	}
	return err_set(e, ERR_CONFIG, SHOWN ": " EXPECTED "%s%s%s", setting,
		nearest ? "; did you mean " : "", nearest ? nearest : "", nearest ? "?" : "");
}

static int check_change(enum finding_rule rule, enum finding_severity severity, struct err *e)
{
	const char *why = finding_rule_fixed(rule);

	if (!why || severity == finding_rule_severity(rule))
		return 0;
	return err_set(e, ERR_CONFIG, "%s stays %s, because %s", finding_rule_id(rule),
		finding_severity_name(finding_rule_severity(rule)), why);
}

static int read_setting(const char *setting, struct finding_policy *p, bool *seen, struct err *e)
{
	struct str word = str_of(setting), id;
	enum finding_severity severity = FINDING_OFF;
	enum finding_rule rule = FINDING_RULE_COUNT;
	int r;

	if (!str_split(&word, '=', &id) || !word.p)
		return err_set(e, ERR_CONFIG, SHOWN ": " EXPECTED, setting);
	r = find_rule(id, setting, &rule, e);
	if (r == 0)
		r = find_severity(word, setting, &severity, e);
	if (r == 0)
		r = check_change(rule, severity, e);
	if (r < 0)
		return r;
	if (seen[rule])
		return err_set(e, ERR_CONFIG, "%s is set twice", finding_rule_id(rule));
	seen[rule] = true;
	p->severity[rule] = severity;
	return 0;
}

int finding_policy_read(struct finding_policy *p, char *const *settings, size_t n, struct err *e)
{
	bool seen[FINDING_RULE_COUNT] = {false};
	struct finding_policy changed = *p;
	int r = 0;

	for (size_t i = 0; r == 0 && i < n; i++)
		r = read_setting(settings[i], &changed, seen, e);
	if (r == 0)
		*p = changed;
	return r;
}
