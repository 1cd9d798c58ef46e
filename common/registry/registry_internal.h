/* SPDX-License-Identifier: Apache-2.0 */
/* What the files of the registry share. */
#pragma once

#include "common/registry/registry.h"

#include <stdatomic.h>

struct staging;

/* Nothing in it changes while the registry is open, but for what is atomic. */
struct registry {
	struct registry_options limits; /* `dir` is not kept */
	struct blobs *blobs;
	struct catalog *catalog;
	struct staging *staging; /* NULL beside a daemon */
	atomic_long scanners; /* threads of upload_scan.c */
	int lock_fd; /* -1 when the registry was opened on given backends */
};

/* A registry on backends that are open already, which it owns on success. */
int registry_open_on(const struct registry_options *o, struct blobs *blobs, struct catalog *catalog,
	struct registry **ret, struct err *e);

/* Remove trash that is due, or with `early` all; expired intents are. */
int registry_sweep_trash(struct registry *r, bool early, size_t *ret_removed, struct err *e);

/* ERR_STORAGE_FULL while the disk has less than options say. Does not wait for the disk. */
int registry_require_space(struct registry *r, struct err *e);
