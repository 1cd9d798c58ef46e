/* SPDX-License-Identifier: Apache-2.0 */
#include "server/http/forwarded.h"
#include "common/base/macros.h"
#include "common/base/num.h"

#include <netinet/in.h>

#define PORT_MAX 65535

/* ---- who is believed ---- */

int forwarded_policy_init(struct forwarded_policy *p, const char *const *words, size_t n,
	struct err *e)
{
	p->proxies = calloc(n ? n : 1, sizeof(*p->proxies));
	if (!p->proxies)
		return err_nomem(e);
	for (p->n = 0; p->n < n; p->n++)
		if (!network_parse(str_of(words[p->n]), &p->proxies[p->n]))
			return err_set(e, ERR_CONFIG,
				"%.80s: expected an address, as in 127.0.0.1, or a network, as in "
				"10.0.0.0/8",
				words[p->n]);
	return 0;
}

void forwarded_policy_done(struct forwarded_policy *p)
{
	free(p->proxies);
	*p = (struct forwarded_policy){0};
}

bool forwarded_trusts(const struct forwarded_policy *p, const struct network *address)
{
	return network_any_has(p->proxies, p->n, address->family, address->bytes);
}

/* ---- one element ---- */

static int malformed(struct err *e, const char *header)
{
	return err_set(e, ERR_BAD_REQUEST, "the proxy's %s header is malformed", header);
}

/* RFC 7239 6, and what X-Forwarded-For has besides: an IPv6 address without brackets. */
enum node { NODE_ADDRESS, NODE_HIDDEN, NODE_MALFORMED };

static bool is_obfuscated(struct str s)
{
	for (size_t i = 0; i < s.n; i++) {
		char c = str_to_lower(s.p[i]);
		if (!str_is_lower(c) && !str_is_digit(c) && (c == '\0' || !strchr("._-", c)))
			return false;
	}
	return s.n > 1 && s.p[0] == '_';
}

static bool is_port(struct str s)
{
	uint64_t port;

	return is_obfuscated(s) || (s.n > 0 && s.n <= 5 && num_parse(s.p, s.n, PORT_MAX, &port));
}

/* Cuts ":port" off, and brackets. */
static bool split_node(struct str node, struct str *ret)
{
	const char *end = node.p + node.n, *colon;

	if (node.n > 0 && node.p[0] == '[') {
		const char *bracket = memchr(node.p, ']', node.n);
		if (!bracket)
			return false;
		*ret = (struct str){node.p + 1, (size_t)(bracket - node.p) - 1};
		colon = bracket + 1;
	} else {
		colon = memchr(node.p, ':', node.n);
		if (!colon || memchr(colon + 1, ':', (size_t)(end - colon) - 1)) {
			*ret = node;
			return true;
		}
		*ret = (struct str){node.p, (size_t)(colon - node.p)};
	}
	return colon == end ||
		(*colon == ':' && is_port((struct str){colon + 1, (size_t)(end - colon) - 1}));
}

/* One client has one address, however a proxy's sockets write it. */
static void unmap(struct network *a)
{
	static const unsigned char mapped[12] = {[10] = 0xff, [11] = 0xff};

	if (a->family != AF_INET6 || !network_prefix_is(a->bytes, mapped, 96))
		return;
	memmove(a->bytes, a->bytes + 12, 4);
	memset(a->bytes + 4, 0, 12);
	a->family = AF_INET;
	a->prefix = 32;
}

static enum node read_node(struct str node, struct network *ret)
{
	struct str name;

	if (!split_node(node, &name))
		return NODE_MALFORMED;
	if (str_eq_nocase(name, "unknown") || is_obfuscated(name))
		return NODE_HIDDEN;
	if (!network_parse_address(name, ret))
		return NODE_MALFORMED;
	unmap(ret);
	return NODE_ADDRESS;
}

static int read_scheme(struct str value, const char *header, struct forwarded *f, struct err *e)
{
	if (value.n == 0)
		return 0;
	f->has_scheme = true;
	f->is_https = str_eq_nocase(value, "https");
	return f->is_https || str_eq_nocase(value, "http") ? 0 : malformed(e, header);
}

static int read_host(struct str value, const char *header, struct forwarded *f, struct err *e)
{
	if (value.n == 0)
		return 0;
	f->host = value;
	return guard_is_authority(value) ? 0 : malformed(e, header);
}

/* ---- the way back to the client ---- */

/* One step to the left. 1: there may be another; 0: the client is found. */
static int step(const struct forwarded_policy *p, struct str node, const char *header,
	struct forwarded *f, struct err *e)
{
	struct network before;

	switch (read_node(node, &before)) {
	case NODE_MALFORMED:
		return malformed(e, header);
	case NODE_HIDDEN:
		return 0;
	case NODE_ADDRESS:
		break;
	}
	f->client = before;
	return forwarded_trusts(p, &before);
}

/* ---- X-Forwarded-* ---- */

/* Cuts the last element off a list without quoted strings; false when there is none. */
static bool cut_last(struct str *list, struct str *ret)
{
	while (list->n > 0) {
		const char *comma = memrchr(list->p, ',', list->n);
		size_t from = comma ? (size_t)(comma - list->p) + 1 : 0;

		*ret = str_trim((struct str){list->p + from, list->n - from});
		list->n = comma ? from - 1 : 0;
		if (ret->n > 0)
			return true;
	}
	return false;
}

static struct str last_value(const struct guard_header *headers, size_t n, const char *name)
{
	struct str value = {NULL, 0};

