/* SPDX-License-Identifier: Apache-2.0 */
#include "common/model/filepath.h"
#include "common/model/finding_policy.h"
#include "common/model/graph_internal.h"

#include <stdarg.h>
#include <stdio.h>

#define TEXT_MAX 1024

const char *graph_say_type(const struct json *v)
{
	return v ? json_type_name(json_type(v)) : "nothing";
}

void graph_say_pointer(char ret[static GRAPH_POINTER_MAX], const char *prefix, const char *key)
{
	size_t n = (size_t)snprintf(ret, GRAPH_POINTER_MAX, "%s", prefix);

	for (; *key && n + 2 < GRAPH_POINTER_MAX; key++) {
		if (*key == '~' || *key == '/') {
			ret[n++] = '~';
			ret[n++] = *key == '~' ? '0' : '1';
		} else {
			ret[n++] = *key;
		}
	}
	ret[n] = '\0';
}

/* "node 'x' (Relu) of function 'f'" */
static void name_node(const struct graph *g, const struct graph_node *x, char text[static TEXT_MAX])
{
	int n = snprintf(text, TEXT_MAX, "node " GRAPH_NAME " (%.48s)", x->name, x->op);

	if (g->function)
		(void)snprintf(text + n, TEXT_MAX - (size_t)n, " of function " GRAPH_NAME,
			g->function);
	else if (g->initializer)
		(void)snprintf(text + n, TEXT_MAX - (size_t)n, " of modelInitializer");
}

/* There may be as many findings as there are inputs: what is not kept needs no words. */
static bool is_only_counted(const struct findings *f, enum finding_rule rule)
{
	enum finding_severity severity =
		f->policy ? f->policy->severity[rule] : finding_rule_severity(rule);

	return severity == FINDING_OFF || f->counts[severity] >= FINDINGS_MAX;
}

PRINTF_LIKE(6, 0)
static void say(const struct graph *g, const struct graph_node *x, enum finding_rule rule,
	const char *member, const char *because, const char *fmt, va_list ap)
{
	char pointer[GRAPH_POINTER_MAX * 2], node[TEXT_MAX], text[TEXT_MAX];

	if (is_only_counted(g->r->f, rule)) {
		findings_add(g->r->f, rule, NULL, NULL, "%s", because);
		return;
	}
	name_node(g, x, node);
	(void)vsnprintf(text, sizeof(text), fmt, ap);
	(void)snprintf(pointer, sizeof(pointer), "%s/%u%s", g->pointer, x->item,
		x->argument ? "" : member);
	findings_add(g->r->f, rule, FILEPATH_MODEL, pointer, "%s%s: %s", because, node, text);
}

void graph_say_load(const struct graph *g, const struct graph_node *x, enum finding_rule rule,
	const char *member, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	say(g, x, rule, member, "", fmt, ap);
	va_end(ap);
}

void graph_say_run(const struct graph *g, const struct graph_node *x, enum finding_rule rule,
	const char *member, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	if (g->called && x->needed)
		say(g, x, rule, member, "", fmt, ap);
	else
		say(g, x, RULE_GRAPH_UNNEEDED, member, "no output needs this, but ", fmt, ap);
	va_end(ap);
}
