/* SPDX-License-Identifier: Apache-2.0 */
/* What the files of the layers reader share: the objects that TensorFlow.js would build.
 *
 * Names follow tfjs-layers: a layer is called on symbolic tensors, each call makes a node, a
 * model is a layer that holds a graph of nodes. Shapes are shared by pointer exactly where
 * TensorFlow.js shares the array, because some of its layers change the array of their input.
 * Everything lives in one arena. Functions that return bool answer false where TensorFlow.js
 * would throw (a finding was added) or memory ran out (b->no_memory).
 */
#pragma once

#include "common/model/layers.h"

#include <math.h>

/* A dimension is the JavaScript number, or one of these two. */
#define DIM_NULL (-(double)INFINITY) /* null: known when the model runs */
#define DIM_ANY  ((double)INFINITY)  /* decided by an opaque layer */

struct layers_shape {
	unsigned rank;
	double dims[];
};

struct layers_shapes {
	struct layers_shape **items; /* NULL: nothing is known */
	size_t n;
};

enum layers_kind {
	LAYERS_KIND_LAYER,
	LAYERS_KIND_CELL,
	LAYERS_KIND_MODEL,
	LAYERS_KIND_INITIALIZER,
	LAYERS_KIND_REGULARIZER,
	LAYERS_KIND_CONSTRAINT,
	LAYERS_KIND_ACTIVATION,
	LAYERS_KIND_OPTIMIZER,
};

enum layers_class_id {
#define LAYERS_CLASS(name, kind) LAYERS_CLASS_##name,
#include "common/model/layers_classes.def"
#undef LAYERS_CLASS
	LAYERS_CLASS_COUNT
};

struct layers_build;
struct layers_layer;
struct layers_node;

/* What one class does. Each may be NULL: nothing to configure, no weights, output like input. */
struct layers_ops {
	bool (*configure)(struct layers_build *b, struct layers_layer *l);
	bool (*build)(struct layers_build *b, struct layers_layer *l,
		const struct layers_shapes *in);
	bool (*output)(struct layers_build *b, struct layers_layer *l,
		const struct layers_shapes *in, struct layers_shapes *out);
	bool many; /* takes several inputs */
};

struct layers_class {
	const char *name;
	enum layers_kind kind;
};

/* A symbolic tensor. */
struct layers_sym {
	struct layers_shape *shape;
	struct layers_layer *source;
	size_t node; /* in source->nodes */
	size_t index;
	const char *dtype;
	unsigned epoch;      /* of the walk that has come by */
	unsigned mask_epoch; /* of the execution that has come by */
};

/* What Masking or Embedding says of a tensor, without its values. */
struct layers_mask {
	const struct layers_layer *from;
	struct layers_shape *shape; /* NULL: nothing is known */
	unsigned lead; /* dimensions of 1 before the batch, which merging layers put there */
};

struct layers_node {
	struct layers_layer *layer;
	struct layers_sym **in;
	size_t in_n;
	struct layers_sym **out;
	size_t out_n;
	unsigned id;
	unsigned epoch; /* of the walk that `state` and `depth` belong to */
	unsigned state;
	size_t depth;
	struct layers_shapes calc; /* outputs while a model is called again */
	unsigned mask_epoch;       /* of the execution that `mask` belongs to */
	const struct layers_mask *mask; /* of all outputs, or NULL */
};

struct layers_var {
	const char *name; /* with its scope */
	struct layers_shape *shape;
	enum dtype dtype;
	bool trainable;
};

/* What assertInputCompatibility checks. Zero: nothing. */
struct layers_spec {
	unsigned ndim;
	unsigned min_ndim;
	struct layers_shape *axes; /* dims that must be equal; DIM_NULL: any */
	double last;               /* of the last axis, when has_last */
	bool has_last;
};

enum layers_padding { LAYERS_VALID, LAYERS_SAME, LAYERS_CAUSAL };

struct layers_conv {
	unsigned rank;
	double kernel[3], strides[3], dilation[3];
	double filters, multiplier;
	enum layers_padding padding;
	bool first; /* channels_first */
	bool use_bias;
	bool pool_3d;
};

struct layers_core {
	double units, dim; /* units or output_dim; input_dim */
	double n;
	double crop[4]; /* top, bottom, left, right */
	double size[2];
	struct layers_shape *list; /* axes, dims, target shape, input length */
	double axis;
	bool flag; /* use_bias, list given as an array */
	bool scale, center;
	bool first;
	bool one_hot;
	unsigned gates; /* of a recurrent cell */
};

struct layers_rnn {
	bool sequences, state, stateful;
	bool merge_null, merge_concat;
};

