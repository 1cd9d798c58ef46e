/* SPDX-License-Identifier: Apache-2.0 */
/* InputLayer and the models: tfjs-layers/src/engine/input_layer.ts, container.ts and models.ts. */
#include "common/model/layers_internal.h"

/* ---- InputLayer ---------------------------------------------------------------------------- */

static bool input_dtype(struct layers_build *b, struct layers_layer *l)
{
	enum dtype dtype;

	if (l->dtype_value)
		return layers_config_throw(b, l,
			json_is(l->dtype_value, JSON_OBJECT) ? RULE_KERAS3_DTYPE_POLICY
							     : RULE_LAYERS_DTYPE,
			"dtype", "dtype is no string; TensorFlow.js cannot feed such an input");
	if (dtype_parse_weight(l->dtype, &dtype))
		return true;
	return layers_config_throw(b, l, RULE_LAYERS_DTYPE, "dtype",
		"TensorFlow.js has no dtype %s and cannot feed such an input", l->dtype);
}

static bool input_shape(struct layers_build *b, struct layers_layer *l)
{
	const struct json *full = layers_config_set(l->config, "batchInputShape");
	const struct json *keras3 = layers_config_set(l->config, "batchShape");

	if (full && layers_config_set(l->config, "inputShape"))
		return layers_config_throw(b, l, RULE_LAYERS_CONFIG, "inputShape",
			"TensorFlow.js: Only provide the inputShape OR batchInputShape argument "
			"to inputLayer, "
			"not both at the same time.");
	if (full && layers_config_set(l->config, "batchSize"))
		return layers_config_throw(b, l, RULE_LAYERS_CONFIG, "batchSize",
			"TensorFlow.js: Cannot specify batchSize if batchInputShape is specified "
			"when creating "
			"an InputLayer.");
	if (l->batch_input)
		return true;
	if (!keras3)
		return layers_config_throw(b, l, RULE_LAYERS_CONFIG, NULL,
			"TensorFlow.js: An InputLayer should be passed either a "
			"`batchInputShape` or an "
			"`inputShape`.");
	(void)layers_config_throw(b, l, RULE_KERAS3_BATCH_SHAPE, "batchShape",
		"batch_shape is Keras 3's name of batch_input_shape; TensorFlow.js: An "
		"InputLayer should be "
		"passed either a `batchInputShape` or an `inputShape`.");
	return layers_config_shape(b, l, "batchShape", keras3, &l->batch_input);
}

/* An InputLayer has its node from the start, an opaque one too. */
static bool input_node(struct layers_build *b, struct layers_layer *l)
{
	struct layers_node *node = layers_layer_node(b, l);

	return node && layers_layer_sym(b, node, l->batch_input, l->dtype ? l->dtype : "float32");
}

static bool input_configure(struct layers_build *b, struct layers_layer *l)
{
	const struct json *dtype = layers_config_get(l->config, "dtype");
	bool ok = input_shape(b, l);

	l->trainable = false;
	l->built = true;
	if (!l->dtype)
		l->dtype = layers_config_truthy(dtype) && json_str(dtype)
			? layers_config_camel(b, json_str(dtype))
			: "float32";
	ok = l->dtype && input_dtype(b, l) && ok;
	if (l->name && !layers_layer_name_ok(l->name))
		ok = layers_config_throw(b, l, RULE_LAYERS_NAME, "name",
			"TensorFlow.js: Not a valid tensor name: '%s'", l->name);
	return input_node(b, l) && ok;
}

const struct layers_ops layers_network_input = {.configure = input_configure};

/* ---- models as layers ---------------------------------------------------------------------- */

static struct layers_shape *calculated(const struct layers_sym *sym)
{
	const struct layers_node *node = sym->source->nodes[sym->node];

	return sym->index < node->calc.n ? node->calc.items[sym->index] : NULL;
}

static bool calculate(struct layers_build *b, struct layers_node *node)
{
	struct layers_shapes in;

	if (!layers_shape_list(b, &in, node->in_n))
		return false;
	for (size_t i = 0; i < node->in_n; i++)
		in.items[i] = calculated(node->in[i]);
	if (layers_layer_shape(b, node->layer, &in, &node->calc))
		return true;
	node->layer->opaque = true;
	return !b->exhausted && layers_shape_set(b, &node->calc, NULL);
}

