// SPDX-License-Identifier: Apache-2.0
// What an application does with TensorFlow.js and a URL. The same code runs in Node and in a page:
// scenarios[name](tf, origin, name) returns when every weight and every prediction agreed bit for bit,
// and throws otherwise.

import {
	addGraph, affineWeight, assemble, boolWeight, bytesOf, complexWeight, concat, constant, count, cut,
	denseModel, floatWeight, graphArtifacts, halfWeight, intWeight, node, placeholder, random, randomFloats,
	signatureEntry, stringWeight, typeAttr, utf8,
} from '../lib/models.mjs';

// ---- comparing ----

function fail(message) {
	throw new Error(message);
}

export function assertSame(what, got, expected) {
	const a = JSON.stringify(got);
	const b = JSON.stringify(expected);
	if (a !== b) {
		fail(`${what}: ${a}, not ${b}`);
	}
}

function assertSameBytes(what, got, expected) {
	if (got.length !== expected.length) {
		fail(`${what}: ${got.length} bytes, not ${expected.length}`);
	}
	const at = got.findIndex((byte, i) => byte !== expected[i]);
	if (at >= 0) {
		fail(`${what}: byte ${at} is ${got[at]}, not ${expected[at]}`);
	}
}

function assertSameTensor(what, got, expected) {
	assertSame(`shape of ${what}`, got.shape, expected.shape);
	assertSame(`dtype of ${what}`, got.dtype, expected.dtype);
	if (got.dtype === 'string') {
		assertSame(what, [...got.dataSync()], [...expected.dataSync()]);
	} else {
		assertSameBytes(what, bytesOf(got.dataSync()), bytesOf(expected.dataSync()));
	}
}

function assertSameTensors(what, got, expected) {
	assertSame(`number of ${what}`, got.length, expected.length);
	got.forEach((tensor, i) => assertSameTensor(`${what} ${i}`, tensor, expected[i]));
}

const listed = (output) => (Array.isArray(output) ? output : [output]);

export async function rejection(promise) {
	try {
		await promise;
	} catch (error) {
		return error.message;
	}
	return fail('it did not fail');
}

// ---- publishing what TensorFlow.js does not save itself ----

export async function upload(origin, name, model) {
	const form = new FormData();
	for (const { path, bytes } of model.files) {
		form.append(path, new Blob([bytes]), path);
	}
	const response = await fetch(`${origin}/models/${name}`, { method: 'POST', body: form });
	const body = await response.text();
	if (!response.ok) {
		fail(`${response.status}: ${body}`);
	}
	return JSON.parse(body);
}

// ---- layers models: saved by TensorFlow.js, loaded by the name and by the pinned URL ----

// Weights that only the seed decides; moving variances must not be negative.
function seedWeights(tf, model, seed) {
	model.setWeights(model.getWeights().map((weight, i) => {
		const values = randomFloats(seed + i, weight.size).map((value) => Math.abs(value) / 2 + 0.01);
		return tf.tensor(values, weight.shape);
	}));
	return model;
}

function seededInputs(tf, model, seed) {
	return model.inputs.map((input, i) => {
		const shape = input.shape.map((size) => size ?? 3);
		return tf.tensor(randomFloats(seed + i, count(shape)), shape);
	});
}

function predictions(model, inputs) {
	return listed(model.predict(inputs.length === 1 ? inputs[0] : inputs));
}

