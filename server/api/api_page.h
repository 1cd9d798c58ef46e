/* SPDX-License-Identifier: Apache-2.0 */
/* Query parameters of lists. */
#pragma once

#include "server/http/req.h"

#define API_PAGE_MAX      500
#define API_PAGE_DEFAULT  50
#define API_PAGE_LINK_MAX 8192 /* bytes of a Link */

/* Appends a parameter of the query: 1 when it is there, 0 when not, ERR_BAD_PARAMETER when it
 * cannot be decoded: whoever follows pages would begin anew for ever. */
int api_page_parameter(struct req *r, const char *key, struct buf *out, struct err *e);
/* `limit`: `fallback` when it is absent. ERR_BAD_PARAMETER. */
int api_page_limit(struct req *r, size_t fallback, size_t *ret, struct err *e);
/* `page_token` of a list that goes down by number; 0 when it is absent. ERR_BAD_PARAMETER. */
int api_page_below(struct req *r, uint64_t *ret, struct err *e);
/* The Link (RFC 8288) to the next page of the list at `path`, with what the list is of: keys and
 * values in turn, up to a NULL; those whose value is "" are left out. */
void api_page_link(struct buf *out, const char *path, size_t limit, const char *token,
	const char *const *filters);
#define API_PAGE_ALL ((const char *const[]){NULL})
