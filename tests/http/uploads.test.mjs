// SPDX-License-Identifier: Apache-2.0
// Uploads that stay open: files that come one by one, cut short, resumed, and published together.

import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import crypto from 'node:crypto';
import fs from 'node:fs';
import path from 'node:path';
import { describe, test } from 'node:test';
import { promisify } from 'node:util';
import zlib from 'node:zlib';

import { runModeld, scratchDir, startDaemon, until, useDaemon } from '../lib/daemon.mjs';
import {
	assertOpenToPages, assertProblem, get, head, published, request, requestHead, Wire,
} from '../lib/http.mjs';
import { denseModel, random } from '../lib/models.mjs';

const curl = promisify(execFile);
const PARTIAL = { 'content-type': 'application/partial-upload' };
const model = (seed) => denseModel({ inputs: 16, fill: seed, shardBytes: 40, metadata: { seed } });
const sha256 = (bytes) => crypto.createHash('sha256').update(bytes).digest();
const field = (bytes) => `sha-256=:${sha256(bytes).toString('base64')}:`;

function noise(n, seed = 1) {
	const next = random(seed);
	return Buffer.from(Uint8Array.from({ length: n }, () => next() * 256));
}

async function opened(daemon, name = 'team/m') {
	const answered = await request(daemon, 'POST', '/v1/uploads', { body: JSON.stringify({ model: name }) });
	assert.equal(answered.status, 201, answered.text);
	assertOpenToPages(answered);
	assert.equal(answered.headers.location, `/v1/uploads/${answered.json.id}`);
	return answered.headers.location;
}

const put = (daemon, upload, file, body, headers = {}, query = '') =>
	request(daemon, 'PUT', `${upload}/files/${file}${query}`, { headers, body });
const patch = (daemon, upload, file, offset, complete, body, headers = {}) =>
	request(daemon, 'PATCH', `${upload}/files/${file}`, { body,
		headers: { ...PARTIAL, 'upload-offset': offset, 'upload-complete': complete, ...headers } });
const publish = (daemon, upload, body, query = '') =>
	request(daemon, 'POST', `${upload}:publish${query}`, { body });

async function filled(daemon, upload, sent) {
	for (const { path: file, bytes } of sent.files) {
		const answered = await put(daemon, upload, file, bytes);
		assert.equal(answered.status, 201, answered.text);
	}
	return upload;
}

async function assertWhole(daemon, ref, sent) {
	for (const { path: file, bytes } of sent.files) {
		const answered = await get(daemon, `/models/${ref}/${file}`);
		assert.equal(answered.status, 200, `${ref}/${file}`);
		assert.deepEqual(answered.body, Buffer.from(bytes));
	}
}

async function run(daemon, ...words) {
	return runModeld([words[0], '--config', '/dev/null', '--store', daemon.store, ...words.slice(1)]);
}

async function assertSound(daemon) {
	const ended = await run(daemon, 'fsck');
	assert.equal(ended.code, 0, ended.stdout + ended.stderr);
	assert.match(ended.stdout, /: 0 damaged, 0 left over$/m);
}

// A request whose connection is lost when the daemon has all that was sent of it.
async function cutShort(daemon, method, target, headers, bytes) {
	const wire = new Wire(daemon.port);
	await wire.send(requestHead(method, target, { ...headers, 'Content-Length': bytes.length + 1 }), bytes);
	return wire;
}

