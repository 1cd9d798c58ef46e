/* SPDX-License-Identifier: Apache-2.0 */
#include "common/store/catalog_sqlite_schema.h"
#include "common/base/num.h"
#include "common/store/catalog_sqlite_usage.h"

#include <string.h>

/* Migration i brings a database from schema version i to i + 1. A migration that was released is
 * never changed. Times are milliseconds since 1970, digests lower-case hex. */
static const char *const migrations[] = {
	/* `next_version`: the number that the next publish takes; `latest`: the newest there is */
	"CREATE TABLE models ("
	" name TEXT COLLATE \"C\" NOT NULL PRIMARY KEY,"
	" next_version BIGINT NOT NULL,"
	" latest BIGINT NOT NULL,"
	" created BIGINT NOT NULL,"
	" updated BIGINT NOT NULL);"

	"CREATE TABLE versions ("
	" model TEXT COLLATE \"C\" NOT NULL REFERENCES models (name),"
	" version BIGINT NOT NULL,"
	" root TEXT NOT NULL,"
	" created BIGINT NOT NULL,"
	" bytes BIGINT NOT NULL,"
	" info TEXT NOT NULL,"
	" PRIMARY KEY (model, version));"
	"CREATE INDEX versions_root ON versions (model, root, version);"
	"CREATE INDEX versions_bytes ON versions (model, bytes);"

	/* `touched`: when a publish last asked for it; a collection leaves recent ones alone. */
	"CREATE TABLE blobs ("
	" digest TEXT NOT NULL PRIMARY KEY,"
	" gen TEXT NOT NULL,"
	" size BIGINT NOT NULL,"
	" touched BIGINT NOT NULL);"

	"CREATE TABLE version_files ("
	" model TEXT COLLATE \"C\" NOT NULL,"
	" version BIGINT NOT NULL,"
	" path TEXT COLLATE \"C\" NOT NULL,"
	" digest TEXT NOT NULL REFERENCES blobs (digest),"
	" PRIMARY KEY (model, version, path),"
	" FOREIGN KEY (model, version) REFERENCES versions (model, version));"
	"CREATE INDEX version_files_digest ON version_files (digest);"

	"CREATE TABLE intents ("
	" digest TEXT NOT NULL,"
	" gen TEXT NOT NULL,"
	" expires BIGINT NOT NULL,"
	" PRIMARY KEY (digest, gen));"
	"CREATE INDEX intents_expires ON intents (expires);"

	"CREATE TABLE trash ("
	" digest TEXT NOT NULL,"
	" gen TEXT NOT NULL,"
	" due BIGINT NOT NULL,"
	" PRIMARY KEY (digest, gen));"
	"CREATE INDEX trash_due ON trash (due);"

	"CREATE TABLE changes ("
	" sequence BIGINT NOT NULL PRIMARY KEY,"
	" changed BIGINT NOT NULL,"
	" kind TEXT NOT NULL,"
	" model TEXT COLLATE \"C\" NOT NULL,"
	" item TEXT NOT NULL);",

	/* Of models that need not exist; `sequence` orders them and may come again when all are
	 * gone. */
	"CREATE TABLE rejections ("
	" sequence BIGINT NOT NULL PRIMARY KEY,"
	" model TEXT COLLATE \"C\" NOT NULL,"
	" refused BIGINT NOT NULL,"
	" status BIGINT NOT NULL,"
	" code TEXT NOT NULL,"
	" detail TEXT NOT NULL,"
	" errors TEXT NOT NULL,"
	" request_id TEXT NOT NULL);"
	"CREATE INDEX rejections_model ON rejections (model, sequence);"
	"CREATE INDEX rejections_refused ON rejections (refused);",

	/* What was measured of each weight, apart from versions: it may be long and is read
	 * seldom. */
	"CREATE TABLE version_tensors ("
	" model TEXT COLLATE \"C\" NOT NULL,"
	" version BIGINT NOT NULL,"
	" tensors TEXT NOT NULL,"
	" PRIMARY KEY (model, version),"
	" FOREIGN KEY (model, version) REFERENCES versions (model, version));",

	/* `deleted`: when; 0 for a version that is there. `latest` is 0 when none is. A deleted
	 * version has no rows in version_files and version_tensors.
	 * `label_revision`: the last one that a label of the model got; it only grows, so that no
	 * label is ever taken for an earlier one. In label_moves 0 stands for no version. */
	"ALTER TABLE versions ADD COLUMN deleted BIGINT NOT NULL DEFAULT 0;"
	"ALTER TABLE models ADD COLUMN label_revision BIGINT NOT NULL DEFAULT 0;"
	"DROP INDEX versions_bytes;"
	"CREATE INDEX versions_live ON versions (model, deleted, version, bytes);"

	"CREATE TABLE labels ("
	" model TEXT COLLATE \"C\" NOT NULL,"
	" label TEXT COLLATE \"C\" NOT NULL,"
	" version BIGINT NOT NULL,"
	" revision BIGINT NOT NULL,"
	" moved BIGINT NOT NULL,"
	" PRIMARY KEY (model, label),"
	" FOREIGN KEY (model, version) REFERENCES versions (model, version));"
	"CREATE INDEX labels_version ON labels (model, version);"

	"CREATE TABLE label_moves ("
	" model TEXT COLLATE \"C\" NOT NULL REFERENCES models (name),"
	" revision BIGINT NOT NULL,"
	" label TEXT COLLATE \"C\" NOT NULL,"
	" moved BIGINT NOT NULL,"
	" who TEXT NOT NULL,"
	" old_version BIGINT NOT NULL,"
	" new_version BIGINT NOT NULL,"
	" PRIMARY KEY (model, revision));"
	"CREATE INDEX label_moves_label ON label_moves (model, label, revision);",

	/* Of models that need not exist. `version`: what the upload became, 0 while it is open; its
	 * rows stay until it expires, so that a publish whose answer was lost can be repeated.
	 * upload_parts: files that have arrived in part, `size` bytes of which are durable. */
	"CREATE TABLE uploads ("
	" id TEXT NOT NULL PRIMARY KEY,"
	" model TEXT COLLATE \"C\" NOT NULL,"
	" created BIGINT NOT NULL,"
	" expires BIGINT NOT NULL,"
	" revision BIGINT NOT NULL,"
	" version BIGINT NOT NULL);"

	"CREATE TABLE upload_files ("
	" upload TEXT NOT NULL REFERENCES uploads (id),"
	" path TEXT COLLATE \"C\" NOT NULL,"
	" digest TEXT NOT NULL REFERENCES blobs (digest),"
	" PRIMARY KEY (upload, path));"
	"CREATE INDEX upload_files_digest ON upload_files (digest);"

	"CREATE TABLE upload_parts ("
	" upload TEXT NOT NULL REFERENCES uploads (id),"
	" path TEXT COLLATE \"C\" NOT NULL,"
	" name TEXT NOT NULL,"
	" size BIGINT NOT NULL,"
	" PRIMARY KEY (upload, path));",

	/* damage: live blobs whose bytes are known to be lost, and since when; it ends with the
	 * blob. scrub: one row. `position`: the last blob that the pass `underway`, begun at
	 * `started`, has read; `finished`: when a whole pass last ended; `found`: how many rows
	 * damage ever got. */
	"CREATE TABLE damage ("
	" digest TEXT NOT NULL PRIMARY KEY REFERENCES blobs (digest) ON DELETE CASCADE,"
	" gen TEXT NOT NULL,"
	" found BIGINT NOT NULL,"
	" what TEXT NOT NULL);"

	"CREATE TABLE scrub ("
	" id BIGINT NOT NULL PRIMARY KEY,"
	" underway BIGINT NOT NULL,"
	" started BIGINT NOT NULL,"
	" position TEXT NOT NULL,"
	" finished BIGINT NOT NULL,"
	" found BIGINT NOT NULL);"
	"INSERT INTO scrub (id, underway, started, position, finished, found)"
	" VALUES (1, 0, 0, '', 0, 0);",

	/* See catalog_sqlite_usage.h. */
	"CREATE TABLE usage ("
	" scope TEXT COLLATE \"C\" NOT NULL PRIMARY KEY,"
	" bytes BIGINT NOT NULL,"
	" versions BIGINT NOT NULL,"
	" own_versions BIGINT NOT NULL);"
	"INSERT INTO usage (scope, bytes, versions, own_versions) " CATALOG_SQLITE_USAGE_EXPECTED
	";",

	/* variants: blob `form` is what `coding` (a name of HTTP) makes of blob `digest`.
	 * variants_due: blobs that are to be coded, or found not worth it, from `due` on; then
	 * they are `coded`. */
	"ALTER TABLE blobs ADD COLUMN coded BIGINT NOT NULL DEFAULT 0;"

	"CREATE TABLE variants ("
	" digest TEXT NOT NULL REFERENCES blobs (digest) ON DELETE CASCADE,"
	" coding TEXT NOT NULL,"
	" form TEXT NOT NULL REFERENCES blobs (digest),"
	" PRIMARY KEY (digest, coding));"
	"CREATE INDEX variants_form ON variants (form);"

	"CREATE TABLE variants_due ("
	" digest TEXT NOT NULL PRIMARY KEY REFERENCES blobs (digest) ON DELETE CASCADE,"
	" due BIGINT NOT NULL);"
	"CREATE INDEX variants_due_due ON variants_due (due, digest);"
	"INSERT INTO variants_due (digest, due)"
	" SELECT digest, now_ms() FROM version_files GROUP BY digest;",

	/* jobs: `finished` is 0 while one is queued or running; `leased`: until when whoever
	 * claimed it, as number `attempt`, has it. What a job names may be gone: the upload that it
	 * fills expires, the mirror that asked for it is configured no more. `outcome` is '' when
	 * there is none.
	 * fetched: at the URL with the SHA-256 `url` was, when it had `etag`, the blob `digest`,
	 * which need not be there.
	 * mirrors: see catalog_job.h. */
	"CREATE TABLE jobs ("
	" id TEXT NOT NULL PRIMARY KEY,"
	" kind TEXT NOT NULL,"
	" model TEXT COLLATE \"C\" NOT NULL,"
	" mirror TEXT COLLATE \"C\" NOT NULL,"
	" who TEXT NOT NULL,"
	" state TEXT NOT NULL,"
	" created BIGINT NOT NULL,"
	" started BIGINT NOT NULL,"
	" finished BIGINT NOT NULL,"
	" leased BIGINT NOT NULL,"
	" attempt BIGINT NOT NULL,"
	" upload TEXT NOT NULL,"
	" bytes BIGINT NOT NULL,"
	" total BIGINT NOT NULL,"
	" files BIGINT NOT NULL,"
	" files_total BIGINT NOT NULL,"
	" file TEXT NOT NULL,"
	" version BIGINT NOT NULL,"
	" unchanged BIGINT NOT NULL,"
	" request TEXT NOT NULL,"
	" outcome TEXT NOT NULL);"
	"CREATE INDEX jobs_created ON jobs (created, id);"
	"CREATE INDEX jobs_model ON jobs (model, created, id);"
	"CREATE INDEX jobs_finished ON jobs (finished, created, id);"

	"CREATE TABLE fetched ("
	" model TEXT COLLATE \"C\" NOT NULL,"
	" url TEXT NOT NULL,"
	" etag TEXT NOT NULL,"
	" digest TEXT NOT NULL,"
	" size BIGINT NOT NULL,"
	" updated BIGINT NOT NULL,"
	" PRIMARY KEY (model, url));"
	"CREATE INDEX fetched_updated ON fetched (updated);"

	"CREATE TABLE mirrors ("
	" name TEXT COLLATE \"C\" NOT NULL PRIMARY KEY,"
	" model TEXT COLLATE \"C\" NOT NULL,"
	" url TEXT NOT NULL,"
	" next BIGINT NOT NULL,"
	" checked BIGINT NOT NULL,"
	" good BIGINT NOT NULL,"
	" failing BIGINT NOT NULL,"
	" failures BIGINT NOT NULL,"
	" version BIGINT NOT NULL,"
	" job TEXT NOT NULL,"
	" error TEXT NOT NULL);",

	/* tokens: `secret` is the SHA-256 of one; `expires`, `used`: 0 for never.
	 * store_keys: what this store signs with, made once. */
	"CREATE TABLE tokens ("
	" id TEXT NOT NULL PRIMARY KEY,"
	" name TEXT NOT NULL,"
	" secret TEXT NOT NULL,"
	" grants TEXT NOT NULL,"
	" created BIGINT NOT NULL,"
	" expires BIGINT NOT NULL,"
	" used BIGINT NOT NULL);"

	"CREATE TABLE store_keys ("
	" name TEXT NOT NULL PRIMARY KEY,"
	" secret TEXT NOT NULL);",

	/* On whose behalf; see common/base/actor.h. */
	"ALTER TABLE changes ADD COLUMN who TEXT NOT NULL DEFAULT '';"
	"ALTER TABLE changes ADD COLUMN address TEXT NOT NULL DEFAULT '';"
	"ALTER TABLE changes ADD COLUMN request TEXT NOT NULL DEFAULT '';",

	/* version_tensors.due: from when on its digests are to be computed; 0 when `tensors` has
	 * them. */
	"ALTER TABLE version_tensors ADD COLUMN due BIGINT NOT NULL DEFAULT 0;"
	"CREATE INDEX version_tensors_due ON version_tensors (due, model, version)"
	" WHERE due > 0;",

	/* JSON; '' for versions of which nothing is known. */
	"ALTER TABLE versions ADD COLUMN provenance TEXT NOT NULL DEFAULT '';",
};

