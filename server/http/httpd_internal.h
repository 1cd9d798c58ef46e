/* SPDX-License-Identifier: Apache-2.0 */
/* What the files of the HTTP server share: the server, its listeners, its loops, its
 * connections. */
#pragma once

#include "common/base/bell.h"
#include "common/base/clock.h"
#include "common/base/snapshot.h"
#include "server/http/forwarded.h"
#include "server/http/httpd.h"
#include "server/http/reply.h"
#include "server/http/tls.h"

#include <netinet/in.h>
#include <poll.h>
#include <pthread.h>
#include <stdatomic.h>
#include <sys/socket.h>

struct MHD_Connection;
struct MHD_Daemon;

/* ---- listeners: httpd_listen.c ------------------------------------------------------------- */

/* One address. With sockets of our own, each loop has one, all bound to the address; a socket that
 * was handed in is one queue that all loops share through duplicates. */
struct httpd_listener {
	int *fds; /* one a loop; -1 once a loop has taken it over */
	size_t fds_n;
	bool handed_in;
	bool is_secure; /* TLS */
	struct sockaddr_storage address;
};

/* Opens for `loops` loops. Blocks no longer than bind() does. */
int httpd_listen_open(struct httpd_listener *l, const char *address, size_t loops,
	unsigned send_buffer, struct err *e);
/* Takes `fd` over, on failure too. */
int httpd_listen_adopt(struct httpd_listener *l, int fd, size_t loops, unsigned send_buffer,
	struct err *e);
void httpd_listen_close(struct httpd_listener *l);
bool httpd_listen_is_loopback(const struct httpd_listener *l);
unsigned httpd_listen_port(const struct httpd_listener *l); /* 0 for a local socket */
/* As httpd_url() says. */
void httpd_listen_url(const struct httpd_listener *l, struct buf *out);

/* ---- clients by address: httpd_peers.c ----------------------------------------------------- */

/* Counts the connections of each address, over all loops. Of IPv6 the first 64 bits are one, since
 * whoever has one such address has them all (RFC 4291 2.5.4, RFC 6177). */
struct httpd_peers;

/* `limit` 0: any number. NULL without memory. */
struct httpd_peers *httpd_peers_new(unsigned limit, unsigned connections);
void httpd_peers_free(struct httpd_peers *p);
/* Any thread. */
void httpd_peers_set_limit(struct httpd_peers *p, unsigned limit);
/* May one more come from there? Any thread. What is not of the internet is one address. */
bool httpd_peers_admit(struct httpd_peers *p, const struct network *a);
/* A connection has begun; false without memory, then it is not counted. */
bool httpd_peers_add(struct httpd_peers *p, const struct network *a);
void httpd_peers_remove(struct httpd_peers *p, const struct network *a);
unsigned httpd_peers_count(struct httpd_peers *p, const struct network *a);

/* ---- connections: httpd_conn.c ------------------------------------------------------------- */

/* What a connection waits for. Kept by its loop's thread. */
enum httpd_wait {
	HTTPD_WAIT_HEAD,  /* for a request, or the rest of its head */
	HTTPD_WAIT_BODY,  /* for the client to send */
	HTTPD_WAIT_WORK,  /* for us: never cut */
	HTTPD_WAIT_REPLY, /* for the client to take */
};

struct httpd_conn {
	struct httpd_conn *next, *prev; /* in the list of its loop */
	int fd;
	struct MHD_Connection *mhd;
	const struct MHD_Daemon *daemon; /* that has it */
	unsigned timeout_s; /* that libmicrohttpd has for it */
	bool counted; /* in httpd_peers */
	bool encrypted;
	struct tls_certificate *certificate; /* that its session has; NULL without TLS */
	bool is_proxy; /* that is believed */
	struct sockaddr_storage peer;
	char client[INET6_ADDRSTRLEN]; /* "": not asked for so far */
	enum httpd_wait wait;
	const char *request_id; /* of the request that waits; NULL: its head is incomplete */
	uint64_t began_ms; /* of the first look since the wait began; 0: none so far */
	uint64_t since_ms; /* of the last one that took `moved` */
	uint64_t moved;    /* bytes the client had sent or taken by then */
	uint64_t head_ms;  /* since when a head is under way; 0: none is */
	bool leaving;      /* at the last look it had closed its side */
	bool idle;         /* at the last look nothing of an answer was on the way */
	uint64_t idle_at;  /* bytes the client had taken by then */
	bool late;         /* it was told 408, past libmicrohttpd: what still comes is dropped */
	uint64_t heard_ms; /* past libmicrohttpd: when a byte moved last; 0: that counts the time */
};

