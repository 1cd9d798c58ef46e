/* SPDX-License-Identifier: Apache-2.0 */
#include "common/base/macros.h"
#include "server/http/coding.h"
#include "tests/unit/unit.h"

#define I CODING_BIT(CODING_IDENTITY)
#define G CODING_BIT(CODING_GZIP)
#define B CODING_BIT(CODING_BR)

static const struct {
	const char *accept;
	unsigned available;
	enum coding chosen;
} cases[] = {
	/* what clients send: browsers, curl --compressed, Node's fetch, curl, old proxies */
	{"gzip, deflate, br, zstd", I | G | B, CODING_BR},
	{"gzip, deflate, br, zstd", I | G, CODING_GZIP},
	{"gzip, deflate, br, zstd", I, CODING_IDENTITY},
	{"deflate, gzip, br", I | G | B, CODING_BR},
	{"gzip, deflate", I | G | B, CODING_GZIP},
	{NULL, I | G | B, CODING_IDENTITY},
	{"", I | G | B, CODING_IDENTITY},
	{"identity", I | G | B, CODING_IDENTITY},
	{"gzip;q=1.0, *;q=0.5", I | G | B, CODING_GZIP},

	/* weights */
	{"br;q=0.5, gzip;q=0.8", I | G | B, CODING_GZIP},
	{"br;q=0.5, gzip;q=0.5", I | G | B, CODING_BR},
	{"identity;q=1, br;q=0.5", I | G | B, CODING_IDENTITY},
	{"identity;q=0.5, br;q=0.5", I | G | B, CODING_BR},
	{"identity;q=0.001, br;q=0", I | G | B, CODING_IDENTITY},
	{"br;q=0.001", I | G | B, CODING_BR},
	{"br;q=0.000", I | G | B, CODING_IDENTITY},
	{"br;q=0", I | B, CODING_IDENTITY},
	{"BR;Q=1", I | B, CODING_BR},
	{"br ; q=1", I | B, CODING_BR},
	{"br;q=1.", I | B, CODING_BR},
	{"x-gzip", I | G, CODING_GZIP},

	/* the rest */
	{"*", I | G | B, CODING_BR},
	{"*;q=0.1", I | G | B, CODING_BR},
	{"br;q=0, *", I | G | B, CODING_GZIP},
	{"*, br;q=0", I | G | B, CODING_GZIP},
	{"gzip;q=0.2, *;q=0.1", I | G | B, CODING_GZIP},

	/* refusals of identity */
	{"identity;q=0", I | G | B, CODINGS_N},
	{"br, identity;q=0", I | G | B, CODING_BR},
	{"br, identity;q=0", I | G, CODINGS_N},
	{"*;q=0", I | G | B, CODINGS_N},
	{"gzip, *;q=0", I | G | B, CODING_GZIP},
	{"gzip, *;q=0", I, CODINGS_N},
	{"identity, *;q=0", I | G | B, CODING_IDENTITY},
	{"zstd, identity;q=0", I, CODINGS_N},

	/* malformed members, empty ones, repeats */
	{"br;q=2", I | B, CODING_IDENTITY},
	{"br;q=1.001", I | B, CODING_IDENTITY},
	{"br;q=0.1234", I | B, CODING_IDENTITY},
	{"br;q=.5", I | B, CODING_IDENTITY},
	{"br;q=", I | B, CODING_IDENTITY},
	{"br;q", I | B, CODING_IDENTITY},
	{"br;level=1", I | B, CODING_IDENTITY},
	{"br;q=-1", I | B, CODING_IDENTITY},
	{"brotli", I | B, CODING_IDENTITY},
	{",, ,br,", I | B, CODING_BR},
	{"br;q=0, br", I | B, CODING_IDENTITY},
	{"br, br;q=0", I | B, CODING_BR},
	{"gzip br", I | G | B, CODING_IDENTITY},

	/* without an identity there is something all the same */
	{NULL, G, CODING_GZIP},
	{"br", G, CODINGS_N},
};

START_TEST(the_coding_that_a_client_wants_most_is_chosen)
{
	enum coding got = coding_choose(cases[_i].accept, cases[_i].available);

	ck_assert_msg(got == cases[_i].chosen, "%s of %u: %d, not %d",
		cases[_i].accept ? cases[_i].accept : "(none)", cases[_i].available, got,
		cases[_i].chosen);
}
END_TEST

static Suite *suite(void)
{
	Suite *s = suite_create("coding");
	TCase *t = tcase_create("coding");

	tcase_add_loop_test(t, the_coding_that_a_client_wants_most_is_chosen, 0,
		ARRAY_SIZE(cases));
	suite_add_tcase(s, t);
	return s;
}

UNIT_MAIN
