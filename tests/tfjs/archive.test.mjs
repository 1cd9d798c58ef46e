// SPDX-License-Identifier: Apache-2.0
// A model that was published as an archive is what the released TensorFlow.js saved, bit for bit.

import assert from 'node:assert/strict';
import { before, describe, test } from 'node:test';

import tf from '@tensorflow/tfjs';

import { archived, noMaker, written } from '../lib/archives.mjs';
import { useDaemon } from '../lib/daemon.mjs';
import { post } from '../lib/http.mjs';
import { addGraph, cut, randomFloats, utf8 } from '../lib/models.mjs';

const bits = (tensors) => tensors.map((tensor) =>
	Buffer.from(tensor.dataSync().slice().buffer).toString('hex'));

// The files that tensorflowjs_converter or a download of the model would give.
async function filesOf(model) {
	let files;
	await model.save(tf.io.withSaveHandler(async (artifacts) => {
		const { modelTopology, format, generatedBy, convertedBy, weightSpecs, weightData } = artifacts;
		const shards = cut(new Uint8Array(tf.io.CompositeArrayBuffer.join(weightData)), 50,
			{ prefix: 'weights/' });
		const json = { modelTopology, format, generatedBy, convertedBy,
			weightsManifest: [{ paths: shards.map((shard) => shard.path), weights: weightSpecs }] };
		files = [...shards, { path: 'model.json', bytes: utf8(JSON.stringify(json)) }];
		return { modelArtifactsInfo: tf.io.getModelArtifactsInfoForJSON(artifacts) };
	}));
	return { files };
}

function trained() {
	const model = tf.sequential({ layers: [
		tf.layers.conv2d({ filters: 3, kernelSize: 2, inputShape: [4, 4, 2], activation: 'relu' }),
		tf.layers.batchNormalization(),
		tf.layers.flatten(),
		tf.layers.dense({ units: 5, activation: 'softmax' }),
	] });
	model.setWeights(model.getWeights().map((weight, i) =>
		tf.tensor(randomFloats(i + 1, weight.size).map(Math.abs), weight.shape)));
	return model;
}

describe('TensorFlow.js loads what came as', () => {
	const daemon = useDaemon();
	before(() => tf.setBackend('cpu'));

	for (const maker of ['tar', 'tar -z', 'bsdtar -z', 'zip', 'bsdtar --format=zip']) {
		const name = `archive/${maker.replaceAll(/[^a-z]+/g, '-')}`;

		test(`${maker}, a layers model`, { skip: noMaker(maker) }, async () => {
			const model = trained();
			const sent = await archived(maker, written(await filesOf(model), 'my model'), 'my model');
			const answered = await post(daemon, `/v1/models/${name}/versions`, sent);
			assert.equal(answered.status, 201, answered.text);
			const loaded = await tf.loadLayersModel(daemon.url(`/models/${name}/model.json`));
			assert.deepEqual(bits(loaded.getWeights()), bits(model.getWeights()));
			const input = tf.tensor(randomFloats(9, 64), [2, 4, 4, 2]);
			assert.deepEqual(bits([loaded.predict(input)]), bits([model.predict(input)]));
		});

		test(`${maker}, a graph model`, { skip: noMaker(maker) }, async () => {
			const values = randomFloats(5, 8);
			const sent = await archived(maker, written(addGraph({ size: 8, shardBytes: 12, values })));
			const answered = await post(daemon, `/v1/models/${name}-graph/versions`, sent);
			assert.equal(answered.status, 201, answered.text);
			const loaded = await tf.loadGraphModel(daemon.url(`/models/${name}-graph@1/model.json`));
			assert.deepEqual(bits([loaded.weights.w[0]]), bits([tf.tensor(values)]));
		});
	}
});
