/* SPDX-License-Identifier: Apache-2.0 */
/* What an import's URL leads to, told by what is there: model.json, an archive, or another modeld's
 * description of a version. Inside server/import only. Blocks. */
#pragma once

#include "server/import/import_files.h"

/* Fetch it and make a plan of what else is to be fetched. After it the upload holds model.json, or
 * the archive and the plan is empty. What is wrong with model.json is in `f`, and an
 * ERR_NOT_LOADABLE. */
int import_source_read(struct import_job *j, struct import_plan *ret, struct findings *f,
	struct err *e);
/* Is model.json still what it was when the plan was made, as far as its host says? */
int import_source_same(struct import_job *j, const struct import_plan *p, bool *ret, struct err *e);
