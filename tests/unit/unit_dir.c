/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/unit/unit_dir.h"
#include "tests/unit/unit.h"

#include <ftw.h>
#include <limits.h>
#include <stdlib.h>
#include <unistd.h>

#define OPEN_DIRS 16

char unit_dir_path[PATH_MAX];
static unsigned files_seen;

void unit_dir_make(void)
{
	const char *tmp = getenv("TMPDIR");

	(void)snprintf(unit_dir_path, sizeof(unit_dir_path), "%s/modeld-unit-XXXXXX",
		tmp ? tmp : "/tmp");
	ck_assert_ptr_nonnull(mkdtemp(unit_dir_path));
}

static int remove_entry(const char *path, const struct stat *st, int type, struct FTW *ftw)
{
	(void)st;
	(void)type;
	(void)ftw;
	return remove(path);
}

void unit_dir_remove(void)
{
	(void)nftw(unit_dir_path, remove_entry, OPEN_DIRS, FTW_DEPTH | FTW_PHYS);
}

static int count_entry(const char *path, const struct stat *st, int type, struct FTW *ftw)
{
	(void)path;
	(void)st;
	(void)ftw;
	if (type == FTW_F)
		files_seen++;
	return 0;
}

unsigned unit_dir_count(const char *sub)
{
	files_seen = 0;
	(void)nftw(unit_dir_file(sub), count_entry, OPEN_DIRS, FTW_PHYS);
	return files_seen;
}

const char *unit_dir_file(const char *name)
{
	static char path[PATH_MAX];

	ck_assert_int_lt(snprintf(path, sizeof(path), "%s/%s", unit_dir_path, name), PATH_MAX);
	return path;
}
