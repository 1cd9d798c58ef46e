/* SPDX-License-Identifier: Apache-2.0 */
/* What secrets need: randomness, comparison that takes the same time whatever it finds, HMAC, and
 * the spelling in which they travel. Through OpenSSL libcrypto. */
#pragma once

#include "common/digest/digest.h"

#define SECRET_BYTES 32
#define SECRET_TEXT  43 /* characters of them, without a NUL */

/* From the kernel. */
int secret_random(void *bytes, size_t n, struct err *e);

/* In a time that depends on `n` alone (CRYPTO_memcmp). */
bool secret_eq(const void *a, const void *b, size_t n);

/* Overwrites them, whatever the compiler thinks of it. */
void secret_wipe(void *bytes, size_t n);

/* HMAC-SHA-256 (RFC 2104). */
int secret_mac(const uint8_t key[SECRET_BYTES], const void *bytes, size_t n, struct digest *ret,
	struct err *e);

/* base64url without padding (RFC 4648 5), appended. */
void secret_write(const void *bytes, size_t n, struct buf *out);
/* Back into at most `max` bytes. False, with *ret_n undefined, for anything that secret_write()
 * would not have written, and for more bytes. */
bool secret_read(struct str text, void *bytes, size_t max, size_t *ret_n);
