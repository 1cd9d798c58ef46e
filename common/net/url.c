/* SPDX-License-Identifier: Apache-2.0 */
/* What was learned of the parser of libcurl 7.88 (lib/urlapi.c), and is relied upon or made up for:
 * - 0x7f.1, 0177.1 and 2130706433 become dotted addresses in the host that it gives out.
 * - A host may be percent-encoded: it is decoded, but numbers in what comes out are not read as
 *   above before the URL is parsed once more. Refused here.
 * - One to three slashes behind the scheme pass. Others read such a text differently: refused here.
 * - Port 0 passes. "host:" has the port of the scheme.
 * - An empty reference resolves to the folder of the base, not to the base itself (RFC 3986 5.2.2).
 * - CURLU_DISALLOW_USER lets an empty user name pass ("http://@host/").
 */
#include "common/net/url.h"

#include "common/base/num.h"

#include <curl/curl.h>

static void curlu_free_p(CURLU **u)
{
	curl_url_cleanup(*u);
}

static void curl_text_free_p(char **text)
{
	curl_free(*text);
}

#define CLEANUP_CURLU CLEANUP(curlu_free_p)
#define CLEANUP_PART  CLEANUP(curl_text_free_p)

static int say_refused(CURLUcode code, struct err *e)
{
	switch (code) {
	case CURLUE_OUT_OF_MEMORY:
		return err_nomem(e);
	case CURLUE_USER_NOT_ALLOWED:
		return err_set(e, ERR_BAD_URL,
			"the URL has a user name or password; send credentials in headers");
	case CURLUE_BAD_SCHEME:
	case CURLUE_UNSUPPORTED_SCHEME:
		return err_set(e, ERR_BAD_URL, "the URL begins with neither http:// nor https://");
	case CURLUE_BAD_SLASHES:
		return err_set(e, ERR_BAD_URL, "the URL has no :// behind its scheme");
	case CURLUE_NO_HOST:
		return err_set(e, ERR_BAD_URL, "the URL has no host");
	case CURLUE_BAD_PORT_NUMBER:
		return err_set(e, ERR_BAD_URL,
			"the port of the URL is not a number from 1 to 65535");
	case CURLUE_BAD_IPV6:
		return err_set(e, ERR_BAD_URL, "the host of the URL is not an IPv6 address");
	default:
		return err_set(e, ERR_BAD_URL, "the host of the URL is not a name or an address");
	}
}

/* One part of a URL that has it. The caller frees it with curl_free(). */
static int get_part(CURLU *u, CURLUPart what, unsigned flags, char **ret, struct err *e)
{
	CURLUcode code = curl_url_get(u, what, ret, flags);

	return code == CURLUE_OK ? 0 : say_refused(code, e);
}

/* What has a character outside [a-z0-9._-] is no name that a resolver should see. */
static bool is_host_name(const char *host)
{
	const char *at = host;

	while (str_is_lower(*at) || str_is_digit(*at) || *at == '-' || *at == '_' || *at == '.')
		at++;
	return *at == '\0' && host[0] != '\0' && host[0] != '.';
}

static int take_host(CURLU *u, struct url *ret, struct err *e)
{
	CLEANUP_PART char *host = NULL, *zone = NULL;
	size_t n;

	if (get_part(u, CURLUPART_HOST, 0, &host, e) < 0)
		return -(int)e->code;
	if (curl_url_get(u, CURLUPART_ZONEID, &zone, 0) == CURLUE_OK)
		return err_set(e, ERR_BAD_URL, "the host of the URL has a zone");
	n = strlen(host);
	if (n >= sizeof(ret->host))
		return err_set(e, ERR_BAD_URL, "the host of the URL is too long");
	for (size_t i = 0; i <= n; i++)
		ret->host[i] = str_to_lower(host[i]);
	if (host[0] == '[') {
		memmove(ret->host, ret->host + 1, n);
		ret->host[n - 2] = '\0';
		return 0;
	}
	return is_host_name(ret->host) ? 0 : say_refused(CURLUE_BAD_HOSTNAME, e);
}

static int take_scheme_and_port(CURLU *u, struct url *ret, struct err *e)
{
	CLEANUP_PART char *scheme = NULL, *port = NULL;
	uint64_t number;

	if (get_part(u, CURLUPART_SCHEME, 0, &scheme, e) < 0)
		return -(int)e->code;
	if (strcmp(scheme, "http") != 0 && strcmp(scheme, "https") != 0)
		return say_refused(CURLUE_UNSUPPORTED_SCHEME, e);
	(void)snprintf(ret->scheme, sizeof(ret->scheme), "%s", scheme);
	if (get_part(u, CURLUPART_PORT, CURLU_DEFAULT_PORT, &port, e) < 0)
		return -(int)e->code;
	if (!num_parse(port, strlen(port), 65535, &number) || number == 0)
		return say_refused(CURLUE_BAD_PORT_NUMBER, e);
	ret->port = (unsigned)number;
	return 0;
}

