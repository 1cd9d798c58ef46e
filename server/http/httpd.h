/* SPDX-License-Identifier: Apache-2.0 */
/* The HTTP server: libmicrohttpd driven by our own loop threads.
 *
 * Each loop is a thread with, for every address, an MHD daemon and a listening socket of its own
 * (SO_REUSEPORT). The library's internal epoll thread is not used: 0.9.75 fetches events 128 at a
 * time and waits again, possibly for ever, when exactly 128 (or 256, 384, 512 ...) connections
 * became ready in the same instant (microhttpd/daemon.c, MHD_epoll). The loop here polls the
 * library's epoll descriptors and its own eventfd for MHD_get_timeout(), then calls
 * MHD_run_wait(d, 0); one of one daemon with too few connections to fill a batch waits within
 * MHD_run_wait(), which is a system call less. The eventfd is how workers wake it after
 * MHD_resume_connection().
 *
 * Past the library go what it would make dear or impossible: the bodies of large uploads
 * (req_intake.c), and 408 in the middle of a request (httpd_conn.c). */
#pragma once

#include "common/base/buf.h"
#include "server/http/guard.h"
#include "server/http/req.h"
#include "server/http/router.h"
#include "server/work/workpool.h"

struct httpd;

struct httpd_access {
	unsigned loop;
	const char *request_id;
	const char *trace; /* of traceparent; "": none */
	struct str method; /* "-" of a head that did not come whole */
	struct str target; /* as it came, but for secrets */
	const char *client; /* address without port */
	const char *handler; /* name, or "-" */
	int status;       /* 0: the connection ended before an answer */
	uint64_t sent;     /* bytes of body offered */
	uint64_t received; /* bytes of body */
	uint64_t micros;
};

/* With clients that are slow: httpd_conn.c. Times are above 0. */
struct httpd_patience {
	uint64_t head_ms;    /* for a head from its first byte, and for the first of a connection */
	uint64_t request_ms; /* for a body to come, and for an answer to be taken */
	uint64_t rate;       /* bytes a second that a body or an answer has to move; 0: any */
	uint64_t rate_ms;    /* over how long that is measured */
};

struct httpd_options {
	/* "127.0.0.1:8570", "[::1]:0"; port 0 takes a free one; "tls:127.0.0.1:8571" for TLS */
	const char *const *listen;
	size_t listen_n;
	const int *sockets; /* listening sockets handed in by a service manager; taken over.
	                     * When there are any, `listen` is not used. */
	size_t sockets_n;
	const bool *secure_sockets; /* which of them are for TLS; NULL: none */
	/* PEM files of the certificate, with those between it and the authority's, and of its key;
	 * for the addresses with TLS. */
	const char *certificate;
	const char *key;
	unsigned loops; /* 0: httpd_default_loops() */
	unsigned connections;             /* in all */
	/* Also requests at a time of one client behind a proxy, whose connections do not count. 0:
	 * no limit. */
	unsigned connections_per_address;
	/* Without a byte in either direction. */
	unsigned timeout_s;
	struct httpd_patience patience;
	size_t head_max; /* bytes of a request's head; more are answered 431 */
	/* How many times its size a body with Content-Encoding: gzip may unpack to; see
	 * ingest_check_expansion(). */
	unsigned max_expansion;
	unsigned send_buffer;             /* SO_SNDBUF of each connection, bytes; 0: the system's */
	/* Names this server answers for, beside loopback ones; "*" for any. Copied. Without any, a
	 * server that listens beyond loopback answers for every name. */
	const char *const *hosts;
	size_t hosts_n;
	/* Origins whose pages may change state; see guard.h. Copied. */
	const char *const *write_origins;
	size_t write_origins_n;
	/* Addresses and networks of proxies that are believed; see forwarded.h. */
	const char *const *proxies;
	size_t proxies_n;
	bool proxies_say_forwarded; /* RFC 7239, else X-Forwarded-* */
	/* Asked for every request but those that `peek` answers. NULL: there are no tokens, so that
	 * everybody may read, and among ourselves write. */
	struct authority *authority;
	const struct router_row *routes; /* target: const struct handler * */
	size_t routes_n;
	void *app; /* what req_app() gives */
	struct workpool *workers;
	/* Asked before the routes, for a GET or HEAD without a body: the representation at this raw
	 * path if it is at hand and everybody may have it, else NULL. It stays valid until the next
	 * call on that thread; `loop` counts from 0. Must not block. Its requests count as those of
	 * `peeked`. May be NULL. */
	struct entity *(*peek)(void *app, unsigned loop, struct str path);
	const struct handler *peeked;
	/* Once a second on the thread of each loop; may be NULL. Must not block. */
	void (*tick)(void *app, unsigned loop);
	/* True for a path whose errors have no body when it is read with GET or HEAD. */
	bool (*quiet_errors)(struct str path);
	/* One call a finished request whose head came whole, or that was refused before it did, on
	 * the loop's thread; may be NULL. Must not block. */
	void (*access)(void *app, const struct httpd_access *a);
};

