/* SPDX-License-Identifier: Apache-2.0 */
/* Which severity each rule has: an operator's choice, made once at the start. */
#pragma once

#include "common/model/finding.h"

struct finding_policy {
	enum finding_severity severity[FINDING_RULE_COUNT];
};

/* The default severities. */
void finding_policy_init(struct finding_policy *p);

/* Change `*p` by settings "rule.id=error", "=warning" or "=off". ERR_CONFIG for an unknown rule or
 * word (the nearest one is suggested), for a rule that no policy may change, and for one that is
 * set twice; *p is as it was then. */
int finding_policy_read(struct finding_policy *p, char *const *settings, size_t n, struct err *e);
