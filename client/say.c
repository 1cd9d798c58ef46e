/* SPDX-License-Identifier: Apache-2.0 */
#include "client/say.h"
#include "common/base/fsio.h"
#include "common/base/num.h"

#include <math.h>
#include <stdarg.h>
#include <stdio.h>

#define NOTE_MAX 4096 /* bytes of a line */
#define RED      "\033[31m"
#define YELLOW   "\033[33m"
#define BLUE     "\033[34m"
#define PLAIN    "\033[0m"

/* ---- where it goes ---- */

int say_out(const struct buf *text, struct fault *f)
{
	return fsio_print(text, &f->e);
}

int say_json(struct buf *json, struct fault *f)
{
	buf_add_char(json, '\n');
	return say_out(json, f);
}

void say_note(const struct run *run, const char *fmt, ...)
{
	CLEANUP_BUF struct buf line = BUF_INIT(NOTE_MAX);
	char text[NOTE_MAX / 2];
	va_list ap;

	if (run->quiet)
		return;
	va_start(ap, fmt);
	(void)vsnprintf(text, sizeof(text), fmt, ap);
	va_end(ap);
	say_clean(text, &line);
	buf_add_char(&line, '\n');
	(void)fwrite(buf_str(&line), 1, line.len, stderr);
}

int say_deleted(const struct run *run, const char *what, struct fault *f)
{
	CLEANUP_BUF struct buf json = BUF_INIT(4096);
	struct json_write w;

	say_note(run, "%s is deleted.", what);
	if (!run->json)
		return 0;
	json_write_init(&w, &json);
	json_write_object(&w, NULL);
	json_write_str(&w, "deleted", what);
	json_write_object_end(&w);
	return say_json(&json, f);
}

/* C0 with DEL, and C1 as UTF-8 has it (U+0080 to U+009F). */
void say_clean(const char *text, struct buf *out)
{
	for (const unsigned char *c = (const unsigned char *)text; *c; c++) {
		bool c1 = *c == 0xc2 && c[1] >= 0x80 && c[1] < 0xa0;
		buf_add_char(out, *c < ' ' || *c == 0x7f || c1 ? '?' : (char)*c);
		c += c1;
	}
}

/* ---- faults ---- */

static void write_fault(const struct fault *f, struct buf *out)
{
	const struct json *errors = json_get(f->problem ? json_root(f->problem) : NULL, "errors");
	struct json_write w;

	json_write_init(&w, out);
	json_write_object(&w, NULL);
	json_write_object(&w, "error");
	json_write_str(&w, "code", err_name(f->e.code));
	json_write_str(&w, "detail", f->e.text);
	if (f->next[0])
		json_write_str(&w, "next", f->next);
	json_write_uint(&w, "exit", fault_exit_of(f));
	if (errors)
		say_value(&w, "errors", errors);
	json_write_object_end(&w);
	json_write_object_end(&w);
	buf_add_char(out, '\n');
}

void say_fault(const struct run *run, const struct fault *f)
{
	CLEANUP_BUF struct buf text = BUF_INIT(SAY_MAX), json = BUF_INIT(SAY_MAX);
	const struct json *errors = json_get(f->problem ? json_root(f->problem) : NULL, "errors");
	struct err ignored;

	if (run->json) {
		write_fault(f, &json);
		(void)fsio_print(&json, &ignored);
	}
	if (errors && !run->json)
		say_findings_json(errors, run->err_color, &text);
	buf_add_str(&text, "modelctl: ");
	say_clean(f->e.text, &text);
	buf_add_char(&text, '\n');
	if (f->next[0])
		buf_addf(&text, "  %s\n", f->next);
	(void)fwrite(buf_str(&text), 1, text.len, stderr);
}

/* ---- findings ---- */

static const char *color_of(const char *severity)
{
	if (strcmp(severity, "error") == 0)
		return RED;
	return strcmp(severity, "warning") == 0 ? YELLOW : BLUE;
}

static void add_finding(const char *rule, const char *severity, const char *file,
	const char *pointer, const char *message, const char *fix, bool color, struct buf *out)
{
	buf_addf(out, "%s%s%s ", color ? color_of(severity) : "", severity, color ? PLAIN : "");
	say_clean(rule, out);
	if (file) {
		buf_add_char(out, ' ');
		say_clean(file, out);
	}
	if (pointer) {
		buf_add_char(out, ' ');
		say_clean(pointer, out);
	}
	buf_add_str(out, ": ");
	say_clean(message, out);
	buf_add_char(out, '\n');
	if (fix) {
		buf_add_str(out, "  ");
		say_clean(fix, out);
		buf_add_char(out, '\n');
	}
}

