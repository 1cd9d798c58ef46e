/* SPDX-License-Identifier: Apache-2.0 */
/* Small models and uploads of them. */
#pragma once

#include "common/registry/registry.h"

/* A Keras topology with one weight, l/kernel: float32 [1,2]. */
#define UNIT_TOPOLOGY \
	"{\"class_name\":\"Sequential\",\"config\":{\"name\":\"s\",\"layers\":[" \
	"{\"class_name\":\"Dense\",\"config\":{\"name\":\"l\",\"units\":2," \
	"\"use_bias\":false,\"batch_input_shape\":[null,1]}}]}}"

/* One without any. */
#define UNIT_TOPOLOGY_BARE \
	"{\"class_name\":\"Sequential\",\"config\":{\"name\":\"s\",\"layers\":[" \
	"{\"class_name\":\"Dropout\",\"config\":{\"name\":\"f\",\"rate\":0.5," \
	"\"batch_input_shape\":[null,1]}}]}}"

/* The first with its weight in ./model.weights.bin, as model.save sends it. */
#define UNIT_MODEL_JSON \
	"{\"modelTopology\":" UNIT_TOPOLOGY "," \
	"\"format\":\"layers-model\",\"generatedBy\":\"TensorFlow.js tfjs-layers v4.22.0\"," \
	"\"convertedBy\":null,\"weightsManifest\":[{\"paths\":[\"./model.weights.bin\"]," \
	"\"weights\":[{\"name\":\"l/kernel\",\"shape\":[1,2],\"dtype\":\"float32\"}]}]}"

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
