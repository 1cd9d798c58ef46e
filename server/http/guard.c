/* SPDX-License-Identifier: Apache-2.0 */
#include "server/http/guard.h"
#include "common/base/num.h"
#include "server/http/router.h"

#include <arpa/inet.h>
#include <netinet/in.h>

#define LENGTH_DIGITS_MAX 15
#define PORT_MAX          65535
#define QUOTED_MAX        100 /* bytes of a peer's value repeated in an error */

/* Browsers leave | and ^ as they are in a path, and of these all but # " < > in a query (the URL
 * standard's percent-encode sets). */
static const char not_in_paths[] = "#\\\"<>`{}";
static const char not_in_queries[] = "#\"<>";

static struct str clip(struct str s)
{
	return (struct str){s.p, s.n < QUOTED_MAX ? s.n : QUOTED_MAX};
}

/* ---- request line ---- */

static int check_method(struct str method, struct err *e)
{
	static const char *const known[] = {
		"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"};

	if (!str_is_token(method))
		return err_set(e, ERR_BAD_REQUEST, "the method is not a token");
	for (size_t i = 0; i < ARRAY_SIZE(known); i++)
		if (str_eq_c(method, known[i]))
			return 0;
	return err_set(e, ERR_METHOD_UNKNOWN, "the method " STR_FMT " is not implemented",
		STR_ARG(clip(method)));
}

/* RFC 9110 2.5: a higher minor version is read as the highest one known. */
static int check_version(struct str version, bool *ret_is_10, struct err *e)
{
	if (version.n != 8 || !str_starts(version, "HTTP/1.") || !str_is_digit(version.p[7]))
		return err_set(e, ERR_BAD_REQUEST,
			"the protocol version is not HTTP/1.0 or HTTP/1.1");
	*ret_is_10 = version.p[7] == '0';
	return 0;
}

static bool has_encoded_nul(struct str target)
{
	for (size_t i = 0; i + 2 < target.n; i++)
		if (target.p[i] == '%' && target.p[i + 1] == '0' && target.p[i + 2] == '0')
			return true;
	return false;
}

static bool is_harmless(char c)
{
	return str_is_lower(c) || str_is_digit(c) || str_is_upper(c) || c == '/' || c == '-';
}

static int check_target_bytes(struct str target, struct err *e)
{
	const char *refused = not_in_paths;

	if (target.n > ROUTER_TARGET_MAX)
		return err_set(e, ERR_TARGET_TOO_LONG, "the request target is longer than %d bytes",
			ROUTER_TARGET_MAX);
	for (size_t i = 0; i < target.n; i++) {
		char c = target.p[i];
		if (is_harmless(c))
			continue;
		if (c == '?')
			refused = not_in_queries;
		if (c < 0x21 || c > 0x7E || strchr(refused, c))
			return err_set(e, ERR_BAD_TARGET,
				"byte %zu of the request target has to be percent-encoded", i + 1);
	}
	if (has_encoded_nul(target))
		return err_set(e, ERR_BAD_TARGET, "the request target has %%00 in it");
	return 0;
}

/* ---- authority (RFC 3986 3.2; RFC 9110 4.2: no empty host, no user information) ---- */

static bool is_address(int family, struct str text, void *ret)
{
	char copy[INET6_ADDRSTRLEN];

	if (text.n >= sizeof(copy) || memchr(text.p, '\0', text.n))
		return false;
	memcpy(copy, text.p, text.n);
	copy[text.n] = '\0';
	return inet_pton(family, copy, ret) == 1;
}

static bool is_bracketed(struct str host)
{
	return host.n > 2 && host.p[0] == '[' && host.p[host.n - 1] == ']';
}

static struct str without_brackets(struct str host)
{
	return is_bracketed(host) ? (struct str){host.p + 1, host.n - 2} : host;
}

/* The unreserved characters only: percent escapes and sub-delims are legal in a reg-name and in no
 * name that resolves. */
static bool is_reg_name(struct str s)
{
	for (size_t i = 0; i < s.n; i++) {
		char c = str_to_lower(s.p[i]);
		if (!str_is_lower(c) && !str_is_digit(c) && (c == '\0' || !strchr("-._~", c)))
			return false;
	}
	return s.n > 0;
}

static bool is_port(struct str s)
{
	uint64_t port;

	return s.n == 0 || (s.n <= 5 && num_parse(s.p, s.n, PORT_MAX, &port));
}

