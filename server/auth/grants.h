/* SPDX-License-Identifier: Apache-2.0 */
/* What somebody may do with which models: scopes, each limited to names. Pure.
 *
 *   grants = word *( separator word )      blanks or commas
 *   word   = scope [ "=" pattern ]         of names: nameglob.h; "**" when it is missing
 *   scope  = "read" | "publish" | "label" | "delete" | "admin"
 */
#pragma once

#include "common/model/nameglob.h"

enum scope { /* bits */
	SCOPE_READ = 1,
	SCOPE_PUBLISH = 2,
	SCOPE_LABEL = 4,
	SCOPE_DELETE = 8,
	SCOPE_ADMIN = 16, /* all of these, and giving them to others */
};

#define SCOPES_N   5
#define GRANTS_MAX 64 /* patterns of one */

struct grant {
	unsigned scopes;
	char models[NAMEGLOB_MAX + 1];
};

struct grants { /* all zero: none */
	struct grant *items; /* no pattern twice */
	size_t n;
};

void grants_done(struct grants *g);
DEFINE_CLEANUP(struct grants, grants_done)

/* Of several the first. */
const char *grants_scope_name(enum scope scope);

/* Add one word; `models` are the patterns of a word that has none, at least one. ERR_BAD_PARAMETER
 * saying what is wrong. */
int grants_add(struct grants *g, struct str word, const char *const *models, size_t models_n,
	struct err *e);
/* Add all words of a text. */
int grants_read(struct grants *g, struct str text, struct err *e);
/* Words that read() takes, one for each scope of each pattern. */
void grants_write(const struct grants *g, struct buf *out);

/* Of this model; NULL: of any at all. Of several scopes one is enough. */
bool grants_allow(const struct grants *g, enum scope scope, const char *model);
/* Of every model there may be. */
bool grants_allow_all(const struct grants *g, enum scope scope);
/* May who has `outer`, an admin, hand out `inner`? */
bool grants_within(const struct grants *inner, const struct grants *outer);
