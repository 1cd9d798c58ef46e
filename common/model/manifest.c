/* SPDX-License-Identifier: Apache-2.0 */
#include "common/model/manifest.h"
#include "common/base/num.h"
#include "common/model/filepath.h"
#include "common/model/manifest_name.h"
#include "common/model/manifest_order.h"

#include <inttypes.h>
#include <stdio.h>

#define POINTER_MAX 128
#define NAME        "'%.128s'" /* names come from outside and may be megabytes */
#define WORD        "'%.32s'"

/* Where a path stands in the JSON. */
struct place {
	const char *path;
	size_t group, item;
};

struct reader {
	struct manifest *m;
	struct findings *f;
	struct place *places; /* one for each of m->paths */
	uint64_t *dims;       /* free part of the memory for shapes */
	size_t group, item;   /* being read */
	const char *name;     /* of the weight that is being read */
	size_t weights_max;
	bool no_memory;
	char pointer[POINTER_MAX];
};

struct counts {
	size_t groups, paths, weights, dims;
};

static const char *type_of(const struct json *v)
{
	return v ? json_type_name(json_type(v)) : "nothing";
}

/* JSON pointers to the group, and to `what` of its weight or path that is being read. */
static const char *at_group(struct reader *r, const char *member)
{
	(void)snprintf(r->pointer, sizeof(r->pointer), "/weightsManifest/%zu%s", r->group, member);
	return r->pointer;
}

static const char *at_path(struct reader *r, size_t group, size_t item)
{
	(void)snprintf(r->pointer, sizeof(r->pointer), "/weightsManifest/%zu/paths/%zu", group,
		item);
	return r->pointer;
}

static const char *at_weight(struct reader *r, const char *what)
{
	(void)snprintf(r->pointer, sizeof(r->pointer), "/weightsManifest/%zu/weights/%zu%s",
		r->group, r->item, what);
	return r->pointer;
}

/* Refuse what the weight that is being read has under `what`. Always false. */
#define refuse_weight(r, rule, what, ...) \
	(findings_add((r)->f, rule, FILEPATH_MODEL, at_weight(r, what), __VA_ARGS__), false)

/* ---- paths ---- */

static int add_path(struct reader *r, struct str path, struct err *e)
{
	struct manifest *m = r->m;
	char *own = str_dup(path);

	if (!own)
		return err_nomem(e);
	m->paths[m->paths_n] = own;
	r->places[m->paths_n++] = (struct place){own, r->group, r->item};
	return 0;
}

static int read_path(struct reader *r, const struct json *v, struct err *e)
{
	struct str path;
	struct err why;

	if (!json_is(v, JSON_STRING)) {
		findings_add(r->f, RULE_MANIFEST_TYPE, FILEPATH_MODEL,
			at_path(r, r->group, r->item),
			"a shard path is a string, not %s", type_of(v));
		return 0;
	}
	path = filepath_strip(str_of(json_str(v)));
	if (filepath_check(path, &why) < 0) {
		findings_add(r->f, RULE_MANIFEST_PATH, FILEPATH_MODEL,
			at_path(r, r->group, r->item), "%s", why.text);
		return 0;
	}
	if (filepath_same_folded(path, STR_LIT(FILEPATH_MODEL))) {
		findings_add(r->f, RULE_MANIFEST_PATH, FILEPATH_MODEL,
			at_path(r, r->group, r->item),
			"a shard cannot be called " FILEPATH_MODEL ": that is the model itself");
		return 0;
	}
	return add_path(r, path, e);
}

static int compare_places(const void *one, const void *other)
{
	const struct place *a = one, *b = other;
	const char *p = a->path, *q = b->path;

	while (*p && str_to_lower(*p) == str_to_lower(*q))
		p++, q++;
	if (str_to_lower(*p) != str_to_lower(*q))
		return (uint8_t)str_to_lower(*p) < (uint8_t)str_to_lower(*q) ? -1 : 1;
	if (a->group != b->group)
		return a->group < b->group ? -1 : 1;
	return a->item < b->item ? -1 : 1;
}

static void check_distinct(struct reader *r)
{
	if (r->m->paths_n == 0)
		return;
	qsort(r->places, r->m->paths_n, sizeof(*r->places), compare_places);
	for (size_t i = 1; i < r->m->paths_n; i++) {
		const struct place *a = &r->places[i - 1], *b = &r->places[i];
		if (!filepath_same_folded(str_of(a->path), str_of(b->path)))
			continue;
		findings_add(r->f, RULE_MANIFEST_PATH_TWICE, FILEPATH_MODEL,
			at_path(r, b->group, b->item),
			strcmp(a->path, b->path) == 0 ?
				"the shard '%s' is named twice" :
				"the shard '%s' differs from another one in letter case only",
			b->path);
	}
}

