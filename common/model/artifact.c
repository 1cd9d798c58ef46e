/* SPDX-License-Identifier: Apache-2.0 */
#include "common/model/artifact.h"
#include "common/base/buf.h"
#include "common/model/graph.h"
#include "common/model/graph_names.h"
#include "common/model/layers.h"
#include "common/model/training.h"

#include <string.h>

/* Tensors of layers models, by names that differ. */
struct named {
	const struct layers_tensor *tensors; /* n */
	char **own; /* n: the name to go by, or NULL for the tensor's */
	size_t n;
};

struct artifact { /* at most one of them, by kind */
	struct layers_model *layers;
	struct graph_model *graph;
	struct named inputs, outputs; /* of `layers` */
};

/* ---- names ---- */

#define OWN_NAME_MAX (32u << 20)

/* "<name>_<number>" that nothing is called yet. Numbers below *next are known to be taken. */
static int find_free_name(const struct graph_names *taken, const char *name, uint32_t *next,
	char **ret, struct err *e)
{
	CLEANUP_BUF struct buf text = BUF_INIT(OWN_NAME_MAX);
	uint32_t ignored;
	int r;

	do {
		buf_clear(&text);
		buf_addf(&text, "%s_%u", name, (unsigned)(*next)++);
		r = buf_check(&text, "the name of an output", e);
	} while (r == 0 && graph_names_get(taken, str_of(buf_str(&text)), &ignored));
	if (r == 0)
		*ret = buf_take(&text, NULL);
	return r;
}

/* A layer that is called twice may be two outputs of one name. As Keras does when it exports a
 * model, the second is "<name>_1", and so on. */
static int name_tensors(struct named *x, struct err *e)
{
	struct graph_names taken = {0}; /* to the next number to try */
	int r = graph_names_init(&taken, x->n, e);

	x->own = calloc(x->n + 1, sizeof(*x->own));
	if (r == 0 && !x->own)
		r = err_nomem(e);
	for (size_t i = 0; r == 0 && i < x->n; i++) {
		const char *name = x->tensors[i].name;
		uint32_t next;

		if (graph_names_get(&taken, str_of(name), &next)) {
			r = find_free_name(&taken, name, &next, &x->own[i], e);
			(void)graph_names_set(&taken, str_of(name), next);
		}
		if (r == 0)
			(void)graph_names_set(&taken, str_of(x->own[i] ? x->own[i] : name), 1);
	}
	graph_names_done(&taken);
	return r;
}

static void named_done(struct named *x)
{
	for (size_t i = 0; x->own && i < x->n; i++)
		free(x->own[i]);
	free(x->own);
}

/* ---- reading ---- */

static int read_names(struct artifact *a, struct err *e)
{
	int r;

	a->inputs.tensors = layers_inputs(a->layers, &a->inputs.n);
	a->outputs.tensors = layers_outputs(a->layers, &a->outputs.n);
	r = name_tensors(&a->inputs, e);
	return r < 0 ? r : name_tensors(&a->outputs, e);
}

static int read_layers(const struct modeljson *m, struct artifact *a, struct findings *f,
	struct err *e)
{
	const struct json *topology = json_get(json_root(m->doc), "modelTopology");
	const struct json *training = json_get_set(json_root(m->doc), "trainingConfig");
	int r = layers_read(topology, &a->layers, f, e);

	if (r == 0 && a->layers && m->manifest)
		r = layers_match(a->layers, m->manifest, f, e);
	if (r == 0 && a->layers)
		r = read_names(a, e);
	if (r == 0 && a->layers && training)
		training_check(training, a->layers, m->manifest, f);
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
	named_done(&a->inputs);
	named_done(&a->outputs);
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

static void write_layers_tensors(struct json_write *w, const char *key, const struct named *x)
{
	json_write_object(w, key);
	for (size_t i = 0; i < x->n; i++) {
		const struct layers_tensor *t = &x->tensors[i];

		json_write_object(w, x->own[i] ? x->own[i] : t->name);
		json_write_str(w, "dtype", t->dtype);
		if (t->rank_known)
			write_shape(w, t->shape, t->rank);
		json_write_object_end(w);
	}
	json_write_object_end(w);
}

static void write_layers(struct json_write *w, const struct artifact *a)
{
	json_write_uint(w, "layers", layers_count(a->layers));
	json_write_object(w, "signature");
	write_layers_tensors(w, "inputs", &a->inputs);
	write_layers_tensors(w, "outputs", &a->outputs);
	json_write_str(w, "source", "derived");
	json_write_object_end(w);
}

static void write_graph_tensors(struct json_write *w, const char *key,
	const struct graph_tensor *tensors, size_t n)
{
	json_write_object(w, key);
	for (size_t i = 0; i < n; i++) {
		const char *returned = tensors[i].returned;

		json_write_object(w, returned ? returned : tensors[i].name);
		if (returned && strcmp(returned, tensors[i].name) != 0)
			json_write_str(w, "key", tensors[i].name);
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
		write_layers(w, a);
	if (a && a->graph)
		write_graph(w, a->graph);
}
