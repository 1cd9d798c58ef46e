/* SPDX-License-Identifier: Apache-2.0 */
/* POST /v1/models/{name}:import: fetch a model from elsewhere. */
#include "common/model/ref.h"
#include "server/api/api.h"
#include "server/api/api_jobs.h"
#include "server/api/api_watch.h"
#include "server/import/importer.h"
#include "server/import/refused.h"

#include <stdio.h>

static void add_location(struct reply *reply, const char *id)
{
	reply_headerf(reply, "Location", "/v1/jobs/%s", id);
}

static int reply_plain(struct req *r, const char *id, struct err *e)
{
	struct reply *reply;
	int result = api_jobs_reply(r, 202, id, &reply, e);

	if (result < 0)
		return result;
	add_location(reply, id);
	req_reply(r, reply);
	return 0;
}

/* The place among those that are followed comes first: an import that was begun is not refused. */
static int submit_and_follow(struct req *r, const struct import_request *q, struct err *e)
{
	const struct app *app = req_app(r);
	CLEANUP(api_watch_free_p) struct api_watch *watch = NULL;
	char id[CATALOG_JOB_ID + 1];
	struct reply *reply;
	int result = api_watch_new(r, &watch, e);

	if (result == 0)
		result = importer_submit(app->importer, q, id, e);
	if (result == 0)
		result = api_watch_reply(take_ptr(watch), id, 202, &reply, e);
	if (result < 0)
		return result;
	add_location(reply, id);
	req_reply(r, reply);
	return 0;
}

static int submit(struct req *r, const struct import_request *q, struct err *e)
{
	const struct app *app = req_app(r);
	char id[CATALOG_JOB_ID + 1];
	int result;

	if (api_watch_asked(r))
		return submit_and_follow(r, q, e);
	result = importer_submit(app->importer, q, id, e);
	return result < 0 ? result : reply_plain(r, id, e);
}

/* As they are now: the import goes on without who asked. */
static int set_models(struct req *r, struct import_request *q, struct err *e)
{
	CLEANUP_BUF struct buf text = BUF_INIT(AUTHORITY_MODELS_TEXT);

	req_models(r, &text);
	if (buf_failed(&text))
		return buf_check(&text, "what the token may read", e);
	q->models = text.len > 0 ? buf_take(&text, NULL) : NULL;
	return 0;
}

static int import_work(struct req *r, struct err *e)
{
	struct import_request q;
	int result = ref_check_name(req_capture(r, 0), e);

	if (result == 0)
		result = import_request_parse(req_body(r), &q, e);
	if (result < 0)
		return result;
	(void)snprintf(q.model, sizeof(q.model), STR_FMT, STR_ARG(req_capture(r, 0)));
	(void)snprintf(q.who, sizeof(q.who), "%s", req_who(r));
	result = set_models(r, &q, e);
	if (result == 0 && q.label[0])
		result = req_require(r, SCOPE_LABEL, q.model, e);
	if (result == 0)
		result = submit(r, &q, e);
	if (result < 0)
		refused_count_source(e);
	import_request_clear(&q);
	return result;
}

const struct handler api_import = {
	.name = "import",
	.writes = true,
	.scope = SCOPE_PUBLISH,
	.target = HANDLER_REF,
	.body = HANDLER_BODY_SMALL,
	.work = import_work,
};