/* ---- weights ---- */

/* The manifest's own copy of a name that the document does not have. */
static const char *keep_name(struct reader *r, char *name)
{
	struct manifest *m = r->m;

	if (name && !m->made_names)
		m->made_names = calloc(r->weights_max, sizeof(*m->made_names));
	if (!name || !m->made_names) {
		free(name);
		r->no_memory = true;
		return "";
	}
	return m->made_names[m->made_names_n++] = name;
}

static void read_name(struct reader *r, const struct json *entry)
{
	const struct json *v = json_get(entry, "name");

	r->name = json_str(v);
	if (r->name)
		return;
	r->name = keep_name(r, manifest_name_made(v));
	findings_add(r->f, RULE_WEIGHTS_NAME, FILEPATH_MODEL, at_weight(r, v ? "/name" : ""),
		"a weight has a name, which is a string, not %s; TensorFlow.js calls it " NAME,
		type_of(v), r->name);
}

static bool read_shape(struct reader *r, const struct json *entry, struct manifest_weight *w)
{
	const struct json *v = json_get(entry, "shape");
	size_t rank = json_count(v);

	if (!json_is(v, JSON_ARRAY))
		return refuse_weight(r, RULE_WEIGHTS_SHAPE, v ? "/shape" : "",
			"the shape of weight " NAME " is an array of whole numbers, not %s",
			r->name, type_of(v));
	if (rank > MANIFEST_RANK_MAX)
		return refuse_weight(r, RULE_MANIFEST_LIMIT, "/shape",
			"the shape of weight " NAME " has %zu dimensions, more than %d", r->name,
			rank, MANIFEST_RANK_MAX);
	w->shape = r->dims;
	for (v = json_first(v); v; v = json_next(v), w->rank++)
		if (!json_uint(v, NUM_SAFE_INTEGER_MAX, &r->dims[w->rank]))
			return refuse_weight(r, RULE_WEIGHTS_SHAPE, "/shape",
				"dimension %zu of weight " NAME " is no whole number from 0; "
				"TensorFlow.js says \"Tensor must have a shape comprised of "
				"positive integers\"", w->rank, r->name);
	r->dims += rank;
	return true;
}

static bool read_dtype(struct reader *r, const struct json *entry, struct manifest_weight *w)
{
	const struct json *v = json_get(entry, "dtype");
	const char *name = json_str(v);

	if (name && dtype_parse_weight(name, &w->dtype)) {
		w->stored = w->dtype;
		return true;
	}
	if (!name)
		return refuse_weight(r, RULE_WEIGHTS_DTYPE, v ? "/dtype" : "",
			"the dtype of weight " NAME " is a string, not %s; TensorFlow.js says "
			"\"Unsupported dtype in weight\"", r->name, type_of(v));
	return refuse_weight(r, RULE_WEIGHTS_DTYPE, "/dtype",
		"the dtype of weight " NAME " is float32, int32, bool, string or complex64, not "
		WORD "; TensorFlow.js says \"Unsupported dtype in weight\"", r->name, name);
}

static bool read_affine_number(struct reader *r, const struct json *quantization,
	const char *member, const char *stored, double *ret)
{
	const struct json *v = json_get(quantization, member);

	if (!v)
		return refuse_weight(r, RULE_WEIGHTS_QUANTIZATION, "/quantization",
			"the quantization of weight " NAME " lacks %s; TensorFlow.js says "
			"\"quantization %s doesn't have corresponding metadata min and "
			"scale\"", r->name, member, stored);
	if (json_double(v, ret))
		return true;
	*ret = manifest_name_number(v);
	findings_add(r->f, RULE_WEIGHTS_QUANTIZATION_NUMBER, FILEPATH_MODEL,
		at_weight(r, "/quantization"), "%s in the quantization of weight " NAME
		" is a number, not %s; TensorFlow.js calculates with what it makes of that", member,
		r->name, type_of(v));
	return true;
}

static bool read_affine(struct reader *r, const struct json *quantization, const char *stored,
	struct manifest_weight *w)
{
	if (!read_affine_number(r, quantization, "min", stored, &w->min) ||
		!read_affine_number(r, quantization, "scale", stored, &w->scale))
		return false;
	if (w->scale == 0 && json_is(json_get(quantization, "scale"), JSON_NUMBER))
		findings_add(r->f, RULE_WEIGHTS_QUANTIZATION_NUMBER, FILEPATH_MODEL,
			at_weight(r, "/quantization"), "the scale of weight " NAME
			" is 0, so every value of it is that of min", r->name);
	return true;
}

