/* SPDX-License-Identifier: Apache-2.0 */
/* Answers whose pieces come when somebody rings, over real sockets. */
#include "common/base/clock.h"
#include "server/http/feed.h"
#include "server/http/httpd.h"
#include "tests/unit/httpd_client.h"
#include "tests/unit/unit.h"

#include <pthread.h>
#include <semaphore.h>
#include <stdatomic.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <time.h>

#define GET(path) "GET " path " HTTP/1.1\r\nHost: localhost\r\n\r\n"
#define LONG_PIECE (200u << 10)
#define NEVER_MS   1000000u

static struct httpd *server;
static struct workpool *workers;

/* What the feeds tell of: "news N\n". */
static atomic_uint news, ended, broken, length;
static atomic_uint nexts, releases, crowded, beat_ms;
static atomic_bool at_gate_wanted;
static sem_t at_gate, gate;

/* The feeds that can be rung. */
static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static struct feed *feeds[FEED_MAX + 8];

static void wait_on(sem_t *s)
{
	while (sem_wait(s) < 0)
		;
}

static void eventually(bool (*holds)(void))
{
	bool held = holds();

	for (int i = 0; i < 60000 && !held; i++) {
		nanosleep(&(struct timespec){.tv_nsec = 1000000}, NULL);
		held = holds();
	}
	ck_assert(held); /* once: it may be that nothing moved for a while */
}

static void ring_all(void)
{
	pthread_mutex_lock(&lock);
	for (size_t i = 0; i < ARRAY_SIZE(feeds); i++)
		if (feeds[i])
			feed_ring(feeds[i]);
	pthread_mutex_unlock(&lock);
}

/* Where `f` stands from now on. */
static struct feed **enter(struct feed *f)
{
	size_t i = 0;

	pthread_mutex_lock(&lock);
	while (feeds[i])
		ck_assert_uint_lt(++i, ARRAY_SIZE(feeds));
	feeds[i] = f;
	pthread_mutex_unlock(&lock);
	return &feeds[i];
}

static void leave(struct feed **slot)
{
	pthread_mutex_lock(&lock);
	*slot = NULL;
	pthread_mutex_unlock(&lock);
}

/* ---- a source ---- */

struct source {
	struct feed **slot; /* NULL: not entered */
	atomic_uint inside;
};

static int next(void *cls, struct buf *out, bool *ret_last, struct err *e)
{
	struct source *s = cls;

	if (atomic_fetch_add(&s->inside, 1) > 0)
		atomic_fetch_add(&crowded, 1);
	atomic_fetch_add(&nexts, 1);
	bool last = atomic_load(&ended), fails = atomic_load(&broken);
	unsigned number = atomic_load(&news);
	if (atomic_load(&at_gate_wanted)) {
		sem_post(&at_gate);
		wait_on(&gate);
	}
	buf_addf(out, "news %u", number);
	while (out->len < atomic_load(&length))
		buf_add_char(out, '.');
	buf_add_char(out, '\n');
	*ret_last = last;
	atomic_fetch_sub(&s->inside, 1);
	return fails ? err_set(e, ERR_IO_FAILED, "it is broken") : 0;
}

static void release(void *cls)
{
	struct source *s = cls;

	if (s->slot)
		leave(s->slot);
	free(s);
	atomic_fetch_add(&releases, 1);
}

static int feed_work(struct req *r, struct err *e)
{
	struct source *s = calloc(1, sizeof(*s));
	struct feed *f;
	struct reply *reply;
	int result = feed_new(r, &(struct feed_source){
		.content_type = "application/x-ndjson", .beat_ms = beat_ms,
		.next = next, .release = release, .cls = s}, &f, e);

	if (result < 0)
		return result;
	s->slot = enter(f);
	result = feed_reply(f, 200, &reply, e);
	if (result == 0)
		req_reply(r, reply);
	return result;
}

static int unused_work(struct req *r, struct err *e)
{
	struct source *s = calloc(1, sizeof(*s));
	struct feed *f;
	int result = feed_new(r, &(struct feed_source){
		.next = next, .release = release, .cls = s}, &f, e);

	if (result < 0)
		return result;
	feed_ring(f);
	feed_free(f);
	return err_set(e, ERR_TOO_MANY, "too many of them");
}