async function roundTrip(tf, origin, name, model, saveOptions) {
	const url = `${origin}/models/${name}`;
	const saved = await model.save(url, saveOptions);
	assertSame('status', saved.responses[0].status, 201);
	const told = await saved.responses[0].json();
	for (const member of ['modelTopologyType', 'modelTopologyBytes', 'weightSpecsBytes', 'weightDataBytes']) {
		assertSame(member, told.modelArtifactsInfo[member], saved.modelArtifactsInfo[member]);
	}
	const inputs = seededInputs(tf, model, 77);
	const expected = predictions(model, inputs);
	const loaded = [];
	for (const from of [`${url}/model.json`, `${url}@${told.version}/model.json`, `${url}/model.json?v=1`]) {
		const again = await tf.loadLayersModel(from);
		assertSame('names', again.weights.map((w) => w.originalName), model.weights.map((w) => w.originalName));
		assertSameTensors(`weights of ${from}`, again.getWeights(), model.getWeights());
		assertSameTensors(`predictions of ${from}`, predictions(again, inputs), expected);
		loaded.push(again);
	}
	return { told, loaded };
}

function dense(tf) {
	return tf.sequential({ layers: [
		tf.layers.dense({ units: 16, inputShape: [8], activation: 'relu' }),
		tf.layers.dense({ units: 3, activation: 'softmax' }),
	] });
}

function convolution(tf) {
	return tf.sequential({ layers: [
		tf.layers.conv2d({ filters: 4, kernelSize: 3, inputShape: [8, 8, 3], useBias: false }),
		tf.layers.batchNormalization(),
		tf.layers.depthwiseConv2d({ kernelSize: 2 }),
		tf.layers.maxPooling2d({ poolSize: 2 }),
		tf.layers.flatten(),
		tf.layers.dense({ units: 5 }),
	] });
}

function lstm(tf) {
	return tf.sequential({ layers: [
		tf.layers.embedding({ inputDim: 10, outputDim: 4, inputLength: 6 }),
		tf.layers.bidirectional({ layer: tf.layers.lstm({ units: 3, returnSequences: true }) }),
		tf.layers.lstm({ units: 2 }),
	] });
}

function multiInput(tf) {
	const a = tf.input({ shape: [4], name: 'a' });
	const b = tf.input({ shape: [2], name: 'b' });
	const left = tf.layers.dense({ units: 3, name: 'left' }).apply(a);
	const right = tf.layers.dense({ units: 3, name: 'right' }).apply(b);
	const joined = tf.layers.concatenate().apply([left, right]);
	const first = tf.layers.dense({ units: 2, name: 'first' }).apply(joined);
	const second = tf.layers.add().apply([left, right]);
	return tf.model({ inputs: [a, b], outputs: [first, second] });
}

function nested(tf) {
	const inner = tf.sequential({ name: 'inner', layers: [
		tf.layers.dense({ units: 4, inputShape: [5], name: 'hidden' }),
		tf.layers.batchNormalization({ name: 'norm' }),
	] });
	const input = tf.input({ shape: [5] });
	const output = tf.layers.dense({ units: 2, name: 'out' }).apply(inner.apply(input));
	return tf.model({ inputs: input, outputs: output, name: 'outer' });
}

const savedAndLoaded = (build) => async (tf, origin, name) => {
	await roundTrip(tf, origin, name, seedWeights(tf, build(tf), 11));
};

async function withOptimizer(tf, origin, name) {
	const model = seedWeights(tf, dense(tf), 21);
	const x = tf.tensor(randomFloats(31, 32 * 8), [32, 8]);
	const y = tf.tensor(randomFloats(32, 32 * 3).map(Math.abs), [32, 3]);
	const fit = (trained) => trained.fit(x, y, { epochs: 2, batchSize: 16, shuffle: false });
	model.compile({ optimizer: tf.train.adam(0.01), loss: 'meanSquaredError', metrics: ['accuracy'] });
	await fit(model);
	const { loaded: [again] } = await roundTrip(tf, origin, name, model, { includeOptimizer: true });
	const state = async (trained) => (await trained.optimizer.getWeights()).map(({ tensor }) => tensor);
	assertSameTensors('optimizer weights', await state(again), await state(model));
	assertSame('optimizer', again.optimizer.getConfig(), model.optimizer.getConfig());
	await fit(model);
	await fit(again);
	assertSameTensors('weights after more training', again.getWeights(), model.getWeights());
}

