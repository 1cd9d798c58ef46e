/* SPDX-License-Identifier: Apache-2.0 */
/* Where a fetch goes and where it does not: through libcurl's own parser, resolver and connections.
 * This program has a getaddrinfo() of its own, which libcurl's threads call instead of libc's, so
 * that names lead where a test says. */
#include "common/base/num.h"
#include "tests/unit/unit_dir.h"
#include "tests/unit/unit_fetch.h"

#include <arpa/inet.h>
#include <fcntl.h>
#include <netdb.h>
#include <netinet/in.h>
#include <semaphore.h>
#include <sys/resource.h>
#include <sys/socket.h>

/* ---- names ---- */

struct name {
	const char *host;
	const char
		*addresses[4]; /* at the first look-up; at later ones `later`, if there are any */
	const char *later[4];
	unsigned asked;
	bool hangs;
};

static struct name names[16];
static pthread_mutex_t names_lock = PTHREAD_MUTEX_INITIALIZER;
static sem_t asked, hang;

struct entry {
	struct addrinfo info;
	struct sockaddr_storage address;
};

static struct addrinfo *entry_of(const char *text, const char *service)
{
	struct entry *x = calloc(1, sizeof(*x));
	struct sockaddr_in *in4 = (struct sockaddr_in *)&x->address;
	struct sockaddr_in6 *in6 = (struct sockaddr_in6 *)&x->address;
	uint64_t port = 0;

	(void)num_parse(service, strlen(service), 65535, &port);
	x->info.ai_addr = (struct sockaddr *)&x->address;
	x->info.ai_socktype = SOCK_STREAM;
	if (inet_pton(AF_INET, text, &in4->sin_addr) == 1) {
		x->info.ai_family = in4->sin_family = AF_INET;
		in4->sin_port = htons((uint16_t)port);
		x->info.ai_addrlen = sizeof(*in4);
	} else {
		(void)inet_pton(AF_INET6, text, &in6->sin6_addr);
		x->info.ai_family = in6->sin6_family = AF_INET6;
		in6->sin6_port = htons((uint16_t)port);
		x->info.ai_addrlen = sizeof(*in6);
	}
	return &x->info;
}

static struct name *find_name(const char *host)
{
	for (size_t i = 0; i < ARRAY_SIZE(names); i++) {
		if (names[i].host && strcmp(names[i].host, host) == 0)
			return &names[i];
	}
	return NULL;
}

__attribute__((visibility("default"))) int getaddrinfo(const char *host, const char *service,
	const struct addrinfo *hints, struct addrinfo **ret);
__attribute__((visibility("default"))) void freeaddrinfo(struct addrinfo *list);

int getaddrinfo(const char *host, const char *service, const struct addrinfo *hints,
	struct addrinfo **ret)
{
	struct addrinfo **end = ret;
	const char *const *from;
	struct name *n;
	bool hangs;

	(void)hints;
	pthread_mutex_lock(&names_lock);
	n = find_name(host);
	from = n && n->asked > 0 && n->later[0] ? n->later : n ? n->addresses : NULL;
	hangs = n && n->hangs;
	if (n)
		n->asked++;
	pthread_mutex_unlock(&names_lock);
	sem_post(&asked);
	if (hangs)
		sem_wait(&hang);
	*ret = NULL;
	for (size_t i = 0; from && i < 4 && from[i]; i++) {
		*end = entry_of(from[i], service);
		end = &(*end)->ai_next;
	}
	return *ret ? 0 : EAI_NONAME;
}

void freeaddrinfo(struct addrinfo *list)
{
	while (list) {
		struct addrinfo *next = list->ai_next;
		free(list);
		list = next;
	}
}

static void set_name(size_t i, const char *host, const char *a, const char *b, const char *later)
{
	names[i] = (struct name){.host = host, .addresses = {a, b}, .later = {later}};
}

static struct fetched get_from_host(const char *host, const char *path)
{
	struct url u = unit_fetch_url_at(host, path);
	struct fetch_request q = unit_fetch_request(&u);

	return unit_fetch_all(&q);
}

