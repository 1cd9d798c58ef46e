/* SPDX-License-Identifier: Apache-2.0 */
/* Large bodies, past libmicrohttpd. That receives into what is left of a connection's pool, 9 KiB
 * at a time, and a larger pool would cost each connection that rests as much. So once a body has
 * begun that is known to be long, the connection is suspended, and its bytes go from the socket
 * into one large buffer of the loop. As libmicrohttpd takes no answer before it has seen a whole
 * body, this one is sent past it too: the connection is shut down behind it, as behind every
 * request with a body, and resumed, so that libmicrohttpd finds the end of the stream. */
#include "common/base/clock.h"
#include "common/base/num.h"
#include "server/http/req_internal.h"

#include <errno.h>
#include <microhttpd.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <unistd.h>

/* Received at a time, of one request in a round. Less than a writer takes without copying it, since
 * the copy, which is in the processor's cache, lets another thread hash it. */
#define PIECE      (192u << 10)
#define LEAST      (2 * PIECE) /* to come, or it is not worth the detour */
#define ANSWER_MAX (2 * (size_t)MIB) /* with its head */
#define EVENTS     64

/* ---- a loop's part ---- */

int req_intake_open(struct httpd_loop *loop, struct err *e)
{
	loop->intake_fd = epoll_create1(EPOLL_CLOEXEC);
	return loop->intake_fd < 0 ? err_sys(e, errno, "cannot make an epoll instance") : 0;
}

void req_intake_close(struct httpd_loop *loop)
{
	close_fd_p(&loop->intake_fd);
	free(take_ptr(loop->intake_piece));
}

static bool watch(struct req *r, uint32_t events)
{
	struct epoll_event event = {.events = events, .data.ptr = r};

	return epoll_ctl(r->loop->intake_fd, EPOLL_CTL_ADD, r->conn->fd, &event) == 0 ||
		(errno == EEXIST &&
			epoll_ctl(r->loop->intake_fd, EPOLL_CTL_MOD, r->conn->fd, &event) == 0);
}

static void unwatch(struct req *r)
{
	(void)epoll_ctl(r->loop->intake_fd, EPOLL_CTL_DEL, r->conn->fd, NULL);
}

/* ---- coming and going ---- */

bool req_intake_wants(const struct req *r)
{
	return !r->is_intake && r->conn && !r->conn->encrypted && !r->inflate &&
		r->facts.has_length && r->facts.length - r->received >= LEAST;
}

/* Without memory it goes on as it has begun. */
void req_intake_begin(struct req *r)
{
	struct httpd_loop *loop = r->loop;

	if (!loop->intake_piece)
		loop->intake_piece = malloc(PIECE);
	if (!loop->intake_piece || !watch(r, EPOLLIN))
		return;
	r->is_intake = true;
	r->conn->heard_ms = clock_mono_ms();
	buf_init(&r->answer, ANSWER_MAX);
	r->intake_next = loop->intakes;
	if (r->intake_next)
		r->intake_next->intake_prev = r;
	loop->intakes = r;
	MHD_suspend_connection(r->mhd);
}

/* libmicrohttpd finds what the socket has: its end, as a rule. */
static void leave(struct req *r)
{
	struct httpd_loop *loop = r->loop;

	unwatch(r);
	r->conn->heard_ms = 0;
	if (r->intake_prev)
		r->intake_prev->intake_next = r->intake_next;
	else
		loop->intakes = r->intake_next;
	if (r->intake_next)
		r->intake_next->intake_prev = r->intake_prev;
	MHD_resume_connection(r->mhd);
	httpd_loop_wake(loop);
}

static void cut(struct req *r)
{
	(void)shutdown(r->conn->fd, SHUT_RDWR);
	leave(r);
}

/* ---- the answer ---- */

/* False when there is nothing more to send, or nobody to send it to. */
static bool send_rest(struct req *r)
{
	while (r->answered < r->answer.len) {
		ssize_t n = send(r->conn->fd, r->answer.data + r->answered,
			r->answer.len - r->answered, MSG_DONTWAIT | MSG_NOSIGNAL);
		if (n < 0 && errno != EINTR)
			return errno == EAGAIN && watch(r, EPOLLOUT);
		r->answered += n > 0 ? (size_t)n : 0;
		r->conn->heard_ms = clock_mono_ms();
	}
	return false;
}

bool req_intake_answer(struct req *r)
{
	r->conn->heard_ms = clock_mono_ms(); /* a worker may have taken long */
	reply_print(r->reply, &r->answer);
	return !buf_failed(&r->answer) && send_rest(r);
}

void req_intake_worked(struct req *r)
{
	struct httpd_loop *loop = r->loop;

	r->worked_next = atomic_load(&loop->intakes_worked);
	while (!atomic_compare_exchange_weak(&loop->intakes_worked, &r->worked_next, r))
		;
	httpd_loop_wake(loop);
}

/* ---- events ---- */

static void end(struct req *r)
{
	if (!req_run_step(r, NULL, NULL, NULL, 0))
		cut(r);
}

static void take_piece(struct req *r)
{
	uint64_t left = r->facts.length - r->received;
	ssize_t n = recv(r->conn->fd, r->loop->intake_piece, left < PIECE ? (size_t)left : PIECE,
		MSG_DONTWAIT);

	if (n < 0 && (errno == EAGAIN || errno == EINTR))
		return;
	if (n <= 0) {
		leave(r);
		return;
	}
	r->conn->heard_ms = clock_mono_ms();
	if (!req_run_step(r, NULL, NULL, r->loop->intake_piece, (size_t)n)) {
		cut(r);
		return;
	}
	if (r->received < r->facts.length)
		return;
	unwatch(r);
	end(r);
}

static void handle(struct req *r)
{
	if (r->phase != REQ_REPLY)
		take_piece(r);
	else if (!send_rest(r))
		cut(r);
}

void req_intake_round(struct httpd_loop *loop)
{
	struct epoll_event events[EVENTS];
	struct req *worked = atomic_exchange(&loop->intakes_worked, NULL);

	for (struct req *next; worked; worked = next) {
		next = worked->worked_next;
		end(worked);
	}
	if (!loop->intakes)
		return;
	int n = epoll_wait(loop->intake_fd, events, EVENTS, 0);
	for (int i = 0; i < n; i++)
		handle(events[i].data.ptr);
}

void req_intake_stop(struct httpd_loop *loop)
{
	while (loop->intakes)
		cut(loop->intakes);
}
