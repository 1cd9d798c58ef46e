/* SPDX-License-Identifier: Apache-2.0 */
#include "common/base/num.h"
#include "common/model/graph_internal.h"

#include <stdio.h>

/* ---- names ---- */

/* As JavaScript's Number() reads digits; nothing at all is 0 to it. */
static uint32_t parse_output(struct str digits)
{
	uint64_t v = 0;

	if (digits.n > 0 && !num_parse(digits.p, digits.n, GRAPH_NONE - 1, &v))
		return GRAPH_NONE;
	return (uint32_t)v;
}

struct str graph_nodes_parse(const char *input, uint32_t *ret_output, struct str *ret_name)
{
	const char *first = strchr(input, ':'), *last = strrchr(input, ':');
	const char *second = first ? strchr(first + 1, ':') : NULL;

	*ret_name = (struct str){NULL, 0};
	*ret_output = 0;
	if (!first)
		return str_of(input);
	if (second && second == last)
		*ret_name = (struct str){first + 1, (size_t)(second - first - 1)};
	*ret_output = parse_output(str_of(last + 1));
	return (struct str){input, (size_t)(first - input)};
}

/* The place of `name` in "indices,values,shape". */
static bool find_output(const char *outputs, struct str name, uint32_t *ret)
{
	struct str rest = str_of(outputs), item;

	for (uint32_t i = 0; str_split(&rest, ',', &item); i++) {
		if (str_eq(item, name)) {
			*ret = i;
			return true;
		}
	}
	return false;
}

bool graph_nodes_has_output(const struct graph_node *x, uint32_t output)
{
	return output != GRAPH_NONE && (x->outputs == 0 || output < x->outputs);
}

bool graph_nodes_find(const struct graph *g, const char *input, uint32_t *ret,
	uint32_t *ret_output)
{
	struct str unused;

	return graph_names_get(&g->names, graph_nodes_parse(input, ret_output, &unused), ret);
}

bool graph_nodes_is_placeholder(const struct graph_node *x)
{
	return strncmp(x->op, "Placeholder", strlen("Placeholder")) == 0;
}

bool graph_nodes_is_const(const struct graph_node *x)
{
	return strcmp(x->op, "Const") == 0;
}

bool graph_nodes_is_initial(const struct graph *g, const struct graph_node *x)
{
	return !g->function && x->edges_n == 0 && !graph_nodes_is_placeholder(x) &&
		!graph_nodes_is_const(x);
}

/* ---- nodes ---- */

static size_t count_inputs(const struct json *node)
{
	const struct json *inputs = json_get(node, "input");

	return json_is(inputs, JSON_ARRAY) ? json_count(inputs) : 0;
}

static void check_name(const struct graph *g, const struct graph_node *x, const struct json *name)
{
	if (!json_is(name, JSON_STRING))
		graph_say_load(g, x, RULE_GRAPH_NODE, "/name", "its name is a string, not %s",
			graph_say_type(name));
	else if (strcmp(x->name, "__proto__") == 0)
		graph_say_load(g, x, RULE_GRAPH_NODE, "/name",
			"JavaScript loses what has this name");
}

static void check_op(const struct graph *g, const struct graph_node *x, const struct json *op)
{
	if (!json_is(op, JSON_STRING) && g->function)
		graph_say_load(g, x, RULE_GRAPH_OP, "/op", "its op is a string, not %s",
			graph_say_type(op));
	else if (!json_is(op, JSON_STRING))
		graph_say_load(g, x, RULE_GRAPH_NODE, "/op",
			"its op is a string, not %s; TensorFlow.js says \"Cannot read "
			"properties of undefined (reading 'startsWith')\"", graph_say_type(op));
}

static void check_members(const struct graph *g, const struct graph_node *x)
{
	const struct json *input = json_get_set(x->json, "input");
	const struct json *attr = json_get_set(x->json, "attr");

	if (input && !json_is(input, JSON_ARRAY))
		graph_say_load(g, x, RULE_GRAPH_NODE, "/input",
			"its input is an array of strings, not %s; TensorFlow.js says "
			"\"(node.input || []).map is not a function\"", graph_say_type(input));
	if (attr && !json_is(attr, JSON_OBJECT))
		graph_say_load(g, x, RULE_GRAPH_ATTR_IGNORED, "/attr",
			"its attr is an object, not %s; TensorFlow.js sees no attributes",
			graph_say_type(attr));
}

static void read_node(struct graph *g, const struct json *v, uint32_t item)
{
	struct graph_node *x = &g->nodes[g->nodes_n++];
	const struct json *name = json_get(v, "name"), *op = json_get(v, "op");

	*x = (struct graph_node){
		.name = json_is(name, JSON_STRING) ? json_str(name) : "",
		.op = json_is(op, JSON_STRING) ? json_str(op) : "",
		.json = v,
		.attr = json_get_set(v, "attr"),
		.item = item,
	};
	x->known = graph_ops_find(x->op);
	if (!json_is(v, JSON_OBJECT)) {
		graph_say_load(g, x, RULE_GRAPH_NODE, "", "a node is an object, not %s",
			graph_say_type(v));
		return;
	}
	check_name(g, x, name);
	check_op(g, x, op);
	check_members(g, x);
}

int graph_nodes_read(struct graph *g, const struct json *array, size_t more, struct err *e)
{
	size_t n = json_count(array) + more;
	uint32_t item = 0;
	int r;

	if (n > GRAPH_NODES_MAX)
		return err_set(e, ERR_TOO_LARGE, "%zu nodes in one graph; at most %d are read", n,
			GRAPH_NODES_MAX);
	r = graph_names_init(&g->names, n, e);
	if (r < 0)
		return r;
	g->nodes = calloc(n + 1, sizeof(*g->nodes));
	if (!g->nodes)
		return err_nomem(e);
	for (const struct json *v = json_first(array); v; v = json_next(v))
		read_node(g, v, item++);
	return 0;
}

