/* SPDX-License-Identifier: Apache-2.0 */
/* Cancelling, giving up and stopping in every state, from several threads at once. */
#include "common/base/clock.h"
#include "common/base/num.h"
#include "tests/unit/unit_fetch.h"

#include <pthread.h>

#define BIG (64 * MIB)

static bool serve_any(struct net_conn *c)
{
	static const char megabyte[MIB];

	if (net_asks(c, "/hang")) {
		net_hang(c);
		return false;
	}
	if (net_asks(c, "/stall")) {
		(void)net_say(c, "HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\n12345");
		net_hang(c);
		return false;
	}
	if (net_asks(c, "/big")) {
		(void)net_sayf(c, "HTTP/1.1 200 OK\r\nContent-Length: %llu\r\n\r\n",
			(unsigned long long)BIG);
		for (uint64_t at = 0; at < BIG; at += sizeof(megabyte)) {
			if (!net_send(c, megabyte, sizeof(megabyte)))
				return false;
		}
		return true;
	}
	return net_serve(c, "", "hello", 5);
}

static void take(struct unit_taker *t, const char *path)
{
	struct url u = unit_fetch_url(path);

	unit_taker_begin(t, &u);
}

static struct fetch *start_with(const char *path, const atomic_bool *cancel)
{
	struct url u = unit_fetch_url(path);
	struct fetch_request q = unit_fetch_request(&u);
	struct fetch *x;
	struct err e;

	q.cancel = cancel;
	ck_ok(fetch_start(unit_fetch.fetcher, &q, &x, &e));
	return x;
}

/* ---- giving up ---- */

START_TEST(a_fetch_can_be_given_up_before_anything_came)
{
	unit_fetch_begin(serve_any, NULL);
	for (int i = 0; i < 50; i++)
		fetch_free(start_with("/", NULL));
	struct unit_taker t;
	take(&t, "/hang");
	net_server_await(unit_fetch.server, 1);
	unit_taker_end(&t);
	fetch_free(NULL);
	unit_fetch_end();
}
END_TEST

START_TEST(a_fetch_can_be_given_up_in_its_body)
{
	const struct fetch_head *head;
	const char *bytes;
	struct err e;
	size_t n;

	unit_fetch_begin(serve_any, NULL);
	struct fetch *x = start_with("/stall", NULL);
	ck_ok(fetch_head(x, &head, &e));
	fetch_free(x);
	x = start_with("/stall", NULL);
	ck_ok(fetch_read(x, &bytes, &n, &e));
	ck_assert_uint_eq(n, 5);
	fetch_free(x);
	x = start_with("/big", NULL);
	ck_ok(fetch_read(x, &bytes, &n, &e));
	fetch_free(x);
	/* With more on its way than there is room for. */
	x = start_with("/big", NULL);
	ck_ok(fetch_head(x, &head, &e));
	for (int i = 0; i < 8; i++) {
		struct fetched f = unit_fetch_get("/");
		ck_fetched(f, "hello", 5);
		fetched_done(&f);
	}
	fetch_free(x);
	unit_fetch_end();
}
END_TEST

START_TEST(a_fetch_can_be_given_up_while_it_waits_for_a_connection)
{
	struct fetcher_options options = {.max_connections = 1, .max_per_host = 1};

	unit_fetch_begin_with(serve_any, NULL, options);
	struct unit_taker first, second, third;
	take(&first, "/hang");
	net_server_await(unit_fetch.server, 1);
	take(&second, "/hang");
	take(&third, "/hang");
	unit_taker_end(&second);
	unit_taker_end(&first);
	unit_taker_end(&third);
	struct fetched f = unit_fetch_get("/");
	ck_fetched(f, "hello", 5);
	fetched_done(&f);
	unit_fetch_end();
}
END_TEST

/* ---- cancelling ---- */

struct canceller {
	atomic_bool cancel;
	unsigned after; /* requests */
};

static void *cancel_later(void *cls)
{
	struct canceller *c = cls;

	net_server_await(unit_fetch.server, c->after);
	atomic_store(&c->cancel, true);
	fetch_wake(unit_fetch.fetcher);
	return NULL;
}

static void cancel_while(const char *path, unsigned after, bool in_body)
{
	struct canceller c = {.after = after};
	const struct fetch_head *head;
	const char *bytes;
	pthread_t thread;
	uint64_t wait_ms;
	struct err e;
	size_t n;

	struct fetch *x = start_with(path, &c.cancel);
	if (in_body)
		ck_ok(fetch_read(x, &bytes, &n, &e));
	ck_assert_int_eq(pthread_create(&thread, NULL, cancel_later, &c), 0);
	if (in_body)
		ck_err(fetch_read(x, &bytes, &n, &e), ERR_CANCELLED);
	else
		ck_err(fetch_head(x, &head, &e), ERR_CANCELLED);
	ck_assert(!fetch_may_retry(x, &wait_ms));
	fetch_free(x);
	pthread_join(thread, NULL);
}

START_TEST(who_waits_for_a_head_or_bytes_is_cancelled)
{
	unit_fetch_begin(serve_any, NULL);
	cancel_while("/hang", 1, false);
	cancel_while("/stall", 2, true);
	unit_fetch_end();
}
END_TEST

START_TEST(who_waits_for_a_connection_is_cancelled)
{
	struct fetcher_options options = {.max_connections = 8, .max_per_host = 1};

	unit_fetch_begin_with(serve_any, NULL, options);
	struct unit_taker first;
	take(&first, "/hang");
	net_server_await(unit_fetch.server, 1);
	cancel_while("/", 1, false);
	unit_taker_end(&first);
	unit_fetch_end();
}
END_TEST

