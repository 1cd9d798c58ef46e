/* SPDX-License-Identifier: Apache-2.0 */
/* The part of fsck about jobs and their request files. Inside the registry only. */
#pragma once

#include "common/registry/registry.h"

/* Every request file is of a job that has not ended, and every such job has one; `tell` as in
 * struct registry_fsck. Safe beside a daemon. */
int registry_fsck_jobs(struct registry *r, registry_fsck_fn *tell, void *cls, struct err *e);
