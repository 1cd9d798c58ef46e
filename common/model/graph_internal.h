/* SPDX-License-Identifier: Apache-2.0 */
/* What the files of graph.h share while a model is judged: its graphs as TensorFlow.js maps them.
 * Internal to common/model.
 *
 * A graph is read (graph_nodes.c), its inputs and outputs are told (graph_signature.c,
 * graph_library.c), then the nodes are found that its outputs need and that can be computed
 * (graph_flow.c). What goes wrong only when a node is executed is judged after that.
 */
#pragma once

#include "common/model/graph.h"
#include "common/model/graph_names.h"
#include "common/model/graph_ops.h"

#define GRAPH_NONE        UINT32_MAX
#define GRAPH_POINTER_MAX 256
#define GRAPH_NAME        "'%.96s'" /* names come from outside and may be megabytes */

struct graph_edge {
	uint32_t from;   /* the node, or GRAPH_NONE when there is no such node */
	uint32_t output; /* of that node; GRAPH_NONE for what is no number */
	bool control;    /* "^node" */
};

struct graph_node {
	const char *name; /* "" when it has none */
	const char *op;   /* "" when it has none */
	const struct json *json;         /* NULL for the argument of a function */
	const struct json *attr;         /* NULL when it has none */
	const struct graph_ops_op *known; /* NULL: TensorFlow.js cannot execute it */
	const char *input_key;           /* in the signature, of what a page gives */
	uint32_t item;                   /* in the array */
	uint32_t edges, edges_n;         /* of graph.edges, in order */
	uint32_t waits;                  /* inputs that are not computed yet */
	uint64_t outputs;                /* how many it makes; 0 when that cannot be told */
	bool replaced;   /* a later node has the same name */
	bool argument;   /* of a function */
	bool weight;     /* the manifest has a value for its name */
	bool fed;        /* a page, the initializer or a caller gives its value */
	bool needed;     /* executed to compute the outputs */
	bool computable;
};

struct graph {
	struct graph_reader *r;
	const char *function;            /* its name; NULL for the main graph and the initializer */
	bool initializer;
	char pointer[GRAPH_POINTER_MAX]; /* of the array of nodes */
	struct graph_node *nodes;
	size_t nodes_n;
	struct graph_edge *edges;
	size_t edges_n;
	struct graph_names names;        /* to nodes that are not replaced */
	uint32_t *users, *users_first;   /* nodes that read node i: from users_first[i] on */
	uint32_t *outputs;               /* nodes */
	size_t outputs_n;
	const struct json *json;         /* of a function */
	size_t args_n;                   /* of a function */
	size_t args_needed;              /* up to the last one that its outputs need */
	bool called;                     /* its nodes are executed when a model is */
	bool async;                      /* a node that is needed returns a promise */
};

struct graph_reader {
	const struct json *root;
	const struct manifest *manifest;
	struct findings *f;
	struct graph_names weights; /* to entries of the manifest */
	struct graph main, initializer;
	struct graph *functions;
	size_t functions_n;
	struct graph_names function_names; /* the last one of a name counts */
	struct graph_model *model;
};

struct graph_model {
	struct graph_tensor *inputs, *outputs;
	size_t inputs_n, outputs_n;
	enum graph_source source;
	struct graph_counts counts;
};

/* graph_say.c: add a finding on node `x`, at `member` of its JSON ("/attr/T", or ""). What is said
 * of running a node that no output needs becomes the warning graph.unneeded. */
void graph_say_load(const struct graph *g, const struct graph_node *x, enum finding_rule rule,
	const char *member, const char *fmt, ...) PRINTF_LIKE(5, 6);
void graph_say_run(const struct graph *g, const struct graph_node *x, enum finding_rule rule,
	const char *member, const char *fmt, ...) PRINTF_LIKE(5, 6);
