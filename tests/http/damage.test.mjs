// SPDX-License-Identifier: Apache-2.0
// A file of the store is cut under a running daemon, as a failing disk or a hand in the store may do.
// RFC 9112 8: an answer that cannot be finished ends with its connection, short of its Content-Length.
// TensorFlow.js checks neither length nor digest of a shard, so that a filled-up one would be loaded.

import assert from 'node:assert/strict';
import crypto from 'node:crypto';
import fs from 'node:fs';
import path from 'node:path';
import { describe, test } from 'node:test';

import { NO_FORMS, startDaemon, until } from '../lib/daemon.mjs';
import {
	Wire, assertProblem, assertQuietError, get, head, parseHead, publish, published, request, requestHead,
} from '../lib/http.mjs';
import { addGraph, denseModel, shardsOf } from '../lib/models.mjs';
import { noStrace, traced } from '../lib/strace.mjs';

const PAGE = 4096;
const SHARD = 4 << 20;
const PATIENT = { 'http.min_rate': 0, 'http.timeout': '1h' }; // with clients that read slowly: more than a test waits for

const big = addGraph({ size: SHARD / 4, seed: 1, shardBytes: SHARD });
const [shard] = shardsOf(big);
const target = (name) => `/models/${name}@1/${shard.path}`;

function blobOf(daemon, bytes) {
	const digest = crypto.createHash('sha256').update(bytes).digest('hex');
	const found = daemon.files('blobs').filter((file) => path.basename(file).startsWith(digest));
	assert.equal(found.length, 1);
	fs.chmodSync(found[0], 0o640);
	return found[0];
}

// Everything that comes until the daemon closes the connection, as {status, headers, body}: nothing, when not
// even what goes out with the head can be read.
async function untilClosed(daemon, url) {
	const wire = new Wire(daemon.port);
	await wire.send(requestHead('GET', url, {}));
	const bytes = await wire.rest();
	const end = bytes.indexOf('\r\n\r\n');
	if (bytes.length === 0) {
		return { status: 0, headers: {}, body: bytes };
	}
	return { ...parseHead(bytes.subarray(0, end).toString()), body: bytes.subarray(end + 4) };
}

async function assertAlive(daemon) {
	assert.equal((await get(daemon, '/readyz')).status, 200);
	await published(daemon, 'other', denseModel());
	assert.equal((await get(daemon, '/models/other/model.json')).status, 200);
	await daemon.stop();
}

