/* SPDX-License-Identifier: Apache-2.0 */
#include "client/resume.h"
#include "common/base/fsio.h"

#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <sys/file.h>

#define FOLDER      "modelctl/uploads"
#define LOCK_SUFFIX ".lock"

static bool place_folder(char buf[PATH_MAX])
{
	const char *state = getenv("XDG_STATE_HOME"), *home = getenv("HOME");

	if (state && state[0] == '/')
		return snprintf(buf, PATH_MAX, "%s/" FOLDER, state) < PATH_MAX;
	return home && home[0] == '/' &&
		snprintf(buf, PATH_MAX, "%s/.local/state/" FOLDER, home) < PATH_MAX;
}

/* One name for what the upload is: a digest of the three. */
static bool place_file(const struct run *run, const char *model, const struct digest *root,
	const char *suffix, char buf[PATH_MAX])
{
	CLEANUP_BUF struct buf text = BUF_INIT(8192);
	char hex[DIGEST_HEX + 1], folder[PATH_MAX];
	struct digest digest;
	struct err ignored;

	buf_addf(&text, "%s\n%s\n%s", run->settings->server, model, digest_hex(root, hex));
	return !buf_failed(&text) && place_folder(folder) &&
		digest_of(text.data, text.len, &digest, &ignored) == 0 &&
		snprintf(buf, PATH_MAX, "%s/%s%s", folder, digest_hex(&digest, hex), suffix) <
		PATH_MAX;
}

int resume_lock(const struct run *run, const char *model, const struct digest *root)
{
	char folder[PATH_MAX], path[PATH_MAX];
	CLEANUP_FD int fd = -1;
	struct err ignored;

	if (!place_folder(folder) || fsio_mkdirs(folder, &ignored) < 0 ||
		!place_file(run, model, root, LOCK_SUFFIX, path))
		return -1;
	fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);
	if (fd < 0 || flock(fd, LOCK_EX | LOCK_NB) < 0)
		return -1;
	return take_fd(&fd);
}

void resume_find(const struct run *run, const char *model, const struct digest *root,
	char id[RESUME_ID_MAX + 1])
{
	CLEANUP_FREE char *text = NULL;
	char path[PATH_MAX];
	struct err ignored;
	size_t n;

	id[0] = '\0';
	if (!place_file(run, model, root, "", path) || access(path, F_OK) < 0 ||
		fsio_read_file(AT_FDCWD, path, RESUME_ID_MAX, &text, &n, &ignored) < 0)
		return;
	for (size_t i = 0; i < n; i++)
		if (!str_is_lower(text[i]) && !str_is_digit(text[i]))
			return;
	(void)snprintf(id, RESUME_ID_MAX + 1, "%s", text ? text : "");
}

void resume_keep(const struct run *run, const char *model, const struct digest *root,
	const char *id)
{
	char folder[PATH_MAX], path[PATH_MAX];
	struct err ignored;

	if (place_folder(folder) && fsio_mkdirs(folder, &ignored) == 0 &&
		place_file(run, model, root, "", path))
		(void)fsio_write_file(path, id, strlen(id), &ignored);
}

void resume_forget(const struct run *run, const char *model, const struct digest *root)
{
	char path[PATH_MAX];

	if (place_file(run, model, root, "", path))
		(void)unlink(path);
	if (place_file(run, model, root, LOCK_SUFFIX, path))
		(void)unlink(path);
}
