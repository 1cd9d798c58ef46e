// SPDX-License-Identifier: Apache-2.0
// What the daemon says to systemd, and takes from it: the messages of sd_notify(3), in their order, and a
// listening socket that systemd-socket-activate hands over.

import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import fs from 'node:fs';
import path from 'node:path';
import { once } from 'node:events';
import { describe, test } from 'node:test';

import { compiled, noCompiler } from '../lib/cc.mjs';
import { NO_FORMS, scratchDir, startDaemon, until, within } from '../lib/daemon.mjs';
import { Wire, get, published, request, requestHead } from '../lib/http.mjs';
import { addGraph, denseModel } from '../lib/models.mjs';
import { noNotify, startManager } from '../lib/notify.mjs';
import { freePort } from '../lib/ports.mjs';
import { reloaded, rewritten, startConfigured } from '../lib/reload.mjs';

const PATIENT = { 'http.drain': '10min', 'http.min_rate': '0' }; // more than a test waits for
const WATCHDOG_USEC = 400_000;
const LARGE_FLOATS = 8 << 20; // 32 MiB: more than all socket buffers between the two ends
const skip = noCompiler || noNotify();

const managed = (manager, more = {}) => ({ env: { NOTIFY_SOCKET: manager.socket, ...more } });

// A download of which some has come, and no more is read until it is resumed.
async function pausedDownload(daemon) {
	const large = addGraph({ size: LARGE_FLOATS });
	const { files: [, { path: name, bytes }] } = large;
	await published(daemon, 'large', large);
	const wire = new Wire(daemon.port);
	await wire.sendAndPause(requestHead('GET', `/models/large@1/${name}`, {}));
	return { wire, bytes: Buffer.from(bytes) };
}

