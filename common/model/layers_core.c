/* SPDX-License-Identifier: Apache-2.0 */
/* Layers of tfjs-layers/src/layers/core.ts, embeddings.ts and noise.ts. */
#include "common/model/layers_internal.h"

static bool no_dimension(struct layers_build *b, struct layers_layer *l, const char *what)
{
	return layers_config_throw(b, l, RULE_LAYERS_SHAPE, NULL, "%s", what);
}

/* ---- Dense ------------------------------------------------------------------------------- */

static bool dense_configure(struct layers_build *b, struct layers_layer *l)
{
	double dim;
	bool ok = layers_config_positive(b, l, "units", &l->core.units);

	if (!l->batch_input &&
		layers_config_integer(layers_config_set(l->config, "inputDim"), &dim))
		l->batch_input = layers_shape_of(b, 2, DIM_NULL, dim);
	ok = layers_objects_activation(b, l, "activation") && ok;
	l->core.flag = layers_config_flag(l, "useBias", true);
	ok = layers_objects_weight(b, l, "kernel") && ok;
	ok = layers_objects_weight(b, l, "bias") && ok;
	l->spec.min_ndim = 2;
	return layers_objects_activity(b, l) && ok;
}

static bool dense_build(struct layers_build *b, struct layers_layer *l,
	const struct layers_shapes *in)
{
	double last = layers_shape_last(in->items[0]), units = l->core.units;

	if (!layers_layer_weight(b, l, "kernel", layers_shape_of(b, 2, last, units), true,
		    "kernelInitializer"))
		return false;
	if (l->core.flag &&
		!layers_layer_weight(b, l, "bias", layers_shape_of(b, 1, units), true,
			"biasInitializer"))
		return false;
	l->spec.last = last;
	l->spec.has_last = true;
	return true;
}

static bool dense_output(struct layers_build *b, struct layers_layer *l,
	const struct layers_shapes *in, struct layers_shapes *out)
{
	struct layers_shape *s = layers_shape_copy(b, in->items[0]);

	if (s && s->rank > 0)
		s->dims[s->rank - 1] = l->core.units;
	return layers_shape_set(b, out, s);
}

const struct layers_ops layers_core_dense = {
	.configure = dense_configure,
	.build = dense_build,
	.output = dense_output,
};

/* ---- layers that keep the shape ------------------------------------------------------------ */

const struct layers_ops layers_core_same = {.many = false};

static bool masking_configure(struct layers_build *b, struct layers_layer *l)
{
	return layers_config_operand(b, l, "maskValue");
}

const struct layers_ops layers_core_masking = {.configure = masking_configure};

static bool dropout_1d_configure(struct layers_build *b, struct layers_layer *l)
{
	(void)b;
	l->spec.ndim = 3;
	return true;
}

const struct layers_ops layers_core_dropout_1d = {.configure = dropout_1d_configure};

static bool activation_configure(struct layers_build *b, struct layers_layer *l)
{
	return layers_objects_activation(b, l, "activation");
}

const struct layers_ops layers_core_activation = {.configure = activation_configure};

/* ---- Flatten ------------------------------------------------------------------------------- */

static bool flatten_configure(struct layers_build *b, struct layers_layer *l)
{
	(void)b;
	l->spec.min_ndim = 3;
	return true;
}

static bool flatten_output(struct layers_build *b, struct layers_layer *l,
	const struct layers_shapes *in, struct layers_shapes *out)
{
	const struct layers_shape *s = in->items[0];
	double product = 1;

	if (!s)
		return layers_shape_set(b, out, layers_shape_of(b, 2, DIM_ANY, DIM_ANY));
	for (unsigned i = 1; i < s->rank; i++) {
		if (s->dims[i] == DIM_NULL)
			return no_dimension(b, l,
				layers_arena_text(b,
					"TensorFlow.js: The shape of the input to \"Flatten\" is "
					"not fully defined (got %s)",
					layers_shape_text(b, s)));
		product = layers_shape_mul(product, s->dims[i]);
	}
	return layers_shape_set(b, out, layers_shape_of(b, 2, layers_shape_dim(s, 0), product));
}

const struct layers_ops layers_core_flatten = {
	.configure = flatten_configure,
	.output = flatten_output,
};

/* ---- RepeatVector -------------------------------------------------------------------------- */

static bool repeat_configure(struct layers_build *b, struct layers_layer *l)
{
	l->spec.ndim = 2;
	return layers_config_positive(b, l, "n", &l->core.n);
}

