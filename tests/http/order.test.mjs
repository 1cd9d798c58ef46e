// SPDX-License-Identifier: Apache-2.0
// The order of system calls behind each kind of change. Killing the daemon cannot show a missing fsync,
// since the page cache survives it; the calls themselves can.

import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import crypto from 'node:crypto';
import fs from 'node:fs';
import path from 'node:path';
import { before, describe, test } from 'node:test';

import { Daemon, daemonEnv, have, NO_FORMS, scratchDir, until } from '../lib/daemon.mjs';
import { get, head, publish, published } from '../lib/http.mjs';
import { addGraph, denseModel } from '../lib/models.mjs';
import { isAnswer, parseTrace, StoreTrace, TRACED } from '../lib/trace.mjs';
import { Writer } from '../lib/writer.mjs';

const sha256 = (bytes) => crypto.createHash('sha256').update(bytes).digest('hex');
const skip = !have('strace') && 'strace is not installed';
const STRACE = ['strace', '-f', '-y', '-s', '1000', '-e', `trace=${TRACED.join(',')}`];
// The leak checker is itself a tracer and cannot run under another one.
const UNTRACED = { ASAN_OPTIONS: 'detect_leaks=0', LSAN_OPTIONS: 'detect_leaks=0' };

// Everything that a daemon did from its start to its end.
async function traceOf(store, work, set = NO_FORMS) {
	const log = path.join(scratchDir('trace'), 'strace.log');
	const daemon = new Daemon({ store, wrapper: [...STRACE, '-o', log], env: UNTRACED, set });
	try {
		await daemon.start();
		await work(daemon);
		process.kill(daemon.pid, 'SIGTERM');
		assert.deepEqual(await daemon.closed, { code: 0, signal: null }, daemon.stderr);
	} finally {
		await daemon.destroy();
	}
	return new StoreTrace(parseTrace(fs.readFileSync(log, 'utf8')), store);
}

// ---- what must hold of the calls between one answer and the next ----

function assertCommitted(own, answer) {
	const commit = own.commits().at(-1);
	assert.ok(commit, 'the catalog is written and synced');
	assert.ok(commit.end < answer.begin, 'no answer before the commit of the catalog is synced');
	const later = own.writesTo(own.log).filter(({ begin }) => begin > commit.sync);
	assert.deepEqual(later, [], 'nothing is written to it behind the sync');
	return commit;
}

function assertBytesBeforeName(own, { names: [from], begin }) {
	const writes = own.writesTo(from);
	for (const write of writes) {
		assert.ok(own.syncAfter(write, from, begin), `${from} was synced before its link`);
	}
	assert.deepEqual(writes.filter((write) => write.end > begin), [], 'nothing is written behind the link');
}

function assertNamesBefore(own, limit) {
	for (const link of own.links()) {
		const dir = path.dirname(link.names[1]);
		assert.ok(own.syncAfter(link, dir, limit), `${dir} was synced between link and commit`);
	}
	for (const made of own.dirs()) {
		const parent = path.dirname(made.names[0]);
		assert.ok(own.syncAfter(made, parent, limit), `${parent} was synced after ${made.names[0]} was made`);
	}
}

// Parts: what an answer tells of has its bytes and its name on the disk.
function assertPartsBefore(own, limit) {
	const dir = path.join(own.store, 'uploads');
	for (const { names: [file] } of own.created('uploads')) {
		for (const write of own.writesTo(file)) {
			assert.ok(own.syncAfter(write, file, limit), `${file} was synced before the commit`);
		}
	}
	for (const made of own.created('uploads')) {
		assert.ok(own.syncAfter(made, dir, limit), `${dir} was synced before the commit`);
	}
}

function assertPiecesBefore(own, limit) {
	const files = new Set(own.events.flatMap(({ args }) => /^\d+<([^>]*\/uploads\/[^>]*)>/.exec(args)?.[1] ?? []));
	assert.ok(files.size > 0, 'a part is written');
	for (const file of files) {
		const writes = own.writesTo(file);
		assert.ok(writes.length > 0, `${file} is written to`);
		writes.forEach((write) => assert.ok(own.syncAfter(write, file, limit), `${file} was synced before the commit`));
	}
}

