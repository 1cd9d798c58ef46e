/* SPDX-License-Identifier: Apache-2.0 */
/* /v1/models/{name}/labels: names that move from version to version.
 *
 * The ETag of a label is its revision, so that If-Match and If-None-Match: * make a move a
 * compare-and-set (RFC 9110 13.1.1 and 13.1.2; 412 on conflict). */
#include "common/base/clock.h"
#include "common/json/json.h"
#include "server/api/api.h"
#include "server/api/api_cache.h"
#include "server/api/api_describe.h"
#include "server/api/api_json.h"
#include "server/api/api_metadata.h"
#include "server/api/api_page.h"
#include "server/http/cond.h"

#include <stdio.h>

#define ANSWER_MAX (1u << 20)
#define LATEST     "latest"

#define HISTORY_PATH_MAX (sizeof("/v1/models//labels//history") + REF_NAME_MAX + REF_LABEL_MAX)

/* How often a conditional move is judged anew because others moved the label meanwhile. Of those
 * who come back each time one has won, so that this is reached only by If-Match: * in a crowd. */
#define MOVE_TRIES 100

struct target {
	char model[REF_NAME_MAX + 1];
	char label[REF_LABEL_MAX + 1];
};

static void copy(struct str s, char *out)
{
	memcpy(out, s.p, s.n);
	out[s.n] = '\0';
}

/* What cannot exist is absent. */
static int read_model_name(struct req *r, char *out, struct err *e)
{
	int result = ref_check_name(req_capture(r, 0), e);

	if (result < 0)
		return api_json_absent(e);
	copy(req_capture(r, 0), out);
	return 0;
}

static int read_target(struct req *r, struct target *ret, struct err *e)
{
	int result = read_model_name(r, ret->model, e);

	if (result == 0)
		result = ref_check_label(req_capture(r, 1), e);
	if (result < 0)
		return result;
	copy(req_capture(r, 1), ret->label);
	return 0;
}

/* Of a GET: a label that cannot be given is as absent as one that is not. */
static int read_existing(struct req *r, struct target *ret, struct err *e)
{
	int result = read_target(r, ret, e);

	if (result == -(int)ERR_BAD_NAME) {
		e->code = ERR_LABEL_NOT_FOUND;
		result = -(int)e->code;
	}
	return result;
}

/* ---- reading ---- */

static int show_latest(struct req *r, struct err *e)
{
	CLEANUP(catalog_version_free_p) struct catalog_version *v = NULL;
	struct app *app = req_app(r);
	char model[REF_NAME_MAX + 1];
	int result = read_model_name(r, model, e);

	if (result == 0)
		result = catalog_version(registry_catalog(app->registry), model, 0, &v, e);
	return result < 0 ? result : api_describe_reply(r, v, NULL, e);
}

static int show_work(struct req *r, struct err *e)
{
	CLEANUP(catalog_version_free_p) struct catalog_version *v = NULL;
	struct app *app = req_app(r);
	struct catalog_label label;
	struct target t;
	int result;

	if (str_eq_c(req_capture(r, 1), LATEST))
		return show_latest(r, e);
	result = read_existing(r, &t, e);
	if (result == 0)
		result = catalog_version_by_label(registry_catalog(app->registry), t.model, t.label,
			&label, &v, e);
	return result < 0 ? result : api_describe_reply(r, v, &label, e);
}

const struct handler api_labels_show = {
	.name = "label",
	.scope = SCOPE_READ,
	.target = HANDLER_REF,
	.work = show_work,
};

/* latest has no revision to answer with, and the signature is the version's. */
static int metadata_work(struct req *r, struct err *e)
{
	CLEANUP(catalog_version_free_p) struct catalog_version *v = NULL;
	struct app *app = req_app(r);
	struct catalog *catalog = registry_catalog(app->registry);
	struct catalog_label label;
	struct target t;
	bool latest = str_eq_c(req_capture(r, 1), LATEST);
	int result = latest ? read_model_name(r, t.model, e) : read_existing(r, &t, e);

	if (result == 0 && latest)
		result = catalog_version(catalog, t.model, 0, &v, e);
	else if (result == 0)
		result = catalog_version_by_label(catalog, t.model, t.label, &label, &v, e);
	return result < 0 ? result : api_metadata_reply(r, v, e);
}

const struct handler api_labels_metadata = {
	.name = "label-metadata",
	.scope = SCOPE_READ,
	.target = HANDLER_REF,
	.work = metadata_work,
};

static void write_label(struct json_write *w, const struct catalog_label *label)
{
	char moved[CLOCK_TEXT];

	json_write_str(w, "label", label->label);
	json_write_uint(w, "version", label->version);
	json_write_uint(w, "revision", label->revision);
	json_write_str(w, "moved", clock_rfc3339(label->moved_ms, moved));
}

