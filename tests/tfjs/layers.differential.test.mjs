// SPDX-License-Identifier: Apache-2.0
// What common/model/layers* and training.c say of layers models against what TensorFlow.js does with
// them: names, shapes and dtypes of weights, inputs and outputs of every model in layers_models.mjs,
// and the verdict on mutants with one fault each. A mutant that TensorFlow.js fails on or gets wrong is
// refused, or warned of; one that it gets right is not refused. What is otherwise stands in
// layers.known.json with its reason.
//
// LAYERS_DUMP names the program that judges (default: tests/tfjs/layers_dump beside $MODELD, or in a
// build folder); LAYERS_SEED and LAYERS_MUTANTS (random ones of each model) choose the mutants,
// LAYERS_ONLY=REGEXP the models, LAYERS_TABLE=FILE writes the verdict on each.
import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { createInterface } from 'node:readline';
import { after, before, test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { Worker } from 'node:worker_threads';
import { classTable } from './gen-classes.mjs';
import { fails, keras3, loads } from './layers_keras.mjs';
import { broken, models, seeded } from './layers_models.mjs';
import { everyKey, everySpec, everyTraining, mutants, objects } from './layers_mutants.mjs';

const HERE = path.dirname(fileURLToPath(import.meta.url));
const ROOT = path.resolve(HERE, '../..');
const MUTANTS = Number(process.env.LAYERS_MUTANTS ?? 1); // random ones of each model
const SEED = Number(process.env.LAYERS_SEED ?? 1);
const ONLY = new RegExp(process.env.LAYERS_ONLY ?? '');
const HANG_MS = 10000;
// Models that TensorFlow.js builds and saves, but cannot load or run.
const BROKEN = new Set(['separableConv2d-3-1', 'concatenate-2']);
// No topology that loads has it: an RNN takes three dimensions, and this cell needs four for a step.
const NOWHERE = new Set(['ConvLSTM2DCell']);

const BUILT = process.env.MODELD && path.dirname(process.env.MODELD);
const dumpPath = [process.env.LAYERS_DUMP, BUILT && path.join(BUILT, 'tests/tfjs/layers_dump'), 'tests/tfjs/layers_dump', 'build/dev/tests/tfjs/layers_dump', 'build/tests/tfjs/layers_dump']
	.filter(Boolean).map((p) => path.resolve(ROOT, p)).find(existsSync);
const skip = dumpPath ? false : 'layers_dump is not built';
const known = JSON.parse(readFileSync(path.join(HERE, 'layers.known.json'), 'utf8'));

let tf;
let dump;
let judge;
const artifacts = [];
const cannotRun = []; // {rule, name, topology, specs}

// ---- modeld ----

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

const toJson = ({ topology, specs, training }) => ({ modelTopology: topology, weightsManifest: [{ paths: ['w.bin'], weights: specs }], trainingConfig: training });

/** Specs of the weights that a topology needs, by our own account. */
async function neededBy(topology) {
	const { weights } = await dump.ask({ modelTopology: topology });
	return weights.map(({ name, shape, dtype }) => ({ name, dtype, shape: (shape ?? []).map((d) => Math.max(d, 1)) }));
}

function verdict({ refuse, findings }) {
	if (refuse) return 'error';
	return findings.some(({ severity }) => severity === 'warning') ? 'warning' : 'accepted';
}

// ---- TensorFlow.js ----

/** The reference in a worker, replaced when it hangs or is spent. */
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
		ask: async (model, suspect = false) => {
			if (!worker) await start();
			const reply = answer(HANG_MS);
			worker.postMessage({ topology: model.topology, specs: model.specs, training: model.training, suspect });
			const found = await reply;
			if (found && !found.spent) return found;
			await worker.terminate();
			worker = null;
			return { ok: false, stage: 'load', error: 'hangs' };
		},
		stop: () => worker?.terminate(),
	};
}

const outcome = (theirs) => (theirs.ok ? (theirs.wrong ? 'wrong' : 'right') : 'throws');

