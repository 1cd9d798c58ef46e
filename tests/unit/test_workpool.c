/* SPDX-License-Identifier: Apache-2.0 */
#include "server/work/workpool.h"
#include "tests/unit/unit.h"

#include <pthread.h>
#include <semaphore.h>
#include <stdatomic.h>

#define MANY 10000

struct gate { /* keeps a worker inside a job until it is opened */
	sem_t entered, open;
};

static void gate_init(struct gate *g)
{
	sem_init(&g->entered, 0, 0);
	sem_init(&g->open, 0, 0);
}

static void pass_gate(void *cls)
{
	struct gate *g = cls;

	sem_post(&g->entered);
	sem_wait(&g->open);
}

static atomic_uint done;

static void forget_done(void)
{
	done = 0;
}

static void count(void *cls)
{
	(void)cls;
	atomic_fetch_add(&done, 1);
}

struct step {
	unsigned number, *order;
};

static void note_order(void *cls)
{
	struct step *step = cls;

	step->order[atomic_fetch_add(&done, 1)] = step->number;
}

/* Submits until the pool takes it. */
static void insist(struct workpool *p, work_fn *fn, void *cls)
{
	struct err e;

	while (workpool_submit(p, WORK_WRITE, fn, cls, &e) < 0) {
		ck_assert_int_eq(e.code, ERR_BUSY);
		sched_yield();
	}
}

START_TEST(a_full_queue_is_busy_and_its_jobs_still_run)
{
	struct workpool *p;
	struct gate gate;
	struct err e;

	gate_init(&gate);
	ck_ok(workpool_start(1, 0, 2, &p, &e));
	ck_ok(workpool_submit(p, WORK_WRITE, pass_gate, &gate, &e));
	sem_wait(&gate.entered);
	ck_ok(workpool_submit(p, WORK_WRITE, count, NULL, &e));
	ck_ok(workpool_submit(p, WORK_WRITE, count, NULL, &e));
	ck_err(workpool_submit(p, WORK_WRITE, count, NULL, &e), ERR_BUSY);
	sem_post(&gate.open);
	workpool_stop(p);
	ck_assert_uint_eq(done, 2);
}
END_TEST

START_TEST(one_thread_works_in_the_order_of_submission)
{
	unsigned order[100];
	struct step steps[ARRAY_SIZE(order)];
	struct workpool *p;
	struct err e;

	ck_ok(workpool_start(1, 0, 7, &p, &e));
	for (unsigned i = 0; i < ARRAY_SIZE(steps); i++) {
		steps[i] = (struct step){i, order};
		insist(p, note_order, &steps[i]);
	}
	workpool_stop(p);
	for (unsigned i = 0; i < ARRAY_SIZE(order); i++)
		ck_assert_uint_eq(order[i], i);
}
END_TEST

START_TEST(all_threads_work_at_the_same_time)
{
	struct gate gates[3];
	struct workpool *p;
	struct err e;

	ck_ok(workpool_start(ARRAY_SIZE(gates), 0, 8, &p, &e));
	for (size_t i = 0; i < ARRAY_SIZE(gates); i++) {
		gate_init(&gates[i]);
		ck_ok(workpool_submit(p, WORK_WRITE, pass_gate, &gates[i], &e));
	}
	for (size_t i = 0; i < ARRAY_SIZE(gates); i++)
		sem_wait(&gates[i].entered);
	for (size_t i = 0; i < ARRAY_SIZE(gates); i++)
		sem_post(&gates[i].open);
	workpool_stop(p);
}
END_TEST