struct httpd_loop;

struct httpd_conn *httpd_conn_new(struct httpd_loop *loop, struct MHD_Connection *mhd);
void httpd_conn_free(struct httpd_loop *loop, struct httpd_conn *c); /* accepts NULL */
/* The client's address as text, "local" when it has none. */
const char *httpd_conn_client(struct httpd_conn *c);
/* The connection waits for something else from now on. Accepts NULL. */
void httpd_conn_wait(struct httpd_conn *c, enum httpd_wait wait);
/* The same, of a request that begins or has ended; `id` stays the caller's. */
void httpd_conn_request(struct httpd_conn *c, enum httpd_wait wait, const char *id);
/* Whether some client's request is likely on its way or here, and nobody has begun with it: closing
 * the connection would reset it, and the client could not know what became of the request. */
bool httpd_conn_any_expects(const struct httpd_loop *loop);
/* The settings are other ones: who is a proxy may be, too. */
void httpd_conn_renew(struct httpd_loop *loop);
/* The server stops: shut down those that wait for a request of which nothing has come. */
void httpd_conn_close_idle(struct httpd_loop *loop);
/* Shut down every connection whose client is too slow, or has gone unnoticed; say 408 where a
 * request is incomplete. Called once a second. */
void httpd_conn_sweep(struct httpd_loop *loop);

/* What the system knows of the other side. */
struct httpd_peer {
	bool is_gone; /* the connection is dead */
	bool has_left; /* it has closed its side; it may still read */
	bool has_all; /* nothing that was sent is on the way */
	uint64_t taken; /* bytes it has acknowledged */
};
void httpd_conn_peer(const struct httpd_conn *c, struct httpd_peer *ret);

/* ---- room for more: httpd_room.c ------------------------------------------------------------ */

/* Where a daemon has as many connections as it may, and more wait: close some that are idle, first
 * those of addresses that have many, and last those of proxies, which count for none. True while
 * any has as many, which is to be called again soon then, for nothing tells of those that wait. */
bool httpd_room_make(struct httpd_loop *loop);

/* ---- connections in dense succession: httpd_defer.c ------------------------------------------ */

struct httpd_defer {
	unsigned came, rounds; /* connections of the window, and rounds in which they came */
	unsigned left;         /* that were closed meanwhile */
	bool fresh; /* a window has ended since the last sweep */
	bool on;    /* the system keeps connections until they have a request */
};

/* After each round. */
void httpd_defer_round(struct httpd_loop *loop);
/* Once a second: what does not go on is over. */
void httpd_defer_sweep(struct httpd_loop *loop);
/* The server stops: take what comes at once again. Returns the milliseconds in which connections
 * that the system keeps will have come; those that have not when the socket is closed are reset. */
unsigned httpd_defer_end(struct httpd_loop *loop);

/* ---- looking before sleeping: httpd_look.c --------------------------------------------------- */

struct httpd_look {
	bool on;     /* in this period */
	bool is_due; /* requests came in the round that was last, and no connections */
	unsigned periods;
	unsigned requests, misses; /* of this period */
	uint64_t began_ns; /* processor time of the thread when it began */
	uint64_t cost_ns[2]; /* of a request, when it was last off and on; 0: it never was */
};

/* Before waiting: runs the daemons for a moment, where it is due and pays. True when requests
 * came. */
bool httpd_look(struct httpd_loop *loop);
/* After each round, before httpd_defer_round(). */
void httpd_look_round(struct httpd_loop *loop);

#define HTTPD_HOST_KNOWN 128 /* bytes of a Host that is remembered */

/* ---- loops: httpd_loop.c ------------------------------------------------------------------- */

struct feed;

