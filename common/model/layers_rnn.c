/* SPDX-License-Identifier: Apache-2.0 */
/* Layers of tfjs-layers/src/layers/recurrent.ts and convolutional_recurrent.ts, with their
 * cells. */
#include "common/model/layers_internal.h"

#define STATES_MAX 64

/* ---- cells --------------------------------------------------------------------------------- */

static bool cell_objects(struct layers_build *b, struct layers_layer *l)
{
	bool ok = layers_objects_activation(b, l, "activation");

	ok = layers_objects_activation(b, l, "recurrentActivation") && ok;
	l->core.flag = layers_config_flag(l, "useBias", true);
	ok = layers_objects_weight(b, l, "kernel") && ok;
	ok = layers_objects_weight(b, l, "recurrent") && ok;
	return layers_objects_weight(b, l, "bias") && ok;
}

static bool cell_configure(struct layers_build *b, struct layers_layer *l, unsigned gates)
{
	bool ok = layers_config_positive(b, l, "units", &l->core.units);

	l->core.gates = gates;
	return cell_objects(b, l) && ok;
}

static bool simple_cell_configure(struct layers_build *b, struct layers_layer *l)
{
	return cell_configure(b, l, 1);
}

static bool gru_cell_configure(struct layers_build *b, struct layers_layer *l)
{
	bool ok = cell_configure(b, l, 3);

	if (!layers_config_truthy(layers_config_get(l->config, "resetAfter")))
		return ok;
	return layers_config_throw(b, l, RULE_LAYERS_RESET_AFTER, "resetAfter",
		"TensorFlow.js: GRUCell does not support reset_after parameter set to true.");
}

static bool lstm_cell_configure(struct layers_build *b, struct layers_layer *l)
{
	return cell_configure(b, l, 4);
}

static bool cell_weights(struct layers_build *b, struct layers_layer *l,
	struct layers_shape *kernel, struct layers_shape *recurrent, double wide)
{
	return layers_layer_weight(b, l, "kernel", kernel, true, "kernelInitializer") &&
		layers_layer_weight(b, l, "recurrent_kernel", recurrent, true,
			"recurrentInitializer") &&
		(!l->core.flag ||
			layers_layer_weight(b, l, "bias", layers_shape_of(b, 1, wide), true,
				"biasInitializer"));
}

static bool cell_build(struct layers_build *b, struct layers_layer *l,
	const struct layers_shapes *in)
{
	double units = l->core.units, wide = layers_shape_mul(units, l->core.gates);

	return cell_weights(b, l, layers_shape_of(b, 2, layers_shape_last(in->items[0]), wide),
		layers_shape_of(b, 2, units, wide), wide);
}

const struct layers_ops layers_rnn_simple_cell = {
	.configure = simple_cell_configure,
	.build = cell_build,
};
const struct layers_ops layers_rnn_gru_cell = {
	.configure = gru_cell_configure,
	.build = cell_build,
};
const struct layers_ops layers_rnn_lstm_cell = {
	.configure = lstm_cell_configure,
	.build = cell_build,
};

/* ---- StackedRNNCells ----------------------------------------------------------------------- */

/* How many states a cell keeps; their sizes, of a stack the last cell's first. */
static size_t states_of(const struct layers_layer *cell, double *sizes, size_t n)
{
	unsigned own = layers_table_is(cell->cls, LAYERS_CLASS_LSTMCell) ||
			layers_table_is(cell->cls, LAYERS_CLASS_ConvLSTM2DCell)
		? 2
		: 1;

	for (size_t i = cell->cells_n; i > 0; i--)
		n = states_of(cell->cells[i - 1], sizes, n);
	if (cell->cells_n > 0)
		return n;
	for (unsigned i = 0; i < own; i++, n++)
		if (n < STATES_MAX)
			sizes[n] = cell->core.units;
	return n;
}

double layers_rnn_units(const struct layers_layer *cell)
{
	double sizes[STATES_MAX];

	(void)states_of(cell, sizes, 0);
	return sizes[0];
}

