/* SPDX-License-Identifier: Apache-2.0 */
/* Which media type a request wants (RFC 9110 12.5.1). Pure. */
#pragma once

#include "common/base/str.h"

#define ACCEPT_WEIGHT_MAX 1000 /* q=1, in thousandths */

/* Does Accept (NULL when absent) name `type`, as it is and not by a range, with a weight that is
 * not 0 nor below that of `usual`, which everybody else gets? Parameters other than q count for
 * nothing. A member that is malformed is as if it were not there; the first of several counts. */
bool accept_asks(const char *accept, const char *type, const char *usual);

/* qvalue (RFC 9110 12.4.2): "0" or "1" with up to three decimals. */
bool accept_weight(struct str s, int *ret);
