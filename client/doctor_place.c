/* SPDX-License-Identifier: Apache-2.0 */
#include "client/doctor_place.h"
#include "common/base/num.h"

static const struct {
	const char *name;
	const char *server;
	const char *hosts;
} places[DOCTOR_PLACES_N] = {
#define PLACE(ident, name, server, hosts) [DOCTOR_PLACE_##ident] = {name, server, hosts},
#include "client/doctor_place.def"
#undef PLACE
};

static const struct {
	enum doctor_place place;
	enum doctor_rule rule;
	const char *text;
} advice[] = {
#define ADVICE(place, rule, text) {DOCTOR_PLACE_##place, DOCTOR_##rule, text},
#include "client/doctor_place.def"
#undef ADVICE
};

/* "a.example" is of ".example", and of "a.example" alone. */
static bool is_of(struct str host, const char *ends)
{
	struct str rest = str_of(ends), end;

	while (str_split(&rest, ' ', &end)) {
		if (end.n == 0 || host.n < end.n)
			continue;
		if (strncasecmp(host.p + host.n - end.n, end.p, end.n) == 0 &&
			(*end.p == '.' || host.n == end.n || host.p[host.n - end.n - 1] == '.'))
			return true;
	}
	return false;
}

enum doctor_place doctor_place_of(const char *host, struct str server)
{
	for (int i = 1; i < DOCTOR_PLACES_N; i++)
		if (is_of(str_of(host), places[i].hosts))
			return (enum doctor_place)i;
	for (int i = 1; i < DOCTOR_PLACES_N; i++)
		if (places[i].server && str_starts(server, places[i].server))
			return (enum doctor_place)i;
	return DOCTOR_PLACE_OTHER;
}

const char *doctor_place_name(enum doctor_place p)
{
	return places[p].name;
}

const char *doctor_place_advice(enum doctor_place p, enum doctor_rule rule)
{
	for (size_t i = 0; i < ARRAY_SIZE(advice); i++)
		if (advice[i].place == p && advice[i].rule == rule)
			return advice[i].text;
	return NULL;
}
