/* SPDX-License-Identifier: Apache-2.0 */
/* Layers of tfjs-layers/src/layers/normalization.ts. */
#include "common/model/layers_internal.h"

/* ---- BatchNormalization -------------------------------------------------------------------- */

/* TensorFlow.js normalises tensors of 2 to 4 dimensions only, and says so when the model runs. */
static bool norm_rank(struct layers_build *b, struct layers_layer *l, const struct layers_shape *s)
{
	if (!s || (s->rank >= 2 && s->rank <= 4))
		return true;
	return layers_config_throw(b, l, RULE_LAYERS_UNSUPPORTED, NULL,
		"the input has shape %s; TensorFlow.js, when the model runs: batchNormalization "
		"is not "
		"implemented for array of rank %u yet",
		layers_shape_text(b, s), s->rank);
}

static bool norm_output(struct layers_build *b, struct layers_layer *l,
	const struct layers_shapes *in, struct layers_shapes *out)
{
	return norm_rank(b, l, in->items[0]) && layers_shape_set(b, out, in->items[0]);
}

static bool norm_objects(struct layers_build *b, struct layers_layer *l)
{
	bool ok = layers_objects_weight(b, l, "beta");

	l->core.center = layers_config_flag(l, "center", true);
	l->core.scale = layers_config_flag(l, "scale", true);
	return layers_objects_weight(b, l, "gamma") && ok;
}

/* Keras writes [3] as often as 3; JavaScript takes both, but no list with a negative axis. */
static bool batch_axis(struct layers_build *b, struct layers_layer *l)
{
	const struct json *v = layers_config_set(l->config, "axis");
	bool list = json_is(v, JSON_ARRAY) && json_count(v) == 1;

	l->core.axis = -1;
	if (!v)
		return true;
	if (layers_config_integer(list ? json_first(v) : v, &l->core.axis) &&
		(!list || l->core.axis >= 0))
		return true;
	return layers_config_throw(b, l, RULE_LAYERS_CONFIG, "axis",
		"axis is neither a whole number nor a list of one that is not negative");
}

static bool batch_configure(struct layers_build *b, struct layers_layer *l)
{
	bool ok = batch_axis(b, l);

	ok = layers_objects_weight(b, l, "movingMean") && ok;
	ok = layers_objects_weight(b, l, "movingVariance") && ok;
	return norm_objects(b, l) && ok;
}

static bool batch_build(struct layers_build *b, struct layers_layer *l,
	const struct layers_shapes *in)
{
	struct layers_shape *s = in->items[0];
	double axis = l->core.axis, dim = DIM_ANY;
	bool ok = true;

	if (s) {
		axis = axis >= 0 ? axis : axis + s->rank;
		if (axis < 0 || axis >= s->rank || s->dims[(unsigned)axis] == DIM_NULL)
			return layers_config_throw(b, l, RULE_LAYERS_SHAPE, "axis",
				"TensorFlow.js: Axis %g of input tensor should have a defined "
				"dimension but the "
				"layer received an input with shape %s.",
				axis, layers_shape_text(b, s));
		dim = s->dims[(unsigned)axis];
		l->spec.ndim = s->rank;
		l->spec.axes = layers_shape_new(b, s->rank);
		for (unsigned i = 0; l->spec.axes && i < s->rank; i++)
			l->spec.axes->dims[i] = i == (unsigned)axis ? dim : DIM_NULL;
	}
	if (l->core.scale)
		ok = layers_layer_weight(b, l, "gamma", layers_shape_of(b, 1, dim), true,
			"gammaInitializer");
	if (ok && l->core.center)
		ok = layers_layer_weight(b, l, "beta", layers_shape_of(b, 1, dim), true,
			"betaInitializer");
	return ok &&
		layers_layer_weight(b, l, "moving_mean", layers_shape_of(b, 1, dim), false,
			"movingMeanInitializer") &&
		layers_layer_weight(b, l, "moving_variance", layers_shape_of(b, 1, dim), false,
			"movingVarianceInitializer");
}

const struct layers_ops layers_norm_batch = {
	.configure = batch_configure,
	.build = batch_build,
	.output = norm_output,
};

/* ---- LayerNormalization -------------------------------------------------------------------- */

static bool layer_configure(struct layers_build *b, struct layers_layer *l)
{
	const struct json *v = layers_config_set(l->config, "axis");
	double axis = -1;
	bool ok = layers_config_ignored(b, l, "rmsScaling", NAN);

	if (!v || layers_config_integer(v, &axis))
		l->core.list = layers_shape_of(b, 1, axis);
	else
		ok = layers_config_shape(b, l, "axis", v, &l->core.list) && ok;
	return norm_objects(b, l) && ok;
}

static bool bad_axis(struct layers_build *b, struct layers_layer *l, const char *what, double axis)
{
	return layers_config_throw(b, l, RULE_LAYERS_CONFIG, "axis", "TensorFlow.js: %s: %g", what,
		axis);
}

static bool layer_axes(struct layers_build *b, struct layers_layer *l, const struct layers_shape *s,
	struct layers_shape *param)
{
	const struct layers_shape *axes = l->core.list;
	uint64_t seen = 0;

	for (unsigned i = 0; i < axes->rank; i++) {
		double axis = axes->dims[i];

		if (!s) {
			param->dims[i] = DIM_ANY;
			continue;
		}
		axis = axis < 0 ? axis + s->rank : axis;
		if (!(axis >= 0) || axis >= s->rank || axis >= 64)
			return bad_axis(b, l, "Invalid axis", axis);
		if (seen & UINT64_C(1) << (unsigned)axis)
			return bad_axis(b, l, "Found duplicate axes in", axis);
		seen |= UINT64_C(1) << (unsigned)axis;
		param->dims[i] = s->dims[(unsigned)axis];
	}
	return true;
}

static bool layer_build(struct layers_build *b, struct layers_layer *l,
	const struct layers_shapes *in)
{
	struct layers_shape *param = layers_shape_new(b, l->core.list->rank);

	if (!param || !layer_axes(b, l, in->items[0], param))
		return false;
	if (l->core.scale && !layers_layer_weight(b, l, "gamma", param, true, "gammaInitializer"))
		return false;
	return !l->core.center || layers_layer_weight(b, l, "beta", param, true, "betaInitializer");
}

const struct layers_ops layers_norm_layer = {
	.configure = layer_configure,
	.build = layer_build,
	.output = norm_output,
};
