// SPDX-License-Identifier: Apache-2.0
// The services beside modeld.service, which timers start: as confined as they are they do their work, also
// while the daemon runs, and say how it went.

import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import fs from 'node:fs';
import path from 'node:path';
import { describe, test } from 'node:test';

import { daemonEnv, listFiles, scratchDir } from '../lib/daemon.mjs';
import { get, published, request } from '../lib/http.mjs';
import { addGraph, shardsOf } from '../lib/models.mjs';
import { configure, freshEachTime, journal, must, service, shown, STORE, systemctl } from './manager.mjs';

const model = addGraph();
const other = addGraph({ seed: 2 });
const blobs = () => listFiles(path.join(STORE, 'blobs'));

// The daemon alone does nothing of what the timers are for.
const IDLE = '[store]\ngc_interval = 0\ngc_grace = 0\nscrub_rate = 0\nprecompress_rate = 0\n';

async function serving() {
	configure(IDLE);
	must('start', 'modeld');
	await published(service, 'm', model);
}

// What a run that goes well says.
function modeld(...words) {
	const { status, stdout, stderr } = spawnSync(process.env.SUITE_MODELD, words, { encoding: 'utf8', env: daemonEnv() });
	assert.equal(status, 0, stdout + stderr);
	return stdout;
}

// Of a oneshot that is over.
const outcome = (unit) => shown(unit, 'Result', 'ExecMainStatus');
const WELL = { Result: 'success', ExecMainStatus: '0' };

describe('beside the daemon', () => {
	freshEachTime();

	test('modeld-gc removes what was deleted', async () => {
		await serving();
		await published(service, 'gone', other);
		const before = blobs().length;
		assert.equal((await request(service, 'DELETE', '/v1/models/gone')).status, 204);
		must('start', 'modeld-gc');
		assert.deepEqual(outcome('modeld-gc'), WELL);
		assert.ok(blobs().length < before, journal('modeld-gc'));
		assert.equal((await get(service, '/models/m@1/model.json')).status, 200);
	});

	test('modeld-scrub reads all, and fails when something is damaged', async () => {
		await serving();
		must('start', 'modeld-scrub');
		assert.deepEqual(outcome('modeld-scrub'), WELL);
		const [shard] = shardsOf(model);
		const file = blobs().find((name) => fs.readFileSync(name).equals(Buffer.from(shard.bytes)));
		fs.writeFileSync(file, Buffer.alloc(shard.bytes.length));
		assert.notEqual(systemctl('start', 'modeld-scrub').status, 0);
		assert.deepEqual(outcome('modeld-scrub'), { Result: 'exit-code', ExecMainStatus: '1' });
		assert.match(journal('modeld-scrub'), /damaged: .*m@1/);
	});

	test('modeld-backup@ copies into the directory that it is named after', async () => {
		await serving();
		const dir = '/srv/back up-of models';
		const unit = `modeld-backup@${spawnSync('systemd-escape', ['-p', dir], { encoding: 'utf8' }).stdout.trim()}`;
		fs.rmSync(dir, { recursive: true, force: true });
		fs.mkdirSync(dir);
		const { uid, gid } = fs.statSync(STORE);
		fs.chownSync(dir, uid, gid);
		must('start', unit);
		assert.deepEqual(outcome(unit), WELL);
		const restored = path.join(scratchDir('restored'), 'store');
		modeld('restore', dir, '--store', restored);
		assert.match(modeld('fsck', '--store', restored), / 1 version/);
	});

	test('each timer names the hour of its next run', () => {
		const timers = ['modeld-gc.timer', 'modeld-scrub.timer', 'modeld-backup@srv-backup.timer'];
		must('start', ...timers);
		for (const timer of timers) {
			const { ActiveState, Unit, NextElapseUSecRealtime } = shown(timer, 'ActiveState', 'Unit', 'NextElapseUSecRealtime');
			assert.equal(ActiveState, 'active');
			assert.equal(Unit, timer.replace('.timer', '.service'));
			assert.notEqual(NextElapseUSecRealtime, '');
		}
		must('stop', ...timers);
	});
});
