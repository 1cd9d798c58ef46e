/* SPDX-License-Identifier: Apache-2.0 */
/* What every layer does: tfjs-layers/src/engine/topology.ts, deserializeKerasObject. */
#include "common/model/layers_internal.h"

#include "common/base/num.h"
#include "common/base/str.h"

#include <string.h>

/* ---- names --------------------------------------------------------------------------------- */

bool layers_layer_name_ok(const char *name)
{
	if (!name || (!str_is_digit(name[0]) && !str_is_lower(name[0]) && !str_is_upper(name[0])))
		return false;
	for (; *name; name++)
		if (!str_is_digit(*name) && !str_is_lower(*name) && !str_is_upper(*name) &&
			!strchr("-._/", *name))
			return false;
	return true;
}

const char *layers_layer_enter(struct layers_build *b, const char *name)
{
	const char *saved = b->scope;
	char *scope = layers_arena_text(b, "%s%s/", saved, name ? name : "");

	if (scope)
		b->scope = scope;
	return saved;
}

/* toSnakeCase of a class name. */
static char *snake_of(struct layers_build *b, const char *name)
{
	size_t n = strlen(name), out = 0;
	char *snake = layers_arena_alloc(b, 2 * n + 1);

	for (size_t i = 0; snake && i < n; i++) {
		char next = name[i + 1];
		bool word = str_is_upper(name[i]) && (str_is_lower(next) || str_is_digit(next));
		bool hump = i > 0 && str_is_lower(name[i - 1]) && str_is_upper(name[i]);

		if (i > 0 && (word || hump))
			snake[out++] = '_';
		snake[out++] = str_to_lower(name[i]);
	}
	return snake;
}

static const char *made_up_name(struct layers_build *b, struct layers_layer *l)
{
	unsigned n = 1;

	l->unnamed = true;
	if (l->cls)
		n = ++b->uids[l->cls - layers_table];
	if (layers_table_is(l->cls, LAYERS_CLASS_InputLayer))
		return layers_arena_text(b, "input%u", n);
	return layers_arena_text(b, "%s_%s%u", snake_of(b, l->class_name), l->class_name, n);
}

/* Only a string under "name" itself escapes the conversion to camelCase. */
static const char *name_of(struct layers_build *b, struct layers_layer *l)
{
	const struct json *v = layers_config_get(l->config, "name");

	if (!layers_config_truthy(v))
		return made_up_name(b, l);
	if (!json_str(v))
		return NULL;
	if (json_key(v) && strcmp(json_key(v), "name") != 0)
		return layers_config_camel(b, json_str(v));
	return json_str(v);
}

/* ---- construction -------------------------------------------------------------------------- */

/* Of sliceAlongFirstAxis(), which cuts the input into batches. */
#define SLICED_RANK_MAX 6

/* A model with such an input is built, but predict() takes none for it: it makes every input
 * two-dimensional at least and compares the dimensions with those of the shape. */
static bool check_batch(struct layers_build *b, struct layers_layer *l)
{
	const struct layers_shape *s = l->batch_input;
	bool ok = s->rank >= 2 && s->rank <= SLICED_RANK_MAX && s->dims[0] != 0;

	for (unsigned i = 1; ok && i < s->rank; i++)
		ok = s->dims[i] >= 0 || s->dims[i] == DIM_NULL;
	return ok || layers_config_throw(b, l, RULE_LAYERS_UNSUPPORTED, "batchInputShape",
			     "TensorFlow.js, when the model runs, takes no input for the shape %s",
			     layers_shape_text(b, s));
}

static bool read_input_shape(struct layers_build *b, struct layers_layer *l)
{
	const struct json *full = layers_config_set(l->config, "batchInputShape");
	const struct json *part = layers_config_set(l->config, "inputShape");
	struct layers_shape *s;

	if (full)
		return layers_config_shape(b, l, "batchInputShape", full, &l->batch_input) &&
			check_batch(b, l);
	if (!part)
		return true;
	if (!layers_config_shape(b, l, "inputShape", part, &s))
		return false;
	l->batch_input = layers_shape_new(b, s->rank + 1);
	if (!l->batch_input)
		return false;
	l->batch_input->dims[0] = DIM_NULL;
	(void)layers_config_integer(layers_config_set(l->config, "batchSize"),
		&l->batch_input->dims[0]);
	memcpy(l->batch_input->dims + 1, s->dims, s->rank * sizeof(s->dims[0]));
	return true;
}

