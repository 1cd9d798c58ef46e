/* SPDX-License-Identifier: Apache-2.0 */
/* A version as a tar.gz (ingest/targz.h), made while it is read. */
#pragma once

#include "common/registry/registry.h"

struct registry_export;

/* Takes the version over, on failure too. Opens no file. ERR_CORRUPT when one is known to be
 * damaged. Does not block. */
int registry_export_new(struct registry *r, struct catalog_version *v,
	struct registry_export **ret, struct err *e);
uint64_t registry_export_size(const struct registry_export *x); /* of the whole archive */
/* The next `n` bytes, of which as many are left. One file is open at a time, so that a version that
 * is deleted meanwhile ends this (ERR_DELETED) once its files are collected: not before the trash
 * delay is over, and not within the file that is open. Each file is hashed on its way, and what
 * turns out to have other bytes than it should fails (ERR_CORRUPT) before its last ones are given:
 * nobody gets the end of an archive in which something is wrong. The store then knows of the
 * damage. Any failure is final. */
int registry_export_read(struct registry_export *x, void *to, size_t n, struct err *e);
void registry_export_free(struct registry_export *x);
DEFINE_CLEANUP(struct registry_export, registry_export_free)

/* The strong ETag of the archive of a version with this root digest, quoted. */
#define REGISTRY_EXPORT_ETAG (DIGEST_HEX + 16)
const char *registry_export_etag(const struct digest *root, char buf[REGISTRY_EXPORT_ETAG]);
