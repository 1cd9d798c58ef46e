/* SPDX-License-Identifier: Apache-2.0 */
/* https: whom a fetch believes. The server's certificates are made here, each trusted by itself. */
#include "tests/unit/unit_dir.h"
#include "tests/unit/unit_fetch.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <openssl/err.h>
#include <openssl/pem.h>
#include <openssl/ssl.h>
#include <openssl/x509v3.h>
#include <signal.h>
#include <sys/socket.h>

struct tls {
	SSL_CTX *ctx;
	X509 *certificate;
	int fd;
	unsigned port;
	pthread_t thread;
	char answer[512];
	char head[8192];    /* of the last request; after tls_stop() */
	char protocols[64]; /* that the client knows (ALPN), as they are on the wire */
};

static X509 *make_certificate(EVP_PKEY *key, const char *names, long days)
{
	X509 *x = X509_new();
	X509_EXTENSION *san = X509V3_EXT_conf_nid(NULL, NULL, NID_subject_alt_name, names);
	X509_EXTENSION *ca = X509V3_EXT_conf_nid(NULL, NULL, NID_basic_constraints, "CA:TRUE");

	ck_assert(x && san && ca);
	X509_set_version(x, 2);
	ASN1_INTEGER_set(X509_get_serialNumber(x), 1);
	X509_gmtime_adj(X509_getm_notBefore(x), -2 * 24 * 3600);
	X509_gmtime_adj(X509_getm_notAfter(x), days * 24 * 3600);
	X509_NAME_add_entry_by_txt(X509_get_subject_name(x), "CN", MBSTRING_ASC,
		(const unsigned char *)"secret name", -1, -1, 0);
	X509_set_issuer_name(x, X509_get_subject_name(x));
	X509_set_pubkey(x, key);
	X509_add_ext(x, san, -1);
	X509_add_ext(x, ca, -1);
	ck_assert_int_gt(X509_sign(x, key, EVP_sha256()), 0);
	X509_EXTENSION_free(san);
	X509_EXTENSION_free(ca);
	return x;
}

static int note_protocols(SSL *ssl, const unsigned char **out, unsigned char *out_n,
	const unsigned char *in, unsigned in_n, void *cls)
{
	struct tls *t = cls;

	(void)ssl;
	(void)out;
	(void)out_n;
	(void)snprintf(t->protocols, sizeof(t->protocols), "%.*s", (int)in_n, (const char *)in);
	return SSL_TLSEXT_ERR_NOACK;
}

static void serve(struct tls *t, SSL *ssl)
{
	int n = 0, got;

	if (SSL_accept(ssl) != 1)
		return;
	while (!strstr(t->head, "\r\n\r\n")) {
		got = SSL_read(ssl, t->head + n, (int)sizeof(t->head) - 1 - n);
		if (got <= 0)
			return;
		n += got;
		t->head[n] = '\0';
	}
	(void)SSL_write(ssl, t->answer, (int)strlen(t->answer));
	(void)SSL_shutdown(ssl);
}

static void *serve_all(void *cls)
{
	struct tls *t = cls;
	sigset_t pipe;
	int fd;

	sigemptyset(&pipe);
	sigaddset(&pipe, SIGPIPE); /* from a client that has gone */
	pthread_sigmask(SIG_BLOCK, &pipe, NULL);
	while ((fd = accept4(t->fd, NULL, NULL, SOCK_CLOEXEC)) >= 0) {
		SSL *ssl = SSL_new(t->ctx);
		memset(t->head, 0, sizeof(t->head));
		SSL_set_fd(ssl, fd);
		serve(t, ssl);
		SSL_free(ssl);
		(void)close(fd);
	}
	ERR_clear_error();
	return NULL;
}

