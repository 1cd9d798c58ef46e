/* SPDX-License-Identifier: Apache-2.0 */
/* Graph models as tf.loadGraphModel reads and executes them (tfjs-converter/src/operations and
 * src/executor): the GraphDef in modelTopology, its library of functions, modelInitializer, and the
 * signatures. Pure: nothing does I/O, and no weight is looked at, only its entry in the manifest.
 *
 * What makes TensorFlow.js fail to load the model, or to compute one of its outputs, is an error.
 * What only a node that no output needs would make it fail at is a warning, for such a node is
 * never executed.
 */
#pragma once

#include "common/model/finding.h"
#include "common/model/modeljson.h"

#define GRAPH_NODES_MAX     1000000 /* of one graph */
#define GRAPH_FUNCTIONS_MAX 10000
#define GRAPH_TENSORS_MAX   10000 /* inputs, or outputs, of a signature */
#define GRAPH_RANK_MAX      64

/* Where inputs and outputs are declared. */
enum graph_source {
	GRAPH_DECLARED, /* in `signature` */
	GRAPH_METADATA, /* in userDefinedMetadata.signature, which replaces it */
	GRAPH_DERIVED,  /* nowhere: they are the Placeholders, and the nodes that none reads */
};

/* Texts point into the document that the model was read from, or are static. */
struct graph_tensor {
	const char *name;  /* as a page names it: the key in the signature, else the node */
	const char *node;  /* with or without ":<output>" */
	const char *returned; /* of outputs: the key that predict() gives it, or NULL for `name` */
	const char *dtype; /* "DT_FLOAT"; "DT_INVALID" where the model does not say */
	bool rank_known;
	int64_t shape[GRAPH_RANK_MAX]; /* -1: any */
	size_t rank;
	bool has_resource; /* the initializer provides it, the page does not */
	uint64_t resource_id;
};

struct graph_counts {
	size_t nodes; /* of the main graph */
	size_t ops;   /* different ones in it */
	size_t functions;
	size_t initializer_nodes;
	bool async; /* model.executeAsync() is needed: predict() throws */
};

struct graph_model;

/* Judge the graph of a MODELJSON_GRAPH that has a manifest. What is wrong is added to `f`; *ret is
 * set whenever a signature can be told, be there errors or not, and is untouched else. It keeps
 * pointers into the document. Errors: out of memory, too large, no randomness. */
int graph_read(const struct modeljson *m, struct graph_model **ret, struct findings *f,
	struct err *e);
void graph_free(struct graph_model *g);
DEFINE_CLEANUP(struct graph_model, graph_free)

/* In the order in which TensorFlow.js has them. */
const struct graph_tensor *graph_inputs(const struct graph_model *g, size_t *ret_n);
const struct graph_tensor *graph_outputs(const struct graph_model *g, size_t *ret_n);
enum graph_source graph_signature_source(const struct graph_model *g);
const char *graph_source_name(enum graph_source source); /* "declared", "metadata", "derived" */
const struct graph_counts *graph_counts(const struct graph_model *g);

/* The release of TensorFlow.js whose table of ops this is: "4.22.0". */
const char *graph_release(void);
