/* SPDX-License-Identifier: Apache-2.0 */
/* The connections to one database and the transactions on them: one writes, some read, all are
 * shared by any number of threads.
 *
 * A commit waits for the disk, and one flush can make many changes durable. So calls that write
 * take turns with the one writing connection, and who finishes while others wait for it leaves the
 * transaction open to them; the last one, or the one that makes it long, commits for all. Each call
 * but the first is a savepoint of its own: one that fails undoes nothing but itself. No call
 * returns before the commit; when that fails, it failed for all of them, also for those that were
 * refused for what the others had changed.
 */
#pragma once

#include "common/store/catalog_sqlite_conn.h"

#include <pthread.h>

#define CATALOG_SQLITE_POOL_READERS 4

struct catalog_sqlite_mark;
struct catalog_sqlite_pool_call; /* one that waits for the commit */

/* All connections are opened at the start: opening one later needs descriptors just when there are
 * none. `writer`, `calls`, `calls_n`, `join_until_ms` and `commits` belong to whoever has set
 * `busy`, the rest of the first block to `write_lock`. Holds whenever `read_lock` is free: idle[]
 * has the `idle_n` readers that nobody uses. */
struct catalog_sqlite_pool {
	pthread_mutex_t write_lock;
	pthread_cond_t writer_free;
	pthread_cond_t committed;
	struct catalog_sqlite_conn writer;
	bool busy;
	size_t wanting;    /* threads that wait for the writer */
	size_t calls_n;    /* that are in the open transaction; 0: none is open */
	uint64_t join_until_ms; /* on the monotonic clock: who ends later commits */
	struct catalog_sqlite_pool_call *calls;
	uint64_t commits;  /* for tests */

	pthread_mutex_t read_lock;
	pthread_cond_t reader_free;
	struct catalog_sqlite_conn readers[CATALOG_SQLITE_POOL_READERS];
	struct catalog_sqlite_conn *idle[CATALOG_SQLITE_POOL_READERS];
	size_t idle_n;

	struct catalog_sqlite_mark *mark; /* see catalog_token_watch() */
};

/* `p` is all zero. The writer comes first, for what has to be done with it before anything is
 * read. */
int catalog_sqlite_pool_open(struct catalog_sqlite_pool *p, const char *path,
	enum catalog_sqlite_conn_use use, struct err *e);
int catalog_sqlite_pool_open_readers(struct catalog_sqlite_pool *p, const char *path,
	struct err *e);
/* Also one whose opening failed. */
void catalog_sqlite_pool_close(struct catalog_sqlite_pool *p);

/* A turn with the writer. On failure *ret is NULL, which write_end() understands. */
int catalog_sqlite_pool_write_begin(struct catalog_sqlite_pool *p, struct catalog_sqlite_conn **ret,
	struct err *e);
/* Keep what was written when `r` is 0, else undo it; returns what came of it all, which is not
 * known before the commit. */
int catalog_sqlite_pool_write_end(struct catalog_sqlite_pool *p, struct catalog_sqlite_conn *c,
	int r, struct err *e);

/* A transaction that reads: everything in it is of the same moment. As above. */
int catalog_sqlite_pool_read_begin(struct catalog_sqlite_pool *p, struct catalog_sqlite_conn **ret,
	struct err *e);
/* ERR_BUSY instead of waiting for a connection. */
int catalog_sqlite_pool_read_try(struct catalog_sqlite_pool *p, struct catalog_sqlite_conn **ret,
	struct err *e);
int catalog_sqlite_pool_read_end(struct catalog_sqlite_pool *p, struct catalog_sqlite_conn *c,
	int r);

/* One transaction around a call that uses the connection `c`, in a function with the parameters
 * `engine` and `e`. */
#define CATALOG_SQLITE_POOL_WRITE(call) \
	({ \
		struct catalog_sqlite_conn *c; \
		int r_ = catalog_sqlite_pool_write_begin(engine, &c, e); \
		if (r_ == 0) \
			r_ = (call); \
		catalog_sqlite_pool_write_end(engine, c, r_, e); \
	})

#define CATALOG_SQLITE_POOL_READ(call) \
	({ \
		struct catalog_sqlite_conn *c; \
		int r_ = catalog_sqlite_pool_read_begin(engine, &c, e); \
		if (r_ == 0) \
			r_ = (call); \
		catalog_sqlite_pool_read_end(engine, c, r_); \
	})