async function withoutWeights(tf, origin, name) {
	const model = tf.sequential({ layers: [tf.layers.flatten({ inputShape: [2, 3] }),
		tf.layers.activation({ activation: 'relu' })] });
	await roundTrip(tf, origin, name, model);
}

async function withMetadata(tf, origin, name) {
	const metadata = { labels: ['cat', 'Ünï'], numbers: [1.5, -0, 1e21, 1e-7] };
	const model = seedWeights(tf, dense(tf), 41);
	model.setUserDefinedMetadata(metadata);
	const { loaded } = await roundTrip(tf, origin, name, model);
	for (const again of loaded) {
		assertSame('metadata', again.getUserDefinedMetadata(), metadata);
	}
}

async function savedTwice(tf, origin, name) {
	const url = `${origin}/models/${name}`;
	const model = seedWeights(tf, dense(tf), 51);
	const first = await (await model.save(url)).responses[0].json();
	const retried = (await model.save(url)).responses[0];
	assertSame('status of a retried save', retried.status, 200);
	assertSame('version of a retried save', (await retried.json()).version, first.version);
	seedWeights(tf, model, 52);
	assertSame('version of new weights', (await (await model.save(url)).responses[0].json()).version, 2);
	const inputs = seededInputs(tf, model, 53);
	const newest = await tf.loadLayersModel(`${url}/model.json`);
	assertSameTensors('newest', predictions(newest, inputs), predictions(model, inputs));
	seedWeights(tf, model, 51);
	const oldest = await tf.loadLayersModel(`${url}@1/model.json`);
	assertSameTensors('oldest', predictions(oldest, inputs), predictions(model, inputs));
}

async function refusedSave(tf, origin) {
	const message = await rejection(dense(tf).save(`${origin}/models/Upper`));
	if (!message.includes('status 400')) {
		fail(message);
	}
}

async function convertedLayers(tf, origin, name) {
	const model = denseModel({ inputs: 6, units: 5, shardBytes: 32, prefix: 'sub/folder/' });
	const { version } = await upload(origin, name, model);
	const url = `${origin}/models/${name}`;
	for (const from of [`${url}/model.json`, `${url}@${version}/model.json`, `${url}%40${version}/model.json`]) {
		const again = await tf.loadLayersModel(from);
		const values = model.weights.map(({ entry, bytes }) =>
			tf.tensor(new Float32Array(bytes.buffer), entry.shape));
		assertSameTensors('weights', again.getWeights(), values);
	}
}

// ---- graph models: GraphDef and weights by hand ----

async function assertGraphWeights(tf, model, weights) {
	for (const { entry, bytes, values, texts } of weights) {
		const [tensor] = model.weights[entry.name];
		assertSame(`shape of ${entry.name}`, tensor.shape, entry.shape);
		assertSame(`dtype of ${entry.name}`, tensor.dtype, entry.dtype);
		const data = await tensor.data();
		if (texts) {
			assertSame(entry.name, [...data], texts);
		} else {
			assertSameBytes(entry.name, bytesOf(data), values ? bytesOf(values) : bytes);
		}
	}
}

