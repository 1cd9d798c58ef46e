/* SPDX-License-Identifier: Apache-2.0 */
#include "common/base/clock.h"
#include "common/base/num.h"
#include "common/net/fetch.h"
#include "tests/unit/net_server.h"
#include "tests/unit/unit.h"

static struct net_server *server;
static struct fetcher *fetcher;
static struct address_list *allow;

static void begin(net_answer_fn *answer)
{
	static const char *const words[] = {"127.0.0.1"};
	struct fetcher_options o = {
		.max_connections = 16, .max_per_host = 8, .user_agent = "modeld/test"};
	struct err e;

	server = net_server_start(answer, NULL);
	ck_ok(address_list_parse(words, 1, &allow, &e));
	o.allow = allow;
	ck_ok(fetcher_start(&o, &fetcher, &e));
}

static void finish(void)
{
	fetcher_stop(fetcher);
	address_list_free(allow);
	net_server_stop(server);
}

static struct url url_at(const char *path)
{
	char text[512];
	struct url u;
	struct err e;

	(void)snprintf(text, sizeof(text), "http://127.0.0.1:%u%s", server->port, path);
	ck_ok(url_parse(str_of(text), &u, &e));
	return u;
}

static struct fetch_request request_of(const struct url *u)
{
	return (struct fetch_request){.url = u,
		.what = "model.json",
		.max_bytes = 64 * MIB,
		.connect_ms = 20000,
		.timeout_ms = 60000};
}

static bool serve_hello(struct net_conn *c)
{
	return net_serve(c, "ETag: \"1\"\r\nContent-Type: application/json\r\n", "hello", 5);
}

START_TEST(a_file_is_fetched)
{
	const struct fetch_head *head;
	const char *bytes;
	struct fetch *x;
	struct err e;
	size_t n;

	begin(serve_hello);
	struct url u = url_at("/m/model.json?a=b");
	struct fetch_request q = request_of(&u);
	ck_ok(fetch_start(fetcher, &q, &x, &e));
	ck_ok(fetch_head(x, &head, &e));
	ck_assert_int_eq(head->status, 200);
	ck_assert_str_eq(head->etag, "\"1\"");
	ck_assert_uint_eq(head->size, 5);
	ck_ok(fetch_read(x, &bytes, &n, &e));
	ck_assert_mem_eq(bytes, "hello", 5);
	ck_ok(fetch_read(x, &bytes, &n, &e));
	ck_assert_uint_eq(n, 0);
	fetch_free(x);
	finish();
}
END_TEST

static Suite *suite(void)
{
	Suite *s = suite_create("fetch");
	TCase *t = tcase_create("fetch");

	tcase_set_timeout(t, 120);
	tcase_add_test(t, a_file_is_fetched);
	suite_add_tcase(s, t);
	return s;
}

UNIT_MAIN
