/* SPDX-License-Identifier: Apache-2.0 */
/* How calls share a commit. Each test holds the writer until all others wait for it. */
#include "common/store/catalog_sqlite_pool.h"
#include "tests/unit/unit.h"
#include "tests/unit/unit_dir.h"

#include <pthread.h>
#include <sched.h>

#define WRITERS 6

static struct catalog_sqlite_pool pool;

static void open_pool(void)
{
	const char *path;
	struct err e;

	unit_dir_make();
	path = unit_dir_file("catalog.db");
	memset(&pool, 0, sizeof(pool));
	ck_ok(catalog_sqlite_pool_open(&pool, path, CATALOG_SQLITE_CONN_CREATE, &e));
	ck_ok(catalog_sqlite_pool_open_readers(&pool, path, &e));
	ck_ok(catalog_sqlite_conn_exec(&pool.writer,
		"CREATE TABLE t (id BIGINT NOT NULL PRIMARY KEY, filling TEXT NOT NULL)", &e));
}

static void close_pool(void)
{
	catalog_sqlite_pool_close(&pool);
	unit_dir_remove();
}

static int insert(struct catalog_sqlite_conn *c, uint64_t id, const char *filling, struct err *e)
{
	static const char sql[] = "INSERT INTO t (id, filling) VALUES ($1, $2)";
	CATALOG_SQLITE_QUERY q = catalog_sqlite_conn_query(c, sql);

	catalog_sqlite_conn_uint(&q, "$1", id);
	catalog_sqlite_conn_text(&q, "$2", filling);
	return catalog_sqlite_conn_run(&q, e);
}

static uint64_t count(void)
{
	static const char sql[] = "SELECT COUNT(*) FROM t";
	struct catalog_sqlite_conn *c;
	uint64_t n = 0;
	bool row;
	struct err e;

	ck_ok(catalog_sqlite_pool_read_begin(&pool, &c, &e));
	{
		CATALOG_SQLITE_QUERY q = catalog_sqlite_conn_query(c, sql);
		ck_ok(catalog_sqlite_conn_row(&q, &row, &e));
		n = catalog_sqlite_conn_col_uint(&q, 0);
	}
	ck_ok(catalog_sqlite_pool_read_end(&pool, c, 0));
	return n;
}

struct writer {
	pthread_t thread;
	uint64_t id;
	const char *filling;
	enum err_code refuse; /* after the insert */
	int r;
	struct err e;
};

static int write_one(struct writer *w, struct catalog_sqlite_conn *c)
{
	int r = insert(c, w->id, w->filling, &w->e);

	if (r == 0 && w->refuse != ERR_NONE)
		r = err_set(&w->e, w->refuse, "refused as told");
	return r;
}

static void *write_in_thread(void *cls)
{
	struct writer *w = cls;
	struct catalog_sqlite_conn *c;

	w->r = catalog_sqlite_pool_write_begin(&pool, &c, &w->e);
	if (w->r == 0)
		w->r = write_one(w, c);
	w->r = catalog_sqlite_pool_write_end(&pool, c, w->r, &w->e);
	return NULL;
}

static size_t wanting(void)
{
	(void)pthread_mutex_lock(&pool.write_lock);
	size_t n = pool.wanting;
	(void)pthread_mutex_unlock(&pool.write_lock);
	return n;
}

/* The first one has its turn while the others queue up, in their order. */
static void write_together(struct writer *w, size_t n)
{
	struct catalog_sqlite_conn *c;

	w[0].r = catalog_sqlite_pool_write_begin(&pool, &c, &w[0].e);
	ck_assert_int_eq(w[0].r, 0);
	for (size_t i = 1; i < n; i++) {
		ck_assert_int_eq(pthread_create(&w[i].thread, NULL, write_in_thread, &w[i]), 0);
		while (wanting() < i)
			(void)sched_yield();
	}
	pool.join_until_ms = UINT64_MAX; /* however long queueing took */
	w[0].r = catalog_sqlite_pool_write_end(&pool, c, write_one(&w[0], c), &w[0].e);
	for (size_t i = 1; i < n; i++)
		(void)pthread_join(w[i].thread, NULL);
}

static void fill(struct writer *w, size_t n)
{
	memset(w, 0, n * sizeof(*w));
	for (size_t i = 0; i < n; i++) {
		w[i].id = i + 1;
		w[i].filling = "x";
	}
}

START_TEST(calls_that_wait_share_one_commit)
{
	struct writer w[WRITERS];

	fill(w, WRITERS);
	write_together(w, WRITERS);
	for (size_t i = 0; i < WRITERS; i++)
		ck_assert_int_eq(w[i].r, 0);
	ck_assert_uint_eq(pool.commits, 1);
	ck_assert_uint_eq(count(), WRITERS);
}
END_TEST

START_TEST(a_call_alone_commits_at_once)
{
	struct writer w[1];

	fill(w, 1);
	write_together(w, 1);
	w[0].id++;
	write_together(w, 1);
	ck_assert_uint_eq(pool.commits, 2);
	ck_assert_uint_eq(count(), 2);
}
END_TEST

