/* SPDX-License-Identifier: Apache-2.0 */
/* Hosts that mean harm, or are broken: heads without end, bombs, stalls, drips. Each is cut, with a
 * bounded amount of memory and time. */
#include "common/base/clock.h"
#include "common/base/num.h"
#include "tests/unit/unit_fetch.h"

#include <zlib.h>

/* ---- heads ---- */

static bool serve_head(struct net_conn *c)
{
	char line[1024];

	memset(line, 'x', sizeof(line));
	memcpy(line, "X: ", 3);
	memcpy(line + sizeof(line) - 3, "\r\n", 3);
	if (net_asks(c, "/fields")) {
		(void)net_say(c, "HTTP/1.1 200 OK\r\n");
		while (net_say(c, line))
			continue;
	} else if (net_asks(c, "/line")) {
		(void)net_say(c, "HTTP/1.1 200 OK\r\nX: ");
		while (net_send(c, line + 3, 1000))
			continue;
	} else if (net_asks(c, "/status")) {
		(void)net_say(c, "HTTP/1.1 200 ");
		while (net_send(c, line + 3, 1000))
			continue;
	} else if (net_asks(c, "/1xx")) {
		while (net_say(c, "HTTP/1.1 103 Early Hints\r\nLink: x\r\n\r\n"))
			continue;
	} else if (net_asks(c, "/100")) {
		while (net_say(c, "HTTP/1.1 100 Continue\r\n\r\n"))
			continue;
	} else if (net_asks(c, "/trailers")) {
		(void)net_say(c, "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n");
		while (net_say(c, line))
			continue;
	} else if (net_asks(c, "/hop")) {
		(void)net_say(c, "HTTP/1.1 302 x\r\nLocation: /hop\r\nContent-Length: 0\r\n");
		for (int i = 0; i < 20; i++)
			(void)net_say(c, line);
		return net_say(c, "\r\n");
	}
	return false;
}

static const char *const heads[] = {
	"/fields", "/line", "/status", "/1xx", "/100", "/trailers", "/hop"};

START_TEST(heads_without_end_are_cut)
{
	unit_fetch_begin(serve_head, NULL);
	struct fetched f = unit_fetch_get(heads[_i]);
	ck_failed(f, ERR_FETCH_FAILED, "head");
	ck_assert(!f.may_retry || strcmp(heads[_i], "/line") == 0 ||
		strcmp(heads[_i], "/status") == 0);
	fetched_done(&f);
	unit_fetch_end();
}
END_TEST

/* Long heads that end are fine. */
static bool serve_long_head(struct net_conn *c)
{
	char line[1000];

	memset(line, 'x', sizeof(line));
	memcpy(line, "X: ", 3);
	memcpy(line + sizeof(line) - 3, "\r\n", 3);
	for (int i = 0; i < 100; i++)
		(void)net_say(c, "HTTP/1.1 103 Early Hints\r\nETag: \"no\"\r\n\r\n");
	(void)net_say(c, "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n");
	for (int i = 0; i < 40; i++)
		(void)net_say(c, line);
	return net_say(c, "\r\nok");
}

START_TEST(many_hints_and_fields_are_read_over)
{
	unit_fetch_begin(serve_long_head, NULL);
	struct fetched f = unit_fetch_get("/");
	ck_fetched(f, "ok", 2);
	ck_assert_str_eq(f.head.etag, "");
	fetched_done(&f);
	unit_fetch_end();
}
END_TEST

static const char *answer_text;

static bool serve_text(struct net_conn *c)
{
	(void)net_say(c, answer_text);
	return false;
}

static const char *const not_http[] = {
	"hello, this is HTTP/0.9",
	"\r\n\r\n",
	"SSH-2.0-OpenSSH_9.2\r\n",
	"220 ftp ready\r\n",
	"HTTP/1.1\r\n\r\n",
	"HTTP/1.1 abc OK\r\n\r\n",
	"HTTP/9.9 200 OK\r\n\r\n",
	"ICY 200 OK\r\n\r\nhello",
	"HTTP/1.1 200 OK\r\nContent-Length: -5\r\n\r\nhello",
	"HTTP/1.1 200 OK\r\nContent-Length: x\r\n\r\nhello",
	"HTTP/1.1 200 OK\r\nno colon here\r\nContent-Length: 5\r\n\r\nhello",
	"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\nhello",
	"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nffffffffffffffffffff\r\nhello",
	"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhelloX\r\n0\r\n\r\n",
	"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\nno colon\r\n\r\n",
	"HTTP/1.1 200 OK\r\nTransfer-Encoding: gzip\r\n\r\nhello",
	"HTTP/1.1 200 OK\r\nTransfer-Encoding: gzip, chunked\r\n\r\n0\r\n\r\n",
	"HTTP/1.1 200 OK\r\nContent-Encoding: zstd\r\nContent-Length: 5\r\n\r\nhello",
	"HTTP/1.1 200 OK\r\nContent-Encoding: gzip, gzip\r\nContent-Length: 5\r\n\r\nhello",
	"HTTP/1.1 200 OK\r\nContent-Encoding: deflate\r\nContent-Length: 5\r\n\r\nhello",
	"HTTP/1.1 101 Switching Protocols\r\nUpgrade: h2c\r\nConnection: Upgrade\r\n\r\nhello",
	"HTTP/1.1 302 x\r\nContent-Length: 0\r\n\r\n",
	"HTTP/1.1 302 x\r\nLocation: /a\r\nLocation: /b\r\nContent-Length: 0\r\n\r\n",
	"HTTP/1.1 302 x\r\nLocation:\r\nContent-Length: 0\r\n\r\n",
};

