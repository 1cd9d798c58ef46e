/* SPDX-License-Identifier: Apache-2.0 */
/* Layers of tfjs-layers/src/layers/merge.ts. */
#include "common/model/layers_internal.h"

static bool all_known(const struct layers_shapes *in)
{
	for (size_t i = 0; i < in->n; i++)
		if (!in->items[i])
			return false;
	return true;
}

static bool mismatch(struct layers_build *b, struct layers_layer *l, const char *what,
	const struct layers_shape *x, const struct layers_shape *y)
{
	return layers_config_throw(b, l, RULE_LAYERS_SHAPE, NULL, "TensorFlow.js: %s %s %s", what,
		layers_shape_text(b, x), layers_shape_text(b, y));
}

/* ---- Add, Multiply, Average, Maximum, Minimum ---------------------------------------------- */

static double broadcast(double i, double j)
{
	if (i == DIM_ANY || j == DIM_ANY)
		return DIM_ANY;
	if (i < 0 || j < 0)
		return DIM_NULL;
	return i == 1 ? j : i;
}

/* Without the batch; aligned at the end. */
static bool broadcast_shapes(struct layers_build *b, struct layers_layer *l,
	const struct layers_shape *x, const struct layers_shape *y, struct layers_shape **ret)
{
	const struct layers_shape *longer = x->rank < y->rank ? y : x;
	const struct layers_shape *shorter = x->rank < y->rank ? x : y;
	struct layers_shape *out = layers_shape_copy(b, longer);
	unsigned offset = longer->rank - shorter->rank;

	if (!out)
		return false;
	for (unsigned k = 1; k < shorter->rank; k++) {
		double i = longer->dims[offset + k], j = shorter->dims[k];

		if (i >= 0 && j >= 0 && !isinf(i) && !isinf(j) && i != 1 && j != 1 && i != j)
			return mismatch(b, l,
				"Operands could not be broadcast together with shapes", x, y);
		out->dims[offset + k] = broadcast(i, j);
	}
	*ret = out;
	return true;
}

static bool elementwise_shape(struct layers_build *b, struct layers_layer *l,
	const struct layers_shapes *in, struct layers_shape **ret, double *ret_batch)
{
	struct layers_shape *out = in->items[0];

	*ret_batch = DIM_NULL;
	for (size_t i = 0; i < in->n; i++) {
		double batch = in->items[i]->rank > 0 ? in->items[i]->dims[0] : DIM_NULL;

		if (layers_dim_is_number(*ret_batch) && layers_dim_is_number(batch) &&
			batch != *ret_batch)
			return mismatch(b, l,
				"Can not merge tensors with different batch sizes. Got tensors "
				"with shapes:",
				in->items[0], in->items[i]);
		if (layers_dim_is_number(batch))
			*ret_batch = batch;
		if (i > 0 && !broadcast_shapes(b, l, out, in->items[i], &out))
			return false;
	}
	*ret = out;
	return true;
}

static bool elementwise_build(struct layers_build *b, struct layers_layer *l,
	const struct layers_shapes *in)
{
	if (in->n >= 2)
		return true;
	return layers_config_throw(b, l, RULE_LAYERS_WIRING, NULL,
		"TensorFlow.js: A merge layer should be called on an Array of at least 2 inputs. "
		"Got %zu "
		"input(s).",
		in->n);
}

static bool elementwise_output(struct layers_build *b, struct layers_layer *l,
	const struct layers_shapes *in, struct layers_shapes *out)
{
	struct layers_shape *s = NULL;
	double batch;

	if (!all_known(in) || in->n == 0)
		return layers_shape_set(b, out, NULL);
	if (!elementwise_shape(b, l, in, &s, &batch))
		return false;
	s = layers_shape_copy(b, s);
	if (s && s->rank > 0)
		s->dims[0] = batch;
	return layers_shape_set(b, out, s);
}

const struct layers_ops layers_merge_elementwise = {
	.build = elementwise_build,
	.output = elementwise_output,
	.many = true,
};

/* ---- Concatenate --------------------------------------------------------------------------- */

static bool concatenate_configure(struct layers_build *b, struct layers_layer *l)
{
	const struct json *v = layers_config_set(l->config, "axis");

	l->core.axis = -1;
	if (v && !layers_config_integer(v, &l->core.axis))
		return layers_config_throw(b, l, RULE_LAYERS_CONFIG, "axis",
			"axis is no whole number");
	if (l->core.axis >= -1)
		return true;
	return layers_config_throw(b, l, RULE_LAYERS_UNSUPPORTED, "axis",
		"axis is %g; when the model runs, TensorFlow.js takes every negative axis for "
		"the last",
		l->core.axis);
}

static bool same_but_axis(const struct layers_shape *x, const struct layers_shape *y, double axis)
{
	if (x->rank != y->rank)
		return false;
	for (unsigned i = 0; i < x->rank; i++)
		if (i != (unsigned)axis && x->dims[i] != y->dims[i] && x->dims[i] != DIM_ANY &&
			y->dims[i] != DIM_ANY)
			return false;
	return true;
}