static bool is_cell(const struct layers_layer *l)
{
	return l->cls && l->cls->kind == LAYERS_KIND_CELL;
}

static bool no_cell(struct layers_build *b, struct layers_layer *l, const char *camel)
{
	return layers_config_throw(b, l, RULE_LAYERS_CONFIG, camel,
		"TensorFlow.js: The RNN cell should have an attribute `stateSize` (tuple of "
		"integers, one "
		"integer per RNN state).");
}

static bool stacked_configure(struct layers_build *b, struct layers_layer *l)
{
	const struct json *cells = layers_config_set(l->config, "cells");
	size_t i = 0;

	if (!json_is(cells, JSON_ARRAY) || json_count(cells) == 0 ||
		json_count(cells) > STATES_MAX / 2)
		return layers_config_throw(b, l, RULE_LAYERS_CONFIG, "cells",
			"cells is no list of 1 to %d cells", STATES_MAX / 2);
	for (const struct json *c = json_first(cells); c; c = json_next(c), i++) {
		const char *pointer = layers_arena_text(b, "%s/config/cells/%zu", l->pointer, i);
		struct layers_layer *cell = layers_layer_new(b, c, pointer, false, false);

		if (!cell || cell->opaque || !LAYERS_PUSH(b, l->cells, l->cells_n, cell))
			return false;
		if (!is_cell(cell) || cell->cells_n > 0)
			return no_cell(b, l, "cells");
	}
	return true;
}

static bool stacked_build(struct layers_build *b, struct layers_layer *l,
	const struct layers_shapes *in)
{
	struct layers_shapes step;
	struct layers_shape *s = in->items[0];
	bool ok = true;

	for (size_t i = 0; ok && i < l->cells_n; i++) {
		const char *saved = layers_layer_enter(b, layers_arena_text(b, "RNNCell_%zu", i));

		ok = layers_shape_set(b, &step, s) && layers_layer_build(b, l->cells[i], &step);
		s = layers_shape_of(b, 2, layers_shape_dim(s, 0), l->cells[i]->core.units);
		layers_layer_leave(b, saved);
	}
	return ok;
}

const struct layers_ops layers_rnn_stacked = {
	.configure = stacked_configure,
	.build = stacked_build,
};

/* ---- SimpleRNN, GRU, LSTM, RNN ------------------------------------------------------------- */

static bool rnn_flags(struct layers_build *b, struct layers_layer *l)
{
	l->spec.ndim = 3;
	l->rnn.sequences = layers_config_flag(l, "returnSequences", false);
	l->rnn.state = layers_config_flag(l, "returnState", false);
	l->rnn.stateful = layers_config_flag(l, "stateful", false);
	return layers_config_ignored(b, l, "timeMajor", NAN);
}

static bool with_cell(struct layers_build *b, struct layers_layer *l, enum layers_class_id id)
{
	bool ok = rnn_flags(b, l);

	l->inner[0] = layers_layer_make(b, &layers_table[id], l->config, l->pointer, l->name,
		l->fast);
	return l->inner[0] && !l->inner[0]->opaque && ok;
}

static bool simple_configure(struct layers_build *b, struct layers_layer *l)
{
	return with_cell(b, l, LAYERS_CLASS_SimpleRNNCell);
}

static bool gru_configure(struct layers_build *b, struct layers_layer *l)
{
	return with_cell(b, l, LAYERS_CLASS_GRUCell);
}

static bool lstm_configure(struct layers_build *b, struct layers_layer *l)
{
	return with_cell(b, l, LAYERS_CLASS_LSTMCell);
}

static bool any_configure(struct layers_build *b, struct layers_layer *l)
{
	const struct json *cell = layers_config_set(l->config, "cell");
	bool ok = rnn_flags(b, l);

	if (!cell)
		return layers_config_throw(b, l, RULE_LAYERS_CONFIG, NULL, "an RNN needs its cell");
	l->inner[0] = layers_layer_new(b, cell, layers_arena_text(b, "%s/config/cell", l->pointer),
		l->fast, false);
	if (!l->inner[0] || l->inner[0]->opaque)
		return false;
	if (!is_cell(l->inner[0]) || layers_table_is(l->inner[0]->cls, LAYERS_CLASS_ConvLSTM2DCell))
		return no_cell(b, l, "cell");
	return ok;
}