describe('an upload', () => {
	const daemon = useDaemon();

	test('lives from POST to DELETE', async () => {
		const upload = await opened(daemon, 'life');
		const sent = model(1);
		await filled(daemon, upload, sent);
		const shown = await get(daemon, upload);
		assert.equal(shown.status, 200);
		assertOpenToPages(shown);
		assert.equal(shown.json.state, 'open');
		assert.equal(shown.json.model, 'life');
		assert.ok(Date.parse(shown.json.expires) > Date.parse(shown.json.created));
		assert.deepEqual(shown.json.files, sent.files
			.map(({ path: file, bytes }) => ({ path: file, bytes: bytes.length, sha256: sha256(bytes).toString('hex') }))
			.sort((a, b) => (a.path < b.path ? -1 : 1)));
		assert.deepEqual(shown.json.incomplete, []);
		assert.equal((await get(daemon, '/v1/models/life')).status, 404);
		const made = await publish(daemon, upload, JSON.stringify({ label: 'stable' }));
		assert.equal(made.status, 201, made.text);
		assert.equal(made.headers.location, '/models/life@1/model.json');
		const direct = await published(daemon, 'life-direct', sent);
		const { name, ref, url, label, ...same } = made.json;
		assert.deepEqual({ name, ref, label }, { name: 'life', ref: 'life@1', label: 'stable' });
		assert.equal(same.root_digest, direct.root_digest);
		assert.deepEqual(Object.keys(same).sort(), Object.keys(direct).filter((key) => key in same).sort());
		assert.equal((await get(daemon, '/v1/models/life/labels/stable')).json.version, 1);
		await assertWhole(daemon, 'life@1', sent);
		assert.equal((await get(daemon, upload)).json.ref, 'life@1');
		assert.equal((await request(daemon, 'DELETE', upload)).status, 204);
		assertProblem(await get(daemon, upload), 404, 'UPLOAD_NOT_FOUND');
		assertProblem(await request(daemon, 'DELETE', upload), 404, 'UPLOAD_NOT_FOUND');
		await assertWhole(daemon, 'life@1', sent);
		await assertSound(daemon);
	});

	test('is not published twice, whatever came between', async () => {
		const upload = await filled(daemon, await opened(daemon, 'twice'), model(1));
		assert.equal((await publish(daemon, upload)).status, 201);
		await published(daemon, 'twice', model(2));
		const again = await publish(daemon, upload);
		assert.equal(again.status, 200, again.text);
		assert.equal(again.json.version, 1);
		assert.equal(again.json.deduplicated, true);
		assert.equal((await get(daemon, '/v1/models/twice')).json.latest, 2);
		assertProblem(await put(daemon, upload, 'more.txt', 'more'), 409, 'CONFLICT');
		assert.equal((await request(daemon, 'DELETE', '/v1/models/twice/versions/1')).status, 204);
		assertProblem(await publish(daemon, upload), 410, 'DELETED');
	});

	test('publishes of it at once make one version', async () => {
		const upload = await filled(daemon, await opened(daemon, 'at-once'), model(1));
		const all = await Promise.all(Array.from({ length: 6 }, () => publish(daemon, upload)));
		assert.deepEqual(all.map(({ status }) => status).sort(), [200, 200, 200, 200, 200, 201]);
		assert.equal((await get(daemon, '/v1/models/at-once')).json.versions.length, 1);
	});

	test('takes different files at once, sent by curl', async () => {
		const upload = await opened(daemon, 'parallel');
		const dir = scratchDir('uploads');
		const sent = denseModel({ inputs: 64, units: 16, shardBytes: 256 });
		await Promise.all(sent.files.map(async ({ path: file, bytes }, i) => {
			const local = path.join(dir, String(i));
			fs.writeFileSync(local, bytes);
			const how = [[], ['-H', 'Transfer-Encoding: chunked'], ['-H', 'Expect: 100-continue']][i % 3];
			const { stdout } = await curl('curl', ['-sS', '--fail', '-w', '%{http_code}', ...how, '-o', '/dev/null',
				'-T', local, daemon.url(`${upload}/files/${file}`)]);
			assert.equal(stdout, '201');
		}));
		assert.equal((await publish(daemon, upload)).status, 201);
		await assertWhole(daemon, 'parallel@1', sent);
	});

	test('unpacks a body with Content-Encoding: gzip', async () => {
		const upload = await opened(daemon);
		const bytes = Buffer.alloc(100_000, 'packed');
		const answered = await put(daemon, upload, 'packed.txt', zlib.gzipSync(bytes), { 'content-encoding': 'gzip' });
		assert.equal(answered.status, 201, answered.text);
		assert.equal(answered.json.sha256, sha256(bytes).toString('hex'));
	});

	test('a second PUT replaces a file, DELETE removes it', async () => {
		const upload = await opened(daemon);
		assert.equal((await put(daemon, upload, 'a.txt', 'one')).status, 201);
		assert.equal((await put(daemon, upload, './a.txt', 'three')).status, 400);
		assert.equal((await put(daemon, upload, 'a.txt', 'three')).status, 200);
		assert.deepEqual((await get(daemon, upload)).json.files.map(({ bytes }) => bytes), [5]);
		assert.equal((await request(daemon, 'DELETE', `${upload}/files/a.txt`)).status, 204);
		assertProblem(await request(daemon, 'DELETE', `${upload}/files/a.txt`), 404, 'FILE_NOT_FOUND');
		assertProblem(await get(daemon, `${upload}/files/a.txt`), 404, 'FILE_NOT_FOUND');
		assert.deepEqual((await get(daemon, upload)).json.files, []);
		assertProblem(await publish(daemon, upload), 409, 'CONFLICT');
	});

	test('digests are checked when they are sent', async () => {
		const upload = await opened(daemon);
		const bytes = noise(1000);
		for (const name of ['content-digest', 'repr-digest']) {
			assert.equal((await put(daemon, upload, 'kept', bytes, { [name]: field(bytes) })).status < 300, true);
			const wrong = assertProblem(await put(daemon, upload, 'kept', bytes, { [name]: field('other') }),
				400, 'BAD_DIGEST');
			assert.ok(wrong.detail.includes(field(bytes)), wrong.detail);
			assertProblem(await put(daemon, upload, 'kept', bytes, { [name]: 'sha-256=:AAAA:' }), 400, 'BAD_REQUEST');
			assertProblem(await put(daemon, upload, 'kept', bytes, { [name]: 'sha-512=:AAAA:' }), 400, 'BAD_REQUEST');
			assertProblem(await put(daemon, upload, 'none', bytes, { [name]: field('other') }), 400, 'BAD_DIGEST');
		}
		assertProblem(await put(daemon, upload, 'kept', zlib.gzipSync(bytes),
			{ 'content-encoding': 'gzip', 'repr-digest': field(bytes) }), 400, 'BAD_REQUEST');
		assert.deepEqual((await get(daemon, upload)).json.files,
			[{ path: 'kept', bytes: 1000, sha256: sha256(bytes).toString('hex') }]);
	});

	test('mounts a file that the server has', async () => {
		const sent = model(7);
		await published(daemon, 'mounted', sent);
		const upload = await opened(daemon, 'mounted-again');
		for (const { path: file, bytes } of sent.files) {
			const answered = await put(daemon, upload, file, '', {}, `?digest=sha256:${sha256(bytes).toString('hex')}`);
			assert.equal(answered.status, 201, answered.text);
			assert.equal(answered.json.bytes, bytes.length);
		}
		const unknown = '0'.repeat(64);
		assertProblem(await put(daemon, upload, 'x', '', {}, `?digest=sha256:${unknown}`), 404, 'FILE_NOT_FOUND');
		assertProblem(await put(daemon, upload, 'x', '', {}, '?digest=md5:00'), 400, 'BAD_PARAMETER');
		assertProblem(await put(daemon, upload, 'x', 'bytes', {}, `?digest=sha256:${unknown}`), 400, 'BAD_REQUEST');
		assert.equal((await publish(daemon, upload)).status, 201);
		await assertWhole(daemon, 'mounted-again@1', sent);
	});

	test('a dry run says what publishing would, and publishes nothing', async () => {
		const upload = await filled(daemon, await opened(daemon, 'dry'), model(1));
		const dry = await publish(daemon, upload, undefined, '?dry_run=true');
		assert.equal(dry.status, 200, dry.text);
		assert.equal((await get(daemon, '/v1/models/dry')).status, 404);
		const made = await publish(daemon, upload);
		assert.equal(made.json.root_digest, dry.json.would_be.root_digest);
	});

	test('a refused model leaves the upload open for a better file', async () => {
		const sent = model(3);
		const upload = await filled(daemon, await opened(daemon, 'refused'), sent);
		const shard = sent.files.find(({ path: file }) => file !== 'model.json');
		assert.equal((await put(daemon, upload, shard.path, 'short')).status, 200);
		const refused = await publish(daemon, upload);
		assertProblem(refused, 422, 'NOT_LOADABLE');
		assert.ok(refused.json.errors.length > 0);
		assert.equal((await get(daemon, '/v1/models/refused/rejections')).json.rejections.length, 1);
		assert.equal((await put(daemon, upload, shard.path, shard.bytes)).status, 200);
		assert.equal((await publish(daemon, upload)).status, 201);
	});

	test('what cannot be is refused', async () => {
		const upload = await opened(daemon);
		const post = (body) => request(daemon, 'POST', '/v1/uploads', { body });
		assertProblem(await post('{}'), 400, 'BAD_REQUEST');
		assertProblem(await post('{"model":"Upper"}'), 400, 'BAD_NAME');
		assertProblem(await post('not json'), 400, 'BAD_JSON');
		assertProblem(await put(daemon, '/v1/uploads/none', 'a', 'a'), 404, 'UPLOAD_NOT_FOUND');
		assertProblem(await publish(daemon, `/v1/uploads/${'0'.repeat(32)}`), 404, 'UPLOAD_NOT_FOUND');
		assertProblem(await put(daemon, upload, 'a:b', 'a'), 400, 'BAD_PATH');
		assertProblem(await publish(daemon, upload, '{"label":"No"}'), 409, 'CONFLICT');
		await filled(daemon, upload, model(1));
		assertProblem(await publish(daemon, upload, '{"label":"No"}'), 400, 'BAD_NAME');
		assertProblem(await publish(daemon, upload, '[]'), 400, 'BAD_REQUEST');
		assertProblem(await publish(daemon, upload, '', '?dry_run=perhaps'), 400, 'BAD_PARAMETER');
		const form = await put(daemon, upload, 'form', 'a', { 'content-type': 'multipart/form-data; boundary=b' });
		assert.equal(form.status, 201, form.text);
	});

	test('a page from elsewhere may not write', async () => {
		const upload = await opened(daemon);
		const headers = { origin: 'http://elsewhere.example' };
		for (const [method, target] of [['POST', '/v1/uploads'], ['PUT', `${upload}/files/a`],
			['PATCH', `${upload}/files/a`], ['DELETE', `${upload}/files/a`], ['POST', `${upload}:publish`],
			['DELETE', upload]]) {
			assertProblem(await request(daemon, method, target, { headers }), 403, 'CROSS_SITE');
		}
	});
});

