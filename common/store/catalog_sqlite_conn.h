/* SPDX-License-Identifier: Apache-2.0 */
/* One connection to SQLite, its prepared statements, errors in our words. For the engine only. */
#pragma once

#include "common/store/catalog.h"

struct sqlite3;
struct sqlite3_stmt;

#define CATALOG_SQLITE_STATEMENTS 192 /* distinct texts that one connection prepares */

/* Used by one thread at a time. */
struct catalog_sqlite_conn {
	struct sqlite3 *db;
	struct {
		const char *sql; /* known by its address: static storage */
		struct sqlite3_stmt *stmt;
	} cache[CATALOG_SQLITE_STATEMENTS];
	size_t cached;
};

enum catalog_sqlite_conn_use {
	CATALOG_SQLITE_CONN_READ,
	CATALOG_SQLITE_CONN_WRITE,
	CATALOG_SQLITE_CONN_CREATE, /* write, and make the database when there is none */
};

int catalog_sqlite_conn_open(const char *path, enum catalog_sqlite_conn_use use,
	struct catalog_sqlite_conn *ret, struct err *e);
void catalog_sqlite_conn_close(struct catalog_sqlite_conn *c);

/* Of the database; lives as long as the connection. */
const char *catalog_sqlite_conn_path(const struct catalog_sqlite_conn *c);

/* From now on statements end early, with an error, once *stop is true; NULL: never. */
void catalog_sqlite_conn_stop_on(struct catalog_sqlite_conn *c, const atomic_bool *stop);

/* Statements without parameters or rows, not cached. */
int catalog_sqlite_conn_exec(struct catalog_sqlite_conn *c, const char *sql, struct err *e);

/* begin/commit; rollback never fails and may be called without a transaction. */
int catalog_sqlite_conn_begin(struct catalog_sqlite_conn *c, bool write, struct err *e);
int catalog_sqlite_conn_commit(struct catalog_sqlite_conn *c, struct err *e);
void catalog_sqlite_conn_rollback(struct catalog_sqlite_conn *c);
/* Inside a transaction, a part of it that can be undone alone: keep it, or undo it. undo() fails
 * when there is no such part, or the whole transaction has ended. */
int catalog_sqlite_conn_savepoint(struct catalog_sqlite_conn *c, struct err *e);
int catalog_sqlite_conn_release(struct catalog_sqlite_conn *c, struct err *e);
int catalog_sqlite_conn_undo(struct catalog_sqlite_conn *c, struct err *e);

/* One run of a prepared statement. Binding failures stick and come out of the first step. */
struct catalog_sqlite_query {
	struct catalog_sqlite_conn *conn;
	struct sqlite3_stmt *stmt;
	int rc; /* of SQLite */
};

struct catalog_sqlite_query catalog_sqlite_conn_query(struct catalog_sqlite_conn *c,
	const char *sql);
void catalog_sqlite_conn_end(struct catalog_sqlite_query *q);
#define CATALOG_SQLITE_QUERY CLEANUP(catalog_sqlite_conn_end) struct catalog_sqlite_query

/* Text is not copied: it must live until the query ends. */
void catalog_sqlite_conn_text(struct catalog_sqlite_query *q, const char *name, const char *value);
void catalog_sqlite_conn_uint(struct catalog_sqlite_query *q, const char *name, uint64_t value);
void catalog_sqlite_conn_digest(struct catalog_sqlite_query *q, const char *name,
	const struct digest *value);

/* The next row; *ret_row false at the end. */
int catalog_sqlite_conn_row(struct catalog_sqlite_query *q, bool *ret_row, struct err *e);
/* Run to the end; rows are dropped. */
int catalog_sqlite_conn_run(struct catalog_sqlite_query *q, struct err *e);
/* Run to the end and say whether there was a row (RETURNING, or SELECT 1). */
int catalog_sqlite_conn_any(struct catalog_sqlite_query *q, bool *ret_any, struct err *e);

/* Columns of the row, from 0. What does not have the expected form is ERR_CORRUPT. The text of
 * col_text() lives until the next step. */
uint64_t catalog_sqlite_conn_col_uint(struct catalog_sqlite_query *q, int column);
const char *catalog_sqlite_conn_col_text(struct catalog_sqlite_query *q, int column);
int catalog_sqlite_conn_col_dup(struct catalog_sqlite_query *q, int column, char **ret,
	struct err *e);
int catalog_sqlite_conn_col_digest(struct catalog_sqlite_query *q, int column, struct digest *ret,
	struct err *e);
int catalog_sqlite_conn_col_gen(struct catalog_sqlite_query *q, int column, struct blob_key *ret,
	struct err *e);
