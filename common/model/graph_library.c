/* SPDX-License-Identifier: Apache-2.0 */
/* The functions of a GraphDef's library, as mapFunction() of operation_mapper.ts maps them. */
#include "common/model/filepath.h"
#include "common/model/graph_internal.h"

#include <stdio.h>

#define LIBRARY "/modelTopology/library/function"

/* ---- reading ---- */

#define say_function(r, item, rule, member, ...) \
	do { \
		char pointer_[GRAPH_POINTER_MAX]; \
		(void)snprintf(pointer_, sizeof(pointer_), LIBRARY "/%zu%s", item, member); \
		findings_add((r)->f, rule, FILEPATH_MODEL, pointer_, __VA_ARGS__); \
	} while (0)

/* False when an argument has no name, which is said. */
static bool check_args(struct graph_reader *r, size_t item, const struct json *args,
	const char *what)
{
	char member[64];

	if (!json_is(args, JSON_ARRAY)) {
		(void)snprintf(member, sizeof(member), "/signature/%s", what);
		say_function(r, item, RULE_GRAPH_FUNCTION, member,
			"%s of a function is an array, not %s; TensorFlow.js says \"Cannot read "
			"properties of undefined (reading 'forEach')\"", what,
			graph_say_type(args));
		return false;
	}
	for (const struct json *arg = json_first(args); arg; arg = json_next(arg)) {
		if (!json_is(json_get(arg, "name"), JSON_STRING)) {
			(void)snprintf(member, sizeof(member), "/signature/%s", what);
			say_function(r, item, RULE_GRAPH_FUNCTION, member,
				"each %s of a function has a name; TensorFlow.js says \"Cannot "
				"read properties of undefined\"", what);
			return false;
		}
	}
	return true;
}

static const struct json *args_of(const struct graph *g, const char *what)
{
	return json_get(json_get(g->json, "signature"), what);
}

/* The tables are made once for each function: its `ret` may be wide. */
static int read_returns(struct graph *g, size_t item, struct err *e)
{
	const struct json *ret = json_get(g->json, "ret"), *args = args_of(g, "outputArg");
	struct graph_names names = {0};
	const char **values = calloc(json_count(ret) + 1, sizeof(*values));
	uint32_t n = 0, at, node, output;
	int r = values ? graph_names_init(&names, json_count(ret), e) : err_nomem(e);

	g->outputs = calloc(json_count(args) + 1, sizeof(*g->outputs));
	if (r == 0 && !g->outputs)
		r = err_nomem(e);
	for (const struct json *v = json_first(ret); r == 0 && v; v = json_next(v)) {
		if (json_is(ret, JSON_OBJECT))
			(void)graph_names_set(&names, str_of(json_key(v)), n);
		values[n++] = json_is(v, JSON_STRING) ? json_str(v) : NULL;
	}
	for (const struct json *arg = json_first(args); r == 0 && arg; arg = json_next(arg)) {
		const char *name = json_str(json_get(arg, "name"));
		if (!graph_names_get(&names, str_of(name), &at) || !values[at])
			say_function(g->r, item, RULE_GRAPH_FUNCTION, "/ret",
				"function " GRAPH_NAME " returns nothing for its output " GRAPH_NAME
				"; TensorFlow.js says \"Cannot read properties of undefined "
				"(reading 'split')\"", g->function, name);
		else if (graph_nodes_find(g, values[at], &node, &output))
			g->outputs[g->outputs_n++] = node;
	}
	graph_names_done(&names);
	free(values);
	return r;
}

static int read_nodes(struct graph *g, size_t item, struct err *e)
{
	const struct json *nodes = json_get_set(g->json, "nodeDef"), *args = args_of(g, "inputArg");
	uint32_t i = 0;
	int r;

	if (nodes && !json_is(nodes, JSON_ARRAY))
		say_function(g->r, item, RULE_GRAPH_FUNCTION, "/nodeDef",
			"nodeDef of a function is an array, not %s; TensorFlow.js says \"reduce is "
			"not a function\"", graph_say_type(nodes));
	r = graph_nodes_read(g, json_is(nodes, JSON_ARRAY) ? nodes : NULL, json_count(args), e);
	if (r < 0)
		return r;
	for (const struct json *arg = json_first(args); arg; arg = json_next(arg))
		graph_nodes_add_argument(g, json_str(json_get(arg, "name")), i++);
	g->args_n = i;
	return graph_nodes_resolve(g, e);
}

