/* SPDX-License-Identifier: Apache-2.0 */
/* POST or PUT /models/{name}: what model.save('http://host/models/name') sends, and curl -F; POST
 * /v1/models/{name}/versions is the same. Both take an archive as well. With ?dry_run=true the
 * verdict alone. */
#include "common/base/clock.h"
#include "common/base/log.h"
#include "common/model/filepath.h"
#include "common/registry/registry_limits.h"
#include "server/api/api.h"
#include "server/api/api_cache.h"
#include "server/api/api_json.h"
#include "server/api/api_publish.h"
#include "server/api/api_rules.h"
#include "server/import/refused.h"
#include "server/metrics/metrics.h"

#include <stdio.h>

#define ANSWER_MAX        (1u << 20)
#define FINDINGS_JSON_MAX (1u << 20)

/* What the framing of a form or an archive may add to the files. */
#define FRAMING_MAX (64u << 20)

static void count(struct api_publish *x, enum metrics_id what)
{
	if (!x->dry_run && !x->counted)
		metrics_add(what, 1);
	x->counted = true;
}

static void publish_free(void *p)
{
	struct api_publish *x = p;

	/* Nobody waits for an answer. */
	count(x, METRICS_ABANDONED);
	upload_free(x->upload);
	free(x);
}

int api_publish_dry_run(struct req *r, bool *ret, struct err *e)
{
	CLEANUP_BUF struct buf text = BUF_INIT(sizeof("false"));

	*ret = false;
	if (!req_query_has(r, "dry_run"))
		return 0;
	if (req_query(r, "dry_run", &text)) {
		*ret = strcmp(buf_str(&text), "true") == 0;
		if (*ret || strcmp(buf_str(&text), "false") == 0)
			return 0;
	}
	return err_set(e, ERR_BAD_PARAMETER, "dry_run is true or false");
}

/* The version gets this label in the moment in which it is made. */
static int read_label(struct req *r, struct api_publish *x, struct err *e)
{
	CLEANUP_BUF struct buf text = BUF_INIT(REF_LABEL_MAX);
	int result;

	if (!req_query_has(r, "label"))
		return 0;
	if (!req_query(r, "label", &text))
		return err_set(e, ERR_BAD_PARAMETER, "label is a label of at most %d characters",
			REF_LABEL_MAX);
	result = req_require(r, SCOPE_LABEL, x->name, e);
	if (result == 0)
		result = upload_set_label(x->upload, (struct str){buf_str(&text), text.len},
			req_who(r), e);
	if (result == 0)
		(void)snprintf(x->label, sizeof(x->label), "%s", buf_str(&text));
	return result;
}

/* All that the query may say. */
static int read_parameters(struct req *r, struct api_publish *x, struct err *e)
{
	int result = api_publish_dry_run(r, &x->dry_run, e);

	return result < 0 ? result : read_label(r, x, e);
}

static struct upload *upload_of(struct req *r)
{
	return ((struct api_publish *)req_state(r))->upload;
}

/* ---- the body ---- */

/* Registered names first, then what systems and browsers say instead. */
static const struct {
	const char *type;
	enum archive_kind kind;
} archive_types[] = {
	{"application/x-tar", ARCHIVE_KIND_TAR},
	{"application/tar", ARCHIVE_KIND_TAR},
	{"application/gzip", ARCHIVE_KIND_TAR_GZ},
	{"application/x-gzip", ARCHIVE_KIND_TAR_GZ},
	{"application/x-compressed-tar", ARCHIVE_KIND_TAR_GZ},
	{"application/x-gtar-compressed", ARCHIVE_KIND_TAR_GZ},
	{"application/zip", ARCHIVE_KIND_ZIP},
	{"application/x-zip-compressed", ARCHIVE_KIND_ZIP},
};

static int begin_archive(struct req *r, struct err *e)
{
	const char *value = req_header(r, "Content-Type");
	struct str rest = str_of(value ? value : ""), type = rest;

	(void)str_split(&rest, ';', &type);
	for (size_t i = 0; i < ARRAY_SIZE(archive_types); i++)
		if (str_eq_nocase(str_trim(type), archive_types[i].type))
			return upload_archive_begin(upload_of(r), archive_types[i].kind, e);
	return err_set(e, ERR_UNSUPPORTED_MEDIA_TYPE,
		"the Content-Type has to be multipart/form-data, application/x-tar, "
		"application/gzip (a tar.gz) or application/zip here");
}

