/* SPDX-License-Identifier: Apache-2.0 */
#include "server/auth/token.h"

#include <stdio.h>

#define ISSUE_TRIES 8 /* ids of 48 bits: a second one is next to never needed */

/* The secret is hashed as it is written: nothing needs its bytes. */
static int hash(struct str secret, struct digest *ret, struct err *e)
{
	return digest_of(secret.p, secret.n, ret, e);
}

int token_make(char text[TOKEN_TEXT + 1], struct token *ret, struct err *e)
{
	CLEANUP_BUF struct buf secret = BUF_INIT(SECRET_TEXT);
	uint8_t bytes[SECRET_BYTES];
	int r = digest_random_hex(ret->id, CATALOG_TOKEN_ID, e);

	if (r == 0)
		r = secret_random(bytes, sizeof(bytes), e);
	if (r < 0)
		return r;
	secret_write(bytes, sizeof(bytes), &secret);
	secret_wipe(bytes, sizeof(bytes));
	r = buf_check(&secret, "a secret", e);
	if (r == 0)
		r = hash((struct str){secret.data, secret.len}, &ret->secret, e);
	(void)snprintf(text, TOKEN_TEXT + 1, TOKEN_PREFIX "%s_%s", ret->id, buf_str(&secret));
	if (secret.data)
		secret_wipe(secret.data, secret.len);
	return r;
}

bool token_is_id(struct str text)
{
	for (size_t i = 0; i < text.n; i++)
		if (!str_is_digit(text.p[i]) && (text.p[i] < 'a' || text.p[i] > 'f'))
			return false;
	return text.n == CATALOG_TOKEN_ID;
}

bool token_read(struct str text, struct token *ret)
{
	const size_t prefix = sizeof(TOKEN_PREFIX) - 1;
	struct str id = {text.p + prefix, CATALOG_TOKEN_ID};
	struct str secret = {text.p + prefix + CATALOG_TOKEN_ID + 1, SECRET_TEXT};
	uint8_t bytes[SECRET_BYTES];
	struct err ignored;
	bool valid;
	size_t n;

	if (text.n != TOKEN_TEXT || !str_starts(text, TOKEN_PREFIX) || !token_is_id(id) ||
		id.p[id.n] != '_')
		return false;
	valid = secret_read(secret, bytes, sizeof(bytes), &n);
	secret_wipe(bytes, sizeof(bytes));
	if (!valid || hash(secret, &ret->secret, &ignored) < 0)
		return false;
	memcpy(ret->id, id.p, id.n);
	ret->id[id.n] = '\0';
	return true;
}

static int check_name(const char *name, struct err *e)
{
	for (const char *p = name; *p; p++)
		if (*p < 0x20 || *p > 0x7E)
			return err_set(e, ERR_BAD_PARAMETER,
				"the name of a token is of printable ASCII characters");
	if (strlen(name) > CATALOG_TOKEN_NAME)
		return err_set(e, ERR_BAD_PARAMETER,
			"the name of a token has at most %d characters", CATALOG_TOKEN_NAME);
	return 0;
}

int token_issue(struct catalog *c, const struct token_wish *w, char text[TOKEN_TEXT + 1],
	struct catalog_token *ret, struct err *e)
{
	struct catalog_token row = {.expires_ms = w->expires_ms};
	int r = check_name(w->name, e);

	if (r < 0)
		return r;
	(void)snprintf(row.name, sizeof(row.name), "%s", w->name);
	row.grants = (char *)(uintptr_t)w->grants;
	r = -(int)ERR_CONFLICT;
	for (unsigned i = 0; i < ISSUE_TRIES && r == -(int)ERR_CONFLICT; i++) {
		struct token t;
		r = token_make(text, &t, e);
		if (r < 0)
			break;
		memcpy(row.id, t.id, sizeof(row.id));
		row.secret = t.secret;
		r = catalog_token_add(c, &row, e);
	}
	if (r < 0) {
		secret_wipe(text, TOKEN_TEXT + 1);
		return r;
	}
	row.grants = NULL;
	*ret = row;
	return 0;
}
