/* SPDX-License-Identifier: Apache-2.0 */
/* How requests to sync are served together. */
#include "common/base/fsio.h"
#include "common/store/blobs_fs_sync.h"
#include "tests/unit/unit.h"
#include "tests/unit/unit_dir.h"

#include <fcntl.h>
#include <sched.h>
#include <stdatomic.h>

#define MANY (2 * BLOBS_FS_SYNC_FEW)

static struct blobs_fs_sync sync_queue;
static int dir_fd = -1;
static atomic_uint synced; /* calls of sync_one() */

static void set_up(void)
{
	struct err e;

	unit_dir_make();
	ck_ok(fsio_open_dir(AT_FDCWD, unit_dir_path, &dir_fd, &e));
	blobs_fs_sync_init(&sync_queue, dir_fd);
	atomic_store(&synced, 0);
}

static void tear_down(void)
{
	blobs_fs_sync_done(&sync_queue);
	close_fd_p(&dir_fd);
	unit_dir_remove();
}

static int sync_one(void *cls, size_t i, struct err *e)
{
	const size_t *bad = cls;

	atomic_fetch_add(&synced, 1);
	return bad && *bad == i ? err_set(e, ERR_IO_FAILED, "number %zu is bad", i) : 0;
}

START_TEST(few_are_synced_one_by_one)
{
	struct err e;

	ck_ok(blobs_fs_sync_run(&sync_queue, BLOBS_FS_SYNC_FEW, sync_one, NULL, &e));
	ck_assert_uint_eq(atomic_load(&synced), BLOBS_FS_SYNC_FEW);
	ck_assert_uint_eq(sync_queue.flushes, 0);
}
END_TEST

START_TEST(many_take_one_flush)
{
	struct err e;

	sync_queue.reports = true;
	ck_ok(blobs_fs_sync_run(&sync_queue, 10000, sync_one, NULL, &e));
	ck_assert_uint_eq(atomic_load(&synced), 0);
	ck_assert_uint_eq(sync_queue.flushes, 1);
}
END_TEST

START_TEST(a_kernel_that_hides_errors_is_not_trusted_with_a_flush)
{
	struct err e;

	sync_queue.reports = false;
	ck_ok(blobs_fs_sync_run(&sync_queue, MANY, sync_one, NULL, &e));
	ck_assert_uint_eq(atomic_load(&synced), MANY);
	ck_assert_uint_eq(sync_queue.flushes, 0);
}
END_TEST

START_TEST(the_first_failure_ends_a_request)
{
	size_t bad = 2;
	struct err e;

	ck_err(blobs_fs_sync_run(&sync_queue, BLOBS_FS_SYNC_FEW, sync_one, &bad, &e),
		ERR_IO_FAILED);
	ck_assert_str_eq(e.text, "number 2 is bad");
	ck_assert_uint_eq(atomic_load(&synced), 3);
}
END_TEST

START_TEST(a_flush_that_fails_is_told)
{
	struct err e;

	sync_queue.reports = true;
	sync_queue.fd = -1;
	ck_err(blobs_fs_sync_run(&sync_queue, MANY, sync_one, NULL, &e), ERR_IO_FAILED);
	ck_assert_int_eq(e.sys_errno, EBADF);
}
END_TEST

/* ---- several at a time ---- */

struct request {
	pthread_t thread;
	size_t n;
	size_t bad;
	int r;
	struct err e;
};

static void *request(void *cls)
{
	struct request *q = cls;

	q->r = blobs_fs_sync_run(&sync_queue, q->n, sync_one, &q->bad, &q->e);
	return NULL;
}

struct queued {
	struct request requests[MANY];
	size_t n;
	size_t failing; /* whose only file cannot be synced */
};

static struct blobs_fs_sync_request *head(void)
{
	struct blobs_fs_sync_request *at;

	(void)pthread_mutex_lock(&sync_queue.lock);
	at = sync_queue.queue;
	(void)pthread_mutex_unlock(&sync_queue.lock);
	return at;
}

/* While it is being served the others come, each seen in the queue before the next. */
static int let_others_queue(void *cls, size_t i, struct err *e)
{
	struct queued *others = cls;

	(void)i;
	(void)e;
	for (size_t k = 0; k < others->n; k++) {
		const struct blobs_fs_sync_request *before = head();
		struct request *q = &others->requests[k];
		q->n = 1;
		q->bad = k == others->failing ? 0 : SIZE_MAX;
		ck_assert_int_eq(pthread_create(&q->thread, NULL, request, q), 0);
		while (head() == before)
			(void)sched_yield();
	}
	return 0;
}

static void run_queued(struct queued *others, size_t n, size_t failing)
{
	struct err e;

	others->n = n;
	others->failing = failing;
	ck_ok(blobs_fs_sync_run(&sync_queue, 1, let_others_queue, others, &e));
	for (size_t i = 0; i < n; i++)
		(void)pthread_join(others->requests[i].thread, NULL);
}

START_TEST(requests_that_wait_share_one_flush)
{
	static struct queued others;

	sync_queue.reports = true;
	run_queued(&others, MANY, SIZE_MAX);
	for (size_t i = 0; i < MANY; i++)
		ck_assert_int_eq(others.requests[i].r, 0);
	ck_assert_uint_eq(sync_queue.flushes, 1);
	ck_assert_uint_eq(atomic_load(&synced), 0);
}
END_TEST

START_TEST(few_that_wait_are_synced_one_by_one)
{
	static struct queued others;

	run_queued(&others, 3, SIZE_MAX);
	ck_assert_uint_eq(sync_queue.flushes, 0);
	ck_assert_uint_eq(atomic_load(&synced), 3);
}
END_TEST

START_TEST(one_that_fails_alone_leaves_the_others_be)
{
	static struct queued others;

	run_queued(&others, 4, 1);
	for (size_t i = 0; i < 4; i++)
		ck_assert_int_eq(others.requests[i].r, i == 1 ? -(int)ERR_IO_FAILED : 0);
}
END_TEST

static Suite *suite(void)
{
	Suite *s = suite_create("blobs_sync");
	TCase *t = tcase_create("sync");

	tcase_add_checked_fixture(t, set_up, tear_down);
	tcase_set_timeout(t, 120);
	tcase_add_test(t, few_are_synced_one_by_one);
	tcase_add_test(t, many_take_one_flush);
	tcase_add_test(t, a_kernel_that_hides_errors_is_not_trusted_with_a_flush);
	tcase_add_test(t, the_first_failure_ends_a_request);
	tcase_add_test(t, a_flush_that_fails_is_told);
	tcase_add_test(t, requests_that_wait_share_one_flush);
	tcase_add_test(t, few_that_wait_are_synced_one_by_one);
	tcase_add_test(t, one_that_fails_alone_leaves_the_others_be);
	suite_add_tcase(s, t);
	return s;
}

UNIT_MAIN