/* Layer's own constructor. */
static bool read_base(struct layers_build *b, struct layers_layer *l)
{
	const struct json *dtype = layers_config_get(l->config, "dtype");
	bool ok = true;

	l->trainable = layers_config_flag(l, "trainable", true);
	if (!l->name &&
		!(l->cls && (l->cls->kind == LAYERS_KIND_MODEL || /* theirs may never matter */
			     l->cls->kind == LAYERS_KIND_CELL)))
		ok = layers_config_throw(b, l, RULE_LAYERS_NAME, "name", "the name is no string");
	ok = read_input_shape(b, l) && ok;
	if (layers_config_set(l->config, "weights"))
		ok = layers_config_throw(b, l, RULE_LAYERS_UNSUPPORTED, "weights",
			"TensorFlow.js takes no weights from the configuration");
	l->dtype_value = layers_config_truthy(dtype) && !json_str(dtype) ? dtype : NULL;
	if (l->batch_input)
		l->dtype = layers_config_truthy(dtype) && json_str(dtype)
			? layers_config_camel(b, json_str(dtype))
			: "float32";
	return ok;
}

static struct layers_layer *blank(struct layers_build *b, const struct layers_class *cls,
	const struct json *config, const char *pointer, bool fast)
{
	struct layers_layer *l = layers_arena_alloc(b, sizeof(*l));

	if (!l)
		return NULL;
	b->m->layers_n++;
	l->cls = cls;
	l->class_name = cls ? cls->name : "?";
	l->ops = layers_table_ops(cls);
	l->config = config;
	l->pointer = pointer;
	l->fast = fast;
	l->opaque = !l->ops;
	return l;
}

static bool makes_mask(const struct layers_layer *l)
{
	return layers_table_is(l->cls, LAYERS_CLASS_Masking) ||
		(layers_table_is(l->cls, LAYERS_CLASS_Embedding) &&
			layers_config_truthy(layers_config_get(l->config, "maskZero")));
}

static void configure(struct layers_build *b, struct layers_layer *l)
{
	bool ok = read_base(b, l);

	b->masks = b->masks || makes_mask(l);

	if (l->ops && l->ops->configure) {
		b->depth++;
		ok = l->ops->configure(b, l) && ok;
		b->depth--;
	}
	if (!ok)
		l->opaque = true;
}

struct layers_layer *layers_layer_make(struct layers_build *b, const struct layers_class *cls,
	const struct json *config, const char *pointer, const char *name, bool fast)
{
	struct layers_layer *l = blank(b, cls, config, pointer, fast);

	if (!l)
		return NULL;
	l->name = name ? name : name_of(b, l);
	configure(b, l);
	return l;
}

static bool check_class(struct layers_build *b, struct layers_layer *l)
{
	if (!l->cls) {
		findings_add(b->f, RULE_LAYERS_UNKNOWN_CLASS, "model.json", l->pointer,
			"layer '%s': TensorFlow.js %s has no class %s: Unknown layer: %s. The "
			"page must register "
			"it before it loads the model; its weights and what depends on its "
			"output are not checked",
			l->name ? l->name : "?", LAYERS_RELEASE, l->class_name, l->class_name);
		if (layers_config_set(l->config, "layers"))
			b->m->incomplete = true;
		return false;
	}
	if (l->ops)
		return true;
	return layers_config_throw(b, l, RULE_LAYERS_CONFIG, NULL,
		"%s is registered in TensorFlow.js, but not as a layer", l->class_name);
}

/* {class_name, config} as deserializeKerasObject wants it. */
static const struct json *config_of(struct layers_build *b, const struct json *object,
	const char *pointer, const struct layers_class **ret_cls, const char **ret_name)
{
	const struct json *name = layers_config_set(object, "className");
	const struct json *config = layers_config_set(object, "config");

	if (!json_str(name) || !config) {
		findings_add(b->f, RULE_LAYERS_CONFIG, "model.json", pointer,
			"an object with class_name and config is expected; TensorFlow.js: layer: "
			"Improper config "
			"format: 'className' and 'config' must set.");
		return NULL;
	}
	*ret_name = layers_config_camel(b, json_str(name));
	if (!*ret_name)
		return NULL;
	*ret_cls = layers_table_find(*ret_name);
	if (json_is(config, JSON_OBJECT) ||
		(json_is(config, JSON_ARRAY) && layers_table_is(*ret_cls, LAYERS_CLASS_Sequential)))
		return config;
	findings_add(b->f, RULE_LAYERS_CONFIG, "model.json", pointer,
		"config of a %s is %s, not an object", *ret_name,
		json_type_name(json_type(config)));
	return NULL;
}

