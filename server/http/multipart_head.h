/* SPDX-License-Identifier: Apache-2.0 */
/* The words of a multipart body: the media type of the whole and the header block of a part. Pure;
 * knows nothing of streams.
 *
 * Text is decoded where it stands (it only ever shrinks), so results point into the caller's bytes.
 * Parameter values are quoted strings or bare words. In a quoted string \" and \\ are undone and
 * any other backslash is kept, since browsers do not escape them. In name and filename %22 becomes
 * '"', which is how browsers send it (HTML, "multipart/form-data encoding algorithm"); their %0D
 * and %0A stay as sent, as does every other escape.
 */
#pragma once

#include "server/http/multipart.h"

/* Boundary of a Content-Type value. ERR_UNSUPPORTED_MEDIA_TYPE or ERR_BAD_MULTIPART. */
int multipart_head_boundary(char *content_type, size_t n, struct str *ret, struct err *e);

/* The header lines of one part, each with its CRLF, without the empty line. ERR_BAD_MULTIPART. */
int multipart_head_part(char *block, size_t n, struct multipart_part *ret, struct err *e);
