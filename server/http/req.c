/* SPDX-License-Identifier: Apache-2.0 */
#include "server/http/req_internal.h"
#include "common/base/log.h"
#include "server/http/accept.h"
#include "server/http/cond.h"
#include "server/http/problem.h"
#include "server/work/workpool.h"

#include <microhttpd.h>
#include <netdb.h>
#include <stdio.h>
#include <string.h>

#define DETAILS_MAX (1024 * 1024)
#define ALLOW_MAX   128

/* ---- life ---- */

static struct httpd_conn *conn_of(struct MHD_Connection *mhd)
{
	const union MHD_ConnectionInfo *info =
		MHD_get_connection_info(mhd, MHD_CONNECTION_INFO_SOCKET_CONTEXT);

	return info ? info->socket_context : NULL;
}

struct req *req_new(struct httpd_loop *loop, struct MHD_Connection *mhd, const char *target)
{
	size_t n = strlen(target);
	struct req *r = calloc(1, sizeof(*r) + n + 1);

	if (!r)
		return NULL;
	r->loop = loop;
	r->mhd = mhd;
	r->conn = conn_of(mhd);
	r->target_mhd = target;
	r->target_n = n;
	memcpy(r->target, target, n + 1);
	buf_init(&r->details, DETAILS_MAX);
	buf_init(&r->lists, REQ_LISTS_MAX);
	buf_init(&r->body, REQ_SMALL_BODY_MAX);
	return r;
}

/* A queue that is full leaves it to this thread: late is better than never. */
static void free_state_elsewhere(struct req *r)
{
	struct err ignored;

	if (r->facts.has_body && !r->worked && r->state && r->free_state &&
		workpool_submit(r->loop->httpd->o.workers, WORK_READ, r->free_state, r->state,
			&ignored) == 0)
		r->state = NULL;
	req_set_state(r, NULL, NULL);
}

void req_free(struct req *r)
{
	if (!r)
		return;
	free_state_elsewhere(r);
	multipart_free(r->multipart);
	inflate_free(r->inflate);
	router_match_done(&r->match);
	req_auth_done(r);
	req_proxied_done(r);
	reply_unref(r->reply);
	buf_done(&r->details);
	buf_done(&r->lists);
	buf_done(&r->body);
	buf_done(&r->answer);
	free(r->base_url);
	free(r);
}

void req_fail(struct req *r, const struct err *e)
{
	if (r->failed)
		return;
	r->failed = true;
	r->fault = *e;
}

/* Of a head that was refused the target stands for it: a client asks for weights all the same. */
static struct str path_of(const struct req *r)
{
	struct str path = str_of(r->target), rest = path;

	if (r->facts.path.n > 0)
		return r->facts.path;
	(void)str_split(&rest, '?', &path);
	return path;
}

static bool is_quiet(const struct req *r)
{
	const struct httpd *h = r->loop->httpd;
	bool reads = strcmp(r->method, "GET") == 0 || req_is_head(r);

	/* What is sent to a client that writes is never taken for weights. */
	return reads && h->o.quiet_errors && h->o.quiet_errors(path_of(r));
}

static struct reply *fault_reply(const struct req *r)
{
	const char *details = r->details.len ? r->details.data : NULL;
	CLEANUP_BUF struct buf allow = BUF_INIT(ALLOW_MAX);
	struct reply *reply = is_quiet(r)
		? problem_reply_empty(&r->fault)
		: problem_reply(&r->fault, r->id, details, r->details.len);

	if (r->fault.code == ERR_METHOD_NOT_ALLOWED) {
		router_allow(r->match.allowed, &allow);
		reply_header(reply, "Allow", buf_str(&allow));
	}
	if (r->fault.code == ERR_TOO_MANY_FAILURES)
		reply_headerf(reply, "Retry-After", "%u", r->retry_after_s);
	/* Only then: it tells a coding apart from a media type (RFC 9110 12.5.3). */
	if (r->wrong_coding)
		reply_header(reply, "Accept-Encoding", "gzip");
	return reply;
}

/* 503 says that we are busy, not that something broke. */
static bool is_worth_a_line(const struct err *e)
{
	return err_ours(e->code) && err_status(e->code) != 503;
}

void req_settle(struct req *r)
{
	struct err e;

	if (r->settled)
		return;
	r->settled = true;
	if (!r->failed && !r->replied) {
		err_set(&e, ERR_INTERNAL, "the handler %s gave no answer", r->handler->name);
		req_fail(r, &e);
	}
	if (!r->failed)
		return;
	if (r->handler && r->handler->failed)
		r->handler->failed(r, &r->fault);
	if (is_worth_a_line(&r->fault))
		log_err(r->handler ? r->handler->name : "http", &r->fault);
	reply_unref(r->reply);
	r->reply = fault_reply(r);
	r->replied = true;
}

/* ---- what handlers see ---- */

void *req_app(const struct req *r)
{
	return r->loop->httpd->o.app;
}

