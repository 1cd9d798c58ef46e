/* SPDX-License-Identifier: Apache-2.0 */
/* Imports: models fetched from other hosts, by jobs that survive a restart.
 *
 * A few threads each run one job at a time, top to bottom with calls that block; each job has
 * helpers that fetch its files side by side. Files go into a staged upload (staging.h), so what has
 * arrived and was acknowledged is there after a restart; then it is published like any other.
 */
#pragma once

#include "common/base/buf.h"
#include "common/config/config.h"
#include "common/model/finding.h"
#include "common/registry/registry.h"
#include "common/store/catalog_job.h"
#include "server/import/import_request.h"

struct importer;

struct importer_options {
	const struct config *config;        /* the start looks at these two, nobody later */
	const struct finding_policy *rules;
	struct registry *registry;
	/* A version of this model was made, or a label moved to it. On a thread of the importer. */
	void (*published)(void *cls, const char *model);
	void *cls;
};

int importer_start(const struct importer_options *o, struct importer **ret, struct err *e);
/* Jobs that run stop where they are, to go on at the next start. Joins. Until importer_free() all
 * calls go on to work, and nothing runs. Accepts NULL. */
void importer_stop(struct importer *m);
/* Nobody calls any more, and nobody watches. Accepts NULL. */
void importer_free(struct importer *m);

/* ---- another configuration, while it runs ---- */

struct importer_settings;

/* Of the configuration [import], and of [limits] what a model may have; both are copied.
 * ERR_CONFIG; threads that there are too few of are started, and wait. One thread. */
int importer_settings_new(struct importer *m, const struct config *c,
	const struct finding_policy *rules, struct importer_settings **ret, struct err *e);
/* The same judgement of the configuration alone. */
int importer_settings_check(const struct config *c, struct err *e);
void importer_settings_unref(struct importer_settings *s); /* accepts NULL */
DEFINE_CLEANUP(struct importer_settings, importer_settings_unref)
/* Put them in force. Takes them over; does not block. A job that runs goes on to its end by those
 * that it began with. Mirrors that are new are looked at soon, those that are gone no more. */
void importer_settings_put(struct importer *m, struct importer_settings *s);

/* ---- jobs ---- */

/* Durably queued at the return; `id` has room for CATALOG_JOB_ID and a NUL. ERR_TOO_MANY,
 * ERR_CONFLICT (the mirror has one open), ERR_FETCH_REFUSED for a URL that is refused whatever its
 * name resolves to. Blocks. */
int importer_submit(struct importer *m, const struct import_request *q, char *id, struct err *e);
/* The catalog's row, and of a job that runs how far it is this moment. Clear *ret. Blocks.
 * *ret_rate: bytes a second just now, 0 of what does not run.
 *
 * The row's `outcome` is a JSON object whose members are part of what the job is shown as: of one
 * that is done "label" (when one was asked for), "deduplicated", "root_digest" and "findings"; of
 * another "error": {"code", "detail", "url", "upstream_status", "errors"}, the last three where
 * there is one. "findings_omitted" or "errors_omitted" says how many did not fit. */
int importer_look(struct importer *m, const char *id, struct catalog_job *ret, uint64_t *ret_rate,
	struct err *e);
/* The state is cancelled at the return, and what runs lets go at once; one that becomes a version
 * at this moment is waited for. ERR_JOB_NOT_FOUND; ERR_CONFLICT when it ended otherwise. Blocks. */
int importer_cancel(struct importer *m, const char *id, struct catalog_job *ret, struct err *e);

/* ---- watching ---- */

struct import_watch;

/* `changed` comes after each change of this job, on any thread, not more than some ten times a
 * second, and must neither block nor call back; then look. Once after the end. */
int importer_watch(struct importer *m, const char *id, void (*changed)(void *cls), void *cls,
	struct import_watch **ret, struct err *e);
/* `changed` is not called after the return; it may wait for one under way. Accepts NULL. */
void importer_unwatch(struct import_watch *w);

/* ---- what an operator wants to watch ---- */

/* False when the thread that keeps jobs and mirrors has not come round when it said it would, and
 * `patience_ms` after. Any thread; does not block. */
bool importer_alive(const struct importer *m, unsigned patience_ms);

struct importer_state {
	uint64_t queued;
	uint64_t running;
	uint64_t mirrors;
	uint64_t mirrors_failing;
};
void importer_state(struct importer *m, struct importer_state *ret);
/* Each mirror, in the order of the configuration, in an array for the caller to free. One that
 * fails has `failures` above 0, since `failing_ms`, and an `error`. Does not block.
 * ERR_OUT_OF_MEMORY. */
int importer_mirrors(struct importer *m, struct catalog_mirror **ret, size_t *ret_n,
	struct err *e);
