// SPDX-License-Identifier: Apache-2.0
// The released TensorFlow.js and an import ask a host for the same URLs; and what was imported is loaded bit
// for bit as from its source, in Node and in Chromium.

import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';

import tf from '@tensorflow/tfjs';

import { file } from '../lib/answers.mjs';
import { Browser, noChromium } from '../lib/chromium.mjs';
import { useDaemon } from '../lib/daemon.mjs';
import { ended, FROM_HERE, imported, submit } from '../lib/imports.mjs';
import { addGraph, cut, denseModel, randomFloats, utf8 } from '../lib/models.mjs';
import { startOrigin } from '../lib/origin.mjs';

const CORS = { 'Access-Control-Allow-Origin': '*' };
const bits = (tensors) => tensors.map((tensor) => Buffer.from(tensor.dataSync().slice().buffer).toString('hex'));
const graphBits = (model) => Object.fromEntries(Object.entries(model.weights).map(([name, tensors]) => [name, bits(tensors)]));

// The files that tensorflowjs_converter would give of a trained model.
async function convolution() {
	const model = tf.sequential({ layers: [
		tf.layers.conv2d({ filters: 3, kernelSize: 2, inputShape: [4, 4, 2], activation: 'relu' }),
		tf.layers.batchNormalization(), tf.layers.flatten(), tf.layers.dense({ units: 5, activation: 'softmax' })] });
	model.setWeights(model.getWeights().map((weight, i) =>
		tf.tensor(randomFloats(i + 1, weight.size).map(Math.abs), weight.shape)));
	let files;
	await model.save(tf.io.withSaveHandler(async (artifacts) => {
		const { modelTopology, format, generatedBy, convertedBy, weightSpecs, weightData } = artifacts;
		const shards = cut(new Uint8Array(tf.io.CompositeArrayBuffer.join(weightData)), 100, { prefix: 'weights/' });
		const json = { modelTopology, format, generatedBy, convertedBy,
			weightsManifest: [{ paths: shards.map(({ path }) => path), weights: weightSpecs }] };
		files = [...shards, { path: 'model.json', bytes: utf8(JSON.stringify(json)) }];
		return { modelArtifactsInfo: tf.io.getModelArtifactsInfoForJSON(artifacts) };
	}));
	return { model, files };
}

describe('an import asks for the URLs that TensorFlow.js asks for', () => {
	const daemon = useDaemon({ set: FROM_HERE });
	let turn = 0;
	before(() => tf.setBackend('cpu'));

	// Whatever names a shard gets it, in the path or in the query; anything else gets model.json.
	async function everywhere(t, model) {
		const origin = await startOrigin(t);
		const [json, ...shards] = model.files;
		origin.fallback = (exchange) => {
			const { bytes } = shards.find(({ path }) => exchange.request.target.includes(path)) ?? json;
			return file(Buffer.from(bytes), { fields: CORS })(exchange);
		};
		return origin;
	}

	const cases = [
		['a plain URL', '/m/model.json'],
		['another name', '/m/other.json'],
		['a name without a suffix', '/m/model'],
		['the root', '/model.json'],
		['a query', '/m/model.json?a=1&b=%2F'],
		['an empty query', '/m/model.json?'],
		['two question marks', '/m/model.json?a=1?b=2'],
		['a slash in the query', '/m/model.json?file=/sub/folder/x&y=1'],
		['a query that ends in a slash', '/m/model.json?dir=sub/'],
		['dots in the path', '/m/sub/../model.json'],
		['a coded path', '/m/%6dodel.json'],
		['a slash twice', '/m//model.json'],
		['a weightPathPrefix', '/m/model.json', { weightPathPrefix: '/elsewhere/' }],
		['a weightPathPrefix and a query', '/m/model.json?a=1', { weightPathPrefix: '/elsewhere/' }],
		['a weightPathPrefix that does not end in a slash', '/m/model.json', { weightPathPrefix: '/elsewhere/p' }],
		['a TF Hub handle', '/google/net/1', { fromTFHub: true }],
		['a TF Hub handle with a slash', '/google/net/1/', { fromTFHub: true }],
	];
	for (const [kind, make, load] of [['graph', () => addGraph({ seed: 5, size: 20, shardBytes: 16 }), tf.loadGraphModel],
		['layers', () => denseModel({ seed: 6, shardBytes: 16, prefix: 'sub/' }), tf.loadLayersModel]]) {
		for (const [what, target, given = null] of cases.filter(([, , options]) => kind === 'graph' || !options?.fromTFHub)) {
			test(`${kind}, ${what}`, async (t) => {
				const model = make();
				const origin = await everywhere(t, model);
				const prefix = given?.weightPathPrefix;
				const options = { ...given, ...(prefix && { weightPathPrefix: origin.url(prefix) }) };
				const loaded = await load(origin.url(target), options).then(() => true, () => false);
				const wanted = origin.fetched();
				origin.forget();
				const job = await ended(daemon, await submit(daemon, `urls/m${++turn}`, { url: origin.url(target), ...options }));
				assert.deepEqual(origin.fetched(), wanted);
				assert.equal(job.state === 'done', loaded, JSON.stringify(job));
			});
		}
	}
});

