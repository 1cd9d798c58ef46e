// SPDX-License-Identifier: Apache-2.0
// The systemd of the machine that tests/systemd/machine makes, and modeld.service in it.

import assert from 'node:assert/strict';
import { execFile, spawnSync } from 'node:child_process';
import fs from 'node:fs';
import path from 'node:path';
import { after, beforeEach } from 'node:test';

import { until } from '../lib/daemon.mjs';

const UNITS = '/etc/systemd/system';
const OURS = ['modeld.socket', 'modeld-https.socket', 'modeld.service'];
const CONF = process.env.SUITE_CONF;
assert.ok(CONF, 'run by tests/systemd/machine');

export const STORE = '/var/lib/modeld';
export const service = { port: 8570 }; // as clients want it

export function systemctl(...words) {
	return spawnSync('systemctl', words, { encoding: 'utf8' });
}

export function must(...words) {
	const { status, stderr } = systemctl(...words);
	assert.equal(status, 0, `systemctl ${words.join(' ')}: ${stderr}${journal('modeld*')}`);
}

// As must(), while others in this process go on.
export function meanwhile(...words) {
	return new Promise((resolve, reject) => {
		execFile('systemctl', words, (error, stdout, stderr) => (error ? reject(new Error(stderr)) : resolve()));
	});
}

// What systemd knows of a unit: {ActiveState: 'active', ...}.
export function shown(unit, ...properties) {
	const { stdout } = systemctl('show', unit, ...properties.flatMap((name) => ['-p', name]));
	return Object.fromEntries(stdout.trim().split('\n').map((line) => {
		const at = line.indexOf('=');
		return [line.slice(0, at), line.slice(at + 1)];
	}));
}

export const mainPid = (unit = 'modeld') => Number(shown(unit, 'MainPID').MainPID);

export function journal(unit) {
	return spawnSync('journalctl', ['--no-pager', '--output=cat', '--lines=40', '--unit', unit], { encoding: 'utf8' }).stdout;
}

// Until the unit is in a state, as in "active".
export const reaches = (unit, state) =>
	until(`${unit} ${state}`, () => shown(unit, 'ActiveState').ActiveState === state);

const dropIns = [];

export function dropIn(unit, text) {
	const dir = path.join(UNITS, `${unit}.d`);
	fs.mkdirSync(dir, { recursive: true });
	const file = path.join(dir, `test-${dropIns.length}.conf`);
	fs.writeFileSync(file, text);
	dropIns.push(file);
	must('daemon-reload');
}

export const configure = (text) => fs.writeFileSync(CONF, text);

// Puts a certificate where the service finds it, readable by the service alone, and gives the lines of the
// configuration that name it.
export function certified({ certFile, keyFile }) {
	const [certificate, key] = ['/etc/modeld-suite.pem', '/etc/modeld-suite.key'];
	fs.copyFileSync(certFile, certificate);
	fs.copyFileSync(keyFile, key);
	const [, , uid, gid] = fs.readFileSync('/etc/passwd', 'utf8').match(/^modeld:.*$/m)[0].split(':');
	fs.chownSync(key, Number(uid), Number(gid));
	fs.chmodSync(key, 0o400);
	return `[tls]\ncertificate = ${certificate}\nkey = ${key}\n`;
}

// Nothing runs, nothing is configured, nothing is stored.
function clear() {
	systemctl('stop', ...OURS);
	dropIns.splice(0).forEach((file) => fs.rmSync(file));
	fs.rmSync(CONF, { force: true });
	must('daemon-reload');
	systemctl('reset-failed');
	fs.rmSync(STORE, { recursive: true, force: true });
}

export function freshEachTime() {
	beforeEach(clear);
	after(clear);
}
