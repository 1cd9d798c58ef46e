/* SPDX-License-Identifier: Apache-2.0 */
#include "server/api/api_job_json.h"
#include "common/base/clock.h"
#include "server/api/api_json.h"

#include <string.h>

bool api_job_json_ended(const struct catalog_job *j)
{
	return j->state != CATALOG_JOB_QUEUED && j->state != CATALOG_JOB_RUNNING;
}

static const char *state_name(enum catalog_job_state state)
{
	static const char *const names[] = {
		[CATALOG_JOB_QUEUED] = "queued",
		[CATALOG_JOB_RUNNING] = "running",
		[CATALOG_JOB_DONE] = "done",
		[CATALOG_JOB_FAILED] = "failed",
		[CATALOG_JOB_CANCELLED] = "cancelled",
	};

	return names[state];
}

static void write_text(struct json_write *w, const char *key, const char *text)
{
	if (text[0])
		json_write_str(w, key, text);
}

static void write_number(struct json_write *w, const char *key, uint64_t n)
{
	if (n > 0)
		json_write_uint(w, key, n);
}

static void write_time(struct json_write *w, const char *key, uint64_t ms)
{
	char text[CLOCK_TEXT];

	if (ms > 0)
		json_write_str(w, key, clock_rfc3339(ms, text));
}

static void write_progress(struct json_write *w, const struct catalog_job_progress *p,
	uint64_t rate)
{
	json_write_object(w, "progress");
	json_write_uint(w, "bytes", p->bytes);
	write_number(w, "total", p->total);
	json_write_uint(w, "files", p->files);
	write_number(w, "files_total", p->files_total);
	write_number(w, "rate", rate);
	write_text(w, "file", p->file);
	json_write_object_end(w);
}

static void write_version(struct json_write *w, const struct catalog_job *j, const char *base_url)
{
	if (j->version == 0)
		return;
	json_write_uint(w, "version", j->version);
	api_json_ref(w, "ref", j->model, j->version);
	api_json_url(w, "url", base_url, j->model, j->version);
}

void api_job_json(struct json_write *w, const struct catalog_job *j, uint64_t rate,
	const char *base_url)
{
	json_write_object(w, NULL);
	json_write_str(w, "id", j->id);
	json_write_str(w, "kind", j->kind);
	json_write_str(w, "state", state_name(j->state));
	json_write_str(w, "model", j->model);
	write_text(w, "mirror", j->mirror);
	json_write_raw(w, "request", j->request, strlen(j->request));
	write_time(w, "created", j->created_ms);
	write_time(w, "started", j->started_ms);
	write_time(w, "finished", j->finished_ms);
	json_write_uint(w, "attempt", j->attempt);
	write_progress(w, &j->progress, rate);
	write_version(w, j, base_url);
	if (j->state == CATALOG_JOB_DONE)
		json_write_bool(w, "unchanged", j->unchanged);
	if (j->outcome)
		json_write_members(w, j->outcome, strlen(j->outcome));
	json_write_object_end(w);
}
