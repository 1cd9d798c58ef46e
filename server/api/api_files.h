/* SPDX-License-Identifier: Apache-2.0 */
/* Serving files of versions, for handlers that find them in ways of their own. */
#pragma once

#include "common/base/err.h"
#include "common/base/str.h"

struct entity;
struct req;

/* httpd_options.peek and .tick: what a loop served last, by the path as it came. */
struct entity *api_files_peek(void *app, unsigned loop, struct str path);
void api_files_tick(void *app, unsigned loop);

/* Answer with a file of the newest version of a model, as GET /models/{name}@latest/{path} does,
 * past the cache. Blocks. ERR_MODEL_NOT_FOUND, ERR_FILE_NOT_FOUND, ERR_DELETED. */
int api_files_newest(struct req *r, const char *model, const char *path, struct err *e);
