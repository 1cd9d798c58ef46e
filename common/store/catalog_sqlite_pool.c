/* SPDX-License-Identifier: Apache-2.0 */
#include "common/store/catalog_sqlite_pool.h"
#include "common/base/clock.h"

/* When calls stop joining a transaction: the first one waits for the last. */
#define CALLS_MAX   64
#define JOIN_MAX_MS 25

struct catalog_sqlite_pool_call {
	struct catalog_sqlite_pool_call *next;
	int r;
	struct err *e;
	bool ended;
};

int catalog_sqlite_pool_open(struct catalog_sqlite_pool *p, const char *path,
	enum catalog_sqlite_conn_use use, struct err *e)
{
	(void)pthread_mutex_init(&p->write_lock, NULL);
	(void)pthread_cond_init(&p->writer_free, NULL);
	(void)pthread_cond_init(&p->committed, NULL);
	(void)pthread_mutex_init(&p->read_lock, NULL);
	(void)pthread_cond_init(&p->reader_free, NULL);
	return catalog_sqlite_conn_open(path, use, &p->writer, e);
}

int catalog_sqlite_pool_open_readers(struct catalog_sqlite_pool *p, const char *path,
	struct err *e)
{
	for (size_t i = 0; i < CATALOG_SQLITE_POOL_READERS; i++) {
		int r = catalog_sqlite_conn_open(path, CATALOG_SQLITE_CONN_READ,
			&p->readers[i], e);
		if (r < 0)
			return r;
		p->idle[p->idle_n++] = &p->readers[i];
	}
	return 0;
}

void catalog_sqlite_pool_close(struct catalog_sqlite_pool *p)
{
	for (size_t i = 0; i < CATALOG_SQLITE_POOL_READERS; i++)
		catalog_sqlite_conn_close(&p->readers[i]);
	catalog_sqlite_conn_close(&p->writer); /* last: it empties the log into the database */
	(void)pthread_cond_destroy(&p->reader_free);
	(void)pthread_mutex_destroy(&p->read_lock);
	(void)pthread_cond_destroy(&p->committed);
	(void)pthread_cond_destroy(&p->writer_free);
	(void)pthread_mutex_destroy(&p->write_lock);
}

/* ---- writing ---- */

static void take_writer(struct catalog_sqlite_pool *p)
{
	(void)pthread_mutex_lock(&p->write_lock);
	p->wanting++;
	while (p->busy)
		(void)pthread_cond_wait(&p->writer_free, &p->write_lock);
	p->wanting--;
	p->busy = true;
	(void)pthread_mutex_unlock(&p->write_lock);
}

/* What the call wrote stays in the transaction or is undone. SQLite ends a transaction by itself
 * after some failures (a full disk, no memory): then there is nothing to go on with. */
static int settle(struct catalog_sqlite_pool *p, int r, struct err *e, bool *ret_lost)
{
	struct err other;

	if (p->calls_n == 0)
		*ret_lost = r < 0;
	else if (r == 0 && (r = catalog_sqlite_conn_release(&p->writer, e)) == 0)
		*ret_lost = false;
	else
		*ret_lost = catalog_sqlite_conn_undo(&p->writer, &other) < 0;
	return r;
}

static bool any_succeeded(const struct catalog_sqlite_pool *p)
{
	for (const struct catalog_sqlite_pool_call *c = p->calls; c; c = c->next)
		if (c->r == 0)
			return true;
	return false;
}

static int commit(struct catalog_sqlite_pool *p, struct err *e)
{
	p->commits++;
	return catalog_sqlite_conn_commit(&p->writer, e);
}

/* End the transaction and tell everybody whose call is in it. `r` is a failure that ended it
 * already, with `why`, or 0. */
static void end_all(struct catalog_sqlite_pool *p, int r, const struct err *why)
{
	struct err e = r < 0 ? *why : (struct err){.code = ERR_NONE};

	if (r == 0 && any_succeeded(p))
		r = commit(p, &e);
	catalog_sqlite_conn_rollback(&p->writer);
	(void)pthread_mutex_lock(&p->write_lock);
	for (struct catalog_sqlite_pool_call *c = p->calls; c; c = c->next) {
		if (r < 0) {
			*c->e = e;
			c->r = r;
		}
		c->ended = true;
	}
	p->calls = NULL;
	p->calls_n = 0;
	p->busy = false;
	(void)pthread_mutex_unlock(&p->write_lock);
	/* Whoever wakes finds the lock free. */
	(void)pthread_cond_signal(&p->writer_free);
	(void)pthread_cond_broadcast(&p->committed);
}

