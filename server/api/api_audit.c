/* SPDX-License-Identifier: Apache-2.0 */
/* GET /v1/audit: what was changed, by whom and when. */
#include "server/api/api_audit.h"
#include "common/base/clock.h"
#include "common/base/num.h"
#include "server/api/api.h"
#include "server/api/api_json.h"
#include "server/api/api_page.h"

#define ANSWER_MAX (API_PAGE_MAX * 4096u)
#define SINCE_TEXT 24

static int read_since(struct req *r, uint64_t *ret, struct err *e)
{
	CLEANUP_BUF struct buf text = BUF_INIT(SINCE_TEXT);

	*ret = 0;
	if (!req_query_has(r, "since"))
		return 0;
	if (!req_query(r, "since", &text) || buf_failed(&text) ||
		!num_parse(buf_str(&text), text.len, NUM_SAFE_INTEGER_MAX, ret))
		return err_set(e, ERR_BAD_PARAMETER,
			"since is the number of a change, or 0 for all");
	return 0;
}

static void write_event(struct json_write *w, const struct catalog_audit_event *x)
{
	char at[CLOCK_TEXT];

	json_write_object(w, NULL);
	json_write_uint(w, "sequence", x->sequence);
	json_write_str(w, "at", clock_rfc3339(x->changed_ms, at));
	json_write_str(w, "kind", x->kind);
	if (x->model[0])
		json_write_str(w, "model", x->model);
	if (x->item[0])
		json_write_str(w, "item", x->item);
	json_write_str(w, "who", x->who);
	if (x->address[0])
		json_write_str(w, "address", x->address);
	if (x->request[0])
		json_write_str(w, "request_id", x->request);
	json_write_object_end(w);
}

void api_audit_line(const struct catalog_audit_event *x, struct buf *out)
{
	struct json_write w;

	json_write_init(&w, out);
	write_event(&w, x);
	buf_add_char(out, '\n');
}

/* `next` is where to go on, now or later: a page may show fewer than were looked at, or none. */
static void write_page(const struct req *r, const struct catalog_audit_event *rows, size_t n,
	uint64_t next, bool more, struct buf *out)
{
	/* What is of no one model is for who may do it with all. */
	bool all = req_may_all(r, SCOPE_ADMIN);
	struct json_write w;

	json_write_init(&w, out);
	json_write_object(&w, NULL);
	json_write_array(&w, "events");
	for (size_t i = 0; i < n; i++)
		if (rows[i].model[0] ? req_may(r, SCOPE_ADMIN, rows[i].model) : all)
			write_event(&w, &rows[i]);
	json_write_array_end(&w);
	json_write_uint(&w, "next", next);
	json_write_bool(&w, "more", more);
	json_write_object_end(&w);
}

static int audit_work(struct req *r, struct err *e)
{
	CLEANUP_FREE struct catalog_audit_event *rows = NULL;
	CLEANUP_BUF struct buf json = BUF_INIT(ANSWER_MAX);
	const struct app *app = req_app(r);
	size_t limit = 0, n = 0;
	uint64_t since = 0;
	int result = api_page_limit(r, API_PAGE_DEFAULT, &limit, e);

	if (result == 0)
		result = read_since(r, &since, e);
	if (result < 0)
		return result;
	rows = calloc(limit + 1, sizeof(*rows));
	if (!rows)
		return err_nomem(e);
	result = catalog_audit_read(registry_catalog(app->registry), since, rows, limit + 1, &n, e);
	if (result < 0)
		return result;
	bool more = n > limit;
	if (more)
		n--;
	write_page(r, rows, n, n > 0 ? rows[n - 1].sequence : since, more, &json);
	return api_json_reply(r, &json, e);
}

const struct handler api_audit = {
	.name = "audit",
	.scope = SCOPE_ADMIN,
	.target = HANDLER_SOME,
	.work = audit_work,
};
