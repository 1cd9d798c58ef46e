// SPDX-License-Identifier: Apache-2.0
// kill -9 at any moment, under publishes, uploads file by file, label moves, deletions and collection:
// what was acknowledged is there and whole afterwards, what was not is whole or absent, `modeld fsck`
// finds no damage, and a collection leaves nothing over.
// CRASH_ROUNDS says how often, CRASH_SEED which moments and changes are tried.

import assert from 'node:assert/strict';
import { after, describe, test } from 'node:test';

import { Daemon, scratchDir, until } from '../lib/daemon.mjs';
import { random } from '../lib/models.mjs';
import { assertExact, assertSound, modeld, Writer } from '../lib/writer.mjs';

const ROUNDS = Number(process.env.CRASH_ROUNDS ?? (process.env.MODELD_WRAPPER ? 2 : 12));
const SEED = Number(process.env.CRASH_SEED ?? 1);
const WRITERS = 4;
const LATEST_KILL_MS = 400;

// Collections beside it, each a process of its own, until the daemon is gone.
async function collect(daemon) {
	while (!daemon.end) {
		const ended = await modeld(daemon.store, 'gc', '--grace', '0');
		assert.equal(ended.code, 0, ended.stderr);
	}
}

describe('kill -9', () => {
	const store = scratchDir('crash');
	const daemons = [];
	const start = () => {
		const daemon = new Daemon({ store });
		daemons.push(daemon);
		return daemon.start();
	};
	after(() => Promise.all(daemons.map((daemon) => daemon.destroy())));

	test(`at ${ROUNDS} moments loses nothing that was acknowledged`, async (t) => {
		const moments = random(SEED);
		const writers = Array.from({ length: WRITERS }, (_, i) => new Writer(`team/m${i}`, SEED * 10 + i));
		for (let round = 0; round < ROUNDS; round++) {
			const last = round === ROUNDS - 1;
			const before = writers.map(({ acknowledged }) => acknowledged);
			const first = await start();
			const work = [...writers.map((writer) => writer.write(first)), collect(first)];
			await until('an acknowledged change', () => writers.some((writer, i) => writer.acknowledged > before[i]));
			await new Promise((resolve) => { setTimeout(resolve, moments() * LATEST_KILL_MS); });
			await first.kill();
			await Promise.all(work);

			const second = await start();
			for (const writer of writers) {
				await writer.check(second, { all: last });
			}
			await (last ? Promise.all(writers.map((writer) => writer.finish(second))) : null);
			await second.stop();
			await assertSound(store);
			await assertExact(second, writers);
		}
		const kinds = {};
		for (const writer of writers) {
			Object.entries(writer.kinds).forEach(([kind, n]) => { kinds[kind] = (kinds[kind] ?? 0) + n; });
		}
		t.diagnostic(`${writers.reduce((n, { acknowledged }) => n + acknowledged, 0)} changes were acknowledged: ${JSON.stringify(kinds)}`);
	});
});
