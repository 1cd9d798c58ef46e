/* SPDX-License-Identifier: Apache-2.0 */
/* Who asks, and may they? Between the routes and the handlers, for every handler alike. */
#include "server/http/req_internal.h"

#include <string.h>

static struct authority *authority_of(const struct req *r)
{
	return r->loop->httpd->o.authority;
}

static bool is_read(const struct req *r)
{
	return strcmp(r->method, "GET") == 0 || req_is_head(r);
}

/* ---- who asks ---- */

/* NULL when there is none. Only reads have it in the query: an address that was copied must not
 * change anything. What cannot be decoded is a token that nobody has. */
static const char *k_of(const struct req *r, struct buf *text)
{
	if (!is_read(r) || !req_query_has(r, "k"))
		return NULL;
	(void)req_query(r, "k", text);
	return buf_str(text);
}

/* A proxy on this machine brings requests from elsewhere to a loopback address: it is configured,
 * or tells of itself, or of the name under which it was asked. */
static bool is_among_ourselves(const struct req *r)
{
	static const struct guard_policy loopback = {.loopback_only = true};
	struct err ignored;

	return r->loop->httpd->loopback_only && !r->is_proxied &&
		guard_host(&loopback, r->facts.host, &ignored) == 0 &&
		!req_header(r, "Forwarded") && !req_header(r, "X-Forwarded-For") &&
		!req_header(r, "X-Forwarded-Host") && !req_header(r, "X-Forwarded-Proto");
}

static int identify(struct req *r, struct err *e)
{
	CLEANUP_BUF struct buf k = BUF_INIT(LINKS_TEXT_MAX);
	const struct authority_request q = {
		.loop = r->loop->index,
		.among_ourselves = is_among_ourselves(r),
		.authorization = req_header(r, "Authorization"),
		.k = k_of(r, &k),
		.client = req_client(r),
	};

	return authority_identify(authority_of(r), &q, &r->asker, &r->retry_after_s, e);
}

/* What everybody may read is not refused for a token that is not needed for it. */
static bool is_forgiving(const struct handler *h)
{
	if (h->target == HANDLER_DISCREET)
		return true;
	return h->scope == SCOPE_READ && !h->writes &&
		(h->target == HANDLER_REF || h->target == HANDLER_VERSION ||
			h->target == HANDLER_FOUND);
}

static int keep_refusal(struct req *r, const struct err *e)
{
	r->refusal = malloc(sizeof(*r->refusal));
	if (!r->refusal)
		return -(int)e->code;
	*r->refusal = *e;
	return 0;
}

/* ---- may they ---- */

static int require(const struct req *r, enum scope scope, const char *model, uint64_t version,
	struct err *e)
{
	if (!authority_of(r) || authority_may(&r->asker, scope, model, version))
		return 0;
	if (r->refusal) {
		*e = *r->refusal;
		return -(int)e->code;
	}
	return authority_require(&r->asker, scope, model, version, e);
}

/* What is no ref names no model: who may for any is told so by the handler. */
static int require_ref(struct req *r, struct err *e)
{
	const struct handler *h = r->handler;
	struct str version = {NULL, 0};
	char name[REF_NAME_MAX + 1];
	uint64_t number = 0;

	if (h->target == HANDLER_VERSION)
		version = req_capture(r, 1);
	if (!authority_target(req_capture(r, 0), version, name, &number))
		return require(r, h->scope, NULL, 0, e);
	return require(r, h->scope, name, number, e);
}

static int require_told(struct req *r, struct err *e)
{
	char name[REF_NAME_MAX + 1];
	struct err why;
	int result = r->handler->model(r, name, &why);

	if (result == 0)
		return require(r, r->handler->scope, name, 0, e);
	result = require(r, r->handler->scope, NULL, 0, e);
	if (result < 0)
		return result;
	*e = why;
	return -(int)e->code;
}

/* There are no tokens: as it is where nobody has made one. */
static int judge_without(const struct req *r, struct err *e)
{
	if (!r->handler->writes || r->loop->httpd->loopback_only)
		return 0;
	return err_set(e, ERR_TOKEN_REQUIRED,
		"changing anything needs a token, because this server listens on an address that "
		"is not a loopback address");
}

int req_auth_judge(struct req *r, struct err *e)
{
	const struct handler *h = r->handler;
	int result;

	if (h->target == HANDLER_OPEN)
		return 0;
	if (!authority_of(r))
		return judge_without(r, e);
	result = identify(r, e);
	if (result < 0 && is_forgiving(h))
		result = keep_refusal(r, e);
	if (result < 0)
		return result;
	switch (h->target) {
	case HANDLER_DISCREET:
		result = 0;
		break;
	case HANDLER_REF:
	case HANDLER_VERSION:
		result = require_ref(r, e);
		break;
	case HANDLER_TOLD:
		result = require_told(r, e);
		break;
	case HANDLER_SOME:
	case HANDLER_FOUND:
		result = require(r, h->scope, NULL, 0, e);
		break;
	default:
		return err_set(e, ERR_INTERNAL, "nothing says who may use %s", h->name);
	}
	return result;
}

void req_auth_done(struct req *r)
{
	authority_asker_done(&r->asker);
	free(r->refusal);
}

/* ---- what handlers ask ---- */

int req_require(const struct req *r, enum scope scope, const char *model, struct err *e)
{
	return require(r, scope, model, 0, e);
}

bool req_may(const struct req *r, enum scope scope, const char *model)
{
	return !authority_of(r) || authority_may(&r->asker, scope, model, 0);
}

bool req_may_all(const struct req *r, enum scope scope)
{
	return !authority_of(r) || authority_may_all(&r->asker, scope);
}

void req_models(const struct req *r, struct buf *out)
{
	if (authority_of(r))
		authority_models(&r->asker, out);
	else
		buf_add_str(out, "read");
}

const char *req_who(const struct req *r)
{
	const char *who = authority_who(&r->asker);

	return who ? who : req_client(r);
}

bool req_is_private(const struct req *r)
{
	return r->asker.principal != NULL;
}

const struct authority_asker *req_asker(const struct req *r)
{
	return &r->asker;
}
