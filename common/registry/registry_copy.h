/* SPDX-License-Identifier: Apache-2.0 */
/* Backups: a copy of a store, whole at every moment, brought up to date beside whatever uses the
 * store; and a store made of one.
 *
 * A backup has the layout of a store, and a file BACKUP beside it. A run takes a snapshot of the
 * catalog into next/, copies the blobs that it names and the backup lacks, reading each against
 * its SHA-256, makes them durable, and only then puts the snapshot in the place of the catalog;
 * blobs that nothing names any more go last. So whatever ends a run, the backup is that of the run
 * before or the new one. Uploads that are open and jobs are no part of it. Keys stay what they are:
 * a blob is copied once in its life.
 *
 * All calls block for as long as the copying takes. */
#pragma once

#include "common/registry/registry.h"

/* A line about a file that is lost in what is copied. A negative answer ends the run. */
typedef int registry_copy_fn(void *cls, const char *text, struct err *e);

struct registry_copy {
	const char *from; /* directory */
	const char *to;
	registry_copy_fn *tell;
	void *cls;
};

struct registry_copied {
	uint64_t versions; /* that are in the copy */
	uint64_t blobs;    /* that they hold */
	uint64_t bytes;    /* theirs */
	uint64_t copied;   /* of the blobs; the others were there */
	uint64_t copied_bytes;
	uint64_t removed;  /* blobs of an earlier run that no version holds now */
	uint64_t damaged;  /* that could not be copied: versions that hold them are not whole */
};

/* Bring the backup `to` up to date with the store `from`, which may be in use; make it when `to` is
 * empty or not there. Files that are damaged in the store are told and left out, unless an earlier
 * run has copied them. ERR_CONFIG: `from` is no store, `to` is something else than a backup, lies
 * in the store, or is in use. ERR_BUSY: collections took files faster than they could be copied,
 * or another command, such as fsck, has the backup open. */
int registry_copy_backup(const struct registry_copy *how, struct registry_copied *ret,
	struct err *e);

/* Make a store of the backup `from`. `to` is empty, not there, or what a run that was cut off left.
 * ERR_CONFIG: `from` is no backup or in use, `to` has a store or something else. */
int registry_copy_restore(const struct registry_copy *how, struct registry_copied *ret,
	struct err *e);
