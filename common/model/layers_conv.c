/* SPDX-License-Identifier: Apache-2.0 */
/* Layers of tfjs-layers/src/layers/convolutional.ts and convolutional_depthwise.ts. */
#include "common/model/layers_internal.h"

static bool ones(const double *v, unsigned n)
{
	for (unsigned i = 0; i < n; i++)
		if (v[i] != 1)
			return false;
	return true;
}

/* BaseConv: everything but the filters. */
static bool base_configure(struct layers_build *b, struct layers_layer *l, unsigned rank)
{
	struct layers_conv *c = &l->conv;
	bool ok = layers_config_tuple(b, l, "kernelSize", rank, NAN, c->kernel);

	c->rank = rank;
	ok = layers_config_tuple(b, l, "strides", rank, 1, c->strides) && ok;
	ok = layers_config_tuple(b, l, "dilationRate", rank, 1, c->dilation) && ok;
	ok = layers_config_padding(b, l, &c->padding) && ok;
	ok = layers_config_format(b, l, &c->first) && ok;
	ok = layers_objects_activation(b, l, "activation") && ok;
	c->use_bias = layers_config_flag(l, "useBias", true);
	ok = layers_objects_weight(b, l, "bias") && ok;
	return layers_objects_activity(b, l) && ok;
}

static bool check_call(struct layers_build *b, struct layers_layer *l)
{
	const struct layers_conv *c = &l->conv;

	if (c->padding == LAYERS_CAUSAL)
		return layers_config_throw(b, l, RULE_LAYERS_UNSUPPORTED, "padding",
			"TensorFlow.js, when the model runs: The support for CAUSAL padding mode "
			"is not "
			"implemented yet.");
	if (!ones(c->strides, c->rank) && !ones(c->dilation, c->rank))
		return layers_config_throw(b, l, RULE_LAYERS_UNSUPPORTED, "dilationRate",
			"TensorFlow.js, when the model runs: Either strides or dilations must be "
			"1.");
	return true;
}

static bool conv_configure(struct layers_build *b, struct layers_layer *l, unsigned rank)
{
	bool ok = base_configure(b, l, rank);

	ok = layers_config_positive(b, l, "filters", &l->conv.filters) && ok;
	ok = layers_objects_weight(b, l, "kernel") && ok;
	return ok && check_call(b, l);
}

static bool configure_1d(struct layers_build *b, struct layers_layer *l)
{
	l->spec.ndim = 3;
	return conv_configure(b, l, 1);
}

static bool configure_2d(struct layers_build *b, struct layers_layer *l)
{
	return conv_configure(b, l, 2);
}

static bool configure_3d(struct layers_build *b, struct layers_layer *l)
{
	return conv_configure(b, l, 3);
}

/* The channels of the input, which must be known; the spec that the next call must meet. */
static bool channels(struct layers_build *b, struct layers_layer *l, struct layers_shape *s,
	double *ret)
{
	unsigned axis;

	*ret = DIM_ANY;
	if (!s)
		return true;
	axis = l->conv.first ? 1 : s->rank - 1;
	if (s->rank != l->conv.rank + 2)
		return layers_config_throw(b, l, RULE_LAYERS_SHAPE, NULL,
			"the input has shape %s; TensorFlow.js: expected ndim=%u, found ndim=%u",
			layers_shape_text(b, s), l->conv.rank + 2, s->rank);
	if (s->dims[axis] == DIM_NULL)
		return layers_config_throw(b, l, RULE_LAYERS_SHAPE, NULL,
			"the input has shape %s; TensorFlow.js: The channel dimension of the "
			"input should be "
			"defined. Found null",
			layers_shape_text(b, s));
	*ret = s->dims[axis];
	l->spec.ndim = s->rank;
	l->spec.axes = layers_shape_new(b, s->rank);
	for (unsigned i = 0; l->spec.axes && i < s->rank; i++)
		l->spec.axes->dims[i] = i == axis ? *ret : DIM_NULL;
	return true;
}

/* [kernel..., x, y] */
static struct layers_shape *kernel_shape(struct layers_build *b, const struct layers_conv *c,
	double x, double y)
{
	struct layers_shape *s = layers_shape_new(b, c->rank + 2);

	if (!s)
		return NULL;
	for (unsigned i = 0; i < c->rank; i++)
		s->dims[i] = c->kernel[i];
	s->dims[c->rank] = x;
	s->dims[c->rank + 1] = y;
	return s;
}

