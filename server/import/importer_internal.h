/* SPDX-License-Identifier: Apache-2.0 */
/* What the files of the importer share. */
#pragma once

#include "common/base/bell.h"
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

struct importer {
	struct importer_options options;
	struct registry *registry;
	struct catalog *catalog;
	struct address_list *allow;
	struct fetcher *fetcher; /* NULL when nothing is imported */
	struct bell work; /* rings when there may be a job to claim, and at the end */
	struct bell beat; /* rings when the keeper has something to look at, and at the end */
	atomic_bool stopping;
	struct mirrors_schedule *mirrors; /* run by the keeper */
	pthread_t keeper;
	bool has_keeper;
	pthread_t *workers;
	size_t workers_n;
	pthread_mutex_t lock;  /* of what follows; nothing waits for disk or network under it */
	pthread_cond_t let_go; /* somebody gave back a reference to a job */
	struct import_job *running;
	struct import_watch *watches;
};

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
