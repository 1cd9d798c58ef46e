// SPDX-License-Identifier: Apache-2.0
// Bodies so long that they are received past libmicrohttpd: they arrive as they were sent however they
// are cut, are answered like others, and leave nothing behind when their client does.

import assert from 'node:assert/strict';
import crypto from 'node:crypto';
import { describe, test } from 'node:test';

import { startDaemon, until, useDaemon, within } from '../lib/daemon.mjs';
import { Wire, exchange, multipart, partsOf, post, requestHead } from '../lib/http.mjs';
import { addGraph, random } from '../lib/models.mjs';

const MIB = 1 << 20;
const LARGE = 3 * MIB + 5;

async function opened(daemon, model) {
	const answered = await post(daemon, '/v1/uploads', { headers: { 'content-type': 'application/json' },
		body: Buffer.from(JSON.stringify({ model })) });
	assert.equal(answered.status, 201, answered.text);
	return answered.json.id;
}

const putHead = (id, path, length) => requestHead('PUT', `/v1/uploads/${id}/files/${path}`, { 'Content-Length': length });
const postHead = (name, { headers, body }) => requestHead('POST', `/models/${name}`,
	{ 'Content-Type': headers['content-type'], 'Content-Length': body.length });

// So many bytes of a body that is longer by far, and the socket that waits for more of it.
async function begun(daemon, id, bytes) {
	const wire = new Wire(daemon.port);
	await wire.send(putHead(id, 'w.bin', 64 * MIB), bytes);
	return wire;
}

describe('a large body', () => {
	const daemon = useDaemon();

	for (const [what, sizeOf] of [['at once', () => LARGE], ['its head apart', (at) => (at === 0 ? 1 : LARGE)],
		['in pieces of a few bytes to 300 KiB', (at, next) => 1 + Math.floor(300 * 1024 * next() ** 3)]]) {
		test(`that is sent ${what} is kept as it was sent`, async () => {
			const id = await opened(daemon, 'whole');
			const bytes = crypto.randomBytes(LARGE);
			const next = random(7);
			const wire = new Wire(daemon.port);
			await wire.send(putHead(id, 'w.bin', bytes.length));
			for (let at = 0, n; at < bytes.length; at += n) {
				n = sizeOf(at, next);
				await wire.send(bytes.subarray(at, at + n));
			}
			const answered = await wire.answer('PUT');
			assert.equal(answered.status, 201);
			assert.equal(answered.headers.connection, 'close');
			assert.equal(JSON.parse(answered.body).sha256, crypto.createHash('sha256').update(bytes).digest('hex'));
			await wire.rest();
			assert.ok(!wire.reset);
			wire.destroy();
		});
	}

	test('has one answer, whatever comes behind it', async () => {
		const form = multipart(partsOf(addGraph({ size: MIB })));
		const { answers, left } = await exchange(daemon.port, Buffer.concat([Buffer.from(postHead('behind', form)), form.body,
			Buffer.from('GET /healthz HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n')]), ['POST']);
		assert.deepEqual(answers.map(({ status }) => status), [201]);
		assert.equal(left.length, 0);
	});

	test('that is refused at its first part is read to its end, and then answered', async () => {
		const form = multipart([{ name: '../escape', filename: '../escape', body: 'x' },
			{ name: 'w.bin', filename: 'w.bin', body: crypto.randomBytes(LARGE) }]);
		const { answers, reset } = await exchange(daemon.port, Buffer.concat([Buffer.from(postHead('refused', form)), form.body]), ['POST']);
		assert.equal(answers.length, 1);
		assert.ok(answers[0].status >= 400 && answers[0].status < 500);
		assert.ok(!reset);
	});

	test('whose client leaves is thrown away', async () => {
		const form = multipart([{ name: 'w.bin', filename: 'w.bin', body: crypto.randomBytes(LARGE) }]);
		const wire = new Wire(daemon.port);
		await wire.send(postHead('left', form), form.body.subarray(0, LARGE - MIB));
		await until('its file', () => daemon.files('tmp').length > 0);
		wire.destroy();
		await until('its end in the log', () => daemon.stderr.includes('/models/left handler=publish status=0 '));
		await until('its file to be gone', () => daemon.files('tmp').length === 0);
	});

	test('that ends too early is no file', async () => {
		const id = await opened(daemon, 'short');
		const wire = await begun(daemon, id, crypto.randomBytes(LARGE));
		wire.finish();
		await wire.rest();
		wire.destroy();
		await until('its end in the log', () => daemon.stderr.includes(`/v1/uploads/${id}/files/w.bin handler=upload-put status=0 `));
	});
});

test('an answer that no buffer holds reaches a client that reads late', async (t) => {
	const daemon = await startDaemon(t, { set: { 'http.send_buffer': '4KiB' } });
	const paths = Array.from({ length: 100 }, (_, i) => `${i}`.padStart(200, 'a') + '/b'.repeat(350));
	const json = JSON.stringify({ weightsManifest: [{ paths, weights: [{ name: 'w', shape: [1], dtype: 'float32' }] }] });
	const form = multipart([{ name: 'model.json', filename: 'model.json', body: json },
		{ name: 'notes.txt', filename: 'notes.txt', body: crypto.randomBytes(LARGE) }]);
	const wire = new Wire(daemon.port);
	await wire.opened;
	wire.socket.pause();
	await wire.send(postHead('many', form), form.body);
	await until('the verdict', async () => (await fetch(daemon.url('/v1/models/many/rejections'))).status === 200);
	wire.socket.resume();
	const answered = await wire.answer('POST');
	assert.equal(answered.status, 422);
	assert.equal(JSON.parse(answered.body).errors.length, 100);
	assert.ok(answered.body.length > 128 * 1024, `${answered.body.length} bytes`);
	await wire.rest();
	wire.destroy();
	await daemon.stop();
});

test('http.timeout cuts a body of which nothing comes any more', async (t) => {
	const daemon = await startDaemon(t, { set: { 'http.timeout': '5s', 'http.min_rate': 0 } });
	const id = await opened(daemon, 'silent');
	const wire = await begun(daemon, id, crypto.randomBytes(LARGE));
	await within('the end', wire.rest());
	assert.equal(wire.received.length, 0);
	await until('its end in the log', () => daemon.stderr.includes(`/v1/uploads/${id}/files/w.bin handler=upload-put status=0 `));
	wire.destroy();
	await daemon.stop();
});

test('a stop cuts a body that does not come', async (t) => {
	const daemon = await startDaemon(t, { set: { 'http.drain': '1s' } });
	const wire = await begun(daemon, await opened(daemon, 'stopped'), crypto.randomBytes(LARGE));
	await until('its file', () => daemon.files('uploads').length > 0);
	await daemon.stop();
	await within('the end', wire.rest());
	assert.equal(wire.received.length, 0);
	wire.destroy();
});
