/* SPDX-License-Identifier: Apache-2.0 */
/* What a request is called elsewhere: ids that clients and proxies bring along. Pure. */
#pragma once

#include "common/base/str.h"

#include <stdbool.h>

#define REQID_MAX   64 /* of an X-Request-Id */
#define REQID_TRACE 32 /* of a trace id */

/* May this X-Request-Id stand in logs and answers? 1 to REQID_MAX letters, digits and -._:+/=@, and
 * nothing that looks like a token or a link, which are no names. */
bool reqid_is_sane(struct str id);

/* The trace id of a traceparent (W3C Trace Context, 2021-11-23, 3.2), of version 00 or a later one;
 * false, and `ret` untouched, when it is not valid. NUL terminated. */
bool reqid_trace(struct str traceparent, char ret[REQID_TRACE + 1]);
