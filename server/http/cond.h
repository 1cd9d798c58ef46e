/* SPDX-License-Identifier: Apache-2.0 */
/* Conditional requests (RFC 9110 13): the decision, in the order of 13.2.2. Pure. */
#pragma once

#include <stdbool.h>
#include <stdint.h>

struct cond_request { /* header values; NULL when absent */
	const char *if_match;
	const char *if_none_match;
	const char *if_modified_since;
	const char *if_unmodified_since;
	const char *if_range;
	bool is_get_or_head;
};

struct cond_current {
	const char *etag;     /* quoted, strong; NULL when there is none */
	uint64_t modified_ms; /* 0 when unknown; compared in whole seconds */
	/* With neither there is no representation, which is what "*" asks about. */
};

enum cond_answer { COND_PROCEED, COND_NOT_MODIFIED, COND_FAILED };

/* A malformed list of entity tags matches nothing; a malformed date is ignored. */
enum cond_answer cond_judge(const struct cond_request *r, const struct cond_current *now);

/* 13.1.5: may Range be honoured? True without If-Range. Strong comparison; a date never matches
 * better than it must: equal to the second, or the range is ignored. */
bool cond_range_applies(const struct cond_request *r, const struct cond_current *now);
