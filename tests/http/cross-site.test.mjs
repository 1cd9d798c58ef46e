// SPDX-License-Identifier: Apache-2.0
// Who may write, and which Host is answered: on loopback, where every page of the web can reach us.

import assert from 'node:assert/strict';
import { before, describe, test } from 'node:test';

import { startDaemon, useDaemon } from '../lib/daemon.mjs';
import {
	assertOpenToPages, assertProblem, get, multipart, partsOf, post, published, request,
} from '../lib/http.mjs';
import { denseModel } from '../lib/models.mjs';

const form = multipart(partsOf(denseModel()));

describe('cross-site', () => {
	const daemon = useDaemon();
	before(() => published(daemon, 'base', denseModel()));

	describe('a program or a page from loopback may publish', () => {
		for (const [what, headers] of [
			['no Origin', {}],
			['http://localhost:3000', { origin: 'http://localhost:3000' }],
			['http://127.0.0.1:5173', { origin: 'http://127.0.0.1:5173' }],
			['http://127.9.9.9', { origin: 'http://127.9.9.9' }],
			['http://[::1]:8080', { origin: 'http://[::1]:8080' }],
			['https://app.localhost', { origin: 'https://app.localhost' }],
			['http://localhost with Sec-Fetch-Site: cross-site',
				{ origin: 'http://localhost:3000', 'sec-fetch-site': 'cross-site' }],
			['Sec-Fetch-Site: same-origin', { 'sec-fetch-site': 'same-origin' }],
			['Sec-Fetch-Site: none', { 'sec-fetch-site': 'none' }],
		]) {
			test(what, async () => {
				const answered = await post(daemon, '/models/base', form, { headers });
				assert.equal(answered.status, 200, answered.text);
				assertOpenToPages(answered);
			});
		}
	});

	describe('a page from anywhere else may not', () => {
		for (const [what, headers] of [
			['https://example.com', { origin: 'https://example.com' }],
			['null', { origin: 'null' }],
			['http://localhost.example.com', { origin: 'http://localhost.example.com' }],
			['http://127.0.0.1.example.com', { origin: 'http://127.0.0.1.example.com' }],
			['http://notlocalhost', { origin: 'http://notlocalhost' }],
			['http://192.168.0.2', { origin: 'http://192.168.0.2' }],
			['http://localhost@example.com', { origin: 'http://localhost@example.com' }],
			['file://', { origin: 'file://' }],
			['nonsense', { origin: 'nonsense' }],
			['Sec-Fetch-Site: cross-site without Origin', { 'sec-fetch-site': 'cross-site' }],
			['Sec-Fetch-Site: same-site without Origin', { 'sec-fetch-site': 'same-site' }],
		]) {
			test(what, async () => {
				for (const method of ['POST', 'PUT']) {
					const answered = await post(daemon, '/models/other', form, { method, headers });
					assert.equal(answered.status, 403);
					assert.equal(answered.headers['x-error-code'], 'CROSS_SITE');
					assertOpenToPages(answered);
				}
				assert.equal((await get(daemon, '/v1/models/other')).status, 404);
			});
		}
	});

	test('every page may read', async () => {
		for (const headers of [{ origin: 'https://example.com', 'sec-fetch-site': 'cross-site' },
			{ origin: 'null' }]) {
			for (const target of ['/models/base/model.json', '/models/base@1/model.weights.bin',
				'/v1/models', '/v1/models/base', '/healthz', '/version']) {
				const answered = await get(daemon, target, headers);
				assert.equal(answered.status, 200, target);
				assertOpenToPages(answered);
				assert.equal(answered.headers['access-control-allow-credentials'], undefined);
			}
		}
	});

	describe('OPTIONS is 204 with what pages need, on every path', () => {
		for (const target of ['/models/base', '/models/base/model.json', '/models/base@1/model.weights.bin',
			'/models/none@1/w.bin', '/v1/models', '/v1/models/base/versions', '/nowhere']) {
			for (const origin of ['http://localhost:3000', 'https://example.com']) {
				test(`${target} for ${origin}`, async () => {
					const answered = await request(daemon, 'OPTIONS', target, { headers: { origin,
						'access-control-request-method': 'GET',
						'access-control-request-headers': 'if-none-match,range' } });
					assert.equal(answered.status, 204);
					assert.equal(answered.body.length, 0);
					assert.equal(answered.headers['access-control-allow-origin'], '*');
					assert.match(answered.headers['access-control-allow-methods'], /\bGET\b/);
					for (const one of ['range', 'if-none-match']) {
						assert.match(answered.headers['access-control-allow-headers'], new RegExp(one, 'i'));
					}
					assert.ok(Number(answered.headers['access-control-max-age']) > 0);
				});
			}
		}

		test('PUT and POST are allowed where a model is published', async () => {
			const answered = await request(daemon, 'OPTIONS', '/models/base', { headers: {
				origin: 'http://localhost:3000', 'access-control-request-method': 'PUT' } });
			assert.match(answered.headers['access-control-allow-methods'], /\bPUT\b/);
			assert.match(answered.headers['access-control-allow-methods'], /\bPOST\b/);
		});

		test('OPTIONS * is answered', async () => {
			assert.equal((await request(daemon, 'OPTIONS', '*')).status, 204);
		});
	});

	describe('Host', () => {
		for (const host of ['127.0.0.1', 'localhost', 'localhost:8570', 'LOCALHOST', '[::1]:9', 'a.localhost',
			'127.1.2.3:80']) {
			test(`${host} is ours`, async () => {
				assert.equal((await get(daemon, '/healthz', { host })).status, 200);
			});
		}

		for (const host of ['example.com', 'example.com:8570', 'localhost.example.com', '192.168.0.2', '[::2]',
			'127.0.0.1.example.com']) {
			test(`${host} is not`, async () => {
				for (const target of ['/healthz', '/v1/models']) {
					const { detail } = assertProblem(await get(daemon, target, { host }), 421, 'WRONG_HOST');
					assert.match(detail, /example\.com|192|::2/);
				}
				const answered = await post(daemon, '/models/rebound', form, { headers: { host } });
				assert.equal(answered.status, 421);
			});
		}

		test('a name of http.hosts is ours as well', async (t) => {
			const other = await startDaemon(t, { set: { 'http.hosts': 'models.example, alias.example' } });
			for (const host of ['models.example', 'alias.example:80', 'Models.Example', 'localhost']) {
				assert.equal((await get(other, '/healthz', { host })).status, 200, host);
			}
			assert.equal((await get(other, '/healthz', { host: 'x.models.example' })).status, 421);
			await other.stop();
		});

		test('http.hosts = * takes every Host', async (t) => {
			const other = await startDaemon(t, { set: { 'http.hosts': '*' } });
			assert.equal((await get(other, '/healthz', { host: 'example.com' })).status, 200);
			await other.stop();
		});
	});

	test('on an address that is not loopback nobody may write without a token', async (t) => {
		const other = await startDaemon(t, { listen: '0.0.0.0:0' });
		for (const headers of [{}, { origin: 'http://localhost:3000' }]) {
			const answered = await post(other, '/models/open', form, { headers });
			assertProblem(answered, 401, 'TOKEN_REQUIRED');
			assert.ok(answered.headers['www-authenticate']);
		}
		assert.equal((await get(other, '/v1/models')).status, 200);
		await other.stop();
	});
});
