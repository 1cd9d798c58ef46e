/* SPDX-License-Identifier: Apache-2.0 */
/* Checked numbers: every length, count and offset that came from outside goes through here. */
#pragma once

#include "common/base/macros.h"

#include <stdbool.h>
#include <stdint.h>

#define NUM_SAFE_INTEGER_MAX ((UINT64_C(1) << 53) - 1) /* the largest integer a JSON double holds */

#define KIB UINT64_C(1024)
#define MIB (UINT64_C(1024) * KIB)
#define GIB (UINT64_C(1024) * MIB)

/* True and *ret set when the result fits; false and *ret untouched when it does not. */
static inline bool num_add(uint64_t a, uint64_t b, uint64_t *ret)
{
	uint64_t sum;

	if (__builtin_add_overflow(a, b, &sum))
		return false;
	*ret = sum;
	return true;
}

static inline bool num_mul(uint64_t a, uint64_t b, uint64_t *ret)
{
	uint64_t product;

	if (__builtin_mul_overflow(a, b, &product))
		return false;
	*ret = product;
	return true;
}

/* Decimal digits only (no sign, no space), the whole of `n` bytes, at most `max`. */
bool num_parse(const char *s, size_t n, uint64_t max, uint64_t *ret);

/* A byte count: digits and an optional unit B, KiB, MiB, GiB or TiB (no space, case matters). */
bool num_parse_size(const char *s, uint64_t *ret);

/* A duration in milliseconds: digits and a unit ms, s, min, h or d; a bare number is refused
 * unless it is 0. */
bool num_parse_duration(const char *s, uint64_t *ret_ms);

/* "4 MiB", "512 B", "1.5 GiB": for people. `buf` holds at least NUM_SIZE_TEXT bytes; returns it. */
#define NUM_SIZE_TEXT 32
const char *num_format_size(uint64_t bytes, char *buf);
