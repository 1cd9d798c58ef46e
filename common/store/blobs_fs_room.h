/* SPDX-License-Identifier: Apache-2.0 */
/* Room for a file of which it is known how long it will be. To find blocks for megabytes at a time
 * (fallocate(2)) takes ext4 a third of the time off that writing takes otherwise, when it keeps
 * account of each page. It is made as the bytes come, so that whoever says much and sends little
 * holds little; and where it cannot be made, writing tells why, or does without.
 */
#pragma once

#include <stddef.h>
#include <stdint.h>

#define BLOBS_FS_ROOM_BYTES (4u << 20) /* at a time */

/* All zero for a file that nothing is known of. */
struct blobs_fs_room {
	uint64_t expected; /* its size at the end; 0 */
	uint64_t made;     /* for so many of its bytes */
};

/* `n` bytes are about to be written from `at` on. May wait for the disk. */
void blobs_fs_room_make(struct blobs_fs_room *r, int fd, uint64_t at, size_t n);
/* The file has `size` bytes, and no more will come: what was too much is given back. */
void blobs_fs_room_trim(struct blobs_fs_room *r, int fd, uint64_t size);