static int hello_work(struct req *r, struct err *e)
{
	(void)e;
	req_reply(r, reply_bytes(200, "text/plain", "hello", 5));
	return 0;
}

static const struct handler feed_handler = {.name = "feed", .work = feed_work};
static const struct handler unused_handler = {.name = "unused", .work = unused_work};
static const struct handler hello_handler = {.name = "hello", .work = hello_work};
static const struct router_row routes[] = {
	{METHOD_GET, "/feed", &feed_handler},
	{METHOD_GET, "/unused", &unused_handler},
	{METHOD_GET, "/hello", &hello_handler},
};

static atomic_ulong sent;

static void note_access(void *app, const struct httpd_access *a)
{
	(void)app;
	if (strcmp(a->handler, "feed") == 0)
		atomic_fetch_add(&sent, a->sent);
}

static void start_with(unsigned loops, unsigned timeout_s)
{
	static const char *const listen[] = {"127.0.0.1:0"};
	struct err e;

	beat_ms = NEVER_MS;
	ck_assert_int_eq(sem_init(&at_gate, 0, 0) | sem_init(&gate, 0, 0), 0);
	ck_ok(workpool_start(2, 0, 64, &workers, &e));
	ck_ok(httpd_start(&(struct httpd_options){
		.listen = listen, .listen_n = 1, .loops = loops, .connections = 2048,
		.timeout_s = timeout_s, .head_max = 12 << 10, .max_expansion = 100,
		.send_buffer = 512 << 10,
		.patience = {.head_ms = 20000, .request_ms = 60000, .rate = 1024, .rate_ms = 30000},
		.routes = routes, .routes_n = ARRAY_SIZE(routes), .workers = workers,
		.access = note_access}, &server, &e));
}

static void start(void)
{
	start_with(1, 30);
}

static void stop(void)
{
	httpd_stop(server, 5000);
	server = NULL;
	workpool_stop(workers);
	ck_assert_uint_eq(crowded, 0);
}

static struct client open_feed(void)
{
	struct client c = client_open(httpd_port(server, 0));

	client_say(&c, GET("/feed"));
	struct answer a = client_read_head(&c);
	ck_assert_msg(a.status == 200, "%s", a.head);
	ck_assert(answer_has(&a, "Transfer-Encoding", "chunked"));
	ck_assert(answer_has(&a, "Content-Type", "application/x-ndjson"));
	ck_assert(answer_has(&a, "Cache-Control", "no-store"));
	return c;
}

#define check_piece(c, text)                                   \
	do {                                                   \
		char *chunk_ = client_read_chunk(c);           \
		ck_assert_ptr_nonnull(chunk_);                 \
		ck_assert_str_eq(chunk_, text);                \
		free(chunk_);                                  \
	} while (0)

static void check_end(struct client *c)
{
	ck_assert_ptr_null(client_read_chunk(c));
}

static void check_hello(void)
{
	struct answer a = client_ask(httpd_port(server, 0), GET("/hello"));

	ck_assert_str_eq(a.body, "hello");
	answer_done(&a);
}

static void tell(unsigned number)
{
	atomic_store(&news, number);
	ring_all();
}

/* ---- pieces ---- */

static bool is_released(void)
{
	return atomic_load(&releases) > 0;
}

START_TEST(a_piece_comes_at_once_and_one_for_each_ring)
{
	struct client c = open_feed();

	check_piece(&c, "news 0\n");
	for (unsigned i = 1; i <= 20; i++) {
		char want[16];

		(void)snprintf(want, sizeof(want), "news %u\n", i);
		tell(i);
		check_piece(&c, want);
	}
	client_close(&c);
}
END_TEST

START_TEST(the_last_piece_ends_the_body_and_not_the_connection)
{
	struct client c = open_feed();

	check_piece(&c, "news 0\n");
	atomic_store(&ended, 1);
	tell(1);
	check_piece(&c, "news 1\n");
	check_end(&c);
	client_say(&c, GET("/hello"));
	struct answer a = client_read(&c, false);
	ck_assert_str_eq(a.body, "hello");
	answer_done(&a);
	eventually(is_released);
	ck_assert_uint_eq(atomic_load(&sent), 14);
	client_close(&c);
}
END_TEST