static int read_function(struct graph_reader *r, const struct json *v, size_t item, struct err *e)
{
	struct graph *g = &r->functions[r->functions_n];
	const char *name = json_str(json_get(json_get(v, "signature"), "name"));
	int ret;

	if (!json_is(v, JSON_OBJECT) || !name) {
		say_function(r, item, RULE_GRAPH_FUNCTION, "/signature/name",
			"a function has a signature with a name; TensorFlow.js says \"Cannot read "
			"properties of undefined (reading 'name')\"");
		return 0;
	}
	*g = (struct graph){.r = r, .function = name, .json = v};
	(void)snprintf(g->pointer, sizeof(g->pointer), LIBRARY "/%zu/nodeDef", item);
	if (!check_args(r, item, args_of(g, "inputArg"), "inputArg") ||
		!check_args(r, item, args_of(g, "outputArg"), "outputArg"))
		return 0;
	if (graph_names_set(&r->function_names, str_of(name), (uint32_t)r->functions_n++))
		say_function(r, item, RULE_GRAPH_NAME_TWICE, "/signature/name",
			"another function before it has the name " GRAPH_NAME ", and TensorFlow.js "
			"uses this one", name);
	ret = read_nodes(g, item, e);
	return ret < 0 ? ret : read_returns(g, item, e);
}

int graph_library_read(struct graph_reader *r, const struct json *library, struct err *e)
{
	const struct json *functions = json_get_set(library, "function");
	size_t n = json_count(functions), item = 0;
	int ret;

	if (!functions)
		return 0;
	if (!json_is(functions, JSON_ARRAY)) {
		findings_add(r->f, RULE_GRAPH_FUNCTION, FILEPATH_MODEL, LIBRARY,
			"function of a library is an array, not %s; TensorFlow.js says \"reduce is "
			"not a function\"", graph_say_type(functions));
		return 0;
	}
	if (n > GRAPH_FUNCTIONS_MAX)
		return err_set(e, ERR_TOO_LARGE, "%zu functions; at most %d are read", n,
			GRAPH_FUNCTIONS_MAX);
	r->functions = calloc(n + 1, sizeof(*r->functions));
	if (!r->functions)
		return err_nomem(e);
	ret = graph_names_init(&r->function_names, n, e);
	for (const struct json *v = json_first(functions); ret == 0 && v; v = json_next(v))
		ret = read_function(r, v, item++, e);
	return ret;
}

/* ---- calls ---- */

static const char *name_in(const struct graph_node *x, const char *attr)
{
	return json_str(json_get(json_get_set(json_get_set(x->attr, attr), "func"), "name"));
}

struct graph *graph_library_find(const struct graph *g, const struct graph_node *x,
	const char *attr)
{
	const char *name = name_in(x, attr);
	uint32_t at;

	if (!name || g->initializer || !graph_names_get(&g->r->function_names, str_of(name), &at))
		return NULL;
	return &g->r->functions[at];
}

static void push_called(struct graph *g, struct graph **stack, size_t *n)
{
	for (size_t i = 0; i < g->nodes_n; i++) {
		const struct graph_node *x = &g->nodes[i];
		for (size_t k = 0; x->needed && x->known && k < x->known->attrs_n; k++) {
			const struct graph_ops_attr *attr = &x->known->attrs[k];
			struct graph *f = attr->type == GRAPH_ATTR_FUNC ?
				graph_library_find(g, x, attr->name) : NULL;
			if (f && !f->called) {
				f->called = true;
				stack[(*n)++] = f;
			}
		}
	}
}

/* One that has the name of a weight has that for its value. */
static void count_needed_args(struct graph *f)
{
	const struct graph_node *args = f->nodes + (f->nodes_n - f->args_n);

	for (size_t i = 0; i < f->args_n; i++)
		if (args[i].needed && !args[i].weight)
			f->args_needed = i + 1;
}

int graph_library_mark_called(struct graph_reader *r, struct err *e)
{
	struct graph **stack = calloc(r->functions_n + 1, sizeof(struct graph *));
	size_t n = 0;

	if (!stack)
		return err_nomem(e);
	for (size_t i = 0; i < r->functions_n; i++)
		count_needed_args(&r->functions[i]);
	push_called(&r->main, stack, &n);
	while (n > 0)
		push_called(stack[--n], stack, &n);
	free(stack);
	return 0;
}

/* A function gets as many arguments as it has: with more TensorFlow.js throws, with fewer it cannot
 * compute what needs the others. */
static void check_arity(const struct graph *g, const struct graph_node *x, const char *attr,
	const struct graph *f, size_t given)
{
	char member[64];

	(void)snprintf(member, sizeof(member), "/attr/%s", attr);
	if (given > f->args_n)
		graph_say_run(g, x, RULE_GRAPH_CALL, member,
			"it calls " GRAPH_NAME " with %zu arguments, and that has %zu; "
			"TensorFlow.js says \"Cannot read properties of undefined (reading "
			"'name')\"", f->function, given, f->args_n);
	else if (given < f->args_needed)
		graph_say_run(g, x, RULE_GRAPH_CALL, member,
			"it calls " GRAPH_NAME " with %zu arguments, and that has %zu; "
			"TensorFlow.js says \"Cannot compute the outputs\"", f->function, given,
			f->args_n);
}

static void check_returned(const struct graph *g, const struct graph_node *x, const char *attr,
	const struct graph *f, size_t want)
{
	char member[64];

	(void)snprintf(member, sizeof(member), "/attr/%s", attr);
	if (f->outputs_n < want)
		graph_say_run(g, x, RULE_GRAPH_CALL, member,
			"it takes %zu outputs of " GRAPH_NAME ", which returns %zu", want,
			f->function, f->outputs_n);
}

