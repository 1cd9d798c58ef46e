/* SPDX-License-Identifier: Apache-2.0 */
/* Another modeld's description of a version, as GET /models/{ref} answers it
 * (server/api/api_describe.c). Inside server/import only. Does not block. */
#pragma once

#include "server/import/import_plan.h"

/* Make a plan of it: every file but model.json, from pinned URLs, with what it says about their
 * bytes; `model` gets what it says about model.json. `asked` is the URL that it came from. *ret_is
 * is false when the bytes are no such description; *ret is untouched then. ERR_BAD_PATH and the
 * like when it is one that cannot be followed. */
int import_modeld_read(struct str json, const struct url *asked, uint64_t max_files,
	struct import_plan *ret, struct import_file *model, bool *ret_is, struct err *e);
