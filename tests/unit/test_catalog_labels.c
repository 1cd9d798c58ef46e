/* SPDX-License-Identifier: Apache-2.0 */
/* Labels in the catalog: moves, compare-and-set, history. */
#include "common/base/clock.h"
#include "tests/unit/unit.h"
#include "tests/unit/unit_catalog.h"

#include <pthread.h>
#include <stdatomic.h>

static int move_expecting(const char *model, const char *label, uint64_t version,
	const uint64_t *expected, struct catalog_label *ret, struct err *e)
{
	const struct catalog_label_move m = {
		.model = model,
		.label = label,
		.version = version,
		.expected = expected,
		.who = "tester",
	};
	bool created;

	return catalog_move_label(unit_catalog, &m, ret, &created, e);
}

static struct catalog_label moved(const char *model, const char *label, uint64_t version)
{
	struct catalog_label now;
	struct err e;

	ck_ok(move_expecting(model, label, version, NULL, &now, &e));
	return now;
}

static void dropped(const char *model, const char *label)
{
	struct err e;

	ck_ok(catalog_drop_label(unit_catalog,
		&(struct catalog_label_move){.model = model, .label = label, .who = ""}, &e));
}

static uint64_t version_of(const char *model, const char *label)
{
	CLEANUP(catalog_version_free_p) struct catalog_version *v = NULL;
	struct catalog_label found;
	struct err e;

	ck_ok(catalog_version_by_label(unit_catalog, model, label, &found, &v, &e));
	ck_assert_uint_eq(found.version, v->version);
	return v->version;
}

static int add_change(void *cls, const struct catalog_label_change *x, struct err *e)
{
	char *text = cls;

	(void)e;
	(void)snprintf(text + strlen(text), 200 - strlen(text), "%llu>%llu:%s ",
		(unsigned long long)x->from, (unsigned long long)x->to, x->who);
	return 0;
}

static void check_history(const char *model, const char *label, const char *want)
{
	char text[200] = "";
	struct err e;

	ck_ok(catalog_label_history(unit_catalog, model, label, 0, 100, add_change, text, &e));
	ck_assert_str_eq(text, want);
}

START_TEST(a_label_names_a_version_until_it_is_moved)
{
	struct catalog_label first, second;
	uint64_t before = clock_now_ms();

	unit_catalog_publish("team/m", "one", NULL);
	unit_catalog_publish("team/m", "two", NULL);
	first = moved("team/m", "stable", 1);
	ck_assert_str_eq(first.label, "stable");
	ck_assert_uint_eq(first.version, 1);
	ck_assert_uint_eq(first.revision, 1);
	ck_assert_uint_ge(first.moved_ms, before);
	ck_assert_uint_eq(version_of("team/m", "stable"), 1);
	second = moved("team/m", "stable", 2);
	ck_assert_uint_eq(second.revision, 2);
	unit_catalog_reopen();
	ck_assert_uint_eq(version_of("team/m", "stable"), 2);
	ck_assert_int_eq(unit_catalog_raw("SELECT COUNT(*) FROM changes WHERE kind = 'label-moved'"
		" AND model = 'team/m' AND item = 'stable'"), 2);
}
END_TEST

START_TEST(moving_to_the_same_version_changes_nothing)
{
	struct catalog_label first, again;

	unit_catalog_publish("m", "one", NULL);
	first = moved("m", "stable", 1);
	again = moved("m", "stable", 1);
	ck_assert_uint_eq(again.revision, first.revision);
	check_history("m", "stable", "0>1:tester ");
	ck_assert_int_eq(unit_catalog_raw("SELECT COUNT(*) FROM changes"), 3);
}
END_TEST

START_TEST(a_label_needs_a_version_that_is_there)
{
	struct catalog_label now;
	struct err e;

	unit_catalog_publish("m", "one", NULL);
	unit_catalog_publish("m", "two", NULL);
	ck_ok(catalog_delete_version(unit_catalog, "m", 1, &e));
	ck_err(move_expecting("none", "stable", 1, NULL, &now, &e), ERR_MODEL_NOT_FOUND);
	ck_err(move_expecting("m", "stable", 3, NULL, &now, &e), ERR_VERSION_NOT_FOUND);
	ck_err(move_expecting("m", "stable", 0, NULL, &now, &e), ERR_VERSION_NOT_FOUND);
	ck_err(move_expecting("m", "stable", 1, NULL, &now, &e), ERR_DELETED);
	ck_err(catalog_label(unit_catalog, "m", "stable", &now, &e), ERR_LABEL_NOT_FOUND);
	ck_err(catalog_label(unit_catalog, "none", "stable", &now, &e), ERR_MODEL_NOT_FOUND);
	ck_assert_int_eq(unit_catalog_raw("SELECT COUNT(*) FROM label_moves"), 0);
}
END_TEST

