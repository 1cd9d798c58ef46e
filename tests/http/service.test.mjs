// SPDX-License-Identifier: Apache-2.0
// What the daemon says to systemd, and takes from it. Without a service manager here, strace shows the
// messages as they leave (sd_notify(3)), and systemd-socket-activate hands over a listening socket.

import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import fs from 'node:fs';
import net from 'node:net';
import path from 'node:path';
import { once } from 'node:events';
import { describe, test } from 'node:test';

import { Daemon, have, scratchDir, until, within } from '../lib/daemon.mjs';

const WATCHDOG_USEC = 400_000;

async function freePort() {
	const server = net.createServer().listen(0, '127.0.0.1');
	await once(server, 'listening');
	const { port } = server.address();
	server.close();
	await once(server, 'close');
	return port;
}

describe('under a service manager', () => {
	const noStrace = have('strace') ? false : 'strace is not installed';

	test('readiness, the watchdog and stopping are told', { skip: noStrace }, async () => {
		const dir = scratchDir('notify');
		const daemon = new Daemon({
			env: { NOTIFY_SOCKET: path.join(dir, 'notify'), WATCHDOG_USEC: String(WATCHDOG_USEC),
				ASAN_OPTIONS: 'detect_leaks=0', LSAN_OPTIONS: 'detect_leaks=0' },
			wrapper: ['strace', '-f', '-qq', '-s', '256', '-e', 'trace=sendmsg,sendto'],
		});
		// strace writes to standard error at once, to a file only when its buffer is full.
		const said = () => daemon.stderr.split('\n').map((line) => /"((?:READY|WATCHDOG|STOPPING)=1[^"]*)"/.exec(line)?.[1]).filter(Boolean);
		await daemon.start();
		try {
			await until('three pings of the watchdog', () => said().filter((line) => /WATCHDOG=1/.test(line)).length >= 3);
			assert.match(said().find((line) => /READY=1/.test(line)), /STATUS=.*http:\/\/127\.0\.0\.1:/);
			assert.ok(!said().some((line) => /STOPPING=1/.test(line)));
			process.kill(daemon.pid, 'SIGTERM'); // strace itself would die of it
			assert.equal((await within('the end', daemon.closed)).code, 0, daemon.stderr);
		} finally {
			await daemon.destroy();
		}
		assert.ok(said().some((line) => /STOPPING=1/.test(line)));
	});

	const activator = ['/usr/bin/systemd-socket-activate', '/lib/systemd/systemd-socket-activate']
		.find((file) => fs.existsSync(file));

	test('a socket that is handed in is served', { skip: activator ? false : 'systemd is not installed' },
		async () => {
			const port = await freePort();
			const dir = scratchDir('activate');
			const child = spawn(activator, ['-l', `127.0.0.1:${port}`, path.resolve(process.env.MODELD), 'serve',
				'--store', path.join(dir, 'store')], { stdio: ['ignore', 'ignore', 'pipe'] });
			let stderr = '';
			child.stderr.on('data', (bytes) => (stderr += bytes));
			const closed = once(child, 'close');
			try {
				await until('the socket to listen', () => /Listening on/.test(stderr));
				const answered = await fetch(`http://127.0.0.1:${port}/healthz`);
				assert.deepEqual(await answered.json(), { status: 'ok' });
				child.kill('SIGTERM');
				const [code] = await within('the end', closed);
				assert.equal(code, 0, stderr);
			} finally {
				child.kill('SIGKILL');
			}
		});
});
