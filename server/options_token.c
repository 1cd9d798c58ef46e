/* SPDX-License-Identifier: Apache-2.0 */
#include "server/options_token.h"
#include "common/base/num.h"

#include <string.h>

#define LIFETIME_MAX_MS (UINT64_C(36500) * 86400000) /* a hundred years */
#define HINT            OPTIONS_TOKEN_HINT

int options_token_operands(struct options_token *t, int argc, char **argv, struct err *e)
{
	static const char *const actions[] = {"create", "list", "revoke"};
	int expected = 1;

	for (size_t i = 0; argc > 0 && i < ARRAY_SIZE(actions); i++) {
		if (strcmp(argv[0], actions[i]) != 0)
			continue;
		t->action = (enum options_token_action)i;
		expected = t->action == OPTIONS_TOKEN_REVOKE ? 2 : 1;
		if (argc < expected)
			return err_set(e, ERR_BAD_PARAMETER,
				"token revoke needs the id of a token; " HINT);
		if (argc > expected)
			return err_set(e, ERR_BAD_PARAMETER, "unexpected argument %s; " HINT,
				argv[expected]);
		t->id = expected == 2 ? argv[1] : NULL;
		return 0;
	}
	return err_set(e, ERR_BAD_PARAMETER, "token create, token list or token revoke ID; " HINT);
}

/* --expires TIME, counted from now, or never. */
static int read_lifetime(const char *text, uint64_t *ret, struct err *e)
{
	*ret = 0;
	if (!text || strcmp(text, "never") == 0)
		return 0;
	if (num_parse_duration(text, ret) && *ret > 0 && *ret <= LIFETIME_MAX_MS)
		return 0;
	return err_set(e, ERR_BAD_PARAMETER,
		"--expires is a time like 12h or 90d, at most 36500d, or never; " HINT);
}

int options_token_check(struct options_token *t, bool is_verb, const char *expires,
	struct err *e)
{
	bool creates = is_verb && t->action == OPTIONS_TOKEN_CREATE;

	if (!creates && (t->name || t->scopes_n > 0 || t->models_n > 0 || expires))
		return err_set(e, ERR_BAD_PARAMETER,
			"--name, --scope, --models and --expires go with `modeld token create`; "
			HINT);
	if (creates && t->scopes_n == 0)
		return err_set(e, ERR_BAD_PARAMETER,
			"token create needs --scope read, publish, label, delete or admin; " HINT);
	return read_lifetime(expires, &t->lifetime_ms, e);
}