struct layers_layer *layers_layer_new(struct layers_build *b, const struct json *object,
	const char *pointer, bool fast, bool fast_model)
{
	const struct layers_class *cls = NULL;
	const char *class_name = "?";
	const struct json *config = config_of(b, object, pointer, &cls, &class_name);
	bool model = cls && cls->kind == LAYERS_KIND_MODEL;
	struct layers_layer *l = blank(b, cls, config, pointer, model ? fast_model : fast);

	if (!l)
		return NULL;
	l->class_name = class_name;
	l->opaque = true;
	if (!config)
		return l;
	l->name = name_of(b, l);
	if (b->depth >= LAYERS_DEPTH_MAX) {
		b->m->incomplete = true;
		(void)layers_config_throw(b, l, RULE_LAYERS_LIMIT, NULL,
			"nested more than %d deep, which modeld does not follow", LAYERS_DEPTH_MAX);
		return l;
	}
	l->opaque = !check_class(b, l);
	configure(b, l);
	return l;
}

/* ---- nodes and tensors --------------------------------------------------------------------- */

struct layers_node *layers_layer_node(struct layers_build *b, struct layers_layer *l)
{
	struct layers_node *node = layers_arena_alloc(b, sizeof(*node));

	if (!node || !LAYERS_PUSH(b, l->nodes, l->nodes_n, node))
		return NULL;
	node->layer = l;
	node->id = b->node_ids++;
	return node;
}

struct layers_sym *layers_layer_sym(struct layers_build *b, struct layers_node *node,
	struct layers_shape *shape, const char *dtype)
{
	struct layers_sym *sym = layers_arena_alloc(b, sizeof(*sym));

	if (!sym)
		return NULL;
	sym->shape = shape;
	sym->source = node->layer;
	sym->node = node->layer->nodes_n - 1;
	sym->index = node->out_n;
	sym->dtype = dtype;
	return LAYERS_PUSH(b, node->out, node->out_n, sym) ? sym : NULL;
}

struct layers_sym *layers_layer_output(struct layers_build *b, struct layers_layer *l, size_t node,
	size_t index)
{
	struct layers_sym *sym;

	if (index < l->nodes[node]->out_n)
		return l->nodes[node]->out[index];
	if (!l->opaque || !(sym = layers_arena_alloc(b, sizeof(*sym))))
		return NULL;
	*sym = (struct layers_sym){
		.source = l, .node = node, .index = index, .dtype = "float32"};
	return sym;
}

/* ---- calls --------------------------------------------------------------------------------- */

bool layers_layer_work(struct layers_build *b, const struct layers_layer *l, size_t n)
{
	if (!num_add(b->work, n, &b->work))
		b->work = UINT64_MAX;
	if (b->work <= LAYERS_WORK_MAX)
		return true;
	if (!b->exhausted)
		(void)layers_config_throw(b, l, RULE_LAYERS_LIMIT, NULL,
			"models that call models need more than %d steps, which modeld does not "
			"follow",
			LAYERS_WORK_MAX);
	b->exhausted = true;
	b->m->incomplete = true;
	return false;
}

static bool bad_weight(struct layers_build *b, struct layers_layer *l, const char *name,
	const struct layers_shape *shape)
{
	return layers_config_throw(b, l, RULE_LAYERS_SHAPE, NULL,
		"the shape of its weight '%s' is not defined; TensorFlow.js: Tensor must have a "
		"shape "
		"comprised of positive integers but got shape %s",
		name, layers_shape_text(b, shape));
}

bool layers_layer_weight(struct layers_build *b, struct layers_layer *l, const char *name,
	struct layers_shape *shape, bool trainable, const char *initializer)
{
	struct layers_var var = {
		.name = layers_arena_text(b, "%s%s", b->scope, name),
		.shape = shape,
		.dtype = DTYPE_FLOAT32,
		.trainable = trainable,
	};

