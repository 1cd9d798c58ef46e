/* SPDX-License-Identifier: Apache-2.0 */
#include "server/metrics/tally.h"
#include "tests/unit/unit.h"

#include <pthread.h>

#define LOOPS 3u

static const char file[] = "file", list[] = "list";

static const struct tally_handler handlers[] = {
	{file, TALLY_FILE}, {list, TALLY_API}, {file, TALLY_API}};

static struct tally *t;
static struct buf out;

static void start(void)
{
	struct err e;

	ck_ok(tally_new(handlers, ARRAY_SIZE(handlers), LOOPS, &t, &e));
	buf_init(&out, 1u << 20);
}

static void end(void)
{
	tally_free(t);
	buf_done(&out);
}

static const char *written(void)
{
	buf_clear(&out);
	tally_write(t, &out);
	ck_assert(!buf_failed(&out));
	return buf_str(&out);
}

static void add(unsigned loop, const char *handler, const char *method, int status, uint64_t micros)
{
	tally_add(t, loop, &(struct tally_request){
		.handler = handler,
		.method = str_of(method),
		.status = status,
		.sent = 10,
		.received = 3,
		.micros = micros,
	});
}

#define ck_written(line) ck_assert_msg(strstr(written(), "\n" line "\n") != NULL, "%s", written())

START_TEST(requests_are_summed_over_loops)
{
	add(0, file, "GET", 200, 1);
	add(2, file, "GET", 200, 1);
	add(1, file, "HEAD", 200, 1);
	add(1, list, "GET", 404, 1);
	ck_written("modeld_http_requests_total{handler=\"file\",method=\"GET\",code=\"200\"} 2");
	ck_written("modeld_http_requests_total{handler=\"file\",method=\"HEAD\",code=\"200\"} 1");
	ck_written("modeld_http_requests_total{handler=\"list\",method=\"GET\",code=\"404\"} 1");
	ck_written("modeld_http_response_bytes_total{class=\"file\"} 30");
	ck_written("modeld_http_request_bytes_total{class=\"api\"} 3");
	ck_assert_ptr_null(strstr(written(), "POST"));
}
END_TEST

START_TEST(what_is_not_known_is_counted_all_the_same)
{
	add(0, "else", "BREW", 299, 1);
	add(0, "else", "GET", -1, 1);
	add(0, "else", "GET", 70000, 1);
	ck_written("modeld_http_requests_total{handler=\"-\",method=\"other\",code=\"0\"} 1");
	ck_written("modeld_http_requests_total{handler=\"-\",method=\"GET\",code=\"0\"} 2");
}
END_TEST

START_TEST(every_status_of_an_error_has_its_line)
{
	static const int statuses[] = {
#define ERR(code, status, blame, title) status,
#include "common/base/err.def"
#undef ERR
		200, 201, 202, 204, 206, 304};

	for (size_t i = 0; i < ARRAY_SIZE(statuses); i++) {
		char line[100];
		add(0, file, "PUT", statuses[i], 1);
		snprintf(line, sizeof(line), "method=\"PUT\",code=\"%d\"} ", statuses[i]);
		ck_assert_msg(strstr(written(), line) != NULL, "%s", line);
	}
}
END_TEST

#define BUCKET(le) "modeld_http_request_duration_seconds_bucket{class=\"api\",le=\"" le "\"} "

START_TEST(a_histogram_counts_what_took_at_most_so_long)
{
	static const uint64_t micros[] = {100, 101, 60000000, 60000001};

	for (size_t i = 0; i < ARRAY_SIZE(micros); i++)
		add((unsigned)i % LOOPS, list, "GET", 200, micros[i]);
	ck_written(BUCKET("0.0001") "1");
	ck_written(BUCKET("0.0005") "2");
	ck_written(BUCKET("10") "2");
	ck_written(BUCKET("60") "3");
	ck_written(BUCKET("+Inf") "4");
	ck_written("modeld_http_request_duration_seconds_sum{class=\"api\"} 120.000202");
	ck_written("modeld_http_request_duration_seconds_count{class=\"api\"} 4");
	ck_written("modeld_http_request_duration_seconds_count{class=\"file\"} 0");
}
END_TEST

#define EACH 20000u

static void *add_many(void *cls)
{
	for (unsigned i = 0; i < EACH; i++)
		add(*(unsigned *)cls, file, "GET", 200, i);
	return NULL;
}

START_TEST(nothing_is_lost_while_loops_count_and_somebody_reads)
{
	unsigned loops[LOOPS];
	pthread_t threads[LOOPS];

	for (unsigned i = 0; i < LOOPS; i++) {
		loops[i] = i;
		ck_assert_int_eq(pthread_create(&threads[i], NULL, add_many, &loops[i]), 0);
	}
	for (unsigned i = 0; i < 20; i++)
		(void)written();
	for (unsigned i = 0; i < LOOPS; i++)
		pthread_join(threads[i], NULL);
	ck_written("modeld_http_requests_total{handler=\"file\",method=\"GET\",code=\"200\"} "
		"60000");
	ck_written("modeld_http_request_duration_seconds_count{class=\"file\"} 60000");
}
END_TEST

static Suite *suite(void)
{
	Suite *s = suite_create("tally");
	TCase *c = tcase_create("tally");

	tcase_add_checked_fixture(c, start, end);
	tcase_add_test(c, requests_are_summed_over_loops);
	tcase_add_test(c, what_is_not_known_is_counted_all_the_same);
	tcase_add_test(c, every_status_of_an_error_has_its_line);
	tcase_add_test(c, a_histogram_counts_what_took_at_most_so_long);
	tcase_add_test(c, nothing_is_lost_while_loops_count_and_somebody_reads);
	suite_add_tcase(s, c);
	return s;
}

UNIT_MAIN
