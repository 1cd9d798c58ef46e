/* SPDX-License-Identifier: Apache-2.0 */
/* Which path each file of an upload has in the version, by the rules of common/lint. Inside the
 * registry only. */
#pragma once

#include "common/lint/lint_files.h"
#include "common/registry/upload_internal.h"

/* The upload as common/lint sees it. Lives until the files of the upload change; freed by
 * upload_paths_view_done(), also after a failure. */
int upload_paths_view(struct upload *u, struct lint_files *ret, struct err *e);
void upload_paths_view_done(struct lint_files *view);

/* lint_files_called() of the file. Lives as long as it. */
const char *upload_paths_called(const struct upload_file *f);
/* lint_files_is() */
bool upload_paths_is(const char *name, const char *path);

/* Take the folder that all files lie in, lint_files_shared_folder(), off their names. */
void upload_paths_drop_folder(struct upload *u, size_t n);

/* lint_files_decide(). The files are sorted by path after. */
int upload_paths_decide(struct upload *u, size_t model, const struct manifest *manifest,
	struct err *e);

/* Sort the files by path again, after some were replaced. */
void upload_paths_sort(struct upload *u);

/* After that: a file by path, or NULL. */
const struct upload_file *upload_paths_find(const struct upload *u, const char *path);