/* Only the presence of the key counts: null is no quantization to nobody, and an error to
 * TensorFlow.js. */
static bool read_quantization(struct reader *r, const struct json *entry, struct manifest_weight *w)
{
	const struct json *v = json_get(entry, "quantization");
	const char *name = json_str(json_get(v, "dtype"));

	if (!v)
		return true;
	if (!json_is(v, JSON_OBJECT))
		return refuse_weight(r, RULE_WEIGHTS_QUANTIZATION, "/quantization",
			"the quantization of weight " NAME " is an object, not %s; leave the "
			"member out when there is none", r->name, type_of(v));
	if (!name || !dtype_parse_quantized(name, &w->stored))
		return refuse_weight(r, RULE_WEIGHTS_QUANTIZATION, "/quantization",
			"weight " NAME " is quantized as " WORD "; TensorFlow.js says \"Supported "
			"quantization dtypes are: 'uint8', 'uint16', and 'float16'\"", r->name,
			name ? name : type_of(json_get(v, "dtype")));
	if (w->dtype != DTYPE_FLOAT32 && w->dtype != DTYPE_INT32)
		return refuse_weight(r, RULE_WEIGHTS_QUANTIZATION, "/quantization",
			"weight " NAME " is %s and cannot be quantized; TensorFlow.js says "
			"\"Unsupported dtype in weight\"", r->name, dtype_name(w->dtype));
	if (w->stored == DTYPE_FLOAT16 && w->dtype != DTYPE_FLOAT32)
		return refuse_weight(r, RULE_WEIGHTS_QUANTIZATION, "/quantization",
			"weight " NAME " is %s and cannot be quantized as float16; TensorFlow.js "
			"says \"which only supports weights of type float32\"", r->name,
			dtype_name(w->dtype));
	return w->stored == DTYPE_FLOAT16 || read_affine(r, v, name, w);
}

/* The product of the shape; a zero anywhere wins over an overflow, as it does in doubles. */
static bool count_elements(struct manifest_weight *w)
{
	bool fits = true, empty = false;

	w->elements = 1;
	for (size_t i = 0; i < w->rank; i++) {
		empty |= w->shape[i] == 0;
		fits = fits && num_mul(w->elements, w->shape[i], &w->elements);
	}
	if (empty)
		w->elements = 0;
	return fits || empty;
}

static bool add_up(struct reader *r, struct manifest_weight *w)
{
	struct manifest *m = r->m;

	if (!count_elements(w) || !num_mul(w->elements, dtype_bytes(w->stored), &w->bytes) ||
		!num_add(m->fixed_bytes, w->bytes, &m->fixed_bytes))
		return refuse_weight(r, RULE_WEIGHTS_OVERFLOW, "/shape",
			"weight " NAME " is larger than can be counted", r->name);
	m->has_strings |= w->dtype == DTYPE_STRING;
	return true;
}

static void read_weight(struct reader *r, const struct json *entry)
{
	struct manifest_weight w = {.dtype = DTYPE_FLOAT32};
	bool shaped, typed;

	if (!json_is(entry, JSON_OBJECT)) {
		(void)refuse_weight(r, RULE_MANIFEST_TYPE, "",
			"a weight is an object with name, shape and dtype, not %s", type_of(entry));
		return;
	}
	read_name(r, entry);
	shaped = read_shape(r, entry, &w);
	typed = read_dtype(r, entry, &w) && read_quantization(r, entry, &w);
	if (!shaped || !typed || !add_up(r, &w))
		return;
	w.name = r->name;
	w.optimizer = json_str_is(json_get(entry, "group"), "optimizer");
	r->m->weights[r->m->weights_n++] = w;
}

/* ---- groups ---- */

static int read_paths(struct reader *r, const struct json *paths, struct err *e)
{
	int rc;

	if (!json_is(paths, JSON_ARRAY)) {
		findings_add(r->f, RULE_MANIFEST_TYPE, FILEPATH_MODEL,
			at_group(r, paths ? "/paths" : ""),
			"a group's paths are an array of strings, not %s; TensorFlow.js says "
			"\"weightsGroup.paths is not iterable\"", type_of(paths));
		return 0;
	}
	r->item = 0;
	for (const struct json *v = json_first(paths); v; v = json_next(v), r->item++) {
		rc = read_path(r, v, e);
		if (rc < 0)
			return rc;
	}
	return 0;
}

