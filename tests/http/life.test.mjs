// SPDX-License-Identifier: Apache-2.0
// Start, stop, crash: what was answered survives, what was not leaves nothing, what is in flight ends.

import assert from 'node:assert/strict';
import fs from 'node:fs';
import net from 'node:net';
import { describe, test } from 'node:test';

import { NO_FORMS, runModeld, scratchDir, startDaemon, until, useDaemon } from '../lib/daemon.mjs';
import {
	Wire, get, multipart, partsOf, publish, published, requestHead,
} from '../lib/http.mjs';
import { addGraph, denseModel } from '../lib/models.mjs';

const LARGE_FLOATS = 8 << 20; // 32 MiB: more than all socket buffers between the two ends

function refusesConnections(port) {
	return new Promise((resolve) => {
		const socket = net.connect({ host: '127.0.0.1', port });
		socket.on('connect', () => {
			socket.destroy();
			resolve(false);
		});
		socket.on('error', () => resolve(true));
	});
}

async function startUpload(daemon, name, model, fraction) {
	const { headers, body } = multipart(partsOf(model));
	const wire = new Wire(daemon.port);
	const first = Math.floor(body.length * fraction);
	await wire.begin('POST', `/models/${name}`, { 'Content-Type': headers['content-type'], 'Content-Length': body.length });
	await wire.send(body.subarray(0, first));
	return { wire, rest: body.subarray(first) };
}

async function assertWhole(daemon, ref, model) {
	for (const { path, bytes } of model.files) {
		const answered = await get(daemon, `/models/${ref}/${path}`);
		assert.equal(answered.status, 200, `${ref}/${path}`);
		assert.ok(answered.body.equals(Buffer.from(bytes)), `${ref}/${path}`);
	}
}

async function restarted(t, daemon, options = {}) {
	return startDaemon(t, { ...options, store: daemon.store });
}

describe('stopping', () => {
	for (const signal of ['SIGTERM', 'SIGINT']) {
		test(`${signal} ends an idle daemon with 0`, async (t) => {
			const daemon = await startDaemon(t);
			const idle = new Wire(daemon.port);
			await idle.send(requestHead('GET', '/healthz', {}));
			await idle.answer();
			daemon.signal(signal);
			await daemon.stop();
			idle.destroy();
		});
	}

	test('SIGTERM lets an upload and a download in flight finish', async (t) => {
		const store = scratchDir('store');
		const daemon = await startDaemon(t, { store, set: { 'http.drain': '10min', 'http.min_rate': 0 } });
		const large = addGraph({ size: LARGE_FLOATS });
		const { files: [, { path, bytes }] } = large;
		await published(daemon, 'large', large);

		const download = new Wire(daemon.port);
		await download.sendAndPause(requestHead('GET', `/models/large@1/${path}`, {}));
		const small = denseModel();
		const { wire: upload, rest } = await startUpload(daemon, 'small', small, 0.5);

		daemon.signal('SIGTERM');
		await until('the port to be closed', () => refusesConnections(daemon.port));
		assert.equal(daemon.end, undefined, 'it waits for what is in flight');

		download.socket.resume();
		await upload.send(rest);
		const [stored, got] = await Promise.all([upload.answer('POST'), download.answer()]);
		assert.equal(stored?.status, 201);
		assert.equal(got?.status, 200);
		assert.ok(got.body.equals(Buffer.from(bytes)), 'every byte of the download');
		await daemon.stop();

		const again = await restarted(t, daemon);
		await assertWhole(again, 'small@1', small);
		await again.stop();
	});

	// It has a second for that: a try in which it took longer tells nothing.
	test('a client that had just connected is answered', async (t) => {
		for (let tries = 0, end = Date.now() + 60_000; tries < 5 && Date.now() < end;) {
			const daemon = await startDaemon(t);
			const wire = new Wire(daemon.port);
			const began = Date.now();
			await wire.opened;
			daemon.signal('SIGTERM');
			await until('the port to be closed', () => refusesConnections(daemon.port));
			await wire.send(requestHead('GET', '/healthz', {})).catch(() => {});
			tries += Date.now() - began < 500;
			const answered = await wire.answer();
			await daemon.stop();
			if (answered) {
				assert.equal(answered.status, 200);
				assert.equal(answered.headers.connection, 'close');
				return;
			}
			assert.ok(tries < 5, 'no client was answered');
		}
		t.skip('this machine is too slow for it');
	});

	test('a client that does nothing holds a stop no longer than http.drain', async (t) => {
		const daemon = await startDaemon(t, { set: { 'http.drain': '1s' } });
		const { wire } = await startUpload(daemon, 'slow', denseModel(), 0.5);
		await daemon.stop();
		wire.destroy();
	});
});

