/* SPDX-License-Identifier: Apache-2.0 */
/* The files in a tar, tar.gz or zip, one after the other: the only code that sees libarchive, of
 * which it uses the readers of tar and of zip (by its directory) and no filter. gzip is undone
 * here, exactly once.
 *
 * Taken: ustar, pax, GNU and old tar; zip with stored and deflated entries, zip64, and what other
 * zip tools list, since the directory at the end is what counts. Skipped: directories, and what
 * macOS drops (__MACOSX, ._*, .DS_Store). Everything else is ERR_BAD_ARCHIVE with a sentence that
 * names the entry and the rule: links, devices, sparse and encrypted entries, other compressions,
 * bad checksums, an archive that is cut off, that lacks its end mark, or that something follows.
 */
#pragma once

#include "common/base/err.h"
#include "common/base/str.h"

enum archive_kind {
	ARCHIVE_KIND_TAR,
	ARCHIVE_KIND_TAR_GZ,
	ARCHIVE_KIND_ZIP,
};

/* Which kind of archive begins with these bytes: gzip by its magic, zip by that of an entry or of
 * an empty list, tar by the checksum of its first header. False for none of them. */
#define ARCHIVE_SNIFF 512 /* bytes that it looks at */
bool archive_sniff(const uint8_t *start, size_t n, enum archive_kind *ret);

#define ARCHIVE_TAR_HEAD_MAX (UINT64_C(1) << 20) /* bytes of all headers of one entry of a tar */
#define ARCHIVE_ZIP_LIST_MAX (UINT64_C(8) << 20) /* bytes of the directory of a zip */

/* The whole archive. */
struct archive_source {
	uint64_t n;
	/* `n` bytes from `at` on, which are there. */
	int (*read)(void *cls, uint64_t at, void *to, size_t n, struct err *e);
	void *cls;
};

struct archive_limits {
	uint64_t max_entries;   /* those that are skipped count too; beyond, ERR_TOO_LARGE */
	unsigned max_expansion; /* see ingest_check_expansion() */
};

/* Where the files go, in the order of the archive. A name is as the archive spells it, not judged
 * in any way, and lives for the call. A negative answer ends the unpacking, which answers it. */
struct archive_files {
	int (*begin)(void *cls, struct str name, struct err *e);
	int (*data)(void *cls, const void *bytes, size_t n, struct err *e);
	int (*end)(void *cls, struct err *e);
};

/* Blocks for as long as `files` does; memory does not depend on the archive's size. What was handed
 * over before a failure was found is for the caller to throw away. */
int archive_unpack(enum archive_kind kind, const struct archive_source *source,
	const struct archive_limits *limits, const struct archive_files *files, void *cls,
	struct err *e);
