/* SPDX-License-Identifier: Apache-2.0 */
#include "server/auth/authority.h"
#include "common/base/clock.h"
#include "common/base/snapshot.h"
#include "server/auth/roster.h"
#include "server/auth/throttle.h"
#include "server/auth/token.h"

#include <pthread.h>
#include <stdatomic.h>
#include <string.h>

struct authority_anonymous {
	struct snapshot shared;
	struct grants grants;
	bool is_auto;
};

/* Of one loop, on a cache line of its own. */
struct view {
	_Alignas(64) struct roster *roster; /* NULL at first */
	struct snapshot *anonymous;
	uint64_t mark;
};

struct authority {
	struct catalog *catalog;
	struct snapshot_cell anonymous;
	bool has_anonymous;
	struct throttle *throttle;
	unsigned loops;
	struct view *views;
	atomic_bool has_key;
	uint8_t key[SECRET_BYTES]; /* constant once `has_key` */
	_Atomic uint64_t tidied;   /* counts into the mark */
	pthread_mutex_t lock;      /* of the rest */
	struct roster *roster;
	uint64_t mark;             /* of before it was read */
};

struct principal {
	struct roster_token *token;
	bool is_link;
	struct links_grant link;
};

/* ---- the tokens of this moment ---- */

static uint64_t mark_now(const struct authority *a)
{
	return catalog_token_mark(a->catalog) + atomic_load(&a->tidied);
}

/* Under the lock: make `a->roster` one that was read after the mark was what it is now. */
static int refresh(struct authority *a, bool wait, struct err *e)
{
	uint64_t mark = mark_now(a);
	struct roster *fresh;
	int r;

	if (a->roster && a->mark == mark)
		return 0;
	r = roster_read(a->catalog, wait, a->roster, &fresh, e);
	if (r < 0)
		return r;
	roster_unref(a->roster);
	a->roster = fresh;
	a->mark = mark;
	return 0;
}

/* What the loop may go by at this moment. */
static int look(struct authority *a, unsigned loop, struct roster **ret, struct err *e)
{
	struct view *v = &a->views[loop];
	int r;

	if (v->roster && v->mark == mark_now(a)) {
		*ret = v->roster;
		return 0;
	}
	pthread_mutex_lock(&a->lock);
	r = refresh(a, false, e);
	if (r == 0) {
		roster_unref(v->roster);
		v->roster = roster_ref(a->roster);
		v->mark = a->mark;
		*ret = v->roster;
	}
	pthread_mutex_unlock(&a->lock);
	return r;
}

/* ---- life ---- */

static int read_anonymous(const char *text, struct grants *ret, bool *ret_auto, struct err *e)
{
	*ret_auto = strcmp(text, "auto") == 0;
	if (*ret_auto)
		return grants_read(ret, STR_LIT("read"), e);
	if (strcmp(text, "none") == 0)
		return 0;
	if (grants_read(ret, str_of(text), e) == 0)
		return 0;
	grants_done(ret);
	e->code = ERR_CONFIG;
	return err_prefix(e, "expected auto, none, or words like read=public/**");
}

int authority_check_anonymous(const char *anonymous, struct err *e)
{
	CLEANUP(grants_done) struct grants g = {NULL, 0};
	bool is_auto;

	return read_anonymous(anonymous, &g, &is_auto, e);
}

static void free_anonymous(struct snapshot *s)
{
	struct authority_anonymous *x = (struct authority_anonymous *)s;

	grants_done(&x->grants);
	free(x);
}

int authority_anonymous_new(const char *anonymous, struct authority_anonymous **ret,
	struct err *e)
{
	struct authority_anonymous *x = calloc(1, sizeof(*x));
	int r;

	if (!x)
		return err_nomem(e);
	snapshot_init(&x->shared, free_anonymous);
	r = read_anonymous(anonymous, &x->grants, &x->is_auto, e);
	if (r < 0)
		authority_anonymous_unref(x);
	else
		*ret = x;
	return r;
}

void authority_anonymous_unref(struct authority_anonymous *x)
{
	if (x)
		snapshot_unref(&x->shared);
}

void authority_anonymous_put(struct authority *a, struct authority_anonymous *x)
{
	snapshot_set(&a->anonymous, &x->shared);
}

static int open_anonymous(struct authority *a, const char *text, struct err *e)
{
	struct authority_anonymous *x;
	int r = authority_anonymous_new(text, &x, e);

	if (r < 0)
		return r;
	snapshot_cell_init(&a->anonymous, &x->shared);
	a->has_anonymous = true;
	return 0;
}

