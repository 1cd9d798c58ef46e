/* SPDX-License-Identifier: Apache-2.0 */
/* Query parameters of lists. */
#pragma once

#include "server/http/req.h"

#define API_PAGE_MAX 500

/* `limit`: 50 when it is absent. ERR_BAD_PARAMETER. */
int api_page_limit(struct req *r, size_t *ret, struct err *e);
/* `page_token` of a list that goes down by number; 0 when it is absent. ERR_BAD_PARAMETER. */
int api_page_below(struct req *r, uint64_t *ret, struct err *e);
