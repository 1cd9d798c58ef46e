/* SPDX-License-Identifier: Apache-2.0 */
/* The severities that validation goes by, which can change (common/base/snapshot.h): a publish is
 * judged by those of its beginning. */
#pragma once

#include "common/base/snapshot.h"
#include "common/model/finding_policy.h"

struct api_rules {
	struct snapshot shared;
	struct finding_policy policy;
};

/* Copies `policy`. */
int api_rules_new(const struct finding_policy *policy, struct api_rules **ret, struct err *e);
void api_rules_unref(struct api_rules *x); /* accepts NULL */
DEFINE_CLEANUP(struct api_rules, api_rules_unref)
/* Of a cell of them, with a reference. Any thread; does not block. */
struct api_rules *api_rules_get(struct snapshot_cell *c);