describe('resuming', () => {
	const daemon = useDaemon();

	test('goes on where a cut PUT was', async () => {
		const upload = await opened(daemon);
		const bytes = noise(700_001);
		const wire = await cutShort(daemon, 'PUT', `${upload}/files/big.bin`, {}, bytes.subarray(0, 600_000));
		await until('bytes on the disk', () =>
			daemon.files('uploads').some((file) => fs.statSync(file).size > 0));
		wire.destroy();
		const found = await head(daemon, `${upload}/files/big.bin`);
		assert.equal(found.headers['upload-complete'], '?0');
		const offset = Number(found.headers['upload-offset']);
		assert.ok(offset > 0 && offset <= 600_000, String(offset));
		assertProblem(await publish(daemon, upload), 409, 'CONFLICT');
		const wrong = await patch(daemon, upload, 'big.bin', offset + 1, '?1', bytes.subarray(offset + 1));
		assertProblem(wrong, 409, 'CONFLICT');
		assert.equal(wrong.headers['upload-offset'], String(offset));
		const done = await patch(daemon, upload, 'big.bin', offset, '?1', bytes.subarray(offset),
			{ 'content-digest': field(bytes.subarray(offset)), 'repr-digest': field(bytes) });
		assert.equal(done.status, 200, done.text);
		assert.equal(done.headers['upload-complete'], '?1');
		assert.equal(done.json.sha256, sha256(bytes).toString('hex'));
		assert.equal(daemon.files('uploads').length, 0);
	});

	test('HEAD takes the file from a connection that hangs', async () => {
		const upload = await opened(daemon);
		const bytes = noise(300_000);
		const wire = await cutShort(daemon, 'PUT', `${upload}/files/hung.bin`, {}, bytes);
		await until('the file to be begun', () => daemon.files('uploads').length > 0);
		const found = await head(daemon, `${upload}/files/hung.bin`);
		assert.equal(found.status, 200);
		const offset = Number(found.headers['upload-offset']);
		const done = await patch(daemon, upload, 'hung.bin', offset, '?1', bytes.subarray(offset));
		assert.equal(done.status, 200, done.text);
		assert.equal(done.json.sha256, sha256(bytes).toString('hex'));
		await wire.send('!');
		assert.equal((await wire.answer('PUT')).status, 409);
		wire.destroy();
		assert.equal((await get(daemon, `${upload}/files/hung.bin`)).json.bytes, bytes.length);
	});

	test('a file may come in pieces, of which a wrong one is forgotten', async () => {
		const upload = await opened(daemon);
		const bytes = noise(5000);
		const piece = (from, to) => bytes.subarray(from, to);
		const first = await put(daemon, upload, 'p', piece(0, 1000), { 'upload-complete': '?0' });
		assert.equal(first.status, 201);
		assert.equal(first.headers['upload-complete'], '?0');
		assertProblem(await patch(daemon, upload, 'p', 1000, '?0', piece(1000, 2000),
			{ 'content-digest': field('other') }), 400, 'BAD_DIGEST');
		assert.equal((await head(daemon, `${upload}/files/p`)).headers['upload-offset'], '1000');
		const second = await patch(daemon, upload, 'p', 1000, '?0', piece(1000, 3000),
			{ 'content-digest': field(piece(1000, 3000)) });
		assert.equal(second.headers['upload-offset'], '3000');
		assertProblem(await patch(daemon, upload, 'p', 3000, '?1', piece(3000, 5000),
			{ 'repr-digest': field('other') }), 400, 'BAD_DIGEST');
		const third = await patch(daemon, upload, 'p', 3000, '?1', piece(3000, 5000));
		assert.equal(third.json.sha256, sha256(bytes).toString('hex'));
		assertProblem(await patch(daemon, upload, 'p', 5000, '?1', ''), 409, 'CONFLICT');
	});

	test('an empty file may be begun and ended', async () => {
		const upload = await opened(daemon);
		assert.equal((await put(daemon, upload, 'e', '', { 'upload-complete': '?0' })).status, 201);
		assert.equal((await head(daemon, `${upload}/files/e`)).headers['upload-offset'], '0');
		assert.equal((await patch(daemon, upload, 'e', 0, '?1', '')).json.bytes, 0);
	});

	test('a PATCH that is not one of these is refused', async () => {
		const upload = await opened(daemon);
		await put(daemon, upload, 'p', 'abc', { 'upload-complete': '?0' });
		assertProblem(await request(daemon, 'PATCH', `${upload}/files/p`, { body: 'x' }), 415, 'UNSUPPORTED_MEDIA_TYPE');
		assertProblem(await request(daemon, 'PATCH', `${upload}/files/p`, { body: 'x', headers: PARTIAL }),
			400, 'BAD_REQUEST');
		assertProblem(await patch(daemon, upload, 'p', 3, 'yes', 'x'), 400, 'BAD_REQUEST');
		assertProblem(await patch(daemon, upload, 'never', 0, '?1', 'x'), 409, 'CONFLICT');
	});

	test('what was acknowledged is there after SIGKILL, and what was not may be gone', async (t) => {
		const first = await startDaemon(t);
		const upload = await filled(first, await opened(first, 'killed'), model(1));
		const bytes = noise(900_000);
		await put(first, upload, 'big.bin', bytes.subarray(0, 300_000), { 'upload-complete': '?0' });
		await patch(first, upload, 'big.bin', 300_000, '?0', bytes.subarray(300_000, 500_000));
		const wire = await cutShort(first, 'PATCH', `${upload}/files/big.bin`, { 'Upload-Offset': 500_000,
			'Upload-Complete': '?1', 'Content-Type': PARTIAL['content-type'] }, bytes.subarray(500_000, 899_999));
		const other = await cutShort(first, 'PUT', `${upload}/files/never`, {}, bytes);
		await until('both files', () => first.files('uploads').length === 2);
		await first.kill();
		wire.destroy();
		other.destroy();
		const second = await startDaemon(t, { store: first.store });
		assert.equal(second.files('uploads').length, 1);
		const found = await head(second, `${upload}/files/big.bin`);
		assert.equal(found.headers['upload-offset'], '500000');
		assertProblem(await get(second, `${upload}/files/never`), 404, 'FILE_NOT_FOUND');
		const done = await patch(second, upload, 'big.bin', 500_000, '?1', bytes.subarray(500_000));
		assert.equal(done.json.sha256, sha256(bytes).toString('hex'));
		assert.equal((await publish(second, upload)).status, 201);
		await assertWhole(second, 'killed@1', { files: [...model(1).files, { path: 'big.bin', bytes }] });
		await assertSound(second);
		await second.stop();
	});

	test('a version that was answered before SIGKILL is what publishing again answers', async (t) => {
		const first = await startDaemon(t);
		const upload = await filled(first, await opened(first, 'killed'), model(1));
		assert.equal((await publish(first, upload)).status, 201);
		await first.kill();
		const second = await startDaemon(t, { store: first.store });
		const again = await publish(second, upload);
		assert.equal(again.status, 200);
		assert.equal(again.json.version, 1);
		await second.stop();
	});
});

