// SPDX-License-Identifier: Apache-2.0
// Models without TensorFlow: model.json and weight bytes as TensorFlow.js and its converter write them.
// Runs in Node and in a page.

// Deterministic numbers in [0, 1): mulberry32.
export function random(seed) {
	let state = seed >>> 0;
	return () => {
		state = (state + 0x6d2b79f5) >>> 0;
		let t = state;
		t = Math.imul(t ^ (t >>> 15), t | 1);
		t ^= t + Math.imul(t ^ (t >>> 7), t | 61);
		return ((t ^ (t >>> 14)) >>> 0) / 4294967296;
	};
}

export function randomFloats(seed, n) {
	const next = random(seed);
	return Float32Array.from({ length: n }, () => next() * 2 - 1);
}

export const utf8 = (text) => new TextEncoder().encode(text);
export const bytesOf = (array) =>
	new Uint8Array(array.buffer, array.byteOffset, array.byteLength).slice();

export function concat(pieces) {
	const whole = new Uint8Array(pieces.reduce((n, piece) => n + piece.length, 0));
	let at = 0;
	for (const piece of pieces) {
		whole.set(piece, at);
		at += piece.length;
	}
	return whole;
}

// ---- weights: {entry, bytes} ----

export const count = (shape) => shape.reduce((product, size) => product * size, 1);

export function floatWeight(name, shape, values) {
	return { entry: { name, shape, dtype: 'float32' }, bytes: bytesOf(Float32Array.from(values)) };
}

export function intWeight(name, shape, values) {
	return { entry: { name, shape, dtype: 'int32' }, bytes: bytesOf(Int32Array.from(values)) };
}

export function boolWeight(name, shape, values) {
	return { entry: { name, shape, dtype: 'bool' }, bytes: Uint8Array.from(values, Number) };
}

// Each element: its length as uint32, then its bytes.
export function stringWeight(name, shape, texts) {
	const pieces = texts.flatMap((text) => {
		const bytes = utf8(text);
		return [bytesOf(Uint32Array.of(bytes.length)), bytes];
	});
	return { entry: { name, shape, dtype: 'string' }, bytes: concat(pieces) };
}

// `values` are re, im, re, im ...
export function complexWeight(name, shape, values) {
	return { entry: { name, shape, dtype: 'complex64' }, bytes: bytesOf(Float32Array.from(values)) };
}

// codes under an affine map, one rounding at the end.
export function affineWeight(name, shape, stored, codes, min, scale, dtype = 'float32') {
	const Codes = stored === 'uint8' ? Uint8Array : Uint16Array;
	return {
		entry: { name, shape, dtype, quantization: { dtype: stored, min, scale, original_dtype: dtype } },
		bytes: bytesOf(Codes.from(codes)),
		values: dtype === 'int32'
			? Int32Array.from(codes, (code) => Math.round(code * scale + min))
			: Float32Array.from(codes, (code) => code * scale + min),
	};
}

function halfToFloat(half) {
	const sign = half & 0x8000 ? -1 : 1;
	const exponent = (half >> 10) & 31;
	const fraction = half & 1023;
	if (exponent === 0) {
		return sign * fraction * 2 ** -24;
	}
	if (exponent === 31) {
		return fraction ? NaN : sign * Infinity;
	}
	return sign * (1 + fraction / 1024) * 2 ** (exponent - 15);
}

// `halves` are the 16 bits of each element.
export function halfWeight(name, shape, halves) {
	return {
		entry: { name, shape, dtype: 'float32', quantization: { dtype: 'float16' } },
		bytes: bytesOf(Uint16Array.from(halves)),
		values: Float32Array.from(halves, halfToFloat),
	};
}

// ---- files ----

// Cut bytes in pieces of `size`, the last one not longer, named as the converter does.
export function cut(bytes, size, { group = 1, prefix = '' } = {}) {
	const n = Math.ceil(bytes.length / size);
	return Array.from({ length: n }, (_, i) => ({
		path: `${prefix}group${group}-shard${i + 1}of${n}.bin`,
		bytes: bytes.slice(i * size, (i + 1) * size),
	}));
}

// {json, files: [{path, bytes}]}: model.json first, then the shards. `text` spells the JSON.
export function assemble(artifacts, weights, shards, text = JSON.stringify) {
	const paths = shards.map((shard) => shard.path);
	const json = {
		...artifacts,
		weightsManifest: [{ paths, weights: weights.map((weight) => weight.entry) }],
	};
	return {
		json,
		weights,
		files: [{ path: 'model.json', bytes: utf8(text(json)) }, ...shards],
	};
}

export const shardsOf = (model) => model.files.filter((file) => file.path !== 'model.json');

// The same files with model.json spelled anew from what `change` makes of its object or its text.
export function withJson(model, change) {
	const text = change(structuredClone(model.json));
	const bytes = typeof text === 'string' ? utf8(text) : utf8(JSON.stringify(text));
	return { ...model, files: [{ path: 'model.json', bytes }, ...shardsOf(model)] };
}

