/* SPDX-License-Identifier: Apache-2.0 */
/* What blobs.c has to know of a writer. */
#pragma once

#include "common/store/blobs.h"

/* Finished, and without a failure, which is the answer else. */
int blobs_write_check(const struct blob_writer *w, struct err *e);
const struct blobs_ops *blobs_write_ops(const struct blob_writer *w);
uint64_t blobs_write_size(const struct blob_writer *w);
