// SPDX-License-Identifier: Apache-2.0
// The API for tools: lists, descriptions and health.

import assert from 'node:assert/strict';
import crypto from 'node:crypto';
import { before, describe, test } from 'node:test';

import { useDaemon } from '../lib/daemon.mjs';
import { assertOpenToPages, assertProblem, get, published } from '../lib/http.mjs';
import { addGraph, denseModel, utf8, withFile } from '../lib/models.mjs';

const names = ['a', 'a/b', 'a0', 'b.c', 'team/cats', 'team/dogs', 'zebra'];
const digestOf = (bytes) => crypto.createHash('sha256').update(bytes).digest('hex');

describe('the API', () => {
	const daemon = useDaemon();
	const first = withFile(denseModel({ seed: 1, shardBytes: 20 }), 'labels.txt', utf8('cat\n'));
	const second = denseModel({ seed: 2, shardBytes: 20 });
	const sizeOf = (model) => model.files.reduce((n, file) => n + file.bytes.length, 0);

	before(async () => {
		for (const name of names) {
			await published(daemon, name, first);
		}
		await published(daemon, 'team/cats', second);
		await published(daemon, 'graph', addGraph());
	});

	async function json(target) {
		const answered = await get(daemon, target);
		assert.equal(answered.status, 200, answered.text);
		assertOpenToPages(answered);
		assert.match(answered.headers['content-type'], /^application\/json/);
		assert.ok(answered.headers['cache-control'], 'a list is never cached by accident');
		return answered.json;
	}

	test('/v1/models lists every model by name', async () => {
		const body = await json('/v1/models');
		assert.deepEqual(body.models.map((model) => model.name), [...names, 'graph'].sort());
		assert.ok(!body.next_page_token);
		const cats = body.models.find((model) => model.name === 'team/cats');
		assert.equal(cats.latest, 2);
		assert.equal(cats.versions, 2);
		assert.deepEqual(cats.labels, {});
		assert.equal(cats.bytes, sizeOf(first) + sizeOf(second));
		assert.ok(Math.abs(Date.now() - Date.parse(cats.updated)) < 3_600_000, String(cats.updated));
	});

	test('a prefix narrows the list', async () => {
		const list = async (prefix) => (await json(`/v1/models?prefix=${prefix}`)).models.map((m) => m.name);
		assert.deepEqual(await list('team/'), ['team/cats', 'team/dogs']);
		assert.deepEqual(await list('team%2Fd'), ['team/dogs']);
		assert.deepEqual(await list('a'), ['a', 'a/b', 'a0']);
		assert.deepEqual(await list('nothing'), []);
		assert.deepEqual(await list('%25'), []);
	});

	for (const limit of [1, 3, 8]) {
		test(`pages of ${limit} hold every model once`, async () => {
			const seen = [];
			let target = `/v1/models?limit=${limit}`;
			while (target) {
				const answered = await get(daemon, target);
				assert.equal(answered.status, 200);
				const { models, next_page_token: token } = answered.json;
				assert.ok(models.length <= limit);
				seen.push(...models.map((model) => model.name));
				target = '';
				if (token) {
					const link = /^<([^>]+)>;\s*rel="next"$/.exec(answered.headers.link);
					assert.ok(link, `Link: ${answered.headers.link}`);
					const next = new URL(link[1], daemon.origin);
					assert.equal(next.searchParams.get('page_token'), token);
					assert.equal(next.searchParams.get('limit'), String(limit));
					target = next.pathname + next.search;
				} else {
					assert.equal(answered.headers.link, undefined);
				}
			}
			assert.deepEqual(seen, [...names, 'graph'].sort());
		});
	}

	test('the prefix is kept from page to page', async () => {
		const answered = await get(daemon, '/v1/models?prefix=team/&limit=1');
		const next = new URL(/^<([^>]+)>/.exec(answered.headers.link)[1], daemon.origin);
		const { models } = (await get(daemon, next.pathname + next.search)).json;
		assert.deepEqual(models.map((model) => model.name), ['team/dogs']);
	});

	for (const query of ['limit=0', 'limit=501', 'limit=-1', 'limit=x', 'limit=1.5', 'limit=',
		`page_token=${'x'.repeat(200)}`]) {
		test(`${query.slice(0, 20)} is a bad parameter`, async () => {
			const { detail } = assertProblem(await get(daemon, `/v1/models?${query}`), 400, 'BAD_PARAMETER');
			assert.ok(detail.includes(query.split('=')[0]), detail);
		});
	}

	test('a model has versions, and the status that TensorFlow Serving gives', async () => {
		const body = await json('/v1/models/team/cats');
		assert.deepEqual(await json('/v1/models/team/cats/versions'), body);
		assert.equal(body.name, 'team/cats');
		assert.equal(body.latest, 2);
		assert.deepEqual(body.labels, {});
		assert.deepEqual(body.versions.map(({ version }) => version).sort(), [1, 2]);
		const available = (version) => ({ version: String(version), state: 'AVAILABLE',
			status: { error_code: 'OK', error_message: '' } });
		assert.deepEqual(body.model_version_status.sort((a, b) => a.version - b.version),
			[available(1), available(2)]);
	});

	test('a version has its files with size, digest and type', async () => {
		const body = await json('/v1/models/team/cats/versions/1');
		assert.equal(body.name, 'team/cats');
		assert.equal(body.version, 1);
		assert.match(body.root_digest, /^sha256:[0-9a-f]{64}$/);
		assert.deepEqual(body.model_version_status, [{ version: '1', state: 'AVAILABLE',
			status: { error_code: 'OK', error_message: '' } }]);
		const byPath = (a, b) => (a.path < b.path ? -1 : 1);
		const types = { json: 'application/json', txt: 'text/plain', bin: 'application/octet-stream' };
		const expected = first.files.map(({ path, bytes }) => ({ path, bytes: bytes.length,
			sha256: digestOf(bytes), type: types[path.split('.').pop()] })).sort(byPath);
		assert.deepEqual(body.files.map(({ path, bytes, sha256, media_type: type }) =>
			({ path, bytes, sha256, type: type.split(';')[0] })).sort(byPath), expected);
		assert.deepEqual(body.findings, []);
	});

	test('the root digest is over the sorted list of digest, size and path', async () => {
		const { root_digest: root } = await json('/v1/models/team/cats/versions/1');
		const lines = [...first.files].sort((a, b) => (a.path < b.path ? -1 : 1))
			.map(({ path, bytes }) => `${digestOf(bytes)} ${bytes.length} ${path}\n`);
		assert.equal(root, `sha256:${digestOf(lines.join(''))}`);
	});

	test('GET /models/{ref} describes the version it names', async () => {
		const pinned = await json('/models/team/cats@1');
		assert.deepEqual(pinned, await json('/v1/models/team/cats/versions/1'));
		assert.equal((await json('/models/team/cats')).version, 2);
	});

	test('the kind is judged by the topology', async () => {
		assert.equal((await json('/v1/models/a/versions/1')).kind, 'layers-model');
		assert.equal((await json('/v1/models/graph/versions/1')).kind, 'graph-model');
	});

	for (const [target, status, code] of [
		['/v1/models/none', 404, 'MODEL_NOT_FOUND'],
		['/v1/models/team', 404, 'MODEL_NOT_FOUND'],
		['/v1/models/none/versions/1', 404, 'MODEL_NOT_FOUND'],
		['/v1/models/a/versions/2', 404, 'VERSION_NOT_FOUND'],
		['/v1/models/a/versions/0', 404, 'VERSION_NOT_FOUND'],
		['/v1/models/a/versions/one', 404, 'VERSION_NOT_FOUND'],
		['/v1/models/Team', 404, 'MODEL_NOT_FOUND'],
	]) {
		test(`GET ${target} is ${status} ${code}`, async () => {
			assertProblem(await get(daemon, target), status, code);
		});
	}

	test('health, readiness and version', async () => {
		for (const target of ['/healthz', '/readyz']) {
			const answered = await get(daemon, target);
			assert.equal(answered.status, 200, target);
			assertOpenToPages(answered);
			assert.equal(answered.headers['cache-control'], 'no-store');
		}
		assert.match((await json('/version')).version, /^\d+\.\d+\.\d+/);
	});

	test('each request has an id of its own', async () => {
		const ids = new Set();
		for (let i = 0; i < 20; i++) {
			ids.add((await get(daemon, '/nowhere')).json.request_id);
		}
		assert.equal(ids.size, 20);
	});
});
