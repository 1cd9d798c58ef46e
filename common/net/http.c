/* SPDX-License-Identifier: Apache-2.0 */
#include "common/net/http.h"
#include "common/base/str.h"

#include <curl/curl.h>
#include <errno.h>
#include <pthread.h>
#include <stdio.h>
#include <unistd.h>

#define CONNECT_MS   30000u
#define STALL_MS     60000u
#define UPLOAD_PIECE (256L << 10) /* CURLOPT_UPLOAD_BUFFERSIZE */
#define ANSWER_PIECE (128L << 10) /* CURLOPT_BUFFERSIZE */

struct http {
	CURL *easy;
	const atomic_bool *cancel;
};

/* One request, as the callbacks see it. An error caught in one of them waits here, since libcurl
 * can only be told that there was one. */
struct exchange {
	const struct http *http;
	const struct http_request *q;
	struct http_answer *answer;
	uint64_t at; /* next byte of the body */
	struct err failure;
};

static pthread_once_t once = PTHREAD_ONCE_INIT;
static CURLcode global_result;

static void init_global(void)
{
	global_result = curl_global_init(CURL_GLOBAL_DEFAULT);
}

/* ---- life ---- */

static int set_options(CURL *easy, const struct http_options *o, struct err *e)
{
	CURLcode r = curl_easy_setopt(easy, CURLOPT_PROTOCOLS_STR, "http,https");

	if (r == CURLE_OK)
		r = curl_easy_setopt(easy, CURLOPT_USERAGENT, o->user_agent);
	if (r == CURLE_OK && o->ca_file)
		r = curl_easy_setopt(easy, CURLOPT_CAINFO, o->ca_file);
	if (r == CURLE_OK)
		r = curl_easy_setopt(easy, CURLOPT_CONNECTTIMEOUT_MS,
			(long)(o->connect_ms ? o->connect_ms : CONNECT_MS));
	if (r == CURLE_OK)
		r = curl_easy_setopt(easy, CURLOPT_UPLOAD_BUFFERSIZE, UPLOAD_PIECE);
	if (r == CURLE_OK)
		r = curl_easy_setopt(easy, CURLOPT_BUFFERSIZE, ANSWER_PIECE);
	(void)curl_easy_setopt(easy, CURLOPT_NOSIGNAL, 1L);
	(void)curl_easy_setopt(easy, CURLOPT_FOLLOWLOCATION, 0L);
	(void)curl_easy_setopt(easy, CURLOPT_TCP_KEEPALIVE, 1L);
	(void)curl_easy_setopt(easy, CURLOPT_NOPROGRESS, 0L);
	return r == CURLE_OK ? 0 : err_nomem(e);
}

int http_new(const struct http_options *o, struct http **ret, struct err *e)
{
	CLEANUP(http_free_p) struct http *h = calloc(1, sizeof(*h));
	int r;

	if (!h)
		return err_nomem(e);
	(void)pthread_once(&once, init_global);
	if (global_result != CURLE_OK)
		return err_set(e, ERR_INTERNAL, "libcurl does not start: %s",
			curl_easy_strerror(global_result));
	h->cancel = o->cancel;
	h->easy = curl_easy_init();
	if (!h->easy)
		return err_nomem(e);
	r = set_options(h->easy, o, e);
	if (r == 0)
		*ret = take_ptr(h);
	return r;
}

void http_free(struct http *h)
{
	if (!h)
		return;
	if (h->easy)
		curl_easy_cleanup(h->easy);
	free(h);
}

void http_answer_done(struct http_answer *a)
{
	buf_done(&a->body);
	buf_done(&a->head);
}

bool http_answer_header(const struct http_answer *a, const char *name, struct str *ret)
{
	struct str rest = {buf_str(&a->head), a->head.len}, line, key;

	while (str_split(&rest, '\n', &line)) {
		if (line.n == 0 || !str_split(&line, ':', &key) || !str_eq_nocase(key, name) ||
			!line.p)
			continue;
		*ret = str_trim(line);
		return true;
	}
	*ret = (struct str){NULL, 0};
	return false;
}

/* ---- what libcurl calls ---- */

static size_t read_body(char *to, size_t size, size_t n, void *cls)
{
	struct exchange *x = cls;
	uint64_t left = x->q->body_n - x->at;
	size_t room = size * n, piece = left < room ? (size_t)left : room;
	ssize_t got = (ssize_t)piece;

	if (piece == 0)
		return 0;
	if (x->q->has_file)
		got = pread(x->q->fd, to, piece, (off_t)(x->q->offset + x->at));
	else
		memcpy(to, (const char *)x->q->body + x->at, piece);
	if (got > 0) {
		x->at += (uint64_t)got;
		return (size_t)got;
	}
	if (got == 0)
		(void)err_set(&x->failure, ERR_IO_FAILED,
			"the file became shorter while it was sent");
	else
		(void)err_sys(&x->failure, errno, "reading the file that is sent");
	return CURL_READFUNC_ABORT;
}

