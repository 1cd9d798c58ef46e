/* SPDX-License-Identifier: Apache-2.0 */
#include "common/base/clock.h"
#include "common/registry/registry_internal.h"
#include "common/registry/staging_internal.h"

#define SWEEP_BATCH 256

/* A key that resists does not keep the others of its batch; the first failure is the answer. */
static int remove_keys(struct registry *r, struct blob_key *keys, size_t n, size_t *removed,
	struct err *e)
{
	bool gone[SWEEP_BATCH];
	struct err later;
	size_t gone_n = 0;
	int x = blobs_remove(r->blobs, keys, n, gone, e);

	for (size_t i = 0; i < n; i++)
		if (gone[i])
			keys[gone_n++] = keys[i];
	int y = REGISTRY_WITH_BALLAST(r,
		catalog_trash_done(r->catalog, keys, gone_n, x < 0 ? &later : e));
	if (y == 0)
		*removed += gone_n;
	return x < 0 ? x : y;
}

int registry_sweep_trash(struct registry *r, bool early, size_t *ret_removed, struct err *e)
{
	struct blob_key keys[SWEEP_BATCH];
	size_t removed = 0;
	size_t n = SWEEP_BATCH;
	int x = REGISTRY_WITH_BALLAST(r, catalog_expire_intents(r->catalog, false, e));

	while (x == 0 && n == SWEEP_BATCH) {
		x = catalog_trash_due(r->catalog, early, keys, SWEEP_BATCH, &n, e);
		if (x == 0)
			x = remove_keys(r, keys, n, &removed, e);
	}
	*ret_removed = removed;
	return x;
}

/* What resists does not keep the rest; the first failure is the answer. */
int registry_sweep(struct registry *r, size_t *ret_removed, struct err *e)
{
	struct err later;
	uint64_t now_ms = clock_now_ms();
	uint64_t before_ms = now_ms > REGISTRY_REJECTION_MS ? now_ms - REGISTRY_REJECTION_MS : 0;
	int x = registry_sweep_trash(r, false, ret_removed, e);
	int y = staging_sweep(r, x < 0 ? &later : e);

	x = x < 0 ? x : y;
	y = REGISTRY_WITH_BALLAST(r,
		catalog_expire_rejections(r->catalog, before_ms, x < 0 ? &later : e));
	x = x < 0 ? x : y;
	y = registry_keep_ballast(r, x < 0 ? &later : e);
	return x < 0 ? x : y;
}