static bool serve_hello(struct net_conn *c)
{
	return net_serve(c, "", "hello", 5);
}

static void setup(void)
{
	sem_init(&asked, 0, 0);
	sem_init(&hang, 0, 0);
}

/* ---- addresses by any spelling ---- */

/* With and without a list that has another host. The server listens where they lead. */
static const char *const spellings[] = {"127.0.0.1", "127.1", "127.0.1", "0x7f.1", "0x7F000001",
	"0x7f.0.0.1", "0177.0.0.1", "017700000001", "2130706433", "127.0.0.1.", "0177.0x0.0.1",
	"127.00.000.0001", "0", "0.0.0.0", "127.255.255.254", "[::1]", "[::]", "[::ffff:127.0.0.1]",
	"[::ffff:7f00:1]", "[::127.0.0.1]", "[0:0:0:0:0:0:0:1]", "[64:ff9b::127.0.0.1]",
	"[64:ff9b:1::7f00:1]", "[2002:7f00:1::]", "[::ffff:0:127.0.0.1]", "[2001:0:7f00:1::]",
	"[fe80::1]", "[fc00::1]", "[ff02::1]", "localhost", "LOCALHOST", "localhost.",
	"a.localhost", "local.test", "mapped.test", "nat64.test", "mixed.test", "unspecified.test",
	"metadata.test", "169.254.169.254", "0xa9fea9fe", "10.0.0.1", "192.168.1.1", "172.16.0.1",
	"100.64.0.1", "100.100.100.200", "168.63.129.16", "198.18.0.1", "224.0.0.1",
	"255.255.255.255", "240.0.0.1"};

START_TEST(no_spelling_leads_to_where_nobody_may_go)
{
	setup();
	set_name(0, "local.test", "127.0.0.1", "::1", NULL);
	set_name(1, "mapped.test", "::ffff:127.0.0.1", NULL, NULL);
	set_name(2, "nat64.test", "64:ff9b::7f00:1", NULL, NULL);
	set_name(3, "mixed.test", "169.254.169.254", "127.0.0.1", NULL);
	set_name(4, "unspecified.test", "0.0.0.0", "::", NULL);
	set_name(5, "metadata.test", "169.254.169.254", "fd00:ec2::254", NULL);
	set_name(6, "127.0.0.1.", "127.0.0.1", NULL, NULL);
	set_name(7, "localhost.", "127.0.0.1", NULL, NULL);
	unit_fetch_begin(serve_hello, "- 203.0.113.7 other.test");
	struct fetched f = get_from_host(spellings[_i], "/");
	ck_failed(f, ERR_FETCH_REFUSED, "(rule: ");
	ck_assert_ptr_null(strstr(f.e.text, "rule: scheme"));
	ck_assert(!f.may_retry);
	ck_assert_uint_eq(unit_fetch.server->connections, 0);
	unit_fetch_end();
}
END_TEST

/* Full-width digits and other forms that resolvers would turn into digits do not get so far. */
START_TEST(texts_that_are_no_urls_do_not_get_to_a_resolver)
{
	static const char *const texts[] = {"http://\xef\xbc\x91\xef\xbc\x92\xef\xbc\x97.0.0.1/",
		"http://%EF%BC%91%EF%BC%92%EF%BC%97.0.0.1/", "http://127%2e0%2e0%2e1/",
		"http://%31%32%37.0.0.1/",
		"http://127\343\200\2020.0.1/",
		"http://\xe2\x91\xa0.0.0.1/", "http://example.com@127.0.0.1/",
		"http://example.com\\@127.0.0.1/", "http://example.com#@127.0.0.1/x",
		"http://[fe80::1%25lo]/", "http://[::1%251]/", "http://127.0.0.1:80:80/",
		"http:///127.0.0.1/", "http:127.0.0.1/", "gopher://127.0.0.1/",
		"http://127.0.0.1%00.example.com/", "http://127.0.0.1\t/"};
	struct url u;
	struct err e;

	if (strchr(texts[_i], '#')) {
		ck_ok(url_parse(str_of(texts[_i]), &u, &e));
		ck_assert_str_eq(u.host, "example.com");
	} else {
		ck_err(url_parse(str_of(texts[_i]), &u, &e), ERR_BAD_URL);
	}
}
END_TEST

