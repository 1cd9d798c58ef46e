/* SPDX-License-Identifier: Apache-2.0 */
/* What a Keras topology makes TensorFlow.js build: weights, inputs and outputs, inferred without
 * running it (tfjs-layers 4.22.0; the release is recorded in layers_classes.def).
 *
 * TensorFlow.js stops at its first error. Here a layer with an error becomes opaque: its outputs
 * have unknown shapes, weights under its name are not judged, and reading goes on, so that one
 * pass names every fault. A class that TensorFlow.js does not register is opaque too, with a
 * warning only: the page may register it.
 *
 * Pure: no I/O, any thread. The model keeps pointers into the JSON document, which must outlive it.
 * Time is linear in the layers but for sorting names; LAYERS_WORK_MAX bounds what repeated calls of
 * nested models can multiply.
 */
#pragma once

#include "common/json/json.h"
#include "common/model/finding.h"
#include "common/model/manifest.h"

#define LAYERS_DEPTH_MAX 32      /* of models and wrappers in each other */
#define LAYERS_RANK_MAX  64      /* of a tensor */
#define LAYERS_WORK_MAX  300000 /* layer calls and their inputs, repeated ones included */

#define LAYERS_DIM_UNKNOWN (-1)

struct layers_model;

struct layers_weight {
	const char *name;     /* as requested: "dense/kernel" */
	const int64_t *shape; /* LAYERS_DIM_UNKNOWN where an opaque layer decides */
	size_t rank;
	bool rank_known;
	enum dtype dtype;
	bool trainable; /* saved among the trainable ones */
};

struct layers_tensor {
	const char *name;
	const char *dtype;
	const int64_t *shape; /* LAYERS_DIM_UNKNOWN for free dimensions */
	size_t rank;
	bool rank_known;
};

/* Read modelTopology. Findings point into model.json under "/modelTopology". *ret is set whenever a
 * model could be recognised, with errors in `f` or without; the caller frees it with layers_free().
 * Errors: out of memory. */
int layers_read(const struct json *topology, struct layers_model **ret, struct findings *f,
	struct err *e);
void layers_free(struct layers_model *m);
DEFINE_CLEANUP(struct layers_model, layers_free)

/* The weights in the order of `model.weights`, which is the order of saving: all trainable ones,
 * then the others. Layers that no output depends on have none. */
const struct layers_weight *layers_weights(const struct layers_model *m, size_t *ret_n);
const struct layers_tensor *layers_inputs(const struct layers_model *m, size_t *ret_n);
const struct layers_tensor *layers_outputs(const struct layers_model *m, size_t *ret_n);
/* How many layers the topology describes, nested ones included. */
size_t layers_count(const struct layers_model *m);

/* Compare with the manifest as LayersModel.loadWeights does: exact names, else names without their
 * last component but one; names by index when the first name ends in a digit. Errors: out of
 * memory. */
int layers_match(const struct layers_model *m, const struct manifest *manifest, struct findings *f,
	struct err *e);
