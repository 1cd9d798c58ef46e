/* SPDX-License-Identifier: Apache-2.0 */
/* What became of an import, as JSON that the catalog keeps; importer.h says what is in it. Bounded:
 * findings that do not fit are counted. Pure. Inside server/import only. */
#pragma once

#include "common/registry/registry.h"
#include "server/import/import_job.h"

/* The caller frees what these give; NULL without memory. */
char *import_outcome_done(const struct published *p, const char *label, const struct findings *f);
/* `f` may be NULL. */
char *import_outcome_failed(const struct import_failure *why, const struct findings *f);
