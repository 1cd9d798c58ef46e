/* SPDX-License-Identifier: Apache-2.0 */
/* GET /v1/models; GET /v1/models/{name} and, for who looks for its versions, .../versions. */
#include "common/base/clock.h"
#include "server/api/api.h"
#include "server/api/api_json.h"
#include "server/api/api_page.h"

#include <stdio.h>

#define ANSWER_MAX (8u << 20) /* a page of models with as many labels as they may have */

/* ---- the list ---- */

struct page {
	const struct req *req;
	struct catalog *catalog;
	struct json_write w;
	size_t limit;
	size_t seen; /* that who asks may read */
	size_t read; /* of the batch */
	char last[REF_NAME_MAX + 1];
	char at[REF_NAME_MAX + 1]; /* the last one that was read */
};

static int write_labels(struct json_write *w, struct catalog *catalog, const char *model,
	struct err *e)
{
	struct catalog_label labels[CATALOG_LABELS_OF_MODEL];
	size_t n = 0;
	int result = catalog_labels(catalog, model, labels, &n, e);

	json_write_object(w, "labels");
	for (size_t i = 0; result == 0 && i < n; i++)
		json_write_uint(w, labels[i].label, labels[i].version);
	json_write_object_end(w);
	return result;
}

static int write_model_facts(struct json_write *w, struct catalog *catalog,
	const struct catalog_model *m, struct err *e)
{
	char updated[CLOCK_TEXT];

	json_write_str(w, "name", m->name);
	json_write_uint(w, "latest", m->latest);
	json_write_uint(w, "bytes", m->bytes);
	json_write_str(w, "updated", clock_rfc3339(m->updated_ms, updated));
	return write_labels(w, catalog, m->name, e);
}

static int add_model(void *cls, const struct catalog_model *m, struct err *e)
{
	struct page *page = cls;
	int result;

	page->read++;
	(void)snprintf(page->at, sizeof(page->at), "%s", m->name);
	if (page->seen > page->limit || !req_may(page->req, SCOPE_READ, m->name))
		return 0;
	if (page->seen++ == page->limit) /* one more than asked for: there is a next page */
		return 0;
	json_write_object(&page->w, NULL);
	result = write_model_facts(&page->w, page->catalog, m, e);
	json_write_uint(&page->w, "versions", m->versions);
	json_write_object_end(&page->w);
	(void)snprintf(page->last, sizeof(page->last), "%s", m->name);
	return result;
}

/* Prefix and page token are names, or the start of one: nothing longer names anything. */
static int name_parameter(struct req *r, const char *key, struct buf *out, struct err *e)
{
	CLEANUP_BUF struct buf found = BUF_INIT(8192);
	int there = api_page_parameter(r, key, &found, e);

	if (there <= 0)
		return there;
	if (found.len > REF_NAME_MAX || !str_is_utf8((struct str){buf_str(&found), found.len}))
		return err_set(e, ERR_BAD_PARAMETER, "%s is at most %d characters of a model name",
			key, REF_NAME_MAX);
	buf_add(out, found.data, found.len);
	return 0;
}

/* Until the page is full, and one more is known of, or there are no more. Models that who asks may
 * not read are passed over as if they were not there. */
static int list_readable(struct page *page, const char *prefix, const char *after, struct err *e)
{
	const size_t batch = page->limit + 1;
	int result = 0;

	(void)snprintf(page->at, sizeof(page->at), "%s", after);
	do {
		char from[REF_NAME_MAX + 1];
		memcpy(from, page->at, sizeof(from));
		page->read = 0;
		result = catalog_list_models(page->catalog, prefix, from, batch, add_model, page,
			e);
	} while (result == 0 && page->read == batch && page->seen <= page->limit);
	return result;
}

static int list_page(struct app *app, struct page *page, const char *prefix, const char *after,
	struct buf *json, struct err *e)
{
	int result;

	page->catalog = registry_catalog(app->registry);
	json_write_init(&page->w, json);
	json_write_object(&page->w, NULL);
	json_write_array(&page->w, "models");
	result = list_readable(page, prefix, after, e);
	if (result < 0)
		return result;
	json_write_array_end(&page->w);
	if (page->seen > page->limit)
		json_write_str(&page->w, "next_page_token", page->last);
	json_write_object_end(&page->w);
	return 0;
}

