/* SPDX-License-Identifier: Apache-2.0 */
#include "common/store/blobs_fs_ahead.h"

#include <fcntl.h>
#include <signal.h>

void blobs_fs_ahead_init(struct blobs_fs_ahead *a)
{
	*a = (struct blobs_fs_ahead){.started = false};
	(void)pthread_mutex_init(&a->lock, NULL);
	(void)pthread_cond_init(&a->given, NULL);
	(void)pthread_cond_init(&a->idle, NULL);
	a->end = &a->first;
}

void blobs_fs_ahead_done(struct blobs_fs_ahead *a)
{
	(void)pthread_mutex_lock(&a->lock);
	a->stopping = true;
	(void)pthread_cond_signal(&a->given);
	(void)pthread_mutex_unlock(&a->lock);
	if (a->started)
		(void)pthread_join(a->thread, NULL);
	(void)pthread_cond_destroy(&a->idle);
	(void)pthread_cond_destroy(&a->given);
	(void)pthread_mutex_destroy(&a->lock);
}

/* ---- the thread ---- */

/* NULL when it is time to end. Under the lock. */
static struct blobs_fs_ahead_file *take(struct blobs_fs_ahead *a)
{
	struct blobs_fs_ahead_file *f;

	while (!a->first && !a->stopping)
		(void)pthread_cond_wait(&a->given, &a->lock);
	f = a->first;
	if (!f)
		return NULL;
	a->first = f->next;
	if (!a->first)
		a->end = &a->first;
	f->queued = false;
	return f;
}

static void *work(void *cls)
{
	struct blobs_fs_ahead *a = cls;
	struct blobs_fs_ahead_file *f;

	(void)pthread_mutex_lock(&a->lock);
	while ((f = take(a))) {
		uint64_t from = f->from;
		uint64_t n = f->to - from;

		f->from = f->to;
		f->busy = true;
		(void)pthread_mutex_unlock(&a->lock);
		/* What fails here fails at the fsync, which is where it is told. */
		(void)sync_file_range(f->fd, (off_t)from, (off_t)n, SYNC_FILE_RANGE_WRITE);
		(void)pthread_mutex_lock(&a->lock);
		f->busy = false;
		a->bytes += n;
		(void)pthread_cond_broadcast(&a->idle);
	}
	(void)pthread_mutex_unlock(&a->lock);
	return NULL;
}

/* Without a thread fsync has all of it to do. Under the lock. */
static bool start(struct blobs_fs_ahead *a)
{
	sigset_t all, before;

	if (a->started)
		return true;
	(void)sigfillset(&all);
	(void)pthread_sigmask(SIG_SETMASK, &all, &before); /* signals are the main thread's */
	a->started = pthread_create(&a->thread, NULL, work, a) == 0;
	(void)pthread_sigmask(SIG_SETMASK, &before, NULL);
	return a->started;
}

/* ---- files ---- */

void blobs_fs_ahead_begin(struct blobs_fs_ahead_file *f, int fd, uint64_t size)
{
	*f = (struct blobs_fs_ahead_file){
		.fd = fd, .written = size, .given = size, .from = size, .to = size};
}

static void give(struct blobs_fs_ahead *a, struct blobs_fs_ahead_file *f)
{
	(void)pthread_mutex_lock(&a->lock);
	if (start(a)) {
		f->used = true;
		f->to = f->written;
		if (!f->queued) {
			f->queued = true;
			f->next = NULL;
			*a->end = f;
			a->end = &f->next;
		}
	}
	(void)pthread_mutex_unlock(&a->lock);
	(void)pthread_cond_signal(&a->given); /* the thread finds the lock free */
}

void blobs_fs_ahead_wrote(struct blobs_fs_ahead *a, struct blobs_fs_ahead_file *f, size_t n)
{
	f->written += n;
	if (f->written - f->given < BLOBS_FS_AHEAD_BYTES)
		return;
	f->given = f->written;
	give(a, f);
}

/* Under the lock. */
static void take_back(struct blobs_fs_ahead *a, struct blobs_fs_ahead_file *f)
{
	struct blobs_fs_ahead_file **at = &a->first;

	while (*at != f)
		at = &(*at)->next;
	*at = f->next;
	if (!*at)
		a->end = at;
	f->queued = false;
}

void blobs_fs_ahead_end(struct blobs_fs_ahead *a, struct blobs_fs_ahead_file *f)
{
	if (!f->used)
		return;
	(void)pthread_mutex_lock(&a->lock);
	if (f->queued)
		take_back(a, f);
	while (f->busy)
		(void)pthread_cond_wait(&a->idle, &a->lock);
	(void)pthread_mutex_unlock(&a->lock);
	f->used = false;
}
