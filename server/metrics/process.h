/* SPDX-License-Identifier: Apache-2.0 */
/* What the system knows of this process, under the names that Prometheus gives it
 * (https://prometheus.io/docs/instrumenting/writing_clientlibs/#process-metrics). */
#pragma once

#include "common/base/buf.h"

/* Appended, in the format of metrics.h. What cannot be read is left out. Reads /proc. */
void process_write(struct buf *out);
