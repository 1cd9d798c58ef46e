// SPDX-License-Identifier: Apache-2.0
// RFC 9110 9, 8.6 and 15.5.6 on every path: which methods there are, HEAD beside GET, lengths, and what pages of
// other origins are told (the CORS protocol of the Fetch standard).

import assert from 'node:assert/strict';
import { before, describe, test } from 'node:test';

import { useDaemon } from '../lib/daemon.mjs';
import { Wire, assertOpenToPages, get, published, request, requestHead } from '../lib/http.mjs';
import { denseModel, shardsOf, utf8, withFile } from '../lib/models.mjs';

const NAME = 'team/m';
const model = withFile(denseModel({ inputs: 30, units: 4 }), 'labels.txt', utf8('cat\n'));
const [{ path: shard }] = shardsOf(model);

// Every pattern of the router: a path of it, and its methods.
const PATHS = [
	[`/models/${NAME}/model.json`, 'GET, HEAD'],
	[`/models/${NAME}@1/model.json`, 'GET, HEAD'],
	[`/models/${NAME}@latest/${shard}`, 'GET, HEAD'],
	[`/models/${NAME}@stable/labels.txt`, 'GET, HEAD'],
	[`/models/${NAME}@9/none.bin`, 'GET, HEAD'],
	[`/models/${NAME}@1`, 'GET, HEAD'],
	[`/models/${NAME}`, 'GET, HEAD, POST, PUT'],
	['/models/none', 'GET, HEAD, POST, PUT'],
	['/v1/models', 'GET, HEAD'],
	[`/v1/models/${NAME}`, 'GET, HEAD, DELETE'],
	[`/v1/models/${NAME}/versions`, 'GET, HEAD, POST'],
	[`/v1/models/${NAME}/versions/1`, 'GET, HEAD, DELETE'],
	[`/v1/models/${NAME}/versions/1/tensors`, 'GET, HEAD'],
	[`/v1/models/${NAME}/versions/1/metadata`, 'GET, HEAD'],
	[`/v1/models/${NAME}/metadata`, 'GET, HEAD'],
	[`/v1/models/${NAME}/rejections`, 'GET, HEAD'],
	[`/v1/models/${NAME}/labels`, 'GET, HEAD'],
	[`/v1/models/${NAME}/labels/stable`, 'GET, HEAD, PUT, DELETE'],
	[`/v1/models/${NAME}/labels/stable/history`, 'GET, HEAD'],
	[`/v1/models/${NAME}/labels/stable/metadata`, 'GET, HEAD'],
	[`/v1/models/${NAME}:import`, 'POST'],
	['/v1/jobs', 'GET, HEAD'],
	['/v1/jobs/0123', 'GET, HEAD, DELETE'],
	['/v1/uploads', 'POST'],
	['/v1/uploads/0123', 'GET, HEAD, DELETE'],
	['/v1/uploads/0123:publish', 'POST'],
	['/v1/uploads/0123/files/a/b.bin', 'GET, HEAD, PUT, PATCH, DELETE'],
	['/healthz', 'GET, HEAD'],
	['/readyz', 'GET, HEAD'],
	['/version', 'GET, HEAD'],
	['/v1/audit', 'GET, HEAD'],
	['/metrics', 'GET, HEAD'],
];
const METHODS = ['GET', 'HEAD', 'POST', 'PUT', 'PATCH', 'DELETE'];
const names = (list) => list.split(', ').filter(Boolean).sort();

