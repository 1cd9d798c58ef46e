/* SPDX-License-Identifier: Apache-2.0 */
/* A model.json: whatever its topology and manifest are, reading ends, weights have names and
 * shapes, and the judgement does not depend on being asked twice. */
#include "common/model/layers.h"
#include "tests/fuzz/fuzz.h"

#include <stdlib.h>

static size_t judge(const struct json *root)
{
	CLEANUP(layers_free_p) struct layers_model *m = NULL;
	CLEANUP(manifest_free_p) struct manifest *manifest = NULL;
	CLEANUP_FINDINGS struct findings f;
	const struct layers_weight *weights;
	struct err e;
	size_t n;

	findings_init(&f);
	if (layers_read(json_get(root, "modelTopology"), &m, &f, &e) < 0)
		return 0;
	weights = layers_weights(m, &n);
	for (size_t i = 0; i < n; i++)
		if (!weights[i].name || (weights[i].rank > 0 && !weights[i].shape))
			abort();
	if (manifest_read(json_get(root, "weightsManifest"), &manifest, &f, &e) == 0 && manifest)
		(void)layers_match(m, manifest, &f, &e);
	return f.counts[FINDING_ERROR] + f.counts[FINDING_WARNING];
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	CLEANUP(json_doc_free_p) struct json_doc *doc = NULL;
	struct json_limits limits = JSON_LIMITS_SMALL;
	struct err e;

	if (json_parse((const char *)data, size, &limits, &doc, &e) < 0)
		return 0;
	if (judge(json_root(doc)) != judge(json_root(doc)))
		abort();
	return 0;
}
