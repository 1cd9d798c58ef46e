// SPDX-License-Identifier: Apache-2.0
// A model whose files came one by one is what the released TensorFlow.js saved, bit for bit.

import assert from 'node:assert/strict';
import { before, describe, test } from 'node:test';

import tf from '@tensorflow/tfjs';

import { useDaemon } from '../lib/daemon.mjs';
import { request } from '../lib/http.mjs';
import { cut, randomFloats, utf8 } from '../lib/models.mjs';

const PARTIAL = { 'content-type': 'application/partial-upload', 'upload-complete': '?1' };
const bits = (tensors) => tensors.map((tensor) =>
	Buffer.from(tensor.dataSync().slice().buffer).toString('hex'));

async function filesOf(model) {
	let files;
	await model.save(tf.io.withSaveHandler(async (artifacts) => {
		const { modelTopology, format, generatedBy, convertedBy, weightSpecs, weightData } = artifacts;
		const shards = cut(new Uint8Array(tf.io.CompositeArrayBuffer.join(weightData)), 48);
		const json = { modelTopology, format, generatedBy, convertedBy,
			weightsManifest: [{ paths: shards.map((shard) => shard.path), weights: weightSpecs }] };
		files = [...shards, { path: 'model.json', bytes: utf8(JSON.stringify(json)) }];
		return { modelArtifactsInfo: tf.io.getModelArtifactsInfoForJSON(artifacts) };
	}));
	return files;
}

describe('TensorFlow.js loads what came file by file', () => {
	const daemon = useDaemon();
	before(() => tf.setBackend('cpu'));

	// Every other file in two pieces.
	async function send(upload, { path, bytes }, i) {
		const target = `${upload}/files/${path}`;
		if (i % 2 === 0) {
			assert.equal((await request(daemon, 'PUT', target, { body: bytes })).status, 201);
			return;
		}
		const first = await request(daemon, 'PUT', target,
			{ body: bytes.slice(0, 7), headers: { 'upload-complete': '?0' } });
		const offset = first.headers['upload-offset'];
		const second = await request(daemon, 'PATCH', target,
			{ body: bytes.slice(Number(offset)), headers: { ...PARTIAL, 'upload-offset': offset } });
		assert.equal(second.status, 200, second.text);
	}

	test('a layers model', async () => {
		const model = tf.sequential({ layers: [
			tf.layers.dense({ units: 6, inputShape: [5], activation: 'relu' }),
			tf.layers.dense({ units: 3, activation: 'softmax' }),
		] });
		model.setWeights(model.getWeights().map((weight, i) =>
			tf.tensor(randomFloats(i + 1, weight.size), weight.shape)));
		const opened = await request(daemon, 'POST', '/v1/uploads', { body: '{"model":"staged/dense"}' });
		const upload = opened.headers.location;
		await Promise.all((await filesOf(model)).map((file, i) => send(upload, file, i)));
		const made = await request(daemon, 'POST', `${upload}:publish`, { body: '{"label":"stable"}' });
		assert.equal(made.status, 201, made.text);
		const input = tf.tensor(randomFloats(9, 10), [2, 5]);
		for (const ref of ['staged/dense@1', 'staged/dense@stable']) {
			const loaded = await tf.loadLayersModel(daemon.url(`/models/${ref}/model.json`));
			assert.deepEqual(bits(loaded.getWeights()), bits(model.getWeights()));
			assert.deepEqual(bits([loaded.predict(input)]), bits([model.predict(input)]));
		}
	});
});
