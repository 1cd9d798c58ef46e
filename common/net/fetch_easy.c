/* SPDX-License-Identifier: Apache-2.0 */
/* How libcurl is set up, and what it calls. Learned from libcurl 7.88.1, its source and its
 * documentation (https://curl.se/libcurl/c/):
 * - CURLOPT_OPENSOCKETFUNCTION sees each address just before the connection is made, behind the
 *   resolver and its cache. What it refuses is as if nobody answered there: the next address of the
 *   name is tried. A zone of an IPv6 address would be put in behind it (lib/cf-socket.c); url.h
 *   lets none through.
 * - A connection is reused for the same scheme, host and port with the same TLS settings
 *   (ConnectionExists() in lib/url.c), never for another name of the same address, and all
 *   transfers here have the same settings and the same list of addresses: what was judged stays
 *   judged.
 * - HTTP/2 where TLS agrees on it, with one stream on a connection at a time: a paused stream stops
 *   all others of its connection (pause_stream_id in lib/http2.c), so that one slow taker would
 *   hold up the rest, and what they are sent meanwhile, up to 32 MiB each, would wait in memory.
 * - An empty CURLOPT_PROXY switches off what http_proxy and the like say. ~/.netrc, cookies, HSTS
 *   and Alt-Svc are off unless they are asked for. SSLKEYLOGFILE and OPENSSL_CONF are OpenSSL's.
 * - CURLOPT_QUICK_EXIT: without it, a transfer that ends during a look-up waits for getaddrinfo()
 *   to return, with all others (Curl_resolver_kill() in lib/asyn-thread.c). With it the thread of
 *   the look-up is left to itself.
 * - Content-Encoding is not decoded while CURLOPT_ACCEPT_ENCODING is not set. If libcurl did, all
 *   that one buffer of a paused transfer unpacks to would wait in memory, up to 64 MiB.
 *   Transfer-Encoding is decoded whatever it is: fetch_answer.c takes "chunked" alone.
 * - The header callback gets whole lines of all heads, those of 1xx and trailers too. A 101 that
 *   nobody asked for is taken for the final head.
 * - The write callback gets at most 16 KiB (CURL_MAX_WRITE_SIZE) at a time, whatever the buffer.
 *   What is answered with CURL_WRITEFUNC_PAUSE comes again as a whole.
 * - The connect timeout covers the look-up, the connection and TLS, of each hop.
 */
#include "common/net/fetch_internal.h"

#include "common/base/num.h"

#include <errno.h>
#include <limits.h>
#include <strings.h>
#include <sys/socket.h>

/* ---- callbacks ---- */

static curl_socket_t open_socket(void *cls, curlsocktype purpose, struct curl_sockaddr *address)
{
	struct fetch *x = cls;
	struct err e;
	int fd;

	if (purpose != CURLSOCKTYPE_IPCXN)
		return CURL_SOCKET_BAD;
	if (address_check(x->f->allow, x->hop.scheme, x->hop.host, x->hop.port, &address->addr,
		    &e) < 0) {
		if (x->refusal.code == ERR_NONE)
			x->refusal = e;
		return CURL_SOCKET_BAD;
	}
	x->connecting = true;
	fd = socket(address->family, address->socktype | SOCK_CLOEXEC, address->protocol);
	x->socket_errno = fd < 0 ? errno : 0;
	return fd; /* -1 is CURL_SOCKET_BAD */
}

static bool is_end_of_head(struct str line)
{
	return line.n > 0 && (line.p[0] == '\r' || line.p[0] == '\n');
}

