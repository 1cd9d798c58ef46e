/* SPDX-License-Identifier: Apache-2.0 */
/* What TensorFlow.js finds out before and while it executes a graph (src/executor/model_analysis.ts
 * and graph_executor.ts): which nodes its outputs need, and which of them get all their inputs. */
#include "common/model/graph_internal.h"

#define CYCLE_NAMES 4
#define MET         UINT32_MAX /* more than a node can wait for */

struct stack {
	uint32_t *items;
	size_t n;
};

/* The only edges that may lead back. A Merge waits for one of its inputs only, but which one it
 * will be depends on data: all others have to be computable. */
static bool leads_back(const struct graph_node *from, const struct graph_node *to)
{
	return strcmp(to->op, "Merge") == 0 && strcmp(from->op, "NextIteration") == 0;
}

/* Its value is there before anything is executed. */
static bool is_given(const struct graph *g, const struct graph_node *x)
{
	return x->fed || x->weight || graph_nodes_is_initial(g, x);
}

/* ---- needed ---- */

static void need(struct graph *g, struct stack *s, uint32_t i)
{
	if (g->nodes[i].needed)
		return;
	g->nodes[i].needed = true;
	s->items[s->n++] = i;
}

static void mark_needed(struct graph *g, struct stack *s)
{
	for (size_t i = 0; i < g->outputs_n; i++)
		need(g, s, g->outputs[i]);
	while (s->n > 0) {
		const struct graph_node *x = &g->nodes[s->items[--s->n]];
		if (is_given(g, x))
			continue;
		for (uint32_t k = 0; k < x->edges_n; k++)
			if (g->edges[x->edges + k].from != GRAPH_NONE)
				need(g, s, g->edges[x->edges + k].from);
	}
}

/* executeAsync() executes every node without inputs, needed or not. */
static void mark_async(struct graph *g)
{
	for (size_t i = 0; i < g->nodes_n; i++)
		g->async |= g->nodes[i].needed && g->nodes[i].known && g->nodes[i].known->async;
	for (size_t i = 0; g->async && i < g->nodes_n; i++)
		if (graph_nodes_is_initial(g, &g->nodes[i]) && !g->nodes[i].replaced)
			g->nodes[i].needed = true;
}

/* ---- computable ---- */

/* An input that names no node is an error already, which says enough. */
static uint32_t count_waits(const struct graph *g, const struct graph_node *x)
{
	uint32_t n = 0;

	for (uint32_t k = 0; k < x->edges_n; k++) {
		uint32_t from = g->edges[x->edges + k].from;
		n += from != GRAPH_NONE && !leads_back(&g->nodes[from], x);
	}
	return n;
}

static void compute(struct graph *g, struct stack *s, uint32_t i)
{
	g->nodes[i].computable = true;
	s->items[s->n++] = i;
}

static void spread(struct graph *g, struct stack *s)
{
	while (s->n > 0) {
		uint32_t i = s->items[--s->n];
		for (uint32_t k = g->users_first[i]; k < g->users_first[i + 1]; k++) {
			struct graph_node *user = &g->nodes[g->users[k]];
			if (!leads_back(&g->nodes[i], user) &&
				!user->computable && user->waits > 0 && --user->waits == 0)
				compute(g, s, g->users[k]);
		}
	}
}

static void mark_computable(struct graph *g, struct stack *s)
{
	for (uint32_t i = 0; i < g->nodes_n; i++) {
		struct graph_node *x = &g->nodes[i];
		x->waits = count_waits(g, x);
		if (is_given(g, x) || (x->edges_n > 0 && x->waits == 0))
			compute(g, s, i);
	}
	spread(g, s);
}

int graph_flow_mark(struct graph *g, struct err *e)
{
	struct stack s = {.items = calloc(g->nodes_n + 1, sizeof(*s.items))};

	if (!s.items)
		return err_nomem(e);
	mark_needed(g, &s);
	mark_async(g);
	mark_computable(g, &s);
	free(s.items);
	return 0;
}

/* ---- what is missing ---- */

static void say_missing(const struct graph *g, const struct graph_node *x)
{
	if (graph_nodes_is_const(x))
		return; /* graph_const.c has the words */
	if (graph_nodes_is_placeholder(x))
		graph_say_run(g, x, RULE_GRAPH_PLACEHOLDER_UNFED, "",
			"nothing gives it a value, for it is %s; TensorFlow.js says \"Missing the "
			"following inputs: [%.96s]\"",
			g->function ? "no argument of the function" :
			g->initializer ? "in the initializer, which has no inputs" :
			"not among the inputs of the signature", x->name);
	else
		graph_say_run(g, x, RULE_GRAPH_NOT_COMPUTABLE, "",
			"it has no inputs, and in a function TensorFlow.js executes no such "
			"node: it says \"Cannot compute the outputs\"");
}

/* The first input that `x` waits for in vain. */
static uint32_t waiting_for(const struct graph *g, uint32_t i)
{
	const struct graph_node *x = &g->nodes[i];

	for (uint32_t k = 0; k < x->edges_n; k++) {
		uint32_t from = g->edges[x->edges + k].from;
		if (from != GRAPH_NONE && !g->nodes[from].computable &&
			!leads_back(&g->nodes[from], x))
			return from;
	}
	return i;
}

/* Going back from a node that is on a cycle or behind one, the first node that is met again is on
 * one. */
static uint32_t find_cycle(struct graph *g, uint32_t i)
{
	while (g->nodes[i].waits != MET) {
		g->nodes[i].waits = MET;
		i = waiting_for(g, i);
	}
	return i;
}

static void say_cycle(struct graph *g, uint32_t stuck)
{
	const char *names[CYCLE_NAMES] = {"", "", "", ""};
	uint32_t first = find_cycle(g, stuck), i = first;
	size_t n = 0;

	do {
		if (n < CYCLE_NAMES)
			names[n] = g->nodes[i].name;
		n++;
		i = waiting_for(g, i);
	} while (i != first);
	graph_say_run(g, &g->nodes[first], RULE_GRAPH_CYCLE, "",
		"it waits for itself through %zu node%s: %.64s %.64s %.64s %.64s%s; only "
		"NextIteration may lead back, into Merge; TensorFlow.js computes nothing behind it",
		n, n == 1 ? "" : "s", names[0], names[1], names[2], names[3],
		n > CYCLE_NAMES ? " ..." : "");
}

/* A node that cannot be computed, if there is one, and better one that is needed. */
static uint32_t find_stuck(const struct graph *g)
{
	uint32_t found = GRAPH_NONE;

	for (uint32_t i = 0; i < g->nodes_n; i++) {
		if (g->nodes[i].computable || g->nodes[i].replaced)
			continue;
		if (g->nodes[i].needed)
			return i;
		found = i;
	}
	return found;
}

int graph_flow_check(struct graph *g, struct err *e)
{
	struct stack s = {.items = calloc(g->nodes_n + 1, sizeof(*s.items))};
	uint32_t stuck;

	if (!s.items)
		return err_nomem(e);
	for (uint32_t i = 0; i < g->nodes_n; i++) {
		struct graph_node *x = &g->nodes[i];
		if (x->computable || x->edges_n > 0 || x->replaced)
			continue;
		if (x->needed)
			say_missing(g, x);
		compute(g, &s, i);
	}
	spread(g, &s);
	free(s.items);
	stuck = find_stuck(g);
	if (stuck != GRAPH_NONE)
		say_cycle(g, stuck);
	return 0;
}
