/* SPDX-License-Identifier: Apache-2.0 */
/* Layers of tfjs-layers/src/layers/pooling.ts. */
#include "common/model/layers_internal.h"

static bool pool_configure(struct layers_build *b, struct layers_layer *l, unsigned rank)
{
	struct layers_conv *c = &l->conv;
	bool ok = layers_config_tuple(b, l, "poolSize", rank, 2, c->kernel);

	c->rank = rank;
	for (unsigned i = 0; i < rank; i++)
		c->strides[i] = c->kernel[i];
	if (layers_config_set(l->config, "strides"))
		ok = layers_config_tuple(b, l, "strides", rank, NAN, c->strides) && ok;
	ok = layers_config_padding(b, l, &c->padding) && ok;
	l->spec.ndim = rank + 2;
	return ok;
}

/* TensorFlow.js reads data_format in no pooling layer over one dimension. */
static bool channels_last_only(struct layers_build *b, struct layers_layer *l)
{
	if (!layers_config_word(layers_config_get(l->config, "dataFormat"), "channelsFirst"))
		return true;
	return layers_config_ignored(b, l, "dataFormat", NAN);
}

static bool configure_1d(struct layers_build *b, struct layers_layer *l)
{
	bool ok = channels_last_only(b, l);

	return pool_configure(b, l, 1) && ok;
}

static bool configure_2d(struct layers_build *b, struct layers_layer *l)
{
	bool ok = pool_configure(b, l, 2);

	return layers_config_format(b, l, &l->conv.first) && ok;
}

static bool configure_3d(struct layers_build *b, struct layers_layer *l)
{
	bool ok = pool_configure(b, l, 3);

	return layers_config_format(b, l, &l->conv.first) && ok;
}

static bool pool_output(struct layers_build *b, struct layers_layer *l,
	const struct layers_shapes *in, struct layers_shapes *out)
{
	const struct layers_conv *c = &l->conv;
	struct layers_shape *s = layers_shape_copy(b, in->items[0]);
	unsigned from = c->first ? 2 : 1;

	for (unsigned i = 0; s && i < c->rank && from + i < s->rank; i++)
		s->dims[from + i] = layers_shape_conv(s->dims[from + i], c->kernel[i], c->padding,
			c->strides[i], 1);
	return layers_shape_set(b, out, s);
}

const struct layers_ops layers_pool_1d = {.configure = configure_1d, .output = pool_output};
const struct layers_ops layers_pool_2d = {.configure = configure_2d, .output = pool_output};
const struct layers_ops layers_pool_3d = {.configure = configure_3d, .output = pool_output};

/* ---- global -------------------------------------------------------------------------------- */

static bool global_configure_1d(struct layers_build *b, struct layers_layer *l)
{
	bool ok = channels_last_only(b, l);

	l->spec.ndim = 3;
	return layers_config_ignored(b, l, "keepdims", NAN) && ok;
}

static bool global_configure_2d(struct layers_build *b, struct layers_layer *l)
{
	bool ok = layers_config_format(b, l, &l->conv.first);

	l->spec.ndim = 4;
	return layers_config_ignored(b, l, "keepdims", NAN) && ok;
}

static bool global_output(struct layers_build *b, struct layers_layer *l,
	const struct layers_shapes *in, struct layers_shapes *out)
{
	const struct layers_shape *s = in->items[0];
	double depth = l->conv.first ? layers_shape_dim(s, 1) : layers_shape_last(s);

	return layers_shape_set(b, out, layers_shape_of(b, 2, layers_shape_dim(s, 0), depth));
}

const struct layers_ops layers_pool_global_1d = {
	.configure = global_configure_1d,
	.output = global_output,
};
const struct layers_ops layers_pool_global_2d = {
	.configure = global_configure_2d,
	.output = global_output,
};
