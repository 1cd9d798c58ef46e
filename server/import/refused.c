/* SPDX-License-Identifier: Apache-2.0 */
#include "server/import/refused.h"
#include "server/metrics/refusals.h"

/* Rules are static texts, each of one address. */
static bool came_before(const struct findings *f, size_t i)
{
	for (size_t j = 0; j < i; j++)
		if (f->items[j].rule == f->items[i].rule &&
			f->items[j].severity == FINDING_ERROR)
			return true;
	return false;
}

void refused_count(const struct findings *f)
{
	for (size_t i = 0; i < f->n; i++)
		if (f->items[i].severity == FINDING_ERROR && !came_before(f, i))
			refusals_add(REFUSALS_MODELS, f->items[i].rule);
}

void refused_count_source(const struct err *why)
{
	if (why->code == ERR_FETCH_REFUSED && why->rule)
		refusals_add(REFUSALS_SOURCES, why->rule);
}