struct layers_container {
	struct layers_sym **inputs, **outputs;
	size_t inputs_n, outputs_n;
	struct layers_layer **layers; /* in the order of weights */
	size_t layers_n;
	struct layers_node **nodes; /* deepest first, as a call visits them */
	size_t nodes_n;
};

struct layers_layer {
	const struct layers_class *cls; /* NULL: not registered */
	const struct layers_ops *ops;   /* NULL: opaque */
	const char *class_name;         /* as TensorFlow.js reads it */
	const char *name;
	const struct json *config;
	const char *pointer; /* of the layer object */
	bool opaque;         /* its weights and outputs are not known */
	bool trainable, built, fast, activity;
	bool unnamed; /* the name was made up */
	bool mask_told; /* a finding about masks or states was added */
	struct layers_shape *batch_input;
	const char *dtype;              /* only with batch_input */
	const struct json *dtype_value; /* what the file has instead of a string */
	struct layers_spec spec;
	struct layers_node **nodes;
	size_t nodes_n;
	struct layers_var *vars;
	size_t vars_n;
	struct layers_conv conv;
	struct layers_core core;
	struct layers_rnn rnn;
	struct layers_layer *inner[2]; /* wrapped layer, both directions, or the cell */
	struct layers_layer **cells;   /* of StackedRNNCells */
	size_t cells_n;
	struct layers_container *model;
	unsigned epoch; /* of the walk that the next two belong to */
	size_t depth, order;
};

/* A chunk of the arena. */
struct layers_chunk {
	struct layers_chunk *next;
	size_t used, size;
	max_align_t bytes[];
};

struct layers_model {
	struct layers_chunk *chunks;
	struct layers_weight *weights;
	size_t weights_n;
	struct layers_weight *by_layer; /* in the order of loadWeights */
	size_t *by_layer_index;         /* within the top-level layer */
	size_t by_layer_n;
	struct layers_tensor *inputs, *outputs;
	size_t inputs_n, outputs_n;
	const char **open; /* "name/" of opaque layers, sorted */
	size_t open_n;
	bool incomplete; /* weights with names that cannot be foreseen may exist */
	size_t layers_n;
};

struct layers_build {
	struct layers_model *m;
	struct findings *f;
	const char *scope; /* of names: "" or "a/b/" */
	uint64_t work;
	unsigned depth;
	unsigned epoch;
	unsigned node_ids;
	unsigned uids[LAYERS_CLASS_COUNT]; /* of layers without a name */
	bool no_memory;
	bool exhausted; /* LAYERS_WORK_MAX was reached and said */
	bool native;    /* saved by TensorFlow.js itself */
	bool masks;     /* something makes a mask, or gives states to a recurrent layer */
	unsigned mask_epoch;
};

/* layers_arena.c */
void *layers_arena_alloc(struct layers_build *b, size_t n); /* zeroed; NULL: b->no_memory is set */
void *layers_arena_array(struct layers_build *b, size_t n, size_t size);
char *layers_arena_text(struct layers_build *b, const char *fmt, ...) PRINTF_LIKE(2, 3);
void layers_arena_free(struct layers_model *m);
/* Room for one more of `n`: the array, moved when `n` is a power of two. For what only grows: use
 * layers_arena_room() for what shrinks and grows again. */
void *layers_arena_push(struct layers_build *b, void *array, size_t n, size_t size);
#define LAYERS_PUSH(b, array, n, item)                                           \
	({                                                                       \
		__typeof__(array) pushed_ = layers_arena_push((b), (array), (n), \
			sizeof(*(array)));                                       \
		if (pushed_) {                                                   \
			(array) = pushed_;                                       \
			(array)[(n)++] = (item);                                 \
		}                                                                \
		pushed_ != NULL;                                                 \
	})
/* The same with the room in a variable of its own. */
void *layers_arena_room(struct layers_build *b, void *array, size_t n, size_t *room, size_t size);
#define LAYERS_PUSH_ROOM(b, array, n, room, item)                                      \
	({                                                                             \
		__typeof__(array) pushed_ = layers_arena_room((b), (array), (n), (room), \
			sizeof(*(array)));                                             \
		if (pushed_) {                                                         \
			(array) = pushed_;                                             \
			(array)[(n)++] = (item);                                       \
		}                                                                      \
		pushed_ != NULL;                                                       \
	})

/* layers_shape.c */
struct layers_shape *layers_shape_new(struct layers_build *b, unsigned rank);
struct layers_shape *layers_shape_of(struct layers_build *b, unsigned rank, ...); /* doubles */
struct layers_shape *layers_shape_copy(struct layers_build *b, const struct layers_shape *s);
/* From dimension `from` to before `to`. */
struct layers_shape *layers_shape_slice(struct layers_build *b, const struct layers_shape *s,
	unsigned from, unsigned to);
