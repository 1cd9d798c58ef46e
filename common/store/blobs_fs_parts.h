/* SPDX-License-Identifier: Apache-2.0 */
/* Parts of the local backend: as blobs_ops.h says of the calls of these names. */
#pragma once

#include "common/store/blobs_fs_internal.h"

void blobs_fs_parts_leave(void *writer);
int blobs_fs_parts_create(void *backend, const char *name, void **ret_writer, struct err *e);
int blobs_fs_parts_open(void *backend, const char *name, uint64_t size, void **ret_writer,
	struct err *e);
int blobs_fs_parts_sync(void *writer, struct err *e);
int blobs_fs_parts_remove(void *backend, const char *name, struct err *e);
int blobs_fs_parts_list(void *backend, blobs_part_fn *fn, void *cls, struct err *e);
bool blobs_fs_parts_exists(void *backend, const char *name);
