/* SPDX-License-Identifier: Apache-2.0 */
/* A number that all processes on one store see: eight bytes of a file, mapped. Whoever changed
 * something that others keep in memory adds one to it, after the commit. Inside the engine only. */
#pragma once

#include "common/base/err.h"

#include <stdint.h>

struct catalog_sqlite_mark;

/* Of the database at `path`. NULL when it cannot be had, as on a full disk, or without `make` when
 * it is not there. */
struct catalog_sqlite_mark *catalog_sqlite_mark_open(const char *path, bool make);
void catalog_sqlite_mark_close(struct catalog_sqlite_mark *m); /* accepts NULL */

/* Both accept NULL: then every call of read() gives another number, so that nobody takes what he
 * knows for new. Any thread. */
uint64_t catalog_sqlite_mark_read(const struct catalog_sqlite_mark *m);
void catalog_sqlite_mark_add(struct catalog_sqlite_mark *m);
