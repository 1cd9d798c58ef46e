/* SPDX-License-Identifier: Apache-2.0 */
/* The digest that names a version, whatever its model is called. Pure. */
#pragma once

#include "common/digest/digest.h"

/* Root digest of a version: SHA-256 over one line "<sha256 hex> <size in decimal> <path>\n" a file,
 * sorted bytewise by path. */
struct rootdigest_file {
	const char *path;
	struct digest digest;
	uint64_t size;
};
int rootdigest_of(const struct rootdigest_file *sorted, size_t n, struct digest *ret,
	struct err *e);
