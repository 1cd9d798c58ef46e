/* SPDX-License-Identifier: Apache-2.0 */
/* A representation that GET and HEAD can be answered with: bytes, validators and headers, with its
 * 200 and 304 answers built once; in one form, or in several content codings among which
 * Accept-Encoding chooses (coding.h). Reference counted; shared between requests and threads;
 * immutable. */
#pragma once

#include "common/base/buf.h"
#include "server/http/coding.h"

#include <stdint.h>

struct entity;

struct entity_header {
	const char *name;
	const char *value;
};

/* The bytes in one coding. */
struct entity_form {
	const void *bytes; /* valid until release(cls) */
	uint64_t size;
	void (*release)(void *cls); /* may be NULL */
	void *cls;
	const char *etag;        /* quoted, strong: "\"sha256-...\""; another one for each form */
	const char *repr_digest; /* RFC 9530: of these bytes; NULL for none */
};

struct entity_options {
	/* Identity is always there; another one where it has an etag. */
	struct entity_form forms[CODINGS_N];
	/* Other forms may come later: caches are told that the coding is negotiated. */
	bool is_negotiated;
	const char *content_type;
	uint64_t modified_ms; /* 0: no Last-Modified */
	const char *cache_control;
	const struct entity_header *headers; /* further ones, on 200, 206 and 304 alike */
	size_t headers_n;
};

/* NULL without memory. Every form that is there has been released then. */
struct entity *entity_new(const struct entity_options *o);
struct entity *entity_ref(struct entity *e);
void entity_unref(struct entity *e); /* accepts NULL */
DEFINE_CLEANUP(struct entity, entity_unref)

/* The answer to one request for it: 200, 206, 304, 406, 412 or 416. A reference for the caller, or
 * NULL without memory. Conditions are judged by the form that the request gets; a range is cut from
 * identity alone, a coded form is sent whole (RFC 9110 14.2 lets a server ignore Range). */
struct cond_request;
struct reply;
struct entity_request {
	const struct cond_request *cond;
	const char *accept_encoding; /* header values; NULL when absent */
	const char *range;
};
struct reply *entity_reply(struct entity *e, const struct entity_request *r);