START_TEST(one_that_has_ended_already_is_one_piece)
{
	atomic_store(&ended, 1);
	for (int i = 0; i < 3; i++) {
		struct client c = open_feed();
		check_piece(&c, "news 0\n");
		check_end(&c);
		client_close(&c);
	}
}
END_TEST

START_TEST(to_http_1_0_the_body_ends_with_the_connection)
{
	struct client c = client_open(httpd_port(server, 0));

	client_say(&c, "GET /feed HTTP/1.0\r\nHost: localhost\r\nConnection: keep-alive\r\n\r\n");
	struct answer a = client_read_head(&c);
	char value[64];
	ck_assert(!answer_header(&a, "Transfer-Encoding", value, sizeof(value)));
	ck_assert(!answer_header(&a, "Content-Length", value, sizeof(value)));
	atomic_store(&ended, 1);
	tell(1);
	char *body = client_read_to_end(&c);
	ck_assert(strcmp(body, "news 0\nnews 1\n") == 0 || strcmp(body, "news 1\n") == 0);
	free(body);
	client_close(&c);
}
END_TEST

START_TEST(long_pieces_come_whole)
{
	struct client c = client_open(httpd_port(server, 0));

	atomic_store(&length, LONG_PIECE);
	atomic_store(&ended, 1);
	client_say(&c, GET("/feed"));
	struct answer a = client_read_head(&c);
	ck_assert_int_eq(a.status, 200);
	size_t n = 0;
	for (char *chunk; (chunk = client_read_chunk(&c)); free(chunk))
		n += strlen(chunk);
	ck_assert_uint_eq(n, LONG_PIECE + 1);
	client_close(&c);
}
END_TEST

START_TEST(head_has_the_headers_and_not_a_byte_behind_them)
{
	struct client c = client_open(httpd_port(server, 0));

	client_say(&c, "HEAD /feed HTTP/1.1\r\nHost: localhost\r\n\r\n");
	struct answer a = client_read(&c, true);
	ck_assert_int_eq(a.status, 200);
	ck_assert(answer_has(&a, "Content-Type", "application/x-ndjson"));
	ck_assert(answer_has(&a, "Cache-Control", "no-store"));
	answer_done(&a);
	ck_assert(client_at_end(&c));
	ck_assert_uint_eq(releases, 1);
	client_close(&c);
}
END_TEST

START_TEST(silence_is_broken_by_a_beat)
{
	atomic_store(&beat_ms, 1);
	struct client c = open_feed();

	for (int i = 0; i < 3; i++)
		check_piece(&c, "news 0\n");
	client_close(&c);
}
END_TEST

/* ---- rings ---- */

START_TEST(rings_while_a_piece_is_made_are_one)
{
	struct client c = open_feed();

	check_piece(&c, "news 0\n");
	atomic_store(&at_gate_wanted, true);
	tell(1);
	wait_on(&at_gate);
	for (unsigned i = 2; i <= 50; i++)
		tell(i);
	atomic_store(&at_gate_wanted, false);
	sem_post(&gate);
	check_piece(&c, "news 1\n");
	check_piece(&c, "news 50\n");
	ck_assert_uint_eq(nexts, 3);
	client_close(&c);
}
END_TEST

static struct client open_small(void)
{
	const int small = 32 << 10;
	struct client c = client_open(httpd_port(server, 0));

	ck_assert_int_eq(setsockopt(c.fd, SOL_SOCKET, SO_RCVBUF, &small, sizeof(small)), 0);
	client_say(&c, GET("/feed"));
	return c;
}

static unsigned settled_nexts; /* as of the last look */

static bool nexts_settle(void)
{
	unsigned before = settled_nexts;

	nanosleep(&(struct timespec){.tv_nsec = 50000000}, NULL);
	settled_nexts = nexts;
	return settled_nexts == before;
}

