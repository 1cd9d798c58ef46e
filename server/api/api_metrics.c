/* SPDX-License-Identifier: Apache-2.0 */
/* GET /metrics, for Prometheus. */
#include "server/api/api.h"
#include "server/import/importer.h"
#include "server/metrics/metrics.h"

#define ANSWER_MAX (1u << 20)

/* What the store alone knows is read when it is asked for. When it does not answer, the rest is
 * still worth having. */
static void look_at_store(struct registry *registry)
{
	struct registry_state state;
	struct err ignored;

	if (registry_state(registry, &state, &ignored) < 0) {
		metrics_forget(METRICS_FREE);
		metrics_forget(METRICS_DAMAGED);
		metrics_forget(METRICS_LAST_PASS);
		metrics_forget(METRICS_PRECOMPRESS_QUEUE);
		return;
	}
	metrics_set(METRICS_FREE, state.free_bytes);
	metrics_set(METRICS_DAMAGED, state.damaged);
	metrics_set(METRICS_LAST_PASS, state.scrubbed_ms / 1000);
	metrics_set(METRICS_PRECOMPRESS_QUEUE, state.uncoded);
}

static void look_at_imports(struct importer *importer)
{
	struct importer_state state;

	importer_state(importer, &state);
	metrics_set(METRICS_IMPORTS_RUNNING, state.running);
	metrics_set(METRICS_IMPORTS_QUEUED, state.queued);
	metrics_set(METRICS_MIRRORS, state.mirrors);
	metrics_set(METRICS_MIRRORS_FAILING, state.mirrors_failing);
}

static int metrics_work(struct req *r, struct err *e)
{
	const struct app *app = req_app(r);
	CLEANUP_BUF struct buf text = BUF_INIT(ANSWER_MAX);
	struct reply *reply;
	int result;

	look_at_store(app->registry);
	look_at_imports(app->importer);
	metrics_write(&text);
	result = buf_check(&text, "the answer", e);
	if (result < 0)
		return result;
	reply = reply_buf(200, METRICS_MEDIA_TYPE, &text);
	reply_header(reply, "Cache-Control", "no-store");
	req_reply(r, reply);
	return 0;
}

const struct handler api_metrics = {
	.name = "metrics",
	.scope = SCOPE_READ,
	.target = HANDLER_SOME,
	.work = metrics_work,
};
