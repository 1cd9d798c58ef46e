/* SPDX-License-Identifier: Apache-2.0 */
/* The server itself: its sockets, loops, limits and end. */
#include "common/base/clock.h"
#include "tests/unit/httpd_client.h"
#include "server/http/httpd_internal.h"
#include "tests/unit/httpd_server.h"
#include "tests/unit/unit.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <pthread.h>
#include <stdatomic.h>
#include <sys/resource.h>
#include <sys/socket.h>

#define GET(path) "GET " path " HTTP/1.1\r\nHost: localhost\r\n\r\n"

static void check_hello(unsigned port)
{
	struct answer a = client_ask(port, GET("/hello"));

	ck_assert_int_eq(a.status, 200);
	answer_done(&a);
}

/* ---- readiness in bulk ---- */

static const int crowds[] = {127, 128, 129, 255, 256, 257, 384, 512};

/* libmicrohttpd takes 128 events at a time; waiting again after a full batch would be for ever. */
START_TEST(any_number_of_connections_may_become_ready_at_once)
{
	const struct rlimit files = {4096, 4096};
	const int n = crowds[_i];
	struct client *c = calloc((size_t)n, sizeof(*c)), staller;

	ck_assert(setrlimit(RLIMIT_NOFILE, &files) == 0);
	server_start_default();
	for (int i = 0; i < n; i++) { /* all are accepted before the loop stops */
		c[i] = client_open(server_port());
		client_say(&c[i], GET("/hello"));
		struct answer a = client_read(&c[i], false);
		answer_done(&a);
	}
	staller = client_open(server_port());
	client_say(&staller, GET("/stall"));
	server_wait_at_gate();
	for (int i = 0; i < n; i++)
		client_say(&c[i], GET("/hello"));
	server_open_gate();
	for (int i = 0; i < n; i++) {
		struct answer a = client_read(&c[i], false);
		ck_assert_str_eq(a.body, "hello");
		answer_done(&a);
		client_close(&c[i]);
	}
	client_close(&staller);
	server_stop();
	free(c);
}
END_TEST

/* ---- settings ---- */

static void put_settings(const char *host, const char *proxy, unsigned per_address)
{
	struct httpd_options o = server_options();
	struct httpd_settings *s;
	struct err e;

	o.hosts = &host;
	o.hosts_n = 1;
	o.proxies = &proxy;
	o.proxies_n = proxy ? 1 : 0;
	o.connections_per_address = per_address;
	ck_ok(httpd_settings_new(server, &o, &s, &e));
	ck_assert(httpd_settings_put(server, s));
}

static int status_of(struct client *c, const char *request)
{
	struct answer a;

	client_say(c, request);
	a = client_read(c, false);
	answer_done(&a);
	return a.status;
}

START_TEST(settings_count_for_open_connections_too)
{
	static const char request[] = "GET /hello HTTP/1.1\r\nHost: a.example\r\n\r\n";
	struct client c;

	server_start_default();
	c = client_open(server_port());
	ck_assert_int_eq(status_of(&c, GET("/hello")), 200);
	put_settings("a.example", NULL, 0);
	ck_assert_int_eq(status_of(&c, request), 200);
	put_settings("b.example", NULL, 0);
	ck_assert_int_eq(status_of(&c, request), 421); /* what was allowed last is forgotten */
	client_close(&c);
	server_stop();
}
END_TEST

START_TEST(a_connection_is_a_proxys_while_the_settings_say_so)
{
	static const char bad[] = "GET /hello HTTP/1.1\r\nHost: localhost\r\n"
				  "X-Forwarded-Proto: gopher\r\n\r\n";
	struct client c, other, second;

	server_start_default();
	c = client_open(server_port());
	other = client_open(server_port());
	ck_assert_int_eq(status_of(&c, bad), 200); /* nobody's word */
	ck_assert_int_eq(status_of(&other, bad), 200);
	put_settings("localhost", "127.0.0.1", 1);
	ck_assert_int_eq(status_of(&other, bad), 400);
	ck_assert(client_at_end(&other));
	client_close(&other);
	put_settings("localhost", NULL, 1);
	ck_assert_int_eq(status_of(&c, bad), 200);
	second = client_open(server_port()); /* which is one too many */
	ck_assert(client_at_end(&second));
	put_settings("localhost", NULL, 2);
	client_close(&second);
	second = client_open(server_port());
	ck_assert_int_eq(status_of(&second, GET("/hello")), 200);
	client_close(&second);
	client_close(&c);
	server_stop();
}
END_TEST