/* Leave the transaction to somebody who waits for the writer, and wait for the end; false when
 * nobody does, or others have waited long enough. */
static bool leave_to_next(struct catalog_sqlite_pool *p,
	const struct catalog_sqlite_pool_call *call)
{
	bool full = p->calls_n >= CALLS_MAX || clock_mono_ms() >= p->join_until_ms;
	bool left;

	(void)pthread_mutex_lock(&p->write_lock);
	left = !full && p->wanting > 0;
	if (left)
		p->busy = false;
	(void)pthread_mutex_unlock(&p->write_lock);
	if (!left)
		return false;
	(void)pthread_cond_signal(&p->writer_free); /* who wakes finds the lock free */
	(void)pthread_mutex_lock(&p->write_lock);
	while (!call->ended)
		(void)pthread_cond_wait(&p->committed, &p->write_lock);
	(void)pthread_mutex_unlock(&p->write_lock);
	return true;
}

static int finish(struct catalog_sqlite_pool *p, int r, struct err *e)
{
	bool lost;
	struct catalog_sqlite_pool_call call = {.e = e};

	call.r = settle(p, r, e, &lost);
	call.next = p->calls;
	p->calls = &call;
	p->calls_n++;
	if (lost || !leave_to_next(p, &call))
		end_all(p, lost ? call.r : 0, e);
	return call.r;
}

int catalog_sqlite_pool_write_begin(struct catalog_sqlite_pool *p, struct catalog_sqlite_conn **ret,
	struct err *e)
{
	int r;

	*ret = NULL;
	take_writer(p);
	if (p->calls_n == 0) {
		p->join_until_ms = clock_mono_ms() + JOIN_MAX_MS;
		r = catalog_sqlite_conn_begin(&p->writer, true, e);
	} else {
		r = catalog_sqlite_conn_savepoint(&p->writer, e);
	}
	if (r < 0)
		return finish(p, r, e);
	*ret = &p->writer;
	return 0;
}

int catalog_sqlite_pool_write_end(struct catalog_sqlite_pool *p, struct catalog_sqlite_conn *c,
	int r, struct err *e)
{
	return c ? finish(p, r, e) : r;
}

/* ---- reading ---- */

static void give_back(struct catalog_sqlite_pool *p, struct catalog_sqlite_conn *c)
{
	(void)pthread_mutex_lock(&p->read_lock);
	p->idle[p->idle_n++] = c;
	(void)pthread_cond_signal(&p->reader_free);
	(void)pthread_mutex_unlock(&p->read_lock);
}

/* NULL when none is idle and it is not to wait. */
static struct catalog_sqlite_conn *take_reader(struct catalog_sqlite_pool *p, bool wait)
{
	struct catalog_sqlite_conn *c = NULL;

	(void)pthread_mutex_lock(&p->read_lock);
	while (wait && p->idle_n == 0)
		(void)pthread_cond_wait(&p->reader_free, &p->read_lock);
	if (p->idle_n > 0)
		c = p->idle[--p->idle_n];
	(void)pthread_mutex_unlock(&p->read_lock);
	return c;
}

static int begin_reading(struct catalog_sqlite_pool *p, struct catalog_sqlite_conn *c,
	struct catalog_sqlite_conn **ret, struct err *e)
{
	int r = catalog_sqlite_conn_begin(c, false, e);

	*ret = r < 0 ? NULL : c;
	if (r < 0)
		give_back(p, c);
	return r;
}

int catalog_sqlite_pool_read_begin(struct catalog_sqlite_pool *p, struct catalog_sqlite_conn **ret,
	struct err *e)
{
	return begin_reading(p, take_reader(p, true), ret, e);
}

int catalog_sqlite_pool_read_try(struct catalog_sqlite_pool *p, struct catalog_sqlite_conn **ret,
	struct err *e)
{
	struct catalog_sqlite_conn *c = take_reader(p, false);

	*ret = NULL;
	return c ? begin_reading(p, c, ret, e)
		 : err_set(e, ERR_BUSY, "all connections to the catalog are in use");
}

/* Nothing was written: rolling back is as good as committing, and never fails. */
int catalog_sqlite_pool_read_end(struct catalog_sqlite_pool *p, struct catalog_sqlite_conn *c,
	int r)
{
	if (!c)
		return r;
	catalog_sqlite_conn_rollback(c);
	give_back(p, c);
	return r;
}
