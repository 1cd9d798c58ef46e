// SPDX-License-Identifier: Apache-2.0
// Collection of files that no version holds, beside a daemon that works.

import assert from 'node:assert/strict';
import path from 'node:path';
import { describe, test } from 'node:test';

import { NO_FORMS, runModeld, scratchDir, startDaemon, until, useDaemon } from '../lib/daemon.mjs';
import { get, publish, published, request, requestHead, Wire } from '../lib/http.mjs';
import { addGraph, denseModel, shardsOf } from '../lib/models.mjs';

const model = (version) => denseModel({ inputs: 16, fill: version, shardBytes: 40, metadata: { version } });
const distinct = (...models) =>
	new Set(models.flatMap(({ files }) => files.map(({ bytes }) => Buffer.from(bytes).toString('hex')))).size;
const remove = (daemon, target) => request(daemon, 'DELETE', `/v1/models/${target}`);

async function gc(daemon, ...options) {
	const ended = await runModeld(['gc', '--config', '/dev/null', '--store', daemon.store, ...options]);
	assert.equal(ended.code, 0, ended.stderr);
	return ended.stdout;
}

async function assertWhole(daemon, name, version, sent) {
	for (const { path: file, bytes } of sent.files) {
		const answered = await get(daemon, `/models/${name}@${version}/${file}`);
		assert.equal(answered.status, 200, `${name}@${version}/${file}: ${answered.headers['x-error-code']}`);
		assert.deepEqual(answered.body, Buffer.from(bytes));
	}
}

describe('modeld gc', () => {
	test('takes what no version holds and nothing else', async (t) => {
		const daemon = await startDaemon(t, { set: NO_FORMS });
		await published(daemon, 'm', model(1));
		await published(daemon, 'm', model(2));
		await published(daemon, 'n', model(2));
		assert.match(await gc(daemon, '--grace', '0'), /^collected 0 files/);
		await remove(daemon, 'm');
		const before = daemon.files('blobs').length;
		assert.equal(before, distinct(model(1), model(2)));
		const gone = before - distinct(model(2));
		assert.match(await gc(daemon), /^collected 0 files/);
		assert.match(await gc(daemon, '--grace', '0', '--dry-run'), new RegExp(`^would collect ${gone} files`));
		assert.equal(daemon.files('blobs').length, before);
		assert.match(await gc(daemon, '--grace', '0'), new RegExp(`^collected ${gone} files.*; removed ${gone} `));
		assert.equal(daemon.files('blobs').length, distinct(model(2)));
		await assertWhole(daemon, 'n', 1, model(2));
		await published(daemon, 'm', model(1));
		await assertWhole(daemon, 'm', 3, model(1));
		await daemon.stop();
	});

	test('works without a daemon, and what it did holds', async (t) => {
		const first = await startDaemon(t, { set: NO_FORMS });
		await published(first, 'm', model(1));
		await published(first, 'm', model(2));
		await remove(first, 'm/versions/1');
		await first.stop();
		const gone = distinct(model(1), model(2)) - distinct(model(2));
		assert.match(await gc(first, '--grace', '0'), new RegExp(`removed ${gone} `));
		const second = await startDaemon(t, { store: first.store, set: NO_FORMS });
		await assertWhole(second, 'm', 2, model(2));
		await second.stop();
	});

	test('leaves files on the disk for as long as the trash delay says', async (t) => {
		const daemon = await startDaemon(t, { set: NO_FORMS });
		await published(daemon, 'm', model(1));
		await remove(daemon, 'm');
		const files = daemon.files('blobs').length;
		await until('a clock that has moved on', async () =>
			/^would collect [1-9]/.test(await gc(daemon, '--grace', '1ms', '--dry-run')));
		assert.match(await gc(daemon, '--grace', '1ms'), new RegExp(`^collected ${files} files.*; removed 0 `));
		assert.equal(daemon.files('blobs').length, files);
		assert.match(await gc(daemon, '--grace', '0'), new RegExp(`^collected 0 files.*; removed ${files} `));
		assert.equal(daemon.files('blobs').length, 0);
		await daemon.stop();
	});

	test('makes no store where there is none', async () => {
		const dir = scratchDir('none');
		for (const store of [dir, path.join(dir, 'none')]) {
			const ended = await runModeld(['gc', '--config', '/dev/null', '--store', store]);
			assert.equal(ended.code, 78);
			assert.match(ended.stderr, /^modeld: .*: there is no store\n$/);
		}
	});

	for (const words of [['gc', '--grace', 'soon'], ['gc', '--grace'], ['serve', '--dry-run'],
		['check-config', '--grace', '0'], ['gc', '--json']]) {
		test(`${words.join(' ')} makes no sense`, async () => {
			const [verb, ...options] = words;
			const ended = await runModeld([verb, '--config', '/dev/null', '--store', '/nonexistent', ...options]);
			assert.ok([64, 78].includes(ended.code), String(ended.code));
			assert.match(ended.stderr, /^modeld: .*--(grace|dry-run|json)/);
		});
	}
});