START_TEST(settings_that_make_no_sense_change_nothing)
{
	const char *proxy = "nowhere";
	struct httpd_options o = server_options();
	struct httpd_settings *s = NULL;
	struct err e;

	server_start_default();
	o.proxies = &proxy;
	o.proxies_n = 1;
	ck_err(httpd_settings_new(server, &o, &s, &e), ERR_CONFIG);
	ck_assert_ptr_null(s);
	check_hello(server_port());
	server_stop();
}
END_TEST

/* ---- sockets ---- */

START_TEST(an_address_in_use_is_reported)
{
	struct httpd_options o = server_options();
	struct httpd *second = NULL;
	char address[64];
	const char *listen[] = {address};
	struct err e;

	server_start_default();
	snprintf(address, sizeof(address), "127.0.0.1:%u", server_port());
	o.listen = listen;
	o.workers = server_workers;
	ck_err(httpd_start(&o, &second, &e), ERR_CONFIG);
	ck_assert_msg(strstr(e.text, address) && strstr(e.text, "another modeld"), "%s", e.text);
	ck_assert_ptr_null(second);
	check_hello(server_port());
	server_stop();
}
END_TEST

static const char *const bad_addresses[] = {
	"", "8570", "127.0.0.1", "127.0.0.1:", "127.0.0.1:x", "127.0.0.1:65536", "::1:80",
	"[::1]80", "[::1", "[127.0.0.1]:0x", "localhost:80", ":80", "300.0.0.1:80",
};

START_TEST(what_is_no_address_is_refused)
{
	struct httpd_options o = server_options();
	struct httpd *h = NULL;
	struct err e;

	o.listen = &bad_addresses[_i];
	ck_err(httpd_start(&o, &h, &e), ERR_CONFIG);
}
END_TEST

START_TEST(several_addresses_and_loops_serve_together)
{
	static const char *const listen[] = {"127.0.0.1:0", "127.0.0.2:0"};
	struct httpd_options o = server_options();
	CLEANUP_BUF struct buf url = BUF_INIT(64);
	char want[64];

	o.listen = listen;
	o.listen_n = 2;
	o.loops = 3;
	server_start(&o);
	ck_assert_uint_ne(httpd_port(server, 0), httpd_port(server, 1));
	ck_assert(httpd_loopback_only(server));
	httpd_url(server, 0, &url);
	snprintf(want, sizeof(want), "http://127.0.0.1:%u", server_port());
	ck_assert_str_eq(buf_str(&url), want);
	for (int i = 0; i < 20; i++)
		check_hello(server_port());
	server_stop();
}
END_TEST

START_TEST(a_socket_that_was_handed_in_is_shared_by_the_loops)
{
	struct httpd_options o = server_options();
	struct sockaddr_in a = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
	int fd = socket(AF_INET, SOCK_STREAM, 0);

	ck_assert_int_eq(bind(fd, (struct sockaddr *)&a, sizeof(a)), 0);
	ck_assert_int_eq(listen(fd, 16), 0);
	o.sockets = &fd;
	o.sockets_n = 1;
	o.loops = 2;
	server_start(&o);
	for (int i = 0; i < 20; i++)
		check_hello(server_port());
	server_stop();
}
END_TEST

START_TEST(a_socket_that_does_not_listen_is_refused)
{
	struct httpd_options o = server_options();
	int fd = socket(AF_INET, SOCK_STREAM, 0);
	struct httpd *h = NULL;
	struct err e;

	o.sockets = &fd;
	o.sockets_n = 1;
	ck_err(httpd_start(&o, &h, &e), ERR_CONFIG);
}
END_TEST

