/* SPDX-License-Identifier: Apache-2.0 */
/* Sentences about what went wrong. They name what was fetched, from where, and why it failed in our
 * words: what libcurl has to say may repeat what the other side wrote (names in certificates, bytes
 * of a status line), so of that only the reason why a certificate was refused is used, which is one
 * of OpenSSL's own (X509_verify_cert_error_string(3)). */
#include "common/net/fetch_internal.h"

/* Bytes of a name and a URL; longer ones are cut, so that the reason is not. */
#define WHAT_SHOWN 64
#define URL_SHOWN  180

void fetch_say_where(const struct fetch *x, struct err *e)
{
	CLEANUP_BUF struct buf url = BUF_INIT(2 * URL_MAX);
	bool cut;

	url_redact(str_of(x->hop.text), &url);
	cut = url.len > URL_SHOWN;
	(void)err_prefix(e, "%.*s from %.*s%s", WHAT_SHOWN, x->what, URL_SHOWN, buf_str(&url),
		cut ? "..." : "");
}

int(fetch_say)(const struct fetch *x, struct err *e, enum err_code code, const char *fmt, ...)
{
	char reason[ERR_TEXT_MAX / 2];
	va_list ap;

	va_start(ap, fmt);
	(void)vsnprintf(reason, sizeof(reason), fmt, ap);
	va_end(ap);
	(void)err_set(e, code, "%s", reason);
	fetch_say_where(x, e);
	return -(int)code;
}

/* https://curl.se/libcurl/c/libcurl-errors.html. */
static const struct {
	CURLcode code;
	bool retry;
	const char *says;
} ends[] = {
	{CURLE_GOT_NOTHING, true, "the host closed the connection without an answer"},
	{CURLE_PARTIAL_FILE, true, "the body ended early"},
	{CURLE_RECV_ERROR, true, "the connection broke"},
	{CURLE_SEND_ERROR, true, "the connection broke"},
	{CURLE_SSL_CONNECT_ERROR, true, "TLS 1.2 or newer was not agreed upon"},
	{CURLE_SSL_CACERT_BADFILE, false, "the file of import.ca_file cannot be used"},
	{CURLE_WEIRD_SERVER_REPLY, false, "the answer is not HTTP"},
	{CURLE_UNSUPPORTED_PROTOCOL, false, "the answer is not HTTP"},
	{CURLE_BAD_FUNCTION_ARGUMENT, false, "the answer is not HTTP"}, /* a line without ':' */
	{CURLE_HTTP2, true, "the connection broke"},
	{CURLE_HTTP2_STREAM, true, "the connection broke"},
	{CURLE_BAD_CONTENT_ENCODING, false, "the body cannot be decoded"},
};

static const char *connect_reason(const struct fetch *x, char *text, size_t n)
{
	long number = x->socket_errno;

	if (number == 0)
		(void)curl_easy_getinfo(x->easy, CURLINFO_OS_ERRNO, &number);
	return number > 0 ? strerror_r((int)number, text, n) : "no address answers";
}

static void say_certificate(const struct fetch *x, struct err *e)
{
	static const char front[] = "SSL certificate problem: ";
	bool known = strncmp(x->curl_says, front, sizeof(front) - 1) == 0;

	(void)fetch_say(x, e, ERR_FETCH_FAILED, "the certificate of %s is refused: %.80s",
		x->hop.host, known ? x->curl_says + sizeof(front) - 1 : "it is not for this name");
}

/* A line of a head is kept until it ends, of at most 100 KiB; then libcurl 7.88 says that memory is
 * short, as it does when that is so. */
static void say_no_memory(const struct fetch *x, struct err *e)
{
	if (x->answer.whole)
		(void)err_nomem(e);
	else
		(void)fetch_say(x, e, ERR_FETCH_FAILED,
			"the head of the answer has a line that is too long, or memory is short");
}

void fetch_say_curl(struct fetch *x, CURLcode code, struct err *e, bool *ret_retry)
{
	char reason[128];

	*ret_retry = code == CURLE_COULDNT_RESOLVE_HOST || code == CURLE_COULDNT_CONNECT ||
		code == CURLE_OPERATION_TIMEDOUT || code == CURLE_OUT_OF_MEMORY;
	switch (code) {
	case CURLE_COULDNT_RESOLVE_HOST:
		(void)fetch_say(x, e, ERR_FETCH_FAILED, "the name %s leads to no address",
			x->hop.host);
		return;
	case CURLE_COULDNT_CONNECT:
		(void)fetch_say(x, e, ERR_FETCH_FAILED, "no connection to port %u of %s: %s",
			x->hop.port, x->hop.host, connect_reason(x, reason, sizeof(reason)));
		return;
	case CURLE_OPERATION_TIMEDOUT:
		(void)fetch_say(x, e, ERR_FETCH_TIMED_OUT,
			"no connection to port %u of %s after %llu ms", x->hop.port, x->hop.host,
			(unsigned long long)x->connect_ms);
		return;
	case CURLE_PEER_FAILED_VERIFICATION:
		say_certificate(x, e);
		return;
	case CURLE_OUT_OF_MEMORY:
		say_no_memory(x, e);
		return;
	default:
		break;
	}
	for (size_t i = 0; i < ARRAY_SIZE(ends); i++) {
		if (ends[i].code == code) {
			*ret_retry = ends[i].retry;
			(void)fetch_say(x, e, ERR_FETCH_FAILED, "%s", ends[i].says);
			return;
		}
	}
	(void)fetch_say(x, e, ERR_FETCH_FAILED, "%s", curl_easy_strerror(code));
}
