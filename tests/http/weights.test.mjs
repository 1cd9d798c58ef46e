// SPDX-License-Identifier: Apache-2.0
// What a publish says about the numbers and the shards of a model, and what it keeps of them.

import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import fs from 'node:fs';
import { describe, test } from 'node:test';

import { NO_FORMS, startDaemon, useDaemon } from '../lib/daemon.mjs';
import { assertProblem, get, multipart, partsOf, post, publish, published } from '../lib/http.mjs';
import { addGraph, assemble, concat, cut, denseModel, floatWeight, randomFloats, stringWeight, withJson } from '../lib/models.mjs';

const sha256 = (bytes) => createHash('sha256').update(bytes).digest('hex');
const rules = ({ findings }) => findings.map(({ rule, severity }) => [rule, severity]);

// Two weights in two shards, the second of which is larger: TensorFlow.js would read `c` as zeros.
function brokenLayout(values = [1, 2, 3, 4, 5, 6]) {
	const weights = [floatWeight('a', [1], values.slice(0, 1)), floatWeight('b', [2], values.slice(1, 3)),
		floatWeight('c', [3], values.slice(3))];
	const bytes = concat(weights.map((weight) => weight.bytes));
	return assemble({}, weights, [{ path: 'a.bin', bytes: bytes.slice(0, 4) }, { path: 'b.bin', bytes: bytes.slice(4) }]);
}

describe('the tensors of a version', () => {
	const daemon = useDaemon();

	test('are told with their statistics and digests', async () => {
		const model = denseModel({ seed: 5 });
		const { version } = await published(daemon, 'm', model);
		const { status, headers, json } = await get(daemon, `/v1/models/m/versions/${version}/tensors`);
		assert.equal(status, 200);
		assert.equal(json.ref, `m@${version}`);
		let offset = 0;
		for (const [i, { entry, bytes }] of model.weights.entries()) {
			const values = [...new Float32Array(bytes.buffer)];
			const { min, max, mean, ...told } = json.tensors[i];
			assert.deepEqual(told, { name: entry.name, dtype: 'float32', shape: entry.shape, offset,
				bytes: bytes.length, zeros: 0, nan: 0, infinite: 0, sha256: sha256(bytes) });
			assert.equal(min, Math.min(...values));
			assert.equal(max, Math.max(...values));
			assert.ok(Math.abs(mean - values.reduce((a, b) => a + b) / values.length) < 1e-9);
			offset += bytes.length;
		}
		const again = await get(daemon, `/v1/models/m/versions/${version}/tensors`, { 'if-none-match': headers.etag });
		assert.equal(again.status, 304);
	});

	test('are measured across the borders of shards, strings too', async () => {
		const weights = [stringWeight('words', [3], ['one', '', 'three']), floatWeight('w', [5], [1, 2, 3, 4, 5])];
		const model = assemble({}, weights, cut(concat(weights.map(({ bytes }) => bytes)), 3));
		await published(daemon, 'words', model);
		const { json } = await get(daemon, '/v1/models/words/versions/1/tensors');
		assert.deepEqual(json.tensors.map((tensor) => [tensor.bytes, tensor.sha256, tensor.mean]),
			[[weights[0].bytes.length, sha256(weights[0].bytes), undefined], [20, sha256(weights[1].bytes), 3]]);
	});

	test('are none for a topology alone', async () => {
		await published(daemon, 'bare', { files: [denseModel().files[0]].map((file) => ({ ...file,
			bytes: Buffer.from(JSON.stringify({ modelTopology: denseModel().json.modelTopology })) })) });
		assert.deepEqual((await get(daemon, '/v1/models/bare/versions/1/tensors')).json.tensors, []);
	});

	test('of a version that is not there are not found', async () => {
		assertProblem(await get(daemon, '/v1/models/m/versions/99/tensors'), 404, 'VERSION_NOT_FOUND');
		assertProblem(await get(daemon, '/v1/models/none/versions/1/tensors'), 404, 'MODEL_NOT_FOUND');
	});
});