START_TEST(beyond_loopback_any_host_reads_and_nobody_writes)
{
	static const char *const listen[] = {"0.0.0.0:0"};
	struct httpd_options o = server_options();
	CLEANUP_BUF struct buf url = BUF_INIT(64);

	o.listen = listen;
	server_start(&o);
	ck_assert(!httpd_loopback_only(server));
	httpd_url(server, 0, &url);
	ck_assert(str_starts(str_of(buf_str(&url)), "http://127.0.0.1:"));
	struct answer a = client_ask(server_port(),
		"GET /hello HTTP/1.1\r\nHost: models.example\r\n\r\n");
	ck_assert_int_eq(a.status, 200);
	answer_done(&a);
	a = client_ask(server_port(),
		"POST /upload HTTP/1.1\r\nHost: localhost\r\nContent-Length: 0\r\n\r\n");
	ck_assert_int_eq(a.status, 401);
	ck_assert(answer_has(&a, "WWW-Authenticate", "Bearer realm=\"modeld\""));
	answer_done(&a);
	server_stop();
}
END_TEST

START_TEST(hosts_are_copied_and_answered_for)
{
	struct httpd_options o = server_options();
	char *name = strdup("models.example");
	const char *hosts[] = {name};

	o.hosts = hosts;
	o.hosts_n = 1;
	server_start(&o);
	memset(name, 'x', strlen(name));
	struct answer a = client_ask(server_port(),
		"GET /hello HTTP/1.1\r\nHost: models.example:80\r\n\r\n");
	ck_assert_int_eq(a.status, 200);
	answer_done(&a);
	free(name);
	server_stop();
}
END_TEST

/* ---- limits ---- */

START_TEST(connections_of_one_address_are_limited)
{
	struct httpd_options o = server_options();
	struct client c[3];

	o.connections_per_address = 2;
	o.loops = 2;
	server_start(&o);
	for (int i = 0; i < 2; i++) {
		c[i] = client_open(server_port());
		client_say(&c[i], GET("/hello"));
		struct answer a = client_read(&c[i], false);
		answer_done(&a);
	}
	c[2] = client_open(server_port());
	client_say(&c[2], GET("/hello"));
	ck_assert(client_at_end(&c[2]));
	for (int i = 0; i < 3; i++)
		client_close(&c[i]);
	/* Gone ones make room; the loops notice a moment later. */
	struct client again;
	char *all;
	int tries = 0;
	do {
		again = client_open(server_port());
		client_say(&again,
			"GET /hello HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n");
		all = client_read_to_end(&again);
		client_close(&again);
	} while (!strstr(all, "hello") && (free(all), ++tries < 1000));
	ck_assert_int_lt(tries, 1000);
	free(all);
	server_stop();
}
END_TEST

static struct network address(const char *text)
{
	struct network a;

	ck_assert(network_parse_address(str_of(text), &a));
	return a;
}

START_TEST(addresses_of_one_ipv6_network_count_as_one)
{
	static const struct {
		const char *first, *second;
		bool same;
	} pairs[] = {
		{"2001:db8:1:2::1", "2001:db8:1:2:ffff:ffff:ffff:ffff", true},
		{"2001:db8:1:2::1", "2001:db8:1:3::1", false},
		{"::ffff:192.0.2.1", "::ffff:192.0.2.2", false},
		{"::ffff:192.0.2.1", "::ffff:192.0.2.1", true},
		{"192.0.2.1", "::ffff:192.0.2.1", true},
	};

	for (size_t i = 0; i < ARRAY_SIZE(pairs); i++) {
		struct network first = address(pairs[i].first), second = address(pairs[i].second);
		struct httpd_peers *p = httpd_peers_new(1, 16);

		ck_assert(httpd_peers_admit(p, &second) && httpd_peers_add(p, &first));
		ck_assert_int_eq(httpd_peers_admit(p, &second), !pairs[i].same);
		ck_assert_uint_eq(httpd_peers_count(p, &second), pairs[i].same);
		httpd_peers_remove(p, &first);
		ck_assert(httpd_peers_admit(p, &second));
		ck_assert_uint_eq(httpd_peers_count(p, &first), 0);
		httpd_peers_free(p);
	}
}
END_TEST

START_TEST(without_a_limit_any_number_may_come_from_one_address)
{
	struct network a = address("2001:db8::1");
	struct httpd_peers *p = httpd_peers_new(0, 16);

	for (unsigned i = 0; i < 100; i++)
		ck_assert(httpd_peers_admit(p, &a) && httpd_peers_add(p, &a));
	ck_assert_uint_eq(httpd_peers_count(p, &a), 100);
	httpd_peers_free(p);
}
END_TEST