function quantizedModel() {
	const next = random(61);
	const codes = (n, max) => Array.from({ length: n }, () => Math.floor(next() * (max + 1)));
	const texts = ['', 'one', 'zwei €', 'three'];
	const n = 6;
	const weights = [
		affineWeight('u8', [n], 'uint8', codes(n, 255), -1.37, 0.0123456789),
		affineWeight('u16', [n], 'uint16', codes(n, 65535), -0.0, 1.5259e-5),
		affineWeight('u8int', [n], 'uint8', codes(n, 255), -100.5, 1, 'int32'),
		halfWeight('f16', [2, 8], [0, 0x8000, 1, 0x3ff, 0x400, 0x3c00, 0xbc00, 0x7bff, 0xfbff, 0x7c00, 0xfc00,
			0x3555, 0x0001, 0x8001, 0x4248, 0x5640]),
		intWeight('i32', [n], [0, 1, -1, 2147483647, -2147483648, 42]),
		boolWeight('flags', [3], [true, false, true]),
		{ ...stringWeight('words', [2, 2], texts), texts },
		{ ...complexWeight('waves', [2], [1, -2, 0.5, 1e-30]) },
		floatWeight('f32', [n], randomFloats(62, n)),
		floatWeight('scalar', [], [0.25]),
		floatWeight('nothing', [0, 4], []),
	];
	const nodes = [placeholder('x', [-1, n]), ...weights.map(constant),
		node('a', 'AddV2', ['x', 'u8']), node('b', 'Mul', ['a', 'u16']), node('y', 'AddV2', ['b', 'f32']),
		node('ints', 'AddV2', ['i32', 'u8int'], 'int32'),
		node('half', 'Identity', ['f16']), node('flagged', 'Identity', ['flags'], 'bool'),
		node('worded', 'Identity', ['words'], 'string'), node('re', 'Real', ['waves'], null),
		node('im', 'Imag', ['waves'], null), node('scaled', 'Mul', ['y', 'scalar'])];
	const artifacts = graphArtifacts(nodes, { x: signatureEntry('x', 'float32', [-1, n]) }, {
		y: signatureEntry('y', 'float32', [-1, n]),
		scaled: signatureEntry('scaled', 'float32', [-1, n]),
		ints: signatureEntry('ints', 'int32', [n]),
		half: signatureEntry('half', 'float32', [2, 8]),
		flagged: signatureEntry('flagged', 'bool', [3]),
		worded: signatureEntry('worded', 'string', [2, 2]),
		re: signatureEntry('re', 'float32', [2]),
		im: signatureEntry('im', 'float32', [2]),
	});
	return assemble(artifacts, weights, cut(concat(weights.map((weight) => weight.bytes)), 37));
}

function quantizedExpectations(tf, model, input) {
	const by = Object.fromEntries(model.weights.map((weight) => [weight.entry.name, weight]));
	const f32 = new Float32Array(by.f32.bytes.buffer);
	const y = input.map((x, i) => {
		const a = Math.fround(x + by.u8.values[i % 6]);
		return Math.fround(Math.fround(a * by.u16.values[i % 6]) + f32[i % 6]);
	});
	const ints = Int32Array.from(new Int32Array(by.i32.bytes.buffer), (v, i) => v + by.u8int.values[i]);
	const waves = new Float32Array(by.waves.bytes.buffer);
	return {
		y: tf.tensor(y, [2, 6]),
		scaled: tf.tensor(y.map((value) => value * 0.25), [2, 6]),
		ints: tf.tensor(ints, [6], 'int32'),
		half: tf.tensor(by.f16.values, [2, 8]),
		flagged: tf.tensor([true, false, true], [3], 'bool'),
		worded: tf.tensor(by.words.texts, [2, 2], 'string'),
		re: tf.tensor([waves[0], waves[2]], [2]),
		im: tf.tensor([waves[1], waves[3]], [2]),
	};
}

async function quantizedGraph(tf, origin, name) {
	const model = quantizedModel();
	const { version } = await upload(origin, name, model);
	const url = `${origin}/models/${name}`;
	const input = randomFloats(63, 12);
	const expected = quantizedExpectations(tf, model, input);
	const outputs = Object.keys(expected);
	for (const [from, options] of [[`${url}/model.json`], [`${url}@${version}/model.json`],
		[`${url}/model.json`, { streamWeights: true }], [`${url}@${version}/model.json`, { streamWeights: true }]]) {
		const loaded = await tf.loadGraphModel(from, options);
		await assertGraphWeights(tf, loaded, model.weights);
		const got = loaded.execute({ x: tf.tensor(input, [2, 6]) }, outputs);
		got.forEach((tensor, i) => assertSameTensor(outputs[i], tensor, expected[outputs[i]]));
	}
}

