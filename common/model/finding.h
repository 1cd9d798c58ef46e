/* SPDX-License-Identifier: Apache-2.0 */
/* What validation has to say. A list of findings belongs to one artifact; it copies its strings. */
#pragma once

#include "common/base/err.h"
#include "common/json/json_write.h"

#define FINDINGS_MAX 100 /* kept in full; further ones are only counted */

/* OFF is for policies: no finding has it. */
enum finding_severity { FINDING_OFF, FINDING_INFO, FINDING_WARNING, FINDING_ERROR };

struct finding {
	const char *rule; /* a stable id from finding.def, static storage */
	enum finding_severity severity;
	char *pointer; /* RFC 6901 JSON pointer into the file, or NULL */
	char *file;    /* path in the version, or NULL */
	char *message; /* what was expected and what was found */
	char *fix;     /* what to do about it, or NULL */
};

struct finding_policy;

struct findings {
	const struct finding_policy *policy; /* NULL: default severities */
	struct finding *items;
	size_t n;
	size_t counts[FINDING_ERROR + 1]; /* by severity, those not kept included */
	bool no_memory; /* an item was lost for want of memory; counts are right */
};

/* Rules: FINDING_RULE(identifier, "stable.id", default severity, "one line of documentation",
 * "fix", OPEN or FIXED("why")) */
enum finding_rule {
#define FINDING_RULE(ident, id, severity, doc, fix, change) RULE_##ident,
#include "common/model/finding.def"
#undef FINDING_RULE
	FINDING_RULE_COUNT
};

void findings_init(struct findings *f);
/* With other severities than the default ones; `policy` outlives `f`. */
void findings_init_policy(struct findings *f, const struct finding_policy *policy);
void findings_done(struct findings *f);
#define CLEANUP_FINDINGS CLEANUP(findings_done)

/* Add one, with the severity that the policy gives the rule, unless that is OFF, and with the
 * rule's fix. `file` and `pointer` may be NULL. */
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

/* The first `n` of them. */
void findings_write_first(const struct findings *f, size_t n, struct json_write *w,
	const char *key);

const char *finding_rule_id(enum finding_rule rule);
enum finding_severity finding_rule_severity(enum finding_rule rule); /* the default one */
const char *finding_rule_doc(enum finding_rule rule);
const char *finding_rule_fix(enum finding_rule rule); /* or NULL */
/* Why no policy may change the rule's severity, or NULL when one may. */
const char *finding_rule_fixed(enum finding_rule rule);
const char *finding_severity_name(enum finding_severity severity);
