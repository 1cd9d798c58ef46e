/* SPDX-License-Identifier: Apache-2.0 */
/* Inputs and outputs, as transformGraph() of operation_mapper.ts finds them: from the signature
 * those whose node is there, else all Placeholders, and all nodes that no other one reads. */
#include "common/base/num.h"
#include "common/model/filepath.h"
#include "common/model/graph_internal.h"

#include <stdio.h>

/* One of `inputs` and `outputs` of a signature while it is read. */
struct side {
	const struct graph_reader *r;
	const struct json *entries;
	const char *pointer; /* "/signature/inputs/" */
	bool input;
	struct graph_names names; /* what TensorFlow.js maps keys by */
	struct graph_tensor *tensors;
	uint32_t *nodes; /* of the tensors */
	uint32_t n;
};

#define say(s, key, rule, ...) \
	do { \
		char pointer_[GRAPH_POINTER_MAX]; \
		graph_say_pointer(pointer_, (s)->pointer, key); \
		findings_add((s)->r->f, rule, FILEPATH_MODEL, pointer_, __VA_ARGS__); \
	} while (0)

/* ---- one tensor ---- */

static void set_shape(struct graph_tensor *t, const struct json *shape)
{
	if (!json_is(shape, JSON_OBJECT))
		return;
	t->rank_known = graph_attr_shape(shape, t->shape, &t->rank);
	for (size_t i = 0; i < t->rank; i++)
		if (t->shape[i] < -1)
			t->shape[i] = -1;
}

/* What the node says of its first output: a Placeholder what it takes, another one its type. */
static void set_from_node(struct graph_tensor *t, const struct graph *g, const struct graph_node *x)
{
	static const char *const attrs[] = {"dtype", "DstT", "output_type", "out_type", "T"};
	uint32_t at;

	for (size_t i = 0; i < ARRAY_SIZE(attrs) && strcmp(t->dtype, "DT_INVALID") == 0; i++) {
		const char *dtype = graph_attr_dtype(
			json_get_set(json_get_set(x->attr, attrs[i]), "type"));
		t->dtype = dtype ? dtype : t->dtype;
	}
	if (!t->rank_known && graph_nodes_is_placeholder(x))
		set_shape(t, json_get_set(json_get_set(x->attr, "shape"), "shape"));
	if (t->rank_known || !graph_nodes_is_const(x) ||
		!graph_names_get(&g->r->weights, str_of(x->name), &at))
		return;
	t->rank = g->r->manifest->weights[at].rank;
	t->rank_known = t->rank <= GRAPH_RANK_MAX;
	for (size_t i = 0; t->rank_known && i < t->rank; i++)
		t->shape[i] = (int64_t)g->r->manifest->weights[at].shape[i];
}

static void set_resource(struct side *s, struct graph_tensor *t, const struct json *v)
{
	const struct json *id = json_get_set(v, "resourceId");
	const char *text = json_str(id);

	if (!id)
		return;
	t->has_resource = json_uint(id, NUM_SAFE_INTEGER_MAX, &t->resource_id) ||
		(text && num_parse(text, strlen(text), UINT64_MAX, &t->resource_id));
	if (!t->has_resource)
		say(s, t->name, RULE_SIGNATURE_RESOURCE, "resourceId of " GRAPH_NAME
			" is a whole number, not %s", t->name, graph_say_type(id));
}

static struct graph_tensor read_tensor(struct side *s, const struct json *v, const char *key)
{
	const char *dtype = graph_attr_dtype(json_get(v, "dtype"));
	struct graph_tensor t = {
		.name = key,
		.node = json_str(json_get(v, "name")),
		.dtype = dtype ? dtype : "DT_INVALID",
	};

	if (json_get_set(v, "dtype") && !dtype)
		say(s, key, RULE_SIGNATURE_DTYPE, "dtype of " GRAPH_NAME " is none that TensorFlow "
			"has", key);
	set_shape(&t, json_get_set(v, "tensorShape"));
	set_resource(s, &t, v);
	return t;
}