static int too_long(struct err *e)
{
	return err_set(e, ERR_BAD_URL, "the URL has more than %d bytes", URL_MAX);
}

static int take(CURLU *u, struct url *ret, struct err *e)
{
	CLEANUP_PART char *text = NULL;
	size_t n;

	if (take_scheme_and_port(u, ret, e) < 0 || take_host(u, ret, e) < 0 ||
		get_part(u, CURLUPART_URL, 0, &text, e) < 0)
		return -(int)e->code;
	n = strlen(text);
	if (n > URL_MAX)
		return too_long(e);
	memcpy(ret->text, text, n + 1);
	return 0;
}

/* `text` without its fragment into `to`, which has room for URL_MAX and a NUL. */
static int copy_printable(struct str text, char *to, struct err *e)
{
	size_t n = 0;

	for (; n < text.n && text.p[n] != '#'; n++) {
		if (n == URL_MAX)
			return too_long(e);
		if (text.p[n] <= ' ' || text.p[n] > '~' || text.p[n] == '\\')
			return err_set(e, ERR_BAD_URL,
				"the URL has a character that does not "
				"stand in URLs, at byte %zu: percent-encode it",
				n);
		to[n] = text.p[n];
	}
	to[n] = '\0';
	return 0;
}

/* What is behind two slashes: a host and perhaps a port. */
static int check_authority(const char *at, struct err *e)
{
	size_t n = strcspn(at, "/?");

	if (n == 0)
		return say_refused(CURLUE_NO_HOST, e);
	if (memchr(at, '@', n))
		return say_refused(CURLUE_USER_NOT_ALLOWED, e);
	if (at[0] != '[' && memchr(at, '%', n))
		return say_refused(CURLUE_BAD_HOSTNAME, e);
	return 0;
}

/* `text` may be a reference: whether it is absolute is for the parser to say. */
static int check_slashes(const char *text, struct err *e)
{
	const char *at = text;

	if (strncmp(text, "//", 2) == 0)
		return check_authority(text + 2, e);
	while (str_is_lower(str_to_lower(*at)) || str_is_digit(*at) || (*at && strchr("+-.", *at)))
		at++;
	if (at == text || *at != ':')
		return 0;
	if (strncmp(at, "://", 3) != 0 || at[3] == '/')
		return say_refused(CURLUE_BAD_SLASHES, e);
	return check_authority(at + 3, e);
}

static int set_text(CURLU *u, const char *text, struct err *e)
{
	CURLUcode code;

	if (check_slashes(text, e) < 0)
		return -(int)e->code;
	code = curl_url_set(u, CURLUPART_URL, text, CURLU_DISALLOW_USER);
	return code == CURLUE_OK ? 0 : say_refused(code, e);
}

int url_parse(struct str text, struct url *ret, struct err *e)
{
	char copy[URL_MAX + 1];

	if (copy_printable(text, copy, e) < 0)
		return -(int)e->code;
	CLEANUP_CURLU CURLU *u = curl_url();
	if (!u)
		return err_nomem(e);
	if (set_text(u, copy, e) < 0)
		return -(int)e->code;
	return take(u, ret, e);
}

int url_resolve(const struct url *base, const char *reference, struct url *ret, struct err *e)
{
	char copy[URL_MAX + 1];

	if (copy_printable(str_of(reference), copy, e) < 0)
		return -(int)e->code;
	if (copy[0] == '\0') {
		*ret = *base;
		return 0;
	}
	CLEANUP_CURLU CURLU *u = curl_url();
	if (!u)
		return err_nomem(e);
	if (set_text(u, base->text, e) < 0 || set_text(u, copy, e) < 0)
		return -(int)e->code;
	return take(u, ret, e);
}

bool url_same_origin(const struct url *a, const struct url *b)
{
	return a->port == b->port && strcmp(a->scheme, b->scheme) == 0 &&
		strcmp(a->host, b->host) == 0;
}

struct str url_path(const struct url *u)
{
	const char *path = strchr(u->text + strlen(u->scheme) + 3, '/');

	if (!path)
		return STR_LIT("/");
	return (struct str){path, strcspn(path, "?")};
}

/* ---- shards ---- */

/* RFC 3986 has no place for these either. */
static void add_encoded(struct str path, struct buf *out)
{
	for (size_t i = 0; i < path.n; i++) {
		unsigned char c = (unsigned char)path.p[i];
		if (c == ' ' || c > '~' || strchr("\"<>`{}", c))
			buf_addf(out, "%%%02X", c);
		else
			buf_add_char(out, (char)c);
	}
}

int url_of_shard(const struct url *model, const char *prefix, const char *path, struct url *ret,
	struct err *e)
{
	const char *slash = strrchr(model->text, '/');
	const char *query = strrchr(model->text, '?');
	CLEANUP_BUF struct buf text = BUF_INIT(2 * URL_MAX);