describe('starting', () => {
	test('again on its store it serves what was published', async (t) => {
		const daemon = await startDaemon(t, { store: scratchDir('store') });
		const models = [denseModel({ seed: 1, shardBytes: 9 }), denseModel({ seed: 2, shardBytes: 9 })];
		for (const model of models) {
			await published(daemon, 'kept/model', model);
		}
		const before = (await get(daemon, '/v1/models/kept/model')).json;
		const latest = await get(daemon, '/models/kept/model/model.json');
		await daemon.stop();

		const again = await restarted(t, daemon);
		await assertWhole(again, 'kept/model@1', models[0]);
		await assertWhole(again, 'kept/model@2', models[1]);
		const same = (value) => JSON.parse(JSON.stringify(value).replaceAll(/127\.0\.0\.1:\d+/g, 'host'));
		assert.deepEqual(same((await get(again, '/v1/models/kept/model')).json), same(before));
		const after = await get(again, '/models/kept/model/model.json');
		assert.equal(after.headers.etag, latest.headers.etag);
		assert.equal(after.headers['last-modified'], latest.headers['last-modified']);
		assert.equal((await published(again, 'kept/model', denseModel({ seed: 3 }))).version, 3);
		await again.stop();
	});

	test('a second daemon on the same store is refused in words', async (t) => {
		const daemon = await startDaemon(t);
		const { code, stderr } = await runModeld(['serve', '--listen', '127.0.0.1:0', '--store', daemon.store]);
		assert.notEqual(code, 0);
		assert.ok(stderr.includes(daemon.store), stderr);
		assert.match(stderr, /another|in use|already|lock/i);
		assert.equal((await get(daemon, '/healthz')).status, 200);
		await daemon.stop();
	});

	test('a second daemon on the same port is refused in words', async (t) => {
		const daemon = await startDaemon(t);
		const { code, stderr } = await runModeld(['serve', '--listen', `127.0.0.1:${daemon.port}`,
			'--store', scratchDir('store')]);
		assert.notEqual(code, 0);
		assert.ok(stderr.includes(`127.0.0.1:${daemon.port}`), stderr);
		assert.match(stderr, /in use|another|already/i);
		await daemon.stop();
	});

	for (const [what, args, word] of [
		['an unknown option', ['--no-such-option'], 'no-such-option'],
		['an unknown key', ['--set', 'http.nonsense=1'], 'http.nonsense'],
		['a value out of range', ['--set', 'limits.files=0'], 'limits.files'],
		['an address that is none', ['--listen', 'nowhere'], 'nowhere'],
		['a port above all ports', ['--listen', '127.0.0.1:70000'], '70000'],
	]) {
		test(`${what} is refused in words`, async () => {
			const { code, stderr } = await runModeld(['serve', '--store', scratchDir('store'),
				...(args[0] === '--listen' ? [] : ['--listen', '127.0.0.1:0']), ...args]);
			assert.notEqual(code, 0);
			assert.ok(stderr.includes(word), stderr);
		});
	}

	test('a store that cannot be made is refused in words', async () => {
		const { code, stderr } = await runModeld(['serve', '--listen', '127.0.0.1:0',
			'--store', '/dev/null/store']);
		assert.notEqual(code, 0);
		assert.ok(stderr.includes('/dev/null/store'), stderr);
	});

	test('[::1] is listened on as well', async (t) => {
		const probe = await new Promise((resolve) => {
			const server = net.createServer().on('error', () => resolve(false));
			server.listen(0, '::1', () => server.close(() => resolve(true)));
		});
		if (!probe) {
			t.skip('no IPv6 loopback here');
			return;
		}
		const daemon = await startDaemon(t, { listen: '[::1]:0' });
		const answered = await fetch(`http://[::1]:${daemon.port}/healthz`);
		assert.equal(answered.status, 200);
		await answered.arrayBuffer();
		await daemon.stop();
	});
});

