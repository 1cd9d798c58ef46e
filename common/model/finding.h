/* SPDX-License-Identifier: Apache-2.0 */
/* What validation has to say. A list of findings belongs to one artifact; it copies its strings. */
#pragma once

#include "common/base/err.h"
#include "common/json/json_write.h"

#define FINDINGS_MAX 100 /* kept in full; further ones are only counted */

enum finding_severity { FINDING_INFO, FINDING_WARNING, FINDING_ERROR };

struct finding {
	const char *rule; /* a stable id from finding.def, static storage */
	enum finding_severity severity;
	char *pointer; /* RFC 6901 JSON pointer into the file, or NULL */
	char *file;    /* path in the version, or NULL */
	char *message; /* what was expected and what was found */
	char *fix;     /* what to do about it, or NULL */
};

struct findings {
	struct finding *items;
	size_t n;
	size_t counts[FINDING_ERROR + 1]; /* by severity, those not kept included */
	bool no_memory; /* an item was lost for want of memory; counts are right */
};

/* Rules: FINDING_RULE(identifier, "stable.id", default severity, "one line of documentation",
 * "fix") */
enum finding_rule {
#define FINDING_RULE(ident, id, severity, doc, fix) RULE_##ident,
#include "common/model/finding.def"
#undef FINDING_RULE
	FINDING_RULE_COUNT
};

void findings_init(struct findings *f);
void findings_done(struct findings *f);
#define CLEANUP_FINDINGS CLEANUP(findings_done)

/* Add one, with the rule's default severity and fix. `file` and `pointer` may be NULL. */
void findings_add(struct findings *f, enum finding_rule rule, const char *file, const char *pointer,
	const char *fmt, ...) PRINTF_LIKE(5, 6);

static inline bool findings_refuse(const struct findings *f)
{
	return f->counts[FINDING_ERROR] > 0;
}

/* The sentence of the first error and how many more there are, as ERR_NOT_LOADABLE. */
int findings_to_err(const struct findings *f, struct err *e);

/* [{"rule","severity","pointer","file","message","fix"}...] as the value of `key`; members that are
 * NULL are left out. */
void findings_write(const struct findings *f, struct json_write *w, const char *key);

const char *finding_rule_id(enum finding_rule rule);
enum finding_severity finding_rule_severity(enum finding_rule rule);
const char *finding_rule_doc(enum finding_rule rule);
const char *finding_severity_name(enum finding_severity severity);
