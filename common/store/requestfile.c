/* SPDX-License-Identifier: Apache-2.0 */
#include "common/store/requestfile.h"
#include "common/base/fsio.h"
#include "common/store/catalog_job.h"

#include <dirent.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define FOLDER      "jobs"
#define FOLDER_MODE 0700
#define FILE_MODE   0600
#define NEW         ".new" /* behind the id while the file is being written */
#define NEW_NAME    (CATALOG_JOB_ID + sizeof(NEW))
#define PIECE       4096

/* ---- names and the folder ---- */

static bool is_id(const char *name, size_t n)
{
	return n == CATALOG_JOB_ID && strspn(name, "0123456789abcdef") >= n;
}

static int require_id(const char *id, struct err *e)
{
	if (is_id(id, strlen(id)))
		return 0;
	return err_set(e, ERR_JOB_NOT_FOUND, "\"%.*s\" is no job", 2 * CATALOG_JOB_ID, id);
}

/* -1 when there is none; then errno tells. */
static int open_folder(int store_fd)
{
	return openat(store_fd, FOLDER, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
}

static int folder_failed(struct err *e)
{
	return err_sys(e, errno, "cannot open the directory " FOLDER " of the store");
}

static int make_folder(int store_fd, int *ret_fd, struct err *e)
{
	bool made = mkdirat(store_fd, FOLDER, FOLDER_MODE) == 0;
	int r = 0;

	if (!made && errno != EEXIST)
		return err_sys(e, errno, "cannot make the directory " FOLDER " of the store");
	if (made)
		r = fsio_sync(store_fd, "the store's directory", e);
	if (r < 0)
		return r;
	*ret_fd = open_folder(store_fd);
	return *ret_fd < 0 ? folder_failed(e) : 0;
}

/* ---- writing and reading ---- */

static int write_new(int dir_fd, const char *name, const void *bytes, size_t n, struct err *e)
{
	CLEANUP_FD int fd = openat(dir_fd, name,
		O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, FILE_MODE);
	int r;

	if (fd < 0)
		return err_sys(e, errno, "cannot make the request file of a job");
	r = fsio_write_all(fd, bytes, n, "the request file of a job", e);
	return r < 0 ? r : fsio_sync(fd, "the request file of a job", e);
}

static int write_in(int dir_fd, const char *id, const void *bytes, size_t n, struct err *e)
{
	char new[NEW_NAME];
	int r;

	(void)snprintf(new, sizeof(new), "%s" NEW, id);
	r = write_new(dir_fd, new, bytes, n, e);
	if (r == 0 && renameat(dir_fd, new, dir_fd, id) < 0)
		r = err_sys(e, errno, "cannot name the request file of a job");
	if (r < 0) {
		(void)unlinkat(dir_fd, new, 0);
		return r;
	}
	return fsio_sync(dir_fd, FOLDER, e);
}

int requestfile_write(int store_fd, const char *id, const void *bytes, size_t n, struct err *e)
{
	CLEANUP_FD int dir_fd = -1;
	int r = require_id(id, e);

	if (r == 0 && n > REQUESTFILE_MAX)
		r = err_set(e, ERR_TOO_LARGE, "the request has more than %u bytes, the limit",
			REQUESTFILE_MAX);
	if (r == 0)
		r = make_folder(store_fd, &dir_fd, e);
	return r < 0 ? r : write_in(dir_fd, id, bytes, n, e);
}

static int not_there(const char *id, struct err *e)
{
	return err_set(e, ERR_JOB_NOT_FOUND, "there is no request of job %s", id);
}

static int open_file(int store_fd, const char *id, int *ret_fd, struct err *e)
{
	CLEANUP_FD int dir_fd = open_folder(store_fd);

	if (dir_fd < 0)
		return errno == ENOENT ? not_there(id, e) : folder_failed(e);
	*ret_fd = openat(dir_fd, id, O_RDONLY | O_NOFOLLOW | O_CLOEXEC);
	if (*ret_fd < 0 && errno == ENOENT)
		return not_there(id, e);
	return *ret_fd < 0 ? err_sys(e, errno, "cannot open the request of job %s", id) : 0;
}

int requestfile_read(int store_fd, const char *id, struct buf *out, struct err *e)
{
	CLEANUP_FD int fd = -1;
	CLEANUP_FREE char *bytes = NULL;
	struct stat st;
	size_t n;
	int r = require_id(id, e);

	if (r == 0)
		r = open_file(store_fd, id, &fd, e);
	if (r < 0)
		return r;
	if (fstat(fd, &st) < 0)
		return err_sys(e, errno, "cannot read the request of job %s", id);
	if (!S_ISREG(st.st_mode) || st.st_size > (off_t)REQUESTFILE_MAX)
		return err_set(e, ERR_CORRUPT, FOLDER "/%s is no request of a job", id);
	n = (size_t)st.st_size;
	bytes = malloc(n + 1);
	if (!bytes)
		return err_nomem(e);
	r = fsio_read_at(fd, 0, bytes, n, "the request of a job", e);
	if (r == 0)
		buf_add(out, bytes, n);
	explicit_bzero(bytes, n);
	return r < 0 ? r : buf_check(out, "the request of a job", e);
}

uint64_t requestfile_written_ms(int store_fd, const char *id)
{
	CLEANUP_FD int dir_fd = open_folder(store_fd);
	struct stat st;

	if (dir_fd < 0 || !is_id(id, strlen(id)) ||
		fstatat(dir_fd, id, &st, AT_SYMLINK_NOFOLLOW) < 0)
		return 0;
	return (uint64_t)st.st_mtim.tv_sec * 1000 + (uint64_t)st.st_mtim.tv_nsec / 1000000;
}

bool requestfile_exists(int store_fd, const char *id)
{
	return requestfile_written_ms(store_fd, id) > 0;
}

/* ---- removing ---- */

static int overwrite(int dir_fd, const char *name, struct err *e)
{
	static const char zeros[PIECE];
	CLEANUP_FD int fd = openat(dir_fd, name, O_WRONLY | O_NOFOLLOW | O_CLOEXEC);
	struct stat st;
	int r = 0;

	if (fd < 0 || fstat(fd, &st) < 0)
		return err_sys(e, errno, "cannot overwrite the request file of a job");
	for (off_t left = st.st_size; r == 0 && left > 0; left -= PIECE)
		r = fsio_write_all(fd, zeros, left < PIECE ? (size_t)left : PIECE,
			"the request file of a job", e);
	return r < 0 ? r : fsio_sync(fd, "the request file of a job", e);
}

/* What matters is that the name goes: where overwriting fails, on a full disk that copies on write,
 * it would have been in vain too. */
static int remove_in(int dir_fd, const char *name, struct err *e)
{
	struct err ignored;

	(void)overwrite(dir_fd, name, &ignored);
	if (unlinkat(dir_fd, name, 0) == 0)
		return fsio_sync(dir_fd, FOLDER, e);
	return errno == ENOENT ? 0 : err_sys(e, errno, "cannot remove " FOLDER "/%s", name);
}

int requestfile_remove(int store_fd, const char *id, struct err *e)
{
	CLEANUP_FD int dir_fd = -1;
	int r = require_id(id, e);

	if (r < 0)
		return r;
	dir_fd = open_folder(store_fd);
	if (dir_fd < 0)
		return errno == ENOENT ? 0 : folder_failed(e);
	return remove_in(dir_fd, id, e);
}

/* ---- all of them ---- */

static void close_stream(DIR **dir)
{
	if (*dir)
		(void)closedir(*dir);
}

typedef int name_fn(void *cls, int dir_fd, const char *name, struct err *e);

static int each_name(int store_fd, name_fn *fn, void *cls, struct err *e)
{
	CLEANUP(close_stream) DIR *dir = NULL;
	int fd = open_folder(store_fd);
	int r = 0;

	if (fd < 0)
		return errno == ENOENT ? 0 : folder_failed(e);
	dir = fdopendir(fd);
	if (!dir) {
		r = folder_failed(e);
		(void)close(fd);
	}
	while (r == 0) {
		errno = 0;
		const struct dirent *entry = readdir(dir);
		if (!entry)
			return errno == 0 ? 0 : folder_failed(e);
		r = fn(cls, fd, entry->d_name, e);
	}
	return r;
}

struct listing {
	requestfile_fn *fn;
	void *cls;
};

static int list_name(void *cls, int dir_fd, const char *name, struct err *e)
{
	const struct listing *l = cls;

	(void)dir_fd;
	return is_id(name, strlen(name)) ? l->fn(l->cls, name, e) : 0;
}

int requestfile_list(int store_fd, requestfile_fn *fn, void *cls, struct err *e)
{
	struct listing l = {fn, cls};

	return each_name(store_fd, list_name, &l, e);
}

struct sweep {
	bool (*keep)(void *cls, const char *id);
	void *cls;
};

static int sweep_name(void *cls, int dir_fd, const char *name, struct err *e)
{
	const struct sweep *s = cls;
	size_t n = strlen(name);
	bool cut_off = n == CATALOG_JOB_ID + strlen(NEW) && is_id(name, CATALOG_JOB_ID) &&
		strcmp(name + CATALOG_JOB_ID, NEW) == 0;

	if (!cut_off && (!is_id(name, n) || s->keep(s->cls, name)))
		return 0;
	return remove_in(dir_fd, name, e);
}

int requestfile_sweep(int store_fd, bool (*keep)(void *cls, const char *id), void *cls,
	struct err *e)
{
	struct sweep s = {keep, cls};

	return each_name(store_fd, sweep_name, &s, e);
}
