// SPDX-License-Identifier: Apache-2.0
// model.json under a name that moves: its shards are found from every URL that TensorFlow.js makes
// (tfjs-core/src/io/http.ts: parseUrl, getWeightUrls), and are those of one version whatever moves meanwhile.

import assert from 'node:assert/strict';
import http from 'node:http';
import { before, describe, test } from 'node:test';

import { useDaemon } from '../lib/daemon.mjs';
import { get, published, request } from '../lib/http.mjs';
import { addGraph, assemble, cut, denseModel, shardsOf } from '../lib/models.mjs';

const MOVES = 1000;
const LOADERS = 4;
const SHARDS = 6;

// As http.ts has it: the prefix ends with the last slash of the whole URL, and the last query behind it is the suffix.
function shardUrls(url, paths, weightPathPrefix) {
	const lastSlash = url.lastIndexOf('/');
	const lastQuery = url.lastIndexOf('?');
	const prefix = weightPathPrefix ?? `${url.substring(0, lastSlash)}/`;
	const suffix = lastQuery > lastSlash ? url.substring(lastQuery) : '';
	return paths.map((path) => prefix + path + suffix);
}

const pathsOf = (json) => json.weightsManifest.flatMap((group) => group.paths);

// The same weights under shard paths of every form that a manifest may have.
function withPaths(paths) {
	const plain = denseModel({ inputs: 12, units: 2 });
	const bytes = shardsOf(plain)[0].bytes;
	const shards = cut(bytes, Math.ceil(bytes.length / paths.length));
	assert.equal(shards.length, paths.length);
	const made = assemble({ ...plain.json, weightsManifest: undefined }, plain.weights,
		shards.map((shard, i) => ({ ...shard, path: paths[i] })));
	return { ...made, files: made.files.map((file) => ({ ...file, path: file.path.replace(/^(\.\/)+/, '') })) };
}

const FORMS = ['w.bin', './dot.bin', 'sub/folder/w.bin', 'no-suffix', 'a b.bin', 'Grün-€.bin', 'at@2.bin', 'w.bin&x=1;y,(z)\'~!$+.bin'];

describe('a name that moves', () => {
	const daemon = useDaemon();

	async function body(url) {
		const { pathname, search } = new URL(url);
		const answered = await get(daemon, pathname + search);
		assert.equal(answered.status, 200, url);
		return answered;
	}

	describe('shards are found from every URL of model.json', () => {
		for (const name of ['one', 'two/segments', 'now/three/segments.v2', 'and/now/four/seg-ments_1.0']) {
			const model = withPaths(FORMS);
			const last = name.split('/').at(-1);

			before(async () => {
				await published(daemon, name, model);
				const moved = await request(daemon, 'PUT', `/v1/models/${name}/labels/stable`, { body: '{"version":1}' });
				assert.equal(moved.status, 201);
			});

			for (const ref of ['', '@latest', '@stable', '%40stable', '@1', '@ROOT']) {
				for (const query of ['', '?tfjs-format=file', '?v=2&token=a%2Fb', '?a=1?b=2', '?']) {
					test(`${name}${ref}/model.json${query}`, async () => {
						const { root_digest: root } = (await get(daemon, `/v1/models/${name}/versions/1`)).json;
						const url = daemon.url(`/models/${name}${ref.replace('ROOT', root)}/model.json${query}`);
						const { json } = await body(url);
						const isPinned = /@[1R]/.test(ref);
						const expected = isPinned ? FORMS : FORMS.map((path) => `../${last}@1/${path.replace('./', '')}`);
						assert.deepEqual(pathsOf(json), expected);
						for (const [i, shard] of shardUrls(url, pathsOf(json)).entries()) {
							const answered = await body(shard);
							assert.ok(answered.body.equals(Buffer.from(model.files[i + 1].bytes)), shard);
							assert.match(answered.headers['cache-control'], /immutable/, shard);
						}
					});
				}
			}

			// weightPathPrefix is put in front as it is: any ref of the model works, and the pinned one always did.
			test(`${name} with a weightPathPrefix`, async () => {
				for (const at of [name, `${name}@latest`, `${name}@stable`, `${name}@1`]) {
					const url = daemon.url(`/models/${name}@stable/model.json`);
					const { json } = await body(url);
					for (const [i, shard] of shardUrls(url, pathsOf(json), daemon.url(`/models/${at}/`)).entries()) {
						assert.ok((await body(shard)).body.equals(Buffer.from(model.files[i + 1].bytes)), shard);
					}
				}
			});
		}
	});

	test(`a load while a label moves ${MOVES} times is of one version`, async () => {
		const values = 60;
		const filled = (value) => addGraph({ size: values, values: new Float32Array(values).fill(value),
			shardBytes: Math.ceil(values / SHARDS) * 4, metadata: { value } });
		for (const value of [1, 2]) {
			await published(daemon, 'team/label', filled(value));
		}
		const agent = new http.Agent({ keepAlive: true });
		const ask = (method, target, text) => request(daemon, method, target, { agent, body: text });
		const move = async (version) => {
			const { status } = await ask('PUT', '/v1/models/team/label/labels/stable', JSON.stringify({ version }));
			assert.ok(status < 300, String(status));
		};
		await move(1);
		const seen = {};
		let moving = true;
		let moves = 1;
		const mover = (async () => {
			try {
				for (; moves < MOVES || !seen[1] || !seen[2]; moves++) {
					await move(1 + (moves % 2));
				}
			} finally {
				moving = false;
			}
		})();
		const loader = async () => {
			while (moving) {
				const url = daemon.url('/models/team/label@stable/model.json');
				const { status, json } = await ask('GET', new URL(url).pathname);
				assert.equal(status, 200);
				const paths = pathsOf(json);
				assert.equal(paths.length, SHARDS);
				const shards = await Promise.all(shardUrls(url, paths).map((shard) => ask('GET', new URL(shard).pathname)));
				const bytes = Buffer.concat(shards.map((shard) => shard.body));
				const got = new Set(new Float32Array(new Uint8Array(bytes).buffer));
				assert.deepEqual([...got], [json.userDefinedMetadata.value]);
				seen[json.userDefinedMetadata.value] = (seen[json.userDefinedMetadata.value] ?? 0) + 1;
			}
		};
		await Promise.all([mover, ...Array.from({ length: LOADERS }, loader)]);
		agent.destroy();
		const last = await get(daemon, '/models/team/label@stable/model.json');
		assert.equal(last.json.userDefinedMetadata.value, 1 + ((moves - 1) % 2));
	});
});