/* Nobody rings: it is looked at all the same. */
START_TEST(a_cancel_that_nobody_rings_for_is_seen)
{
	const struct fetch_head *head;
	atomic_bool cancel = true;
	struct err e;

	unit_fetch_begin(serve_any, NULL);
	struct fetch *x = start_with("/hang", &cancel);
	ck_err(fetch_head(x, &head, &e), ERR_CANCELLED);
	fetch_free(x);
	unit_fetch_end();
}
END_TEST

/* ---- one host does not take all ---- */

START_TEST(a_host_that_is_busy_holds_up_no_other)
{
	struct fetcher_options options = {.max_connections = 8, .max_per_host = 2};
	struct unit_taker busy[4];

	unit_fetch_begin_with(serve_any, NULL, options);
	for (int i = 0; i < 4; i++)
		take(&busy[i], "/hang");
	net_server_await(unit_fetch.server, 2);
	struct net_server *first = unit_fetch.server, *second = net_server_start(serve_any, NULL);
	unit_fetch.server = second;
	struct fetched f = unit_fetch_get("/");
	ck_fetched(f, "hello", 5);
	fetched_done(&f);
	unit_fetch.server = first;
	ck_assert_uint_eq(first->most_open, 2);
	for (int i = 0; i < 4; i++)
		unit_taker_end(&busy[i]);
	net_server_stop(second);
	unit_fetch_end();
}
END_TEST

/* ---- all at once ---- */

#define THREADS 8u
#define ROUNDS  40u

static void *take_and_leave(void *cls)
{
	static const char *const paths[] = {"/", "/big", "/stall", "/hang"};
	unsigned seed = *(const unsigned *)cls;
	const char *bytes;
	struct err e;
	size_t n;

	for (unsigned i = 0; i < ROUNDS; i++) {
		atomic_bool cancel = false;
		unsigned what = (seed * 7 + i * 5) % 8;
		struct fetch *x = start_with(paths[what % 4], &cancel);
		if (what % 4 < 3)
			ck_ok(fetch_read(x, &bytes, &n, &e));
		if (what < 4)
			atomic_store(&cancel, true);
		for (unsigned j = 0; what % 4 == 1 && j < what && !atomic_load(&cancel); j++)
			ck_ok(fetch_read(x, &bytes, &n, &e));
		fetch_wake(unit_fetch.fetcher);
		fetch_free(x);
	}
	return NULL;
}

START_TEST(threads_take_and_leave_as_they_like)
{
	struct fetcher_options options = {.max_connections = 6, .max_per_host = 6};
	pthread_t threads[THREADS];
	unsigned seeds[THREADS];

	unit_fetch_begin_with(serve_any, NULL, options);
	for (unsigned i = 0; i < THREADS; i++) {
		seeds[i] = i;
		ck_assert_int_eq(pthread_create(&threads[i], NULL, take_and_leave, &seeds[i]), 0);
	}
	for (unsigned i = 0; i < THREADS; i++)
		pthread_join(threads[i], NULL);
	unit_fetch_end();
}
END_TEST

static void *take_big(void *unused)
{
	const char *bytes;
	uint64_t at = 0;
	struct err e;
	size_t n;

	(void)unused;
	struct fetch *x = start_with("/big", NULL);
	for (;;) {
		ck_ok(fetch_read(x, &bytes, &n, &e));
		if (n == 0)
			break;
		at += n;
	}
	ck_assert_uint_eq(at, BIG);
	fetch_free(x);
	return NULL;
}

START_TEST(transfers_of_several_threads_run_at_the_same_time)
{
	pthread_t threads[THREADS];

	unit_fetch_begin(serve_any, NULL);
	for (unsigned i = 0; i < THREADS; i++)
		ck_assert_int_eq(pthread_create(&threads[i], NULL, take_big, NULL), 0);
	for (unsigned i = 0; i < THREADS; i++)
		pthread_join(threads[i], NULL);
	unit_fetch_end();
}
END_TEST

START_TEST(a_fetcher_that_did_nothing_stops)
{
	struct fetcher_options options = {.max_connections = 1, .max_per_host = 1};
	struct fetcher *f;
	struct err e;

	for (int i = 0; i < 20; i++) {
		ck_ok(fetcher_start(&options, &f, &e));
		fetcher_stop(f);
	}
	fetcher_stop(NULL);
}
END_TEST

static Suite *suite(void)
{
	Suite *s = suite_create("fetch_life");
	TCase *t = tcase_create("fetch_life");

	tcase_set_timeout(t, 300);
	tcase_add_test(t, a_fetch_can_be_given_up_before_anything_came);
	tcase_add_test(t, a_fetch_can_be_given_up_in_its_body);
	tcase_add_test(t, a_fetch_can_be_given_up_while_it_waits_for_a_connection);
	tcase_add_test(t, who_waits_for_a_head_or_bytes_is_cancelled);
	tcase_add_test(t, who_waits_for_a_connection_is_cancelled);
	tcase_add_test(t, a_cancel_that_nobody_rings_for_is_seen);
	tcase_add_test(t, a_host_that_is_busy_holds_up_no_other);
	tcase_add_test(t, threads_take_and_leave_as_they_like);
	tcase_add_test(t, transfers_of_several_threads_run_at_the_same_time);
	tcase_add_test(t, a_fetcher_that_did_nothing_stops);
	suite_add_tcase(s, t);
	return s;
}

UNIT_MAIN
