/* SPDX-License-Identifier: Apache-2.0 */
/* The way of a request through its phases. */
#include "common/base/actor.h"
#include "common/base/num.h"
#include "server/http/redact.h"
#include "server/http/req_internal.h"

#include <microhttpd.h>
#include <string.h>
#include <time.h>

/* The rest of a body whose answer is known is read and dropped, so that the client comes to read
 * the answer: many report a broken pipe when the connection is closed while they send. A body that
 * is declared longer than this is answered at once all the same; one that turns out to be longer is
 * cut. */
#define DRAIN_MAX (64 * MIB)

static uint64_t now_ns(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (uint64_t)t.tv_sec * 1000000000u + (uint64_t)t.tv_nsec;
}

/* ---- the answer ---- */

static bool has_to_close(const struct req *r)
{
	return !r->framed || r->facts.has_body || httpd_stopping(r->loop->httpd);
}

static bool has_body(const struct req *r, int status)
{
	return !req_is_head(r) && status != 304 && status != 204;
}

/* Without memory for a copy nothing is sent in its place. */
static void encrypt(struct req *r)
{
	struct reply *whole = r->reply;

	if (!r->conn->certificate || !whole || !reply_is_borrowed(whole) ||
		!has_body(r, reply_status(whole)))
		return;
	r->reply = reply_copying(whole, r->loop->copy_fd);
	reply_unref(whole);
}

/* Who brought an id, or gets an error, may ask for the line of the request. Other answers are the
 * same for everybody, and many are shared. */
static void add_id(struct req *r)
{
	if (r->reply && (r->id_is_theirs || r->failed))
		r->reply = reply_with(r->reply, "X-Request-Id", r->id);
}

static bool answer(struct req *r)
{
	struct MHD_Response *response = NULL;

	req_settle(r);
	add_id(r);
	if (r->conn)
		encrypt(r);
	if (r->reply)
		response = reply_mhd(r->reply, has_to_close(r));
	if (!response) {
		req_reply(r, reply_ref(r->loop->httpd->no_memory));
		response = reply_mhd(r->reply, true);
	}
	r->phase = REQ_REPLY;
	httpd_conn_wait(r->conn, HTTPD_WAIT_REPLY);
	if (r->is_intake)
		return req_intake_answer(r);
	return MHD_queue_response(r->mhd, (unsigned)reply_status(r->reply), response) == MHD_YES;
}

/* ---- work ---- */

static void work(void *cls)
{
	struct req *r = cls;
	struct httpd_loop *loop = r->loop;
	struct err e;

	r->worked = true;
	actor_set(&(struct actor){
		.who = req_who(r), .address = req_client(r), .request = r->id});
	if (r->handler->work(r, &e) < 0)
		req_fail(r, &e);
	actor_clear();
	req_settle(r);
	if (r->is_intake) {
		req_intake_worked(r);
		atomic_fetch_sub(&loop->working, 1);
		return;
	}
	/* From the next line on the request may be gone, and from the last the loop. */
	MHD_resume_connection(r->mhd);
	httpd_loop_wake(loop);
	atomic_fetch_sub(&loop->working, 1);
}

static enum work_kind kind_of(const struct handler *h)
{
	return h->writes ? WORK_WRITE : WORK_READ;
}

/* libmicrohttpd leaves a suspended connection alone: it neither times out nor completes, whatever
 * the client does, so the worker has the request for itself. */
static bool start_work(struct req *r)
{
	struct httpd_loop *loop = r->loop;
	struct err e;

	r->phase = REQ_WORK;
	httpd_conn_wait(r->conn, HTTPD_WAIT_WORK);
	if (!r->is_intake)
		MHD_suspend_connection(r->mhd);
	atomic_fetch_add(&loop->working, 1);
	if (workpool_submit(loop->httpd->o.workers, kind_of(r->handler), work, r, &e) == 0)
		return true;
	req_fail(r, &e);
	atomic_fetch_sub(&loop->working, 1);
	if (r->is_intake)
		return answer(r);
	MHD_resume_connection(r->mhd);
	httpd_loop_wake(loop);
	return true;
}

/* ---- head ---- */

static char *add_hex(char *at, uint64_t n)
{
	int shift = 0;

	while (shift < 60 && n >> (shift + 4))
		shift += 4;
	for (; shift >= 0; shift -= 4)
		*at++ = "0123456789abcdef"[n >> shift & 15];
	return at;
}

/* Of every request, hence without printf(). */
static void set_id(struct req *r)
{
	char *at = add_hex(r->id, r->loop->index);

	_Static_assert(REQ_ID_MAX >= 16 + 1 + 16 + 1, "two numbers fit");
	*at++ = '-';
	at = add_hex(at, r->loop->requests++);
	*at = '\0';
}

static void begin(struct req *r, const char *method)
{
	r->loop->active++;
	r->loop->began++;
	r->began_ns = now_ns();
	set_id(r);
	memcpy(r->method, method, strnlen(method, sizeof(r->method) - 1)); /* the rest is zero */
}

static bool reads_stream(const struct handler *h)
{
	return h->body == HANDLER_BODY_MULTIPART || h->body == HANDLER_BODY_RAW;
}

