// SPDX-License-Identifier: Apache-2.0
// Importing once more what was imported before: what is new is fetched, and nothing else.

import assert from 'node:assert/strict';
import fs from 'node:fs';
import { describe, test } from 'node:test';

import { etagOf, file, plain, sha256, status } from '../lib/answers.mjs';
import { startDaemon, useDaemon } from '../lib/daemon.mjs';
import { request } from '../lib/http.mjs';
import { assertHolds, ended, FROM_HERE, imported, submit, versionsOf } from '../lib/imports.mjs';
import { addGraph, random, shardsOf } from '../lib/models.mjs';
import { startOrigin } from '../lib/origin.mjs';
import { assertSound, modeld } from '../lib/writer.mjs';

const SHARD = 4096;
const model = addGraph({ seed: 1, size: 4096, shardBytes: SHARD }); // four shards
const shards = shardsOf(model).map(({ path }) => `/m/${path}`);

// Other bytes of the same size.
function changed(bytes, seed) {
	const next = random(seed);
	return Buffer.from(new Uint8Array(Float32Array.from({ length: bytes.length / 4 }, () => next()).buffer));
}

async function serving(t) {
	const origin = await startOrigin(t);
	origin.serve('/m', model, (bytes) => file(bytes));
	return { origin, url: origin.url('/m/model.json') };
}

// How many bytes came for what was asked.
const bodies = (origin) => origin.seen().filter(({ sent }) => sent > 0).map(({ path }) => path).sort();

describe('an import again', () => {
	const daemon = useDaemon({ set: FROM_HERE });
	let names = 0;
	const fresh = () => `again/m${++names}`;

	test('of what did not change is said to be unchanged, makes no version and fetches no byte', async (t) => {
		const { origin, url } = await serving(t);
		const name = fresh();
		const before = await imported(daemon, name, url);
		assert.ok(!before.unchanged);
		origin.forget();
		const job = await imported(daemon, name, url);
		assert.equal(job.unchanged, true);
		assert.equal(job.version, 1);
		assert.equal(job.root_digest, before.root_digest);
		assert.deepEqual(await versionsOf(daemon, name), [1]);
		assert.deepEqual(bodies(origin), []);
		const asked = origin.seen('/m/model.json');
		assert.equal(asked[0].headers['if-none-match'], etagOf(Buffer.from(model.files[0].bytes)));
	});

	test('fetches the one shard that changed', async (t) => {
		const { origin, url } = await serving(t);
		const name = fresh();
		await imported(daemon, name, url);
		origin.forget();
		const other = changed(shardsOf(model)[2].bytes, 7);
		origin.on(shards[2], file(other));
		const job = await imported(daemon, name, url);
		assert.ok(!job.unchanged);
		assert.equal(job.version, 2);
		assert.deepEqual(bodies(origin), [shards[2]]);
		const files = model.files.map((one) => (`/m/${one.path}` === shards[2] ? { ...one, bytes: other } : one));
		await assertHolds(daemon, name, 2, files);
		await assertHolds(daemon, name, 1, model.files);
	});

	test('from a source without ETags fetches everything, and makes no version when it is the same', async (t) => {
		const origin = await startOrigin(t);
		origin.serve('/m', model, (bytes) => plain(bytes));
		const url = origin.url('/m/model.json');
		const name = fresh();
		await imported(daemon, name, url);
		origin.forget();
		const job = await imported(daemon, name, url);
		assert.equal(job.version, 1);
		assert.ok(job.unchanged || job.deduplicated, JSON.stringify(job));
		assert.deepEqual(await versionsOf(daemon, name), [1]);
		assert.equal(bodies(origin).length, model.files.length);
	});

	test('is not fooled by a 304 to what it did not ask', async (t) => {
		const { origin, url } = await serving(t);
		origin.on(shards[0], async (exchange) => exchange.head(304, { ETag: '"x"' }));
		const job = await ended(daemon, await submit(daemon, fresh(), url));
		assert.equal(job.state, 'failed');
		assert.match(job.error.code, /FETCH/);
	});

	test('into another model knows nothing of the first one\'s ETags', async (t) => {
		const { origin, url } = await serving(t);
		await imported(daemon, fresh(), url);
		origin.forget();
		const name = fresh();
		await imported(daemon, name, url);
		await assertHolds(daemon, name, 1, model.files);
		for (const { path } of model.files) {
			assert.equal(origin.seen(`/m/${path}`)[0].headers['if-none-match'], undefined, path);
		}
	});

	test('moves the label that is asked for, changed or not', async (t) => {
		const { url } = await serving(t);
		const name = fresh();
		await imported(daemon, name, url);
		const job = await imported(daemon, name, { url, label: 'stable' });
		assert.equal(job.version, 1);
		const { json } = await request(daemon, 'GET', `/v1/models/${name}/labels/stable`);
		assert.equal(json.version, 1);
	});

	test('holds what is expected of files that it does not fetch', async (t) => {
		const { url } = await serving(t);
		const name = fresh();
		await imported(daemon, name, url);
		const wrong = { [shardsOf(model)[1].path]: `sha256:${sha256('other')}` };
		const job = await ended(daemon, await submit(daemon, name, { url, expect: { files: wrong } }));
		assert.equal(job.state, 'failed', JSON.stringify(job));
		assert.equal(job.error.code, 'EXPECTED_OTHER');
	});
});