/* One for each processor. */
unsigned httpd_default_loops(void);

/* Bind, listen and serve. An address in use is ERR_CONFIG and says so, also for our own kind: a
 * probe without SO_REUSEPORT comes first. */
int httpd_start(const struct httpd_options *o, struct httpd **ret, struct err *e);

/* ---- what can change while it serves ---- */

struct httpd_settings;

/* Of the options: timeout_s, patience, max_expansion, connections_per_address, hosts,
 * write_origins, proxies and how they speak; and of a server with TLS certificate and key, whose
 * files are read. The rest is not looked at. ERR_CONFIG. */
int httpd_settings_new(const struct httpd *h, const struct httpd_options *o,
	struct httpd_settings **ret, struct err *e);
void httpd_settings_unref(struct httpd_settings *s); /* accepts NULL */
DEFINE_CLEANUP(struct httpd_settings, httpd_settings_unref)
/* Put them in force, for connections that are open too; a request whose head was judged stays as it
 * was judged. Takes them over. Blocks until all loops go by them; false when one has not come round
 * for some seconds, then it does as soon as it can. One thread. */
bool httpd_settings_put(struct httpd *h, struct httpd_settings *s);

/* The port of the i-th address, once started. */
unsigned httpd_port(const struct httpd *h, size_t i);
/* ERR_CONFIG when it is no address as `listen` has them. Nothing is opened. */
int httpd_listen_check(const char *listen, struct err *e);
/* Is it an address with TLS, as `listen` has it? */
bool httpd_listen_wants_tls(const char *listen);
/* "http://127.0.0.1:8570" of the i-th address, https with TLS, appended to `out`; a wildcard
 * address is shown as the loopback one, which reaches it. */
void httpd_url(const struct httpd *h, size_t i, struct buf *out);
/* True when every listening address is a loopback address. */
bool httpd_loopback_only(const struct httpd *h);

/* Read the certificate anew: when it has changed on the disk, or `anyway`. For one thread; blocks
 * on the disk. 1: connections that begin from now on get the new one; 0: nothing has changed, or
 * there is no TLS; on an error the old one stays. `warning`: what is no error, and still wrong. */
int httpd_refresh_certificate(struct httpd *h, bool anyway, struct buf *warning, struct err *e);

/* Stop in order: take no new connections, close those that are idle, let requests in flight finish
 * for up to `deadline_ms`, then cut what is left. The workers must still run. Blocks. */
void httpd_drain(struct httpd *h, unsigned deadline_ms);
/* Cut at once what is left to drain. Any thread, until httpd_free(). */
void httpd_hurry(struct httpd *h);
/* After httpd_drain(). Accepts NULL. */
void httpd_free(struct httpd *h);
/* Both. Accepts NULL. */
void httpd_stop(struct httpd *h, unsigned deadline_ms);

struct httpd_load {
	uint64_t connections; /* that are open */
	uint64_t requests;    /* whose head has come, and that have not ended */
	uint64_t left_ms;     /* of a drain until it cuts */
};
/* At about this moment. Any thread, until httpd_free(). */
void httpd_load(const struct httpd *h, struct httpd_load *ret);

/* True when every loop has come round within `within_ms`: for the watchdog. */
bool httpd_alive(const struct httpd *h, unsigned within_ms);
