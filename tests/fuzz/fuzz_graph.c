/* SPDX-License-Identifier: Apache-2.0 */
/* Graph models: whatever model.json is read, its graph is judged within its limits, alike when
 * judged again, and the signature that comes out of it holds together. */
#include "common/model/graph.h"
#include "tests/fuzz/fuzz.h"

#include <stdlib.h>
#include <string.h>

static void must(bool holds)
{
	if (!holds)
		abort();
}

static void must_hold(const struct graph_tensor *t, size_t n)
{
	must(n <= GRAPH_TENSORS_MAX);
	for (size_t i = 0; i < n; i++) {
		must(t[i].name && t[i].node && strncmp(t[i].dtype, "DT_", 3) == 0);
		must(t[i].rank <= GRAPH_RANK_MAX);
		for (size_t k = 0; k < t[i].rank; k++)
			must(t[i].shape[k] >= -1);
	}
}

static void must_be_alike(const struct findings *f, const struct findings *g)
{
	must(f->n == g->n && memcmp(f->counts, g->counts, sizeof(f->counts)) == 0);
	for (size_t i = 0; i < f->n; i++) {
		must(f->items[i].rule == g->items[i].rule);
		must(strcmp(f->items[i].message, g->items[i].message) == 0);
		must(f->items[i].pointer && f->items[i].pointer[0] == '/');
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
	CLEANUP(modeljson_free_p) struct modeljson *m = NULL;
	CLEANUP(graph_free_p) struct graph_model *g = NULL;
	CLEANUP(graph_free_p) struct graph_model *again = NULL;
	CLEANUP_FINDINGS struct findings ignored, f, f_again;
	const struct graph_tensor *t;
	struct err e;
	size_t k;

	findings_init(&ignored);
	findings_init(&f);
	findings_init(&f_again);
	must(modeljson_parse((const char *)data, n, &m, &ignored, &e) == 0);
	if (!m || m->kind != MODELJSON_GRAPH)
		return 0;
	must(graph_read(m, &g, &f, &e) == 0);
	must(graph_read(m, &again, &f_again, &e) == 0);
	must(!g == !again && (g || findings_refuse(&f)));
	must_be_alike(&f, &f_again);
	if (!g)
		return 0;
	t = graph_inputs(g, &k);
	must_hold(t, k);
	t = graph_outputs(g, &k);
	must_hold(t, k);
	return 0;
}
