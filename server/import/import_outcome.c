/* SPDX-License-Identifier: Apache-2.0 */
#include "server/import/import_outcome.h"

struct outcome {
	const struct published *published; /* NULL: it failed */
	const char *label;
	const struct import_failure *why;
	const struct findings *findings; /* NULL for none */
};

static void write_root(struct json_write *w, const struct digest *root)
{
	char text[8 + DIGEST_HEX] = "sha256:";

	(void)digest_hex(root, text + strlen(text));
	json_write_str(w, "root_digest", text);
}

/* The first `n` of them. */
static void write_findings(struct json_write *w, const struct outcome *o, size_t n)
{
	const struct findings *f = o->findings;
	size_t all = 0;

	if (!f)
		return;
	for (size_t i = 0; i < ARRAY_SIZE(f->counts); i++)
		all += f->counts[i];
	findings_write_first(f, n, w, o->published ? "findings" : "errors");
	if (all > n)
		json_write_uint(w, o->published ? "findings_omitted" : "errors_omitted", all - n);
}

static void write_published(struct json_write *w, const struct outcome *o, size_t n)
{
	if (o->label[0])
		json_write_str(w, "label", o->label);
	json_write_bool(w, "deduplicated", o->published->deduplicated);
	write_root(w, &o->published->root);
	write_findings(w, o, n);
}

static void write_failure(struct json_write *w, const struct outcome *o, size_t n)
{
	const struct import_failure *why = o->why;

	json_write_object(w, "error");
	json_write_str(w, "code", err_name(why->e.code));
	json_write_str(w, "detail", why->e.text);
	if (why->url[0])
		json_write_str(w, "url", why->url);
	if (why->status > 0)
		json_write_uint(w, "upstream_status", (uint64_t)why->status);
	write_findings(w, o, n);
	json_write_object_end(w);
}

/* With as many findings as fit: the first ones say most. */
static char *write_fitting(const struct outcome *o)
{
	CLEANUP_BUF struct buf out = BUF_INIT(CATALOG_JOB_JSON);
	size_t n = o->findings ? o->findings->n : 0;

	for (;;) {
		struct json_write w;

		buf_clear(&out);
		json_write_init(&w, &out);
		json_write_object(&w, NULL);
		if (o->published)
			write_published(&w, o, n);
		else
			write_failure(&w, o, n);
		json_write_object_end(&w);
		if (!buf_failed(&out))
			return buf_take(&out, NULL);
		if (out.failure != ERR_TOO_LARGE || n == 0)
			return NULL;
		n /= 2;
	}
}

char *import_outcome_done(const struct published *p, const char *label, const struct findings *f)
{
	return write_fitting(&(struct outcome){.published = p, .label = label, .findings = f});
}

char *import_outcome_failed(const struct import_failure *why, const struct findings *f)
{
	return write_fitting(&(struct outcome){.why = why, .findings = f});
}
