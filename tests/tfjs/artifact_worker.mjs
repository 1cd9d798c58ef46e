// SPDX-License-Identifier: Apache-2.0
// A thread that loads artifacts as a page would: TensorFlow.js's own HTTP handler over files in memory,
// then every weight, and the outputs. {loader, files: [[path, bytes]], feeds, async} in, {error} or
// {weights, optimizer, outputs} back. What hangs is for its parent to end.

import { parentPort } from 'node:worker_threads';
import * as tf from '@tensorflow/tfjs';

const FOLDER = '/models/m/';

// When several requests fail at once, TensorFlow.js waits for the first one only.
process.on('unhandledRejection', () => {});
for (const word of ['log', 'warn', 'error']) {
	console[word] = () => {};
}
await tf.setBackend('cpu');

function decoded(pathname) {
	try {
		return decodeURIComponent(pathname);
	} catch {
		return pathname;
	}
}

// What modeld serves: each file under its path, and 404 without a body for all else.
function fetchOf(files) {
	const served = new Map(files.map(([path, bytes]) => [FOLDER + path, bytes]));
	return async (url) => {
		const bytes = served.get(decoded(new URL(url, 'http://host').pathname));
		return new Response(bytes ?? '', { status: bytes ? 200 : 404 });
	};
}

async function tensorFacts(t) {
	return t instanceof tf.Tensor
		? { dtype: t.dtype, shape: [...t.shape], values: [...await t.data()] }
		: { nothing: String(t) };
}

const allFacts = async (entries) =>
	Object.fromEntries(await Promise.all(entries.map(async ([name, t]) => [name, await tensorFacts(t)])));
const listOf = (got) => (got instanceof tf.Tensor || got === undefined || got === null ? [got] : Object.values(got));
const outputsOf = async (got) => Promise.all(listOf(got).map(tensorFacts));

async function useLayers(handler) {
	const model = await tf.loadLayersModel(handler);
	const feeds = model.inputs.map((t) => tf.zeros(t.shape.map((d) => d ?? 2), t.dtype));
	const got = model.predict(feeds.length === 1 ? feeds[0] : feeds);
	const optimizer = model.optimizer ? (await model.optimizer.getWeights()).map(({ tensor }, i) => [i, tensor]) : [];
	return {
		weights: await allFacts(model.weights.map((w) => [w.originalName, w.read()])),
		optimizer: await allFacts(optimizer),
		outputs: [await outputsOf(got)],
	};
}

async function useGraph(handler, { feeds, async: isAsync }) {
	const model = await tf.loadGraphModel(handler);
	const outputs = [];
	for (const feed of feeds) {
		const inputs = Object.fromEntries(Object.entries(feed).map(([key, { values, shape, dtype }]) =>
			[key, tf.tensor(values, shape, dtype)]));
		outputs.push(await outputsOf(isAsync ? await model.executeAsync(inputs) : model.predict(inputs)));
	}
	const weights = Object.entries(model.weights).flatMap(([name, list]) => (list[0] ? [[name, list[0]]] : []));
	return { weights: await allFacts(weights), optimizer: {}, outputs };
}

// Without a topology there is no model; a page decodes the weights and sets them itself.
async function useWeights(handler) {
	const { weightData, weightSpecs } = await handler.load();
	return { weights: await allFacts(Object.entries(tf.io.decodeWeights(weightData, weightSpecs))), optimizer: {}, outputs: [] };
}

const users = { layers: useLayers, graph: useGraph, weights: useWeights };

parentPort.on('message', async (job) => {
	tf.engine().startScope();
	try {
		const handler = tf.io.http(`http://host${FOLDER}model.json`, { fetchFunc: fetchOf(job.files) });
		parentPort.postMessage(await users[job.loader](handler, job));
	} catch (error) {
		parentPort.postMessage({ error: String(error?.message ?? error) });
	}
	tf.engine().endScope();
	tf.disposeVariables();
});
parentPort.postMessage({ ready: true });