static int list_work(struct req *r, struct err *e)
{
	struct catalog *catalog = registry_catalog(((struct app *)req_app(r))->registry);
	struct catalog_label labels[CATALOG_LABELS_OF_MODEL];
	CLEANUP_BUF struct buf json = BUF_INIT(ANSWER_MAX);
	char model[REF_NAME_MAX + 1];
	struct catalog_model ignored;
	struct json_write w;
	size_t n = 0;
	int result = read_model_name(r, model, e);

	if (result == 0)
		result = catalog_model(catalog, model, &ignored, e);
	if (result == 0)
		result = catalog_labels(catalog, model, labels, &n, e);
	if (result < 0)
		return result;
	json_write_init(&w, &json);
	json_write_object(&w, NULL);
	json_write_array(&w, "labels");
	for (size_t i = 0; i < n; i++) {
		json_write_object(&w, NULL);
		write_label(&w, &labels[i]);
		json_write_object_end(&w);
	}
	json_write_array_end(&w);
	json_write_object_end(&w);
	return api_json_reply(r, &json, e);
}

const struct handler api_labels_list = {
	.name = "labels",
	.scope = SCOPE_READ,
	.target = HANDLER_REF,
	.work = list_work,
};

/* ---- history ---- */

struct history {
	struct json_write w;
	size_t limit;
	size_t seen;
	uint64_t last;
};

static void write_version_or_null(struct json_write *w, const char *key, uint64_t version)
{
	if (version > 0)
		json_write_uint(w, key, version);
	else
		json_write_null(w, key);
}

static int add_change(void *cls, const struct catalog_label_change *x, struct err *e)
{
	struct history *h = cls;
	char at[CLOCK_TEXT];

	(void)e;
	if (h->seen++ == h->limit) /* one more than asked for: there is a next page */
		return 0;
	h->last = x->revision;
	json_write_object(&h->w, NULL);
	json_write_uint(&h->w, "revision", x->revision);
	json_write_str(&h->w, "at", clock_rfc3339(x->moved_ms, at));
	json_write_str(&h->w, "who", x->who);
	write_version_or_null(&h->w, "from", x->from);
	write_version_or_null(&h->w, "to", x->to);
	json_write_object_end(&h->w);
	return 0;
}

/* Of a label that is gone too, and of one that never was: there is nothing to say of it. */
static int write_history(struct req *r, const struct target *t, struct history *h, uint64_t below,
	struct buf *link, struct err *e)
{
	struct app *app = req_app(r);
	char token[24], path[HISTORY_PATH_MAX];
	int result;

	json_write_object(&h->w, NULL);
	json_write_array(&h->w, "history");
	result = catalog_label_history(registry_catalog(app->registry), t->model, t->label, below,
		h->limit + 1, add_change, h, e);
	json_write_array_end(&h->w);
	if (h->seen > h->limit) {
		(void)snprintf(token, sizeof(token), "%llu", (unsigned long long)h->last);
		json_write_str(&h->w, "next_page_token", token);
		(void)snprintf(path, sizeof(path), "/v1/models/%s/labels/%s/history", t->model,
			t->label);
		api_page_link(link, path, h->limit, token, API_PAGE_ALL);
	}
	json_write_object_end(&h->w);
	return result;
}

static int history_work(struct req *r, struct err *e)
{
	CLEANUP_BUF struct buf json = BUF_INIT(ANSWER_MAX), link = BUF_INIT(API_PAGE_LINK_MAX);
	struct history h = {.limit = 0};
	uint64_t below = 0;
	struct target t;
	int result = read_existing(r, &t, e);

	if (result == 0)
		result = api_page_limit(r, API_PAGE_DEFAULT, &h.limit, e);
	if (result == 0)
		result = api_page_below(r, &below, e);
	if (result < 0)
		return result;
	json_write_init(&h.w, &json);
	result = write_history(r, &t, &h, below, &link, e);
	return result < 0 ? result : api_json_reply_page(r, &json, &link, e);
}

const struct handler api_labels_history = {
	.name = "label-history",
	.scope = SCOPE_READ,
	.target = HANDLER_REF,
	.work = history_work,
};

/* ---- moving and dropping ---- */

static bool is_conditional(const struct req *r)
{
	return req_header(r, "If-Match") || req_header(r, "If-None-Match");
}

/* `now` is NULL for a label that is not there. */
static int judge(const struct req *r, const struct target *t, const struct catalog_label *now,
	struct err *e)
{
	char etag[API_JSON_REVISION_TEXT];
	struct cond_request conditions;
	const struct cond_current current = {
		.etag = now ? api_json_revision(now->revision, etag) : NULL,
	};

	req_conditions(r, &conditions);
	if (cond_judge(&conditions, &current) == COND_PROCEED)
		return 0;
	if (!now)
		return err_set(e, ERR_PRECONDITION_FAILED, "model %s has no label %s", t->model,
			t->label);
	return err_set(e, ERR_PRECONDITION_FAILED,
		"the label %s of model %s names version %llu, and its ETag is %s", t->label,
		t->model, (unsigned long long)now->version, etag);
}

