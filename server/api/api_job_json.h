/* SPDX-License-Identifier: Apache-2.0 */
/* A job, as every answer shows it. */
#pragma once

#include "common/json/json_write.h"
#include "common/store/catalog_job.h"

/* Most bytes of one: what was asked for, what became of it, and the rest. */
#define API_JOB_JSON_MAX (2u * CATALOG_JOB_JSON + (64u << 10))

/* As one value. `rate` is bytes a second, left out when it is 0; `base_url` that of the request. */
void api_job_json(struct json_write *w, const struct catalog_job *j, uint64_t rate,
	const char *base_url);

/* Nothing about it will change any more. */
bool api_job_json_ended(const struct catalog_job *j);
