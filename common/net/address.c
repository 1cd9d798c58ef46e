/* SPDX-License-Identifier: Apache-2.0 */
/* The tables follow the IANA IPv4 and IPv6 Special-Purpose Address Registries (RFC 6890 and those
 * that add to it), and RFC 3849, 4291, 6052, 8215, 9637. */
#include "common/net/address.h"

#include "common/base/network.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <stdio.h>

#define HOST_MAX 253 /* bytes of a name (RFC 1035 2.3.4) */

struct name {
	char *text;
	bool below; /* all below it, not the name itself */
};

struct address_list {
	struct network *networks;
	size_t networks_n;
	struct name *names;
	size_t names_n;
};

/* ---- what addresses are ---- */

enum kind {
	PUBLIC,
	LOOPBACK,
	PRIVATE,
	LINK_LOCAL,
	CARRIER_NAT,
	MULTICAST,
	METADATA,
	MAPPED,
	NAT64,
	RESERVED,
};

static const struct {
	const char *rule;
	const char *words;
} kinds[] = {
	[PUBLIC] = {"public", "a public address"},
	[LOOPBACK] = {"loopback", "this machine itself"},
	[PRIVATE] = {"private", "an address of a private network"},
	[LINK_LOCAL] = {"link-local", "an address of the local link"},
	[CARRIER_NAT] = {"carrier-nat", "an address inside a provider's network"},
	[MULTICAST] = {"multicast", "a multicast address"},
	[METADATA] = {"metadata",
		"an address that clouds keep for what machines ask about themselves"},
	[MAPPED] = {"mapped", "an IPv6 address that carries an IPv4 address"},
	[NAT64] = {"nat64", "an IPv6 address that is translated to an IPv4 address"},
	[RESERVED] = {"reserved", "an address that is reserved"},
};

struct special4 {
	unsigned char bytes[4];
	unsigned prefix;
	enum kind kind;
};

/* The first that matches counts. */
static const struct special4 special4[] = {
	{{169, 254, 169, 254}, 32, METADATA}, /* AWS, Azure, Google, OpenStack and more */
	{{169, 254, 170, 2}, 32, METADATA},   /* AWS ECS */
	{{169, 254, 170, 23}, 32, METADATA},  /* AWS EKS */
	{{168, 63, 129, 16}, 32, METADATA},   /* Azure, among public addresses */
	{{100, 100, 100, 200}, 32, METADATA}, /* Alibaba */
	{{192, 0, 0, 192}, 32, METADATA},     /* Oracle */
	{{0, 0, 0, 0}, 8, RESERVED},          /* to Linux 0.0.0.0 is this machine */
	{{10, 0, 0, 0}, 8, PRIVATE},
	{{100, 64, 0, 0}, 10, CARRIER_NAT},
	{{127, 0, 0, 0}, 8, LOOPBACK},
	{{169, 254, 0, 0}, 16, LINK_LOCAL},
	{{172, 16, 0, 0}, 12, PRIVATE},
	{{192, 0, 0, 0}, 24, RESERVED},
	{{192, 0, 2, 0}, 24, RESERVED},
	{{192, 31, 196, 0}, 24, RESERVED},
	{{192, 52, 193, 0}, 24, RESERVED},
	{{192, 88, 99, 0}, 24, RESERVED},
	{{192, 168, 0, 0}, 16, PRIVATE},
	{{192, 175, 48, 0}, 24, RESERVED},
	{{198, 18, 0, 0}, 15, RESERVED},
	{{198, 51, 100, 0}, 24, RESERVED},
	{{203, 0, 113, 0}, 24, RESERVED},
	{{224, 0, 0, 0}, 4, MULTICAST},
	{{240, 0, 0, 0}, 4, RESERVED},
};

#define NONE 16 /* no IPv4 address inside that is known */

struct special6 {
	unsigned char bytes[16];
	unsigned prefix;
	enum kind kind;
	unsigned inside; /* where an IPv4 address begins */
};

