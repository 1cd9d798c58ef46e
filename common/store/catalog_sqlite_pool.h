/* SPDX-License-Identifier: Apache-2.0 */
/* The connections to one database and the transactions on them: one writes, some read, all are
 * shared by any number of threads. */
#pragma once

#include "common/store/catalog_sqlite_conn.h"

#include <pthread.h>

#define CATALOG_SQLITE_POOL_READERS 4

/* All connections are opened at the start: opening one later needs descriptors just when there are
 * none. `writer` belongs to whoever holds `write_lock`. Holds whenever `read_lock` is free: idle[]
 * has the `idle_n` readers that nobody uses. */
struct catalog_sqlite_pool {
	pthread_mutex_t write_lock;
	struct catalog_sqlite_conn writer;
	pthread_mutex_t read_lock;
	pthread_cond_t reader_free;
	struct catalog_sqlite_conn readers[CATALOG_SQLITE_POOL_READERS];
	struct catalog_sqlite_conn *idle[CATALOG_SQLITE_POOL_READERS];
	size_t idle_n;
};

/* `p` is all zero. The writer comes first, for what has to be done with it before anything is
 * read. */
int catalog_sqlite_pool_open(struct catalog_sqlite_pool *p, const char *path,
	enum catalog_sqlite_conn_use use, struct err *e);
int catalog_sqlite_pool_open_readers(struct catalog_sqlite_pool *p, const char *path,
	struct err *e);
/* Also one whose opening failed. */
void catalog_sqlite_pool_close(struct catalog_sqlite_pool *p);

/* A transaction that may write. On failure *ret is NULL, which write_end() understands. */
int catalog_sqlite_pool_write_begin(struct catalog_sqlite_pool *p, struct catalog_sqlite_conn **ret,
	struct err *e);
/* Commit when `r` is 0, else roll back; returns what came of it all. */
int catalog_sqlite_pool_write_end(struct catalog_sqlite_pool *p, struct catalog_sqlite_conn *c,
	int r, struct err *e);

/* One that reads: everything in it is of the same moment. As above. */
int catalog_sqlite_pool_read_begin(struct catalog_sqlite_pool *p, struct catalog_sqlite_conn **ret,
	struct err *e);
int catalog_sqlite_pool_read_end(struct catalog_sqlite_pool *p, struct catalog_sqlite_conn *c,
	int r);