START_TEST(names_that_are_listed_lead_to_private_addresses_alone)
{
	setup();
	set_name(0, "models.test", "127.0.0.1", NULL, NULL);
	set_name(1, "bad.models.test", "169.254.169.254", NULL, NULL);
	set_name(2, "both.models.test", "169.254.169.254", "127.0.0.1", NULL);
	set_name(3, "mapped.models.test", "::ffff:127.0.0.1", NULL, NULL);
	unit_fetch_begin(serve_hello, "- models.test *.models.test");
	struct fetched f = get_from_host("models.test", "/");
	ck_fetched(f, "hello", 5);
	fetched_done(&f);
	f = get_from_host("bad.models.test", "/");
	ck_failed(f, ERR_FETCH_REFUSED, "bad.models.test leads to 169.254.169.254");
	ck_assert_ptr_nonnull(strstr(f.e.text, "(rule: metadata)"));
	f = get_from_host("mapped.models.test", "/");
	ck_failed(f, ERR_FETCH_REFUSED, "(rule: mapped)");
	/* The address that may be used is, and no other. */
	f = get_from_host("both.models.test", "/");
	ck_fetched(f, "hello", 5);
	fetched_done(&f);
	unit_fetch_end();
}
END_TEST

/* The first look-up is for the connection that is allowed, the next for one that is not: the host
 * closes each connection, and another port is another entry of libcurl's cache of names. */
static bool serve_once(struct net_conn *c)
{
	(void)net_say(c, "HTTP/1.1 200 OK\r\nContent-Length: 5\r\nConnection: close\r\n\r\nhello");
	return false;
}

START_TEST(an_answer_that_changes_is_judged_at_each_connection)
{
	setup();
	set_name(0, "flips.test", "127.0.0.1", NULL, "169.254.169.254");
	unit_fetch_begin(serve_once, "- flips.test");
	struct net_server *first = unit_fetch.server, *second = net_server_start(serve_once, NULL);
	struct fetched f = get_from_host("flips.test", "/");
	ck_fetched(f, "hello", 5);
	fetched_done(&f);
	unit_fetch.server = second;
	f = get_from_host("flips.test", "/");
	ck_failed(f, ERR_FETCH_REFUSED, "(rule: metadata)");
	ck_assert_uint_eq(names[0].asked, 2);
	ck_assert_uint_eq(second->connections, 0);
	unit_fetch.server = first;
	net_server_stop(second);
	unit_fetch_end();
}
END_TEST

/* Two names of one address: a connection for one is not used for the other. */
START_TEST(connections_are_not_shared_between_names)
{
	setup();
	set_name(0, "a.test", "127.0.0.1", NULL, NULL);
	set_name(1, "b.test", "127.0.0.1", NULL, NULL);
	unit_fetch_begin(serve_hello, "- a.test");
	for (int i = 0; i < 3; i++) {
		struct fetched f = get_from_host("a.test", "/");
		ck_fetched(f, "hello", 5);
		fetched_done(&f);
	}
	ck_assert_uint_eq(unit_fetch.server->connections, 1);
	struct fetched f = get_from_host("b.test", "/");
	ck_failed(f, ERR_FETCH_REFUSED, "b.test leads to 127.0.0.1, which is this machine");
	ck_assert_uint_eq(unit_fetch.server->connections, 1);
	unit_fetch_end();
}
END_TEST

START_TEST(a_name_that_leads_nowhere_is_named)
{
	setup();
	unit_fetch_begin(serve_hello, NULL);
	struct fetched f = get_from_host("nowhere.test", "/");
	ck_failed(f, ERR_FETCH_FAILED, "the name nowhere.test leads to no address");
	ck_assert(f.may_retry);
	unit_fetch_end();
}
END_TEST