// As these shards are, TensorFlow.js reads zeros behind twice the first one's size and says nothing.
async function brokenLayout(tf, origin, name) {
	const model = quantizedModel();
	const bytes = concat(model.weights.map((weight) => weight.bytes));
	const [json] = model.files;
	const text = JSON.parse(new TextDecoder().decode(json.bytes));
	text.weightsManifest[0].paths = ['a.bin', 'b.bin'];
	const files = [{ path: 'model.json', bytes: utf8(JSON.stringify(text)) },
		{ path: 'a.bin', bytes: bytes.slice(0, 4) }, { path: 'b.bin', bytes: bytes.slice(4) }];
	const { version, findings } = await upload(origin, name, { ...model, files });
	assertSame('repaired', findings.some(({ rule }) => rule === 'weights.resharded'), true);
	for (const ref of [name, `${name}@${version}`]) {
		const loaded = await tf.loadGraphModel(`${origin}/models/${ref}/model.json`);
		await assertGraphWeights(tf, loaded, model.weights);
	}
}

// Saving a graph model that was loaded sends back what was loaded: the quantized bytes.
async function graphSavedAgain(tf, origin, name) {
	const model = quantizedModel();
	await upload(origin, name, model);
	const loaded = await tf.loadGraphModel(`${origin}/models/${name}/model.json`);
	const saved = await loaded.save(`${origin}/models/${name}/copy`);
	assertSame('status', saved.responses[0].status, 201);
	const copy = await tf.loadGraphModel(`${origin}/models/${name}/copy/model.json`);
	await assertGraphWeights(tf, copy, model.weights);
	const response = await fetch(`${origin}/models/${name}/copy@1/model.weights.bin`);
	assertSameBytes('weights', new Uint8Array(await response.arrayBuffer()),
		concat(model.weights.map((weight) => weight.bytes)));
}

function tableModel() {
	const keys = { ...stringWeight('keys', [3], ['cat', 'dog', 'eel']) };
	const values = floatWeight('values', [3], [1.5, -2, 0.125]);
	const missing = floatWeight('missing', [], [-1]);
	const types = { key_dtype: { type: 'DT_STRING' }, value_dtype: { type: 'DT_FLOAT' } };
	const tableTypes = { Tin: { type: 'DT_STRING' }, Tout: { type: 'DT_FLOAT' } };
	const nodes = [
		{ name: 'words', op: 'Placeholder', attr: { dtype: typeAttr('string'),
			shape: { shape: { dim: [{ size: '-1' }] } } } },
		{ name: 'table', op: 'Placeholder', attr: { dtype: { type: 'DT_RESOURCE' }, shape: { shape: {} } } },
		constant(missing),
		{ name: 'found', op: 'LookupTableFindV2', input: ['table', 'words', 'missing'], attr: tableTypes },
		node('y', 'Identity', ['found']),
	];
	const initializer = { node: [
		constant(keys), constant(values),
		{ name: 'made', op: 'HashTableV2', attr: { shared_name: { s: 'dGFibGU=' }, container: { s: '' },
			use_node_name_sharing: { b: true }, ...types } },
		{ name: 'filled', op: 'LookupTableImportV2', input: ['made', 'keys', 'values'], attr: tableTypes },
		{ name: 'handle', op: 'Identity', input: ['made', '^filled'], attr: { T: { type: 'DT_RESOURCE' } } },
	], library: {}, versions: { producer: 1645 } };
	const resource = { dtype: 'DT_RESOURCE', tensorShape: {}, resourceId: 7 };
	const artifacts = graphArtifacts(nodes, {
		words: signatureEntry('words', 'string', [-1]),
		table: { name: 'table:0', ...resource },
	}, { y: signatureEntry('y', 'float32', [-1]) }, {
		modelInitializer: initializer,
		initializerSignature: { outputs: { handle: { name: 'handle:0', ...resource } } },
	});
	const weights = [keys, values, missing];
	return assemble(artifacts, weights, cut(concat(weights.map((weight) => weight.bytes)), 1024));
}

