/* SPDX-License-Identifier: Apache-2.0 */
/* What was refused, by rule. There is one set for the process. */
#pragma once

#include "common/base/buf.h"

#include <stdint.h>

#define REFUSALS_RULES_MAX 512u

enum refusals_of {
	REFUSALS_MODELS,  /* rules of validation */
	REFUSALS_SOURCES, /* rules of what may be fetched */
	REFUSALS_N
};

/* It was refused by this rule, of static storage, among others maybe. Any thread; takes a lock. Of
 * more than REFUSALS_RULES_MAX rules some are not counted. */
void refusals_add(enum refusals_of what, const char *rule);

/* Appended, in the format of metrics.h: one line for each rule that ever refused. */
void refusals_write(struct buf *out);