static bool repeat_output(struct layers_build *b, struct layers_layer *l,
	const struct layers_shapes *in, struct layers_shapes *out)
{
	const struct layers_shape *s = in->items[0];

	return layers_shape_set(b, out,
		layers_shape_of(b, 3, layers_shape_dim(s, 0), l->core.n, layers_shape_dim(s, 1)));
}

const struct layers_ops layers_core_repeat = {
	.configure = repeat_configure,
	.output = repeat_output,
};

/* ---- Reshape ------------------------------------------------------------------------------- */

static bool reshape_configure(struct layers_build *b, struct layers_layer *l)
{
	const struct json *v = layers_config_set(l->config, "targetShape");
	unsigned unknown = 0;

	if (!layers_config_shape(b, l, "targetShape", v, &l->core.list))
		return false;
	for (unsigned i = 0; i < l->core.list->rank; i++) {
		if (l->core.list->dims[i] < 0) {
			l->core.list->dims[i] = DIM_NULL;
			unknown++;
		}
	}
	if (unknown > 1)
		return layers_config_throw(b, l, RULE_LAYERS_CONFIG, "targetShape",
			"TensorFlow.js: Can only specifiy one unknown dimension.");
	return true;
}

/* The product of the dims from `from`; DIM_ANY or DIM_NULL when one of them is. */
static double size_from(const struct layers_shape *s, unsigned from)
{
	double product = 1;

	for (unsigned i = from; i < s->rank; i++) {
		if (s->dims[i] < 0)
			return DIM_NULL;
		if (s->dims[i] == DIM_ANY)
			return DIM_ANY;
		product = layers_shape_mul(product, s->dims[i]);
	}
	return product;
}

static bool reshape_fix(struct layers_build *b, struct layers_layer *l,
	const struct layers_shape *s, struct layers_shape *target)
{
	double size = size_from(s, 1), known = 1, rest;
	unsigned unknown = target->rank;

	for (unsigned i = 0; i < target->rank; i++) {
		if (target->dims[i] == DIM_NULL)
			unknown = i;
		else
			known = layers_shape_mul(known, target->dims[i]);
	}
	if (isinf(size)) /* judged when the model runs */
		return true;
	rest = unknown < target->rank ? size - known * layers_dim_floor(size / known)
				      : size - known;
	if (known == 0 && unknown < target->rank)
		rest = 1;
	if (rest != 0)
		return no_dimension(b, l,
			layers_arena_text(b,
				"%s does not fit target_shape %s; TensorFlow.js: Total size of "
				"new array must be "
				"unchanged.",
				layers_shape_text(b, s), layers_shape_text(b, target)));
	if (unknown < target->rank && s->dims[0] >= 0) /* with a free batch size it stays null */
		target->dims[unknown] = size / known;
	return true;
}

static bool reshape_output(struct layers_build *b, struct layers_layer *l,
	const struct layers_shapes *in, struct layers_shapes *out)
{
	const struct layers_shape *s = in->items[0];
	struct layers_shape *target = layers_shape_copy(b, l->core.list), *full;

	if (!target || (s && s->rank == 0))
		return false;
	if (s && !reshape_fix(b, l, s, target))
		return false;
	full = layers_shape_new(b, target->rank + 1);
	if (full) {
		full->dims[0] = layers_shape_dim(s, 0);
		for (unsigned i = 0; i < target->rank; i++)
			full->dims[i + 1] = s || target->dims[i] != DIM_NULL ? target->dims[i]
									     : DIM_ANY;
	}
	return layers_shape_set(b, out, full);
}

const struct layers_ops layers_core_reshape = {
	.configure = reshape_configure,
	.output = reshape_output,
};

/* ---- Permute ------------------------------------------------------------------------------- */

static bool permute_configure(struct layers_build *b, struct layers_layer *l)
{
	const struct json *v = layers_config_set(l->config, "dims");
	struct layers_shape *dims;
	uint64_t seen = 0;

	if (!layers_config_shape(b, l, "dims", v, &dims))
		return false;
	for (unsigned i = 0; i < dims->rank; i++)
		if (dims->dims[i] >= 1 && dims->dims[i] <= dims->rank)
			seen |= UINT64_C(1) << ((unsigned)dims->dims[i] - 1);
	if (dims->rank >= 64 || seen != (UINT64_C(1) << dims->rank) - 1)
		return layers_config_throw(b, l, RULE_LAYERS_CONFIG, "dims",
			"TensorFlow.js: `dims` must contain consecutive integers starting from 1.");
	l->core.list = dims;
	l->spec.ndim = dims->rank + 1;
	return true;
}