function assertIntent(own) {
	const first = Math.min(...own.links().map(({ begin }) => begin));
	assert.ok(own.commits().some(({ end }) => end < first), 'an intent is committed before a blob has its name');
}

describe('the order of writes', { skip }, () => {
	const store = scratchDir('store');
	const steps = [];
	let trace;
	let answers;

	// What each step may and must do. Every step is one answer.
	const EXPECTED = {
		publish: { links: [3, 4] },
		'publish of many files': { links: [13, 14] },
		'publish of a large file': { links: [2] },
		open: {},
		put: { links: [1] },
		piece: { part: true, created: true },
		patch: { part: true },
		look: { reads: true },
		'last piece': { links: [1], pieces: true },
		mount: {},
		commit: {},
		label: {},
		delete: {},
		drop: {},
	};

	before(async () => {
		trace = await traceOf(store, async (daemon) => {
			const writer = new Writer('traced', 1);
			const step = async (name, change) => {
				steps.push(name);
				assert.ok(await writer.apply(daemon, change));
			};
			await step('publish', { kind: 'publish', model: denseModel({ seed: 1, shardBytes: 20 }) });
			await step('publish', { kind: 'publish', model: denseModel({ seed: 2, shardBytes: 20 }) });
			await step('publish of many files', { kind: 'publish', model: addGraph({ seed: 3, size: 52, shardBytes: 16 }) });
			await step('publish of a large file', { kind: 'publish', model: addGraph({ seed: 4, size: 700_000, shardBytes: 4e6 }) });
			const model = writer.newModel({ companion: 90_000 });
			model.files.push({ path: 'mounted.json', bytes: writer.live.get(1)[0].bytes });
			await step('open', { kind: 'open', model });
			const [upload] = writer.uploads.values();
			for (const file of upload.files) {
				if (file.path === 'mounted.json') {
					await step('mount', { kind: 'mount', upload, file, end: file.bytes.length });
				} else if (file.path === 'labels.bin') {
					await step('piece', { kind: 'put', upload, file, end: 30_000 });
					await step('patch', { kind: 'patch', upload, file, end: 60_000 });
					steps.push('look');
					assert.equal((await head(daemon, upload.of(file))).headers['upload-offset'], '60000');
					await step('last piece', { kind: 'patch', upload, file, end: 90_000 });
				} else {
					await step('put', { kind: 'put', upload, file, end: file.bytes.length });
				}
			}
			await step('commit', { kind: 'commit', upload });
			await step('label', { kind: 'label', label: 'stable', version: 2 });
			await step('delete', { kind: 'delete', version: 1 });
			await step('open', { kind: 'open', model: writer.newModel({ companion: 5000 }) });
			const dropped = [...writer.uploads.values()].at(-1);
			await step('piece', { kind: 'put', upload: dropped, file: dropped.files.at(-1), end: 3000 });
			await step('drop', { kind: 'drop', upload: dropped });
		});
		answers = trace.events.filter(isAnswer);
	});

	const during = (n) => trace.between(n === 0 ? -1 : answers[n - 1].begin, answers[n].begin);

	test('every step has one answer', () => {
		assert.equal(answers.length, steps.length);
	});

	for (const [name, expected] of Object.entries(EXPECTED)) {
		test(`${name}: nothing is told before it is durable`, () => {
			const places = [...steps.keys()].filter((n) => steps[n] === name);
			assert.ok(places.length > 0);
			for (const n of places) {
				const own = during(n);
				assert.deepEqual(own.removals('blobs'), [], 'no blob is removed');
				assert.ok((expected.links ?? [0]).includes(own.links().length), `${own.links().length} links`);
				if (expected.reads) {
					continue;
				}
				const commit = assertCommitted(own, answers[n]);
				own.links().forEach((link) => assertBytesBeforeName(own, link));
				assertNamesBefore(own, commit.begin);
				if (own.links().length > 0) {
					assertIntent(own);
				}
				if (expected.part) {
					assertPiecesBefore(own, commit.begin);
					assertPartsBefore(own, commit.begin);
					assert.equal(own.created('uploads').length, expected.created ? 1 : 0);
				}
			}
		});
	}

	test('drop: the upload is gone for good before its parts are', () => {
		const own = during(steps.indexOf('drop'));
		const removed = own.removals('uploads');
		assert.equal(removed.length, 1);
		assert.ok(own.commits().some(({ end }) => end < removed[0].begin));
	});

	test('a collection: the catalog forgets before files are removed, and their names are gone before it forgets those', () => {
		const log = path.join(scratchDir('trace'), 'strace.log');
		const ended = spawnSync(STRACE[0], [...STRACE.slice(1), '-o', log, path.resolve(process.env.MODELD), 'gc', '--config', '/dev/null',
			'--store', store, '--grace', '0'], { encoding: 'utf8', env: daemonEnv(UNTRACED) });
		assert.equal(ended.status, 0, ended.stderr);
		const own = new StoreTrace(parseTrace(fs.readFileSync(log, 'utf8')), store);
		const removed = own.removals('blobs');
		assert.ok(removed.length >= 3, String(removed.length));
		const commits = own.commits();
		assert.ok(commits[0].end < removed[0].begin, 'marked before the first is removed');
		for (const one of removed) {
			const next = commits.find(({ end }) => end > one.end);
			assert.ok(next, 'the trash is forgotten');
			const dir = path.dirname(one.names[0]);
			assert.ok(own.syncAfter(one, dir, next.begin), `${dir} was synced before the trash was forgotten`);
		}
	});
});

