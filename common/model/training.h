/* SPDX-License-Identifier: Apache-2.0 */
/* `trainingConfig`: what tf.loadLayersModel compiles the model with (tfjs-layers 4.22.0,
 * LayersModel.loadTrainingConfig and compile in engine/training.ts), and the optimizer's weights.
 * What Keras writes as training_config inside modelTopology is read by nobody.
 *
 * Pure: no I/O, any thread.
 */
#pragma once

#include "common/model/layers.h"

/* Check `config`, the member's value, against the model's outputs and the manifest (NULL: none).
 * What makes loading fail is an error in `f`. */
void training_check(const struct json *config, const struct layers_model *m,
	const struct manifest *manifest, struct findings *f);