	if (!var.name)
		return false;
	if (!layers_layer_name_ok(var.name))
		return layers_config_throw(b, l, RULE_LAYERS_NAME, "name",
			"TensorFlow.js: Not a valid tensor name: '%s'", var.name);
	for (unsigned i = 0; shape && i < shape->rank; i++) {
		double d = shape->dims[i];

		if (d != DIM_ANY &&
			(!(d >= 0) || d != layers_dim_floor(d) || d > (double)NUM_SAFE_INTEGER_MAX))
			return bad_weight(b, l, name, shape);
	}
	if (l->unnamed)
		findings_add(b->f, RULE_LAYERS_UNNAMED, "model.json", l->pointer,
			"the layer has no name; TensorFlow.js makes one up from a counter, '%s' "
			"in a fresh page",
			l->name);
	return layers_objects_initial(b, l, initializer, shape) &&
		LAYERS_PUSH(b, l->vars, l->vars_n, var);
}

bool layers_layer_shape(struct layers_build *b, struct layers_layer *l,
	const struct layers_shapes *in, struct layers_shapes *out)
{
	if (!layers_layer_work(b, l, 1 + in->n))
		return false;
	if (l->opaque)
		return layers_shape_set(b, out, NULL);
	if (!l->ops->output)
		return layers_shape_set(b, out, in->items[0]);
	return l->ops->output(b, l, in, out);
}

bool layers_layer_build(struct layers_build *b, struct layers_layer *l,
	const struct layers_shapes *in)
{
	if (l->built || !l->ops->build)
		return true;
	l->built = true;
	return l->ops->build(b, l, in);
}

static bool check_axes(struct layers_build *b, struct layers_layer *l, const struct layers_shape *s)
{
	const struct layers_spec *spec = &l->spec;

	for (unsigned i = 0; spec->axes && i < spec->axes->rank && i < s->rank; i++) {
		double want = spec->axes->dims[i], got = s->dims[i];

		if (!isinf(want) && !isinf(got) && got != want)
			return layers_config_throw(b, l, RULE_LAYERS_SHAPE, NULL,
				"TensorFlow.js: Input 0 is incompatible with layer %s: expected "
				"axis %u of input "
				"shape to have value %g but got shape %s.",
				l->name, i, want, layers_shape_text(b, s));
	}
	if (spec->has_last && !isinf(spec->last) && !isinf(layers_shape_last(s)) &&
		layers_shape_last(s) != spec->last)
		return layers_config_throw(b, l, RULE_LAYERS_SHAPE, NULL,
			"TensorFlow.js: Input 0 is incompatible with layer %s: expected axis -1 "
			"of input shape to "
			"have value %g but got shape %s.",
			l->name, spec->last, layers_shape_text(b, s));
	return true;
}

/* assertInputCompatibility; states of recurrent layers have specs made from themselves. */
static bool check_spec(struct layers_build *b, struct layers_layer *l,
	const struct layers_shapes *in)
{
	const struct layers_shape *s = in->items[0];

	if (!s)
		return true;
	if (l->spec.ndim && s->rank != l->spec.ndim)
		return layers_config_throw(b, l, RULE_LAYERS_SHAPE, NULL,
			"the input has shape %s; TensorFlow.js: Input 0 is incompatible with "
			"layer %s: expected "
			"ndim=%u, found ndim=%u",
			layers_shape_text(b, s), l->name, l->spec.ndim, s->rank);
	if (s->rank < l->spec.min_ndim)
		return layers_config_throw(b, l, RULE_LAYERS_SHAPE, NULL,
			"the input has shape %s; TensorFlow.js: Input 0 is incompatible with "
			"layer %s: expected "
			"min_ndim=%u, found ndim=%u.",
			layers_shape_text(b, s), l->name, l->spec.min_ndim, s->rank);
	return check_axes(b, l, s);
}

static bool defined_but_batch(const struct layers_shapes *in)
{
	for (size_t i = 0; i < in->n; i++)
		for (unsigned k = 1; in->items[i] && k < in->items[i]->rank; k++)
			if (!(in->items[i]->dims[k] >= 0))
				return false;
	return true;
}

