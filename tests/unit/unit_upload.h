/* SPDX-License-Identifier: Apache-2.0 */
/* Small models and uploads of them. */
#pragma once

#include "common/registry/registry.h"

/* A layers model with one float32 weight [2] in ./model.weights.bin, as model.save sends it. */
#define UNIT_MODEL_JSON \
	"{\"modelTopology\":{\"class_name\":\"Sequential\"," \
	"\"config\":{\"name\":\"s\",\"layers\":[]}}," \
	"\"format\":\"layers-model\",\"generatedBy\":\"TensorFlow.js tfjs-layers v4.22.0\"," \
	"\"convertedBy\":null,\"weightsManifest\":[{\"paths\":[\"./model.weights.bin\"]," \
	"\"weights\":[{\"name\":\"w\",\"shape\":[2],\"dtype\":\"float32\"}]}]}"

struct unit_part {
	const char *part_name;
	const char *filename;
	const char *bytes;
	size_t n;
};

/* A part of text. */
#define UNIT_PART(part_name, filename, text) {part_name, filename, text, sizeof(text) - 1}

struct registry_options unit_upload_options(void);

/* Begin, write and end each part, then publish; the first failure is the answer. */
int unit_upload_publish(struct registry *r, const char *name, const struct unit_part *parts,
	size_t n, struct published *ret, struct findings *f, struct err *e);

/* Publish UNIT_MODEL_JSON with these 8 bytes of weights. */
int unit_upload_model(struct registry *r, const char *name, const char *weights,
	struct published *ret, struct err *e);
