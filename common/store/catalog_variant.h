/* SPDX-License-Identifier: Apache-2.0 */
/* The part of the catalog about coded forms of blobs: which blob is the gzip form of which, and
 * which are still to be looked at. It goes by digests, so that all versions that have the same
 * bytes share them, and knows codings by name only.
 *
 * Invariants that hold between calls, besides those of catalog.h:
 * - a form is a blob like any other, and is held by the row that says of what it is one;
 * - that row goes with the blob that it is a form of;
 * - a blob that has forms is the form of none;
 * - a blob that a version holds was looked at, or is in the queue.
 */
#pragma once

#include "common/store/catalog.h"

#define CATALOG_VARIANT_CODINGS 4  /* that a blob may have forms in */
#define CATALOG_VARIANT_CODING  16 /* bytes of a coding's name, its NUL included */

struct catalog_variant {
	struct blob_key key;
	uint64_t size;
	bool damaged; /* its bytes are known to be lost */
};

/* The form of these bytes in this coding. */
int catalog_variant_find(struct catalog *c, const struct digest *of, const char *coding,
	struct catalog_variant *ret, bool *ret_found, struct err *e);

struct catalog_variant_size {
	size_t file; /* index into the files of the version */
	char coding[CATALOG_VARIANT_CODING];
	uint64_t size;
};

/* All forms of the files of a version, by file and coding. `rows` has room for
 * CATALOG_VARIANT_CODINGS a file. */
int catalog_variant_sizes(struct catalog *c, const struct catalog_version *v,
	struct catalog_variant_size *rows, size_t *ret_n, struct err *e);

/* ---- the queue: what versions hold and nobody has looked at, the oldest first ---- */

struct catalog_variant_job {
	struct blob_key key;
	uint64_t size;
	bool damaged;
	char path[CATALOG_PATH_MAX + 1]; /* of some file that it is; "" when no version has it */
};

/* The one whose turn it is; it stays in the queue. Without one, *ret_any is false, and *ret_wait_ms
 * says in how long one may be looked at that was put off, UINT64_MAX for none. */
int catalog_variant_next(struct catalog *c, struct catalog_variant_job *ret, bool *ret_any,
	uint64_t *ret_wait_ms, struct err *e);
/* Put it off; with `unless_held` only when no version has it at that moment. */
int catalog_variant_defer(struct catalog *c, const struct digest *of, uint64_t ms, bool unless_held,
	struct err *e);
/* How many there are, up to `most`. */
int catalog_variant_count(struct catalog *c, uint64_t most, uint64_t *ret, struct err *e);

/* It was looked at: it has these forms, in place of any it had, and leaves the queue. The blobs are
 * staged, linked and synced; `codings` names the coding of each. One transaction. *ret_kept is
 * false, and what was staged is trash, when the blob is gone, or is itself a form, or a form has
 * forms. ERR_BLOB_GONE as from catalog_publish(). */
int catalog_variant_set(struct catalog *c, const struct digest *of,
	const struct catalog_blob *blobs, const char *const *codings, size_t n, bool *ret_kept,
	struct err *e);

/* The bytes of a form turned out to be lost. When nothing holds it but that, it is taken away, and
 * what it is a form of is in the queue again; else, or when the key is live no more, *ret_dropped
 * is false. Counts as damage found (catalog_scrub_read()). */
int catalog_variant_drop(struct catalog *c, const struct blob_key *key, bool *ret_dropped,
	struct err *e);

/* The models of the versions that hold these bytes, of up to `max` files; one may come several
 * times. */
int catalog_variant_models(struct catalog *c, const struct digest *of, struct catalog_name *rows,
	size_t max, size_t *ret_n, struct err *e);

/* ---- checking ---- */

#define CATALOG_VARIANT_BATCH 500

struct catalog_variant_row {
	struct catalog_blob of;
	struct catalog_blob form;
	char coding[CATALOG_VARIANT_CODING];
	bool chained; /* the one has forms and is one, which must not be */
};

struct catalog_variant_cursor {
	bool ended;
	char of[DIGEST_HEX + 1];
	char coding[CATALOG_VARIANT_CODING];
};

/* The next of all of them. Start with a cursor of all zero. `rows` has room for
 * CATALOG_VARIANT_BATCH. */
int catalog_variant_list(struct catalog *c, struct catalog_variant_cursor *at,
	struct catalog_variant_row *rows, size_t *ret_n, struct err *e);
