/* SPDX-License-Identifier: Apache-2.0 */
#include "server/api/api_watch.h"
#include "common/json/json_write.h"
#include "server/api/api_job_json.h"
#include "server/api/app.h"
#include "server/http/feed.h"
#include "server/import/importer.h"

#include <stdio.h>

#define LINES   "application/x-ndjson"
#define USUAL   "application/json"
#define BEAT_MS 15000u /* below the minute after which proxies give up, as a rule */

/* The feed's, but until the answer. */
struct api_watch {
	struct feed *feed;
	struct importer *importer;
	struct import_watch *job;
	char id[CATALOG_JOB_ID + 1];
	char *base_url;
};

bool api_watch_asked(const struct req *r)
{
	return req_asks_for(r, LINES, USUAL);
}

static int next_line(void *cls, struct buf *out, bool *ret_last, struct err *e)
{
	const struct api_watch *w = cls;
	struct catalog_job job;
	struct json_write json;
	uint64_t rate;
	int result = importer_look(w->importer, w->id, &job, &rate, e);

	if (result < 0)
		return result;
	json_write_init(&json, out);
	api_job_json(&json, &job, rate, w->base_url);
	buf_add_char(out, '\n');
	*ret_last = api_job_json_ended(&job);
	catalog_job_clear(&job);
	return 0;
}

static void release(void *cls)
{
	struct api_watch *w = cls;

	importer_unwatch(w->job);
	free(w->base_url);
	free(w);
}

static void ring(void *feed)
{
	feed_ring(feed);
}

int api_watch_new(struct req *r, struct api_watch **ret, struct err *e)
{
	const struct app *app = req_app(r);
	struct api_watch *w = calloc(1, sizeof(*w));

	if (w)
		w->base_url = strdup(req_base_url(r));
	if (!w || !w->base_url) {
		free(w);
		return err_nomem(e);
	}
	w->importer = app->importer;
	int result = feed_new(r, &(struct feed_source){
		.content_type = LINES,
		.beat_ms = BEAT_MS,
		.next = next_line,
		.release = release,
		.cls = w,
	}, &w->feed, e);
	if (result == 0)
		*ret = w;
	return result;
}

int api_watch_reply(struct api_watch *w, const char *id, int status, struct reply **ret,
	struct err *e)
{
	int result;

	(void)snprintf(w->id, sizeof(w->id), "%s", id);
	/* Before the first look, so that no change is missed between the two. */
	result = importer_watch(w->importer, id, ring, w->feed, &w->job, e);
	if (result < 0) {
		api_watch_free(w);
		return result;
	}
	result = feed_reply(w->feed, status, ret, e);
	if (result == 0)
		reply_header(*ret, "Vary", "Accept");
	return result;
}

void api_watch_free(struct api_watch *w)
{
	if (w)
		feed_free(w->feed);
}
