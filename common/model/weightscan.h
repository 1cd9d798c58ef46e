/* SPDX-License-Identifier: Apache-2.0 */
/* One pass over all bytes of the weights, in stream order and in pieces of any size: where each
 * weight lies and ends, its statistics, its SHA-256. Memory grows with the number of weights, not
 * with their bytes. Used by one thread at a time.
 */
#pragma once

#include "common/digest/digest.h"
#include "common/json/json_write.h"
#include "common/model/weightstats.h"

struct weightscan_tensor {
	uint64_t offset; /* in the stream; without bytes, where the one before it ends */
	uint64_t bytes;  /* lengths of strings included */
	struct weightstats stats;
	bool has_sha256;
	struct digest sha256; /* of the bytes as they are stored */
};

struct weightscan;

/* `m` must outlive it. */
int weightscan_new(const struct manifest *m, struct weightscan **ret, struct err *e);
void weightscan_free(struct weightscan *s);
DEFINE_CLEANUP(struct weightscan, weightscan_free)

/* Before the first bytes: the digests of weights that have bytes are left out. Hashing takes most
 * of the time. */
void weightscan_leave_digests(struct weightscan *s);

/* The next bytes of the stream; those behind the last weight are only counted. Errors: of the hash;
 * the first one sticks. */
int weightscan_feed(struct weightscan *s, const uint8_t *bytes, size_t n, struct err *e);
/* No more bytes. */
int weightscan_finish(struct weightscan *s, struct err *e);

/* How far it is; the end of it after finish, as below. */
const struct manifest_walk *weightscan_walk(const struct weightscan *s);
/* By weight, as many as the manifest has. Of weights behind the end of a stream that was too short,
 * all is 0. */
const struct weightscan_tensor *weightscan_tensors(const struct weightscan *s);

/* After finish: this part of the stream has this digest, which is that of a weight with just these
 * bytes. Parts come in their order. */
void weightscan_slice(struct weightscan *s, uint64_t offset, uint64_t bytes,
	const struct digest *sha256);
/* None is left out. */
bool weightscan_has_digests(const struct weightscan *s);

/* Warnings: weights.not-finite for weights with NaN or infinite values, weights.all-zero for ones
 * of two dimensions or more with nothing but zeros (vectors, such as biases, begin like that). */
void weightscan_findings(const struct weightscan *s, struct findings *f);

/* [{"name","dtype","shape","quantization","offset","bytes","min","max","mean","zeros","nan",
 * "infinite","sha256"}...] as the value of `key`, in stream order. min, max and mean are those of
 * the finite values, and left out where there are none; "quantization" is the stored dtype where
 * there is one; "sha256" is left out where it is not known. */
void weightscan_write(const struct weightscan *s, struct json_write *w, const char *key);
