/* SPDX-License-Identifier: Apache-2.0 */
#include "common/base/fsio.h"
#include "common/base/str.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#define FSIO_DIR_MODE 0750

int fsio_open_dir(int dirfd, const char *path, int *ret_fd, struct err *e)
{
	int fd = openat(dirfd, path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);

	if (fd < 0)
		return err_sys(e, errno, "cannot open the directory %s", path);
	*ret_fd = fd;
	return 0;
}

int fsio_mkdir_at(int dirfd, const char *name, bool *ret_made, struct err *e)
{
	*ret_made = mkdirat(dirfd, name, FSIO_DIR_MODE) == 0;
	if (!*ret_made && errno != EEXIST)
		return err_sys(e, errno, "cannot make the directory %s", name);
	return 0;
}

/* The parent of `path`, "." when it has none. */
static void parent_of(const char *path, char *out, size_t size)
{
	const char *slash = strrchr(path, '/');

	if (!slash)
		(void)snprintf(out, size, ".");
	else if (slash == path)
		(void)snprintf(out, size, "/");
	else
		(void)snprintf(out, size, "%.*s", (int)(slash - path), path);
}

static int make_and_sync(const char *path, struct err *e)
{
	char parent[PATH_MAX];
	bool made;
	int r = fsio_mkdir_at(AT_FDCWD, path, &made, e);

	if (r < 0 || !made)
		return r;
	parent_of(path, parent, sizeof(parent));
	return fsio_sync_dir(AT_FDCWD, parent, e);
}

int fsio_mkdirs(const char *path, struct err *e)
{
	char part[PATH_MAX];
	size_t n = strlen(path);
	int r;

	if (n == 0 || n >= sizeof(part))
		return err_sys(e, n ? ENAMETOOLONG : ENOENT, "cannot make the directory \"%s\"",
			path);
	memcpy(part, path, n + 1);
	for (size_t i = 1; i < n; i++) {
		if (part[i] != '/')
			continue;
		part[i] = '\0';
		r = make_and_sync(part, e);
		if (r < 0)
			return r;
		part[i] = '/';
	}
	return make_and_sync(part, e);
}

int fsio_write_all(int fd, const void *bytes, size_t n, const char *what, struct err *e)
{
	const char *p = bytes;

	while (n > 0) {
		ssize_t done = write(fd, p, n);
		if (done < 0 && errno == EINTR)
			continue;
		if (done < 0)
			return err_sys(e, errno, "cannot write %s", what);
		p += done;
		n -= (size_t)done;
	}
	return 0;
}

int fsio_print(const struct buf *text, struct err *e)
{
	int r = buf_check(text, "the text", e);

	return r < 0 ? r : fsio_write_all(STDOUT_FILENO, buf_str(text), text->len,
			       "to standard output", e);
}

int fsio_read_at(int fd, uint64_t offset, void *buf, size_t n, const char *what, struct err *e)
{
	char *p = buf;

	while (n > 0) {
		ssize_t done = pread(fd, p, n, (off_t)offset);
		if (done < 0 && errno == EINTR)
			continue;
		if (done < 0)
			return err_sys(e, errno, "cannot read %s", what);
		if (done == 0)
			return err_set(e, ERR_CORRUPT, "%s ends at byte %llu", what,
				(unsigned long long)offset);
		p += done;
		offset += (uint64_t)done;
		n -= (size_t)done;
	}
	return 0;
}

int fsio_sync(int fd, const char *what, struct err *e)
{
	if (fsync(fd) < 0)
		return err_sys(e, errno, "cannot sync %s to the disk", what);
	return 0;
}

int fsio_sync_dir(int dirfd, const char *path, struct err *e)
{
	CLEANUP_FD int fd = -1;
	int r = fsio_open_dir(dirfd, path, &fd, e);

	return r < 0 ? r : fsio_sync(fd, path, e);
}

static int read_all(int fd, const char *path, struct buf *out, struct err *e)
{
	char piece[16384];

	for (;;) {
		ssize_t n = read(fd, piece, sizeof(piece));
		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return err_sys(e, errno, "cannot read %s", path);
		if (n == 0)
			break;
		buf_add(out, piece, (size_t)n);
		if (buf_failed(out))
			break;
	}
	buf_add(out, "", 0);
	return buf_check(out, path, e);
}

int fsio_read_file(int dirfd, const char *path, size_t max, char **ret, size_t *ret_n,
	struct err *e)
{
	CLEANUP_FD int fd = openat(dirfd, path, O_RDONLY | O_CLOEXEC);
	CLEANUP_BUF struct buf content = BUF_INIT(max);
	int r;

	if (fd < 0)
		return err_sys(e, errno, "cannot open %s", path);
	r = read_all(fd, path, &content, e);
	if (r < 0)
		return r;
	*ret = buf_take(&content, ret_n);
	return 0;
}

int fsio_write_file(const char *path, const void *bytes, size_t n, struct err *e)
{
	char temporary[PATH_MAX];
	CLEANUP_FD int fd = -1;
	int r;

	if (snprintf(temporary, sizeof(temporary), "%s.%ld", path, (long)getpid()) >= PATH_MAX)
		return err_sys(e, ENAMETOOLONG, "cannot write %s", path);
	fd = open(temporary, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0644);
	if (fd < 0)
		return err_sys(e, errno, "cannot create %s", temporary);
	r = fsio_write_all(fd, bytes, n, temporary, e);
	if (r == 0 && rename(temporary, path) < 0)
		r = err_sys(e, errno, "cannot rename %s to %s", temporary, path);
	if (r < 0)
		(void)unlink(temporary);
	return r;
}