/* The first that matches counts; what matches none is outside 2000::/3. */
static const struct special6 special6[] = {
	{{0xfd, 0x00, 0x0e, 0xc2, [14] = 0x02, 0x54}, 128, METADATA, NONE}, /* AWS fd00:ec2::254 */
	{{0xfd, 0x20, 0x00, 0xce, [14] = 0x02, 0x54}, 128, METADATA,
		NONE}, /* Google fd20:ce::254 */
	{{[15] = 1}, 128, LOOPBACK, NONE},
	{{0}, 128, RESERVED, NONE}, /* ::, which to Linux is this machine */
	{{[10] = 0xff, 0xff}, 96, MAPPED, 12},
	{{[8] = 0xff, 0xff}, 96, MAPPED, 12}, /* RFC 2765 translated */
	{{0}, 96, MAPPED, 12},                /* IPv4-compatible */
	{{0x00, 0x64, 0xff, 0x9b}, 96, NAT64, 12},
	{{0x00, 0x64, 0xff, 0x9b, 0x00, 0x01}, 48, NAT64, NONE},
	{{0xfe, 0x80}, 10, LINK_LOCAL, NONE},
	{{0xfc}, 7, PRIVATE, NONE},
	{{0xff}, 8, MULTICAST, NONE},
	{{0x20, 0x01, 0x00, 0x00}, 32, MAPPED,
		NONE}, /* Teredo: what is inside is not where it goes */
	{{0x20, 0x01}, 23, RESERVED, NONE},
	{{0x20, 0x01, 0x0d, 0xb8}, 32, RESERVED, NONE},
	{{0x20, 0x02}, 16, MAPPED, 2}, /* 6to4 */
	{{0x26, 0x20, 0x00, 0x4f, 0x80, 0x00}, 48, RESERVED, NONE},
	{{0x3f, 0xff}, 20, RESERVED, NONE},
	{{0x20}, 3, PUBLIC, NONE},
};

static enum kind kind_of4(const unsigned char *bytes)
{
	for (size_t i = 0; i < ARRAY_SIZE(special4); i++) {
		if (network_prefix_is(bytes, special4[i].bytes, special4[i].prefix))
			return special4[i].kind;
	}
	return PUBLIC;
}

/* *ret_inside: where an IPv4 address begins, NONE for nowhere. */
static enum kind kind_of6(const unsigned char *bytes, unsigned *ret_inside)
{
	for (size_t i = 0; i < ARRAY_SIZE(special6); i++) {
		if (network_prefix_is(bytes, special6[i].bytes, special6[i].prefix)) {
			*ret_inside = special6[i].inside;
			return special6[i].kind;
		}
	}
	*ret_inside = NONE;
	return RESERVED;
}

/* ---- the owner's list ---- */

/* As resolvers read numbers: "127", "0x7f". */
static bool is_number(struct str s)
{
	bool hex = s.n >= 2 && s.p[0] == '0' && str_to_lower(s.p[1]) == 'x';

	for (size_t i = hex ? 2 : 0; i < s.n; i++) {
		if (hex ? str_hex_value(s.p[i]) < 0 : !str_is_digit(s.p[i]))
			return false;
	}
	return true;
}

/* A name's last label is not a number: 127.1 and 0x7f.1 mean addresses. */
static bool is_name(struct str s)
{
	struct str rest = s, label = {NULL, 0};

	if (s.n == 0 || s.n > HOST_MAX)
		return false;
	while (str_split(&rest, '.', &label)) {
		if (label.n == 0 || label.n > 63)
			return false;
		for (size_t i = 0; i < label.n; i++) {
			char c = str_to_lower(label.p[i]);
			if (!str_is_lower(c) && !str_is_digit(c) && c != '-' && c != '_')
				return false;
		}
	}
	return !is_number(label);
}

static struct str without_dot(struct str host)
{
	if (host.n > 0 && host.p[host.n - 1] == '.')
		host.n--;
	return host;
}