describe('a source that is replaced while it is fetched', () => {
	const daemon = useDaemon({ set: FROM_HERE });
	const other = addGraph({ seed: 2, size: 4096, shardBytes: SHARD, metadata: { replaced: true } });

	test('becomes a version of what it is then, and never a mixture', async (t) => {
		const { origin, url } = await serving(t);
		origin.hold(shards[3]);
		const job = await submit(daemon, 'replaced', url);
		for (const path of shards) {
			await origin.arrived(path);
		}
		origin.serve('/m', other, (bytes) => file(bytes));
		origin.release();
		assert.equal((await ended(daemon, job)).state, 'done');
		await assertHolds(daemon, 'replaced', 1, other.files);
		assert.deepEqual(await versionsOf(daemon, 'replaced'), [1]);
	});

	test('is fetched anew when a shard of the old one is gone', async (t) => {
		const { origin, url } = await serving(t);
		origin.hold(shards[3]);
		const job = await submit(daemon, 'renamed', url);
		await origin.arrived(shards[3]);
		const renamed = addGraph({ seed: 3, size: 1024, shardBytes: SHARD });
		origin.serve('/m', renamed, (bytes) => file(bytes)).on(shards[3], status(404));
		origin.release();
		assert.equal((await ended(daemon, job)).state, 'done');
		await assertHolds(daemon, 'renamed', 1, renamed.files);
	});

	test('again and again fails, and says so', async (t) => {
		const { origin, url } = await serving(t);
		let n = 0;
		origin.on('/m/model.json', async (exchange) => {
			const spelled = Buffer.concat([Buffer.from(model.files[0].bytes), Buffer.alloc(++n, ' ')]);
			await file(spelled)(exchange);
		});
		const job = await ended(daemon, await submit(daemon, 'restless', url));
		assert.equal(job.state, 'failed', JSON.stringify(job));
		assert.equal(job.error.code, 'FETCH_FAILED');
		assert.match(job.error.detail, /chang/);
		assert.deepEqual(await versionsOf(daemon, 'restless'), []);
	});
});

describe('an import again of a version that is gone', () => {
	test('fetches what was collected', async (t) => {
		const daemon = await startDaemon(t, { set: FROM_HERE });
		const { origin, url } = await serving(t);
		await imported(daemon, 'm', url);
		assert.equal((await request(daemon, 'DELETE', '/v1/models/m/versions/1')).status, 204);
		assert.equal((await modeld(daemon.store, 'gc', '--grace', '0')).code, 0);
		assert.deepEqual(daemon.files('blobs'), []);
		origin.forget();
		const job = await imported(daemon, 'm', url);
		assert.equal(job.version, 2);
		await assertHolds(daemon, 'm', 2, model.files);
		assert.equal(bodies(origin).length, model.files.length);
	});

	test('fetches a blob that was found damaged', async (t) => {
		const daemon = await startDaemon(t, { set: FROM_HERE });
		const { origin, url } = await serving(t);
		await imported(daemon, 'm', url);
		const digest = sha256(shardsOf(model)[1].bytes);
		const [blob] = daemon.files('blobs').filter((one) => one.includes(digest));
		fs.chmodSync(blob, 0o644);
		fs.writeFileSync(blob, Buffer.alloc(SHARD));
		await modeld(daemon.store, 'scrub');
		origin.forget();
		await imported(daemon, 'm', url);
		assert.deepEqual(bodies(origin), [shards[1]]);
		await assertHolds(daemon, 'm', 1, model.files);
		await assertSound(daemon.store);
	});
});
