/* SPDX-License-Identifier: Apache-2.0 */
#include "common/model/modeljson.h"
#include "common/model/filepath.h"
#include "common/model/modeljson_spot.h"

#define TOPOLOGY "modelTopology"
#define MANIFEST "weightsManifest"

/* Which loaders read a member. */
enum reader { LAYERS_MODEL = 1 << MODELJSON_LAYERS, GRAPH_MODEL = 1 << MODELJSON_GRAPH };

static const char *type_of(const struct json *v)
{
	return v ? json_type_name(json_type(v)) : "nothing";
}

/* ---- not JSON ---- */

static int refuse_syntax(const char *bytes, size_t n, struct findings *f, struct err *e)
{
	const char *accident = modeljson_sniff((const uint8_t *)bytes, n, NULL);

	if (e->code != ERR_BAD_JSON && e->code != ERR_TOO_LARGE)
		return -(int)e->code;
	if (accident && strcmp(accident, "JSON") != 0)
		findings_add(f, RULE_JSON_SYNTAX, FILEPATH_MODEL, NULL, "this is %s, not JSON: %s",
			accident, e->text);
	else
		findings_add(f, RULE_JSON_SYNTAX, FILEPATH_MODEL, NULL, "%s", e->text);
	return 0;
}

/* ---- topology ---- */

/* {"class_name", "config"}: what deserializeKerasObject() asks for. */
static void check_keras(const struct json *config, const char *pointer, struct findings *f)
{
	const struct json *inside = json_get_set(config, "config");

	if (!json_is(config, JSON_OBJECT))
		findings_add(f, RULE_TOPOLOGY_KIND, FILEPATH_MODEL, pointer,
			"a Keras configuration is an object with class_name and config, not %s",
			type_of(config));
	else if (!json_is(json_get(config, "class_name"), JSON_STRING))
		findings_add(f, RULE_TOPOLOGY_KIND, FILEPATH_MODEL, pointer,
			"class_name of a Keras configuration is a string, not %s; TensorFlow.js "
			"says \"'className' and 'config' must set.\"",
			type_of(json_get(config, "class_name")));
	else if (!json_is(inside, JSON_OBJECT) && !json_is(inside, JSON_ARRAY))
		findings_add(f, RULE_TOPOLOGY_KIND, FILEPATH_MODEL, pointer,
			"config of a Keras configuration is an object, not %s; TensorFlow.js says "
			"\"'className' and 'config' must set.\"", type_of(inside));
}

static void check_graph(const struct json *graph, struct findings *f)
{
	if (!json_is(json_get(graph, "node"), JSON_ARRAY))
		findings_add(f, RULE_TOPOLOGY_KIND, FILEPATH_MODEL, "/" TOPOLOGY,
			"node of a GraphDef is an array, not %s; TensorFlow.js says \"Cannot read "
			"properties of undefined (reading 'reduce')\"",
			type_of(json_get(graph, "node")));
	/* a GraphDef without numbers in `versions` loads; one without `versions` does not */
	if (!json_get_set(graph, "versions"))
		findings_add(f, RULE_TOPOLOGY_KIND, FILEPATH_MODEL, "/" TOPOLOGY,
			"a GraphDef has versions, an object; TensorFlow.js says \"Cannot read "
			"properties of undefined (reading 'producer')\"");
}

static void check_topology(const struct json *topology, enum modeljson_kind *ret,
	struct findings *f)
{
	const struct json *keras = json_get_set(topology, "model_config");

	if (!json_is(topology, JSON_OBJECT)) {
		findings_add(f, RULE_JSON_TYPE, FILEPATH_MODEL, "/" TOPOLOGY,
			TOPOLOGY " is an object, not %s", type_of(topology));
	} else if (keras || json_get_set(topology, "class_name")) {
		*ret = MODELJSON_LAYERS;
		check_keras(keras ? keras : topology,
			keras ? "/" TOPOLOGY "/model_config" : "/" TOPOLOGY, f);
	} else if (json_get_set(topology, "node") || json_get_set(topology, "versions") ||
		json_get_set(topology, "library")) {
		*ret = MODELJSON_GRAPH;
		check_graph(topology, f);
	} else {
		findings_add(f, RULE_TOPOLOGY_KIND, FILEPATH_MODEL, "/" TOPOLOGY,
			TOPOLOGY " is neither a Keras configuration (class_name and config, or "
			"model_config) nor a GraphDef (node and versions)");
	}
}

/* ---- the other members ---- */

/* format, generatedBy and convertedBy are not here: nothing in TensorFlow.js reads them. */
static void check_members(const struct json *root, enum modeljson_kind kind, struct findings *f)
{
	static const struct {
		const char *name, *pointer;
		unsigned readers;
	} members[] = {
		{"userDefinedMetadata", "/userDefinedMetadata", LAYERS_MODEL},
		{"trainingConfig", "/trainingConfig", LAYERS_MODEL},
	};
	/* Only members of these are read, and numbers, strings and arrays have no such members. */
	static const char *const graph_members[] = {"/signature", "/userDefinedMetadata",
		"/modelInitializer", "/initializerSignature"};

	for (size_t i = 0; i < ARRAY_SIZE(members); i++) {
		const struct json *v = json_get_set(root, members[i].name);
		if (v && !json_is(v, JSON_OBJECT) && (members[i].readers & 1u << kind))
			findings_add(f, RULE_JSON_TYPE, FILEPATH_MODEL, members[i].pointer,
				"%s is an object, not %s", members[i].name, type_of(v));
	}
	for (size_t i = 0; kind == MODELJSON_GRAPH && i < ARRAY_SIZE(graph_members); i++) {
		const struct json *v = json_get_set(root, graph_members[i] + 1);
		if (v && !json_is(v, JSON_OBJECT))
			findings_add(f, RULE_JSON_MEMBER, FILEPATH_MODEL, graph_members[i],
				"%s is an object, not %s; TensorFlow.js finds nothing in it",
				graph_members[i] + 1, type_of(v));
	}
}

