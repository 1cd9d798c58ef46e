/* SPDX-License-Identifier: Apache-2.0 */
/* GET /metrics, for Prometheus. */
#include "server/api/api.h"
#include "server/import/importer.h"
#include "server/metrics/metrics.h"
#include "server/metrics/process.h"
#include "server/metrics/refusals.h"
#include "server/metrics/tally.h"
#include "common/base/clock.h"
#include "common/store/catalog.h"

#include <pthread.h>

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

/* What is large to add up is added up again when a hundred times as long has passed as it took. */
#define SIZES_SHARE 100u

static void set_sizes(const struct catalog_sizes *s)
{
	metrics_set(METRICS_MODELS, s->models);
	metrics_set(METRICS_VERSIONS, s->versions);
	metrics_set(METRICS_VERSION_BYTES, s->version_bytes);
	metrics_set(METRICS_BLOBS, s->blobs);
	metrics_set(METRICS_BLOB_BYTES, s->blob_bytes);
	metrics_set(METRICS_DEDUPLICATED_BYTES,
		s->version_bytes > s->held_bytes ? s->version_bytes - s->held_bytes : 0);
}

static void look_at_sizes(struct registry *registry)
{
	static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
	static uint64_t next_ms; /* under the lock */
	struct catalog_sizes sizes;
	struct err ignored;

	pthread_mutex_lock(&lock);
	uint64_t began = clock_mono_ms();
	if (began >= next_ms && catalog_sizes(registry_catalog(registry), &sizes, &ignored) == 0) {
		uint64_t now = clock_mono_ms();
		set_sizes(&sizes);
		next_ms = now + (now - began) * SIZES_SHARE;
	}
	pthread_mutex_unlock(&lock);
}

static void look_at_server(const struct req *r)
{
	uint64_t accepted, open;

	req_connections(r, &accepted, &open);
	metrics_set(METRICS_ACCEPTED, accepted);
	metrics_set(METRICS_CONNECTIONS, open);
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
	look_at_sizes(app->registry);
	look_at_imports(app->importer);
	look_at_server(r);
	metrics_write(&text);
	tally_write(app->tally, &text);
	refusals_write(&text);
	process_write(&text);
	result = buf_check(&text, "the answer", e);
	if (result < 0)
		return result;
	reply = reply_buf(200, METRICS_MEDIA_TYPE, &text);
	reply_header(reply, "Cache-Control", "no-store");
	req_reply(r, reply);
	return 0;
}

static enum tally_class class_of(const struct router_row *row)
{
	const struct handler *h = row->target;

	if (h->body == HANDLER_BODY_MULTIPART || h->body == HANDLER_BODY_RAW)
		return TALLY_PUBLISH;
	if (strncmp(row->pattern, "/models/", strlen("/models/")) == 0)
		return TALLY_FILE;
	return strncmp(row->pattern, "/v1/", strlen("/v1/")) == 0 ? TALLY_API : TALLY_OTHER;
}

int api_metrics_tally(unsigned loops, struct tally **ret, struct err *e)
{
	CLEANUP_FREE struct tally_handler *handlers = calloc(api_routes_n, sizeof(*handlers));

	if (!handlers)
		return err_nomem(e);
	for (size_t i = 0; i < api_routes_n; i++) {
		const struct handler *h = api_routes[i].target;
		handlers[i] = (struct tally_handler){h->name, class_of(&api_routes[i])};
	}
	return tally_new(handlers, api_routes_n, loops, ret, e);
}

const struct handler api_metrics = {
	.name = "metrics",
	.scope = SCOPE_READ,
	.target = HANDLER_SOME,
	.work = metrics_work,
};
