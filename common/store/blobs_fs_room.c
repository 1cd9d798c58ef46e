/* SPDX-License-Identifier: Apache-2.0 */
#include "common/store/blobs_fs_room.h"

#include <fcntl.h>
#include <unistd.h>

#define LEAST (256u << 10) /* bytes that it is worth a call for */

void blobs_fs_room_make(struct blobs_fs_room *r, int fd, uint64_t at, size_t n)
{
	uint64_t left;

	if (at >= r->expected || n > r->expected - at || at + n <= r->made)
		return;
	left = r->expected - at;
	if (left < LEAST)
		return;
	if (left > BLOBS_FS_ROOM_BYTES)
		left = BLOBS_FS_ROOM_BYTES > n ? BLOBS_FS_ROOM_BYTES : n;
	if (fallocate(fd, FALLOC_FL_KEEP_SIZE, (off_t)at, (off_t)left) == 0)
		r->made = at + left;
	else
		r->expected = 0;
}

/* Where that fails, it stays as long as the file. */
void blobs_fs_room_trim(struct blobs_fs_room *r, int fd, uint64_t size)
{
	int ignored = r->made > size ? ftruncate(fd, (off_t)size) : 0;

	(void)ignored;
	r->made = r->expected = 0;
}
