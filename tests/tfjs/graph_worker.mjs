// SPDX-License-Identifier: Apache-2.0
// A thread that loads and executes graph models, one for each message: {id, json, weights, feeds,
// async} in, {id, error} or {id, outputs: [one list for each feed], names} back. What hangs is for
// its parent to end.

import { parentPort } from 'node:worker_threads';
import * as tf from '@tensorflow/tfjs';

// When several nodes fail at once, TensorFlow.js waits for the first one only; the others must not
// end the thread in the middle of the next job.
process.on('unhandledRejection', () => {});
console.warn = () => {};
console.log = () => {};
await tf.setBackend('cpu');

const tensor = ({ dtype, shape, values }) => tf.tensor(values, shape, dtype);

const result = async (t) => (t instanceof tf.Tensor
	? { dtype: t.dtype, shape: t.shape, values: [...await t.data()] }
	: { nothing: String(t) });

async function execute({ json, weights, feeds, async: isAsync }) {
	// a copy, for TensorFlow.js writes into the nodes that it reads
	const own = structuredClone(json);
	const data = new Uint8Array(weights).slice().buffer;
	const artifacts = await tf.io.getModelArtifactsForJSON(own, async (manifest) =>
		[manifest.flatMap((group) => group.weights), data]);
	const model = await tf.loadGraphModel(tf.io.fromMemory(artifacts));
	const outputs = [];
	const names = { inputs: model.inputNodes, inputNodes: model.inputs.map(({ name }) => name),
		outputs: model.outputNodes, outputNodes: model.outputs.map(({ name }) => name) };
	for (const feed of feeds) {
		const inputs = Object.fromEntries(Object.entries(feed).map(([key, value]) => [key, tensor(value)]));
		const got = isAsync ? await model.executeAsync(inputs) : model.predict(inputs);
		names.returned = got instanceof tf.Tensor || Array.isArray(got) ? null : Object.entries(got ?? {})
			.map(([key, t]) => [key, t.shape]);
		const list = got instanceof tf.Tensor || got === undefined ? [got] : Object.values(got);
		outputs.push(await Promise.all(list.map(result)));
	}
	return { outputs, names };
}

parentPort.on('message', async (job) => {
	tf.engine().startScope();
	try {
		parentPort.postMessage({ id: job.id, ...await execute(job) });
	} catch (error) {
		parentPort.postMessage({ id: job.id, error: String(error?.message ?? error) });
	}
	tf.engine().endScope();
});
parentPort.postMessage({ ready: true });