static bool permute_output(struct layers_build *b, struct layers_layer *l,
	const struct layers_shapes *in, struct layers_shapes *out)
{
	const struct layers_shape *s = in->items[0];
	struct layers_shape *permuted = layers_shape_new(b, l->core.list->rank + 1);

	if (!permuted)
		return false;
	permuted->dims[0] = layers_shape_dim(s, 0);
	for (unsigned i = 0; i < l->core.list->rank; i++)
		permuted->dims[i + 1] = layers_shape_dim(s, (unsigned)l->core.list->dims[i]);
	return layers_shape_set(b, out, permuted);
}

const struct layers_ops layers_core_permute = {
	.configure = permute_configure,
	.output = permute_output,
};

/* ---- Embedding ----------------------------------------------------------------------------- */

static bool embedding_length(struct layers_build *b, struct layers_layer *l)
{
	const struct json *v = layers_config_set(l->config, "inputLength");
	double n;

	if (!v)
		return true;
	if (layers_config_integer(v, &n)) {
		l->core.list = layers_shape_of(b, 1, n);
		return l->core.list != NULL;
	}
	return layers_config_shape(b, l, "inputLength", v, &l->core.list);
}

static void embedding_input(struct layers_build *b, struct layers_layer *l)
{
	const struct layers_shape *lengths = l->core.list;
	unsigned n = lengths ? lengths->rank : 1;
	double batch = DIM_NULL;
	struct layers_shape *s = layers_shape_new(b, n + 1);

	if (!s)
		return;
	(void)layers_config_integer(layers_config_set(l->config, "batchSize"), &batch);
	s->dims[0] = batch;
	for (unsigned i = 0; i < n; i++)
		s->dims[i + 1] = lengths ? lengths->dims[i] : DIM_NULL;
	l->batch_input = s;
}

static bool embedding_configure(struct layers_build *b, struct layers_layer *l)
{
	bool ok = layers_config_positive(b, l, "inputDim", &l->core.dim);

	ok = layers_config_positive(b, l, "outputDim", &l->core.units) && ok;
	ok = embedding_length(b, l) && ok;
	if (!l->batch_input)
		embedding_input(b, l);
	ok = layers_objects_weight(b, l, "embeddings") && ok;
	return layers_objects_activity(b, l) && ok;
}

static bool embedding_build(struct layers_build *b, struct layers_layer *l,
	const struct layers_shapes *in)
{
	enum dtype dtype = DTYPE_FLOAT32;
	bool ok;

	(void)in;
	if (l->dtype && !dtype_parse_weight(l->dtype, &dtype))
		return layers_config_throw(b, l, RULE_LAYERS_DTYPE, "dtype",
			"TensorFlow.js: Unknown data type %s", l->dtype);
	ok = layers_layer_weight(b, l, "embeddings",
		layers_shape_of(b, 2, l->core.dim, l->core.units), true, "embeddingsInitializer");
	if (ok && l->vars_n > 0)
		l->vars[l->vars_n - 1].dtype = dtype;
	return ok;
}

static bool embedding_clash(struct layers_build *b, struct layers_layer *l,
	const struct layers_shape *s)
{
	return layers_config_throw(b, l, RULE_LAYERS_SHAPE, "inputLength",
		"TensorFlow.js: \"inputLength\" is %s, but received input shape has shape %s",
		layers_shape_text(b, l->core.list), layers_shape_text(b, s));
}

static bool embedding_output(struct layers_build *b, struct layers_layer *l,
	const struct layers_shapes *in, struct layers_shapes *out)
{
	const struct layers_shape *s = in->items[0], *lengths = l->core.list;
	struct layers_shape *full;

	if (!s)
		return layers_shape_set(b, out, NULL);
	if (lengths && lengths->rank + 1 != s->rank)
		return embedding_clash(b, l, s);
	full = layers_shape_new(b, s->rank + 1);
	if (!full)
		return layers_shape_set(b, out, NULL);
	for (unsigned i = 0; i < s->rank; i++) {
		full->dims[i] = s->dims[i];
		if (i == 0 || !lengths || lengths->dims[i - 1] == DIM_NULL)
			continue;
		if (layers_dim_is_number(s->dims[i]) && s->dims[i] != lengths->dims[i - 1])
			return embedding_clash(b, l, s);
		full->dims[i] = lengths->dims[i - 1];
	}
	full->dims[s->rank] = l->core.units;
	return layers_shape_set(b, out, full);
}

const struct layers_ops layers_core_embedding = {
	.configure = embedding_configure,
	.build = embedding_build,
	.output = embedding_output,
};