void req_connections(const struct req *r, uint64_t *ret_accepted, uint64_t *ret_open)
{
	const struct httpd *h = r->loop->httpd;
	uint64_t closed = 0;

	*ret_accepted = 0;
	/* Those that are closed first: there are never more of them than were accepted. */
	for (size_t i = 0; i < h->loops_n; i++) {
		closed += atomic_load(&h->loops[i].closed);
		*ret_accepted += atomic_load(&h->loops[i].accepted);
	}
	*ret_open = *ret_accepted - closed;
}

const char *req_id(const struct req *r)
{
	return r->id;
}

bool req_is_head(const struct req *r)
{
	return strcmp(r->method, "HEAD") == 0;
}

struct str req_method(const struct req *r)
{
	return str_of(r->method);
}

bool req_is_multipart(const struct req *r)
{
	return r->multipart;
}

struct str req_capture(const struct req *r, size_t i)
{
	return i < r->match.captures_n ? r->match.captures[i] : STR_LIT("");
}

bool req_query(const struct req *r, const char *key, struct buf *out)
{
	return router_query(r->facts.query, key, out);
}

bool req_query_has(const struct req *r, const char *key)
{
	return router_query_has(r->facts.query, key);
}

struct str req_body(const struct req *r)
{
	return (struct str){buf_str(&r->body), r->body.len};
}

/* On a worker as well: while a connection is suspended libmicrohttpd leaves its head alone. */
const char *req_header(const struct req *r, const char *name)
{
	return MHD_lookup_connection_value(r->mhd, MHD_HEADER_KIND, name);
}

bool req_asks_for(const struct req *r, const char *type, const char *usual)
{
	return accept_asks(r->fields[REQ_FIELD_ACCEPT], type, usual);
}

/* HTTP/1.0 knows requests without Host: they get the address that they came to. */
static void add_own_address(const struct req *r, struct buf *out)
{
	char host[NI_MAXHOST], port[NI_MAXSERV];
	struct sockaddr_storage a;
	socklen_t n = sizeof(a);

	if (!r->conn || getsockname(r->conn->fd, (struct sockaddr *)&a, &n) < 0 ||
		getnameinfo((struct sockaddr *)&a, n, host, sizeof(host), port, sizeof(port),
			NI_NUMERICHOST | NI_NUMERICSERV) != 0)
		buf_add_str(out, "localhost");
	else
		buf_addf(out, a.ss_family == AF_INET6 ? "[%s]:%s" : "%s:%s", host, port);
}

const char *req_base_url(struct req *r)
{
	CLEANUP_BUF struct buf url = BUF_INIT(ROUTER_TARGET_MAX + NI_MAXHOST);

	if (r->base_url)
		return r->base_url;
	buf_add_str(&url, r->is_https ? "https://" : "http://");
	if (r->facts.host.n)
		buf_add(&url, r->facts.host.p, r->facts.host.n);
	else
		add_own_address(r, &url);
	r->base_url = buf_failed(&url) ? NULL : buf_take(&url, NULL);
	return r->base_url ? r->base_url : "";
}

const char *req_client(const struct req *r)
{
	if (r->client[0])
		return r->client;
	return r->conn ? httpd_conn_client(r->conn) : "";
}

void req_set_state(struct req *r, void *state, void (*free_state)(void *))
{
	if (r->free_state && r->state)
		r->free_state(r->state);
	r->state = state;
	r->free_state = free_state;
}

void *req_state(const struct req *r)
{
	return r->state;
}

void req_reply(struct req *r, struct reply *reply)
{
	reply_unref(r->reply);
	r->reply = reply;
	r->replied = true;
}

void req_conditions(const struct req *r, struct cond_request *ret)
{
	*ret = (struct cond_request){
		.if_match = r->fields[REQ_FIELD_IF_MATCH],
		.if_none_match = r->fields[REQ_FIELD_IF_NONE_MATCH],
		.if_modified_since = r->fields[REQ_FIELD_IF_MODIFIED_SINCE],
		.if_unmodified_since = r->fields[REQ_FIELD_IF_UNMODIFIED_SINCE],
		.if_range = r->fields[REQ_FIELD_IF_RANGE],
		.is_get_or_head = strcmp(r->method, "GET") == 0 || req_is_head(r),
	};
}

void req_entity(struct req *r, struct entity *entity)
{
	bool get = strcmp(r->method, "GET") == 0;
	struct cond_request cond;

	req_conditions(r, &cond);
	req_reply(r, entity_reply(entity, &(struct entity_request){
		.cond = &cond,
		.accept_encoding = r->fields[REQ_FIELD_ACCEPT_ENCODING],
		/* RFC 9110 14.2: it is defined for GET alone. */
		.range = get ? r->fields[REQ_FIELD_RANGE] : NULL,
	}));
}

void req_set_error_details(struct req *r, struct buf *json)
{
	struct buf taken = *json;

	buf_init(json, json->max);
	buf_done(&r->details);
	if (buf_failed(&taken))
		buf_done(&taken);
	else
		r->details = taken;
}
