/* SPDX-License-Identifier: Apache-2.0 */
#include "common/model/finding.h"
#include "common/model/finding_policy.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

static const struct {
	const char *id;
	enum finding_severity severity;
	const char *doc;
	const char *fix;
	const char *fixed;
} rules[] = {
#define OPEN       NULL
#define FIXED(why) why
#define FINDING_RULE(ident, id, severity, doc, fix, change) \
	[RULE_##ident] = {id, FINDING_##severity, doc, fix, change},
#include "common/model/finding.def"
#undef FINDING_RULE
#undef FIXED
#undef OPEN
};

static void finding_done(struct finding *x)
{
	free(x->pointer);
	free(x->file);
	free(x->message);
	free(x->fix);
}

void findings_init(struct findings *f)
{
	findings_init_policy(f, NULL);
}

void findings_init_policy(struct findings *f, const struct finding_policy *policy)
{
	*f = (struct findings){.policy = policy};
}

void findings_done(struct findings *f)
{
	for (size_t i = 0; i < f->n; i++)
		finding_done(&f->items[i]);
	free(f->items);
	findings_init_policy(f, f->policy);
}

/* Room for one more, or NULL. A full list gives up its last milder finding for an error, so that
 * what refuses a model is always told. */
static struct finding *room(struct findings *f, enum finding_severity severity)
{
	if (f->n < FINDINGS_MAX) {
		if (!f->items)
			f->items = calloc(FINDINGS_MAX, sizeof(*f->items));
		f->no_memory |= !f->items;
		return f->items ? &f->items[f->n++] : NULL;
	}
	for (size_t i = f->n; severity == FINDING_ERROR && i-- > 0;) {
		if (f->items[i].severity != FINDING_ERROR) {
			finding_done(&f->items[i]);
			memmove(&f->items[i], &f->items[i + 1], (f->n - i - 1) * sizeof(*f->items));
			return &f->items[f->n - 1];
		}
	}
	return NULL;
}

/* A copy of `s`; NULL for NULL. */
static char *copy(const char *s, bool *no_memory)
{
	char *text = s ? strdup(s) : NULL;

	*no_memory |= s && !text;
	return text;
}

PRINTF_LIKE(1, 0)
static char *format(const char *fmt, va_list ap, bool *no_memory)
{
	char *text = NULL;

	if (vasprintf(&text, fmt, ap) < 0) {
		*no_memory = true;
		return NULL;
	}
	return text;
}

void findings_add(struct findings *f, enum finding_rule rule, const char *file, const char *pointer,
	const char *fmt, ...)
{
	enum finding_severity severity =
		f->policy ? f->policy->severity[rule] : rules[rule].severity;
	bool no_memory = false;
	struct finding *x;
	va_list ap;

	if (severity == FINDING_OFF)
		return;
	f->counts[severity]++;
	x = room(f, severity);
	if (!x)
		return;
	va_start(ap, fmt);
	*x = (struct finding){
		.rule = rules[rule].id,
		.severity = severity,
		.pointer = copy(pointer, &no_memory),
		.file = copy(file, &no_memory),
		.message = format(fmt, ap, &no_memory),
		.fix = copy(rules[rule].fix, &no_memory),
	};
	va_end(ap);
	if (no_memory) {
		finding_done(x);
		f->n--;
		f->no_memory = true;
	}
}

static const char *first_error(const struct findings *f)
{
	for (size_t i = 0; i < f->n; i++)
		if (f->items[i].severity == FINDING_ERROR)
			return f->items[i].message;
	return "the model is not loadable";
}

int findings_to_err(const struct findings *f, struct err *e)
{
	const char *first = first_error(f);
	size_t more = f->counts[FINDING_ERROR] - 1;

	if (f->counts[FINDING_ERROR] <= 1)
		return err_set(e, ERR_NOT_LOADABLE, "%s", first);
	return err_set(e, ERR_NOT_LOADABLE, "%s (and %zu more error%s)", first, more,
		more == 1 ? "" : "s");
}

static void write_set(struct json_write *w, const char *key, const char *value)
{
	if (value)
		json_write_str(w, key, value);
}

void findings_write_first(const struct findings *f, size_t n, struct json_write *w, const char *key)
{
	json_write_array(w, key);
	for (size_t i = 0; i < f->n && i < n; i++) {
		const struct finding *x = &f->items[i];
		json_write_object(w, NULL);
		json_write_str(w, "rule", x->rule);
		json_write_str(w, "severity", finding_severity_name(x->severity));
		write_set(w, "pointer", x->pointer);
		write_set(w, "file", x->file);
		json_write_str(w, "message", x->message);
		write_set(w, "fix", x->fix);
		json_write_object_end(w);
	}
	json_write_array_end(w);
}

void findings_write(const struct findings *f, struct json_write *w, const char *key)
{
	findings_write_first(f, f->n, w, key);
}

const char *finding_rule_id(enum finding_rule rule)
{
	return rules[rule].id;
}

enum finding_severity finding_rule_severity(enum finding_rule rule)
{
	return rules[rule].severity;
}

const char *finding_rule_doc(enum finding_rule rule)
{
	return rules[rule].doc;
}

const char *finding_rule_fix(enum finding_rule rule)
{
	return rules[rule].fix;
}

const char *finding_rule_fixed(enum finding_rule rule)
{
	return rules[rule].fixed;
}

const char *finding_severity_name(enum finding_severity severity)
{
	static const char *const names[] = {
		[FINDING_OFF] = "off",
		[FINDING_INFO] = "info",
		[FINDING_WARNING] = "warning",
		[FINDING_ERROR] = "error",
	};

	return names[severity];
}
