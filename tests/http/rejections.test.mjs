// SPDX-License-Identifier: Apache-2.0
// Why publishes were refused, for the page that could not see it.

import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import path from 'node:path';
import { describe, test } from 'node:test';

import { have, startDaemon, until, useDaemon } from '../lib/daemon.mjs';
import {
	assertOpenToPages, assertProblem, get, head, multipart, post, publish, published, request,
} from '../lib/http.mjs';
import { denseModel, utf8, withFile, withJson } from '../lib/models.mjs';

const OF_MODEL = 20;
const model = denseModel({ shardBytes: 20 });
const broken = (note) => withFile(model, 'model.json', utf8(`{"note": "${note}"}`));

async function rejections(daemon, name) {
	const answered = await get(daemon, `/v1/models/${name}/rejections`);
	assert.equal(answered.status, 200, answered.text);
	assertOpenToPages(answered);
	assert.match(answered.headers['content-type'], /^application\/json/);
	assert.deepEqual(Object.keys(answered.json), ['rejections']);
	return answered.json.rejections;
}

async function refused(daemon, name, sent = broken('x')) {
	return assertProblem(await publish(daemon, name, sent), 422, 'NOT_LOADABLE');
}

describe('rejections', () => {
	const daemon = useDaemon();

	test('of a model that nobody published are none', async () => {
		assert.deepEqual(await rejections(daemon, 'nobody'), []);
		assert.deepEqual(await rejections(daemon, 'no/body'), []);
	});

	test('say what the answer said, without the model being there', async () => {
		const before = Date.now();
		const problem = await refused(daemon, 'team/first');
		const [one, ...others] = await rejections(daemon, 'team/first');
		assert.deepEqual(others, []);
		const { at, ...rest } = one;
		const { status, code, detail, errors, request_id } = problem;
		assert.deepEqual(rest, { status, code, detail, errors, request_id });
		assert.match(at, /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z$/);
		assert.ok(Date.parse(at) >= before - 1000 && Date.parse(at) <= Date.now() + 1000, at);
		assert.equal((await get(daemon, '/v1/models/team/first')).status, 404);
		assert.deepEqual((await get(daemon, '/v1/models')).json.models, []);
	});

	test('belong to one name', async () => {
		await refused(daemon, 'names/a');
		assert.deepEqual(await rejections(daemon, 'names/b'), []);
		assert.deepEqual(await rejections(daemon, 'names'), []);
		assert.equal((await rejections(daemon, 'names/a')).length, 1);
	});

	test('are the last ones, newest first', async () => {
		const ids = [];
		for (let i = 0; i < OF_MODEL + 3; i++) {
			ids.unshift((await refused(daemon, 'many')).request_id);
		}
		const found = await rejections(daemon, 'many');
		assert.deepEqual(found.map(({ request_id }) => request_id), ids.slice(0, OF_MODEL));
	});

	test('stay when a publish works at last', async () => {
		await refused(daemon, 'mended');
		await published(daemon, 'mended', model);
		assert.equal((await rejections(daemon, 'mended')).length, 1);
	});

	test('are of models that could not be loaded, not of requests that made no sense', async () => {
		const garbage = { headers: multipart([]).headers, body: Buffer.from('hello') };
		assertProblem(await post(daemon, '/models/garbage', garbage), 400, 'BAD_MULTIPART');
		assert.deepEqual(await rejections(daemon, 'garbage'), []);
	});

	test('keep what a hostile file says as text', async () => {
		const name = '</script>"\\u0007\\u2028 $1; DROP TABLE rejections;--';
		const hostile = withJson(model, (json) => {
			json.weightsManifest[0].weights[0] = { name: JSON.parse(`"${name.replace('"', '\\"')}"`), shape: [1],
				dtype: 'float99' };
			return json;
		});
		const { errors } = await refused(daemon, 'hostile', hostile);
		const [{ errors: kept }] = await rejections(daemon, 'hostile');
		assert.deepEqual(kept, errors);
	});

	test('of a hundred findings keep the first, and stay JSON', async () => {
		const many = withJson(model, (json) => {
			json.weightsManifest[0].weights = Array.from({ length: 300 }, (_, i) => (
				{ name: `${i}-${'\u0001'.repeat(128)}`, shape: [1], dtype: 'float99' }));
			return json;
		});
		const { errors } = await refused(daemon, 'long', many);
		const [{ errors: kept }] = await rejections(daemon, 'long');
		assert.ok(kept.length > 0 && kept.length < errors.length, `${kept.length} of ${errors.length}`);
		assert.deepEqual(kept, errors.slice(0, kept.length));
	});

	test('are read with HEAD and conditions too', async () => {
		await refused(daemon, 'conditions');
		const { headers } = await get(daemon, '/v1/models/conditions/rejections');
		assert.equal(headers['cache-control'], 'no-cache');
		assert.equal((await head(daemon, '/v1/models/conditions/rejections')).status, 200);
		const unchanged = await get(daemon, '/v1/models/conditions/rejections', { 'if-none-match': headers.etag });
		assert.equal(unchanged.status, 304);
		await refused(daemon, 'conditions');
		const changed = await get(daemon, '/v1/models/conditions/rejections', { 'if-none-match': headers.etag });
		assert.equal(changed.status, 200);
	});

	test('have an address that no model can have', async () => {
		for (const name of ['rejections', 'a/rejections', 'rejections/a']) {
			const { detail } = assertProblem(await publish(daemon, name, model), 400, 'BAD_NAME');
			assert.match(detail, /'rejections'/);
		}
		assertProblem(await get(daemon, '/v1/models/Not-A-Name/rejections'), 404, 'MODEL_NOT_FOUND');
		assertProblem(await request(daemon, 'DELETE', '/v1/models/a/rejections'), 405, 'METHOD_NOT_ALLOWED');
	});
});

test('rejections survive a restart', async (t) => {
	const first = await startDaemon(t);
	const { request_id } = await refused(first, 'm');
	await first.stop();
	const second = await startDaemon(t, { store: first.store });
	assert.equal((await rejections(second, 'm'))[0].request_id, request_id);
	await second.stop();
});

test('a refusal that cannot be kept is the same refusal', { skip: !have('sqlite3') }, async (t) => {
	const daemon = await startDaemon(t);
	const before = await refused(daemon, 'm');
	const { status, stderr } = spawnSync('sqlite3', ['-cmd', '.timeout 5000',
		path.join(daemon.store, 'catalog.db'), 'DROP TABLE rejections']);
	assert.equal(status, 0, String(stderr));
	const after = await refused(daemon, 'm');
	assert.deepEqual({ ...after, request_id: '' }, { ...before, request_id: '' });
	await until('a line in the log', () => daemon.stderr.includes('why a publish was refused'));
	await published(daemon, 'm', model);
	await daemon.stop();
});
