/* SPDX-License-Identifier: Apache-2.0 */
#include "common/model/layers_internal.h"

#include <string.h>

/* The topology itself, or the model_config in it. */
static const struct json *model_of(const struct json *topology, const char **ret_pointer)
{
	const struct json *inner = json_get_set(topology, "model_config");

	*ret_pointer = inner ? "/modelTopology/model_config" : "/modelTopology";
	return inner ? inner : topology;
}

/* TensorFlow.js writes its own name where Keras writes its version. */
static bool is_native(const struct json *model)
{
	const char *version = json_str_if_readable(json_get(model, "keras_version"));

	return version && strncmp(version, "tfjs-layers", strlen("tfjs-layers")) == 0;
}

/* The version stands beside the configuration. */
static void check_version(struct layers_build *b, const struct json *topology,
	const struct json *model, const char *pointer)
{
	const char *inner = json_str(json_get(model, "keras_version"));
	const char *version = inner ? inner : json_str(json_get(topology, "keras_version"));

	if (version && strncmp(version, "3.", 2) == 0)
		findings_add(b->f, RULE_KERAS3_VERSION, "model.json",
			layers_arena_text(b, "%s/keras_version",
				inner ? pointer : "/modelTopology"),
			"Keras %s wrote the topology; TensorFlow.js " LAYERS_RELEASE
			" reads that of Keras 2",
			version);
}

static bool check_root(struct layers_build *b, const struct json *model, const char *pointer)
{
	const struct json *name = layers_config_set(model, "className");
	const char *camel = json_str(name) ? layers_config_camel(b, json_str(name)) : NULL;
	const struct layers_class *cls = camel ? layers_table_find(camel) : NULL;

	if (cls && cls->kind == LAYERS_KIND_MODEL)
		return true;
	findings_add(b->f, RULE_LAYERS_ROOT, "model.json", pointer,
		"the model's class is %s; TensorFlow.js loads Sequential, Functional and Model, "
		"else: %s",
		camel ? camel : "missing",
		camel ? "Unknown layer"
		      : "layer: Improper config format: 'className' and 'config' must set.");
	b->m->incomplete = true;
	return false;
}

int layers_read(const struct json *topology, struct layers_model **ret, struct findings *f,
	struct err *e)
{
	CLEANUP(layers_free_p) struct layers_model *m = calloc(1, sizeof(*m));
	struct layers_build b = {.m = m, .f = f, .scope = ""};
	struct layers_layer *root = NULL;
	const struct json *model;
	const char *pointer;

	if (!m)
		return err_nomem(e);
	model = model_of(topology, &pointer);
	b.native = is_native(model);
	check_version(&b, topology, model, pointer);
	if (check_root(&b, model, pointer))
		root = layers_layer_new(&b, model, pointer, true, true);
	if (root && b.masks)
		layers_mask_check(&b, root);
	if (root)
		layers_weights_collect(&b, root);
	if (b.no_memory)
		return err_nomem(e);
	*ret = take_ptr(m);
	return 0;
}

void layers_free(struct layers_model *m)
{
	if (!m)
		return;
	layers_arena_free(m);
	free(m);
}

const struct layers_weight *layers_weights(const struct layers_model *m, size_t *ret_n)
{
	*ret_n = m->weights_n;
	return m->weights;
}

const struct layers_tensor *layers_inputs(const struct layers_model *m, size_t *ret_n)
{
	*ret_n = m->inputs_n;
	return m->inputs;
}

const struct layers_tensor *layers_outputs(const struct layers_model *m, size_t *ret_n)
{
	*ret_n = m->outputs_n;
	return m->outputs;
}

size_t layers_count(const struct layers_model *m)
{
	return m->layers_n;
}
