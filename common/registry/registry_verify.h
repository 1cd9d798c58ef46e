/* SPDX-License-Identifier: Apache-2.0 */
/* One stored file against its SHA-256: what fsck and scrub share. */
#pragma once

#include "common/registry/registry.h"

#define REGISTRY_VERIFY_FAULT    ERR_TEXT_MAX
#define REGISTRY_VERIFY_LINE_MAX (16u << 10)

struct registry_verify {
	bool quick; /* name and size; the bytes are not read */
	/* NULL, or called after `n` bytes were read; may wait. A negative answer stops and is
	 * returned. */
	int (*pace)(void *cls, size_t n, struct err *e);
	void *cls;
};

/* What is wrong with the bytes of a live blob comes in `fault`, "" for nothing. Bytes that the disk
 * does not give are a fault too; one that a collection or a publish took away meanwhile is not. An
 * answer that is negative means that it could not be told. */
int registry_verify_blob(struct registry *r, const struct catalog_blob *blob,
	const struct registry_verify *how, char fault[REGISTRY_VERIFY_FAULT], struct err *e);

/* The disk gives no bytes for a file, or wrong ones: any other error says nothing about it. */
bool registry_verify_is_fault(const struct err *e);

/* The sentence for people: the fault, and who holds the blob. Appended to `line`. */
int registry_verify_line(struct registry *r, const struct catalog_blob *blob, const char *fault,
	struct buf *line, struct err *e);
