/* SPDX-License-Identifier: Apache-2.0 */
/* How many connections each client address has. libmicrohttpd counts per daemon, and there are
 * several. */
#include "server/http/httpd_internal.h"

#include <string.h>

#define BUCKETS_MAX   65536
#define NETWORK_BYTES 8 /* of an IPv6 address */

/* ::ffff:0:0/96, IPv4 in IPv6 (RFC 4291 2.5.5.2) */
#define MAPPED_V4_BITS 96
static const unsigned char MAPPED_V4[MAPPED_V4_BITS / 8] = {[10] = 0xff, [11] = 0xff};

struct key {
	uint8_t bytes[16]; /* an IPv6 network, or IPv4 mapped into it; zero for a local socket */
};

struct peer {
	struct peer *next;
	struct key key;
	unsigned connections; /* at least 1 while the entry exists */
};

struct httpd_peers {
	pthread_mutex_t lock;
	unsigned limit;
	size_t buckets_n; /* a power of two */
	struct peer *buckets[];
};

struct httpd_peers *httpd_peers_new(unsigned limit, unsigned connections)
{
	size_t n = 64;
	struct httpd_peers *p;

	while (n < connections && n < BUCKETS_MAX)
		n *= 2;
	p = calloc(1, sizeof(*p) + n * sizeof(p->buckets[0]));
	if (!p)
		return NULL;
	pthread_mutex_init(&p->lock, NULL);
	p->limit = limit;
	p->buckets_n = n;
	return p;
}

void httpd_peers_free(struct httpd_peers *p)
{
	if (!p)
		return;
	for (size_t i = 0; i < p->buckets_n; i++)
		for (struct peer *next, *e = p->buckets[i]; e; e = next) {
			next = e->next;
			free(e);
		}
	pthread_mutex_destroy(&p->lock);
	free(p);
}

void httpd_peers_set_limit(struct httpd_peers *p, unsigned limit)
{
	pthread_mutex_lock(&p->lock);
	p->limit = limit;
	pthread_mutex_unlock(&p->lock);
}

static struct key key_of(const struct network *a)
{
	struct key k = {{0}};

	if (a->family == AF_INET6) {
		bool mapped = network_prefix_is(a->bytes, MAPPED_V4, MAPPED_V4_BITS);
		memcpy(k.bytes, a->bytes, mapped ? sizeof(k.bytes) : NETWORK_BYTES);
	} else if (a->family == AF_INET) {
		memcpy(k.bytes, MAPPED_V4, sizeof(MAPPED_V4));
		memcpy(k.bytes + sizeof(MAPPED_V4), a->bytes, 4);
	}
	return k;
}

/* FNV-1a: a client that makes its addresses collide lengthens one short list. */
static struct peer **bucket_of(struct httpd_peers *p, const struct key *k)
{
	uint64_t h = UINT64_C(0xcbf29ce484222325);

	for (size_t i = 0; i < sizeof(k->bytes); i++)
		h = (h ^ k->bytes[i]) * UINT64_C(0x100000001b3);
	return &p->buckets[(h ^ (h >> 32)) & (p->buckets_n - 1)];
}

/* The link that leads to the peer, or the end of its list. */
static struct peer **find(struct httpd_peers *p, const struct key *k)
{
	struct peer **link = bucket_of(p, k);

	while (*link && memcmp((*link)->key.bytes, k->bytes, sizeof(k->bytes)) != 0)
		link = &(*link)->next;
	return link;
}

bool httpd_peers_admit(struct httpd_peers *p, const struct network *a)
{
	const struct key k = key_of(a);

	pthread_mutex_lock(&p->lock);
	const struct peer *peer = *find(p, &k);
	bool admitted = !peer || p->limit == 0 || peer->connections < p->limit;
	pthread_mutex_unlock(&p->lock);
	return admitted;
}

bool httpd_peers_add(struct httpd_peers *p, const struct network *a)
{
	const struct key k = key_of(a);

	pthread_mutex_lock(&p->lock);
	struct peer **link = find(p, &k);
	if (!*link && (*link = calloc(1, sizeof(**link))))
		(*link)->key = k;
	struct peer *peer = *link;
	if (peer)
		peer->connections++;
	pthread_mutex_unlock(&p->lock);
	return peer != NULL;
}

void httpd_peers_remove(struct httpd_peers *p, const struct network *a)
{
	const struct key k = key_of(a);

	pthread_mutex_lock(&p->lock);
	struct peer **link = find(p, &k), *peer = *link;
	if (peer && --peer->connections == 0) {
		*link = peer->next;
		free(peer);
	}
	pthread_mutex_unlock(&p->lock);
}

unsigned httpd_peers_count(struct httpd_peers *p, const struct network *a)
{
	const struct key k = key_of(a);

	pthread_mutex_lock(&p->lock);
	const struct peer *peer = *find(p, &k);
	unsigned n = peer ? peer->connections : 0;
	pthread_mutex_unlock(&p->lock);
	return n;
}
