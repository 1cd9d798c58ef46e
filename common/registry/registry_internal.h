/* SPDX-License-Identifier: Apache-2.0 */
/* What the files of the registry share. */
#pragma once

#include "common/base/bell.h"
#include "common/base/snapshot.h"
#include "common/registry/registry.h"
#include "common/store/ballast.h"

#include <stdatomic.h>

struct staging;

/* Nothing in it changes while the registry is open, but for what is atomic. */
struct registry {
	struct snapshot_cell limits; /* registry_limits.h */
	struct blobs *blobs;
	struct catalog *catalog;
	struct staging *staging; /* NULL beside a daemon */
	atomic_long scanners; /* threads of upload_scan.c */
	pthread_mutex_t large_json; /* held by who has one parsed; upload_model.h */
	pthread_mutex_t tensors; /* held by who computes them for others; registry_tensors.h */
	atomic_long tensors_asked; /* callers who compute, or wait for it */
	/* See registry_encode.h. */
	struct bell work; /* rings when something was published, and with the other */
	struct bell end;  /* rings when somebody is to stop */
	atomic_uint_least64_t arrived_ms; /* registry_arrived(), by the monotonic clock */
	int lock_fd; /* -1 when the registry was opened on given backends */
	int dir_fd;  /* likewise */
};

/* A registry on backends that are open already, which it owns on success. */
int registry_open_on(const struct registry_options *o, struct blobs *blobs, struct catalog *catalog,
	struct registry **ret, struct err *e);

/* NULL when it has none of this path. */
const struct catalog_version_file *registry_find_file(const struct catalog_version *v,
	const char *path);

/* A file that is missing is damage, unless its version was deleted and collected after it was
 * resolved: keeps the error that `e` holds, or puts that in its place. Returns its code. */
int registry_deleted_since(struct registry *r, const struct catalog_version *v, struct err *e);
/* ERR_CORRUPT for a file of known damage, which has bytes that nobody should get. */
int registry_check_file(const struct catalog_version *v, const struct catalog_version_file *file,
	struct err *e);

/* Remove trash that is due, or with `early` all; expired intents are. */
int registry_sweep_trash(struct registry *r, bool early, size_t *ret_removed, struct err *e);

/* What removes something, or needs next to no room, works on a full disk too: it is tried once more
 * without the ballast. */
#define REGISTRY_WITH_BALLAST(r, call) \
	({ \
		int b_ = (call); \
		if (b_ == -(int)ERR_STORAGE_FULL && ballast_let_go((r)->dir_fd)) \
			b_ = (call); \
		b_; \
	})

/* Bytes have come, or were published just now: work that nobody waits for gives way for a moment.
 * Any thread. */
void registry_arrived(struct registry *r);

/* ERR_STORAGE_FULL while the disk has less than options say, besides what a ballast that was let go
 * needs. Does not wait for the disk. */
int registry_require_space(struct registry *r, struct err *e);
/* Make the ballast again when there is room. */
int registry_keep_ballast(struct registry *r, struct err *e);
