/* SPDX-License-Identifier: Apache-2.0 */
/* <dir>/BACKUP tells a backup from a store, which has the same layout: a daemon does not use a
 * directory that has it, and a backup is made in no other. Both calls block. */
#pragma once

#include "common/base/err.h"

bool backupmark_is_there(const char *dir);
/* Durable on return. */
int backupmark_make(const char *dir, struct err *e);
