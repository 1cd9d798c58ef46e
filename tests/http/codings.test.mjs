// SPDX-License-Identifier: Apache-2.0
// Content codings: which bytes a client gets by its Accept-Encoding (RFC 9110 12.5.3), and that each
// coding is a representation of its own (8.8.3.3).

import assert from 'node:assert/strict';
import crypto from 'node:crypto';
import { before, describe, test } from 'node:test';
import zlib from 'node:zlib';

import { until, useDaemon } from '../lib/daemon.mjs';
import { assertOpenToPages, get, head, published, request } from '../lib/http.mjs';
import { denseModel, utf8, withFile } from '../lib/models.mjs';

const NAME = 'team/coded';
const BROWSER = 'gzip, deflate, br, zstd';
const decode = {
	br: (bytes) => zlib.brotliDecompressSync(bytes),
	gzip: (bytes) => zlib.gunzipSync(bytes),
	undefined: (bytes) => bytes,
};
const hex = (bytes) => crypto.createHash('sha256').update(bytes).digest('hex');
const base64 = (bytes) => crypto.createHash('sha256').update(bytes).digest('base64');

// Long enough that coding pays, and unlike at each place.
const words = Array.from({ length: 400 }, (_, i) => `class-${i * 7919 % 1000}`);
const model = withFile(denseModel({ seed: 5, metadata: { words } }), 'labels.txt', utf8(words.join('\n')));

// [Accept-Encoding, the coding of the answer; null: 406]
const WANTS = [
	[BROWSER, 'br'],
	['gzip, deflate', 'gzip'],
	['br;q=0.5, gzip;q=0.8', 'gzip'],
	['br;q=0, gzip', 'gzip'],
	['*', 'br'],
	['zstd', undefined],
	['identity', undefined],
	['identity, br;q=0.9', undefined],
	['br, identity;q=0', 'br'],
	['', undefined],
	[undefined, undefined],
	['zstd, identity;q=0', null],
	['*;q=0', null],
];

describe('content codings', () => {
	const daemon = useDaemon();

	before(async () => {
		await published(daemon, NAME, model);
		const moved = await request(daemon, 'PUT', `/v1/models/${NAME}/labels/stable`,
			{ body: '{"version": 1}', headers: { 'Content-Type': 'application/json' } });
		assert.equal(moved.status, 201);
		await until('the files to have been coded', async () => {
			const { files } = (await get(daemon, `/v1/models/${NAME}/versions/1`)).json;
			return ['model.json', 'labels.txt'].every((name) =>
				files.find((file) => file.path === name).codings?.br);
		});
	});

	const accepting = (coding) => (coding === undefined ? {} : { 'Accept-Encoding': coding });
	const targets = [`/models/${NAME}/model.json`, `/models/${NAME}@stable/model.json`,
		`/models/${NAME}@1/model.json`, `/models/${NAME}@stable/labels.txt`];

	for (const target of targets) {
		describe(target, () => {
			for (const [accept, coding] of WANTS) {
				test(`RFC 9110 12.5.3: ${accept ?? 'no Accept-Encoding'} gives ${coding ?? (coding === null ? 406 : 'identity')}`, async () => {
					const answered = await get(daemon, target, accepting(accept));
					assertOpenToPages(answered);
					assert.equal(answered.headers.vary, 'Accept-Encoding');
					if (coding === null) {
						assert.equal(answered.status, 406);
						assert.equal(answered.headers['x-error-code'], 'NOT_ACCEPTABLE');
						assert.equal(answered.body.length, 0);
						return;
					}
					const plain = await get(daemon, target);
					assert.equal(answered.status, 200);
					assert.equal(answered.headers['content-encoding'], coding);
					assert.deepEqual(decode[coding](answered.body), plain.body);
					assert.equal(answered.headers['content-length'], String(answered.body.length));
					assert.equal(answered.headers['content-type'], plain.headers['content-type']);
				});
			}

			test('RFC 9110 8.8.3.3: each coding has an ETag and a digest of its own bytes', async () => {
				const tags = new Set();
				for (const accept of [BROWSER, 'gzip', 'identity']) {
					const { headers, body } = await get(daemon, target, accepting(accept));
					assert.equal(headers.etag, `"sha256-${hex(body)}"`);
					assert.equal(headers['repr-digest'], `sha-256=:${base64(body)}:`);
					tags.add(headers.etag);
				}
				assert.equal(tags.size, 3);
			});

			test('RFC 9110 13.1.2: a condition is judged by the coding that is asked for', async () => {
				const { headers: { etag } } = await get(daemon, target, accepting('br'));
				const same = await get(daemon, target, { 'Accept-Encoding': 'br', 'If-None-Match': etag });
				assert.equal(same.status, 304);
				assert.equal(same.headers.etag, etag);
				assert.equal(same.headers.vary, 'Accept-Encoding');
				const other = await get(daemon, target, { 'Accept-Encoding': 'gzip', 'If-None-Match': etag });
				assert.equal(other.status, 200);
				const failed = await get(daemon, target, { 'Accept-Encoding': 'gzip', 'If-Match': etag });
				assert.equal(failed.status, 412);
			});

			test('RFC 9110 14.2: Range is ignored on a coded representation, and cuts identity', async () => {
				const coded = await get(daemon, target, { 'Accept-Encoding': BROWSER, Range: 'bytes=0-9' });
				assert.equal(coded.status, 200);
				assert.equal(coded.headers['content-encoding'], 'br');
				assert.equal(coded.headers['accept-ranges'], undefined);
				const plain = await get(daemon, target, { Range: 'bytes=0-9' });
				assert.equal(plain.status, 206);
				assert.equal(plain.body.length, 10);
				assert.equal(plain.headers.vary, 'Accept-Encoding');
			});

			test('RFC 9110 9.3.2: HEAD says what GET says, in every coding', async () => {
				for (const accept of [BROWSER, 'gzip', 'identity']) {
					const headers = { 'Accept-Encoding': accept };
					const [got, headed] = [await get(daemon, target, headers), await head(daemon, target, headers)];
					delete got.headers.date;
					delete headed.headers.date;
					assert.deepEqual(headed.headers, got.headers);
					assert.equal(headed.body.length, 0);
				}
			});
		});
	}

	test('weights that coding would not make smaller are sent as they are', async () => {
		const answered = await get(daemon, `/models/${NAME}@1/model.weights.bin`, accepting(BROWSER));
		assert.equal(answered.status, 200);
		assert.equal(answered.headers['content-encoding'], undefined);
		assert.equal(answered.headers.vary, undefined);
		assert.equal(answered.headers['accept-ranges'], 'bytes');
	});

	test('what is too small to gain by it is not coded', async () => {
		await published(daemon, 'tiny', denseModel({ seed: 9 }));
		const list = (await get(daemon, '/v1/models/tiny/versions/1')).json.files;
		for (const { path, bytes } of list.filter((file) => file.bytes < 100)) {
			const answered = await get(daemon, `/models/tiny@1/${path}`, accepting(BROWSER));
			assert.equal(answered.headers['content-encoding'], undefined);
			assert.equal(answered.body.length, bytes);
		}
	});
});
