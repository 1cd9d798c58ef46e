/* SPDX-License-Identifier: Apache-2.0 */
/* What the files of the importer share. */
#pragma once

#include "common/base/bell.h"
#include "common/base/snapshot.h"
#include "common/model/finding_policy.h"
#include "common/net/fetch.h"
#include "server/import/importer.h"
#include "server/import/mirrors_schedule.h"

#include <pthread.h>
#include <stdatomic.h>

#define IMPORTER_LEASE_MS UINT64_C(60000) /* of a job that runs; the keeper renews it */
#define IMPORTER_RENEW_MS UINT64_C(3000)  /* how often, with how far it is */

struct import_job;

struct import_watch {
	struct importer *importer;
	char id[CATALOG_JOB_ID + 1];
	void (*changed)(void *cls);
	void *cls;
	struct import_watch *next;
};

/* What a job goes by, named like the keys that it comes from; see common/base/snapshot.h. */
struct importer_settings {
	struct snapshot shared;
	struct finding_policy rules;
	struct address_list *allow;
	struct fetcher *fetcher; /* NULL when nothing is imported */
	struct config_list sources;
	uint64_t limits_model_json, limits_file, limits_version;
	unsigned limits_files;
	unsigned import_jobs, import_queue, import_transfers, import_attempts;
	uint64_t import_connect_timeout, import_file_timeout, import_timeout;
	uint64_t import_min_rate, import_min_rate_time;
	uint64_t import_keep;
};

#define IMPORTER_JOBS_MAX 64u /* the most that import.jobs can be */

struct importer_worker {
	struct importer *importer;
	unsigned index; /* it takes jobs while this is less than import_jobs */
	pthread_t thread;
};

struct importer {
	struct importer_options options; /* without what the start alone looks at */
	struct snapshot_cell settings;
	bool has_settings;
	struct registry *registry;
	struct catalog *catalog;
	struct bell work; /* rings when there may be a job to claim, and at the end */
	struct bell beat; /* rings when the keeper has something to look at, and at the end */
	atomic_bool stopping;
	struct mirrors_schedule *mirrors; /* run and replaced by the keeper; the pointer under the
	                                   * lock */
	struct importer_settings *scheduled; /* that it is made of; a reference, the keeper's */
	_Atomic uint64_t keeper_due_ms; /* when it comes round at the latest; monotonic */
	pthread_t keeper;
	bool has_keeper;
	struct importer_worker workers[IMPORTER_JOBS_MAX];
	unsigned workers_n; /* started */
	pthread_mutex_t lock;  /* of what follows; nothing waits for disk or network under it */
	pthread_cond_t let_go; /* somebody gave back a reference to a job */
	struct import_job *running;
	struct import_watch *watches;
};

/* ---- settings: importer_settings.c ---- */

int importer_settings_make(const struct config *c, const struct finding_policy *rules,
	struct importer_settings **ret, struct err *e);
/* Those in force, with a reference. Any thread. */
struct importer_settings *importer_settings_get(struct importer *m);
bool importer_settings_same_sources(const struct importer_settings *a,
	const struct importer_settings *b);

/* At least so many. One thread. */
int importer_start_workers(struct importer *m, unsigned n, struct err *e);
/* Mirrors by these settings, from now on. On the keeper's thread, or before there is one. */
int importer_schedule(struct importer *m, struct importer_settings *s, struct err *e);

/* ---- jobs that run ---- */

/* NULL for none; else with a reference, so that it stays until that is given back. */
struct import_job *importer_find(struct importer *m, const char *id);
/* All of them, each with a reference, in an array for the caller to free. Without memory none. */
struct import_job **importer_all(struct importer *m, size_t *ret_n);
void importer_give_back(struct import_job *j);
/* On the thread of the job. At its end it waits for those who have references. */
void importer_list(struct import_job *j);
void importer_unlist(struct import_job *j);

/* Those who watch this job are told. Any thread. */
void importer_tell(struct importer *m, const char *id);
bool importer_is_watched(struct importer *m);
