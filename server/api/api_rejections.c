/* SPDX-License-Identifier: Apache-2.0 */
/* GET /v1/models/{name}/rejections: why the last publishes of a model were refused. */
#include "common/base/clock.h"
#include "server/api/api.h"
#include "server/api/api_json.h"

#include <stdio.h>

#define ANSWER_MAX \
	(CATALOG_REJECTIONS_OF_MODEL * (CATALOG_REJECTION_ERRORS_MAX + 8u * ERR_TEXT_MAX))

static void write_rejection(struct json_write *w, const struct catalog_rejection *x)
{
	char at[CLOCK_TEXT];

	json_write_object(w, NULL);
	json_write_str(w, "at", clock_rfc3339(x->refused_ms, at));
	json_write_uint(w, "status", x->status);
	json_write_str(w, "code", x->code);
	json_write_str(w, "detail", x->detail);
	json_write_raw(w, "errors", x->errors, strlen(x->errors));
	json_write_str(w, "request_id", x->request_id);
	json_write_object_end(w);
}

static int rejections_work(struct req *r, struct err *e)
{
	CLEANUP(catalog_rejections_free_p) struct catalog_rejections *list = NULL;
	CLEANUP_BUF struct buf json = BUF_INIT(ANSWER_MAX);
	struct app *app = req_app(r);
	char name[REF_NAME_MAX + 1];
	struct json_write w;
	int result = ref_check_name(req_capture(r, 0), e);

	if (result < 0)
		return api_json_absent(e);
	(void)snprintf(name, sizeof(name), STR_FMT, STR_ARG(req_capture(r, 0)));
	result = catalog_rejections(registry_catalog(app->registry), name, &list, e);
	if (result < 0)
		return result;
	json_write_init(&w, &json);
	json_write_object(&w, NULL);
	json_write_array(&w, "rejections");
	for (size_t i = 0; i < list->n; i++)
		write_rejection(&w, &list->items[i]);
	json_write_array_end(&w);
	json_write_object_end(&w);
	return api_json_reply(r, &json, e);
}

const struct handler api_rejections = {
	.name = "rejections",
	.scope = SCOPE_PUBLISH,
	.target = HANDLER_REF,
	.work = rejections_work,
};
