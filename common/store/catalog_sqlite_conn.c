/* SPDX-License-Identifier: Apache-2.0 */
#include "common/store/catalog_sqlite_conn.h"
#include "common/base/clock.h"

#include <assert.h>
#include <string.h>

#include <sqlite3.h>

#define BUSY_TIMEOUT_MS 2000
#define STOP_EVERY      1000 /* instructions of its machine between two looks */

static enum err_code code_of(sqlite3 *db, int rc)
{
	switch (rc & 0xff) {
	case SQLITE_FULL:
		return ERR_STORAGE_FULL;
	case SQLITE_NOMEM:
		return ERR_OUT_OF_MEMORY;
	case SQLITE_BUSY:
	case SQLITE_LOCKED:
		return ERR_BUSY;
	case SQLITE_CORRUPT:
	case SQLITE_NOTADB:
		return ERR_CORRUPT;
	case SQLITE_TOOBIG:
		return ERR_TOO_LARGE;
	case SQLITE_IOERR:
	case SQLITE_CANTOPEN:
		switch (db ? sqlite3_system_errno(db) : 0) {
		case EMFILE:
		case ENFILE:
			return ERR_BUSY;
		case ENOSPC:
		case EDQUOT:
			return ERR_STORAGE_FULL;
		default:
			return ERR_IO_FAILED;
		}
	default:
		return ERR_IO_FAILED;
	}
}

static int sqlite_failed(sqlite3 *db, int rc, struct err *e)
{
	return err_set(e, code_of(db, rc), "the catalog failed: %s",
		db ? sqlite3_errmsg(db) : sqlite3_errstr(rc));
}

static void sql_now_ms(sqlite3_context *context, int argc, sqlite3_value **argv)
{
	(void)argc;
	(void)argv;
	sqlite3_result_int64(context, (sqlite3_int64)clock_now_ms());
}

static int collate_bytes(void *cls, int an, const void *a, int bn, const void *b)
{
	int order = memcmp(a, b, (size_t)(an < bn ? an : bn));

	(void)cls;
	return order ? order : (an > bn) - (an < bn);
}

/* The names that our SQL shares with another engine. */
static int add_dialect(sqlite3 *db, struct err *e)
{
	int rc = sqlite3_create_function_v2(db, "now_ms", 0, SQLITE_UTF8, NULL, sql_now_ms, NULL,
		NULL, NULL);

	if (rc == SQLITE_OK)
		rc = sqlite3_create_collation_v2(db, "C", SQLITE_UTF8, NULL, collate_bytes, NULL);
	return rc == SQLITE_OK ? 0 : sqlite_failed(db, rc, e);
}

/* SQLite answers with the mode that is in force then, which may be another one. */
static int use_wal(struct catalog_sqlite_conn *c, struct err *e)
{
	static const char sql[] = "PRAGMA journal_mode = WAL";
	CATALOG_SQLITE_QUERY q = catalog_sqlite_conn_query(c, sql);
	bool row;
	int r = catalog_sqlite_conn_row(&q, &row, e);

	if (r < 0)
		return r;
	if (!row || strcmp(catalog_sqlite_conn_col_text(&q, 0), "wal") != 0)
		return err_set(e, ERR_CONFIG,
			"the catalog needs a file system with shared memory maps: a local disk");
	return 0;
}

static int set_up(struct catalog_sqlite_conn *c, bool writer, struct err *e)
{
	int r = add_dialect(c->db, e);

	(void)sqlite3_extended_result_codes(c->db, 1);
	(void)sqlite3_busy_timeout(c->db, BUSY_TIMEOUT_MS);
	if (r == 0)
		r = catalog_sqlite_conn_exec(c, "PRAGMA trusted_schema = OFF", e);
	if (r < 0)
		return r;
	if (!writer)
		return catalog_sqlite_conn_exec(c, "PRAGMA query_only = ON", e);
	r = use_wal(c, e);
	if (r == 0)
		r = catalog_sqlite_conn_exec(c,
			"PRAGMA synchronous = FULL; PRAGMA foreign_keys = ON;"
			/* what undoes a savepoint: never in a file */
			"PRAGMA temp_store = MEMORY", e);
	return r;
}