describe('the digests of large weights', () => {
	// 2.4 MB in two weights, with the border of the shards in the second.
	const large = (seed) => {
		const weights = [floatWeight('a', [250, 1000], randomFloats(seed, 250000)),
			floatWeight('b', [350, 1000], randomFloats(seed + 1, 350000))];
		return assemble({}, weights, cut(concat(weights.map(({ bytes }) => bytes)), 1300000));
	};
	const told = async (daemon, name) => {
		const { status, headers, json } = await get(daemon, `/v1/models/${name}/versions/1/tensors`);
		assert.equal(status, 200);
		return { etag: headers.etag, digests: json.tensors.map((tensor) => tensor.sha256) };
	};
	const right = ({ weights }) => weights.map(({ bytes }) => sha256(bytes));

	test('are told at once to whoever asks, after kill -9 and a restart too, and under one ETag', async (t) => {
		const model = large(1);
		const other = large(3);
		const first = await startDaemon(t, { set: NO_FORMS });
		await published(first, 'm', model);
		await published(first, 'other', other);
		const before = await told(first, 'm');
		assert.deepEqual(before.digests, right(model));
		await first.kill();
		const second = await startDaemon(t, { store: first.store, set: NO_FORMS });
		assert.deepEqual(await told(second, 'm'), before);
		assert.deepEqual((await told(second, 'other')).digests, right(other));
		assert.deepEqual(await told(second, 'm'), before);
		await second.stop();
	});

	test('are computed in the background, and by several who ask meanwhile', async (t) => {
		const models = [5, 7, 9].map(large);
		const daemon = await startDaemon(t, { set: { 'store.precompress_rate': '1GiB' } });
		for (const [i, model] of models.entries()) {
			await published(daemon, `m${i}`, model);
			const answers = await Promise.all([0, 1, 2, 3].map(() => told(daemon, `m${i}`)));
			answers.forEach((answer) => assert.deepEqual(answer, { ...answers[0], digests: right(model) }));
		}
		await daemon.stop();
	});

	test('need the files: while one is lost, the answer is an error', async (t) => {
		const daemon = await startDaemon(t, { set: NO_FORMS });
		const model = large(11);
		await published(daemon, 'm', model);
		const shard = daemon.files('blobs').find((file) => fs.statSync(file).size === 1300000);
		fs.renameSync(shard, `${shard}.away`);
		assertProblem(await get(daemon, '/v1/models/m/versions/1/tensors'), 500, 'CORRUPT');
		fs.renameSync(`${shard}.away`, shard);
		assert.deepEqual((await told(daemon, 'm')).digests, right(model));
		await daemon.stop();
	});
});

describe('odd weights', () => {
	const daemon = useDaemon();

	test('that are not finite are a warning with their names and numbers', async () => {
		const told = await published(daemon, 'nan', addGraph({ values: [1, NaN, 3, Infinity, 5, NaN] }));
		assert.deepEqual(rules(told), [['weights.not-finite', 'warning']]);
		assert.match(told.findings[0].message, /^2 NaN and 1 infinite values in 1 of 1 weights: 'w'/);
	});

	test('a kernel of zeros is a warning, a bias of zeros is not', async () => {
		assert.deepEqual(rules(await published(daemon, 'zeros', denseModel({ fill: 0 }))), [['weights.all-zero', 'warning']]);
		assert.deepEqual(rules(await published(daemon, 'ones', denseModel({ fill: 1 }))), []);
	});

	test('shards out of the order of their numbers are a warning', async () => {
		const model = addGraph({ size: 12, shardBytes: 4 });
		const sorted = withJson(model, (json) => {
			json.weightsManifest[0].paths.sort();
			return json;
		});
		const told = await published(daemon, 'sorted', sorted);
		assert.deepEqual(rules(told), [['weights.shard-order', 'warning']]);
		assert.match(told.findings[0].message, /'group1-shard10of12\.bin' stands where shard 1 of 12 belongs/);
	});
});

describe('a layout of shards that loads as zeros', () => {
	test('is stored as equal shards, and says so', async (t) => {
		const daemon = await startDaemon(t);
		const model = brokenLayout();
		const dry = await post(daemon, '/models/m?dry_run=true', multipart(partsOf(model)));
		assert.deepEqual(rules(dry.json), [['weights.resharded', 'warning']]);
		const told = await published(daemon, 'm', model);
		assert.equal(told.root_digest, dry.json.would_be.root_digest);
		assert.deepEqual(rules(told), [['weights.resharded', 'warning']]);
		assert.match(told.findings[0].message, /stored as one shard[.]/);
		const { json } = await get(daemon, '/v1/models/m/versions/1');
		assert.equal(json.repaired.rule, 'weights.shard-layout');
		assert.match(told.findings[0].message, new RegExp(json.repaired.original_root_digest));
		assert.notEqual(json.repaired.original_root_digest, json.root_digest);
		assert.deepEqual(json.files.map(({ path }) => path), ['group1-shard1of1.bin', 'model.json']);
		const shard = await get(daemon, '/models/m@1/group1-shard1of1.bin');
		assert.deepEqual([...new Float32Array(new Uint8Array(shard.body).buffer)], [1, 2, 3, 4, 5, 6]);
		assert.equal((await publish(daemon, 'm', model)).json.deduplicated, true);
		await daemon.stop();
	});

	test('is refused when repair is off', async (t) => {
		const daemon = await startDaemon(t, { set: { 'validation.repair': 'off' } });
		const refused = await publish(daemon, 'm', brokenLayout());
		assertProblem(refused, 422, 'NOT_LOADABLE');
		assert.deepEqual(refused.json.errors.map(({ rule }) => rule), ['weights.shard-layout']);
		await daemon.stop();
	});
});
