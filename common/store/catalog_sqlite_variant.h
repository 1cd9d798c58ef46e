/* SPDX-License-Identifier: Apache-2.0 */
/* Coded forms of blobs, inside a transaction of the caller, which writes for _want, _defer, _set
 * and _drop. Inside the engine only. */
#pragma once

#include "common/store/catalog_sqlite_conn.h"
#include "common/store/catalog_variant.h"

/* A version holds this blob: it is to be looked at, unless it was, or is a form itself. */
int catalog_sqlite_variant_want(struct catalog_sqlite_conn *c, const struct digest *digest,
	struct err *e);

/* The forms of a blob, which has at most CATALOG_VARIANT_CODINGS. */
int catalog_sqlite_variant_of(struct catalog_sqlite_conn *c, const struct digest *of,
	struct catalog_variant rows[CATALOG_VARIANT_CODINGS], size_t *ret_n, struct err *e);

int catalog_sqlite_variant_find(struct catalog_sqlite_conn *c, const struct digest *of,
	const char *coding, struct catalog_variant *ret, bool *ret_found, struct err *e);
int catalog_sqlite_variant_sizes(struct catalog_sqlite_conn *c, const struct catalog_version *v,
	struct catalog_variant_size *rows, size_t *ret_n, struct err *e);
int catalog_sqlite_variant_next(struct catalog_sqlite_conn *c, struct catalog_variant_job *ret,
	bool *ret_any, uint64_t *ret_wait_ms, struct err *e);
int catalog_sqlite_variant_defer(struct catalog_sqlite_conn *c, const struct digest *of,
	uint64_t ms, bool unless_held,
	struct err *e);
int catalog_sqlite_variant_count(struct catalog_sqlite_conn *c, uint64_t most, uint64_t *ret,
	struct err *e);
int catalog_sqlite_variant_set(struct catalog_sqlite_conn *c, const struct digest *of,
	const struct catalog_blob *blobs, const char *const *codings, size_t n, bool *ret_kept,
	struct err *e);
int catalog_sqlite_variant_drop(struct catalog_sqlite_conn *c, const struct blob_key *key,
	bool *ret_dropped, struct err *e);
int catalog_sqlite_variant_models(struct catalog_sqlite_conn *c, const struct digest *of,
	struct catalog_name *rows, size_t max, size_t *ret_n, struct err *e);
int catalog_sqlite_variant_list(struct catalog_sqlite_conn *c, struct catalog_variant_cursor *at,
	struct catalog_variant_row *rows, size_t *ret_n, struct err *e);
