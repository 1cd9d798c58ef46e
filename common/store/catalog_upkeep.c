/* SPDX-License-Identifier: Apache-2.0 */
/* The front of the catalog for whoever looks after the store. */
#include "common/store/catalog.h"
#include "common/store/catalog_ops.h"
#include "common/store/catalog_retry.h"

/* ---- upkeep ---- */

int catalog_expire_rejections(struct catalog *c, uint64_t before_ms, struct err *e)
{
	return CATALOG_RETRY(c->ops->expire_rejections(c->engine, before_ms, e));
}

int catalog_expire_intents(struct catalog *c, bool all, struct err *e)
{
	return CATALOG_RETRY(c->ops->expire_intents(c->engine, all, e));
}

int catalog_trash_due(struct catalog *c, bool early, struct blob_key *keys, size_t max,
	size_t *ret_n, struct err *e)
{
	return CATALOG_RETRY(c->ops->trash_due(c->engine, early, keys, max, ret_n, e));
}

int catalog_trash_done(struct catalog *c, const struct blob_key *keys, size_t n, struct err *e)
{
	return n == 0 ? 0 : CATALOG_RETRY(c->ops->trash_done(c->engine, keys, n, e));
}

static int find_garbage_once(struct catalog *c, struct catalog_cursor *at, uint64_t grace_ms,
	struct catalog_garbage *rows, size_t *ret_n, struct err *e)
{
	struct catalog_cursor next = *at;
	int r = c->ops->find_garbage(c->engine, &next, grace_ms, rows, ret_n, e);

	if (r == 0)
		*at = next;
	return r;
}

int catalog_find_garbage(struct catalog *c, struct catalog_cursor *at, uint64_t grace_ms,
	struct catalog_garbage *rows, size_t *ret_n, struct err *e)
{
	return CATALOG_RETRY(find_garbage_once(c, at, grace_ms, rows, ret_n, e));
}

int catalog_collect(struct catalog *c, const struct catalog_garbage *rows, size_t n,
	uint64_t grace_ms, uint64_t delay_ms, size_t *ret_n, uint64_t *ret_bytes, struct err *e)
{
	return CATALOG_RETRY(
		c->ops->collect(c->engine, rows, n, grace_ms, delay_ms, ret_n, ret_bytes, e));
}

/* ---- checking ---- */

/* What an attempt that failed has appended goes again. */
static int append_once(struct buf *out, size_t before, int r)
{
	if (r < 0 && out->len > before)
		out->len = before;
	return r;
}

int catalog_verify(struct catalog *c, const atomic_bool *stop, struct err *e)
{
	return CATALOG_RETRY(c->ops->verify(c->engine, stop, e));
}

int catalog_check(struct catalog *c, struct buf *faults, struct err *e)
{
	size_t before = faults->len;

	return CATALOG_RETRY(append_once(faults, before, c->ops->check(c->engine, faults, e)));
}

static int read_blobs_once(struct catalog *c, struct catalog_cursor *at, struct catalog_blob *rows,
	size_t *ret_n, struct err *e)
{
	struct catalog_cursor next = *at;
	int r = c->ops->read_blobs(c->engine, &next, rows, ret_n, e);

	if (r == 0)
		*at = next;
	return r;
}

int catalog_blobs(struct catalog *c, struct catalog_cursor *at,
	struct catalog_blob rows[CATALOG_BLOBS_BATCH], size_t *ret_n, struct err *e)
{
	return CATALOG_RETRY(read_blobs_once(c, at, rows, ret_n, e));
}

int catalog_key_state(struct catalog *c, const struct blob_key *key, enum catalog_key_state *ret,
	struct err *e)
{
	return CATALOG_RETRY(c->ops->read_key_state(c->engine, key, ret, e));
}

int catalog_holders(struct catalog *c, const struct digest *digest, struct buf *out, struct err *e)
{
	size_t before = out->len;

	return CATALOG_RETRY(
		append_once(out, before, c->ops->read_holders(c->engine, digest, out, e)));
}

/* ---- scrubbing ---- */

int catalog_damage_add(struct catalog *c, const struct blob_key *key, const char *what,
	bool *ret_new, struct err *e)
{
	return CATALOG_RETRY(c->ops->damage_add(c->engine, key, what, ret_new, e));
}

int catalog_damage_clear(struct catalog *c, const struct blob_key *key, struct err *e)
{
	return CATALOG_RETRY(c->ops->damage_clear(c->engine, key, e));
}

int catalog_scrub_read(struct catalog *c, struct catalog_scrub *ret, struct err *e)
{
	return CATALOG_RETRY(c->ops->scrub_read(c->engine, ret, e));
}

int catalog_scrub_save(struct catalog *c, const struct catalog_scrub *s, struct err *e)
{
	return CATALOG_RETRY(c->ops->scrub_save(c->engine, s, e));
}

int catalog_scrub_finish(struct catalog *c, struct err *e)
{
	return CATALOG_RETRY(c->ops->scrub_finish(c->engine, e));
}

/* ---- copying ---- */

int catalog_snapshot(struct catalog *c, const char *path, struct err *e)
{
	return CATALOG_RETRY(c->ops->snapshot(c->engine, path, e));
}

int catalog_strip(struct catalog *c, uint64_t *ret_versions, struct err *e)
{
	return CATALOG_RETRY(c->ops->strip(c->engine, ret_versions, e));
}

int catalog_sizes(struct catalog *c, struct catalog_sizes *ret, struct err *e)
{
	return CATALOG_RETRY(c->ops->sizes(c->engine, ret, e));
}