	while (n-- > 0) {
		struct str list = headers[n].value;
		if (str_eq_nocase(headers[n].name, name) && cut_last(&list, &value))
			break;
	}
	return value;
}

static int follow_addresses(const struct forwarded_policy *p, const struct guard_header *headers,
	size_t n, struct forwarded *f, struct err *e)
{
	static const char name[] = "X-Forwarded-For";

	while (n-- > 0) {
		struct str list = headers[n].value, node;
		if (!str_eq_nocase(headers[n].name, name))
			continue;
		while (cut_last(&list, &node)) {
			int r = step(p, node, name, f, e);
			if (r <= 0)
				return r;
		}
	}
	return 0;
}

static int read_customary(const struct forwarded_policy *p, const struct guard_header *headers,
	size_t n, struct forwarded *f, struct err *e)
{
	static const char proto[] = "X-Forwarded-Proto", host[] = "X-Forwarded-Host";
	int r = follow_addresses(p, headers, n, f, e);

	if (r == 0)
		r = read_scheme(last_value(headers, n, proto), proto, f, e);
	if (r == 0)
		r = read_host(last_value(headers, n, host), host, f, e);
	return r;
}

/* ---- Forwarded ---- */

static const char standard[] = "Forwarded";

/* n == 0: the element does not say. */
struct element {
	struct str node, proto, host;
	bool is_there; /* an empty one is passed over (RFC 9110 5.6.1) */
};

/* A token or a quoted string without escapes, which nothing here needs (RFC 7239 4). */
static bool take_value(struct str *rest, struct str *ret)
{
	size_t n = 0;

	if (rest->n > 0 && rest->p[0] == '"') {
		const char *end = memchr(rest->p + 1, '"', rest->n - 1);
		if (!end)
			return false;
		*ret = (struct str){rest->p + 1, (size_t)(end - rest->p) - 1};
		*rest = (struct str){end + 1, rest->n - ret->n - 2};
		return !memchr(ret->p, '\\', ret->n);
	}
	while (n < rest->n && !strchr(",; \t", rest->p[n]))
		n++;
	*ret = (struct str){rest->p, n};
	*rest = (struct str){rest->p + n, rest->n - n};
	return str_is_token(*ret);
}

static bool set_once(struct str *to, struct str value)
{
	bool is_first = to->n == 0;

	*to = value;
	return is_first && value.n > 0;
}

/* name "=" value; unknown names are passed over. */
static bool take_pair(struct str *rest, struct element *to)
{
	const char *mark = memchr(rest->p, '=', rest->n);
	struct str name, value;

	if (!mark)
		return false;
	name = (struct str){rest->p, (size_t)(mark - rest->p)};
	*rest = (struct str){mark + 1, rest->n - name.n - 1};
	to->is_there = true;
	if (!str_is_token(name) || !take_value(rest, &value))
		return false;
	if (str_eq_nocase(name, "for"))
		return set_once(&to->node, value);
	if (str_eq_nocase(name, "proto"))
		return set_once(&to->proto, value);
	if (str_eq_nocase(name, "host"))
		return set_once(&to->host, value);
	return true;
}

/* Pairs with ";" between them, up to "," or the end. */
static bool take_element(struct str *rest, struct element *to)
{
	for (;;) {
		*rest = str_trim(*rest);
		if (rest->n > 0 && !strchr(",;", rest->p[0]) && !take_pair(rest, to))
			return false;
		*rest = str_trim(*rest);
		if (rest->n == 0)
			return true;
		char separator = rest->p[0];
		*rest = (struct str){rest->p + 1, rest->n - 1};
		if (separator == ',')
			return true;
		if (separator != ';')
			return false;
	}
}

static bool split_elements(struct str line, struct element *ret, size_t *ret_n)
{
	for (*ret_n = 0; line.n > 0;) {
		struct element one = {.is_there = false};
		if (!take_element(&line, &one) || *ret_n == FORWARDED_MAX)
			return false;
		if (one.is_there)
			ret[(*ret_n)++] = one;
	}
	return true;
}

static int take_facts(const struct element *el, struct forwarded *f, struct err *e)
{
	int r = read_scheme(el->proto, standard, f, e);

	return r < 0 ? r : read_host(el->host, standard, f, e);
}

/* 1: the client may be further to the left. */
static int follow_line(const struct forwarded_policy *p, struct str line, struct forwarded *f,
	struct err *e)
{
	struct element elements[FORWARDED_MAX];
	size_t n = 0;
	int r = 1;

	if (!split_elements(str_trim(line), elements, &n))
		return malformed(e, standard);
	while (r > 0 && n-- > 0) {
		r = take_facts(&elements[n], f, e);
		if (r < 0)
			return r;
		r = elements[n].node.n > 0 ? step(p, elements[n].node, standard, f, e) : 0;
	}
	return r;
}

static int read_standard(const struct forwarded_policy *p, const struct guard_header *headers,
	size_t n, struct forwarded *f, struct err *e)
{
	int r = 1;

	while (r > 0 && n-- > 0)
		if (str_eq_nocase(headers[n].name, standard))
			r = follow_line(p, headers[n].value, f, e);
	return r < 0 ? r : 0;
}

int forwarded_read(const struct forwarded_policy *p, const struct network *peer,
	const struct guard_header *headers, size_t n, struct forwarded *ret, struct err *e)
{
	struct forwarded f = {.client = *peer};
	int r = (p->is_standard ? read_standard : read_customary)(p, headers, n, &f, e);

	if (r == 0)
		*ret = f;
	return r;
}