static int read_version(struct catalog_sqlite_conn *c, uint64_t *ret, struct err *e)
{
	static const char sql[] = "SELECT COALESCE(MAX(version), 0) FROM schema_versions";
	CATALOG_SQLITE_QUERY q = catalog_sqlite_conn_query(c, sql);
	bool row;
	int r = catalog_sqlite_conn_row(&q, &row, e);

	if (r < 0)
		return r;
	*ret = catalog_sqlite_conn_col_uint(&q, 0);
	return 0;
}

static int record_version(struct catalog_sqlite_conn *c, uint64_t version, struct err *e)
{
	static const char sql[] =
		"INSERT INTO schema_versions (version, applied) VALUES ($1, now_ms())";
	CATALOG_SQLITE_QUERY q = catalog_sqlite_conn_query(c, sql);

	catalog_sqlite_conn_uint(&q, "$1", version);
	return catalog_sqlite_conn_run(&q, e);
}

static int migrate(struct catalog_sqlite_conn *c, struct err *e)
{
	uint64_t version = 0;
	int r = catalog_sqlite_conn_exec(c,
		"CREATE TABLE IF NOT EXISTS schema_versions ("
		" version BIGINT NOT NULL PRIMARY KEY, applied BIGINT NOT NULL)", e);

	if (r == 0)
		r = read_version(c, &version, e);
	if (r < 0)
		return r;
	if (version > ARRAY_SIZE(migrations))
		return err_set(e, ERR_CONFIG,
			"the catalog has schema version %llu and this modeld knows up to %zu: run "
			"the newer modeld that wrote it",
			(unsigned long long)version, ARRAY_SIZE(migrations));
	for (; r == 0 && version < ARRAY_SIZE(migrations); version++) {
		r = catalog_sqlite_conn_exec(c, migrations[version], e);
		if (r == 0)
			r = record_version(c, version + 1, e);
	}
	return r;
}

