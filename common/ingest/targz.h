/* SPDX-License-Identifier: Apache-2.0 */
/* Files as a tar.gz whose bytes are a function of their paths and bytes alone, for ever, and whose
 * size is one of their paths and sizes: what is sent under a strong ETag with a Content-Length
 * before a byte was read.
 *
 * The tar: the files in the order given, each a ustar entry (POSIX.1-2017, pax, "ustar Interchange
 * Format") of mode 0644, owner 0:0 without names, at TARGZ_MTIME; before it, where ustar cannot say
 * it, a pax header with `path` (not ASCII, or more than 100 bytes) or `size` (8 GiB and more); two
 * blocks of zeros at the end. The gzip (RFC 1952): one member, without time or name, operating
 * system "unknown", made of stored blocks (RFC 1951 3.2.4) of 65,535 bytes, the last one shorter.
 * Nothing is compressed: weights would not shrink, and what zlib makes of the rest differs between
 * its releases, as would its length. A change of any of this is another TARGZ_FORMAT. */
#pragma once

#include "common/base/err.h"

#include <stddef.h>
#include <stdint.h>

#define TARGZ_FORMAT   "tgz1"     /* names these very rules, in ETags */
#define TARGZ_MTIME    315532800u /* 1980-01-01: tar has doubts about 1970, and zip begins here */
#define TARGZ_PATH_MAX 1024       /* bytes of a path */

struct targz_file {
	const char *path; /* relative, of at most TARGZ_PATH_MAX bytes */
	uint64_t size;
};

/* ERR_TOO_LARGE when that cannot be counted, or a path is too long. */
int targz_size(const struct targz_file *files, size_t n, uint64_t *ret, struct err *e);

/* `n` bytes (never 0) of a file from `at` on. Files are asked for in their order, each from its
 * first byte to its last without a gap; one without bytes is not asked for. */
typedef int targz_read_fn(void *cls, size_t file, uint64_t at, void *to, size_t n, struct err *e);

struct targz;

/* `files` has to live as long as the archive. ERR_TOO_LARGE as from targz_size(). */
int targz_new(const struct targz_file *files, size_t n, targz_read_fn *read, void *cls,
	struct targz **ret, struct err *e);
void targz_free(struct targz *t);
DEFINE_CLEANUP(struct targz, targz_free)
uint64_t targz_left(const struct targz *t); /* bytes that are still to come */
/* The next `n` bytes, of which as many are left. Blocks for as long as `read` does. A failure is
 * one of `read`, and final. One thread at a time. */
int targz_read(struct targz *t, void *to, size_t n, struct err *e);
