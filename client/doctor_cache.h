/* SPDX-License-Identifier: Apache-2.0 */
/* What a browser's cache does with files that are replaced under their names (RFC 9111): whether
 * model.json of one version can meet shards of another. Pure, but for the findings. */
#pragma once

#include "client/doctor_report.h"
#include "common/net/http.h"

enum doctor_cache {
	DOCTOR_CACHE_ASKS,    /* asks the host each time */
	DOCTOR_CACHE_GUESSES, /* keeps it a tenth of its age: Last-Modified alone (4.2.2) */
	DOCTOR_CACHE_KEEPS,   /* max-age or Expires */
	DOCTOR_CACHE_NEVER_CHANGES, /* immutable (RFC 8246) */
};

enum doctor_cache doctor_cache_of(const struct http_answer *a);
/* Does the path of a shard look as if other bytes would have another one: with a digest in it, or
 * in a folder with a number beside model.json ("../m@3/")? */
bool doctor_cache_is_own(const char *folder, const char *path);
/* A shard beside the model.json; `own`: it has a path of its own. */
void doctor_cache_judge(enum doctor_cache model, enum doctor_cache shard, bool own,
	const char *url, struct doctor_report *report);
/* A file that is asked for each time, and has nothing to ask with. */
void doctor_cache_validator(const struct http_answer *a, const char *url,
	struct doctor_report *report);
