/* SPDX-License-Identifier: Apache-2.0 */
#include "server/metrics/refusals.h"

#include <inttypes.h>
#include <pthread.h>
#include <string.h>

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;

/* Under the lock. */
static struct {
	const char *rule;
	uint64_t n;
} counts[REFUSALS_RULES_MAX];
static size_t counts_n;

void refusals_add(const char *rule)
{
	size_t i = 0;

	pthread_mutex_lock(&lock);
	while (i < counts_n && strcmp(counts[i].rule, rule) != 0)
		i++;
	if (i == counts_n && counts_n < REFUSALS_RULES_MAX)
		counts[counts_n++].rule = rule;
	if (i < counts_n)
		counts[i].n++;
	pthread_mutex_unlock(&lock);
}

void refusals_write(struct buf *out)
{
	static const char name[] = "modeld_publish_refusals_total";

	pthread_mutex_lock(&lock);
	if (counts_n > 0)
		buf_addf(out, "# HELP %s Refused publishes and imports by rule of validation;"
			" one may break several.\n# TYPE %s counter\n", name, name);
	for (size_t i = 0; i < counts_n; i++)
		buf_addf(out, "%s{rule=\"%s\"} %" PRIu64 "\n", name, counts[i].rule,
			counts[i].n);
	pthread_mutex_unlock(&lock);
}
