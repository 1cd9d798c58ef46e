// SPDX-License-Identifier: Apache-2.0
// What modeld says of graph models against what TensorFlow.js does with them: models that are right,
// and mutants with one fault each. A mutant that TensorFlow.js fails on or gets wrong is refused, or
// warned of; one that it gets right is not refused. What is otherwise stands in graph.known.json with
// its reason.
//
// GRAPH_DUMP is the program that judges (default: tests/tfjs/graph_dump beside $MODELD, or in the
// current folder); GRAPH_SEED and GRAPH_MUTANTS (how many; "all") choose the mutants, GRAPH_TABLE=FILE
// writes the verdict on each.

import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import fs from 'node:fs';
import path from 'node:path';
import readline from 'node:readline';
import { test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { Worker } from 'node:worker_threads';
import { makers, random } from './graph_models.mjs';
import { mutantsOf } from './graph_mutants.mjs';

const HERE = path.dirname(fileURLToPath(import.meta.url));
const DUMP = process.env.GRAPH_DUMP ?? path.join(path.dirname(process.env.MODELD ?? './modeld'), 'tests', 'tfjs', 'graph_dump');
const SEED = Number(process.env.GRAPH_SEED ?? 1);
const MUTANTS = process.env.GRAPH_MUTANTS ?? '1200';
const HANG_MS = 5000;

// ---- TensorFlow.js ----

// Executes jobs one after the other in a thread, a new one after each that hangs.
class Executor {
	async start() {
		this.worker = new Worker(path.join(HERE, 'graph_worker.mjs'));
		this.worker.on('error', (error) => { this.failure = error; });
		await once(this.worker, 'message');
	}

	async execute(job) {
		if (!this.worker) {
			await this.start();
		}
		let timer;
		const hung = new Promise((resolve) => { timer = setTimeout(resolve, HANG_MS, null); });
		this.worker.postMessage({ id: 0, json: job.json, weights: job.weights, feeds: job.feeds, async: job.async });
		const answer = await Promise.race([once(this.worker, 'message').catch((error) => [{ error: String(error) }]), hung]);
		clearTimeout(timer);
		if (answer) {
			return answer[0];
		}
		await this.stop();
		return { error: `nothing within ${HANG_MS} ms` };
	}

	async stop() {
		await this.worker?.terminate();
		this.worker = null;
	}
}

const near = (x, y) => x === y || (Number.isNaN(x) && Number.isNaN(y)) ||
	(typeof x === 'number' && Math.abs(x - y) <= 1e-5 * Math.max(1, Math.abs(x)));
const sameTensor = (x, y) => x.dtype === y.dtype && String(x.shape) === String(y.shape) && !x.nothing && !y.nothing &&
	x.values.length === y.values.length && x.values.every((v, i) => near(v, y.values[i]));
const sameList = (x, y) => x.length === y.length && x.every((t, i) => sameTensor(t, y[i]));

function outcome(truth, got) {
	if (got.error !== undefined) {
		return 'throws';
	}
	return got.outputs.length === truth.length && got.outputs.every((list, i) => sameList(list, truth[i])) ? 'right' : 'wrong';
}

// ---- modeld ----

class Judge {
	constructor() {
		this.child = spawn(DUMP, { stdio: ['pipe', 'pipe', 'inherit'] });
		this.lines = readline.createInterface({ input: this.child.stdout })[Symbol.asyncIterator]();
	}

	async judge(json) {
		const text = Buffer.from(JSON.stringify(json));
		this.child.stdin.write(`${text.length}\n`);
		this.child.stdin.write(text);
		const { value, done } = await this.lines.next();
		assert.ok(!done, `${DUMP} ended on ${text}`);
		return JSON.parse(value);
	}

	async stop() {
		this.child.stdin.end();
		await once(this.child, 'close');
	}
}

function verdict({ findings }) {
	const severities = findings.map(({ severity }) => severity);
	return ['error', 'warning'].find((severity) => severities.includes(severity)) ?? 'accepted';
}

// ---- both ----

function shuffled(list, r) {
	const copy = [...list];
	for (let k = copy.length - 1; k > 0; k--) {
		const other = r.int(0, k);
		[copy[k], copy[other]] = [copy[other], copy[k]];
	}
	return copy;
}

const known = JSON.parse(fs.readFileSync(path.join(HERE, 'graph.known.json'), 'utf8'));
const excuse = (name, is, said) => known.find((entry) => entry.tfjs.split('|').includes(is) && entry.modeld === said &&
	new RegExp(`^(?:${entry.mutants})$`).test(name));
const isOff = (is, said) => (is === 'right' ? said === 'error' : said === 'accepted');

function printTable(counts) {
	const says = ['accepted', 'warning', 'error'];
	console.log(`${'TensorFlow.js \\ modeld'.padEnd(24)}${says.map((s) => s.padStart(10)).join('')}`);
	for (const is of ['right', 'throws', 'wrong']) {
		console.log(`${is.padEnd(24)}${says.map((said) => String(counts[`${is} ${said}`] ?? 0).padStart(10)).join('')}`);
	}
}

async function truthOf(model, executor) {
	const got = await executor.execute(model);
	assert.equal(got.error, undefined, `${model.name}: ${got.error}`);
	return got.outputs;
}

test('models that are right are accepted without a warning, with the signature that they have', { timeout: 600000 }, async () => {
	const executor = new Executor();
	const judge = new Judge();
	for (let seed = SEED; seed < SEED + 5; seed++) {
		for (const make of makers) {
			const model = make(random(seed));
			const outputs = await truthOf(model, executor);
			const said = await judge.judge(model.json);
			assert.equal(verdict(said), 'accepted', `${model.name}: ${JSON.stringify(said.findings)}`);
			assert.equal(said.async, model.async, model.name);
			assert.deepEqual(said.inputs.filter((t) => t.resourceId === undefined).map((t) => t.name).sort(),
				Object.keys(model.feeds[0]).sort());
			assert.equal(said.outputs.length, outputs[0].length, model.name);
		}
	}
	await executor.stop();
	await judge.stop();
});

// A scalar `a`, its negative `b` in a list of three and `c` of two, so that shapes tell who is who.
function namedModel({ outputs, signature = { inputs: { x: { name: 'x' } }, outputs }, nodes = ['a', 'b', 'c'], metadata }) {
	const op = (name, kind, input, attrs = {}) => ({ name, op: kind, input, attr: { T: { type: 'DT_FLOAT' }, ...attrs } });
	const axis = { name: 'axis', op: 'Const', attr: { dtype: { type: 'DT_INT32' },
		value: { tensor: { dtype: 'DT_INT32', tensorShape: {} } } } };
	return {
		json: {
			format: 'graph-model',
			modelTopology: { versions: { producer: 1482 }, node: [
				{ name: 'x', op: 'Placeholder', attr: { dtype: { type: 'DT_FLOAT' }, shape: { shape: {} } } }, axis,
				op(nodes[0], 'Neg', ['x']), op(nodes[1], 'Pack', ['x', 'x', 'x'], { axis: { i: '0' } }),
				op(nodes[2], 'ExpandDims', ['x', 'axis'])] },
			...(signature ? { signature } : {}),
			...(metadata ? { userDefinedMetadata: metadata } : {}),
			weightsManifest: [{ paths: ['w'], weights: [{ name: 'axis', shape: [], dtype: 'int32' }] }],
		},
		weights: Buffer.alloc(4),
		feeds: [{ x: { dtype: 'float32', shape: [], values: [2] } }],
		async: false,
	};
}

const to = (...names) => Object.fromEntries(names.map(([key, name]) => [key, { name }]));
const replaced = { inputs: { y: { name: 'x' } }, outputs: to(['q', 'b:0']) };
const NAMED = {
	'a signature': namedModel({ outputs: to(['p', 'b'], ['q', 'a:0']) }),
	'a signature in the metadata': { ...namedModel({ outputs: to(['p', 'a']), metadata: { signature: replaced } }),
		feeds: [{ y: { dtype: 'float32', shape: [], values: [2] } }] },
	'an empty signature in the metadata': namedModel({ outputs: to(['p', 'a']), metadata: { signature: {} } }),
	'no signature': namedModel({ signature: null }),
	'keys of the structure': namedModel({ outputs: to(['p', 'b'], ['q', 'a:0']), metadata: { structuredOutputKeys: ['one', 'two'] } }),
	'keys of the structure that are numbers': namedModel({ outputs: to(['p', 'b'], ['q', 'a']), metadata: { structuredOutputKeys: ['1', '0'] } }),
	'keys of the structure, and a signature in the metadata': { ...namedModel({ outputs: to(['p', 'a']),
		metadata: { signature: { ...replaced, outputs: to(['q', 'b:0'], ['r', 'c']) }, structuredOutputKeys: ['q', 'p'] } }),
	feeds: [{ y: { dtype: 'float32', shape: [], values: [2] } }] },
	'nodes with numbers for names': namedModel({ nodes: ['10', '9', '01'], outputs: to(['p', '10'], ['q', '01'], ['r', '9']),
		metadata: { structuredOutputKeys: ['one', 'two', 'three'] } }),
	'numbers with an output behind them': namedModel({ nodes: ['10', '9', '0'], outputs: to(['p', '10:0'], ['q', '0'], ['r', '9:0']),
		metadata: { structuredOutputKeys: ['one', 'two', 'three'] } }),
	'no signature, and nodes with numbers for names': namedModel({ signature: null, nodes: ['10', '9', '4294967295'],
		metadata: { structuredOutputKeys: ['one', 'two', 'three'] } }),
	'a key that stands for another one': namedModel({ outputs: to(['p', 'b'], ['q', 'a'], ['r', 'b']),
		metadata: { structuredOutputKeys: ['one', 'two'] } }),
};

// What GraphModel says of a model, and what modeld does.
function assertNames(what, { json }, { names, error }, said) {
	const nodeOf = ({ node }) => node.split(':')[0];
	const shapes = { Neg: [], Pack: [3], ExpandDims: [1] };
	const shapeOf = (name) => shapes[json.modelTopology.node.find((node) => node.name === name).op];
	assert.equal(error, undefined, what);
	assert.deepEqual(said.inputs.map(({ name }) => name), names.inputs, what);
	assert.deepEqual(said.inputs.map(nodeOf), names.inputNodes, what);
	assert.deepEqual(said.outputs.map(({ name }) => name), names.outputs, what);
	assert.deepEqual(said.outputs.map(nodeOf), names.outputNodes, what);
	const returned = said.outputs.map((t) => [t.returned, shapeOf(nodeOf(t))]);
	assert.deepEqual(returned.some(([key]) => key) ? Object.fromEntries(returned) : null,
		names.returned && Object.fromEntries(names.returned), what);
}

test('inputs and outputs have the names, and the order, that GraphModel gives them', { timeout: 60000 }, async () => {
	const executor = new Executor();
	const judge = new Judge();
	try {
		for (const [what, model] of Object.entries(NAMED)) {
			assertNames(what, model, await executor.execute(model), await judge.judge(model.json));
		}
	} finally {
		await executor.stop();
		await judge.stop();
	}
});

test('mutants that TensorFlow.js fails on are refused or warned of, others are not refused', { timeout: 3600000 }, async () => {
	const executor = new Executor();
	const judge = new Judge();
	const r = random(SEED);
	const models = makers.map((make) => make(random(SEED)));
	const truths = new Map();
	for (const model of models) {
		truths.set(model.name, await truthOf(model, executor));
	}
	const all = models.flatMap((model) => [...mutantsOf(model)]);
	const chosen = MUTANTS === 'all' ? all : shuffled(all, r).slice(0, Number(MUTANTS));
	const counts = {};
	const lines = [];
	const off = [];
	for (const mutant of chosen) {
		const got = await executor.execute(mutant);
		const is = outcome(truths.get(mutant.name.split(' ')[0]), got);
		const judged = await judge.judge(mutant.json);
		const said = verdict(judged);
		counts[`${is} ${said}`] = (counts[`${is} ${said}`] ?? 0) + 1;
		lines.push([is, said, mutant.name, (got.error ?? '').slice(0, 160), judged.findings.map((x) => `${x.rule}: ${x.message}`).join(' | ').slice(0, 300)].join('\t'));
		if (isOff(is, said) && !excuse(mutant.name, is, said)) {
			off.push(`${mutant.name}: ${is}, ${said}: ${got.error ?? ''} ${JSON.stringify(judged.findings.map((x) => x.message))}`);
		}
	}
	await executor.stop();
	await judge.stop();
	if (process.env.GRAPH_TABLE) {
		fs.writeFileSync(process.env.GRAPH_TABLE, `${lines.sort().join('\n')}\n`);
	}
	console.log(`${chosen.length} of ${all.length} mutants`);
	printTable(counts);
	assert.deepEqual(off, []);
});

test('the table of ops is that of the release that is tested with', async () => {
	const child = spawn(process.execPath, [path.join(HERE, 'gen-ops.mjs')], { stdio: ['ignore', 'pipe', 'inherit'] });
	let text = '';
	for await (const chunk of child.stdout) {
		text += chunk;
	}
	assert.equal(text, fs.readFileSync(path.join(HERE, '..', '..', 'common', 'model', 'graph_ops.def'), 'utf8'));
});
