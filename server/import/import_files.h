/* SPDX-License-Identifier: Apache-2.0 */
/* The files of a plan, fetched side by side. Inside server/import only. Blocks. */
#pragma once

#include "server/import/import_attempt.h"

/* One of them, tried as often as the configuration says. Of a failure the job is told. */
int import_files_fetch_one(struct import_job *j, const struct import_plan *p,
	struct import_file *f, struct err *e);
/* After a failure with `failures` before it: wait until it may be tried again. False when it is
 * not worth it, or the job is halted. */
bool import_files_pause(struct import_job *j, unsigned failures, const struct import_again *again);
/* All of them. */
int import_files_fetch(struct import_job *j, struct import_plan *p, struct err *e);
/* Are all of them still what they were when they came, as far as their host says? Then there was a
 * moment, when the last one had come, at which all were there together. */
int import_files_same(struct import_job *j, struct import_plan *p, bool *ret, struct err *e);
