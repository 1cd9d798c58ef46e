/* SPDX-License-Identifier: Apache-2.0 */
/* What a job was asked to do, with its credentials: a file of the store that only its owner can
 * read, jobs/<id>, there as long as the job is queued or running and no longer. It is not in the
 * catalog, whose write-ahead log and backups keep what was deleted for a while. Blocks. */
#pragma once

#include "common/base/buf.h"
#include "common/base/err.h"

#define REQUESTFILE_MAX (128u << 10)

/* Durable at the return. `store_fd` is the store's directory; the folder is made when missing. */
int requestfile_write(int store_fd, const char *id, const void *bytes, size_t n, struct err *e);
/* ERR_JOB_NOT_FOUND when there is none. Appended to `out`. */
int requestfile_read(int store_fd, const char *id, struct buf *out, struct err *e);
/* Overwritten, then unlinked. No error when there is none. */
int requestfile_remove(int store_fd, const char *id, struct err *e);
/* Every one for whose id `keep` says false; names that are no ids are left alone. */
int requestfile_sweep(int store_fd, bool (*keep)(void *cls, const char *id), void *cls,
	struct err *e);