static int add_word(struct address_list *l, const char *text, struct err *e)
{
	struct str word = without_dot(str_of(text));
	bool below = str_starts(word, "*.");

	if (network_parse(word, &l->networks[l->networks_n])) {
		l->networks_n++;
		return 0;
	}
	if (below)
		word = (struct str){word.p + 2, word.n - 2};
	if (!is_name(word))
		return err_set(e, ERR_CONFIG,
			"\"%s\" is not an address, as 192.168.1.7 or ::1, a network, "
			"as 10.0.0.0/8 or fd00::/8, or a name, as models.lan or *.models.lan",
			text);
	l->names[l->names_n].below = below;
	l->names[l->names_n].text = str_dup(word);
	if (!l->names[l->names_n].text)
		return err_nomem(e);
	l->names_n++;
	return 0;
}

int address_list_parse(const char *const *words, size_t n, struct address_list **ret, struct err *e)
{
	CLEANUP(address_list_free_p) struct address_list *l = calloc(1, sizeof(*l));

	if (!l)
		return err_nomem(e);
	l->networks = calloc(n + 1, sizeof(*l->networks));
	l->names = calloc(n + 1, sizeof(*l->names));
	if (!l->networks || !l->names)
		return err_nomem(e);
	for (size_t i = 0; i < n; i++) {
		if (add_word(l, words[i], e) < 0)
			return -(int)e->code;
	}
	*ret = take_ptr(l);
	return 0;
}

void address_list_free(struct address_list *l)
{
	if (!l)
		return;
	for (size_t i = 0; i < l->names_n; i++)
		free(l->names[i].text);
	free(l->names);
	free(l->networks);
	free(l);
}

static bool lists_bytes(const struct address_list *l, unsigned family, const unsigned char *bytes)
{
	return l && network_any_has(l->networks, l->networks_n, family, bytes);
}

static bool lists_name(const struct address_list *l, const char *host)
{
	struct str s = without_dot(str_of(host));

	for (size_t i = 0; l && i < l->names_n; i++) {
		size_t n = strlen(l->names[i].text);
		struct str tail = {s.p + (s.n > n ? s.n - n : 0), s.n > n ? n : s.n};
		if (!str_eq_nocase(tail, l->names[i].text))
			continue;
		if (l->names[i].below ? s.n > n + 1 && s.p[s.n - n - 1] == '.' : s.n == n)
			return true;
	}
	return false;
}

/* ---- judging ---- */

/* Above 1023: those that browsers refuse (https://fetch.spec.whatwg.org/#port-blocking), and
 * services that take a line of HTTP for a command or are not meant for strangers. */
static bool is_foreign_port(unsigned port)
{
	static const unsigned short foreign[] = {1719, 1720, 1723, 2049, 2375, 2376, 2379, 2380,
		3306, 3389, 3659, 4045, 4190, 5060, 5061, 5432, 5672, 5900, 6000, 6379, 6566, 6665,
		6666, 6667, 6668, 6669, 6679, 6697, 9092, 9200, 9300, 10080, 10250, 11211, 27017};

	if (port < 1024)
		return port != 80 && port != 443;
	for (size_t i = 0; i < ARRAY_SIZE(foreign); i++) {
		if (port == foreign[i])
			return true;
	}
	return port > 65535;
}

static int by_rule(const char *rule, struct err *e)
{
	e->rule = rule;
	return -(int)e->code;
}

static int refuse_port(const char *host, unsigned port, struct err *e)
{
	err_set(e, ERR_FETCH_REFUSED,
		"port %u of %s belongs to other protocols (rule: port); "
		"to fetch from there, put %s in import.allow",
		port, host, host);
	return by_rule("port", e);
}

int address_check_port(const struct address_list *l, const char *host, unsigned port, struct err *e)
{
	struct network address;

	if (!is_foreign_port(port) || lists_name(l, host))
		return 0;
	if (network_parse_address(str_of(host), &address) &&
		lists_bytes(l, address.family, address.bytes))
		return 0;
	return refuse_port(host, port, e);
}

struct target {
	const struct address_list *list;
	const char *scheme;
	const char *host;
	unsigned port;
	char text[INET6_ADDRSTRLEN]; /* of the address */
	bool listed;                 /* the address, or a network that has it */
	bool named;                  /* the host */
};

