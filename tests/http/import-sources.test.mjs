// SPDX-License-Identifier: Apache-2.0
// Imports from every place that a model is hosted at: what is asked for, and what becomes of it. What
// TensorFlow.js itself asks for is compared in tfjs/import.test.mjs.

import assert from 'node:assert/strict';
import { describe, test } from 'node:test';

import { file, gzipped, redirect, reprDigest, sha256, status } from '../lib/answers.mjs';
import { archived, makers, noMaker, written } from '../lib/archives.mjs';
import { useDaemon } from '../lib/daemon.mjs';
import { assertProblem, get } from '../lib/http.mjs';
import { assertHolds, FROM_HERE, imported, importOf, refused, versionsOf } from '../lib/imports.mjs';
import { addGraph, denseModel, shardsOf, utf8, withFile, withJson } from '../lib/models.mjs';
import { startOrigin } from '../lib/origin.mjs';

const graph = (seed) => addGraph({ seed, size: 24, shardBytes: 32 });

describe('an import', () => {
	const daemon = useDaemon({ set: FROM_HERE });
	let names = 0;
	const fresh = () => `sources/m${++names}`;

	test('of a model.json makes a version with its files, byte for byte', async (t) => {
		const origin = await startOrigin(t);
		const model = graph(1);
		origin.serve('/some/where', model, (bytes) => file(bytes));
		const name = fresh();
		const job = await imported(daemon, name, { url: origin.url('/some/where/model.json'), label: 'stable' });
		assert.equal(job.kind, 'import');
		assert.equal(job.model, name);
		assert.equal(job.version, 1);
		assert.equal(job.ref, `${name}@1`);
		assert.equal(job.label, 'stable');
		assert.match(job.url, new RegExp(`/models/${name}@1/model\\.json$`));
		assert.match(job.root_digest, /^sha256:[0-9a-f]{64}$/);
		assert.equal(job.attempt, 1);
		const bytes = model.files.reduce((sum, one) => sum + one.bytes.length, 0);
		assert.equal(job.progress.bytes, bytes);
		assert.equal(job.progress.total, bytes);
		assert.equal(job.progress.files, model.files.length);
		assert.equal(job.progress.files_total, model.files.length);
		for (const time of [job.created, job.started, job.finished]) {
			assert.match(time, /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d/);
		}
		await assertHolds(daemon, name, 1, model.files);
		const { json } = await get(daemon, `/v1/models/${name}/labels/stable`);
		assert.equal(json.version, 1);
		assert.deepEqual(origin.fetched(), model.files.map(({ path }) => `/some/where/${path}`).sort());
	});

	test('takes a model.json of any name, which is model.json here', async (t) => {
		const origin = await startOrigin(t);
		const model = graph(2);
		origin.serve('/m', model, (bytes) => file(bytes)).on('/m/model.json', status(404));
		origin.on('/m/tfjs_graph.v2.json', file(Buffer.from(model.files[0].bytes)));
		const name = fresh();
		const job = await imported(daemon, name, origin.url('/m/tfjs_graph.v2.json'));
		await assertHolds(daemon, name, job.version, model.files);
	});

	test('carries the query on to the shards', async (t) => {
		const origin = await startOrigin(t);
		const model = graph(3);
		origin.serve('/m', model, (bytes) => file(bytes));
		await imported(daemon, fresh(), origin.url('/m/model.json?signature=a%2Fb+c&x=1'));
		assert.deepEqual(origin.fetched(), model.files.map(({ path }) => `/m/${path}?signature=a%2Fb+c&x=1`).sort());
	});

	test('fetches shards below weightPathPrefix', async (t) => {
		const origin = await startOrigin(t);
		const model = graph(4);
		origin.on('/m/model.json', file(Buffer.from(model.files[0].bytes)));
		origin.serve('/elsewhere', { files: shardsOf(model) }, (bytes) => file(bytes));
		const name = fresh();
		await imported(daemon, name, { url: origin.url('/m/model.json'), weightPathPrefix: origin.url('/elsewhere/') });
		await assertHolds(daemon, name, 1, model.files);
	});

	test('resolves shards against the URL that was asked for, not the one it was redirected to', async (t) => {
		const origin = await startOrigin(t);
		const model = graph(5);
		origin.serve('/cdn', model, (bytes) => file(bytes));
		origin.on('/hub/model.json', redirect(302, '/cdn/model.json'));
		for (const { path } of shardsOf(model)) {
			origin.on(`/hub/${path}`, redirect(307, origin.url(`/cdn/${path}`)));
		}
		const name = fresh();
		await imported(daemon, name, origin.url('/hub/model.json'));
		await assertHolds(daemon, name, 1, model.files);
		assert.deepEqual(origin.fetched().filter((target) => target.startsWith('/cdn/')),
			model.files.map(({ path }) => `/cdn/${path}`).sort());
		model.files.forEach(({ path }) => assert.ok(origin.seen(`/hub/${path}`).length > 0, path));
	});

	test('of a TF Hub handle asks for what TensorFlow.js asks for', async (t) => {
		const origin = await startOrigin(t);
		const model = graph(6);
		origin.serve('/google/net/1', model, (bytes) => file(bytes));
		const name = fresh();
		await imported(daemon, name, { url: origin.url('/google/net/1'), fromTFHub: true });
		assert.deepEqual(origin.fetched(), model.files.map(({ path }) => `/google/net/1/${path}?tfjs-format=file`).sort());
		await assertHolds(daemon, name, 1, model.files);
	});

	for (const [maker, target] of [['tar', '/m.tar'], ['tar -z', '/m.tar.gz'], ['tar -z', '/google/net/1?tfjs-format=compressed'],
		['zip', '/m.zip'], ['bsdtar --format=zip', '/m.zip']]) {
		test(`of an archive by ${maker} at ${target}`, { skip: noMaker(maker) }, async (t) => {
			const origin = await startOrigin(t);
			const model = withFile(graph(7), 'labels.txt', utf8('cat\ndog\n'));
			const { body } = await archived(maker, written(model, 'my model'), 'my model');
			origin.on(target.split('?')[0], file(body, { fields: { 'Content-Type': makers[maker].type } }));
			const name = fresh();
			const job = await imported(daemon, name, origin.url(target));
			await assertHolds(daemon, name, job.version, model.files);
			assert.deepEqual(origin.targets(), [target]);
		});
	}

	test('of an archive that is not what its host says it is fails', async (t) => {
		const origin = await startOrigin(t);
		const { body } = await archived('tar', written(graph(15)));
		origin.on('/m.tar', file(body, { fields: { 'Repr-Digest': reprDigest(Buffer.concat([body, Buffer.from('x')])) } }));
		const error = await refused(daemon, fresh(), origin.url('/m.tar'));
		assert.equal(error.code, 'FETCH_FAILED');
		assert.match(error.detail, /does not have the digest that its host gives/);
	});

	for (const [what, name] of [['a tar that is sent coded', 'm.tar'], ['a tar.gz whose host calls gzip a coding', 'm.tar.gz']]) {
		test(`of ${what}`, async (t) => {
			const origin = await startOrigin(t);
			const model = graph(14);
			const { body } = await archived('tar', written(model));
			origin.on(`/${name}`, gzipped(body, { 'Content-Type': 'application/x-tar' }));
			const into = fresh();
			await imported(daemon, into, origin.url(`/${name}`));
			await assertHolds(daemon, into, 1, model.files);
		});
	}

	test('fetches companions that are asked for, and no others', async (t) => {
		const origin = await startOrigin(t);
		const files = { 'labels.txt': 'cat\n', 'metadata.json': '{"a":1}', 'docs/README.md': 'x' };
		const model = Object.entries(files).reduce((sum, [path, text]) => withFile(sum, path, utf8(text)), graph(8));
		for (const { path, bytes } of model.files) {
			origin.on(`/m/${path}`, file(Buffer.from(bytes)));
		}
		origin.on('/m/other.txt', file(utf8('no')));
		const name = fresh();
		await imported(daemon, name, { url: origin.url('/m/model.json'), include: Object.keys(files) });
		await assertHolds(daemon, name, 1, model.files);
		assert.equal(origin.seen('/m/other.txt').length, 0);
	});

	test('fails when a companion that is asked for is not there, and names it', async (t) => {
		const origin = await startOrigin(t);
		origin.serve('/m', graph(9), (bytes) => file(bytes));
		const name = fresh();
		const error = await refused(daemon, name, { url: origin.url('/m/model.json'), include: ['labels.txt'] });
		assert.equal(error.code, 'FETCH_STATUS');
		assert.equal(error.upstream_status, 404);
		assert.match(error.url, /\/m\/labels\.txt$/);
		assert.deepEqual(await versionsOf(daemon, name), []);
	});

	test('decodes what comes coded, and keeps the decoded bytes', async (t) => {
		const origin = await startOrigin(t);
		const model = graph(10);
		origin.serve('/m', model, (bytes) => gzipped(bytes));
		const name = fresh();
		await imported(daemon, name, origin.url('/m/model.json'));
		await assertHolds(daemon, name, 1, model.files);
	});

	// ---- expect ----

	test('holds the root digest that is expected', async (t) => {
		const origin = await startOrigin(t);
		const model = graph(11);
		origin.serve('/m', model, (bytes) => file(bytes));
		const url = origin.url('/m/model.json');
		const { root_digest: root } = await imported(daemon, fresh(), url);
		await imported(daemon, fresh(), { url, expect: { root } });
		const name = fresh();
		const error = await refused(daemon, name, { url, expect: { root: `sha256:${'0'.repeat(64)}` } });
		assert.equal(error.code, 'EXPECTED_OTHER');
		assert.deepEqual(await versionsOf(daemon, name), []);
	});

	test('holds the digests of files that are expected, and says which one is wrong', async (t) => {
		const origin = await startOrigin(t);
		const model = graph(12);
		origin.serve('/m', model, (bytes) => file(bytes));
		const url = origin.url('/m/model.json');
		const files = Object.fromEntries(model.files.map(({ path, bytes }) => [path, `sha256:${sha256(bytes)}`]));
		await imported(daemon, fresh(), { url, expect: { files } });
		const [shard] = shardsOf(model);
		for (const wrong of [{ ...files, [shard.path]: `sha256:${sha256('other')}` },
			{ 'model.json': `sha256:${sha256('other')}` },
			{ 'missing.bin': `sha256:${sha256('other')}` }]) {
			const name = fresh();
			const error = await refused(daemon, name, { url, expect: { files: wrong } });
			assert.equal(error.code, 'EXPECTED_OTHER', JSON.stringify(error));
			const [bad] = Object.keys(wrong).filter((path) => wrong[path] !== files[path]);
			assert.ok(error.detail.includes(bad), error.detail);
			assert.deepEqual(await versionsOf(daemon, name), []);
		}
	});

	// ---- models that are refused ----

	test('of a model that TensorFlow.js could not load fails with the findings, and is among the rejections', async (t) => {
		const origin = await startOrigin(t);
		const model = graph(13);
		const [shard] = shardsOf(model);
		const short = withFile(model, shard.path, shard.bytes.slice(0, 12));
		origin.serve('/m', short, (bytes) => file(bytes));
		const name = fresh();
		const error = await refused(daemon, name, origin.url('/m/model.json'));
		assert.equal(error.code, 'NOT_LOADABLE');
		assert.ok(error.errors.some(({ rule }) => rule.startsWith('weights.')), JSON.stringify(error.errors));
		const { json } = await get(daemon, `/v1/models/${name}/rejections`);
		assert.equal(json.rejections.length, 1, JSON.stringify(json));
		assert.deepEqual(await versionsOf(daemon, name), []);
	});

	test('with a warning is done, and has each finding once', async (t) => {
		const origin = await startOrigin(t);
		const model = withJson(denseModel({ shardBytes: 16 }), (json) => {
			json.modelTopology.config.layers[0].class_name = 'NoSuchLayer';
			return json;
		});
		origin.serve('/m', model, (bytes) => file(bytes));
		const job = await imported(daemon, fresh(), origin.url('/m/model.json'));
		assert.deepEqual(job.findings.map(({ rule }) => rule), ['layers.unknown-class']);
	});

	test('fetches no shard when model.json alone shows that it is not loadable', async (t) => {
		const origin = await startOrigin(t);
		const model = withJson(denseModel({ shardBytes: 16 }), (json) => {
			json.weightsManifest[0].weights[0].shape = [5, 3]; // not what the topology needs
			return json;
		});
		origin.serve('/m', model, (bytes) => file(bytes));
		const name = fresh();
		const error = await refused(daemon, name, origin.url('/m/model.json'));
		assert.equal(error.code, 'NOT_LOADABLE');
		assert.ok(error.errors.length > 0);
		assert.deepEqual(origin.targets(), ['/m/model.json']);
		const { json } = await get(daemon, `/v1/models/${name}/rejections`);
		assert.equal(json.rejections.length, 1, JSON.stringify(json));
	});

	// ---- bodies ----

	for (const [what, body] of [['an unknown field', { url: 'https://a.example/', links: 1 }], ['no URL', {}],
		['a number as the URL', { url: 7 }], ['a list', []],
		['a header with a line end', { url: 'https://a.example/m.json', headers: { 'X-A': 'b\r\nHost: c' } }],
		['a header that is ours', { url: 'https://a.example/m.json', headers: { Host: 'b.example' } }],
		['a companion outside', { url: 'https://a.example/m.json', include: ['../x'] }],
		['a digest that is none', { url: 'https://a.example/m.json', expect: { root: 'sha256:12' } }],
		['a label that is none', { url: 'https://a.example/m.json', label: 'Upper' }]]) {
		test(`is not begun for a body with ${what}`, async () => {
			const answered = await importOf(daemon, 'bodies', body);
			assert.equal(answered.status, 400, answered.text);
			assertProblem(answered, 400, answered.json.code);
		});
	}
});