/* Container.computeOutputShape: the layers' output shapes again, from other inputs. */
static bool model_output(struct layers_build *b, struct layers_layer *l,
	const struct layers_shapes *in, struct layers_shapes *out)
{
	const struct layers_container *c = l->model;

	if (in->n != c->inputs_n)
		return layers_config_throw(b, l, RULE_LAYERS_WIRING, NULL,
			"TensorFlow.js: Invalid inputShape argument: model has %zu tensor inputs.",
			c->inputs_n);
	for (size_t i = 0; i < c->inputs_n; i++)
		if (!layers_shape_set(b, &c->inputs[i]->source->nodes[0]->calc, in->items[i]))
			return false;
	for (size_t i = 0; i < c->nodes_n; i++)
		if (c->nodes[i]->in_n > 0 && !calculate(b, c->nodes[i]))
			return false;
	if (!layers_shape_list(b, out, c->outputs_n))
		return false;
	for (size_t i = 0; i < c->outputs_n; i++)
		out->items[i] = calculated(c->outputs[i]);
	return true;
}

/* The node that stands for the model itself; calls come behind it. */
static bool own_node(struct layers_build *b, struct layers_layer *l)
{
	struct layers_node *node = layers_layer_node(b, l);

	if (!node)
		return false;
	node->out = l->model->outputs;
	node->out_n = l->model->outputs_n;
	return true;
}

static bool functional_configure(struct layers_build *b, struct layers_layer *l)
{
	l->trainable = true;
	l->built = true;
	l->model = layers_arena_alloc(b, sizeof(*l->model));
	if (l->model && layers_wiring_functional(b, l) && layers_graph_finish(b, l, true) &&
		own_node(b, l))
		return true;
	b->m->incomplete = true;
	return false;
}

const struct layers_ops layers_network_functional = {
	.configure = functional_configure,
	.output = model_output,
	.many = true,
};

/* ---- Sequential ---------------------------------------------------------------------------- */

/* The InputLayer that Sequential puts before a first layer with an input shape. */
static struct layers_layer *make_input(struct layers_build *b, const struct layers_layer *first)
{
	struct layers_layer *l = layers_arena_alloc(b, sizeof(*l));

	if (!l)
		return NULL;
	l->cls = &layers_table[LAYERS_CLASS_InputLayer];
	l->ops = &layers_network_input;
	l->class_name = l->cls->name;
	l->name = layers_arena_text(b, "%s_input", first->name ? first->name : "");
	l->config = first->config;
	l->pointer = first->pointer;
	l->batch_input = first->batch_input;
	l->dtype_value = first->dtype_value;
	l->dtype = first->dtype ? first->dtype : "float32";
	l->built = true;
	if (first->opaque && !first->batch_input)
		return input_node(b, l) ? l : NULL;
	(void)input_dtype(b, l);
	return input_node(b, l) ? l : NULL;
}

static bool one_tensor(struct layers_build *b, struct layers_layer *child, size_t n,
	const char *what)
{
	return n == 1 ||
		layers_config_throw(b, child, RULE_LAYERS_WIRING, NULL,
			"TensorFlow.js: All layers in a Sequential model should have a single "
			"%s tensor. For multi-%s layers, use the functional API.",
			what, what);
}

static bool check_negative(struct layers_build *b, struct layers_layer *child,
	const struct layers_shape *s)
{
	for (unsigned i = 0; s && !child->opaque && i < s->rank; i++)
		if (s->dims[i] < 0 && s->dims[i] != DIM_NULL)
			return layers_config_throw(b, child, RULE_LAYERS_SHAPE, NULL,
				"TensorFlow.js: Negative dimension size caused by adding layer "
				"%s: its output would "
				"be %s",
				child->name, layers_shape_text(b, s));
	return true;
}

static bool set_outputs(struct layers_build *b, struct layers_layer *l, struct layers_layer *child,
	struct layers_node *node)
{
	struct layers_sym *out = node && node->out_n > 0 ? node->out[0] : NULL;

	l->model->outputs_n = 0;
	return out && one_tensor(b, child, node->out_n, "output") &&
		check_negative(b, child, out->shape) &&
		LAYERS_PUSH(b, l->model->outputs, l->model->outputs_n, out);
}

static struct layers_node *apply_to(struct layers_build *b, struct layers_layer *child,
	struct layers_sym *sym)
{
	struct layers_sym **in = NULL;
	size_t n = 0;

	return LAYERS_PUSH(b, in, n, sym) ? layers_layer_apply(b, child, in, n, NULL) : NULL;
}

