/* SPDX-License-Identifier: Apache-2.0 */
/* What TensorFlow.js makes of JSON values where it expects a weight's name or a number. It does not
 * look at their types: a name becomes the key of an object, and numbers are calculated with
 * (tfjs-core/src/io/io_utils.ts, decodeWeights; ECMA-262, ToString and ToNumber). Internal to
 * common/model.
 */
#pragma once

#include "common/json/json.h"

/* The key that a value which is no string becomes: "undefined" for NULL. The caller frees it. NULL
 * without memory. JSON_LIMITS_MODEL keeps it below MANIFEST_NAME_MAX bytes. */
#define MANIFEST_NAME_MAX (128u << 20)
char *manifest_name_made(const struct json *v);

/* The number that a value which is none becomes in a product; NaN when it is none for JavaScript
 * either. Arrays, which become a number by way of their text, count as none. */
double manifest_name_number(const struct json *v);
