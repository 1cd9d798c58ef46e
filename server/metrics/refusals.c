/* SPDX-License-Identifier: Apache-2.0 */
#include "server/metrics/refusals.h"

#include <inttypes.h>
#include <pthread.h>
#include <string.h>

static const struct {
	const char *name, *help;
} families[REFUSALS_N] = {
	[REFUSALS_MODELS] = {"modeld_publish_refusals_total",
		"Refused publishes and imports by rule of validation; one may break several."},
	[REFUSALS_SOURCES] = {"modeld_import_refusals_total",
		"Imports that were refused, or failed, by rule of what may be fetched."},
};

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;

/* Under the lock. */
static struct {
	size_t n;
	struct {
		const char *rule;
		uint64_t n;
	} rules[REFUSALS_RULES_MAX];
} counts[REFUSALS_N];

void refusals_add(enum refusals_of what, const char *rule)
{
	size_t i = 0;

	pthread_mutex_lock(&lock);
	while (i < counts[what].n && strcmp(counts[what].rules[i].rule, rule) != 0)
		i++;
	if (i == counts[what].n && i < REFUSALS_RULES_MAX)
		counts[what].rules[counts[what].n++].rule = rule;
	if (i < counts[what].n)
		counts[what].rules[i].n++;
	pthread_mutex_unlock(&lock);
}

static void write_family(enum refusals_of what, struct buf *out)
{
	const char *name = families[what].name;

	if (counts[what].n > 0)
		buf_addf(out, "# HELP %s %s\n# TYPE %s counter\n", name, families[what].help, name);
	for (size_t i = 0; i < counts[what].n; i++)
		buf_addf(out, "%s{rule=\"%s\"} %" PRIu64 "\n", name, counts[what].rules[i].rule,
			counts[what].rules[i].n);
}

void refusals_write(struct buf *out)
{
	pthread_mutex_lock(&lock);
	for (enum refusals_of what = 0; what < REFUSALS_N; what++)
		write_family(what, out);
	pthread_mutex_unlock(&lock);
}
