/* SPDX-License-Identifier: Apache-2.0 */
/* Container.loadWeights: which weight of the manifest goes where. */
#include "common/model/layers_internal.h"

#include "common/base/num.h"
#include "common/base/str.h"

#include <stdio.h>
#include <string.h>

struct target {
	const char *name; /* that the manifest must say */
	const struct layers_weight *weight;
	bool set;
};

struct match {
	const struct layers_model *m;
	struct findings *f;
	struct target *targets; /* sorted by name */
	size_t n;
	size_t set;
	size_t prefixed; /* names that fit without their first component */
	const char *prefixed_name;
	size_t vars; /* names that fit as "<layer>/<index>" without "vars" and what precedes it */
	const char *vars_name;
	char *names; /* of weights by index */
	bool by_index;
};

/* ---- names --------------------------------------------------------------------------------- */

/* !isNaN(parseInt(text, 10)) */
static bool parses_as_int(const char *text)
{
	text += strspn(text, " \t\n\v\f\r");
	if (*text == '+' || *text == '-')
		text++;
	return str_is_digit(*text);
}

static const char *last_component(const char *name)
{
	const char *slash = strrchr(name, '/');

	return slash ? slash + 1 : name;
}

/* An object's keys that are array indices come first, in ascending order. */
static bool is_array_index(const char *name, uint64_t *ret)
{
	size_t n = strlen(name);

	return num_parse(name, n, UINT32_MAX - 1, ret) && (name[0] != '0' || n == 1);
}

static const char *first_key(const struct manifest *manifest)
{
	const char *first = NULL, *lowest = NULL;
	uint64_t best = UINT64_MAX, index;

	for (size_t i = 0; i < manifest->weights_n; i++) {
		const struct manifest_weight *w = &manifest->weights[i];

		if (w->optimizer)
			continue;
		if (!first)
			first = w->name;
		if (is_array_index(w->name, &index) && index < best) {
			best = index;
			lowest = w->name;
		}
	}
	return lowest ? lowest : first;
}

/* Without its last component but one: "lstm/lstm_cell/kernel" is "lstm/kernel". */
static bool shortened(const char *name, struct buf *out)
{
	const char *last = last_component(name);
	const char *end = last > name ? last - 1 : name, *cut = end;

	if (end == name)
		return false;
	while (cut > name && cut[-1] != '/')
		cut--;
	buf_clear(out);
	buf_add(out, name, (size_t)(cut - name));
	buf_add_str(out, last);
	return !buf_failed(out);
}

/* ---- targets ------------------------------------------------------------------------------- */

static int target_cmp(const void *x, const void *y)
{
	const struct target *a = x, *b = y;

	return strcmp(a->name, b->name);
}

static struct target *find(const struct match *k, const char *name)
{
	struct target key = {.name = name};

	return k->n ? bsearch(&key, k->targets, k->n, sizeof(key), target_cmp) : NULL;
}

static struct target *find_unset(const struct match *k, const char *name)
{
	struct target *t = find(k, name);

	return t && !t->set ? t : NULL;
}

/* "dense/kernel", the third weight of its layer, is "dense/2". */
static int index_names(struct match *k, struct err *e)
{
	CLEANUP_BUF struct buf names = BUF_INIT(64 * MIB);
	size_t at = 0, n;

	for (size_t i = 0; i < k->n; i++) {
		const char *name = k->m->by_layer[i].name;

		buf_add(&names, name, (size_t)(last_component(name) - name));
		buf_addf(&names, "%zu", k->m->by_layer_index[i]);
		buf_add_char(&names, '\0');
	}
	if (buf_failed(&names))
		return buf_check(&names, "the names of the weights", e);
	if (k->n == 0)
		return 0;
	k->names = buf_take(&names, &n);
	for (size_t i = 0; i < k->n; i++) {
		k->targets[i].name = k->names + at;
		at += strlen(k->names + at) + 1;
	}
	return 0;
}

static void report_duplicates(struct match *k)
{
	for (size_t i = 1; i < k->n; i++)
		if (strcmp(k->targets[i - 1].name, k->targets[i].name) == 0)
			findings_add(k->f, RULE_LAYERS_WEIGHT_DUPLICATE, "model.json",
				"/modelTopology",
				"two layers have a weight named '%s'; TensorFlow.js: Duplicate "
				"weight name: %s. "
				"Nested models share one space of names",
				k->targets[i].name, k->targets[i].name);
}

static int make_targets(struct match *k, struct err *e)
{
	int r;

	k->n = k->m->by_layer_n;
	k->targets = calloc(k->n ? k->n : 1, sizeof(*k->targets));
	if (!k->targets)
		return err_nomem(e);
	for (size_t i = 0; i < k->n; i++) {
		k->targets[i].weight = &k->m->by_layer[i];
		k->targets[i].name = k->m->by_layer[i].name;
	}
	if (k->by_index && (r = index_names(k, e)) < 0)
		return r;
	qsort(k->targets, k->n, sizeof(*k->targets), target_cmp);
	report_duplicates(k);
	return 0;
}

