/* SPDX-License-Identifier: Apache-2.0 */
#include "server/http/coding.h"
#include "common/base/macros.h"
#include "common/base/str.h"
#include "server/http/accept.h"

struct weights {
	int of[CODINGS_N]; /* thousandths; -1: not named */
	int others;        /* of "*" */
};

const char *coding_name(enum coding coding)
{
	static const char *const names[CODINGS_N] = {"identity", "gzip", "br"};

	return names[coding];
}

/* coding [ OWS ";" OWS "q=" qvalue ] */
static bool parse_member(struct str member, struct str *ret_name, int *ret_weight)
{
	struct str name;

	(void)str_split(&member, ';', &name);
	*ret_name = str_trim(name);
	*ret_weight = ACCEPT_WEIGHT_MAX;
	if (!member.p)
		return true;
	member = str_trim(member);
	if (member.n < 2 || str_to_lower(member.p[0]) != 'q' || member.p[1] != '=')
		return false;
	return accept_weight((struct str){member.p + 2, member.n - 2}, ret_weight);
}

static int *weight_of(struct weights *w, struct str name)
{
	for (size_t i = 0; i < CODINGS_N; i++)
		if (str_eq_nocase(name, coding_name((enum coding)i)))
			return &w->of[i];
	if (str_eq_nocase(name, "x-gzip")) /* 8.4.1.3 */
		return &w->of[CODING_GZIP];
	return str_eq_c(name, "*") ? &w->others : NULL;
}

static struct weights read_weights(struct str list)
{
	struct weights w = {.of = {-1, -1, -1}, .others = -1};
	struct str member, name;
	int weight;

	while (str_split(&list, ',', &member)) {
		int *of = parse_member(member, &name, &weight) ? weight_of(&w, name) : NULL;
		if (of && *of < 0)
			*of = weight;
	}
	return w;
}

enum coding coding_choose(const char *accept_encoding, unsigned available)
{
	enum coding best = CODINGS_N;
	int best_weight = 0;

	if (!accept_encoding && (available & CODING_BIT(CODING_IDENTITY)))
		return CODING_IDENTITY;
	/* Nothing to choose from, as for most weights; a refusal needs a weight. */
	if (available == CODING_BIT(CODING_IDENTITY) && !strchr(accept_encoding, ';'))
		return CODING_IDENTITY;
	struct weights w = read_weights(str_of(accept_encoding ? accept_encoding : "*"));
	for (size_t i = 0; i < CODINGS_N; i++) {
		int weight = w.of[i] >= 0 ? w.of[i] : w.others;
		if (!(available & CODING_BIT(i)))
			continue;
		if (i == CODING_IDENTITY && weight < 0) {
			best = CODING_IDENTITY;
		} else if (weight > 0 && weight >= best_weight) {
			best = (enum coding)i;
			best_weight = weight;
		}
	}
	return best;
}
