/* SPDX-License-Identifier: Apache-2.0 */
/* POST or PUT /models/{name}: what model.save('http://host/models/name') sends, and curl -F. */
#include "common/base/clock.h"
#include "common/model/filepath.h"
#include "server/api/api.h"
#include "server/api/api_cache.h"

#include <stdio.h>

#define ANSWER_MAX        (1u << 20)
#define FINDINGS_JSON_MAX (1u << 20)

/* What the multipart framing may add to the files. */
#define FRAMING_MAX (64u << 20)

static void upload_free_v(void *upload)
{
	upload_free(upload);
}

static int publish_head(struct req *r, struct err *e)
{
	struct app *app = req_app(r);
	char name[REF_NAME_MAX + 1];
	struct upload *upload;
	int result = ref_check_name(req_capture(r, 0), e);

	if (result < 0)
		return result;
	(void)snprintf(name, sizeof(name), STR_FMT, STR_ARG(req_capture(r, 0)));
	result = upload_new(app->registry, name, &upload, e);
	if (result < 0)
		return result;
	req_set_state(r, upload, upload_free_v);
	return 0;
}

static uint64_t publish_max_body(struct req *r)
{
	struct app *app = req_app(r);
	uint64_t max;

	return num_add(app->config->limits_version, FRAMING_MAX, &max) ? max : UINT64_MAX;
}

static int publish_part_begin(struct req *r, const struct multipart_part *part, struct err *e)
{
	return upload_file_begin(req_state(r), part->name, part->filename, e);
}

static int publish_part_data(struct req *r, const char *bytes, size_t n, struct err *e)
{
	return upload_file_write(req_state(r), bytes, n, e);
}

static int publish_part_end(struct req *r, struct err *e)
{
	return upload_file_end(req_state(r), e);
}

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

static void write_answer(struct buf *out, const struct published *p, const struct findings *f,
	const char *base_url, const char *location)
{
	struct json_write w;
	char hex[DIGEST_HEX + 1];
	CLEANUP_BUF struct buf text = BUF_INIT(1024);

	json_write_init(&w, out);
	json_write_object(&w, NULL);
	json_write_str(&w, "name", p->name);
	json_write_uint(&w, "version", p->version);
	buf_addf(&text, "%s@%llu", p->name, (unsigned long long)p->version);
	json_write_str(&w, "ref", buf_str(&text));
	buf_clear(&text);
	buf_addf(&text, "%s%s", base_url, location);
	json_write_str(&w, "url", buf_str(&text));
	buf_clear(&text);
	buf_addf(&text, "sha256:%s", digest_hex(&p->root, hex));
	json_write_str(&w, "root_digest", buf_str(&text));
	json_write_bool(&w, "deduplicated", p->deduplicated);
	findings_write(f, &w, "findings");
	write_artifacts_info(&w, p);
	json_write_object_end(&w);
	buf_add_char(out, '\n');
}

static int answer(struct req *r, const struct published *p, const struct findings *f, struct err *e)
{
	CLEANUP_BUF struct buf json = BUF_INIT(ANSWER_MAX);
	char location[REF_NAME_MAX + 64];
	int result;

	(void)snprintf(location, sizeof(location), "/models/%s@%llu/" FILEPATH_MODEL, p->name,
		(unsigned long long)p->version);
	write_answer(&json, p, f, req_base_url(r), location);
	result = buf_check(&json, "the answer", e);
	if (result < 0)
		return result;
	struct reply *reply = reply_buf(p->deduplicated ? 200 : 201, "application/json", &json);
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

static int publish_work(struct req *r, struct err *e)
{
	struct app *app = req_app(r);
	CLEANUP_FINDINGS struct findings findings;
	struct published published;

	findings_init(&findings);
	int result = upload_publish(req_state(r), &published, &findings, e);
	if (result < 0) {
		if (e->code == ERR_NOT_LOADABLE)
			keep_findings(r, &findings);
		return result;
	}
	api_cache_touch(app->cache, published.name);
	return answer(r, &published, &findings, e);
}

const struct handler api_publish = {
	.name = "publish",
	.writes = true,
	.body = HANDLER_BODY_MULTIPART,
	.max_body = publish_max_body,
	.head = publish_head,
	.part_begin = publish_part_begin,
	.part_data = publish_part_data,
	.part_end = publish_part_end,
	.work = publish_work,
};
