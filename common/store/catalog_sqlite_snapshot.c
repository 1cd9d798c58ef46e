/* SPDX-License-Identifier: Apache-2.0 */
#include "common/store/catalog_sqlite_snapshot.h"
#include "common/base/fsio.h"

#include <errno.h>
#include <fcntl.h>
#include <unistd.h>

/* ---- writing ---- */

/* Reading only, but a connection that may only read refuses it. */
static int vacuum_into(struct catalog_sqlite_conn *c, const char *to, struct err *e)
{
	static const char sql[] = "VACUUM INTO $1";
	CATALOG_SQLITE_QUERY q = catalog_sqlite_conn_query(c, sql);

	catalog_sqlite_conn_text(&q, "$1", to);
	return catalog_sqlite_conn_run(&q, e);
}

/* SQLite leaves that to whoever asked for the copy. */
static int sync_file(const char *to, struct err *e)
{
	CLEANUP_FD int fd = open(to, O_RDONLY | O_CLOEXEC);

	return fd < 0 ? err_sys(e, errno, "cannot open %s", to) : fsio_sync(fd, to, e);
}

int catalog_sqlite_snapshot_write(const char *path, const char *to, struct err *e)
{
	struct catalog_sqlite_conn c;
	int r;

	if (unlink(to) < 0 && errno != ENOENT)
		return err_sys(e, errno, "cannot replace %s", to);
	r = catalog_sqlite_conn_open(path, CATALOG_SQLITE_CONN_WRITE, &c, e);
	if (r < 0)
		return r;
	r = vacuum_into(&c, to, e);
	catalog_sqlite_conn_close(&c);
	return r < 0 ? r : sync_file(to, e);
}

/* ---- what belongs in it ---- */

static int count_versions(struct catalog_sqlite_conn *c, uint64_t *ret, struct err *e)
{
	static const char sql[] = "SELECT COUNT(*) FROM versions WHERE deleted = 0";
	CATALOG_SQLITE_QUERY q = catalog_sqlite_conn_query(c, sql);
	bool row;
	int r = catalog_sqlite_conn_row(&q, &row, e);

	if (r == 0)
		*ret = catalog_sqlite_conn_col_uint(&q, 0);
	return r;
}

int catalog_sqlite_snapshot_strip(struct catalog_sqlite_conn *c, uint64_t *ret_versions,
	struct err *e)
{
	static const char sql[] =
		"DELETE FROM upload_parts; DELETE FROM upload_files; DELETE FROM uploads;"
		"DELETE FROM jobs; DELETE FROM fetched; DELETE FROM mirrors;"
		"DELETE FROM intents; DELETE FROM trash; DELETE FROM damage;"
		"UPDATE scrub SET underway = 0, started = 0, position = '', finished = 0,"
		" found = 0;"
		"DELETE FROM variants WHERE NOT EXISTS"
		" (SELECT 1 FROM version_files f WHERE f.digest = variants.digest);"
		"DELETE FROM blobs WHERE NOT EXISTS"
		" (SELECT 1 FROM version_files f WHERE f.digest = blobs.digest)"
		" AND NOT EXISTS (SELECT 1 FROM variants x WHERE x.form = blobs.digest)";
	int r = catalog_sqlite_conn_exec(c, sql, e);

	return r < 0 ? r : count_versions(c, ret_versions, e);
}
