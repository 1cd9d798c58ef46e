/* SPDX-License-Identifier: Apache-2.0 */
/* One daemon a store: an exclusive flock(2) on <dir>/lock. The kernel drops it with the process. */
#pragma once

#include "common/base/err.h"

/* ERR_CONFIG when another process has it. Closing *ret_fd gives it up. */
int storelock_take(const char *dir, int *ret_fd, struct err *e);
