/* SPDX-License-Identifier: Apache-2.0 */
#include "common/store/storelock.h"
#include "common/base/fsio.h"

#include <fcntl.h>
#include <sys/file.h>

int storelock_take(const char *dir, int *ret_fd, struct err *e)
{
	CLEANUP_FD int dirfd = -1;
	CLEANUP_FD int fd = -1;
	int r = fsio_mkdirs(dir, e);

	if (r == 0)
		r = fsio_open_dir(AT_FDCWD, dir, &dirfd, e);
	if (r < 0)
		return r;
	fd = openat(dirfd, "lock", O_RDWR | O_CREAT | O_CLOEXEC, 0640);
	if (fd < 0)
		return err_sys(e, errno, "cannot open %s/lock", dir);
	if (flock(fd, LOCK_EX | LOCK_NB) < 0) {
		if (errno == EWOULDBLOCK)
			return err_set(e, ERR_CONFIG,
				"another modeld uses this store (%s/lock is taken)", dir);
		return err_sys(e, errno, "cannot lock %s/lock", dir);
	}
	*ret_fd = take_fd(&fd);
	return 0;
}
