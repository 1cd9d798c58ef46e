/* SPDX-License-Identifier: Apache-2.0 */
/* Mapping the file of a blob. For blobs_fs.c alone. */
#pragma once

#include "common/base/err.h"

#include <stdint.h>

/* `size` is that of the file; of none *ret is NULL. `what` is for messages. May wait for the disk.
 * ERR_CORRUPT when the file has become shorter. */
int blobs_fs_map(int fd, uint64_t size, const char *what, const uint8_t **ret, struct err *e);
void blobs_fs_map_end(const uint8_t *bytes, uint64_t size);