static int list_work(struct req *r, struct err *e)
{
	CLEANUP_BUF struct buf prefix = BUF_INIT(REF_NAME_MAX), after = BUF_INIT(REF_NAME_MAX);
	CLEANUP_BUF struct buf json = BUF_INIT(ANSWER_MAX), link = BUF_INIT(API_PAGE_LINK_MAX);
	struct page page = {.req = r};
	int result = api_page_limit(r, API_PAGE_DEFAULT, &page.limit, e);

	if (result == 0)
		result = name_parameter(r, "prefix", &prefix, e);
	if (result == 0)
		result = name_parameter(r, "page_token", &after, e);
	if (result == 0)
		result = list_page(req_app(r), &page, buf_str(&prefix), buf_str(&after), &json, e);
	if (result < 0)
		return result;
	if (page.seen > page.limit)
		api_page_link(&link, "/v1/models", page.limit, page.last,
			(const char *const[]){"prefix", buf_str(&prefix), NULL});
	return api_json_reply_page(r, &json, &link, e);
}

const struct handler api_models_list = {
	.name = "models",
	.scope = SCOPE_READ,
	.target = HANDLER_SOME,
	.work = list_work,
};

/* ---- one model ---- */

struct versions {
	struct json_write *w;
	const char *model;
	const char *base_url;
	size_t limit;
	uint64_t numbers[API_PAGE_MAX];
	size_t n;
	bool has_next;
};

static int add_version(void *cls, const struct catalog_version_row *v, struct err *e)
{
	struct versions *list = cls;
	char created[CLOCK_TEXT];

	(void)e;
	if (list->n == list->limit) { /* one more than asked for: there is a next page */
		list->has_next = true;
		return 0;
	}
	json_write_object(list->w, NULL);
	json_write_uint(list->w, "version", v->version);
	api_json_ref(list->w, "ref", list->model, v->version);
	api_json_url(list->w, "url", list->base_url, list->model, v->version);
	api_json_root(list->w, "root_digest", &v->root);
	json_write_str(list->w, "created", clock_rfc3339(v->created_ms, created));
	json_write_uint(list->w, "bytes", v->bytes);
	json_write_object_end(list->w);
	list->numbers[list->n++] = v->version;
	return 0;
}

static void write_statuses(const struct versions *list)
{
	json_write_array(list->w, "model_version_status");
	for (size_t i = 0; i < list->n; i++)
		api_json_status(list->w, list->numbers[i]);
	json_write_array_end(list->w);
}

/* Versions go down from the newest. */
static void write_next(const struct versions *list, struct buf *link)
{
	char token[24], path[sizeof("/v1/models//versions") + REF_NAME_MAX];

	if (!list->has_next)
		return;
	(void)snprintf(token, sizeof(token), "%llu",
		(unsigned long long)list->numbers[list->n - 1]);
	(void)snprintf(path, sizeof(path), "/v1/models/%s/versions", list->model);
	json_write_str(list->w, "next_page_token", token);
	api_page_link(link, path, list->limit, token, API_PAGE_ALL);
}

static int write_model(struct app *app, struct versions *list, uint64_t below, struct buf *link,
	struct err *e)
{
	struct catalog *catalog = registry_catalog(app->registry);
	struct catalog_model model;
	int result = catalog_model(catalog, list->model, &model, e);

	if (result < 0)
		return result;
	json_write_object(list->w, NULL);
	result = write_model_facts(list->w, catalog, &model, e);
	if (result < 0)
		return result;
	json_write_uint(list->w, "versions_total", model.versions);
	json_write_array(list->w, "versions");
	result = catalog_list_versions(catalog, list->model, below, list->limit + 1, add_version,
		list, e);
	if (result < 0)
		return result;
	json_write_array_end(list->w);
	write_statuses(list);
	write_next(list, link);
	json_write_object_end(list->w);
	return 0;
}

static int show_work(struct req *r, struct err *e)
{
	CLEANUP_BUF struct buf json = BUF_INIT(ANSWER_MAX), link = BUF_INIT(API_PAGE_LINK_MAX);
	char name[REF_NAME_MAX + 1];
	struct json_write w;
	size_t limit;
	uint64_t below;
	int result = ref_check_name(req_capture(r, 0), e);

	if (result < 0)
		return api_json_absent(e);
	(void)snprintf(name, sizeof(name), STR_FMT, STR_ARG(req_capture(r, 0)));
	/* All of a usual model: TensorFlow Serving tells of every version at once. */
	result = api_page_limit(r, API_PAGE_MAX, &limit, e);
	if (result == 0)
		result = api_page_below(r, &below, e);
	if (result < 0)
		return result;
	json_write_init(&w, &json);
	struct versions list = {
		.w = &w, .model = name, .base_url = req_base_url(r), .limit = limit};
	result = write_model(req_app(r), &list, below, &link, e);
	return result < 0 ? result : api_json_reply_page(r, &json, &link, e);
}

const struct handler api_models_show = {
	.name = "model",
	.scope = SCOPE_READ,
	.target = HANDLER_REF,
	.work = show_work,
};
