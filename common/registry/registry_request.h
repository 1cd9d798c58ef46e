/* SPDX-License-Identifier: Apache-2.0 */
/* The request files of jobs in the registry's store: see requestfile.h. */
#pragma once

#include "common/registry/registry.h"
#include "common/store/requestfile.h"

/* ERR_STORAGE_FULL besides, while the disk has less than is to stay free. */
int registry_request_write(struct registry *r, const char *id, const void *bytes, size_t n,
	struct err *e);
int registry_request_read(struct registry *r, const char *id, struct buf *out, struct err *e);
int registry_request_remove(struct registry *r, const char *id, struct err *e);
/* Remove those of jobs that have ended or never came to be. At the start, before anybody writes
 * one. */
int registry_request_sweep(struct registry *r, struct err *e);
