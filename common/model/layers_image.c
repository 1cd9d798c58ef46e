/* SPDX-License-Identifier: Apache-2.0 */
/* Layers that move pixels: Cropping2D, UpSampling2D, ZeroPadding2D and
 * tfjs-layers/src/layers/preprocessing. Two of the latter write their output's size into the array
 * that is their input's shape; that is kept, since what comes later sees it. */
#include "common/model/layers_internal.h"

/* n, [h, w] or [[top, bottom], [left, right]] */
static bool borders(const struct json *v, double *ret)
{
	const struct json *rows, *columns;

	if (layers_config_integer(v, &ret[0])) {
		ret[1] = ret[2] = ret[3] = ret[0];
		return ret[0] >= 0;
	}
	if (!json_is(v, JSON_ARRAY) || json_count(v) != 2)
		return false;
	rows = json_first(v);
	columns = json_next(rows);
	if (layers_config_integer(rows, &ret[0]) && layers_config_integer(columns, &ret[2])) {
		ret[1] = ret[0];
		ret[3] = ret[2];
		return ret[0] >= 0 && ret[2] >= 0;
	}
	if (json_count(rows) != 2 || json_count(columns) != 2 || !json_is(rows, JSON_ARRAY) ||
		!json_is(columns, JSON_ARRAY))
		return false;
	return layers_config_integer(json_first(rows), &ret[0]) &&
		layers_config_integer(json_next(json_first(rows)), &ret[1]) &&
		layers_config_integer(json_first(columns), &ret[2]) &&
		layers_config_integer(json_next(json_first(columns)), &ret[3]) && ret[0] >= 0 &&
		ret[1] >= 0 && ret[2] >= 0 && ret[3] >= 0;
}

static bool bad_borders(struct layers_build *b, struct layers_layer *l, const char *camel)
{
	return layers_config_throw(b, l, RULE_LAYERS_CONFIG, camel,
		"%s is neither a whole number, nor two, nor two pairs of them", camel);
}

static unsigned row_axis(const struct layers_layer *l)
{
	return l->core.first ? 2 : 1;
}

/* ---- Cropping2D ---------------------------------------------------------------------------- */

static bool cropping_configure(struct layers_build *b, struct layers_layer *l)
{
	const struct json *format = layers_config_get(l->config, "dataFormat");

	l->spec.ndim = 4;
	l->core.first = layers_config_word(format, "channelsFirst");
	if (format && !l->core.first && !layers_config_word(format, "channelsLast"))
		return layers_config_throw(b, l, RULE_LAYERS_CONFIG, "dataFormat",
			"data_format is neither channels_first nor channels_last");
	return borders(layers_config_get(l->config, "cropping"), l->core.crop) ||
		bad_borders(b, l, "cropping");
}

static bool cropping_output(struct layers_build *b, struct layers_layer *l,
	const struct layers_shapes *in, struct layers_shapes *out)
{
	struct layers_shape *s = layers_shape_copy(b, in->items[0]);
	const double *crop = l->core.crop;
	unsigned row = row_axis(l);

	if (s && s->rank == 4) {
		s->dims[row] = layers_shape_add(s->dims[row], -(crop[0] + crop[1]));
		s->dims[row + 1] = layers_shape_add(s->dims[row + 1], -(crop[2] + crop[3]));
	}
	return layers_shape_set(b, out, s);
}

const struct layers_ops layers_image_cropping = {
	.configure = cropping_configure,
	.output = cropping_output,
};

/* ---- UpSampling2D -------------------------------------------------------------------------- */

