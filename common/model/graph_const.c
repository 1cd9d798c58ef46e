/* SPDX-License-Identifier: Apache-2.0 */
#include "common/model/graph_internal.h"

#include <inttypes.h>
#include <stdio.h>

#define SHAPE_TEXT 128

static const struct manifest_weight *find_weight(const struct graph *g, const struct graph_node *x)
{
	uint32_t at;

	if (!graph_names_get(&g->r->weights, str_of(x->name), &at))
		return NULL;
	return &g->r->manifest->weights[at];
}

/* ---- Const ---- */

static const char *shape_text(char text[static SHAPE_TEXT], const struct manifest_weight *w)
{
	size_t n = 0;

	text[0] = '\0';
	for (size_t i = 0; i < w->rank && n < SHAPE_TEXT; i++)
		n += (size_t)snprintf(text + n, SHAPE_TEXT - n, "%s%" PRIu64, i ? "," : "",
			w->shape[i]);
	return text;
}

static bool same_shape(const struct manifest_weight *w, const int64_t *shape, size_t rank)
{
	if (w->rank != rank)
		return false;
	for (size_t i = 0; i < rank; i++)
		if (shape[i] != INT64_MIN && (shape[i] < 0 || (uint64_t)shape[i] != w->shape[i]))
			return false;
	return true;
}

/* The manifest wins; that the graph says something else shows that one of them is not its own. */
static void compare(const struct graph *g, const struct graph_node *x,
	const struct manifest_weight *w)
{
	const struct json *tensor = json_get_set(json_get_set(x->attr, "value"), "tensor");
	const char *dtype = graph_attr_dtype(json_get_set(json_get_set(x->attr, "dtype"), "type"));
	const char *js = dtype ? graph_ops_dtype_js(dtype) : NULL;
	int64_t shape[GRAPH_RANK_MAX];
	char text[SHAPE_TEXT];
	size_t rank;

	if (js && strcmp(js, dtype_name(w->dtype)) != 0)
		graph_say_load(g, x, RULE_GRAPH_CONST_DIFFERS, "/attr/dtype",
			"its dtype is %s, which is %s in TensorFlow.js, and the weight of its name "
			"is %s; TensorFlow.js goes by the weight", dtype, js, dtype_name(w->dtype));
	if (!json_get_set(tensor, "tensorShape") ||
		!graph_attr_shape(json_get_set(tensor, "tensorShape"), shape, &rank))
		return;
	if (!same_shape(w, shape, rank))
		graph_say_load(g, x, RULE_GRAPH_CONST_DIFFERS, "/attr/value",
			"its shape is another one than [%s], that of the weight of its name; "
			"TensorFlow.js goes by the weight", shape_text(text, w));
}

static void check_const(const struct graph *g, const struct graph_node *x)
{
	const struct manifest_weight *w = find_weight(g, x);

	if (w)
		compare(g, x, w);
	else
		graph_say_run(g, x, RULE_GRAPH_CONST_MISSING, "",
			"weightsManifest has no weight of its name%s; TensorFlow.js says \"Cannot "
			"compute the outputs [...] from the provided inputs [...]. Missing the "
			"following inputs: [%.96s]\"",
			g->function ? " (<function>/<constant>, for one of a function)"
				: "", x->name);
}

/* ---- Placeholder ---- */

static void check_placeholder(const struct graph *g, const struct graph_node *x)
{
	const struct json *shape = json_get_set(json_get_set(x->attr, "shape"), "shape");
	int64_t dims[GRAPH_RANK_MAX];
	size_t rank;

	if (!shape || !graph_attr_shape(shape, dims, &rank))
		return;
	for (size_t i = 0; i < rank; i++) {
		if (dims[i] < -1) {
			graph_say_run(g, x, RULE_GRAPH_PLACEHOLDER_SHAPE, "/attr/shape",
				"dimension %zu of its shape is no number from -1, so TensorFlow.js "
				"refuses every input: \"The shape of dict['%.96s'] provided in "
				"model.execute(dict) must be [...]\"", i, x->name);
			return;
		}
	}
}

void graph_const_check(const struct graph *g, const struct graph_node *x)
{
	if (x->replaced)
		return;
	if (graph_nodes_is_const(x) && !x->fed)
		check_const(g, x);
	else if (x->fed && !x->argument)
		check_placeholder(g, x);
	else if (x->weight && !x->fed)
		graph_say_load(g, x, RULE_GRAPH_WEIGHT_SHADOWS, "/name",
			"a weight in weightsManifest has its name, and TensorFlow.js takes that "
			"for its value");
}
