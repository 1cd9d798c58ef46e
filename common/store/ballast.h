/* SPDX-License-Identifier: Apache-2.0 */
/* <store>/ballast: a file of zeros that takes room until a full disk needs it back. Removing a
 * version first adds to the catalog's log; where that has no room, letting go of the ballast gives
 * it some. All of this blocks. `dirfd` is the store's directory, or -1 for no ballast at all.
 */
#pragma once

#include "common/base/err.h"

#include <stdbool.h>
#include <stdint.h>

#define BALLAST_BYTES (UINT64_C(4) << 20)

/* Make it, where it is not there and `free_bytes` of the disk allow it besides `spare_bytes`. A
 * disk that is too full for it is no failure. */
int ballast_keep(int dirfd, uint64_t free_bytes, uint64_t spare_bytes, struct err *e);
bool ballast_is_there(int dirfd);
/* True when another try is worth it: it is gone now, perhaps because somebody else let go of it. */
bool ballast_let_go(int dirfd);