static bool upsampling_configure(struct layers_build *b, struct layers_layer *l)
{
	const struct json *size = layers_config_set(l->config, "size");
	const struct json *how = layers_config_set(l->config, "interpolation");
	bool ok = layers_config_format(b, l, &l->core.first);

	l->spec.ndim = 4;
	if (json_is(size, JSON_NUMBER))
		ok = layers_config_throw(b, l, RULE_LAYERS_CONFIG, "size",
			"size is a number; TensorFlow.js reads a list of two");
	else
		ok = layers_config_tuple(b, l, "size", 2, 2, l->core.size) && ok;
	if (!how || layers_config_word(how, "nearest") || layers_config_word(how, "bilinear"))
		return ok;
	return layers_config_throw(b, l, RULE_LAYERS_CONFIG, "interpolation",
		"TensorFlow.js: %s is not a valid InterpolationFormat.  Valid values are "
		"nearest,bilinear",
		json_str(how) ? json_str(how) : json_type_name(json_type(how)));
}

static bool upsampling_output(struct layers_build *b, struct layers_layer *l,
	const struct layers_shapes *in, struct layers_shapes *out)
{
	struct layers_shape *s = layers_shape_copy(b, in->items[0]);

	for (unsigned i = 0; s && s->rank == 4 && i < 2; i++) {
		double *d = &s->dims[row_axis(l) + i];

		*d = isinf(*d) ? *d : layers_shape_mul(*d, l->core.size[i]);
	}
	return layers_shape_set(b, out, s);
}

const struct layers_ops layers_image_upsampling = {
	.configure = upsampling_configure,
	.output = upsampling_output,
};

/* ---- ZeroPadding2D ------------------------------------------------------------------------- */

static bool padding_configure(struct layers_build *b, struct layers_layer *l)
{
	const struct json *v = layers_config_set(l->config, "padding");
	bool ok = layers_config_format(b, l, &l->core.first);

	l->spec.ndim = 4;
	for (unsigned i = 0; i < 4; i++)
		l->core.crop[i] = 1;
	return (!v || borders(v, l->core.crop) || bad_borders(b, l, "padding")) && ok;
}

static bool padding_output(struct layers_build *b, struct layers_layer *l,
	const struct layers_shapes *in, struct layers_shapes *out)
{
	struct layers_shape *s = layers_shape_copy(b, in->items[0]);

	for (unsigned i = 0; s && s->rank == 4 && i < 2; i++) {
		double *d = &s->dims[row_axis(l) + i];

		if (*d < 0)
			*d = DIM_NULL;
		else
			*d = layers_shape_add(*d, l->core.crop[2 * i] + l->core.crop[2 * i + 1]);
	}
	return layers_shape_set(b, out, s);
}

const struct layers_ops layers_image_padding = {
	.configure = padding_configure,
	.output = padding_output,
};

/* ---- preprocessing ------------------------------------------------------------------------- */

static bool size_configure(struct layers_build *b, struct layers_layer *l)
{
	bool ok = layers_config_positive(b, l, "height", &l->core.size[0]);

	return layers_config_positive(b, l, "width", &l->core.size[1]) && ok;
}

static bool interpolation(struct layers_build *b, struct layers_layer *l)
{
	const struct json *v = layers_config_get(l->config, "interpolation");

	if (!layers_config_truthy(v) || layers_config_word(v, "bilinear") ||
		layers_config_word(v, "nearest"))
		return true;
	return layers_config_throw(b, l, RULE_LAYERS_CONFIG, "interpolation",
		"TensorFlow.js: Invalid interpolation parameter: %s is not implemented",
		json_str(v) ? json_str(v) : json_type_name(json_type(v)));
}

static bool resizing_configure(struct layers_build *b, struct layers_layer *l)
{
	bool ok = size_configure(b, l);

	return interpolation(b, l) && ok;
}

/* Both hand the list of their inputs to resizeBilinear, and infer a shape without the batch. */
static bool cannot_resize(struct layers_build *b, struct layers_layer *l,
	const struct layers_shapes *in, struct layers_shapes *out)
{
	(void)in;
	(void)out;
	return layers_config_throw(b, l, RULE_LAYERS_UNSUPPORTED, NULL,
		"TensorFlow.js " LAYERS_RELEASE " cannot run it: Error in resizeBilinear: x must "
		"be rank 3 or 4, but got rank 1.");
}

const struct layers_ops layers_image_resizing = {
	.configure = resizing_configure,
	.output = cannot_resize,
};