/* "<prefix><key, escaped>" as a JSON pointer into `ret`, cut when it is too long. */
void graph_say_pointer(char ret[static GRAPH_POINTER_MAX], const char *prefix, const char *key);
const char *graph_say_type(const struct json *v); /* "nothing" for NULL */

/* graph_nodes.c: a graph with these nodes and room for `more`, which graph_nodes_add() adds and
 * graph_nodes_resolve() connects. */
int graph_nodes_read(struct graph *g, const struct json *array, size_t more, struct err *e);
void graph_nodes_add_argument(struct graph *g, const char *name, uint32_t item);
int graph_nodes_resolve(struct graph *g, struct err *e);
void graph_nodes_done(struct graph *g);
/* "node", "node:1", "node:name:1": the name of the node, and the output; GRAPH_NONE when that is no
 * number. ret_name is the name of the output, or NULL. */
struct str graph_nodes_parse(const char *input, uint32_t *ret_output, struct str *ret_name);
bool graph_nodes_find(const struct graph *g, const char *input, uint32_t *ret,
	uint32_t *ret_output);
bool graph_nodes_has_output(const struct graph_node *x, uint32_t output);
/* Which output of the node TensorFlow means by a name, where that can be told: not for the first
 * one of an op whose outputs TensorFlow.js does not know by name. */
bool graph_nodes_named_output(const struct graph_node *x, struct str name, uint32_t *ret);
/* It is a Placeholder of one kind or another; a Const; any other node that is executed without
 * inputs. */
bool graph_nodes_is_placeholder(const struct graph_node *x);
bool graph_nodes_is_const(const struct graph_node *x);
bool graph_nodes_is_initial(const struct graph *g, const struct graph_node *x);

/* graph_library.c: the functions, and whether nodes call them rightly. */
int graph_library_read(struct graph_reader *r, const struct json *library, struct err *e);
/* The outputs of one, which is called. */
int graph_library_check(const struct graph *g, struct err *e);
void graph_library_check_call(const struct graph *g, const struct graph_node *x);
/* The function that an attribute of the node names, or NULL. */
struct graph *graph_library_find(const struct graph *g, const struct graph_node *x,
	const char *attr);
/* Mark the functions that needed nodes of the main graph name, and those that these name. */
int graph_library_mark_called(struct graph_reader *r, struct err *e);

/* graph_flow.c: which nodes are needed, and whether they can be computed. */
int graph_flow_mark(struct graph *g, struct err *e);
int graph_flow_check(struct graph *g, struct err *e);

/* graph_attr.c */
void graph_attr_check(const struct graph *g, const struct graph_node *x);
/* Whether `s` decodes to the word, which is in lower case. */
bool graph_attr_is_word(const struct json *s, const char *word);
/* As getTensorShapeParam() reads `v` ({"dim": [...]}): false when it is of unknown rank, or
 * unreadable. A dimension that is no number is INT64_MIN. */
bool graph_attr_shape(const struct json *v, int64_t ret[static GRAPH_RANK_MAX], size_t *ret_rank);
/* The name of the dtype that {"type": ...} or the like has, or NULL. */
const char *graph_attr_dtype(const struct json *type);

/* graph_edges.c: whether a node has the inputs that its executor takes. */
void graph_edges_check(const struct graph *g, const struct graph_node *x);
/* How many inputs an executor finds that takes them all. */
uint64_t graph_edges_count(const struct graph *g, const struct graph_node *x);
/* Tell `outputs` of all nodes. */
void graph_edges_count_outputs(struct graph *g);

/* graph_const.c: constants and placeholders against the manifest and what is fed. */
void graph_const_check(const struct graph *g, const struct graph_node *x);

/* graph_signature.c */
int graph_signature_read(struct graph_reader *r, struct err *e);
void graph_signature_check(const struct graph_reader *r);

/* graph_structured.c */
int graph_structured_read(struct graph_reader *r, struct err *e);

/* graph_initializer.c */
int graph_initializer_read(struct graph_reader *r, struct err *e);
int graph_initializer_check(const struct graph_reader *r, struct err *e);
