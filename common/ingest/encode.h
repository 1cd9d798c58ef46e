/* SPDX-License-Identifier: Apache-2.0 */
/* gzip (RFC 1952) and Brotli (RFC 7932) as content codings of HTTP (RFC 9110 8.4.1): bytes in,
 * coded bytes out, in pieces of any size. Pure: no I/O, does not wait; for any thread, one at a
 * time.
 *
 * The same bytes, effort and size give the same coded bytes, with the same release of the library:
 * the gzip header has no time (MTIME 0) and no system (OS 255). The data of a gzip stream ends with
 * a full flush (Z_FULL_FLUSH), and the empty block behind it is the last one, so that what comes
 * before that block can be continued with other full-flushed data, the CRC-32 being combined.
 */
#pragma once

#include "common/base/err.h"
#include "common/base/str.h"

#include <stdatomic.h>

enum encode_coding {
	ENCODE_BROTLI,
	ENCODE_GZIP,
};

#define ENCODE_CODINGS 2

/* Its name in Accept-Encoding and Content-Encoding: "br", "gzip". */
const char *encode_name(enum encode_coding coding);
/* False when `name` is that of neither. */
bool encode_parse(const char *name, enum encode_coding *ret);

/* How much work: each is several times slower than the one before, Brotli's last one fifty times.
 * gzip never takes more than 1 MiB. */
enum encode_effort {
	ENCODE_CHEAP, /* only to see whether it pays; Brotli takes 2 MiB */
	ENCODE_FAST,  /* while somebody waits; 16 MiB */
	ENCODE_GOOD,  /* 48 MiB */
	ENCODE_BEST,  /* a MiB takes about a second; 24 MiB for a size of 1 MiB, 64 MiB for 4 MiB */
};

struct encode_options {
	enum encode_coding coding;
	enum encode_effort effort;
	uint64_t size;           /* bytes that will come, or a guess; chooses the window */
	const atomic_bool *stop; /* NULL, or: ERR_SHUTTING_DOWN once it is true */
};

/* Takes coded bytes; a negative answer stops and is returned. */
typedef int encode_sink_fn(void *cls, const void *bytes, size_t n, struct err *e);

struct encode;

int encode_new(const struct encode_options *o, encode_sink_fn *sink, void *cls, struct encode **ret,
	struct err *e);
/* The flag is looked at before every 64 KiB. After a failure nothing else may be called but
 * encode_free(). */
int encode_write(struct encode *x, const void *bytes, size_t n, struct err *e);
/* No more bytes: the sink has all of the coded ones then. */
int encode_finish(struct encode *x, struct err *e);
void encode_free(struct encode *x);
DEFINE_CLEANUP(struct encode, encode_free)

/* What a coded form has to save to be worth a second entity in caches: below that, headers and the
 * work of decoding outweigh it. */
#define ENCODE_LEAST_SAVED 64

/* All of `in` at once with ENCODE_FAST, for bytes that are made while somebody waits. The coded
 * bytes are appended to `out`. *ret_pays is false, and `out` is as before, when they would not be
 * ENCODE_LEAST_SAVED smaller, or do not fit the ceiling of `out`. */
int encode_buf(enum encode_coding coding, struct str in, struct buf *out, bool *ret_pays,
	struct err *e);
