/* SPDX-License-Identifier: Apache-2.0 */
/* Range (RFC 9110 14): which bytes of a representation of known size were asked for. Pure.
 *
 * Several ranges are answered with the whole representation, which 14.2 allows: no TensorFlow.js
 * client asks for them.
 */
#pragma once

#include <stdint.h>

enum range_answer {
	RANGE_WHOLE,         /* no Range, another unit, malformed, or several ranges: 200 */
	RANGE_PART,          /* 206 */
	RANGE_UNSATISFIABLE, /* 416 */
};

/* `header` may be NULL. *ret_start and *ret_length are set for RANGE_PART, which never is empty: a
 * suffix of an empty representation, satisfiable by 14.1.2, is RANGE_WHOLE. */
enum range_answer range_parse(const char *header, uint64_t size, uint64_t *ret_start,
	uint64_t *ret_length);
