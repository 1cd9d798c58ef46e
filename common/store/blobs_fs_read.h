/* SPDX-License-Identifier: Apache-2.0 */
/* Reading files of the local backend piece by piece: the parts of struct blobs_ops for it. */
#pragma once

#include "common/store/blobs.h"

int blobs_fs_read(void *backend, const struct blob_key *key, uint64_t size, blobs_read_fn *fn,
	void *cls, struct err *e);
int blobs_fs_read_open(void *backend, const struct blob_key *key, uint64_t size, void **ret_reader,
	struct err *e);
int blobs_fs_read_at(const void *reader, uint64_t offset, void *buf, size_t n, struct err *e);
void blobs_fs_read_close(void *reader);
