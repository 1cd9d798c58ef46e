/* SPDX-License-Identifier: Apache-2.0 */
#include "common/model/artifact.h"
#include "common/model/graph.h"
#include "common/model/layers.h"

struct artifact { /* at most one of them, by kind */
	struct layers_model *layers;
	struct graph_model *graph;
};

static int read_layers(const struct modeljson *m, struct artifact *a, struct findings *f,
	struct err *e)
{
	const struct json *topology = json_get(json_root(m->doc), "modelTopology");
	int r = layers_read(topology, &a->layers, f, e);

	if (r == 0 && a->layers && m->manifest)
		r = layers_match(a->layers, m->manifest, f, e);
	return r;
}

int artifact_read(const struct modeljson *m, struct artifact **ret, struct findings *f,
	struct err *e)
{
	CLEANUP(artifact_free_p) struct artifact *a = calloc(1, sizeof(*a));
	int r = a ? 0 : err_nomem(e);

	if (r == 0 && m->kind == MODELJSON_LAYERS)
		r = read_layers(m, a, f, e);
	else if (r == 0 && m->kind == MODELJSON_GRAPH && m->manifest)
		r = graph_read(m, &a->graph, f, e);
	if (r < 0)
		return r;
	*ret = take_ptr(a);
	return 0;
}

void artifact_free(struct artifact *a)
{
	if (!a)
		return;
	layers_free(a->layers);
	graph_free(a->graph);
	free(a);
}

/* ---- what is learned ---- */

static void write_shape(struct json_write *w, const int64_t *shape, size_t rank)
{
	json_write_array(w, "shape");
	for (size_t i = 0; i < rank; i++)
		json_write_int(w, NULL, shape[i]);
	json_write_array_end(w);
}

static void write_layers_tensors(struct json_write *w, const char *key,
	const struct layers_tensor *tensors, size_t n)
{
	json_write_object(w, key);
	for (size_t i = 0; i < n; i++) {
		json_write_object(w, tensors[i].name);
		json_write_str(w, "dtype", tensors[i].dtype);
		if (tensors[i].rank_known)
			write_shape(w, tensors[i].shape, tensors[i].rank);
		json_write_object_end(w);
	}
	json_write_object_end(w);
}

static void write_layers(struct json_write *w, const struct layers_model *m)
{
	size_t inputs_n, outputs_n;
	const struct layers_tensor *inputs = layers_inputs(m, &inputs_n);
	const struct layers_tensor *outputs = layers_outputs(m, &outputs_n);

	json_write_uint(w, "layers", layers_count(m));
	json_write_object(w, "signature");
	write_layers_tensors(w, "inputs", inputs, inputs_n);
	write_layers_tensors(w, "outputs", outputs, outputs_n);
	json_write_str(w, "source", "derived");
	json_write_object_end(w);
}

static void write_graph_tensors(struct json_write *w, const char *key,
	const struct graph_tensor *tensors, size_t n)
{
	json_write_object(w, key);
	for (size_t i = 0; i < n; i++) {
		json_write_object(w, tensors[i].name);
		json_write_str(w, "name", tensors[i].node);
		json_write_str(w, "dtype", tensors[i].dtype);
		if (tensors[i].rank_known)
			write_shape(w, tensors[i].shape, tensors[i].rank);
		if (tensors[i].has_resource)
			json_write_uint(w, "resource_id", tensors[i].resource_id);
		json_write_object_end(w);
	}
	json_write_object_end(w);
}

static void write_graph(struct json_write *w, const struct graph_model *g)
{
	size_t inputs_n, outputs_n;
	const struct graph_tensor *inputs = graph_inputs(g, &inputs_n);
	const struct graph_tensor *outputs = graph_outputs(g, &outputs_n);
	const struct graph_counts *counts = graph_counts(g);

	json_write_uint(w, "nodes", counts->nodes);
	json_write_uint(w, "ops", counts->ops);
	json_write_bool(w, "execute_async", counts->async);
	json_write_object(w, "signature");
	write_graph_tensors(w, "inputs", inputs, inputs_n);
	write_graph_tensors(w, "outputs", outputs, outputs_n);
	json_write_str(w, "source", graph_source_name(graph_signature_source(g)));
	json_write_object_end(w);
}

void artifact_write(const struct artifact *a, struct json_write *w)
{
	if (a && a->layers)
		write_layers(w, a->layers);
	if (a && a->graph)
		write_graph(w, a->graph);
}
