/* SPDX-License-Identifier: Apache-2.0 */
#include "common/base/num.h"
#include "common/model/graph_internal.h"

#include <stdio.h>

static bool is_op(const struct graph_node *x, const char *op)
{
	return strcmp(x->op, op) == 0;
}

/* TensorFlow.js keeps control inputs among the others; those from a NoOp it leaves out where an
 * executor takes all inputs. */
static bool counts(const struct graph *g, const struct graph_edge *edge)
{
	return !edge->control || edge->from == GRAPH_NONE || !is_op(&g->nodes[edge->from], "NoOp");
}

uint64_t graph_edges_count(const struct graph *g, const struct graph_node *x)
{
	uint64_t n = 0;

	for (uint32_t i = 0; i < x->edges_n; i++)
		n += counts(g, &g->edges[x->edges + i]);
	return n;
}

static bool read_count(const struct graph_node *x, const char *attr, uint64_t *ret)
{
	const struct json *i = json_get(json_get_set(x->attr, attr), "i");
	const char *text = json_str(i);

	return text ? num_parse(text, strspn(text, "0123456789"), GRAPH_NODES_MAX, ret) :
		json_uint(i, GRAPH_NODES_MAX, ret);
}

/* 0 when it cannot be told; TensorFlow.js takes 1 for a Split that does not say. */
static uint64_t split_outputs(const struct graph_node *x)
{
	uint64_t n = 0;

	if (is_op(x, "Split") && !json_get_set(x->attr, "num_split"))
		return 1;
	(void)read_count(x, is_op(x, "Unpack") ? "num" : "num_split", &n);
	return n;
}

static uint64_t called_outputs(const struct graph *g, const struct graph_node *x)
{
	const struct graph *f = graph_library_find(g, x,
		strstr(x->op, "While") ? "body" : "then_branch");

	return f ? f->outputs_n : 0;
}

static uint64_t count_outputs(const struct graph *g, const struct graph_node *x)
{
	uint64_t n;

	if (!x->known)
		return 0;
	n = x->weight || x->fed ? 1 : graph_ops_outputs(x->known);
	if (n > 0)
		return n;
	if (is_op(x, "IdentityN") || is_op(x, "ShapeN"))
		return graph_edges_count(g, x);
	if (is_op(x, "Split") || is_op(x, "SplitV") || is_op(x, "Unpack"))
		return split_outputs(x);
	return called_outputs(g, x);
}

void graph_edges_count_outputs(struct graph *g)
{
	for (size_t i = 0; i < g->nodes_n; i++)
		g->nodes[i].outputs = count_outputs(g, &g->nodes[i]);
}

/* ---- checks ---- */

static void check_output(const struct graph *g, const struct graph_node *x, uint32_t i)
{
	const struct graph_edge *edge = &g->edges[x->edges + i];
	const struct graph_node *from;
	char member[32];

	/* executeAsync() waits for the tensor of a control input as for any other */
	if (edge->from == GRAPH_NONE || (edge->control && !g->async && !g->function))
		return;
	from = &g->nodes[edge->from];
	(void)snprintf(member, sizeof(member), "/input/%u", i);
	if (edge->output == GRAPH_NONE)
		graph_say_run(g, x, RULE_GRAPH_OUTPUT_INDEX, member,
			"the output of " GRAPH_NAME " that it reads is no number", from->name);
	else if (from->outputs > 0 && edge->output >= from->outputs)
		graph_say_run(g, x, RULE_GRAPH_OUTPUT_INDEX, member,
			"it reads output %u of " GRAPH_NAME " (%.48s), which has %llu in "
			"TensorFlow.js", edge->output, from->name, from->op,
			(unsigned long long)from->outputs);
}

static void say_control(const struct graph *g, const struct graph_node *x, uint32_t i,
	enum finding_rule rule)
{
	char member[32];

	(void)snprintf(member, sizeof(member), "/input/%u", i);
	graph_say_run(g, x, rule, member,
		"TensorFlow.js takes its control input from " GRAPH_NAME " for one of its operands",
		g->nodes[g->edges[x->edges + i].from].name);
}

/* How many inputs there are up to the last operand. */
static uint32_t operands_end(const struct graph *g, const struct graph_node *x)
{
	uint32_t end = x->edges_n;

	while (end > x->known->inputs_min && g->edges[x->edges + end - 1].control)
		end--;
	return end;
}

static bool is_concat(const struct graph_node *x)
{
	return is_op(x, "ConcatV2") || is_op(x, "Concat");
}

/* Behind as many inputs as the node says that it has, of an op that takes all of them, or the last
 * one, or the first one that has a value. */
static bool is_one_more(const struct graph *g, const struct graph_node *x, uint32_t i)
{
	uint64_t n, total = x->edges_n;

	if (x->known->takes == GRAPH_OPS_FIXED && !is_op(x, "Merge"))
		return false;
	if (x->known->takes == GRAPH_OPS_ALL && !counts(g, &g->edges[x->edges + i]))
		return false;
	if (x->known->takes == GRAPH_OPS_ALL)
		total = graph_edges_count(g, x);
	return read_count(x, "N", &n) && total > n + is_concat(x);
}