/* A kept connection that turns out to be dead: the body is sent again on a new one. */
static int seek_body(void *cls, curl_off_t offset, int origin)
{
	struct exchange *x = cls;

	if (origin != SEEK_SET || offset < 0 || (uint64_t)offset > x->q->body_n)
		return CURL_SEEKFUNC_CANTSEEK;
	x->at = (uint64_t)offset;
	return CURL_SEEKFUNC_OK;
}

/* Lines of the final answer alone: a status line forgets those of an interim one. */
static size_t take_head(char *bytes, size_t size, size_t n, void *cls)
{
	struct exchange *x = cls;
	struct str line = str_trim((struct str){bytes, size * n});

	while (line.n > 0 && strchr("\r\n", line.p[line.n - 1]))
		line.n--;
	if (str_starts(line, "HTTP/"))
		buf_clear(&x->answer->head);
	else if (line.n > 0) {
		buf_add(&x->answer->head, line.p, line.n);
		buf_add_char(&x->answer->head, '\n');
	}
	if (buf_check(&x->answer->head, "the head of the answer", &x->failure) < 0)
		return 0;
	return size * n;
}

static void note_status(struct exchange *x)
{
	long status = 0;

	(void)curl_easy_getinfo(x->http->easy, CURLINFO_RESPONSE_CODE, &status);
	x->answer->status = (int)status;
}

static size_t take_body(char *bytes, size_t size, size_t n, void *cls)
{
	struct exchange *x = cls;
	int r = 0;

	note_status(x);
	if (x->q->take && x->answer->status / 100 == 2) {
		r = x->q->take(x->q->cls, x->answer, bytes, size * n, &x->failure);
	} else {
		buf_add(&x->answer->body, bytes, size * n);
		r = buf_check(&x->answer->body, "the answer", &x->failure);
	}
	return r < 0 ? 0 : size * n;
}

static int on_progress(void *cls, curl_off_t down_all, curl_off_t down, curl_off_t up_all,
	curl_off_t up)
{
	struct exchange *x = cls;

	(void)down_all;
	(void)up_all;
	if (x->http->cancel && atomic_load(x->http->cancel)) {
		(void)err_set(&x->failure, ERR_CANCELLED, "interrupted");
		return 1;
	}
	x->answer->sent = (uint64_t)up;
	if (x->q->progress)
		x->q->progress(x->q->cls, (uint64_t)up, (uint64_t)down);
	return 0;
}

/* ---- setting up ---- */

/* These say how long their body is, also when there is none. */
static bool has_body(const struct http_request *q)
{
	return q->body_n > 0 || strcmp(q->method, "POST") == 0 || strcmp(q->method, "PUT") == 0 ||
		strcmp(q->method, "PATCH") == 0;
}

static int set_method(CURL *easy, const struct http_request *q)
{
	CURLcode r;

	/* Undo what the last request set. */
	(void)curl_easy_setopt(easy, CURLOPT_HTTPGET, 1L);
	r = curl_easy_setopt(easy, CURLOPT_CUSTOMREQUEST, q->method);
	if (r == CURLE_OK && strcmp(q->method, "HEAD") == 0)
		r = curl_easy_setopt(easy, CURLOPT_NOBODY, 1L);
	if (r != CURLE_OK || !has_body(q))
		return r == CURLE_OK ? 0 : -1;
	(void)curl_easy_setopt(easy, CURLOPT_UPLOAD, 1L);
	r = curl_easy_setopt(easy, CURLOPT_CUSTOMREQUEST, q->method);
	(void)curl_easy_setopt(easy, CURLOPT_INFILESIZE_LARGE, (curl_off_t)q->body_n);
	return r == CURLE_OK ? 0 : -1;
}

static int make_headers(const struct http_request *q, struct curl_slist **ret)
{
	for (size_t i = 0; i < q->headers_n; i++) {
		struct curl_slist *more = curl_slist_append(*ret, q->headers[i]);
		if (!more)
			return -1;
		*ret = more;
	}
	return 0;
}

static void free_headers(struct curl_slist **headers)
{
	curl_slist_free_all(*headers);
}

static void set_callbacks(CURL *easy, struct exchange *x)
{
	(void)curl_easy_setopt(easy, CURLOPT_READFUNCTION, read_body);
	(void)curl_easy_setopt(easy, CURLOPT_READDATA, x);
	(void)curl_easy_setopt(easy, CURLOPT_SEEKFUNCTION, seek_body);
	(void)curl_easy_setopt(easy, CURLOPT_SEEKDATA, x);
	(void)curl_easy_setopt(easy, CURLOPT_HEADERFUNCTION, take_head);
	(void)curl_easy_setopt(easy, CURLOPT_HEADERDATA, x);
	(void)curl_easy_setopt(easy, CURLOPT_WRITEFUNCTION, take_body);
	(void)curl_easy_setopt(easy, CURLOPT_WRITEDATA, x);
	(void)curl_easy_setopt(easy, CURLOPT_XFERINFOFUNCTION, on_progress);
	(void)curl_easy_setopt(easy, CURLOPT_XFERINFODATA, x);
}