/* ---- one side ---- */

static void say_no_node(struct side *s, const char *key, const char *name)
{
	if (s->input)
		say(s, key, RULE_SIGNATURE_INPUT_MISSING, "input " GRAPH_NAME " is " GRAPH_NAME
			", and there is no such node; TensorFlow.js does not list it, and when a "
			"page gives it, says \"The dict provided in model.execute(dict) has keys: "
			"[...] that are not part of graph\"", key, name);
	else
		say(s, key, RULE_SIGNATURE_OUTPUT_MISSING, "output " GRAPH_NAME " is " GRAPH_NAME
			", and there is no such node; TensorFlow.js leaves it out", key, name);
}

static void read_entry(struct side *s, const struct json *v, const char *key)
{
	const struct graph *g = &s->r->main;
	const char *name = json_str(json_get(v, "name"));
	uint32_t node, output, at;

	if (json_is(v, JSON_NULL)) {
		say(s, key, RULE_SIGNATURE_TYPE, "an entry of the signature is an object, not "
			"null; TensorFlow.js says \"Cannot read properties of null (reading "
			"'name')\"");
	} else if (!name || !graph_nodes_find(g, name, &node, &output)) {
		say_no_node(s, key, name ? name : graph_say_type(json_get(v, "name")));
	} else if (graph_names_get(&s->names, str_of(name), &at)) {
		say(s, key, RULE_SIGNATURE_SAME_NODE, GRAPH_NAME " and " GRAPH_NAME " are both "
			GRAPH_NAME "; TensorFlow.js lists only the last one", s->tensors[at].name,
			key, name);
		s->tensors[at] = read_tensor(s, v, key);
		set_from_node(&s->tensors[at], g, &g->nodes[node]);
	} else {
		(void)graph_names_set(&s->names, str_of(name), s->n);
		s->nodes[s->n] = node;
		s->tensors[s->n] = read_tensor(s, v, key);
		set_from_node(&s->tensors[s->n++], g, &g->nodes[node]);
	}
}

static void read_entries(struct side *s)
{
	if (json_is(s->entries, JSON_ARRAY) || json_is(s->entries, JSON_STRING))
		say(s, "", RULE_SIGNATURE_OBJECT, "inputs and outputs of a signature are objects, "
			"not %s", graph_say_type(s->entries));
	if (!json_is(s->entries, JSON_OBJECT))
		return;
	for (const struct json *v = json_first(s->entries); v; v = json_next(v))
		read_entry(s, v, json_key(v));
}

static int derive(struct side *s, struct err *e)
{
	const struct graph *g = &s->r->main;

	for (uint32_t i = 0; i < g->nodes_n; i++) {
		const struct graph_node *x = &g->nodes[i];
		bool is = s->input ? graph_nodes_is_placeholder(x) :
			g->users_first[i] == g->users_first[i + 1];
		if (!is || x->replaced)
			continue;
		if (s->n == GRAPH_TENSORS_MAX)
			return err_set(e, ERR_TOO_LARGE, "more than %d %s, and no signature that "
				"names some", GRAPH_TENSORS_MAX, s->input ? "inputs" : "outputs");
		s->nodes[s->n] = i;
		s->tensors[s->n] = (struct graph_tensor){.name = x->name, .node = x->name,
			.dtype = "DT_INVALID"};
		set_from_node(&s->tensors[s->n++], g, x);
	}
	return 0;
}

/* ---- in the order of JavaScript ---- */

struct order {
	uint64_t key;
	uint32_t at;
};

/* Keys that are array indices come first, by number, the others as they were added (ECMA-262,
 * OrdinaryOwnPropertyKeys). TensorFlow.js keeps tensors, and nodes, as members of an object. */