int catalog_sqlite_schema_upgrade(struct catalog_sqlite_conn *c, struct err *e)
{
	int r = catalog_sqlite_conn_begin(c, true, e);

	if (r == 0)
		r = migrate(c, e);
	if (r == 0)
		r = catalog_sqlite_conn_commit(c, e);
	if (r < 0)
		catalog_sqlite_conn_rollback(c);
	return r;
}

int catalog_sqlite_schema_require(struct catalog_sqlite_conn *c, struct err *e)
{
	uint64_t version;
	int r = read_version(c, &version, e);

	if (r == 0 && version != ARRAY_SIZE(migrations))
		r = err_set(e, ERR_CONFIG,
			"the catalog has schema version %llu and this modeld works with %zu: the "
			"daemon of the same release brings it there",
			(unsigned long long)version, ARRAY_SIZE(migrations));
	return r;
}

static int check(struct catalog_sqlite_conn *c, struct err *e)
{
	static const char sql[] = "PRAGMA quick_check(1)";
	CATALOG_SQLITE_QUERY q = catalog_sqlite_conn_query(c, sql);
	const char *verdict;
	bool row;
	int r = catalog_sqlite_conn_row(&q, &row, e);

	if (r < 0)
		return r;
	verdict = row ? catalog_sqlite_conn_col_text(&q, 0) : "no answer";
	if (strcmp(verdict, "ok") != 0)
		return err_set(e, ERR_CORRUPT, "the catalog is damaged: %s", verdict);
	return 0;
}

