/* SPDX-License-Identifier: Apache-2.0 */
/* The weights of a model in TensorFlow.js's order (trainableWeights and nonTrainableWeights of each
 * kind of layer), its inputs and outputs, as the public structs. */
#include "common/model/layers_internal.h"

#include "common/base/num.h"

#include <string.h>

struct list {
	struct layers_weight *items;
	size_t n;
};

enum part { PART_TRAINABLE, PART_OTHER };

static int64_t dim_out(double d)
{
	if (isinf(d) || !(d >= 0) || d > (double)NUM_SAFE_INTEGER_MAX || d != layers_dim_floor(d))
		return LAYERS_DIM_UNKNOWN;
	return (int64_t)d;
}

static const int64_t *shape_out(struct layers_build *b, const struct layers_shape *s)
{
	int64_t *out = s ? layers_arena_array(b, s->rank ? s->rank : 1, sizeof(*out)) : NULL;

	for (unsigned i = 0; out && i < s->rank; i++)
		out[i] = dim_out(s->dims[i]);
	return out;
}

static bool add_vars(struct layers_build *b, const struct layers_layer *l, enum part part,
	bool frozen, struct list *list)
{
	for (size_t i = 0; i < l->vars_n; i++) {
		const struct layers_var *var = &l->vars[i];
		struct layers_weight weight = {
			.name = var->name,
			.rank = var->shape ? var->shape->rank : 0,
			.rank_known = var->shape != NULL,
			.dtype = var->dtype,
			.trainable = var->trainable && !frozen,
		};

		if (weight.trainable != (part == PART_TRAINABLE))
			continue;
		weight.shape = shape_out(b, var->shape);
		if (!LAYERS_PUSH(b, list->items, list->n, weight))
			return false;
	}
	return true;
}

static bool add_open(struct layers_build *b, const struct layers_layer *l)
{
	const char *prefix = layers_arena_text(b, "%s/", l->name ? l->name : "");

	if (l->model)
		b->m->incomplete = true;
	return prefix && LAYERS_PUSH(b, b->m->open, b->m->open_n, prefix);
}

/* Models and wrappers have no say in it; other layers freeze the cells they hold. */
static bool freezes(const struct layers_layer *l)
{
	return !l->trainable && !l->model && !l->inner[1] &&
		!layers_table_is(l->cls, LAYERS_CLASS_TimeDistributed);
}

static bool add_layer(struct layers_build *b, const struct layers_layer *l, enum part part,
	bool frozen, struct list *list)
{
	struct layers_layer *const *held = l->model ? l->model->layers : l->cells;
	size_t n = l->model ? l->model->layers_n : l->cells_n;

	if (l->opaque)
		return part != PART_TRAINABLE || add_open(b, l);
	frozen = frozen || freezes(l);
	for (size_t i = 0; i < n; i++)
		if (!add_layer(b, held[i], part, frozen, list))
			return false;
	for (unsigned i = 0; i < ARRAY_SIZE(l->inner) && l->inner[i]; i++)
		if (!add_layer(b, l->inner[i], part, frozen, list))
			return false;
	return add_vars(b, l, part, frozen, list);
}

static int text_cmp(const void *x, const void *y)
{
	return strcmp(*(const char *const *)x, *(const char *const *)y);
}

static bool collect(struct layers_build *b, struct layers_layer *root)
{
	struct list list = {0}, by_layer = {0};
	size_t *index = NULL, index_n = 0;

	for (size_t i = 0; i < root->model->layers_n; i++) {
		size_t from = by_layer.n;

		if (!add_layer(b, root->model->layers[i], PART_TRAINABLE, false, &by_layer) ||
			!add_layer(b, root->model->layers[i], PART_OTHER, false, &by_layer))
			return false;
		for (size_t k = from; k < by_layer.n; k++)
			if (!LAYERS_PUSH(b, index, index_n, k - from))
				return false;
	}
	for (unsigned part = 0; part < 2; part++)
		for (size_t i = 0; i < by_layer.n; i++)
			if (by_layer.items[i].trainable == (part == PART_TRAINABLE) &&
				!LAYERS_PUSH(b, list.items, list.n, by_layer.items[i]))
				return false;
	if (b->m->open_n > 1)
		qsort(b->m->open, b->m->open_n, sizeof(*b->m->open), text_cmp);
	b->m->weights = list.items;
	b->m->weights_n = list.n;
	b->m->by_layer = by_layer.items;
	b->m->by_layer_index = index;
	b->m->by_layer_n = by_layer.n;
	return true;
}

static struct layers_tensor *ends(struct layers_build *b, struct layers_sym **syms, size_t n)
{
	struct layers_tensor *out = layers_arena_array(b, n ? n : 1, sizeof(*out));

	for (size_t i = 0; out && i < n; i++)
		out[i] = (struct layers_tensor){
			.name = syms[i]->source->name ? syms[i]->source->name : "",
			.dtype = syms[i]->dtype,
			.shape = shape_out(b, syms[i]->shape),
			.rank = syms[i]->shape ? syms[i]->shape->rank : 0,
			.rank_known = syms[i]->shape != NULL,
		};
	return out;
}

void layers_weights_collect(struct layers_build *b, struct layers_layer *root)
{
	struct layers_container *c = root->model;

	if (!c || !collect(b, root))
		return;
	b->m->inputs = ends(b, c->inputs, c->inputs_n);
	b->m->inputs_n = b->m->inputs ? c->inputs_n : 0;
	b->m->outputs = ends(b, c->outputs, c->outputs_n);
	b->m->outputs_n = b->m->outputs ? c->outputs_n : 0;
}