static int read_key(struct authority *a, struct err *e)
{
	bool found = false;
	int r = catalog_token_key(a->catalog, NULL, a->key, &found, e);

	atomic_init(&a->has_key, found);
	return r;
}

int authority_new(const struct authority_options *o, struct authority **ret, struct err *e)
{
	CLEANUP(authority_free_p) struct authority *a = calloc(1, sizeof(*a));
	int r;

	if (!a)
		return err_nomem(e);
	pthread_mutex_init(&a->lock, NULL);
	a->catalog = o->catalog;
	a->loops = o->loops;
	a->views = aligned_alloc(_Alignof(struct view), o->loops * sizeof(*a->views));
	if (!a->views)
		return err_nomem(e);
	memset(a->views, 0, o->loops * sizeof(*a->views));
	catalog_token_watch(a->catalog);
	r = open_anonymous(a, o->anonymous, e);
	if (r == 0)
		r = throttle_new(&a->throttle, e);
	if (r == 0)
		r = read_key(a, e);
	if (r == 0)
		r = refresh(a, true, e);
	if (r == 0)
		*ret = take_ptr(a);
	return r;
}

void authority_free(struct authority *a)
{
	if (!a)
		return;
	for (unsigned i = 0; a->views && i < a->loops; i++) {
		roster_unref(a->views[i].roster);
		snapshot_unref(a->views[i].anonymous);
	}
	free(a->views);
	roster_unref(a->roster);
	throttle_free(a->throttle);
	if (a->has_anonymous)
		snapshot_cell_done(&a->anonymous);
	pthread_mutex_destroy(&a->lock);
	secret_wipe(a->key, sizeof(a->key));
	free(a);
}

bool authority_is_public(struct authority *a, const char *model)
{
	struct authority_anonymous *x = (struct authority_anonymous *)snapshot_get(&a->anonymous);
	bool is_public = grants_allow(&x->grants, SCOPE_READ, model);

	authority_anonymous_unref(x);
	return is_public;
}

/* ---- who asks ---- */

/* RFC 6750 2.1: "Bearer" 1*SP b64token; the scheme in any letter case. */
static bool bearer(const char *authorization, struct str *ret)
{
	static const char scheme[] = "Bearer ";
	const size_t n = sizeof(scheme) - 1;
	struct str value = str_of(authorization);

	if (value.n < n || !str_eq_nocase((struct str){value.p, n}, scheme))
		return false;
	*ret = str_trim((struct str){value.p + n, value.n - n});
	return true;
}

static int refuse(struct authority *a, const struct authority_request *q, const char *id,
	struct err *e)
{
	throttle_failed(a->throttle, q->client, id, clock_mono_ms() / 1000);
	return err_set(e, ERR_BAD_TOKEN, "this token is not valid: it was mistyped, or revoked");
}

/* Before a secret is compared with what it should be; `id` as throttle.h has it. */
static int admit(const struct authority *a, const struct authority_request *q, const char *id,
	unsigned *ret_wait_s, struct err *e)
{
	*ret_wait_s = throttle_wait(a->throttle, q->client, id, clock_mono_ms() / 1000);
	if (*ret_wait_s == 0)
		return 0;
	return err_set(e, ERR_TOO_MANY_FAILURES,
		"too many tokens from %s were not valid: try again in %u s", q->client,
		*ret_wait_s);
}

static int new_principal(struct roster_token *k, struct principal **ret, struct err *e)
{
	struct principal *p = calloc(1, sizeof(*p));

	if (!p)
		return err_nomem(e);
	p->token = roster_token_ref(k);
	*ret = p;
	return 0;
}

static int check_expiry(uint64_t expires_ms, uint64_t now_ms, const char *what, struct err *e)
{
	char time[CLOCK_TEXT];

	if (expires_ms == 0 || now_ms < expires_ms)
		return 0;
	return err_set(e, ERR_BAD_TOKEN, "the %s has expired: it was good until %s", what,
		clock_rfc3339(expires_ms, time));
}

static int take_token(struct authority *a, const struct roster *t,
	const struct authority_request *q, struct str text, struct principal **ret,
	unsigned *ret_wait_s, struct err *e)
{
	uint64_t now_ms = clock_now_ms();
	struct roster_token *k = NULL;
	struct token token;
	const char *id;
	int r;

	if (token_read(text, &token))
		k = roster_find(t, token.id);
	id = k ? k->id : "";
	r = admit(a, q, id, ret_wait_s, e);
	if (r < 0)
		return r;
	if (!k || !secret_eq(token.secret.bytes, k->secret.bytes, DIGEST_BYTES))
		return refuse(a, q, id, e);
	r = check_expiry(k->expires_ms, now_ms, "token", e);
	if (r < 0)
		return r;
	roster_use(k, now_ms);
	return new_principal(k, ret, e);
}

