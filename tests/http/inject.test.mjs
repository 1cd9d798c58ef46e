// SPDX-License-Identifier: Apache-2.0
// The system fails a call in the middle of a publish, each call in turn: the answer says so, nothing of
// it is visible, and the next publish works without a restart.

import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import fs from 'node:fs';
import path from 'node:path';
import { describe, test } from 'node:test';

import { have, runModeld, scratchDir, startDaemon, until, within } from '../lib/daemon.mjs';
import { get, publish } from '../lib/http.mjs';
import { addGraph } from '../lib/models.mjs';

const STATUS = { EIO: 500, ENOSPC: 507, EDQUOT: 507, EMFILE: 503, ENFILE: 503, ENOMEM: 503 };
// [call, errors, how many of its first calls fail in turn]
const CASES = [
	['openat', ['EMFILE', 'ENFILE', 'ENOSPC', 'EIO'], 4],
	['write', ['EIO', 'ENOSPC', 'EDQUOT'], 3],
	['fchmod', ['EIO'], 2],
	['fsync', ['EIO', 'ENOSPC'], 6],
	['linkat', ['EIO', 'EDQUOT'], 3],
	...(process.env.MODELD_PLAIN ? [['mmap', ['ENOMEM'], 3]] : []), // not under a sanitizer's own allocator
	['pwrite64', ['EIO', 'ENOSPC'], 6],
	['fdatasync', ['EIO'], 3], // of SQLite, which does not tell why a sync failed
	['pread64', ['EIO'], 4],
	['unlinkat', ['EIO'], 3],
];
const cases = CASES.flatMap(([call, errors, n]) =>
	errors.flatMap((error) => Array.from({ length: n }, (_, i) => ({ call, error, when: i + 1 }))));

const skip = (!have('strace') && 'strace is not installed') ||
	(process.env.MODELD_WRAPPER && 'a wrapper stands between strace and the daemon');

const tasksOf = (pid) => fs.readdirSync(`/proc/${pid}/task`);
const isTraced = (pid) => tasksOf(pid).every((task) =>
	/^TracerPid:\s+[1-9]/m.test(fs.readFileSync(`/proc/${pid}/task/${task}/status`, 'utf8')));

// Runs `during` while the `when`th such call of a thread fails; tells whether one did.
async function injected(daemon, { call, error, when }, during) {
	const log = path.join(scratchDir('inject'), 'strace.log');
	const strace = spawn('strace', ['-f', '-qq', '-o', log, '-p', String(daemon.pid), '-e', `trace=${call}`,
		'-e', `inject=${call}:error=${error}:when=${when}`], { stdio: ['ignore', 'ignore', 'inherit'] });
	const closed = new Promise((resolve) => { strace.on('close', resolve); });
	try {
		await until('strace to hold every thread', () => isTraced(daemon.pid));
		return { result: await during(), hit: () => fs.readFileSync(log, 'utf8').includes('(INJECTED)') };
	} finally {
		strace.kill('SIGINT');
		await within('strace to let go', closed);
	}
}

async function assertWhole(daemon, name, files) {
	for (const { path: file, bytes } of files) {
		const answered = await get(daemon, `/models/${name}@1/${file}`);
		assert.equal(answered.status, 200, `${name}@1/${file}`);
		assert.deepEqual(answered.body, Buffer.from(bytes));
	}
}

describe('a call that fails', { skip }, () => {
	test('is a clean answer, and hurts nothing else', async (t) => {
		// One thread of each kind, for strace counts the calls of each.
		const daemon = await startDaemon(t, { binary: process.env.MODELD_PLAIN, set: { 'http.threads': 1, 'work.threads': 1, 'log.access': 'no' } });
		const counts = { hit: 0, refused: 0 };
		for (const [i, what] of cases.entries()) {
			const name = `m${i}`;
			const label = `${what.call} ${what.error} ${what.when}`;
			const model = addGraph({ seed: i + 1, size: 12, shardBytes: 16 });
			const { result, hit } = await injected(daemon, what, () => publish(daemon, name, model)
				.catch((cause) => assert.fail(`${label}: ${cause.message}\n${daemon.stderr}`)));
			counts.hit += hit();
			if (result.status === 201) {
				await assertWhole(daemon, name, model.files);
			} else {
				counts.refused++;
				assert.ok(hit(), `${label}: ${result.status} ${result.text}`);
				assert.equal(result.status, STATUS[what.error], `${label}: ${result.text}`);
				assert.ok(result.json.detail.length > 10);
			}
			const again = await publish(daemon, name, model);
			assert.ok([200, 201].includes(again.status), `${label}: ${again.status} ${again.text}`);
			await assertWhole(daemon, name, model.files);
			assert.equal((await get(daemon, `/v1/models/${name}`)).json.versions.length, 1, label);
		}
		t.diagnostic(`${cases.length} cases, ${counts.hit} hit, ${counts.refused} refused`);
		assert.ok(counts.hit > cases.length / 2 && counts.refused > cases.length / 3);

		await daemon.stop();
		await (await startDaemon(t, { store: daemon.store })).stop(); // a start throws away what resisted
		assert.deepEqual(daemon.files('tmp'), []);
		const swept = await runModeld(['gc', '--config', '/dev/null', '--store', daemon.store, '--grace', '0']);
		assert.equal(swept.code, 0, swept.stderr);
		const proved = await runModeld(['fsck', '--config', '/dev/null', '--store', daemon.store]);
		assert.match(proved.stdout, /: 0 damaged, 0 left over$/m);
	});
});