async function artifactsOf(model) {
	let saved;
	const handler = tf.io.withSaveHandler(async (a) => { saved = a; return { modelArtifactsInfo: { dateSaved: new Date(), modelTopologyType: 'JSON' } }; });
	const adamax = model.optimizer?.getClassName() === 'Adamax'; // it cannot be saved with its weights
	await model.save(handler, { includeOptimizer: model.optimizer != null && !adamax });
	const plain = (v) => v && JSON.parse(JSON.stringify(v));
	return { topology: plain(saved.modelTopology), specs: saved.weightSpecs, training: plain(adamax ? model.getTrainingConfig() : saved.trainingConfig) };
}

before(async () => {
	if (skip) return;
	tf = await import('@tensorflow/tfjs');
	for (const word of ['warn', 'log']) console[word] = () => {};
	await tf.setBackend('cpu');
	for (const [name, build] of models(tf)) artifacts.push({ name, ...(await artifactsOf(await build())) });
	for (const [name, rule, build] of broken(tf)) cannotRun.push({ name, rule, ...(await artifactsOf(build())) });
	dump = startDump();
	judge = startJudge();
	for (const [name, topology] of Object.entries(loads)) artifacts.push({ name, topology, specs: await neededBy(topology) });
});

after(() => { dump?.stop(); judge?.stop(); });

// ---- models that are right, or known to be wrong ----

test('the table of classes is that of the release', { skip }, () => {
	assert.equal(readFileSync(path.join(ROOT, 'common/model/layers_classes.def'), 'utf8'), classTable(tf));
});

test('every class that a topology can have is in a model', { skip }, () => {
	const table = [...readFileSync(path.join(ROOT, 'common/model/layers_classes.def'), 'utf8').matchAll(/^LAYERS_CLASS\((\w+), (\w+)\)/gm)];
	const camel = (s) => s.replace(/_+(\w|$)/g, (m, c) => c.toUpperCase());
	const seen = new Set();
	for (const { topology, training } of [...artifacts, ...cannotRun]) {
		for (const [, object] of objects({ topology, training })) {
			seen.add(object.class_name);
			for (const [key, v] of Object.entries(object.config)) if (/activation$/.test(key) && typeof v === 'string') seen.add(camel(v));
		}
	}
	// A word with an underscore comes to the table without it, so nothing finds this one.
	const nowhere = (name) => NOWHERE.has(name) || camel(name) !== name;
	assert.deepEqual(table.map(([, name]) => name).filter((name) => !seen.has(name) && !nowhere(name)), []);
});

const unknownAs = (shape) => shape && shape.map((d) => (d == null || d < 0 ? -1 : d));

test('weights, inputs and outputs are inferred as TensorFlow.js makes them', { skip }, async () => {
	const wrong = [];
	for (const model of artifacts) {
		const ours = await dump.ask(toJson(model));
		const theirs = await judge.ask(model);
		const plain = (list) => list.map(({ name: n, shape, dtype }) => ({ name: n, shape: unknownAs(shape), dtype }));
		try {
			if (BROKEN.has(model.name)) {
				assert.deepEqual([theirs.ok, ours.refuse], [false, true]);
				continue;
			}
			assert.equal(theirs.ok, true, theirs.error);
			assert.equal(theirs.wrong, undefined);
			assert.deepEqual(ours.findings, []);
			assert.deepEqual(plain(ours.weights), plain(theirs.weights));
			assert.equal(ours.weights.filter((w) => w.trainable).length, theirs.trainable);
			assert.deepEqual(plain(ours.inputs), plain(theirs.inputs));
			assert.deepEqual(plain(ours.outputs), plain(theirs.outputs));
		} catch (e) {
			wrong.push(`${model.name}: ${e.message}`);
		}
	}
	assert.deepEqual(wrong, []);
});

