/* SPDX-License-Identifier: Apache-2.0 */
/* /v1/uploads: versions whose files come one by one, before they are published together. */
#include "common/base/clock.h"
#include "common/json/json.h"
#include "common/registry/registry_limits.h"
#include "common/registry/staging.h"
#include "server/api/api.h"
#include "server/api/api_json.h"
#include "server/api/api_publish.h"
#include "server/api/api_uploads.h"

#include <stdio.h>

#define ANSWER_MAX (16u << 20) /* the most files with the longest paths take most of it */

/* An id as catalog.h has it, or what no upload has. */
static const char *upload_id(const struct req *r, char buf[CATALOG_UPLOAD_ID + 1])
{
	struct str id = req_capture(r, 0);

	(void)snprintf(buf, CATALOG_UPLOAD_ID + 1, STR_FMT,
		id.n == CATALOG_UPLOAD_ID ? (int)id.n : 0, id.p);
	return buf;
}

int api_uploads_model(struct req *r, char name[REF_NAME_MAX + 1], struct err *e)
{
	const struct app *app = req_app(r);
	char id[CATALOG_UPLOAD_ID + 1];

	return staging_model(app->registry, upload_id(r, id), name, e);
}

/* ---- the upload ---- */

/* `room` is what the limits on what is published leave to this model. */
static void write_limits(struct json_write *w, const struct registry_options *o, uint64_t room)
{
	json_write_object(w, "limits");
	json_write_uint(w, "model_json", o->max_model_json_bytes);
	json_write_uint(w, "file", o->max_file_bytes);
	json_write_uint(w, "version", o->max_version_bytes);
	json_write_uint(w, "files", o->max_version_files);
	if (room < UINT64_MAX)
		json_write_uint(w, "room", room);
	json_write_object_end(w);
}

static void write_file(struct json_write *w, const struct catalog_version_file *file)
{
	char hex[DIGEST_HEX + 1];

	json_write_object(w, NULL);
	json_write_str(w, "path", file->path);
	json_write_uint(w, "bytes", file->size);
	json_write_str(w, "sha256", digest_hex(&file->key.digest, hex));
	json_write_object_end(w);
}

static void write_part(struct json_write *w, const struct catalog_upload_part *part)
{
	json_write_object(w, NULL);
	json_write_str(w, "path", part->path);
	json_write_uint(w, "bytes", part->size);
	json_write_object_end(w);
}

static void write_head(struct json_write *w, const struct catalog_upload *u)
{
	char time[CLOCK_TEXT];

	json_write_str(w, "id", u->id);
	json_write_str(w, "model", u->model);
	json_write_str(w, "state", u->version > 0 ? "published" : "open");
	if (u->version > 0) {
		json_write_uint(w, "version", u->version);
		api_json_ref(w, "ref", u->model, u->version);
	}
	json_write_str(w, "created", clock_rfc3339(u->created_ms, time));
	json_write_str(w, "expires", clock_rfc3339(u->expires_ms, time));
}

static void write_upload(struct buf *out, const struct catalog_upload *u,
	const struct registry_options *o, uint64_t room)
{
	struct json_write w;

	json_write_init(&w, out);
	json_write_object(&w, NULL);
	write_head(&w, u);
	json_write_array(&w, "files");
	for (size_t i = 0; i < u->files_n; i++)
		write_file(&w, &u->files[i]);
	json_write_array_end(&w);
	json_write_array(&w, "incomplete");
	for (size_t i = 0; i < u->parts_n; i++)
		write_part(&w, &u->parts[i]);
	json_write_array_end(&w);
	write_limits(&w, o, room);
	json_write_object_end(&w);
}

static int reply_upload(struct req *r, int status, const char *id, struct err *e)
{
	CLEANUP(catalog_upload_free_p) struct catalog_upload *u = NULL;
	CLEANUP_BUF struct buf json = BUF_INIT(ANSWER_MAX);
	const struct app *app = req_app(r);
	const struct registry_options limits = registry_limits_now(app->registry);
	uint64_t room;
	int result = staging_read(app->registry, id, &u, e);

	if (result == 0)
		result = registry_room(app->registry, u->model, &room, e);
	if (result < 0)
		return result;
	write_upload(&json, u, &limits, room);
	if (status == 200)
		return api_json_reply(r, &json, e);
	buf_add_char(&json, '\n');
	result = buf_check(&json, "the answer", e);
	if (result < 0)
		return result;
	struct reply *reply = reply_buf(status, "application/json", &json);
	reply_headerf(reply, "Location", "/v1/uploads/%s", u->id);
	reply_header(reply, "Cache-Control", "no-store");
	req_reply(r, reply);
	return 0;
}

