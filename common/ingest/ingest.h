/* SPDX-License-Identifier: Apache-2.0 */
/* The one door for bytes: whatever arrives, by HTTP or from another host, passes here on its way
 * into a blob, against limits that stand before the first byte.
 */
#pragma once

#include "common/store/blobs.h"

/* What all files of one upload may still take together. */
struct ingest_budget {
	uint64_t max_bytes;
	uint64_t used_bytes;
	uint64_t max_files;
	uint64_t used_files;
};

struct ingest_limits {
	uint64_t max_bytes; /* of this file */
	const char *what;   /* how messages call the file; copied */
};

/* How far something compressed may swell, whatever its size: so much is nobody's attack. */
#define INGEST_EXPANSION_FREE (UINT64_C(64) << 20)

/* ERR_TOO_LARGE when `out` bytes, made from the first `in` bytes of `what`, are more than
 * INGEST_EXPANSION_FREE and more than `max` times as many. */
int ingest_check_expansion(const char *what, uint64_t in, uint64_t out, unsigned max,
	struct err *e);

struct ingest; /* one file coming in */

/* ERR_TOO_LARGE when the budget has no file left. `budget` outlives the ingest. */
int ingest_open(struct blobs *blobs, const struct ingest_limits *limits,
	struct ingest_budget *budget, struct ingest **ret, struct err *e);
/* ERR_TOO_LARGE at the first surplus byte, naming the limit. Like blob_writer_write(), fit for a
 * thread that polls sockets. The first failure sticks. */
int ingest_write(struct ingest *in, const void *bytes, size_t n, struct err *e);
/* For reading what has arrived already (blob_writer_read_at()); NULL once finished. */
const struct blob_writer *ingest_writer(const struct ingest *in);
/* The writer holds the whole file after this; the caller owns it. */
int ingest_finish(struct ingest *in, struct blob_writer **ret, struct digest *ret_digest,
	uint64_t *ret_size, struct err *e);
void ingest_free(struct ingest *in);
DEFINE_CLEANUP(struct ingest, ingest_free)
