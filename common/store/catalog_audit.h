/* SPDX-License-Identifier: Apache-2.0 */
/* The part of the catalog about what was changed, by whom and when: the feed of changes, in their
 * order. A change is written in the transaction that makes it, by whoever actor_now() is; nothing
 * changes it afterwards. Blocks; any thread. */
#pragma once

#include "common/store/catalog.h"

#define CATALOG_AUDIT_KIND    32
#define CATALOG_AUDIT_ADDRESS 64
#define CATALOG_AUDIT_REQUEST 64

/* Texts that are longer are cut. */
struct catalog_audit_event {
	uint64_t sequence; /* grows, from 1; numbers may be left out */
	uint64_t changed_ms;
	/* model-created, model-deleted, version-published, version-deleted, label-moved,
	 * label-dropped, token-created, token-revoked, and import-failed, which changes nothing */
	char kind[CATALOG_AUDIT_KIND + 1];
	char model[CATALOG_NAME_MAX + 1]; /* "" of tokens */
	char item[CATALOG_LABEL_MAX + 1]; /* version, label, token or job; "" of models */
	char who[CATALOG_WHO_MAX + 1];
	char address[CATALOG_AUDIT_ADDRESS + 1];
	char request[CATALOG_AUDIT_REQUEST + 1];
};

/* Up to `max` of those behind number `since`, the oldest first. */
int catalog_audit_read(struct catalog *c, uint64_t since, struct catalog_audit_event *rows,
	size_t max, size_t *ret_n, struct err *e);
/* Forget what was changed before; the newest one stays, since its number is counted on from. */
int catalog_audit_expire(struct catalog *c, uint64_t before_ms, struct err *e);
