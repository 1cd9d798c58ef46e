/* SPDX-License-Identifier: Apache-2.0 */
/* Who asks, and may they? The one place that knows what everybody may do, which tokens there are
 * and what a link is worth.
 *
 * Tokens are kept in memory. Each use compares one number (catalog_token_mark()), so that a token
 * that was made or revoked by this process or by `modeld token` counts, or counts no more, from the
 * next request on; only then the catalog is read, without waiting for others. Each event loop has a
 * view of its own on the tokens: no two of them meet on a lock unless something changed.
 */
#pragma once

#include "server/auth/grants.h"
#include "server/auth/links.h"

struct authority;

struct authority_options {
	struct catalog *catalog; /* outlives it */
	unsigned loops;          /* that ask */
	/* What everybody may do: "auto", "none", or grants. "auto" is to read all models; and as
	 * long as there is no token, on a server that listens on loopback only, everything. */
	const char *anonymous;
};

/* Reads the tokens. ERR_CONFIG when `anonymous` makes no sense. */
int authority_new(const struct authority_options *o, struct authority **ret, struct err *e);
void authority_free(struct authority *a); /* when nobody asks any more; accepts NULL */
DEFINE_CLEANUP(struct authority, authority_free)

/* The same judgement of `anonymous` alone. */
int authority_check_anonymous(const char *anonymous, struct err *e);

/* What everybody may do can change while others ask (common/base/snapshot.h): who was identified
 * before is judged by what was in force then. */
struct authority_anonymous;
int authority_anonymous_new(const char *anonymous, struct authority_anonymous **ret,
	struct err *e);
void authority_anonymous_unref(struct authority_anonymous *x); /* accepts NULL */
DEFINE_CLEANUP(struct authority_anonymous, authority_anonymous_unref)
/* Takes it over. Any thread. */
void authority_anonymous_put(struct authority *a, struct authority_anonymous *x);

/* May everybody read this model, at this moment? Any thread. */
bool authority_is_public(struct authority *a, const char *model);

/* ---- who asks ---- */

struct principal;

/* Valid from identify() to done(), on any thread; whatever identify() answers. All zero: nobody. */
struct authority_asker {
	struct authority_anonymous *anonymous; /* a reference */
	struct principal *principal; /* NULL: without a token */
	bool everything;             /* there are no tokens, and we are among ourselves */
};

struct authority_request {
	unsigned loop;             /* whose thread this is, from 0 */
	bool among_ourselves;      /* on loopback, and not through a proxy */
	const char *authorization; /* value of the header, NULL when absent */
	const char *k;             /* of the query, decoded; NULL when absent, or of no use */
	const char *client;        /* its address as text */
};

/* Find out. A scheme other than Bearer is as good as none. ERR_BAD_TOKEN: what was presented is
 * worth nothing (RFC 6750 3.1 invalid_token); ERR_TOO_MANY_FAILURES: or was not looked at, for
 * *ret_wait_s seconds; ERR_BAD_REQUEST: both a header and a query (RFC 6750 2). Another error: it
 * could not be told. Does not wait. */
int authority_identify(struct authority *a, const struct authority_request *q,
	struct authority_asker *ret, unsigned *ret_wait_s, struct err *e);
void authority_asker_done(struct authority_asker *asker);

/* ---- what they may ---- */

/* Of several scopes one is enough. `model` NULL: is there any it is allowed for? `version` 0: all,
 * or those that labels name. A token never allows less than everybody may do. */
bool authority_may(const struct authority_asker *asker, enum scope scope, const char *model,
	uint64_t version);
/* The same of every model that there may be. */
bool authority_may_all(const struct authority_asker *asker, enum scope scope);
/* 0, ERR_TOKEN_REQUIRED when who asks has shown none, else ERR_NOT_ALLOWED. */
int authority_require(const struct authority_asker *asker, enum scope scope, const char *model,
	uint64_t version, struct err *e);
/* The model that a ref names, or a name with the number of a version (empty: none). False for what
 * is no ref. *ret_version is 0 unless a number says which. */
bool authority_target(struct str ref, struct str version, char name[REF_NAME_MAX + 1],
	uint64_t *ret_version);
/* May they hand these out? */
bool authority_may_grant(const struct authority_asker *asker, const struct grants *g);

/* The models whose files they may have, since they may read them or make versions of them: words
 * that grants_read() takes, of the scope read, appended; at most AUTHORITY_MODELS_TEXT bytes. */
#define AUTHORITY_MODELS_TEXT (2 * GRANTS_MAX * (NAMEGLOB_MAX + sizeof("read= ")))
void authority_models(const struct authority_asker *asker, struct buf *out);

/* Of a token: "ci (0123456789ab)", or the id alone; NULL for others. */
const char *authority_who(const struct authority_asker *asker);

/* A link to a model that the asker, with a token, may read: not beyond the end of that token. Makes
 * the key of the store when there is none: blocks. ERR_TOKEN_REQUIRED, ERR_NOT_ALLOWED. */
int authority_link(struct authority *a, const struct authority_asker *asker,
	struct links_grant *g, struct buf *out, struct err *e);

/* From time to time: write down when tokens were used, and read them anew, whatever happened to the
 * catalog. Blocks; one thread. */
int authority_tidy(struct authority *a, struct err *e);
