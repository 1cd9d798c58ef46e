// SPDX-License-Identifier: Apache-2.0
// modeld.service as it is installed, in the hands of systemd: what it may, how it starts, what a signal, a
// hang and a bad configuration lead to.

import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import fs from 'node:fs';
import path from 'node:path';
import tls from 'node:tls';
import { describe, test } from 'node:test';

import { until } from '../lib/daemon.mjs';
import { get, published } from '../lib/http.mjs';
import { denseModel } from '../lib/models.mjs';
import { Authority } from '../lib/tls.mjs';
import { certified, configure, dropIn, freshEachTime, journal, mainPid, must, reaches, service, shown, STORE, systemctl } from './manager.mjs';

const statusOf = (pid, field) => fs.readFileSync(`/proc/${pid}/status`, 'utf8').match(new RegExp(`^${field}:\\s+(.*)$`, 'm'))[1];

// Directories that its user may write to, where the process is.
function writableFor(pid) {
	const { stdout } = spawnSync('nsenter', ['--target', String(pid), '--mount', 'setpriv', '--reuid=modeld', '--regid=modeld',
		'--clear-groups', 'find', '/', '-maxdepth', '3', '-not', '-path', '/proc/*', '-not', '-path', '/sys/*', '-type', 'd',
		'-writable'], { encoding: 'utf8' });
	return stdout.trim().split('\n').sort();
}

describe('modeld.service', () => {
	freshEachTime();

	test('starts when it serves, and stops well', async () => {
		must('start', 'modeld');
		assert.equal((await get(service, '/readyz')).status, 200);
		assert.match(shown('modeld', 'StatusText').StatusText, /http:\/\/127\.0\.0\.1:8570/);
		must('stop', 'modeld');
		assert.deepEqual(shown('modeld', 'Result', 'ActiveState'), { Result: 'success', ActiveState: 'inactive' });
	});

	test('has no rights, and writes to its store alone', async () => {
		must('start', 'modeld');
		const pid = mainPid();
		for (const set of ['CapInh', 'CapPrm', 'CapEff', 'CapBnd', 'CapAmb']) {
			assert.match(statusOf(pid, set), /^0+$/, set);
		}
		assert.equal(statusOf(pid, 'NoNewPrivs'), '1');
		assert.equal(statusOf(pid, 'Seccomp'), '2');
		assert.deepEqual(writableFor(pid), ['/tmp', STORE, '/var/tmp'].sort());
		const store = fs.statSync(STORE);
		assert.equal(store.mode & 0o777, 0o750);
		assert.notEqual(store.uid, 0);
		assert.equal(fs.statSync(path.join(STORE, 'catalog.db')).mode & 0o077, 0);
	});

	test('goes on after it was killed, with what it had', async () => {
		must('start', 'modeld');
		await published(service, 'm', denseModel());
		const pid = mainPid();
		process.kill(pid, 'SIGKILL');
		await until('another process', () => ![0, pid].includes(mainPid()));
		await reaches('modeld', 'active');
		assert.equal((await get(service, '/models/m@1/model.json')).status, 200);
		assert.equal(shown('modeld', 'NRestarts').NRestarts, '1');
	});

	test('is started anew by the watchdog when it hangs', async () => {
		dropIn('modeld.service', '[Service]\nWatchdogSec=3\n');
		must('start', 'modeld');
		const pid = mainPid();
		process.kill(pid, 'SIGSTOP');
		await until('another process', () => ![0, pid].includes(mainPid()));
		await reaches('modeld', 'active');
		assert.match(journal('modeld'), /Watchdog timeout/);
		assert.equal((await get(service, '/readyz')).status, 200);
	});

	test('ends for good where the configuration makes no sense', () => {
		configure('[http]\nlisten = nonsense\n');
		assert.notEqual(systemctl('start', 'modeld').status, 0);
		assert.deepEqual(shown('modeld', 'ActiveState', 'ExecMainStatus', 'NRestarts'),
			{ ActiveState: 'failed', ExecMainStatus: '78', NRestarts: '0' });
		assert.match(journal('modeld'), /suite\.conf:2: .*"nonsense" is no address to listen on/);
	});

	test('tries again where the cause may pass', async (t) => {
		fs.mkdirSync(STORE);
		fs.writeFileSync(path.join(STORE, 'catalog.db'), 'no database at all, but as long as the head of one: '.repeat(20));
		systemctl('start', '--no-block', 'modeld');
		await until('a second try', () => Number(shown('modeld', 'NRestarts').NRestarts) >= 2);
		fs.rmSync(path.join(STORE, 'catalog.db'));
		await reaches('modeld', 'active');
		t.diagnostic(`${shown('modeld', 'NRestarts').NRestarts} tries`);
	});

	test('reload of a configuration that makes no sense fails, and changes nothing', async () => {
		must('start', 'modeld');
		const pid = mainPid();
		configure('[http]\nlisten = nonsense\n');
		const { status } = systemctl('reload', 'modeld');
		assert.notEqual(status, 0);
		assert.match(journal('modeld'), /suite\.conf:2: .*"nonsense" is no address to listen on/);
		assert.equal(mainPid(), pid);
		assert.equal((await get(service, '/readyz')).status, 200);
	});

	test('reload brings a new certificate to the same process', async () => {
		const authority = new Authority();
		const served = () => new Promise((resolve, reject) => {
			const socket = tls.connect({ host: '127.0.0.1', port: 8571, ca: fs.readFileSync(authority.file) }, () => {
				resolve(socket.getPeerCertificate().raw.toString('hex'));
				socket.destroy();
			}).on('error', reject);
		});
		configure(`[http]\nlisten = 127.0.0.1:8570 tls:127.0.0.1:8571\n${certified(authority.issue('127.0.0.1'))}`);
		must('start', 'modeld');
		const pid = mainPid();
		const before = await served();
		certified(authority.issue('127.0.0.1'));
		must('reload', 'modeld');
		await until('the new certificate', async () => (await served()) !== before);
		assert.equal(mainPid(), pid);
		assert.equal(shown('modeld', 'ActiveState').ActiveState, 'active');
	});
});
