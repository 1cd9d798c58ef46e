/* SPDX-License-Identifier: Apache-2.0 */
/* Layers of tfjs-layers/src/layers/wrappers.ts. */
#include "common/model/layers_internal.h"

static struct layers_layer *wrapped(struct layers_build *b, struct layers_layer *l)
{
	const struct json *v = layers_config_set(l->config, "layer");

	if (!v) {
		(void)layers_config_throw(b, l, RULE_LAYERS_CONFIG, NULL,
			"a wrapper needs its layer");
		return NULL;
	}
	return layers_layer_new(b, v, layers_arena_text(b, "%s/config/layer", l->pointer), l->fast,
		false);
}

/* ---- TimeDistributed ----------------------------------------------------------------------- */

static bool time_configure(struct layers_build *b, struct layers_layer *l)
{
	l->inner[0] = wrapped(b, l);
	if (!l->inner[0] || l->inner[0]->opaque)
		return false;
	if (!layers_table_is(l->inner[0]->cls, LAYERS_CLASS_InputLayer))
		return true;
	return layers_config_throw(b, l, RULE_LAYERS_CONFIG, "layer",
		"an InputLayer cannot be wrapped");
}

/* Without the time axis. */
static bool one_step(struct layers_build *b, const struct layers_shape *s,
	struct layers_shapes *ret)
{
	struct layers_shape *step = s ? layers_shape_slice(b, s, 1, s->rank) : NULL;

	if (step)
		step->dims[0] = s->dims[0];
	return layers_shape_set(b, ret, step);
}

static bool time_build(struct layers_build *b, struct layers_layer *l,
	const struct layers_shapes *in)
{
	const struct layers_shape *s = in->items[0];
	struct layers_shapes step;

	if (s && s->rank < 3)
		return layers_config_throw(b, l, RULE_LAYERS_SHAPE, NULL,
			"TensorFlow.js: TimeDistributed layer expects an input shape >= 3D, but "
			"received input "
			"shape %s",
			layers_shape_text(b, s));
	if (s) {
		l->spec.ndim = s->rank;
		l->spec.axes = layers_shape_copy(b, s);
	}
	return one_step(b, s, &step) && layers_layer_build(b, l->inner[0], &step);
}

static bool time_output(struct layers_build *b, struct layers_layer *l,
	const struct layers_shapes *in, struct layers_shapes *out)
{
	const struct layers_shape *s = in->items[0], *one;
	struct layers_shapes step, stepped;
	struct layers_shape *full;

	if (!one_step(b, s, &step) || !layers_layer_shape(b, l->inner[0], &step, &stepped))
		return false;
	if (stepped.n != 1)
		return layers_config_throw(b, l, RULE_LAYERS_UNSUPPORTED, "layer",
			"the wrapped layer has %zu outputs; TensorFlow.js wraps layers with one",
			stepped.n);
	one = stepped.items[0];
	full = one && one->rank > 0 ? layers_shape_new(b, one->rank + 1) : NULL;
	for (unsigned i = 0; full && i < full->rank; i++)
		full->dims[i] = i == 1 ? layers_shape_dim(s, 1) : one->dims[i ? i - 1 : 0];
	return layers_shape_set(b, out, full);
}

const struct layers_ops layers_wrap_time = {
	.configure = time_configure,
	.build = time_build,
	.output = time_output,
};

/* ---- Bidirectional ------------------------------------------------------------------------- */

static bool merge_mode(struct layers_build *b, struct layers_layer *l)
{
	static const char *const words[] = {"sum", "mul", "ave"};
	const struct json *v = layers_config_get(l->config, "mergeMode");

	l->rnn.merge_concat = !v || layers_config_word(v, "concat");
	l->rnn.merge_null = v && json_type(v) == JSON_NULL;
	if (l->rnn.merge_concat || l->rnn.merge_null)
		return true;
	for (unsigned i = 0; i < ARRAY_SIZE(words); i++)
		if (layers_config_word(v, words[i]))
			return true;
	return layers_config_throw(b, l, RULE_LAYERS_CONFIG, "mergeMode",
		"TensorFlow.js: %s is not a valid BidirectionalMergeMode.  Valid values are "
		"sum,mul,concat,ave",
		json_str(v) ? json_str(v) : json_type_name(json_type(v)));
}

