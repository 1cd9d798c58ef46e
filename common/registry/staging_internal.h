/* SPDX-License-Identifier: Apache-2.0 */
/* What is known of open uploads in memory. Inside the registry only. */
#pragma once

#include "common/registry/registry_internal.h"
#include "common/registry/staging.h"

#include <pthread.h>

/* A file that has arrived in part. Of several with one path the first in the list is meant; the
 * others wait for their removal. */
struct staging_part {
	unsigned refs; /* the list and the writer */
	struct staging_upload *upload;
	char *path;
	char name[BLOB_PART_NAME + 1];
	uint64_t size;  /* bytes under its name, when nobody writes */
	uint64_t acked; /* bytes that an answer told of: durable, in the catalog */
	uint64_t charged; /* to the limits */
	bool written; /* somebody has its bytes open */
	bool leaving; /* and is about to close them: wait for `left` */
	bool dead;    /* to be removed, by the next call that may wait for the disk */
	bool recorded; /* the catalog has a row of it */
	struct staging_writer *writer; /* whose body is arriving */
	struct staging_part *next;
};

struct staging_upload {
	unsigned refs; /* the list and the parts */
	char id[CATALOG_UPLOAD_ID + 1];
	char model[CATALOG_NAME_MAX + 1];
	uint64_t expires_ms;
	uint64_t version; /* 0 while it is open */
	uint64_t files_bytes;
	struct staging_part *parts;
	size_t parts_n;
	struct staging_upload *next;
};

/* Everything in it, and behind it, is under `lock`, which is never held while something waits for
 * the disk. A writer's own lock is taken inside it, never around it. */
struct staging {
	pthread_mutex_t lock;
	pthread_cond_t left;
	struct staging_upload *uploads;
	uint64_t bytes; /* of all that are open */
};

/* At the start: what the catalog has, less what has expired; parts of others are removed. */
int staging_start(struct registry *r, struct err *e);
void staging_free(struct staging *s);
int staging_new(struct staging **ret, struct err *e);
/* Uploads that have expired, and parts nobody wants. */
int staging_sweep(struct registry *r, struct err *e);
/* It became a version. */
void staging_published(struct registry *r, const char *id, uint64_t version);

/* ---- for staging_*.c ---- */

static inline void staging_lock(struct registry *r)
{
	(void)pthread_mutex_lock(&r->staging->lock);
}

static inline void staging_unlock(struct registry *r)
{
	(void)pthread_mutex_unlock(&r->staging->lock);
}

/* Under the lock. `open`: ERR_CONFLICT when it was published. */
int staging_find(struct registry *r, const char *id, bool open, struct staging_upload **ret,
	struct err *e);
struct staging_part *staging_find_part(struct staging_upload *u, struct str path);
/* At the front of the list, with a reference for the caller. `name` NULL for a fresh one. */
int staging_part_add(struct staging_upload *u, struct str path, const char *name,
	struct staging_part **ret, struct err *e);
void staging_part_unref(struct staging_part *p);
/* Add to what the limits count for a part, or give back. ERR_TOO_LARGE, ERR_STORAGE_FULL. */
int staging_charge(struct registry *r, const struct registry_options *limits,
	struct staging_part *p, uint64_t n, struct err *e);
void staging_discharge(struct registry *r, struct staging_part *p, uint64_t n);
/* The file of a path has now so many bytes, and had; the upload lives on. */
void staging_file_changed(struct registry *r, struct staging_upload *u, uint64_t old_size,
	uint64_t size);
/* Take the bytes of the part away from its writer, who learns it with the next write. NULL when
 * none is arriving. */
struct blob_writer *staging_part_take_over(struct staging_part *p);

/* Without the lock: remove what is dead, the files included. */
void staging_reap(struct registry *r, const char *id);
struct catalog_upload_change staging_change(struct registry *r, const char *id, const char *path);
/* An upload of its files, not of its parts. */
int staging_open(struct registry *r, const struct catalog_upload *row, struct upload **ret,
	struct err *e);
/* A path without leading "./", as a string. */
int staging_path(struct str path, char buf[CATALOG_PATH_MAX + 1], struct err *e);
