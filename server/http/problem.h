/* SPDX-License-Identifier: Apache-2.0 */
/* The one function that turns an error into an answer: application/problem+json (RFC 9457). */
#pragma once

#include "server/http/reply.h"

/* {"type":"urn:modeld:problem:<slug>","title","status","detail","code","request_id","error"} and
 * "errors": the JSON array `errors_json` when it is not NULL. `error` repeats the detail, for
 * clients of TensorFlow Serving. Sets X-Error-Code and Cache-Control: no-store; 503 gets
 * Retry-After, 401 WWW-Authenticate. NULL without memory. */
struct reply *problem_reply(const struct err *e, const char *request_id, const char *errors_json,
	size_t errors_n);

/* The same status and headers with an empty body: what a TensorFlow.js client may get for a shard,
 * since it decodes whatever body it is sent. */
struct reply *problem_reply_empty(const struct err *e);
