/* SPDX-License-Identifier: Apache-2.0 */
#include "common/digest/digest.h"
#include "common/digest/secret.h"

#include <openssl/evp.h>

#include <stdio.h>
#include <string.h>

#define BASE64_CHARS 44 /* of 32 bytes, padding included */
#define FIELD_KEY    "sha-256="

struct digest_ctx {
	EVP_MD_CTX *md;
};

static int crypto_failed(struct err *e)
{
	return err_set(e, ERR_INTERNAL, "the cryptographic library could not compute a SHA-256");
}

int digest_ctx_new(struct digest_ctx **ret, struct err *e)
{
	CLEANUP(digest_ctx_free_p) struct digest_ctx *ctx = calloc(1, sizeof(*ctx));

	if (!ctx)
		return err_nomem(e);
	ctx->md = EVP_MD_CTX_new();
	if (!ctx->md)
		return err_nomem(e);
	if (EVP_DigestInit_ex(ctx->md, EVP_sha256(), NULL) != 1)
		return crypto_failed(e);
	*ret = take_ptr(ctx);
	return 0;
}

void digest_ctx_free(struct digest_ctx *ctx)
{
	if (!ctx)
		return;
	EVP_MD_CTX_free(ctx->md);
	free(ctx);
}

int digest_ctx_update(struct digest_ctx *ctx, const void *bytes, size_t n, struct err *e)
{
	if (EVP_DigestUpdate(ctx->md, bytes, n) != 1)
		return crypto_failed(e);
	return 0;
}

int digest_ctx_finish(struct digest_ctx *ctx, struct digest *ret, struct err *e)
{
	struct digest d;

	if (EVP_DigestFinal_ex(ctx->md, d.bytes, NULL) != 1)
		return crypto_failed(e);
	if (EVP_DigestInit_ex(ctx->md, EVP_sha256(), NULL) != 1)
		return crypto_failed(e);
	*ret = d;
	return 0;
}

int digest_of(const void *bytes, size_t n, struct digest *ret, struct err *e)
{
	struct digest d;

	if (EVP_Digest(bytes, n, d.bytes, NULL, EVP_sha256(), NULL) != 1)
		return crypto_failed(e);
	*ret = d;
	return 0;
}

bool digest_eq(const struct digest *a, const struct digest *b)
{
	return memcmp(a->bytes, b->bytes, DIGEST_BYTES) == 0;
}

static void write_hex(const uint8_t *bytes, size_t n, char *buf)
{
	static const char digits[] = "0123456789abcdef";

	for (size_t i = 0; i < n; i++) {
		buf[2 * i] = digits[bytes[i] >> 4];
		buf[2 * i + 1] = digits[bytes[i] & 15];
	}
	buf[2 * n] = '\0';
}

const char *digest_hex(const struct digest *d, char buf[DIGEST_HEX + 1])
{
	write_hex(d->bytes, DIGEST_BYTES, buf);
	return buf;
}

static bool is_lower_hex(char c)
{
	return str_is_digit(c) || (c >= 'a' && c <= 'f');
}

bool digest_parse_hex(struct str hex, struct digest *ret)
{
	struct digest d;

	if (hex.n != DIGEST_HEX)
		return false;
	for (size_t i = 0; i < DIGEST_HEX; i++)
		if (!is_lower_hex(hex.p[i]))
			return false;
	for (size_t i = 0; i < DIGEST_BYTES; i++)
		d.bytes[i] = (uint8_t)(str_hex_value(hex.p[2 * i]) << 4 |
			str_hex_value(hex.p[2 * i + 1]));
	*ret = d;
	return true;
}

static void write_base64(const struct digest *d, char buf[BASE64_CHARS + 1])
{
	(void)EVP_EncodeBlock((unsigned char *)buf, d->bytes, DIGEST_BYTES);
}

const char *digest_field(const struct digest *d, char buf[DIGEST_FIELD])
{
	char base64[BASE64_CHARS + 1];

	write_base64(d, base64);
	(void)snprintf(buf, DIGEST_FIELD, FIELD_KEY ":%s:", base64);
	return buf;
}

/* OpenSSL's decoder forgives spaces and spare bits: only text that encodes back to itself. */
static bool parse_base64(struct str text, struct digest *ret)
{
	unsigned char decoded[BASE64_CHARS];
	char again[BASE64_CHARS + 1];
	struct digest d;

	if (text.n != BASE64_CHARS)
		return false;
	if (EVP_DecodeBlock(decoded, (const unsigned char *)text.p, BASE64_CHARS) < DIGEST_BYTES)
		return false;
	memcpy(d.bytes, decoded, DIGEST_BYTES);
	write_base64(&d, again);
	if (memcmp(again, text.p, BASE64_CHARS) != 0)
		return false;
	*ret = d;
	return true;
}

/* RFC 8941 3.3.5: a byte sequence stands between colons; parameters may follow it. */
static bool parse_member_value(struct str value, struct digest *ret)
{
	size_t end = 1 + BASE64_CHARS;

	if (value.n <= end || value.p[0] != ':' || value.p[end] != ':')
		return false;
	if (value.n > end + 1 && value.p[end + 1] != ';')
		return false;
	return parse_base64((struct str){value.p + 1, BASE64_CHARS}, ret);
}

bool digest_parse_field(struct str field, struct digest *ret, bool *ret_present)
{
	struct str member;
	bool valid = false;
	struct digest d;

	*ret_present = false;
	while (str_split(&field, ',', &member)) {
		member = str_trim(member);
		if (!str_starts(member, FIELD_KEY))
			continue;
		member.p += sizeof(FIELD_KEY) - 1;
		member.n -= sizeof(FIELD_KEY) - 1;
		*ret_present = true; /* RFC 8941 3.2: the last of several counts */
		valid = parse_member_value(member, &d);
	}
	if (valid)
		*ret = d;
	return valid;
}

int digest_random_hex(char *buf, size_t n, struct err *e)
{
	uint8_t bytes[DIGEST_BYTES];
	int r;

	for (size_t done = 0; done < n;) {
		size_t piece = (n - done) / 2 < sizeof(bytes) ? (n - done) / 2 : sizeof(bytes);

		r = secret_random(bytes, piece, e);
		if (r < 0)
			return r;
		write_hex(bytes, piece, buf + done);
		done += 2 * piece;
	}
	return 0;
}