// Requests that come at the same time may share syncs and commits; none is answered before its own.
describe('the order of writes of many at a time', { skip }, () => {
	const AT_ONCE = 12;
	let trace;
	const models = Array.from({ length: AT_ONCE }, (_, i) => addGraph({ seed: 100 + i, size: 12, shardBytes: 16 }));

	before(async () => {
		trace = await traceOf(scratchDir('store'), async (daemon) => {
			const answered = await Promise.all(models.map((model, i) => publish(daemon, `m${i}`, model)));
			answered.forEach(({ status, text }) => assert.equal(status, 201, text));
		});
	});

	test('each has its bytes, names and a commit durable before its answer', (t) => {
		const answers = trace.events.filter(isAnswer);
		assert.equal(answers.length, AT_ONCE);
		for (const link of trace.links()) {
			assertBytesBeforeName(trace, link);
		}
		const links = new Map(trace.links().map((link) => [path.basename(link.names[1]).split('.')[0], link]));
		for (const i of models.keys()) {
			const answer = answers.find(({ args }) => args.includes(`/models/m${i}@1/`));
			assert.ok(answer, `the answer for m${i}`);
			const own = models[i].files.map(({ bytes }) => links.get(sha256(bytes)));
			// model.json is the same for all: the first to store it stored it for all.
			assert.ok(own.slice(1).every(Boolean), 'every shard has its link');
			const durable = own.filter(Boolean).map((link) => trace.syncAfter(link, path.dirname(link.names[1]), answer.begin));
			assert.ok(durable.slice(1).every(Boolean), 'the names are durable before the answer');
			const last = Math.max(...durable.slice(1).map(({ end }) => end));
			assert.ok(trace.commits().some(({ begin, end }) => begin > last && end < answer.begin),
				`m${i}: a commit came after the names and before the answer`);
		}
		t.diagnostic(`${trace.commits().length} commits, ${trace.events.filter(({ name }) => name === 'syncfs').length} flushes`);
	});
});

test('precompressed files are durable before the catalog names them', { skip }, async () => {
	const own = await traceOf(scratchDir('store'), async (daemon) => {
		await published(daemon, 'm', denseModel());
		await until('two forms of model.json', async () => {
			const { json } = await get(daemon, '/v1/models/m/versions/1');
			return json.files.some(({ codings }) => codings?.br && codings?.gzip);
		});
	}, {});
	const forms = own.links().slice(-2);
	const answer = own.events.find(isAnswer);
	const commits = own.commits();
	for (const link of forms) {
		assert.ok(link.begin > answer.begin, 'the publish did not wait for them');
		assertBytesBeforeName(own, link);
		assert.ok(commits.some(({ end }) => end > answer.begin && end < link.begin), 'an intent is committed before a form has its name');
		const commit = commits.find(({ begin }) => begin > link.end);
		assert.ok(commit, 'a commit follows');
		const dir = path.dirname(link.names[1]);
		assert.ok(own.syncAfter(link, dir, commit.begin), `${dir} was synced between link and commit`);
	}
	assert.deepEqual(own.removals('blobs'), []);
});
