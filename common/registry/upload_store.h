/* SPDX-License-Identifier: Apache-2.0 */
/* Checked files of an upload into a durable version. Inside the registry only. */
#pragma once

#include "common/registry/upload_internal.h"

struct upload_stored {
	uint64_t version;
	uint64_t created_ms;
	struct digest root;
	bool deduplicated;
};

/* Root digest of the files. Paths are decided and the files sorted by them, here and below. */
int upload_store_root(const struct upload *u, struct digest *ret, struct err *e);

/* ERR_QUOTA_FULL: what the version would be told if it were stored now. */
int upload_store_require_room(const struct upload *u, struct err *e);

/* What is kept with a version, see struct catalog_publish; NULL for none. */
struct upload_store_texts {
	char *info;
	char *provenance;
	char *tensors;
	bool tensors_due; /* without digests */
};

/* On failure nothing of it stays. */
int upload_store_version(struct upload *u, const struct upload_store_texts *texts,
	struct upload_stored *ret, struct err *e);

/* What that would give now, with nothing stored: `version` is 0 unless the newest one has these
 * very files. */
int upload_store_compare(struct upload *u, struct upload_stored *ret, struct err *e);
