/* SPDX-License-Identifier: Apache-2.0 */
/* One artifact understood as a whole: what the loader of its kind will need and give.
 *
 * Pure: no I/O, any thread. Takes time that grows with the topology: use a worker.
 */
#pragma once

#include "common/json/json_write.h"
#include "common/model/finding.h"
#include "common/model/modeljson.h"

struct artifact;

/* Check the topology against the manifest as the loader would. What makes it fail is an error in
 * `f`. *ret is set when anything could be learned; it keeps pointers into `m`, which must outlive
 * it. Errors: out of memory. */
int artifact_read(const struct modeljson *m, struct artifact **ret, struct findings *f,
	struct err *e);
void artifact_free(struct artifact *a);
DEFINE_CLEANUP(struct artifact, artifact_free)

/* Members of the open object: how many "layers", or "nodes" and "ops" and whether "execute_async"
 * is needed; and "signature" with "inputs" and "outputs" by name, each {"dtype","shape"} (-1 for a
 * free dimension, no shape when the rank is unknown; graph models also have the node's "name", a
 * "resource_id" where the initializer provides it, and where predict() returns an output under
 * another name than its signature has, that one as the "key"), and "source": "declared" in the
 * signature, in the "metadata", or "derived" from the topology. No two inputs have the same name,
 * nor two outputs. Nothing for what is not known. Accepts NULL. */
void artifact_write(const struct artifact *a, struct json_write *w);