static int refuse_kind(const struct target *t, enum kind kind, struct err *e)
{
	bool name_helps = kind == LOOPBACK || kind == PRIVATE;
	bool literal = strcmp(t->host, t->text) == 0;

	err_set(e, ERR_FETCH_REFUSED,
		"%s%s%s%s is %s (rule: %s); to fetch from there, put %s%s%s in "
		"import.allow",
		literal ? "" : t->host, literal ? "" : " leads to ", t->text,
		literal ? "" : ", which", kinds[kind].words, kinds[kind].rule, t->text,
		literal || !name_helps ? "" : " or ", literal || !name_helps ? "" : t->host);
	return by_rule(kinds[kind].rule, e);
}

static int judge_kind(const struct target *t, enum kind kind, struct err *e)
{
	if (kind == PUBLIC || t->listed)
		return 0;
	if (t->named && (kind == LOOPBACK || kind == PRIVATE))
		return 0;
	return refuse_kind(t, kind, e);
}

static int judge_rest(const struct target *t, struct err *e)
{
	if (t->listed || t->named)
		return 0;
	if (is_foreign_port(t->port))
		return refuse_port(t->host, t->port, e);
	if (strcmp(t->scheme, "https") == 0)
		return 0;
	err_set(e, ERR_FETCH_REFUSED,
		"plain %s is not used with hosts that import.allow does "
		"not have (rule: scheme); use https, or put %s there",
		t->scheme, t->host);
	return by_rule("scheme", e);
}

static int check4(struct target *t, const unsigned char *bytes, struct err *e)
{
	(void)inet_ntop(AF_INET, bytes, t->text, sizeof(t->text));
	t->listed = lists_bytes(t->list, AF_INET, bytes);
	return judge_kind(t, kind_of4(bytes), e);
}

static int check6(struct target *t, const unsigned char *bytes, struct err *e)
{
	unsigned inside;
	enum kind kind = kind_of6(bytes, &inside);

	(void)inet_ntop(AF_INET6, bytes, t->text, sizeof(t->text));
	t->listed = lists_bytes(t->list, AF_INET6, bytes);
	if (judge_kind(t, kind, e) < 0)
		return -(int)e->code;
	if (inside == NONE)
		return 0;
	struct target within = *t;
	return check4(&within, bytes + inside, e);
}

int address_check(const struct address_list *l, const char *scheme, const char *host, unsigned port,
	const struct sockaddr *address, struct err *e)
{
	struct target t = {l, scheme, host, port, "", false, lists_name(l, host)};
	struct sockaddr_in in4;
	struct sockaddr_in6 in6;
	int r;

	if (address->sa_family == AF_INET) {
		memcpy(&in4, address, sizeof(in4));
		r = check4(&t, (const unsigned char *)&in4.sin_addr, e);
	} else if (address->sa_family == AF_INET6) {
		memcpy(&in6, address, sizeof(in6));
		r = check6(&t, (const unsigned char *)&in6.sin6_addr, e);
	} else {
		err_set(e, ERR_FETCH_REFUSED,
			"%s leads to something that is no internet address "
			"(rule: reserved)",
			host);
		return by_rule("reserved", e);
	}
	return r < 0 ? r : judge_rest(&t, e);
}

int address_check_host(const struct address_list *l, const char *scheme, const char *host,
	unsigned port, struct err *e)
{
	union {
		struct sockaddr any;
		struct sockaddr_in in4;
		struct sockaddr_in6 in6;
	} to = {.in6 = {.sin6_family = AF_INET6}};

	if (address_check_port(l, host, port, e) < 0)
		return -(int)e->code;
	if (inet_pton(AF_INET6, host, &to.in6.sin6_addr) != 1) {
		if (inet_pton(AF_INET, host, &to.in4.sin_addr) != 1)
			return 0;
		to.in4.sin_family = AF_INET;
	}
	return address_check(l, scheme, host, port, &to.any, e);
}
