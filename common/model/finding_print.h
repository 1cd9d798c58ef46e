/* SPDX-License-Identifier: Apache-2.0 */
/* What people and programs read about the rules, all of it from the one table. */
#pragma once

#include "common/model/finding_policy.h"

/* For a terminal: each rule with the severity that it has under `p`. */
void finding_print_text(const struct finding_policy *p, struct buf *out);
/* {"rules":[{"rule","severity","default","changeable","documentation","fix","why"}...]}; `fix` and
 * `why` (it cannot be changed) only where there is one. */
void finding_print_json(const struct finding_policy *p, struct buf *out);
/* The section RULES of modeld-rules(7), in man(7) macros. */
void finding_print_man(struct buf *out);
