// SPDX-License-Identifier: Apache-2.0
// The order of system calls behind a publish. Killing the daemon cannot show a missing fsync, since the
// page cache survives it; the calls themselves can.

import assert from 'node:assert/strict';
import fs from 'node:fs';
import path from 'node:path';
import { before, describe, test } from 'node:test';

import { Daemon, have, scratchDir } from '../lib/daemon.mjs';
import { publish } from '../lib/http.mjs';
import { denseModel } from '../lib/models.mjs';

const TRACED = ['open', 'openat', 'mkdir', 'mkdirat', 'link', 'linkat', 'rename', 'renameat', 'renameat2',
	'fsync', 'fdatasync', 'syncfs', 'sync_file_range', 'write', 'pwrite64', 'writev', 'pwritev', 'sendto', 'sendmsg',
	'ftruncate', 'unlink', 'unlinkat'];

// Events in the order in which they began, each with the place where it ended: {pid, name, args,
// result, begin, end}.
export function parseTrace(text) {
	const events = [];
	const unfinished = new Map();
	for (const [at, line] of text.split('\n').entries()) {
		const split = /^(\d+)\s+(.*)$/.exec(line);
		if (!split) {
			continue;
		}
		const [, pid, rest] = split;
		const resumed = /^<\.\.\. (\w+) resumed>(.*)$/.exec(rest);
		const whole = /^(\w+)\((.*)\)\s+= (-?\d+).*$/.exec(rest);
		const begun = /^(\w+)\((.*) <unfinished \.\.\.>$/.exec(rest);
		if (resumed) {
			const event = unfinished.get(pid);
			const ended = /^(.*)\)\s+= (-?\d+).*$/.exec(resumed[2]);
			if (event && ended) {
				Object.assign(event, { args: event.args + ended[1], result: Number(ended[2]), end: at });
			}
			unfinished.delete(pid);
		} else if (whole) {
			events.push({ pid, name: whole[1], args: whole[2], result: Number(whole[3]), begin: at, end: at });
		} else if (begun) {
			const event = { pid, name: begun[1], args: begun[2], result: NaN, begin: at, end: Infinity };
			events.push(event);
			unfinished.set(pid, event);
		}
	}
	return events;
}

// The path that `-y` prints behind a descriptor: the first of the arguments.
const pathOf = (event) => /^\d+<([^>]*)>/.exec(event.args)?.[1] ?? '';
// Of everything on the store's file system.
const isFlush = ({ name, result }) => name === 'syncfs' && result === 0;
const isSync = ({ name, result }) => /^f(data)?sync$/.test(name) && result === 0;
const isWrite = ({ name }) => /^p?write(v|64)?$/.test(name);
const isAnswer = (event) => /^(sendto|sendmsg|write|writev)$/.test(event.name) &&
	event.args.includes('HTTP/1.1 20') && /^\d+<(TCP|socket)/.test(event.args);

// Both names of a link or a rename, absolute as far as -y tells.
function namesOf(event) {
	const full = [...event.args.matchAll(/(?:(?:AT_FDCWD|\d+)(?:<([^>]*)>)?, )?"([^"]*)"/g)];
	return full.map(([, dir, name]) => (path.isAbsolute(name) ? name : path.join(dir ?? '', name)));
}

const skip = !have('strace') && 'strace is not installed';

