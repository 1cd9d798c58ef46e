/* SPDX-License-Identifier: Apache-2.0 */
/* A directory for one test: tcase_add_checked_fixture(t, unit_dir_make, unit_dir_remove). */
#pragma once

extern char unit_dir_path[];

void unit_dir_make(void);
void unit_dir_remove(void);

/* Files below `sub` of the directory, directories not counted. */
unsigned unit_dir_count(const char *sub);
/* "<directory>/<name>"; valid until the next call. */
const char *unit_dir_file(const char *name);