export function withFile(model, path, bytes) {
	const others = model.files.filter((file) => file.path !== path);
	return { ...model, files: bytes ? [...others, { path, bytes }] : others };
}

// ---- a layers model: one dense layer ----

function denseTopology(inputs, units, activation) {
	const variance = {
		class_name: 'VarianceScaling',
		config: { scale: 1, mode: 'fan_avg', distribution: 'uniform', seed: null },
	};
	const layer = {
		units, activation, use_bias: true, kernel_initializer: variance,
		bias_initializer: { class_name: 'Zeros', config: {} }, kernel_regularizer: null,
		bias_regularizer: null, activity_regularizer: null, kernel_constraint: null,
		bias_constraint: null, name: 'dense', trainable: true, batch_input_shape: [null, inputs],
		dtype: 'float32',
	};
	return {
		class_name: 'Sequential',
		config: { name: 'sequential', layers: [{ class_name: 'Dense', config: layer }] },
		keras_version: 'tfjs-layers 4.22.0',
		backend: 'tensor_flow.js',
	};
}

export function denseModel({ seed = 1, inputs = 4, units = 3, shardBytes, prefix, activation = 'linear',
	fill, metadata } = {}) {
	const kernel = floatWeight('dense/kernel', [inputs, units],
		fill === undefined ? randomFloats(seed, inputs * units) : new Float32Array(inputs * units).fill(fill));
	const bias = floatWeight('dense/bias', [units],
		fill === undefined ? randomFloats(seed + 1, units) : new Float32Array(units).fill(fill));
	const bytes = concat([kernel.bytes, bias.bytes]);
	const shards = shardBytes
		? cut(bytes, shardBytes, { prefix })
		: [{ path: 'model.weights.bin', bytes }];
	const artifacts = {
		modelTopology: denseTopology(inputs, units, activation),
		format: 'layers-model',
		generatedBy: 'TensorFlow.js tfjs-layers v4.22.0',
		convertedBy: null,
		...(metadata && { userDefinedMetadata: metadata }),
	};
	const model = assemble(artifacts, [kernel, bias], shards);
	return shardBytes ? model : withJson(model, (json) => {
		json.weightsManifest[0].paths = ['./model.weights.bin'];
		return json;
	});
}

// ---- graph models ----

const DT = { float32: 'DT_FLOAT', int32: 'DT_INT32', bool: 'DT_BOOL', string: 'DT_STRING',
	complex64: 'DT_COMPLEX64' };
export const typeAttr = (dtype) => ({ type: DT[dtype] ?? dtype });
export const shapeOf = (shape) =>
	shape.length === 0 ? {} : { dim: shape.map((size) => ({ size: String(size) })) };

export function placeholder(name, shape, dtype = 'float32') {
	return { name, op: 'Placeholder', attr: { dtype: typeAttr(dtype), shape: { shape: shapeOf(shape) } } };
}

// A Const node whose values come from the manifest.
export function constant({ entry }) {
	return {
		name: entry.name,
		op: 'Const',
		attr: {
			dtype: typeAttr(entry.dtype),
			value: { tensor: { dtype: DT[entry.dtype], tensorShape: shapeOf(entry.shape) } },
		},
	};
}

export function node(name, op, input, dtype = 'float32', attr = {}) {
	return { name, op, input, attr: { ...(dtype && { T: typeAttr(dtype) }), ...attr } };
}

export function signatureEntry(name, dtype, shape) {
	return { name: `${name}:0`, dtype: DT[dtype] ?? dtype, tensorShape: shapeOf(shape) };
}

export function graphArtifacts(nodes, inputs, outputs, more = {}) {
	return {
		format: 'graph-model',
		generatedBy: '2.15.0',
		convertedBy: 'TensorFlow.js Converter v4.22.0',
		signature: { inputs, outputs, methodName: 'tensorflow/serving/predict' },
		modelTopology: { node: nodes, library: {}, versions: { producer: 1645 } },
		...more,
	};
}

// y = x + w, the weight in `shards` equal files (or cut every `shardBytes`).
export function addGraph({ seed = 1, size = 6, shardBytes = size * 4, values, metadata } = {}) {
	const w = floatWeight('w', [size], values ?? randomFloats(seed, size));
	const nodes = [placeholder('x', [-1, size]), constant(w), node('y', 'AddV2', ['x', 'w'])];
	const artifacts = graphArtifacts(nodes, { x: signatureEntry('x', 'float32', [-1, size]) },
		{ y: signatureEntry('y', 'float32', [-1, size]) },
		metadata && { userDefinedMetadata: metadata });
	return assemble(artifacts, [w], cut(w.bytes, shardBytes));
}

// Two shards, the last one larger: zeros for TensorFlow.js 4.6 to 4.22.
export function badlyCut() {
	const weights = [1, 2, 3].map((i) => floatWeight(`w${i}`, [8], new Float32Array(8).fill(i)));
	const bytes = concat(weights.map((weight) => weight.bytes));
	return assemble({}, weights, [
		{ path: 'a.bin', bytes: bytes.slice(0, 32) }, { path: 'b.bin', bytes: bytes.slice(32) }]);
}
