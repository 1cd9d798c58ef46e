/* SPDX-License-Identifier: Apache-2.0 */
/* A job of the server (GET /v1/jobs/ID), followed to its end. */
#pragma once

#include "client/api.h"

#define JOB_ID_MAX 64

/* An id from the command line or the server: letters and digits. ERR_BAD_PARAMETER. */
int job_check_id(const char *id, struct fault *f);

/* Ask until it has ended, with progress; connections that break do not matter. *ret is the job
 * then. A job that failed or was cancelled is a fault, with its findings. When the run is
 * cancelled the job goes on. */
int job_watch(const struct run *run, struct api *a, const char *id, struct api_answer *ret,
	struct fault *f);

/* What became of it, on standard output: the URL to load, or with --json the job. */
int job_print(const struct run *run, const struct api_answer *answer, struct fault *f);