static bool rescaling_configure(struct layers_build *b, struct layers_layer *l)
{
	if (!layers_config_set(l->config, "scale"))
		return layers_config_throw(b, l, RULE_LAYERS_CONFIG, "scale",
			"scale is missing; TensorFlow.js, when the model runs: Argument 'b' passed "
			"to 'mul' must be a Tensor or TensorLike, but got 'null'");
	return layers_config_operand(b, l, "scale") && layers_config_operand(b, l, "offset");
}

const struct layers_ops layers_image_rescaling = {.configure = rescaling_configure};

static bool center_crop_output(struct layers_build *b, struct layers_layer *l,
	const struct layers_shapes *in, struct layers_shapes *out)
{
	struct layers_shape *s = in->items[0];

	if (s && s->rank >= 3) {
		s->dims[s->rank - 3] = l->core.size[0];
		s->dims[s->rank - 2] = l->core.size[1];
	}
	return layers_shape_set(b, out, s);
}

const struct layers_ops layers_image_center_crop = {
	.configure = size_configure,
	.output = center_crop_output,
};

static bool category_configure(struct layers_build *b, struct layers_layer *l)
{
	static const char *const modes[] = {"multiHot", "oneHot", "count", "int"};
	const struct json *mode = layers_config_get(l->config, "outputMode");
	bool ok = layers_config_positive(b, l, "numTokens", &l->core.n);

	l->core.one_hot = layers_config_word(mode, "oneHot");
	for (unsigned i = 0; i < ARRAY_SIZE(modes); i++)
		if (!layers_config_truthy(mode) || layers_config_word(mode, modes[i]))
			return ok;
	return layers_config_throw(b, l, RULE_LAYERS_UNSUPPORTED, "outputMode",
		"%s is no output mode that TensorFlow.js computes",
		json_str(mode) ? json_str(mode) : json_type_name(json_type(mode)));
}

static bool category_output(struct layers_build *b, struct layers_layer *l,
	const struct layers_shapes *in, struct layers_shapes *out)
{
	struct layers_shape *s = in->items[0];

	if (s && s->rank > 0 && l->core.one_hot && s->dims[s->rank - 1] != 1)
		return layers_config_throw(b, l, RULE_LAYERS_UNSUPPORTED, "outputMode",
			"one_hot of an input of shape %s makes TensorFlow.js append to that "
			"shape and refuse "
			"the input when the model runs",
			layers_shape_text(b, s));
	if (s && s->rank > 2 &&
		!layers_config_word(layers_config_get(l->config, "outputMode"), "int"))
		return layers_config_throw(b, l, RULE_LAYERS_UNSUPPORTED, NULL,
			"the input has shape %s; TensorFlow.js, when the model runs: When "
			"outputMode is not int, maximum output rank is 2",
			layers_shape_text(b, s));
	if (s && s->rank > 0)
		s->dims[s->rank - 1] = l->core.n;
	return layers_shape_set(b, out, s);
}

const struct layers_ops layers_image_category = {
	.configure = category_configure,
	.output = category_output,
};

/* ---- RandomWidth --------------------------------------------------------------------------- */

static bool random_factor(const struct json *v)
{
	double lower, upper;

	if (layers_config_number(v, &upper))
		return upper > 0 && upper <= 1;
	return json_is(v, JSON_ARRAY) && json_count(v) == 2 &&
		layers_config_number(json_first(v), &lower) &&
		layers_config_number(json_next(json_first(v)), &upper) && lower >= -1 &&
		upper >= lower;
}

static bool random_width_configure(struct layers_build *b, struct layers_layer *l)
{
	bool ok = interpolation(b, l);

	if (!random_factor(layers_config_get(l->config, "factor")))
		return layers_config_throw(b, l, RULE_LAYERS_CONFIG, "factor",
			"TensorFlow.js: Invalid factor: Must be positive number or tuple of 2 "
			"numbers");
	return ok;
}

const struct layers_ops layers_image_random_width = {
	.configure = random_width_configure,
	.output = cannot_resize,
};