async function hashTable(tf, origin, name) {
	const { version } = await upload(origin, name, tableModel());
	for (const ref of [name, `${name}@${version}`]) {
		const model = await tf.loadGraphModel(`${origin}/models/${ref}/model.json`);
		const got = await model.executeAsync({ words: tf.tensor1d(['dog', 'bat', 'cat'], 'string') }, 'y');
		assertSame('looked up', [...got.dataSync()], [-2, -1, 1.5]);
	}
}

async function fromHub(tf, origin, name) {
	const model = addGraph({ seed: 71, size: 12, shardBytes: 16 });
	const { version } = await upload(origin, name, model);
	for (const base of [`${origin}/models/${name}`, `${origin}/models/${name}/`,
		`${origin}/models/${name}@${version}`]) {
		const loaded = await tf.loadGraphModel(base, { fromTFHub: true });
		await assertGraphWeights(tf, loaded, model.weights);
	}
}

async function withQuery(tf, origin, name) {
	const model = addGraph({ seed: 81, size: 12, shardBytes: 16 });
	const { version } = await upload(origin, name, model);
	for (const query of ['?v=2', '?token=a%2Fb&x=1', '?tfjs-format=file']) {
		for (const ref of [name, `${name}@${version}`]) {
			const loaded = await tf.loadGraphModel(`${origin}/models/${ref}/model.json${query}`);
			await assertGraphWeights(tf, loaded, model.weights);
		}
	}
}

async function manyShards(tf, origin, name) {
	const model = addGraph({ seed: 91, size: 20_000, shardBytes: 400 });
	assertSame('shards', model.files.length, 201);
	const { version } = await upload(origin, name, model);
	for (const ref of [name, `${name}@${version}`]) {
		const loaded = await tf.loadGraphModel(`${origin}/models/${ref}/model.json`);
		await assertGraphWeights(tf, loaded, model.weights);
	}
}

// Headers of its own make every request of a load a preflighted one.
async function withHeaders(tf, origin, name) {
	const model = addGraph({ seed: 95, size: 12, shardBytes: 16 });
	await upload(origin, name, model);
	const loaded = await tf.loadGraphModel(`${origin}/models/${name}/model.json`,
		{ requestInit: { headers: { 'If-None-Match': '"other"' } } });
	await assertGraphWeights(tf, loaded, model.weights);
}

async function saveByPut(tf, origin, name) {
	const model = seedWeights(tf, dense(tf), 97);
	const saved = await model.save(tf.io.http(`${origin}/models/${name}`, { requestInit: { method: 'PUT' } }));
	assertSame('status', saved.responses[0].status, 201);
	const again = await tf.loadLayersModel(`${origin}/models/${name}/model.json`);
	assertSameTensors('weights', again.getWeights(), model.getWeights());
}

// Every version holds its own number, in every weight and in the JSON.
const VERSIONS = 25;
const numbered = (version) => addGraph({ size: 40, values: new Float32Array(40).fill(version),
	shardBytes: 16, metadata: { version } });

async function movingLatest(tf, origin, name) {
	await upload(origin, name, numbered(1));
	let published = 1;
	const publishing = (async () => {
		for (let version = 2; version <= VERSIONS; version++) {
			assertSame('version', (await upload(origin, name, numbered(version))).version, version);
			published = version;
		}
	})();
	const seen = new Set();
	for (let newest = 0; newest < VERSIONS;) {
		const least = published;
		const model = await tf.loadGraphModel(`${origin}/models/${name}/model.json`);
		const { version } = model.metadata;
		const values = new Set(await model.weights.w[0].data());
		assertSame('values of one load', [...values], [version]);
		if (version < least || version < newest) {
			fail(`version ${version} was loaded after ${Math.max(least, newest)} was published`);
		}
		newest = version;
		seen.add(version);
		model.dispose();
		if (published < VERSIONS) {
			await Promise.race([publishing, new Promise((resolve) => { setTimeout(resolve, 0); })]);
		}
	}
	await publishing;
	return seen.size;
}