static bool add_bias(struct layers_build *b, struct layers_layer *l, double n)
{
	return !l->conv.use_bias ||
		layers_layer_weight(b, l, "bias", layers_shape_of(b, 1, n), true,
			"biasInitializer");
}

static bool conv_build(struct layers_build *b, struct layers_layer *l,
	const struct layers_shapes *in)
{
	const struct layers_conv *c = &l->conv;
	double depth;

	return channels(b, l, in->items[0], &depth) &&
		layers_layer_weight(b, l, "kernel", kernel_shape(b, c, depth, c->filters), true,
			"kernelInitializer") &&
		add_bias(b, l, c->filters);
}

/* [batch, space..., channels] or [batch, channels, space...] of the input's rank. */
static struct layers_shape *with_space(struct layers_build *b, const struct layers_conv *c,
	double batch, const double *space, double depth)
{
	struct layers_shape *s = layers_shape_new(b, c->rank + 2);

	if (!s)
		return NULL;
	s->dims[0] = batch;
	s->dims[c->first ? 1 : c->rank + 1] = depth;
	for (unsigned i = 0; i < c->rank; i++)
		s->dims[i + (c->first ? 2 : 1)] = space[i];
	return s;
}

static double space_of(const struct layers_conv *c, const struct layers_shape *s, unsigned i)
{
	return layers_shape_dim(s, i + (c->first ? 2 : 1));
}

static bool conv_output(struct layers_build *b, struct layers_layer *l,
	const struct layers_shapes *in, struct layers_shapes *out)
{
	const struct layers_conv *c = &l->conv;
	const struct layers_shape *s = in->items[0];
	double space[3];

	for (unsigned i = 0; i < c->rank; i++)
		space[i] = layers_shape_conv(space_of(c, s, i), c->kernel[i], c->padding,
			c->strides[i], c->dilation[i]);
	return layers_shape_set(b, out,
		with_space(b, c, layers_shape_dim(s, 0), space, c->filters));
}

const struct layers_ops layers_conv_1d = {
	.configure = configure_1d,
	.build = conv_build,
	.output = conv_output,
};
const struct layers_ops layers_conv_2d = {
	.configure = configure_2d,
	.build = conv_build,
	.output = conv_output,
};
const struct layers_ops layers_conv_3d = {
	.configure = configure_3d,
	.build = conv_build,
	.output = conv_output,
};

/* ---- transposed ---------------------------------------------------------------------------- */

static bool transpose_configure(struct layers_build *b, struct layers_layer *l, unsigned rank)
{
	bool ok = base_configure(b, l, rank);

	ok = layers_config_positive(b, l, "filters", &l->conv.filters) && ok;
	ok = layers_objects_weight(b, l, "kernel") && ok;
	if (l->conv.padding == LAYERS_CAUSAL)
		ok = layers_config_throw(b, l, RULE_LAYERS_CONFIG, "padding",
			"TensorFlow.js: Conv%uDTranspose currently supports only padding modes "
			"'same' and "
			"'valid', but received padding mode causal",
			rank);
	ok = layers_config_ignored(b, l, "dilationRate", 1) && ok;
	return layers_config_ignored(b, l, "outputPadding", NAN) && ok;
}

static bool configure_2d_transpose(struct layers_build *b, struct layers_layer *l)
{
	return transpose_configure(b, l, 2);
}

static bool configure_3d_transpose(struct layers_build *b, struct layers_layer *l)
{
	return transpose_configure(b, l, 3);
}

static bool transpose_build(struct layers_build *b, struct layers_layer *l,
	const struct layers_shapes *in)
{
	const struct layers_conv *c = &l->conv;
	double depth;

	return channels(b, l, in->items[0], &depth) &&
		layers_layer_weight(b, l, "kernel", kernel_shape(b, c, c->filters, depth), true,
			"kernelInitializer") &&
		add_bias(b, l, c->filters);
}

