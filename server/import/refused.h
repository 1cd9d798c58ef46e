/* SPDX-License-Identifier: Apache-2.0 */
/* Counting why a model was refused, wherever it came from. */
#pragma once

#include "common/base/err.h"
#include "common/model/finding.h"

/* Each rule that found an error counts once. Any thread. */
void refused_count(const struct findings *f);
/* Of an import: the rule that it breaks, if it does. Any thread. */
void refused_count_source(const struct err *why);
