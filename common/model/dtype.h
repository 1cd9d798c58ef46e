/* SPDX-License-Identifier: Apache-2.0 */
/* The dtypes of weights: what TensorFlow.js decodes (tfjs-core/src/io/io_utils.ts and types.ts). */
#pragma once

#include "common/base/str.h"

enum dtype {
	DTYPE_FLOAT32,
	DTYPE_INT32,
	DTYPE_BOOL,
	DTYPE_STRING,
	DTYPE_COMPLEX64,
	/* stored forms, only inside `quantization` */
	DTYPE_UINT8,
	DTYPE_UINT16,
	DTYPE_FLOAT16,
};

/* False for a name that TensorFlow.js does not decode in that place. */
bool dtype_parse_weight(const char *name, enum dtype *ret);
bool dtype_parse_quantized(const char *name, enum dtype *ret);

const char *dtype_name(enum dtype t);
/* Bytes of one element; 0 for DTYPE_STRING, whose elements vary. */
unsigned dtype_bytes(enum dtype t);
