/* SPDX-License-Identifier: Apache-2.0 */
/* The JSON that the catalog keeps with a version: what validation learned. Inside the registry. */
#pragma once

#include "common/registry/upload_model.h"
#include "common/registry/upload_repair.h"

/* {"kind","format","generated_by","converted_by","weights","weight_bytes","groups","shards",
 * "has_strings","model_json_name","repaired","layers","signature","model_artifacts_info",
 * "findings"}; members without a value are left out. The caller frees *ret. */
int upload_info_write(const struct upload_model *m, const struct upload_repair *repair,
	uint64_t weight_bytes, const struct findings *f, char **ret, struct err *e);

/* {"published_by","source","url","mirror"} of an upload that becomes a version now: who publishes,
 * unless only the address is known; "upload", "import" or "mirror"; where it was fetched. The
 * caller frees *ret. */
struct upload;
int upload_info_provenance(const struct upload *u, char **ret, struct err *e);

/* What was measured of each weight, as a JSON array; *ret is NULL when `scan` is. The caller frees
 * it. */
int upload_info_tensors(const struct weightscan *scan, char **ret, struct err *e);

/* True when the version's model.json was called `path` before it was stored under that name. */
bool upload_info_is_model_json_name(const char *info, const char *path);