describe('the order of writes', { skip }, () => {
	const logDir = scratchDir('trace');
	const log = path.join(logDir, 'strace.log');
	const store = scratchDir('store');
	const catalog = path.join(store, 'catalog.db');
	let events;
	let links;
	let answers;

	before(async () => {
		const daemon = new Daemon({
			store,
			wrapper: ['strace', '-f', '-y', '-s', '200', '-o', log, '-e', `trace=${TRACED.join(',')}`],
			// The leak checker is itself a tracer and cannot run under another one.
			env: { ASAN_OPTIONS: 'detect_leaks=0', LSAN_OPTIONS: 'detect_leaks=0' },
		});
		try {
			await daemon.start();
			const models = [1, 2].map((seed) => denseModel({ seed, shardBytes: 20 }));
			for (const model of [...models, denseModel({ seed: 3, inputs: 100, shardBytes: 8 })]) {
				const answered = await publish(daemon, 'traced', model);
				assert.equal(answered.status, 201, answered.text);
			}
			process.kill(daemon.pid, 'SIGTERM');
			assert.deepEqual(await daemon.closed, { code: 0, signal: null }, daemon.stderr);
		} finally {
			await daemon.destroy();
		}
		events = parseTrace(fs.readFileSync(log, 'utf8'));
		answers = events.filter(isAnswer);
		links = events.filter((event) => /^(link|rename)/.test(event.name) && event.result === 0)
			.map((event) => ({ ...event, names: namesOf(event) }))
			.filter(({ names }) => names[1]?.includes(`${store}/blobs/`) || /^blobs\//.test(names[1] ?? ''));
	});

	// What happened for the n-th publish: from the answer before it to its own.
	const during = (n) => {
		const from = n === 0 ? -1 : answers[n - 1].begin;
		return events.filter((event) => event.begin > from && event.begin <= answers[n].begin);
	};

	// The last durable change of the catalog before the answer, and the writes that it made durable.
	function commitOf(n) {
		const own = during(n);
		const syncs = own.filter((event) => isSync(event) && pathOf(event).startsWith(catalog));
		const commit = syncs.at(-1);
		assert.ok(commit, 'the catalog is synced');
		const since = syncs.filter((sync) => sync.end < commit.begin).at(-1)?.end ?? -1;
		const writes = own.filter((event) => isWrite(event) && pathOf(event) === `${catalog}-wal` &&
			event.begin > since && event.begin < commit.begin);
		assert.ok(writes.length > 0, 'the commit writes to the log of the catalog');
		return { commit, begin: writes[0].begin };
	}

	const linkedBy = (n) => links.filter(({ begin }) => during(n).some((event) => event.begin === begin));

	test('the trace holds the publishes, the second without the model.json that the store has', () => {
		assert.equal(answers.length, 3);
		assert.equal(linkedBy(0).length, 4);
		assert.equal(linkedBy(1).length, 3);
	});

	for (const n of [0, 1]) {
		describe(`publish ${n + 1}`, () => {
			const linked = () => linkedBy(n);

			test('no answer before the commit of the catalog is synced', () => {
				const { commit } = commitOf(n);
				assert.ok(commit.end < answers[n].begin);
				const later = during(n).filter((event) => isWrite(event) && pathOf(event) === `${catalog}-wal` &&
					event.begin > commit.end);
				assert.deepEqual(later, [], 'nothing is written to it behind the sync');
			});

			test('no blob gets its name before its bytes are synced', () => {
				for (const { names: [from], begin } of linked()) {
					const file = path.basename(from);
					const synced = during(n).find((event) => isSync(event) && event.end < begin &&
						(path.basename(pathOf(event)) === file || sameFile(event, from))) ??
						during(n).findLast((event) => isFlush(event) && event.end < begin);
					assert.ok(synced, `${from} was synced before its link`);
					const late = during(n).filter((event) => isWrite(event) &&
						path.basename(pathOf(event)) === file && event.begin > synced.end);
					assert.deepEqual(late, [], 'nothing is written behind the sync');
				}
			});

			test('no commit names a blob before the directory that holds it is synced', () => {
				const { begin: commitBegin } = commitOf(n);
				for (const { names: [, to], end } of linked()) {
					const dir = path.dirname(to);
					const synced = during(n).find((event) => event.begin > end && event.end < commitBegin &&
						(isFlush(event) || (isSync(event) && pathOf(event) === path.resolve(store, dir))));
					assert.ok(synced, `${dir} was synced between link and commit`);
				}
			});

			test('new directories are synced into their parents before the commit', () => {
				const { begin: commitBegin } = commitOf(n);
				const made = during(n).filter((event) => /^mkdir/.test(event.name) && event.result === 0 &&
					/blobs/.test(event.args));
				assert.ok(n > 0 || made.length > 0, 'the first publish makes directories');
				for (const event of made) {
					const [name] = namesOf(event);
					const parent = path.dirname(path.resolve(store, name));
					const synced = during(n).find((sync) => sync.begin > event.end && sync.end < commitBegin &&
						(isFlush(sync) || (isSync(sync) && pathOf(sync) === parent)));
					assert.ok(synced, `${parent} was synced after ${name} was made`);
				}
			});

			test('a blob is linked only after an intent was committed', () => {
				const first = Math.min(...linked().map(({ begin }) => begin));
				const intent = during(n).find((event) => isSync(event) && event.end < first &&
					pathOf(event).startsWith(catalog));
				assert.ok(intent);
			});
		});
	}

	test('many files are synced together', () => {
		const linked = links.filter(({ begin }) => during(2).some((event) => event.begin === begin));
		assert.ok(linked.length > 100, `${linked.length} files`);
		const syncs = during(2).filter((event) => isSync(event) || isFlush(event));
		assert.ok(syncs.length < 10, `${syncs.length} syncs`);
	});

	// Linked through its descriptor: /proc/self/fd/N, or a name that -y does not show.
	function sameFile(event, from) {
		const fd = /^\/proc\/self\/fd\/(\d+)$/.exec(from)?.[1];
		return fd !== undefined && event.args.startsWith(`${fd}<`);
	}
});
