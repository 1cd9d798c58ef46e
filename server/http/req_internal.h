/* SPDX-License-Identifier: Apache-2.0 */
/* A request from the inside: what it holds, and how libmicrohttpd's callbacks drive it. */
#pragma once

#include "common/ingest/inflate.h"
#include "server/http/guard.h"
#include "server/http/httpd_internal.h"
#include "server/http/multipart.h"
#include "server/http/req.h"
#include "server/http/reqid.h"
#include "server/http/router.h"

/* Where libmicrohttpd stands in the steps that req.h describes. It calls once when the request line
 * is there, once with the head, for each piece of the body, and once at the end (for requests
 * without a body as well). An answer may be queued at the head, which closes the connection, and at
 * the end, not between. Changed by the loop's thread alone. */
enum req_phase {
	REQ_LINE,  /* the head is incomplete */
	REQ_BODY,  /* also of requests without a body, until the end is announced */
	REQ_DRAIN, /* what comes is dropped: the answer is known */
	REQ_WORK,  /* suspended; a worker may be inside */
	REQ_REPLY, /* queued */
};

/* Header fields that a request is judged by, found while the guard looks at all of them. */
enum req_field {
	REQ_FIELD_ACCEPT,
	REQ_FIELD_ACCEPT_ENCODING,
	REQ_FIELD_IF_MATCH,
	REQ_FIELD_IF_MODIFIED_SINCE,
	REQ_FIELD_IF_NONE_MATCH,
	REQ_FIELD_IF_RANGE,
	REQ_FIELD_IF_UNMODIFIED_SINCE,
	REQ_FIELD_RANGE,
	REQ_FIELD_TRACEPARENT,
	REQ_FIELD_X_REQUEST_ID,
	REQ_FIELDS_N,
};

#define REQ_ID_MAX     (REQID_MAX + 1)
#define REQ_METHOD_MAX 16
#define REQ_LISTS_MAX  65536u /* twice what the library takes of a head */
#define REQ_SMALL_BODY_MAX 65536u /* of a body that is kept whole, or of no use */

/* Belongs to its loop's thread, but in REQ_WORK to the worker, until that one resumes the
 * connection. */
struct req {
	struct httpd_loop *loop;
	struct httpd_conn *conn; /* NULL when there was no memory for it */
	struct MHD_Connection *mhd;
	enum req_phase phase;
	const char *target_mhd; /* where libmicrohttpd has the target; not to be read */
	char id[REQ_ID_MAX];
	char trace[REQID_TRACE + 1]; /* "": none */
	bool id_is_theirs;
	char method[REQ_METHOD_MAX];
	uint64_t began_ns;
	struct guard_facts facts; /* zero when the guard refused */
	const char *fields[REQ_FIELDS_N]; /* of lists all lines, NULL when absent */
	struct buf lists; /* of those that came in several */
	bool framed;              /* the guard let the head pass: we know where the body ends */
	struct router_match match;
	const struct handler *handler; /* NULL until routed */
	struct authority_asker asker;
	struct err *refusal; /* what was wrong with the token that came; NULL: nothing */
	unsigned retry_after_s; /* 0: not said */
	bool wrong_coding;           /* refused for its Content-Encoding */
	struct inflate *inflate;     /* NULL: the body is not coded */
	struct multipart *multipart; /* NULL: the body is not multipart/form-data, or not read */
	struct buf body;             /* of HANDLER_BODY_SMALL */
	uint64_t max_body;
	uint64_t received; /* bytes of body */
	uint64_t decoded;  /* bytes that came out of `inflate` */
	uint64_t drained;
	bool failed;
	struct err fault; /* the first one; valid when `failed` */
	struct buf details;
	bool replied; /* req_reply() was called; `reply` is NULL if there was no memory */
	struct reply *reply;
	bool settled; /* `reply` is what will be sent */
	bool worked; /* handler->work() has run */
	bool is_intake; /* the rest of the body and the answer go past the library; then */
	struct req *intake_next, *intake_prev; /* in the list of the loop */
	struct req *worked_next;               /* in that of those that workers have done with */
	struct buf answer;                     /* as it is sent */
	size_t answered;                       /* bytes that were */
	void *state;
	void (*free_state)(void *);
	char *base_url;
	bool is_https;         /* as the client asked, in front of all proxies */
	bool is_proxied;       /* it comes from a proxy that is believed */
	bool counted;          /* in httpd_peers, for `from` */
	struct network from;   /* the client that a proxy told of; family 0: none */
	char client[NETWORK_TEXT]; /* the same; "": the other side of the connection */
	size_t target_n;
	char target[]; /* raw, NUL terminated */
};

/* ---- req.c ---- */

struct req *req_new(struct httpd_loop *loop, struct MHD_Connection *mhd, const char *target);
void req_free(struct req *r);
/* Keeps the first fault; a reply that was set before it is dropped. */
void req_fail(struct req *r, const struct err *e);
/* Turns what is known into r->reply, once. Any thread. */
void req_settle(struct req *r);

/* ---- req_head.c ---- */

/* Guard, route, policy; sets facts, match and handler, and answers what needs no handler. */
int req_head_judge(struct req *r, const char *method, const char *version, struct err *e);

/* ---- req_proxied.c ---- */

/* What a trusted proxy says: sets client, scheme and host. ERR_TOO_MANY when the client has too
 * many requests under way. */
int req_proxied_read(struct req *r, const struct guard_header *headers, size_t n, struct err *e);
void req_proxied_done(struct req *r);

/* ---- req_auth.c ---- */

/* May who asks do what the handler does? Sets the asker. */
int req_auth_judge(struct req *r, struct err *e);
void req_auth_done(struct req *r);

/* ---- req_body.c ---- */

/* Get ready for the body that the head announces, by the kind that the handler reads. */
int req_body_begin(struct req *r, struct err *e);
/* Bytes of it, through the coding and the parts to the handler. */
int req_body_take(struct req *r, const char *bytes, size_t n, struct err *e);
/* There are no more. */
int req_body_end(struct req *r, struct err *e);
/* ERR_TOO_LARGE for a body of `n` bytes. */
int req_body_check(const struct req *r, uint64_t n, struct err *e);

/* ---- req_intake.c: large bodies past libmicrohttpd; on the loop's thread, but for one ---- */

int req_intake_open(struct httpd_loop *loop, struct err *e);
void req_intake_close(struct httpd_loop *loop);
/* Is the rest of the body worth it, and can it be had? Of a body that has begun. */
bool req_intake_wants(const struct req *r);
/* In a callback of the connection: take it over, if that works. */
void req_intake_begin(struct req *r);
/* The reply is known. False: all was sent, or it cannot be; the connection is to be cut. */
bool req_intake_answer(struct req *r);
/* A worker has done with the request, which is the loop's from now on. */
void req_intake_worked(struct req *r);
/* Receive and send what can be. */
void req_intake_round(struct httpd_loop *loop);
/* The server stops, and no worker has any: give them back to the library. */
void req_intake_stop(struct httpd_loop *loop);

/* ---- req_run.c: what libmicrohttpd reports ---- */

/* The head is there; or `n` bytes of body; or, without any, the end. False: cut the connection. */
bool req_run_step(struct req *r, const char *method, const char *version, const char *data,
	size_t n);
/* It is over and libmicrohttpd has done with it; `failed`: maybe with an answer of its own.
 * Frees. */
void req_run_completed(struct req *r, bool failed);
