/* SPDX-License-Identifier: Apache-2.0 */
/* Files that come in one archive. Inside the registry only; the way in is in registry.h. */
#pragma once

#include "common/registry/upload_internal.h"

/* It is a blob of the store already, which stays where it is: instead of upload_archive_begin(). */
int upload_archive_stored(struct upload *u, enum archive_kind kind, const struct blob_key *key,
	uint64_t size, struct err *e);
/* Make its files those of the upload, and throw it away. Nothing to do without one. Blocks. */
int upload_archive_unpack(struct upload *u, struct err *e);
void upload_archive_free(struct upload_archive *a); /* accepts NULL */
