/* SPDX-License-Identifier: Apache-2.0 */
#include "common/store/catalog_sqlite_pool.h"

int catalog_sqlite_pool_open(struct catalog_sqlite_pool *p, const char *path,
	enum catalog_sqlite_conn_use use, struct err *e)
{
	(void)pthread_mutex_init(&p->write_lock, NULL);
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
	(void)pthread_mutex_destroy(&p->write_lock);
}

/* ---- writing ---- */

int catalog_sqlite_pool_write_begin(struct catalog_sqlite_pool *p, struct catalog_sqlite_conn **ret,
	struct err *e)
{
	int r;

	*ret = NULL;
	(void)pthread_mutex_lock(&p->write_lock);
	r = catalog_sqlite_conn_begin(&p->writer, true, e);
	if (r < 0)
		(void)pthread_mutex_unlock(&p->write_lock);
	else
		*ret = &p->writer;
	return r;
}

int catalog_sqlite_pool_write_end(struct catalog_sqlite_pool *p, struct catalog_sqlite_conn *c,
	int r, struct err *e)
{
	if (!c)
		return r;
	if (r == 0)
		r = catalog_sqlite_conn_commit(c, e);
	if (r < 0)
		catalog_sqlite_conn_rollback(c);
	(void)pthread_mutex_unlock(&p->write_lock);
	return r;
}

/* ---- reading ---- */

static void give_back(struct catalog_sqlite_pool *p, struct catalog_sqlite_conn *c)
{
	(void)pthread_mutex_lock(&p->read_lock);
	p->idle[p->idle_n++] = c;
	(void)pthread_cond_signal(&p->reader_free);
	(void)pthread_mutex_unlock(&p->read_lock);
}

int catalog_sqlite_pool_read_begin(struct catalog_sqlite_pool *p, struct catalog_sqlite_conn **ret,
	struct err *e)
{
	struct catalog_sqlite_conn *c;
	int r;

	*ret = NULL;
	(void)pthread_mutex_lock(&p->read_lock);
	while (p->idle_n == 0)
		(void)pthread_cond_wait(&p->reader_free, &p->read_lock);
	c = p->idle[--p->idle_n];
	(void)pthread_mutex_unlock(&p->read_lock);
	r = catalog_sqlite_conn_begin(c, false, e);
	if (r < 0)
		give_back(p, c);
	else
		*ret = c;
	return r;
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
