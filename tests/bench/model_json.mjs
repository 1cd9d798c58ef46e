// SPDX-License-Identifier: Apache-2.0
// Writes a model.json as TensorFlow.js or its converter would write it for a deep residual network:
// node model_json.mjs layers|graph BLOCKS FILE. Prints how many layers or nodes it has.

import fs from 'node:fs';
import { fileURLToPath } from 'node:url';

const CHANNELS = 8;

// ---- layers ----

const zeros = { class_name: 'Zeros', config: {} };
const ones = { class_name: 'Ones', config: {} };
const glorot = { class_name: 'VarianceScaling',
	config: { scale: 1, mode: 'fan_avg', distribution: 'uniform', seed: null } };

function conv(name) {
	return { filters: CHANNELS, kernel_initializer: glorot, kernel_regularizer: null, kernel_constraint: null,
		kernel_size: [3, 3], strides: [1, 1], padding: 'same', data_format: 'channels_last', dilation_rate: [1, 1],
		activation: 'linear', use_bias: true, bias_initializer: zeros, bias_regularizer: null,
		activity_regularizer: null, bias_constraint: null, name, trainable: true };
}

function norm(name) {
	return { axis: -1, momentum: 0.99, epsilon: 0.001, center: true, scale: true, beta_initializer: zeros,
		gamma_initializer: ones, moving_mean_initializer: zeros, moving_variance_initializer: ones,
		beta_regularizer: null, gamma_regularizer: null, beta_constraint: null, gamma_constraint: null, name,
		trainable: true };
}

// {count, json} of so many blocks.
export function layersModel(blocks) {
	const layers = [];
	const trainable = [];
	const others = [];
	const add = (class_name, config, ...inputs) => {
		layers.push({ class_name, config, name: config.name, inbound_nodes: inputs.length > 0
			? [inputs.map((input) => [input, 0, 0, {}])] : [] });
		return config.name;
	};
	const weight = (list, name, shape) => list.push({ name, shape, dtype: 'float32' });
	let x = add('InputLayer', { batch_input_shape: [null, 32, 32, CHANNELS], dtype: 'float32', sparse: false,
		name: 'input_1' });
	for (let k = 1; k <= blocks; k++) {
		const c = add('Conv2D', conv(`conv2d_${k}`), x);
		const b = add('BatchNormalization', norm(`batch_normalization_${k}`), c);
		const r = add('Activation', { activation: 'relu', name: `activation_${k}`, trainable: true }, b);
		x = add('Add', { name: `add_${k}`, trainable: true }, x, r);
		weight(trainable, `${c}/kernel`, [3, 3, CHANNELS, CHANNELS]);
		weight(trainable, `${c}/bias`, [CHANNELS]);
		weight(trainable, `${b}/gamma`, [CHANNELS]);
		weight(trainable, `${b}/beta`, [CHANNELS]);
		weight(others, `${b}/moving_mean`, [CHANNELS]);
		weight(others, `${b}/moving_variance`, [CHANNELS]);
	}
	return {
		count: layers.length,
		json: { modelTopology: { class_name: 'Model', config: { name: 'model1', layers,
			input_layers: [['input_1', 0, 0]], output_layers: [[x, 0, 0]] },
		keras_version: 'tfjs-layers 4.22.0', backend: 'tensor_flow.js' },
		format: 'layers-model', generatedBy: 'TensorFlow.js tfjs-layers v4.22.0', convertedBy: null,
		weightsManifest: [{ paths: ['./model.weights.bin'], weights: [...trainable, ...others] }] },
	};
}

// ---- graph ----

const base64 = (text) => Buffer.from(text).toString('base64');
const dims = (shape) => ({ dim: shape.map((size) => ({ size: String(size) })) });
const FLOAT = { type: 'DT_FLOAT' };

export function graphModel(blocks) {
	const nodes = [];
	const weights = [];
	const scope = (k) => `StatefulPartitionedCall/resnet/stage_${1 + (k >> 4)}/block_${k}`;
	const add = (name, op, input, attr) => {
		nodes.push({ name, op, ...(input.length > 0 ? { input } : {}), attr });
		return name;
	};
	const constant = (name, shape) => {
		weights.push({ name, shape, dtype: 'float32' });
		return add(name, 'Const', [], { dtype: FLOAT, value: { tensor: { dtype: 'DT_FLOAT', tensorShape: dims(shape) } } });
	};
	let x = add('input_1', 'Placeholder', [], { dtype: FLOAT, shape: { shape: dims([-1, 32, 32, CHANNELS]) } });
	for (let k = 0; k < blocks; k++) {
		const kernel = constant(`${scope(k)}/conv2d/Conv2D/ReadVariableOp`, [3, 3, CHANNELS, CHANNELS]);
		const bias = constant(`${scope(k)}/conv2d/BiasAdd/ReadVariableOp`, [CHANNELS]);
		const c = add(`${scope(k)}/activation/Relu`, '_FusedConv2D', [x, kernel, bias], {
			T: FLOAT, num_args: { i: '1' }, epsilon: { f: 0 }, padding: { s: base64('SAME') },
			data_format: { s: base64('NHWC') }, strides: { list: { i: ['1', '1', '1', '1'] } },
			dilations: { list: { i: ['1', '1', '1', '1'] } }, explicit_paddings: { list: {} },
			fused_ops: { list: { s: [base64('BiasAdd'), base64('Relu')] } }, use_cudnn_on_gpu: { b: true } });
		x = add(`${scope(k)}/add/add`, 'AddV2', [x, c], { T: FLOAT });
	}
	add('Identity', 'Identity', [x], { T: FLOAT });
	const tensor = (name) => ({ name, dtype: 'DT_FLOAT', tensorShape: dims([-1, 32, 32, CHANNELS]) });
	return {
		count: nodes.length,
		json: { format: 'graph-model', generatedBy: '2.15.0', convertedBy: 'TensorFlow.js Converter v4.22.0',
			signature: { inputs: { input_1: tensor('input_1:0') }, outputs: { add: tensor('Identity:0') } },
			modelTopology: { node: nodes, library: {}, versions: { producer: 1645 } },
			weightsManifest: [{ paths: ['group1-shard1of1.bin'], weights }] },
	};
}

if (process.argv[1] === fileURLToPath(import.meta.url)) {
	const [kind, blocks, file] = process.argv.slice(2);
	const { json, count } = { layers: layersModel, graph: graphModel }[kind](Number(blocks));
	fs.writeFileSync(file, JSON.stringify(json));
	console.log(count);
}