START_TEST(what_is_not_http_as_we_know_it_fails)
{
	answer_text = not_http[_i];
	unit_fetch_begin(serve_text, NULL);
	struct fetched f = unit_fetch_get("/");
	ck_assert_msg(f.r < 0, "%s", answer_text);
	ck_assert_msg(f.e.code == ERR_FETCH_FAILED || f.e.code == ERR_FETCH_STATUS, "%s: %s",
		answer_text, f.e.text);
	ck_assert_ptr_null(strstr(f.e.text, "hello"));
	ck_assert_ptr_null(strstr(f.e.text, "SSH"));
	fetched_done(&f);
	unit_fetch_end();
}
END_TEST

/* ---- bombs ---- */

#define BOMB_N (64 * MIB)
static char bomb[256 * KIB];
static size_t bomb_n;

/* Zeros, about a thousandth of their length. */
static void make_gzip(const void *bytes, size_t n, size_t times)
{
	z_stream z = {0};

	ck_assert_int_eq(deflateInit2(&z, 9, Z_DEFLATED, 16 + MAX_WBITS, 8, Z_DEFAULT_STRATEGY),
		Z_OK);
	z.next_out = (Bytef *)bomb;
	z.avail_out = sizeof(bomb);
	for (size_t i = 0; i < times; i++) {
		z.next_in = (Bytef *)(uintptr_t)bytes;
		z.avail_in = (uInt)n;
		ck_assert_int_eq(deflate(&z, Z_NO_FLUSH), Z_OK);
	}
	ck_assert_int_eq(deflate(&z, Z_FINISH), Z_STREAM_END);
	bomb_n = sizeof(bomb) - z.avail_out;
	(void)deflateEnd(&z);
}

static bool serve_gzip(struct net_conn *c)
{
	return net_serve(c,
		"Content-Encoding: gzip\r\nRepr-Digest: sha-256=:"
		"LPJNul+wow4m6DsqxbninhsWHlwfp0JecwQzYpOLmCQ=:\r\n",
		bomb, bomb_n);
}

static struct fetched get_coded(net_answer_fn *answer, uint64_t max)
{
	unit_fetch_begin(answer, NULL);
	struct url u = unit_fetch_url("/");
	struct fetch_request q = unit_fetch_request(&u);
	q.coded = true;
	q.max_bytes = max;
	struct fetched f = unit_fetch_all(&q);
	ck_assert(net_server_heard(unit_fetch.server, "\r\nAccept-Encoding: gzip, br\r\n"));
	unit_fetch_end();
	return f;
}

START_TEST(a_bomb_stops_at_the_limit)
{
	static const char zeros[1 << 20];
	struct fetched f;

	make_gzip(zeros, sizeof(zeros), BOMB_N / sizeof(zeros));
	f = get_coded(serve_gzip, MIB);
	ck_failed(f, ERR_TOO_LARGE, "1 MiB");
	ck_assert_uint_le(f.n, MIB);
	ck_assert(!f.may_retry);
	fetched_done(&f);
	f = get_coded(serve_gzip, BOMB_N);
	ck_assert_msg(f.r == 0, "%s", f.e.text);
	ck_assert_uint_eq(f.n, BOMB_N);
	ck_assert_uint_eq(f.head.size, UINT64_MAX);
	ck_assert(f.head.coded);
	ck_assert(!f.head.has_digest);
	fetched_done(&f);
}
END_TEST

