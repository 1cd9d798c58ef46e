// SPDX-License-Identifier: Apache-2.0
// What the daemon says of whole artifacts against what TensorFlow.js does with them: artifacts of every
// kind that are right, and mutants with one fault each, in model.json outside of its topology, in the
// manifest, in the shards. A mutant that TensorFlow.js fails on or gets wrong is refused, or warned of;
// one that it gets right is not refused. What is otherwise stands in artifact.known.json with its reason, and
// for how long (`until`) when that will change.
//
// ARTIFACT_SEED and ARTIFACT_MUTANTS (how many; "all") choose the mutants, ARTIFACT_ONLY those whose
// names match it; ARTIFACT_TABLE=FILE writes the verdict on each.

import assert from 'node:assert/strict';
import { once } from 'node:events';
import fs from 'node:fs';
import http from 'node:http';
import path from 'node:path';
import { after, before, test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { Worker } from 'node:worker_threads';

import { useDaemon } from '../lib/daemon.mjs';
import { multipart, partsOf, request } from '../lib/http.mjs';
import { random, utf8 } from '../lib/models.mjs';
import { artifacts } from './artifact_models.mjs';
import { mutantsOf } from './artifact_mutants.mjs';

const HERE = path.dirname(fileURLToPath(import.meta.url));
const SEED = Number(process.env.ARTIFACT_SEED ?? 1);
const MUTANTS = process.env.ARTIFACT_MUTANTS ?? '1200';
const ONLY = new RegExp(process.env.ARTIFACT_ONLY ?? '');
const HANG_MS = 20_000;

const known = JSON.parse(fs.readFileSync(path.join(HERE, 'artifact.known.json'), 'utf8'))
	.map((entry) => ({ ...entry, pattern: new RegExp(`^(?:${entry.mutants})$`), used: 0 }));

const bytesOf = (text) => (typeof text === 'string' ? utf8(text) : text);

// ---- TensorFlow.js ----

// One job after the other in a thread, a new one after each that hangs.
class Loader {
	async start() {
		this.worker = new Worker(path.join(HERE, 'artifact_worker.mjs'), { resourceLimits: { maxOldGenerationSizeMb: 1024 } });
		this.worker.on('error', () => {});
		await once(this.worker, 'message');
	}

	async load({ loader, text, shards, feeds, async: isAsync }) {
		if (!this.worker) {
			await this.start();
		}
		let timer;
		const hung = new Promise((resolve) => { timer = setTimeout(resolve, HANG_MS, null); });
		const files = [['model.json', bytesOf(text)], ...shards.map(({ path: at, bytes }) => [at, bytes])];
		this.worker.postMessage({ loader, files, feeds, async: isAsync });
		const answer = await Promise.race([once(this.worker, 'message').catch(() => null), hung]);
		clearTimeout(timer);
		if (answer) {
			return answer[0];
		}
		await this.stop();
		return { error: `nothing within ${HANG_MS} ms, or too much memory` };
	}

	async stop() {
		await this.worker?.terminate();
		this.worker = null;
	}
}

const sameValue = (x, y) => x === y || (Number.isNaN(x) && Number.isNaN(y));
const near = (x, y) => sameValue(x, y) || (typeof x === 'number' && Math.abs(x - y) <= 1e-5 * Math.max(1, Math.abs(x)));
const alike = (same, random_) => (x, y) => x && y && !x.nothing && !y.nothing && x.dtype === y.dtype && String(x.shape) === String(y.shape) &&
	x.values.length === y.values.length && (random_ || x.values.every((v, i) => same(v, y.values[i])));

// `truth` is what the artifact without a fault gives; without weights in it they are random.
function outcome(model, truth, got) {
	if (got.error !== undefined) {
		return 'throws';
	}
	const needed = Object.fromEntries(Object.entries(truth.weights).filter(([name]) => !model.idle.includes(name)));
	const random_ = model.loader === 'layers' && !model.json.weightsManifest;
	const sameAll = (x, y, same) => Object.keys(x).every((key) => alike(same, random_)(x[key], y[key]));
	return sameAll(needed, got.weights, sameValue) && sameAll(truth.optimizer, got.optimizer, sameValue) &&
		truth.outputs.length === got.outputs.length &&
		truth.outputs.every((list, i) => list.length === got.outputs[i].length && sameAll(list, got.outputs[i], near)) ? 'right' : 'wrong';
}

// ---- modeld ----

const agent = new http.Agent({ keepAlive: true, maxSockets: 1 });

async function judge(daemon, { text, shards }) {
	const form = multipart(partsOf({ files: [{ path: 'model.json', bytes: bytesOf(text) }, ...shards] }));
	const answered = await request(daemon, 'POST', '/models/judged?dry_run=true', {
		headers: { ...form.headers, 'content-length': form.body.length }, body: form.body, agent,
	});
	assert.ok(answered.status === 200 || (answered.status >= 400 && answered.status < 500), answered.text);
	const findings = (answered.status === 200 ? answered.json.findings : answered.json.errors) ?? [];
	const warned = findings.some(({ severity }) => severity === 'warning');
	return {
		said: answered.status !== 200 ? 'refused' : warned ? 'warning' : 'accepted',
		why: findings.length > 0 ? findings.map(({ rule, message }) => `${rule}: ${message}`).join(' | ') : answered.json.detail ?? '',
	};
}

// ---- both ----

function shuffled(list, next) {
	const copy = [...list];
	for (let k = copy.length - 1; k > 0; k--) {
		const other = Math.floor(next() * (k + 1));
		[copy[k], copy[other]] = [copy[other], copy[k]];
	}
	return copy;
}

// One of each fault, then another one of each, and so on: every fault has its turn, in some artifact.
function inTurns(mutants, next) {
	const faults = new Map();
	for (const mutant of mutants) {
		const fault = mutant.name.split(' ')[1];
		faults.set(fault, faults.get(fault) ?? []).get(fault).push(mutant);
	}
	const lists = shuffled([...faults.values()], next).map((list) => shuffled(list, next));
	const longest = Math.max(0, ...lists.map((list) => list.length));
	return Array.from({ length: longest }, (_, i) => lists.flatMap((list) => list.slice(i, i + 1))).flat();
}

const isOff = (is, said) => (is === 'right' ? said === 'refused' : said === 'accepted');

function excuse(name, is, said) {
	const found = known.find((entry) => entry.tfjs.split('|').includes(is) && entry.modeld === said && entry.pattern.test(name));
	if (found) {
		found.used++;
	}
	return found;
}

function tableOf(counts) {
	const says = ['accepted', 'warning', 'refused'];
	const row = (head, cells) => head.padEnd(24) + cells.map((cell) => String(cell).padStart(10)).join('');
	return [row('TensorFlow.js \\ modeld', says), ...['right', 'throws', 'wrong'].map((is) =>
		row(is, says.map((said) => counts[`${is} ${said}`] ?? 0)))];
}

const daemon = useDaemon();
const loader = new Loader();
const models = [];
const truths = new Map();

before(async () => {
	const tf = await import('@tensorflow/tfjs');
	await tf.setBackend('cpu');
	models.push(...await artifacts(tf, SEED));
	for (const model of models) {
		truths.set(model.name, await loader.load({ ...model, text: JSON.stringify(model.json) }));
	}
});

after(async () => {
	agent.destroy();
	await loader.stop();
});

test('artifacts that are right are accepted without a warning', async () => {
	for (const model of models) {
		const truth = truths.get(model.name);
		assert.equal(truth.error, undefined, model.name);
		assert.ok(model.loader === 'weights' || truth.outputs.length > 0, model.name);
		const { said, why } = await judge(daemon, { ...model, text: JSON.stringify(model.json) });
		assert.equal(said, 'accepted', `${model.name}: ${why}`);
	}
});

test('mutants that TensorFlow.js fails on are refused or warned of, others are not refused', { timeout: 3_600_000 }, async (t) => {
	const all = models.flatMap((model) => [...mutantsOf(model)].map((mutant) => ({ ...model, ...mutant, model })))
		.filter(({ name }) => ONLY.test(name));
	const chosen = MUTANTS === 'all' ? all : inTurns(all, random(SEED)).slice(0, Number(MUTANTS));
	const verdicts = chosen.map(() => null);
	const judging = (async () => {
		for (const [i, mutant] of chosen.entries()) {
			verdicts[i] = await judge(daemon, mutant);
		}
	})();
	const loaded = [];
	for (const mutant of chosen) {
		loaded.push(await loader.load(mutant));
	}
	await judging;
	const counts = {};
	const lines = [];
	const off = [];
	for (const [i, mutant] of chosen.entries()) {
		const [got, { said, why }] = [loaded[i], verdicts[i]];
		const is = outcome(mutant.model, truths.get(mutant.model.name), got);
		counts[`${is} ${said}`] = (counts[`${is} ${said}`] ?? 0) + 1;
		const line = [is, said, mutant.name, (got.error ?? '').slice(0, 160), why.slice(0, 300)].join('\t');
		lines.push(line);
		if (isOff(is, said) && !excuse(mutant.name, is, said)) {
			off.push(line);
		}
	}
	if (process.env.ARTIFACT_TABLE) {
		fs.writeFileSync(process.env.ARTIFACT_TABLE, `${lines.sort().join('\n')}\n`);
	}
	for (const line of [`${chosen.length} of ${all.length} mutants`, ...tableOf(counts)]) {
		t.diagnostic(line);
	}
	assert.deepEqual(off, []);
	if (MUTANTS === 'all' && !process.env.ARTIFACT_ONLY) {
		assert.deepEqual(known.filter(({ used, until }) => used === 0 && !until).map(({ mutants }) => mutants), [], 'known, and not seen');
	}
});