START_TEST(a_call_that_fails_undoes_only_itself)
{
	struct writer w[WRITERS];

	fill(w, WRITERS);
	w[2].refuse = ERR_CONFLICT;
	write_together(w, WRITERS);
	ck_assert_int_eq(w[2].r, -(int)ERR_CONFLICT);
	ck_assert_str_eq(w[2].e.text, "refused as told");
	for (size_t i = 0; i < WRITERS; i++)
		if (i != 2)
			ck_assert_int_eq(w[i].r, 0);
	ck_assert_uint_eq(count(), WRITERS - 1);
	w[2].refuse = ERR_NONE;
	write_together(&w[2], 1);
	ck_assert_int_eq(w[2].r, 0);
}
END_TEST

START_TEST(the_first_call_fails_alone)
{
	struct writer w[WRITERS];

	fill(w, WRITERS);
	w[0].refuse = ERR_CONFLICT;
	write_together(w, WRITERS);
	ck_assert_int_eq(w[0].r, -(int)ERR_CONFLICT);
	for (size_t i = 1; i < WRITERS; i++)
		ck_assert_int_eq(w[i].r, 0);
	ck_assert_uint_eq(count(), WRITERS - 1);
}
END_TEST

START_TEST(nothing_is_committed_when_all_fail)
{
	struct writer w[2];

	fill(w, 2);
	w[0].refuse = w[1].refuse = ERR_CONFLICT;
	write_together(w, 2);
	ck_assert_int_eq(w[0].r, -(int)ERR_CONFLICT);
	ck_assert_int_eq(w[1].r, -(int)ERR_CONFLICT);
	ck_assert_uint_eq(pool.commits, 0);
	ck_assert_uint_eq(count(), 0);
}
END_TEST

/* SQLite gives the whole transaction up when the database may not grow. */
START_TEST(a_transaction_that_is_lost_fails_for_all_in_it)
{
	static char large[1u << 20];
	struct writer w[3];
	struct err e;

	fill(w, 3);
	memset(large, 'x', sizeof(large) - 1);
	w[2].filling = large;
	ck_ok(catalog_sqlite_conn_exec(&pool.writer, "PRAGMA max_page_count = 8", &e));
	write_together(w, 3);
	ck_assert_int_eq(w[2].r, -(int)ERR_STORAGE_FULL);
	ck_assert_uint_eq(count(), (w[0].r == 0) + (w[1].r == 0));
	ck_ok(catalog_sqlite_conn_exec(&pool.writer, "PRAGMA max_page_count = 1000000", &e));
	fill(w, 1);
	w[0].id = 9;
	write_together(w, 1);
	ck_assert_int_eq(w[0].r, 0);
}
END_TEST

/* A deferred constraint fails at the commit: the only failure there that needs no broken disk. */
START_TEST(a_commit_that_fails_fails_for_all_in_it)
{
	struct writer w[3];
	struct err e;

	ck_ok(catalog_sqlite_conn_exec(&pool.writer,
		"CREATE TABLE parent (id BIGINT NOT NULL PRIMARY KEY);"
		"CREATE TABLE child (id BIGINT REFERENCES parent (id)"
		" DEFERRABLE INITIALLY DEFERRED);"
		"CREATE TRIGGER orphan AFTER INSERT ON t WHEN new.id = 2"
		" BEGIN INSERT INTO child (id) VALUES (7); END", &e));
	fill(w, 3);
	write_together(w, 3);
	for (size_t i = 0; i < 3; i++) {
		ck_assert_int_lt(w[i].r, 0);
		ck_assert_int_eq(w[i].r, -(int)w[i].e.code);
	}
	ck_assert_uint_eq(count(), 0);
	w[0].id = 5;
	write_together(w, 1);
	ck_assert_int_eq(w[0].r, 0);
}
END_TEST

static void *write_many(void *cls)
{
	uint64_t first = *(const uint64_t *)cls;

	for (uint64_t i = 0; i < 200; i++) {
		struct writer w = {.id = first + i, .filling = "x"};
		w.refuse = i % 5 == 4 ? ERR_CONFLICT : ERR_NONE;
		(void)write_in_thread(&w);
		ck_assert_int_eq(w.r, -(int)w.refuse);
	}
	return NULL;
}

START_TEST(every_call_of_many_threads_ends_as_it_should)
{
	pthread_t threads[WRITERS];
	uint64_t first[WRITERS];

	for (size_t i = 0; i < WRITERS; i++) {
		first[i] = 1000 * (i + 1);
		ck_assert_int_eq(pthread_create(&threads[i], NULL, write_many, &first[i]), 0);
	}
	for (size_t i = 0; i < WRITERS; i++)
		(void)pthread_join(threads[i], NULL);
	ck_assert_uint_eq(count(), WRITERS * 160);
	ck_assert_uint_le(pool.commits, WRITERS * 160);
}
END_TEST

static Suite *suite(void)
{
	Suite *s = suite_create("catalog_pool");
	TCase *t = tcase_create("writing");

	tcase_add_checked_fixture(t, open_pool, close_pool);
	tcase_set_timeout(t, 120);
	tcase_add_test(t, calls_that_wait_share_one_commit);
	tcase_add_test(t, a_call_alone_commits_at_once);
	tcase_add_test(t, a_call_that_fails_undoes_only_itself);
	tcase_add_test(t, the_first_call_fails_alone);
	tcase_add_test(t, nothing_is_committed_when_all_fail);
	tcase_add_test(t, a_transaction_that_is_lost_fails_for_all_in_it);
	tcase_add_test(t, a_commit_that_fails_fails_for_all_in_it);
	tcase_add_test(t, every_call_of_many_threads_ends_as_it_should);
	suite_add_tcase(s, t);
	return s;
}

UNIT_MAIN
