// SPDX-License-Identifier: Apache-2.0
// A worker that lets TensorFlow.js load a model.json with made-up weights and run it once:
// {topology, specs} in, {ok, error, stage, weights, inputs, outputs} out. The parent ends it when
// TensorFlow.js hangs, as it does on layers that wait for each other.
import { parentPort } from 'node:worker_threads';
import * as tf from '@tensorflow/tfjs';

for (const word of ['log', 'warn', 'error']) console[word] = () => {};
tf.env().set('IS_TEST', true);
await tf.setBackend('cpu');

const BYTES = { float32: 4, int32: 4, bool: 1 };
const size = (shape) => shape.reduce((a, b) => a * b, 1);

function weightData(specs) {
	const parts = specs.map((s, i) => {
		const n = size(s.shape);
		if (s.dtype === 'float32') return new Uint8Array(new Float32Array(n).fill(0.01 * (i + 1)).buffer);
		return new Uint8Array(n * (BYTES[s.dtype] ?? 4));
	});
	return Uint8Array.from(Buffer.concat(parts)).buffer;
}

const tensor = (t, i, names) => ({ name: names[i], dtype: t.dtype, shape: t.shape });

function describe(model) {
	return {
		weights: model.weights.map((w) => ({ name: w.originalName, shape: w.shape, dtype: w.dtype })),
		trainable: model.trainableWeights.length,
		inputs: model.inputs.map((t) => ({ name: t.sourceLayer.name, dtype: t.dtype, shape: [...t.shape] })),
		outputs: model.outputs.map((t) => ({ name: t.sourceLayer.name, dtype: t.dtype, shape: [...t.shape] })),
	};
}

const free = (shape, batch) => shape.map((d, i) => (d == null || d < 0 ? (i === 0 ? batch : 12) : d));

async function judge({ topology, specs }) {
	let stage = 'load';
	let model;
	try {
		model = await tf.loadLayersModel(tf.io.fromMemory({ modelTopology: topology, weightSpecs: specs, weightData: weightData(specs) }));
		const facts = describe(model);
		stage = 'predict';
		const batch = model.inputs.map((t) => t.shape[0]).find((d) => d > 0) ?? 1;
		const feeds = model.inputs.map((t) => tf.zeros(free(t.shape, batch), t.dtype));
		const out = model.predict(feeds.length === 1 ? feeds[0] : feeds);
		const shapes = (Array.isArray(out) ? out : [out]).map((t) => t.shape);
		shapes.forEach((s, i) => {
			const want = facts.outputs[i].shape;
			if (s.length !== want.length || s.some((d, k) => want[k] != null && want[k] >= 0 && d !== want[k]))
				facts.surprise = `output ${i} is ${s}, not ${want}`;
		});
		return { ok: true, ...facts };
	} catch (e) {
		return { ok: false, stage, error: String(e && e.message).slice(0, 300) };
	} finally {
		tf.disposeVariables();
	}
}

parentPort.on('message', async (job) => {
	tf.engine().startScope();
	const verdict = await judge(job);
	tf.engine().endScope();
	parentPort.postMessage(verdict);
});
parentPort.postMessage({ ready: true });
