/* SPDX-License-Identifier: Apache-2.0 */
#include "server/tokens.h"
#include "common/base/clock.h"
#include "common/base/fsio.h"
#include "common/registry/registry.h"
#include "server/auth/grants.h"
#include "server/auth/token.h"
#include "server/auth/token_json.h"

#include <stdio.h>

#define OUTPUT_MAX (16u << 20)

/* ---- create ---- */

static int read_grants(const struct options_token *t, struct grants *ret, struct err *e)
{
	static const char *const every[] = {"**"};
	const char *const *models = t->models_n > 0 ? t->models : every;
	size_t models_n = t->models_n > 0 ? t->models_n : 1;
	int r = 0;

	for (size_t i = 0; r == 0 && i < t->scopes_n; i++) {
		struct str rest = str_of(t->scopes[i]), word;
		while (r == 0 && str_split(&rest, ',', &word))
			r = grants_add(ret, word, models, models_n, e);
	}
	return r;
}

/* The token alone, so that a script can take it; the rest goes to standard error. */
static int create(struct catalog *c, const struct options *o, struct err *e)
{
	CLEANUP(grants_done) struct grants grants = {NULL, 0};
	CLEANUP_BUF struct buf words = BUF_INIT(CATALOG_TOKEN_GRANTS);
	CLEANUP_BUF struct buf out = BUF_INIT(TOKEN_TEXT + 1);
	const struct options_token *t = &o->token;
	char text[TOKEN_TEXT + 1], until[CLOCK_TEXT];
	struct catalog_token row;
	int r = read_grants(t, &grants, e);

	grants_write(&grants, &words);
	if (r == 0)
		r = buf_check(&words, "what the token allows", e);
	if (r == 0)
		r = token_issue(c,
			&(struct token_wish){
				.name = t->name ? t->name : "",
				.grants = buf_str(&words),
				.expires_ms = t->lifetime_ms ? clock_now_ms() + t->lifetime_ms : 0,
			},
			text, &row, e);
	if (r < 0)
		return r;
	(void)fprintf(stderr, "token %s: %s, until %s; it is not shown again\n", row.id,
		buf_str(&words),
		row.expires_ms ? clock_rfc3339(row.expires_ms, until) : "it is revoked");
	buf_addf(&out, "%s\n", text);
	return fsio_print(&out, e);
}

/* ---- list ---- */

static void print_token(const struct catalog_token *t, struct buf *out)
{
	char created[CLOCK_TEXT], expires[CLOCK_TEXT], used[CLOCK_TEXT];

	buf_addf(out, "%s  %-16s  created %s  expires %s  used %s  %s\n", t->id,
		t->name[0] ? t->name : "-", clock_rfc3339(t->created_ms, created),
		t->expires_ms ? clock_rfc3339(t->expires_ms, expires) : "never",
		t->used_ms ? clock_rfc3339(t->used_ms, used) : "never", t->grants);
}

static int list(struct catalog *c, const struct options *o, struct err *e)
{
	CLEANUP(catalog_token_list_done) struct catalog_tokens tokens = {NULL, 0};
	CLEANUP_BUF struct buf out = BUF_INIT(OUTPUT_MAX);
	int r = catalog_token_list(c, true, &tokens, e);

	if (r < 0)
		return r;
	if (o->json)
		token_json_list(&tokens, &out);
	for (size_t i = 0; !o->json && i < tokens.n; i++)
		print_token(&tokens.items[i], &out);
	return fsio_print(&out, e);
}

/* ---- revoke ---- */

/* A whole token does as well as its id. */
static int revoke_one(struct catalog *c, const struct options *o, struct err *e)
{
	struct str id = str_of(o->token.id);
	char text[CATALOG_TOKEN_ID + 1];
	struct token token;

	if (token_read(id, &token))
		return catalog_token_remove(c, token.id, e);
	if (!token_is_id(id))
		return err_set(e, ERR_BAD_PARAMETER,
			"the id of a token is %d hexadecimal digits: see `modeld token list`",
			CATALOG_TOKEN_ID);
	memcpy(text, id.p, id.n);
	text[id.n] = '\0';
	return catalog_token_remove(c, text, e);
}

int tokens_run(const struct options *o, struct err *e)
{
	const struct registry_options options = {.dir = o->config.store_dir};
	CLEANUP(registry_close_p) struct registry *registry = NULL;
	int r = registry_open_beside(&options, &registry, e);

	if (r < 0)
		return r;
	switch (o->token.action) {
	case OPTIONS_TOKEN_CREATE:
		return create(registry_catalog(registry), o, e);
	case OPTIONS_TOKEN_LIST:
		return list(registry_catalog(registry), o, e);
	default:
		return revoke_one(registry_catalog(registry), o, e);
	}
}
