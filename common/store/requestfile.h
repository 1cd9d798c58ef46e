/* SPDX-License-Identifier: Apache-2.0 */
/* What a job was asked to do, with its credentials: a file of the store that only its owner can
 * read, jobs/<id>, there as long as the job is queued or running and no longer. It is not in the
 * catalog, whose write-ahead log and backups keep what was deleted for a while.
 *
 * `store_fd` is the store's directory, `id` a job's: CATALOG_JOB_ID characters of [0-9a-f], or it
 * is an ERR_JOB_NOT_FOUND. All calls block. */
#pragma once

#include "common/base/buf.h"
#include "common/base/err.h"

#define REQUESTFILE_MAX (128u << 10)

/* Durable at the return. The folder is made when missing. ERR_TOO_LARGE. */
int requestfile_write(int store_fd, const char *id, const void *bytes, size_t n, struct err *e);
/* ERR_JOB_NOT_FOUND when there is none. Appended to `out`. */
int requestfile_read(int store_fd, const char *id, struct buf *out, struct err *e);
bool requestfile_exists(int store_fd, const char *id);
/* When it was written, in milliseconds since 1970; 0 when there is none. */
uint64_t requestfile_written_ms(int store_fd, const char *id);
/* Overwritten, then unlinked, durably. No error when there is none. */
int requestfile_remove(int store_fd, const char *id, struct err *e);
/* The id of each, in no order; a negative answer stops and is returned. None without the folder. */
typedef int requestfile_fn(void *cls, const char *id, struct err *e);
int requestfile_list(int store_fd, requestfile_fn *fn, void *cls, struct err *e);
/* Remove every one for whose id `keep` says false, and what writing one left behind when it was cut
 * off; names that are no ids are left alone. While nobody writes one. */
int requestfile_sweep(int store_fd, bool (*keep)(void *cls, const char *id), void *cls,
	struct err *e);
