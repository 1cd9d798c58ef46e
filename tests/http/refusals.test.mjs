// SPDX-License-Identifier: Apache-2.0
// What is refused: with which status, in words that name the thing, and without a trace in the store.

import assert from 'node:assert/strict';
import { afterEach, beforeEach, describe, test } from 'node:test';

import { NO_FORMS, startDaemon, until, useDaemon } from '../lib/daemon.mjs';
import {
	Wire, assertOpenToPages, assertProblem, get, multipart, partsOf, post, publish, request, requestHead,
} from '../lib/http.mjs';
import { denseModel, utf8, withFile, withJson } from '../lib/models.mjs';

const stored = async (daemon) => ({
	blobs: daemon.files('blobs'),
	models: (await get(daemon, '/v1/models')).json.models,
});

const NOTHING = { blobs: [], models: [] };

async function assertStored(daemon, expected) {
	// An upload whose client has gone is thrown away when the server notices.
	await until('temporary files to be gone', () => daemon.files('tmp').length === 0);
	assert.deepEqual(await stored(daemon), expected);
}

const form = (...parts) => multipart(parts);
const model = denseModel({ shardBytes: 20 });
const shards = ['group1-shard1of3.bin', 'group1-shard2of3.bin', 'group1-shard3of3.bin'];
const [jsonPart, ...shardParts] = partsOf(model);

const manifest = (change) => withJson(model, (json) => {
	change(json.weightsManifest[0], json);
	return json;
});
const spelled = (from, to) => withJson(model, (json) => {
	const text = JSON.stringify(json, null, 1);
	assert.ok(text.includes(from), from);
	return text.replace(from, to);
});

