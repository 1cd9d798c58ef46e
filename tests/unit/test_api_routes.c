/* SPDX-License-Identifier: Apache-2.0 */
/* Every route says who may use it, and what changes something says so. */
#include "server/api/api.h"
#include "tests/unit/unit.h"

static const struct handler *handler_of(const struct router_row *row)
{
	return row->target;
}

START_TEST(every_route_says_who_may)
{
	for (size_t i = 0; i < api_routes_n; i++) {
		const struct handler *h = handler_of(&api_routes[i]);
		ck_assert_msg(h->target != HANDLER_UNSAID, "%s", h->name);
		ck_assert_msg((h->target == HANDLER_OPEN || h->target == HANDLER_DISCREET) ==
				(h->scope == 0), "%s", h->name);
		ck_assert_msg((h->target == HANDLER_DISCREET) == (h == &api_status_ready), "%s",
			h->name);
		ck_assert_msg((h->target == HANDLER_TOLD) == (h->model != NULL), "%s", h->name);
		ck_assert_msg(h->target != HANDLER_OPEN || h == &api_openapi ||
			strncmp(api_routes[i].pattern, "/v1/", 4) != 0, "%s", h->name);
	}
}
END_TEST

START_TEST(what_names_a_model_is_judged_by_it)
{
	for (size_t i = 0; i < api_routes_n; i++) {
		const struct handler *h = handler_of(&api_routes[i]);
		const char *pattern = api_routes[i].pattern;
		bool names = strstr(pattern, "{name+}") || strstr(pattern, "{ref@}");
		bool judged = h->target == HANDLER_REF || h->target == HANDLER_VERSION ||
			h->target == HANDLER_FOUND;
		ck_assert_msg(names == judged, "%s %s", pattern, h->name);
	}
}
END_TEST

START_TEST(only_reading_is_without_a_look_at_where_it_comes_from)
{
	for (size_t i = 0; i < api_routes_n; i++) {
		const struct handler *h = handler_of(&api_routes[i]);
		bool reads = api_routes[i].methods == METHOD_GET;
		ck_assert_msg(h->writes == !reads, "%s", h->name);
		ck_assert_msg(reads || h->scope != SCOPE_READ || h == &api_links, "%s", h->name);
	}
}
END_TEST

static Suite *suite(void)
{
	Suite *s = suite_create("api routes");
	TCase *t = tcase_create("api routes");

	tcase_add_test(t, every_route_says_who_may);
	tcase_add_test(t, what_names_a_model_is_judged_by_it);
	tcase_add_test(t, only_reading_is_without_a_look_at_where_it_comes_from);
	suite_add_tcase(s, t);
	return s;
}

UNIT_MAIN