int catalog_sqlite_conn_open(const char *path, enum catalog_sqlite_conn_use use,
	struct catalog_sqlite_conn *ret, struct err *e)
{
	bool writer = use != CATALOG_SQLITE_CONN_READ;
	int flags = SQLITE_OPEN_READWRITE | SQLITE_OPEN_NOMUTEX |
		(use == CATALOG_SQLITE_CONN_CREATE ? SQLITE_OPEN_CREATE : 0);
	struct catalog_sqlite_conn c = {0};
	int rc = sqlite3_open_v2(path, &c.db, flags, NULL);
	int r = rc == SQLITE_OK ? set_up(&c, writer, e) : sqlite_failed(c.db, rc, e);

	if (r < 0) {
		catalog_sqlite_conn_close(&c);
		return r;
	}
	*ret = c;
	return 0;
}

void catalog_sqlite_conn_close(struct catalog_sqlite_conn *c)
{
	for (size_t i = 0; i < c->cached; i++)
		(void)sqlite3_finalize(c->cache[i].stmt);
	c->cached = 0;
	(void)sqlite3_close(c->db);
	c->db = NULL;
}

const char *catalog_sqlite_conn_path(const struct catalog_sqlite_conn *c)
{
	return sqlite3_db_filename(c->db, "main");
}

static int told_to_stop(void *stop)
{
	return atomic_load((const atomic_bool *)stop);
}

void catalog_sqlite_conn_stop_on(struct catalog_sqlite_conn *c, const atomic_bool *stop)
{
	sqlite3_progress_handler(c->db, STOP_EVERY, stop ? told_to_stop : NULL,
		(void *)(uintptr_t)stop);
}

int catalog_sqlite_conn_exec(struct catalog_sqlite_conn *c, const char *sql, struct err *e)
{
	int rc = sqlite3_exec(c->db, sql, NULL, NULL, NULL);

	return rc == SQLITE_OK ? 0 : sqlite_failed(c->db, rc, e);
}

/* ---- transactions ---- */

static int run_once(struct catalog_sqlite_conn *c, const char *sql, struct err *e)
{
	CATALOG_SQLITE_QUERY q = catalog_sqlite_conn_query(c, sql);

	return catalog_sqlite_conn_run(&q, e);
}

int catalog_sqlite_conn_begin(struct catalog_sqlite_conn *c, bool write, struct err *e)
{
	static const char begin[] = "BEGIN";
	static const char begin_write[] = "BEGIN IMMEDIATE";

	return run_once(c, write ? begin_write : begin, e);
}

int catalog_sqlite_conn_commit(struct catalog_sqlite_conn *c, struct err *e)
{
	static const char commit[] = "COMMIT";

	return run_once(c, commit, e);
}

void catalog_sqlite_conn_rollback(struct catalog_sqlite_conn *c)
{
	if (!sqlite3_get_autocommit(c->db))
		(void)sqlite3_exec(c->db, "ROLLBACK", NULL, NULL, NULL);
}

int catalog_sqlite_conn_savepoint(struct catalog_sqlite_conn *c, struct err *e)
{
	static const char savepoint[] = "SAVEPOINT part";

	return run_once(c, savepoint, e);
}

int catalog_sqlite_conn_release(struct catalog_sqlite_conn *c, struct err *e)
{
	static const char release[] = "RELEASE part";

	return run_once(c, release, e);
}

int catalog_sqlite_conn_undo(struct catalog_sqlite_conn *c, struct err *e)
{
	static const char undo[] = "ROLLBACK TO part";
	int r = run_once(c, undo, e);

	return r < 0 ? r : catalog_sqlite_conn_release(c, e);
}

/* ---- queries ---- */

static int prepare(struct catalog_sqlite_conn *c, const char *sql, sqlite3_stmt **ret)
{
	int rc;

	for (size_t i = 0; i < c->cached; i++) {
		if (c->cache[i].sql == sql) {
			*ret = c->cache[i].stmt;
			return SQLITE_OK;
		}
	}
	assert(c->cached < CATALOG_SQLITE_STATEMENTS);
	rc = sqlite3_prepare_v3(c->db, sql, -1, SQLITE_PREPARE_PERSISTENT, ret, NULL);
	if (rc != SQLITE_OK)
		return rc;
	c->cache[c->cached].sql = sql;
	c->cache[c->cached++].stmt = *ret;
	return SQLITE_OK;
}

struct catalog_sqlite_query catalog_sqlite_conn_query(struct catalog_sqlite_conn *c,
	const char *sql)
{
	struct catalog_sqlite_query q = {.conn = c};

	q.rc = prepare(c, sql, &q.stmt);
	return q;
}

