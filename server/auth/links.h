/* SPDX-License-Identifier: Apache-2.0 */
/* Capability links: who holds one may read one model, or one version of it, for a time. Nothing of
 * them is stored; they are signed with the key of the store (HMAC-SHA-256), and name the token that
 * gave them, without which they are worth nothing.
 *
 *   mdk_ base64url( 1  token id (6)  expiry in s (5)  version (8)  model  MAC of all this (32) )
 */
#pragma once

#include "common/model/ref.h"
#include "common/store/catalog_token.h"

#define LINKS_PREFIX   "mdk_"
#define LINKS_TEXT_MAX 256

struct links_grant {
	char token[CATALOG_TOKEN_ID + 1];
	char model[REF_NAME_MAX + 1];
	uint64_t version;    /* 0: all */
	uint64_t expires_ms; /* cut to whole seconds */
};

/* Appended; at most LINKS_TEXT_MAX bytes. */
int links_sign(const uint8_t key[SECRET_BYTES], const struct links_grant *g, struct buf *out,
	struct err *e);
/* False when it was not signed with this key. Whether it has expired is for the caller. */
bool links_read(const uint8_t key[SECRET_BYTES], struct str text, struct links_grant *ret);
