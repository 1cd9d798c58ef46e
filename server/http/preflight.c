/* SPDX-License-Identifier: Apache-2.0 */
#include "server/http/preflight.h"
#include "server/http/router.h"

#define METHODS_MAX 128

struct reply *preflight_reply(unsigned methods, bool may_write)
{
	CLEANUP_BUF struct buf allow = BUF_INIT(METHODS_MAX);
	struct reply *r = reply_empty(204);

	router_allow(methods, &allow);
	if (methods)
		reply_header(r, "Allow", buf_str(&allow));
	reply_header(r, "Access-Control-Allow-Methods",
		methods && may_write ? buf_str(&allow) : "GET, HEAD");
	reply_header(r, "Access-Control-Allow-Headers",
		"Accept, Authorization, Cache-Control, Content-Digest, Content-Encoding, "
		"Content-Type, If-Match, If-Modified-Since, If-None-Match, If-Range, "
		"If-Unmodified-Since, Pragma, Range, Repr-Digest, Upload-Complete, Upload-Offset, "
		"X-Request-Id, X-Requested-With");
	reply_header(r, "Access-Control-Max-Age", "86400");
	reply_header(r, "Vary", "Origin");
	return r;
}
