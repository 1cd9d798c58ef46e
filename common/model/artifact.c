/* SPDX-License-Identifier: Apache-2.0 */
#include "common/model/artifact.h"
#include "common/model/layers.h"

struct artifact {
	struct layers_model *layers; /* NULL for the other kinds */
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
	free(a);
}

/* ---- what is learned ---- */

static void write_tensor(struct json_write *w, const struct layers_tensor *t)
{
	json_write_object(w, t->name);
	json_write_str(w, "dtype", t->dtype);
	if (t->rank_known) {
		json_write_array(w, "shape");
		for (size_t i = 0; i < t->rank; i++)
			json_write_int(w, NULL, t->shape[i]);
		json_write_array_end(w);
	}
	json_write_object_end(w);
}

static void write_tensors(struct json_write *w, const char *key,
	const struct layers_tensor *tensors, size_t n)
{
	json_write_object(w, key);
	for (size_t i = 0; i < n; i++)
		write_tensor(w, &tensors[i]);
	json_write_object_end(w);
}

void artifact_write(const struct artifact *a, struct json_write *w)
{
	const struct layers_tensor *inputs, *outputs;
	size_t inputs_n, outputs_n;

	if (!a || !a->layers)
		return;
	inputs = layers_inputs(a->layers, &inputs_n);
	outputs = layers_outputs(a->layers, &outputs_n);
	json_write_uint(w, "layers", layers_count(a->layers));
	json_write_object(w, "signature");
	write_tensors(w, "inputs", inputs, inputs_n);
	write_tensors(w, "outputs", outputs, outputs_n);
	json_write_str(w, "source", "derived");
	json_write_object_end(w);
}
