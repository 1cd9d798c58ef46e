// SPDX-License-Identifier: Apache-2.0
// Many writers and readers of one model at once.

import assert from 'node:assert/strict';
import { describe, test } from 'node:test';

import { useDaemon } from '../lib/daemon.mjs';
import { get, publish, published } from '../lib/http.mjs';
import { denseModel, shardsOf } from '../lib/models.mjs';

const WRITERS = 8;
const ROUNDS = 6;

describe('concurrency', () => {
	const daemon = useDaemon();

	test('eight writers get a version of their own each, and each holds their bytes', async () => {
		for (let round = 0; round < ROUNDS; round++) {
			const models = Array.from({ length: WRITERS }, (_, i) =>
				denseModel({ seed: 100 * round + 10 * i + 1, shardBytes: 16 }));
			const answers = await Promise.all(models.map((model) => publish(daemon, 'shared', model)));
			assert.deepEqual(answers.map(({ status }) => status), new Array(WRITERS).fill(201));
			const versions = answers.map((answered) => answered.json.version);
			assert.deepEqual([...versions].sort((a, b) => a - b),
				Array.from({ length: WRITERS }, (_, i) => round * WRITERS + i + 1));
			await Promise.all(models.map(async (model, i) => {
				for (const { path, bytes } of model.files) {
					const { body } = await get(daemon, `/models/shared@${versions[i]}/${path}`);
					assert.deepEqual(body, Buffer.from(bytes));
				}
			}));
		}
	});

	test('eight writers of the same files make one version at most each, all whole', async () => {
		const model = denseModel({ seed: 5, shardBytes: 16 });
		const answers = await Promise.all(Array.from({ length: WRITERS }, () => publish(daemon, 'same', model)));
		assert.equal(answers.filter(({ status }) => status === 201).length, 1);
		assert.equal(answers.filter(({ status }) => status === 200).length, WRITERS - 1);
		assert.deepEqual([...new Set(answers.map((answered) => answered.json.version))], [1]);
		for (const { path, bytes } of model.files) {
			assert.deepEqual((await get(daemon, `/models/same@1/${path}`)).body, Buffer.from(bytes));
		}
	});

	test('a reader of latest never sees two versions in one, nor one older than it saw', async () => {
		const last = 40;
		const model = (version) => denseModel({ inputs: 16, fill: version, shardBytes: 40,
			metadata: { version } });
		await published(daemon, 'moving', model(1));
		let done = false;
		let seen = 0;

		async function read() {
			let newest = 0;
			while (!done) {
				const answered = await get(daemon, '/models/moving/model.json');
				const { userDefinedMetadata: { version }, weightsManifest: [{ paths }] } = answered.json;
				assert.ok(version >= newest, `${version} after ${newest}`);
				newest = version;
				assert.equal(answered.headers['content-location'], `/models/moving@${version}/model.json`);
				const bodies = await Promise.all(paths.map((path) =>
					get(daemon, new URL(path, daemon.url('/models/moving/')).pathname)));
				const bytes = Buffer.concat(bodies.map(({ body }) => body));
				const expected = Buffer.concat(shardsOf(model(version)).map((shard) => Buffer.from(shard.bytes)));
				assert.deepEqual(bytes, expected);
				seen++;
			}
		}

		async function write() {
			try {
				for (let version = 2; version <= last; version++) {
					assert.equal((await published(daemon, 'moving', model(version))).version, version);
				}
			} finally {
				done = true;
			}
		}

		await Promise.all([write(), ...Array.from({ length: 4 }, read)]);
		assert.ok(seen > 0);
		assert.equal((await get(daemon, '/models/moving/model.json')).json.userDefinedMetadata.version, last);
	});

	test('a version is readable through latest as soon as its publish was answered', async () => {
		for (let version = 1; version <= 30; version++) {
			await published(daemon, 'fresh', denseModel({ fill: version, metadata: { version } }));
			const { json } = await get(daemon, '/models/fresh/model.json');
			assert.equal(json.userDefinedMetadata.version, version);
		}
	});
});
