/* SPDX-License-Identifier: Apache-2.0 */
/* How long to wait before a transfer is tried again. Pure. */
#pragma once

#include <stdint.h>

#define IMPORT_RETRY_FIRST_MS UINT64_C(500)    /* the most before the second try */
#define IMPORT_RETRY_MOST_MS  UINT64_C(60000)  /* and before any */
#define IMPORT_RETRY_AFTER_MS UINT64_C(300000) /* up to which Retry-After is honoured */

/* After so many failures, from 1, of which the last asked for `after_ms` (Retry-After, 0 for
 * nothing). Exponential, with full jitter: any time up to a bound that doubles, so that those who
 * failed together do not come back together. Never less than what was asked for, up to the bound
 * above. `random` is uniform in all its bits. */
uint64_t import_retry_wait(unsigned failures, uint64_t after_ms, uint64_t random);
