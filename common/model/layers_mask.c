/* SPDX-License-Identifier: Apache-2.0 */
/* What predict() does with masks: tfjs-layers/src/engine/executor.ts, and computeMask() and call()
 * of the layers.
 *
 * execute() goes through the tensors that the outputs need. It hands every layer the same object of
 * keyword arguments from the first mask on: so the mask of one layer stays there for all that come
 * behind it, masked themselves or not, and so do the initial states of a recurrent layer. A nested
 * model has such an object from the start. Here the same walk is made with shapes in place of
 * tensors.
 */
#include "common/model/layers_internal.h"

#include "common/base/num.h"

struct kwargs {
	bool shared; /* false: each layer gets an object of its own */
	bool own;    /* the mask is that of the layer's input */
	bool nested; /* or was that of the model around it */
	const struct layers_mask *mask;
	const struct layers_layer *states; /* whose initial states it holds */
};

struct frame {
	struct layers_sym *sym;
	bool marked;
};

static bool execute(struct layers_build *b, const struct layers_container *c, struct kwargs *kw);
static bool call(struct layers_build *b, struct layers_layer *l, struct layers_shape *in,
	const struct layers_shape *out, struct kwargs *kw);

static bool told(struct layers_layer *l)
{
	bool before = l->mask_told;

	l->mask_told = true;
	return before;
}

static const struct layers_mask *mask_new(struct layers_build *b, const struct layers_layer *from,
	struct layers_shape *shape, unsigned lead)
{
	struct layers_mask *mask = layers_arena_alloc(b, sizeof(*mask));

	if (mask)
		*mask = (struct layers_mask){from, shape, lead};
	return mask;
}

/* A layer that must not be judged by what comes to it any more: its mask is not known. */
static const struct layers_mask *mask_open(struct layers_build *b, const struct layers_layer *from)
{
	return mask_new(b, from, NULL, 0);
}

static void refuse(struct layers_build *b, struct layers_layer *l, const struct layers_mask *mask,
	const char *why)
{
	if (!told(l))
		(void)layers_config_throw(b, l, RULE_LAYERS_MASK, NULL,
			"it gets the mask of layer '%s', of shape %s, %s",
			mask->from->name ? mask->from->name : "?",
			layers_shape_text(b, mask->shape), why);
}

/* ---- computeMask ----------------------------------------------------------------------------- */

static bool differ(double x, double y)
{
	return layers_dim_is_number(x) && layers_dim_is_number(y) && x != y;
}

static const struct layers_mask *first_of(const struct layers_mask **masks, size_t n)
{
	for (size_t i = 0; i < n; i++)
		if (masks[i])
			return masks[i];
	return NULL;
}

/* Layer.computeMask of those with supportsMasking. */
static bool passes_mask(const struct layers_layer *l)
{
	switch (l->cls - layers_table) {
	case LAYERS_CLASS_Activation:
	case LAYERS_CLASS_AlphaDropout:
	case LAYERS_CLASS_BatchNormalization:
	case LAYERS_CLASS_Dense:
	case LAYERS_CLASS_Dropout:
	case LAYERS_CLASS_GaussianDropout:
	case LAYERS_CLASS_GaussianNoise:
	case LAYERS_CLASS_LayerNormalization:
	case LAYERS_CLASS_PReLU:
	case LAYERS_CLASS_ReLU:
	case LAYERS_CLASS_SpatialDropout1D:
	case LAYERS_CLASS_TimeDistributed:
		return true;
	default:
		return false;
	}
}

/* Merge.computeMask: the first mask with one more dimension in front; of more than two inputs, all
 * but the last must have one. */
static const struct layers_mask *merge_mask(struct layers_build *b, struct layers_layer *l,
	const struct layers_mask **masks, size_t n)
{
	const struct layers_mask *any = first_of(masks, n);
	struct layers_shape *shape;

	if (!any)
		return NULL;
	for (size_t i = 0; n > 2 && i + 1 < n; i++) {
		if (!masks[i]) {
			refuse(b, l, any,
				"while another of its inputs has none; TensorFlow.js: Argument "
				"passed to 'logicalAnd' must be a Tensor or TensorLike, but got "
				"'null'");
			return mask_open(b, l);
		}
	}
	if (!masks[0] || !masks[0]->shape)
		return masks[0];
	shape = layers_shape_new(b, masks[0]->shape->rank + 1);
	if (!shape)
		return NULL;
	shape->dims[0] = 1;
	for (unsigned i = 1; i < shape->rank; i++)
		shape->dims[i] = masks[0]->shape->dims[i - 1];
	return mask_new(b, masks[0]->from, shape, masks[0]->lead + 1);
}