static uint64_t order_key(const char *name, uint32_t at)
{
	uint64_t index;

	if ((name[0] != '0' || name[1] == '\0') &&
		num_parse(name, strlen(name), UINT32_MAX - 1, &index))
		return index;
	return (UINT64_C(1) << 32) + at;
}

static int compare_order(const void *a, const void *b)
{
	uint64_t x = ((const struct order *)a)->key, y = ((const struct order *)b)->key;

	return (x > y) - (x < y);
}

static int put_in_order(struct side *s, struct err *e)
{
	CLEANUP_FREE struct order *order = calloc(s->n + 1, sizeof(*order));
	CLEANUP_FREE struct graph_tensor *tensors = NULL;
	CLEANUP_FREE uint32_t *nodes = NULL;
	bool indices = false;

	if (!order)
		return err_nomem(e);
	for (uint32_t i = 0; i < s->n; i++) {
		order[i] = (struct order){order_key(s->tensors[i].node, i), i};
		indices |= order[i].key >> 32 == 0;
	}
	if (!indices) /* nearly always */
		return 0;
	tensors = calloc(s->n, sizeof(*tensors));
	nodes = calloc(s->n, sizeof(*nodes));
	if (!tensors || !nodes)
		return err_nomem(e);
	qsort(order, s->n, sizeof(*order), compare_order);
	for (uint32_t i = 0; i < s->n; i++) {
		tensors[i] = s->tensors[order[i].at];
		nodes[i] = s->nodes[order[i].at];
	}
	free(s->tensors);
	free(s->nodes);
	s->tensors = take_ptr(tensors);
	s->nodes = take_ptr(nodes);
	return 0;
}

/* ---- one side as a whole ---- */

/* Whether two keys mean outputs of one node: the last one is the node's name then. */
static int check_same_node(struct side *s, struct err *e)
{
	CLEANUP_FREE uint32_t *owner = calloc(s->r->main.nodes_n + 1, sizeof(*owner));

	if (!owner)
		return err_nomem(e);
	memset(owner, 0xFF, (s->r->main.nodes_n + 1) * sizeof(*owner));
	for (uint32_t i = 0; i < s->n; i++) {
		uint32_t *first = &owner[s->nodes[i]];
		if (*first != GRAPH_NONE)
			say(s, s->tensors[i].name, RULE_SIGNATURE_SAME_NODE,
				GRAPH_NAME " and " GRAPH_NAME " are of one node; TensorFlow.js "
				"knows it by the last key only, and predict() returns that twice",
				s->tensors[*first].name, s->tensors[i].name);
		*first = i;
	}
	return 0;
}

static int read_side(struct side *s, bool *ret_declared, struct err *e)
{
	size_t declared = json_is(s->entries, JSON_OBJECT) ? json_count(s->entries) : 0;
	size_t room = declared;
	int r;

	if (declared == 0)
		room = s->r->main.nodes_n < GRAPH_TENSORS_MAX ? s->r->main.nodes_n :
			GRAPH_TENSORS_MAX;
	if (declared > GRAPH_TENSORS_MAX)
		return err_set(e, ERR_TOO_LARGE, "%zu %s in the signature; at most %d are read",
			declared, s->input ? "inputs" : "outputs", GRAPH_TENSORS_MAX);
	*ret_declared |= declared > 0;
	s->tensors = calloc(room + 1, sizeof(*s->tensors));
	s->nodes = calloc(room + 1, sizeof(*s->nodes));
	r = s->tensors && s->nodes ? graph_names_init(&s->names, room, e) : err_nomem(e);
	if (r < 0)
		return r;
	read_entries(s);
	if (declared == 0)
		r = derive(s, e);
	if (r == 0 && (declared > 0 || !s->input)) /* Placeholders are kept in a list */
		r = put_in_order(s, e);
	return r < 0 ? r : check_same_node(s, e);
}

static void side_done(struct side *s)
{
	graph_names_done(&s->names);
	free(s->tensors);
	free(s->nodes);
}

