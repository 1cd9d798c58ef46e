/* SPDX-License-Identifier: Apache-2.0 */
#include "common/base/clock.h"
#include "common/registry/registry_internal.h"
#include "common/registry/staging_internal.h"

#define SWEEP_BATCH 64

static int remove_key(struct registry *r, const struct blob_key *key, struct err *e)
{
	int x = blobs_remove(r->blobs, key, e);

	return x < 0 ? x : catalog_trash_done(r->catalog, key, e);
}

/* A key that resists does not keep the others of its batch; the first failure is the answer. */
static int remove_keys(struct registry *r, const struct blob_key *keys, size_t n, size_t *removed,
	struct err *e)
{
	struct err later;
	int x = 0;

	for (size_t i = 0; i < n; i++) {
		int one = remove_key(r, &keys[i], x < 0 ? &later : e);
		if (one == 0)
			(*removed)++;
		else if (x == 0)
			x = one;
	}
	return x;
}

int registry_sweep_trash(struct registry *r, bool early, size_t *ret_removed, struct err *e)
{
	struct blob_key keys[SWEEP_BATCH];
	size_t removed = 0;
	size_t n = SWEEP_BATCH;
	int x = catalog_expire_intents(r->catalog, e);

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
	y = catalog_expire_rejections(r->catalog, before_ms, x < 0 ? &later : e);
	return x < 0 ? x : y;
}