/* Files that the limits leave no room for are refused before they are sent. */
static int judge_length(struct req *r, struct err *e)
{
	const char *value = req_header(r, "Content-Length");
	uint64_t length = 0;

	if (value)
		(void)num_parse(value, strlen(value), UINT64_MAX, &length);
	return upload_expect(upload_of(r), length > FRAMING_MAX ? length - FRAMING_MAX : 0, e);
}

static int publish_head(struct req *r, struct err *e)
{
	struct app *app = req_app(r);
	struct api_publish *x;
	int result = ref_check_name(req_capture(r, 0), e);

	if (result < 0)
		return result;
	x = calloc(1, sizeof(*x));
	if (!x)
		return err_nomem(e);
	req_set_state(r, x, publish_free);
	(void)snprintf(x->name, sizeof(x->name), STR_FMT, STR_ARG(req_capture(r, 0)));
	result = upload_new(app->registry, x->name, &x->upload, e);
	if (result == 0)
		result = read_parameters(r, x, e);
	if (result == 0)
		result = judge_length(r, e);
	return result == 0 && !req_is_multipart(r) ? begin_archive(r, e) : result;
}

static uint64_t publish_max_body(struct req *r)
{
	struct app *app = req_app(r);
	uint64_t max;

	max = registry_limits_now(app->registry).max_version_bytes;
	return num_add(max, FRAMING_MAX, &max) ? max : UINT64_MAX;
}

static int publish_part_begin(struct req *r, const struct multipart_part *part, struct err *e)
{
	return upload_file_begin(upload_of(r), part->name, part->filename, e);
}

static int publish_part_data(struct req *r, const char *bytes, size_t n, struct err *e)
{
	return upload_file_write(upload_of(r), bytes, n, e);
}

static int publish_part_end(struct req *r, struct err *e)
{
	return upload_file_end(upload_of(r), e);
}

static int publish_data(struct req *r, const char *bytes, size_t n, struct err *e)
{
	return upload_archive_write(upload_of(r), bytes, n, e);
}

/* ---- the answer ---- */

/* modelArtifactsInfo, as tf.io.getModelArtifactsInfoForJSON() computes it. */
static void write_artifacts_info(struct json_write *w, const struct published *p)
{
	char saved[CLOCK_TEXT];

	json_write_object(w, "modelArtifactsInfo");
	json_write_str(w, "dateSaved", clock_rfc3339(p->saved_ms, saved));
	json_write_str(w, "modelTopologyType", "JSON");
	json_write_uint(w, "modelTopologyBytes", p->topology_bytes);
	json_write_uint(w, "weightSpecsBytes", p->weight_specs_bytes);
	json_write_uint(w, "weightDataBytes", p->weight_data_bytes);
	json_write_object_end(w);
}

static void write_answer(struct buf *out, const struct published *p, const char *label,
	const struct findings *f, const char *base_url)
{
	struct json_write w;

	json_write_init(&w, out);
	json_write_object(&w, NULL);
	json_write_str(&w, "name", p->name);
	json_write_uint(&w, "version", p->version);
	api_json_ref(&w, "ref", p->name, p->version);
	api_json_url(&w, "url", base_url, p->name, p->version);
	if (*label)
		json_write_str(&w, "label", label);
	api_json_root(&w, "root_digest", &p->root);
	json_write_bool(&w, "deduplicated", p->deduplicated);
	findings_write(f, &w, "findings");
	write_artifacts_info(&w, p);
	json_write_object_end(&w);
	buf_add_char(out, '\n');
}

/* No number is promised: another publish may take it first. */
static void write_dry_answer(struct buf *out, const struct published *p, const struct findings *f)
{
	struct json_write w;

	json_write_init(&w, out);
	json_write_object(&w, NULL);
	json_write_str(&w, "name", p->name);
	json_write_bool(&w, "dry_run", true);
	json_write_object(&w, "would_be");
	api_json_root(&w, "root_digest", &p->root);
	json_write_bool(&w, "deduplicated", p->deduplicated);
	if (p->deduplicated)
		json_write_uint(&w, "version", p->version);
	json_write_object_end(&w);
	findings_write(f, &w, "findings");
	write_artifacts_info(&w, p);
	json_write_object_end(&w);
	buf_add_char(out, '\n');
}

