/* SPDX-License-Identifier: Apache-2.0 */
#include "server/auth/roster.h"

#include <stdio.h>
#include <string.h>

#define USED_STEP_MS UINT64_C(1000) /* a token's last use is known to that */

struct roster {
	atomic_uint refs;
	size_t n;
	struct roster_token *items[]; /* ordered by id */
};

void roster_token_unref(struct roster_token *k)
{
	if (!k || atomic_fetch_sub(&k->refs, 1) != 1)
		return;
	grants_done(&k->grants);
	free(k);
}

struct roster_token *roster_token_ref(struct roster_token *k)
{
	atomic_fetch_add_explicit(&k->refs, 1, memory_order_relaxed);
	return k;
}

void roster_unref(struct roster *t)
{
	if (!t || atomic_fetch_sub(&t->refs, 1) != 1)
		return;
	for (size_t i = 0; i < t->n; i++)
		roster_token_unref(t->items[i]);
	free(t);
}

struct roster *roster_ref(struct roster *t)
{
	atomic_fetch_add_explicit(&t->refs, 1, memory_order_relaxed);
	return t;
}

bool roster_is_empty(const struct roster *t)
{
	return t->n == 0;
}

struct roster_token *roster_find(const struct roster *t, const char *id)
{
	size_t low = 0, high = t->n;

	while (low < high) {
		size_t mid = low + (high - low) / 2;
		int order = strcmp(t->items[mid]->id, id);
		if (order == 0)
			return t->items[mid];
		if (order < 0)
			low = mid + 1;
		else
			high = mid;
	}
	return NULL;
}

/* ---- reading ---- */

static struct roster_token *token_new(const struct catalog_token *row)
{
	struct roster_token *k = calloc(1, sizeof(*k));
	struct err ignored;

	if (!k)
		return NULL;
	atomic_init(&k->refs, 1);
	memcpy(k->id, row->id, sizeof(k->id));
	if (row->name[0])
		(void)snprintf(k->who, sizeof(k->who), "%s (%s)", row->name, row->id);
	else
		(void)snprintf(k->who, sizeof(k->who), "%s", row->id);
	k->secret = row->secret;
	k->expires_ms = row->expires_ms;
	atomic_init(&k->used_ms, row->used_ms);
	atomic_init(&k->noted_ms, row->used_ms);
	/* What this release does not understand allows nothing. */
	if (grants_read(&k->grants, str_of(row->grants), &ignored) < 0)
		grants_done(&k->grants);
	return k;
}

/* A token never changes. */
static struct roster_token *token_of(const struct catalog_token *row, const struct roster *old)
{
	struct roster_token *k = old ? roster_find(old, row->id) : NULL;

	if (k && digest_eq(&k->secret, &row->secret))
		return roster_token_ref(k);
	return token_new(row);
}

static struct roster *roster_new(const struct catalog_tokens *rows, const struct roster *old)
{
	struct roster *t = calloc(1, sizeof(*t) + rows->n * sizeof(t->items[0]));

	if (!t)
		return NULL;
	atomic_init(&t->refs, 1);
	for (size_t i = 0; i < rows->n; i++) {
		struct roster_token *k = token_of(&rows->items[i], old);
		if (!k) {
			roster_unref(t);
			return NULL;
		}
		t->items[t->n++] = k;
	}
	return t;
}

int roster_read(struct catalog *c, bool wait, const struct roster *old, struct roster **ret,
	struct err *e)
{
	CLEANUP(catalog_token_list_done) struct catalog_tokens rows = {NULL, 0};
	int r = catalog_token_list(c, wait, &rows, e);

	if (r < 0)
		return r;
	*ret = roster_new(&rows, old);
	return *ret ? 0 : err_nomem(e);
}

/* ---- use ---- */

/* Read first: a line that is only read stays with every processor. */
void roster_use(struct roster_token *k, uint64_t now_ms)
{
	uint64_t was = atomic_load_explicit(&k->used_ms, memory_order_relaxed);

	if (now_ms >= was + USED_STEP_MS)
		atomic_store_explicit(&k->used_ms, now_ms, memory_order_relaxed);
}

static size_t take_uses(const struct roster *t, struct catalog_token_use *rows)
{
	size_t n = 0;

	for (size_t i = 0; i < t->n; i++) {
		uint64_t used_ms = atomic_load(&t->items[i]->used_ms);
		if (used_ms <= atomic_load(&t->items[i]->noted_ms))
			continue;
		memcpy(rows[n].id, t->items[i]->id, sizeof(rows[n].id));
		rows[n++].used_ms = used_ms;
	}
	return n;
}

int roster_note(const struct roster *t, struct catalog *c, struct err *e)
{
	CLEANUP_FREE struct catalog_token_use *rows = calloc(t->n + 1, sizeof(*rows));
	size_t n;
	int r;

	if (!rows)
		return err_nomem(e);
	n = take_uses(t, rows);
	r = catalog_token_use(c, rows, n, e);
	for (size_t i = 0; r == 0 && i < n; i++)
		atomic_store(&roster_find(t, rows[i].id)->noted_ms, rows[i].used_ms);
	return r;
}