static bool may_be_operand(const struct graph *g, const struct graph_node *x, uint32_t i)
{
	if (x->known->takes == GRAPH_OPS_ALL)
		return counts(g, &g->edges[x->edges + i]);
	return x->known->takes == GRAPH_OPS_BACK || is_op(x, "Merge");
}

static void check_controls(const struct graph *g, const struct graph_node *x)
{
	uint32_t end = operands_end(g, x);

	for (uint32_t i = 0; i < x->edges_n; i++) {
		if (!g->edges[x->edges + i].control || g->edges[x->edges + i].from == GRAPH_NONE)
			continue;
		if (i >= end && is_one_more(g, x, i))
			say_control(g, x, i, RULE_GRAPH_CONTROL_INPUT);
		else if (i < end || may_be_operand(g, x, i))
			say_control(g, x, i, RULE_GRAPH_CONTROL_OPERAND);
		else
			continue;
		return;
	}
}

static uint32_t count_data(const struct graph *g, const struct graph_node *x)
{
	uint32_t n = 0;

	for (uint32_t i = 0; i < x->edges_n; i++)
		n += !g->edges[x->edges + i].control;
	return n;
}

static bool is_list(const struct graph_node *x)
{
	return is_op(x, "AddN") || is_op(x, "Pack") || is_op(x, "Merge") || is_op(x, "ShapeN") ||
		is_op(x, "Einsum");
}

/* A concatenation takes the first N, or 2 when it does not say; the axis is not among them. */
static void check_concat(const struct graph *g, const struct graph_node *x)
{
	uint64_t n = 2;

	(void)read_count(x, "N", &n);
	if (n + 1 < count_data(g, x))
		graph_say_run(g, x, RULE_GRAPH_ATTR, "/attr/N",
			"TensorFlow.js joins the first %llu of its inputs, for its N is %s, and it "
			"has %u and the axis", (unsigned long long)n,
			json_get_set(x->attr, "N") ? "that" : "absent", count_data(g, x) - 1);
	else if (n + 1 != count_data(g, x))
		graph_say_load(g, x, RULE_GRAPH_INPUTS_COUNT, "/input",
			"its N is %llu, and it has %u inputs with the axis", (unsigned long long)n,
			count_data(g, x));
}

/* Ops that say in N how many inputs they have. */
static void check_list(const struct graph *g, const struct graph_node *x)
{
	uint64_t n;

	if (is_concat(x))
		check_concat(g, x);
	else if (is_list(x) && read_count(x, "N", &n) && n != count_data(g, x))
		graph_say_load(g, x, RULE_GRAPH_INPUTS_COUNT, "/input",
			"its N is %llu, and it has %u inputs", (unsigned long long)n,
			count_data(g, x));
}

static bool has_fused(const struct graph_node *x, const char *word)
{
	const struct json *list = json_get(json_get_set(x->attr, "fused_ops"), "list");

	for (const struct json *v = json_first(json_get(list, "s")); v; v = json_next(v))
		if (graph_attr_is_word(v, word))
			return true;
	return false;
}

/* Operands behind the first two: the bias and the slope of Prelu. */
static void check_fused(const struct graph *g, const struct graph_node *x)
{
	bool bias = has_fused(x, "biasadd");
	uint64_t want = bias + (uint64_t)has_fused(x, "prelu"), args = 0;

	if (!strstr(x->op, "Fused") || strstr(x->op, "FusedBatchNorm"))
		return;
	(void)read_count(x, "num_args", &args);
	if (bias && args != want)
		graph_say_run(g, x, RULE_GRAPH_ATTR, "/attr/num_args",
			"its num_args is %llu, and its fused_ops take %llu; TensorFlow.js says "
			"\"with BiasAdd must have one extra argument: bias.\"",
			(unsigned long long)args, (unsigned long long)want);
	else if (args != want || count_data(g, x) != 2 + args)
		graph_say_load(g, x, RULE_GRAPH_INPUTS_COUNT, "/input",
			"its fused_ops take %llu inputs behind the first two, its num_args is "
			"%llu, and it has %u inputs", (unsigned long long)want,
			(unsigned long long)args, count_data(g, x));
}

/* TensorFlow.js counts control inputs among the others. */
static void check_count(const struct graph *g, const struct graph_node *x)
{
	if (x->edges_n < x->known->inputs_min)
		graph_say_run(g, x, RULE_GRAPH_INPUTS_FEW, "/input",
			"%s takes %u inputs and it has %u; TensorFlow.js says \"Cannot read "
			"properties of undefined (reading 'split')\"", x->op, x->known->inputs_min,
			x->edges_n);
	check_list(g, x);
	check_fused(g, x);
}

/* A node whose value is given is not executed. */
void graph_edges_check(const struct graph *g, const struct graph_node *x)
{
	if (!x->known || x->fed || x->weight)
		return;
	check_count(g, x);
	check_controls(g, x);
	for (uint32_t i = 0; i < x->edges_n; i++)
		check_output(g, x, i);
}