START_TEST(a_port_where_nobody_listens_is_named)
{
	setup();
	unit_fetch_begin(serve_hello, NULL);
	unsigned port = unit_fetch.server->port;
	char says[64];
	/* Whoever takes the port meanwhile would answer: nobody on this address does. */
	struct url u = unit_fetch_url("/");
	struct fetch_request q = unit_fetch_request(&u);
	(void)snprintf(says, sizeof(says), "no connection to port %u of 127.0.0.1: ", port);
	(void)shutdown(unit_fetch.server->fd, SHUT_RDWR);
	struct fetched f = unit_fetch_all(&q);
	ck_failed(f, ERR_FETCH_FAILED, says);
	ck_assert_ptr_nonnull(strstr(f.e.text, "refused"));
	ck_assert(f.may_retry);
	unit_fetch_end();
}
END_TEST

START_TEST(without_a_descriptor_it_says_so)
{
	struct rlimit before, none;

	setup();
	unit_fetch_begin(serve_hello, NULL);
	ck_assert_int_eq(getrlimit(RLIMIT_NOFILE, &before), 0);
	none = before;
	none.rlim_cur = 0;
	ck_assert_int_eq(setrlimit(RLIMIT_NOFILE, &none), 0);
	struct fetched f = unit_fetch_get("/");
	ck_assert_int_eq(setrlimit(RLIMIT_NOFILE, &before), 0);
	ck_failed(f, ERR_FETCH_FAILED, "Too many open files");
	ck_assert(f.may_retry);
	unit_fetch_end();
}
END_TEST

START_TEST(ports_of_other_protocols_are_refused_before_all)
{
	struct fetch *x;
	struct err e;
	struct url u;

	setup();
	unit_fetch_begin(serve_hello, NULL);
	ck_ok(url_parse(STR_LIT("https://models.example:6379/"), &u, &e));
	struct fetch_request q = unit_fetch_request(&u);
	ck_err(fetch_start(unit_fetch.fetcher, &q, &x, &e), ERR_FETCH_REFUSED);
	ck_assert_ptr_nonnull(strstr(e.text, "(rule: port)"));
	ck_assert_ptr_nonnull(strstr(e.text, "model.json from https://models.example:6379/"));
	unit_fetch_end();
}
END_TEST

START_TEST(plain_http_needs_a_host_that_is_listed)
{
	setup();
	set_name(0, "public.test", "203.0.114.1", NULL, NULL);
	unit_fetch_begin(serve_hello, NULL);
	struct fetched f = get_from_host("public.test", "/");
	ck_failed(f, ERR_FETCH_REFUSED, "(rule: scheme)");
	unit_fetch_end();
}
END_TEST

/* ---- look-ups that hang ---- */

START_TEST(a_look_up_that_hangs_holds_up_nobody_else)
{
	struct unit_taker t;

	setup();
	set_name(0, "hangs.test", "127.0.0.1", NULL, NULL);
	names[0].hangs = true;
	unit_fetch_begin(serve_hello, "hangs.test");
	struct url u = unit_fetch_url_at("hangs.test", "/");
	struct fetch_request q = unit_fetch_request(&u);
	unit_taker_begin(&t, &u);
	sem_wait(&asked);
	struct fetched f = unit_fetch_get("/");
	ck_fetched(f, "hello", 5);
	fetched_done(&f);
	unit_taker_end(&t);
	/* Nor the connect timeout of another. */
	q.connect_ms = 50;
	f = unit_fetch_all(&q);
	ck_failed(f, ERR_FETCH_TIMED_OUT, "no connection to port");
	ck_assert(f.may_retry);
	sem_post(&hang);
	sem_post(&hang);
	unit_fetch_end();
}
END_TEST

/* ---- redirects ---- */

static int redirect_status = 302;
static const char *redirect_to = "";

static bool serve_redirect(struct net_conn *c)
{
	int left;

	if (sscanf(c->head, "GET /chain/%d ", &left) == 1 && left > 0)
		return net_sayf(c, "HTTP/1.1 %d x\r\nLocation: %d\r\nContent-Length: 3\r\n\r\nno!",
			redirect_status, left - 1);
	if (net_asks(c, "/loop"))
		return net_say(c, "HTTP/1.1 301 x\r\nLocation: /loop\r\nContent-Length: 0\r\n\r\n");
	if (net_asks(c, "/to"))
		return net_sayf(c, "HTTP/1.1 %d x\r\nLocation: %s\r\nContent-Length: 0\r\n\r\n",
			redirect_status, redirect_to);
	return net_serve(c, "", "hello", 5);
}

