/* SPDX-License-Identifier: Apache-2.0 */
/* GET /healthz, /readyz and /version: is it alive, may it be sent work, what is it. */
#include "common/base/clock.h"
#include "server/api/api.h"
#include "server/api/api_json.h"
#include "server/api/api_reload.h"
#include "server/import/importer.h"

#define ANSWER_MAX  8192
#define MIRRORS_MAX 10u /* that are told of; their names and errors are bounded */
#define READY_MAX   (ANSWER_MAX + MIRRORS_MAX * 8192u)

static int reply_small(struct req *r, struct buf *json, struct err *e)
{
	int result;

	buf_add_char(json, '\n');
	result = buf_check(json, "the answer", e);
	if (result < 0)
		return result;
	struct reply *reply = reply_buf(200, "application/json", json);
	reply_header(reply, "Cache-Control", "no-store");
	req_reply(r, reply);
	return 0;
}

static int reply_ok(struct req *r, struct err *e)
{
	CLEANUP_BUF struct buf json = BUF_INIT(ANSWER_MAX);

	buf_add_str(&json, "{\"status\":\"ok\"}");
	return reply_small(r, &json, e);
}

/* Liveness: a loop thread came here, nothing more is asked. */
const struct handler api_status_health = {
	.name = "healthz",
	.target = HANDLER_OPEN,
	.head = reply_ok,
};

static void write_time(struct json_write *w, const char *key, uint64_t ms)
{
	char text[CLOCK_TEXT];

	if (ms > 0)
		json_write_str(w, key, clock_rfc3339(ms, text));
}

static void write_mirror(struct json_write *w, const struct catalog_mirror *m)
{
	json_write_object(w, NULL);
	json_write_str(w, "name", m->name);
	json_write_uint(w, "failures", m->failures);
	write_time(w, "since", m->failing_ms);
	write_time(w, "last_good", m->good_ms);
	write_time(w, "next", m->next_ms);
	json_write_str(w, "error", m->error);
	json_write_object_end(w);
}

/* The first ones that fail, of models that the asker may read; the others are counted. */
static void write_failing(const struct req *r, struct json_write *w,
	const struct catalog_mirror *mirrors, size_t n)
{
	uint64_t failing = 0, told = 0;

	for (size_t i = 0; i < n; i++) {
		if (mirrors[i].failures == 0)
			continue;
		failing++;
		if (told == MIRRORS_MAX || !req_may(r, SCOPE_READ, mirrors[i].model))
			continue;
		if (told++ == 0)
			json_write_array(w, "failing_mirrors");
		write_mirror(w, &mirrors[i]);
	}
	if (told > 0)
		json_write_array_end(w);
	if (failing > told)
		json_write_uint(w, "failing_mirrors_omitted", failing - told);
}

/* The error names files of this machine and what stands in them. */
static void write_reload(const struct req *r, struct json_write *w, struct api_reload *reload)
{
	char error[ERR_TEXT_MAX];
	uint64_t failed_ms = api_reload_failure(reload, error);

	if (failed_ms == 0)
		return;
	json_write_object(w, "failed_reload");
	write_time(w, "at", failed_ms);
	if (req_may_all(r, SCOPE_ADMIN))
		json_write_str(w, "error", error);
	json_write_object_end(w);
}

/* Neither a damaged file nor a source that cannot be reached nor a configuration that makes no
 * sense is a reason to send work elsewhere, but one to look. */
static int reply_ready(struct req *r, const struct registry_state *state,
	const struct catalog_mirror *mirrors, size_t mirrors_n, struct err *e)
{
	const struct app *app = req_app(r);
	CLEANUP_BUF struct buf json = BUF_INIT(READY_MAX);
	struct json_write w;

	json_write_init(&w, &json);
	json_write_object(&w, NULL);
	json_write_str(&w, "status", "ok");
	if (state->damaged > 0)
		json_write_uint(&w, "damaged_files", state->damaged);
	write_failing(r, &w, mirrors, mirrors_n);
	write_reload(r, &w, app->reload);
	json_write_object_end(&w);
	return reply_small(r, &json, e);
}

static int ready_work(struct req *r, struct err *e)
{
	struct app *app = req_app(r);
	CLEANUP_FREE struct catalog_mirror *mirrors = NULL;
	struct registry_state state;
	size_t mirrors_n = 0;
	int result = registry_check(app->registry, e);

	if (result == 0)
		result = registry_state(app->registry, &state, e);
	if (result == 0)
		result = importer_mirrors(app->importer, &mirrors, &mirrors_n, e);
	if (result == 0)
		return reply_ready(r, &state, mirrors, mirrors_n, e);
	e->code = ERR_NOT_READY; /* whatever the cause: not the fault of this request */
	return -(int)e->code;
}

const struct handler api_status_ready = {
	.name = "readyz",
	.target = HANDLER_DISCREET,
	.work = ready_work,
};

static int version_head(struct req *r, struct err *e)
{
	CLEANUP_BUF struct buf json = BUF_INIT(ANSWER_MAX);
	struct json_write w;

	json_write_init(&w, &json);
	json_write_object(&w, NULL);
	json_write_str(&w, "name", PACKAGE_NAME);
	json_write_str(&w, "version", PACKAGE_VERSION);
	json_write_str(&w, "features", MODELD_FEATURES);
	json_write_str(&w, "compiler", MODELD_COMPILER);
	json_write_object_end(&w);
	return reply_small(r, &json, e);
}

const struct handler api_status_version = {
	.name = "version",
	.target = HANDLER_OPEN,
	.head = version_head,
};
