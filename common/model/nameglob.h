/* SPDX-License-Identifier: Apache-2.0 */
/* Patterns of models' names, wherever a setting or a permission is for several models. Pure.
 *
 *   pattern = name          that model
 *           | name "/" "*"  models one segment below that name
 *           | name "/" "**" models any number of segments below that name
 *           | "*"           models of one segment
 *           | "**"          every model
 */
#pragma once

#include "common/model/ref.h"

#define NAMEGLOB_MAX (REF_NAME_MAX + 3)

/* 0, or ERR_BAD_NAME saying what is wrong; `word` is what the sentence calls a pattern. */
int nameglob_check(struct str pattern, const char *word, struct err *e);
/* Both have passed their check. */
bool nameglob_matches(const char *pattern, const char *model);
/* Does `outer` match every name that `inner` does? */
bool nameglob_within(const char *inner, const char *outer);