void catalog_sqlite_conn_end(struct catalog_sqlite_query *q)
{
	if (!q->stmt)
		return;
	(void)sqlite3_reset(q->stmt);
	(void)sqlite3_clear_bindings(q->stmt);
}

static int parameter(struct catalog_sqlite_query *q, const char *name)
{
	int index = sqlite3_bind_parameter_index(q->stmt, name);

	assert(index > 0);
	return index;
}

void catalog_sqlite_conn_text(struct catalog_sqlite_query *q, const char *name, const char *value)
{
	if (q->rc == SQLITE_OK)
		q->rc = sqlite3_bind_text64(q->stmt, parameter(q, name), value, strlen(value),
			SQLITE_STATIC, SQLITE_UTF8);
}

void catalog_sqlite_conn_uint(struct catalog_sqlite_query *q, const char *name, uint64_t value)
{
	if (q->rc == SQLITE_OK && value > INT64_MAX)
		q->rc = SQLITE_TOOBIG;
	if (q->rc == SQLITE_OK)
		q->rc = sqlite3_bind_int64(q->stmt, parameter(q, name), (sqlite3_int64)value);
}

void catalog_sqlite_conn_digest(struct catalog_sqlite_query *q, const char *name,
	const struct digest *value)
{
	char hex[DIGEST_HEX + 1];

	if (q->rc == SQLITE_OK)
		q->rc = sqlite3_bind_text(q->stmt, parameter(q, name), digest_hex(value, hex),
			DIGEST_HEX, SQLITE_TRANSIENT);
}

int catalog_sqlite_conn_row(struct catalog_sqlite_query *q, bool *ret_row, struct err *e)
{
	if (q->rc == SQLITE_OK || q->rc == SQLITE_ROW)
		q->rc = sqlite3_step(q->stmt);
	if (q->rc == SQLITE_TOOBIG)
		return err_set(e, ERR_TOO_LARGE,
			"the catalog cannot hold a number or text this large");
	if (q->rc != SQLITE_ROW && q->rc != SQLITE_DONE)
		return sqlite_failed(q->conn->db, q->rc, e);
	*ret_row = q->rc == SQLITE_ROW;
	return 0;
}

int catalog_sqlite_conn_any(struct catalog_sqlite_query *q, bool *ret_any, struct err *e)
{
	bool any = false;

	for (;;) {
		bool row = false;
		int r = catalog_sqlite_conn_row(q, &row, e);
		if (r < 0)
			return r;
		if (!row)
			break;
		any = true;
	}
	*ret_any = any;
	return 0;
}

int catalog_sqlite_conn_run(struct catalog_sqlite_query *q, struct err *e)
{
	bool any;

	return catalog_sqlite_conn_any(q, &any, e);
}

/* ---- columns ---- */

uint64_t catalog_sqlite_conn_col_uint(struct catalog_sqlite_query *q, int column)
{
	sqlite3_int64 v = sqlite3_column_int64(q->stmt, column);

	return v > 0 ? (uint64_t)v : 0;
}

const char *catalog_sqlite_conn_col_text(struct catalog_sqlite_query *q, int column)
{
	const unsigned char *text = sqlite3_column_text(q->stmt, column);

	return text ? (const char *)text : "";
}

int catalog_sqlite_conn_col_dup(struct catalog_sqlite_query *q, int column, char **ret,
	struct err *e)
{
	char *copy = strdup(catalog_sqlite_conn_col_text(q, column));

	if (!copy)
		return err_nomem(e);
	*ret = copy;
	return 0;
}

int catalog_sqlite_conn_col_digest(struct catalog_sqlite_query *q, int column, struct digest *ret,
	struct err *e)
{
	const char *hex = catalog_sqlite_conn_col_text(q, column);

	if (!digest_parse_hex(str_of(hex), ret))
		return err_set(e, ERR_CORRUPT, "the catalog holds \"%.80s\" where a digest belongs",
			hex);
	return 0;
}

int catalog_sqlite_conn_col_gen(struct catalog_sqlite_query *q, int column, struct blob_key *ret,
	struct err *e)
{
	const char *gen = catalog_sqlite_conn_col_text(q, column);

	if (strlen(gen) != BLOB_GEN_HEX)
		return err_set(e, ERR_CORRUPT,
			"the catalog holds \"%.80s\" where a generation belongs", gen);
	memcpy(ret->gen, gen, BLOB_GEN_HEX + 1);
	return 0;
}