struct httpd_loop {
	struct httpd *httpd;
	unsigned index;
	bool started;
	pthread_t thread;
	int wake_fd; /* eventfd */
	int copy_fd; /* memory of the kernel's, for reply_copying(); -1 without TLS */
	struct MHD_Daemon **daemons; /* one a listener */
	int *listen_fds;             /* of the daemons, which own them until they are quiesced */
	struct pollfd *polls;        /* the daemons', then wake_fd and intake_fd */
	size_t daemons_n;
	struct httpd_conn *conns;
	size_t conns_n; /* of the daemons; more than listed when memory was short */
	bool full; /* a daemon has as many connections as it may */
	unsigned came; /* connections, in the round that was last */
	struct httpd_defer defer;
	struct httpd_look look;
	struct feed *feeds; /* that are being sent */
	int intake_fd;       /* epoll of what follows; see req_intake.c */
	struct req *intakes; /* whose bodies are taken past the library */
	char *intake_piece;  /* where they arrive; NULL before the first */
	_Atomic(struct req *) intakes_worked; /* that workers have done with */
	uint64_t swept_ms;
	uint64_t requests; /* that began, for their ids */
	struct snapshot *settings; /* that its thread goes by; httpd_settings_of() */
	struct snapshot *_Atomic goes_by; /* the same for others: only to compare */
	char host[HTTPD_HOST_KNOWN]; /* the last one that the guard let pass; see req_head.c */
	size_t host_n;
	unsigned began;    /* requests and connections, in the round that was last */
	unsigned active;   /* requests between their head and their end; this thread's */
	atomic_uint shown_active; /* the same for others, once a round */
	atomic_uint working; /* of those, the ones that a worker still touches */
	_Atomic uint64_t accepted, closed; /* connections; this thread writes */
	_Atomic uint64_t round_ms; /* when the loop last came round */
};

int httpd_loop_start(struct httpd *h, unsigned index, struct err *e);
/* Run its daemons once, which wait as many milliseconds. */
void httpd_loop_run(struct httpd_loop *loop, int at_most);
/* Make the loop come round. Any thread. */
void httpd_loop_wake(struct httpd_loop *loop);
/* Wait for the thread and free what the loop has; it must have been told to stop. */
void httpd_loop_join(struct httpd_loop *loop);

/* ---- feeds: feed.c; on the loop's thread ---------------------------------------------------- */

/* Once a second: heartbeats, and clients that have gone. */
void feed_sweep(struct httpd_loop *loop);
/* The server stops: end them all with what they have. None begins to wait after. */
void feed_stop(struct httpd_loop *loop);

/* ---- settings: httpd_settings.c ------------------------------------------------------------- */

struct httpd_settings { /* see common/base/snapshot.h */
	struct snapshot shared;
	struct guard_policy policy;
	char **hosts;
	char **write_origins;
	struct forwarded_policy forwarded;
	struct httpd_patience patience;
	unsigned timeout_s;
	unsigned max_expansion;
	unsigned connections_per_address;
	struct tls_fresh *certificate; /* until it is in force */
};

/* On the loop's thread, between two rounds: go by those in force. */
void httpd_settings_renew(struct httpd_loop *loop);

/* On the loop's thread; lives until the next round. */
static inline const struct httpd_settings *httpd_settings_of(const struct httpd_loop *loop)
{
	return (const struct httpd_settings *)loop->settings;
}

/* ---- the server ---------------------------------------------------------------------------- */

struct httpd {
	/* Without listen, sockets and what else was the caller's; what of it can change is that of
	 * the start, the settings have what counts. */
	struct httpd_options o;
	bool loopback_only;
	bool has_settings;
	struct snapshot_cell settings;
	struct bell renewed; /* rings when a loop goes by new ones */
	struct httpd_listener *listeners;
	size_t listeners_n;
	struct httpd_loop *loops;
	size_t loops_n;
	struct httpd_peers *peers;
	struct tls *tls;           /* NULL: no listener has TLS */
	atomic_uint feeds;
	struct reply *no_memory;   /* the answer when there is none for an answer */
	_Atomic uint64_t stop_by_ms; /* 0: running; else no new work, and cut at this time */
};

/* Connections that each of the daemons may have. */
static inline unsigned httpd_share_of_connections(const struct httpd *h)
{
	size_t daemons = h->loops_n * h->listeners_n;

	return (unsigned)((h->o.connections + daemons - 1) / daemons);
}

static inline bool httpd_stopping(struct httpd *h)
{
	return atomic_load_explicit(&h->stop_by_ms, memory_order_relaxed) != 0;
}
