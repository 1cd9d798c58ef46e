/* SPDX-License-Identifier: Apache-2.0 */
#include "common/store/backupmark.h"
#include "common/base/fsio.h"

#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <unistd.h>

static const char text[] =
	"This is a backup of a store of modeld. `modeld restore` makes a store of it.\n";

static int path_in(const char *dir, char path[PATH_MAX], struct err *e)
{
	if (snprintf(path, PATH_MAX, "%s/BACKUP", dir) >= PATH_MAX)
		return err_sys(e, ENAMETOOLONG, "cannot use %s", dir);
	return 0;
}

bool backupmark_is_there(const char *dir)
{
	char path[PATH_MAX];
	struct err ignored;

	return path_in(dir, path, &ignored) == 0 && access(path, F_OK) == 0;
}

int backupmark_make(const char *dir, struct err *e)
{
	char path[PATH_MAX];
	int r = path_in(dir, path, e);

	if (r == 0)
		r = fsio_write_file(path, text, sizeof(text) - 1, e);
	return r < 0 ? r : fsio_sync_dir(AT_FDCWD, dir, e);
}
