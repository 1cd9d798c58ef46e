/* SPDX-License-Identifier: Apache-2.0 */
/* What is wrong with a host and what it serves: findings about URLs. What is said of many files in
 * the same words is one finding that counts them. One thread. */
#pragma once

#include "client/doctor_place.h"
#include "common/base/buf.h"
#include "common/model/finding.h"

#define DOCTOR_REPORT_MAX 100 /* kept; further ones are only counted */


struct doctor_report_item {
	const char *rule; /* static */
	enum finding_severity severity;
	char *url; /* without what may be a credential */
	char *pointer; /* into model.json, or NULL */
	char *message;
	char *fix;   /* or NULL */
	const char *host; /* static: what kind of host the fix is for; NULL for any */
	size_t more; /* files besides of which the same is to be said */
};

struct doctor_report {
	struct doctor_report_item items[DOCTOR_REPORT_MAX];
	size_t n;
	size_t counts[FINDING_ERROR + 1]; /* those not kept included; of files, one each */
	bool no_memory;
	enum doctor_place place; /* where the last answer came from */
};

void doctor_report_done(struct doctor_report *r);
#define CLEANUP_DOCTOR_REPORT CLEANUP(doctor_report_done)

void doctor_report_add(struct doctor_report *r, enum doctor_rule rule, const char *url,
	const char *fmt, ...) PRINTF_LIKE(4, 5);
/* What lint says of the model.json at `url`. */
void doctor_report_lint(struct doctor_report *r, const struct findings *f, const char *url);

/* Lines for people. */
void doctor_report_print(const struct doctor_report *r, bool color, struct buf *out);
/* [{"rule","severity","url","more"?,"pointer"?,"message","fix"?,"host"?}...] as the value of
 * `key`. */
void doctor_report_write(const struct doctor_report *r, struct json_write *w, const char *key);