static bool transpose_output(struct layers_build *b, struct layers_layer *l,
	const struct layers_shapes *in, struct layers_shapes *out)
{
	const struct layers_conv *c = &l->conv;
	const struct layers_shape *s = in->items[0];
	double space[3];

	for (unsigned i = 0; i < c->rank; i++)
		space[i] = layers_shape_deconv(space_of(c, s, i), c->strides[i], c->kernel[i],
			c->padding);
	return layers_shape_set(b, out,
		with_space(b, c, layers_shape_dim(s, 0), space, c->filters));
}

const struct layers_ops layers_conv_2d_transpose = {
	.configure = configure_2d_transpose,
	.build = transpose_build,
	.output = transpose_output,
};
const struct layers_ops layers_conv_3d_transpose = {
	.configure = configure_3d_transpose,
	.build = transpose_build,
	.output = transpose_output,
};

/* ---- SeparableConv2D ----------------------------------------------------------------------- */

static bool multiplier(struct layers_build *b, struct layers_layer *l)
{
	l->conv.multiplier = 1;
	return !layers_config_set(l->config, "depthMultiplier") ||
		layers_config_positive(b, l, "depthMultiplier", &l->conv.multiplier);
}

static bool separable_configure(struct layers_build *b, struct layers_layer *l)
{
	static const char *const barred[] = {
		"kernelInitializer", "kernelRegularizer", "kernelConstraint"};
	bool ok = conv_configure(b, l, 2);

	for (unsigned i = 0; i < ARRAY_SIZE(barred); i++)
		if (layers_config_set(l->config, barred[i]))
			ok = layers_config_throw(b, l, RULE_LAYERS_CONFIG, barred[i],
				"TensorFlow.js: Fields kernelInitializer, kernelRegularizer and "
				"kernelConstraint "
				"are invalid for SeparableConv2D. Remove the key.");
	ok = multiplier(b, l) && ok;
	ok = layers_objects_weight(b, l, "depthwise") && ok;
	return layers_objects_weight(b, l, "pointwise") && ok;
}

static bool separable_build(struct layers_build *b, struct layers_layer *l,
	const struct layers_shapes *in)
{
	const struct layers_conv *c = &l->conv;
	double depth;

	if (!channels(b, l, in->items[0], &depth) ||
		!layers_layer_weight(b, l, "depthwise_kernel",
			kernel_shape(b, c, depth, c->multiplier), true, "depthwiseInitializer"))
		return false;
	return layers_layer_weight(b, l, "pointwise_kernel",
		       layers_shape_of(b, 4, 1.0, 1.0, layers_shape_mul(depth, c->multiplier),
			       c->filters),
		       true, "depthwiseInitializer") &&
		add_bias(b, l, c->filters);
}

const struct layers_ops layers_conv_separable = {
	.configure = separable_configure,
	.build = separable_build,
	.output = conv_output,
};

/* ---- DepthwiseConv2D ----------------------------------------------------------------------- */

static bool depthwise_configure(struct layers_build *b, struct layers_layer *l)
{
	bool ok = base_configure(b, l, 2);

	ok = multiplier(b, l) && ok;
	ok = layers_objects_weight(b, l, "depthwise") && ok;
	return layers_config_ignored(b, l, "dilationRate", 1) && ok;
}

static bool depthwise_build(struct layers_build *b, struct layers_layer *l,
	const struct layers_shapes *in)
{
	const struct layers_conv *c = &l->conv;
	double depth;

	return channels(b, l, in->items[0], &depth) &&
		layers_layer_weight(b, l, "depthwise_kernel",
			kernel_shape(b, c, depth, c->multiplier), true, "depthwiseInitializer") &&
		add_bias(b, l, layers_shape_mul(depth, c->multiplier));
}

static bool depthwise_output(struct layers_build *b, struct layers_layer *l,
	const struct layers_shapes *in, struct layers_shapes *out)
{
	const struct layers_conv *c = &l->conv;
	const struct layers_shape *s = in->items[0];
	double space[2], depth = layers_shape_dim(s, c->first ? 1 : 3);

	for (unsigned i = 0; i < 2; i++)
		space[i] = layers_shape_conv(space_of(c, s, i), c->kernel[i], c->padding,
			c->strides[i], 1);
	return layers_shape_set(b, out,
		with_space(b, c, layers_shape_dim(s, 0), space,
			layers_shape_mul(depth, c->multiplier)));
}

const struct layers_ops layers_conv_depthwise = {
	.configure = depthwise_configure,
	.build = depthwise_build,
	.output = depthwise_output,
};