START_TEST(another_revision_than_expected_stops_a_move)
{
	static const uint64_t none = 0;
	struct catalog_label first, second, now;
	struct err e;

	unit_catalog_publish("m", "one", NULL);
	unit_catalog_publish("m", "two", NULL);
	ck_err(move_expecting("m", "stable", 1, &(uint64_t){7}, &now, &e),
		ERR_PRECONDITION_FAILED);
	ck_ok(move_expecting("m", "stable", 1, &none, &first, &e));
	ck_err(move_expecting("m", "stable", 2, &none, &now, &e), ERR_PRECONDITION_FAILED);
	ck_ok(move_expecting("m", "stable", 2, &first.revision, &second, &e));
	ck_err(move_expecting("m", "stable", 1, &first.revision, &now, &e),
		ERR_PRECONDITION_FAILED);
	ck_err(catalog_drop_label(unit_catalog,
		       &(struct catalog_label_move){.model = "m", .label = "stable",
			       .expected = &first.revision, .who = ""}, &e),
		ERR_PRECONDITION_FAILED);
	ck_assert_uint_eq(version_of("m", "stable"), 2);
	check_history("m", "stable", "1>2:tester 0>1:tester ");
}
END_TEST

START_TEST(a_label_that_was_dropped_never_has_an_old_revision_again)
{
	struct catalog_label first, second, now;
	struct err e;

	unit_catalog_publish("m", "one", NULL);
	first = moved("m", "stable", 1);
	dropped("m", "stable");
	ck_err(catalog_label(unit_catalog, "m", "stable", &now, &e), ERR_LABEL_NOT_FOUND);
	ck_err(catalog_drop_label(unit_catalog,
		       &(struct catalog_label_move){.model = "m", .label = "stable", .who = ""},
		       &e), ERR_LABEL_NOT_FOUND);
	second = moved("m", "stable", 1);
	ck_assert_uint_gt(second.revision, first.revision);
	check_history("m", "stable", "0>1:tester 1>0: 0>1:tester ");
	ck_assert_int_eq(
		unit_catalog_raw("SELECT COUNT(*) FROM changes WHERE kind = 'label-dropped'"), 1);
}
END_TEST

START_TEST(a_publish_moves_its_label_too_when_it_makes_no_version)
{
	unit_catalog_publish("m", "one", "stable");
	ck_assert_uint_eq(version_of("m", "stable"), 1);
	unit_catalog_publish("m", "two", NULL);
	ck_assert_uint_eq(version_of("m", "stable"), 1);
	ck_assert_uint_eq(unit_catalog_publish("m", "two", "stable"), 2);
	ck_assert_uint_eq(version_of("m", "stable"), 2);
	check_history("m", "stable", "1>2:publisher 0>1:publisher ");
}
END_TEST

START_TEST(a_model_has_so_many_labels_and_no_more)
{
	CLEANUP_FREE struct catalog_label *rows = calloc(CATALOG_LABELS_OF_MODEL, sizeof(*rows));
	struct catalog_label now;
	char name[16];
	size_t n;
	struct err e;

	ck_assert_ptr_nonnull(rows);
	unit_catalog_publish("m", "one", NULL);
	unit_catalog_publish("m", "two", NULL);
	for (unsigned i = 0; i < CATALOG_LABELS_OF_MODEL; i++) {
		(void)snprintf(name, sizeof(name), "l%03u", i);
		moved("m", name, 1);
	}
	ck_err(move_expecting("m", "one-more", 1, NULL, &now, &e), ERR_CONFLICT);
	moved("m", "l050", 2);
	ck_ok(catalog_labels(unit_catalog, "m", rows, &n, &e));
	ck_assert_uint_eq(n, CATALOG_LABELS_OF_MODEL);
	ck_assert_str_eq(rows[0].label, "l000");
	ck_assert_uint_eq(rows[50].version, 2);
	dropped("m", "l000");
	moved("m", "one-more", 1);
	ck_ok(catalog_labels(unit_catalog, "none", rows, &n, &e));
	ck_assert_uint_eq(n, 0);
}
END_TEST

