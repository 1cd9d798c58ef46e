/* SPDX-License-Identifier: Apache-2.0 */
#include "common/registry/registry_scrub.h"
#include "common/base/clock.h"
#include "common/base/num.h"
#include "common/base/pace.h"
#include "common/registry/registry_internal.h"
#include "common/registry/registry_verify.h"
#include "common/store/catalog_variant.h"

#include <stdio.h>

#define SAVE_MS    5000u
#define SAVE_BLOBS 1000u
#define LEAST_COST 4096u /* of a piece: what a disk reads at least */

struct scrub {
	struct registry *registry;
	const struct registry_scrub *how;
	struct registry_scrub_result result;
	struct catalog_scrub state;
	struct pace pace;
	bool stopped;
	uint64_t saved_ms; /* of the clock that paces */
	uint64_t unsaved;  /* blobs since then */
};

static uint64_t now_ms(const struct scrub *x)
{
	return x->how->clock_ms ? x->how->clock_ms() : clock_mono_ms();
}

/* ---- the position ---- */

static int save(struct scrub *x, struct err *e)
{
	x->saved_ms = now_ms(x);
	x->unsaved = 0;
	return x->how->go_on ? catalog_scrub_save(x->registry->catalog, &x->state, e) : 0;
}

static int begin(struct scrub *x, struct err *e)
{
	int r = x->how->go_on ? catalog_scrub_read(x->registry->catalog, &x->state, e) : 0;

	x->saved_ms = now_ms(x);
	if (r < 0 || x->state.underway)
		return r;
	x->state = (struct catalog_scrub){.underway = true, .started_ms = clock_now_ms()};
	return save(x, e);
}

static int passed(struct scrub *x, const struct catalog_blob *blob, struct err *e)
{
	x->state.at = (struct catalog_cursor){.started = true, .last = blob->digest};
	x->unsaved++;
	if (x->unsaved < SAVE_BLOBS && now_ms(x) - x->saved_ms < SAVE_MS)
		return 0;
	return save(x, e);
}

static int end(struct scrub *x, struct err *e)
{
	int r;

	if (x->stopped)
		return save(x, e);
	x->result.whole = true;
	x->state.underway = false;
	x->state.at = (struct catalog_cursor){.started = false};
	r = save(x, e);
	return r < 0 ? r : catalog_scrub_finish(x->registry->catalog, e);
}

/* ---- one blob ---- */

static void count(struct scrub *x, uint64_t blobs, uint64_t bytes)
{
	x->result.blobs += blobs;
	if (!num_add(x->result.bytes, bytes, &x->result.bytes))
		x->result.bytes = UINT64_MAX;
	if (x->how->count)
		x->how->count(x->how->cls, blobs, bytes);
}

/* Ends the read of a blob when told to stop. */
static int pace(void *cls, size_t n, struct err *e)
{
	struct scrub *x = cls;
	uint64_t ms = pace_take(&x->pace, now_ms(x), n < LEAST_COST ? LEAST_COST : n);

	count(x, 0, n);
	x->stopped = x->how->wait(x->how->cls, ms);
	return x->stopped ? err_set(e, ERR_SHUTTING_DOWN, "told to stop") : 0;
}

static int tell(struct scrub *x, enum registry_scrub_news news, const struct catalog_blob *blob,
	const char *fault, struct err *e)
{
	CLEANUP_BUF struct buf line = BUF_INIT(REGISTRY_VERIFY_LINE_MAX);
	int r;

	if (!x->how->tell)
		return 0;
	r = registry_verify_line(x->registry, blob, fault, &line, e);
	return r < 0 ? r : x->how->tell(x->how->cls, news, buf_str(&line), e);
}

/* Who holds it is known before, and told after. */
static int drop_form(struct scrub *x, const struct catalog_blob *blob, const char *fault,
	bool *ret_dropped, struct err *e)
{
	CLEANUP_BUF struct buf line = BUF_INIT(REGISTRY_VERIFY_LINE_MAX);
	int r = registry_verify_line(x->registry, blob, fault, &line, e);

	if (r == 0)
		r = REGISTRY_WITH_BALLAST(x->registry,
			catalog_variant_drop(x->registry->catalog, &blob->key, ret_dropped, e));
	if (r < 0 || !*ret_dropped)
		return r;
	x->result.dropped++;
	bell_ring(&x->registry->work);
	return x->how->tell ?
		x->how->tell(x->how->cls, REGISTRY_SCRUB_DROPPED, buf_str(&line), e) : 0;
}

