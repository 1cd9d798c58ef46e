/* SPDX-License-Identifier: Apache-2.0 */
#include "server/vigil.h"
#include "common/base/clock.h"
#include "common/registry/staging.h"
#include "server/http/httpd.h"
#include "server/import/importer.h"
#include "server/work/workpool.h"

#include <inttypes.h>

#define LOOP_MS       10000u  /* comes round once a second at least */
#define LOOP_LEAST_MS 3000u
#define KEEPER_MS     120000u /* writes to the catalog, and may wait there */
#define PROBE_MS      60000u
#define PROBE_FEW_MS  600000u /* where a long piece of work can hold all threads */
#define FEW_THREADS   4u      /* fewer leave none to what reads; modeld.conf(5), work.threads */
#define SIZES_MS      UINT64_C(60000)
#define SIZES_SHARE   1000u   /* adding up waits so many times as long as it took */

/* With a manager that is impatient a loop that stands still is found before its time is over. */
void vigil_init(struct vigil *v, const struct httpd *httpd, struct workpool *workers,
	const struct app *app, const struct upkeep *upkeep, unsigned watchdog_ms, unsigned threads)
{
	*v = (struct vigil){
		.httpd = httpd,
		.workers = workers,
		.app = app,
		.upkeep = upkeep,
		.loop_ms = LOOP_MS,
		.probe_ms = threads < FEW_THREADS ? PROBE_FEW_MS : PROBE_MS,
		.keeper_ms = KEEPER_MS,
		.moved_ms = clock_mono_ms(),
	};
	if (watchdog_ms > 0 && watchdog_ms < LOOP_MS)
		v->loop_ms = watchdog_ms > LOOP_LEAST_MS ? watchdog_ms : LOOP_LEAST_MS;
	(void)pthread_mutex_init(&v->lock, NULL);
}

void vigil_done(struct vigil *v)
{
	(void)pthread_mutex_destroy(&v->lock);
}

/* ---- the probe, on a worker ---- */

static void count_sizes(struct vigil *v, struct vigil_counts *counts)
{
	uint64_t began = clock_mono_ms(), now;
	struct catalog_sizes sizes;
	struct err ignored;

	if (began < v->sizes_next_ms)
		return;
	counts->known = catalog_sizes(registry_catalog(v->app->registry), &sizes, &ignored) == 0;
	now = clock_mono_ms();
	v->sizes_next_ms = now + (now - began) * SIZES_SHARE;
	if (v->sizes_next_ms < now + SIZES_MS)
		v->sizes_next_ms = now + SIZES_MS;
	if (!counts->known)
		return;
	counts->models = sizes.models;
	counts->versions = sizes.versions;
}

/* The one probe there is: nobody else writes what it reads here. */
static void probe(void *cls)
{
	struct vigil *v = cls;
	struct vigil_counts counts;
	struct importer_state imports;

	(void)pthread_mutex_lock(&v->lock);
	counts = v->counts;
	(void)pthread_mutex_unlock(&v->lock);
	count_sizes(v, &counts);
	counts.uploads = staging_count(v->app->registry);
	importer_state(v->app->importer, &imports); /* reads from the catalog */
	counts.imports = imports.running;
	(void)pthread_mutex_lock(&v->lock);
	v->counts = counts;
	v->probing = false;
	(void)pthread_mutex_unlock(&v->lock);
}

static bool begin_probe(struct vigil *v)
{
	bool was_free;

	(void)pthread_mutex_lock(&v->lock);
	was_free = !v->probing;
	v->probing = true;
	(void)pthread_mutex_unlock(&v->lock);
	return was_free;
}

static void give_up_probe(struct vigil *v)
{
	(void)pthread_mutex_lock(&v->lock);
	v->probing = false;
	(void)pthread_mutex_unlock(&v->lock);
}

/* ---- looking ---- */

/* While the last probe is held up no other is sent, and begins. */
static bool workers_answer(struct vigil *v, uint64_t now)
{
	uint64_t begun = workpool_begun(v->workers);
	struct err ignored;

	if (now >= v->next_ms && begin_probe(v)) {
		v->next_ms = now + VIGIL_EVERY_MS;
		if (workpool_submit(v->workers, WORK_READ, probe, v, &ignored) < 0)
			give_up_probe(v);
	}
	if (begun != v->begun) {
		v->begun = begun;
		v->moved_ms = now;
	}
	return now - v->moved_ms < v->probe_ms;
}

const char *vigil_look(struct vigil *v)
{
	bool workers = workers_answer(v, clock_mono_ms());

	if (!httpd_alive(v->httpd, v->loop_ms))
		return "an event loop";
	if (!workers)
		return "the workers or the catalog";
	return importer_alive(v->app->importer, v->keeper_ms) ? NULL : "the importer";
}

/* ---- what it is at ---- */

static void add_count(struct buf *out, const char *before, uint64_t n, const char *what)
{
	buf_addf(out, "%s%" PRIu64 " %s%s", before, n, what, n == 1 ? "" : "s");
}

void vigil_describe(struct vigil *v, struct buf *out)
{
	const char *doing = atomic_load(&v->upkeep->doing);
	struct vigil_counts counts;

	(void)pthread_mutex_lock(&v->lock);
	counts = v->counts;
	(void)pthread_mutex_unlock(&v->lock);
	buf_add_str(out, "Serving ");
	httpd_url(v->httpd, 0, out);
	if (counts.known) {
		add_count(out, ": ", counts.models, "model");
		add_count(out, ", ", counts.versions, "version");
	}
	if (counts.uploads > 0)
		add_count(out, "; open: ", counts.uploads, "upload");
	if (counts.imports > 0)
		add_count(out, "; running: ", counts.imports, "import");
	if (doing)
		buf_addf(out, "; %s", doing);
}
