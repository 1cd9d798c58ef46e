/* SPDX-License-Identifier: Apache-2.0 */
/* Counting why validation refused a model, wherever it came from. */
#pragma once

#include "common/model/finding.h"

/* Each rule that found an error counts once. Any thread. */
void refused_count(const struct findings *f);
