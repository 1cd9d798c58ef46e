/* SPDX-License-Identifier: Apache-2.0 */
/* Quotas as the configuration writes them. Pure functions. */
#pragma once

#include "common/store/catalog.h"

struct quota_list {
	struct catalog_quota *items;
	size_t n;
};

/* Each of `settings` is PREFIX=SIZE, PREFIX a model name or whole segments at the start of one,
 * with or without a slash behind it; `store_bytes` becomes the quota of them all, unless it is 0.
 * ERR_CONFIG. */
int quota_read(char *const *settings, size_t n, uint64_t store_bytes, struct quota_list *ret,
	struct err *e);
void quota_done(struct quota_list *q);
