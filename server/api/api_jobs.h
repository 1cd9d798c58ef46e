/* SPDX-License-Identifier: Apache-2.0 */
/* The job as it is now, for handlers. */
#pragma once

#include "common/base/err.h"
#include "server/http/req.h"

/* An answer with this job, which nobody may keep, and which the caller may add headers to.
 * Blocks. */
int api_jobs_reply(struct req *r, int status, const char *id, struct reply **ret, struct err *e);
