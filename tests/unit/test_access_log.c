/* SPDX-License-Identifier: Apache-2.0 */
#include "server/work/access_log.h"
#include "tests/unit/unit.h"

#include <pthread.h>
#include <stdio.h>

#define LOOPS 3u

static struct access_log *l;
static FILE *reader; /* of a pipe whose other end the log has */
static int log_fd;

static void start(void)
{
	int ends[2];
	struct err e;

	ck_assert_int_eq(pipe(ends), 0);
	reader = fdopen(ends[0], "r");
	ck_assert_ptr_nonnull(reader);
	log_fd = ends[1];
	ck_ok(access_log_start(log_fd, LOOPS, &l, &e));
}

static void end(void)
{
	access_log_stop(l);
	fclose(reader);
	close(log_fd);
}

static const char *trace = "";

static void add(unsigned loop, const char *id, const char *target)
{
	access_log_add(l, loop, &(struct access_log_line){
		.when_ms = 784111777000,
		.request_id = id,
		.trace = trace,
		.method = STR_LIT("GET"),
		.target = str_of(target),
		.client = "127.0.0.1",
		.handler = "file",
		.status = 200,
		.sent = 1024,
		.received = 0,
		.micros = 17,
	});
}

static const char *line(void)
{
	static char text[32768];

	ck_assert_ptr_nonnull(fgets(text, sizeof(text), reader));
	return text;
}

/* How many lines this one says are lost. */
static unsigned long lost_in(const char *text)
{
	const char *at = strstr(text, " lines=");

	return at ? strtoul(at + 7, NULL, 10) : 0;
}

START_TEST(a_line_says_what_was_added)
{
	start();
	add(0, "0-1", "/models/a b\"@1/model.json");
	const char *text = line();
	ck_assert_msg(strstr(text, "level=info msg=request id=0-1 client=127.0.0.1 method=GET "
		"target=\"/models/a b\\\"@1/model.json\" handler=file status=200 sent=1024 "
		"received=0 us=17\n"), "%s", text);
	ck_assert_msg(strstr(text, "time=1994-11-06T08:49:37"), "%s", text);
	trace = "4bf92f3577b34da6a3ce929d0e0e4736";
	add(0, "0-2", "/");
	text = line();
	ck_assert_msg(strstr(text, " us=17 trace=4bf92f3577b34da6a3ce929d0e0e4736\n"), "%s", text);
	end();
}
END_TEST

START_TEST(what_is_there_is_written_at_the_end)
{
	start();
	for (unsigned i = 0; i < 100; i++)
		add(i % LOOPS, "x", "/");
	access_log_stop(l);
	close(log_fd);
	for (unsigned i = 0; i < 100; i++)
		ck_assert_ptr_nonnull(strstr(line(), "id=x"));
	ck_assert_int_eq(fgetc(reader), EOF);
	fclose(reader);
}
END_TEST

START_TEST(a_long_target_is_cut)
{
	char target[5000];

	memset(target, '"', sizeof(target) - 1);
	target[sizeof(target) - 1] = '\0';
	start();
	add(0, "long", target);
	const char *text = line();
	ck_assert_ptr_nonnull(strstr(text, "id=long"));
	ck_assert_ptr_nonnull(strstr(text, " us=17\n"));
	ck_assert_uint_lt(strlen(text), sizeof(target));
	end();
}
END_TEST

#define EACH 20000u

static void *add_many(void *cls)
{
	unsigned loop = *(unsigned *)cls;
	char id[32];

	for (unsigned i = 0; i < EACH; i++) {
		(void)snprintf(id, sizeof(id), "%u-%u", loop, i);
		add(loop, id, "/models/m@1/model.json");
	}
	return NULL;
}

START_TEST(each_line_of_many_loops_comes_once_in_order_or_is_told_as_lost)
{
	unsigned loops[LOOPS], next[LOOPS] = {0}, loop, number;
	unsigned long lines = 0, lost = 0;
	pthread_t threads[LOOPS];

	start();
	for (unsigned i = 0; i < LOOPS; i++) {
		loops[i] = i;
		ck_assert_int_eq(pthread_create(&threads[i], NULL, add_many, &loops[i]), 0);
	}
	while (lines + lost < LOOPS * EACH) {
		const char *text = line(), *id = strstr(text, " id=");
		lost += lost_in(text);
		if (!id)
			continue;
		ck_assert_int_eq(sscanf(id, " id=%u-%u", &loop, &number), 2);
		ck_assert_uint_lt(loop, LOOPS);
		ck_assert_uint_ge(number, next[loop]);
		next[loop] = number + 1;
		lines++;
	}
	ck_assert_uint_eq(lines + lost, LOOPS * EACH);
	for (unsigned i = 0; i < LOOPS; i++)
		pthread_join(threads[i], NULL);
	end();
}
END_TEST

START_TEST(a_reader_that_stalls_costs_lines_and_is_told)
{
	const unsigned long added = 40000; /* more than a ring and the pipe hold */
	unsigned long lines = 0, lost = 0;

	start();
	for (unsigned i = 0; i < added; i++)
		add(0, "x", "/models/m@1/model.json");
	while (lines + lost < added) {
		const char *text = line();
		lost += lost_in(text);
		lines += strstr(text, " id=x") != NULL;
	}
	ck_assert_uint_gt(lost, 0);
	ck_assert_uint_eq(lines + lost, added);
	end();
}
END_TEST

static Suite *suite(void)
{
	Suite *s = suite_create("access_log");
	TCase *t = tcase_create("access_log");

	tcase_set_timeout(t, 120);
	tcase_add_test(t, a_line_says_what_was_added);
	tcase_add_test(t, what_is_there_is_written_at_the_end);
	tcase_add_test(t, a_long_target_is_cut);
	tcase_add_test(t, each_line_of_many_loops_comes_once_in_order_or_is_told_as_lost);
	tcase_add_test(t, a_reader_that_stalls_costs_lines_and_is_told);
	suite_add_tcase(s, t);
	return s;
}

UNIT_MAIN
