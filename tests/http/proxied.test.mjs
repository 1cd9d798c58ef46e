// SPDX-License-Identifier: Apache-2.0
// What is believed of who says that it is a proxy: everything of those that are configured, else nothing.

import assert from 'node:assert/strict';
import { before, describe, test } from 'node:test';

import { startDaemon, until, useDaemon } from '../lib/daemon.mjs';
import { Wire, assertProblem, get, multipart, partsOf, post, request, requestHead } from '../lib/http.mjs';
import { denseModel } from '../lib/models.mjs';
import { bearer, makeToken } from '../lib/tokens.mjs';

const CLIENT = '192.0.2.7';
const through = (more = {}) => ({ 'x-forwarded-for': CLIENT, 'x-forwarded-proto': 'https',
	'x-forwarded-host': 'models.example', ...more });

// The line of the access log with this in its target.
const logged = (daemon, mark) => until(`a line with ${mark}`, () => daemon.stderr.split('\n').find((line) => line.includes(mark)));

describe('behind a trusted proxy', () => {
	const daemon = useDaemon({ set: { 'http.trusted_proxies': '127.0.0.1,10.0.0.0/8', 'http.hosts': 'models.example' } });
	let token;

	before(async () => {
		token = await makeToken(daemon, '--scope', 'read,publish,label');
	});
	const save = (name, headers) => post(daemon, `/models/${name}`, multipart(partsOf(denseModel())), { headers });

	test('addresses in answers are those that the client used', async () => {
		const saved = await save('m', through(bearer(token)));
		assert.equal(saved.status, 201, saved.text);
		assert.equal(saved.json.url, 'https://models.example/models/m@1/model.json');
	});

	test('the log names the client', async () => {
		await get(daemon, '/models/m/model.json?mark=chain', through({ 'x-forwarded-for': `6.6.6.6, ${CLIENT}, 10.1.2.3` }));
		assert.match(await logged(daemon, 'mark=chain'), new RegExp(`client=${CLIENT}\\b`));
		await get(daemon, '/models/m@1/model.json?mark=own', {});
		assert.match(await logged(daemon, 'mark=own'), /client=127\.0\.0\.1\b/);
	});

	test('a name that is not ours is refused, whatever Host says', async () => {
		assertProblem(await get(daemon, '/v1/models', through({ 'x-forwarded-host': 'evil.example' })), 421, 'WRONG_HOST');
		assert.equal((await get(daemon, '/v1/models', through({ host: 'inner' }))).status, 200);
	});

	test('what a proxy cannot have meant is refused', async () => {
		for (const [name, value] of [['for', 'here'], ['for', '1.2.3'], ['proto', 'ftp'], ['host', 'a b']]) {
			assertProblem(await get(daemon, '/v1/models', through({ [`x-forwarded-${name}`]: value })), 400, 'BAD_REQUEST');
		}
	});

	test('Forwarded is not read', async () => {
		await get(daemon, '/v1/models?mark=other', through({ forwarded: 'for=6.6.6.6;host=evil.example' }));
		assert.match(await logged(daemon, 'mark=other'), new RegExp(`client=${CLIENT}\\b`));
	});
});

test('a request through a proxy is not one from this machine', async (t) => {
	const daemon = await startDaemon(t, { set: { 'http.trusted_proxies': '127.0.0.1' } });
	for (const headers of [through({ 'x-forwarded-host': 'localhost' }), {}]) {
		assertProblem(await post(daemon, '/models/m', multipart(partsOf(denseModel())), { headers }), 401, 'TOKEN_REQUIRED');
	}
	await daemon.stop();
});

test('Forwarded is read where proxies write it', async (t) => {
	const daemon = await startDaemon(t, { set: { 'http.trusted_proxies': '127.0.0.1', 'http.forwarded': 'standard',
		'http.hosts': 'models.example' } });
	const token = await makeToken(daemon, '--scope', 'publish');
	const headers = { forwarded: `for=6.6.6.6, for="${CLIENT}:99";proto=https;host="models.example"`, 'x-forwarded-host': 'evil.example',
		...bearer(token) };
	const saved = await post(daemon, '/models/m', multipart(partsOf(denseModel())), { headers });
	assert.equal(saved.status, 201, saved.text);
	assert.equal(saved.json.url, 'https://models.example/models/m@1/model.json');
	assertProblem(await get(daemon, '/v1/models', { forwarded: 'for="' }), 400, 'BAD_REQUEST');
	await daemon.stop();
});

test('nobody else is believed', async (t) => {
	const daemon = await startDaemon(t, { set: { 'http.trusted_proxies': '10.0.0.0/8' } });
	const token = await makeToken(daemon, '--scope', 'publish');
	const saved = await post(daemon, '/models/m?mark=publish', multipart(partsOf(denseModel())),
		{ headers: through({ forwarded: 'host=evil.example', ...bearer(token) }) });
	assert.equal(saved.status, 201, saved.text);
	assert.equal(saved.json.url, `${daemon.origin}/models/m@1/model.json`);
	assert.match(await logged(daemon, 'mark=publish'), /client=127\.0\.0\.1\b/);
	assert.equal((await get(daemon, '/v1/models', { 'x-forwarded-for': 'here' })).status, 200);
	await daemon.stop();
});

describe('each client behind a proxy has its own share of requests', () => {
	const daemon = useDaemon({ set: { 'http.trusted_proxies': '127.0.0.1', 'http.connections_per_address': '2' } });
	let token;

	before(async () => {
		token = await makeToken(daemon, '--scope', 'publish');
	});
	// A request that counts by the time that this is over.
	const open = async (t, client) => {
		const wire = new Wire(daemon.port);
		t.after(() => wire.destroy());
		await wire.send(requestHead('POST', '/models/m', { 'X-Forwarded-For': client, ...bearer(token), 'Content-Length': '100',
			'Content-Type': 'multipart/form-data; boundary=b', Expect: '100-continue' }));
		assert.equal((await wire.answer('POST')).status, 100);
		return wire;
	};
	const asked = async (client) => (await request(daemon, 'GET', '/v1/models', { headers: { 'x-forwarded-for': client } })).status;

	test('more are 429, until others are over', async (t) => {
		const held = [await open(t, CLIENT), await open(t, CLIENT)];
		assert.equal(await asked(CLIENT), 429);
		assert.equal(await asked('192.0.2.8'), 200);
		assert.equal(await asked('192.0.2.9'), 200);
		held.forEach((wire) => wire.destroy());
		await until('neither to count', async () => await asked(CLIENT) === 200);
	});

	test('an IPv6 network is one client', async (t) => {
		await open(t, '2001:db8:1:2::1');
		await open(t, '2001:db8:1:2::2');
		assert.equal(await asked('2001:db8:1:2:ffff::3'), 429);
		assert.equal(await asked('2001:db8:1:3::1'), 200);
	});
});

test('words that are no networks are refused at the start', async (t) => {
	await assert.rejects(startDaemon(t, { set: { 'http.trusted_proxies': 'proxy.lan' } }),
		/\[http\] trusted_proxies: proxy\.lan: expected an address/);
});