/* What the label has to be for the conditions of the request to hold, as they do right now. */
static int expected_revision(struct req *r, const struct target *t, uint64_t *ret, struct err *e)
{
	struct app *app = req_app(r);
	struct catalog_label now;
	int result = catalog_label(registry_catalog(app->registry), t->model, t->label, &now, e);

	if (result < 0 && result != -(int)ERR_LABEL_NOT_FOUND)
		return result;
	*ret = result == 0 ? now.revision : 0;
	return judge(r, t, result == 0 ? &now : NULL, e);
}

typedef int change_fn(struct app *app, const struct catalog_label_move *m, void *out,
	struct err *e);

/* The catalog changes the label only while it is what was judged; else it is judged anew. */
static int change_as_judged(struct req *r, const struct target *t, uint64_t version, change_fn *fn,
	void *out, struct err *e)
{
	uint64_t revision = 0;
	struct catalog_label_move m = {
		.model = t->model,
		.label = t->label,
		.version = version,
		.expected = is_conditional(r) ? &revision : NULL,
		.who = req_who(r),
	};

	for (unsigned i = 0; i < MOVE_TRIES; i++) {
		int result = m.expected ? expected_revision(r, t, &revision, e) : 0;
		if (result < 0)
			return result;
		result = fn(req_app(r), &m, out, e);
		if (result != -(int)ERR_PRECONDITION_FAILED)
			return result;
	}
	return err_set(e, ERR_BUSY, "too many others move the label %s", t->label);
}

struct moved {
	struct catalog_label label;
	bool created;
};

static int move(struct app *app, const struct catalog_label_move *m, void *out, struct err *e)
{
	struct moved *moved = out;
	int result =
		registry_move_label(app->registry, m, &moved->label, &moved->created, e);

	if (result == 0)
		api_cache_touch(app->cache, m->model);
	return result;
}

static int drop(struct app *app, const struct catalog_label_move *m, void *out, struct err *e)
{
	int result = registry_drop_label(app->registry, m, e);

	(void)out;
	if (result == 0)
		api_cache_touch(app->cache, m->model);
	return result;
}

static int read_version(const struct req *r, uint64_t *ret, struct err *e)
{
	CLEANUP(json_doc_free_p) struct json_doc *doc = NULL;
	struct str body = req_body(r);
	int result = json_parse(body.p, body.n, &JSON_LIMITS_SMALL, &doc, e);

	if (result < 0)
		return result;
	if (!json_uint(json_get(json_root(doc), "version"), REF_VERSION_MAX, ret) || *ret == 0)
		return err_set(e, ERR_BAD_REQUEST,
			"the body is a JSON object whose \"version\" is a number from 1");
	return 0;
}

static int reply_moved(struct req *r, const struct target *t, const struct moved *x, struct err *e)
{
	CLEANUP_BUF struct buf json = BUF_INIT(ANSWER_MAX);
	char etag[API_JSON_REVISION_TEXT];
	struct json_write w;
	int result;

	json_write_init(&w, &json);
	json_write_object(&w, NULL);
	json_write_str(&w, "name", t->model);
	write_label(&w, &x->label);
	api_json_ref(&w, "ref", t->model, x->label.version);
	api_json_url(&w, "url", req_base_url(r), t->model, x->label.version);
	json_write_object_end(&w);
	buf_add_char(&json, '\n');
	result = buf_check(&json, "the answer", e);
	if (result < 0)
		return result;
	struct reply *reply = reply_buf(x->created ? 201 : 200, "application/json", &json);
	reply_header(reply, "ETag", api_json_revision(x->label.revision, etag));
	reply_header(reply, "Cache-Control", "no-store");
	if (x->created)
		reply_headerf(reply, "Location", "/v1/models/%s/labels/%s", t->model, t->label);
	req_reply(r, reply);
	return 0;
}

static int move_work(struct req *r, struct err *e)
{
	struct moved moved = {.created = false};
	uint64_t version = 0;
	struct target t;
	int result = read_target(r, &t, e);

	if (result == 0)
		result = read_version(r, &version, e);
	if (result == 0)
		result = change_as_judged(r, &t, version, move, &moved, e);
	return result < 0 ? result : reply_moved(r, &t, &moved, e);
}

const struct handler api_labels_move = {
	.name = "label-move",
	.writes = true,
	.scope = SCOPE_LABEL,
	.target = HANDLER_REF,
	.body = HANDLER_BODY_SMALL,
	.work = move_work,
};

static int drop_work(struct req *r, struct err *e)
{
	struct target t;
	int result = read_target(r, &t, e);

	if (result == 0)
		result = change_as_judged(r, &t, 0, drop, NULL, e);
	if (result == 0)
		req_reply(r, reply_empty(204));
	return result;
}

const struct handler api_labels_drop = {
	.name = "label-drop",
	.writes = true,
	.scope = SCOPE_LABEL,
	.target = HANDLER_REF,
	.work = drop_work,
};
