/* SPDX-License-Identifier: Apache-2.0 */
#include "common/registry/upload_info.h"
#include "common/base/actor.h"
#include "common/base/network.h"
#include "common/json/json_write.h"
#include "common/registry/upload_internal.h"

#include <stdio.h>
#include <string.h>

#define INFO_MAX        (1u << 20)
#define TENSORS_MAX     (192u << 20) /* of the most weights with the longest names there can be */
#define MODEL_JSON_NAME "model_json_name"

static const struct json_limits info_limits = {INFO_MAX, 100000, 32, false};

static void write_set(struct json_write *w, const char *key, const char *value)
{
	if (value)
		json_write_str(w, key, value);
}

static void write_manifest(struct json_write *w, const struct manifest *m, uint64_t weight_bytes)
{
	json_write_uint(w, "weights", m ? m->weights_n : 0);
	json_write_uint(w, "weight_bytes", weight_bytes);
	json_write_uint(w, "groups", m ? m->groups : 0);
	json_write_uint(w, "shards", m ? m->paths_n : 0);
	if (m && m->has_strings)
		json_write_bool(w, "has_strings", true);
}

/* The names are TensorFlow.js's: ModelArtifactsInfo of tfjs-core/src/io/types.ts. */
static void write_artifacts_info(struct json_write *w, const struct modeljson *m,
	uint64_t weight_bytes)
{
	json_write_object(w, "model_artifacts_info");
	json_write_str(w, "modelTopologyType", "JSON");
	json_write_uint(w, "modelTopologyBytes", m->topology_bytes);
	json_write_uint(w, "weightSpecsBytes", m->weight_specs_bytes);
	json_write_uint(w, "weightDataBytes", weight_bytes);
	json_write_object_end(w);
}

static void write_repair(struct json_write *w, const struct upload_repair *repair)
{
	char hex[DIGEST_HEX + 1], text[DIGEST_HEX + 8];

	if (!repair->rule)
		return;
	(void)snprintf(text, sizeof(text), "sha256:%s", digest_hex(&repair->original, hex));
	json_write_object(w, "repaired");
	json_write_str(w, "rule", repair->rule);
	json_write_str(w, "original_root_digest", text);
	json_write_object_end(w);
}

int upload_info_write(const struct upload_model *m, const struct upload_repair *repair,
	uint64_t weight_bytes, const struct findings *f, char **ret, struct err *e)
{
	const struct modeljson *stored = repair->json ? repair->json : m->json;
	CLEANUP_BUF struct buf out = BUF_INIT(INFO_MAX);
	struct json_write w;
	int r;

	json_write_init(&w, &out);
	json_write_object(&w, NULL);
	json_write_str(&w, "kind", modeljson_kind_name(m->json->kind));
	write_set(&w, "format", m->json->format);
	write_set(&w, "generated_by", m->json->generated_by);
	write_set(&w, "converted_by", m->json->converted_by);
	write_manifest(&w, stored->manifest, weight_bytes);
	write_set(&w, MODEL_JSON_NAME, m->old_name);
	write_repair(&w, repair);
	artifact_write(m->artifact, &w);
	write_artifacts_info(&w, stored, weight_bytes);
	findings_write(f, &w, "findings");
	json_write_object_end(&w);
	r = buf_check(&out, "what there is to say about the model", e);
	if (r < 0)
		return r;
	*ret = buf_take(&out, NULL);
	return 0;
}

int upload_info_provenance(const struct upload *u, char **ret, struct err *e)
{
	const char *who = actor_now()->who;
	struct network address;
	const char *source = u->mirror[0] ? "mirror" : "import";
	CLEANUP_BUF struct buf out = BUF_INIT(INFO_MAX);
	struct json_write w;
	int r;

	json_write_init(&w, &out);
	json_write_object(&w, NULL);
	if (*who && !network_parse_address(str_of(who), &address))
		json_write_str(&w, "published_by", who);
	json_write_str(&w, "source", u->source_url ? source : "upload");
	write_set(&w, "url", u->source_url);
	write_set(&w, "mirror", u->mirror[0] ? u->mirror : NULL);
	json_write_object_end(&w);
	r = buf_check(&out, "where the model comes from", e);
	if (r == 0)
		*ret = buf_take(&out, NULL);
	return r;
}

int upload_info_tensors(const struct weightscan *scan, char **ret, struct err *e)
{
	CLEANUP_BUF struct buf out = BUF_INIT(TENSORS_MAX);
	struct json_write w;
	int r;

	*ret = NULL;
	if (!scan)
		return 0;
	json_write_init(&w, &out);
	weightscan_write(scan, &w, NULL);
	r = buf_check(&out, "what was measured of the weights", e);
	if (r < 0)
		return r;
	*ret = buf_take(&out, NULL);
	return 0;
}

bool upload_info_is_model_json_name(const char *info, const char *path)
{
	CLEANUP(json_doc_free_p) struct json_doc *doc = NULL;
	const char *name;
	struct err e;

	if (!strstr(info, "\"" MODEL_JSON_NAME "\"")) /* nearly always: spares the parser */
		return false;
	if (json_parse(info, strlen(info), &info_limits, &doc, &e) < 0)
		return false;
	name = json_str(json_get(json_root(doc), MODEL_JSON_NAME));
	return name && strcmp(name, path) == 0;
}
