/* SPDX-License-Identifier: Apache-2.0 */
/* One request, as handlers see it.
 *
 * Life (each step on one thread at a time; `head` and the part functions on a loop thread, where
 * nothing may block; `work` on a worker, while the connection is suspended):
 *
 *   HEAD   guard, route, handler->head
 *   BODY   handler->part_begin / part_data / part_end, in stream order
 *   DRAIN  after a fault in the body: the rest is read and dropped, then the error is answered
 *   WORK   handler->work, when no reply was set so far
 *   REPLY  the reply is queued; the request is freed when it has been sent or the client has gone
 *
 * Bodies may come with Content-Encoding: gzip; handlers see them decoded. Other codings are refused
 * (415 with Accept-Encoding, RFC 9110 12.5.3).
 *
 * A step that fails returns a negative code with its error set; the http floor answers it.
 */
#pragma once

#include "server/auth/authority.h"
#include "server/http/entity.h"
#include "server/http/multipart.h"
#include "server/http/reply.h"

#include <stdbool.h>
#include <stdint.h>

struct req;

/* Which models a request is about: whether it may is judged by it, before the handler. */
enum handler_target {
	HANDLER_UNSAID,  /* nobody may */
	HANDLER_OPEN,    /* none, and everybody may */
	/* So too, but it asks what may be told to whom; a token that is none is as good as none. */
	HANDLER_DISCREET,
	HANDLER_REF,     /* capture 0 is a ref, or a name */
	HANDLER_VERSION, /* capture 0 is a name, capture 1 a version of it */
	HANDLER_TOLD,    /* `model` of the handler tells */
	/* Those that the handler comes upon: it asks for each; here, whether there may be any. */
	HANDLER_SOME,
	HANDLER_FOUND, /* so too; what everybody may read is answered whatever token came */
};

enum handler_body {
	HANDLER_BODY_NONE,      /* a body is dropped, a large one refused */
	HANDLER_BODY_MULTIPART, /* multipart/form-data, through the part functions; of any other
				 * media type, through `data` if there is one */
	HANDLER_BODY_RAW,       /* of any media type, through `data` */
	HANDLER_BODY_SMALL,     /* at most 64 KiB of any type; `work` finds it in req_body() */
};

struct handler {
	const char *name; /* in logs and metrics: "publish" */
	bool writes;      /* changes state: guard_write() comes first */
	enum scope scope; /* that it needs; 0 where everybody may */
	enum handler_target target;
	/* Of HANDLER_TOLD, on a loop's thread. Its failure is told to those who may for some
	 * model. */
	int (*model)(struct req *r, char name[REF_NAME_MAX + 1], struct err *e);
	enum handler_body body;
	/* Most bytes of a body that is read, as it is sent and as it is when decoded; called after
	 * `head`. Of any other body, and with NULL, 64 KiB are dropped and more refused. */
	uint64_t (*max_body)(struct req *r);
	/* Judge the request by its head: refuse, answer from memory with req_reply() or
	 * req_entity(), or prepare. NULL: nothing to do. */
	int (*head)(struct req *r, struct err *e);
	int (*part_begin)(struct req *r, const struct multipart_part *part, struct err *e);
	int (*part_data)(struct req *r, const char *bytes, size_t n, struct err *e);
	int (*part_end)(struct req *r, struct err *e);
	/* Of a body that is not multipart/form-data, or raw; `head` has to judge its type (415).
	 * NULL: such a body is refused. */
	int (*data)(struct req *r, const char *bytes, size_t n, struct err *e);
	/* Set the reply. */
	int (*work)(struct req *r, struct err *e);
	/* It will be answered with this error, whichever of these or what else it came from. For
	 * counting; on the thread that knows it. May be NULL. */
	void (*failed)(struct req *r, const struct err *e);
};

/* Connections of the whole server that were accepted, and that are open. */
void req_connections(const struct req *r, uint64_t *ret_accepted, uint64_t *ret_open);
void *req_app(const struct req *r); /* what httpd_start() was given */
/* Short: unique in this process's life, or what the client calls it (X-Request-Id). */
const char *req_id(const struct req *r);
bool req_is_head(const struct req *r);
struct str req_method(const struct req *r);
/* The body goes through the part functions. */
bool req_is_multipart(const struct req *r);
struct str req_capture(const struct req *r, size_t i); /* of the route's pattern, decoded */
/* Percent-decoded query parameter appended to `out`; false when absent or malformed. */
bool req_query(const struct req *r, const char *key, struct buf *out);
/* True when it is there, malformed or not. */
bool req_query_has(const struct req *r, const char *key);
/* The whole body, of HANDLER_BODY_SMALL. */
struct str req_body(const struct req *r);
/* Value of a header field, NULL when absent; the first of several. */
const char *req_header(const struct req *r, const char *name);
/* Does it ask for this media type rather than for the usual one? See accept_asks(). */
bool req_asks_for(const struct req *r, const char *type, const char *usual);

/* ---- who asks; the part of req_auth.c ---- */

/* For a model that the handler comes upon: 0, ERR_TOKEN_REQUIRED, ERR_NOT_ALLOWED, or what was
 * wrong with the token that came. The second is the same as a question. */
int req_require(const struct req *r, enum scope scope, const char *model, struct err *e);
bool req_may(const struct req *r, enum scope scope, const char *model);
/* Of every model that there may be. */
bool req_may_all(const struct req *r, enum scope scope);
/* As authority_models(), for work that goes on without the request. */
void req_models(const struct req *r, struct buf *out);
/* Who is to be noted: the token's name and id, or the client's address. */
const char *req_who(const struct req *r);
/* The answer is for who asks alone, since a token came: no cache may give it to others. */
bool req_is_private(const struct req *r);
const struct authority_asker *req_asker(const struct req *r);

/* Its conditions, for a handler that judges them itself. */
struct cond_request;
void req_conditions(const struct req *r, struct cond_request *ret);
const char *req_client(const struct req *r); /* its address, "127.0.0.1"; "" when not known */
/* Scheme and authority the client used, "http://127.0.0.1:8570": for absolute URLs in answers. */
const char *req_base_url(struct req *r);

/* State of the handler, freed when replaced or with the request. Of a request with a body whose
 * `work` did not run a worker frees it, since throwing away what arrived may wait for the disk;
 * else a loop thread does, and it has to be quick. */
void req_set_state(struct req *r, void *state, void (*free_state)(void *));
void *req_state(const struct req *r);

/* Answer with this; takes the reference. NULL means that there was no memory for it. */
void req_reply(struct req *r, struct reply *reply);
/* Answer with this representation: conditions, range and HEAD as RFC 9110 says. Takes a reference
 * of its own. */
void req_entity(struct req *r, struct entity *entity);

/* A JSON array that becomes `errors` of the problem document, if the request fails. Taken over. */
void req_set_error_details(struct req *r, struct buf *json);