/* What Concatenate.computeMask joins for one input. */
static struct layers_shape *joined_part(struct layers_build *b, const struct layers_mask *mask,
	const struct layers_shape *in)
{
	struct layers_shape *part;

	if (!mask || mask->shape->rank >= in->rank)
		return layers_shape_copy(b, mask ? mask->shape : in);
	part = layers_shape_new(b, mask->shape->rank + 1);
	for (unsigned i = 0; part && i < mask->shape->rank; i++)
		part->dims[i] = mask->shape->dims[i];
	if (part)
		part->dims[part->rank - 1] = 1;
	return part;
}

static bool joinable(const struct layers_shape *x, const struct layers_shape *y, unsigned axis)
{
	if (x->rank != y->rank)
		return false;
	for (unsigned i = 0; i < x->rank; i++)
		if (i != axis && differ(x->dims[i], y->dims[i]))
			return false;
	return true;
}

static bool all_known(const struct layers_node *node, const struct layers_mask **masks)
{
	for (size_t i = 0; i < node->in_n; i++)
		if (!node->in[i]->shape || (masks[i] && !masks[i]->shape))
			return false;
	return true;
}

static unsigned lead_of(const struct layers_mask *mask)
{
	return mask ? mask->lead : 0;
}

static const struct layers_mask *concatenate_mask(struct layers_build *b, struct layers_layer *l,
	const struct layers_node *node, const struct layers_mask **masks)
{
	const struct layers_mask *any = first_of(masks, node->in_n);
	struct layers_shape *joined;
	unsigned axis;

	if (!any)
		return NULL;
	if (!all_known(node, masks))
		return mask_open(b, l);
	joined = joined_part(b, masks[0], node->in[0]->shape);
	if (!joined || joined->rank < 2)
		return mask_open(b, l);
	axis = l->core.axis < 0 ? joined->rank - 1 : (unsigned)l->core.axis;
	for (size_t i = 1; i < node->in_n; i++) {
		struct layers_shape *part = joined_part(b, masks[i], node->in[i]->shape);

		if (!part)
			return NULL;
		if (axis >= joined->rank || !joinable(joined, part, axis) ||
			lead_of(masks[i]) != lead_of(masks[0])) {
			refuse(b, l, any,
				"which does not join those of its other inputs; TensorFlow.js: "
				"Error in concat: Shape of tensors must match");
			return mask_open(b, l);
		}
		joined->dims[axis] = joined->dims[axis] == DIM_NULL || part->dims[axis] == DIM_NULL
			? DIM_NULL
			: layers_shape_add(joined->dims[axis], part->dims[axis]);
	}
	joined->rank--; /* all(..., -1) */
	return mask_new(b, any->from, joined, lead_of(masks[0]));
}

static const struct layers_mask *made_mask(struct layers_build *b, struct layers_layer *l,
	struct layers_shape *in)
{
	if (!in || in->rank == 0)
		return mask_open(b, l);
	if (layers_table_is(l->cls, LAYERS_CLASS_Masking))
		return mask_new(b, l, layers_shape_slice(b, in, 0, in->rank - 1), 0);
	return mask_new(b, l, in, 0);
}

static const struct layers_mask *compute_mask(struct layers_build *b, struct layers_layer *l,
	const struct layers_node *node, const struct layers_mask **masks)
{
	if (l->opaque || node->in_n == 0)
		return first_of(masks, node->in_n) ? mask_open(b, l) : NULL;
	if (layers_table_is(l->cls, LAYERS_CLASS_Masking) ||
		(layers_table_is(l->cls, LAYERS_CLASS_Embedding) &&
			layers_config_truthy(layers_config_get(l->config, "maskZero"))))
		return made_mask(b, l, node->in[0]->shape);
	if (l->ops == &layers_merge_elementwise)
		return merge_mask(b, l, masks, node->in_n);
	if (l->ops == &layers_merge_concatenate)
		return concatenate_mask(b, l, node, masks);
	if (layers_rnn_is(l) || l->ops == &layers_wrap_both)
		return l->rnn.sequences ? masks[0] : NULL;
	return passes_mask(l) ? masks[0] : NULL;
}

/* ---- call ------------------------------------------------------------------------------------ */