test('the daemon collects by itself', async (t) => {
	const daemon = await startDaemon(t, { set: { ...NO_FORMS, 'store.gc_interval': '10ms', 'store.gc_grace': '0' } });
	await published(daemon, 'keep', model(1));
	await published(daemon, 'm', model(2));
	await remove(daemon, 'm');
	await until('the files to be gone', () => daemon.files('blobs').length === distinct(model(1)));
	await assertWhole(daemon, 'keep', 1, model(1));
	await daemon.stop();
	assert.match(daemon.stderr, /msg=collected/);
});

test('a download that has begun ends well, whatever is deleted and collected meanwhile', async (t) => {
	const daemon = await startDaemon(t, { set: NO_FORMS });
	const large = addGraph({ size: 4_000_000, shardBytes: 16_000_000 });
	await published(daemon, 'large', large);
	const [shard] = shardsOf(large);
	const wire = new Wire(daemon.port);
	await wire.sendAndPause(requestHead('GET', `/models/large@1/${shard.path}`, {}));
	assert.equal((await remove(daemon, 'large')).status, 204);
	await gc(daemon, '--grace', '0');
	assert.equal(daemon.files('blobs').length, 0);
	wire.socket.resume();
	const { status, body } = await wire.answer();
	assert.equal(status, 200);
	assert.ok(body.equals(Buffer.from(shard.bytes)));
	wire.destroy();
	await daemon.stop();
});

describe('races', () => {
	const daemon = useDaemon({ set: { ...NO_FORMS, 'store.gc_interval': '20ms', 'store.gc_grace': '0' } });

	test('every version that was answered is whole, whatever is deleted and collected beside it', async () => {
		const writers = 6;
		const rounds = 12;
		let working = writers;
		let collections = 0;

		// All publish the same few models, so that the files of one are always somebody else's garbage.
		async function write(writer) {
			try {
				for (let round = 0; round < rounds; round++) {
					const sent = model((writer + round) % 3);
					const name = `m${round % 2}-${writer}`;
					const answered = await publish(daemon, name, sent);
					assert.ok([200, 201].includes(answered.status), answered.text);
					const { version } = answered.json;
					await assertWhole(daemon, name, version, sent);
					const gone = await remove(daemon, round % 3 ? `${name}/versions/${version}` : name);
					assert.equal(gone.status, 204, gone.text);
				}
				const last = await publish(daemon, `kept-${writer}`, model(writer % 3));
				assert.equal(last.status, 201, last.text);
			} finally {
				working--;
			}
		}

		async function collect() {
			while (working > 0) {
				await gc(daemon, '--grace', '0');
				collections++;
			}
		}

		await Promise.all([collect(), ...Array.from({ length: writers }, (_, i) => write(i))]);
		await gc(daemon, '--grace', '0');
		assert.ok(collections > 0);
		for (let writer = 0; writer < writers; writer++) {
			await assertWhole(daemon, `kept-${writer}`, 1, model(writer % 3));
		}
		assert.equal(daemon.files('blobs').length, distinct(model(0), model(1), model(2)));
		assert.deepEqual(daemon.files('tmp'), []);
	});

	test('readers of latest get one whole version or 410, never damage', async () => {
		await published(daemon, 'read', model(1));
		let done = false;

		async function read() {
			while (!done) {
				const { status, json } = await get(daemon, '/models/read/model.json');
				assert.ok(status === 200 || json.code === 'DELETED', `${status}`);
				if (status !== 200) {
					continue;
				}
				const { userDefinedMetadata: { version }, weightsManifest: [{ paths }] } = json;
				for (const at of paths) {
					const shard = await get(daemon, new URL(at, daemon.url('/models/read/')).pathname);
					assert.ok([200, 410].includes(shard.status), `${at}: ${shard.status}`);
					if (shard.status === 200) {
						const values = new Float32Array(new Uint8Array(shard.body).buffer);
						assert.deepEqual([...new Set(values)], [version]);
					}
				}
			}
		}

		async function write() {
			try {
				for (let version = 2; version <= 25; version++) {
					assert.equal((await published(daemon, 'read', model(version))).version, version);
					assert.equal((await remove(daemon, `read/versions/${version - 1}`)).status, 204);
				}
			} finally {
				done = true;
			}
		}

		await Promise.all([write(), read(), read(), read()]);
	});
});
