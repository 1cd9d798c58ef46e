/* SPDX-License-Identifier: Apache-2.0 */
/* DELETE /v1/models/{name} and /v1/models/{name}/versions/{version}. */
#include "server/api/api.h"
#include "server/api/api_cache.h"
#include "server/api/api_json.h"

#include <stdio.h>

static int read_name(struct req *r, char name[REF_NAME_MAX + 1], struct err *e)
{
	int result = ref_check_name(req_capture(r, 0), e);

	if (result < 0)
		return api_json_absent(e);
	(void)snprintf(name, REF_NAME_MAX + 1, STR_FMT, STR_ARG(req_capture(r, 0)));
	return 0;
}

/* Nothing of it is served from memory after the answer. */
static int gone(struct req *r, const char *model)
{
	struct app *app = req_app(r);

	api_cache_forget(app->cache, model);
	req_reply(r, reply_empty(204));
	return 0;
}

static int version_work(struct req *r, struct err *e)
{
	struct app *app = req_app(r);
	struct str text = req_capture(r, 1);
	char name[REF_NAME_MAX + 1];
	uint64_t version = 0;
	int result = read_name(r, name, e);

	if (result == 0 && (!num_parse(text.p, text.n, REF_VERSION_MAX, &version) || version == 0))
		result = err_set(e, ERR_VERSION_NOT_FOUND,
			"a version is a number from 1, not \"" STR_FMT "\"", STR_ARG(text));
	if (result == 0)
		result = registry_delete_version(app->registry, name, version, e);
	return result < 0 ? result : gone(r, name);
}

const struct handler api_delete_version = {
	.name = "delete-version",
	.writes = true,
	.scope = SCOPE_DELETE,
	.target = HANDLER_REF,
	.work = version_work,
};

static int model_work(struct req *r, struct err *e)
{
	struct app *app = req_app(r);
	char name[REF_NAME_MAX + 1];
	int result = read_name(r, name, e);

	if (result == 0)
		result = registry_delete_model(app->registry, name, req_who(r), e);
	return result < 0 ? result : gone(r, name);
}

const struct handler api_delete_model = {
	.name = "delete-model",
	.writes = true,
	.scope = SCOPE_DELETE,
	.target = HANDLER_REF,
	.work = model_work,
};