static void warn_stale(struct layers_build *b, struct layers_layer *l, const struct kwargs *kw)
{
	if (kw->own || kw->nested || b->native || told(l))
		return;
	(void)layers_config_throw(b, l, RULE_LAYERS_MASK_STALE, NULL,
		"its input has no mask, but TensorFlow.js passes it that of layer '%s', which it "
		"made before, so that the results differ from those of Keras",
		kw->mask->from->name ? kw->mask->from->name : "?");
}

/* One step of the mask against the output of a step, counted from the last axis. */
static bool step_fits(const struct layers_mask *mask, unsigned rank, const struct layers_shape *out,
	double units)
{
	const struct layers_shape *m = mask->shape;
	double last = m->rank == rank ? m->dims[m->rank - 1] : 1;

	if (last != 1 && differ(last, units))
		return false;
	for (unsigned k = 2; k + 1 < rank && out && k < out->rank; k++) {
		unsigned at = m->rank == rank ? m->rank - k : m->rank + 1 - k;

		if (m->dims[at] != 1 && differ(m->dims[at], out->dims[out->rank - k]))
			return false;
	}
	return true;
}

/* rnn() of recurrent.ts: the mask is cut into steps. */
static void rnn_call(struct layers_build *b, struct layers_layer *l, const struct layers_shape *in,
	const struct layers_shape *out, const struct kwargs *kw)
{
	const struct layers_mask *mask = kw->mask;
	const struct layers_layer *cell = layers_rnn_is(l) ? l->inner[0] : l->inner[0]->inner[0];
	double steps = layers_shape_dim(in, 1);

	if (!mask || !mask->shape || !in)
		return;
	if (mask->shape->rank != in->rank && mask->shape->rank + 1 != in->rank)
		refuse(b, l, mask,
			layers_arena_text(b,
				"for an input of shape %s; TensorFlow.js: Error in transpose: rank "
				"of input %u must match length of perm",
				layers_shape_text(b, in), mask->shape->rank));
	else if (mask->lead > 0 ? steps != 1
				: layers_dim_is_number(steps) &&
				layers_dim_is_number(mask->shape->dims[1]) &&
				mask->shape->dims[1] < steps)
		refuse(b, l, mask,
			layers_arena_text(b,
				"which has too few steps for an input of shape %s; TensorFlow.js: "
				"Argument 'x' passed to 'onesLike' must be a Tensor or TensorLike, "
				"but got 'undefined'",
				layers_shape_text(b, in)));
	else if (!step_fits(mask, in->rank, out, layers_rnn_units(cell)))
		refuse(b, l, mask,
			"which does not fit what its cell gives; TensorFlow.js: Operands could not "
			"be broadcast together");
	else
		warn_stale(b, l, kw);
}

/* The mask is added to the input. */
static void softmax_call(struct layers_build *b, struct layers_layer *l,
	const struct layers_shape *in, const struct kwargs *kw)
{
	const struct layers_mask *mask = kw->mask;
	bool fits = true;

	if (!mask || !mask->shape || !in)
		return;
	fits = mask->lead == 0 && mask->shape->rank == in->rank;
	for (unsigned i = 1; fits && i < in->rank; i++)
		fits = mask->shape->dims[i] == 1 || !differ(mask->shape->dims[i], in->dims[i]);
	if (!fits)
		refuse(b, l, mask,
			layers_arena_text(b,
				"for an input of shape %s; TensorFlow.js: Operands could not be "
				"broadcast together",
				layers_shape_text(b, in)));
	else
		warn_stale(b, l, kw);
}

static bool state_clash(struct layers_build *b, struct layers_layer *l, const struct kwargs *kw)
{
	if (!kw->states)
		return false;
	if (!told(l))
		(void)layers_config_throw(b, l, RULE_LAYERS_STATE_STALE, NULL,
			"TensorFlow.js still holds the initial states of layer '%s' when it comes "
			"to this one: When inputs is an array, neither initialState or constants "
			"should be provided",
			kw->states->name ? kw->states->name : "?");
	return true;
}

/* TimeDistributed calls its layer for each step, with the mask of all of them. */
static bool time_call(struct layers_build *b, struct layers_layer *l, struct layers_shape *in,
	struct kwargs *kw)
{
	struct layers_layer *inner = l->inner[0];
	struct layers_shape *step = in && in->rank > 1 ? layers_shape_slice(b, in, 1, in->rank)
						       : NULL;

	if (step)
		step->dims[0] = in->dims[0];
	kw->own = false;
	for (unsigned i = 0; i < (layers_shape_dim(in, 1) == 1 ? 1 : 2); i++) {
		if ((layers_rnn_is(inner) || inner->ops == &layers_wrap_both) &&
			state_clash(b, inner, kw))
			return true;
		if (!call(b, inner, step, NULL, kw))
			return false;
	}
	return true;
}

