/* SPDX-License-Identifier: Apache-2.0 */
#include "common/base/num.h"
#include "common/registry/registry_internal.h"

static bool told_to_stop(const struct registry_collect *o)
{
	return o->stop && atomic_load(o->stop);
}

static void count(struct registry_collected *out, size_t blobs, uint64_t bytes)
{
	out->blobs += blobs;
	if (!num_add(out->bytes, bytes, &out->bytes))
		out->bytes = UINT64_MAX;
}

static void count_rows(struct registry_collected *out, const struct catalog_garbage *rows, size_t n)
{
	for (size_t i = 0; i < n; i++)
		count(out, 1, rows[i].size);
}

/* What was found may be wanted again by now; the catalog looks once more while it marks. */
static int mark(struct registry *r, const struct registry_collect *o, uint64_t delay_ms,
	const struct catalog_garbage *rows, size_t n, struct registry_collected *out, struct err *e)
{
	uint64_t bytes = 0;
	size_t marked = 0;
	int x;

	if (o->dry_run) {
		count_rows(out, rows, n);
		return 0;
	}
	if (n == 0)
		return 0;
	x = REGISTRY_WITH_BALLAST(r, catalog_collect(r->catalog, rows, n, o->grace_ms, delay_ms,
					&marked, &bytes, e));
	if (x == 0)
		count(out, marked, bytes);
	return x;
}

static int mark_all(struct registry *r, const struct registry_collect *o, uint64_t delay_ms,
	struct registry_collected *out, struct err *e)
{
	CLEANUP_FREE struct catalog_garbage *rows =
		calloc(2 * CATALOG_GARBAGE_BATCH, sizeof(*rows));
	struct catalog_cursor at = {.started = false};
	size_t n = 0;
	int x = 0;

	if (!rows)
		return err_nomem(e);
	while (x == 0 && !at.ended && !told_to_stop(o)) {
		size_t more = 0;
		x = catalog_find_garbage(r->catalog, &at, o->grace_ms, rows + n, &more, e);
		n += more;
		/* A commit waits for the disk: not for every few that are found. */
		if (x < 0 || (n < CATALOG_GARBAGE_BATCH && !at.ended))
			continue;
		x = mark(r, o, delay_ms, rows, n, out, e);
		n = 0;
	}
	return x;
}

int registry_collect(struct registry *r, const struct registry_collect *o,
	struct registry_collected *ret, struct err *e)
{
	bool at_once = o->grace_ms == 0;
	struct registry_collected out = {.blobs = 0};
	size_t removed = 0;
	int x = mark_all(r, o, at_once ? 0 : o->delay_ms, &out, e);

	if (x == 0 && !o->dry_run && !told_to_stop(o))
		x = registry_sweep_trash(r, at_once, &removed, e);
	out.files = removed;
	*ret = out;
	return x;
}
