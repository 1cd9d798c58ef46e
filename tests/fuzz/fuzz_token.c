/* SPDX-License-Identifier: Apache-2.0 */
/* What comes as a token: in the Authorization header, as k in the query, and as what it allows. The
 * first byte chooses. */
#include "server/auth/grants.h"
#include "server/auth/links.h"
#include "server/auth/token.h"
#include "server/http/redact.h"
#include "tests/fuzz/fuzz.h"

#include <stdlib.h>
#include <string.h>

#define TARGET_MAX 8192

static const uint8_t key[SECRET_BYTES] = "a key for the corpus to be sign";

static void demand(bool holds)
{
	if (!holds)
		abort();
}

/* What is read is what would be written. */
static void check_text(struct str text)
{
	CLEANUP_BUF struct buf again = BUF_INIT(TARGET_MAX);
	uint8_t bytes[TARGET_MAX];
	size_t n;

	if (!secret_read(text, bytes, sizeof(bytes), &n))
		return;
	secret_write(bytes, n, &again);
	demand(again.len == text.n && memcmp(buf_str(&again), text.p, text.n) == 0);
}

static void check_credential(struct str text)
{
	CLEANUP_BUF struct buf again = BUF_INIT(LINKS_TEXT_MAX);
	struct links_grant link;
	struct token token;
	struct err e;

	if (token_read(text, &token))
		demand(text.n == TOKEN_TEXT && token_is_id(str_of(token.id)));
	if (!links_read(key, text, &link))
		return;
	demand(links_sign(key, &link, &again, &e) == 0);
	demand(again.len == text.n && memcmp(again.data, text.p, text.n) == 0);
}

static bool has_secret(const char *p, size_t n)
{
	for (size_t i = 0; i + 4 < n; i++)
		if (memcmp(p + i, "mdl_", 4) == 0 && p[i + 4] != '*' &&
			(str_is_digit(p[i + 4]) || str_is_lower(str_to_lower(p[i + 4]))))
			return true;
	return false;
}

static void check_target(struct str text)
{
	char target[TARGET_MAX];
	size_t n = text.n < sizeof(target) ? text.n : sizeof(target), shown;

	memcpy(target, text.p, n);
	shown = redact_target(target, n);
	demand(shown <= n && !has_secret(target, shown));
	demand(redact_target(target, shown) == shown);
}

static void check_grants(struct str text)
{
	CLEANUP_BUF struct buf once = BUF_INIT(1 << 20), twice = BUF_INIT(1 << 20);
	CLEANUP(grants_done) struct grants g = {NULL, 0}, again = {NULL, 0};
	struct err e;

	if (grants_read(&g, text, &e) < 0) {
		demand(e.text[0] != '\0');
		return;
	}
	grants_write(&g, &once);
	demand(grants_read(&again, (struct str){buf_str(&once), once.len}, &e) == 0);
	grants_write(&again, &twice);
	demand(strcmp(buf_str(&once), buf_str(&twice)) == 0);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct str text = {(const char *)data + 1, size - 1};

	if (size == 0)
		return 0;
	switch (data[0]) {
	case 'c':
		check_credential(text);
		break;
	case 't':
		check_target(text);
		break;
	case 'g':
		check_grants(text);
		break;
	default:
		check_text(text);
	}
	return 0;
}