/* TensorFlow.js refuses these when the model runs, a Sequential model at once. */
static bool check_outputs(struct layers_build *b, struct layers_layer *l,
	const struct layers_shapes *in, const struct layers_shapes *out)
{
	if (!defined_but_batch(in))
		return true;
	for (size_t i = 0; i < out->n; i++)
		for (unsigned k = 1; out->items[i] && k < out->items[i]->rank; k++)
			if (out->items[i]->dims[k] < 0 && out->items[i]->dims[k] != DIM_NULL &&
				!layers_table_is(l->cls, LAYERS_CLASS_RandomWidth))
				return layers_config_throw(b, l, RULE_LAYERS_SHAPE, NULL,
					"an input of shape %s is too small, the output would be "
					"%s; TensorFlow.js: "
					"Negative dimension size caused by adding layer %s",
					layers_shape_text(b, in->items[0]),
					layers_shape_text(b, out->items[i]), l->name);
	return true;
}

static bool check_callable(struct layers_build *b, struct layers_layer *l, size_t n,
	const struct json *kwargs)
{
	if (!layers_layer_name_ok(l->name))
		return layers_config_throw(b, l, RULE_LAYERS_NAME, "name",
			"TensorFlow.js: Not a valid tensor name: '%s'", l->name ? l->name : "?");
	if (layers_table_is(l->cls, LAYERS_CLASS_InputLayer))
		return layers_config_throw(b, l, RULE_LAYERS_WIRING, NULL,
			"TensorFlow.js: Cannot pass any input to an InputLayer's apply() method.");
	if (l->cls->kind == LAYERS_KIND_CELL)
		return layers_config_throw(b, l, RULE_LAYERS_UNSUPPORTED, NULL,
			"a cell computes nothing by itself; put it into an RNN");
	if (!l->ops->many && n != 1)
		return layers_config_throw(b, l, RULE_LAYERS_WIRING, NULL,
			"TensorFlow.js: Layer %s expects 1 inputs, but it received %zu input "
			"tensors.",
			l->name, n);
	if (l->inner[0] &&
		(layers_config_set(kwargs, "initialState") ||
			layers_config_set(kwargs, "constants")))
		return layers_config_throw(b, l, RULE_LAYERS_UNSUPPORTED, NULL,
			"its call has initial_state or constants as keyword arguments, which "
			"TensorFlow.js takes "
			"as inputs only");
	return true;
}

static bool call(struct layers_build *b, struct layers_layer *l, const struct layers_shapes *in,
	const struct json *kwargs, struct layers_shapes *out)
{
	const char *saved;
	bool ok;

	if (!check_callable(b, l, in->n, kwargs) || !check_spec(b, l, in))
		return false;
	saved = layers_layer_enter(b, l->name);
	ok = layers_layer_build(b, l, in) && check_spec(b, l, in) &&
		layers_layer_shape(b, l, in, out) && check_outputs(b, l, in, out);
	layers_layer_leave(b, saved);
	if (ok && l->activity)
		ok = layers_config_throw(b, l, RULE_LAYERS_UNSUPPORTED, "activityRegularizer",
			"TensorFlow.js: Layer invocation in the presence of activity "
			"regularizer(s) is not "
			"supported yet.");
	return ok;
}

static bool shapes_of(struct layers_build *b, struct layers_sym **syms, size_t n,
	struct layers_shapes *ret)
{
	if (!layers_shape_list(b, ret, n))
		return false;
	for (size_t i = 0; i < n; i++)
		ret->items[i] = syms[i]->shape;
	return true;
}

struct layers_node *layers_layer_apply(struct layers_build *b, struct layers_layer *l,
	struct layers_sym **in, size_t in_n, const struct json *kwargs)
{
	struct layers_shapes shapes, out;
	struct layers_node *node;

	if (!shapes_of(b, in, in_n, &shapes))
		return NULL;
	if (!l->opaque && !call(b, l, &shapes, kwargs, &out))
		l->opaque = true;
	if (l->opaque && !layers_shape_set(b, &out, NULL))
		return NULL;
	node = layers_layer_node(b, l);
	if (!node)
		return NULL;
	node->in = in;
	node->in_n = in_n;
	b->masks = b->masks || (l->inner[0] && in_n > 1);
	for (size_t i = 0; i < out.n; i++)
		if (!layers_layer_sym(b, node, out.items[i], "float32"))
			return NULL;
	return node;
}
