/* SPDX-License-Identifier: Apache-2.0 */
/* Tokens as people carry them: mdl_<id>_<secret>, of which the store has the id and the SHA-256 of
 * the secret. Every token has the same length; the id is hexadecimal, the secret 32 random bytes in
 * base64url, so that nothing in it has to be escaped in a URL. */
#pragma once

#include "common/store/catalog_token.h"

#define TOKEN_PREFIX "mdl_"
#define TOKEN_TEXT   (sizeof(TOKEN_PREFIX) - 1 + CATALOG_TOKEN_ID + 1 + SECRET_TEXT)

struct token {
	char id[CATALOG_TOKEN_ID + 1];
	struct digest secret; /* its SHA-256 */
};

/* A new one. Wipe the text when it has been shown. */
int token_make(char text[TOKEN_TEXT + 1], struct token *ret, struct err *e);
/* False when it is none by its form. */
bool token_read(struct str text, struct token *ret);
/* An id by its form? */
bool token_is_id(struct str text);

struct token_wish {
	const char *name;   /* "" for none */
	const char *grants; /* as grants_write() writes them */
	uint64_t expires_ms; /* 0: never */
};

/* Make one and keep it. ERR_BAD_PARAMETER for a name that is too long or has more than printable
 * characters, ERR_TOO_MANY. *ret has no grants. Blocks. */
int token_issue(struct catalog *c, const struct token_wish *w, char text[TOKEN_TEXT + 1],
	struct catalog_token *ret, struct err *e);
