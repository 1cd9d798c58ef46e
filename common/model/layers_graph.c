/* SPDX-License-Identifier: Apache-2.0 */
/* The constructor of Container (tfjs-layers/src/engine/container.ts): which layers and nodes the
 * outputs depend on, and in which order they come. The walk goes depth first with a stack of its
 * own, since models may be deeper than the C stack. */
#include "common/model/layers_internal.h"

#include <string.h>

struct frame {
	struct layers_node *node;
	size_t next; /* input to follow */
};

struct walk {
	struct frame *stack;
	size_t depth, room;
	struct layers_node **done; /* in order of completion */
	size_t done_n;
	size_t layers; /* met so far */
};

enum { NODE_NEW, NODE_OPEN, NODE_DONE, NODE_INPUT };

static struct layers_node *node_of(const struct layers_sym *sym)
{
	return sym->source->nodes[sym->node];
}

/* Forget what an earlier walk left in the node. */
static struct layers_node *fresh(struct layers_build *b, struct layers_node *node)
{
	if (node->epoch != b->epoch) {
		node->epoch = b->epoch;
		node->state = NODE_NEW;
		node->depth = 0;
	}
	return node;
}

static bool enter(struct layers_build *b, struct walk *w, struct layers_node *node)
{
	struct layers_layer *l = node->layer;
	struct frame frame = {node, 0};

	node->state = NODE_OPEN;
	if (l->epoch != b->epoch) {
		l->epoch = b->epoch;
		l->depth = 0;
		l->order = w->layers++;
	}
	return LAYERS_PUSH_ROOM(b, w->stack, w->depth, &w->room, frame);
}

static bool walk_from(struct layers_build *b, struct walk *w, struct layers_node *start)
{
	if (fresh(b, start)->state == NODE_DONE)
		return true;
	if (!enter(b, w, start))
		return false;
	while (w->depth > 0) {
		struct frame *top = &w->stack[w->depth - 1];

		if (top->next < top->node->in_n) {
			struct layers_node *child = fresh(b, node_of(top->node->in[top->next++]));

			if (child->state == NODE_NEW && !enter(b, w, child))
				return false;
			continue;
		}
		top->node->state = NODE_DONE;
		w->depth--;
		if (!LAYERS_PUSH(b, w->done, w->done_n, top->node))
			return false;
	}
	return true;
}

/* How far each node is from the outputs. */
static void set_depths(struct walk *w)
{
	for (size_t i = w->done_n; i > 0; i--) {
		struct layers_node *node = w->done[i - 1];
		struct layers_layer *l = node->layer;

		if (node->depth > l->depth)
			l->depth = node->depth;
		node->depth = l->depth;
		for (size_t k = 0; k < node->in_n; k++) {
			struct layers_node *child = node_of(node->in[k]);

			if (child->depth < node->depth + 1)
				child->depth = node->depth + 1;
		}
	}
}

static int by_depth(const void *x, const void *y)
{
	const struct layers_node *a = *(struct layers_node *const *)x;
	const struct layers_node *b = *(struct layers_node *const *)y;

	if (a->depth != b->depth)
		return a->depth > b->depth ? -1 : 1;
	return (a->id > b->id) - (a->id < b->id);
}

static int by_layer_depth(const void *x, const void *y)
{
	const struct layers_layer *a = *(struct layers_layer *const *)x;
	const struct layers_layer *b = *(struct layers_layer *const *)y;

	if (a->depth != b->depth)
		return a->depth > b->depth ? -1 : 1;
	return (a->order > b->order) - (a->order < b->order);
}

static int by_name(const void *x, const void *y)
{
	const struct layers_layer *a = *(struct layers_layer *const *)x;
	const struct layers_layer *b = *(struct layers_layer *const *)y;

	return strcmp(a->name ? a->name : "", b->name ? b->name : "");
}

/* Each layer once, in traversal order. */
static bool list_layers(struct layers_build *b, const struct walk *w, struct layers_layer ***ret)
{
	*ret = layers_arena_array(b, w->layers ? w->layers : 1, sizeof(**ret));
	for (size_t i = 0; *ret && i < w->done_n; i++)
		(*ret)[w->done[i]->layer->order] = w->done[i]->layer;
	return *ret != NULL;
}

static bool check_names(struct layers_build *b, struct layers_layer **layers, size_t n)
{
	bool ok = true;

	qsort(layers, n, sizeof(*layers), by_name);
	for (size_t i = 1; i < n; i++)
		if (by_name(&layers[i - 1], &layers[i]) == 0)
			ok = layers_config_throw(b, layers[i], RULE_LAYERS_DUPLICATE_NAME, "name",
				"TensorFlow.js: The name \"%s\" is used 2 times in the model. "
				"All layer names should "
				"be unique.",
				layers[i]->name);
	return ok;
}

static bool check_inputs(struct layers_build *b, struct layers_layer *model)
{
	const struct layers_container *c = model->model;

	b->epoch++;
	for (size_t i = 0; i < c->inputs_n; i++) {
		const struct layers_sym *sym = c->inputs[i];
		struct layers_node *node = node_of(sym);

		if (!layers_table_is(sym->source->cls, LAYERS_CLASS_InputLayer))
			return layers_config_throw(b, model, RULE_LAYERS_WIRING, "inputLayers",
				"TensorFlow.js: Input layers to a LayersModel must be InputLayer "
				"objects. Input %zu "
				"originates from layer type %s.",
				i, sym->source->class_name);
		if (node->epoch == b->epoch && node->state == NODE_INPUT)
			return layers_config_throw(b, model, RULE_LAYERS_WIRING, "inputLayers",
				"TensorFlow.js: The list of inputs passed to the model is "
				"redundant. All inputs "
				"should only appear once. Found: %s",
				sym->source->name);
		node->epoch = b->epoch;
		node->state = NODE_INPUT;
	}
	return true;
}

/* Every node without inputs must be an input of the model. */
static bool check_connected(struct layers_build *b, struct layers_layer *model,
	const struct walk *w)
{
	if (!check_inputs(b, model))
		return false;
	for (size_t i = 0; i < w->done_n; i++) {
		const struct layers_node *node = w->done[i];

		if (node->in_n == 0 && node->epoch != b->epoch)
			return layers_config_throw(b, node->layer, RULE_LAYERS_WIRING, NULL,
				"an output of model '%s' depends on it, but it is none of the "
				"model's inputs; "
				"TensorFlow.js: Graph disconnected: cannot obtain value for "
				"tensor at layer \"%s\".",
				model->name ? model->name : "?", node->layer->name);
	}
	return true;
}

bool layers_graph_finish(struct layers_build *b, struct layers_layer *model, bool order)
{
	struct layers_container *c = model->model;
	struct layers_layer **layers;
	struct walk w = {0};

	b->epoch++;
	for (size_t i = 0; i < c->outputs_n; i++)
		if (!walk_from(b, &w, node_of(c->outputs[i])))
			return false;
	set_depths(&w);
	if (!list_layers(b, &w, &layers))
		return false;
	if (order) {
		qsort(layers, w.layers, sizeof(*layers), by_layer_depth);
		c->layers_n = w.layers;
		c->layers = layers_arena_array(b, w.layers ? w.layers : 1, sizeof(*layers));
		if (!c->layers)
			return false;
		memcpy(c->layers, layers, w.layers * sizeof(*layers));
	}
	if (w.done_n > 0)
		qsort(w.done, w.done_n, sizeof(*w.done), by_depth);
	c->nodes = w.done;
	c->nodes_n = w.done_n;
	return check_names(b, layers, w.layers) && check_connected(b, model, &w);
}
