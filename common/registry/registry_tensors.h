/* SPDX-License-Identifier: Apache-2.0 */
/* What was measured of the weights of a version. Hashing each weight, after its files were hashed,
 * is half of the work of a publish, and nobody has to wait for it there: the digests of large
 * weights are computed from the stored files afterwards, by whoever is the first to ask for them or
 * in the background, and kept. Whoever asks gets them; no answer ever leaves them out.
 */
#pragma once

#include "common/registry/registry_encode.h"

/* The JSON array of weightscan_write(), for the caller to free; "" for a version without weights.
 * Blocks for as long as reading and hashing all weights takes, where that is still to be done: for
 * one version at a time, and ERR_BUSY when REGISTRY_TENSORS_ASKED callers wait for that already.
 * Errors of the store; ERR_CORRUPT when a file that has to be read is damaged; ERR_DELETED. */
#define REGISTRY_TENSORS_ASKED 4
int registry_tensors(struct registry *r, const struct catalog_version *v, char **ret,
	struct err *e);

/* Do that for the version whose turn it is, if there is any, at the pace of registry_encode.h and
 * as it is described there. One that fails is put off. */
int registry_tensors_next(struct registry *r, struct registry_encode *how,
	struct registry_encoded *ret, struct err *e);