describe('a crash', () => {
	for (const fraction of [0.2, 0.8]) {
		test(`after ${fraction} of a publish leaves nothing of it`, async (t) => {
			const daemon = await startDaemon(t, { store: scratchDir('store'), set: NO_FORMS });
			const kept = denseModel({ seed: 1, shardBytes: 11 });
			await published(daemon, 'model', kept);
			const blobs = daemon.files('blobs').length;
			const { wire } = await startUpload(daemon, 'model', addGraph({ size: 1 << 20 }), fraction);
			await until('the upload to arrive', () => daemon.files('tmp').length > 0);
			await daemon.kill();
			wire.destroy();

			const again = await restarted(t, daemon, { set: NO_FORMS });
			assert.deepEqual(again.files('tmp'), []);
			assert.equal(again.files('blobs').length, blobs);
			assert.deepEqual((await get(again, '/v1/models/model')).json.versions.map((v) => v.version), [1]);
			await assertWhole(again, 'model@1', kept);
			assert.equal((await published(again, 'model', denseModel({ seed: 2 }))).version, 2);
			await again.stop();
		});
	}

	test('while publishes are answered loses none that was and shows none by half', async (t) => {
		let daemon = await startDaemon(t, { store: scratchDir('store'), set: NO_FORMS });
		const model = (round, i) => denseModel({ seed: round * 1000 + i, shardBytes: 17 });
		const answered = new Map(); // version -> model
		for (let round = 1; round <= 5; round++) {
			let goesOn = true;
			const writers = [0, 1, 2, 3].map(async (writer) => {
				for (let i = 0; goesOn && i < 200; i++) {
					const sent = model(round, writer * 200 + i);
					try {
						const done = await publish(daemon, 'model', sent);
						assert.equal(done.status, 201, done.text);
						answered.set(done.json.version, sent);
					} catch (error) {
						if (error.code === 'ERR_ASSERTION') {
							throw error;
						}
						goesOn = false;
					}
				}
			});
			const enough = answered.size + 10 + 3 * round;
			await until('some publishes', () => answered.size >= enough);
			await daemon.kill();
			await Promise.all(writers);

			daemon = await restarted(t, daemon, { set: NO_FORMS });
			const { versions } = (await get(daemon, '/v1/models/model')).json;
			const numbers = new Set(versions.map(({ version }) => version));
			for (const [version, sent] of answered) {
				assert.ok(numbers.has(version), `version ${version} was answered`);
				await assertWhole(daemon, `model@${version}`, sent);
			}
			for (const version of numbers) {
				const { files } = (await get(daemon, `/v1/models/model/versions/${version}`)).json;
				for (const { path, bytes } of files) {
					const got = await get(daemon, `/models/model@${version}/${path}`);
					assert.equal(got.body.length, bytes, `${version}/${path}`);
				}
			}
			assert.deepEqual(daemon.files('tmp'), []);
		}
		await daemon.stop();
	});
});