describe('methods', () => {
	const daemon = useDaemon();

	before(async () => {
		await published(daemon, NAME, model);
		await published(daemon, 'gone', model);
		await published(daemon, 'gone', denseModel({ seed: 9 }));
		assert.equal((await request(daemon, 'DELETE', '/v1/models/gone/versions/1')).status, 204);
		const label = await request(daemon, 'PUT', `/v1/models/${NAME}/labels/stable`, { body: '{"version":1}' });
		assert.equal(label.status, 201);
	});

	// One request over a socket of its own, whose end shows that nothing came behind the answer.
	async function raw(method, target, headers = {}) {
		const wire = new Wire(daemon.port);
		await wire.send(requestHead(method, target, { ...headers, Connection: 'close' }));
		const answered = await wire.answer(method);
		assert.equal((await wire.rest()).length, 0, `behind the answer to ${method} ${target}`);
		return answered;
	}

	describe('RFC 9110 15.5.6: what a path does not know is 405, with Allow', () => {
		for (const [target, allowed] of PATHS) {
			test(target, async () => {
				for (const method of METHODS.filter((one) => !names(allowed).includes(one))) {
					const answered = await raw(method, target, method === 'GET' || method === 'HEAD' ? {} : { 'Content-Length': '0' });
					assert.equal(answered.status, 405, method);
					assert.deepEqual(names(answered.headers.allow), names(`${allowed}, OPTIONS`), method);
					assert.equal(answered.headers['x-error-code'], 'METHOD_NOT_ALLOWED');
					assertOpenToPages(answered);
				}
			});
		}
	});

	test('RFC 9110 15.6.2: a method that nobody knows is 501, whatever the path', async () => {
		for (const method of ['TRACE', 'BREW', 'PROPFIND', 'get']) {
			for (const target of [`/models/${NAME}/model.json`, '/v1/models', '/nowhere']) {
				const answered = await raw(method, target);
				assert.equal(answered.status, 501, `${method} ${target}`);
				assertOpenToPages(answered);
			}
		}
	});

	describe('RFC 9110 9.3.7, Fetch 3.2: OPTIONS is 204 and a preflight is granted', () => {
		for (const [target, allowed] of [...PATHS, ['/nowhere', ''], ['/models/a/../b', '']]) {
			test(target, async () => {
				const answered = await raw('OPTIONS', target, { Origin: 'http://localhost:3000',
					'Access-Control-Request-Method': 'GET',
					'Access-Control-Request-Headers': 'authorization,if-none-match,range' });
				assert.equal(answered.status, 204);
				assertOpenToPages(answered);
				// 8.6: never in a 204.
				assert.equal(answered.headers['content-length'], undefined);
				assert.equal(answered.headers['transfer-encoding'], undefined);
				assert.deepEqual(names(answered.headers.allow ?? ''), allowed ? names(`${allowed}, OPTIONS`) : []);
				const granted = names(answered.headers['access-control-allow-headers'].toLowerCase());
				for (const one of ['authorization', 'content-type', 'if-match', 'if-none-match', 'range', 'if-range']) {
					assert.ok(granted.includes(one), one);
				}
				assert.equal(answered.headers['access-control-max-age'], '86400');
				assert.equal(answered.headers.vary, 'Origin');
			});
		}
	});

	// Neither of these grants a page anything that it has not without them.
	test('Fetch, Private Network Access: no credentials and no private network are granted', async () => {
		const answered = await raw('OPTIONS', `/models/${NAME}/model.json`, { Origin: 'https://example.com',
			'Access-Control-Request-Method': 'GET', 'Access-Control-Request-Private-Network': 'true' });
		assert.equal(answered.status, 204);
		assert.equal(answered.headers['access-control-allow-private-network'], undefined);
		assert.equal(answered.headers['access-control-allow-credentials'], undefined);
	});

	const shardUrl = `/models/${NAME}@1/${shard}`;
	const TARGETS = [ // [status of GET, target, request headers]
		[200, `/models/${NAME}/model.json`], [200, `/models/${NAME}@1/model.json`], [200, shardUrl],
		[200, `/models/${NAME}@stable/model.json`], [200, `/models/${NAME}@stable/labels.txt`],
		[200, `/models/${NAME}/labels.txt`], [200, `/models/${NAME}@1`], [200, `/models/${NAME}`],
		[304, shardUrl, { 'If-None-Match': '*' }], [304, `/models/${NAME}/model.json`, { 'If-None-Match': '*' }],
		[304, '/v1/models', { 'If-None-Match': '*' }], [412, shardUrl, { 'If-Match': '"x"' }],
		[404, '/models/none/model.json'], [404, '/models/none@1/w.bin'], [404, `/models/${NAME}@1/none.bin`],
		[404, '/nowhere'], [404, '/v1/models/none'], [404, '/v1/jobs/0123'], [400, '/models/a/%2e/b'], [400, '/v1/models?limit=0'],
		[410, '/models/gone@1/model.json'], [410, `/models/gone@1/${shard}`], [410, '/v1/models/gone/versions/1'],
		...PATHS.filter(([target, allowed]) => /^.(v1|healthz|readyz|version)/.test(target) && allowed.includes('GET') &&
			!/uploads|jobs.0123/.test(target)).map(([target]) => [200, target]),
	];

	describe('RFC 9110 9.3.2: HEAD has every field of GET and no body; 8.6: a body has a length', () => {
		for (const [status, target, headers] of TARGETS) {
			test(`${status} ${target} ${JSON.stringify(headers ?? '')}`, async () => {
				const got = await raw('GET', target, headers);
				const asked = await raw('HEAD', target, headers);
				assert.equal(got.status, status);
				assert.equal(asked.status, status);
				assert.equal(asked.body.length, 0);
				assertOpenToPages(got);
				assert.equal(got.headers['transfer-encoding'], undefined);
				if (status !== 304) {
					assert.equal(got.headers['content-length'], String(got.body.length));
				}
				// A problem document names its request, by an id that may be longer.
				const kept = (answered) => Object.fromEntries(Object.entries(answered.headers).filter(([name]) =>
					!['date', 'x-request-id'].includes(name) && !(name === 'content-length' && status >= 400 && got.body.length > 0)));
				assert.deepEqual(kept(asked), kept(got));
			});
		}
	});

	test('every status of a GET, of a file too, is open to pages and is no page', async () => {
		for (const [, target, headers] of TARGETS) {
			const { status, headers: answered } = await raw('GET', target, headers);
			assert.equal(answered['x-content-type-options'], 'nosniff', target);
			assert.doesNotMatch(answered['content-type'] ?? '', /html|xml|javascript/, target);
			const isFile = /model\.json|labels\.txt|bin/.test(target) && status < 400;
			assert.equal(answered['content-security-policy'], isFile ? 'sandbox' : undefined, target);
		}
		const part = await get(daemon, shardUrl, { range: 'bytes=0-1' });
		assert.equal(part.headers['content-security-policy'], 'sandbox');
	});

	// RFC 9110 9.3.1: a body of a GET means nothing; it must not be taken for the next request.
	test('RFC 9110 9.3.1: a GET with a body is answered as without', async () => {
		const wire = new Wire(daemon.port);
		await wire.send(requestHead('GET', shardUrl, { 'Content-Length': '24' }), 'GET /smuggled HTTP/1.1\r\n');
		const answered = await wire.answer();
		assert.equal(answered.status, 200);
		assert.equal((await wire.rest()).length, 0);
	});
});
