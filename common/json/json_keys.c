/* SPDX-License-Identifier: Apache-2.0 */
#include "common/json/json_keys.h"
#include "common/base/num.h"
#include "common/json/json_string.h"

#include <sys/random.h>

#define FIRST_CAP 64

void json_keys_init(struct json_keys *k, struct str text)
{
	*k = (struct json_keys){
		.text = text,
		.decoded = {BUF_INIT(text.n), BUF_INIT(text.n)},
	};
}

void json_keys_done(struct json_keys *k)
{
	free(k->stack);
	free(k->slots);
	buf_done(&k->decoded[0]);
	buf_done(&k->decoded[1]);
}

static inline uint64_t rotate(uint64_t v, unsigned by)
{
	return v << by | v >> (64 - by);
}

static inline void sip_round(uint64_t v[4])
{
	v[0] += v[1];
	v[2] += v[3];
	v[1] = rotate(v[1], 13) ^ v[0];
	v[3] = rotate(v[3], 16) ^ v[2];
	v[0] = rotate(v[0], 32) + v[3];
	v[2] += v[1];
	v[1] = rotate(v[1], 17) ^ v[2];
	v[3] = rotate(v[3], 21) ^ v[0];
	v[2] = rotate(v[2], 32);
}

/* SipHash-1-3 (Aumasson and Bernstein), with the owning object mixed into the first word. */
static uint32_t hash_of(const struct json_keys *k, size_t first, struct str s)
{
	uint64_t v[4] = {
		k->seed[0] ^ UINT64_C(0x736f6d6570736575),
		k->seed[1] ^ UINT64_C(0x646f72616e646f6d),
		k->seed[0] ^ UINT64_C(0x6c7967656e657261) ^ first,
		k->seed[1] ^ UINT64_C(0x7465646279746573),
	};
	uint64_t word = 0;
	size_t i = 0;

	for (; s.n - i >= sizeof(word); i += sizeof(word)) {
		memcpy(&word, s.p + i, sizeof(word));
		v[3] ^= word;
		sip_round(v);
		v[0] ^= word;
	}
	word = (uint64_t)s.n << 56;
	for (unsigned shift = 0; i < s.n; i++, shift += 8)
		word |= (uint64_t)(uint8_t)s.p[i] << shift;
	v[3] ^= word;
	sip_round(v);
	v[0] ^= word;
	v[2] ^= 0xFF;
	sip_round(v);
	sip_round(v);
	sip_round(v);
	return (uint32_t)(v[0] ^ v[1] ^ v[2] ^ v[3]);
}

static struct str quoted_of(const struct json_keys *k, const struct json_keys_entry *entry)
{
	return (struct str){k->text.p + entry->offset, entry->n};
}

/* What a quoted key says; in the text itself when nothing is escaped. */
static struct str said_by(struct str quoted, struct buf *decoded)
{
	if (!memchr(quoted.p, '\\', quoted.n))
		return (struct str){quoted.p + 1, quoted.n - 2};
	buf_clear(decoded);
	json_string_unquote(quoted, decoded);
	return (struct str){buf_str(decoded), decoded->len};
}

static size_t slot_mask(const struct json_keys *k)
{
	return 2 * k->cap - 1;
}

static void place(struct json_keys *k, size_t index)
{
	size_t at = k->stack[index].hash & slot_mask(k);

	while (k->slots[at] != 0)
		at = (at + 1) & slot_mask(k);
	k->slots[at] = (uint32_t)index + 1;
}

static int grow(struct json_keys *k, struct err *e)
{
	size_t cap = k->cap ? 2 * k->cap : FIRST_CAP;
	struct json_keys_entry *stack;
	uint32_t *slots;

	if (k->cap == 0 && getentropy(k->seed, sizeof(k->seed)) < 0)
		return err_sys(e, errno, "cannot get randomness for a hash table");
	stack = reallocarray(k->stack, cap, sizeof(*stack));
	if (!stack)
		return err_nomem(e);
	k->stack = stack;
	slots = calloc(2 * cap, sizeof(*slots));
	if (!slots)
		return err_nomem(e);
	free(k->slots);
	k->slots = slots;
	k->cap = cap;
	for (size_t i = 0; i < k->n; i++)
		place(k, i);
	return 0;
}

int json_keys_add(struct json_keys *k, size_t first, struct str quoted, bool escaped,
	size_t *ret_twin, struct err *e)
{
	struct json_keys_entry entry = {
		.offset = (uint32_t)(quoted.p - k->text.p),
		.n = (uint32_t)quoted.n,
	};
	struct str key = {quoted.p + 1, quoted.n - 2};
	size_t at;
	int r;

	if (k->n == k->cap && (r = grow(k, e)) < 0)
		return r;
	if (escaped)
		key = said_by(quoted, &k->decoded[0]);
	entry.hash = hash_of(k, first, key);
	for (at = entry.hash & slot_mask(k); k->slots[at] != 0; at = (at + 1) & slot_mask(k)) {
		const struct json_keys_entry *other = &k->stack[k->slots[at] - 1];
		if (other->hash != entry.hash || k->slots[at] - 1 < first)
			continue;
		if (str_eq(key, said_by(quoted_of(k, other), &k->decoded[1]))) {
			*ret_twin = other->offset;
			return 0;
		}
	}
	if (buf_failed(&k->decoded[0]) || buf_failed(&k->decoded[1]))
		return err_nomem(e);
	k->stack[k->n++] = entry;
	k->slots[at] = (uint32_t)k->n;
	*ret_twin = entry.offset;
	return 0;
}

void json_keys_close(struct json_keys *k, size_t first)
{
	while (k->n > first) {
		size_t at = k->stack[--k->n].hash & slot_mask(k);
		while (k->slots[at] != k->n + 1)
			at = (at + 1) & slot_mask(k);
		k->slots[at] = 0;
	}
}
