/* SPDX-License-Identifier: Apache-2.0 */
/* userDefinedMetadata.structuredOutputKeys: predict() returns an object with these keys, one for
 * each output in turn, in place of a list (addStructuredOutputNames() of graph_model.ts). The names
 * that execute() takes stay those of the signature. */
#include "common/model/filepath.h"
#include "common/model/graph_internal.h"

#define POINTER "/userDefinedMetadata/structuredOutputKeys"

static bool is_list_of_texts(const struct json *keys)
{
	const struct json *k = json_is(keys, JSON_ARRAY) ? json_first(keys) : NULL;

	while (k && json_is(k, JSON_STRING))
		k = json_next(k);
	return json_is(keys, JSON_ARRAY) && !k;
}

/* The key that stands there twice, or NULL. */
static int find_repeated(const struct json *keys, size_t n, const char **ret, struct err *e)
{
	struct graph_names seen = {0};
	int r = graph_names_init(&seen, n, e);

	*ret = NULL;
	for (const struct json *k = json_first(keys); r == 0 && k && !*ret; k = json_next(k))
		if (graph_names_set(&seen, str_of(json_str(k)), 0))
			*ret = json_str(k);
	graph_names_done(&seen);
	return r;
}

static void rename_outputs(struct graph_model *m, const struct json *keys)
{
	size_t i = 0;

	for (const struct json *k = json_first(keys); k; k = json_next(k))
		m->outputs[i++].returned = json_str(k);
}

int graph_structured_read(struct graph_reader *r, struct err *e)
{
	const struct json *keys = json_get_set(json_get_set(r->root, "userDefinedMetadata"),
		"structuredOutputKeys");
	struct graph_model *m = r->model;
	const char *repeated;
	int ret;

	if (!keys)
		return 0;
	if (!is_list_of_texts(keys) || json_count(keys) != m->outputs_n) {
		findings_add(r->f, RULE_SIGNATURE_STRUCTURED, FILEPATH_MODEL, POINTER,
			"structuredOutputKeys is an array with a name for each of the %zu outputs",
			m->outputs_n);
		return 0;
	}
	ret = find_repeated(keys, m->outputs_n, &repeated, e);
	if (ret < 0)
		return ret;
	if (repeated)
		findings_add(r->f, RULE_SIGNATURE_STRUCTURED, FILEPATH_MODEL, POINTER,
			GRAPH_NAME " names two outputs in structuredOutputKeys; predict() returns "
			"only the last of them", repeated);
	else
		rename_outputs(m, keys);
	return 0;
}