static const int redirects[] = {301, 302, 303, 307, 308};

START_TEST(redirects_are_followed_so_far)
{
	setup();
	redirect_status = redirects[_i];
	unit_fetch_begin(serve_redirect, NULL);
	struct fetched f = unit_fetch_get("/chain/5");
	struct url u = unit_fetch_url("/chain/0");
	ck_fetched(f, "hello", 5);
	ck_assert_str_eq(f.head.url.text, u.text);
	ck_assert_int_eq(f.status, 200);
	fetched_done(&f);
	f = unit_fetch_get("/chain/6");
	ck_failed(f, ERR_FETCH_FAILED, "more than 5 redirects");
	f = unit_fetch_get("/loop");
	ck_failed(f, ERR_FETCH_FAILED, "more than 5 redirects");
	ck_assert(!f.may_retry);
	ck_assert_uint_le(unit_fetch.server->connections, 3);
	unit_fetch_end();
}
END_TEST

static const struct {
	const char *to;
	enum err_code code;
	const char *says;
} targets[] = {
	{"http://localhost:8/", ERR_FETCH_REFUSED, "(rule: port)"},
	{"http://local.test:8000/", ERR_FETCH_REFUSED, "(rule: loopback)"},
	{"//local.test:8000/", ERR_FETCH_REFUSED, "(rule: loopback)"},
	{"http://[::1]:8000/", ERR_FETCH_REFUSED, "(rule: loopback)"},
	{"http://0x7f.2:8000/", ERR_FETCH_REFUSED, "(rule: loopback)"},
	{"http://0:8000/", ERR_FETCH_REFUSED, "(rule: reserved)"},
	{"http://[::ffff:127.0.0.1]:8000/", ERR_FETCH_REFUSED, "(rule: mapped)"},
	{"http://169.254.169.254/latest/meta-data/", ERR_FETCH_REFUSED, "(rule: metadata)"},
	{"http://metadata.test/", ERR_FETCH_REFUSED, "(rule: metadata)"},
	{"http://10.0.0.1/", ERR_FETCH_REFUSED, "(rule: private)"},
	{"https://models.example:25/", ERR_FETCH_REFUSED, "(rule: port)"},
	{"file:///etc/passwd", ERR_FETCH_FAILED, "://"},
	{"ftp://127.0.0.1/", ERR_FETCH_FAILED, "neither http"},
	{"gopher://127.0.0.1:70/_", ERR_FETCH_FAILED, "neither http"},
	{"dict://127.0.0.1:2628/", ERR_FETCH_FAILED, "neither http"},
	{"ldap://127.0.0.1/", ERR_FETCH_FAILED, "neither http"},
	{"smb://127.0.0.1/x", ERR_FETCH_FAILED, "neither http"},
	{"ws://127.0.0.1/", ERR_FETCH_FAILED, "neither http"},
	{"data:text/plain,x", ERR_FETCH_FAILED, "://"},
	{"javascript:alert(1)", ERR_FETCH_FAILED, "://"},
	{"http://user:secret@127.0.0.1/", ERR_FETCH_FAILED, "user name"},
	{"http://", ERR_FETCH_FAILED, "no host"},
	{"http://127.0.0.1\\@evil.example/", ERR_FETCH_FAILED, "percent-encode"},
	{"/a b", ERR_FETCH_FAILED, "percent-encode"},
};

START_TEST(redirects_to_elsewhere_are_judged)
{
	setup();
	set_name(0, "local.test", "127.0.0.2", "::1", NULL);
	set_name(1, "metadata.test", "169.254.169.254", NULL, NULL);
	redirect_to = targets[_i].to;
	unit_fetch_begin(serve_redirect, NULL);
	struct fetched f = unit_fetch_get("/to");
	ck_failed(f, targets[_i].code, targets[_i].says);
	ck_assert_ptr_null(strstr(f.e.text, "secret"));
	ck_assert(!f.may_retry);
	ck_assert_uint_eq(net_server_requests(unit_fetch.server), 1);
	unit_fetch_end();
}
END_TEST

