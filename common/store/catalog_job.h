/* SPDX-License-Identifier: Apache-2.0 */
/* The part of the catalog about jobs: long work that survives a restart; about what was fetched
 * from where, so that it need not be fetched again; and about mirrors. Blocks; any thread.
 *
 * A job is claimed with a lease and an attempt number: who claimed it says the number with each
 * change, and learns by ERR_CONFLICT that somebody else has it, or that it was cancelled. Nothing
 * secret is in here: see requestfile.h.
 */
#pragma once

#include "common/store/catalog.h"

#define CATALOG_JOB_ID     CATALOG_UPLOAD_ID
#define CATALOG_JOB_JSON   (64u << 10) /* bytes of `request` and of `outcome` */
#define CATALOG_JOB_FILE   256         /* of `file`; longer ones are cut */
#define CATALOG_MIRROR_MAX (CATALOG_NAME_MAX + 1 + CATALOG_LABEL_MAX) /* MODEL or MODEL@LABEL */
#define CATALOG_ETAG_MAX   255

enum catalog_job_state {
	CATALOG_JOB_QUEUED,
	CATALOG_JOB_RUNNING,
	CATALOG_JOB_DONE,
	CATALOG_JOB_FAILED,
	CATALOG_JOB_CANCELLED,
};

struct catalog_job_progress {
	uint64_t bytes;
	uint64_t total; /* 0 while it is not known */
	uint64_t files; /* that are there */
	uint64_t files_total;
	char file[CATALOG_JOB_FILE + 1]; /* one that is under way, "" for none */
};

struct catalog_job {
	char id[CATALOG_JOB_ID + 1];
	char kind[16]; /* "import" */
	char model[CATALOG_NAME_MAX + 1];
	char mirror[CATALOG_MIRROR_MAX + 1]; /* that asked for it; "" for none */
	char who[CATALOG_WHO_MAX + 1];
	enum catalog_job_state state;
	uint64_t created_ms;
	uint64_t started_ms;  /* of the last attempt; 0 */
	uint64_t finished_ms; /* 0 while it has not ended */
	uint64_t attempt;     /* 0 while nobody claimed it */
	char upload[CATALOG_UPLOAD_ID + 1]; /* the staged upload it fills; "" for none */
	struct catalog_job_progress progress;
	uint64_t version;  /* that it made or found; 0 for none */
	bool unchanged;    /* nothing was new at the source */
	char *request;     /* JSON, what may be shown of it; never NULL in what is read */
	char *outcome;     /* JSON of the error or the result; NULL for none */
};

void catalog_job_clear(struct catalog_job *j); /* what it points to */

/* `j` has id, kind, model, mirror, who and request. ERR_TOO_MANY when `max_open` are queued or
 * running, 0 for any number; ERR_CONFLICT when the mirror has one that is. */
int catalog_job_add(struct catalog *c, const struct catalog_job *j, uint64_t max_open,
	struct err *e);
/* ERR_JOB_NOT_FOUND. Clear *ret. */
int catalog_job_read(struct catalog *c, const char *id, struct catalog_job *ret, struct err *e);

struct catalog_job_filter {
	const char *model;  /* NULL: of all */
	bool open;          /* queued and running ones alone */
	/* Newest first: the next page begins behind this job; 0: with the newest. */
	uint64_t before_ms;
	const char *before_id;
};
/* Clear each of the *ret_n rows. */
int catalog_jobs(struct catalog *c, const struct catalog_job_filter *f, struct catalog_job *rows,
	size_t max, size_t *ret_n, struct err *e);

/* The oldest one that is queued, or running under a lease that has run out, becomes running, with
 * the next attempt. *ret_any is false when there is none; else clear *ret. */
int catalog_job_claim(struct catalog *c, uint64_t lease_ms, struct catalog_job *ret, bool *ret_any,
	struct err *e);
/* Of the one process that has the store: nobody else works at anything, what runs is queued. */
int catalog_job_reclaim(struct catalog *c, struct err *e);
/* Still at it, and so far. ERR_CONFLICT; so too when the job was forgotten. */
int catalog_job_renew(struct catalog *c, const char *id, uint64_t attempt, uint64_t lease_ms,
	const struct catalog_job_progress *p, struct err *e);
int catalog_job_set_upload(struct catalog *c, const char *id, uint64_t attempt, const char *upload,
	struct err *e);
/* `j` has id, attempt, the new state, progress, version, unchanged and outcome; a state of QUEUED
 * gives it back. ERR_CONFLICT. */
int catalog_job_end(struct catalog *c, const struct catalog_job *j, struct err *e);
/* Whoever has it. ERR_JOB_NOT_FOUND; ERR_CONFLICT when it has ended, unless by this. *ret, to be
 * cleared, is what it is now. */
int catalog_job_cancel(struct catalog *c, const char *id, struct catalog_job *ret, struct err *e);
/* Forget those that ended before `before_ms`, some at a time; *ret_n of them. */
int catalog_job_expire(struct catalog *c, uint64_t before_ms, size_t *ret_n, struct err *e);

/* ---- what was fetched ---- */

/* At this URL, of which only the digest is kept, was this file of this model. */
struct catalog_fetched {
	char model[CATALOG_NAME_MAX + 1];
	struct digest url;
	char etag[CATALOG_ETAG_MAX + 1]; /* never "" */
	struct digest digest;
	uint64_t size;
};

/* *ret_found is false when nothing is known, or its blob is gone or damaged. */
int catalog_fetched_find(struct catalog *c, const char *model, const struct digest *url,
	struct catalog_fetched *ret, bool *ret_found, struct err *e);
int catalog_fetched_set(struct catalog *c, const struct catalog_fetched *rows, size_t n,
	struct err *e);
/* Those that were not set since. Also gone with their model's last version. */
int catalog_fetched_expire(struct catalog *c, uint64_t before_ms, struct err *e);

/* ---- mirrors ---- */

struct catalog_mirror {
	char name[CATALOG_MIRROR_MAX + 1];
	char model[CATALOG_NAME_MAX + 1];
	struct digest url;    /* another one begins anew */
	uint64_t next_ms;     /* when to look again */
	uint64_t checked_ms;  /* when it last ended, well or not; 0: never */
	uint64_t good_ms;     /* well */
	uint64_t failing_ms;  /* since when it fails; 0: it does not */
	uint64_t failures;    /* in a row */
	uint64_t version;     /* that it last made or found */
	char job[CATALOG_JOB_ID + 1]; /* whose end is awaited; "" for none */
	char error[ERR_TEXT_MAX]; /* of the last one, "" when it went well */
};

int catalog_mirror_read(struct catalog *c, const char *name, struct catalog_mirror *ret,
	bool *ret_found, struct err *e);
int catalog_mirror_save(struct catalog *c, const struct catalog_mirror *m, struct err *e);
/* Forget those that are not among these. */
int catalog_mirror_keep(struct catalog *c, const char *const *names, size_t n, struct err *e);