	if (prefix)
		add_encoded(str_of(prefix), &text);
	else
		buf_add(&text, model->text, (size_t)(slash - model->text) + 1);
	add_encoded(str_of(path), &text);
	if (query && query > slash)
		buf_add_str(&text, query);
	if (buf_failed(&text))
		return text.failure == ERR_TOO_LARGE ? too_long(e) : err_nomem(e);
	return url_parse((struct str){text.data, text.len}, ret, e);
}

/* ---- redaction ---- */

#define HIDDEN "***"

static void add_shown(struct str s, struct buf *out)
{
	for (size_t i = 0; i < s.n; i++)
		buf_add_char(out, s.p[i] > ' ' && s.p[i] <= '~' ? s.p[i] : '_');
}

static bool is_word(struct str s, const char *besides, size_t max)
{
	for (size_t i = 0; i < s.n; i++) {
		if (!str_is_lower(str_to_lower(s.p[i])) && !str_is_digit(s.p[i]) &&
			(s.p[i] == '\0' || !strchr(besides, s.p[i])))
			return false;
	}
	return s.n > 0 && s.n <= max;
}

/* Values that choose a form of what is served, and are short words. */
static bool is_harmless(struct str name, struct str value)
{
	static const char *const names[] = {
		"tfjs-format", "tf-hub-format", "alt", "raw", "download"};

	for (size_t i = 0; i < ARRAY_SIZE(names); i++) {
		if (str_eq_c(name, names[i]))
			return is_word(value, "-", 16);
	}
	return false;
}

/* One "name=value". What has no name or no value may be a credential as a whole, and so may be
 * what ends with '=', as base64 does. */
static void redact_pair(struct str pair, struct buf *out)
{
	const char *equals = memchr(pair.p, '=', pair.n);
	size_t name_n = equals ? (size_t)(equals - pair.p) : 0;
	struct str name = {pair.p, name_n};
	struct str value = {pair.p + name_n + 1, equals ? pair.n - name_n - 1 : 0};

	if (!is_word(name, "-_.", 40) || value.n == 0 || value.p[value.n - 1] == '=') {
		buf_add_str(out, pair.n > 0 ? HIDDEN : "");
		return;
	}
	buf_add(out, name.p, name.n);
	buf_add_char(out, '=');
	if (is_harmless(name, value))
		buf_add(out, value.p, value.n);
	else
		buf_add_str(out, HIDDEN);
}

static void redact_query(struct str query, struct buf *out)
{
	struct str rest = query, pair;
	bool first = true;

	while (str_split(&rest, '&', &pair)) {
		if (!first)
			buf_add_char(out, '&');
		first = false;
		redact_pair(pair, out);
	}
}

static const char *last_at(struct str s)
{
	for (size_t i = s.n; i > 0; i--) {
		if (s.p[i - 1] == '@')
			return s.p + i - 1;
	}
	return NULL;
}

/* "host", "host:port", "[v6]:port": what else has a ':' may be a user and the front of a password
 * that holds a '/'. */
static bool is_plain_authority(struct str s)
{
	size_t colon = 0;

	if (s.n > 0 && s.p[0] == '[') {
		while (colon < s.n && s.p[colon] != ']' && s.p[colon] != '@')
			colon++;
		if (colon == s.n || s.p[colon] == '@')
			return false;
	}
	while (colon < s.n && s.p[colon] != ':')
		colon++;
	for (size_t i = colon + 1; i < s.n; i++) {
		if (!str_is_digit(s.p[i]))
			return false;
	}
	return true;
}

/* Length of "scheme://" in front, 0 for none. */
static size_t scheme_length(struct str s)
{
	size_t n = 0;

	while (n < s.n && is_word((struct str){s.p + n, 1}, "+-.", 1))
		n++;
	return n > 0 && n + 3 <= s.n && memcmp(s.p + n, "://", 3) == 0 ? n + 3 : 0;
}

/* All in front of the query. */
static void redact_front(struct str front, struct buf *out)
{
	size_t n = scheme_length(front);
	struct str rest = {front.p + n, front.n - n};
	const char *slash = n > 0 ? memchr(rest.p, '/', rest.n) : NULL;
	struct str host = {rest.p, slash ? (size_t)(slash - rest.p) : rest.n};
	bool plain = is_plain_authority(host);

	add_shown((struct str){front.p, n}, out);
	const char *at = last_at(plain ? host : rest);
	if (!at && !plain && n > 0) {
		buf_add_str(out, HIDDEN);
		return;
	}
	if (at) {
		buf_add_str(out, HIDDEN "@");
		rest.n -= (size_t)(at + 1 - rest.p);
		rest.p = at + 1;
	}
	add_shown(rest, out);
}

void url_redact(struct str text, struct buf *out)
{
	const char *end, *query;

	if (text.n == 0)
		return;
	end = memchr(text.p, '#', text.n);
	if (end)
		text.n = (size_t)(end - text.p);
	query = memchr(text.p, '?', text.n);
	redact_front((struct str){text.p, query ? (size_t)(query - text.p) : text.n}, out);
	if (!query)
		return;
	buf_add_char(out, '?');
	redact_query((struct str){query + 1, text.n - (size_t)(query + 1 - text.p)}, out);
}