async function moveLabel(origin, name, label, version) {
	const answered = await fetch(`${origin}/v1/models/${name}/labels/${label}`,
		{ method: 'PUT', body: JSON.stringify({ version }) });
	if (!answered.ok) {
		fail(`the label moves: ${answered.status} ${await answered.text()}`);
	}
}

// Pages that load @stable while the label moves get the version that it named then, whole.
const MOVES = 1000;
const LOADERS = 3;

async function movingLabel(tf, origin, name) {
	for (const version of [1, 2]) {
		assertSame('version', (await upload(origin, name, numbered(version))).version, version);
	}
	await moveLabel(origin, name, 'stable', 1);
	let moving = true;
	const mover = (async () => {
		try {
			for (let i = 1; i <= MOVES; i++) {
				await moveLabel(origin, name, 'stable', i % 2 + 1);
			}
		} finally {
			moving = false;
		}
	})();
	const seen = new Set();
	const loader = async () => {
		while (moving) {
			const model = await tf.loadGraphModel(`${origin}/models/${name}@stable/model.json`);
			const values = new Set(await model.weights.w[0].data());
			assertSame('values of one load', [...values], [model.metadata.version]);
			seen.add(model.metadata.version);
			model.dispose();
		}
	};
	await Promise.all([mover, ...Array.from({ length: LOADERS }, loader)]);
	assertSame('versions that were seen', [...seen].sort(), [1, 2]);
	const last = await tf.loadGraphModel(`${origin}/models/${name}@stable/model.json`);
	assertSame('the last move', last.metadata.version, MOVES % 2 + 1);
	return seen.size;
}

async function missingModel(tf, origin, name) {
	const message = await rejection(tf.loadLayersModel(`${origin}/models/${name}/model.json`));
	if (!message.includes('status code 404')) {
		fail(message);
	}
}

async function missingShard(tf, origin, name) {
	const model = addGraph({ seed: 99, size: 12, shardBytes: 16 });
	const { version } = await upload(origin, name, model);
	const response = await fetch(`${origin}/models/${name}@${version}/none.bin`);
	assertSame('status', response.status, 404);
	assertSame('code', response.headers.get('x-error-code'), 'FILE_NOT_FOUND');
	assertSame('body', await response.text(), '');
	const wrong = { weightUrlConverter: async () => `${origin}/models/${name}@${version}/none.bin` };
	await rejection(tf.loadGraphModel(`${origin}/models/${name}/model.json`, wrong));
}

export const scenarios = {
	dense: savedAndLoaded(dense),
	'convolution with batch normalization': savedAndLoaded(convolution),
	lstm: savedAndLoaded(lstm),
	'several inputs and outputs': savedAndLoaded(multiInput),
	nested: savedAndLoaded(nested),
	'optimizer state': withOptimizer,
	'no weights': withoutWeights,
	'user-defined metadata': withMetadata,
	'saved twice': savedTwice,
	'a refused save': refusedSave,
	'saved with PUT': saveByPut,
	'converted layers model in a sub-folder': convertedLayers,
	'graph with every dtype, quantized and streamed': quantizedGraph,
	'shards that would load as zeros': brokenLayout,
	'graph model saved again': graphSavedAgain,
	'graph with an initializer and a hash table': hashTable,
	'from TF Hub': fromHub,
	'a query on the URL': withQuery,
	'200 shards at once': manyShards,
	'headers of its own': withHeaders,
	'latest while versions are published': movingLatest,
	'a label while it moves': movingLabel,
	'a model that is not there': missingModel,
	'a shard that is not there': missingShard,
};