static bool concatenate_axis(struct layers_build *b, struct layers_layer *l,
	const struct layers_shape *s, double *ret)
{
	*ret = l->core.axis < 0 ? l->core.axis + s->rank : l->core.axis;
	if (*ret >= 0 && *ret < s->rank)
		return true;
	return layers_config_throw(b, l, RULE_LAYERS_CONFIG, "axis",
		"axis %g is none of an input of shape %s", l->core.axis, layers_shape_text(b, s));
}

static bool concatenate_build(struct layers_build *b, struct layers_layer *l,
	const struct layers_shapes *in)
{
	double axis;

	if (in->n < 2)
		return layers_config_throw(b, l, RULE_LAYERS_WIRING, NULL,
			"TensorFlow.js: A `Concatenate` layer should be called on a list of at "
			"least 2 inputs");
	if (!all_known(in))
		return true;
	if (!concatenate_axis(b, l, in->items[0], &axis))
		return false;
	for (size_t i = 1; i < in->n; i++)
		if (!same_but_axis(in->items[0], in->items[i], axis))
			return mismatch(b, l,
				"A `Concatenate` layer requires inputs with matching shapes "
				"except for the concat "
				"axis. Got input shapes:",
				in->items[0], in->items[i]);
	return true;
}

static bool concatenate_output(struct layers_build *b, struct layers_layer *l,
	const struct layers_shapes *in, struct layers_shapes *out)
{
	struct layers_shape *s;
	double axis, *sum;

	if (!all_known(in) || in->n == 0)
		return layers_shape_set(b, out, NULL);
	s = layers_shape_copy(b, in->items[0]);
	if (!s || !concatenate_axis(b, l, s, &axis))
		return false;
	sum = &s->dims[(unsigned)axis];
	for (size_t i = 1; i < in->n; i++) {
		double d = layers_shape_dim(in->items[i], (unsigned)axis);

		if (*sum == DIM_NULL || d == DIM_NULL) {
			*sum = DIM_NULL;
			break;
		}
		*sum = layers_shape_add(*sum, d);
	}
	return layers_shape_set(b, out, s);
}

const struct layers_ops layers_merge_concatenate = {
	.configure = concatenate_configure,
	.build = concatenate_build,
	.output = concatenate_output,
	.many = true,
};

/* ---- Dot ----------------------------------------------------------------------------------- */

static bool dot_configure(struct layers_build *b, struct layers_layer *l)
{
	const struct json *v = layers_config_set(l->config, "axes");

	l->core.flag = json_is(v, JSON_ARRAY);
	if (!l->core.flag && layers_config_integer(v, &l->core.axis))
		return true;
	if (l->core.flag && json_count(v) == 2)
		return layers_config_shape(b, l, "axes", v, &l->core.list);
	return layers_config_throw(b, l, RULE_LAYERS_CONFIG, "axes",
		"axes is neither a whole number nor two of them");
}

/* The axis of each input, counted from the front. */
static bool dot_axes(struct layers_build *b, struct layers_layer *l, const struct layers_shapes *in,
	unsigned *ret)
{
	for (unsigned i = 0; i < 2; i++) {
		const struct layers_shape *s = in->items[i];
		double axis = l->core.flag ? l->core.list->dims[i] : l->core.axis;

		if (axis < 0)
			axis += s->rank;
		if (!(axis >= 1 && axis < s->rank))
			return layers_config_throw(b, l, RULE_LAYERS_CONFIG, "axes",
				"no such axis in an input of shape %s", layers_shape_text(b, s));
		ret[i] = (unsigned)axis;
	}
	return true;
}

static bool dot_build(struct layers_build *b, struct layers_layer *l,
	const struct layers_shapes *in)
{
	unsigned axes[2];
	double x, y;

	if (in->n != 2)
		return layers_config_throw(b, l, RULE_LAYERS_WIRING, NULL,
			"TensorFlow.js: A `Dot` layer should be called on a list of exactly 2 "
			"inputs.");
	if (!all_known(in))
		return true;
	if (in->items[0]->rank > 3 || in->items[1]->rank > 3)
		return mismatch(b, l,
			"Dot layer does not support tensors of 4D or higher rank yet.",
			in->items[0], in->items[1]);
	if (!dot_axes(b, l, in, axes))
		return false;
	x = in->items[0]->dims[axes[0]];
	y = in->items[1]->dims[axes[1]];
	if (x != y && x != DIM_ANY && y != DIM_ANY)
		return mismatch(b, l, "Dimension incompatibility:", in->items[0], in->items[1]);
	return true;
}

static bool dot_output(struct layers_build *b, struct layers_layer *l,
	const struct layers_shapes *in, struct layers_shapes *out)
{
	struct layers_shape *s;
	unsigned axes[2], n = 0;

	if (!all_known(in) || in->n != 2)
		return layers_shape_set(b, out, NULL);
	if (!dot_axes(b, l, in, axes))
		return false;
	s = layers_shape_new(b, in->items[0]->rank + in->items[1]->rank);
	for (unsigned k = 0; s && k < 2; k++)
		for (unsigned i = k; i < in->items[k]->rank; i++) /* one batch is enough */
			if (i != axes[k])
				s->dims[n++] = in->items[k]->dims[i];
	if (s && n == 1)
		s->dims[n++] = 1;
	if (s)
		s->rank = n;
	return layers_shape_set(b, out, s);
}

const struct layers_ops layers_merge_dot = {
	.configure = dot_configure,
	.build = dot_build,
	.output = dot_output,
	.many = true,
};