START_TEST(a_redirect_in_another_case_or_with_a_fragment_is_resolved)
{
	static const char *const goods[] = {
		"there", "/there", "./x/../there", "?there", "#there", "/there#part"};

	setup();
	redirect_to = goods[_i];
	unit_fetch_begin(serve_redirect, NULL);
	struct fetched f = unit_fetch_get("/to");
	if (strcmp(goods[_i], "#there") == 0)
		ck_failed(f, ERR_FETCH_FAILED, "redirects");
	else
		ck_fetched(f, "hello", 5);
	fetched_done(&f);
	unit_fetch_end();
}
END_TEST

/* The caller's headers stay with the origin of the URL; a range and its condition go along. */
START_TEST(credentials_do_not_follow_to_another_origin)
{
	static const char *const headers[] = {"Authorization: Bearer secret", "Cookie: secret=1"};
	char to[64];

	setup();
	set_name(0, "other.test", "127.0.0.1", NULL, NULL);
	unit_fetch_begin(serve_redirect, "other.test");
	struct net_server *first = unit_fetch.server,
			  *second = net_server_start(serve_redirect, NULL);
	const char *const hosts[] = {"127.0.0.1", "other.test"};
	(void)snprintf(to, sizeof(to), "http://%s:%u/chain/1", hosts[_i],
		_i == 0 ? second->port : first->port);
	redirect_to = to;
	struct url u = unit_fetch_url("/to");
	struct fetch_request q = unit_fetch_request(&u);
	q.headers = headers;
	q.headers_n = 2;
	struct fetched f = unit_fetch_all(&q);
	ck_fetched(f, "hello", 5);
	fetched_done(&f);
	struct net_server *there = _i == 0 ? second : first;
	const char *heard = strstr(there->heads, "GET /chain/1 ");
	ck_assert_ptr_nonnull(heard);
	ck_assert_ptr_nonnull(strstr(heard, "GET /chain/0 "));
	ck_assert_ptr_null(strstr(heard, "secret"));
	ck_assert(net_server_heard(first, "Bearer secret"));
	net_server_stop(second);
	unit_fetch_end();
}
END_TEST

/* What leaves an origin has no credentials when it comes back: the other chose where to. */
static unsigned home_port;

static bool serve_back(struct net_conn *c)
{
	return net_sayf(c,
		"HTTP/1.1 302 x\r\nLocation: http://127.0.0.1:%u/back\r\nContent-Length: 0\r\n\r\n",
		home_port);
}

START_TEST(credentials_do_not_come_back)
{
	static const char *const headers[] = {"Authorization: Bearer secret"};
	char to[64];

	setup();
	unit_fetch_begin(serve_redirect, NULL);
	struct net_server *second = net_server_start(serve_back, NULL);
	home_port = unit_fetch.server->port;
	(void)snprintf(to, sizeof(to), "http://127.0.0.1:%u/", second->port);
	redirect_to = to;
	struct url u = unit_fetch_url("/to");
	struct fetch_request q = unit_fetch_request(&u);
	q.headers = headers;
	q.headers_n = 1;
	struct fetched f = unit_fetch_all(&q);
	ck_fetched(f, "hello", 5);
	fetched_done(&f);
	ck_assert_ptr_null(strstr(strstr(unit_fetch.server->heads, "GET /back "), "secret"));
	net_server_stop(second);
	unit_fetch_end();
}
END_TEST

START_TEST(credentials_stay_within_an_origin)
{
	static const char *const headers[] = {"Authorization: Bearer secret"};

	setup();
	unit_fetch_begin(serve_redirect, NULL);
	struct url u = unit_fetch_url("/chain/2");
	struct fetch_request q = unit_fetch_request(&u);
	q.headers = headers;
	q.headers_n = 1;
	struct fetched f = unit_fetch_all(&q);
	ck_fetched(f, "hello", 5);
	fetched_done(&f);
	ck_assert_ptr_nonnull(strstr(strstr(unit_fetch.server->heads, "GET /chain/0 "), "secret"));
	unit_fetch_end();
}
END_TEST