describe('under a service manager', { skip }, () => {
	test('a start, reloads that go well and do not, and a stop are told in this order', async (t) => {
		const manager = await startManager(t);
		const daemon = await startConfigured(t, {}, managed(manager));
		await until('readiness', () => manager.states.length === 1);
		assert.ok(manager.values('STATUS')[0].startsWith('Starting: '), manager.values('STATUS')[0]);
		assert.ok(manager.status.startsWith(`Serving http://127.0.0.1:${daemon.port}`), manager.status);

		await reloaded(daemon, { 'limits.file': '1MiB' });
		await until('the end of a reload', () => manager.states.length === 3);
		assert.ok(!manager.status.includes('not reloaded'), manager.status);

		assert.equal(await rewritten(daemon, '[limits]\nfile = much\n'), 'kept');
		await until('the end of a reload', () => manager.states.length === 5);
		assert.match(manager.status, /^Serving .*; the configuration was not reloaded: .*modeld\.conf:2: \[limits\] file = much: /);

		await reloaded(daemon, {});
		await until('the end of a reload', () => manager.states.length === 7);
		assert.ok(!manager.status.includes('not reloaded'), manager.status);
		const began = manager.values('MONOTONIC_USEC').map(Number);
		assert.equal(began.length, 3);
		assert.ok(began[0] > 0 && began[0] < began[1] && began[1] < began[2]);

		await daemon.stop();
		await until('the stop', () => manager.states.includes('STOPPING'));
		assert.deepEqual(manager.states,
			['READY', 'RELOADING', 'READY', 'RELOADING', 'READY', 'RELOADING', 'READY', 'STOPPING']);
		assert.match(manager.status, /^Stopping: 0 requests on \d+ connections? left/);
		const pings = manager.pings;
		assert.equal(pings, 0, 'nobody asked for any');
	});

	test('a start that fails says why', async (t) => {
		const manager = await startManager(t);
		const daemon = await startDaemon(t);
		const second = spawn(path.resolve(process.env.MODELD), ['serve', '--listen', '127.0.0.1:0', '--store', daemon.store],
			{ env: { ...daemon.env, NOTIFY_SOCKET: manager.socket }, stdio: 'ignore' });
		assert.notEqual((await within('the end', once(second, 'close')))[0], 0);
		await until('why', () => manager.status?.includes(daemon.store));
		assert.ok(!manager.states.includes('READY'));
		await daemon.stop();
	});

	test('the status tells what is there, and not more than it has to', async (t) => {
		const manager = await startManager(t);
		const daemon = await startDaemon(t, managed(manager));
		await published(daemon, 'm', denseModel());
		await request(daemon, 'POST', '/v1/uploads', { body: '{"model":"m"}' });
		await until('a status with numbers', () => /; open: 1 upload/.test(manager.status));
		const told = manager.messages.filter(({ fields }) => fields.get('STATUS')?.startsWith('Serving'));
		for (let i = 1; i < told.length; i++) {
			assert.notEqual(told[i].fields.get('STATUS'), told[i - 1].fields.get('STATUS'));
		}
		await daemon.stop();
	});

	test('the watchdog gets its ping while nothing stands still, and none while a loop does', async (t) => {
		// epoll_wait() does not return while a file is there.
		const stuck = path.join(scratchDir('stuck'), 'stuck');
		const shim = compiled(`
			#define _GNU_SOURCE
			#include <dlfcn.h>
			#include <stdlib.h>
			#include <sys/epoll.h>
			#include <unistd.h>
			int epoll_wait(int fd, struct epoll_event *events, int n, int ms)
			{
				int (*real)(int, struct epoll_event *, int, int) =
					(int (*)(int, struct epoll_event *, int, int))dlsym(RTLD_NEXT, "epoll_wait");
				while (access(getenv("STUCK_FILE"), F_OK) == 0)
					usleep(10000);
				return real(fd, events, n, ms);
			}
		`, '-shared', '-fPIC');
		const manager = await startManager(t);
		const daemon = await startDaemon(t, { binary: process.env.MODELD_PLAIN ?? process.env.MODELD,
			...managed(manager, { WATCHDOG_USEC: String(WATCHDOG_USEC), LD_PRELOAD: shim, STUCK_FILE: stuck }) });
		const told = () => daemon.stderr.match(/a part of the daemon (does not answer|answers again)/g) ?? [];
		await until('three pings', () => manager.pings >= 3);
		fs.writeFileSync(stuck, '');
		await until('a word about it', () => /not answer/.test(told().at(-1)));
		await until('the last pings to have come', async () => {
			const before = manager.pings;
			await new Promise((resolve) => { setTimeout(resolve, 4 * WATCHDOG_USEC / 1000); });
			return manager.pings === before;
		});
		const silent = manager.pings;
		fs.rmSync(stuck);
		await until('pings again', () => manager.pings >= silent + 3);
		await until('a word about that', () => /again/.test(told().at(-1)));
		assert.match(daemon.stderr, /does not answer" part="an event loop"/);
		assert.match(daemon.stderr, /answers again" part="an event loop"/);
		// A machine that is too busy to let it answer in time is told of as well.
		assert.ok(told().every((line, i) => /not answer/.test(line) === (i % 2 === 0)), `one line, however long it lasts:\n${daemon.stderr}`);
		await daemon.stop();
	});

	test('a stop tells what is left, and asks for the time it takes', async (t) => {
		const manager = await startManager(t);
		const daemon = await startDaemon(t, { ...managed(manager), set: { ...NO_FORMS, ...PATIENT } });
		const { wire } = await pausedDownload(daemon);
		daemon.signal('SIGTERM');
		await until('a status of the drain', () => manager.values('STATUS').some((status) =>
			/^Stopping: 1 request on \d+ connections? left, to be cut in \d+ s$/.test(status)));
		assert.ok(manager.states.includes('STOPPING'));
		await until('more time', () => manager.values('EXTEND_TIMEOUT_USEC').some((usec) => Number(usec) > 3_000_000));
		wire.destroy();
		await daemon.stop();
	});
});

describe('a stop', () => {
	test('closes idle connections at once and waits for what is under way', async (t) => {
		const daemon = await startDaemon(t, { set: { ...NO_FORMS, ...PATIENT } });
		const idle = new Wire(daemon.port);
		await idle.send(requestHead('GET', '/healthz', {}));
		assert.equal((await idle.answer()).status, 200);
		const { wire, bytes } = await pausedDownload(daemon);
		daemon.signal('SIGTERM');
		assert.equal((await idle.rest()).length, 0);
		assert.equal(daemon.end, undefined, 'it waits for the download');
		wire.socket.resume();
		const answered = await wire.answer();
		assert.ok(answered.body.equals(bytes), 'every byte of it');
		await daemon.stop();
	});

	test('ends at once with the second signal', async (t) => {
		const daemon = await startDaemon(t, { set: { ...NO_FORMS, ...PATIENT } });
		const { wire, bytes } = await pausedDownload(daemon);
		daemon.signal('SIGTERM');
		await until('the stop', () => /msg=stopping/.test(daemon.stderr));
		daemon.signal('SIGTERM');
		const { code } = await within('its end', daemon.closed);
		assert.ok([0, 1].includes(code), `0, or 1 where that takes it more than a moment:\n${daemon.stderr}`);
		assert.match(daemon.stderr, /msg="ending at once" signal=Terminated/);
		wire.socket.resume();
		assert.ok((await wire.rest()).length < bytes.length, 'it was cut');
	});

	test('cuts in the end', async (t) => {
		const daemon = await startDaemon(t, { set: { ...NO_FORMS, 'http.drain': '1s' } });
		const { wire, bytes } = await pausedDownload(daemon);
		await daemon.stop();
		wire.socket.resume();
		assert.ok((await wire.rest()).length < bytes.length, 'it was cut');
	});

	test('takes the http.drain of the last reload', async (t) => {
		const daemon = await startConfigured(t, { ...NO_FORMS, ...PATIENT });
		const { wire } = await pausedDownload(daemon);
		await reloaded(daemon, { ...NO_FORMS, 'http.drain': '0' });
		await daemon.stop();
		wire.destroy();
	});
});

const activator = ['/usr/bin/systemd-socket-activate', '/lib/systemd/systemd-socket-activate']
	.find((file) => fs.existsSync(file));

test('a socket that is handed in is served', { skip: activator ? false : 'systemd is not installed' }, async () => {
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
