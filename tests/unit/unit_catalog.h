/* SPDX-License-Identifier: Apache-2.0 */
/* A catalog in a directory of its own: tcase_add_checked_fixture(t, unit_catalog_open,
 * unit_catalog_close). */
#pragma once

#include "common/store/catalog.h"

#include <stdint.h>

extern struct catalog *unit_catalog;

void unit_catalog_open(void);
void unit_catalog_close(void);
void unit_catalog_reopen(void);

/* The first column of the first row, -1 without one; behind the catalog's back. */
int64_t unit_catalog_raw(const char *sql);

/* A blob and a root digest that belong to this text. */
struct catalog_blob unit_catalog_blob(const char *text);
/* Publish a version with one file that holds the text; gives its number. `label` may be NULL. */
uint64_t unit_catalog_publish(const char *model, const char *text, const char *label);