static struct layers_layer *direction(struct layers_build *b, struct layers_layer *l,
	const struct layers_layer *inner, const char *prefix)
{
	const char *name = layers_arena_text(b, "%s_%s", prefix, inner->name);

	return layers_layer_make(b, inner->cls, inner->config, inner->pointer, name, l->fast);
}

static bool both_configure(struct layers_build *b, struct layers_layer *l)
{
	struct layers_layer *inner = wrapped(b, l);
	bool ok = merge_mode(b, l);

	if (layers_config_set(l->config, "numConstants"))
		ok = layers_config_throw(b, l, RULE_LAYERS_UNSUPPORTED, "numConstants",
			"TensorFlow.js: Deserialization of a Bidirectional layer with "
			"numConstants present is "
			"not supported yet.");
	if (!inner || inner->opaque)
		return false;
	if (!inner->inner[0] || !inner->ops->many)
		return layers_config_throw(b, l, RULE_LAYERS_CONFIG, "layer",
			"%s is no recurrent layer", inner->class_name);
	l->spec = inner->spec;
	l->rnn.state = inner->rnn.state;
	l->rnn.sequences = inner->rnn.sequences;
	l->inner[0] = direction(b, l, inner, "forward");
	l->inner[1] = direction(b, l, inner, "backward");
	return ok && l->inner[0] && l->inner[1] && !l->inner[0]->opaque && !l->inner[1]->opaque;
}

/* The input and every second half of the states. */
static bool half_of(struct layers_build *b, const struct layers_shapes *in, unsigned which,
	struct layers_shapes *ret)
{
	size_t half = (in->n - 1) / 2;

	if (!layers_shape_list(b, ret, half + 1))
		return false;
	ret->items[0] = in->items[0];
	for (size_t i = 0; i < half; i++)
		ret->items[i + 1] = in->items[1 + which * half + i];
	return true;
}

static bool both_build(struct layers_build *b, struct layers_layer *l,
	const struct layers_shapes *in)
{
	bool ok = true;

	if (in->n % 2 == 0)
		return layers_config_throw(b, l, RULE_LAYERS_WIRING, NULL,
			"TensorFlow.js: When passing `initialState` to a Bidrectional RNN, the "
			"state should be "
			"an Array containing the states of the underlying RNNs.");
	for (unsigned i = 0; ok && i < 2; i++) {
		const char *saved = layers_layer_enter(b, l->inner[i]->name);
		struct layers_shapes half;

		ok = half_of(b, in, i, &half) && layers_layer_build(b, l->inner[i], &half);
		layers_layer_leave(b, saved);
	}
	return ok;
}

static bool both_output(struct layers_build *b, struct layers_layer *l,
	const struct layers_shapes *in, struct layers_shapes *out)
{
	struct layers_shapes one;
	size_t outputs = l->rnn.merge_null ? 2 : 1, n = 0;

	if (!layers_layer_shape(b, l->inner[0], in, &one) || one.n == 0 ||
		!layers_shape_list(b, out, outputs + 2 * (one.n - 1)))
		return false;
	if (l->rnn.merge_concat && one.items[0])
		one.items[0]->dims[one.items[0]->rank - 1] =
			layers_shape_mul(layers_shape_last(one.items[0]), 2);
	while (n < outputs)
		out->items[n++] = one.items[0];
	for (unsigned k = 0; k < 2; k++)
		for (size_t i = 1; i < one.n; i++)
			out->items[n++] = one.items[i];
	return true;
}

const struct layers_ops layers_wrap_both = {
	.configure = both_configure,
	.build = both_build,
	.output = both_output,
	.many = true,
};