describe('connections that become ready in the same instant are all answered', () => {
	for (const threads of ['1', '2']) {
		describe(`with ${threads} loops`, () => {
			const daemon = useDaemon({ set: { 'http.threads': threads } });

			for (const n of [124, 125, 126, 127, 128, 129, 255, 256, 257, 511, 512, 513]) {
				test(`${n} of them`, async () => {
					const wires = Array.from({ length: n }, () => new Wire(daemon.port));
					const ask = requestHead('GET', '/healthz', {});
					try {
						await Promise.all(wires.map((wire) => wire.send(ask)));
						await Promise.all(wires.map((wire) => wire.answer()));
						process.kill(daemon.pid, 'SIGSTOP');
						await until('every thread to have stopped', () => daemon.stopped);
						await Promise.all(wires.map((wire) => wire.send(ask)));
						process.kill(daemon.pid, 'SIGCONT');
						const answers = await Promise.all(wires.map((wire) => wire.answer()));
						assert.ok(answers.every((answered) => answered?.status === 200));
					} finally {
						process.kill(daemon.pid, 'SIGCONT');
						wires.forEach((wire) => wire.destroy());
					}
				});
			}
		});
	}

	test('a connection limit turns nobody away who is within it', async (t) => {
		const daemon = await startDaemon(t, { set: { 'http.connections_per_address': '8' } });
		const wires = Array.from({ length: 8 }, () => new Wire(daemon.port));
		for (const wire of wires) {
			await wire.send(requestHead('GET', '/healthz', {}));
			assert.equal((await wire.answer()).status, 200);
		}
		const surplus = new Wire(daemon.port);
		await surplus.opened.catch(() => {});
		surplus.send(requestHead('GET', '/healthz', {}));
		const refused = await surplus.answer();
		assert.equal(refused, null, 'the surplus one is closed without an answer');
		wires.pop().destroy();
		await until('a place to be free', async () => {
			try {
				return (await get(daemon, '/healthz')).status === 200;
			} catch {
				return false;
			}
		});
		wires.forEach((wire) => wire.destroy());
		surplus.destroy();
		await daemon.stop();
	});
});

// Then the system keeps a connection until its request is here (TCP_DEFER_ACCEPT).
describe('while connections come in dense succession', () => {
	const KEPT = '03'; // SYN_RECV in /proc/net/tcp
	const CROWD = 128;
	const ask = requestHead('GET', '/healthz', {});
	const hex = (port) => port.toString(16).toUpperCase().padStart(4, '0');

	function stateOf(wire, port) {
		const lines = fs.readFileSync('/proc/net/tcp', 'utf8').split('\n').map((line) => line.trim().split(/\s+/));
		return lines.find(([, own, other]) => own?.endsWith(`:${hex(port)}`) &&
			other.endsWith(`:${hex(wire.socket.localPort)}`))?.[3];
	}

	// All at once, since the daemon is stopped while they come.
	async function crowd(daemon, sent = requestHead('GET', '/healthz', { Connection: 'close' })) {
		process.kill(daemon.pid, 'SIGSTOP');
		await until('every thread to have stopped', () => daemon.stopped);
		const wires = Array.from({ length: CROWD }, () => new Wire(daemon.port));
		await Promise.all(wires.map((wire) => wire.send(sent)));
		process.kill(daemon.pid, 'SIGCONT');
		const answers = await Promise.all(wires.map((wire) => wire.answer()));
		assert.ok(answers.every((answered) => answered?.status === 200));
		wires.forEach((wire) => wire.destroy());
	}

	// Again where the machine takes so long that the succession is over.
	async function keptWire(daemon) {
		for (let tries = 0; tries < 20; tries++) {
			await crowd(daemon);
			const wire = new Wire(daemon.port);
			await wire.opened;
			if (stateOf(wire, daemon.port) === KEPT) {
				return wire;
			}
			wire.destroy();
		}
		return assert.fail('no connection was kept by the system');
	}

	test('one is answered when it speaks', async (t) => {
		const daemon = await startDaemon(t, { set: { 'http.threads': '1' } });
		const wire = await keptWire(daemon);
		await wire.send(ask);
		assert.equal((await wire.answer()).status, 200);
		wire.destroy();
		await daemon.stop();
	});

	test('one that is silent comes to the daemon nevertheless, and is cut', async (t) => {
		const daemon = await startDaemon(t, { set: { 'http.threads': '1', 'http.head_timeout': '1s' } });
		const wire = await keptWire(daemon);
		assert.equal(await wire.answer(), null);
		await daemon.stop();
	});

	test('one is answered that had just connected when the daemon is to stop', async (t) => {
		for (let tries = 0; tries < 10; tries++) {
			const daemon = await startDaemon(t, { set: { 'http.threads': '1' } });
			const wire = await keptWire(daemon);
			daemon.signal('SIGTERM');
			await until('the system not to keep it', () => stateOf(wire, daemon.port) !== KEPT);
			await wire.send(ask).catch(() => {});
			const answered = await wire.answer();
			await daemon.stop();
			if (answered) {
				assert.equal(answered.status, 200);
				return;
			}
		}
		assert.fail('no client was answered');
	});

	test('those that stay are not kept', async (t) => {
		const daemon = await startDaemon(t, { set: { 'http.threads': '1' } });
		await crowd(daemon, ask);
		const wire = new Wire(daemon.port);
		await wire.opened;
		assert.notEqual(stateOf(wire, daemon.port), KEPT);
		wire.destroy();
		await daemon.stop();
	});

	test('it is over when they come one by one', async (t) => {
		const daemon = await startDaemon(t, { set: { 'http.threads': '1' } });
		(await keptWire(daemon)).destroy();
		await until('a connection not to be kept', async () => {
			const wire = new Wire(daemon.port);
			await wire.opened;
			const state = stateOf(wire, daemon.port);
			wire.destroy();
			return state !== KEPT;
		});
		await daemon.stop();
	});
});

