/* SPDX-License-Identifier: Apache-2.0 */
/* One import while it runs. Its thread goes from the top to the bottom of import_job.c; helpers of
 * it fetch files; the keeper and whoever looks read how far it is. Inside server/import only. */
#pragma once

#include "common/registry/staging.h"
#include "server/auth/grants.h"
#include "server/import/importer_internal.h"

/* Why a job lets go of what it does. A later one of these counts more. */
enum import_halt {
	IMPORT_HALT_NOT,
	IMPORT_HALT_FAILED,  /* a transfer of its own failed for good: the others end */
	IMPORT_HALT_LATE,    /* import.timeout is over */
	IMPORT_HALT_STOPPED, /* the daemon ends; it goes on at the next start */
	IMPORT_HALT_LOST,    /* it was cancelled, or is another's */
};

/* The first failure of a transfer; the others follow from it. */
struct import_failure {
	struct err e;
	int status;            /* of HTTP, from the other host, when that is an error; 0 */
	char url[URL_MAX + 1]; /* redacted; "" for none */
};

/* A file that is under way, in a list of the job: on the stack of who fetches it. */
struct import_at {
	const char *path;
	struct import_at *next;
};

struct import_rate {
	uint64_t since_ms, since_bytes; /* monotonic */
	uint64_t next_ms, next_bytes;
};

struct import_job {
	struct importer *importer;
	struct importer_settings *settings; /* of its beginning; import_run()'s caller has them */
	struct import_job *next; /* these two under the importer's lock */
	unsigned refs;
	struct catalog_job row;  /* as it was claimed; `upload` is kept up to date */
	struct import_request request; /* its parts under the lock */
	struct grants models;    /* whose files may be taken: those of who asked for it */
	struct staging_scan *scan; /* of the weights, while files are fetched; NULL for none */
	uint64_t started_ms;     /* monotonic */
	uint64_t renewed_ms;     /* the keeper's, like the next two */
	uint64_t told_ms;
	uint64_t told_bytes;
	atomic_bool halted;      /* `why` is not IMPORT_HALT_NOT: what transfers look at */
	struct bell bell;        /* rings then */
	atomic_uint_fast64_t bytes; /* that are here, of all files */
	atomic_uint_fast64_t files;
	atomic_uint_fast64_t fetched; /* files of which bytes came: they were not known before */
	pthread_mutex_t lock;    /* of what follows */
	pthread_cond_t unsealed;
	pthread_cond_t room;
	unsigned transfers;      /* that run, or may begin */
	enum import_halt why;
	bool sealed;             /* it becomes a version: too late to cancel it */
	uint64_t total;          /* 0 while it is not known */
	uint64_t files_total;
	struct import_at *at; /* files that are under way, the last one that was begun first */
	bool has_failure;
	struct import_failure failure;
	struct import_rate rate;
	struct catalog_fetched *learned; /* not in the catalog yet */
	size_t learned_n, learned_cap;
};

/* Takes over what `row` points to, in any case. */
int import_job_new(struct importer *m, struct importer_settings *s, struct catalog_job *row,
	struct import_job **ret, struct err *e);
void import_job_free(struct import_job *j);

/* Let go, for this reason unless there is a better one. Does not block. Any thread. */
void import_job_halt(struct import_job *j, enum import_halt why);
/* The same because somebody cancels it. One that is being made a version is waited for: it has
 * ended then, and that is in the catalog. Blocks. */
void import_job_cancel(struct import_job *j);
/* From here on it cannot be cancelled, until its end. ERR_CANCELLED, once it is halted. */
int import_job_seal(struct import_job *j, struct err *e);
void import_job_unseal(struct import_job *j);
/* After the helpers of a failed transfer are gone: true when the job may go on. */
bool import_job_resume(struct import_job *j);
enum import_halt import_job_why(struct import_job *j);
/* ERR_CANCELLED, once it is halted. */
int import_job_check(struct import_job *j, struct err *e);

/* Wait until one transfer more may run, of import.transfers; it has ended when its bytes are here,
 * durable or not. ERR_CANCELLED, once it is halted: none may begin then. */
int import_job_enter(struct import_job *j, struct err *e);
void import_job_leave(struct import_job *j);

/* How far it is. */
void import_job_progress(struct import_job *j, struct catalog_job_progress *ret,
	uint64_t *ret_rate);
/* No file is there. */
void import_job_restart(struct import_job *j);
void import_job_set_total(struct import_job *j, uint64_t bytes, uint64_t files);
/* A file of which no size was known has `now` bytes, of which `before` were in the total. */
void import_job_add_total(struct import_job *j, uint64_t before, uint64_t now);
/* A file is under way from here to there; `at` is whoever's until then, and so is `path`. */
void import_job_begin(struct import_job *j, struct import_at *at, const char *path);
void import_job_end(struct import_job *j, const struct import_at *at);
/* Keep why it fails, if it is the first reason. `url` is what was fetched, NULL for none. */
void import_job_fail(struct import_job *j, const struct err *e, const char *url, int status);
/* The part of a file that is there came with this ETag; NULL for none any more. With `durable` a
 * restart knows it too; blocks then. */
void import_job_set_part(struct import_job *j, const char *path, const char *etag, bool durable);
void import_job_keep_request(struct import_job *j);
/* What it came with, into `etag`; "" for none. */
void import_job_part(struct import_job *j, const char *path, char *etag, size_t size);
/* A file came, or was found unchanged, under this ETag. */
void import_job_learn(struct import_job *j, const struct catalog_fetched *row);
/* Put into the catalog what was learned. Blocks. */
void import_job_keep(struct import_job *j);
