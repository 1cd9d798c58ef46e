// SPDX-License-Identifier: Apache-2.0
// The system fails a call on the disk in the middle of a change, each call of each kind of change: the
// answer says so and blames nobody else, nothing of it is visible in part, no descriptor is lost, and the
// next request works without a restart.
//
// By default one error for the first call of each name in each thread; when FAULTS is `all` (it is with
// `./dev test --long`) every error in every call.

import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import fs from 'node:fs';
import path from 'node:path';
import { after, before, describe, test } from 'node:test';

import { archived, written } from '../lib/archives.mjs';
import { asService, Daemon, daemonEnv, scratchDir, until, within } from '../lib/daemon.mjs';
import { assertProblem, get, post } from '../lib/http.mjs';
import { addGraph } from '../lib/models.mjs';
import { callsOf, noStrace, ONE_THREAD_EACH, placesOf, tasksOf, traced } from '../lib/strace.mjs';
import { assertExact, assertSound, modeld, Writer } from '../lib/writer.mjs';

const ALL = process.env.FAULTS === 'all';
const binary = process.env.MODELD_PLAIN ?? process.env.MODELD;
const FULL = [507, 'STORAGE_FULL'];
const ANSWERS = { EIO: [500, 'IO_FAILED'], ENOSPC: FULL, EDQUOT: FULL, EFBIG: FULL, EMFILE: [503, 'BUSY'],
	ENFILE: [503, 'BUSY'], ENOMEM: [503, 'OUT_OF_MEMORY'] };
const ERRORS = {
	openat: ['EMFILE', 'ENFILE', 'ENOMEM', 'ENOSPC', 'EIO'],
	write: ['ENOSPC', 'EDQUOT', 'EFBIG', 'EIO'],
	pwrite64: ['ENOSPC', 'EIO'],
	fsync: ['EIO', 'ENOSPC', 'EDQUOT'],
	syncfs: ['EIO', 'ENOSPC'],
	fdatasync: ['EIO'], // of SQLite, which does not tell why a sync failed
	linkat: ['EDQUOT', 'ENOSPC', 'EIO'],
	mkdirat: ['ENOSPC', 'EDQUOT', 'EIO'],
	unlinkat: ['EIO'],
	ftruncate: ['EIO', 'ENOSPC'],
	fchmod: ['EIO'],
	lseek: ['EIO'],
	pread64: ['EIO'],
	...(process.env.MODELD_PLAIN && { mmap: ['ENOMEM'] }), // not under a sanitizer's own allocator
};
const CALLS = Object.keys(ERRORS);

const toArchive = async (daemon, name, model) =>
	post(daemon, `/models/${name}`, await archived('tar', written(model)));

// Makes the change after what was prepared; each ends at its first 5xx. Publishes come after uploads: one
// that fails sweeps the store, and with it what could not be removed before.
const CHANGES = {
	'an upload file by file': {
		change: async (writer, daemon) => {
			const upload = await writer.stage(daemon, [30_000, 50_000, 70_000]);
			return upload && writer.apply(daemon, { kind: 'commit', upload });
		},
	},
	'a dropped upload': {
		prepare: (writer, daemon) => writer.stage(daemon, [30_000], 70_000),
		change: (writer, daemon, upload) => writer.apply(daemon, { kind: 'drop', upload }),
	},
	'a publish': {
		change: (writer, daemon) => writer.apply(daemon, { kind: 'publish', model: writer.newModel() }),
	},
	'a publish of many files': {
		change: (writer, daemon) => writer.apply(daemon, { kind: 'publish', model: writer.newModel({ shards: 12 }) }),
	},
	'a publish of an archive': {
		change: (writer, daemon) => writer.apply(daemon, { kind: 'publish', model: writer.newModel(), how: toArchive }),
	},
	'a label move': {
		prepare: (writer, daemon) => writer.apply(daemon, { kind: 'label', label: 'stable', version: 1 }),
		change: (writer, daemon) => writer.apply(daemon, { kind: 'label', label: 'stable', version: 2 }),
	},
	'a deletion': {
		change: (writer, daemon) => writer.apply(daemon, { kind: 'delete', version: 1 }),
	},
};