static int found_damaged(struct scrub *x, const struct catalog_blob *blob, const char *fault,
	struct err *e)
{
	bool dropped = false, is_new = false;
	int r = drop_form(x, blob, fault, &dropped, e);

	if (r < 0 || dropped)
		return r;
	r = catalog_damage_add(x->registry->catalog, &blob->key, fault, &is_new, e);
	x->result.damaged++;
	if (r < 0)
		return r;
	return tell(x, is_new ? REGISTRY_SCRUB_DAMAGED : REGISTRY_SCRUB_STILL_DAMAGED, blob, fault,
		e);
}

static int found_sound(struct scrub *x, const struct catalog_blob *blob, struct err *e)
{
	char key[BLOB_KEY_TEXT], text[BLOB_KEY_TEXT + 64];
	int r = blob->damaged ? catalog_damage_clear(x->registry->catalog, &blob->key, e) : 0;

	if (r < 0 || !blob->damaged)
		return r;
	(void)snprintf(text, sizeof(text), "blobs/.../%s is as it should be",
		blob_key_text(&blob->key, key));
	return tell(x, REGISTRY_SCRUB_SOUND, blob, text, e);
}

static int scrub_blob(struct scrub *x, const struct catalog_blob *blob, struct err *e)
{
	const struct registry_verify how = {.pace = pace, .cls = x};
	char fault[REGISTRY_VERIFY_FAULT];
	int r = registry_verify_blob(x->registry, blob, &how, fault, e);

	if (r == 0)
		count(x, 1, 0);
	if (r == 0)
		r = *fault ? found_damaged(x, blob, fault, e) : found_sound(x, blob, e);
	return r < 0 ? r : passed(x, blob, e);
}

/* ---- all of them ---- */

static int scrub_rows(struct scrub *x, const struct catalog_blob *rows, size_t n, struct err *e)
{
	int r = 0;

	for (size_t i = 0; r == 0 && i < n && !x->stopped; i++) {
		x->stopped = x->how->wait(x->how->cls, 0);
		if (!x->stopped)
			r = scrub_blob(x, &rows[i], e);
	}
	return x->stopped ? 0 : r;
}

static int scrub_all(struct scrub *x, struct err *e)
{
	CLEANUP_FREE struct catalog_blob *rows = calloc(CATALOG_BLOBS_BATCH, sizeof(*rows));
	struct catalog_cursor at = x->state.at;
	int r = rows ? 0 : err_nomem(e);

	while (r == 0 && !at.ended && !x->stopped) {
		size_t n = 0;
		r = catalog_blobs(x->registry->catalog, &at, rows, &n, e);
		if (r == 0)
			r = scrub_rows(x, rows, n, e);
	}
	return r;
}

int registry_scrub(struct registry *r, const struct registry_scrub *how,
	struct registry_scrub_result *ret, struct err *e)
{
	struct scrub x = {.registry = r, .how = how, .pace = {.rate = how->rate}};
	struct err later;
	int result = begin(&x, e);

	*ret = x.result;
	if (result < 0) /* the position is not known, and stays what it is */
		return result;
	result = scrub_all(&x, e);
	if (result == 0)
		result = end(&x, e);
	else
		(void)save(&x, &later);
	*ret = x.result;
	return result;
}

int registry_scrub_due(struct registry *r, uint64_t interval_ms, uint64_t *ret_ms, struct err *e)
{
	struct catalog_scrub state;
	uint64_t now = clock_now_ms();
	int x = catalog_scrub_read(r->catalog, &state, e);

	if (x < 0)
		return x;
	/* A clock that was set back must not put it off for ever. */
	uint64_t since = state.started_ms < now ? now - state.started_ms : 0;
	*ret_ms = state.underway || state.started_ms == 0 || since >= interval_ms ? 0 :
		interval_ms - since;
	return 0;
}