test('what TensorFlow.js builds and cannot run is refused by the rule for it', { skip }, async () => {
	const wrong = [];
	for (const model of cannotRun) {
		const ours = await dump.ask(toJson(model));
		const theirs = await judge.ask(model);
		const rules = ours.findings.map((f) => f.rule);
		if (outcome(theirs) === 'right' || !ours.refuse || String(rules) !== model.rule) wrong.push([model.name, theirs.error ?? theirs.wrong ?? 'runs', ours.findings]);
	}
	assert.deepEqual(wrong, []);
});

test('what Keras writes and TensorFlow.js cannot load is refused', { skip }, async () => {
	for (const [name, topology] of Object.entries(fails)) {
		const specs = await neededBy(topology);
		const ours = await dump.ask(toJson({ topology, specs }));
		const theirs = await judge.ask({ topology, specs });
		assert.deepEqual([name, ours.refuse, theirs.ok], [name, true, false]);
	}
});

test('each obstacle of Keras 3 has its own finding, with the repair that makes it load', { skip }, async () => {
	for (const { name, rule, model, repaired } of keras3) {
		const rules = async (m) => (await dump.ask(toJson(m))).findings.filter((f) => f.severity !== 'info');
		const found = await rules(model);
		assert.deepEqual([name, found.map((f) => f.rule)], [name, [rule]]);
		assert.ok(found[0].fix, name);
		assert.equal((await judge.ask(model)).ok, false, name);
		assert.deepEqual([name, await rules(repaired)], [name, []]);
		assert.equal((await judge.ask(repaired)).error, undefined, name);
	}
});

// ---- mutants ----

const isOff = (is, said) => (is === 'right' ? said === 'error' : said === 'accepted');
const excuse = (id, is, said) => known.find((k) => k.tfjs.split('|').includes(is) && k.modeld === said && new RegExp(k.mutants).test(id));

function* chosen() {
	const random = seeded(SEED);
	const originals = artifacts.filter(({ name }) => ONLY.test(name) && !BROKEN.has(name));
	yield* everyKey(originals);
	yield* everyTraining(originals.some(({ training }) => training) ? originals : artifacts);
	yield* everySpec(originals, /^(trained with (adam|sgd|momentum)|stack of dense|masked text|nested functional|frozen inner model|rnn of stacked cells|mobilenet)$/);
	for (const original of originals) yield* mutants(original, random, MUTANTS);
}

function printTable(t, counts) {
	const says = ['accepted', 'warning', 'error'];
	t.diagnostic(`${'TensorFlow.js \\ modeld'.padEnd(24)}${says.map((s) => s.padStart(10)).join('')}`);
	for (const is of ['right', 'throws', 'wrong'])
		t.diagnostic(`${is.padEnd(24)}${says.map((said) => String(counts[`${is} ${said}`] ?? 0).padStart(10)).join('')}`);
}

test('one fault more, and what fails is refused or warned of, what loads is not refused', { skip, timeout: 3600000 }, async (t) => {
	const off = [];
	const counts = {};
	const lines = [];
	let n = 0;
	for (const mutant of chosen()) {
		const id = `${mutant.name}: ${mutant.what}`;
		const ours = await dump.ask(toJson(mutant));
		const suspect = ours.findings.some(({ message }) => /never returns|for ever/.test(message));
		const theirs = await judge.ask(mutant, suspect);
		const [is, said] = [outcome(theirs), verdict(ours)];
		n++;
		counts[`${is} ${said}`] = (counts[`${is} ${said}`] ?? 0) + 1;
		lines.push([is, said, id, (theirs.error ?? theirs.wrong ?? '').replace(/\s+/g, ' ').slice(0, 160), ours.findings.map((f) => `${f.rule}: ${f.message}`).join(' | ').slice(0, 300)].join('\t'));
		if (isOff(is, said) && !excuse(id, is, said)) off.push(lines[lines.length - 1]);
	}
	if (process.env.LAYERS_TABLE) writeFileSync(process.env.LAYERS_TABLE, `${lines.sort().join('\n')}\n`);
	t.diagnostic(`${n} mutants`);
	printTable(t, counts);
	if (ONLY.source === '(?:)') assert.ok(n >= 1600, `${n} mutants`);
	assert.deepEqual(off, []);
});