// Of the calls that a change makes, those to fail and how.
function casesOf(places) {
	if (ALL) {
		return places.flatMap((place) => ERRORS[place.call].map((error) => ({ ...place, error })));
	}
	const first = new Map();
	places.forEach((place) => first.set(`${place.thread} ${place.call}`, first.get(`${place.thread} ${place.call}`) ?? place));
	return [...first.values()].map((place, i) => ({ ...place, error: ERRORS[place.call][i % ERRORS[place.call].length] }));
}

const wordsFor = ({ call, error, n }) => ['-e', `trace=${call}`, '-e', `inject=${call}:error=${error}:when=${n}`];
const ofCase = (what, cause) => Object.assign(cause, { message: `${JSON.stringify(what)}: ${cause.message}` });

describe('a call that fails', { skip: noStrace }, () => {
	const writers = [];
	let daemon;

	before(async () => {
		daemon = await new Daemon({ binary, wrapper: asService, set: ONE_THREAD_EACH }).start();
	});
	after(async () => {
		await daemon.destroy();
	});

	async function prepared({ prepare }) {
		const writer = new Writer(`m${writers.length}`, writers.length + 1);
		writers.push(writer);
		await writer.apply(daemon, { kind: 'publish', model: writer.newModel() });
		await writer.apply(daemon, { kind: 'publish', model: writer.newModel() });
		return { writer, what: await prepare?.(writer, daemon) };
	}

	// What SQLite makes of an errno: a page that cannot be read is damage to it.
	function expected({ call, error }, answered) {
		const damaged = call === 'pread64' && answered.json.code === 'CORRUPT';
		return damaged ? [500, 'CORRUPT'] : ANSWERS[error];
	}

	for (const [name, kind] of Object.entries(CHANGES)) {
		async function failed(what, counts) {
			const { writer, what: given } = await prepared(kind);
			const before = daemon.descriptors();
			writer.mayRefuse = true;
			const { result, text } = await traced(daemon.pid, { thread: tasksOf(daemon.pid)[what.thread], words: wordsFor(what) },
				() => kind.change(writer, daemon, given));
			const hit = text.includes('(INJECTED)');
			counts.hit += hit;
			if (!result) {
				counts.refused++;
				assert.ok(writer.refused, `the connection was lost\n${daemon.stderr}`);
				assert.ok(hit, writer.refused.text);
				assert.ok(assertProblem(writer.refused, ...expected(what, writer.refused)).detail.length > 10);
			}
			await writer.check(daemon, { all: true });
			writer.mayRefuse = false;
			await writer.finish(daemon);
			assert.equal((await get(daemon, '/readyz')).status, 200);
			await until(`${before} descriptors`, () => daemon.descriptors() <= before);
		}

		test(`in ${name} is a clean answer, and hurts nothing else`, async (t) => {
			const counts = { hit: 0, refused: 0 };
			const cases = casesOf(await callsOf(daemon, CALLS, async () => {
				const { writer, what } = await prepared(kind);
				return () => kind.change(writer, daemon, what);
			}));
			for (const what of cases) {
				await failed(what, counts).catch((cause) => { throw ofCase(what, cause); });
			}
			t.diagnostic(`${cases.length} cases, ${counts.hit} hit, ${counts.refused} refused: ` +
				[...new Set(cases.map(({ call }) => call))].join(' '));
			assert.ok(counts.hit > cases.length / 2 && counts.refused > cases.length / 4);
		});
	}

	test('to start writing a large file early is none: its sync tells', async () => {
		const { writer } = await prepared({});
		const publishAll = async () => {
			for (const seed of [1, 2, 3]) {
				assert.ok(await writer.apply(daemon, { kind: 'publish', model: addGraph({ seed, size: 900_000, shardBytes: 4e6 }) }));
			}
		};
		const { text } = await traced(daemon.pid, { words: ['-e', 'trace=sync_file_range', '-e', 'inject=sync_file_range:error=EIO'] },
			publishAll);
		assert.ok(text.includes('(INJECTED)'));
		await writer.check(daemon, { all: true });
	});

	// modeld with strace before it.
	async function ran(words, args) {
		const log = path.join(scratchDir('inject'), 'log');
		const child = spawn('strace', ['-f', '-y', '-qq', '-o', log, ...words, ...asService, binary, ...args, '--store', daemon.store],
			{ stdio: ['ignore', 'ignore', 'pipe'], env: daemonEnv() });
		let stderr = '';
		child.stderr.on('data', (bytes) => (stderr += bytes));
		const code = await within('the end of modeld', new Promise((resolve) => { child.on('close', resolve); }));
		return { code, stderr, text: fs.readFileSync(log, 'utf8') };
	}

	test('in a collection leaves it to the next one', async (t) => {
		const args = ['gc', '--config', '/dev/null', '--grace', '0'];
		const garbage = async () => {
			const { writer } = await prepared({});
			await writer.apply(daemon, { kind: 'delete', version: 1 });
			return writer;
		};
		let failures = 0;
		await garbage();
		const cases = casesOf(placesOf((await ran(['-e', `trace=${CALLS}`], args)).text, daemon.store));
		for (const what of cases) {
			const writer = await garbage();
			const ended = await ran(wordsFor(what), args);
			failures += ended.code !== 0;
			assert.ok([0, 1].includes(ended.code), `${JSON.stringify(what)}: ${ended.code} ${ended.stderr}`);
			assert.ok(ended.code === 0 || /^modeld: .{10}/m.test(ended.stderr), ended.stderr);
			await writer.check(daemon);
			await assertSound(daemon.store);
		}
		t.diagnostic(`${cases.length} cases, ${failures} failed: ${[...new Set(cases.map(({ call }) => call))].join(' ')}`);
		assert.ok(failures > cases.length / 3);
	});

	test('in a collection of the daemon itself hurts no request', async (t) => {
		const own = new Daemon({ binary, wrapper: asService,
			set: { ...ONE_THREAD_EACH, 'store.gc_interval': '1s', 'store.gc_grace': '0s', 'store.trash_delay': '0s' } });
		t.after(() => own.destroy());
		await own.start();
		const writer = new Writer('m', 1);
		await writer.apply(own, { kind: 'publish', model: writer.newModel() });
		for (const call of ['unlinkat', 'fsync,syncfs']) { // of those that a deletion does not make
			await writer.apply(own, { kind: 'publish', model: writer.newModel() });
			own.stderr = '';
			const { text } = await traced(own.pid, { words: ['-e', `trace=${call}`, '-e', `inject=${call}:error=EIO`] }, async () => {
				await writer.apply(own, { kind: 'delete', version: writer.highest });
				await until('a collection to fail', () => /collecting|sweeping/.test(own.stderr));
				await writer.check(own);
			});
			assert.ok(text.includes('(INJECTED)'), call);
			// Its line is behind all those of this failure.
			await until('a collection to go well', () => /msg=collected/.test(own.stderr));
			await until('the blobs of what was deleted to be gone', () => {
				try {
					return own.files('blobs').length === new Set(writer.held()).size;
				} catch {
					return false; // one went while it was looked at
				}
			});
		}
		await assertSound(own.store);
		await own.stop();
	});

	test('at the start ends it with a sentence, and the next start works', async (t) => {
		await daemon.stop();
		const counts = { failed: 0, started: 0 };
		const log = path.join(scratchDir('inject'), 'log');
		const started = async (words) => {
			const one = new Daemon({ store: daemon.store, binary, set: ONE_THREAD_EACH,
				wrapper: ['strace', '-f', '-y', '-qq', '-o', log, ...words, ...asService] });
			try {
				await one.start().then(() => {
					counts.started++;
					process.kill(one.pid, 'SIGTERM');
				}, () => counts.failed++);
				return { ...await within('the end', one.closed), stderr: one.stderr };
			} finally {
				await one.destroy();
			}
		};
		await started(['-e', `trace=${CALLS}`]);
		const places = placesOf(fs.readFileSync(log, 'utf8'), daemon.store);
		const cases = casesOf(ALL ? places.filter(({ n }) => n < 200) : places);
		for (const what of cases) {
			const ended = await started(wordsFor(what));
			assert.ok([0, 1, 78].includes(ended.code), `${JSON.stringify(what)}: ${JSON.stringify(ended)}`);
			assert.ok(ended.code === 0 || /^modeld: .{10}/m.test(ended.stderr), ended.stderr);
		}
		t.diagnostic(`${cases.length} cases, ${counts.failed} did not start`);
		assert.ok(counts.failed > cases.length / 3);
		daemon = await new Daemon({ store: daemon.store, binary, wrapper: asService, set: ONE_THREAD_EACH }).start();
		assert.equal((await get(daemon, '/readyz')).status, 200);
		for (const writer of writers) {
			await writer.check(daemon);
		}
		await daemon.stop();
		assert.equal((await modeld(daemon.store, 'gc', '--grace', '0')).code, 0);
		await assertExact(daemon, writers);
	});
});
