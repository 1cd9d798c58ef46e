/* SPDX-License-Identifier: Apache-2.0 */
/* What an import fetches: which files, from where, and what is known of their bytes before.
 * Belongs to one job; files are worked at by one thread each. Inside server/import only. */
#pragma once

#include "common/digest/digest.h"
#include "common/net/url.h"

#define IMPORT_PLAN_ETAG 256

struct import_file {
	char *path;
	bool is_companion;  /* beside model.json, never under weightPathPrefix */
	bool is_extra;      /* its bytes are not in the plan's total before they come */
	uint64_t extra;     /* of it in the job's total */
	bool has_digest;    /* what the source says that it has */
	struct digest digest;
	bool has_expected;  /* what the request says that it has */
	struct digest expected;
	bool unconditional; /* what was known of it is not in the store any more */
	char etag[IMPORT_PLAN_ETAG]; /* strong, of what is here in part; "" for none */
	uint64_t offset;    /* durable bytes of that */
	uint64_t counted;   /* in the job's progress */
	char *seen;         /* the ETag under which all of it came, or had not changed; NULL */
};

struct import_plan {
	struct url model;   /* where model.json is: others are found from here */
	const char *prefix; /* weightPathPrefix; NULL for none */
	bool is_pinned;     /* what is there never changes */
	bool is_archive;    /* all of it is one file, an archive */
	char etag[IMPORT_PLAN_ETAG]; /* of model.json, "" for none */
	struct digest digest;        /* likewise */
	uint64_t total;     /* bytes of all files, 0 when that is not known */
	struct import_file *files; /* model.json is not among them; in the order of the manifest */
	size_t n, cap;
	struct import_file **sorted; /* by path; NULL before import_plan_sort() */
};

/* Add one that is not there yet. `path` is a fit one. *ret may be NULL. */
int import_plan_add(struct import_plan *p, struct str path, struct import_file **ret,
	struct err *e);
/* No more are added. */
int import_plan_sort(struct import_plan *p, struct err *e);
struct import_file *import_plan_find(const struct import_plan *p, const char *path);
/* Where it is. */
int import_plan_url(const struct import_plan *p, const struct import_file *f, struct url *ret,
	struct err *e);
void import_plan_done(struct import_plan *p);
