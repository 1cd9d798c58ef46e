/* SPDX-License-Identifier: Apache-2.0 */
#include "server/auth/links.h"

#include <stdio.h>

#define FORM         1
#define TOKEN_BYTES  (CATALOG_TOKEN_ID / 2)
#define EXPIRY_BYTES 5
#define HEAD_BYTES   (1 + TOKEN_BYTES + EXPIRY_BYTES + 8)
#define BYTES_MAX    (HEAD_BYTES + REF_NAME_MAX + DIGEST_BYTES)
#define EXPIRY_MAX   ((UINT64_C(1) << (8 * EXPIRY_BYTES)) - 1)

_Static_assert(sizeof(LINKS_PREFIX) + (BYTES_MAX + 2) / 3 * 4 <= LINKS_TEXT_MAX, "all fit");

static uint8_t *put(uint8_t *at, uint64_t value, size_t n)
{
	for (size_t i = 0; i < n; i++)
		*at++ = (uint8_t)(value >> (8 * (n - 1 - i)));
	return at;
}

static const uint8_t *get(const uint8_t *at, size_t n, uint64_t *ret)
{
	*ret = 0;
	for (size_t i = 0; i < n; i++)
		*ret = *ret << 8 | *at++;
	return at;
}

static uint64_t id_number(const char *id)
{
	uint64_t number = 0;

	for (; *id; id++)
		number = number << 4 | (unsigned)str_hex_value(*id);
	return number;
}

int links_sign(const uint8_t key[SECRET_BYTES], const struct links_grant *g, struct buf *out,
	struct err *e)
{
	uint64_t expiry_s = g->expires_ms / 1000;
	uint8_t bytes[BYTES_MAX], *at = bytes;
	size_t name_n = strlen(g->model);
	struct digest mac;
	int r;

	*at++ = FORM;
	at = put(at, id_number(g->token), TOKEN_BYTES);
	at = put(at, expiry_s < EXPIRY_MAX ? expiry_s : EXPIRY_MAX, EXPIRY_BYTES);
	at = put(at, g->version, 8);
	memcpy(at, g->model, name_n);
	at += name_n;
	r = secret_mac(key, bytes, (size_t)(at - bytes), &mac, e);
	if (r < 0)
		return r;
	memcpy(at, mac.bytes, DIGEST_BYTES);
	at += DIGEST_BYTES;
	buf_add_str(out, LINKS_PREFIX);
	secret_write(bytes, (size_t)(at - bytes), out);
	return buf_check(out, "a link", e);
}

static bool is_signed(const uint8_t key[SECRET_BYTES], const uint8_t *bytes, size_t n)
{
	struct err ignored;
	struct digest mac;

	return secret_mac(key, bytes, n, &mac, &ignored) == 0 &&
		secret_eq(mac.bytes, bytes + n, DIGEST_BYTES);
}

bool links_read(const uint8_t key[SECRET_BYTES], struct str text, struct links_grant *ret)
{
	const size_t prefix = sizeof(LINKS_PREFIX) - 1;
	uint8_t bytes[BYTES_MAX];
	const uint8_t *at = bytes + 1;
	struct str payload = {text.p + prefix, text.n - prefix};
	uint64_t id, expiry_s;
	size_t n, name_n;

	if (!str_starts(text, LINKS_PREFIX) || !secret_read(payload, bytes, sizeof(bytes), &n))
		return false;
	if (n <= HEAD_BYTES + DIGEST_BYTES || bytes[0] != FORM)
		return false;
	n -= DIGEST_BYTES;
	name_n = n - HEAD_BYTES;
	if (name_n > REF_NAME_MAX || !is_signed(key, bytes, n))
		return false;
	at = get(at, TOKEN_BYTES, &id);
	at = get(at, EXPIRY_BYTES, &expiry_s);
	at = get(at, 8, &ret->version);
	(void)snprintf(ret->token, sizeof(ret->token), "%0*llx", CATALOG_TOKEN_ID,
		(unsigned long long)id);
	memcpy(ret->model, at, name_n);
	ret->model[name_n] = '\0';
	ret->expires_ms = expiry_s * 1000;
	return true;
}
