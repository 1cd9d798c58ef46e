/* SPDX-License-Identifier: Apache-2.0 */
/* multipart/form-data (RFC 7578, RFC 2046 5.1), read as a stream in pieces of any size. Pure.
 *
 * What real clients send is in the tests: undici, Chromium, Firefox, curl, Python requests.
 * Accepted as RFC 2046 allows: a preamble, an epilogue, transport padding behind a boundary, a last
 * line without CRLF, quoted and bare parameter values, any parameter order, any header case,
 * headers that we do not know. Refused (ERR_BAD_MULTIPART): no or bad boundary, a part without
 * form-data disposition or with neither name nor filename, a parameter given twice, folded or
 * over-long headers, an encoded part (Content-Transfer-Encoding), too many parts, a body that ends
 * before the closing boundary.
 *
 * Only a whole delimiter line (CRLF "--" boundary, blanks, CRLF) ends a part. RFC 2046 5.1.1 would
 * also let a line that merely starts with the boundary end it; here that is payload. A body without
 * parts is fine. How names are unquoted is said in multipart_head.h.
 */
#pragma once

#include "common/base/err.h"
#include "common/base/str.h"

#define MULTIPART_BOUNDARY_MAX 200  /* RFC 2046 says 70; clients are trusted a little further */
#define MULTIPART_HEAD_MAX     8192 /* bytes of one part's header block */
#define MULTIPART_PARTS_MAX    20000

struct multipart_part {
	struct str name;     /* of the form field; n == 0 when absent */
	struct str filename; /* n == 0 when absent; filename* (RFC 5987, UTF-8) wins. As sent: with
	                      * its directories, and not yet judged as a path. */
	struct str content_type;
};

/* Called in stream order; a negative answer stops the parser, which returns it and repeats it. The
 * strings live for the call only. Payload is handed over where it stands in the fed bytes, except
 * for what looked like a delimiter at their end; data() is never called with nothing. */
struct multipart_handler {
	int (*begin)(void *cls, const struct multipart_part *part, struct err *e);
	int (*data)(void *cls, const char *bytes, size_t n, struct err *e);
	int (*end)(void *cls, struct err *e);
};

struct multipart;

/* `content_type` is the request's header value: ERR_UNSUPPORTED_MEDIA_TYPE when it is not
 * multipart/form-data, ERR_BAD_MULTIPART when its boundary is missing or malformed. */
int multipart_new(struct str content_type, const struct multipart_handler *handler, void *cls,
	struct multipart **ret, struct err *e);
int multipart_feed(struct multipart *m, const char *bytes, size_t n, struct err *e);
/* The body has ended. */
int multipart_finish(struct multipart *m, struct err *e);
void multipart_free(struct multipart *m);
DEFINE_CLEANUP(struct multipart, multipart_free)
