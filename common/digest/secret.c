/* SPDX-License-Identifier: Apache-2.0 */
#include "common/digest/secret.h"

#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <openssl/hmac.h>

#include <string.h>
#include <sys/random.h>

int secret_random(void *bytes, size_t n, struct err *e)
{
	uint8_t *at = bytes;

	while (n > 0) {
		ssize_t got = getrandom(at, n, 0);
		if (got < 0 && errno == EINTR)
			continue;
		if (got < 0)
			return err_sys(e, errno, "cannot get randomness from the kernel");
		at += got;
		n -= (size_t)got;
	}
	return 0;
}

bool secret_eq(const void *a, const void *b, size_t n)
{
	return CRYPTO_memcmp(a, b, n) == 0;
}

void secret_wipe(void *bytes, size_t n)
{
	OPENSSL_cleanse(bytes, n);
}

int secret_mac(const uint8_t key[SECRET_BYTES], const void *bytes, size_t n, struct digest *ret,
	struct err *e)
{
	struct digest d;

	if (!HMAC(EVP_sha256(), key, SECRET_BYTES, bytes, n, d.bytes, NULL))
		return err_set(e, ERR_INTERNAL,
			"the cryptographic library could not compute an HMAC");
	*ret = d;
	return 0;
}

/* ---- base64url ---- */

static const char alphabet[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";

/* OpenSSL has base64 alone, with padding, and forgives what must not be forgiven here. */
void secret_write(const void *bytes, size_t n, struct buf *out)
{
	const uint8_t *b = bytes;

	for (size_t i = 0; i < n; i += 3) {
		uint32_t group = (uint32_t)b[i] << 16;
		size_t left = n - i;
		group |= left > 1 ? (uint32_t)b[i + 1] << 8 : 0;
		group |= left > 2 ? b[i + 2] : 0;
		for (size_t k = 0; k < (left > 2 ? 4 : left + 1); k++)
			buf_add_char(out, alphabet[group >> (18 - 6 * k) & 63]);
	}
}

static int value_of(char c)
{
	const char *at = c ? strchr(alphabet, c) : NULL;

	return at ? (int)(at - alphabet) : -1;
}

bool secret_read(struct str text, void *bytes, size_t max, size_t *ret_n)
{
	uint8_t *out = bytes;
	uint32_t bits = 0;
	unsigned held = 0;
	size_t n = 0;

	for (size_t i = 0; i < text.n; i++) {
		int value = value_of(text.p[i]);
		if (value < 0)
			return false;
		bits = (bits << 6 | (uint32_t)value) & 0xFFFFFF;
		held += 6;
		if (held < 8)
			continue;
		if (n == max)
			return false;
		held -= 8;
		out[n++] = (uint8_t)(bits >> held);
	}
	*ret_n = n;
	/* A lone character holds no byte, and spare bits are zero. */
	return held < 6 && (bits & ((1u << held) - 1)) == 0;
}
