/* SPDX-License-Identifier: Apache-2.0 */
/* A server for tests of what fetches: on a free port of 127.0.0.1, a thread for each connection.
 * What it answers is the test's own code, byte for byte. */
#pragma once

#include <pthread.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define NET_HEAD_MAX 16384u

struct net_conn {
	struct net_server *server;
	int fd;
	unsigned number;         /* of the connection, from 0 */
	char head[NET_HEAD_MAX]; /* of the request: "GET /x HTTP/1.1\r\n...\r\n\r\n" */
	void *cls;
};

/* Answers one request: its head is in c->head. False to close the connection. */
typedef bool net_answer_fn(struct net_conn *c);

struct net_server {
	int fd;
	unsigned port;
	net_answer_fn *answer;
	void *cls;
	pthread_t thread;
	pthread_mutex_t lock; /* of the rest */
	pthread_cond_t changed;
	unsigned connections;
	unsigned open;
	unsigned most_open;
	unsigned requests;
	bool stopping;
	char *heads; /* of all requests, one after the other */
	size_t heads_n;
	int fds[1024];
};

struct net_server *net_server_start(net_answer_fn *answer, void *cls);
/* Closes all connections, waits for their threads. */
void net_server_stop(struct net_server *s);
/* Requests so far. */
unsigned net_server_requests(struct net_server *s);
/* Wait until there were so many, with patience. */
void net_server_await(struct net_server *s, unsigned requests);
/* Did any request have this in its head? */
bool net_server_heard(struct net_server *s, const char *text);

/* Is it for this path (and query)? */
bool net_asks(const struct net_conn *c, const char *path);
bool net_has(const struct net_conn *c, const char *line);
/* False when the other side has gone. */
bool net_send(struct net_conn *c, const void *bytes, size_t n);
bool net_say(struct net_conn *c, const char *text);
bool net_sayf(struct net_conn *c, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
/* 200 with Content-Length. */
bool net_serve(struct net_conn *c, const char *fields, const void *bytes, size_t n);
/* Until the other side closes, or the server stops. */
void net_hang(struct net_conn *c);
/* Sleeps, but not when the server stops: false then. */
bool net_pause(struct net_conn *c, unsigned ms);
