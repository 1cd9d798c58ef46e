/* SPDX-License-Identifier: Apache-2.0 */
/* Numbers about this process, for Prometheus: one table (metrics.def), counted from any thread
 * without a lock, and written in text exposition format 0.0.4
 * (https://prometheus.io/docs/instrumenting/exposition_formats/). Integers only, written exactly.
 * There is one set for the process, as there is one log. */
#pragma once

#include "common/base/buf.h"

#include <stdint.h>

#define METRICS_MEDIA_TYPE "text/plain; version=0.0.4; charset=utf-8"

enum metrics_id {
#define METRIC(id, type, name, label, value, help) METRICS_##id,
#include "server/metrics/metrics.def"
#undef METRIC
	METRICS_N
};

/* Of a counter; after 2^64 it begins anew, as readers of counters expect. */
void metrics_add(enum metrics_id id, uint64_t n);
/* Of a gauge. One that was not set, or was forgotten, is not written. */
void metrics_set(enum metrics_id id, uint64_t value);
void metrics_forget(enum metrics_id id);

/* All of them, appended to `out`. What is counted meanwhile is in or not. */
void metrics_write(struct buf *out);

/* For metrics_write() and its test: a label's value with \, " and newlines escaped. */
void metrics_write_label(const char *value, struct buf *out);
