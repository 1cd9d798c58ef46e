/* SPDX-License-Identifier: Apache-2.0 */
/* Reads texts of model.json from stdin, each behind a line with its length in bytes, and writes a
 * line of JSON for each: {"findings": [...], "source", "inputs", "outputs"}, the last three where
 * there is a graph model. Many in one run, for starting a program takes longer than judging. */
#include "common/base/num.h"
#include "common/model/graph.h"

#include <stdio.h>
#include <string.h>

#define TEXT_MAX (16 * MIB)

static void write_tensors(struct json_write *w, const char *key, const struct graph_tensor *t,
	size_t n)
{
	json_write_array(w, key);
	for (size_t i = 0; i < n; i++) {
		json_write_object(w, NULL);
		json_write_str(w, "name", t[i].name);
		json_write_str(w, "node", t[i].node);
		if (t[i].returned)
			json_write_str(w, "returned", t[i].returned);
		json_write_str(w, "dtype", t[i].dtype);
		if (t[i].rank_known)
			json_write_array(w, "shape");
		for (size_t k = 0; k < t[i].rank && t[i].rank_known; k++)
			json_write_int(w, NULL, t[i].shape[k]);
		if (t[i].rank_known)
			json_write_array_end(w);
		if (t[i].has_resource)
			json_write_uint(w, "resourceId", t[i].resource_id);
		json_write_object_end(w);
	}
	json_write_array_end(w);
}

static void write_graph(struct json_write *w, const struct graph_model *g)
{
	const struct graph_tensor *t;
	size_t n;

	json_write_str(w, "source", graph_source_name(graph_signature_source(g)));
	json_write_bool(w, "async", graph_counts(g)->async);
	json_write_uint(w, "nodes", graph_counts(g)->nodes);
	t = graph_inputs(g, &n);
	write_tensors(w, "inputs", t, n);
	t = graph_outputs(g, &n);
	write_tensors(w, "outputs", t, n);
}

static int judge(const char *text, size_t n, struct err *e)
{
	CLEANUP(modeljson_free_p) struct modeljson *m = NULL;
	CLEANUP(graph_free_p) struct graph_model *g = NULL;
	CLEANUP_FINDINGS struct findings f;
	CLEANUP_BUF struct buf out = BUF_INIT(TEXT_MAX);
	struct json_write w;
	int r;

	findings_init(&f);
	r = modeljson_parse(text, n, &m, &f, e);
	if (r == 0 && m && m->kind == MODELJSON_GRAPH)
		r = graph_read(m, &g, &f, e);
	if (r < 0)
		return r;
	json_write_init(&w, &out);
	json_write_object(&w, NULL);
	findings_write(&f, &w, "findings");
	if (g)
		write_graph(&w, g);
	json_write_object_end(&w);
	(void)printf("%s\n", buf_str(&out));
	return buf_check(&out, "the answer", e);
}

int main(void)
{
	char line[32];
	struct err e;
	uint64_t n;

	while (fgets(line, sizeof(line), stdin)) {
		CLEANUP_FREE char *text = NULL;
		if (!num_parse(line, strcspn(line, "\n"), TEXT_MAX, &n))
			return 2;
		text = malloc(n + 1);
		if (!text || fread(text, 1, n, stdin) != n)
			return 2;
		if (judge(text, n, &e) < 0) {
			(void)fprintf(stderr, "%s\n", e.text);
			return 1;
		}
		(void)fflush(stdout);
	}
	return 0;
}