/* ---- what libcurl would look at ---- */

static void write_file(const char *path, const char *text)
{
	int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);

	ck_assert_int_ge(fd, 0);
	ck_assert_int_eq(write(fd, text, strlen(text)), (ssize_t)strlen(text));
	(void)close(fd);
}

START_TEST(nothing_is_taken_from_the_environment)
{
	static const char *const variables[] = {
		"http_proxy", "HTTP_PROXY", "https_proxy", "HTTPS_PROXY", "all_proxy", "ALL_PROXY"};
	char proxy[64];

	setup();
	unit_fetch_begin(serve_hello, NULL);
	struct net_server *trap = net_server_start(serve_hello, NULL);
	(void)snprintf(proxy, sizeof(proxy), "http://127.0.0.1:%u", trap->port);
	for (size_t i = 0; i < ARRAY_SIZE(variables); i++)
		ck_assert_int_eq(setenv(variables[i], proxy, 1), 0);
	(void)unsetenv("no_proxy");
	(void)unsetenv("NO_PROXY");
	ck_assert_int_eq(setenv("HOME", unit_dir_path, 1), 0);
	write_file(unit_dir_file(".netrc"),
		"machine 127.0.0.1 login someone password secret\n"
		"default login someone password secret\n");
	struct fetched f = unit_fetch_get("/");
	ck_fetched(f, "hello", 5);
	fetched_done(&f);
	ck_assert_uint_eq(trap->connections, 0);
	ck_assert(!net_server_heard(unit_fetch.server, "Authorization"));
	net_server_stop(trap);
	unit_fetch_end();
}
END_TEST

static bool serve_cookies(struct net_conn *c)
{
	if (net_has(c, "\r\nCookie:"))
		return net_serve(c, "", "cookie", 6);
	if (net_has(c, "\r\nAuthorization:"))
		return net_serve(c, "", "author", 6);
	if (net_asks(c, "/401"))
		return net_say(c,
			"HTTP/1.1 401 x\r\nWWW-Authenticate: Basic realm=\"x\"\r\n"
			"WWW-Authenticate: Negotiate\r\nContent-Length: 0\r\n\r\n");
	return net_serve(c,
		"Set-Cookie: a=b; Path=/\r\nStrict-Transport-Security: max-age=999\r\n"
		"Alt-Svc: h2=\"127.0.0.1:1\"\r\nRefresh: 0; url=/x\r\n",
		"hello", 5);
}

START_TEST(nothing_is_kept_between_fetches)
{
	setup();
	unit_fetch_begin(serve_cookies, NULL);
	for (int i = 0; i < 3; i++) {
		struct fetched f = unit_fetch_get("/");
		ck_fetched(f, "hello", 5);
		fetched_done(&f);
		f = unit_fetch_get("/401");
		ck_failed(f, ERR_FETCH_STATUS, "401");
	}
	ck_assert_uint_eq(net_server_requests(unit_fetch.server), 6);
	unit_fetch_end();
}
END_TEST

/* ---- headers that may be sent ---- */

START_TEST(headers_that_are_ours_cannot_be_chosen)
{
	static const char *const bad[] = {"Host: x", "host: x", "RANGE: bytes=0-1", "If-Match: x",
		"If-None-Match: x", "Accept-Encoding: br", "Connection: close", "Keep-Alive: x",
		"Content-Length: 1", "Transfer-Encoding: chunked", "TE: trailers", "Trailer: x",
		"Upgrade: h2c", "HTTP2-Settings: x", "Proxy-Authorization: x",
		"Proxy-Connection: x", "Expect: 100-continue", "Forwarded: for=x",
		"X-Forwarded-For: x", "X-HTTP-Method-Override: DELETE", "Cookie2: x", "Via: x",
		": x", "no colon", "a b: c", "a\r\nb: c", "A: b\r\nC: d", "A: b\nC: d", "A: \x01",
		"A: b\x7f", "\xc3\xa4: x"};
	const char *header[] = {bad[_i]};
	struct fetch *x;
	struct err e;

	setup();
	unit_fetch_begin(serve_hello, NULL);
	struct url u = unit_fetch_url("/");
	struct fetch_request q = unit_fetch_request(&u);
	q.headers = header;
	q.headers_n = 1;
	ck_err(fetch_start(unit_fetch.fetcher, &q, &x, &e), ERR_BAD_REQUEST);
	unit_fetch_end();
}
END_TEST