/* A gzip member of nothing, over and over: bytes come, and none comes out. */
static bool serve_nothing(struct net_conn *c)
{
	static const unsigned char empty[] = {
		0x1f, 0x8b, 8, 0, 0, 0, 0, 0, 0, 3, 3, 0, 0, 0, 0, 0, 0, 0, 0, 0};
	char many[sizeof(empty) * 500];

	for (size_t i = 0; i < sizeof(many); i++)
		many[i] = (char)empty[i % sizeof(empty)];
	(void)net_say(c, "HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\n\r\n");
	while (net_send(c, many, sizeof(many)))
		continue;
	return false;
}

START_TEST(bytes_that_nothing_comes_out_of_are_limited_too)
{
	struct fetched f = get_coded(serve_nothing, MIB);

	ck_failed(f, ERR_TOO_LARGE, "1 MiB");
	ck_assert_uint_eq(f.n, 0);
}
END_TEST

static size_t cut_at;

static bool serve_cut_gzip(struct net_conn *c)
{
	return net_serve(c, "Content-Encoding: x-gzip\r\n", bomb, cut_at);
}

START_TEST(a_stream_that_ends_within_its_coding_is_cut)
{
	struct fetched f;

	make_gzip("hello, hello, hello", 19, 1);
	for (cut_at = 0; cut_at < bomb_n; cut_at++) {
		f = get_coded(serve_cut_gzip, MIB);
		ck_failed(f, ERR_FETCH_FAILED, "ended early");
		ck_assert(f.may_retry);
		fetched_done(&f);
	}
	f = get_coded(serve_cut_gzip, MIB);
	ck_fetched(f, "hello, hello, hello", 19);
	fetched_done(&f);
}
END_TEST

START_TEST(a_stream_that_is_damaged_is_refused)
{
	struct fetched f;

	make_gzip("hello, hello, hello", 19, 1);
	bomb[bomb_n - 6] ^= 1; /* its CRC */
	f = get_coded(serve_gzip, MIB);
	ck_failed(f, ERR_FETCH_FAILED, "damaged");
	fetched_done(&f);
	bomb[bomb_n - 6] ^= 1;
	memcpy(bomb + bomb_n, "what is this", 12);
	bomb_n += 12;
	f = get_coded(serve_gzip, MIB);
	ck_failed(f, ERR_FETCH_FAILED, "damaged");
	fetched_done(&f);
}
END_TEST

static bool serve_brotli(struct net_conn *c)
{
	/* "hello, hello, hello" */
	static const unsigned char text[] = {0x1b, 0x12, 0x00, 0xf8, 0x8d, 0x94, 0x6e, 0xde, 0x44,
		0x09, 0x52, 0x86, 0x96, 0x6c, 0x2c, 0x6f, 0x11, 0x4f, 0x24, 0xd0, 0x71, 0x00};
	size_t n = sizeof(text) - (net_asks(c, "/cut") ? 1 : 0);

	return net_serve(c, "Content-Encoding: br\r\n", text, n);
}

START_TEST(brotli_is_decoded_even_unasked)
{
	unit_fetch_begin(serve_brotli, NULL);
	struct fetched f = unit_fetch_get("/");
	ck_assert(net_server_heard(unit_fetch.server, "\r\nAccept-Encoding: identity\r\n"));
	ck_fetched(f, "hello, hello, hello", 19);
	ck_assert(f.head.coded);
	fetched_done(&f);
	f = unit_fetch_get("/cut");
	ck_failed(f, ERR_FETCH_FAILED, "ended early");
	fetched_done(&f);
	unit_fetch_end();
}
END_TEST

/* ---- time ---- */

static bool serve_slowly(struct net_conn *c)
{
	if (net_asks(c, "/head")) {
		net_hang(c);
	} else if (net_asks(c, "/body")) {
		(void)net_say(c, "HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\n12345");
		net_hang(c);
	} else if (net_asks(c, "/drip")) {
		(void)net_say(c, "HTTP/1.1 200 OK\r\nContent-Length: 1000000\r\n\r\n");
		while (net_say(c, "x") && net_pause(c, 50))
			continue;
	} else if (net_asks(c, "/drip-head")) {
		(void)net_say(c, "HTTP/1.1 200 OK\r\nX: ");
		while (net_say(c, "x") && net_pause(c, 50))
			continue;
	} else if (net_asks(c, "/404")) {
		(void)net_say(c, "HTTP/1.1 404 x\r\nContent-Length: 10\r\n\r\n12345");
		net_hang(c);
	} else if (net_asks(c, "/302")) {
		(void)net_say(c,
			"HTTP/1.1 302 x\r\nLocation: /there\r\nContent-Length: 10\r\n\r\n12");
		net_hang(c);
	} else if (net_asks(c, "/there")) {
		return net_serve(c, "", "there", 5);
	}
	return false;
}