void say_finding(const struct finding *x, bool color, struct buf *out)
{
	add_finding(x->rule, finding_severity_name(x->severity), x->file, x->pointer, x->message,
		x->fix, color, out);
}

void say_findings(const struct findings *f, bool color, struct buf *out)
{
	size_t n = 0;

	for (size_t i = 0; i < f->n; i++)
		say_finding(&f->items[i], color, out);
	for (size_t i = 0; i < ARRAY_SIZE(f->counts); i++)
		n += f->counts[i];
	if (n > f->n)
		buf_addf(out, "and %zu more\n", n - f->n);
}

static const char *text_of(const struct json *object, const char *key)
{
	return json_str(json_get(object, key));
}

const char *say_text(const struct json *object, const char *key)
{
	const char *text = text_of(object, key);

	return text ? text : "";
}

void say_findings_json(const struct json *findings, bool color, struct buf *out)
{
	for (const struct json *x = json_first(findings); x; x = json_next(x)) {
		const char *rule = text_of(x, "rule"), *severity = text_of(x, "severity");
		const char *message = text_of(x, "message");
		if (rule && severity && message)
			add_finding(rule, severity, text_of(x, "file"), text_of(x, "pointer"),
				message, text_of(x, "fix"), color, out);
	}
}

/* ---- JSON ---- */

static void write_number(struct json_write *w, const char *key, const struct json *value)
{
	double number = 0;

	(void)json_double(value, &number);
	if (fabs(number) <= (double)NUM_SAFE_INTEGER_MAX && floor(number) == number)
		json_write_int(w, key, (int64_t)number);
	else
		json_write_double(w, key, number);
}

void say_value(struct json_write *w, const char *key, const struct json *value)
{
	bool is_object = json_is(value, JSON_OBJECT);

	switch (json_type(value)) {
	case JSON_OBJECT:
	case JSON_ARRAY:
		if (w->depth + 2 >= JSON_WRITE_DEPTH) {
			json_write_str(w, key, "...");
			break;
		}
		(is_object ? json_write_object : json_write_array)(w, key);
		for (const struct json *x = json_first(value); x; x = json_next(x))
			say_value(w, json_key(x), x);
		(is_object ? json_write_object_end : json_write_array_end)(w);
		break;
	case JSON_STRING:
		json_write_str(w, key, json_str(value));
		break;
	case JSON_NUMBER:
		write_number(w, key, value);
		break;
	case JSON_NULL:
		json_write_null(w, key);
		break;
	default:
		json_write_bool(w, key, json_is(value, JSON_TRUE));
	}
}

/* ---- tables ---- */

void say_table_add(struct say_table *t, const char *cell)
{
	CLEANUP_BUF struct buf clean = BUF_INIT(SAY_MAX);
	char *copy;

	if (t->n == t->cap) {
		size_t cap = t->cap ? 2 * t->cap : 64;
		char **more = reallocarray(t->cells, cap, sizeof(*more));
		t->no_memory = t->no_memory || !more;
		if (!more)
			return;
		t->cells = more;
		t->cap = cap;
	}
	say_clean(cell, &clean);
	copy = strdup(buf_str(&clean));
	t->no_memory = t->no_memory || !copy || buf_failed(&clean);
	if (copy)
		t->cells[t->n++] = copy;
}

/* Columns of the terminal, but for wide and combining characters. */
static size_t width_of(const char *text)
{
	size_t n = 0;

	for (; *text; text++)
		n += ((unsigned char)*text & 0xc0) != 0x80;
	return n;
}

static void add_cell(const char *cell, size_t width, bool right, bool last, struct buf *out)
{
	int pad = (int)(width - width_of(cell));

	if (right)
		buf_addf(out, "%*s", pad, "");
	buf_add_str(out, cell);
	if (!right && !last)
		buf_addf(out, "%*s", pad, "");
	buf_add_str(out, last ? "\n" : "  ");
}

void say_table_print(const struct say_table *t, struct buf *out)
{
	size_t widths[SAY_COLUMNS] = {0};

	if (t->no_memory)
		out->failure = ERR_OUT_OF_MEMORY;
	for (size_t i = 0; i < t->n; i++) {
		size_t width = width_of(t->cells[i]);
		if (width > widths[i % t->columns])
			widths[i % t->columns] = width;
	}
	for (size_t i = 0; i < t->n; i++) {
		size_t column = i % t->columns;
		add_cell(t->cells[i], widths[column], t->right >> column & 1,
			column == t->columns - 1, out);
	}
}

void say_table_done(struct say_table *t)
{
	for (size_t i = 0; i < t->n; i++)
		free(t->cells[i]);
	free(t->cells);
}
