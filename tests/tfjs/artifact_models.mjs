// SPDX-License-Identifier: Apache-2.0
// Artifacts of every kind that are right, for the differential test of artifacts. Each is {name, loader,
// json, shards: [{path, bytes}], feeds, async, idle}: `loader` says who reads it, "layers", "graph", or
// "weights" where there is no topology; `idle` are weights that nothing needs.

import {
	addGraph, affineWeight, assemble, boolWeight, complexWeight, concat, constant, cut, denseModel, floatWeight,
	graphArtifacts, halfWeight, intWeight, node, placeholder, random, randomFloats, shardsOf, signatureEntry,
	stringWeight,
} from '../lib/models.mjs';
import { makers, random as graphRandom } from './graph_models.mjs';

const artifact = (name, loader, { json, files, shards }, more = {}) => ({
	name, loader, json, shards: shards ?? files.filter((file) => file.path !== 'model.json'), feeds: [], async: false, idle: [], ...more,
});

const parsed = (model) => JSON.parse(new TextDecoder().decode(model.files[0].bytes));

// ---- layers models ----

// As model.save(url) sends it.
async function saved(tf, model, includeOptimizer = false) {
	let form;
	const fetchFunc = async (url, { body }) => {
		form = body;
		return new Response(null, { status: 201 });
	};
	await model.save(tf.io.http('http://host/m', { fetchFunc }), { includeOptimizer });
	return {
		json: JSON.parse(await form.get('model.json').text()),
		shards: [{ path: 'model.weights.bin', bytes: new Uint8Array(await form.get('model.weights.bin').arrayBuffer()) }],
	};
}

// Values that no other weight has, in place of the random ones that TensorFlow.js begins with.
function fill(tf, model, seed) {
	const next = random(seed);
	model.setWeights(model.getWeights().map((w) =>
		tf.tensor(Float32Array.from({ length: w.size }, () => next() + 0.25), w.shape)));
	return model;
}

function functional(tf, seed) {
	const [a, b] = [tf.input({ shape: [4], name: 'a' }), tf.input({ shape: [4], name: 'b' })];
	const shared = tf.layers.dense({ units: 3, name: 'shared', activation: 'tanh' });
	const both = tf.layers.add({ name: 'both' }).apply([shared.apply(a), shared.apply(b)]);
	const norm = tf.layers.batchNormalization({ name: 'norm' }).apply(both);
	const outputs = [tf.layers.dense({ units: 2, name: 'left' }).apply(norm), tf.layers.dense({ units: 1, name: 'right' }).apply(both)];
	const model = fill(tf, tf.model({ inputs: [a, b], outputs, name: 'functional' }), seed);
	model.setUserDefinedMetadata({ labels: ['cat', 'dog'], nested: { deep: [1, 2.5, null] } });
	return model;
}

async function trained(tf, seed) {
	const model = fill(tf, tf.sequential({ name: 'trained', layers: [
		tf.layers.dense({ units: 3, name: 'hidden', inputShape: [2], activation: 'relu' }),
		tf.layers.dense({ units: 1, name: 'out' })] }), seed);
	model.compile({ optimizer: tf.train.adam(0.01), loss: 'meanSquaredError', metrics: ['accuracy'] });
	await model.trainOnBatch(tf.ones([4, 2]), tf.zeros([4, 1]));
	return model;
}

const recurrent = (tf, seed) => fill(tf, tf.sequential({ name: 'recurrent', layers: [
	tf.layers.lstm({ units: 2, name: 'lstm', inputShape: [3, 2] }), tf.layers.dense({ units: 1, name: 'out' })] }), seed);

// The weights of the dense layer in other forms: what the converter's --quantize flags make.
function quantizedDense(name, kernel, bias) {
	const made = denseModel();
	const bytes = concat([kernel.bytes, bias.bytes]);
	const shards = cut(bytes, bytes.length);
	const { weightsManifest, ...artifacts } = made.json;
	return artifact(name, 'layers', assemble(artifacts, [kernel, bias], shards));
}

function quantized(seed) {
	const next = random(seed);
	const codes = (n, max) => Array.from({ length: n }, () => 1 + Math.floor(next() * max));
	return [
		quantizedDense('uint8', affineWeight('dense/kernel', [4, 3], 'uint8', codes(12, 255), -0.5, 0.00390625),
			affineWeight('dense/bias', [3], 'uint8', codes(3, 255), 0, 0.0078125)),
		quantizedDense('uint16', affineWeight('dense/kernel', [4, 3], 'uint16', codes(12, 65535), -1, 0.00003),
			floatWeight('dense/bias', [3], randomFloats(seed, 3))),
		quantizedDense('half', halfWeight('dense/kernel', [4, 3], codes(12, 0x3BFF)), halfWeight('dense/bias', [3], codes(3, 0x3BFF))),
	];
}

// One group for each layer, as --split_weights_by_layer writes, in equal shards.
async function groups(tf, seed) {
	const model = fill(tf, tf.sequential({ name: 'groups', layers: [
		tf.layers.dense({ units: 2, name: 'one', inputShape: [2] }), tf.layers.dense({ units: 2, name: 'two' })] }), seed);
	const { json, shards: [{ bytes }] } = await saved(tf, model);
	const { weights } = json.weightsManifest[0];
	const shards = [1, 2].map((g) => cut(bytes.slice((g - 1) * 24, g * 24), 24, { group: g })[0]);
	json.weightsManifest = shards.map(({ path }, g) => ({ paths: [path], weights: weights.slice(g * 2, g * 2 + 2) }));
	return { json, shards };
}