static size_t take_line(char *bytes, size_t size, size_t n, void *cls)
{
	struct fetch *x = cls;
	struct str line = {bytes, size * n};
	long status = 0;

	x->wire += line.n;
	x->head_bytes += line.n;
	if (x->head_bytes > FETCH_HEAD_MAX) {
		(void)fetch_say(x, &x->fault, ERR_FETCH_FAILED,
			"the heads of its answers have more than %u KiB", FETCH_HEAD_MAX >> 10);
		return 0;
	}
	while (line.n > 0 && (line.p[line.n - 1] == '\n' || line.p[line.n - 1] == '\r'))
		line.n--;
	if (!is_end_of_head((struct str){bytes, size * n})) {
		fetch_answer_line(x, line);
	} else if (!x->answer.whole) {
		(void)curl_easy_getinfo(x->easy, CURLINFO_RESPONSE_CODE, &status);
		fetch_answer_end(x, (int)status);
	}
	return x->fault.code == ERR_NONE || x->discard ? size * n : 0;
}

static size_t discard(struct fetch *x, size_t n)
{
	x->discarded += n;
	return x->discarded <= FETCH_DISCARD ? n : 0;
}

/* Of what is decoded, the taker counts what comes out. So much that nothing comes out of, as empty
 * blocks of deflate, is no body either. */
static bool is_surplus(const struct fetch *x, size_t n)
{
	uint64_t most = x->coding == FETCH_PLAIN ? x->max_bytes - x->head.offset
						 : x->max_bytes + x->max_bytes / 8 + FETCH_PIECE;

	return n > most || x->got > most - n;
}

static size_t take_body(char *bytes, size_t size, size_t n, void *cls)
{
	struct fetch *x = cls;
	char limit[NUM_SIZE_TEXT];

	n *= size;
	if (x->discard) {
		x->wire += n;
		return discard(x, n);
	}
	if (is_surplus(x, n)) {
		(void)fetch_say(x, &x->fault, ERR_TOO_LARGE, "it has more than %s",
			num_format_size(x->max_bytes, limit));
		return 0;
	}
	if (x->expected != UINT64_MAX && n > x->expected - x->got) {
		(void)fetch_say(x, &x->fault, ERR_FETCH_FAILED, "the body is longer than it says");
		return 0;
	}
	if (!fetch_piece_add(x, bytes, n))
		return CURL_WRITEFUNC_PAUSE;
	x->wire += n;
	x->got += n;
	return x->fault.code == ERR_NONE ? n : 0;
}

/* ---- options ---- */

#define SET(option, value)                                               \
	do {                                                             \
		if (code == CURLE_OK)                                    \
			code = curl_easy_setopt(x->easy, option, value); \
	} while (0)

static CURLcode set_callbacks(struct fetch *x)
{
	CURLcode code = CURLE_OK;

	SET(CURLOPT_PRIVATE, x);
	SET(CURLOPT_ERRORBUFFER, x->curl_says);
	SET(CURLOPT_OPENSOCKETFUNCTION, open_socket);
	SET(CURLOPT_OPENSOCKETDATA, x);
	SET(CURLOPT_HEADERFUNCTION, take_line);
	SET(CURLOPT_HEADERDATA, x);
	SET(CURLOPT_WRITEFUNCTION, take_body);
	SET(CURLOPT_WRITEDATA, x);
	return code;
}

/* What is the default already stands here as well: it is relied upon. */
static CURLcode set_limits(struct fetch *x)
{
	CURLcode code = CURLE_OK;

	SET(CURLOPT_PROTOCOLS_STR, "http,https");
	SET(CURLOPT_REDIR_PROTOCOLS_STR, "http,https");
	SET(CURLOPT_FOLLOWLOCATION, 0L);
	SET(CURLOPT_HTTPGET, 1L);
	SET(CURLOPT_HTTP_VERSION, (long)CURL_HTTP_VERSION_2TLS);
	SET(CURLOPT_HTTP09_ALLOWED, 0L);
	SET(CURLOPT_DISALLOW_USERNAME_IN_URL, 1L);
	SET(CURLOPT_PROXY, "");
	SET(CURLOPT_NOPROXY, "*");
	SET(CURLOPT_NETRC, (long)CURL_NETRC_IGNORED);
	SET(CURLOPT_UNRESTRICTED_AUTH, 0L);
	SET(CURLOPT_NOSIGNAL, 1L);
	SET(CURLOPT_QUICK_EXIT, 1L);
	SET(CURLOPT_TCP_KEEPALIVE, 1L);
	SET(CURLOPT_BUFFERSIZE, (long)FETCH_BUFFER);
	SET(CURLOPT_CONNECTTIMEOUT_MS, (long)(x->connect_ms < LONG_MAX ? x->connect_ms : LONG_MAX));
	return code;
}