static bool check_states(struct layers_build *b, struct layers_layer *l,
	const struct layers_shapes *in, const double *sizes, size_t n)
{
	bool ok = in->n - 1 == n;

	for (size_t i = 1; ok && i < in->n; i++) {
		double last = layers_shape_last(in->items[i]);

		ok = last == sizes[i - 1] || last == DIM_ANY;
	}
	return ok ||
		layers_config_throw(b, l, RULE_LAYERS_SHAPE, NULL,
			"TensorFlow.js: An initialState was passed that is not compatible with "
			"cell.stateSize.");
}

/* A stateful layer keeps a state per sample, so the batch size must be known. */
static bool check_stateful(struct layers_build *b, struct layers_layer *l,
	const struct layers_shape *s)
{
	if (!l->rnn.stateful || !s || s->rank == 0 || s->dims[0] != DIM_NULL)
		return true;
	return layers_config_throw(b, l, RULE_LAYERS_SHAPE, "stateful",
		"TensorFlow.js: If an RNN is stateful, it needs to know its batch size.");
}

static void rnn_spec(struct layers_build *b, struct layers_layer *l, const struct layers_shape *s)
{
	l->spec.ndim = s->rank;
	l->spec.axes = layers_shape_copy(b, s);
	for (unsigned i = 0; l->spec.axes && i < 2 && i < s->rank; i++)
		if (i == 1 || !l->rnn.stateful)
			l->spec.axes->dims[i] = DIM_NULL;
}

static bool rnn_build(struct layers_build *b, struct layers_layer *l,
	const struct layers_shapes *in)
{
	const struct layers_shape *s = in->items[0];
	struct layers_shapes step;
	double sizes[STATES_MAX];
	size_t n = states_of(l->inner[0], sizes, 0);

	if (s && s->rank < 2)
		return layers_config_throw(b, l, RULE_LAYERS_SHAPE, NULL,
			"the input has shape %s, which is no sequence", layers_shape_text(b, s));
	if (in->n == 1 && s)
		rnn_spec(b, l, s);
	if (!layers_shape_set(b, &step, s ? layers_shape_slice(b, s, 1, s->rank) : NULL))
		return false;
	if (step.items[0])
		step.items[0]->dims[0] = s->dims[0];
	return layers_layer_build(b, l->inner[0], &step) &&
		(in->n == 1 || check_states(b, l, in, sizes, n)) && check_stateful(b, l, s);
}

static bool rnn_output(struct layers_build *b, struct layers_layer *l,
	const struct layers_shapes *in, struct layers_shapes *out)
{
	const struct layers_shape *s = in->items[0];
	double sizes[STATES_MAX], batch = layers_shape_dim(s, 0);
	size_t n = states_of(l->inner[0], sizes, 0);

	if (!layers_shape_list(b, out, l->rnn.state ? n + 1 : 1))
		return false;
	if (l->rnn.sequences)
		out->items[0] = layers_shape_of(b, 3, batch, layers_shape_dim(s, 1), sizes[0]);
	else
		out->items[0] = layers_shape_of(b, 2, batch, sizes[0]);
	for (size_t i = 1; i < out->n; i++)
		out->items[i] = layers_shape_of(b, 2, batch, sizes[i - 1]);
	return true;
}

#define RNN_OPS(name, how)               \
	const struct layers_ops name = { \
		.configure = how,        \
		.build = rnn_build,      \
		.output = rnn_output,    \
		.many = true,            \
	}

RNN_OPS(layers_rnn_simple, simple_configure);
RNN_OPS(layers_rnn_gru, gru_configure);
RNN_OPS(layers_rnn_lstm, lstm_configure);
RNN_OPS(layers_rnn_any, any_configure);

/* ---- ConvLSTM2D ---------------------------------------------------------------------------- */

