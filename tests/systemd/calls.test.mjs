// SPDX-License-Identifier: Apache-2.0
// What modeld.service refuses the daemon while it does all that it can do: every system call that fails for
// want of a right is known, and explained here.

import assert from 'node:assert/strict';
import { spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import fs from 'node:fs';
import path from 'node:path';
import { describe, test } from 'node:test';

import { file } from '../lib/answers.mjs';
import { have, scratchDir, until, within } from '../lib/daemon.mjs';
import { NameServer } from '../lib/dns.mjs';
import { get, published, request } from '../lib/http.mjs';
import { imported } from '../lib/imports.mjs';
import { addGraph, denseModel, shardsOf } from '../lib/models.mjs';
import { Origin } from '../lib/origin.mjs';
import { Authority } from '../lib/tls.mjs';
import { certified, configure, dropIn, freshEachTime, mainPid, must, service, systemctl } from './manager.mjs';

const GATE = '/run/modeld-gate';
const ROOTS = '/etc/ssl/certs/ca-certificates.crt';
const NAME = 'models.example';
const ADDRESS = '93.184.216.34'; // a public one, which this machine has as every other
const MB = 1 << 20;

const EXPLAINED = [
	// RestrictNamespaces= looks at the flags of clone(2), and cannot look at those of clone3(2): the C library
	// makes its threads with the former then.
	'clone3 ENOSYS',
	// The thread that precompresses does not come last; modeld.service says so.
	'setpriority EPERM',
	// sd_notify(3) asks for a larger buffer, in vain without a right to it, and does with the one it has.
	'setsockopt(SO_SNDBUFFORCE) EPERM',
];

const DETAIL = { socket: 0, setsockopt: 2 }; // which argument tells them apart

// "setpriority EPERM", of each line of strace that is about a right.
function refusals(said) {
	const found = new Set();
	for (const line of said.split('\n')) {
		const [, resumed, name, words, error] = line.match(
			/^\d+ +(?:<\.\.\. (\w+) resumed>.*|(\w+)\((.*))\) += -1 (EPERM|EACCES|EROFS|EAFNOSUPPORT|ENOSYS) /) ?? [];
		if (error) {
			const detail = name in DETAIL ? `(${words.split(', ')[DETAIL[name]]})` : '';
			found.add(`${resumed ?? name}${detail} ${error}`);
		}
	}
	return [...found].sort();
}

// modeld.service, all of whose calls that fail are in the file.
async function startTraced(trace) {
	dropIn('modeld.service', `[Service]\nExecStart=\nExecStart=/bin/sh -c 'read -r _ <${GATE}; exec ${process.env.SUITE_MODELD} serve'\n`);
	assert.equal(spawnSync('mkfifo', ['-m', '644', GATE]).status, 0);
	must('start', '--no-block', 'modeld');
	await until('a shell at the gate', () => mainPid() > 0);
	const strace = spawn('strace', ['-f', '--failed-only', '-o', trace, '-p', String(mainPid())], { stdio: ['ignore', 'ignore', 'pipe'] });
	let said = '';
	strace.stderr.on('data', (bytes) => (said += bytes));
	await until('strace to look', () => /attached/.test(said));
	fs.writeFileSync(GATE, '\n');
	fs.rmSync(GATE);
	await until('readiness', async () => (await get(service, '/readyz').catch(() => ({}))).status === 200);
	return strace;
}

// An https host whose name has to be looked up, and whose authority is among those of the system.
async function startUpstream(t, authority) {
	const names = new NameServer();
	const origin = new Origin({ secure: authority.issue(NAME), host: ADDRESS, port: 443 });
	names.set(NAME, [ADDRESS]);
	fs.mkdirSync(path.dirname(ROOTS), { recursive: true });
	fs.appendFileSync(ROOTS, fs.readFileSync(authority.file));
	await names.start();
	await origin.start();
	t.after(() => Promise.all([names.stop(), origin.stop()]));
	return origin;
}

async function workOfAllKinds(origin, secure) {
	const large = addGraph({ size: 4 * MB, shardBytes: 16 * MB });
	await published(service, 'small', denseModel());
	await published(secure, 'large', large);
	for (const daemon of [service, secure]) {
		assert.equal((await get(daemon, `/models/large@1/${shardsOf(large)[0].path}`)).body.length, 16 * MB);
		assert.equal((await get(daemon, '/models/small?tfjs-format=compressed')).status, 200);
	}
	origin.serve('/m', denseModel({ seed: 2 }), (bytes) => file(bytes));
	await imported(service, 'from-elsewhere', { url: `https://${NAME}/m/model.json` });
	assert.equal((await request(service, 'PUT', '/v1/models/small/labels/stable', { body: '{"version": 1}' })).status, 201);
	assert.equal((await request(service, 'DELETE', '/v1/models/large')).status, 204);
	await until('what the upkeep does', async () => {
		const { text } = await get(service, '/metrics');
		const above = (name) => new RegExp(`^${name} [1-9]`, 'm').test(text);
		return above('modeld_collected_blobs_total') && above('modeld_precompressed_files_total');
	});
	systemctl('reload', 'modeld');
}

describe('modeld.service', () => {
	freshEachTime();

	test('refuses nothing that matters', { skip: have('strace') ? false : 'strace is not installed' }, async (t) => {
		const authority = new Authority();
		const trace = path.join(scratchDir('calls'), 'strace');
		const origin = await startUpstream(t, authority);
		configure('[http]\nlisten = 127.0.0.1:8570 tls:127.0.0.1:8571\n[store]\ngc_interval = 1s\ngc_grace = 0\n' +
			certified(authority.issue('127.0.0.1')));
		const strace = await startTraced(trace);
		const ended = once(strace, 'close');
		await workOfAllKinds(origin, { port: 8571, ca: fs.readFileSync(authority.file) });
		must('stop', 'modeld');
		await within('the end of strace', ended);
		const said = fs.readFileSync(trace, 'utf8');
		assert.match(said, / = -1 ENOENT /); // it did look
		assert.deepEqual(refusals(said), EXPLAINED);
	});
});
