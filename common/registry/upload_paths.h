/* SPDX-License-Identifier: Apache-2.0 */
/* Which path each file of an upload has in the version. Inside the registry only. */
#pragma once

#include "common/model/manifest.h"
#include "common/registry/upload_internal.h"

/* What the client called a file, as far as one can say without the manifest: its filename, unless
 * that is empty or the "blob" that browsers put there, else its part name; without a leading "./".
 * Lives as long as the file. */
const char *upload_paths_called(const struct upload_file *f);

/* True when that name of the client's, without a leading "./", is `path`. */
bool upload_paths_is(const char *name, const char *path);

/* Every file lies in one folder, or in folders within it: how an archive of a folder looks. Not
 * when the folder is no fit path, which upload_paths_decide() will say. There is a file. */
bool upload_paths_share_folder(const struct upload *u);
/* Take that folder off their names. */
void upload_paths_drop_folder(struct upload *u);

/* The error of two files that have one path. */
int upload_paths_twice(const struct upload *u, const char *path, struct err *e);

/* Give every file its path: model.json to the file `model`; to the others, in this order, the one
 * of its two names that the manifest (NULL for none) lists, or upload_paths_called(). The files are
 * sorted by path after. ERR_BAD_PATH; upload_paths_twice() when two have the same. */
int upload_paths_decide(struct upload *u, size_t model, const struct manifest *manifest,
	struct err *e);

/* Sort the files by path again, after some were replaced. */
void upload_paths_sort(struct upload *u);

/* After that: a file by path, or NULL. */
const struct upload_file *upload_paths_find(const struct upload *u, const char *path);