static int answer(struct req *r, int status, const char *location, struct buf *json, struct err *e)
{
	int result = buf_check(json, "the answer", e);

	if (result < 0)
		return result;
	struct reply *reply = reply_buf(status, "application/json", json);
	if (location)
		reply_header(reply, "Location", location);
	reply_header(reply, "Cache-Control", "no-store");
	req_reply(r, reply);
	return 0;
}

static void keep_findings(struct req *r, const struct findings *f)
{
	CLEANUP_BUF struct buf json = BUF_INIT(FINDINGS_JSON_MAX);
	struct json_write w;

	json_write_init(&w, &json);
	findings_write(f, &w, NULL);
	if (!buf_failed(&json))
		req_set_error_details(r, &json);
}

/* A page that calls model.save() sees the status of a refusal and nothing else, so the reasons wait
 * for it elsewhere. Whatever happens here, the answer is the refusal. */
static void keep_rejection(struct req *r, const char *name, const struct err *why,
	const struct findings *f)
{
	struct app *app = req_app(r);
	struct err e;

	refused_count(f);
	if (registry_reject(app->registry, name, why, f, req_id(r), &e) < 0)
		log_err("keeping why a publish was refused failed", &e);
}

/* ---- the work ---- */

static int dry_run(struct req *r, const struct api_publish *x, struct findings *f, struct err *e)
{
	CLEANUP_BUF struct buf json = BUF_INIT(ANSWER_MAX);
	struct published would_be;
	int result = upload_publish_dry_run(x->upload, &would_be, f, e);

	if (result < 0)
		return result;
	write_dry_answer(&json, &would_be, f);
	return answer(r, 200, NULL, &json, e);
}

static int publish(struct req *r, struct api_publish *x, struct findings *f, struct err *e)
{
	CLEANUP_BUF struct buf json = BUF_INIT(ANSWER_MAX);
	struct app *app = req_app(r);
	char location[REF_NAME_MAX + 64];
	struct published p;
	int result = upload_publish(x->upload, &p, f, e);

	if (result < 0)
		return result;
	count(x, p.deduplicated ? METRICS_DEDUPLICATED : METRICS_PUBLISHED);
	api_cache_touch(app->cache, p.name);
	(void)snprintf(location, sizeof(location), "/models/%s@%llu/" FILEPATH_MODEL, p.name,
		(unsigned long long)p.version);
	write_answer(&json, &p, x->label, f, req_base_url(r));
	return answer(r, p.deduplicated ? 200 : 201, location, &json, e);
}

static void count_failure(struct api_publish *x, const struct err *e)
{
	count(x, err_ours(e->code) ? METRICS_UNPUBLISHED : METRICS_REFUSED);
}

int api_publish_run(struct req *r, struct api_publish *x, struct err *e)
{
	struct app *app = req_app(r);
	CLEANUP(api_rules_unref_p) struct api_rules *rules = api_rules_get(&app->rules);
	CLEANUP_FINDINGS struct findings findings;
	int result;

	findings_init_policy(&findings, &rules->policy);
	result = x->dry_run ? dry_run(r, x, &findings, e) : publish(r, x, &findings, e);
	if (result < 0)
		count_failure(x, e);
	if (result == -(int)ERR_NOT_LOADABLE) {
		keep_findings(r, &findings);
		if (!x->dry_run)
			keep_rejection(r, x->name, e, &findings);
	}
	return result;
}

static int publish_work(struct req *r, struct err *e)
{
	struct api_publish *x = req_state(r);
	int result = api_publish_run(r, x, e);

	/* Here, not when the request ends on a loop thread: removing large files takes time. */
	upload_free(take_ptr(x->upload));
	return result;
}

/* In the middle of its body, as a rule. */
static void publish_failed(struct req *r, const struct err *e)
{
	struct api_publish *x = req_state(r);

	if (x)
		count_failure(x, e);
}

const struct handler api_publish = {
	.name = "publish",
	.writes = true,
	.scope = SCOPE_PUBLISH,
	.target = HANDLER_REF,
	.body = HANDLER_BODY_MULTIPART,
	.max_body = publish_max_body,
	.head = publish_head,
	.part_begin = publish_part_begin,
	.part_data = publish_part_data,
	.part_end = publish_part_end,
	.data = publish_data,
	.work = publish_work,
	.failed = publish_failed,
};