static void keep(struct graph_reader *r, struct side *inputs, struct side *outputs)
{
	struct graph_model *m = r->model;

	m->inputs_n = inputs->n;
	m->inputs = take_ptr(inputs->tensors);
	for (size_t i = 0; i < inputs->n; i++) {
		r->main.nodes[inputs->nodes[i]].fed = true;
		r->main.nodes[inputs->nodes[i]].input_key = m->inputs[i].name;
	}
	m->outputs_n = outputs->n;
	m->outputs = take_ptr(outputs->tensors);
	r->main.outputs_n = outputs->n;
	r->main.outputs = take_ptr(outputs->nodes);
}

static const struct json *find_signature(const struct graph_reader *r, enum graph_source *ret)
{
	const struct json *metadata = json_get_set(r->root, "userDefinedMetadata");
	const struct json *signature = json_get_set(metadata, "signature");

	*ret = signature ? GRAPH_METADATA : GRAPH_DECLARED;
	return signature ? signature : json_get_set(r->root, "signature");
}

int graph_signature_read(struct graph_reader *r, struct err *e)
{
	enum graph_source source;
	const struct json *signature = find_signature(r, &source);
	bool metadata = source == GRAPH_METADATA, declared = false;
	struct side inputs = {.r = r, .input = true, .entries = json_get_set(signature, "inputs"),
		.pointer = metadata ? "/userDefinedMetadata/signature/inputs/" :
			"/signature/inputs/"};
	struct side outputs = {.r = r, .entries = json_get_set(signature, "outputs"),
		.pointer = metadata ? "/userDefinedMetadata/signature/outputs/" :
			"/signature/outputs/"};
	int ret = read_side(&inputs, &declared, e);

	if (ret == 0)
		ret = read_side(&outputs, &declared, e);
	if (ret == 0) {
		r->model->source = declared ? source : GRAPH_DERIVED;
		keep(r, &inputs, &outputs);
	}
	side_done(&inputs);
	side_done(&outputs);
	return ret;
}

/* ---- against the nodes ---- */

static bool may_be_same_shape(const struct graph_tensor *t, const int64_t *shape, size_t rank)
{
	if (t->rank != rank)
		return false;
	for (size_t i = 0; i < rank; i++)
		if (t->shape[i] >= 0 && shape[i] >= 0 && t->shape[i] != shape[i])
			return false;
	return true;
}

/* TensorFlow.js checks what a page gives against the Placeholder, whatever the signature says. */
static void check_placeholder(const struct side *s, const struct graph_tensor *t,
	const struct graph_node *x)
{
	const struct json *shape = json_get_set(json_get_set(x->attr, "shape"), "shape");
	const char *dtype = graph_attr_dtype(json_get_set(json_get_set(x->attr, "dtype"), "type"));
	const char *js = dtype ? graph_ops_dtype_js(dtype) : NULL;
	const char *said = graph_ops_dtype_js(t->dtype);
	int64_t dims[GRAPH_RANK_MAX];
	size_t rank;

	if (js && said && strcmp(js, said) != 0)
		say(s, t->name, RULE_SIGNATURE_DTYPE, "input " GRAPH_NAME " is %s, and its node "
			GRAPH_NAME " is %s, which TensorFlow.js goes by: \"The dtype of dict[...] "
			"provided in model.execute(dict) must be %s, but was %s\"", t->name,
			t->dtype, x->name, dtype, js, said);
	if (shape && t->rank_known && graph_attr_shape(shape, dims, &rank) &&
		!may_be_same_shape(t, dims, rank))
		say(s, t->name, RULE_SIGNATURE_SHAPE, "input " GRAPH_NAME " has another shape than "
			"its node " GRAPH_NAME ", which TensorFlow.js goes by: \"The shape of "
			"dict[...] provided in model.execute(dict) must be [...]\"", t->name,
			x->name);
}