static int check_manifest(const struct json *root, struct modeljson *m, struct findings *f,
	struct err *e)
{
	const struct json *manifest = json_get_set(root, MANIFEST);

	if (manifest)
		return manifest_read(manifest, &m->manifest, f, e);
	if (m->kind == MODELJSON_GRAPH)
		findings_add(f, RULE_MANIFEST_TYPE, FILEPATH_MODEL, "",
			"a graph model has a " MANIFEST ", if an empty one; TensorFlow.js says "
			"\"undefined is not iterable\"");
	return 0;
}

static int check_root(const struct json *root, struct modeljson *m, struct findings *f,
	struct err *e)
{
	const struct json *topology = json_get_set(root, TOPOLOGY);

	if (!json_is(root, JSON_OBJECT)) {
		findings_add(f, RULE_JSON_ROOT, FILEPATH_MODEL, "",
			FILEPATH_MODEL " is an object, not %s", type_of(root));
		return 0;
	}
	if (!topology && !json_get_set(root, MANIFEST)) {
		findings_add(f, RULE_JSON_ROOT, FILEPATH_MODEL, "",
			FILEPATH_MODEL " has neither " TOPOLOGY
			" nor " MANIFEST "; TensorFlow.js says \"contains neither model topology "
			"or manifest for weights\"");
		return 0;
	}
	m->kind = MODELJSON_WEIGHTS;
	if (topology)
		check_topology(topology, &m->kind, f);
	check_members(root, m->kind, f);
	m->format = json_str_if_readable(json_get(root, "format"));
	m->generated_by = json_str_if_readable(json_get(root, "generatedBy"));
	m->converted_by = json_str_if_readable(json_get(root, "convertedBy"));
	return check_manifest(root, m, f, e);
}

/* ---- sizes of parts ---- */

struct measure {
	struct modeljson_spot_state spot;
	const char *bytes;
	size_t begin;
	struct modeljson *model;
};

static int measure_token(void *cls, const struct json_token *t, struct err *e)
{
	struct measure *x = cls;
	enum modeljson_spot spot;
	int r;

	r = modeljson_spot_next(&x->spot, x->bytes, t, &spot, e);
	if (r < 0 || (spot != MODELJSON_SPOT_TOPOLOGY && spot != MODELJSON_SPOT_GROUP_WEIGHTS))
		return r;
	if (t->event == JSON_EVENT_OBJECT_BEGIN || t->event == JSON_EVENT_ARRAY_BEGIN)
		x->begin = t->offset;
	else if (t->event == JSON_EVENT_OBJECT_END)
		x->model->topology_bytes = t->offset + t->n - x->begin;
	else if (t->event == JSON_EVENT_ARRAY_END)
		x->model->weight_specs_bytes += t->offset + t->n - x->begin;
	return 0;
}

int modeljson_parse(const char *bytes, size_t n, struct modeljson **ret, struct findings *f,
	struct err *e)
{
	CLEANUP(modeljson_free_p) struct modeljson *m = calloc(1, sizeof(*m));
	struct measure measure = {.bytes = bytes, .model = m};
	size_t errors = f->counts[FINDING_ERROR];
	int r;

	if (!m)
		return err_nomem(e);
	if (json_parse(bytes, n, &JSON_LIMITS_MODEL, &m->doc, e) < 0)
		return refuse_syntax(bytes, n, f, e);
	r = check_root(json_root(m->doc), m, f, e);
	if (r == 0)
		r = modeljson_check_read(m, bytes, n, f, e);
	if (r < 0 || f->counts[FINDING_ERROR] > errors)
		return r;
	r = json_scan(bytes, n, &JSON_LIMITS_MODEL, measure_token, &measure, e);
	if (r < 0)
		return r;
	*ret = take_ptr(m);
	return 0;
}

int modeljson_check_read(const struct modeljson *m, const char *bytes, size_t n,
	struct findings *f, struct err *e)
{
	if (json_check_read(m->doc, bytes, n, e) < 0)
		return refuse_syntax(bytes, n, f, e);
	return 0;
}

void modeljson_free(struct modeljson *m)
{
	if (!m)
		return;
	manifest_free(m->manifest);
	json_doc_free(m->doc);
	free(m);
}

const char *modeljson_kind_name(enum modeljson_kind kind)
{
	static const char *const names[] = {
		[MODELJSON_LAYERS] = "layers-model",
		[MODELJSON_GRAPH] = "graph-model",
		[MODELJSON_WEIGHTS] = "weights",
	};

	return names[kind];
}

/* ---- finding the model among other files ---- */

struct recognise {
	struct modeljson_spot_state spot;
	const char *bytes;
	bool found;
};

/* Stops at the first of the two keys: what is wrong behind it is modeljson_parse()'s to say. */
static int recognise_token(void *cls, const struct json_token *t, struct err *e)
{
	struct recognise *x = cls;
	enum modeljson_spot spot;
	int r;

	r = modeljson_spot_next(&x->spot, x->bytes, t, &spot, e);
	x->found = r == 0 && spot == MODELJSON_SPOT_ARTIFACT_KEY;
	return x->found ? -1 : r;
}

bool modeljson_recognise(const char *bytes, size_t n)
{
	struct recognise x = {.bytes = bytes};
	struct err unused;

	(void)json_scan(bytes, n, &JSON_LIMITS_MODEL, recognise_token, &x, &unused);
	return x.found;
}