static int read_model(const struct req *r, char name[REF_NAME_MAX + 1], struct err *e)
{
	CLEANUP(json_doc_free_p) struct json_doc *doc = NULL;
	struct str body = req_body(r);
	const char *model;
	int result = json_parse(body.p, body.n, &JSON_LIMITS_SMALL, &doc, e);

	if (result < 0)
		return result;
	model = json_str(json_get(json_root(doc), "model"));
	if (!model)
		return err_set(e, ERR_BAD_REQUEST,
			"the body is a JSON object whose \"model\" is the name of a model");
	result = ref_check_name(str_of(model), e);
	if (result == 0)
		(void)snprintf(name, REF_NAME_MAX + 1, "%s", model);
	return result;
}

static int create_work(struct req *r, struct err *e)
{
	const struct app *app = req_app(r);
	char name[REF_NAME_MAX + 1];
	char id[CATALOG_UPLOAD_ID + 1];
	int result = read_model(r, name, e);

	if (result == 0)
		result = req_require(r, SCOPE_PUBLISH, name, e);
	if (result == 0)
		result = staging_create(app->registry, name, id, e);
	return result < 0 ? result : reply_upload(r, 201, id, e);
}

const struct handler api_uploads_create = {
	.name = "upload-create",
	.writes = true,
	.scope = SCOPE_PUBLISH,
	.target = HANDLER_SOME,
	.body = HANDLER_BODY_SMALL,
	.work = create_work,
};

static int show_work(struct req *r, struct err *e)
{
	char id[CATALOG_UPLOAD_ID + 1];

	return reply_upload(r, 200, upload_id(r, id), e);
}

const struct handler api_uploads_show = {
	.name = "upload",
	.scope = SCOPE_PUBLISH,
	.target = HANDLER_TOLD,
	.model = api_uploads_model,
	.work = show_work,
};

static int drop_work(struct req *r, struct err *e)
{
	const struct app *app = req_app(r);
	char id[CATALOG_UPLOAD_ID + 1];
	int result = staging_drop(app->registry, upload_id(r, id), e);

	if (result == 0)
		req_reply(r, reply_empty(204));
	return result;
}

const struct handler api_uploads_drop = {
	.name = "upload-drop",
	.writes = true,
	.scope = SCOPE_PUBLISH,
	.target = HANDLER_TOLD,
	.model = api_uploads_model,
	.work = drop_work,
};

/* ---- publishing ---- */

/* The body may be empty; its label counts as that of the query does elsewhere. */
static int read_label(const struct req *r, char label[REF_LABEL_MAX + 1], struct err *e)
{
	CLEANUP(json_doc_free_p) struct json_doc *doc = NULL;
	struct str body = req_body(r);
	const struct json *value;
	int result;

	label[0] = '\0';
	if (body.n == 0)
		return 0;
	result = json_parse(body.p, body.n, &JSON_LIMITS_SMALL, &doc, e);
	if (result < 0)
		return result;
	if (!json_is(json_root(doc), JSON_OBJECT))
		return err_set(e, ERR_BAD_REQUEST, "the body is a JSON object, or empty");
	value = json_get_set(json_root(doc), "label");
	if (!value)
		return 0;
	if (!json_str(value) || strlen(json_str(value)) > REF_LABEL_MAX)
		return err_set(e, ERR_BAD_NAME, "\"label\" is a label of at most %d characters",
			REF_LABEL_MAX);
	(void)snprintf(label, REF_LABEL_MAX + 1, "%s", json_str(value));
	return 0;
}

static int publish_work(struct req *r, struct err *e)
{
	CLEANUP(upload_free_p) struct upload *u = NULL;
	const struct app *app = req_app(r);
	struct api_publish p = {.dry_run = false};
	char id[CATALOG_UPLOAD_ID + 1];
	int result = read_label(r, p.label, e);

	if (result == 0)
		result = api_publish_dry_run(r, &p.dry_run, e);
	if (result == 0)
		result = staging_publish(app->registry, upload_id(r, id), &u, e);
	if (result == 0 && p.label[0])
		result = req_require(r, SCOPE_LABEL, upload_name(u), e);
	if (result == 0 && p.label[0])
		result = upload_set_label(u, str_of(p.label), req_who(r), e);
	if (result < 0)
		return result;
	p.upload = u;
	(void)snprintf(p.name, sizeof(p.name), "%s", upload_name(u));
	return api_publish_run(r, &p, e);
}

const struct handler api_uploads_publish = {
	.name = "upload-publish",
	.writes = true,
	.scope = SCOPE_PUBLISH,
	.target = HANDLER_TOLD,
	.model = api_uploads_model,
	.body = HANDLER_BODY_SMALL,
	.work = publish_work,
};
