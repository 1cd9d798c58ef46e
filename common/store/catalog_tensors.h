/* SPDX-License-Identifier: Apache-2.0 */
/* The part of the catalog about what was measured of the weights of a version: a JSON array that
 * the registry makes. It may be kept before the digests are in it, and is then in a queue until
 * somebody has computed them; it goes with the version.
 */
#pragma once

#include "common/store/catalog.h"

/* For the caller to free; "" for none, and for a version that is not there. *ret_due: the digests
 * are not in it. */
int catalog_tensors_read(struct catalog *c, const char *model, uint64_t version, char **ret,
	bool *ret_due, struct err *e);

/* The version whose digests are to be computed next. Without any, *ret_wait_ms says when one that
 * was put off is due, UINT64_MAX for none at all. */
int catalog_tensors_next(struct catalog *c, struct catalog_name *ret_model, uint64_t *ret_version,
	bool *ret_any, uint64_t *ret_wait_ms, struct err *e);
/* It leaves the queue, with this text in place of the one that was there. Nothing happens when it
 * is in the queue no more. */
int catalog_tensors_set(struct catalog *c, const char *model, uint64_t version,
	const char *tensors, struct err *e);
/* Not before so long from now. */
int catalog_tensors_defer(struct catalog *c, const char *model, uint64_t version, uint64_t ms,
	struct err *e);
