// SPDX-License-Identifier: Apache-2.0
// Links: addresses that read one model, or one version of it, for a time.

import assert from 'node:assert/strict';
import { before, describe, test } from 'node:test';

import { startDaemon, until, useDaemon } from '../lib/daemon.mjs';
import { assertProblem, get, multipart, partsOf, post, request } from '../lib/http.mjs';
import { denseModel } from '../lib/models.mjs';
import { bearer, makeToken, revokeToken } from '../lib/tokens.mjs';

const HOUR_MS = 3_600_000;

describe('a link', () => {
	const daemon = useDaemon({ set: { 'auth.anonymous': 'none' } });
	let writer;
	let reader;

	before(async () => {
		writer = await makeToken(daemon, '--scope', 'read,publish,label,delete');
		reader = await makeToken(daemon, '--scope', 'read', '--models', 'team/**');
		for (const fill of [1, 2]) {
			for (const name of ['team/m', 'team/m2', 'secret']) {
				const answered = await post(daemon, `/models/${name}?label=stable`,
					multipart(partsOf(denseModel({ fill }))), { headers: bearer(writer) });
				assert.equal(answered.status, 201, answered.text);
			}
		}
	});

	const ask = (body, token = reader) => request(daemon, 'POST', '/v1/links', {
		headers: token ? bearer(token) : {}, body: typeof body === 'string' ? body : JSON.stringify(body) });

	async function link(ref, ttl = '1h', token = reader) {
		const answered = await ask({ ref, ttl }, token);
		assert.equal(answered.status, 200, answered.text);
		assert.equal(answered.headers['cache-control'], 'no-store');
		return answered.json;
	}

	const status = async (target, k) => (await get(daemon, `${target}?k=${k}`)).status;

	test('to a model reads all its versions and nothing else', async () => {
		const { url, k, expires, ref } = await link('team/m');
		assert.equal(ref, 'team/m');
		assert.equal(url, `${daemon.origin}/models/team/m/model.json?k=${k}`);
		assert.match(k, /^mdk_[A-Za-z0-9_-]+$/);
		assert.ok(Math.abs(Date.parse(expires) - Date.now() - HOUR_MS) < HOUR_MS / 2);
		for (const target of ['/models/team/m/model.json', '/models/team/m@1/model.json', '/models/team/m@2/model.weights.bin',
			'/models/team/m@stable/model.json', '/models/team/m', '/v1/models/team/m', '/v1/models/team/m/versions/1']) {
			assert.equal(await status(target, k), 200, target);
		}
		for (const target of ['/models/team/m2/model.json', '/models/secret/model.json', '/models/team/m3@1/w.bin',
			'/v1/models/team/m/rejections', '/v1/tokens']) {
			assert.equal(await status(target, k), 403, target);
		}
		const listed = await get(daemon, `/v1/models?k=${k}`);
		assert.deepEqual(listed.json.models.map(({ name }) => name), ['team/m']);
		const answered = await get(daemon, `/models/team/m/model.json?k=${k}`);
		assert.match(answered.headers['cache-control'], /^private\b/);
	});

	test('to a version reads that version', async () => {
		const { url, k, ref } = await link('team/m@1');
		assert.equal(ref, 'team/m@1');
		assert.equal(new URL(url).pathname, '/models/team/m@1/model.json');
		for (const target of ['/models/team/m@1/model.json', '/models/team/m@1/model.weights.bin', '/models/team/m@1',
			'/v1/models/team/m/versions/1', '/v1/models/team/m/versions/1/metadata']) {
			assert.equal(await status(target, k), 200, target);
		}
		for (const target of ['/models/team/m@2/model.json', '/models/team/m/model.json', '/models/team/m@stable/model.json',
			'/v1/models/team/m', '/v1/models/team/m/versions/2', '/v1/models/team/m/labels/stable']) {
			assert.equal(await status(target, k), 403, target);
		}
		assert.deepEqual((await get(daemon, `/v1/models?k=${k}`)).json.models, []);
	});

	test('to a label is one to the version that it names now', async () => {
		const { ref, k } = await link('team/m@stable');
		assert.equal(ref, 'team/m@2');
		assert.equal(await status('/models/team/m@2/model.json', k), 200);
	});

	test('writes nothing, also as a header', async () => {
		const { k } = await link('team/m');
		const answered = await post(daemon, '/models/team/m', multipart(partsOf(denseModel())), { headers: bearer(k) });
		assertProblem(answered, 403, 'NOT_ALLOWED');
		assertProblem(await ask({ ref: 'team/m', ttl: '1h' }, k), 403, 'NOT_ALLOWED');
		assert.equal((await get(daemon, '/models/team/m/model.json', bearer(k))).status, 200);
	});

	test('ends at its time', async () => {
		const { k, expires } = await link('team/m', 1);
		assert.ok(Date.parse(expires) - Date.now() <= 1000);
		await until('the end of the link', async () => await status('/models/team/m/model.json', k) === 401);
		assert.match((await get(daemon, `/models/team/m/model.json?k=${k}`)).json.detail, /link has expired/);
	});

	test('ends with its token, and not after it', async () => {
		const token = await makeToken(daemon, '--scope', 'read', '--expires', '1h');
		const { k, expires } = await link('team/m', '30d', token);
		assert.ok(Date.parse(expires) - Date.now() <= HOUR_MS);
		assert.equal(await status('/models/team/m/model.json', k), 200);
		await revokeToken(daemon, token);
		assertProblem(await get(daemon, `/models/team/m/model.json?k=${k}`), 401, 'BAD_TOKEN');
	});

	test('that was changed is worth nothing', async () => {
		const { k } = await link('team/m');
		for (const at of [6, 30, k.length - 2]) {
			const changed = k.slice(0, at) + (k[at] === 'A' ? 'B' : 'A') + k.slice(at + 1);
			assertProblem(await get(daemon, `/models/team/m/model.json?k=${changed}`), 401, 'BAD_TOKEN');
		}
		assert.equal(await status('/models/team/m/model.json', k), 200);
	});

	test('is given for what its maker may read, and what is there', async () => {
		assertProblem(await ask({ ref: 'secret', ttl: '1h' }), 403, 'NOT_ALLOWED');
		assertProblem(await ask({ ref: 'team/m', ttl: '1h' }, null), 401, 'TOKEN_REQUIRED');
		assertProblem(await ask({ ref: 'team/none', ttl: '1h' }), 404, 'MODEL_NOT_FOUND');
		assertProblem(await ask({ ref: 'team/m@9', ttl: '1h' }), 404, 'VERSION_NOT_FOUND');
		assertProblem(await ask({ ref: 'team/m@none', ttl: '1h' }), 404, 'LABEL_NOT_FOUND');
	});

	test('that makes no sense is 400', async () => {
		for (const body of ['', '{', '{}', { ref: 'team/m' }, { ttl: '1h' }, { ref: 1, ttl: '1h' },
			{ ref: 'team/m', ttl: 'soon' }, { ref: 'team/m', ttl: 0 }, { ref: 'team/m', ttl: '367d' },
			{ ref: 'team/m', ttl: -1 }, { ref: 'Team/m', ttl: '1h' }]) {
			assert.equal((await ask(body)).status, 400, JSON.stringify(body));
		}
	});

	test('is not in the log', async () => {
		const { k } = await link('team/m');
		assert.equal(await status('/models/team/m/model.json', k), 200);
		await until('the line of the log', () => daemon.stderr.includes('/models/team/m/model.json?k=*'));
		assert.ok(!daemon.stderr.includes(k.slice(-20)));
	});
});

describe('links and restarts', () => {
	test('a link is good after a restart, since nothing of it is stored', async (t) => {
		const first = await startDaemon(t, { set: { 'auth.anonymous': 'none' } });
		const token = await makeToken(first, '--scope', 'read,publish');
		const form = multipart(partsOf(denseModel()));
		assert.equal((await post(first, '/models/m', form, { headers: bearer(token) })).status, 201);
		const { json } = await request(first, 'POST', '/v1/links', { headers: bearer(token),
			body: '{"ref":"m","ttl":"1h"}' });
		await first.stop();
		const second = await startDaemon(t, { store: first.store, set: { 'auth.anonymous': 'none' } });
		assert.equal((await get(second, `/models/m/model.json?k=${json.k}`)).status, 200);
		await second.stop();
	});
});
