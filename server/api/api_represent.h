/* SPDX-License-Identifier: Apache-2.0 */
/* What a GET of a file is answered with: the bytes that were published, or model.json under a name
 * that moves with the paths of its shards rewritten, each in the content codings that there are. */
#pragma once

#include "common/model/ref.h"
#include "server/api/app.h"
#include "server/http/entity.h"

/* Cache-Control of what a ref names; `is_private`: not for everybody. */
const char *api_represent_caching(bool is_pinned, bool is_private);

/* The file at `path` of the version that `ref` names at this moment. *ret_heap is what the entity
 * takes, about, beside mapped files. Blocks. ERR_MODEL_NOT_FOUND, ERR_VERSION_NOT_FOUND,
 * ERR_LABEL_NOT_FOUND, ERR_FILE_NOT_FOUND, ERR_DELETED, ERR_CORRUPT. */
int api_represent(struct app *app, const struct ref *ref, const char *path, struct entity **ret,
	uint64_t *ret_heap, struct err *e);