START_TEST(without_an_authority_nobody_writes_beyond_loopback)
{
	static const char *const everywhere[] = {"0.0.0.0:0"};
	struct httpd_options o = server_options();

	o.listen = everywhere;
	o.listen_n = 1;
	server_start(&o);
	struct answer a = client_ask(server_port(), GET("/hello"));
	ck_assert_int_eq(a.status, 200);
	answer_done(&a);
	a = client_ask(server_port(), "POST /hello HTTP/1.1\r\nHost: localhost\r\n\r\n");
	ck_assert_int_eq(a.status, 405);
	answer_done(&a);
	a = client_ask(server_port(), "POST /upload HTTP/1.1\r\nHost: localhost\r\n\r\n");
	ck_assert_int_eq(a.status, 401);
	answer_done(&a);
	server_stop();
}
END_TEST

START_TEST(idle_connections_time_out)
{
	struct httpd_options o = server_options();

	o.timeout_s = 1;
	server_start(&o);
	struct client c = client_open(server_port());
	client_say(&c, GET("/hello"));
	struct answer a = client_read(&c, false);
	answer_done(&a);
	ck_assert(client_at_end(&c));
	client_close(&c);
	server_stop();
}
END_TEST

START_TEST(a_loop_that_stalls_is_not_alive)
{
	server_start_default();
	struct client c = client_open(server_port());
	ck_assert(httpd_alive(server, 5000));
	client_say(&c, GET("/stall"));
	server_wait_at_gate();
	while (httpd_alive(server, 10))
		;
	server_open_gate();
	struct answer a = client_read(&c, false);
	answer_done(&a);
	client_close(&c);
	server_stop();
}
END_TEST

/* ---- the end ---- */

static void *stop_server(void *deadline_ms)
{
	httpd_stop(server, *(unsigned *)deadline_ms);
	server = NULL;
	return NULL;
}

START_TEST(requests_in_flight_are_answered_before_the_end)
{
	unsigned deadline_ms = 10000;
	pthread_t stopper;

	server_start_default();
	unsigned port = server_port();
	struct client c = client_open(port), idle = client_open(port);
	client_say(&c, GET("/gate"));
	server_wait_at_gate();
	ck_assert_int_eq(pthread_create(&stopper, NULL, stop_server, &deadline_ms), 0);
	while (!client_is_refused(port))
		;
	server_open_gate();
	struct answer a = client_read(&c, false);
	ck_assert_int_eq(a.status, 200);
	ck_assert(answer_has(&a, "Connection", "close"));
	ck_assert(client_at_end(&c));
	ck_assert(client_at_end(&idle));
	ck_assert_int_eq(pthread_join(stopper, NULL), 0);
	answer_done(&a);
	client_close(&c);
	client_close(&idle);
	server_stop();
}
END_TEST

START_TEST(a_reader_that_stalls_does_not_hold_up_the_end)
{
	unsigned deadline_ms = 100;
	char byte;

	server_start_default();
	struct client c = client_open(server_port());
	client_say(&c, GET("/large"));
	ck_assert_int_eq(recv(c.fd, &byte, 1, 0), 1);
	uint64_t before = clock_mono_ms();
	stop_server(&deadline_ms);
	ck_assert_uint_lt(clock_mono_ms() - before, 60000);
	client_close(&c);
	server_stop();
}
END_TEST

START_TEST(work_outlasts_the_deadline_and_is_freed)
{
	unsigned deadline_ms = 1;
	pthread_t stopper;

	server_start_default();
	unsigned port = server_port();
	struct client c = client_open(port);
	client_say(&c, GET("/gate"));
	server_wait_at_gate();
	ck_assert_int_eq(pthread_create(&stopper, NULL, stop_server, &deadline_ms), 0);
	while (!client_is_refused(port))
		;
	usleep(50000); /* the deadline passes while the worker is at the gate */
	ck_assert_uint_eq(server_seen().states_freed, 0);
	server_open_gate();
	ck_assert_int_eq(pthread_join(stopper, NULL), 0);
	ck_assert_uint_eq(server_seen().states_freed, 1);
	client_close(&c);
	server_stop();
}
END_TEST