int catalog_sqlite_schema_check(struct catalog_sqlite_conn *c, const atomic_bool *stop,
	struct err *e)
{
	int r;

	catalog_sqlite_conn_stop_on(c, stop);
	r = check(c, e);
	catalog_sqlite_conn_stop_on(c, NULL);
	return stop && atomic_load(stop) ? 0 : r;
}

static int count(struct catalog_sqlite_conn *c, const char *sql, uint64_t *ret, struct err *e)
{
	CATALOG_SQLITE_QUERY q = catalog_sqlite_conn_query(c, sql);
	bool row;
	int r = catalog_sqlite_conn_row(&q, &row, e);

	if (r == 0)
		*ret = row ? catalog_sqlite_conn_col_uint(&q, 0) : 0;
	return r;
}

int catalog_sqlite_schema_check_small(struct catalog_sqlite_conn *c, struct err *e)
{
	static const char pages_sql[] = "PRAGMA page_count";
	static const char page_size_sql[] = "PRAGMA page_size";
	uint64_t pages = 0, page_size = 0, bytes;
	int r = count(c, pages_sql, &pages, e);

	if (r == 0)
		r = count(c, page_size_sql, &page_size, e);
	if (r < 0)
		return r;
	if (!num_mul(pages, page_size, &bytes) || bytes > CATALOG_SQLITE_SCHEMA_SMALL)
		return 0;
	return catalog_sqlite_schema_check(c, NULL, e);
}
