/* SPDX-License-Identifier: Apache-2.0 */
#include "server/work/access_log.h"
#include "common/base/buf.h"
#include "common/base/fsio.h"

#include <inttypes.h>
#include <pthread.h>

#define QUEUE_BYTES (1u << 20)

/* Holds while the lock is free: `queued` has whole lines only. */
struct access_log {
	int fd;
	pthread_t thread;
	pthread_mutex_t lock;
	pthread_cond_t wake;
	struct buf queued;
	uint64_t lost;
	bool stopping;
};

static void write_lines(struct access_log *l, struct buf *lines, uint64_t lost)
{
	struct err e; /* a log that cannot be written has nobody to be told */

	if (lost > 0)
		buf_addf(lines,
			"level=warning msg=\"access lines lost, the log is read too slowly\""
			" lines=%" PRIu64 "\n", lost);
	if (lines->len > 0)
		(void)fsio_write_all(l->fd, lines->data, lines->len, "the access log", &e);
	buf_clear(lines);
}

static void *writer(void *cls)
{
	struct access_log *l = cls;
	CLEANUP_BUF struct buf writing = BUF_INIT(QUEUE_BYTES + 256);

	pthread_mutex_lock(&l->lock);
	while (!l->stopping || l->queued.len > 0) {
		if (l->queued.len == 0) {
			pthread_cond_wait(&l->wake, &l->lock);
			continue;
		}
		buf_add(&writing, l->queued.data, l->queued.len);
		buf_clear(&l->queued);
		uint64_t lost = l->lost;
		l->lost = 0;
		pthread_mutex_unlock(&l->lock);
		write_lines(l, &writing, lost);
		pthread_mutex_lock(&l->lock);
	}
	pthread_mutex_unlock(&l->lock);
	return NULL;
}

int access_log_start(int fd, struct access_log **ret, struct err *e)
{
	struct access_log *l = calloc(1, sizeof(*l));

	if (!l)
		return err_nomem(e);
	l->fd = fd;
	buf_init(&l->queued, QUEUE_BYTES);
	pthread_mutex_init(&l->lock, NULL);
	pthread_cond_init(&l->wake, NULL);
	int failed = pthread_create(&l->thread, NULL, writer, l);
	if (failed) {
		pthread_cond_destroy(&l->wake);
		pthread_mutex_destroy(&l->lock);
		free(l);
		return err_sys(e, failed, "cannot start the access log's thread");
	}
	*ret = l;
	return 0;
}

void access_log_add(struct access_log *l, const char *line, size_t n)
{
	pthread_mutex_lock(&l->lock);
	bool was_empty = l->queued.len == 0;
	buf_add(&l->queued, line, n);
	if (buf_failed(&l->queued)) {
		l->queued.failure = ERR_NONE;
		l->lost++;
	}
	if (was_empty)
		pthread_cond_signal(&l->wake);
	pthread_mutex_unlock(&l->lock);
}

void access_log_stop(struct access_log *l)
{
	if (!l)
		return;
	pthread_mutex_lock(&l->lock);
	l->stopping = true;
	pthread_cond_signal(&l->wake);
	pthread_mutex_unlock(&l->lock);
	pthread_join(l->thread, NULL);
	pthread_cond_destroy(&l->wake);
	pthread_mutex_destroy(&l->lock);
	buf_done(&l->queued);
	free(l);
}