void graph_nodes_add_argument(struct graph *g, const char *name, uint32_t item)
{
	g->nodes[g->nodes_n++] = (struct graph_node){
		.name = name,
		.op = "Placeholder",
		.known = graph_ops_find("Placeholder"),
		.item = item,
		.argument = true,
		.fed = true,
	};
}

/* ---- inputs ---- */

/* The last node of a name is the one that counts. */
static void name_nodes(struct graph *g)
{
	uint32_t unused;

	for (size_t i = g->nodes_n; i-- > 0;) {
		struct graph_node *x = &g->nodes[i];
		if (graph_names_get(&g->names, str_of(x->name), &unused)) {
			x->replaced = true;
			graph_say_load(g, x, RULE_GRAPH_NAME_TWICE, "/name",
				"another node behind it has the same name, and TensorFlow.js uses "
				"that one");
		} else {
			(void)graph_names_set(&g->names, str_of(x->name), (uint32_t)i);
		}
		x->weight = graph_names_get(&g->r->weights, str_of(x->name), &unused);
	}
}

bool graph_nodes_named_output(const struct graph_node *x, struct str name, uint32_t *ret)
{
	const char *unmapped = graph_ops_unmapped(x->op);

	if (x->known && x->known->outputs)
		return find_output(x->known->outputs, name, ret);
	if (!unmapped || !find_output(unmapped, name, ret))
		return false;
	++*ret;
	return true;
}

/* In a function "topk:indices:0" means the second output, but TensorFlow.js goes by the 0 unless it
 * knows the name. */
static uint32_t map_output(const struct graph *g, const struct graph_node *x,
	const struct graph_node *from, const char *input, uint32_t output, struct str name)
{
	uint32_t at;

	if (!name.p || !graph_nodes_named_output(from, name, &at))
		return output;
	if (from->known && from->known->outputs)
		return at;
	graph_say_load(g, x, RULE_GRAPH_OUTPUT_NAME, "/input",
		"its input " GRAPH_NAME " is output %u, which TensorFlow.js does not know by name: "
		"it takes output %u", input, at, output);
	return output;
}

static struct graph_edge resolve(const struct graph *g, const struct graph_node *x, uint32_t i,
	const struct json *v)
{
	const char *input = json_str(v);
	struct graph_edge edge = {.from = GRAPH_NONE};
	char member[32];
	struct str name, output_name;

	(void)snprintf(member, sizeof(member), "/input/%u", i);
	if (!input) {
		graph_say_load(g, x, RULE_GRAPH_INPUT, member,
			"an input is a string, not %s; TensorFlow.js says \"input.startsWith is "
			"not a function\"", graph_say_type(v));
		return edge;
	}
	edge.control = input[0] == '^';
	input += edge.control;
	name = graph_nodes_parse(input, &edge.output, &output_name);
	if (!graph_names_get(&g->names, name, &edge.from)) {
		edge.from = GRAPH_NONE;
		graph_say_load(g, x, RULE_GRAPH_INPUT, member,
			"its input " GRAPH_NAME " names no node; TensorFlow.js says \"Cannot read "
			"properties of undefined (reading 'outputs')\"", input);
		return edge;
	}
	edge.output = map_output(g, x, &g->nodes[edge.from], input, edge.output, output_name);
	return edge;
}

static void resolve_node(struct graph *g, struct graph_node *x)
{
	const struct json *inputs = json_get(x->json, "input");

	x->edges = (uint32_t)g->edges_n;
	if (x->replaced || !json_is(inputs, JSON_ARRAY))
		return;
	for (const struct json *v = json_first(inputs); v; v = json_next(v)) {
		g->edges[g->edges_n++] = resolve(g, x, x->edges_n, v);
		x->edges_n++;
	}
}

/* Who reads whom, the other way round. */
static void invert(struct graph *g)
{
	for (size_t i = 0; i < g->edges_n; i++)
		if (g->edges[i].from != GRAPH_NONE)
			g->users_first[g->edges[i].from]++;
	for (size_t i = 0; i < g->nodes_n; i++)
		g->users_first[i + 1] += g->users_first[i];
	for (size_t i = 0; i < g->nodes_n; i++) {
		const struct graph_node *x = &g->nodes[i];
		for (uint32_t k = 0; k < x->edges_n; k++) {
			uint32_t from = g->edges[x->edges + k].from;
			if (from != GRAPH_NONE)
				g->users[--g->users_first[from]] = (uint32_t)i;
		}
	}
}

int graph_nodes_resolve(struct graph *g, struct err *e)
{
	size_t inputs = 0;

	name_nodes(g);
	for (size_t i = 0; i < g->nodes_n; i++)
		inputs += count_inputs(g->nodes[i].json);
	if (inputs >= GRAPH_NONE)
		return err_set(e, ERR_TOO_LARGE, "%zu inputs in one graph are not read", inputs);
	g->edges = calloc(inputs + 1, sizeof(*g->edges));
	g->users = calloc(inputs + 1, sizeof(*g->users));
	g->users_first = calloc(g->nodes_n + 1, sizeof(*g->users_first));
	if (!g->edges || !g->users || !g->users_first)
		return err_nomem(e);
	for (size_t i = 0; i < g->nodes_n; i++)
		resolve_node(g, &g->nodes[i]);
	invert(g);
	return 0;
}

void graph_nodes_done(struct graph *g)
{
	graph_names_done(&g->names);
	free(g->nodes);
	free(g->edges);
	free(g->users);
	free(g->users_first);
	free(g->outputs);
}
