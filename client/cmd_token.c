/* SPDX-License-Identifier: Apache-2.0 */
/* token create, token ls, token revoke */
#include "client/cmd.h"
#include "client/listing.h"
#include "common/base/num.h"
#include "common/model/nameglob.h"

#include <stdio.h>

#define BODY_MAX     65536
#define ID_MAX       64
#define TOKEN_PREFIX "mdl_" /* of a whole token: mdl_ID_SECRET */

static int needs_admin(struct fault *f)
{
	return fault_next(f, "This needs a token with the scope admin, for the same models.");
}

/* ---- create ---- */

/* Which scopes there are is the server's to say. */
static int write_scopes(struct json_write *w, const struct args *a, struct fault *f)
{
	if (!args_has(a, USAGE_SCOPE)) {
		(void)fault_usage(f, "token create needs --scope");
		return fault_next(f,
			"It is read, publish, label, delete or admin, with commas between "
			"several.");
	}
	json_write_array(w, "scopes");
	for (size_t i = 0; i < a->given_n; i++) {
		struct str rest = str_of(a->given[i].value), word;
		while (a->given[i].option == USAGE_SCOPE && str_split(&rest, ',', &word)) {
			CLEANUP_FREE char *scope = str_dup(word);
			if (!scope)
				return err_nomem(&f->e);
			json_write_str(w, NULL, scope);
		}
	}
	json_write_array_end(w);
	return 0;
}

static int write_models(struct json_write *w, const struct args *a, struct fault *f)
{
	if (!args_has(a, USAGE_MODELS))
		return 0;
	json_write_array(w, "models");
	for (size_t i = 0; i < a->given_n; i++) {
		if (a->given[i].option != USAGE_MODELS)
			continue;
		if (nameglob_check(str_of(a->given[i].value), "--models", &f->e) < 0)
			return fault_as(f, FAULT_USAGE);
		json_write_str(w, NULL, a->given[i].value);
	}
	json_write_array_end(w);
	return 0;
}

static int write_expires(struct json_write *w, const struct args *a, struct fault *f)
{
	const char *expires = args_value(a, USAGE_EXPIRES);
	uint64_t ms;

	if (!expires || strcmp(expires, "never") == 0)
		return 0;
	if (!num_parse_duration(expires, &ms) || ms == 0)
		return fault_usage(f,
			"--expires is a time like 12h or 90d, or never, not \"%.100s\"", expires);
	json_write_str(w, "expires", expires);
	return 0;
}

static int write_wish(const struct args *a, struct buf *out, struct fault *f)
{
	const char *name = args_value(a, USAGE_NAME);
	struct json_write w;
	int r;

	json_write_init(&w, out);
	json_write_object(&w, NULL);
	if (name)
		json_write_str(&w, "name", name);
	r = write_scopes(&w, a, f);
	if (r == 0)
		r = write_models(&w, a, f);
	if (r == 0)
		r = write_expires(&w, a, f);
	json_write_object_end(&w);
	return r < 0 ? r : buf_check(out, "what is asked of the server", &f->e);
}

static int make(struct api *a, const struct buf *body, struct api_answer *ret, struct fault *f)
{
	const struct api_request q = {
		.method = "POST",
		.target = "/v1/tokens",
		.what = "token create",
		.http = {.body = body->data, .body_n = body->len},
	};
	int r = api_send(a, &q, ret, f);

	if (r < 0 && ret->http.status == 400)
		return fault_as(f, FAULT_USAGE);
	return r < 0 && ret->http.status == 403 ? needs_admin(f) : r;
}

static void tell_made(const struct run *run, const struct json *made)
{
	CLEANUP_BUF struct buf scopes = BUF_INIT(BODY_MAX);
	const char *expires = json_str(json_get(made, "expires"));

	for (const struct json *x = json_first(json_get(made, "scopes")); x; x = json_next(x))
		buf_addf(&scopes, "%s%s", scopes.len > 0 ? ", " : "",
			json_str(x) ? json_str(x) : "");
	say_note(run, "Token %s: %s, until %s. It is not shown again.", say_text(made, "id"),
		buf_str(&scopes), expires ? expires : "it is revoked");
}

/* The token is valid whether or not it can be printed. */
static int print_made(const struct run *run, const struct api_answer *answer, struct fault *f)
{
	CLEANUP_BUF struct buf line = BUF_INIT(BODY_MAX);
	const struct json *made = api_root(answer);
	const char *token = json_str(json_get(made, "token"));
	int r;

	if (!token) {
		(void)err_set(&f->e, ERR_BAD_JSON, "the server answers without a token");
		return fault_as(f, FAULT_SERVER);
	}
	say_clean(token, &line);
	buf_add_char(&line, '\n');
	if (!run->json)
		tell_made(run, made);
	r = say_out(run->json ? &answer->http.body : &line, f);
	if (r == 0)
		return 0;
	return fault_next(f, "The token is made all the same: `modelctl token ls` lists it.");
}