bool layers_shape_set(struct layers_build *b, struct layers_shapes *out, struct layers_shape *s);
bool layers_shape_list(struct layers_build *b, struct layers_shapes *out, size_t n);
/* A dimension, DIM_ANY when the shape or the axis is not known. */
double layers_shape_dim(const struct layers_shape *s, unsigned axis);
double layers_shape_last(const struct layers_shape *s);
bool layers_shape_equal(const struct layers_shape *a, const struct layers_shape *b);
const char *layers_shape_text(struct layers_build *b, const struct layers_shape *s);
static inline bool layers_dim_is_number(double d)
{
	return !isinf(d);
}
/* floor() without libm; beyond 2^53 every double is whole. */
static inline double layers_dim_floor(double d)
{
	double whole;

	if (!(d > -9007199254740992.0 && d < 9007199254740992.0))
		return d;
	whole = (double)(int64_t)d;
	return whole > d ? whole - 1 : whole;
}
/* JavaScript's: null counts as 0, what an opaque layer decides stays open. */
double layers_shape_add(double a, double b);
double layers_shape_mul(double a, double b);
/* Math.floor of convOutputLength. */
double layers_shape_conv(double length, double kernel, enum layers_padding padding, double stride,
	double dilation);
double layers_shape_deconv(double length, double stride, double kernel,
	enum layers_padding padding);

/* layers_config.c: values as convertPythonicToTs would hand them to a constructor */
bool layers_config_camel_eq(const char *text, const char *camel);
char *layers_config_camel(struct layers_build *b, const char *text);
const struct json *layers_config_get(const struct json *object, const char *camel);
const struct json *layers_config_set(const struct json *object, const char *camel); /* not null */
bool layers_config_truthy(const struct json *v);
bool layers_config_word(const struct json *v, const char *camel);
bool layers_config_flag(const struct layers_layer *l, const char *camel, bool if_null);
bool layers_config_number(const struct json *v, double *ret); /* any number */
bool layers_config_integer(const struct json *v, double *ret);
/* Add a finding about the configuration key (NULL: the layer); false, to return. */
bool layers_config_throw(struct layers_build *b, const struct layers_layer *l,
	enum finding_rule rule, const char *camel, const char *fmt, ...) PRINTF_LIKE(5, 6);
/* What is multiplied, added or compared when the model runs: no text, object or list. */
bool layers_config_operand(struct layers_build *b, struct layers_layer *l, const char *camel);
bool layers_config_positive(struct layers_build *b, struct layers_layer *l, const char *camel,
	double *ret);
/* A whole number or `n` of them, all positive; `if_null` when absent (NAN: required). */
bool layers_config_tuple(struct layers_build *b, struct layers_layer *l, const char *camel,
	unsigned n, double if_null, double *ret);
bool layers_config_padding(struct layers_build *b, struct layers_layer *l,
	enum layers_padding *ret);
bool layers_config_format(struct layers_build *b, struct layers_layer *l, bool *ret_first);
bool layers_config_shape(struct layers_build *b, struct layers_layer *l, const char *camel,
	const struct json *v, struct layers_shape **ret);
/* A key that TensorFlow.js does not read although it changes the numbers: false unless it is
 * absent, null, or what TensorFlow.js does anyway (`harmless`: a number, or NAN for false). */
bool layers_config_ignored(struct layers_build *b, struct layers_layer *l, const char *camel,
	double harmless);

/* layers_objects.c: activations, initializers, regularizers, constraints */
bool layers_objects_activation(struct layers_build *b, struct layers_layer *l, const char *camel);
/* The keys <prefix>Initializer, <prefix>Regularizer, <prefix>Constraint. */
bool layers_objects_weight(struct layers_build *b, struct layers_layer *l, const char *prefix);
bool layers_objects_activity(struct layers_build *b, struct layers_layer *l);
/* What is known of a weight's initializer and constraint with its shape; `camel` is the key of the
 * initializer. */
bool layers_objects_initial(struct layers_build *b, struct layers_layer *l, const char *camel,
	const struct layers_shape *shape);

/* layers_table.c */
extern const struct layers_class layers_table[LAYERS_CLASS_COUNT];
const struct layers_class *layers_table_find(const char *name);
/* NULL unless a layer, cell or model. */
const struct layers_ops *layers_table_ops(const struct layers_class *cls);
static inline bool layers_table_is(const struct layers_class *cls, enum layers_class_id id)
{
	return cls == &layers_table[id];
}

