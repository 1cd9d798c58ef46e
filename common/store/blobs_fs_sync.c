/* SPDX-License-Identifier: Apache-2.0 */
#include "common/store/blobs_fs_sync.h"

#include <errno.h>
#include <stdlib.h>
#include <sys/utsname.h>
#include <unistd.h>

/* On the stack of the thread that waits for it. */
struct blobs_fs_sync_request {
	struct blobs_fs_sync_request *next;
	size_t n;
	blobs_fs_sync_fn *one;
	void *cls;
	struct err *e;
	int r;
	bool ended;
};

/* Since 5.8. */
static bool kernel_reports(void)
{
	struct utsname name;
	char *rest;

	if (uname(&name) < 0)
		return false;
	unsigned long major = strtoul(name.release, &rest, 10);
	unsigned long minor = *rest == '.' ? strtoul(rest + 1, NULL, 10) : 0;
	return major > 5 || (major == 5 && minor >= 8);
}

void blobs_fs_sync_init(struct blobs_fs_sync *s, int fd)
{
	*s = (struct blobs_fs_sync){.fd = fd, .reports = kernel_reports()};
	(void)pthread_mutex_init(&s->lock, NULL);
	(void)pthread_cond_init(&s->ended, NULL);
}

void blobs_fs_sync_done(struct blobs_fs_sync *s)
{
	(void)pthread_cond_destroy(&s->ended);
	(void)pthread_mutex_destroy(&s->lock);
}

static void sync_each(struct blobs_fs_sync_request *q)
{
	for (size_t i = 0; q->r == 0 && i < q->n; i++)
		q->r = q->one(q->cls, i, q->e);
}

static void flush_all(struct blobs_fs_sync *s, struct blobs_fs_sync_request *queue)
{
	int failed = syncfs(s->fd) < 0 ? errno : 0;

	s->flushes++;
	for (struct blobs_fs_sync_request *q = queue; failed && q; q = q->next)
		q->r = err_sys(q->e, failed, "cannot flush the store's file system to the disk");
}

static void serve(struct blobs_fs_sync *s, struct blobs_fs_sync_request *queue)
{
	size_t n = 0;

	for (struct blobs_fs_sync_request *q = queue; q && n <= BLOBS_FS_SYNC_FEW; q = q->next)
		n += q->n;
	if (n > BLOBS_FS_SYNC_FEW && s->reports) {
		flush_all(s, queue);
		return;
	}
	for (struct blobs_fs_sync_request *q = queue; q; q = q->next)
		sync_each(q);
}

/* Whoever finds nobody at it serves all that wait: what is durable after the flush has to have been
 * written before it began, so nobody joins one that runs. */
int blobs_fs_sync_run(struct blobs_fs_sync *s, size_t n, blobs_fs_sync_fn *one, void *cls,
	struct err *e)
{
	struct blobs_fs_sync_request mine = {.n = n, .one = one, .cls = cls, .e = e};
	struct blobs_fs_sync_request *queue;
	bool served;

	if (n == 0)
		return 0;
	(void)pthread_mutex_lock(&s->lock);
	mine.next = s->queue;
	s->queue = &mine;
	while (s->running && !mine.ended)
		(void)pthread_cond_wait(&s->ended, &s->lock);
	served = !mine.ended;
	if (served) {
		queue = s->queue;
		s->queue = NULL;
		s->running = true;
		(void)pthread_mutex_unlock(&s->lock);
		serve(s, queue);
		(void)pthread_mutex_lock(&s->lock);
		for (struct blobs_fs_sync_request *q = queue; q; q = q->next)
			q->ended = true;
		s->running = false;
	}
	(void)pthread_mutex_unlock(&s->lock);
	if (served) /* whoever wakes finds the lock free */
		(void)pthread_cond_broadcast(&s->ended);
	return mine.r;
}
