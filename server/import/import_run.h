/* SPDX-License-Identifier: Apache-2.0 */
/* One import from its claim to its end. Inside server/import only. */
#pragma once

#include "server/import/import_job.h"

/* Run a claimed job to its end by these settings, whatever that is: the catalog has it at the
 * return. Takes over what `row` points to. Blocks. */
void import_run(struct importer *m, struct importer_settings *s, struct catalog_job *row);
