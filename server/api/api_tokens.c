/* SPDX-License-Identifier: Apache-2.0 */
/* /v1/tokens: make, list and revoke tokens. Whoever is admin of some models alone deals with tokens
 * for those alone. */
#include "common/base/clock.h"
#include "common/base/log.h"
#include "common/json/json.h"
#include "server/api/api.h"
#include "server/api/api_json.h"
#include "server/auth/token.h"
#include "server/auth/token_json.h"

#include <stdio.h>

#define ANSWER_MAX      (16u << 20)
#define LIFETIME_MAX_MS (UINT64_C(36500) * 86400000) /* a hundred years */

static struct catalog *catalog_of(const struct req *r)
{
	return registry_catalog(((const struct app *)req_app(r))->registry);
}

static void note(const struct req *r, const char *what, const char *id)
{
	log_event(LOG_LEVEL_INFO, what, "token", id, "who", req_who(r), "id", req_id(r), NULL);
}

/* ---- who may see which ---- */

/* Of a token that nobody could have made here it shows nothing. */
static bool is_theirs(const struct req *r, const struct catalog_token *t)
{
	CLEANUP(grants_done) struct grants g = {NULL, 0};
	struct err ignored;

	return grants_read(&g, str_of(t->grants), &ignored) == 0 &&
		authority_may_grant(req_asker(r), &g);
}

static int no_such_token(struct err *e)
{
	return err_set(e, ERR_TOKEN_NOT_FOUND, "there is no such token");
}

/* *ret points into `list`. A whole token does as well as its id. */
static int find(struct req *r, struct catalog_tokens *list, const struct catalog_token **ret,
	struct err *e)
{
	struct str text = req_capture(r, 0);
	struct token token;
	int result = catalog_token_list(catalog_of(r), true, list, e);

	if (result < 0)
		return result;
	if (token_read(text, &token))
		text = str_of(token.id);
	for (size_t i = 0; i < list->n; i++)
		if (str_eq_c(text, list->items[i].id) && is_theirs(r, &list->items[i])) {
			*ret = &list->items[i];
			return 0;
		}
	return no_such_token(e);
}

/* ---- reading ---- */

static int list_work(struct req *r, struct err *e)
{
	CLEANUP(catalog_token_list_done) struct catalog_tokens list = {NULL, 0};
	CLEANUP_BUF struct buf json = BUF_INIT(ANSWER_MAX);
	struct json_write w;
	int result = catalog_token_list(catalog_of(r), true, &list, e);

	if (result < 0)
		return result;
	json_write_init(&w, &json);
	json_write_object(&w, NULL);
	json_write_array(&w, "tokens");
	for (size_t i = 0; i < list.n; i++)
		if (is_theirs(r, &list.items[i]))
			token_json(&w, &list.items[i]);
	json_write_array_end(&w);
	json_write_object_end(&w);
	return api_json_reply(r, &json, e);
}

const struct handler api_tokens_list = {
	.name = "tokens",
	.scope = SCOPE_ADMIN,
	.target = HANDLER_SOME,
	.work = list_work,
};

static int show_work(struct req *r, struct err *e)
{
	CLEANUP(catalog_token_list_done) struct catalog_tokens list = {NULL, 0};
	CLEANUP_BUF struct buf json = BUF_INIT(ANSWER_MAX);
	const struct catalog_token *t;
	struct json_write w;
	int result = find(r, &list, &t, e);

	if (result < 0)
		return result;
	json_write_init(&w, &json);
	token_json(&w, t);
	return api_json_reply(r, &json, e);
}

const struct handler api_tokens_show = {
	.name = "token",
	.scope = SCOPE_ADMIN,
	.target = HANDLER_SOME,
	.work = show_work,
};

/* ---- making ---- */

struct wish {
	struct grants grants;
	const char *name;
	uint64_t expires_ms;
};

static int read_models(const struct json *root, const char **models, size_t *ret_n, struct err *e)
{
	const struct json *list = json_get_set(root, "models");

	models[0] = "**";
	*ret_n = list ? 0 : 1;
	if (list && !json_is(list, JSON_ARRAY))
		return err_set(e, ERR_BAD_REQUEST, "\"models\" is an array of patterns of names");
	for (const struct json *v = json_first(list); v; v = json_next(v)) {
		if (*ret_n == GRANTS_MAX)
			return err_set(e, ERR_BAD_REQUEST, "there are more than %d \"models\"",
				GRANTS_MAX);
		models[*ret_n] = json_str(v);
		if (!models[(*ret_n)++])
			return err_set(e, ERR_BAD_REQUEST,
				"\"models\" is an array of patterns of names");
	}
	return 0;
}

