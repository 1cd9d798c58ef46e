// SPDX-License-Identifier: Apache-2.0
// Clients that drip, in either direction, are cut, with 408 where an answer is still possible (RFC 9110
// 15.5.9); those that are only slow are served.

import assert from 'node:assert/strict';
import fs from 'node:fs';
import tls from 'node:tls';
import { setTimeout as delay } from 'node:timers/promises';
import { before, describe, test } from 'node:test';

import { startDaemon, until, useDaemon } from '../lib/daemon.mjs';
import { Wire, assertOpenToPages, get, multipart, partsOf, publish, published, requestHead } from '../lib/http.mjs';
import { addGraph, denseModel } from '../lib/models.mjs';
import { Authority } from '../lib/tls.mjs';

const DRIP_MS = 200; // between single bytes: far below any rate that is allowed
const PATIENT = { 'http.timeout': '10min', 'http.head_timeout': '10min', 'http.min_rate_time': '10min' };
const LARGE_FLOATS = 8 << 20; // 32 MiB: more than all socket buffers between the two ends

// One byte at a time until the server closes, or the bytes end.
async function drip(wire, bytes) {
	for (let i = 0; i < bytes.length && !wire.closed; i++) {
		wire.socket.write(bytes.subarray(i, i + 1));
		await delay(DRIP_MS);
	}
}

// What the server says to a client that drips `bytes` after `first` was sent at once. One that we were too slow to
// send anything for in time is closed without a word.
const dripped = (port, first, bytes) => until('words', () => drippedOnce(port, first, bytes));

async function drippedOnce(port, first, bytes) {
	const wire = new Wire(port);
	await wire.send(first);
	const dripping = drip(wire, Buffer.from(bytes));
	const answered = await wire.answer('POST');
	await wire.rest();
	await dripping;
	wire.destroy();
	return answered;
}

// A connection on which a request has been answered in time.
const spoken = (port) => until('a connection in time', async () => {
	const wire = new Wire(port);
	await wire.send(requestHead('GET', '/healthz', {}));
	return (await wire.answer())?.status === 200 && wire;
});

function assertLate(answered) {
	assert.equal(answered?.status, 408);
	assert.equal(answered.headers['x-error-code'], 'TIMED_OUT');
	assert.equal(answered.headers.connection, 'close');
	assert.equal(answered.headers['cache-control'], 'no-store');
	assert.ok(Date.parse(answered.headers.date) > 0);
	assertOpenToPages(answered);
}

const upload = (headers) => requestHead('POST', '/models/late', { 'Content-Type': 'multipart/form-data; boundary=b', ...headers });
const endless = 'x'.repeat(100_000);

describe('the time for a head', () => {
	const daemon = useDaemon({ set: { ...PATIENT, 'http.head_timeout': '2s' } });

	test('a head that drips is 408, without a body', async () => {
		const answered = await dripped(daemon.port, 'GET /models/a/model.json HTTP/1.1\r\nHost: localhost\r\nX: ', endless);
		assertLate(answered);
		assert.equal(answered.body.length, 0);
		await until('its line', () => daemon.stderr.match(/ method=- target=\/models\/a\/model.json handler=- status=408 /));
	});

	test('header lines that drip are 408', async () => {
		assertLate(await dripped(daemon.port, 'GET / HTTP/1.1\r\nHost: localhost\r\n', 'X-A: b\r\n'.repeat(10000)));
	});

	test('the head of a later request that drips is 408', async () => {
		const wire = await spoken(daemon.port);
		const dripping = drip(wire, Buffer.from(requestHead('GET', `/${endless}`, {})));
		assertLate(await wire.answer());
		await wire.rest();
		await dripping;
		wire.destroy();
	});

	test('a connection without a byte is closed without a word', async () => {
		const wire = new Wire(daemon.port);
		assert.equal((await wire.rest()).length, 0);
		wire.destroy();
	});

	test('a connection that rests between requests is left alone', async () => {
		const wire = await spoken(daemon.port);
		await dripped(daemon.port, 'GET /', endless); // as long as the time for a head, at least
		await wire.send(requestHead('GET', '/healthz', {}));
		assert.equal((await wire.answer())?.status, 200);
		wire.destroy();
	});
});

