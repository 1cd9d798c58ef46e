/* SPDX-License-Identifier: Apache-2.0 */
/* SHA-256 through OpenSSL libcrypto, and the spellings in which digests travel. */
#pragma once

#include "common/base/err.h"
#include "common/base/str.h"

#include <stddef.h>
#include <stdint.h>

#define DIGEST_BYTES 32
#define DIGEST_HEX   (2 * DIGEST_BYTES) /* characters, without a NUL */

struct digest {
	uint8_t bytes[DIGEST_BYTES];
};

/* Incremental hashing. Not shared between threads. */
struct digest_ctx;
int digest_ctx_new(struct digest_ctx **ret, struct err *e);
void digest_ctx_free(struct digest_ctx *ctx);
DEFINE_CLEANUP(struct digest_ctx, digest_ctx_free)
int digest_ctx_update(struct digest_ctx *ctx, const void *bytes, size_t n, struct err *e);
/* The digest so far; the context starts anew. */
int digest_ctx_finish(struct digest_ctx *ctx, struct digest *ret, struct err *e);

int digest_of(const void *bytes, size_t n, struct digest *ret, struct err *e);
bool digest_eq(const struct digest *a, const struct digest *b);

/* 64 lower-case hex digits and a NUL into `buf`; returns it. */
const char *digest_hex(const struct digest *d, char buf[DIGEST_HEX + 1]);
/* Exactly 64 lower-case hex digits. */
bool digest_parse_hex(struct str hex, struct digest *ret);

/* RFC 9530 field value: "sha-256=:<base64>:". `buf` holds DIGEST_FIELD bytes; returns it. */
#define DIGEST_FIELD 64
const char *digest_field(const struct digest *d, char buf[DIGEST_FIELD]);
/* The sha-256 member of a Repr-Digest or Content-Digest field. False when there is none or it is
 * malformed; *ret_present tells the two apart. */
bool digest_parse_field(struct str field, struct digest *ret, bool *ret_present);

/* `n` lower-case hex digits (n even) of randomness from the kernel, and a NUL. */
int digest_random_hex(char *buf, size_t n, struct err *e);