static int read_scopes(const struct json *root, struct grants *ret, struct err *e)
{
	const struct json *list = json_get(root, "scopes");
	const char *models[GRANTS_MAX];
	size_t models_n;
	int result = read_models(root, models, &models_n, e);

	if (result == 0 && (!json_is(list, JSON_ARRAY) || !json_first(list) || models_n == 0))
		result = err_set(e, ERR_BAD_REQUEST,
			"\"scopes\" is an array of read, publish, label, delete, admin, each "
			"perhaps with a pattern of names as in read=team/**");
	for (const struct json *v = json_first(list); result == 0 && v; v = json_next(v)) {
		if (!json_str(v))
			return err_set(e, ERR_BAD_REQUEST, "\"scopes\" is an array of texts");
		result = grants_add(ret, str_of(json_str(v)), models, models_n, e);
	}
	return result;
}

static int read_expiry(const struct json *root, uint64_t *ret, struct err *e)
{
	const struct json *value = json_get_set(root, "expires");
	uint64_t ms;

	*ret = 0;
	if (!value)
		return 0;
	if (!json_str(value) || !num_parse_duration(json_str(value), &ms) || ms == 0 ||
		ms > LIFETIME_MAX_MS)
		return err_set(e, ERR_BAD_REQUEST,
			"\"expires\" is a time from now like 12h or 90d, at most 36500d");
	*ret = clock_now_ms() + ms;
	return 0;
}

static int read_wish(const struct json *root, struct wish *ret, struct err *e)
{
	const struct json *name = json_get_set(root, "name");
	int result = read_scopes(root, &ret->grants, e);

	if (result == 0)
		result = read_expiry(root, &ret->expires_ms, e);
	ret->name = name ? json_str(name) : "";
	if (result == 0 && !ret->name)
		result = err_set(e, ERR_BAD_REQUEST, "\"name\" is a text");
	return result;
}

static int reply_made(struct req *r, const struct catalog_token *row, const char *text,
	struct err *e)
{
	CLEANUP_BUF struct buf json = BUF_INIT(ANSWER_MAX);
	struct json_write w;
	int result;

	json_write_init(&w, &json);
	json_write_object(&w, NULL);
	token_json_members(&w, row);
	json_write_str(&w, "token", text);
	json_write_object_end(&w);
	buf_add_char(&json, '\n');
	result = buf_check(&json, "the answer", e);
	if (result < 0)
		return result;
	struct reply *reply = reply_buf(201, "application/json", &json);
	reply_headerf(reply, "Location", "/v1/tokens/%s", row->id);
	reply_header(reply, "Cache-Control", "no-store");
	req_reply(r, reply);
	return 0;
}

static int make(struct req *r, const struct wish *x, struct err *e)
{
	CLEANUP_BUF struct buf words = BUF_INIT(CATALOG_TOKEN_GRANTS);
	char text[TOKEN_TEXT + 1];
	struct catalog_token row;
	int result;

	grants_write(&x->grants, &words);
	result = buf_check(&words, "what the token allows", e);
	if (result == 0 && !authority_may_grant(req_asker(r), &x->grants))
		result = err_set(e, ERR_NOT_ALLOWED,
			"a token allows nothing that its maker is not admin of");
	if (result == 0)
		result = token_issue(catalog_of(r),
			&(struct token_wish){x->name, buf_str(&words), x->expires_ms}, text, &row,
			e);
	if (result < 0)
		return result;
	note(r, "token made", row.id);
	row.grants = words.data;
	row.created_ms = clock_now_ms();
	result = reply_made(r, &row, text, e);
	secret_wipe(text, sizeof(text));
	return result;
}

static int create_work(struct req *r, struct err *e)
{
	CLEANUP(json_doc_free_p) struct json_doc *doc = NULL;
	struct wish x = {.name = ""};
	struct str body = req_body(r);
	int result = json_parse(body.p, body.n, &JSON_LIMITS_SMALL, &doc, e);

	if (result == 0)
		result = read_wish(json_root(doc), &x, e);
	if (result == 0)
		result = make(r, &x, e);
	grants_done(&x.grants);
	return result;
}

const struct handler api_tokens_create = {
	.name = "token-create",
	.writes = true,
	.scope = SCOPE_ADMIN,
	.target = HANDLER_SOME,
	.body = HANDLER_BODY_SMALL,
	.work = create_work,
};

/* ---- revoking ---- */

static int revoke_work(struct req *r, struct err *e)
{
	CLEANUP(catalog_token_list_done) struct catalog_tokens list = {NULL, 0};
	const struct catalog_token *t;
	int result = find(r, &list, &t, e);

	if (result == 0)
		result = catalog_token_remove(catalog_of(r), t->id, e);
	if (result < 0)
		return result;
	note(r, "token revoked", t->id);
	req_reply(r, reply_empty(204));
	return 0;
}

const struct handler api_tokens_revoke = {
	.name = "token-revoke",
	.writes = true,
	.scope = SCOPE_ADMIN,
	.target = HANDLER_SOME,
	.work = revoke_work,
};
