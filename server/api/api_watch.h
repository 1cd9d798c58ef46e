/* SPDX-License-Identifier: Apache-2.0 */
/* An answer that follows a job to its end: newline-delimited JSON, one line at once and one for
 * each change, each the job as api_job_json.h has it. That the client goes does not touch the
 * job. */
#pragma once

#include "common/base/err.h"
#include "server/http/req.h"

/* Does the client want that, and not the job as it is now? */
bool api_watch_asked(const struct req *r);

/* An answer in the making; takes one of the places that there are (feed.h). In `work`. */
struct api_watch;
int api_watch_new(struct req *r, struct api_watch **ret, struct err *e);
/* It follows this job from now on. Takes the watch over, on failure as well. */
int api_watch_reply(struct api_watch *w, const char *id, int status, struct reply **ret,
	struct err *e);
void api_watch_free(struct api_watch *w); /* accepts NULL */
DEFINE_CLEANUP(struct api_watch, api_watch_free)