static bool model_call(struct layers_build *b, const struct layers_layer *l, struct kwargs *kw)
{
	bool nested = kw->nested, ok;

	kw->nested = nested || kw->own;
	ok = execute(b, l->model, kw);
	kw->nested = nested;
	return ok;
}

/* False when there was too much work. */
static bool call(struct layers_build *b, struct layers_layer *l, struct layers_shape *in,
	const struct layers_shape *out, struct kwargs *kw)
{
	if (l->opaque)
		return true;
	if (layers_rnn_is(l) || l->ops == &layers_wrap_both)
		rnn_call(b, l, in, out, kw);
	else if (l->ops == &layers_acts_softmax)
		softmax_call(b, l, in, kw);
	else if (l->ops == &layers_wrap_time)
		return time_call(b, l, in, kw);
	else if (l->model)
		return model_call(b, l, kw);
	return true;
}

/* Layer.apply on values. */
static bool apply(struct layers_build *b, struct layers_layer *l, const struct layers_node *node,
	struct kwargs *kw)
{
	bool recurrent = !l->opaque && (layers_rnn_is(l) || l->ops == &layers_wrap_both);
	struct kwargs alone = {.shared = true};
	struct kwargs *used = kw->shared ? kw : &alone;

	if (recurrent && state_clash(b, l, used))
		return true;
	if (recurrent && node->in_n > 1)
		used->states = l;
	return call(b, l, node->in[0]->shape, node->out_n > 0 ? node->out[0]->shape : NULL, used);
}

/* ---- execute --------------------------------------------------------------------------------- */

static struct layers_node *node_of(const struct layers_sym *sym)
{
	return sym->source->nodes[sym->node];
}

static bool step(struct layers_build *b, const struct layers_sym *sym, unsigned epoch,
	struct kwargs *kw)
{
	struct layers_node *node = node_of(sym);
	const struct layers_mask **masks = layers_arena_array(b, node->in_n + 1, sizeof(*masks));

	if (!masks || !layers_layer_work(b, sym->source, 1 + node->in_n))
		return false;
	for (size_t i = 0; i < node->in_n; i++) {
		const struct layers_node *from = node_of(node->in[i]);

		masks[i] = from->mask_epoch == epoch ? from->mask : NULL;
	}
	kw->own = first_of(masks, node->in_n) != NULL;
	if (kw->own) {
		kw->shared = true;
		kw->mask = masks[0];
	}
	if (node->in_n > 0 && !apply(b, sym->source, node, kw))
		return false;
	if (node->mask_epoch != epoch) {
		node->mask = compute_mask(b, sym->source, node, masks);
		node->mask_epoch = epoch;
	}
	return true;
}

/* getTopologicalSortAndRecipientCountsForOneFetch, executed as it goes. */
static bool fetch(struct layers_build *b, struct layers_sym *output, unsigned epoch,
	struct kwargs *kw)
{
	struct frame *stack = NULL, first = {output, false};
	size_t n = 0, room = 0;

	if (!LAYERS_PUSH_ROOM(b, stack, n, &room, first))
		return false;
	while (n > 0) {
		struct frame *top = &stack[n - 1];
		struct layers_sym *sym = top->sym;
		const struct layers_node *node = node_of(sym);

		if (sym->mask_epoch == epoch) {
			n--;
		} else if (top->marked || node->in_n == 0) {
			n--;
			sym->mask_epoch = epoch;
			if (!step(b, sym, epoch, kw))
				return false;
		} else {
			top->marked = true;
			for (size_t i = 0; i < node->in_n; i++) {
				struct frame next = {node->in[i], false};

				if (next.sym->mask_epoch != epoch &&
					!LAYERS_PUSH_ROOM(b, stack, n, &room, next))
					return false;
			}
		}
	}
	return true;
}

static bool execute(struct layers_build *b, const struct layers_container *c, struct kwargs *kw)
{
	unsigned epoch = ++b->mask_epoch;

	for (size_t i = 0; i < c->inputs_n; i++)
		c->inputs[i]->mask_epoch = epoch;
	for (size_t i = 0; i < c->outputs_n; i++)
		if (!fetch(b, c->outputs[i], epoch, kw))
			return false;
	return true;
}

void layers_mask_check(struct layers_build *b, struct layers_layer *root)
{
	struct kwargs kw = {0};

	if (root->model && !root->opaque)
		(void)execute(b, root->model, &kw);
}