static int take_link(struct authority *a, const struct roster *t, const struct authority_request *q,
	struct str text, struct principal **ret, unsigned *ret_wait_s, struct err *e)
{
	struct links_grant link;
	struct roster_token *giver;
	int r;

	/* A signature cannot be guessed: good links never wait for who comes with bad ones. */
	if (!atomic_load(&a->has_key) || !links_read(a->key, text, &link)) {
		r = admit(a, q, "", ret_wait_s, e);
		return r < 0 ? r : refuse(a, q, "", e);
	}
	r = check_expiry(link.expires_ms, clock_now_ms(), "link", e);
	giver = roster_find(t, link.token);
	if (r == 0 && giver)
		r = check_expiry(giver->expires_ms, clock_now_ms(), "token that gave the link", e);
	if (r == 0 && !giver)
		r = err_set(e, ERR_BAD_TOKEN, "the token that gave this link was revoked");
	if (r == 0)
		r = new_principal(giver, ret, e);
	if (r < 0)
		return r;
	(*ret)->is_link = true;
	(*ret)->link = link;
	return 0;
}

static struct authority_anonymous *anonymous_for(struct authority *a, unsigned loop)
{
	struct view *v = &a->views[loop];

	(void)snapshot_renew(&a->anonymous, &v->anonymous);
	return (struct authority_anonymous *)snapshot_ref(v->anonymous);
}

int authority_identify(struct authority *a, const struct authority_request *q,
	struct authority_asker *ret, unsigned *ret_wait_s, struct err *e)
{
	struct str text = {NULL, 0};
	struct roster *t = NULL;
	bool has_header = q->authorization && bearer(q->authorization, &text);
	int r;

	*ret = (struct authority_asker){.anonymous = anonymous_for(a, q->loop)};
	*ret_wait_s = 0;
	if (has_header && q->k)
		return err_set(e, ERR_BAD_REQUEST,
			"a token comes in the Authorization header or as k in the query, not both");
	r = look(a, q->loop, &t, e);
	if (r < 0)
		return r;
	if (!has_header && !q->k) {
		ret->everything = ret->anonymous->is_auto && q->among_ourselves &&
			roster_is_empty(t);
		return 0;
	}
	if (!has_header)
		text = str_of(q->k);
	if (str_starts(text, LINKS_PREFIX))
		return take_link(a, t, q, text, &ret->principal, ret_wait_s, e);
	return take_token(a, t, q, text, &ret->principal, ret_wait_s, e);
}

void authority_asker_done(struct authority_asker *asker)
{
	authority_anonymous_unref(take_ptr(asker->anonymous));
	if (!asker->principal)
		return;
	roster_token_unref(asker->principal->token);
	free(asker->principal);
	asker->principal = NULL;
}

/* ---- what they may ---- */

static bool link_allows(const struct principal *p, enum scope scope, const char *model,
	uint64_t version)
{
	if (!(scope & SCOPE_READ))
		return false;
	if (model && strcmp(model, p->link.model) != 0)
		return false;
	if (model && p->link.version != 0 && p->link.version != version)
		return false;
	return grants_allow(&p->token->grants, SCOPE_READ, p->link.model);
}

bool authority_may(const struct authority_asker *asker, enum scope scope, const char *model,
	uint64_t version)
{
	const struct principal *p = asker->principal;

	if (asker->everything || grants_allow(&asker->anonymous->grants, scope, model))
		return true;
	if (!p)
		return false;
	return p->is_link ? link_allows(p, scope, model, version)
			  : grants_allow(&p->token->grants, scope, model);
}

bool authority_may_all(const struct authority_asker *asker, enum scope scope)
{
	const struct principal *p = asker->principal;

	return asker->everything || grants_allow_all(&asker->anonymous->grants, scope) ||
		(p && !p->is_link && grants_allow_all(&p->token->grants, scope));
}

int authority_require(const struct authority_asker *asker, enum scope scope, const char *model,
	uint64_t version, struct err *e)
{
	const char *name = grants_scope_name(scope);
	const char *what = asker->principal && asker->principal->is_link ? "link" : "token";

	if (authority_may(asker, scope, model, version))
		return 0;
	if (!asker->principal)
		return err_set(e, ERR_TOKEN_REQUIRED,
			"this needs a token with the scope %s: Authorization: Bearer mdl_...",
			name);
	if (!model)
		return err_set(e, ERR_NOT_ALLOWED, "the %s has not the scope %s", what, name);
	return err_set(e, ERR_NOT_ALLOWED, "the %s has not the scope %s for %.*s%s", what, name,
		REF_NAME_MAX, model,
		asker->principal->is_link && version == 0 ? " and all its versions" : "");
}

