/* SPDX-License-Identifier: Apache-2.0 */
/* Layers of tfjs-layers/src/layers/advanced_activations.ts. */
#include "common/model/layers_internal.h"

static bool relu_configure(struct layers_build *b, struct layers_layer *l)
{
	const struct json *most = layers_config_set(l->config, "maxValue");
	bool ok = layers_config_ignored(b, l, "negativeSlope", 0);
	double value;

	if (most && (!layers_config_number(most, &value) || value < 0))
		ok = layers_config_throw(b, l, RULE_LAYERS_CONFIG, "maxValue",
			"max_value is no number from 0; TensorFlow.js, when the model runs: "
			"Error in clip: min "
			"(0) must be less than or equal to max");
	return layers_config_ignored(b, l, "threshold", 0) && ok;
}

const struct layers_ops layers_acts_relu = {.configure = relu_configure};

/* Keras 3 calls alpha negative_slope. */
static bool leaky_configure(struct layers_build *b, struct layers_layer *l)
{
	if (layers_config_set(l->config, "alpha"))
		return true;
	return layers_config_ignored(b, l, "negativeSlope", 0.3);
}

const struct layers_ops layers_acts_leaky = {.configure = leaky_configure};

static bool threshold_configure(struct layers_build *b, struct layers_layer *l)
{
	return layers_config_operand(b, l, "theta");
}

const struct layers_ops layers_acts_threshold = {.configure = threshold_configure};

static bool elu_configure(struct layers_build *b, struct layers_layer *l)
{
	const struct json *v = layers_config_set(l->config, "alpha");
	double alpha = 0;

	if (!v || (layers_config_number(v, &alpha) && alpha == 1))
		return true;
	return layers_config_throw(b, l, RULE_LAYERS_UNSUPPORTED, "alpha",
		"TensorFlow.js: Non-default alpha value (%g) is not supported by the ELU layer "
		"yet.",
		alpha);
}

const struct layers_ops layers_acts_elu = {.configure = elu_configure};

/* ---- Softmax ------------------------------------------------------------------------------- */

static bool softmax_configure(struct layers_build *b, struct layers_layer *l)
{
	const struct json *v = layers_config_set(l->config, "axis");
	bool list = json_is(v, JSON_ARRAY);

	l->core.axis = list ? -1 : 1;
	l->core.flag = list && json_count(v) > 1;
	if (!v || l->core.flag || layers_config_integer(list ? json_first(v) : v, &l->core.axis))
		return true;
	if (list && json_count(v) == 0)
		return true;
	return layers_config_throw(b, l, RULE_LAYERS_CONFIG, "axis", "axis is no whole number");
}

static bool softmax_output(struct layers_build *b, struct layers_layer *l,
	const struct layers_shapes *in, struct layers_shapes *out)
{
	struct layers_shape *s = in->items[0];
	double axis = l->core.axis;

	if (s && !l->core.flag && axis != -1 && axis != (double)s->rank - 1)
		return layers_config_throw(b, l, RULE_LAYERS_UNSUPPORTED, "axis",
			"axis is %g%s and the input %s; TensorFlow.js, when the model runs: "
			"Softmax along a "
			"non-last dimension is not yet supported.",
			axis, layers_config_set(l->config, "axis") ? "" : " by default",
			layers_shape_text(b, s));
	return layers_shape_set(b, out, s);
}

const struct layers_ops layers_acts_softmax = {
	.configure = softmax_configure,
	.output = softmax_output,
};

/* ---- PReLU --------------------------------------------------------------------------------- */

static bool prelu_configure(struct layers_build *b, struct layers_layer *l)
{
	const struct json *v = layers_config_set(l->config, "sharedAxes");
	double axis;

	if (!layers_objects_weight(b, l, "alpha"))
		return false;
	if (!v)
		return true;
	if (layers_config_number(v, &axis)) {
		l->core.list = layers_shape_of(b, 1, axis);
		return l->core.list != NULL;
	}
	return layers_config_shape(b, l, "sharedAxes", v, &l->core.list);
}

static bool prelu_build(struct layers_build *b, struct layers_layer *l,
	const struct layers_shapes *in)
{
	const struct layers_shape *s = in->items[0], *shared = l->core.list;
	struct layers_shape *alpha = s ? layers_shape_slice(b, s, 1, s->rank) : NULL;

	for (unsigned i = 0; alpha && shared && i < shared->rank; i++) {
		if (shared->dims[i] > alpha->rank)
			return layers_config_throw(b, l, RULE_LAYERS_CONFIG, "sharedAxes",
				"axis %g is none of an input of shape %s", shared->dims[i],
				layers_shape_text(b, s));
		if (shared->dims[i] >= 1)
			alpha->dims[(unsigned)shared->dims[i] - 1] = 1;
	}
	if (!layers_layer_weight(b, l, "alpha", alpha, true, "alphaInitializer"))
		return false;
	if (!s)
		return true;
	l->spec.ndim = s->rank;
	l->spec.axes = shared ? layers_shape_copy(b, s) : NULL;
	if (l->spec.axes && s->rank > 0)
		l->spec.axes->dims[0] = DIM_NULL;
	return true;
}

const struct layers_ops layers_acts_prelu = {
	.configure = prelu_configure,
	.build = prelu_build,
};
