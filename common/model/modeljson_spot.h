/* SPDX-License-Identifier: Apache-2.0 */
/* Which part of a model.json a token of json_scan() belongs to. Internal to common/model. */
#pragma once

#include "common/json/json_scan.h"

enum modeljson_spot {
	MODELJSON_SPOT_ELSEWHERE,
	MODELJSON_SPOT_ARTIFACT_KEY,  /* modelTopology or weightsManifest of the root object */
	MODELJSON_SPOT_TOPOLOGY,      /* the value of modelTopology: its first and last token */
	MODELJSON_SPOT_MANIFEST,      /* the value of weightsManifest: likewise */
	MODELJSON_SPOT_GROUP_WEIGHTS, /* the value of weightsManifest[i].weights: likewise */
	MODELJSON_SPOT_PATH,          /* a string in weightsManifest[i].paths */
};

enum modeljson_spot_member {
	MODELJSON_SPOT_OTHER_MEMBER,
	MODELJSON_SPOT_MODEL_TOPOLOGY,
	MODELJSON_SPOT_WEIGHTS_MANIFEST,
	MODELJSON_SPOT_PATHS,
	MODELJSON_SPOT_WEIGHTS,
};

/* Where the scan is; all zero at its start. */
struct modeljson_spot_state {
	enum modeljson_spot_member of_root, of_group; /* whose value comes */
	bool in_manifest, in_group, in_paths;         /* arrays and objects where they belong */
};

/* To be called with every token, in order. */
int modeljson_spot_next(struct modeljson_spot_state *s, const char *bytes,
	const struct json_token *t, enum modeljson_spot *ret, struct err *e);