static int set_request(CURL *easy, struct exchange *x, struct curl_slist *headers, char *said,
	struct err *e)
{
	const struct http_request *q = x->q;
	uint64_t stall_s = (q->stall_ms ? q->stall_ms : STALL_MS) / 1000;

	said[0] = '\0';
	(void)curl_easy_setopt(easy, CURLOPT_ERRORBUFFER, said);
	set_callbacks(easy, x);
	(void)curl_easy_setopt(easy, CURLOPT_LOW_SPEED_LIMIT, 1L);
	(void)curl_easy_setopt(easy, CURLOPT_LOW_SPEED_TIME, (long)(stall_s ? stall_s : 1));
	(void)curl_easy_setopt(easy, CURLOPT_HTTPHEADER, headers);
	if (curl_easy_setopt(easy, CURLOPT_ACCEPT_ENCODING, q->coded ? "" : NULL) != CURLE_OK ||
		curl_easy_setopt(easy, CURLOPT_URL, q->url) != CURLE_OK || set_method(easy, q) < 0)
		return err_nomem(e);
	return 0;
}

/* ---- failures ---- */

static const char *host_of(const char *url, char *buf, size_t size)
{
	const char *start = strstr(url, "://");
	size_t n;

	start = start ? start + 3 : url;
	n = strcspn(start, "/?#");
	for (size_t i = 0; i < n; i++) /* a user and password before it */
		if (start[i] == '@') {
			start += i + 1;
			n -= i + 1;
			i = (size_t)-1;
		}
	(void)snprintf(buf, size, "%.*s", (int)n, start);
	return buf;
}

static bool may_pass(CURLcode r)
{
	switch (r) {
	case CURLE_COULDNT_CONNECT:
	case CURLE_COULDNT_RESOLVE_HOST:
	case CURLE_OPERATION_TIMEDOUT:
	case CURLE_PARTIAL_FILE:
	case CURLE_SEND_ERROR:
	case CURLE_RECV_ERROR:
	case CURLE_GOT_NOTHING:
	case CURLE_SEND_FAIL_REWIND:
	case CURLE_HTTP2:
	case CURLE_HTTP2_STREAM:
		return true;
	default:
		return false;
	}
}

static enum http_trouble trouble_of(CURLcode r)
{
	switch (r) {
	case CURLE_PEER_FAILED_VERIFICATION:
		return HTTP_TROUBLE_CERTIFICATE;
	case CURLE_SSL_CACERT_BADFILE:
		return HTTP_TROUBLE_CA_FILE;
	case CURLE_SSL_CONNECT_ERROR:
		return HTTP_TROUBLE_TLS;
	case CURLE_COULDNT_RESOLVE_PROXY:
		return HTTP_TROUBLE_PROXY;
	default:
		return HTTP_TROUBLE_NONE;
	}
}

static int failed(struct exchange *x, CURLcode r, const char *said, struct err *e)
{
	char host[256];

	x->answer->may_retry = x->failure.code == ERR_NONE && may_pass(r);
	x->answer->trouble = trouble_of(r);
	if (x->failure.code != ERR_NONE) {
		*e = x->failure;
		return -(int)e->code;
	}
	(void)host_of(x->q->url, host, sizeof(host));
	switch (r) {
	case CURLE_OUT_OF_MEMORY:
		return err_nomem(e);
	case CURLE_URL_MALFORMAT:
	case CURLE_UNSUPPORTED_PROTOCOL:
		return err_set(e, ERR_BAD_URL, "%s is no http or https URL", x->q->url);
	case CURLE_OPERATION_TIMEDOUT:
		return err_set(e, ERR_FETCH_TIMED_OUT, "%s does not answer: %s", host,
			said[0] ? said : curl_easy_strerror(r));
	default:
		return err_set(e, ERR_FETCH_FAILED, "%s: %s", host,
			said[0] ? said : curl_easy_strerror(r));
	}
}

/* ---- a request ---- */

int http_do(struct http *h, const struct http_request *q, struct http_answer *ret, struct err *e)
{
	CLEANUP(free_headers) struct curl_slist *headers = NULL;
	struct exchange x = {.http = h, .q = q, .answer = ret};
	char said[CURL_ERROR_SIZE];
	CURLcode r;
	int result;

	*ret = (struct http_answer){
		.body = BUF_INIT(q->max_answer), .head = BUF_INIT(HTTP_HEAD_MAX)};
	if (make_headers(q, &headers) < 0)
		return err_nomem(e);
	result = set_request(h->easy, &x, headers, said, e);
	if (result < 0)
		return result;
	r = curl_easy_perform(h->easy);
	(void)curl_easy_setopt(h->easy, CURLOPT_HTTPHEADER, NULL);
	(void)curl_easy_setopt(h->easy, CURLOPT_ERRORBUFFER, NULL);
	note_status(&x);
	return r == CURLE_OK ? 0 : failed(&x, r, said, e);
}