bool authority_target(struct str ref, struct str version, char name[REF_NAME_MAX + 1],
	uint64_t *ret_version)
{
	struct err ignored;
	struct ref parsed;

	if (ref_parse(ref, &parsed, &ignored) < 0)
		return false;
	memcpy(name, parsed.name, sizeof(parsed.name));
	*ret_version = parsed.kind == REF_VERSION ? parsed.version : 0;
	if (version.n > 0)
		(void)num_parse(version.p, version.n, REF_VERSION_MAX, ret_version);
	return true;
}

bool authority_may_grant(const struct authority_asker *asker, const struct grants *g)
{
	const struct principal *p = asker->principal;

	return asker->everything || grants_within(g, &asker->anonymous->grants) ||
		(p && !p->is_link && grants_within(g, &p->token->grants));
}

static void add_models(const struct grants *g, struct buf *out)
{
	for (size_t i = 0; i < g->n; i++)
		if (g->items[i].scopes & (SCOPE_READ | SCOPE_PUBLISH | SCOPE_ADMIN))
			buf_addf(out, "read=%s ", g->items[i].models);
}

void authority_models(const struct authority_asker *asker, struct buf *out)
{
	const struct principal *p = asker->principal;

	if (asker->everything)
		buf_add_str(out, "read");
	else
		add_models(&asker->anonymous->grants, out);
	if (p && !p->is_link)
		add_models(&p->token->grants, out);
}

const char *authority_who(const struct authority_asker *asker)
{
	return asker->principal ? asker->principal->token->who : NULL;
}

/* ---- links ---- */

static int make_key(struct authority *a, struct err *e)
{
	uint8_t fresh[SECRET_BYTES], key[SECRET_BYTES];
	bool found = false;
	int r = secret_random(fresh, sizeof(fresh), e);

	if (r == 0)
		r = catalog_token_key(a->catalog, fresh, key, &found, e);
	if (r == 0) {
		pthread_mutex_lock(&a->lock);
		if (!atomic_load(&a->has_key))
			memcpy(a->key, key, sizeof(key));
		atomic_store(&a->has_key, true);
		pthread_mutex_unlock(&a->lock);
	}
	secret_wipe(fresh, sizeof(fresh));
	secret_wipe(key, sizeof(key));
	return r;
}

int authority_link(struct authority *a, const struct authority_asker *asker,
	struct links_grant *g, struct buf *out, struct err *e)
{
	const struct principal *p = asker->principal;
	int r;

	if (!p)
		return err_set(e, ERR_TOKEN_REQUIRED,
			"a link is given by a token, whose end is its own: there has to be one");
	if (p->is_link)
		return err_set(e, ERR_NOT_ALLOWED, "a link gives no links");
	r = authority_require(asker, SCOPE_READ, g->model, g->version, e);
	if (r == 0 && !grants_allow(&p->token->grants, SCOPE_READ, g->model))
		r = err_set(e, ERR_NOT_ALLOWED, "the token has not the scope read for %s",
			g->model);
	if (r == 0 && !atomic_load(&a->has_key))
		r = make_key(a, e);
	if (r < 0)
		return r;
	memcpy(g->token, p->token->id, sizeof(g->token));
	if (p->token->expires_ms != 0 && p->token->expires_ms < g->expires_ms)
		g->expires_ms = p->token->expires_ms;
	return links_sign(a->key, g, out, e);
}

/* ---- upkeep ---- */

/* The loops take `fresh` over instead of reading themselves, unless something changed meanwhile.
 * What is in force no more is given back. */
static struct roster *install(struct authority *a, struct roster *fresh, uint64_t mark)
{
	pthread_mutex_lock(&a->lock);
	if (fresh && mark_now(a) == mark) {
		struct roster *old = a->roster;
		a->roster = fresh;
		a->mark = mark + 1;
		fresh = old;
	}
	atomic_fetch_add(&a->tidied, 1);
	pthread_mutex_unlock(&a->lock);
	return fresh;
}

int authority_tidy(struct authority *a, struct err *e)
{
	uint64_t mark = mark_now(a);
	struct roster *t, *fresh = NULL;
	int r;

	pthread_mutex_lock(&a->lock);
	t = roster_ref(a->roster);
	pthread_mutex_unlock(&a->lock);
	r = roster_note(t, a->catalog, e);
	if (r == 0)
		r = roster_read(a->catalog, true, t, &fresh, e);
	roster_unref(t);
	roster_unref(install(a, fresh, mark));
	return r;
}
