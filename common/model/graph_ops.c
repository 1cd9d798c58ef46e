/* SPDX-License-Identifier: Apache-2.0 */
#include "common/model/graph_ops.h"
#include "common/base/macros.h"

#include <string.h>

#define READ    true
#define IGNORED false
#define NONE    false
#define DEFAULT true
static const struct graph_ops_attr attrs[] = {
#define GRAPH_ATTR(name, older, type, read, has_default) \
	{name, older, GRAPH_ATTR_##type, read, has_default},
#include "common/model/graph_ops.def"
#undef GRAPH_ATTR
};

#define SYNC  false
#define ASYNC true
static const struct graph_ops_op ops[] = {
#define GRAPH_OP(name, async, inputs_min, takes, first, n, outputs) \
	{name, async, inputs_min, GRAPH_OPS_##takes, attrs + (first), n, outputs},
#include "common/model/graph_ops.def"
#undef GRAPH_OP
};

static const char release[] =
#define GRAPH_RELEASE(version) version
#include "common/model/graph_ops.def"
#undef GRAPH_RELEASE
	;

static int compare_op(const void *name, const void *op)
{
	return strcmp(name, ((const struct graph_ops_op *)op)->name);
}

const struct graph_ops_op *graph_ops_find(const char *name)
{
	return bsearch(name, ops, ARRAY_SIZE(ops), sizeof(ops[0]), compare_op);
}

/* Where an executor returns another number of tensors than one. TensorFlow has more outputs of
 * FusedBatchNorm (6) and TensorListPopBack (2) than TensorFlow.js makes: those have one here. */
unsigned graph_ops_outputs(const struct graph_ops_op *op)
{
	static const struct {
		const char *op;
		unsigned n;
	} several[] = {
		{"If", 0}, {"StatelessIf", 0}, {"While", 0}, {"StatelessWhile", 0},
		{"IdentityN", 0}, {"ShapeN", 0}, {"Split", 0}, {"SplitV", 0}, {"Unpack", 0},
		{"ListDiff", 2}, {"MaxPoolWithArgmax", 2}, {"NonMaxSuppressionV4", 2},
		{"NonMaxSuppressionV5", 2}, {"SparseFillEmptyRows", 4}, {"SparseReshape", 2},
		{"StringNGrams", 2}, {"StringSplit", 3}, {"Switch", 2}, {"TensorArrayV3", 2},
		{"TopKV2", 2}, {"Unique", 2}, {"UniqueV2", 2},
	};

	for (size_t i = 0; i < ARRAY_SIZE(several); i++)
		if (strcmp(op->name, several[i].op) == 0)
			return several[i].n;
	return 1;
}

const char *graph_ops_unmapped(const char *name)
{
	static const struct {
		const char *op, *outputs;
	} unmapped[] = {
		{"ListDiff", "idx"},
		{"MaxPoolWithArgmax", "argmax"},
		{"NonMaxSuppressionV4", "valid_outputs"},
		{"NonMaxSuppressionV5", "selected_scores,valid_outputs"},
		{"SparseFillEmptyRows", "output_values,empty_row_indicator,reverse_index_map"},
		{"SparseReshape", "output_shape"},
		{"Switch", "output_true"},
		{"TensorArrayV3", "flow"},
		{"TensorListPopBack", "tensor"},
		{"TopKV2", "indices"},
		{"Unique", "idx"},
		{"UniqueV2", "idx"},
	};

	for (size_t i = 0; i < ARRAY_SIZE(unmapped); i++)
		if (strcmp(name, unmapped[i].op) == 0)
			return unmapped[i].outputs;
	return NULL;
}

const char *graph_ops_release(void)
{
	return release;
}

/* ---- dtypes ---- */

/* By number, as in tensorflow/core/framework/types.proto. */
static const struct {
	const char *name, *js;
} dtypes[] = {
	{"DT_INVALID", NULL}, {"DT_FLOAT", "float32"}, {"DT_DOUBLE", "float32"},
	{"DT_INT32", "int32"}, {"DT_UINT8", "int32"}, {"DT_INT16", NULL}, {"DT_INT8", "int32"},
	{"DT_STRING", "string"}, {"DT_COMPLEX64", "complex64"}, {"DT_INT64", "int32"},
	{"DT_BOOL", "bool"}, {"DT_QINT8", NULL}, {"DT_QUINT8", NULL}, {"DT_QINT32", NULL},
	{"DT_BFLOAT16", NULL}, {"DT_QINT16", NULL}, {"DT_QUINT16", NULL}, {"DT_UINT16", NULL},
	{"DT_COMPLEX128", "complex64"}, {"DT_HALF", "float32"}, {"DT_RESOURCE", NULL},
	{"DT_VARIANT", NULL}, {"DT_UINT32", NULL}, {"DT_UINT64", NULL},
};

const char *graph_ops_dtype(unsigned number)
{
	return number < ARRAY_SIZE(dtypes) ? dtypes[number].name : NULL;
}

static size_t dtype_index(const char *name)
{
	size_t i = 0;

	while (i < ARRAY_SIZE(dtypes) && strcmp(dtypes[i].name, name) != 0)
		i++;
	return i;
}

const char *graph_ops_dtype_find(const char *name)
{
	size_t i = dtype_index(name);

	return i < ARRAY_SIZE(dtypes) ? dtypes[i].name : NULL;
}

const char *graph_ops_dtype_js(const char *name)
{
	size_t i = dtype_index(name);

	return i < ARRAY_SIZE(dtypes) ? dtypes[i].js : NULL;
}
