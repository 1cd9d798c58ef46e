/* SPDX-License-Identifier: Apache-2.0 */
#include "server/auth/throttle.h"
#include "common/digest/secret.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <stdatomic.h>
#include <string.h>

#define SLOTS     4096u
#define FORGET_S  UINT64_C(600) /* after the last failure */
#define FAILS_MAX 63u

/* A slot is one number: tag (26 bits), failures (6), the second of the last one (32). Who shares a
 * slot takes it over, so that the latest guesser is the one that waits. */
struct throttle {
	uint64_t seed; /* nobody outside knows which slot is whose */
	_Atomic uint64_t slots[SLOTS];
};

int throttle_new(struct throttle **ret, struct err *e)
{
	struct throttle *t = calloc(1, sizeof(*t));
	int r = t ? secret_random(&t->seed, sizeof(t->seed), e) : err_nomem(e);

	if (r < 0)
		free(t);
	else
		*ret = t;
	return r;
}

void throttle_free(struct throttle *t)
{
	free(t);
}

static uint64_t mix(uint64_t h, const void *bytes, size_t n)
{
	const uint8_t *b = bytes;

	for (size_t i = 0; i < n; i++) {
		h = (h ^ b[i]) * UINT64_C(0x9E3779B97F4A7C15);
		h ^= h >> 29;
	}
	return h;
}

static uint64_t hash_of(const struct throttle *t, const char *client, const char *id)
{
	struct in6_addr a;
	uint64_t h = t->seed;

	if (inet_pton(AF_INET6, client, &a) == 1 && !IN6_IS_ADDR_V4MAPPED(&a))
		h = mix(h, &a, sizeof(a) / 2);
	else
		h = mix(h, client, strlen(client));
	h = mix(h, id, strlen(id) + 1);
	return h ^ h >> 32;
}

static uint64_t tag_of(uint64_t hash)
{
	return hash >> 38;
}

/* Failures of this one that still count, and when the last one was. */
static unsigned failures(uint64_t slot, uint64_t hash, uint64_t now_s, uint64_t *ret_last_s)
{
	unsigned n = (unsigned)(slot >> 32) & FAILS_MAX;

	*ret_last_s = slot & UINT32_MAX;
	return slot >> 38 == tag_of(hash) && now_s - *ret_last_s < FORGET_S ? n : 0;
}

static uint64_t pause_s(unsigned n)
{
	unsigned doublings = n - THROTTLE_FREE_FAILURES;

	if (n < THROTTLE_FREE_FAILURES)
		return 0;
	return doublings < 6 ? UINT64_C(1) << doublings : THROTTLE_WAIT_MAX_S;
}

unsigned throttle_wait(const struct throttle *t, const char *client, const char *id,
	uint64_t now_s)
{
	uint64_t hash = hash_of(t, client, id), last_s, until_s;
	unsigned n = failures(atomic_load_explicit(&t->slots[hash % SLOTS], memory_order_relaxed),
		hash, now_s, &last_s);

	until_s = last_s + pause_s(n);
	return now_s < until_s ? (unsigned)(until_s - now_s) : 0;
}

void throttle_failed(struct throttle *t, const char *client, const char *id, uint64_t now_s)
{
	uint64_t hash = hash_of(t, client, id), last_s;
	_Atomic uint64_t *slot = &t->slots[hash % SLOTS];
	uint64_t was = atomic_load(slot), now;

	do {
		unsigned n = failures(was, hash, now_s, &last_s);
		n += n < FAILS_MAX;
		now = tag_of(hash) << 38 | (uint64_t)n << 32 | (now_s & UINT32_MAX);
	} while (!atomic_compare_exchange_weak(slot, &was, now));
}
