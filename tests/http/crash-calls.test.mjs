// SPDX-License-Identifier: Apache-2.0
// The daemon is killed as it enters a call that changes the disk, each such call of each kind of change
// in turn: after the restart the change is whole or absent, what was acknowledged of it is there, it can
// be made again, and the store has nothing left over.
//
// By default the first and the last of each thread's calls of a name; when CRASH_ROUNDS is set (it is by
// `./dev test --long`) every one, until the change gets through.

import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import fs from 'node:fs';
import path from 'node:path';
import { after, before, describe, test } from 'node:test';

import { asService, Daemon, daemonEnv, scratchDir, until } from '../lib/daemon.mjs';
import { get } from '../lib/http.mjs';
import { noStrace, ONE_THREAD_EACH, tasksOf, traced } from '../lib/strace.mjs';
import { assertExact, assertSound, Writer } from '../lib/writer.mjs';

const EVERY = Boolean(process.env.CRASH_ROUNDS);
const CALLS = ['fsync', 'fdatasync', 'syncfs', 'linkat', 'rename', 'renameat', 'renameat2', 'unlink', 'unlinkat',
	'pwrite64', 'write', 'ftruncate', 'mkdirat'];
const binary = process.env.MODELD_PLAIN ?? process.env.MODELD;
process.env.MODELD = binary; // for fsck and gc too: it is run after each kill

async function publishTwo(writer, daemon) {
	await writer.apply(daemon, { kind: 'publish', model: writer.newModel() });
	await writer.apply(daemon, { kind: 'publish', model: writer.newModel() });
}

// What is changed, after what was prepared; each ends early when the daemon is gone.
const CHANGES = {
	'a publish': {
		change: (writer, daemon) => writer.apply(daemon, { kind: 'publish', model: writer.newModel() }),
	},
	'a publish of many files': {
		change: (writer, daemon) => writer.apply(daemon,
			{ kind: 'publish', model: writer.newModel({ shards: 12 }) }),
	},
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
	'a label move': {
		prepare: (writer, daemon) => writer.apply(daemon, { kind: 'label', label: 'stable', version: 1 }),
		change: (writer, daemon) => writer.apply(daemon, { kind: 'label', label: 'stable', version: 2 }),
	},
	'a deletion': {
		change: (writer, daemon) => writer.apply(daemon, { kind: 'delete', version: 1 }),
	},
};

const countCalls = (text) => {
	const counts = new Map();
	for (const [, call] of text.matchAll(/^(?:\d+ +)?(\w+)\(/gm)) {
		counts.set(call, (counts.get(call) ?? 0) + 1);
	}
	return counts;
};

// Which calls: of n that there are.
const MANY = 1000;
const moments = (n) => (EVERY ? Array.from({ length: MANY }, (_, i) => i + 1) : [...new Set([1, n])]);

describe('kill -9 in a call', { skip: noStrace }, () => {
	const store = scratchDir('crash');
	const daemons = [];
	const writers = [];
	let daemon;

	async function start() {
		daemon = new Daemon({ store, binary, wrapper: asService, set: ONE_THREAD_EACH });
		daemons.push(daemon);
		await daemon.start();
		assert.equal((await get(daemon, '/readyz')).status, 200); // the first sweep is over
	}

	async function prepared({ prepare }) {
		const writer = new Writer(`m${writers.length}`, writers.length + 1);
		writers.push(writer);
		await publishTwo(writer, daemon);
		return { writer, what: await prepare?.(writer, daemon) };
	}

	before(start);
	after(() => Promise.all(daemons.map((one) => one.destroy())));

	for (const [name, kind] of Object.entries(CHANGES)) {
		// The calls of each thread, the threads in the order in which they were started.
		async function probe() {
			const counts = [];
			for (const index of tasksOf(daemon.pid).keys()) {
				const { writer, what } = await prepared(kind);
				const { text } = await traced(daemon.pid, { thread: tasksOf(daemon.pid)[index], words: ['-e', `trace=${CALLS}`] },
					() => kind.change(writer, daemon, what));
				counts.push(countCalls(text));
			}
			return counts;
		}

		async function killedIn(index, call, n) {
			const { writer, what } = await prepared(kind);
			const words = ['-e', `trace=${call}`, '-e', `inject=${call}:signal=KILL:when=${n}`];
			const { result } = await traced(daemon.pid, { thread: tasksOf(daemon.pid)[index], words }, async () => {
				const through = await kind.change(writer, daemon, what);
				return through || until('the daemon to be gone', () => daemon.end);
			});
			const killed = result !== true;
			if (killed) {
				await start();
			}
			await writer.check(daemon);
			await assertSound(store);
			await writer.finish(daemon);
			return killed;
		}

		test(`of ${name} loses nothing and leaves nothing`, async (t) => {
			let killed = 0;
			let cases = 0;
			for (const [index, counts] of (await probe()).entries()) {
				for (const [call, n] of counts) {
					for (const when of moments(n)) {
						const hit = await killedIn(index, call, when)
							.catch((cause) => { cause.message = `thread ${index}, ${call} ${when}: ${cause.message}`; throw cause; });
						cases++;
						killed += hit;
						if (!hit && EVERY) {
							break; // it got through
						}
					}
				}
			}
			await assertExact(daemon, writers);
			t.diagnostic(`${cases} moments, ${killed} kills`);
			assert.ok(killed >= cases / 2 && killed > 0);
		});
	}

	test('of a collection leaves nothing that the next one does not take', async (t) => {
		const collected = async (words) => {
			const log = path.join(scratchDir('strace'), 'log');
			const child = spawn('strace', ['-f', '-qq', '-o', log, ...words, binary, 'gc', '--config', '/dev/null',
				'--store', store, '--grace', '0'], { stdio: 'ignore', env: daemonEnv() });
			const closed = new Promise((resolve) => { child.on('close', resolve); });
			await until('the end of the collection', () => child.exitCode !== null || child.signalCode !== null ||
				(fs.existsSync(log) && fs.readFileSync(log, 'utf8').includes('killed by SIGKILL')));
			child.kill('SIGKILL');
			await closed;
			return fs.readFileSync(log, 'utf8');
		};
		const garbage = async () => {
			const { writer } = await prepared({});
			await writer.apply(daemon, { kind: 'delete', version: 1 });
			return writer;
		};
		await garbage();
		const counts = countCalls(await collected(['-e', `trace=${CALLS}`]));
		let killed = 0;
		for (const [call, n] of counts) {
			for (const when of moments(n)) {
				const writer = await garbage();
				const text = await collected(['-e', `trace=${call}`, '-e', `inject=${call}:signal=KILL:when=${when}`]);
				const hit = text.includes('killed by SIGKILL');
				killed += hit;
				await writer.check(daemon);
				await assertSound(store);
				await assertExact(daemon, writers);
				if (!hit && EVERY) {
					break;
				}
			}
		}
		t.diagnostic(`${killed} kills`);
		assert.ok(counts.has('unlinkat') && killed >= counts.size);
		await daemon.stop();
	});
});