/* host [ ":" port ]; the host keeps its brackets. */
static bool split_authority(struct str authority, struct str *ret_host)
{
	struct in6_addr address;
	struct str host = authority, port = {authority.p, 0};
	const char *from = authority.p, *colon;

	if (authority.n == 0)
		return false;
	if (from[0] == '[')
		from = memchr(from, ']', authority.n);
	if (!from)
		return false;
	colon = memchr(from, ':', authority.n - (size_t)(from - authority.p));
	if (colon) {
		host.n = (size_t)(colon - host.p);
		port = (struct str){colon + 1, authority.n - host.n - 1};
	}
	if (!is_port(port))
		return false;
	if (host.p[0] == '[' ? !is_bracketed(host) || !is_address(AF_INET6, without_brackets(host),
		&address) : !is_reg_name(host))
		return false;
	*ret_host = host;
	return true;
}

bool guard_is_authority(struct str text)
{
	struct str host;

	return split_authority(text, &host);
}

/* ---- target ---- */

/* Cuts "http://authority" off an absolute-form target (RFC 9112 3.2.2). */
static bool cut_origin(struct str *target, struct str *ret_authority)
{
	static const char *const schemes[] = {"http://", "https://"};

	for (size_t i = 0; i < ARRAY_SIZE(schemes); i++) {
		size_t n = strlen(schemes[i]), end = n;
		if (target->n < n || !str_eq_nocase((struct str){target->p, n}, schemes[i]))
			continue;
		while (end < target->n && target->p[end] != '/' && target->p[end] != '?')
			end++;
		*ret_authority = (struct str){target->p + n, end - n};
		*target = (struct str){target->p + end, target->n - end};
		return true;
	}
	return false;
}

static void split_query(struct str target, struct guard_facts *f)
{
	const char *mark = memchr(target.p, '?', target.n);

	f->path = target;
	f->query = (struct str){target.p + target.n, 0};
	if (!mark)
		return;
	f->path.n = (size_t)(mark - target.p);
	f->query = (struct str){mark + 1, target.n - f->path.n - 1};
}

/* RFC 9112 3.2: origin-form, absolute-form, and "*" for OPTIONS. The authority of an absolute form
 * replaces Host. */
static int read_target(const struct guard_head *head, struct guard_facts *f, struct err *e)
{
	struct str target = head->target, authority, host;
	bool is_options = str_eq_c(head->method, "OPTIONS");
	int r = check_target_bytes(target, e);

	if (r < 0)
		return r;
	if (cut_origin(&target, &authority)) {
		if (!split_authority(authority, &host))
			return err_set(e, ERR_BAD_TARGET,
				"the request target has a malformed authority");
		f->host = authority;
		if (target.n == 0 && is_options)
			target = STR_LIT("*");
	} else if (!str_starts(target, "/") && !(is_options && str_eq_c(target, "*"))) {
		return err_set(e, ERR_BAD_TARGET, "the request target does not start with '/'");
	}
	split_query(target, f);
	if (f->path.n == 0)
		f->path = STR_LIT("/");
	return 0;
}

/* ---- header fields ---- */

struct fields { /* of one head, as they are found */
	bool is_10;
	size_t hosts, lengths, encodings;
	struct str host;
};

static int read_host(struct fields *seen, struct str value, struct guard_facts *f, struct err *e)
{
	struct str host;

	(void)f;
	if (++seen->hosts > 1)
		return err_set(e, ERR_BAD_REQUEST, "there is more than one Host header");
	if (!split_authority(value, &host))
		return err_set(e, ERR_BAD_REQUEST, "the Host header is malformed");
	seen->host = value;
	return 0;
}

static int read_length(struct fields *seen, struct str value, struct guard_facts *f, struct err *e)
{
	if (++seen->lengths > 1)
		return err_set(e, ERR_BAD_REQUEST, "there is more than one Content-Length header");
	if (value.n > LENGTH_DIGITS_MAX || !num_parse(value.p, value.n, UINT64_MAX, &f->length))
		return err_set(e, ERR_BAD_REQUEST,
			"Content-Length is not a number of at most %d digits", LENGTH_DIGITS_MAX);
	f->has_length = true;
	return 0;
}

static int read_encoding(struct fields *seen, struct str value, struct guard_facts *f,
	struct err *e)
{
	(void)f;
	if (++seen->encodings > 1)
		return err_set(e, ERR_BAD_REQUEST,
			"there is more than one Transfer-Encoding header");
	if (!str_eq_nocase(value, "chunked"))
		return err_set(e, ERR_BAD_REQUEST,
			"the only Transfer-Encoding understood is chunked");
	if (seen->is_10)
		return err_set(e, ERR_BAD_REQUEST, "HTTP/1.0 has no Transfer-Encoding");
	return 0;
}