describe('the time for a head, over TLS', () => {
	const authority = new Authority();
	const { certFile, keyFile } = authority.issue('127.0.0.1');
	const daemon = useDaemon({ listen: 'tls:127.0.0.1:0', set: { ...PATIENT, 'http.head_timeout': '2s',
		'tls.certificate': certFile, 'tls.key': keyFile } });

	test('a late head is cut, and nothing comes in clear text', async () => {
		const heard = [];
		await until('the end after a handshake in time', () => new Promise((resolve) => {
			let secured = false;
			const socket = tls.connect({ host: '127.0.0.1', port: daemon.port, ca: fs.readFileSync(authority.file) });
			socket.on('secureConnect', () => { secured = true; });
			socket.on('data', (bytes) => heard.push(bytes));
			socket.write('GET /models/a/model.json HTTP/1.1\r\nHost: localhost\r\nX: ');
			socket.on('error', () => {}).on('close', () => resolve(secured));
		}));
		assert.equal(heard.length, 0);
	});

	test('so is a handshake', async () => {
		const wire = new Wire(daemon.port);
		await wire.send(Buffer.from([0x16, 0x03, 0x01]));
		assert.equal((await wire.rest()).length, 0);
		wire.destroy();
	});
});

describe('the slowest rate', () => {
	const large = addGraph({ size: LARGE_FLOATS });
	const [, { path, bytes }] = large.files;
	const daemon = useDaemon({ set: { ...PATIENT, 'http.min_rate': '1KiB', 'http.min_rate_time': '2s' } });

	// Our own pauses may be too long.
	before(() => until('it to be published', async () =>
		[200, 201].includes((await publish(daemon, 'large', large).catch(() => ({}))).status)));

	for (const [i, [what, headers]] of [['with a length', { 'Content-Length': 1_000_000 }], ['in chunks', { 'Transfer-Encoding': 'chunked' }],
		['that waited for 100 Continue', { 'Content-Length': 1_000_000, Expect: '100-continue' }]].entries()) {
		test(`a body ${what} that drips is 408 with words`, async () => {
			const wire = new Wire(daemon.port);
			await wire.send(upload({ ...headers, 'X-Request-Id': `late-${i}` }));
			if (headers.Expect) {
				assert.equal((await wire.answer('POST'))?.status, 100);
			}
			const dripping = drip(wire, Buffer.from(headers['Transfer-Encoding'] ? '1\r\nx\r\n'.repeat(10000) : endless));
			const answered = await wire.answer('POST');
			assertLate(answered);
			const problem = JSON.parse(answered.body);
			assert.match(problem.detail, /slower than 1 KiB a second/);
			assert.equal(answered.headers['x-request-id'], `late-${i}`);
			assert.equal(problem.request_id, `late-${i}`);
			await until('its line', () => daemon.stderr.match(new RegExp(` id=late-${i} .* status=408 `)));
			await wire.rest();
			await dripping;
			wire.destroy();
		});
	}

	test('a client that reads nothing of its answer is cut', async () => {
		const wire = new Wire(daemon.port);
		await wire.opened;
		wire.socket.pause();
		await wire.send(requestHead('GET', `/models/large@1/${path}`, {}));
		// The end shows in the log, since a client that does not read cannot see it.
		await loggedEnd(daemon, `/models/large@1/${path}`);
		wire.socket.resume();
		assert.ok((await wire.rest()).length < bytes.length);
		wire.destroy();
	});

	// Gives whether we were as fast as that.
	async function sendSteadily() {
		const { headers, body } = multipart(partsOf(denseModel({ inputs: 16, units: 1024 })));
		const wire = new Wire(daemon.port);
		await wire.send(requestHead('POST', '/models/mobile', { 'Content-Type': headers['content-type'], 'Content-Length': body.length }));
		const sent = 40 << 10; // for five seconds, over two windows
		assert.ok(body.length > sent);
		let pause = 0;
		for (let at = 0; at < sent; at += 2048) {
			const began = Date.now();
			await wire.send(body.subarray(at, at + 2048));
			await delay(250);
			pause = Math.max(pause, Date.now() - began);
		}
		await wire.send(body.subarray(sent));
		const answered = await wire.answer('POST');
		wire.destroy();
		assert.ok([200, 201].includes(answered?.status) || pause > 1000, `${answered?.status}`);
		return pause <= 1000;
	}

	test('a body at 8 KiB a second is taken', () => until('a body that is sent steadily', sendSteadily));
});

describe('the time for a request', () => {
	test('a body that comes fast enough and never ends is 408', async (t) => {
		const daemon = await startDaemon(t, { set: { ...PATIENT, 'http.request_timeout': '2s', 'http.min_rate': 0 } });
		const answered = await dripped(daemon.port, upload({ 'Content-Length': 1_000_000 }), endless);
		assertLate(answered);
		assert.match(JSON.parse(answered.body).detail, /longer than allowed/);
		await loggedEnd(daemon, '/models/late', 408);
		assert.equal((await get(daemon, '/v1/models/late')).status, 404);
		await daemon.stop();
	});
});

// A line of the access log about this target.
const loggedEnd = (daemon, target, status = '\\d+') => until(`the log line of ${target}`, () =>
	new RegExp(` target=${target} .* status=${status} `).test(daemon.stderr));
