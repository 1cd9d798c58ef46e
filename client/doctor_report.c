/* SPDX-License-Identifier: Apache-2.0 */
#include "client/doctor_report.h"
#include "client/say.h"
#include "common/net/url.h"

#include <stdarg.h>
#include <stdio.h>

#define MESSAGE_MAX 1024
#define URL_TEXT    (4 * URL_MAX)

static const struct {
	const char *id;
	enum finding_severity severity;
	const char *fix;
} rules[] = {
#define DOCTOR_RULE(ident, id, severity, fix) [DOCTOR_##ident] = {id, FINDING_##severity, fix},
#include "client/doctor.def"
#undef DOCTOR_RULE
};

static void drop_item(struct doctor_report_item *item)
{
	free(item->url);
	free(item->pointer);
	free(item->message);
	free(item->fix);
}

void doctor_report_done(struct doctor_report *r)
{
	for (size_t i = 0; i < r->n; i++)
		drop_item(&r->items[i]);
	r->n = 0;
}

static char *copy(struct doctor_report *r, const char *text)
{
	char *ret = text ? strdup(text) : NULL;

	r->no_memory = r->no_memory || (text && !ret);
	return ret;
}

static bool same_text(const char *a, const char *b)
{
	return a && b ? strcmp(a, b) == 0 : a == b;
}

/* `x` has views of its texts. */
static void add_item(struct doctor_report *r, const struct doctor_report_item *x)
{
	CLEANUP_BUF struct buf url = BUF_INIT(URL_TEXT);
	struct doctor_report_item *item;

	r->counts[x->severity]++;
	for (size_t i = 0; i < r->n; i++) {
		item = &r->items[i];
		if (strcmp(item->rule, x->rule) == 0 && same_text(item->message, x->message) &&
			same_text(item->pointer, x->pointer)) {
			item->more++;
			return;
		}
	}
	if (r->n == DOCTOR_REPORT_MAX)
		return;
	url_redact(str_of(x->url), &url);
	item = &r->items[r->n++];
	*item = (struct doctor_report_item){
		.rule = x->rule,
		.severity = x->severity,
		.url = copy(r, buf_str(&url)),
		.pointer = copy(r, x->pointer),
		.message = copy(r, x->message),
		.fix = copy(r, x->fix),
		.host = x->host,
	};
}

void doctor_report_add(struct doctor_report *r, enum doctor_rule rule, const char *url,
	const char *fmt, ...)
{
	const char *advice = doctor_place_advice(r->place, rule);
	const char *host = advice ? doctor_place_name(r->place) : NULL;
	char message[MESSAGE_MAX], address[URL_MAX + 1], fix[MESSAGE_MAX];
	va_list ap;

	va_start(ap, fmt);
	(void)vsnprintf(message, sizeof(message), fmt, ap);
	va_end(ap);
	(void)snprintf(address, sizeof(address), "%s", url);
	(void)snprintf(fix, sizeof(fix), "%s%s%s%s%s", rules[rule].fix, advice ? ". " : "",
		advice ? host : "", advice ? ": " : "", advice ? advice : "");
	add_item(r,
		&(struct doctor_report_item){
			.rule = rules[rule].id,
			.severity = rules[rule].severity,
			.url = address,
			.message = message,
			.fix = fix,
			.host = host,
		});
}

void doctor_report_lint(struct doctor_report *r, const struct findings *f, const char *url)
{
	char address[URL_MAX + 1];

	(void)snprintf(address, sizeof(address), "%s", url);
	r->no_memory = r->no_memory || f->no_memory;
	for (size_t i = 0; i < f->n; i++)
		add_item(r,
			&(struct doctor_report_item){
				.rule = f->items[i].rule,
				.severity = f->items[i].severity,
				.url = address,
				.pointer = f->items[i].pointer,
				.message = f->items[i].message,
				.fix = f->items[i].fix,
			});
}

/* ---- what is read of it ---- */

static void print_item(const struct doctor_report_item *x, bool color, struct buf *out)
{
	CLEANUP_BUF struct buf message = BUF_INIT(2 * MESSAGE_MAX);

	buf_add_str(&message, x->message ? x->message : "");
	if (x->more > 0)
		buf_addf(&message, " (and of %zu more)", x->more);
	say_finding(
		&(struct finding){
			.rule = x->rule,
			.severity = x->severity,
			.file = x->url,
			.pointer = x->pointer,
			.message = message.data,
			.fix = x->fix,
		},
		color, out);
}

static size_t not_kept(const struct doctor_report *r)
{
	size_t n = 0, kept = 0;

	for (size_t i = 0; i < ARRAY_SIZE(r->counts); i++)
		n += r->counts[i];
	for (size_t i = 0; i < r->n; i++)
		kept += 1 + r->items[i].more;
	return n - kept;
}

void doctor_report_print(const struct doctor_report *r, bool color, struct buf *out)
{
	for (size_t i = 0; i < r->n; i++)
		print_item(&r->items[i], color, out);
	if (not_kept(r) > 0)
		buf_addf(out, "and %zu more\n", not_kept(r));
}

void doctor_report_write(const struct doctor_report *r, struct json_write *w, const char *key)
{
	json_write_array(w, key);
	for (size_t i = 0; i < r->n; i++) {
		const struct doctor_report_item *x = &r->items[i];
		json_write_object(w, NULL);
		json_write_str(w, "rule", x->rule);
		json_write_str(w, "severity", finding_severity_name(x->severity));
		json_write_str(w, "url", x->url);
		if (x->more > 0)
			json_write_uint(w, "more", x->more);
		if (x->pointer)
			json_write_str(w, "pointer", x->pointer);
		json_write_str(w, "message", x->message);
		if (x->fix)
			json_write_str(w, "fix", x->fix);
		if (x->host)
			json_write_str(w, "host", x->host);
		json_write_object_end(w);
	}
	json_write_array_end(w);
}
