/* SPDX-License-Identifier: Apache-2.0 */
/* `weightsManifest`: which files hold the weights, and how their one byte stream divides.
 *
 * TensorFlow.js concatenates the paths of all groups and the entries of all groups, then walks one
 * stream (tfjs-core/src/io/io_utils.ts, decodeWeights; tfjs-core/src/io/http.ts). Group borders
 * mean nothing to it, so this struct keeps only the two concatenations and the group count.
 */
#pragma once

#include "common/json/json.h"
#include "common/model/dtype.h"
#include "common/model/finding.h"

#define MANIFEST_PATHS_MAX   10000
#define MANIFEST_WEIGHTS_MAX 200000
#define MANIFEST_RANK_MAX    64

struct manifest_weight {
	const char *name; /* into the JSON document, or `made_names` */
	enum dtype dtype;
	enum dtype stored; /* dtype, or the quantized form */
	double scale, min; /* of uint8 and uint16: the value of q is q * scale + min */
	const uint64_t *shape;
	size_t rank;
	uint64_t elements; /* product of the shape; 1 for a scalar */
	uint64_t bytes;    /* in the stream; 0 for strings, which must be walked */
	bool optimizer;    /* "group": "optimizer" */
};

struct manifest {
	size_t groups;
	char **paths; /* stripped of "./", in stream order, checked and distinct */
	size_t paths_n;
	struct manifest_weight *weights; /* in stream order */
	size_t weights_n;
	char **made_names; /* what TensorFlow.js calls weights that have no string for a name */
	size_t made_names_n;
	uint64_t fixed_bytes; /* sum of `bytes` */
	bool has_strings;
};

/* Read and check `value` (the member weightsManifest, an array). What is wrong is added to `f`
 * with a JSON pointer under "/weightsManifest"; *ret is set only when nothing was an error. The
 * manifest keeps pointers into the document, which must outlive it. Errors: out of memory. */
int manifest_read(const struct json *value, struct manifest **ret, struct findings *f,
	struct err *e);
void manifest_free(struct manifest *m);
DEFINE_CLEANUP(struct manifest, manifest_free)

/* Walks the weight stream in pieces of any size and finds where it must end: strings carry a uint32
 * length for each element. Constant memory. */

/* Bytes of one weight, lengths of strings included; those of a weight come in order, in any number
 * of calls, and none for a weight without bytes. */
typedef void manifest_walk_fn(void *cls, size_t weight, const uint8_t *bytes, size_t n);

struct manifest_walk {
	const struct manifest *manifest;
	manifest_walk_fn *fn; /* may be NULL */
	void *cls;
	size_t weight;       /* being walked */
	uint64_t element;    /* of a string weight */
	uint64_t left;       /* bytes to skip before the next decision */
	uint64_t offset;     /* bytes seen in all */
	uint64_t slice;      /* where the last weight, or string of one, began that has bytes */
	uint64_t surplus;    /* bytes behind the end */
	uint8_t length[4];   /* a string length that straddles pieces */
	unsigned length_n;
};

void manifest_walk_init(struct manifest_walk *w, const struct manifest *m);
void manifest_walk_feed(struct manifest_walk *w, const uint8_t *bytes, size_t n);
/* Adds `weights.too-short` (naming the weight that the stream ends in) or `weights.too-long` to
 * `f`; adds nothing when the stream had exactly its length. */
void manifest_walk_finish(const struct manifest_walk *w, struct findings *f);