static int begin_handler(struct req *r, struct err *e)
{
	const struct handler *h = r->handler;
	int result = 0;

	/* Better before the body than behind it. */
	if (h->writes && h->work && r->facts.has_body)
		result = workpool_check(r->loop->httpd->o.workers, kind_of(h), e);
	if (result == 0)
		result = req_body_begin(r, e);
	if (result == 0 && h->head)
		result = h->head(r, e);
	if (result < 0)
		return result;
	r->max_body = reads_stream(h) && h->max_body ? h->max_body(r) : REQ_SMALL_BODY_MAX;
	return req_body_check(r, r->facts.has_length ? r->facts.length : 0, e);
}

/* The answer is known and the body, if there is one, not worth reading. */
static bool is_refused_at_once(const struct req *r)
{
	if (!r->framed)
		return true;
	return r->facts.has_body &&
		(r->facts.expects_continue ||
			(r->facts.has_length && r->facts.length > DRAIN_MAX));
}

static bool on_head(struct req *r, const char *method, const char *version)
{
	struct err e;

	begin(r, method);
	int result = req_head_judge(r, method, version, &e);
	if (result == 0 && r->handler && !r->replied)
		result = begin_handler(r, &e);
	if (result < 0)
		req_fail(r, &e);
	r->phase = r->failed || r->replied ? REQ_DRAIN : REQ_BODY;
	httpd_conn_request(r->conn, HTTPD_WAIT_BODY, r->id);
	/* Without a body the answer waits for the end, which is announced at once: an answer here
	 * would cost the client its connection. */
	return r->phase == REQ_DRAIN && is_refused_at_once(r) ? answer(r) : true;
}

/* ---- body ---- */

static bool on_body(struct req *r, const char *data, size_t n)
{
	struct err e;

	if (!num_add(r->received, n, &r->received))
		return false;
	if (r->phase == REQ_BODY) {
		if (req_body_take(r, data, n, &e) < 0) {
			req_fail(r, &e);
			r->phase = REQ_DRAIN;
		}
		if (reads_stream(r->handler) && req_intake_wants(r))
			req_intake_begin(r);
		return true;
	}
	r->drained += n;
	return r->drained <= DRAIN_MAX;
}

/* ---- end ---- */

/* It was told so: what comes after counts for nothing. */
static bool is_late(const struct req *r)
{
	return r->conn && r->conn->late;
}

static bool on_end(struct req *r)
{
	struct err e;

	if (r->phase == REQ_BODY && req_body_end(r, &e) < 0)
		req_fail(r, &e);
	if (r->phase == REQ_BODY && !r->failed && r->handler->work)
		return start_work(r);
	return answer(r);
}

bool req_run_step(struct req *r, const char *method, const char *version, const char *data,
	size_t n)
{
	if (is_late(r))
		return false;
	if (r->phase == REQ_LINE)
		return on_head(r, method, version);
	return n > 0 ? on_body(r, data, n) : on_end(r);
}

/* ---- after the answer, or without one ---- */

static uint64_t body_sent(const struct req *r, int status)
{
	return r->reply && has_body(r, status) ? reply_length(r->reply) : 0;
}

/* libmicrohttpd refuses some requests itself, such as those with malformed chunks or heads beyond
 * its memory. It calls that a failure, as when the client goes away, and tells no status. */
static bool is_refused_by_library(const struct req *r, bool failed)
{
	struct httpd_peer peer;

	if (!failed || !r->conn || r->drained > DRAIN_MAX)
		return false;
	httpd_conn_peer(r->conn, &peer);
	return !peer.is_gone && !peer.has_left;
}

static int final_status(const struct req *r, bool failed)
{
	if (is_late(r))
		return err_status(ERR_TIMED_OUT);
	if (r->phase == REQ_REPLY)
		return reply_status(r->reply);
	return is_refused_by_library(r, failed) ? 400 : 0;
}

/* Answers from memory need no token: without a query there is none to hide. */
static struct str shown_target(struct req *r)
{
	if (r->facts.query.n > 0 || !r->handler || r->handler != r->loop->httpd->o.peeked)
		r->target_n = redact_target(r->target, r->target_n);
	return (struct str){r->target, r->target_n};
}

static void log_request(struct req *r, int status)
{
	const struct httpd_options *o = &r->loop->httpd->o;
	struct str target;

	if (!o->access)
		return;
	target = shown_target(r);
	o->access(o->app, &(struct httpd_access){
		.loop = r->loop->index,
		.request_id = r->id,
		.trace = r->trace,
		.method = str_of(r->method[0] ? r->method : "-"),
		.target = target,
		.client = r->conn ? req_client(r) : "-",
		.handler = r->handler ? r->handler->name : "-",
		.status = status,
		.sent = body_sent(r, status),
		.received = r->received,
		.micros = r->began_ns ? (now_ns() - r->began_ns) / 1000 : 0,
	});
}

void req_run_completed(struct req *r, bool failed)
{
	int status = final_status(r, failed);

	httpd_conn_request(r->conn, HTTPD_WAIT_HEAD, NULL);
	if (r->phase != REQ_LINE) {
		r->loop->active--;
		log_request(r, status);
	} else if (status != 0) {
		set_id(r);
		log_request(r, status);
	}
	req_free(r);
}