describe('limits of uploads', () => {
	test('an abandoned upload expires, and its files with it', async (t) => {
		const daemon = await startDaemon(t, { set: { 'limits.upload_age': '1s', 'store.gc_interval': '1s' } });
		const upload = await opened(daemon);
		await put(daemon, upload, 'part', 'abc', { 'upload-complete': '?0' });
		await put(daemon, upload, 'whole', 'abc');
		await until('the upload to be gone', async () => (await get(daemon, upload)).status === 404);
		await until('its part to be gone', () => daemon.files('uploads').length === 0);
		const ended = await run(daemon, 'gc', '--grace', '0');
		assert.equal(ended.code, 0, ended.stderr);
		assert.equal(daemon.files('blobs').length, 0);
		await daemon.stop();
	});

	test('so many uploads may be open', async (t) => {
		const daemon = await startDaemon(t, { set: { 'limits.uploads': 2 } });
		const one = await filled(daemon, await opened(daemon, 'one'), model(1));
		const two = await opened(daemon, 'two');
		const more = () => request(daemon, 'POST', '/v1/uploads', { body: '{"model":"more"}' });
		assertProblem(await more(), 429, 'TOO_MANY');
		assert.equal((await publish(daemon, one)).status, 201);
		assert.equal((await more()).status, 201);
		assertProblem(await more(), 429, 'TOO_MANY');
		await request(daemon, 'DELETE', two);
		assert.equal((await more()).status, 201);
		await daemon.stop();
	});

	test('files, versions and all uploads have a size that they may not pass', async (t) => {
		const daemon = await startDaemon(t, { set: { 'limits.file': 4096, 'limits.version': 6000,
			'limits.files': 3, 'limits.uploads_size': 10_000 } });
		const upload = await opened(daemon);
		assert.equal((await put(daemon, upload, 'a', noise(4096, 1))).status, 201);
		for (const headers of [{}, { 'transfer-encoding': 'chunked' }]) {
			assertProblem(await put(daemon, upload, 'large', noise(4097), headers), 413, 'TOO_LARGE');
			assertProblem(await put(daemon, upload, 'b', noise(1905), headers), 413, 'TOO_LARGE');
		}
		assert.equal((await put(daemon, upload, 'b', noise(1904, 2))).status, 201);
		assert.equal((await put(daemon, upload, 'c', '')).status, 201);
		assertProblem(await put(daemon, upload, 'd', ''), 413, 'TOO_LARGE');
		const other = await opened(daemon);
		assert.equal((await put(daemon, other, 'a', noise(4000, 3))).status, 201);
		assertProblem(await put(daemon, other, 'b', noise(1000)), 507, 'STORAGE_FULL');
		assert.equal((await request(daemon, 'DELETE', upload)).status, 204);
		assert.equal((await put(daemon, other, 'b', noise(1000, 4))).status, 201);
		assert.equal(daemon.files('uploads').length, 0);
		await daemon.stop();
	});

	test('a collection without grace and fsck leave an open upload alone', async (t) => {
		const daemon = await startDaemon(t);
		const upload = await filled(daemon, await opened(daemon, 'kept'), model(1));
		await put(daemon, upload, 'part', 'abc', { 'upload-complete': '?0' });
		const wire = await cutShort(daemon, 'PUT', `${upload}/files/arriving`, {}, noise(1000));
		await until('the file to be begun', () => daemon.files('uploads').length === 2);
		const ended = await run(daemon, 'gc', '--grace', '0');
		assert.match(ended.stdout, /^collected 0 files/);
		await assertSound(daemon);
		wire.destroy();
		await head(daemon, `${upload}/files/arriving`);
		await assertSound(daemon);
		await request(daemon, 'DELETE', `${upload}/files/arriving`);
		await patch(daemon, upload, 'part', 3, '?1', 'def');
		assert.equal((await publish(daemon, upload)).status, 201);
		await assertWhole(daemon, 'kept@1', model(1));
		await daemon.stop();
	});

	test('fsck names a part of an open upload that is missing, until the upload is dropped', async (t) => {
		const daemon = await startDaemon(t);
		const upload = await opened(daemon, 'lost');
		await put(daemon, upload, 'some/part', 'abc', { 'upload-complete': '?0' });
		await assertSound(daemon);
		const [part] = daemon.files('uploads');
		fs.unlinkSync(part);
		const ended = await run(daemon, 'fsck');
		assert.equal(ended.code, 1, ended.stdout + ended.stderr);
		assert.ok(ended.stdout.includes(`damaged: uploads/${path.basename(part)} is missing; it is some/part of an upload to lost\n`), ended.stdout);
		assert.match(ended.stdout, /: 1 damaged, 0 left over$/m);
		assert.equal((await request(daemon, 'DELETE', upload)).status, 204);
		await assertSound(daemon);
		await daemon.stop();
	});
});