function layersModels(seed) {
	const sharded = denseModel({ seed, inputs: 8, units: 8, shardBytes: 64 });
	const plain = denseModel({ seed });
	const { weightsManifest, ...topology } = plain.json;
	return [
		artifact('dense', 'layers', { json: parsed(plain), shards: shardsOf(plain) }),
		artifact('sharded', 'layers', sharded),
		artifact('manyshards', 'layers', denseModel({ seed, inputs: 9, units: 5, shardBytes: 16 })),
		artifact('topology', 'layers', { json: topology, shards: [] }),
		...quantized(seed),
	];
}

// ---- graph models ----

const feed = (shape, value, dtype = 'float32') =>
	({ dtype, shape, values: new Array(shape.reduce((n, d) => n * d, 1)).fill(value) });

// A weight of every dtype, over several shards that end inside of them.
function mixed(seed) {
	const next = random(seed);
	const weights = [
		stringWeight('words', [2, 2], ['', 'ä', 'words of some length', 'x']),
		boolWeight('flags', [3], [true, false, true]),
		intWeight('numbers', [2], [7, -65536]),
		complexWeight('waves', [2], [1.5, -2, 0.25, 3]),
		affineWeight('codes', [5], 'uint8', [1, 2, 3, 200, 255], -10, 0.5, 'int32'),
		stringWeight('none', [0], []),
		halfWeight('halves', [3], [0x3C00, 0xC000, 0x3555]),
		floatWeight('scale', [], [next() + 0.5]),
	];
	const bytes = concat(weights.map((weight) => weight.bytes));
	const dtypes = weights.map(({ entry }) => [entry.name, entry.dtype, entry.shape]);
	const nodes = [placeholder('x', [-1]), ...weights.map(constant), node('mul', 'Mul', ['x', 'scale']),
		...dtypes.filter(([name]) => name !== 'scale').map(([name, dtype]) => node(`${name}_out`, 'Identity', [name], dtype))];
	const outputs = Object.fromEntries([['y', signatureEntry('mul', 'float32', [-1])],
		...dtypes.filter(([name]) => name !== 'scale' && name !== 'waves').map(([name, dtype, shape]) => [name, signatureEntry(`${name}_out`, dtype, shape)])]);
	const json = graphArtifacts(nodes, { x: signatureEntry('x', 'float32', [-1]) }, outputs);
	return artifact('mixed', 'graph', assemble(json, weights, cut(bytes, 13)), { feeds: [{ x: feed([2], 1) }] });
}

// What is in the manifest and no node asks for does no harm.
function surplus(seed) {
	const made = addGraph({ seed });
	const more = floatWeight('nobody', [2], [1, 2]);
	const { weightsManifest, ...artifacts } = made.json;
	const weights = [...made.weights, more];
	const bytes = concat(weights.map((weight) => weight.bytes));
	return artifact('surplus', 'graph', assemble(artifacts, weights, cut(bytes, 16)), { feeds: [{ x: feed([1, 6], 0) }], idle: ['nobody'] });
}

function weightless() {
	const nodes = [placeholder('x', [-1]), node('y', 'Neg', ['x'])];
	const json = graphArtifacts(nodes, { x: signatureEntry('x', 'float32', [-1]) }, { y: signatureEntry('y', 'float32', [-1]) },
		{ weightsManifest: [] });
	return artifact('weightless', 'graph', { json, shards: [] }, { feeds: [{ x: feed([2], 1) }] });
}

const BY_HAND = ['elementwise', 'dense', 'conditional', 'functions', 'resource', 'table', 'text', 'quantized', 'derived', 'metadata', 'frozen'];

function graphModels(seed) {
	const made = makers.map((make) => make(graphRandom(seed))).filter(({ name }) => BY_HAND.includes(name));
	return [
		artifact('add', 'graph', addGraph({ seed, shardBytes: 8 }), { feeds: [{ x: feed([1, 6], 0) }] }),
		mixed(seed), surplus(seed), weightless(),
		...made.map(({ name, json, weights, feeds, async }) => artifact(name === 'dense' ? 'fused' : name, 'graph',
			{ json, shards: [{ path: 'group1-shard1of1.bin', bytes: new Uint8Array(weights) }] }, { feeds, async })),
	];
}

/** All of them, from numbers that `seed` chooses. */
export async function artifacts(tf, seed) {
	const layers = layersModels(seed);
	const { modelTopology, ...weightsOnly } = structuredClone(layers.find(({ name }) => name === 'sharded').json);
	return [
		...layers,
		artifact('functional', 'layers', await saved(tf, functional(tf, seed))),
		artifact('trained', 'layers', await saved(tf, await trained(tf, seed), true)),
		artifact('recurrent', 'layers', await saved(tf, recurrent(tf, seed))),
		artifact('groups', 'layers', await groups(tf, seed)),
		artifact('weights', 'weights', { json: weightsOnly, shards: layers.find(({ name }) => name === 'sharded').shards }),
		...graphModels(seed),
	];
}
