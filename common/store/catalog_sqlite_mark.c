/* SPDX-License-Identifier: Apache-2.0 */
#include "common/store/catalog_sqlite_mark.h"

#include <fcntl.h>
#include <limits.h>
#include <stdatomic.h>
#include <stdio.h>
#include <sys/mman.h>
#include <sys/stat.h>

#define SUFFIX "-tokens"

struct catalog_sqlite_mark {
	void *map;
	_Atomic uint64_t *number; /* in it */
};

/* Bytes that are written have their place on the disk, so that a store into the map cannot fail. */
static bool has_number(int fd, bool make)
{
	const uint64_t first = 0;
	struct stat st;

	if (fstat(fd, &st) < 0)
		return false;
	if (st.st_size >= (off_t)sizeof(first))
		return true;
	return make && pwrite(fd, &first, sizeof(first), 0) == (ssize_t)sizeof(first);
}

struct catalog_sqlite_mark *catalog_sqlite_mark_open(const char *database, bool make)
{
	struct catalog_sqlite_mark *m;
	char path[PATH_MAX];
	void *at;

	_Static_assert(sizeof(_Atomic uint64_t) == sizeof(uint64_t), "others read plain bytes");
	if (snprintf(path, sizeof(path), "%s" SUFFIX, database) >= (int)sizeof(path))
		return NULL;
	CLEANUP_FD int fd = open(path, O_RDWR | O_CLOEXEC | O_NOFOLLOW | (make ? O_CREAT : 0),
		0640);
	if (fd < 0 || !has_number(fd, make))
		return NULL;
	at = mmap(NULL, sizeof(uint64_t), PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	if (at == MAP_FAILED)
		return NULL;
	m = malloc(sizeof(*m));
	if (!m) {
		(void)munmap(at, sizeof(uint64_t));
		return NULL;
	}
	m->map = at;
	m->number = at;
	return m;
}

void catalog_sqlite_mark_close(struct catalog_sqlite_mark *m)
{
	if (!m)
		return;
	(void)munmap(m->map, sizeof(uint64_t));
	free(m);
}

uint64_t catalog_sqlite_mark_read(const struct catalog_sqlite_mark *m)
{
	static _Atomic uint64_t unknown;

	return m ? atomic_load_explicit(m->number, memory_order_acquire)
		 : atomic_fetch_add(&unknown, 1);
}

void catalog_sqlite_mark_add(struct catalog_sqlite_mark *m)
{
	if (m)
		atomic_fetch_add(m->number, 1);
}