static void tls_start(struct tls *t, const char *names, long days, int newest)
{
	struct sockaddr_in at = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
	socklen_t n = sizeof(at);
	EVP_PKEY *key = EVP_EC_gen("P-256");

	memset(t, 0, sizeof(*t));
	(void)snprintf(t->answer, sizeof(t->answer),
		"HTTP/1.1 200 OK\r\nContent-Length: 5\r\nConnection: close\r\n\r\nhello");
	t->ctx = SSL_CTX_new(TLS_server_method());
	t->certificate = make_certificate(key, names, days);
	ck_assert_int_eq(SSL_CTX_use_certificate(t->ctx, t->certificate), 1);
	ck_assert_int_eq(SSL_CTX_use_PrivateKey(t->ctx, key), 1);
	EVP_PKEY_free(key);
	SSL_CTX_set_security_level(t->ctx, 0);
	SSL_CTX_set_min_proto_version(t->ctx, TLS1_VERSION);
	SSL_CTX_set_max_proto_version(t->ctx, newest);
	SSL_CTX_set_alpn_select_cb(t->ctx, note_protocols, t);
	t->fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	ck_assert_int_eq(bind(t->fd, (struct sockaddr *)&at, sizeof(at)), 0);
	ck_assert_int_eq(listen(t->fd, 16), 0);
	ck_assert_int_eq(getsockname(t->fd, (struct sockaddr *)&at, &n), 0);
	t->port = ntohs(at.sin_port);
	ck_assert_int_eq(pthread_create(&t->thread, NULL, serve_all, t), 0);
}

static void tls_stop(struct tls *t)
{
	(void)shutdown(t->fd, SHUT_RDWR);
	pthread_join(t->thread, NULL);
	(void)close(t->fd);
	X509_free(t->certificate);
	SSL_CTX_free(t->ctx);
}

static void write_certificate(const struct tls *t, const char *path)
{
	FILE *f = fopen(path, "we");

	ck_assert_ptr_nonnull(f);
	ck_assert_int_eq(PEM_write_X509(f, t->certificate), 1);
	ck_assert_int_eq(fclose(f), 0);
}

static bool serve_plain(struct net_conn *c)
{
	return net_serve(c, "", "plain", 5);
}

static const char *const caller_headers[] = {"Authorization: Bearer secret"};

/* From the TLS server at `port`, trusting what is in the file. */
static struct fetched get(unsigned port, const char *ca_file, uint64_t connect_ms)
{
	struct fetcher_options options = {
		.max_connections = 8, .max_per_host = 8, .ca_file = ca_file};
	char text[64];
	struct url u;
	struct err e;

	unit_fetch_begin_with(serve_plain, NULL, options);
	(void)snprintf(text, sizeof(text), "https://127.0.0.1:%u/m",
		port ? port : unit_fetch.server->port);
	ck_ok(url_parse(str_of(text), &u, &e));
	struct fetch_request q = unit_fetch_request(&u);
	q.connect_ms = connect_ms;
	q.headers = caller_headers;
	q.headers_n = 1;
	return unit_fetch_all(&q);
}

#define PATIENT 60000

START_TEST(a_host_with_a_certificate_that_is_trusted_is_believed)
{
	struct tls t;

	tls_start(&t, "IP:127.0.0.1", 1, _i == 0 ? TLS1_2_VERSION : TLS1_3_VERSION);
	write_certificate(&t, unit_dir_file("ca.pem"));
	struct fetched f = get(t.port, unit_dir_file("ca.pem"), PATIENT);
	ck_fetched(f, "hello", 5);
	fetched_done(&f);
	unit_fetch_end();
	tls_stop(&t);
	ck_assert_ptr_nonnull(strstr(t.head, "secret"));
	ck_assert_str_eq(t.protocols, "\x02h2\x08http/1.1");
}
END_TEST

static const struct {
	const char *names;
	long days;
	bool trusted;
	int newest;
	const char *says;
} refused[] = {
	{"IP:127.0.0.1", 1, false, TLS1_3_VERSION, "the certificate of 127.0.0.1 is refused: self"},
	{"IP:127.0.0.2", 1, true, TLS1_3_VERSION, "refused: it is not for this name"},
	{"DNS:127.0.0.1", 1, true, TLS1_3_VERSION, "refused: it is not for this name"},
	{"IP:127.0.0.1", -1, true, TLS1_3_VERSION, "is refused: certificate has expired"},
	{"IP:127.0.0.1", 1, true, TLS1_1_VERSION, "TLS 1.2 or newer"},
};