describe('a file that was cut', () => {
	for (const left of [SHARD - PAGE, SHARD / 2 + 17, PAGE + 1, 0]) {
		test(`to ${left} bytes while it was served ends the answer short, and the connection`, async (t) => {
			const daemon = await startDaemon(t, { set: { ...NO_FORMS, ...PATIENT } });
			await published(daemon, 'm', big);
			assert.equal((await get(daemon, target('m'))).body.length, SHARD);
			fs.truncateSync(blobOf(daemon, shard.bytes), left);
			const got = await untilClosed(daemon, target('m'));
			if (left >= SHARD / 2) {
				assert.equal(got.status, 200);
				assert.equal(got.headers['content-length'], String(SHARD));
			}
			assert.ok(got.body.length < SHARD, `${got.body.length} bytes`);
			const whole = Math.min(got.body.length, left);
			assert.ok(got.body.subarray(0, whole).equals(Buffer.from(shard.bytes.subarray(0, whole))));
			// What a client of HTTP is told: not an end, but an error.
			await assert.rejects(get(daemon, target('m')), /aborted|hang up|ECONNRESET/);
			assert.equal((await head(daemon, target('m'))).headers['content-length'], String(SHARD));
			await assertAlive(daemon);
		});
	}

	test('within its last page is served as it was, without zeros', async (t) => {
		const daemon = await startDaemon(t, { set: NO_FORMS });
		const model = denseModel({ inputs: 50, units: 3 });
		await published(daemon, 'm', model);
		const [{ path: file, bytes }] = shardsOf(model);
		assert.ok(bytes.length < PAGE);
		assert.equal((await get(daemon, `/models/m@1/${file}`)).status, 200);
		fs.truncateSync(blobOf(daemon, bytes), 10);
		const again = await get(daemon, `/models/m@1/${file}`);
		assert.equal(again.status, 200);
		assert.deepEqual(again.body, Buffer.from(bytes));
		await assertAlive(daemon);
	});

	test('before it was served is 500, without a body, and is told as damage', async (t) => {
		const daemon = await startDaemon(t, { set: NO_FORMS });
		await published(daemon, 'm', big);
		const file = blobOf(daemon, shard.bytes);
		fs.truncateSync(file, SHARD - 1);
		assertQuietError(await get(daemon, target('m')), 500, 'CORRUPT');
		assertQuietError(await head(daemon, target('m')), 500, 'CORRUPT');
		fs.rmSync(file);
		assertQuietError(await get(daemon, target('m')), 500, 'CORRUPT');
		await assertAlive(daemon);
	});

	test('and was a model.json is 500 in words under a name that moves', async (t) => {
		const daemon = await startDaemon(t, { set: NO_FORMS });
		await published(daemon, 'm', big);
		fs.truncateSync(blobOf(daemon, big.files[0].bytes), 100);
		for (const ref of ['m', 'm@latest', 'm@1']) {
			assertProblem(await get(daemon, `/models/${ref}/model.json`), 500, 'CORRUPT');
		}
		await assertAlive(daemon);
	});

	// The daemon looks at these bytes itself: in a mapping it would end with SIGBUS.
	test('between opening and rewriting a model.json is 500 as well', { skip: noStrace }, async (t) => {
		const daemon = await startDaemon(t, { set: NO_FORMS });
		const model = denseModel({ inputs: 50, units: 3, metadata: { filler: 'x'.repeat(8 * PAGE) } });
		await published(daemon, 'm', model);
		const file = blobOf(daemon, model.files[0].bytes);
		const isMapped = () => fs.readFileSync(`/proc/${daemon.pid}/maps`, 'utf8').includes(path.basename(file));
		const stopped = ['-P', file, '-e', 'trace=mmap', '-e', 'inject=mmap:signal=SIGSTOP:when=1'];
		const { result } = await traced(daemon.pid, { words: stopped }, async () => {
			const asked = get(daemon, '/models/m/model.json');
			await until('the file to be mapped', () => daemon.stopped && isMapped());
			fs.truncateSync(file, 0);
			process.kill(daemon.pid, 'SIGCONT');
			return asked;
		});
		assertProblem(result, 500, 'CORRUPT');
		await assertAlive(daemon);
	});

	test('or cannot be read is 500 while that lasts', { skip: noStrace }, async (t) => {
		const daemon = await startDaemon(t, { set: NO_FORMS });
		await published(daemon, 'm', big);
		const failing = ['-P', blobOf(daemon, big.files[0].bytes), '-e', 'trace=pread64', '-e', 'inject=pread64:error=EIO'];
		for (const ref of ['m', 'm@1']) {
			const { result } = await traced(daemon.pid, { words: failing }, () => get(daemon, `/models/${ref}/model.json`));
			assertProblem(result, 500, 'IO_FAILED');
			assert.equal((await get(daemon, `/models/${ref}/model.json`)).status, 200);
		}
		await assertAlive(daemon);
	});

	test('is refused where an upload made of stored files is published', async (t) => {
		const daemon = await startDaemon(t, { set: NO_FORMS });
		await published(daemon, 'm', big);
		for (const cut of big.files) {
			const { id } = (await request(daemon, 'POST', '/v1/uploads', { body: '{"model":"n"}' })).json;
			for (const { path: name, bytes } of big.files) {
				const digest = crypto.createHash('sha256').update(bytes).digest('hex');
				const put = await request(daemon, 'PUT', `/v1/uploads/${id}/files/${name}?digest=sha256:${digest}`);
				assert.ok(put.status < 300, put.text);
			}
			const file = blobOf(daemon, cut.bytes);
			fs.truncateSync(file, cut.bytes.length - 1);
			assertProblem(await request(daemon, 'POST', `/v1/uploads/${id}:publish`), 500, 'CORRUPT');
			fs.writeFileSync(file, cut.bytes); // in place: it stays its owner's
		}
		assert.equal((await publish(daemon, 'n', big)).status, 201);
		await assertAlive(daemon);
	});
});