/* ---- one weight of the manifest ------------------------------------------------------------ */

static int open_cmp(const void *key, const void *item)
{
	const struct str *prefix = key;
	const char *open = *(const char *const *)item;
	int order = strncmp(prefix->p, open, prefix->n);

	return order ? order : -(int)(open[prefix->n] != '\0');
}

/* Some part of the name up to a slash is an opaque layer's. */
static bool is_open(const struct match *k, const char *name)
{
	for (const char *p = strchr(name, '/'); p && k->m->open_n > 0; p = strchr(p + 1, '/')) {
		struct str prefix = {name, (size_t)(p - name) + 1};

		if (bsearch(&prefix, k->m->open, k->m->open_n, sizeof(*k->m->open), open_cmp))
			return true;
	}
	return false;
}

static bool shape_fits(const struct manifest_weight *w, const struct layers_weight *want)
{
	if (!want->rank_known)
		return true;
	if (w->rank != want->rank)
		return false;
	for (size_t i = 0; i < w->rank; i++)
		if (want->shape[i] != LAYERS_DIM_UNKNOWN && (uint64_t)want->shape[i] != w->shape[i])
			return false;
	return true;
}

static void add_dims(struct buf *out, size_t rank, const int64_t *want, const uint64_t *got)
{
	buf_add_char(out, '[');
	for (size_t i = 0; i < rank; i++) {
		if (i > 0)
			buf_add_char(out, ',');
		if (want && want[i] == LAYERS_DIM_UNKNOWN)
			buf_add_char(out, '?');
		else
			buf_addf(out, "%llu",
				(unsigned long long)(want ? (uint64_t)want[i] : got[i]));
	}
	buf_add_char(out, ']');
}

static void compare(struct match *k, const struct manifest_weight *w,
	const struct layers_weight *want)
{
	CLEANUP_BUF struct buf needed = BUF_INIT(4096), found = BUF_INIT(4096);

	if (!shape_fits(w, want)) {
		add_dims(&needed, want->rank, want->shape, NULL);
		add_dims(&found, w->rank, NULL, w->shape);
		findings_add(k->f, RULE_LAYERS_WEIGHT_SHAPE, "model.json", "/weightsManifest",
			"weight '%s' has shape %s where the topology needs %s; TensorFlow.js: "
			"Shape mismatch: "
			"%s vs. %s",
			w->name, buf_str(&found), buf_str(&needed), buf_str(&needed),
			buf_str(&found));
	}
	if (w->dtype != want->dtype)
		findings_add(k->f, RULE_LAYERS_WEIGHT_DTYPE, "model.json", "/weightsManifest",
			"weight '%s' has dtype %s where the topology needs %s; TensorFlow.js: "
			"dtype of the new "
			"value (%s) and previous value (%s) must match",
			w->name, dtype_name(w->dtype), dtype_name(want->dtype),
			dtype_name(w->dtype), dtype_name(want->dtype));
}

static void take(struct match *k, const struct manifest_weight *w, struct target *t)
{
	t->set = true;
	k->set++;
	compare(k, w, t->weight);
}

/* Keras 3 puts the model's name before the layer's. */
static bool take_prefixed(struct match *k, const struct manifest_weight *w, struct buf *scratch)
{
	const char *rest = strchr(w->name, '/');
	struct target *t = rest ? find_unset(k, rest + 1) : NULL;

	if (!t && rest && shortened(rest + 1, scratch))
		t = find_unset(k, buf_str(scratch));
	if (!t)
		return false;
	if (k->prefixed++ == 0)
		k->prefixed_name = w->name;
	take(k, w, t);
	return true;
}

/* Keras 3's own files have "layers/dense/vars/0", and its checkpoints
 * "_layer_checkpoint_dependencies/dense/vars/0". */
static bool take_vars(struct match *k, const struct manifest_weight *w, struct buf *scratch)
{
	const char *vars = strstr(w->name, "/vars/"), *start = vars;
	struct target *t;

	if (!k->by_index || !vars)
		return false;
	while (start > w->name && start[-1] != '/')
		start--;
	buf_clear(scratch);
	buf_add(scratch, start, (size_t)(vars - start));
	buf_add_str(scratch, vars + strlen("/vars"));
	t = buf_failed(scratch) ? NULL : find_unset(k, buf_str(scratch));
	if (!t)
		return false;
	if (k->vars++ == 0)
		k->vars_name = w->name;
	take(k, w, t);
	return true;
}