START_TEST(a_client_that_does_not_read_misses_what_lies_between)
{
	atomic_store(&length, LONG_PIECE);
	struct client c = open_small();
	char *chunk;
	bool seen = false;

	for (unsigned i = 1; i <= 2000; i++) {
		tell(i);
		if (i % 20 == 0)
			nanosleep(&(struct timespec){.tv_nsec = 1000000}, NULL);
	}
	eventually(nexts_settle);
	/* What fits into the socket's buffers, and one more. */
	ck_assert_uint_lt(nexts, 100);
	atomic_store(&ended, 1);
	tell(2001);
	struct answer a = client_read_head(&c);
	ck_assert_int_eq(a.status, 200);
	for (; (chunk = client_read_chunk(&c)); free(chunk))
		seen = seen || strstr(chunk, "news 2001");
	ck_assert(seen);
	client_close(&c);
}
END_TEST

START_TEST(feeds_that_wait_hold_no_thread)
{
	struct client c[64];

	for (size_t i = 0; i < ARRAY_SIZE(c); i++) {
		c[i] = open_feed();
		check_piece(&c[i], "news 0\n");
	}
	check_hello();
	tell(1);
	for (size_t i = 0; i < ARRAY_SIZE(c); i++)
		check_piece(&c[i], "news 1\n");
	for (size_t i = 0; i < ARRAY_SIZE(c); i++)
		client_close(&c[i]);
}
END_TEST

/* More rings at once than the workers' queue has room for. */
START_TEST(a_full_queue_of_workers_only_delays)
{
	struct client c[200];

	for (size_t i = 0; i < ARRAY_SIZE(c); i++) {
		c[i] = open_feed();
		check_piece(&c[i], "news 0\n");
	}
	atomic_store(&at_gate_wanted, true);
	tell(1);
	wait_on(&at_gate);
	wait_on(&at_gate);
	atomic_store(&at_gate_wanted, false);
	sem_post(&gate);
	sem_post(&gate);
	for (size_t i = 0; i < ARRAY_SIZE(c); i++) {
		check_piece(&c[i], "news 1\n");
		client_close(&c[i]);
	}
}
END_TEST

/* ---- faults and limits ---- */

START_TEST(what_fails_at_first_is_answered)
{
	atomic_store(&broken, 1);
	struct answer a = client_ask(httpd_port(server, 0), GET("/feed"));
	ck_assert_int_eq(a.status, 500);
	ck_assert(answer_has(&a, "X-Error-Code", "IO_FAILED"));
	answer_done(&a);
	ck_assert_uint_eq(releases, 1);
	a = client_ask(httpd_port(server, 0), GET("/unused"));
	ck_assert_int_eq(a.status, 429);
	answer_done(&a);
	ck_assert_uint_eq(releases, 2);
}
END_TEST

START_TEST(what_fails_later_cuts_the_connection)
{
	struct client c = open_feed();

	check_piece(&c, "news 0\n");
	atomic_store(&broken, 1);
	tell(1);
	ck_assert(client_at_end(&c)); /* without the chunk that ends a body */
	client_close(&c);
}
END_TEST

static bool all_released(void)
{
	return atomic_load(&releases) == FEED_MAX;
}

START_TEST(there_are_only_so_many)
{
	const struct rlimit files = {4096, 4096};
	static struct client c[FEED_MAX];

	ck_assert(setrlimit(RLIMIT_NOFILE, &files) == 0);
	for (size_t i = 0; i < FEED_MAX; i++)
		c[i] = open_feed();
	struct answer a = client_ask(httpd_port(server, 0), GET("/feed"));
	ck_assert_int_eq(a.status, 503);
	ck_assert(answer_has(&a, "Retry-After", "2"));
	answer_done(&a);
	ck_assert_uint_eq(releases, 1);
	atomic_store(&releases, 0);
	check_hello();
	for (size_t i = 0; i < FEED_MAX; i++)
		client_close(&c[i]);
	eventually(all_released);
	c[0] = open_feed();
	check_piece(&c[0], "news 0\n");
	client_close(&c[0]);
}
END_TEST

/* ---- clients that go ---- */

START_TEST(a_client_that_has_gone_is_noticed_without_news)
{
	struct client c = open_feed();

	check_piece(&c, "news 0\n");
	client_close(&c);
	eventually(is_released);
}
END_TEST

