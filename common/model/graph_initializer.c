/* SPDX-License-Identifier: Apache-2.0 */
/* modelInitializer, a graph that is executed once before the first prediction, and what it hands to
 * the model: tables of the same node name, or the outputs of initializerSignature, which inputs of
 * the signature name by their resourceId (src/executor/graph_model.ts). */
#include "common/base/num.h"
#include "common/model/filepath.h"
#include "common/model/graph_internal.h"

#include <stdio.h>

#define OUTPUTS "/initializerSignature/outputs"

static const struct json *outputs_of(const struct graph_reader *r)
{
	return json_get(json_get_set(r->root, "initializerSignature"), "outputs");
}

/* ---- reading ---- */

/* TensorFlow.js asks the initializer for the keys, not for the names, of the outputs. */
static void read_output(struct graph *g, const struct json *v)
{
	const char *key = json_key(v);
	char pointer[GRAPH_POINTER_MAX];
	uint32_t node, output;

	graph_say_pointer(pointer, OUTPUTS "/", key);
	if (!json_is(v, JSON_OBJECT))
		findings_add(g->r->f, RULE_SIGNATURE_TYPE, FILEPATH_MODEL, pointer,
			"an entry of a signature is an object, not %s", graph_say_type(v));
	else if (!graph_nodes_find(g, key, &node, &output))
		findings_add(g->r->f, RULE_SIGNATURE_INITIALIZER, FILEPATH_MODEL, pointer,
			"the keys in outputs of initializerSignature are nodes of "
			"modelInitializer, and " GRAPH_NAME " is none; TensorFlow.js says \"The "
			"output '%.96s' is not found in the graph\"", key, key);
	else
		g->outputs[g->outputs_n++] = node;
}

static void read_declared(struct graph *g, const struct json *outputs)
{
	if (!json_is(outputs, JSON_OBJECT))
		findings_add(g->r->f, RULE_SIGNATURE_INITIALIZER, FILEPATH_MODEL, OUTPUTS,
			"outputs of initializerSignature is an object, not %s; TensorFlow.js says "
			"\"Cannot convert undefined or null to object\"", graph_say_type(outputs));
	else
		for (const struct json *v = json_first(outputs); v; v = json_next(v))
			read_output(g, v);
}

static void derive(struct graph *g)
{
	for (uint32_t i = 0; i < g->nodes_n; i++)
		if (g->users_first[i] == g->users_first[i + 1] && !g->nodes[i].replaced)
			g->outputs[g->outputs_n++] = i;
}

int graph_initializer_read(struct graph_reader *r, struct err *e)
{
	const struct json *nodes = json_get_set(json_get_set(r->root, "modelInitializer"), "node");
	const struct json *outputs = outputs_of(r);
	struct graph *g = &r->initializer;
	int ret;

	if (!nodes)
		return 0;
	if (!json_is(nodes, JSON_ARRAY)) {
		findings_add(r->f, RULE_GRAPH_NODE, FILEPATH_MODEL, "/modelInitializer/node",
			"node of modelInitializer is an array, not %s; TensorFlow.js says "
			"\"reduce is not a function\"", graph_say_type(nodes));
		return 0;
	}
	(void)snprintf(g->pointer, sizeof(g->pointer), "/modelInitializer/node");
	g->r = r;
	g->initializer = g->called = true;
	ret = graph_nodes_read(g, nodes, 0, e);
	if (ret == 0)
		ret = graph_nodes_resolve(g, e);
	if (ret < 0)
		return ret;
	g->outputs = calloc(g->nodes_n + json_count(outputs) + 1, sizeof(*g->outputs));
	if (!g->outputs)
		return err_nomem(e);
	if (json_get_set(r->root, "initializerSignature"))
		read_declared(g, outputs);
	else
		derive(g);
	return 0;
}

/* ---- resources ---- */

static bool read_id(const struct json *v, uint64_t *ret)
{
	const struct json *id = json_get_set(v, "resourceId");
	const char *text = json_str(id);

	return json_uint(id, NUM_SAFE_INTEGER_MAX, ret) ||
		(text && num_parse(text, strlen(text), UINT64_MAX, ret));
}

