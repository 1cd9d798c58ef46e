/* SPDX-License-Identifier: Apache-2.0 */
/* The shards against the manifest. Paths are decided and the files sorted, here and below. */
#pragma once

#include "common/lint/lint_files.h"
#include "common/model/sharding.h"
#include "common/model/weightscan.h"

/* The sum of the shards that are there; those that are not are findings. */
int lint_weights_add_up(const struct lint_files *l, const struct manifest *m, uint64_t *ret,
	bool *ret_complete, struct findings *f, struct err *e);

/* Of complete ones, with a finished scan over all of them: they hold exactly the bytes that the
 * manifest describes; what is wrong is added to `f`, and what is odd about the numbers. Errors:
 * reading, memory. */
int lint_weights_judge(const struct lint_files *l, const struct manifest *m,
	const struct weightscan *scan, struct findings *f, struct err *e);

/* Whether TensorFlow.js reads the shards rightly as they are cut. Errors: memory. */
int lint_weights_sharding(const struct lint_files *l, const struct manifest *m,
	const struct weightscan *scan, enum sharding_fault *ret, struct err *e);
/* The rule that a fault breaks, and the finding that refuses it. */
enum finding_rule lint_weights_sharding_rule(enum sharding_fault fault);
void lint_weights_refuse(enum sharding_fault fault, struct findings *f);
/* The finding that tells of the shards that take their place; `original` is the root digest of the
 * files as they came. */
void lint_weights_resharded(enum sharding_fault fault, const struct sharding_plan *plan,
	const struct digest *original, struct findings *f);