static bool conv_cell_configure(struct layers_build *b, struct layers_layer *l)
{
	struct layers_conv *c = &l->conv;
	bool ok = layers_config_positive(b, l, "filters", &c->filters);

	c->rank = 2;
	l->core.units = c->filters;
	l->core.gates = 4;
	ok = layers_config_tuple(b, l, "kernelSize", 2, NAN, c->kernel) && ok;
	ok = layers_config_tuple(b, l, "strides", 2, 1, c->strides) && ok;
	ok = layers_config_tuple(b, l, "dilationRate", 2, 1, c->dilation) && ok;
	ok = layers_config_padding(b, l, &c->padding) && ok;
	ok = layers_config_format(b, l, &c->first) && ok;
	if (c->padding == LAYERS_CAUSAL)
		ok = layers_config_throw(b, l, RULE_LAYERS_UNSUPPORTED, "padding",
			"TensorFlow.js has no causal padding over two dimensions");
	return cell_objects(b, l) && ok;
}

static bool conv_cell_build(struct layers_build *b, struct layers_layer *l,
	const struct layers_shapes *in)
{
	const struct layers_conv *c = &l->conv;
	const struct layers_shape *s = in->items[0];
	double depth = c->first ? layers_shape_dim(s, 1) : layers_shape_last(s);
	double wide = layers_shape_mul(c->filters, l->core.gates);

	if (depth == DIM_NULL)
		return layers_config_throw(b, l, RULE_LAYERS_SHAPE, NULL,
			"TensorFlow.js: The channel dimension of the input should be defined. "
			"Found null");
	return cell_weights(b, l, layers_shape_of(b, 4, c->kernel[0], c->kernel[1], depth, wide),
		layers_shape_of(b, 4, c->kernel[0], c->kernel[1], c->filters, wide), wide);
}

const struct layers_ops layers_rnn_conv_cell = {
	.configure = conv_cell_configure,
	.build = conv_cell_build,
};

static bool conv_configure(struct layers_build *b, struct layers_layer *l)
{
	bool ok = with_cell(b, l, LAYERS_CLASS_ConvLSTM2DCell);

	l->spec.ndim = 5;
	if (!layers_config_truthy(layers_config_get(l->config, "unroll")))
		return ok;
	return layers_config_throw(b, l, RULE_LAYERS_UNSUPPORTED, "unroll",
		"TensorFlow.js: Unrolling is not possible with convolutional RNNs.");
}

static bool conv_output(struct layers_build *b, struct layers_layer *l,
	const struct layers_shapes *in, struct layers_shapes *out)
{
	const struct layers_conv *c = &l->inner[0]->conv;
	const struct layers_shape *s = in->items[0];
	double batch = layers_shape_dim(s, 0), space[2], one[3];

	if (!layers_shape_list(b, out, l->rnn.state ? 3 : 1))
		return false;
	for (unsigned i = 0; i < 2; i++)
		space[i] = layers_shape_conv(layers_shape_dim(s, i + (c->first ? 3 : 2)),
			c->kernel[i], c->padding, c->strides[i], c->dilation[i]);
	one[0] = c->first ? c->filters : space[0];
	one[1] = c->first ? space[0] : space[1];
	one[2] = c->first ? space[1] : c->filters;
	for (size_t i = 0; i < out->n; i++)
		out->items[i] = layers_shape_of(b, 4, batch, one[0], one[1], one[2]);
	if (l->rnn.sequences)
		out->items[0] = layers_shape_of(b, 5, batch, layers_shape_dim(s, 1), one[0], one[1],
			one[2]);
	return true;
}

const struct layers_ops layers_rnn_conv = {
	.configure = conv_configure,
	.build = rnn_build,
	.output = conv_output,
	.many = true,
};

bool layers_rnn_is(const struct layers_layer *l)
{
	return l->ops == &layers_rnn_simple || l->ops == &layers_rnn_gru ||
		l->ops == &layers_rnn_lstm || l->ops == &layers_rnn_any ||
		l->ops == &layers_rnn_conv;
}
