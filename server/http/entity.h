/* SPDX-License-Identifier: Apache-2.0 */
/* A representation that GET and HEAD can be answered with: bytes, validators and headers, with its
 * 200 and 304 answers built once. Reference counted; shared between requests and threads;
 * immutable. */
#pragma once

#include "common/base/buf.h"

#include <stdint.h>

struct entity;

struct entity_header {
	const char *name;
	const char *value;
};

struct entity_options {
	const void *bytes; /* valid until release(cls) */
	uint64_t size;
	void (*release)(void *cls); /* may be NULL */
	void *cls;
	const char *content_type;
	const char *etag;     /* quoted, strong: "\"sha256-...\"" */
	uint64_t modified_ms; /* 0: no Last-Modified */
	const char *cache_control;
	const struct entity_header *headers; /* further ones, on 200, 206 and 304 alike */
	size_t headers_n;
};

/* NULL without memory; release has been called then. */
struct entity *entity_new(const struct entity_options *o);
struct entity *entity_ref(struct entity *e);
void entity_unref(struct entity *e); /* accepts NULL */
DEFINE_CLEANUP(struct entity, entity_unref)

uint64_t entity_size(const struct entity *e); /* of the whole representation */

/* The answer to one request for it: 200, 206, 304, 412 or 416. A reference for the caller, or NULL
 * without memory. `range` is the Range header or NULL. */
struct cond_request;
struct reply;
struct reply *entity_reply(struct entity *e, const struct cond_request *cond, const char *range);
