/* SPDX-License-Identifier: Apache-2.0 */
/* One try at one file: made anew each time, so that of an earlier one nothing lives on but what is
 * durable. Inside server/import only. Blocks. */
#pragma once

#include "server/import/import_job.h"
#include "server/import/import_plan.h"

/* What to do about a failure. */
struct import_again {
	bool worth_it;     /* trying again may help */
	bool at_once;      /* and it is not the other host's fault */
	bool anew;         /* but not from where it was */
	uint64_t after_ms; /* not before; 0 */
	int status;        /* of HTTP, of the other host; 0 for none */
};

/* Limits and patience of the configuration, and the request's headers where `url` is on a host that
 * the request names. `out` keeps pointers into all of them. */
void import_attempt_request(const struct import_job *j, const struct url *url, const char *what,
	struct fetch_request *out);

/* What is known of a URL from earlier, unless its bytes are gone. */
int import_attempt_known(struct import_job *j, const struct url *url,
	struct catalog_fetched *ret, bool *ret_found, struct err *e);
/* Keep for another time what is at this URL; nothing without an ETag. */
int import_attempt_learn(struct import_job *j, const struct url *url, const char *etag,
	const struct digest *digest, uint64_t size, struct err *e);

/* Fetch the file, or what is missing of it, into the job's upload. */
int import_attempt_run(struct import_job *j, const struct import_plan *p, struct import_file *f,
	struct import_again *ret_again, struct err *e);
/* The same of a transfer that has begun; these are its first bytes. */
int import_attempt_adopt(struct import_job *j, const struct url *url, struct import_file *f,
	struct fetch *x, const struct fetch_head *head, struct str first,
	struct import_again *ret_again, struct err *e);

/* The file is a blob of the store: true when it could be taken as it is. */
int import_attempt_mount(struct import_job *j, struct import_file *f, const struct digest *digest,
	bool *ret_there, struct err *e);
/* The same of a digest that somebody tells, who need not have the bytes: out of a model that who
 * asked may read or publish. */
int import_attempt_mount_told(struct import_job *j, struct import_file *f,
	const struct digest *digest, bool *ret_there, struct err *e);
/* Is the file still what it was when it came? As far as its host says: one that says nothing, or
 * cannot be asked, is taken at its word. */
int import_attempt_same(struct import_job *j, const struct import_plan *p,
	const struct import_file *f, bool *ret, struct err *e);
/* After a failure: what of the file is durable, and can be gone on from unless it is `anew`. */
void import_attempt_settle(struct import_job *j, struct import_file *f, bool anew);
