/* SPDX-License-Identifier: Apache-2.0 */
/* A topology read from JSON with apostrophes for quotes, and what came of it as text. */
#pragma once

#include "common/base/buf.h"
#include "common/model/layers.h"
#include "tests/unit/unit.h"

#include <stdlib.h>

struct layers_case {
	struct json_doc *doc;
	struct layers_model *m;
	struct manifest *manifest;
	struct findings f;
	struct buf text;
};

static inline void layers_case_done(struct layers_case *c)
{
	layers_free(c->m);
	manifest_free(c->manifest);
	findings_done(&c->f);
	json_doc_free(c->doc);
	buf_done(&c->text);
}

/* `json` is {'modelTopology': ..., 'weightsManifest': ...}; the manifest is matched when it is
 * there. */
static inline void layers_case_read(struct layers_case *c, const char *json)
{
	struct json_limits limits = JSON_LIMITS_MODEL;
	char *quoted = strdup(json);
	const struct json *groups;
	struct err e;

	*c = (struct layers_case){.text = BUF_INIT(1 << 20)};
	findings_init(&c->f);
	for (char *p = quoted; *p; p++)
		if (*p == '\'')
			*p = '"';
	ck_ok(json_parse(quoted, strlen(quoted), &limits, &c->doc, &e));
	free(quoted);
	ck_ok(layers_read(json_get(json_root(c->doc), "modelTopology"), &c->m, &c->f, &e));
	groups = json_get(json_root(c->doc), "weightsManifest");
	if (!groups)
		return;
	ck_ok(manifest_read(groups, &c->manifest, &c->f, &e));
	ck_ok(layers_match(c->m, c->manifest, &c->f, &e));
}

static inline void layers_case_shape(struct buf *out, const int64_t *shape, size_t rank, bool known)
{
	buf_add_str(out, known ? "[" : "[*");
	for (size_t i = 0; i < rank; i++)
		buf_addf(out, i ? ",%lld" : "%lld", (long long)shape[i]);
	buf_add_char(out, ']');
}

/* "dense/kernel[4,3] dense/bias[3]" */
static inline const char *layers_case_weights(struct layers_case *c)
{
	size_t n;
	const struct layers_weight *w = layers_weights(c->m, &n);

	buf_clear(&c->text);
	for (size_t i = 0; i < n; i++) {
		buf_addf(&c->text, i ? " %s" : "%s", w[i].name);
		layers_case_shape(&c->text, w[i].shape, w[i].rank, w[i].rank_known);
	}
	return buf_str(&c->text);
}

static inline const char *layers_case_tensors(struct layers_case *c, const struct layers_tensor *t,
	size_t n)
{
	buf_clear(&c->text);
	for (size_t i = 0; i < n; i++) {
		buf_addf(&c->text, i ? " %s:%s" : "%s:%s", t[i].name, t[i].dtype);
		layers_case_shape(&c->text, t[i].shape, t[i].rank, t[i].rank_known);
	}
	return buf_str(&c->text);
}

static inline const char *layers_case_inputs(struct layers_case *c)
{
	size_t n;
	const struct layers_tensor *t = layers_inputs(c->m, &n);

	return layers_case_tensors(c, t, n);
}

static inline const char *layers_case_outputs(struct layers_case *c)
{
	size_t n;
	const struct layers_tensor *t = layers_outputs(c->m, &n);

	return layers_case_tensors(c, t, n);
}

/* The ids of the findings, with a space between. */
static inline const char *layers_case_rules(struct layers_case *c)
{
	buf_clear(&c->text);
	for (size_t i = 0; i < c->f.n; i++)
		buf_addf(&c->text, i ? " %s" : "%s", c->f.items[i].rule);
	return buf_str(&c->text);
}
