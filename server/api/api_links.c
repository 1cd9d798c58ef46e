/* SPDX-License-Identifier: Apache-2.0 */
/* POST /v1/links: an address that reads one model, or one version of it, for a time. Nothing is
 * stored: the address is signed, and ends with the token that asked for it. */
#include "common/base/clock.h"
#include "common/json/json.h"
#include "common/model/filepath.h"
#include "server/api/api.h"
#include "server/api/api_json.h"

#include <stdio.h>

#define ANSWER_MAX 4096
#define TTL_MAX_MS (UINT64_C(366) * 86400000)

/* A time like 12h, or a number of seconds. */
static int read_ttl(const struct json *root, uint64_t *ret, struct err *e)
{
	const struct json *value = json_get(root, "ttl");
	uint64_t seconds, ms = 0;

	if (json_uint(value, TTL_MAX_MS / 1000, &seconds))
		ms = seconds * 1000;
	else if (json_str(value))
		(void)num_parse_duration(json_str(value), &ms);
	if (ms < 1000 || ms > TTL_MAX_MS)
		return err_set(e, ERR_BAD_REQUEST,
			"\"ttl\" is a time like 12h or 7d, or a number of seconds; at most 366d");
	*ret = clock_now_ms() + ms;
	return 0;
}

/* A name for the model with all its versions; else what the ref names now, for that version. */
static int read_target(struct req *r, const struct ref *ref, struct links_grant *ret, struct err *e)
{
	struct registry *registry = ((struct app *)req_app(r))->registry;
	CLEANUP(catalog_version_free_p) struct catalog_version *v = NULL;
	int result = req_require(r, SCOPE_READ, ref->name, e);

	if (result == 0)
		result = registry_resolve(registry, ref, &v, e);
	if (result < 0)
		return result;
	(void)snprintf(ret->model, sizeof(ret->model), "%s", ref->name);
	ret->version = ref->kind == REF_LATEST ? 0 : v->version;
	return 0;
}

static int reply_link(struct req *r, const struct links_grant *g, const char *k, struct err *e)
{
	CLEANUP_BUF struct buf json = BUF_INIT(ANSWER_MAX), ref = BUF_INIT(ANSWER_MAX),
		url = BUF_INIT(ANSWER_MAX);
	char expires[CLOCK_TEXT];
	struct json_write w;
	int result;

	buf_add_str(&ref, g->model);
	if (g->version > 0)
		buf_addf(&ref, "@%llu", (unsigned long long)g->version);
	buf_addf(&url, "%s/models/%s/" FILEPATH_MODEL "?k=%s", req_base_url(r), buf_str(&ref), k);
	json_write_init(&w, &json);
	json_write_object(&w, NULL);
	json_write_str(&w, "ref", buf_str(&ref));
	json_write_str(&w, "url", buf_str(&url));
	json_write_str(&w, "k", k);
	json_write_str(&w, "expires", clock_rfc3339(g->expires_ms / 1000 * 1000, expires));
	json_write_object_end(&w);
	buf_add_char(&json, '\n');
	result = buf_check(&url, "the address", e);
	if (result == 0)
		result = buf_check(&json, "the answer", e);
	if (result < 0)
		return result;
	struct reply *reply = reply_buf(200, "application/json", &json);
	reply_header(reply, "Cache-Control", "no-store");
	req_reply(r, reply);
	return 0;
}

static int links_work(struct req *r, struct err *e)
{
	CLEANUP(json_doc_free_p) struct json_doc *doc = NULL;
	CLEANUP_BUF struct buf k = BUF_INIT(LINKS_TEXT_MAX);
	const struct app *app = req_app(r);
	struct links_grant g = {.version = 0};
	struct str body = req_body(r);
	const char *text = NULL;
	struct ref ref;
	int result = json_parse(body.p, body.n, &JSON_LIMITS_SMALL, &doc, e);

	if (result == 0)
		text = json_str(json_get(json_root(doc), "ref"));
	if (result == 0 && !text)
		result = err_set(e, ERR_BAD_REQUEST,
			"the body is a JSON object whose \"ref\" is a model, or a version of one");
	if (result == 0)
		result = ref_parse(str_of(text), &ref, e);
	if (result == 0)
		result = read_ttl(json_root(doc), &g.expires_ms, e);
	if (result == 0)
		result = read_target(r, &ref, &g, e);
	if (result == 0)
		result = authority_link(app->authority, req_asker(r), &g, &k, e);
	return result < 0 ? result : reply_link(r, &g, buf_str(&k), e);
}

const struct handler api_links = {
	.name = "link",
	.writes = true,
	.scope = SCOPE_READ,
	.target = HANDLER_SOME,
	.body = HANDLER_BODY_SMALL,
	.work = links_work,
};
