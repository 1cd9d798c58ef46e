/* SPDX-License-Identifier: Apache-2.0 */
/* A model.json may name shards of a folder beside its own, "../m@3/w.bin", as those that modeld
 * serves under labels do. Rules about paths are for files of one folder: here the part that all
 * such paths have is taken off. Pure. */
#pragma once

#include "common/base/buf.h"

/* Copies the text to `out` without that part at the beginning of every string that begins with
 * "../". *ret_folder is the part, slash included, and the caller's to free; NULL when there is none
 * and nothing was copied. *ret_n: of how many strings it was. Errors: memory. */
int doctor_folder_aside(const struct buf *text, struct buf *out, char **ret_folder, size_t *ret_n,
	struct err *e);
