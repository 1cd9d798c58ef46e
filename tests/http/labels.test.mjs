// SPDX-License-Identifier: Apache-2.0
// Labels: names that move from version to version, for pages and for tools.

import assert from 'node:assert/strict';
import { before, describe, test } from 'node:test';

import { startDaemon, useDaemon } from '../lib/daemon.mjs';
import {
	assertOpenToPages, assertProblem, assertQuietError, get, head, multipart, partsOf, post, published, request,
} from '../lib/http.mjs';
import { denseModel, shardsOf } from '../lib/models.mjs';

const WRITERS = 20;
const model = (version) => denseModel({ inputs: 16, fill: version, shardBytes: 40, metadata: { version } });

function move(daemon, name, label, body, headers = {}) {
	const text = typeof body === 'number' ? JSON.stringify({ version: body }) : body;
	return request(daemon, 'PUT', `/v1/models/${name}/labels/${label}`, { headers, body: text });
}

async function moved(daemon, name, label, version) {
	const answered = await move(daemon, name, label, version);
	assert.ok([200, 201].includes(answered.status), answered.text);
	return answered;
}

const drop = (daemon, name, label, headers) =>
	request(daemon, 'DELETE', `/v1/models/${name}/labels/${label}`, { headers });

describe('labels', () => {
	const daemon = useDaemon();

	before(async () => {
		for (const version of [1, 2, 3]) {
			await published(daemon, 'team/m', model(version));
		}
	});

	async function history(name, label, query = '') {
		const answered = await get(daemon, `/v1/models/${name}/labels/${label}/history${query}`);
		assert.equal(answered.status, 200, answered.text);
		assertOpenToPages(answered);
		return answered.json;
	}

	test('a new label is 201, a moved one 200, each with the ETag of its revision', async () => {
		const first = await move(daemon, 'team/m', 'made', 1);
		assert.equal(first.status, 201, first.text);
		assertOpenToPages(first);
		assert.equal(first.headers.location, '/v1/models/team/m/labels/made');
		const { name, label, version, revision, moved: at, ref, url } = first.json;
		assert.deepEqual({ name, label, version, ref }, { name: 'team/m', label: 'made', version: 1,
			ref: 'team/m@1' });
		assert.equal(url, daemon.url('/models/team/m@1/model.json'));
		assert.equal(first.headers.etag, `"${revision}"`);
		assert.ok(Math.abs(Date.now() - Date.parse(at)) < 3_600_000, at);
		const second = await move(daemon, 'team/m', 'made', 2);
		assert.equal(second.status, 200);
		assert.equal(second.headers.location, undefined);
		assert.ok(second.json.revision > revision);
	});

	test('moving to the same version changes nothing', async () => {
		const first = await moved(daemon, 'team/m', 'still', 1);
		const again = await moved(daemon, 'team/m', 'still', 1);
		assert.equal(again.status, 200);
		assert.deepEqual(again.json, first.json);
		assert.equal((await history('team/m', 'still')).history.length, 1);
	});

	test('GET describes the version that the label names', async () => {
		const { headers } = await moved(daemon, 'team/m', 'shown', 2);
		const shown = await get(daemon, '/v1/models/team/m/labels/shown');
		assert.equal(shown.status, 200);
		assertOpenToPages(shown);
		assert.equal(shown.headers.etag, headers.etag);
		assert.equal(shown.headers['cache-control'], 'no-cache');
		const { label, revision, moved: at, ...version } = shown.json;
		assert.deepEqual({ label, revision }, { label: 'shown', revision: Number(headers.etag.slice(1, -1)) });
		assert.ok(at);
		// Coded forms come and go, which the ETag of a label does not follow: they are not in it.
		const plain = ({ files, ...rest }) => ({ ...rest, files: files.map(({ codings, ...file }) => file) });
		assert.deepEqual(version, plain((await get(daemon, '/v1/models/team/m/versions/2')).json));
		const conditional = { 'if-none-match': headers.etag };
		assert.equal((await get(daemon, '/v1/models/team/m/labels/shown', conditional)).status, 304);
		assert.equal((await head(daemon, '/v1/models/team/m/labels/shown')).status, 200);
		assert.deepEqual(plain((await get(daemon, '/models/team/m@shown')).json), version);
	});

	test('latest is computed, and nobody moves it', async () => {
		assert.equal((await get(daemon, '/v1/models/team/m/labels/latest')).json.version, 3);
		for (const answered of [await move(daemon, 'team/m', 'latest', 1), await drop(daemon, 'team/m', 'latest'),
			await post(daemon, '/models/team/m?label=latest', multipart(partsOf(model(1))))]) {
			assert.match(assertProblem(answered, 400, 'BAD_NAME').detail, /computed/);
		}
	});

	test('labels stand in the list of models, with the model, and in a list of their own', async () => {
		await published(daemon, 'listed', model(1));
		await published(daemon, 'listed', model(2));
		await moved(daemon, 'listed', 'stable', 1);
		await moved(daemon, 'listed', 'canary', 2);
		const labels = { canary: 2, stable: 1 };
		const { models } = (await get(daemon, '/v1/models?prefix=listed')).json;
		assert.deepEqual(models[0].labels, labels);
		assert.deepEqual((await get(daemon, '/v1/models/listed')).json.labels, labels);
		const list = (await get(daemon, '/v1/models/listed/labels')).json.labels;
		assert.deepEqual(list.map(({ label, version }) => [label, version]), Object.entries(labels));
		assert.ok(list.every(({ revision, moved: at }) => revision > 0 && Date.parse(at)));
	});

	describe('the data plane', () => {
		before(() => moved(daemon, 'team/m', 'stable', 1));

		test('gives the version that the label names, under headers that say so', async () => {
			const answered = await get(daemon, '/models/team/m@stable/model.json');
			assert.equal(answered.status, 200);
			assertOpenToPages(answered);
			assert.equal(answered.headers['cache-control'], 'no-cache');
			assert.equal(answered.headers['content-location'], '/models/team/m@1/model.json');
			assert.match(answered.headers.etag, /^"sha256-[0-9a-f]{64}"$/);
			const { paths } = answered.json.weightsManifest[0];
			assert.ok(paths.every((path) => path.startsWith('../m@1/')), String(paths));
			const expected = structuredClone(model(1).json);
			expected.weightsManifest[0].paths = paths;
			assert.deepEqual(answered.json, expected);
			const [shard] = shardsOf(model(1));
			const bytes = await get(daemon, `/models/team/m@stable/${shard.path}`);
			assert.deepEqual(bytes.body, Buffer.from(shard.bytes));
			assert.equal(bytes.headers['cache-control'], 'no-cache');
			assert.equal(bytes.headers['content-location'], `/models/team/m@1/${shard.path}`);
		});

		test('follows a move at once, also what was in memory', async () => {
			for (const version of [2, 3, 1, 2, 1]) {
				await moved(daemon, 'team/m', 'stable', version);
				for (let i = 0; i < 3; i++) {
					const { json, headers } = await get(daemon, '/models/team/m@stable/model.json');
					assert.equal(json.userDefinedMetadata.version, version);
					assert.equal(headers['content-location'], `/models/team/m@${version}/model.json`);
				}
			}
		});

		test('of a label that is not there is 404, with a body for model.json alone', async () => {
			await moved(daemon, 'team/m', 'short', 1);
			assert.equal((await get(daemon, '/models/team/m@short/model.json')).status, 200);
			assert.equal((await drop(daemon, 'team/m', 'short')).status, 204);
			assertProblem(await get(daemon, '/models/team/m@short/model.json'), 404, 'LABEL_NOT_FOUND');
			assertQuietError(await get(daemon, '/models/team/m@short/w.bin'), 404, 'LABEL_NOT_FOUND');
		});
	});

	describe('a publish with ?label=', () => {
		const send = (name, sent, query) => post(daemon, `/models/${name}${query}`, multipart(partsOf(sent)));

		test('moves the label to the version that it makes or finds', async () => {
			const first = await send('with', model(1), '?label=stable');
			assert.equal(first.status, 201, first.text);
			assert.equal(first.json.label, 'stable');
			await send('with', model(2), '');
			assert.equal((await get(daemon, '/v1/models/with/labels/stable')).json.version, 1);
			const again = await send('with', model(2), '?label=stable');
			assert.equal(again.status, 200);
			assert.ok(again.json.deduplicated);
			assert.equal((await get(daemon, '/v1/models/with/labels/stable')).json.version, 2);
			assert.deepEqual((await history('with', 'stable')).history.map(({ from, to }) => [from, to]),
				[[1, 2], [null, 1]]);
		});

		test('moves nothing when it is a dry run or refused', async () => {
			await send('dry', model(1), '');
			assert.equal((await send('dry', model(1), '?label=stable&dry_run=true')).status, 200);
			const broken = { files: [{ path: 'model.json', bytes: '{}' }] };
			assert.equal((await send('dry', broken, '?label=stable')).status, 422);
			assertProblem(await get(daemon, '/v1/models/dry/labels/stable'), 404, 'LABEL_NOT_FOUND');
		});

		test('takes only what can be a label', async () => {
			for (const [query, code] of [['?label=', 'BAD_NAME'], ['?label=Stable', 'BAD_NAME'],
				['?label=7', 'BAD_NAME'], ['?label=a/b', 'BAD_NAME'], ['?label=%zz', 'BAD_PARAMETER'],
				[`?label=${'x'.repeat(65)}`, 'BAD_PARAMETER']]) {
				assertProblem(await send('bad', model(1), query), 400, code);
			}
			assert.equal((await get(daemon, '/v1/models/bad')).status, 404);
		});
	});

	test('history says who, when, from and to, newest first, page by page, after the end too', async () => {
		for (const version of [1, 2, 3, 1]) {
			await moved(daemon, 'team/m', 'told', version);
		}
		assert.equal((await drop(daemon, 'team/m', 'told')).status, 204);
		await moved(daemon, 'team/m', 'told', 2);
		const all = (await history('team/m', 'told')).history;
		assert.deepEqual(all.map(({ from, to }) => [from, to]),
			[[null, 2], [1, null], [3, 1], [2, 3], [1, 2], [null, 1]]);
		const times = all.map(({ at }) => Date.parse(at));
		assert.deepEqual(times, [...times].sort((a, b) => b - a));
		assert.ok(all.every(({ who, revision }) => who === '127.0.0.1' && revision > 0));
		const pages = [];
		let query = '?limit=4';
		while (query) {
			const page = await history('team/m', 'told', query);
			pages.push(...page.history);
			query = page.next_page_token && `?limit=4&page_token=${page.next_page_token}`;
		}
		assert.deepEqual(pages, all);
		assert.deepEqual((await history('team/m', 'never')).history, []);
	});

	describe('conditions', () => {
		test('If-None-Match: * makes a label once', async () => {
			const once = { 'if-none-match': '*' };
			assert.equal((await move(daemon, 'team/m', 'once', 1, once)).status, 201);
			const { detail } = assertProblem(await move(daemon, 'team/m', 'once', 2, once), 412,
				'PRECONDITION_FAILED');
			assert.match(detail, /version 1/);
			assert.equal((await get(daemon, '/v1/models/team/m/labels/once')).json.version, 1);
		});

		test('If-Match moves and drops what was seen and nothing else', async () => {
			assertProblem(await move(daemon, 'team/m', 'seen', 1, { 'if-match': '*' }), 412,
				'PRECONDITION_FAILED');
			const { headers: { etag } } = await moved(daemon, 'team/m', 'seen', 1);
			for (const wrong of ['"0"', `W/${etag}`, etag.slice(0, -1), 'x', '"x", "y"']) {
				assertProblem(await move(daemon, 'team/m', 'seen', 2, { 'if-match': wrong }), 412,
					'PRECONDITION_FAILED');
				assertProblem(await drop(daemon, 'team/m', 'seen', { 'if-match': wrong }), 412,
					'PRECONDITION_FAILED');
			}
			const next = await move(daemon, 'team/m', 'seen', 2, { 'if-match': `"x", ${etag}` });
			assert.equal(next.status, 200);
			assertProblem(await move(daemon, 'team/m', 'seen', 3, { 'if-match': etag }), 412,
				'PRECONDITION_FAILED');
			assert.equal((await move(daemon, 'team/m', 'seen', 3, { 'if-match': '*' })).status, 200);
			const { headers } = await get(daemon, '/v1/models/team/m/labels/seen');
			assert.equal((await drop(daemon, 'team/m', 'seen', { 'if-match': headers.etag })).status, 204);
		});

		test('a label that was dropped and made anew is another one', async () => {
			const { headers: { etag } } = await moved(daemon, 'team/m', 'again', 1);
			await drop(daemon, 'team/m', 'again');
			await moved(daemon, 'team/m', 'again', 1);
			assertProblem(await move(daemon, 'team/m', 'again', 2, { 'if-match': etag }), 412,
				'PRECONDITION_FAILED');
		});

		test(`of ${WRITERS} writers one wins each generation`, async () => {
			let { headers: { etag } } = await moved(daemon, 'team/m', 'raced', 1);
			for (let round = 0; round < 10; round++) {
				const version = 2 + (round % 2);
				const answers = await Promise.all(Array.from({ length: WRITERS }, () =>
					move(daemon, 'team/m', 'raced', version, { 'if-match': etag })));
				const winners = answers.filter(({ status }) => status === 200);
				assert.equal(winners.length, 1);
				assert.ok(answers.every(({ status }) => status === 200 || status === 412));
				[{ headers: { etag } }] = winners;
			}
			assert.equal((await history('team/m', 'raced')).history.length, 11);
		});

		test(`of ${WRITERS} writers who read, decide and write, no move is lost`, async () => {
			await moved(daemon, 'team/m', 'counted', 1);
			let wins = 0;
			await Promise.all(Array.from({ length: WRITERS }, async () => {
				for (let won = false; !won;) {
					const seen = await get(daemon, '/v1/models/team/m/labels/counted');
					const version = (seen.json.version % 3) + 1;
					const { status } = await move(daemon, 'team/m', 'counted', version,
						{ 'if-match': seen.headers.etag });
					assert.ok([200, 412].includes(status), status);
					won = status === 200;
				}
				wins++;
			}));
			assert.equal(wins, WRITERS);
			const { version } = (await get(daemon, '/v1/models/team/m/labels/counted')).json;
			assert.equal(version, (WRITERS % 3) + 1);
		});
	});

	describe('what makes no sense is refused', () => {
		for (const [what, body, status, code] of [
			['no body', '', 400, 'BAD_JSON'], ['no JSON', 'version=7', 400, 'BAD_JSON'],
			['no object', '7', 400, 'BAD_REQUEST'], ['no version', '{}', 400, 'BAD_REQUEST'],
			['a text', '{"version": "1"}', 400, 'BAD_REQUEST'], ['zero', '{"version": 0}', 400, 'BAD_REQUEST'],
			['a fraction', '{"version": 1.5}', 400, 'BAD_REQUEST'],
			['two of them', '{"version": 1, "version": 2}', 400, 'BAD_JSON'],
			['a version that is not there', '{"version": 99}', 404, 'VERSION_NOT_FOUND'],
			['too much', ' '.repeat(70_000), 413, 'TOO_LARGE'],
		]) {
			test(what, async () => {
				assertProblem(await move(daemon, 'team/m', 'sense', body), status, code);
			});
		}

		for (const label of ['Stable', '7', 'x'.repeat(65), '-a', 'a%20b']) {
			test(`the label ${label.slice(0, 10)}`, async () => {
				assertProblem(await move(daemon, 'team/m', label, 1), 400, 'BAD_NAME');
				assertProblem(await get(daemon, `/v1/models/team/m/labels/${label}`), 404, 'LABEL_NOT_FOUND');
			});
		}

		test('a model that is not there', async () => {
			assertProblem(await move(daemon, 'none', 'stable', 1), 404, 'MODEL_NOT_FOUND');
			assertProblem(await drop(daemon, 'none', 'stable'), 404, 'MODEL_NOT_FOUND');
			assertProblem(await get(daemon, '/v1/models/none/labels'), 404, 'MODEL_NOT_FOUND');
			assertProblem(await drop(daemon, 'team/m', 'none'), 404, 'LABEL_NOT_FOUND');
			assertProblem(await request(daemon, 'POST', '/v1/models/team/m/labels/stable'), 405,
				'METHOD_NOT_ALLOWED');
		});
	});

	test('a page of another site may read labels and not move them', async () => {
		await moved(daemon, 'team/m', 'guarded', 1);
		const foreign = { origin: 'https://example.com' };
		assert.equal((await get(daemon, '/v1/models/team/m/labels/guarded', foreign)).status, 200);
		assertProblem(await move(daemon, 'team/m', 'guarded', 2, foreign), 403, 'CROSS_SITE');
		assertProblem(await drop(daemon, 'team/m', 'guarded', foreign), 403, 'CROSS_SITE');
		assert.equal((await get(daemon, '/v1/models/team/m/labels/guarded')).json.version, 1);
		const local = { origin: 'http://localhost:3000' };
		assert.equal((await move(daemon, 'team/m', 'guarded', 2, local)).status, 200);
		const preflight = await request(daemon, 'OPTIONS', '/v1/models/team/m/labels/guarded', { headers: {
			...local, 'access-control-request-method': 'PUT', 'access-control-request-headers': 'if-match' } });
		assert.match(preflight.headers['access-control-allow-methods'], /\bPUT\b.*\bDELETE\b/);
		assert.match(preflight.headers['access-control-allow-headers'], /if-match/i);
	});
});

test('labels and their history survive a kill', async (t) => {
	const first = await startDaemon(t);
	await published(first, 'm', model(1));
	await published(first, 'm', model(2));
	await moved(first, 'm', 'stable', 1);
	const { json, headers } = await moved(first, 'm', 'stable', 2);
	await first.kill();
	const second = await startDaemon(t, { store: first.store });
	const shown = await get(second, '/v1/models/m/labels/stable');
	assert.equal(shown.json.version, 2);
	assert.equal(shown.json.moved, json.moved);
	assert.equal(shown.headers.etag, headers.etag);
	assert.equal((await get(second, '/v1/models/m/labels/stable/history')).json.history.length, 2);
	await second.stop();
});

test('beyond loopback labels need a token too', async (t) => {
	const daemon = await startDaemon(t, { listen: '0.0.0.0:0' });
	assertProblem(await move(daemon, 'm', 'stable', 1), 401, 'TOKEN_REQUIRED');
	assertProblem(await drop(daemon, 'm', 'stable'), 401, 'TOKEN_REQUIRED');
	await daemon.stop();
});
