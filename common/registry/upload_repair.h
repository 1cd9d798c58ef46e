/* SPDX-License-Identifier: Apache-2.0 */
/* Shards that TensorFlow.js would read wrongly, or a browser not at all, cut anew. Inside the
 * registry only. */
#pragma once

#include "common/registry/upload_model.h"
#include "common/registry/upload_weights.h"

struct upload_repair {
	const char *rule;       /* id of the one that was broken; NULL: nothing was done */
	struct digest original; /* root digest of the files as they were sent */
	struct blob *bytes;     /* the new model.json */
	struct modeljson *json; /* reads `bytes` */
};

/* Paths are decided, `w` is of them, and nothing is wrong with the model otherwise. Where the
 * layout of the shards is (sharding.h), either `f` gets the error, or the upload's shards and
 * model.json are replaced by ones with the same weights in one group of equal shards, and `f` gets
 * weights.resharded. Reads and writes all weights once then, in pieces. */
int upload_repair_shards(struct upload *u, const struct upload_model *m,
	const struct upload_weights *w, struct upload_repair *ret, struct findings *f,
	struct err *e);
void upload_repair_done(struct upload_repair *r);
