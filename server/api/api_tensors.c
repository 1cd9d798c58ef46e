/* SPDX-License-Identifier: Apache-2.0 */
/* GET /v1/models/{name}/versions/{version}/tensors: what was measured of each weight. */
#include "common/registry/registry_tensors.h"
#include "server/api/api.h"
#include "server/api/api_describe.h"
#include "server/api/api_json.h"

#define HEAD_MAX (8u << 10)

static void write_tensors(struct json_write *w, const struct catalog_version *v,
	const char *tensors)
{
	json_write_object(w, NULL);
	json_write_str(w, "name", v->model);
	json_write_uint(w, "version", v->version);
	api_json_ref(w, "ref", v->model, v->version);
	if (*tensors)
		json_write_raw(w, "tensors", tensors, strlen(tensors));
	else
		json_write_raw(w, "tensors", "[]", 2);
	json_write_object_end(w);
}

static int tensors_work(struct req *r, struct err *e)
{
	CLEANUP(catalog_version_free_p) struct catalog_version *v = NULL;
	CLEANUP_FREE char *tensors = NULL;
	struct app *app = req_app(r);
	struct json_write w;
	struct ref ref;
	int result = api_describe_ref(r, &ref, e);

	if (result < 0)
		return api_json_absent(e);
	result = registry_resolve(app->registry, &ref, &v, e);
	if (result == 0)
		result = registry_tensors(app->registry, v, &tensors, e);
	if (result < 0)
		return result;
	CLEANUP_BUF struct buf json = BUF_INIT(strlen(tensors) + HEAD_MAX);
	json_write_init(&w, &json);
	write_tensors(&w, v, tensors);
	return api_json_reply(r, &json, e);
}

const struct handler api_tensors = {
	.name = "tensors",
	.scope = SCOPE_READ,
	.target = HANDLER_VERSION,
	.work = tensors_work,
};
