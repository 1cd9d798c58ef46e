// SPDX-License-Identifier: Apache-2.0
// What common/model/layers* infers and judges, against the released TensorFlow.js itself: names, shapes
// and dtypes of weights, inputs and outputs of every model in layers_models.mjs, and the verdict on
// mutants with one fault each. Needs tests/tfjs/layers_dump, which make builds; LAYERS_DUMP names it.
import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { createInterface } from 'node:readline';
import { after, before, test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { Worker } from 'node:worker_threads';
import { classTable } from './gen-classes.mjs';
import { fails, loads } from './layers_keras.mjs';
import { models, seeded } from './layers_models.mjs';
import { mutants } from './layers_mutants.mjs';

const HERE = path.dirname(fileURLToPath(import.meta.url));
const ROOT = path.resolve(HERE, '../..');
const MUTANTS = Number(process.env.LAYERS_MUTANTS ?? 4); // of each model
const SEED = Number(process.env.LAYERS_SEED ?? 1);
const HANG_MS = 2000;
// Models that TensorFlow.js builds and saves, but cannot load or run.
const BROKEN = new Set(['separableConv2d-3-1', 'concatenate-2']);

const BUILT = process.env.MODELD && path.dirname(process.env.MODELD);
const dumpPath = [process.env.LAYERS_DUMP, BUILT && path.join(BUILT, 'tests/tfjs/layers_dump'), 'tests/tfjs/layers_dump', 'build/dev/tests/tfjs/layers_dump', 'build/tests/tfjs/layers_dump']
	.filter(Boolean).map((p) => path.resolve(ROOT, p)).find(existsSync);
const skip = dumpPath ? false : 'layers_dump is not built';
const known = JSON.parse(readFileSync(path.join(HERE, 'layers.known.json'), 'utf8'));

let tf;
let dump;
let judge;
const artifacts = [];

/** One request at a time over lines. */
function startDump() {
	const child = spawn(dumpPath, ['--lines'], { stdio: ['pipe', 'pipe', 'inherit'] });
	const lines = createInterface({ input: child.stdout })[Symbol.asyncIterator]();
	return {
		ask: async (json) => {
			child.stdin.write(`${JSON.stringify(json)}\n`);
			const { value, done } = await lines.next();
			assert.ok(!done, 'layers_dump ended');
			return JSON.parse(value);
		},
		stop: () => child.stdin.end(),
	};
}

/** The reference in a worker, replaced when it hangs. */
function startJudge() {
	let worker = null;
	let settle = () => {};
	const answer = (ms) => new Promise((resolve) => {
		const timer = setTimeout(() => resolve(null), ms);
		settle = (value) => { clearTimeout(timer); resolve(value); };
	});
	const start = async () => {
		worker = new Worker(path.join(HERE, 'layers_judge.mjs'));
		worker.on('message', (m) => settle(m));
		worker.on('error', (e) => settle({ ok: false, stage: 'load', error: String(e) }));
		await answer(60000);
	};
	return {
		ask: async (topology, specs) => {
			if (!worker) await start();
			const reply = answer(HANG_MS);
			worker.postMessage({ topology, specs });
			const verdict = await reply;
			if (verdict) return verdict;
			await worker.terminate();
			worker = null;
			return { ok: false, stage: 'load', error: 'hangs' };
		},
		stop: () => worker?.terminate(),
	};
}

async function artifactsOf(model) {
	let saved;
	await model.save(tf.io.withSaveHandler(async (a) => { saved = a; return { modelArtifactsInfo: { dateSaved: new Date(), modelTopologyType: 'JSON' } }; }));
	return { topology: JSON.parse(JSON.stringify(saved.modelTopology)), specs: saved.weightSpecs };
}

/** Specs of the weights that a topology needs, by our own account. */
async function neededBy(topology) {
	const { weights } = await dump.ask({ modelTopology: topology });
	return weights.map(({ name, shape, dtype }) => ({ name, dtype, shape: (shape ?? []).map((d) => Math.max(d, 1)) }));
}

const toJson = ({ topology, specs }) => ({ modelTopology: topology, weightsManifest: [{ paths: ['w.bin'], weights: specs }] });
const unknownAs = (shape) => shape && shape.map((d) => (d == null || d < 0 ? -1 : d));

before(async () => {
	if (skip) return;
	tf = await import('@tensorflow/tfjs');
	for (const word of ['warn', 'log']) console[word] = () => {};
	await tf.setBackend('cpu');
	for (const [name, build] of models(tf)) artifacts.push({ name, ...(await artifactsOf(build())) });
	dump = startDump();
	judge = startJudge();
	for (const [name, topology] of Object.entries(loads)) artifacts.push({ name, topology, specs: await neededBy(topology) });
});

after(() => { dump?.stop(); judge?.stop(); });

test('the table of classes is that of the release', { skip }, () => {
	assert.equal(readFileSync(path.join(ROOT, 'common/model/layers_classes.def'), 'utf8'), classTable(tf));
});

test('weights, inputs and outputs are inferred as TensorFlow.js makes them', { skip }, async () => {
	const wrong = [];
	for (const { name, topology, specs } of artifacts) {
		const ours = await dump.ask(toJson({ topology, specs }));
		const theirs = await judge.ask(topology, specs);
		const plain = (list) => list.map(({ name: n, shape, dtype }) => ({ name: n, shape: unknownAs(shape), dtype }));
		try {
			if (BROKEN.has(name)) {
				assert.deepEqual([theirs.ok, ours.refuse], [false, true]);
				continue;
			}
			assert.equal(theirs.ok, true, theirs.error);
			assert.equal(theirs.surprise, undefined);
			assert.deepEqual(ours.findings, []);
			assert.deepEqual(plain(ours.weights), plain(theirs.weights));
			assert.equal(ours.weights.filter((w) => w.trainable).length, theirs.trainable);
			assert.deepEqual(plain(ours.inputs), plain(theirs.inputs));
			assert.deepEqual(plain(ours.outputs), plain(theirs.outputs));
		} catch (e) {
			wrong.push(`${name}: ${e.message}`);
		}
	}
	assert.deepEqual(wrong, []);
});

test('what Keras writes and TensorFlow.js cannot load is refused', { skip }, async () => {
	for (const [name, topology] of Object.entries(fails)) {
		const specs = await neededBy(topology);
		const ours = await dump.ask(toJson({ topology, specs }));
		const theirs = await judge.ask(topology, specs);
		assert.deepEqual([name, ours.refuse, theirs.ok], [name, true, false]);
	}
});

test('one fault more, and both refuse or both load', { skip }, async (t) => {
	const random = seeded(SEED);
	const off = [];
	const counts = { agree: 0, refused: 0, loaded: 0, known: 0 };
	const only = new RegExp(process.env.LAYERS_ONLY ?? '');
	for (const original of artifacts.filter(({ name }) => only.test(name))) {
		for (const { what, topology, specs } of mutants(original, random, MUTANTS)) {
			const id = `${original.name}: ${what}`;
			const ours = await dump.ask(toJson({ topology, specs }));
			const theirs = await judge.ask(topology, specs);
			const excused = known.find((k) => new RegExp(k.mutant).test(id));
			if (ours.refuse === (!theirs.ok || theirs.surprise !== undefined)) {
				counts.agree++;
				counts[ours.refuse ? 'refused' : 'loaded']++;
			} else if (excused) {
				counts.known++;
			} else {
				off.push({ id, ours: ours.refuse ? ours.findings.map((f) => `${f.rule} ${f.message}`)[0] ?? ours.error : 'loads', theirs: theirs.ok ? theirs.surprise ?? 'loads' : `${theirs.stage}: ${theirs.error}` });
			}
		}
	}
	t.diagnostic(JSON.stringify(counts));
	t.diagnostic(`${off.length} off the diagonal`);
	if (process.env.LAYERS_OFF) writeFileSync(process.env.LAYERS_OFF, `${JSON.stringify(off, null, 1)}\n`);
	assert.deepEqual(off, []);
});