/* The classes, by family */
extern const struct layers_ops layers_core_same, layers_core_dense, layers_core_flatten,
	layers_core_activation, layers_core_repeat, layers_core_reshape, layers_core_permute,
	layers_core_embedding, layers_core_dropout_1d, layers_core_masking;
extern const struct layers_ops layers_acts_relu, layers_acts_leaky, layers_acts_prelu,
	layers_acts_elu, layers_acts_softmax, layers_acts_threshold;
extern const struct layers_ops layers_norm_batch, layers_norm_layer;
extern const struct layers_ops layers_conv_1d, layers_conv_2d, layers_conv_3d,
	layers_conv_2d_transpose, layers_conv_3d_transpose, layers_conv_separable,
	layers_conv_depthwise;
extern const struct layers_ops layers_pool_1d, layers_pool_2d, layers_pool_3d,
	layers_pool_global_1d, layers_pool_global_2d;
extern const struct layers_ops layers_image_cropping, layers_image_upsampling, layers_image_padding,
	layers_image_resizing, layers_image_center_crop, layers_image_category,
	layers_image_random_width, layers_image_rescaling;
extern const struct layers_ops layers_merge_elementwise, layers_merge_concatenate, layers_merge_dot;
extern const struct layers_ops layers_rnn_simple, layers_rnn_gru, layers_rnn_lstm, layers_rnn_any,
	layers_rnn_simple_cell, layers_rnn_gru_cell, layers_rnn_lstm_cell, layers_rnn_stacked,
	layers_rnn_conv, layers_rnn_conv_cell;
extern const struct layers_ops layers_wrap_time, layers_wrap_both;
extern const struct layers_ops layers_network_functional, layers_network_sequential,
	layers_network_input;

/* layers_layer.c: what every layer does */
/* A layer from {class_name, config}. NULL only without memory; an opaque one after a finding.
 * `fast`: its weights are not initialised before they are loaded; `fast_model`: the same when it
 * is a model. */
struct layers_layer *layers_layer_new(struct layers_build *b, const struct json *object,
	const char *pointer, bool fast, bool fast_model);
/* The same from its parts, under another name; for layers that make layers. */
struct layers_layer *layers_layer_make(struct layers_build *b, const struct layers_class *cls,
	const struct json *config, const char *pointer, const char *name, bool fast);
/* Layer.apply on symbolic tensors: a new node, its outputs made. NULL only without memory. */
struct layers_node *layers_layer_apply(struct layers_build *b, struct layers_layer *l,
	struct layers_sym **in, size_t in_n, const struct json *kwargs);
struct layers_node *layers_layer_node(struct layers_build *b, struct layers_layer *l);
struct layers_sym *layers_layer_sym(struct layers_build *b, struct layers_node *node,
	struct layers_shape *shape, const char *dtype);
/* An output of node `node`, which exists; made on demand for opaque layers; NULL: there is none. */
struct layers_sym *layers_layer_output(struct layers_build *b, struct layers_layer *l, size_t node,
	size_t index);
/* computeOutputShape. Never fails on an opaque layer. */
bool layers_layer_shape(struct layers_build *b, struct layers_layer *l,
	const struct layers_shapes *in, struct layers_shapes *out);
bool layers_layer_build(struct layers_build *b, struct layers_layer *l,
	const struct layers_shapes *in);
bool layers_layer_weight(struct layers_build *b, struct layers_layer *l, const char *name,
	struct layers_shape *shape, bool trainable, const char *initializer);
bool layers_layer_name_ok(const char *name);
/* Names inside fn are under `name`; pass what it returned to layers_layer_leave(). */
const char *layers_layer_enter(struct layers_build *b, const char *name);
static inline void layers_layer_leave(struct layers_build *b, const char *saved)
{
	b->scope = saved;
}
/* Counts work; false when there was too much. */
bool layers_layer_work(struct layers_build *b, const struct layers_layer *l, size_t n);

/* layers_graph.c */
/* The constructor of Container: walk from outputs to inputs, order layers and nodes, check. Fills
 * c->nodes and, when `order`, c->layers. */
bool layers_graph_finish(struct layers_build *b, struct layers_layer *model, bool order);

/* layers_wiring.c */
bool layers_wiring_functional(struct layers_build *b, struct layers_layer *model);

/* layers_rnn.c */
bool layers_rnn_is(const struct layers_layer *l); /* RNN, SimpleRNN, GRU, LSTM, ConvLSTM2D */
double layers_rnn_units(const struct layers_layer *cell); /* width of its output */

/* layers_mask.c: executes the model on masks. */
void layers_mask_check(struct layers_build *b, struct layers_layer *root);

/* layers_weights.c: fills the result */
void layers_weights_collect(struct layers_build *b, struct layers_layer *root);