static CURLcode set_tls(struct fetch *x)
{
	CURLcode code = CURLE_OK;

	SET(CURLOPT_SSL_VERIFYPEER, 1L);
	SET(CURLOPT_SSL_VERIFYHOST, 2L);
	SET(CURLOPT_SSLVERSION, (long)CURL_SSLVERSION_TLSv1_2);
	if (x->f->ca_file) {
		SET(CURLOPT_CAINFO, x->f->ca_file);
		SET(CURLOPT_CAPATH, NULL); /* or the system's folder would be trusted besides */
	}
	return code;
}

static int say_setup(CURLcode code, struct err *e)
{
	if (code == CURLE_OUT_OF_MEMORY)
		return err_nomem(e);
	return err_set(e, ERR_INTERNAL, "libcurl cannot be set up: %s", curl_easy_strerror(code));
}

int fetch_easy_new(struct fetch *x, struct err *e)
{
	CURLcode code;

	x->easy = curl_easy_init();
	if (!x->easy)
		return err_nomem(e);
	code = set_callbacks(x);
	if (code == CURLE_OK)
		code = set_limits(x);
	if (code == CURLE_OK)
		code = set_tls(x);
	if (x->f->user_agent)
		SET(CURLOPT_USERAGENT, x->f->user_agent);
	return code == CURLE_OK ? 0 : say_setup(code, e);
}

/* ---- one request ---- */

static bool add_field(struct fetch *x, const char *name, const char *value)
{
	CLEANUP_BUF struct buf line = BUF_INIT(FETCH_HEAD_MAX);
	struct curl_slist *more;

	buf_addf(&line, "%s%s", name, value);
	more = buf_failed(&line) ? NULL : curl_slist_append(x->fields, line.data);
	if (more)
		x->fields = more;
	return more != NULL;
}

/* The caller's, unless this request goes to another origin. */
static bool has_own(const struct fetch *x, const char *front)
{
	for (size_t i = 0; x->own_headers && i < x->headers_n; i++) {
		if (strncasecmp(x->headers[i], front, strlen(front)) == 0)
			return true;
	}
	return false;
}

static bool add_fields(struct fetch *x)
{
	char from[40];

	(void)snprintf(from, sizeof(from), "bytes=%llu-", (unsigned long long)x->from);
	if (!has_own(x, "Accept:") && !add_field(x, "Accept: ", x->accept ? x->accept : "*/*"))
		return false;
	if (!add_field(x, "Accept-Encoding: ", x->ask_coded ? "gzip, br" : "identity"))
		return false;
	if (x->from > 0 && !add_field(x, "Range: ", from))
		return false;
	if (x->if_range && !add_field(x, "If-Range: ", x->if_range))
		return false;
	if (x->if_none_match && !add_field(x, "If-None-Match: ", x->if_none_match))
		return false;
	for (size_t i = 0; x->own_headers && i < x->headers_n; i++) {
		if (!add_field(x, "", x->headers[i]))
			return false;
	}
	return true;
}

int fetch_easy_aim(struct fetch *x, struct err *e)
{
	CURLcode code = CURLE_OK;

	SET(CURLOPT_HTTPHEADER, NULL);
	curl_slist_free_all(x->fields);
	x->fields = NULL;
	if (!add_fields(x))
		return err_nomem(e);
	SET(CURLOPT_HTTPHEADER, x->fields);
	SET(CURLOPT_URL, x->hop.text);
	return code == CURLE_OK ? 0 : say_setup(code, e);
}
