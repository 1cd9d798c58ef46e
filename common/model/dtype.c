/* SPDX-License-Identifier: Apache-2.0 */
#include "common/model/dtype.h"

enum use { WEIGHT, QUANTIZED };

static const struct {
	const char *name;
	unsigned bytes;
	enum use use;
} dtypes[] = {
	[DTYPE_FLOAT32] = {"float32", 4, WEIGHT},
	[DTYPE_INT32] = {"int32", 4, WEIGHT},
	[DTYPE_BOOL] = {"bool", 1, WEIGHT},
	[DTYPE_STRING] = {"string", 0, WEIGHT},
	[DTYPE_COMPLEX64] = {"complex64", 8, WEIGHT},
	[DTYPE_UINT8] = {"uint8", 1, QUANTIZED},
	[DTYPE_UINT16] = {"uint16", 2, QUANTIZED},
	[DTYPE_FLOAT16] = {"float16", 2, QUANTIZED},
};

static bool parse(const char *name, enum use use, enum dtype *ret)
{
	for (size_t i = 0; i < ARRAY_SIZE(dtypes); i++) {
		if (dtypes[i].use == use && strcmp(name, dtypes[i].name) == 0) {
			*ret = (enum dtype)i;
			return true;
		}
	}
	return false;
}

bool dtype_parse_weight(const char *name, enum dtype *ret)
{
	return parse(name, WEIGHT, ret);
}

bool dtype_parse_quantized(const char *name, enum dtype *ret)
{
	return parse(name, QUANTIZED, ret);
}

const char *dtype_name(enum dtype t)
{
	return dtypes[t].name;
}

unsigned dtype_bytes(enum dtype t)
{
	return dtypes[t].bytes;
}