START_TEST(connections_in_the_queue_at_the_end_are_answered)
{
	unsigned deadline_ms = 10000;
	pthread_t stopper;
	struct client c[40], staller;

	server_start_default();
	unsigned port = server_port();
	staller = client_open(port);
	client_say(&staller, GET("/stall"));
	server_wait_at_gate();
	for (size_t i = 0; i < ARRAY_SIZE(c); i++) {
		c[i] = client_open(port);
		client_say(&c[i], GET("/hello"));
	}
	ck_assert_int_eq(pthread_create(&stopper, NULL, stop_server, &deadline_ms), 0);
	usleep(50000); /* the order to stop comes first */
	server_open_gate();
	for (size_t i = 0; i < ARRAY_SIZE(c); i++) {
		struct answer a = client_read(&c[i], false);
		ck_assert_int_eq(a.status, 200);
		answer_done(&a);
		client_close(&c[i]);
	}
	ck_assert_int_eq(pthread_join(stopper, NULL), 0);
	client_close(&staller);
	server_stop();
}
END_TEST

/* ---- all of it at once ---- */

static void *many_requests(void *failures)
{
	struct client c = client_open(server_port());

	for (int i = 0; i < 300; i++) {
		client_say(&c, i % 3 == 0 ? GET("/entity") : i % 3 == 1 ? GET("/work?q=x") :
			"GET /entity HTTP/1.1\r\nHost: localhost\r\nRange: bytes=1-3\r\n\r\n");
		struct answer a = client_read(&c, false);
		if (a.status != (i % 3 == 2 ? 206 : 200))
			atomic_fetch_add((atomic_int *)failures, 1);
		answer_done(&a);
	}
	client_close(&c);
	return NULL;
}

START_TEST(loops_and_workers_share_answers)
{
	struct httpd_options o = server_options();
	pthread_t threads[8];
	atomic_int failures = 0;

	o.loops = 3;
	o.connections_per_address = 100;
	server_start(&o);
	for (size_t i = 0; i < ARRAY_SIZE(threads); i++)
		ck_assert_int_eq(pthread_create(&threads[i], NULL, many_requests, &failures), 0);
	for (size_t i = 0; i < ARRAY_SIZE(threads); i++)
		ck_assert_int_eq(pthread_join(threads[i], NULL), 0);
	ck_assert_int_eq(failures, 0);
	server_stop();
}
END_TEST

static Suite *suite(void)
{
	Suite *s = suite_create("httpd_life");
	TCase *t = tcase_create("life");

	tcase_set_timeout(t, 60);
	tcase_add_loop_test(t, any_number_of_connections_may_become_ready_at_once, 0,
		(int)ARRAY_SIZE(crowds));
	tcase_add_test(t, an_address_in_use_is_reported);
	tcase_add_test(t, settings_count_for_open_connections_too);
	tcase_add_test(t, a_connection_is_a_proxys_while_the_settings_say_so);
	tcase_add_test(t, settings_that_make_no_sense_change_nothing);
	tcase_add_loop_test(t, what_is_no_address_is_refused, 0, (int)ARRAY_SIZE(bad_addresses));
	tcase_add_test(t, several_addresses_and_loops_serve_together);
	tcase_add_test(t, a_socket_that_was_handed_in_is_shared_by_the_loops);
	tcase_add_test(t, a_socket_that_does_not_listen_is_refused);
	tcase_add_test(t, beyond_loopback_any_host_reads_and_nobody_writes);
	tcase_add_test(t, hosts_are_copied_and_answered_for);
	tcase_add_test(t, connections_of_one_address_are_limited);
	tcase_add_test(t, addresses_of_one_ipv6_network_count_as_one);
	tcase_add_test(t, without_a_limit_any_number_may_come_from_one_address);
	tcase_add_test(t, without_an_authority_nobody_writes_beyond_loopback);
	tcase_add_test(t, idle_connections_time_out);
	tcase_add_test(t, a_loop_that_stalls_is_not_alive);
	tcase_add_test(t, requests_in_flight_are_answered_before_the_end);
	tcase_add_test(t, a_reader_that_stalls_does_not_hold_up_the_end);
	tcase_add_test(t, work_outlasts_the_deadline_and_is_freed);
	tcase_add_test(t, connections_in_the_queue_at_the_end_are_answered);
	tcase_add_test(t, loops_and_workers_share_answers);
	suite_add_tcase(s, t);
	return s;
}

UNIT_MAIN
