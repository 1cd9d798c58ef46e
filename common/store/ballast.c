/* SPDX-License-Identifier: Apache-2.0 */
#include "common/store/ballast.h"
#include "common/base/num.h"

#include <fcntl.h>
#include <sys/stat.h>

static const char name[] = "ballast";

bool ballast_is_there(int dirfd)
{
	struct stat st;

	return dirfd < 0 || (fstatat(dirfd, name, &st, AT_SYMLINK_NOFOLLOW) == 0 &&
		(uint64_t)st.st_size >= BALLAST_BYTES);
}

/* Another process may be at it too: both end with the same file. */
static int make(int dirfd, struct err *e)
{
	CLEANUP_FD int fd = openat(dirfd, name, O_WRONLY | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);
	int failed;

	if (fd < 0)
		return err_sys(e, errno, "cannot make the file ballast of the store");
	failed = posix_fallocate(fd, 0, (off_t)BALLAST_BYTES);
	if (failed == 0)
		return 0;
	(void)unlinkat(dirfd, name, 0);
	return err_sys(e, failed, "cannot make the file ballast of the store");
}

int ballast_keep(int dirfd, uint64_t free_bytes, uint64_t spare_bytes, struct err *e)
{
	uint64_t needed;
	int r;

	if (ballast_is_there(dirfd) || !num_add(spare_bytes, BALLAST_BYTES, &needed) ||
		free_bytes < needed)
		return 0;
	r = make(dirfd, e);
	return r == -(int)ERR_STORAGE_FULL ? 0 : r;
}

bool ballast_let_go(int dirfd)
{
	return dirfd >= 0 && (unlinkat(dirfd, name, 0) == 0 || errno == ENOENT);
}
