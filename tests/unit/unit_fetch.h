/* SPDX-License-Identifier: Apache-2.0 */
/* What tests of fetch.h start with: a server of their own, a fetcher that may go there, and a fetch
 * from begin to end in one call. */
#pragma once

#include "common/net/fetch.h"
#include "tests/unit/net_server.h"
#include "tests/unit/unit.h"

#include <pthread.h>

struct unit_fetch {
	struct net_server *server;
	struct address_list *allow;
	struct fetcher *fetcher;
};

/* One for a test process. */
extern struct unit_fetch unit_fetch;

/* The fetcher may go to 127.0.0.1; `allow` names others besides, separated by spaces, or is NULL.
 * "-" in front: not even to 127.0.0.1. */
void unit_fetch_begin(net_answer_fn *answer, const char *allow);
void unit_fetch_begin_with(net_answer_fn *answer, const char *allow,
	struct fetcher_options options);
void unit_fetch_end(void);

/* http://127.0.0.1:<port><path> */
struct url unit_fetch_url(const char *path);
struct url unit_fetch_url_at(const char *host, const char *path);
/* Generous limits. */
struct fetch_request unit_fetch_request(const struct url *u);

struct fetched {
	int r;
	struct err e;
	bool has_head;
	struct fetch_head head;
	char *bytes; /* as many as came, whatever the end */
	size_t n;
	bool may_retry;
	bool begin_anew;
	uint64_t after_ms;
	int status;
};

struct fetched unit_fetch_all(const struct fetch_request *q);
/* A path, with limits that are generous. */
struct fetched unit_fetch_get(const char *path);
void fetched_done(struct fetched *f);

/* A thread that waits for a head. */
struct unit_taker {
	struct fetch *fetch;
	atomic_bool cancel;
	pthread_t thread;
};

void unit_taker_begin(struct unit_taker *t, const struct url *u);
/* It is cancelled, or has ended before. */
void unit_taker_end(struct unit_taker *t);

/* Bytes that differ all along a body. */
void unit_fetch_fill(char *bytes, size_t n);
bool unit_fetch_is_filled(const char *bytes, size_t n, uint64_t offset);

/* It is whole, and is this. */
#define ck_fetched(f, want, want_n) \
	do { \
		ck_assert_msg((f).r == 0, "%s", (f).e.text); \
		ck_assert_uint_eq((f).n, (want_n)); \
		if ((want_n) > 0) \
			ck_assert_mem_eq((f).bytes, (want), (want_n)); \
	} while (0)

/* It failed so, and the sentence says so. */
#define ck_failed(f, want, says) \
	do { \
		ck_assert_msg((f).r == -(int)(want) && (f).e.code == (want), \
			"%d %s (%s), not %s", (f).r, err_name((f).r < 0 ? (f).e.code : ERR_NONE), \
			(f).r < 0 ? (f).e.text : "", err_name(want)); \
		ck_assert_msg(strstr((f).e.text, says) != NULL, "%s", (f).e.text); \
	} while (0)