START_TEST(a_client_that_resets_is_noticed_without_news)
{
	const struct linger now = {.l_onoff = 1};
	struct client c = open_feed();

	ck_assert_int_eq(setsockopt(c.fd, SOL_SOCKET, SO_LINGER, &now, sizeof(now)), 0);
	check_piece(&c, "news 0\n");
	client_close(&c);
	eventually(is_released);
	ck_assert_uint_eq(nexts, 1);
}
END_TEST

START_TEST(a_client_that_closes_its_side_still_reads)
{
	struct client c = open_feed();

	check_piece(&c, "news 0\n");
	ck_assert_int_eq(shutdown(c.fd, SHUT_WR), 0);
	check_piece(&c, "news 0\n"); /* that it is asked with whether it is there */
	atomic_store(&ended, 1);
	tell(1);
	check_piece(&c, "news 1\n");
	check_end(&c);
	client_close(&c);
}
END_TEST

START_TEST(a_client_that_goes_while_a_piece_is_made_is_waited_for)
{
	struct client c = open_feed();

	check_piece(&c, "news 0\n");
	atomic_store(&at_gate_wanted, true);
	tell(1);
	wait_on(&at_gate);
	atomic_store(&at_gate_wanted, false);
	client_close(&c);
	check_hello();
	ck_assert_uint_eq(releases, 0);
	sem_post(&gate);
	eventually(is_released);
}
END_TEST

START_TEST(a_client_that_takes_nothing_times_out)
{
	start_with(1, 1);
	atomic_store(&length, LONG_PIECE); /* more than it lets in, less than we may write */
	struct client c = open_small();
	eventually(is_released);
	client_close(&c);
	stop();
}
END_TEST

/* ---- the end of the server ---- */

static void stop_within_deadline(void)
{
	uint64_t before = clock_mono_ms();

	httpd_stop(server, 600000);
	server = NULL;
	ck_assert_uint_lt(clock_mono_ms() - before, 200000);
	workpool_stop(workers);
}

START_TEST(a_server_that_stops_ends_its_feeds)
{
	struct client c[10];

	start_with(3, 30);
	for (size_t i = 0; i < ARRAY_SIZE(c); i++) {
		c[i] = open_feed();
		check_piece(&c[i], "news 0\n");
	}
	stop_within_deadline();
	ck_assert_uint_eq(releases, ARRAY_SIZE(c));
	for (size_t i = 0; i < ARRAY_SIZE(c); i++) {
		check_end(&c[i]);
		ck_assert(client_at_end(&c[i]));
		client_close(&c[i]);
	}
}
END_TEST

static void *stop_thread(void *deadline_ms)
{
	httpd_stop(server, *(unsigned *)deadline_ms);
	return NULL;
}

/* With time left the piece is sent; without, the worker is waited for all the same. */
static unsigned deadlines[] = {60000, 1};

START_TEST(a_server_that_stops_waits_for_a_piece_that_is_made)
{
	pthread_t stopper;

	start_with(1, 30);
	unsigned port = httpd_port(server, 0);
	struct client c = open_feed();
	check_piece(&c, "news 0\n");
	atomic_store(&at_gate_wanted, true);
	tell(1);
	wait_on(&at_gate);
	ck_assert_int_eq(pthread_create(&stopper, NULL, stop_thread, &deadlines[_i]), 0);
	while (!client_is_refused(port))
		; /* what ends all feeds comes before that */
	tell(2);
	atomic_store(&at_gate_wanted, false);
	sem_post(&gate);
	ck_assert_int_eq(pthread_join(stopper, NULL), 0);
	ck_assert_uint_eq(releases, 1);
	if (_i == 0) {
		check_piece(&c, "news 1\n");
		check_end(&c);
	}
	client_close(&c);
	workpool_stop(workers);
}
END_TEST

START_TEST(a_client_that_does_not_read_does_not_hold_up_the_end)
{
	start_with(1, 30);
	atomic_store(&length, LONG_PIECE);
	struct client c = open_small();
	for (unsigned i = 1; i <= 100; i++)
		tell(i);
	eventually(nexts_settle);
	uint64_t before = clock_mono_ms();
	httpd_stop(server, 100);
	ck_assert_uint_lt(clock_mono_ms() - before, 200000);
	ck_assert_uint_eq(releases, 1);
	client_close(&c);
	workpool_stop(workers);
}
END_TEST

/* ---- all of it at once ---- */

