/* SPDX-License-Identifier: Apache-2.0 */
#include "common/store/blobs_fs_map.h"
#include "common/base/fsio.h"

#include <sys/mman.h>

/* Behind the end of a file that was cut, the pages of a mapping cannot be read, which ends an
 * answer short. The page that the end is in can: what is gone of it reads as zeros, and in the last
 * page nothing comes behind them that would end the answer. So that one is made a copy: a private
 * page stays as it is while the file reaches into it, and goes with the others when it does not.
 * The kernel writes it, to whom a page that cannot be read is an error. Nothing is reserved, hence
 * the mapping becomes one again behind it, and only this page counts as memory. */
static int copy_last_page(int fd, uint8_t *map, uint64_t size, const char *what, struct err *e)
{
	size_t n = (size_t)(size % (uint64_t)sysconf(_SC_PAGESIZE));
	uint8_t *last = map + (size - n);
	int r;

	if (n == 0)
		return 0;
	if (mprotect(last, n, PROT_READ | PROT_WRITE) < 0)
		return err_sys(e, errno, "cannot map %s", what);
	r = fsio_read_at(fd, size - n, last, n, what, e);
	if (r == 0 && mprotect(last, n, PROT_READ) < 0)
		r = err_sys(e, errno, "cannot map %s", what);
	return r;
}

int blobs_fs_map(int fd, uint64_t size, const char *what, const uint8_t **ret, struct err *e)
{
	void *p;
	int r;

	*ret = NULL;
	if (size == 0)
		return 0;
	p = mmap(NULL, size, PROT_READ, MAP_PRIVATE | MAP_NORESERVE, fd, 0);
	if (p == MAP_FAILED)
		return err_sys(e, errno, "cannot map %s", what);
	r = copy_last_page(fd, p, size, what, e);
	if (r < 0)
		blobs_fs_map_end(p, size);
	else
		*ret = p;
	return r;
}

void blobs_fs_map_end(const uint8_t *bytes, uint64_t size)
{
	(void)munmap((void *)(uintptr_t)bytes, size);
}