describe('TensorFlow.js loads what was imported, bit for bit', () => {
	const daemon = useDaemon({ set: FROM_HERE });
	const browser = new Browser();
	before(async () => {
		await tf.setBackend('cpu');
		if (!noChromium) {
			await browser.start();
		}
	});
	after(() => browser.stop());

	async function layers(t) {
		const { model, files } = await convolution();
		const origin = await startOrigin(t);
		origin.serve('/m', { files }, (bytes) => file(bytes, { fields: CORS }));
		await imported(daemon, 'layers', { url: origin.url('/m/model.json'), label: 'stable' });
		return { model, origin };
	}

	test('a layers model, in Node', async (t) => {
		const { model, origin } = await layers(t);
		const input = tf.tensor(randomFloats(9, 64), [2, 4, 4, 2]);
		for (const url of [origin.url('/m/model.json'), daemon.url('/models/layers@stable/model.json'),
			daemon.url('/models/layers@1/model.json')]) {
			const loaded = await tf.loadLayersModel(url);
			assert.deepEqual(bits(loaded.getWeights()), bits(model.getWeights()), url);
			assert.deepEqual(bits([loaded.predict(input)]), bits([model.predict(input)]), url);
		}
	});

	test('a graph model, in Node, streamed and not', async (t) => {
		const model = addGraph({ seed: 7, size: 1000, shardBytes: 300 });
		const origin = await startOrigin(t);
		origin.serve('/g', model, (bytes) => file(bytes));
		await imported(daemon, 'graph', origin.url('/g/model.json'));
		const wanted = graphBits(await tf.loadGraphModel(origin.url('/g/model.json')));
		for (const streamWeights of [false, true]) {
			assert.deepEqual(graphBits(await tf.loadGraphModel(daemon.url('/models/graph/model.json'),
				{ streamWeights })), wanted);
		}
	});

	test('both, in Chromium', { skip: noChromium }, async (t) => {
		const { origin } = await layers(t);
		const graph = addGraph({ seed: 8, size: 1000, shardBytes: 300 });
		origin.serve('/g', graph, (bytes) => file(bytes, { fields: CORS }));
		await imported(daemon, 'page', origin.url('/g/model.json'));
		const page = await browser.page();
		const read = ([layersUrl, graphUrl]) => page.evaluate(async ([one, other]) => {
			const text = async (tensor) => [...new Uint8Array((await tensor.data()).slice().buffer)].join();
			const l = await globalThis.tf.loadLayersModel(one);
			const g = await globalThis.tf.loadGraphModel(other);
			return Promise.all([...l.getWeights(), g.weights.w[0]].map(text));
		}, [layersUrl, graphUrl]);
		const source = await read([origin.url('/m/model.json'), origin.url('/g/model.json')]);
		const here = await read([daemon.url('/models/layers/model.json'), daemon.url('/models/page@1/model.json')]);
		assert.ok(source.length > 4 && source.every((text) => text.length > 0));
		assert.deepEqual(here, source);
	});
});
