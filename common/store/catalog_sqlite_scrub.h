/* SPDX-License-Identifier: Apache-2.0 */
/* Which blobs are damaged, and how far a scrub is, inside a transaction of the caller. Inside the
 * engine only. */
#pragma once

#include "common/store/catalog_sqlite_conn.h"

/* A column: 1 for a row of blobs b that is known to be damaged, else 0. */
#define CATALOG_SQLITE_SCRUB_DAMAGED \
	"CASE WHEN EXISTS (SELECT 1 FROM damage d WHERE d.digest = b.digest) THEN 1 ELSE 0 END"

int catalog_sqlite_scrub_damaged(struct catalog_sqlite_conn *c, const struct blob_key *key,
	const char *what, bool *ret_new, struct err *e);
/* One more was found. */
int catalog_sqlite_scrub_count(struct catalog_sqlite_conn *c, struct err *e);
int catalog_sqlite_scrub_sound(struct catalog_sqlite_conn *c, const struct digest *digest,
	struct err *e);
/* The live key of these bytes, when that is damaged. */
int catalog_sqlite_scrub_find(struct catalog_sqlite_conn *c, const struct digest *digest,
	struct blob_key *ret, bool *ret_damaged, struct err *e);
int catalog_sqlite_scrub_read(struct catalog_sqlite_conn *c, struct catalog_scrub *ret,
	struct err *e);
int catalog_sqlite_scrub_save(struct catalog_sqlite_conn *c, const struct catalog_scrub *s,
	struct err *e);
int catalog_sqlite_scrub_finish(struct catalog_sqlite_conn *c, struct err *e);