START_TEST(what_reads_runs_while_writes_take_all_they_may)
{
	struct gate gates[2], read;
	struct workpool *p;
	struct err e;

	ck_ok(workpool_start(ARRAY_SIZE(gates), 1, 2, &p, &e));
	for (size_t i = 0; i < ARRAY_SIZE(gates); i++) {
		gate_init(&gates[i]);
		ck_ok(workpool_submit(p, WORK_WRITE, pass_gate, &gates[i], &e));
		sem_wait(&gates[i].entered);
	}
	ck_ok(workpool_submit(p, WORK_WRITE, count, NULL, &e));
	ck_ok(workpool_check(p, WORK_WRITE, &e));
	ck_ok(workpool_submit(p, WORK_WRITE, count, NULL, &e));
	ck_err(workpool_check(p, WORK_WRITE, &e), ERR_BUSY);
	ck_err(workpool_submit(p, WORK_WRITE, count, NULL, &e), ERR_BUSY);

	gate_init(&read);
	ck_ok(workpool_check(p, WORK_READ, &e));
	ck_ok(workpool_submit(p, WORK_READ, pass_gate, &read, &e));
	sem_wait(&read.entered);
	ck_assert_uint_eq(done, 0);
	sem_post(&read.open);
	sem_post(&gates[0].open);
	sem_post(&gates[1].open);
	workpool_stop(p);
	ck_assert_uint_eq(done, 2);
}
END_TEST

static void *submit_many(void *cls)
{
	for (unsigned i = 0; i < MANY; i++)
		insist(cls, count, NULL);
	return NULL;
}

START_TEST(every_job_of_many_submitters_runs_once)
{
	pthread_t submitters[4];
	struct workpool *p;
	struct err e;

	ck_ok(workpool_start(3, 0, 64, &p, &e));
	for (size_t i = 0; i < ARRAY_SIZE(submitters); i++)
		ck_assert_int_eq(pthread_create(&submitters[i], NULL, submit_many, p), 0);
	for (size_t i = 0; i < ARRAY_SIZE(submitters); i++)
		pthread_join(submitters[i], NULL);
	workpool_stop(p);
	ck_assert_uint_eq(done, MANY * ARRAY_SIZE(submitters));
}
END_TEST

struct chain {
	struct workpool *pool;
	atomic_uint accepted;
	bool refused;
};

/* Submits itself again until the pool does not take it. */
static void go_on(void *cls)
{
	struct chain *c = cls;
	struct err e;

	atomic_fetch_add(&done, 1);
	if (workpool_submit(c->pool, WORK_WRITE, go_on, c, &e) == 0)
		atomic_fetch_add(&c->accepted, 1);
	else
		c->refused = e.code == ERR_SHUTTING_DOWN;
}

START_TEST(stop_under_load_runs_what_was_accepted_and_refuses_the_rest)
{
	struct workpool *p;
	struct chain c = {.accepted = 1};
	struct err e;

	ck_ok(workpool_start(2, 0, 4, &p, &e));
	c.pool = p;
	ck_ok(workpool_submit(p, WORK_WRITE, go_on, &c, &e));
	while (done < MANY)
		sched_yield();
	workpool_stop(p);
	ck_assert(c.refused);
	ck_assert_uint_eq(done, c.accepted);
}
END_TEST

START_TEST(a_pool_that_was_never_used_stops)
{
	struct workpool *p;
	struct err e;

	ck_ok(workpool_start(4, 0, 1, &p, &e));
	workpool_stop(p);
	workpool_stop(NULL);
}
END_TEST

static Suite *suite(void)
{
	Suite *s = suite_create("workpool");
	TCase *t = tcase_create("workpool");

	tcase_add_checked_fixture(t, forget_done, NULL);
	tcase_add_test(t, a_full_queue_is_busy_and_its_jobs_still_run);
	tcase_add_test(t, one_thread_works_in_the_order_of_submission);
	tcase_add_test(t, all_threads_work_at_the_same_time);
	tcase_add_test(t, what_reads_runs_while_writes_take_all_they_may);
	tcase_add_test(t, every_job_of_many_submitters_runs_once);
	tcase_add_test(t, stop_under_load_runs_what_was_accepted_and_refuses_the_rest);
	tcase_add_test(t, a_pool_that_was_never_used_stops);
	suite_add_tcase(s, t);
	return s;
}

UNIT_MAIN