static void place(struct match *k, const struct manifest_weight *w, struct buf *scratch)
{
	struct target *t = find_unset(k, w->name);

	if (!t && shortened(w->name, scratch))
		t = find_unset(k, buf_str(scratch));
	if (t) {
		take(k, w, t);
		return;
	}
	if (is_open(k, w->name) || k->m->incomplete || take_vars(k, w, scratch) ||
		take_prefixed(k, w, scratch))
		return;
	findings_add(k->f, RULE_LAYERS_WEIGHT_SURPLUS, "model.json", "/weightsManifest",
		"no layer has a weight '%s'%s; TensorFlow.js: Provided weight data has no target "
		"variable: %s",
		w->name,
		k->by_index ? " (the first name of the manifest ends in a digit, so all are "
			      "<layer>/<index>)"
			    : "",
		w->name);
}

/* ---- the whole manifest -------------------------------------------------------------------- */

static int by_manifest_name(const void *x, const void *y)
{
	const struct manifest_weight *a = *(const struct manifest_weight *const *)x;
	const struct manifest_weight *b = *(const struct manifest_weight *const *)y;
	int order = strcmp(a->name, b->name);

	return order ? order : (a > b) - (a < b);
}

/* Of two with one name the later counts. Marks the earlier ones in `skip`. */
static int find_twice(struct match *k, const struct manifest *manifest, bool *skip, struct err *e)
{
	const struct manifest_weight **sorted = calloc(manifest->weights_n + 1, sizeof(*sorted));
	size_t n = 0;

	if (!sorted)
		return err_nomem(e);
	for (size_t i = 0; i < manifest->weights_n; i++)
		if (!manifest->weights[i].optimizer)
			sorted[n++] = &manifest->weights[i];
	qsort(sorted, n, sizeof(*sorted), by_manifest_name);
	for (size_t i = 1; i < n; i++) {
		if (strcmp(sorted[i - 1]->name, sorted[i]->name) != 0)
			continue;
		skip[sorted[i - 1] - manifest->weights] = true;
		findings_add(k->f, RULE_LAYERS_WEIGHT_TWICE, "model.json", "/weightsManifest",
			"the manifest has two weights named '%s'; TensorFlow.js loads the later "
			"one",
			sorted[i]->name);
	}
	free(sorted);
	return 0;
}

static void report_missing(struct match *k)
{
	CLEANUP_BUF struct buf names = BUF_INIT(400);
	size_t missing = 0;

	for (size_t i = 0; i < k->n; i++) {
		if (k->targets[i].set)
			continue;
		if (missing++ > 0 && names.len < 300)
			buf_add_char(&names, ',');
		if (names.len < 300)
			buf_addf(&names, "%.90s", k->targets[i].name);
	}
	if (missing > 0 && !k->m->incomplete)
		findings_add(k->f, RULE_LAYERS_WEIGHT_MISSING, "model.json", "/weightsManifest",
			"the manifest lacks weights of the topology; TensorFlow.js: %zu of %zu "
			"weights are not "
			"set: %s%s",
			missing, k->n, buf_str(&names), names.len >= 300 ? ",..." : "");
}

static void report_prefix(struct match *k)
{
	if (k->prefixed == 0)
		return;
	findings_add(k->f, RULE_KERAS3_WEIGHT_PREFIX, "model.json", "/weightsManifest",
		"%zu weights have the model's name before the layer's, as Keras 3 writes them, "
		"'%s' the first; "
		"TensorFlow.js: Provided weight data has no target variable: %s",
		k->prefixed, k->prefixed_name, k->prefixed_name);
}

static void report_vars(struct match *k)
{
	if (k->vars == 0)
		return;
	findings_add(k->f, RULE_KERAS3_WEIGHT_VARS, "model.json", "/weightsManifest",
		"%zu weights are named as in a file of Keras 3, '%s' the first, where "
		"<layer>/<index> is expected; TensorFlow.js: Provided weight data has no target "
		"variable: %s",
		k->vars, k->vars_name, k->vars_name);
}

static int place_all(struct match *k, const struct manifest *manifest, struct err *e)
{
	CLEANUP_BUF struct buf scratch = BUF_INIT(MIB);
	CLEANUP_FREE bool *skip = calloc(manifest->weights_n + 1, sizeof(*skip));
	int r;

	if (!skip)
		return err_nomem(e);
	r = find_twice(k, manifest, skip, e);
	if (r < 0)
		return r;
	for (size_t i = 0; i < manifest->weights_n; i++)
		if (!manifest->weights[i].optimizer && !skip[i])
			place(k, &manifest->weights[i], &scratch);
	report_prefix(k);
	report_vars(k);
	report_missing(k);
	return 0;
}

int layers_match(const struct layers_model *m, const struct manifest *manifest, struct findings *f,
	struct err *e)
{
	struct match k = {.m = m, .f = f};
	const char *first = first_key(manifest);
	int r;

	k.by_index = first && parses_as_int(last_component(first));
	r = make_targets(&k, e);
	if (r == 0)
		r = place_all(&k, manifest, e);
	free(k.targets);
	free(k.names);
	return r;
}