static atomic_bool ringing;

static void *ring_always(void *cls)
{
	unsigned i = 0;

	while (atomic_load(&ringing)) {
		tell(++i);
		nanosleep(&(struct timespec){.tv_nsec = 100000}, NULL);
	}
	return cls;
}

static void *come_and_go(void *cls)
{
	for (int i = 0; i < 40; i++) {
		struct client c = open_feed();
		for (int n = i % 5; n > 0; n--)
			free(client_read_chunk(&c));
		client_close(&c);
	}
	return cls;
}

START_TEST(clients_come_and_go_while_others_ring)
{
	pthread_t ringers[2], clients[6];

	start_with(2, 30);
	atomic_store(&ringing, true);
	for (size_t i = 0; i < ARRAY_SIZE(ringers); i++)
		ck_assert_int_eq(pthread_create(&ringers[i], NULL, ring_always, NULL), 0);
	for (size_t i = 0; i < ARRAY_SIZE(clients); i++)
		ck_assert_int_eq(pthread_create(&clients[i], NULL, come_and_go, NULL), 0);
	for (size_t i = 0; i < ARRAY_SIZE(clients); i++)
		ck_assert_int_eq(pthread_join(clients[i], NULL), 0);
	struct client c[8]; /* some are open at the end */
	for (size_t i = 0; i < ARRAY_SIZE(c); i++)
		c[i] = open_feed();
	httpd_stop(server, 5000);
	ck_assert_uint_eq(releases, ARRAY_SIZE(clients) * 40 + ARRAY_SIZE(c));
	atomic_store(&ringing, false);
	for (size_t i = 0; i < ARRAY_SIZE(ringers); i++)
		ck_assert_int_eq(pthread_join(ringers[i], NULL), 0);
	for (size_t i = 0; i < ARRAY_SIZE(c); i++)
		client_close(&c[i]);
	workpool_stop(workers);
	ck_assert_uint_eq(crowded, 0);
}
END_TEST

static Suite *suite(void)
{
	Suite *s = suite_create("feed");
	TCase *t = tcase_create("served"), *own = tcase_create("own");

	tcase_set_timeout(t, 60);
	tcase_add_checked_fixture(t, start, stop);
	tcase_add_test(t, a_piece_comes_at_once_and_one_for_each_ring);
	tcase_add_test(t, the_last_piece_ends_the_body_and_not_the_connection);
	tcase_add_test(t, one_that_has_ended_already_is_one_piece);
	tcase_add_test(t, to_http_1_0_the_body_ends_with_the_connection);
	tcase_add_test(t, long_pieces_come_whole);
	tcase_add_test(t, head_has_the_headers_and_not_a_byte_behind_them);
	tcase_add_test(t, silence_is_broken_by_a_beat);
	tcase_add_test(t, rings_while_a_piece_is_made_are_one);
	tcase_add_test(t, a_client_that_does_not_read_misses_what_lies_between);
	tcase_add_test(t, feeds_that_wait_hold_no_thread);
	tcase_add_test(t, a_full_queue_of_workers_only_delays);
	tcase_add_test(t, what_fails_at_first_is_answered);
	tcase_add_test(t, what_fails_later_cuts_the_connection);
	tcase_add_test(t, there_are_only_so_many);
	tcase_add_test(t, a_client_that_has_gone_is_noticed_without_news);
	tcase_add_test(t, a_client_that_resets_is_noticed_without_news);
	tcase_add_test(t, a_client_that_closes_its_side_still_reads);
	tcase_add_test(t, a_client_that_goes_while_a_piece_is_made_is_waited_for);
	suite_add_tcase(s, t);
	tcase_set_timeout(own, 60);
	tcase_add_test(own, a_client_that_takes_nothing_times_out);
	tcase_add_test(own, a_server_that_stops_ends_its_feeds);
	tcase_add_loop_test(own, a_server_that_stops_waits_for_a_piece_that_is_made, 0,
		(int)ARRAY_SIZE(deadlines));
	tcase_add_test(own, a_client_that_does_not_read_does_not_hold_up_the_end);
	tcase_add_test(own, clients_come_and_go_while_others_ring);
	suite_add_tcase(s, own);
	return s;
}

UNIT_MAIN