START_TEST(others_are_not)
{
	struct tls t, other;

	tls_start(&t, refused[_i].names, refused[_i].days, refused[_i].newest);
	tls_start(&other, "IP:127.0.0.1", 1, TLS1_3_VERSION);
	write_certificate(refused[_i].trusted ? &t : &other, unit_dir_file("ca.pem"));
	struct fetched f = get(t.port, unit_dir_file("ca.pem"), PATIENT);
	ck_failed(f, ERR_FETCH_FAILED, refused[_i].says);
	ck_assert_ptr_null(strstr(f.e.text, "secret"));
	ck_assert_int_eq(f.may_retry, refused[_i].newest == TLS1_1_VERSION);
	unit_fetch_end();
	tls_stop(&t);
	tls_stop(&other);
	ck_assert_str_eq(t.head, "");
}
END_TEST

START_TEST(the_system_does_not_trust_what_a_test_made)
{
	struct tls t;

	tls_start(&t, "IP:127.0.0.1", 1, TLS1_3_VERSION);
	struct fetched f = get(t.port, NULL, PATIENT);
	ck_failed(f, ERR_FETCH_FAILED, "the certificate of 127.0.0.1 is refused");
	unit_fetch_end();
	tls_stop(&t);
}
END_TEST

START_TEST(a_file_of_authorities_that_is_none_is_named)
{
	struct tls t;

	tls_start(&t, "IP:127.0.0.1", 1, TLS1_3_VERSION);
	struct fetched f = get(t.port, "/nonexistent/ca.pem", PATIENT);
	ck_failed(f, ERR_FETCH_FAILED, "import.ca_file");
	ck_assert(!f.may_retry);
	unit_fetch_end();
	tls_stop(&t);
}
END_TEST

/* A server that takes the hello for the front of a request, and waits for the rest. */
START_TEST(a_handshake_that_hangs_is_cut_as_a_connection_is)
{
	struct fetched f = get(0, NULL, 300);

	ck_failed(f, ERR_FETCH_TIMED_OUT, "no connection to port");
	ck_assert(f.may_retry);
	unit_fetch_end();
}
END_TEST

/* Where the list allows http; and never with what the caller sent along. */
START_TEST(https_leads_to_http_where_that_is_allowed_and_without_credentials)
{
	static const char *const hosts[] = {"127.0.0.1", "127.0.0.2", "203.0.114.1"};
	struct net_server *plain = net_server_start(serve_plain, NULL);
	struct tls t;

	tls_start(&t, "IP:127.0.0.1", 1, TLS1_3_VERSION);
	write_certificate(&t, unit_dir_file("ca.pem"));
	(void)snprintf(t.answer, sizeof(t.answer),
		"HTTP/1.1 302 x\r\nLocation: http://%s:%u/there\r\nContent-Length: 0\r\n"
		"Connection: close\r\n\r\n",
		hosts[_i], plain->port);
	struct fetched f = get(t.port, unit_dir_file("ca.pem"), PATIENT);
	if (_i == 0) {
		ck_fetched(f, "plain", 5);
		ck_assert(net_server_heard(plain, "GET /there "));
		ck_assert(!net_server_heard(plain, "secret"));
	} else {
		ck_failed(f, ERR_FETCH_REFUSED, _i == 1 ? "(rule: loopback)" : "(rule: scheme)");
		ck_assert_uint_eq(plain->connections, 0);
	}
	fetched_done(&f);
	unit_fetch_end();
	tls_stop(&t);
	net_server_stop(plain);
	ck_assert_ptr_nonnull(strstr(t.head, "secret"));
}
END_TEST

static Suite *suite(void)
{
	Suite *s = suite_create("fetch_tls");
	TCase *t = tcase_create("fetch_tls");

	tcase_set_timeout(t, 300);
	tcase_add_checked_fixture(t, unit_dir_make, unit_dir_remove);
	tcase_add_loop_test(t, a_host_with_a_certificate_that_is_trusted_is_believed, 0, 2);
	tcase_add_loop_test(t, others_are_not, 0, (int)ARRAY_SIZE(refused));
	tcase_add_test(t, the_system_does_not_trust_what_a_test_made);
	tcase_add_test(t, a_file_of_authorities_that_is_none_is_named);
	tcase_add_test(t, a_handshake_that_hangs_is_cut_as_a_connection_is);
	tcase_add_loop_test(t, https_leads_to_http_where_that_is_allowed_and_without_credentials, 0,
		3);
	suite_add_tcase(s, t);
	return s;
}

UNIT_MAIN
