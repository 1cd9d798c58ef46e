/* SPDX-License-Identifier: Apache-2.0 */
/* What an upload is expected to be. Inside the registry only; the way in is in registry.h. */
#pragma once

#include "common/registry/upload_internal.h"

/* Paths are decided: the files that were expected are there, with their bytes. ERR_EXPECTED_OTHER,
 * here and below. */
int upload_expect_judge_files(const struct upload *u, struct err *e);
/* The root of the files as they are now, or `original`, which may be NULL, is the expected one. */
int upload_expect_judge_root(const struct upload *u, const struct digest *original,
	struct err *e);
void upload_expect_free(struct upload *u);
