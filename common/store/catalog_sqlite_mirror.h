/* SPDX-License-Identifier: Apache-2.0 */
/* Mirrors, as operations of the engine. Inside the engine only. */
#pragma once

#include "common/store/catalog_ops.h"

int catalog_sqlite_mirror_read(void *engine, const char *name, struct catalog_mirror *ret,
	bool *ret_found, struct err *e);
int catalog_sqlite_mirror_save(void *engine, const struct catalog_mirror *m, struct err *e);
int catalog_sqlite_mirror_keep(void *engine, const char *const *names, size_t n, struct err *e);
