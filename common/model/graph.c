/* SPDX-License-Identifier: Apache-2.0 */
#include "common/model/graph.h"
#include "common/model/filepath.h"
#include "common/model/graph_internal.h"

#include <stdio.h>

/* ---- one graph ---- */

static void check_known(const struct graph *g, const struct graph_node *x)
{
	if (!x->known && *x->op && !x->weight && !x->fed)
		graph_say_load(g, x, RULE_GRAPH_OP, "/op",
			"TensorFlow.js %s has no such op; unless the page registers it with "
			"tf.registerOp(), TensorFlow.js says \"Unknown op '%.48s'\"",
			graph_ops_release(), x->op);
}

static void check_node(const struct graph *g, const struct graph_node *x)
{
	graph_attr_check(g, x);
	if (x->replaced)
		return;
	check_known(g, x);
	graph_const_check(g, x);
	graph_edges_check(g, x);
	graph_library_check_call(g, x);
}

static int check_graph(struct graph *g, struct err *e)
{
	for (size_t i = 0; i < g->nodes_n; i++)
		check_node(g, &g->nodes[i]);
	return graph_flow_check(g, e);
}

/* ---- all of them ---- */

static int read_weights(struct graph_reader *r, struct err *e)
{
	const struct manifest *m = r->manifest;
	int ret = graph_names_init(&r->weights, m->weights_n, e);

	for (size_t i = 0; ret == 0 && i < m->weights_n; i++)
		(void)graph_names_set(&r->weights, str_of(m->weights[i].name), (uint32_t)i);
	return ret;
}

static int read_main(struct graph_reader *r, const struct json *topology, struct err *e)
{
	struct graph *g = &r->main;
	int ret;

	g->r = r;
	g->called = true;
	(void)snprintf(g->pointer, sizeof(g->pointer), "/modelTopology/node");
	ret = graph_nodes_read(g, json_get(topology, "node"), 0, e);
	return ret < 0 ? ret : graph_nodes_resolve(g, e);
}

static int read_all(struct graph_reader *r, struct err *e)
{
	const struct json *topology = json_get(r->root, "modelTopology");
	int ret = read_weights(r, e);

	if (ret == 0)
		ret = read_main(r, topology, e);
	if (ret == 0)
		ret = graph_library_read(r, json_get_set(topology, "library"), e);
	if (ret == 0)
		ret = graph_signature_read(r, e);
	return ret < 0 ? ret : graph_initializer_read(r, e);
}

static int mark(struct graph *g, struct err *e)
{
	graph_edges_count_outputs(g);
	return graph_flow_mark(g, e);
}

static int mark_all(struct graph_reader *r, struct err *e)
{
	int ret = mark(&r->main, e);

	for (size_t i = 0; ret == 0 && i < r->functions_n; i++)
		ret = mark(&r->functions[i], e);
	if (ret == 0 && r->initializer.nodes)
		ret = mark(&r->initializer, e);
	return ret < 0 ? ret : graph_library_mark_called(r, e);
}

static int check_all(struct graph_reader *r, struct err *e)
{
	int ret = check_graph(&r->main, e);

	for (size_t i = 0; ret == 0 && i < r->functions_n; i++) {
		ret = check_graph(&r->functions[i], e);
		if (ret == 0)
			ret = graph_library_check(&r->functions[i], e);
	}
	if (ret == 0 && r->initializer.nodes)
		ret = check_graph(&r->initializer, e);
	if (ret < 0)
		return ret;
	graph_signature_check(r);
	ret = graph_structured_read(r, e);
	return ret < 0 ? ret : graph_initializer_check(r, e);
}

static int count_ops(const struct graph *g, size_t *ret, struct err *e)
{
	struct graph_names ops = {0};
	int r = graph_names_init(&ops, g->nodes_n, e);

	for (size_t i = 0; r == 0 && i < g->nodes_n; i++)
		*ret += !graph_names_set(&ops, str_of(g->nodes[i].op), 0);
	graph_names_done(&ops);
	return r;
}

static int count_all(struct graph_reader *r, struct err *e)
{
	struct graph_counts *c = &r->model->counts;

	c->nodes = r->main.nodes_n;
	c->functions = r->functions_n;
	c->initializer_nodes = r->initializer.nodes_n;
	c->async = r->main.async || r->initializer.async;
	if (c->async)
		findings_add(r->f, RULE_GRAPH_ASYNC, FILEPATH_MODEL, "/modelTopology",
			"the model is executed with executeAsync(); predict() says \"Please use "
			"model.executeAsync() instead\"");
	return count_ops(&r->main, &c->ops, e);
}

static int judge(struct graph_reader *r, struct err *e)
{
	int ret = read_all(r, e);

	if (ret == 0)
		ret = mark_all(r, e);
	if (ret == 0)
		ret = check_all(r, e);
	return ret < 0 ? ret : count_all(r, e);
}

static void reader_done(struct graph_reader *r)
{
	graph_nodes_done(&r->main);
	graph_nodes_done(&r->initializer);
	for (size_t i = 0; i < r->functions_n; i++)
		graph_nodes_done(&r->functions[i]);
	free(r->functions);
	graph_names_done(&r->function_names);
	graph_names_done(&r->weights);
}

int graph_read(const struct modeljson *m, struct graph_model **ret, struct findings *f,
	struct err *e)
{
	CLEANUP(graph_free_p) struct graph_model *g = calloc(1, sizeof(*g));
	CLEANUP(reader_done) struct graph_reader r = {
		.root = json_root(m->doc), .manifest = m->manifest, .f = f, .model = g};
	int judged;

	if (!g)
		return err_nomem(e);
	judged = judge(&r, e);
	if (judged == -ERR_TOO_LARGE) {
		findings_add(f, RULE_GRAPH_LIMIT, FILEPATH_MODEL, "/modelTopology", "%s", e->text);
		return 0;
	}
	if (judged < 0)
		return judged;
	*ret = take_ptr(g);
	return 0;
}

void graph_free(struct graph_model *g)
{
	if (!g)
		return;
	free(g->inputs);
	free(g->outputs);
	free(g);
}

/* ---- what was read ---- */

const struct graph_tensor *graph_inputs(const struct graph_model *g, size_t *ret_n)
{
	*ret_n = g->inputs_n;
	return g->inputs;
}

const struct graph_tensor *graph_outputs(const struct graph_model *g, size_t *ret_n)
{
	*ret_n = g->outputs_n;
	return g->outputs;
}

enum graph_source graph_signature_source(const struct graph_model *g)
{
	return g->source;
}

const char *graph_source_name(enum graph_source source)
{
	static const char *const names[] = {
		[GRAPH_DECLARED] = "declared",
		[GRAPH_METADATA] = "metadata",
		[GRAPH_DERIVED] = "derived",
	};

	return names[source];
}

const struct graph_counts *graph_counts(const struct graph_model *g)
{
	return &g->counts;
}

const char *graph_release(void)
{
	return graph_ops_release();
}