START_TEST(other_headers_can)
{
	static const char *const good[] = {"Authorization: Bearer x", "X-Api-Key: x", "Cookie: a=b",
		"Accept: */*", "User-Agent: me", "PRIVATE-TOKEN: x", "Hosts: x", "Ranges: x",
		"Tea: x", "A: \xc3\xa4", "A: b\tc", "Iffy: x", "Referer: x"};
	char name[32], longer[FETCH_HEADER_MAX + 1];
	struct err e;
	struct str rest = str_of(good[_i]), head;

	(void)str_split(&rest, ':', &head);
	(void)snprintf(name, sizeof(name), STR_FMT, STR_ARG(head));
	ck_ok(fetch_check_header(str_of(name), str_trim(rest), &e));
	memset(longer, 'x', sizeof(longer));
	ck_ok(fetch_check_header(head, (struct str){longer, sizeof(longer) - 1}, &e));
	ck_err(fetch_check_header(head, (struct str){longer, sizeof(longer)}, &e), ERR_BAD_REQUEST);
	ck_err(fetch_check_header(head, STR_LIT("a\0b"), &e), ERR_BAD_REQUEST);
	ck_assert_ptr_null(strstr(e.text, "a\\"));
}
END_TEST

static Suite *suite(void)
{
	Suite *s = suite_create("fetch_rules");
	TCase *t = tcase_create("fetch_rules");

	tcase_set_timeout(t, 300);
	tcase_add_checked_fixture(t, unit_dir_make, unit_dir_remove);
	tcase_add_loop_test(t, no_spelling_leads_to_where_nobody_may_go, 0,
		(int)ARRAY_SIZE(spellings));
	tcase_add_loop_test(t, texts_that_are_no_urls_do_not_get_to_a_resolver, 0, 17);
	tcase_add_test(t, names_that_are_listed_lead_to_private_addresses_alone);
	tcase_add_test(t, an_answer_that_changes_is_judged_at_each_connection);
	tcase_add_test(t, connections_are_not_shared_between_names);
	tcase_add_test(t, a_name_that_leads_nowhere_is_named);
	tcase_add_test(t, a_port_where_nobody_listens_is_named);
	tcase_add_test(t, without_a_descriptor_it_says_so);
	tcase_add_test(t, ports_of_other_protocols_are_refused_before_all);
	tcase_add_test(t, plain_http_needs_a_host_that_is_listed);
	tcase_add_test(t, a_look_up_that_hangs_holds_up_nobody_else);
	tcase_add_loop_test(t, redirects_are_followed_so_far, 0, (int)ARRAY_SIZE(redirects));
	tcase_add_loop_test(t, redirects_to_elsewhere_are_judged, 0, (int)ARRAY_SIZE(targets));
	tcase_add_loop_test(t, a_redirect_in_another_case_or_with_a_fragment_is_resolved, 0, 6);
	tcase_add_loop_test(t, credentials_do_not_follow_to_another_origin, 0, 2);
	tcase_add_test(t, credentials_do_not_come_back);
	tcase_add_test(t, credentials_stay_within_an_origin);
	tcase_add_test(t, nothing_is_taken_from_the_environment);
	tcase_add_test(t, nothing_is_kept_between_fetches);
	tcase_add_loop_test(t, headers_that_are_ours_cannot_be_chosen, 0, 31);
	tcase_add_loop_test(t, other_headers_can, 0, 13);
	suite_add_tcase(s, t);
	return s;
}

UNIT_MAIN