static bool add_first_model(struct layers_build *b, struct layers_layer *l,
	struct layers_layer *child)
{
	if (!one_tensor(b, child, child->model->outputs_n, "output") ||
		!one_tensor(b, child, child->model->inputs_n, "input"))
		return false;
	return LAYERS_PUSH(b, l->model->outputs, l->model->outputs_n, child->model->outputs[0]) &&
		LAYERS_PUSH(b, l->model->inputs, l->model->inputs_n, child->model->inputs[0]);
}

static bool add_first(struct layers_build *b, struct layers_layer *l, struct layers_layer *child)
{
	struct layers_layer *input = child;

	if (child->model && !child->opaque)
		return add_first_model(b, l, child);
	/* An InputLayer that could not be read has no node either. */
	if (!layers_table_is(child->cls, LAYERS_CLASS_InputLayer) || child->nodes_n == 0) {
		if (!child->batch_input && !child->opaque)
			(void)layers_config_throw(b, child, RULE_LAYERS_CONFIG, NULL,
				"TensorFlow.js: The first layer in a Sequential model must get "
				"an `inputShape` or "
				"`batchInputShape` argument.");
		input = make_input(b, child);
		if (!input || !apply_to(b, child, input->nodes[0]->out[0]))
			return false;
	}
	return LAYERS_PUSH(b, l->model->inputs, l->model->inputs_n, input->nodes[0]->out[0]) &&
		set_outputs(b, l, child, child->nodes[0]);
}

static bool add(struct layers_build *b, struct layers_layer *l, struct layers_layer *child)
{
	struct layers_container *c = l->model;

	if (child->model && !child->opaque && c->outputs_n > 0 &&
		(!one_tensor(b, child, child->model->outputs_n, "output") ||
			!one_tensor(b, child, child->model->inputs_n, "input")))
		return false;
	if (c->outputs_n == 0) {
		if (!add_first(b, l, child))
			return false;
	} else if (!set_outputs(b, l, child, apply_to(b, child, c->outputs[0]))) {
		return false;
	}
	return LAYERS_PUSH(b, c->layers, c->layers_n, child);
}

static const struct json *sequential_layers(struct layers_build *b, struct layers_layer *l,
	const char **ret_where)
{
	bool bare = json_is(l->config, JSON_ARRAY);
	const struct json *list = bare ? l->config : layers_config_set(l->config, "layers");

	*ret_where = bare ? "config" : "config/layers";
	if (!json_is(list, JSON_ARRAY)) {
		(void)layers_config_throw(b, l, RULE_LAYERS_CONFIG, "layers",
			"TensorFlow.js: When the config data for a Sequential model is not an "
			"Array, it must be "
			"an Object that contains the 'layers' field.");
		return NULL;
	}
	if (json_count(list) == 0) {
		(void)layers_config_throw(b, l, RULE_LAYERS_CONFIG, "layers",
			"TensorFlow.js: Sequential model cannot be built: model is empty. Add "
			"some layers "
			"first.");
		return NULL;
	}
	if (bare && layers_config_word(layers_config_get(json_first(list), "className"), "Merge")) {
		(void)layers_config_throw(b, l, RULE_LAYERS_CONFIG, NULL,
			"TensorFlow.js: Legacy serialization format not supported yet.");
		return NULL;
	}
	return list;
}

static bool sequential_read(struct layers_build *b, struct layers_layer *l)
{
	const char *where;
	const struct json *list = sequential_layers(b, l, &where);
	size_t i = 0;

	for (const struct json *v = list ? json_first(list) : NULL; v; v = json_next(v), i++) {
		const char *pointer = layers_arena_text(b, "%s/%s/%zu", l->pointer, where, i);
		struct layers_layer *child = layers_layer_new(b, v, pointer, l->fast, l->fast);

		if (!child || !add(b, l, child))
			return false;
	}
	return list != NULL;
}

static bool sequential_configure(struct layers_build *b, struct layers_layer *l)
{
	l->trainable = true;
	l->model = layers_arena_alloc(b, sizeof(*l->model));
	if (l->model && sequential_read(b, l) && layers_graph_finish(b, l, false) && own_node(b, l))
		return true;
	b->m->incomplete = true;
	return false;
}

const struct layers_ops layers_network_sequential = {
	.configure = sequential_configure,
	.output = model_output,
	.many = true,
};
