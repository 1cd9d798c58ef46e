/* SPDX-License-Identifier: Apache-2.0 */
/* What is done beside the jobs, by one thread: their leases and progress in the catalog, the end of
 * their time, telling those who watch, looking at mirrors, forgetting what is old. Inside
 * server/import only. */
#pragma once

#include "server/import/importer_internal.h"

/* A thread's function; `cls` is the importer. */
void *importer_keeper_run(void *cls);