START_TEST(the_history_of_a_model_is_bounded)
{
	unit_catalog_publish("m", "one", NULL);
	unit_catalog_publish("m", "two", NULL);
	moved("m", "stable", 1);
	unit_catalog_raw("UPDATE models SET label_revision = 10000");
	moved("m", "stable", 2);
	check_history("m", "stable", "1>2:tester ");
}
END_TEST

START_TEST(history_is_read_in_pages)
{
	char text[200] = "";
	struct err e;

	unit_catalog_publish("m", "one", NULL);
	unit_catalog_publish("m", "two", NULL);
	moved("m", "a", 1);
	moved("m", "b", 1);
	moved("m", "a", 2);
	moved("m", "a", 1);
	ck_ok(catalog_label_history(unit_catalog, "m", "a", 0, 2, add_change, text, &e));
	ck_assert_str_eq(text, "2>1:tester 1>2:tester ");
	text[0] = '\0';
	ck_ok(catalog_label_history(unit_catalog, "m", "a", 3, 2, add_change, text, &e));
	ck_assert_str_eq(text, "0>1:tester ");
	check_history("m", "never", "");
}
END_TEST

#define MOVERS 8
#define MOVES  20

static atomic_uint wins;

static void *move_often(void *arg)
{
	(void)arg;
	for (unsigned i = 0; i < MOVES; i++) {
		struct catalog_label now;
		struct err e;
		int r;

		ck_ok(catalog_label(unit_catalog, "m", "stable", &now, &e));
		r = move_expecting("m", "stable", now.version == 1 ? 2 : 1, &now.revision, &now,
			&e);
		if (r == 0)
			atomic_fetch_add(&wins, 1);
		else
			ck_assert_int_eq(r, -(int)ERR_PRECONDITION_FAILED);
	}
	return NULL;
}

START_TEST(of_many_movers_one_wins_each_revision)
{
	pthread_t threads[MOVERS];
	struct catalog_label now;
	struct err e;

	unit_catalog_publish("m", "one", NULL);
	unit_catalog_publish("m", "two", NULL);
	moved("m", "stable", 1);
	for (size_t i = 0; i < MOVERS; i++)
		ck_assert_int_eq(pthread_create(&threads[i], NULL, move_often, NULL), 0);
	for (size_t i = 0; i < MOVERS; i++)
		pthread_join(threads[i], NULL);
	ck_ok(catalog_label(unit_catalog, "m", "stable", &now, &e));
	ck_assert_uint_ge(wins, MOVES);
	ck_assert_uint_eq(now.revision, wins + 1);
	ck_assert_int_eq(unit_catalog_raw("SELECT COUNT(*) FROM label_moves"), wins + 1);
	ck_assert_int_eq(unit_catalog_raw("SELECT COUNT(*) FROM label_moves a JOIN label_moves b"
		" ON b.model = a.model AND b.revision = a.revision + 1"
		" WHERE b.old_version <> a.new_version"), 0);
}
END_TEST

static Suite *suite(void)
{
	Suite *s = suite_create("catalog labels");
	TCase *t = tcase_create("catalog labels");

	tcase_add_checked_fixture(t, unit_catalog_open, unit_catalog_close);
	tcase_add_test(t, a_label_names_a_version_until_it_is_moved);
	tcase_add_test(t, moving_to_the_same_version_changes_nothing);
	tcase_add_test(t, a_label_needs_a_version_that_is_there);
	tcase_add_test(t, another_revision_than_expected_stops_a_move);
	tcase_add_test(t, a_label_that_was_dropped_never_has_an_old_revision_again);
	tcase_add_test(t, a_publish_moves_its_label_too_when_it_makes_no_version);
	tcase_add_test(t, a_model_has_so_many_labels_and_no_more);
	tcase_add_test(t, the_history_of_a_model_is_bounded);
	tcase_add_test(t, history_is_read_in_pages);
	tcase_add_test(t, of_many_movers_one_wins_each_revision);
	suite_add_tcase(s, t);
	return s;
}

UNIT_MAIN