static int read_expect(struct fields *seen, struct str value, struct guard_facts *f, struct err *e)
{
	if (!str_eq_nocase(value, "100-continue"))
		return err_set(e, ERR_EXPECTATION_FAILED,
			"the only expectation met is 100-continue");
	f->expects_continue = !seen->is_10; /* RFC 9110 10.1.1 */
	return 0;
}

#define EACH_BYTE(b) ((b) * UINT64_C(0x0101010101010101))

/* True when one of eight bytes is a control character, a tab being one: below 0x20 the subtraction
 * borrows into the top bit, and 0x7F is where the difference to it is zero. A borrow from below may
 * accuse the byte above one that is guilty, never one where none is. */
static bool has_control(uint64_t word)
{
	const uint64_t top = EACH_BYTE(0x80), del = word ^ EACH_BYTE(0x7F);

	return (((word - EACH_BYTE(0x20)) & ~word) | ((del - EACH_BYTE(1)) & ~del)) & top;
}

static bool is_field_value(struct str s)
{
	size_t i = 0;
	uint64_t word;

	for (; i + sizeof(word) <= s.n; i += sizeof(word)) {
		memcpy(&word, s.p + i, sizeof(word));
		if (has_control(word))
			break;
	}
	for (; i < s.n; i++) {
		uint8_t c = (uint8_t)s.p[i];
		if ((c < 0x20 && c != '\t') || c == 0x7F)
			return false;
	}
	return true;
}

static int check_syntax(const struct guard_header *h, struct err *e)
{
	if (!str_is_token(h->name))
		return err_set(e, ERR_BAD_REQUEST, "the name of a header is not a token");
	if (!is_field_value(h->value))
		return err_set(e, ERR_BAD_REQUEST,
			"the header " STR_FMT " has a control character in it",
			STR_ARG(clip(h->name)));
	return 0;
}

static int read_field(const struct guard_header *h, struct fields *seen, struct guard_facts *f,
	struct err *e)
{
#define FIELD(name, read) {name, sizeof(name) - 1, read}
	static const struct {
		const char *name;
		size_t n;
		int (*read)(struct fields *, struct str, struct guard_facts *, struct err *);
	} judged[] = {
		FIELD("Host", read_host),
		FIELD("Content-Length", read_length),
		FIELD("Transfer-Encoding", read_encoding),
		FIELD("Expect", read_expect),
	};
#undef FIELD
	int r = check_syntax(h, e);

	for (size_t i = 0; r == 0 && i < ARRAY_SIZE(judged); i++)
		if (h->name.n == judged[i].n && str_eq_nocase(h->name, judged[i].name))
			r = judged[i].read(seen, str_trim(h->value), f, e);
	return r;
}

static int read_fields(const struct guard_head *head, struct fields *seen, struct guard_facts *f,
	struct err *e)
{
	if (head->headers_n > GUARD_HEADERS_MAX)
		return err_set(e, ERR_HEADERS_TOO_LARGE, "there are more than %d headers",
			GUARD_HEADERS_MAX);
	for (size_t i = 0; i < head->headers_n; i++) {
		int r = read_field(&head->headers[i], seen, f, e);
		if (r < 0)
			return r;
	}
	if (seen->hosts == 0 && !seen->is_10)
		return err_set(e, ERR_BAD_REQUEST, "there is no Host header");
	if (seen->lengths > 0 && seen->encodings > 0)
		return err_set(e, ERR_BAD_REQUEST,
			"there are both Content-Length and Transfer-Encoding");
	return 0;
}

int guard_check(const struct guard_head *head, struct guard_facts *ret, struct err *e)
{
	struct fields seen = {0};
	struct guard_facts f = {0};
	int r = check_version(head->version, &seen.is_10, e);

	if (r == 0)
		r = read_fields(head, &seen, &f, e);
	if (r == 0)
		r = check_method(head->method, e);
	f.host = seen.host;
	if (r == 0)
		r = read_target(head, &f, e);
	if (r < 0)
		return r;
	f.has_body = f.length > 0 || seen.encodings > 0;
	*ret = f;
	return 0;
}

/* ---- who may ask, who may write ---- */