int cmd_token_create(struct run *run, struct fault *f)
{
	CLEANUP_API_ANSWER struct api_answer answer = {.doc = NULL};
	CLEANUP_BUF struct buf body = BUF_INIT(BODY_MAX);
	CLEANUP(api_close_p) struct api *a = NULL;
	int r = write_wish(run->args, &body, f);

	if (r == 0)
		r = api_open(run, &a, f);
	if (r == 0)
		r = make(a, &body, &answer, f);
	return r < 0 ? r : print_made(run, &answer, f);
}

/* ---- ls ---- */

/* "read=team/m" in its two parts; every model when it does not say which. */
static struct str split_grant(const struct json *grant, struct str *ret_models)
{
	const char *text = json_str(grant);
	struct str rest = str_of(text ? text : ""), scope = rest;

	(void)str_split(&rest, '=', &scope);
	*ret_models = rest.p ? rest : str_of("**");
	return scope;
}

/* Scopes for the same models, with commas between, into `scopes`; the first grant of others. */
static const struct json *gather(const struct json *grant, struct buf *scopes, struct buf *models)
{
	struct str pattern, other;

	(void)split_grant(grant, &pattern);
	buf_addf(models, STR_FMT, STR_ARG(pattern));
	for (; grant; grant = json_next(grant)) {
		struct str scope = split_grant(grant, &other);
		if (!str_eq(other, pattern))
			break;
		buf_addf(scopes, "%s" STR_FMT, scopes->len > 0 ? "," : "", STR_ARG(scope));
	}
	return grant;
}

/* A row for each pattern of names: every row says all of the token, for grep. */
static void add_token(struct say_table *t, const struct json *token)
{
	const struct json *grant = json_first(json_get(token, "scopes"));
	const char *expires = say_text(token, "expires"), *used = say_text(token, "last_used");

	do {
		CLEANUP_BUF struct buf scopes = BUF_INIT(BODY_MAX), models = BUF_INIT(BODY_MAX);
		grant = gather(grant, &scopes, &models);
		say_table_add(t, say_text(token, "id"));
		say_table_add(t, say_text(token, "name"));
		say_table_add(t, buf_str(&scopes));
		say_table_add(t, buf_str(&models));
		say_table_add(t, *expires ? expires : "never");
		say_table_add(t, *used ? used : "never");
	} while (grant);
}

int cmd_token_ls(struct run *run, struct fault *f)
{
	static const char *const heads[] = {
		"ID", "NAME", "SCOPES", "MODELS", "EXPIRES", "LAST USED"};
	static const struct listing tokens = {
		.what = "tokens",
		.key = "tokens",
		.id = "id",
		.heads = heads,
		.columns = ARRAY_SIZE(heads),
		.add = add_token,
	};
	CLEANUP(api_close_p) struct api *a = NULL;
	int r = api_open(run, &a, f);

	if (r == 0)
		r = listing_print(run, a, &tokens, "/v1/tokens", f);
	return r == -(int)ERR_NOT_ALLOWED ? needs_admin(f) : r;
}

/* ---- revoke ---- */

/* Of a whole token its id: the secret goes into no address and no message. */
static int read_id(const char *text, char ret[ID_MAX + 1], struct fault *f)
{
	struct str rest = str_of(text), id = rest;
	bool fine;

	if (str_starts(rest, TOKEN_PREFIX)) {
		rest = str_of(text + strlen(TOKEN_PREFIX));
		(void)str_split(&rest, '_', &id);
	}
	fine = id.n > 0 && id.n <= ID_MAX;
	for (size_t i = 0; fine && i < id.n; i++)
		fine = str_is_lower(id.p[i]) || str_is_digit(id.p[i]);
	if (!fine) {
		(void)fault_usage(f, "token revoke needs the id of a token, or the token");
		return fault_next(f, "`modelctl token ls` lists them.");
	}
	(void)snprintf(ret, ID_MAX + 1, STR_FMT, STR_ARG(id));
	return 0;
}

static int end_token(struct api *a, const char *id, struct fault *f)
{
	CLEANUP_API_ANSWER struct api_answer answer = {.doc = NULL};
	char target[sizeof("/v1/tokens/") + ID_MAX];
	const struct api_request q = {.method = "DELETE", .target = target, .what = id};
	int r;

	(void)snprintf(target, sizeof(target), "/v1/tokens/%s", id);
	r = api_send(a, &q, &answer, f);
	if (r < 0 && answer.http.status == 403)
		return needs_admin(f);
	if (r < 0 && answer.http.status == 404)
		return fault_next(f, "`modelctl token ls` lists those that there are.");
	return r;
}

static int tell_revoked(const struct run *run, const char *id, struct fault *f)
{
	CLEANUP_BUF struct buf json = BUF_INIT(BODY_MAX);
	struct json_write w;

	say_note(run, "%s is revoked.", id);
	if (!run->json)
		return 0;
	json_write_init(&w, &json);
	json_write_object(&w, NULL);
	json_write_str(&w, "revoked", id);
	json_write_object_end(&w);
	return say_json(&json, f);
}

int cmd_token_revoke(struct run *run, struct fault *f)
{
	CLEANUP(api_close_p) struct api *a = NULL;
	char id[ID_MAX + 1];
	int r = read_id(run_operand(run, 0), id, f);

	if (r == 0)
		r = api_open(run, &a, f);
	if (r == 0)
		r = end_token(a, id, f);
	return r < 0 ? r : tell_revoked(run, id, f);
}