static int compare_ids(const void *a, const void *b)
{
	uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;

	return (x > y) - (x < y);
}

static void say_not_provided(const struct graph_reader *r, const struct graph_tensor *t)
{
	char pointer[GRAPH_POINTER_MAX];

	graph_say_pointer(pointer, r->model->source == GRAPH_METADATA ?
		"/userDefinedMetadata/signature/inputs/" : "/signature/inputs/", t->name);
	findings_add(r->f, RULE_SIGNATURE_RESOURCE, FILEPATH_MODEL, pointer,
		"input " GRAPH_NAME " has the resourceId %llu, and no output of the "
		"initializer has it; TensorFlow.js says \"Cannot read properties of undefined\"",
		t->name, (unsigned long long)t->resource_id);
}

static int check_resources(const struct graph_reader *r, struct err *e)
{
	const struct graph_model *m = r->model;
	CLEANUP_FREE uint64_t *ids = calloc(json_count(outputs_of(r)) + 1, sizeof(*ids));
	size_t n = 0;

	if (!ids)
		return err_nomem(e);
	if (r->initializer.nodes)
		for (const struct json *v = json_first(outputs_of(r)); v; v = json_next(v))
			n += read_id(v, &ids[n]);
	qsort(ids, n, sizeof(*ids), compare_ids);
	for (size_t i = 0; i < m->inputs_n; i++) {
		const struct graph_tensor *t = &m->inputs[i];
		if (t->has_resource && !bsearch(&t->resource_id, ids, n, sizeof(*ids), compare_ids))
			say_not_provided(r, t);
	}
	return 0;
}

static void check_outputs(const struct graph_reader *r)
{
	char pointer[GRAPH_POINTER_MAX];
	uint64_t id;

	for (const struct json *v = json_first(outputs_of(r)); v && json_key(v); v = json_next(v)) {
		if (read_id(v, &id))
			continue;
		graph_say_pointer(pointer, OUTPUTS "/", json_key(v));
		findings_add(r->f, RULE_SIGNATURE_RESOURCE_UNNAMED, FILEPATH_MODEL, pointer,
			"output " GRAPH_NAME " of initializerSignature has no resourceId, so no "
			"input can name it", json_key(v));
	}
}

/* ---- tables ---- */

static bool is_imported(const struct graph *g, uint32_t table)
{
	for (uint32_t k = g->users_first[table]; k < g->users_first[table + 1]; k++) {
		const char *op = g->nodes[g->users[k]].op;
		if (g->nodes[g->users[k]].needed &&
			(strstr(op, "LookupTableImport") || strstr(op, "InitializeTable")))
			return true;
	}
	return false;
}

static bool is_table(const struct graph_node *x)
{
	return strcmp(x->op, "HashTable") == 0 || strcmp(x->op, "HashTableV2") == 0;
}

/* A table of the main graph is the one that the initializer made under the same name; else it is a
 * new one, and empty. */
static void check_tables(const struct graph_reader *r)
{
	const struct graph *g = &r->main;
	uint32_t at;

	for (uint32_t i = 0; i < g->nodes_n; i++) {
		const struct graph_node *x = &g->nodes[i];
		if (!x->needed || !is_table(x) || x->fed)
			continue;
		if (!graph_names_get(&r->initializer.names, str_of(x->name), &at) ?
			!is_imported(g, i) : !is_imported(&r->initializer, at))
			graph_say_run(g, x, RULE_GRAPH_TABLE_EMPTY, "",
				"nothing is imported into this table, neither here nor into the "
				"node of its name in modelInitializer, so every lookup gives "
				"the default");
	}
	for (uint32_t i = 0; i < r->initializer.nodes_n; i++) {
		const struct graph_node *x = &r->initializer.nodes[i];
		if (is_table(x) && !is_imported(&r->initializer, i) &&
			!graph_names_get(&g->names, str_of(x->name), &at))
			graph_say_run(&r->initializer, x, RULE_GRAPH_TABLE_EMPTY, "",
				"nothing is imported into this table, so every lookup gives the "
				"default");
	}
}

int graph_initializer_check(const struct graph_reader *r, struct err *e)
{
	check_outputs(r);
	check_tables(r);
	return check_resources(r, e);
}