static struct fetched get_slow(const char *path, uint64_t timeout_ms, uint64_t rate_ms)
{
	struct url u = unit_fetch_url(path);
	struct fetch_request q = unit_fetch_request(&u);

	q.timeout_ms = timeout_ms;
	q.min_rate = rate_ms > 0 ? 1000 : 0;
	q.min_rate_ms = rate_ms;
	return unit_fetch_all(&q);
}

static const char *const slow[] = {"/head", "/body", "/drip", "/drip-head"};

START_TEST(who_stalls_or_drips_is_cut)
{
	uint64_t begun = clock_mono_ms();

	unit_fetch_begin(serve_slowly, NULL);
	struct fetched f = get_slow(slow[_i], 3600000, 400);
	ck_failed(f, ERR_FETCH_TIMED_OUT, "1000 bytes/s");
	ck_assert(f.may_retry);
	ck_assert_uint_ge(clock_mono_ms() - begun, 400);
	fetched_done(&f);
	unit_fetch_end();
}
END_TEST

START_TEST(all_of_it_has_its_time)
{
	unit_fetch_begin(serve_slowly, NULL);
	struct fetched f = get_slow(slow[_i], 400, 0);
	ck_failed(f, ERR_FETCH_TIMED_OUT, "longer than");
	ck_assert(f.may_retry);
	fetched_done(&f);
	unit_fetch_end();
}
END_TEST

/* What the head said decides, however slow the body is that nobody wants. */
START_TEST(a_body_that_nobody_wants_is_not_waited_for)
{
	unit_fetch_begin(serve_slowly, NULL);
	struct fetched f = get_slow("/404", 3600000, 20000);
	ck_failed(f, ERR_FETCH_STATUS, "404");
	ck_assert(!f.may_retry);
	f = get_slow("/302", 3600000, 20000);
	ck_fetched(f, "there", 5);
	fetched_done(&f);
	unit_fetch_end();
}
END_TEST

static bool serve_big(struct net_conn *c)
{
	static const char megabyte[MIB];

	(void)net_say(c, "HTTP/1.1 200 OK\r\nContent-Length: 33554432\r\n\r\n");
	for (int i = 0; i < 32; i++)
		(void)net_send(c, megabyte, sizeof(megabyte));
	return true;
}

/* Our own disk is slow, not the host. */
START_TEST(a_transfer_is_not_cut_while_its_taker_is_behind)
{
	const char *bytes;
	struct fetch *x;
	uint64_t at = 0;
	struct err e;
	size_t n;

	unit_fetch_begin(serve_big, NULL);
	struct url u = unit_fetch_url("/");
	struct fetch_request q = unit_fetch_request(&u);
	q.min_rate = 1000;
	q.min_rate_ms = 1500;
	ck_ok(fetch_start(unit_fetch.fetcher, &q, &x, &e));
	for (;;) {
		ck_ok(fetch_read(x, &bytes, &n, &e));
		if (n == 0)
			break;
		if (at == 0)
			usleep(4000000); /* the load of the test: being slow */
		at += n;
	}
	ck_assert_uint_eq(at, 32 * MIB);
	fetch_free(x);
	unit_fetch_end();
}
END_TEST

static Suite *suite(void)
{
	Suite *s = suite_create("fetch_hostile");
	TCase *t = tcase_create("fetch_hostile");

	tcase_set_timeout(t, 300);
	tcase_add_loop_test(t, heads_without_end_are_cut, 0, (int)ARRAY_SIZE(heads));
	tcase_add_test(t, many_hints_and_fields_are_read_over);
	tcase_add_loop_test(t, what_is_not_http_as_we_know_it_fails, 0, (int)ARRAY_SIZE(not_http));
	tcase_add_test(t, a_bomb_stops_at_the_limit);
	tcase_add_test(t, bytes_that_nothing_comes_out_of_are_limited_too);
	tcase_add_test(t, a_stream_that_ends_within_its_coding_is_cut);
	tcase_add_test(t, a_stream_that_is_damaged_is_refused);
	tcase_add_test(t, brotli_is_decoded_even_unasked);
	tcase_add_loop_test(t, who_stalls_or_drips_is_cut, 0, (int)ARRAY_SIZE(slow));
	tcase_add_loop_test(t, all_of_it_has_its_time, 0, (int)ARRAY_SIZE(slow));
	tcase_add_test(t, a_body_that_nobody_wants_is_not_waited_for);
	tcase_add_test(t, a_transfer_is_not_cut_while_its_taker_is_behind);
	suite_add_tcase(s, t);
	return s;
}

UNIT_MAIN
