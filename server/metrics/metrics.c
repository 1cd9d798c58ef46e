/* SPDX-License-Identifier: Apache-2.0 */
#include "server/metrics/metrics.h"

#include <inttypes.h>
#include <stdatomic.h>
#include <string.h>

#define UNKNOWN UINT64_MAX

enum type { COUNTER, GAUGE, INFO };

struct metric {
	enum type type;
	const char *name;
	const char *label, *value; /* NULL for none */
	const char *help;
};

static const struct metric table[METRICS_N] = {
#define METRIC(id, type, name, label, value, help) \
	[METRICS_##id] = {type, name, label, value, help},
#include "server/metrics/metrics.def"
#undef METRIC
};

#define METRIC_FIRST_COUNTER 0
#define METRIC_FIRST_GAUGE   UNKNOWN
#define METRIC_FIRST_INFO    1

static _Atomic uint64_t values[METRICS_N] = {
#define METRIC(id, type, name, label, value, help) [METRICS_##id] = METRIC_FIRST_##type,
#include "server/metrics/metrics.def"
#undef METRIC
};

void metrics_add(enum metrics_id id, uint64_t n)
{
	atomic_fetch_add_explicit(&values[id], n, memory_order_relaxed);
}

void metrics_set(enum metrics_id id, uint64_t value)
{
	atomic_store_explicit(&values[id], value, memory_order_relaxed);
}

void metrics_forget(enum metrics_id id)
{
	metrics_set(id, UNKNOWN);
}

void metrics_write_label(const char *value, struct buf *out)
{
	for (; *value; value++) {
		if (*value == '\n') {
			buf_add_str(out, "\\n");
			continue;
		}
		if (*value == '\\' || *value == '"')
			buf_add_char(out, '\\');
		buf_add_char(out, *value);
	}
}

static void write_head(const struct metric *m, struct buf *out)
{
	buf_addf(out, "# HELP %s %s\n# TYPE %s %s\n", m->name, m->help, m->name,
		m->type == COUNTER ? "counter" : "gauge");
}

static void write_sample(const struct metric *m, uint64_t value, struct buf *out)
{
	buf_add_str(out, m->name);
	if (m->label) {
		buf_addf(out, "{%s=\"", m->label);
		metrics_write_label(m->value, out);
		buf_add_str(out, "\"}");
	}
	buf_addf(out, " %" PRIu64 "\n", value);
}

void metrics_write(struct buf *out)
{
	const char *family = "";

	for (size_t i = 0; i < METRICS_N; i++) {
		uint64_t value = atomic_load_explicit(&values[i], memory_order_relaxed);
		if (table[i].type == GAUGE && value == UNKNOWN)
			continue;
		if (strcmp(family, table[i].name) != 0)
			write_head(&table[i], out);
		family = table[i].name;
		write_sample(&table[i], value, out);
	}
}
