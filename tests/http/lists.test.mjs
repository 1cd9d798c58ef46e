// SPDX-License-Identifier: Apache-2.0
// Lists by pages (RFC 8288 Link), and validators (RFC 9110 8.8, 13) on all that the API says in JSON.

import assert from 'node:assert/strict';
import { before, describe, test } from 'node:test';

import { useDaemon } from '../lib/daemon.mjs';
import { assertProblem, get, head, published, request } from '../lib/http.mjs';
import { denseModel } from '../lib/models.mjs';

const VERSIONS = 7;
const MODELS = ['a', 'a/b', 'team/m', 'z'];
const DELETED = 4;

describe('lists', () => {
	const daemon = useDaemon();
	let upload;

	before(async () => {
		for (const name of MODELS) {
			await published(daemon, name, denseModel());
		}
		for (let seed = 2; seed <= VERSIONS; seed++) {
			await published(daemon, 'team/m', denseModel({ seed }));
		}
		assert.equal((await request(daemon, 'DELETE', `/v1/models/team/m/versions/${DELETED}`)).status, 204);
		for (const version of [1, 2, 3, 2, 1]) {
			const moved = await request(daemon, 'PUT', '/v1/models/team/m/labels/stable', { body: JSON.stringify({ version }) });
			assert.ok(moved.status < 300);
		}
		upload = (await request(daemon, 'POST', '/v1/uploads', { body: '{"model":"team/m"}' })).json.id;
	});

	// Every page from `target` on, as the Link headers lead.
	async function pages(target) {
		const all = [];
		while (target) {
			const answered = await get(daemon, target);
			assert.equal(answered.status, 200, answered.text);
			all.push(answered);
			const { next_page_token: token } = answered.json;
			const link = /^<([^>]+)>; rel="next"$/.exec(answered.headers.link ?? '');
			assert.equal(Boolean(link), token !== undefined, 'a token and a Link, or neither');
			target = link?.[1];
			if (link) {
				assert.equal(new URL(target, daemon.origin).searchParams.get('page_token'), token);
			}
		}
		return all;
	}

	const alive = Array.from({ length: VERSIONS }, (_, i) => VERSIONS - i).filter((version) => version !== DELETED);

	for (const [what, path, members, expected] of [
		['models', '/v1/models', ({ models }) => models.map(({ name }) => name), [...MODELS].sort()],
		['models of a prefix', '/v1/models?prefix=a', ({ models }) => models.map(({ name }) => name), ['a', 'a/b']],
		['versions', '/v1/models/team/m/versions', ({ versions }) => versions.map(({ version }) => version), alive],
		['versions of a model', '/v1/models/team/m', ({ versions }) => versions.map(({ version }) => version), alive],
		['what TensorFlow Serving has of them', '/v1/models/team/m',
			({ model_version_status: all }) => all.map(({ version }) => Number(version)), alive],
		['the history of a label', '/v1/models/team/m/labels/stable/history', ({ history }) => history.map(({ to }) => to), [1, 2, 3, 2, 1]],
	]) {
		for (const limit of [1, 2, 3, expected.length, 500]) {
			test(`${what} in pages of ${limit}`, async () => {
				const all = await pages(`${path}${path.includes('?') ? '&' : '?'}limit=${limit}`);
				assert.deepEqual(all.flatMap((page) => members(page.json)), expected);
				assert.equal(all.length, Math.ceil(expected.length / limit), 'no empty page at the end');
				assert.ok(all.every((page) => members(page.json).length <= limit));
				assert.equal(new Set(all.map((page) => page.headers.etag)).size, all.length);
			});
		}
	}

	test('without a limit all versions of a usual model are there at once', async () => {
		const answered = await get(daemon, '/v1/models/team/m');
		assert.equal(answered.json.versions.length, VERSIONS - 1);
		assert.equal(answered.json.versions_total, VERSIONS - 1);
		assert.equal(answered.headers.link, undefined);
	});

	for (const path of ['/v1/models', '/v1/models/team/m', '/v1/models/team/m/versions', '/v1/models/team/m/labels/stable/history']) {
		for (const query of ['limit=0', 'limit=501', 'limit=x', 'limit=', 'limit=-1', 'limit=99999999999999999999']) {
			test(`${path}?${query} is a bad parameter`, async () => {
				assertProblem(await get(daemon, `${path}?${query}`), 400, 'BAD_PARAMETER');
			});
		}
	}

	const documents = () => ['/v1/models', '/v1/models?limit=1', '/v1/models/team/m', '/v1/models/team/m?limit=2', '/v1/models/team/m/versions',
		'/v1/models/team/m/versions/1', '/v1/models/team/m/versions/1/tensors', '/v1/models/team/m/versions/1/metadata',
		'/v1/models/team/m/metadata', '/v1/models/team/m/rejections', '/v1/models/team/m/labels', '/v1/models/team/m/labels/stable',
		'/v1/models/team/m/labels/latest', '/v1/models/team/m/labels/stable/history', '/v1/models/team/m/labels/stable/metadata',
		'/models/team/m', '/models/team/m@1', '/models/team/m@stable', `/v1/uploads/${upload}`];

	test('RFC 9110 13.1.2: each document has a strong ETag, by which it is not sent again', async () => {
		for (const target of documents()) {
			const answered = await get(daemon, target);
			assert.equal(answered.status, 200, target);
			assert.match(answered.headers.etag, /^"[^"]+"$/, target);
			assert.equal(answered.headers['cache-control'], 'no-cache', target);
			assert.equal((await get(daemon, target)).headers.etag, answered.headers.etag, target);
			for (const [method, ask] of [['GET', get], ['HEAD', head]]) {
				const again = await ask(daemon, target, { 'if-none-match': `"x", W/${answered.headers.etag}` });
				assert.equal(again.status, 304, `${method} ${target}`);
				assert.equal(again.headers.etag, answered.headers.etag);
				assert.equal(again.headers.link, answered.headers.link);
				assert.equal((await ask(daemon, target, { 'if-match': '"x"' })).status, 412, `${method} ${target}`);
			}
		}
	});

	test('RFC 9111 5.2.2.5: what is true for this moment alone is kept nowhere', async () => {
		for (const target of ['/healthz', '/readyz', '/version', '/metrics']) {
			const answered = await get(daemon, target);
			assert.equal(answered.headers['cache-control'], 'no-store');
			assert.equal(answered.headers.etag, undefined);
		}
	});

	test('an ETag is another one as soon as the document is', async () => {
		const watched = ['/v1/models', '/v1/models/a', '/models/a'];
		const tags = async () => Promise.all(watched.map(async (target) => (await get(daemon, target)).headers.etag));
		const old = await tags();
		await published(daemon, 'a', denseModel({ seed: 99 }));
		(await tags()).forEach((tag, i) => assert.notEqual(tag, old[i], watched[i]));
	});

	test('the ETag of a label is its revision, for If-Match in one line or in several', async () => {
		const target = '/v1/models/team/m/labels/stable';
		const { headers: { etag }, json: { revision } } = await get(daemon, target);
		assert.equal(etag, `"${revision}"`);
		const move = (match) => request(daemon, 'PUT', target, { headers: { 'If-Match': match }, body: '{"version":2}' });
		assert.equal((await move(['"0"', '"x"'])).status, 412);
		assert.equal((await move(['"0"', etag])).status, 200);
	});
});
