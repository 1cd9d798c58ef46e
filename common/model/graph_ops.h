/* SPDX-License-Identifier: Apache-2.0 */
/* What the released TensorFlow.js knows of ops. Internal to common/model. */
#pragma once

#include <stdbool.h>
#include <stddef.h>

enum graph_attr_type {
	GRAPH_ATTR_STRING,
	GRAPH_ATTR_STRINGS,
	GRAPH_ATTR_NUMBER,
	GRAPH_ATTR_NUMBERS,
	GRAPH_ATTR_BOOL,
	GRAPH_ATTR_BOOLS,
	GRAPH_ATTR_SHAPE,
	GRAPH_ATTR_SHAPES,
	GRAPH_ATTR_DTYPE,
	GRAPH_ATTR_DTYPES,
	GRAPH_ATTR_FUNC,
};

struct graph_ops_attr {
	const char *name;
	const char *older; /* name that is asked for when that one is absent, or NULL */
	enum graph_attr_type type;
	bool read;        /* its executor asks for it; decoded at load in any case */
	bool has_default; /* of TensorFlow.js; else undefined, 0 for numbers */
};

/* Which inputs an executor takes. */
enum graph_ops_takes {
	GRAPH_OPS_FIXED, /* so many from the first */
	GRAPH_OPS_ALL,   /* whatever there is */
	GRAPH_OPS_BACK,  /* some counted from the last */
};

struct graph_ops_op {
	const char *name;
	bool async; /* its executor returns a promise: only executeAsync() can wait for it */
	unsigned inputs_min;
	enum graph_ops_takes takes;
	const struct graph_ops_attr *attrs;
	size_t attrs_n;
	const char *outputs; /* names joined by commas, which inputs in functions go by; or NULL */
};

/* NULL for an op that TensorFlow.js does not execute. */
const struct graph_ops_op *graph_ops_find(const char *name);

/* How many outputs its executor makes; 0 when that depends on attributes or on data. */
unsigned graph_ops_outputs(const struct graph_ops_op *op);

/* The names of the outputs from the second on, joined by commas, of an op whose outputs
 * TensorFlow.js does not know by name: it takes the first one for each of them in a function. NULL
 * for any other op. */
const char *graph_ops_unmapped(const char *name);

const char *graph_ops_release(void);

/* Dtypes in protocol buffers: "DT_FLOAT" and so on; NULL for a number that has no name. */
const char *graph_ops_dtype(unsigned number);
/* Its own copy of a name; NULL for one that is no dtype. */
const char *graph_ops_dtype_find(const char *name);
/* What TensorFlow.js makes of it: "float32", "int32", "bool", "string", "complex64", or NULL for a
 * type that it has not. */
const char *graph_ops_dtype_js(const char *name);