bool guard_is_loopback_host(struct str host)
{
	static const char parent[] = ".localhost";
	size_t parent_n = strlen(parent);
	struct in_addr v4;
	struct in6_addr v6;

	if (host.n == 0)
		return false;
	if (is_address(AF_INET6, without_brackets(host), &v6))
		return IN6_IS_ADDR_LOOPBACK(&v6);
	if (is_address(AF_INET, host, &v4))
		return ntohl(v4.s_addr) >> 24 == IN_LOOPBACKNET;
	if (str_eq_nocase(host, "localhost"))
		return true;
	return host.n > parent_n && is_reg_name(host) &&
		str_eq_nocase((struct str){host.p + host.n - parent_n, parent_n}, parent);
}

int guard_host(const struct guard_policy *p, struct str host, struct err *e)
{
	struct str name;

	if (p->any_host)
		return 0;
	if (!split_authority(host, &name))
		return err_set(e, ERR_WRONG_HOST, "the request does not say which host it is for");
	if (guard_is_loopback_host(name))
		return 0;
	for (size_t i = 0; i < p->hosts_n; i++)
		if (str_eq_nocase(name, p->hosts[i]))
			return 0;
	return err_set(e, ERR_WRONG_HOST, "this server does not answer for the host " STR_FMT
		"; if it should, add the name to its configured hosts",
		STR_ARG(clip(name)));
}

/* RFC 6454 6.2; "null" and lists are no such thing. */
static bool origin_authority(struct str origin, struct str *ret)
{
	return cut_origin(&origin, ret) && origin.n == 0;
}

bool guard_is_origin(struct str origin)
{
	struct str authority, host;

	return origin_authority(origin, &authority) && split_authority(authority, &host);
}

static bool is_loopback_origin(struct str origin)
{
	struct str authority, host;

	return origin_authority(origin, &authority) && split_authority(authority, &host) &&
		guard_is_loopback_host(host);
}

static bool same_text(struct str a, struct str b)
{
	if (a.n != b.n)
		return false;
	for (size_t i = 0; i < a.n; i++)
		if (str_to_lower(a.p[i]) != str_to_lower(b.p[i]))
			return false;
	return true;
}

/* Where any Host is answered for, a page of a name that was made to lead here looks like our own
 * (DNS rebinding), but has no token. The scheme is not compared: a proxy may speak TLS for us. */
static bool is_own_origin(const struct guard_policy *p, const struct guard_source *from)
{
	struct str authority;

	if (p->any_host && !from->has_token)
		return false;
	if (from->sec_fetch_site.p && !str_eq_c(from->sec_fetch_site, "same-origin"))
		return false;
	return guard_is_origin(from->origin) && origin_authority(from->origin, &authority) &&
		same_text(authority, from->host);
}

static bool is_listed_origin(const struct guard_policy *p, struct str origin)
{
	for (size_t i = 0; i < p->write_origins_n; i++)
		if (str_eq_nocase(origin, p->write_origins[i]))
			return true;
	return false;
}

static bool is_quotable(struct str s)
{
	for (size_t i = 0; i < s.n; i++)
		if (s.p[i] < 0x21 || s.p[i] > 0x7E)
			return false;
	return s.n > 0 && s.n <= QUOTED_MAX;
}

static int refuse_page(const struct guard_policy *p, struct str origin, struct err *e)
{
	if (!is_quotable(origin))
		origin = STR_LIT("another site");
	if (p->loopback_only)
		return err_set(e, ERR_CROSS_SITE,
			"a page from " STR_FMT " may not change anything here; serve the page from "
			"http://localhost, publish with a program such as curl, or list its origin "
			"in http.cors_write_origins",
			STR_ARG(origin));
	return err_set(e, ERR_CROSS_SITE,
		"a page from " STR_FMT " may not change anything here; publish with a program "
		"such as curl, or list its origin in http.cors_write_origins",
		STR_ARG(origin));
}

int guard_write(const struct guard_policy *p, const struct guard_source *from, struct err *e)
{
	bool is_own_page = str_eq_c(from->sec_fetch_site, "same-origin") ||
		str_eq_c(from->sec_fetch_site, "none");

	if (!from->origin.p)
		return from->sec_fetch_site.p && !is_own_page ? refuse_page(p, from->origin, e) : 0;
	if ((p->loopback_only && is_loopback_origin(from->origin)) ||
		is_listed_origin(p, from->origin) || is_own_origin(p, from))
		return 0;
	return refuse_page(p, from->origin, e);
}
