// SPDX-License-Identifier: Apache-2.0
// A worker that lets TensorFlow.js load a model.json with made-up weights and run it once:
// {topology, specs, training, suspect} in, {ok, error, stage, wrong, weights, inputs, outputs} out.
// TensorFlow.js hangs on layers that wait for each other: a suspect is built under a watch first; the
// parent ends the worker when one hangs all the same, or leaves it spent.
import vm from 'node:vm';
import { parentPort } from 'node:worker_threads';
import * as tf from '@tensorflow/tfjs';

for (const word of ['log', 'warn', 'error']) console[word] = () => {};
tf.env().set('IS_TEST', true);
await tf.setBackend('cpu');

const HANG_MS = 300;
const BATCH = 3;
const BYTES = { float32: 4, int32: 4, bool: 1 };
const size = (shape) => shape.reduce((a, b) => a * b, 1);

/** Each weight has a number of its own, by which it is found again. */
const valueOf = (i, dtype) => (dtype === 'float32' ? Math.fround(0.01 * (i + 1)) : 0);

function weightData(specs) {
	const parts = specs.map((s, i) => {
		const n = size(s.shape);
		if (s.dtype === 'float32') return new Uint8Array(new Float32Array(n).fill(valueOf(i, s.dtype)).buffer);
		return new Uint8Array(n * (BYTES[s.dtype] ?? 4));
	});
	return Uint8Array.from(Buffer.concat(parts)).buffer;
}

function describe(model) {
	return {
		weights: model.weights.map((w) => ({ name: w.originalName, shape: w.shape, dtype: w.dtype })),
		trainable: model.trainableWeights.length,
		inputs: model.inputs.map((t) => ({ name: t.sourceLayer.name, dtype: t.dtype, shape: [...t.shape] })),
		outputs: model.outputs.map((t) => ({ name: t.sourceLayer.name, dtype: t.dtype, shape: [...t.shape] })),
	};
}

const free = (shape, batch) => shape.map((d, i) => (d == null || d < 0 ? (i === 0 ? batch : 12) : d));

/** Whether each weight holds what one entry of the manifest gave, that of its name if there is one;
 * a constraint may change it at once. */
function wrongWeight(model, specs) {
	const taken = new Set();
	for (const w of model.weights) {
		const values = w.read().dataSync();
		const named = specs.findLastIndex((s) => s.name === w.originalName && s.group !== 'optimizer');
		const at = named >= 0 ? named : specs.findIndex((s, i) => !taken.has(i) && s.group !== 'optimizer' && valueOf(i, s.dtype) === values[0]);
		if (values.length > 0 && w.constraint == null && (at < 0 || values.some((v) => v !== valueOf(at, specs[at].dtype)))) return `${w.originalName} has not the numbers that were given`;
		taken.add(at);
	}
	return undefined;
}

function wrongOutput(facts, tensors) {
	for (const [i, { shape }] of tensors.entries()) {
		const want = facts.outputs[i].shape;
		if (shape.length !== want.length || shape.some((d, k) => want[k] != null && want[k] >= 0 && d !== want[k])) return `output ${i} is ${shape}, not ${want}`;
	}
	return undefined;
}

const camel = (s) => (s.length <= 1 ? s : s.replace(/_+(\w|$)/g, (m, c) => c.toUpperCase()));
const ENDS = ['inboundNodes', 'outputLayers', 'inputLayers'];

/** What TensorFlow.js makes of keys and words before it builds the model. */
function converted(v, key) {
	if (typeof v === 'string') return camel(v);
	if (Array.isArray(v)) return v.map((item, i) => (i === 0 && typeof item === 'string' && ENDS.includes(key) ? item : converted(item, key)));
	if (!v || typeof v !== 'object') return v;
	return Object.fromEntries(Object.entries(v).map(([k, x]) => (k === 'name' && typeof x === 'string' ? [k, x] : [camel(k), converted(x, camel(k))])));
}

function hangs(topology) {
	globalThis.build = () => {
		const { className, config } = converted(topology.model_config ?? topology);
		const [cls, fromConfig] = tf.serialization.SerializationMap.getMap().classNameMap[className];
		fromConfig(cls, config, {}, true);
	};
	try {
		vm.runInThisContext('build()', { timeout: HANG_MS });
	} catch (e) {
		return e.code === 'ERR_SCRIPT_EXECUTION_TIMEOUT';
	}
	return false;
}

/** Whether a build that was cut off has left its scope of names open, so that all names to come are
 * wrong. */
function isSpent() {
	const [kernel] = tf.sequential({ layers: [tf.layers.dense({ name: 'probe', units: 1, inputShape: [1] })] }).weights;
	return kernel.originalName !== 'probe/kernel';
}

async function judge({ topology, specs, training, suspect }) {
	let stage = 'load';
	try {
		if (suspect && hangs(structuredClone(topology))) return { ok: false, stage, error: 'hangs', spent: isSpent() };
		const model = await tf.loadLayersModel(tf.io.fromMemory({ modelTopology: topology, weightSpecs: specs, weightData: weightData(specs), trainingConfig: training }));
		const facts = describe(model);
		facts.wrong = wrongWeight(model, specs);
		stage = 'predict';
		const batch = model.inputs.map((t) => t.shape[0]).find((d) => d > 0) ?? BATCH;
		const feeds = model.inputs.map((t) => tf.zeros(free(t.shape, batch), t.dtype));
		const out = model.predict(feeds.length === 1 ? feeds[0] : feeds);
		facts.wrong ??= wrongOutput(facts, Array.isArray(out) ? out : [out]);
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