// One loop, since each has its own part of the connections.
describe('when connections run out', () => {
	const LIMIT = 16;
	const daemon = useDaemon({ set: { 'http.threads': 1, 'http.connections': LIMIT, 'http.timeout': '10min',
		'http.head_timeout': '10min', 'http.min_rate': 0, 'http.connections_per_address': 0, 'http.trusted_proxies': '127.0.0.4' } });
	const ask = requestHead('GET', '/healthz', {});

	async function rested(localAddress) {
		const wire = new Wire(daemon.port, { localAddress });
		await wire.send(ask);
		assert.equal((await wire.answer()).status, 200);
		return wire;
	}

	test('those that rest make room, and requests under way do not', async (t) => {
		const { wire: upload, rest } = await startUpload(daemon, 'under-way', denseModel(), 0.5);
		const idle = [];
		t.after(() => idle.forEach((wire) => wire.destroy()));
		while (idle.length < LIMIT - 1) {
			idle.push(await rested());
		}
		for (let i = 0; i < LIMIT; i++) {
			idle.push(await rested());
		}
		await upload.send(rest);
		assert.equal((await upload.answer('POST'))?.status, 201);
		upload.destroy();
	});

	test('so do those that never said a word, and heads that drip', async (t) => {
		const mute = Array.from({ length: LIMIT }, () => new Wire(daemon.port));
		t.after(() => mute.forEach((wire) => wire.destroy()));
		await Promise.all(mute.map((wire, i) => (i % 2 ? wire.opened : wire.send('GET / HT'))));
		const wire = await rested();
		wire.destroy();
	});

	test('those of a proxy make room last', async (t) => {
		const own = [await rested('127.0.0.2'), await rested('127.0.0.2'), await rested('127.0.0.2')];
		const proxied = [];
		t.after(() => [...own, ...proxied].forEach((wire) => wire.destroy()));
		while (proxied.length < LIMIT - own.length + 1) {
			proxied.push(await rested('127.0.0.4'));
		}
		for (const wire of proxied) {
			await wire.send(ask);
			assert.equal((await wire.answer())?.status, 200);
		}
		for (let i = 0; i < LIMIT; i++) {
			proxied.push(await rested('127.0.0.4'));
		}
	});

	test('the address that has most of them gives first', async (t) => {
		const few = [await rested('127.0.0.2'), await rested('127.0.0.2')];
		const many = [];
		t.after(() => [...few, ...many].forEach((wire) => wire.destroy()));
		for (let i = 0; i < LIMIT; i++) {
			many.push(await rested('127.0.0.3'));
		}
		for (const wire of few) {
			await wire.send(ask);
			assert.equal((await wire.answer())?.status, 200);
		}
	});
});
