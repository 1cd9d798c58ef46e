/* SPDX-License-Identifier: Apache-2.0 */
/* The opposite of encode.h, to prove what was coded: in pieces of any size. Memory is bounded by
 * the 16 MiB window of Brotli. Pure: no I/O, does not wait.
 */
#pragma once

#include "common/ingest/encode.h"

struct decode;

/* `most`: bytes that may come out. The sink gets them as they come. */
int decode_new(enum encode_coding coding, uint64_t most, encode_sink_fn *sink, void *cls,
	struct decode **ret, struct err *e);
/* ERR_CORRUPT: the stream is damaged, goes on behind its end, or holds more than `most` bytes.
 * After a failure nothing else may be called but decode_free(). */
int decode_write(struct decode *x, const void *bytes, size_t n, struct err *e);
/* ERR_CORRUPT unless the stream ends here. */
int decode_finish(struct decode *x, struct err *e);
void decode_free(struct decode *x);
DEFINE_CLEANUP(struct decode, decode_free)
