/* SPDX-License-Identifier: Apache-2.0 */
/* Blobs as files of a local directory:
 *
 *   <dir>/blobs/ab/cd/<sha256>.<gen>   mode 0440, never written again; ab and cd are the digest's
 *                                      first bytes, their directories made when first needed
 *   <dir>/tmp/<random>                 what is on its way in
 *   <dir>/uploads/<name>               parts
 *
 * One process at a time (storelock.h).
 */
#pragma once

#include "common/store/blobs.h"

/* `dir` is made when it does not exist. */
int blobs_fs_open(const char *dir, struct blobs **ret, struct err *e);