static void read_weights(struct reader *r, const struct json *weights)
{
	if (!json_is(weights, JSON_ARRAY)) {
		findings_add(r->f, RULE_MANIFEST_TYPE, FILEPATH_MODEL,
			at_group(r, weights ? "/weights" : ""),
			"a group's weights are an array of objects, not %s; TensorFlow.js cannot "
			"spread it", type_of(weights));
		return;
	}
	r->item = 0;
	for (const struct json *v = json_first(weights); v; v = json_next(v), r->item++)
		read_weight(r, v);
}

static int read_groups(struct reader *r, const struct json *groups, struct err *e)
{
	int rc;

	for (const struct json *v = json_first(groups); v; v = json_next(v), r->group++) {
		if (!json_is(v, JSON_OBJECT)) {
			findings_add(r->f, RULE_MANIFEST_TYPE, FILEPATH_MODEL, at_group(r, ""),
				"a group is an object with paths and weights, not %s", type_of(v));
			continue;
		}
		rc = read_paths(r, json_get(v, "paths"), e);
		if (rc < 0)
			return rc;
		read_weights(r, json_get(v, "weights"));
	}
	check_distinct(r);
	manifest_order_check(r->m, r->f);
	return 0;
}

/* What the memory for it must hold, at most. */
static struct counts count_all(const struct json *groups)
{
	struct counts n = {0};

	for (const struct json *v = json_first(groups); v; v = json_next(v)) {
		const struct json *w = json_first(json_get(v, "weights"));
		n.groups++;
		n.paths += json_count(json_get(v, "paths"));
		for (; w; w = json_next(w)) {
			n.weights++;
			n.dims += json_count(json_get(w, "shape"));
		}
	}
	return n;
}

static bool within_limits(const struct counts *n, struct findings *f)
{
	if (n->paths > MANIFEST_PATHS_MAX)
		findings_add(f, RULE_MANIFEST_LIMIT, FILEPATH_MODEL, "/weightsManifest",
			"the manifest names %zu shards, more than %d", n->paths,
			MANIFEST_PATHS_MAX);
	if (n->weights > MANIFEST_WEIGHTS_MAX)
		findings_add(f, RULE_MANIFEST_LIMIT, FILEPATH_MODEL, "/weightsManifest",
			"the manifest describes %zu weights, more than %d", n->weights,
			MANIFEST_WEIGHTS_MAX);
	return n->paths <= MANIFEST_PATHS_MAX && n->weights <= MANIFEST_WEIGHTS_MAX;
}

/* Shapes live behind the weights, in the same memory. The counts are bounded by those of the JSON
 * document, which is in memory and larger. */
static int reader_init(struct reader *r, const struct counts *n, struct err *e)
{
	size_t shapes_at = n->weights * sizeof(*r->m->weights);

	r->m = calloc(1, sizeof(*r->m));
	r->places = calloc(n->paths + 1, sizeof(*r->places));
	if (!r->m || !r->places)
		return err_nomem(e);
	r->m->groups = n->groups;
	r->weights_max = n->weights;
	r->m->paths = calloc(n->paths + 1, sizeof(*r->m->paths));
	r->m->weights = calloc(1, shapes_at + n->dims * sizeof(*r->dims) + 1);
	if (!r->m->paths || !r->m->weights)
		return err_nomem(e);
	r->dims = (uint64_t *)(void *)((char *)r->m->weights + shapes_at);
	return 0;
}

static void reader_done(struct reader *r)
{
	manifest_free(r->m);
	free(r->places);
}

int manifest_read(const struct json *value, struct manifest **ret, struct findings *f,
	struct err *e)
{
	CLEANUP(reader_done) struct reader r = {.f = f};
	struct counts n = count_all(value);
	size_t errors = f->counts[FINDING_ERROR];
	int rc;

	if (!json_is(value, JSON_ARRAY)) {
		findings_add(f, RULE_MANIFEST_TYPE, FILEPATH_MODEL, "/weightsManifest",
			"weightsManifest is an array of groups, not %s; TensorFlow.js says \"is "
			"not iterable\"", type_of(value));
		return 0;
	}
	if (!within_limits(&n, f))
		return 0;
	rc = reader_init(&r, &n, e);
	if (rc == 0)
		rc = read_groups(&r, value, e);
	if (rc == 0 && r.no_memory)
		rc = err_nomem(e);
	if (rc == 0 && f->counts[FINDING_ERROR] == errors)
		*ret = take_ptr(r.m);
	return rc;
}

void manifest_free(struct manifest *m)
{
	if (!m)
		return;
	for (size_t i = 0; i < m->paths_n; i++)
		free(m->paths[i]);
	for (size_t i = 0; i < m->made_names_n; i++)
		free(m->made_names[i]);
	free(m->made_names);
	free(m->paths);
	free(m->weights);
	free(m);
}
