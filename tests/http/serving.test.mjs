// SPDX-License-Identifier: Apache-2.0
// The data plane: what a browser is given for a model's URLs.

import assert from 'node:assert/strict';
import crypto from 'node:crypto';
import { before, describe, test } from 'node:test';

import { useDaemon } from '../lib/daemon.mjs';
import {
	Wire, assertOpenToPages, assertProblem, assertQuietError, get, head, published, request, requestHead,
} from '../lib/http.mjs';
import { denseModel, utf8, withFile, withJson } from '../lib/models.mjs';

const IMMUTABLE = 'public, max-age=31536000, immutable';
const sha256 = (bytes) => crypto.createHash('sha256').update(bytes).digest();

// An oddly spelled model.json, so that whoever re-serialises it is found out.
function oddlySpelled(seed) {
	const model = denseModel({ seed, shardBytes: 20, prefix: 'shards/' });
	return withJson(model, (json) => JSON.stringify(json, null, 1)
		.replace('"convertedBy": null',
			'"convertedBy" :\tnull, "odd": [1.0, 1e2, -0.0, 12345678901234567890, "\\u00e9\\/", "shards/"],\n' +
			' "key\\u0000": "\\ud800", "huge": -1e999'));
}

describe('serving', () => {
	const daemon = useDaemon();
	const name = 'team/vision/cats.v2/small';
	const first = withFile(oddlySpelled(1), 'labels.txt', utf8('cat\n'));
	const second = withFile(oddlySpelled(2), 'labels.txt', utf8('dog\n'));
	const shard = 'shards/group1-shard1of3.bin';
	const bytesOf = (model, path) =>
		Buffer.from(model.files.find((file) => file.path === path).bytes);

	before(async () => {
		await published(daemon, name, first);
		await published(daemon, name, second);
	});

	test('a pinned URL gives the bytes that were published', async () => {
		for (const [version, model] of [[1, first], [2, second]]) {
			for (const { path, bytes } of model.files) {
				const answered = await get(daemon, `/models/${name}@${version}/${path}`);
				assert.equal(answered.status, 200, path);
				assertOpenToPages(answered);
				assert.deepEqual(answered.body, Buffer.from(bytes), path);
				assert.equal(answered.headers['cache-control'], IMMUTABLE);
				assert.equal(answered.headers['content-length'], String(bytes.length));
				assert.equal(answered.headers['accept-ranges'], 'bytes');
				const digest = sha256(bytes);
				assert.equal(answered.headers.etag, `"sha256-${digest.toString('hex')}"`);
				assert.equal(answered.headers['repr-digest'], `sha-256=:${digest.toString('base64')}:`);
			}
		}
	});

	test('a root digest pins as a number does', async () => {
		const { root_digest: root } = (await get(daemon, `/v1/models/${name}/versions/1`)).json;
		const answered = await get(daemon, `/models/${name}@${root}/${shard}`);
		assert.equal(answered.status, 200);
		assert.deepEqual(answered.body, bytesOf(first, shard));
		assert.equal(answered.headers['cache-control'], IMMUTABLE);
	});

	test('the content type goes by suffix', async () => {
		for (const [path, type] of [['model.json', /^application\/json/], ['labels.txt', /^text\/plain/],
			[shard, /^application\/octet-stream$/]]) {
			assert.match((await get(daemon, `/models/${name}@1/${path}`)).headers['content-type'], type);
		}
	});

	test('latest model.json names the shards of its version and is otherwise untouched', async () => {
		const answered = await get(daemon, `/models/${name}/model.json`);
		assert.equal(answered.status, 200);
		assertOpenToPages(answered);
		const published_ = bytesOf(second, 'model.json').toString();
		const [paths] = second.json.weightsManifest.map((group) => group.paths);
		const expected = paths.reduce((text, path) =>
			text.replace(JSON.stringify(path), JSON.stringify(`../small@2/${path}`)), published_);
		assert.notEqual(expected, published_);
		assert.equal(answered.text, expected);
		assert.match(answered.headers['content-type'], /^application\/json/);
		assert.equal(answered.headers['cache-control'], 'no-cache');
		assert.equal(answered.headers['content-location'], `/models/${name}@2/model.json`);
		assert.match(answered.headers.etag, /^"[^"]+"$/);
		assert.notEqual(answered.headers.etag, (await get(daemon, `/models/${name}@2/model.json`)).headers.etag);
		assert.equal(answered.headers['content-length'], String(answered.body.length));
	});

	test('latest by name is latest', async () => {
		const plain = await get(daemon, `/models/${name}/model.json`);
		const named = await get(daemon, `/models/${name}@latest/model.json`);
		assert.equal(named.status, 200);
		assert.equal(named.text, plain.text);
		assert.equal(named.headers['cache-control'], 'no-cache');
	});

	test('the rewritten shard URLs resolve from the URL that was asked', async () => {
		const from = daemon.url(`/models/${name}/model.json`);
		const { weightsManifest } = (await get(daemon, `/models/${name}/model.json`)).json;
		for (const [i, path] of weightsManifest[0].paths.entries()) {
			const url = new URL(from.slice(0, from.lastIndexOf('/') + 1) + path);
			const answered = await get(daemon, url.pathname);
			assert.equal(answered.status, 200, url.pathname);
			assert.deepEqual(answered.body, bytesOf(second, second.json.weightsManifest[0].paths[i]));
			assert.equal(answered.headers['cache-control'], IMMUTABLE);
		}
	});

	test('a path written ./x in the manifest loses its ./ in latest', async () => {
		await published(daemon, 'dot', denseModel());
		const { weightsManifest } = (await get(daemon, '/models/dot/model.json')).json;
		assert.deepEqual(weightsManifest[0].paths, ['../dot@1/model.weights.bin']);
	});

	test('another file under latest is the newest one and must be asked for again', async () => {
		const answered = await get(daemon, `/models/${name}@latest/labels.txt`);
		assert.equal(answered.status, 200);
		assert.equal(answered.text, 'dog\n');
		assert.equal(answered.headers['cache-control'], 'no-cache');
		assert.equal(answered.headers.etag, `"sha256-${sha256('dog\n').toString('hex')}"`);
	});

	// Teachable Machine pages fetch metadata.json beside the model.json that they were given.
	test('a file beside model.json of a bare name is the newest one', async () => {
		const answered = await get(daemon, `/models/${name}/labels.txt`);
		assert.equal(answered.status, 200);
		assert.equal(answered.text, 'dog\n');
		assert.equal(answered.headers['cache-control'], 'no-cache');
		assert.equal(answered.headers['content-location'], `/models/${name}@2/labels.txt`);
		const missing = await get(daemon, `/models/${name}/Nothing.txt`);
		assert.equal(missing.status, 404);
		assert.equal(missing.text, '');
	});

	test('a model whose name looks like such a file comes first', async () => {
		await published(daemon, 'outer', withFile(denseModel(), 'labels.txt', utf8('cat\n')));
		await published(daemon, 'outer/labels.txt', denseModel());
		assert.equal((await get(daemon, '/models/outer/labels.txt')).json.name, 'outer/labels.txt');
		assert.equal((await get(daemon, '/models/outer@1/labels.txt')).text, 'cat\n');
	});

	test('the name that model.json had before leads to the pinned shards too', async () => {
		const model = denseModel();
		const json = model.files.find((file) => file.path === 'model.json');
		await published(daemon, 'renamed', { ...model,
			files: model.files.map((file) => (file === json ? { ...file, path: 'model-stride16.json' } : file)) });
		for (const path of ['renamed/model-stride16.json', 'renamed@latest/model-stride16.json', 'renamed/model.json']) {
			const { weightsManifest } = (await get(daemon, `/models/${path}`)).json;
			assert.deepEqual(weightsManifest[0].paths, ['../renamed@1/model.weights.bin'], path);
		}
	});

	test('a new version changes latest and its ETag at once', async () => {
		await published(daemon, 'moving', denseModel({ seed: 1 }));
		const old = await get(daemon, '/models/moving/model.json');
		await published(daemon, 'moving', denseModel({ seed: 2 }));
		const asked = await get(daemon, '/models/moving/model.json', { 'if-none-match': old.headers.etag });
		assert.equal(asked.status, 200);
		assert.equal(asked.headers['content-location'], '/models/moving@2/model.json');
		assert.notEqual(asked.headers.etag, old.headers.etag);
	});

	describe('a query changes nothing', () => {
		for (const query of ['?tfjs-format=file', '?v=2', '?a=b/c&d', '?', '?tfjs-format=file&x=%2F',
			'?%zz']) {
			test(query, async () => {
				for (const target of [`/models/${name}/model.json`, `/models/${name}@1/${shard}`]) {
					const plain = await get(daemon, target);
					const asked = await get(daemon, target + query);
					assert.equal(asked.status, 200);
					assert.deepEqual(asked.body, plain.body);
					assert.equal(asked.headers.etag, plain.headers.etag);
				}
			});
		}
	});

	test('%40 is @, and other characters may be escaped too', async () => {
		const plain = await get(daemon, `/models/${name}@1/${shard}`);
		for (const target of [`/models/${name}%401/${shard}`, `/models/team/v%69sion/cats%2Ev2/small@1/${shard}`,
			`/models/${name}@1/shards/group1-shard1of3%2ebin`]) {
			const answered = await get(daemon, target);
			assert.equal(answered.status, 200, target);
			assert.deepEqual(answered.body, plain.body);
		}
	});

	describe('HEAD is GET without its body', () => {
		for (const target of [`/models/${name}/model.json`, `/models/${name}@1/model.json`,
			`/models/${name}@1/${shard}`, `/models/${name}@latest/labels.txt`, '/v1/models', '/healthz', '/version',
			'/models/none@1/w.bin', '/models/none/model.json', '/nowhere']) {
			test(target, async () => {
				const got = await get(daemon, target);
				const wire = new Wire(daemon.port);
				await wire.send(requestHead('HEAD', target, { Connection: 'close' }));
				const asked = await wire.answer('HEAD');
				assert.equal((await wire.rest()).length, 0);
				assert.equal(asked.status, got.status);
				const varying = ['date', 'connection', 'keep-alive', 'x-request-id'];
				// A problem document names its request, so its length may differ.
				const quiet = got.status === 200 ? varying : [...varying, 'content-length'];
				const kept = ({ headers }) =>
					Object.fromEntries(Object.entries(headers).filter(([key]) => !quiet.includes(key)));
				assert.deepEqual({ ...kept(asked) }, { ...kept(got) });
			});
		}
	});

	describe('conditional requests', () => {
		const targets = [`/models/${name}/model.json`, `/models/${name}@1/${shard}`];

		for (const target of targets) {
			test(`If-None-Match on ${target}`, async () => {
				const { headers: { etag } } = await get(daemon, target);
				for (const value of [etag, `W/${etag}`, `"other", ${etag}`, '*']) {
					const asked = await get(daemon, target, { 'if-none-match': value });
					assert.equal(asked.status, 304, value);
					assert.equal(asked.body.length, 0);
					assert.equal(asked.headers.etag, etag);
					assert.ok(asked.headers['cache-control']);
					assertOpenToPages(asked);
				}
				assert.equal((await get(daemon, target, { 'if-none-match': '"other"' })).status, 200);
				assert.equal((await get(daemon, target, { 'if-none-match': etag.slice(1, -1) })).status, 200);
				assert.equal((await head(daemon, target, { 'if-none-match': etag })).status, 304);
			});

			test(`If-Match on ${target}`, async () => {
				const { headers: { etag } } = await get(daemon, target);
				assert.equal((await get(daemon, target, { 'if-match': etag })).status, 200);
				assert.equal((await get(daemon, target, { 'if-match': '*' })).status, 200);
				const refused = await get(daemon, target, { 'if-match': '"other"' });
				assert.equal(refused.status, 412);
				assertOpenToPages(refused);
			});

		}
	});

	describe('ranges', () => {
		const target = `/models/${name}@1/${shard}`;
		const whole = bytesOf(first, shard);
		const n = whole.length;

		for (const [range, from, to] of [['bytes=0-0', 0, 0], ['bytes=3-9', 3, 9], ['bytes=5-', 5, n - 1],
			['bytes=-4', n - 4, n - 1], [`bytes=-${n + 100}`, 0, n - 1], ['bytes=2-99999', 2, n - 1],
			['bytes=2-99999999999999999999', 2, n - 1]]) {
			test(`${range} is 206`, async () => {
				const answered = await get(daemon, target, { range });
				assert.equal(answered.status, 206);
				assertOpenToPages(answered);
				assert.equal(answered.headers['content-range'], `bytes ${from}-${to}/${n}`);
				assert.equal(answered.headers['content-length'], String(to - from + 1));
				assert.deepEqual(answered.body, whole.subarray(from, to + 1));
				assert.equal(answered.headers['cache-control'], IMMUTABLE);
			});
		}

		for (const range of [`bytes=${n}-`, 'bytes=99999-', 'bytes=-0', 'bytes=99999999999999999999-']) {
			test(`${range} is 416`, async () => {
				const answered = await get(daemon, target, { range });
				assertQuietError(answered, 416, 'RANGE_NOT_SATISFIABLE');
				assert.equal(answered.headers['content-range'], `bytes */${n}`);
			});
		}

		for (const range of ['lines=1-2', 'bytes=5-2', 'bytes=a-b', 'bytes=', 'bytes=0-1,3-4', '0-4']) {
			test(`${range} is ignored`, async () => {
				const answered = await get(daemon, target, { range });
				assert.equal(answered.status, 200);
				assert.deepEqual(answered.body, whole);
			});
		}

		test('If-Range holds the range to one representation', async () => {
			const { headers } = await get(daemon, target);
			const ask = async (value) => (await get(daemon, target,
				{ range: 'bytes=0-3', 'if-range': value })).status;
			assert.equal(await ask(headers.etag), 206);
			assert.equal(await ask(`W/${headers.etag}`), 200);
			assert.equal(await ask('"other"'), 200);
			assert.equal(await ask(headers['last-modified']), 206);
			assert.equal(await ask(new Date(Date.parse(headers['last-modified']) + 5000).toUTCString()), 200);
		});

		test('a range of the rewritten model.json is a range of what GET gives', async () => {
			const latest = await get(daemon, `/models/${name}/model.json`);
			const part = await get(daemon, `/models/${name}/model.json`, { range: 'bytes=10-29' });
			assert.equal(part.status, 206);
			assert.deepEqual(part.body, latest.body.subarray(10, 30));
		});

		test('a condition comes before the range', async () => {
			const { headers: { etag } } = await get(daemon, target);
			assert.equal((await get(daemon, target, { range: 'bytes=0-3', 'if-none-match': etag })).status, 304);
			assert.equal((await get(daemon, target, { range: 'bytes=99999-', 'if-none-match': etag })).status, 304);
		});
	});

	describe('errors', () => {
		for (const [target, code] of [
			['/models/none/model.json', 'MODEL_NOT_FOUND'],
			['/models/none@1/model.json', 'MODEL_NOT_FOUND'],
			[`/models/${name}@99/model.json`, 'VERSION_NOT_FOUND'],
			[`/models/${name}@sha256:${'0'.repeat(64)}/model.json`, 'VERSION_NOT_FOUND'],
			[`/models/${name}@nolabel/model.json`, 'LABEL_NOT_FOUND'],
		]) {
			test(`GET ${target} is ${code} in words`, async () => {
				assertProblem(await get(daemon, target), 404, code);
			});
		}

		for (const [target, code] of [
			['/models/none@1/w.bin', 'MODEL_NOT_FOUND'],
			['/models/none/w.bin', 'MODEL_NOT_FOUND'],
			[`/models/${name}@99/${shard}`, 'VERSION_NOT_FOUND'],
			[`/models/${name}@1/none.bin`, 'FILE_NOT_FOUND'],
			[`/models/${name}@1/shards`, 'FILE_NOT_FOUND'],
			[`/models/${name}@1/${shard.toUpperCase()}`, 'FILE_NOT_FOUND'],
		]) {
			test(`GET ${target} is ${code} without a body`, async () => {
				assertQuietError(await get(daemon, target), 404, code);
			});
		}

		for (const target of [`/models/${name}@1/..%2f..%2fcatalog.db`, `/models/${name}@1/../../x`,
			`/models/${name}@1/%2e%2e/x`, `/models/${name}@1//x`, `/models/${name}@1/./x`,
			`/models/${name}@1/a%00b`, `/models/${name}@1/a%zz`, `/models/${name}@1/a%ff`,
			`/models/${name}@1/a%5cb`, '/models/../etc/passwd', '/models//x/model.json']) {
			test(`GET ${target} is a bad target`, async () => {
				const answered = await get(daemon, target);
				assert.equal(answered.status, 400);
				assert.equal(answered.headers['x-error-code'], 'BAD_TARGET');
				assertOpenToPages(answered);
			});
		}

		// What cannot exist is as absent as what does not.
		for (const target of [`/models/${name}@0/model.json`, `/models/${name}@01/model.json`,
			`/models/${name}@-1/model.json`, `/models/${name}@/model.json`,
			`/models/${name}@sha256:12/model.json`, `/models/${name}@9999999999999999999999/model.json`,
			'/models/Upper/model.json', '/models/a/b/c/d/e/model.json']) {
			test(`GET ${target} is 404`, async () => {
				const answered = await get(daemon, target);
				assertProblem(answered, 404, answered.headers['x-error-code']);
			});
		}

		test('no answer is a redirect', async () => {
			for (const target of ['/models', '/models/', `/models/${name}`, `/models/${name}/`,
				`/models/${name}@1`, `/models/${name}@1/`, `/models/${name}@latest/model.json`, '/', '/v1/models/']) {
				const { status } = await get(daemon, target);
				assert.ok(status < 300 || status >= 400, `${target}: ${status}`);
			}
		});

		test('every method that a file does not know is 405 with Allow', async () => {
			for (const method of ['POST', 'PUT', 'DELETE', 'PATCH']) {
				const answered = await request(daemon, method, `/models/${name}@1/${shard}`);
				assert.equal(answered.status, 405, method);
				assertOpenToPages(answered);
				assert.deepEqual(answered.headers.allow.split(', ').sort(), ['GET', 'HEAD', 'OPTIONS']);
			}
		});
	});

	test('many requests pass over one connection, in order', async () => {
		const wire = new Wire(daemon.port);
		const targets = Array.from({ length: 20 }, (_, i) =>
			i % 3 ? `/models/${name}@1/${shard}` : `/models/${name}/model.json`);
		await wire.send(targets.map((target) => requestHead('GET', target, {})).join(''));
		for (const target of targets) {
			const answered = await wire.answer();
			assert.equal(answered.status, 200);
			const expected = await get(daemon, target);
			assert.deepEqual(answered.body, expected.body);
		}
		wire.destroy();
	});
});