describe('refused', () => {
	const daemon = useDaemon({ set: NO_FORMS });
	// Compared with what was there before, so that one test that fails does not make the others fail.
	let before;
	beforeEach(async () => {
		before = await stored(daemon);
	});
	afterEach(() => assertStored(daemon, before));

	describe('the body is no form', () => {
		const { headers, body } = multipart(partsOf(model));
		const text = body.toString('latin1');
		const cases = [
			['a body without its closing boundary', multipart(partsOf(model), { close: false })],
			['a body that never has the boundary', { headers, body: Buffer.from('hello\r\n') }],
			['no body', { headers, body: Buffer.alloc(0) }],
			['a boundary parameter that is missing', { headers: { 'content-type': 'multipart/form-data' }, body }],
			['a boundary parameter that is empty',
				{ headers: { 'content-type': 'multipart/form-data; boundary=' }, body }],
			['a boundary of 300 characters', multipart(partsOf(model), { boundary: 'b'.repeat(300) })],
			['a part without a disposition',
				form({ head: ['Content-Type: application/json'], body: '{}' }, ...shardParts)],
			['a part that is no form-data',
				form({ head: ['Content-Disposition: attachment; filename="model.json"'], body: '{}' })],
			['a part with neither name nor filename',
				form({ head: ['Content-Disposition: form-data'], body: '{}' })],
			['a part with a header block of 20 KB',
				form({ ...jsonPart, head: [`Content-Disposition: form-data; name="model.json"`,
					`X-Filler: ${'f'.repeat(20_000)}`] })],
			['a folded part header', { headers, body: Buffer.from(
				text.replace('form-data; name', 'form-data;\r\n name'), 'latin1') }],
		];
		for (const [what, broken] of cases) {
			test(`${what} is 400`, async () => {
				assertProblem(await post(daemon, '/models/broken', broken), 400, 'BAD_MULTIPART');
			});
		}

		for (const type of ['application/json', 'text/plain', 'application/x-www-form-urlencoded',
			'multipart/mixed; boundary=boundary-of-a-test', 'nonsense']) {
			test(`${type} is 415`, async () => {
				const { detail } = assertProblem(
					await post(daemon, '/models/typed', { headers: { 'content-type': type }, body }),
					415, 'UNSUPPORTED_MEDIA_TYPE');
				assert.match(detail, /multipart\/form-data/);
			});
		}

		test('no content type is 415', async () => {
			assertProblem(await post(daemon, '/models/typed', { headers: {}, body }), 415,
				'UNSUPPORTED_MEDIA_TYPE');
		});
	});

	describe('the body and its declared length differ', () => {
		const { headers, body } = multipart(partsOf(model));
		const headOf = (length) => requestHead('POST', '/models/length',
			{ 'Content-Type': headers['content-type'], 'Content-Length': length });

		test('a longer body is cut at the length, and what is behind it is no request', async () => {
			const wire = new Wire(daemon.port);
			await wire.send(headOf(body.length - 10), body);
			const answered = await wire.answer('POST');
			assert.equal(answered.status, 400);
			assert.equal(answered.headers['x-error-code'], 'BAD_MULTIPART');
			assert.equal((await wire.rest()).length, 0);
			wire.destroy();
		});

		test('a client that ends early is told, or dropped', async () => {
			const wire = new Wire(daemon.port);
			await wire.send(headOf(body.length + 10), body);
			wire.finish();
			const answered = await wire.answer('POST');
			assert.ok(answered === null || answered.status === 400, String(answered?.status));
			wire.destroy();
		});

		for (const part of [0.1, 0.5, 0.99]) {
			test(`a client that goes away after ${part} of its body leaves nothing`, async () => {
				const wire = new Wire(daemon.port);
				await wire.send(headOf(body.length), body.subarray(0, Math.floor(body.length * part)));
				wire.destroy();
				assert.equal((await get(daemon, '/healthz')).status, 200);
			});
		}

		test('a client that resets in the middle of a large file leaves nothing', async () => {
			const wire = new Wire(daemon.port);
			const large = multipart([jsonPart, { ...shardParts[0], body: Buffer.alloc(8 << 20, 7) }]).body;
			await wire.send(headOf(large.length + 1000), large.subarray(0, 6 << 20));
			await until('the file to arrive', () => daemon.files('tmp').length > 0);
			wire.socket.resetAndDestroy();
		});
	});

	describe('parts and manifest disagree', () => {
		async function assertRefused(broken, rule, ...words) {
			const answered = Array.isArray(broken)
				? await post(daemon, '/models/parts', multipart(broken))
				: await publish(daemon, 'parts', broken);
			const { errors, detail } = assertProblem(answered, 422, 'NOT_LOADABLE');
			const found = errors.find((finding) => finding.rule === rule);
			assert.ok(found, `${rule} in ${answered.text}`);
			assert.equal(found.severity, 'error');
			assert.notEqual(detail, '');
			for (const word of words) {
				assert.ok(JSON.stringify(found).includes(word), `${word} in ${JSON.stringify(found)}`);
			}
		}

		test('no model.json', () => assertRefused(shardParts, 'json.missing'));
		for (const [i, missing] of shards.entries()) {
			test(`shard ${i + 1} missing`, () =>
				assertRefused(withFile(model, missing), 'manifest.file-missing', missing));
		}
		test('every shard missing names each', async () => {
			const answered = await post(daemon, '/models/parts', multipart([jsonPart]));
			const { errors } = assertProblem(answered, 422, 'NOT_LOADABLE');
			assert.equal(errors.filter(({ rule }) => rule === 'manifest.file-missing').length, 3);
		});
		test('a shard named twice in the manifest', () => assertRefused(
			manifest((group) => group.paths.push(shards[0])), 'manifest.path-twice', shards[0]));

		for (const bad of ['../escape.bin', '/etc/passwd', 'a/../../b.bin', 'a//b.bin', 'a\\b.bin',
			'https://cdn.example/w.bin', 'w.bin?x=1', 'w.bin#f', '%2e%2e/w.bin', 'a/./b.bin', '', ' w.bin',
			'-w.bin', 'a\tb.bin', 'x'.repeat(300), 'a/']) {
			test(`the path ${JSON.stringify(bad.slice(0, 30))} in the manifest`, () => assertRefused(
				manifest((group) => { group.paths[1] = bad; }), 'manifest.path',
				'/weightsManifest/0/paths/1'));
		}

		for (const [what, change, rule] of [
			['an unknown dtype', (w) => { w.dtype = 'float16'; }, 'weights.dtype'],
			['no dtype', (w) => { delete w.dtype; }, 'weights.dtype'],
			['a negative dimension', (w) => { w.shape = [-1, 3]; }, 'weights.shape'],
			['a fraction as dimension', (w) => { w.shape = [1.5, 8]; }, 'weights.shape'],
			['a dimension in quotes', (w) => { w.shape = ['4', 3]; }, 'weights.shape'],
			['no shape', (w) => { delete w.shape; }, 'weights.shape'],
			['a shape that overflows', (w) => { w.shape = [4294967296, 4294967296, 4294967296]; },
				'weights.overflow'],
			['a quantization of null', (w) => { w.quantization = null; }, 'weights.quantization'],
			['an unknown quantization', (w) => { w.quantization = { dtype: 'int8', min: 0, scale: 1 }; },
				'weights.quantization'],
			['a quantization without scale', (w) => { w.quantization = { dtype: 'uint8', min: 0 }; },
				'weights.quantization'],
			['a float16 quantization of int32',
				(w) => { w.dtype = 'int32'; w.quantization = { dtype: 'float16' }; }, 'weights.quantization'],
		]) {
			test(`a weight with ${what}`, () => assertRefused(
				manifest((group) => change(group.weights[0])), rule, '/weightsManifest/0/weights/0'));
		}

		test('truncated weights', () => assertRefused(
			withFile(model, shards[2], model.files[3].bytes.slice(0, 14)), 'weights.too-short', 'dense/bias'));
		test('weights of another model, longer', () => assertRefused(
			withFile(model, shards[2], new Uint8Array(100)), 'weights.too-long'));
		test('an HTML page instead of weights', () => assertRefused(
			withFile(model, shards[1], utf8('<!DOCTYPE html><html><title>404</title></html>')),
			'weights.not-weights', shards[1], 'HTML'));
		test('an HTML page of just the right length', () => assertRefused(
			withFile(model, shards[1], utf8('<!doctype html><html'.slice(0, model.files[2].bytes.length))),
			'weights.not-weights', shards[1], 'HTML'));
		test('a Git LFS pointer instead of weights', () => assertRefused(
			withFile(model, shards[0], utf8('version https://git-lfs.github.com/spec/v1\noid sha256:00\nsize 5\n')),
			'weights.not-weights', shards[0], 'LFS'));
		test('a gzip stream instead of weights', () => assertRefused(
			withFile(model, shards[0], Uint8Array.from([0x1f, 0x8b, 8, 0, 0, 0, 0, 0, 0, 3, 1, 2, 3])),
			'weights.not-weights', shards[0], 'gzip'));

		test('a model.json that is an HTML page', () => assertRefused(
			withFile(model, 'model.json', utf8('<!DOCTYPE html><html></html>')), 'json.syntax', 'HTML'));
		for (const [what, text, rule] of [
			['{}', '{}', 'json.root'], ['[]', '[]', 'json.root'], ['null', 'null', 'json.root'],
			['a manifest that is an object', '{"weightsManifest":{}}', 'manifest.type'],
			['a topology that is text', '{"modelTopology":"x"}', null],
			['a topology of neither kind', '{"modelTopology":{"a":1}}', 'topology.kind'],
			['WeightsManifest in capitals', '{"WeightsManifest":[]}', 'json.root'],
		]) {
			test(`model.json is ${what}`, async () => {
				const answered = await publish(daemon, 'parts', withFile(model, 'model.json', utf8(text)));
				const { errors } = assertProblem(answered, 422, 'NOT_LOADABLE');
				assert.ok(rule === null || errors.some((finding) => finding.rule === rule), answered.text);
			});
		}

		for (const [what, from, to, word] of [
			['NaN', '"convertedBy": null', '"convertedBy": NaN', 'NaN'],
			['Infinity', '"convertedBy": null', '"convertedBy": Infinity', 'Infinity'],
			['-Infinity', '"convertedBy": null', '"convertedBy": -Infinity', 'Infinity'],
			['a trailing comma', '"convertedBy": null,', '"convertedBy": null,,', null],
			['a comment', '"convertedBy": null', '"convertedBy": /* none */ null', null],
			['a duplicate key', '"convertedBy": null', '"format": null', 'format'],
			['U+0000 in a name', '"name": "dense/kernel"', '"name": "dense\\u0000/kernel"', 'U+0000'],
			['a lone surrogate in a name', '"name": "dense/bias"', '"name": "\\ud800dense/bias"', 'D800'],
			['U+0000 in the class of a layer', '"class_name": "Dense"', '"class_name": "Dense\\u0000"', 'U+0000'],
			['a number above all doubles', '"units": 3', '"units": 1e999', 'double'],
		]) {
			test(`model.json with ${what} is refused with its place`, async () => {
				const broken = spelled(from, to);
				const lines = new TextDecoder().decode(broken.files[0].bytes).split('\n');
				const line = lines.findIndex((text) => text.includes(to)) + 1;
				const answered = await publish(daemon, 'parts', broken);
				const { errors, detail } = assertProblem(answered, 422, 'NOT_LOADABLE');
				const found = errors.find(({ rule }) => rule === 'json.syntax');
				assert.ok(found, answered.text);
				assert.match(found.message, new RegExp(`line ${line}\\b.*column \\d+`));
				assert.match(detail, new RegExp(`line ${line}\\b`));
				if (word) {
					assert.ok(found.message.includes(word), found.message);
				}
			});
		}

		test('bytes behind the JSON', () => assertRefused(
			withFile(model, 'model.json', Buffer.concat([model.files[0].bytes, Buffer.from('x')])),
			'json.syntax'));
		test('ill-formed UTF-8 in the JSON', () => assertRefused(withFile(model, 'model.json',
			Buffer.from(JSON.stringify(model.json).replace('layers-model', 'layers\xffmodel'), 'latin1')),
		'json.syntax'));
		test('JSON nested without end', () => assertRefused(
			withFile(model, 'model.json', utf8('['.repeat(100_000))), 'json.syntax'));
	});

	describe('the same part twice', () => {
		for (const [what, parts] of [
			['model.json', [jsonPart, jsonPart, ...shardParts]],
			['a shard', [jsonPart, ...shardParts, shardParts[1]]],
			['a companion', [jsonPart, ...shardParts, { name: 'a.txt', body: '1' }, { name: 'a.txt', body: '2' }]],
		]) {
			test(what, async () => {
				const answered = await post(daemon, '/models/twice', multipart(parts));
				assert.ok([400, 422].includes(answered.status), answered.text);
				const problem = assertProblem(answered, answered.status, answered.headers['x-error-code']);
				assert.ok(problem.detail.includes(parts.at(-1).filename ?? 'a.txt') ||
					problem.detail.includes('model.json'), problem.detail);
			});
		}
	});

	describe('the path of a part', () => {
		for (const bad of ['../labels.txt', '/etc/passwd', 'a/../b.txt', 'a\\b.txt', 'a//b.txt', 'x?y', 'a:b']) {
			test(JSON.stringify(bad), async () => {
				const answered = await post(daemon, '/models/paths',
					multipart([jsonPart, ...shardParts, { name: 'files', filename: bad, body: 'x' }]));
				assert.ok([400, 422].includes(answered.status), answered.text);
				const { detail } = assertProblem(answered, answered.status, answered.headers['x-error-code']);
				assert.ok(detail.includes(bad) || detail.includes(bad.replace('\\', '\\\\')), detail);
			});
		}
	});

	describe('the name of a model', () => {
		for (const [bad, hint] of [['MyModel', 'mymodel'], ['Team/Model.V2', 'team/model.v2'], ['a/b/c/d/e'],
			['-a'], ['a-'], ['a--b'], ['a._b'], ['versions'], ['a/versions/b'], ['a/labels'], ['metadata'],
			['uploads'], ['caf%C3%A9'], ['a%20b'], ['x'.repeat(129)], ['a_/b']]) {
			test(bad.slice(0, 20), async () => {
				const answered = await publish(daemon, bad, model);
				const { detail } = assertProblem(answered, 400, 'BAD_NAME');
				assert.ok(!hint || detail.includes(hint), detail);
			});
		}
	});

	describe('unknown routes and methods', () => {
		for (const target of ['/nowhere', '/v1', '/v2/models', '/v1/nothing', '/healthz/x',
			'/favicon.ico', '/model/x/model.json']) {
			test(`GET ${target} is 404`, async () => {
				assertProblem(await get(daemon, target), 404, 'ROUTE_NOT_FOUND');
			});
		}

		for (const [method, target, allowed] of [
			['POST', '/healthz', ['GET', 'HEAD', 'OPTIONS']],
			['DELETE', '/v1/models', ['GET', 'HEAD', 'OPTIONS']],
			['PUT', '/version', ['GET', 'HEAD', 'OPTIONS']],
			['PATCH', '/v1/models/x', ['GET', 'HEAD', 'OPTIONS']],
		]) {
			test(`${method} ${target} is 405 with Allow`, async () => {
				const answered = await request(daemon, method, target);
				assertProblem(answered, 405, 'METHOD_NOT_ALLOWED');
				const allow = answered.headers.allow.split(', ');
				for (const one of allowed) {
					assert.ok(allow.includes(one), answered.headers.allow);
				}
				assert.ok(!allow.includes(method));
			});
		}

		test('DELETE on a model is 405 and names what may be done', async () => {
			const answered = await request(daemon, 'DELETE', '/models/x');
			assert.equal(answered.status, 405);
			const allow = answered.headers.allow.split(', ');
			for (const one of ['POST', 'PUT', 'OPTIONS']) {
				assert.ok(allow.includes(one), answered.headers.allow);
			}
		});

		for (const method of ['TRACE', 'CONNECT', 'BREW', 'get', 'PROPFIND']) {
			test(`the method ${method} is 501`, async () => {
				const wire = new Wire(daemon.port);
				await wire.send(requestHead(method, '/healthz', {}));
				const answered = await wire.answer();
				assert.equal(answered.status, 501);
				assert.equal(answered.headers['x-error-code'], 'METHOD_UNKNOWN');
				assertOpenToPages(answered);
				wire.destroy();
			});
		}
	});
});