/* Both branches of an If stand for it. */
static void check_branches(const struct graph *g, const struct graph_node *x)
{
	const struct graph *then = graph_library_find(g, x, "then_branch");
	const struct graph *other = graph_library_find(g, x, "else_branch");

	if (then && other && then->outputs_n != other->outputs_n)
		graph_say_run(g, x, RULE_GRAPH_CALL, "/attr",
			"one of its branches, " GRAPH_NAME ", returns %zu outputs, the other one, "
			GRAPH_NAME ", %zu", then->function, then->outputs_n, other->function,
			other->outputs_n);
}

void graph_library_check_call(const struct graph *g, const struct graph_node *x)
{
	bool loop = strstr(x->op, "While") != NULL;
	size_t given = (size_t)graph_edges_count(g, x);
	char member[64];

	given -= !loop && given > 0; /* the condition of an If */
	for (size_t i = 0; x->known && i < x->known->attrs_n; i++) {
		const struct graph_ops_attr *attr = &x->known->attrs[i];
		const struct graph *f;
		if (attr->type != GRAPH_ATTR_FUNC)
			continue;
		f = graph_library_find(g, x, attr->name);
		(void)snprintf(member, sizeof(member), "/attr/%s", attr->name);
		if (!f) {
			const char *name = name_in(x, attr->name);
			graph_say_run(g, x, RULE_GRAPH_CALL, member,
				"its %s names %s%.96s; TensorFlow.js says \"Cannot read "
				"properties of undefined (reading 'executeFunctionAsync')\"",
				attr->name, name ? "no function of the library: " : "no function",
				name ? name : "");
			continue;
		}
		check_arity(g, x, attr->name, f, given);
		if (loop)
			check_returned(g, x, attr->name, f,
				strcmp(attr->name, "cond") == 0 ? 1 : given);
	}
	if (!loop)
		check_branches(g, x);
}

/* ---- outputs ---- */

static void check_output(const struct graph *g, const char *pointer, const char *name,
	const char *value, uint32_t *taken)
{
	uint32_t node, output;

	if (!graph_nodes_find(g, value, &node, &output)) {
		findings_add(g->r->f, RULE_GRAPH_FUNCTION_OUTPUT, FILEPATH_MODEL, pointer,
			"function " GRAPH_NAME " returns " GRAPH_NAME " as " GRAPH_NAME
			", and it has no such node; TensorFlow.js leaves that output out",
			g->function, value, name);
		return;
	}
	if (!graph_nodes_has_output(&g->nodes[node], output))
		findings_add(g->r->f, RULE_GRAPH_FUNCTION_OUTPUT, FILEPATH_MODEL, pointer,
			"function " GRAPH_NAME " returns " GRAPH_NAME " as " GRAPH_NAME
			", an output that the node has not in TensorFlow.js", g->function, value,
			name);
	else if (taken[node] != GRAPH_NONE && taken[node] != output)
		findings_add(g->r->f, RULE_GRAPH_FUNCTION_OUTPUT, FILEPATH_MODEL, pointer,
			"function " GRAPH_NAME " returns two outputs of node " GRAPH_NAME
			"; TensorFlow.js returns the last one twice", g->function,
			g->nodes[node].name);
	taken[node] = output;
}

/* TensorFlow.js does not go by the name of an output here, not even by one that it knows. */
static void check_named(const struct graph *g, const char *pointer, const char *value)
{
	uint32_t node, output, meant;
	struct str name;

	(void)graph_nodes_parse(value, &output, &name);
	if (!name.p || !graph_nodes_find(g, value, &node, &output))
		return;
	if (graph_nodes_named_output(&g->nodes[node], name, &meant) && meant != output)
		findings_add(g->r->f, RULE_GRAPH_FUNCTION_OUTPUT, FILEPATH_MODEL, pointer,
			"function " GRAPH_NAME " returns " GRAPH_NAME ", which is output %u; "
			"TensorFlow.js returns output %u", g->function, value, meant, output);
}

int graph_library_check(const struct graph *g, struct err *e)
{
	CLEANUP_FREE uint32_t *taken = calloc(g->nodes_n + 1, sizeof(*taken));

	if (!taken)
		return err_nomem(e);
	memset(taken, 0xFF, (g->nodes_n + 1) * sizeof(*taken));
	for (const struct json *v = json_first(json_get(g->json, "ret")); v; v = json_next(v)) {
		char prefix[GRAPH_POINTER_MAX], pointer[GRAPH_POINTER_MAX];
		size_t n = strlen(g->pointer) - strlen("nodeDef");
		if (!json_str(v) || !json_key(v))
			continue;
		(void)snprintf(prefix, sizeof(prefix), "%.*sret/", (int)n, g->pointer);
		graph_say_pointer(pointer, prefix, json_key(v));
		check_output(g, pointer, json_key(v), json_str(v), taken);
		check_named(g, pointer, json_str(v));
	}
	return 0;
}
