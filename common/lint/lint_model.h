/* SPDX-License-Identifier: Apache-2.0 */
/* The file that is the model.json. */
#pragma once

#include "common/lint/lint_files.h"
#include "common/model/artifact.h"

/* Find it, by name or by what it holds. *ret_old_name is the path that it came under when that was
 * another one and is fit for one, or NULL; it lives as long as the file. What is wrong is in `f`,
 * and an ERR_NOT_LOADABLE; ERR_TOO_LARGE; lint_files_twice() when two are called model.json. */
int lint_model_find(const struct lint_files *l, size_t *ret, const char **ret_old_name,
	struct findings *f, struct err *e);

/* ERR_TOO_LARGE when it is larger than a model.json may be. */
int lint_model_check_size(const struct lint_files *l, size_t file, struct err *e);

/* Parse its bytes. ERR_NOT_LOADABLE when they are none; what else is wrong with it is in `f` alone,
 * to be told together with what the other files show. */
int lint_model_parse(const char *text, size_t n, struct modeljson **ret,
	struct artifact **ret_artifact, struct findings *f, struct err *e);
