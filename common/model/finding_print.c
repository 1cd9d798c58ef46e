/* SPDX-License-Identifier: Apache-2.0 */
#include "common/model/finding_print.h"
#include "common/base/text.h"

#define COLUMNS  84
#define ID_WIDTH 32
#define INDENT   "    "

/* ---- for a terminal ---- */

static void print_severity(const struct finding_policy *p, enum finding_rule rule, struct buf *out)
{
	enum finding_severity now = p->severity[rule], usual = finding_rule_severity(rule);

	buf_add_str(out, finding_severity_name(now));
	if (finding_rule_fixed(rule))
		buf_add_str(out, ", always");
	else if (now != usual)
		buf_addf(out, ", by default %s", finding_severity_name(usual));
}

static void print_rule(const struct finding_policy *p, enum finding_rule rule, struct buf *out)
{
	CLEANUP_BUF struct buf text = BUF_INIT(out->max);
	const char *fix = finding_rule_fix(rule);

	buf_addf(out, "%-*s ", ID_WIDTH, finding_rule_id(rule));
	print_severity(p, rule, out);
	buf_add_char(out, '\n');
	buf_addf(&text, "%s.", finding_rule_doc(rule));
	text_wrap(str_of(buf_str(&text)), COLUMNS, INDENT, out);
	if (!fix)
		return;
	buf_clear(&text);
	buf_addf(&text, "Fix: %s.", fix);
	text_wrap(str_of(buf_str(&text)), COLUMNS, INDENT, out);
}

void finding_print_text(const struct finding_policy *p, struct buf *out)
{
	for (size_t i = 0; i < FINDING_RULE_COUNT; i++)
		print_rule(p, (enum finding_rule)i, out);
	buf_add_str(out,
		"\n"
		"A model with an error is refused; a warning is kept with the version. `rules` of\n"
		"[validation] in modeld.conf(5) changes severities, but not those that are always\n"
		"so.\n");
}

/* ---- for programs ---- */

static void write_rule(const struct finding_policy *p, enum finding_rule rule, struct json_write *w)
{
	const char *fix = finding_rule_fix(rule), *why = finding_rule_fixed(rule);

	json_write_object(w, NULL);
	json_write_str(w, "rule", finding_rule_id(rule));
	json_write_str(w, "severity", finding_severity_name(p->severity[rule]));
	json_write_str(w, "default", finding_severity_name(finding_rule_severity(rule)));
	json_write_bool(w, "changeable", !why);
	json_write_str(w, "documentation", finding_rule_doc(rule));
	if (fix)
		json_write_str(w, "fix", fix);
	if (why)
		json_write_str(w, "why", why);
	json_write_object_end(w);
}

void finding_print_json(const struct finding_policy *p, struct buf *out)
{
	struct json_write w;

	json_write_init(&w, out);
	json_write_object(&w, NULL);
	json_write_array(&w, "rules");
	for (size_t i = 0; i < FINDING_RULE_COUNT; i++)
		write_rule(p, (enum finding_rule)i, &w);
	json_write_array_end(&w);
	json_write_object_end(&w);
	buf_add_char(out, '\n');
}

/* ---- as a manual ---- */

static void print_sentence(const char *before, const char *text, struct buf *out)
{
	CLEANUP_BUF struct buf sentence = BUF_INIT(out->max);

	buf_addf(&sentence, "%s%s.", before, text);
	text_roff(buf_str(&sentence), out);
	buf_add_char(out, '\n');
}

void finding_print_man(struct buf *out)
{
	for (size_t i = 0; i < FINDING_RULE_COUNT; i++) {
		enum finding_rule rule = (enum finding_rule)i;
		const char *fix = finding_rule_fix(rule), *why = finding_rule_fixed(rule);
		buf_add_str(out, ".TP\n\\fB");
		text_roff(finding_rule_id(rule), out);
		buf_addf(out, "\\fR (%s%s)\n", finding_severity_name(finding_rule_severity(rule)),
			why ? ", always" : "");
		print_sentence("", finding_rule_doc(rule), out);
		if (why)
			print_sentence("This is fixed, because ", why, out);
		if (fix)
			print_sentence("Fix: ", fix, out);
	}
}