describe('too large', () => {
	const large = denseModel({ inputs: 100, units: 20, shardBytes: 3000 });

	for (const [key, value] of [['limits.model_json', '1KiB'], ['limits.file', '2KiB'],
		['limits.version', '4KiB'], ['limits.files', '2']]) {
		test(`than ${key}`, async (t) => {
			const daemon = await startDaemon(t, { set: { [key]: value } });
			const padded = key === 'limits.model_json' ? withJson(large, (json) => {
				json.userDefinedMetadata = { filler: 'f'.repeat(2000) };
				return json;
			}) : large;
			const { detail } = assertProblem(await publish(daemon, 'large', padded), 413, 'TOO_LARGE');
			assert.match(detail, /\d/, 'the limit, in the text');
			await assertStored(daemon, NOTHING);
			await daemon.stop();
		});
	}

	test('a declared length above the limit is refused before the body', async (t) => {
		const daemon = await startDaemon(t, { set: { 'limits.version': '1MiB' } });
		const wire = new Wire(daemon.port);
		await wire.send(requestHead('POST', '/models/x', { 'Content-Type': 'multipart/form-data; boundary=x',
			'Content-Length': 1 << 30, Expect: '100-continue' }));
		const answered = await wire.answer();
		assert.equal(answered.status, 413);
		assert.equal(answered.headers['x-error-code'], 'TOO_LARGE');
		wire.destroy();
		await assertStored(daemon, NOTHING);
		await daemon.stop();
	});

	test('a disk with less room than store.min_free is 507', async (t) => {
		const daemon = await startDaemon(t, { set: { 'store.min_free': '1000000GiB' } });
		assertProblem(await publish(daemon, 'x', denseModel()), 507, 'STORAGE_FULL');
		assert.equal((await get(daemon, '/v1/models')).status, 200, 'reading goes on');
		await assertStored(daemon, NOTHING);
		await daemon.stop();
	});
});