/* A page has no resource to give. */
static void check_resource(const struct side *s, const struct graph_tensor *t,
	const struct graph_node *x)
{
	const char *dtype = graph_attr_dtype(json_get_set(json_get_set(x->attr, "dtype"), "type"));

	if (t->has_resource)
		return;
	if (dtype && strcmp(dtype, "DT_RESOURCE") == 0)
		say(s, t->name, RULE_SIGNATURE_RESOURCE, "input " GRAPH_NAME " is a resource, and "
			"has no resourceId by which the initializer could provide it", t->name);
	else if (strcmp(t->dtype, "DT_RESOURCE") == 0)
		say(s, t->name, RULE_SIGNATURE_DTYPE, "input " GRAPH_NAME " is DT_RESOURCE, and "
			"its node " GRAPH_NAME " is none", t->name, x->name);
}

static void check_input(const struct side *s, const struct graph_tensor *t)
{
	const struct graph *g = &s->r->main;
	const struct graph_node *x;
	uint32_t node, output;

	if (!graph_nodes_find(g, t->node, &node, &output))
		return;
	x = &g->nodes[node];
	if (output != 0 && graph_nodes_is_placeholder(x))
		say(s, t->name, RULE_SIGNATURE_OUTPUT_INDEX, "input " GRAPH_NAME " is " GRAPH_NAME
			", and a Placeholder has output 0 only; what reads that gets nothing",
			t->name, t->node);
	if (!graph_nodes_is_placeholder(x))
		say(s, t->name, RULE_SIGNATURE_INPUT_NODE, "input " GRAPH_NAME " is the node "
			GRAPH_NAME " (%.48s), which is no Placeholder: what a page gives stands "
			"for what it would compute", t->name, x->name, x->op);
	else
		check_placeholder(s, t, x);
	check_resource(s, t, x);
}

/* A node that is input and output is known by its key among the inputs, which is then looked for
 * among the outputs. */
static void check_both(const struct side *s, const struct graph_tensor *t,
	const struct graph_node *x)
{
	if (strcmp(x->input_key, t->name) == 0 || strcmp(x->input_key, x->name) == 0)
		return;
	say(s, t->name, RULE_SIGNATURE_BOTH, "output " GRAPH_NAME " is the node of input "
		GRAPH_NAME " too; TensorFlow.js says \"The output '%.96s' is not found in the "
		"graph\"", t->name, x->input_key, x->input_key);
}

static void check_output(const struct side *s, const struct graph_tensor *t)
{
	const struct graph *g = &s->r->main;
	uint32_t node, output;

	if (!graph_nodes_find(g, t->node, &node, &output))
		return;
	if (!graph_nodes_has_output(&g->nodes[node], output))
		say(s, t->name, RULE_SIGNATURE_OUTPUT_INDEX, "output " GRAPH_NAME " is " GRAPH_NAME
			", which the node (%.48s) has not in TensorFlow.js", t->name, t->node,
			g->nodes[node].op);
	if (g->nodes[node].fed)
		check_both(s, t, &g->nodes[node]);
}

void graph_signature_check(const struct graph_reader *r)
{
	const struct graph_model *m = r->model;
	bool metadata = m->source == GRAPH_METADATA;
	struct side inputs = {.r = r, .input = true, .pointer = metadata ?
		"/userDefinedMetadata/signature/inputs/" : "/signature/inputs/"};
	struct side outputs = inputs;

	outputs.pointer = metadata ? "/userDefinedMetadata/signature/outputs/" :
		"/signature/outputs/";
	for (size_t i = 0; i < m->inputs_n && m->source != GRAPH_DERIVED; i++)
		check_input(&inputs, &m->inputs[i]);
	for (size_t i = 0; i < m->outputs_n && m->source != GRAPH_DERIVED; i++)
		check_output(&outputs, &m->outputs[i]);
	if (m->outputs_n == 0)
		findings_add(r->f, RULE_SIGNATURE_NO_OUTPUTS, FILEPATH_MODEL, "/modelTopology",
			"the model has no outputs: predict() computes nothing");
}
