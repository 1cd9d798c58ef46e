// SPDX-License-Identifier: Apache-2.0
// Publishing: what clients send, and what they are answered.

import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import fs from 'node:fs';
import path from 'node:path';
import { describe, test } from 'node:test';
import { promisify } from 'node:util';

import { have, scratchDir, useDaemon } from '../lib/daemon.mjs';
import {
	Wire, assertOpenToPages, get, multipart, partsOf, post, publish, published, requestHead,
} from '../lib/http.mjs';
import { addGraph, denseModel, shardsOf, utf8, withFile, withJson } from '../lib/models.mjs';

const run = promisify(execFile);

async function assertServes(daemon, ref, model) {
	for (const { path: file, bytes } of model.files) {
		const answered = await get(daemon, `/models/${ref}/${file}`);
		assert.equal(answered.status, 200, `${ref}/${file}: ${answered.text.slice(0, 200)}`);
		assert.deepEqual(answered.body, Buffer.from(bytes), `${ref}/${file}`);
	}
}

describe('publishing', { concurrency: false }, () => {
	const daemon = useDaemon();

	test('what model.save sends becomes version 1 and the answer says where it is', async () => {
		const model = denseModel();
		const answered = await publish(daemon, 'said/where', model);
		assert.equal(answered.status, 201, answered.text);
		assertOpenToPages(answered);
		assert.match(answered.headers['content-type'], /^application\/json/);
		assert.equal(answered.headers.location, '/models/said/where@1/model.json');
		const body = answered.json;
		assert.equal(body.name, 'said/where');
		assert.equal(body.version, 1);
		assert.equal(body.ref, 'said/where@1');
		assert.match(body.root_digest, /^sha256:[0-9a-f]{64}$/);
		assert.equal(body.deduplicated, false);
		assert.deepEqual(body.findings, []);
		assert.equal(new URL(body.url, daemon.origin).href, daemon.url('/models/said/where@1/model.json'));
		await assertServes(daemon, 'said/where@1', model);
	});

	test('the answer holds modelArtifactsInfo as tf.io gives it', async () => {
		const model = denseModel({ inputs: 5, units: 2 });
		const { modelArtifactsInfo: info } = await published(daemon, 'info', model);
		assert.ok(Math.abs(Date.now() - Date.parse(info.dateSaved)) < 3_600_000, info.dateSaved);
		assert.equal(info.modelTopologyType, 'JSON');
		assert.equal(info.modelTopologyBytes, JSON.stringify(model.json.modelTopology).length);
		assert.equal(info.weightSpecsBytes, JSON.stringify(model.json.weightsManifest[0].weights).length);
		assert.equal(info.weightDataBytes, 48);
	});

	test('versions count up, each model by itself', async () => {
		for (const version of [1, 2, 3]) {
			const body = await published(daemon, 'counting', denseModel({ seed: version }));
			assert.equal(body.version, version);
		}
		assert.equal((await published(daemon, 'counting/other', denseModel())).version, 1);
	});

	test('the same files again are 200 with the version they have', async () => {
		const model = denseModel({ seed: 7 });
		const first = await published(daemon, 'again', model);
		const retried = await publish(daemon, 'again', model);
		assert.equal(retried.status, 200);
		assert.equal(retried.headers.location, '/models/again@1/model.json');
		assert.equal(retried.json.deduplicated, true);
		assert.equal(retried.json.version, 1);
		assert.equal(retried.json.root_digest, first.root_digest);
	});

	test('files of an older version than the newest make a new version', async () => {
		await published(daemon, 'back', denseModel({ seed: 1 }));
		await published(daemon, 'back', denseModel({ seed: 2 }));
		const body = await published(daemon, 'back', denseModel({ seed: 1 }));
		assert.equal(body.version, 3);
	});

	test('the order of parts does not matter, nor does it make another version', async () => {
		const model = denseModel({ shardBytes: 13 });
		const { root_digest: root } = await published(daemon, 'order', model);
		const reversed = multipart(partsOf(model).reverse());
		const answered = await post(daemon, '/models/order', reversed);
		assert.equal(answered.status, 200);
		assert.equal(answered.json.root_digest, root);
		const alone = await post(daemon, '/models/order-of-its-own', reversed);
		assert.equal(alone.status, 201, alone.text);
		await assertServes(daemon, 'order-of-its-own@1', model);
	});

	for (const [how, rename] of [
		['by filename alone', ({ filename, ...part }) => ({ ...part, name: undefined, filename })],
		['by filename, all parts of one name', (part) => ({ ...part, name: 'files' })],
		['by part name alone', ({ filename, ...part }) => part],
		['by part name, all files called blob', (part) => ({ ...part, filename: 'blob' })],
		['with ./ before the filename', (part) => ({ ...part, filename: `./${part.filename}` })],
	]) {
		test(`parts are known ${how}`, async () => {
			const name = `known-${how.replaceAll(/[^a-z]+/g, '-')}`;
			const model = denseModel({ shardBytes: 20 });
			const answered = await post(daemon, `/models/${name}`,
				multipart(partsOf(model).map(rename)));
			assert.equal(answered.status, 201, answered.text);
			await assertServes(daemon, `${name}@1`, model);
		});
	}

	test('PUT publishes as POST does', async () => {
		const model = denseModel();
		const answered = await post(daemon, '/models/put', multipart(partsOf(model)), { method: 'PUT' });
		assert.equal(answered.status, 201, answered.text);
		await assertServes(daemon, 'put@1', model);
	});

	test('a chunked body of any chunk size is read', async () => {
		const model = denseModel({ shardBytes: 16 });
		const { headers, body } = multipart(partsOf(model));
		for (const size of [1, 7, body.length]) {
			const wire = new Wire(daemon.port);
			const pieces = [];
			for (let at = 0; at < body.length; at += size) {
				const chunk = body.subarray(at, at + size);
				pieces.push(Buffer.from(`${chunk.length.toString(16)}\r\n`), chunk, Buffer.from('\r\n'));
			}
			pieces.push(Buffer.from('0\r\n\r\n'));
			await wire.send(requestHead('POST', `/models/chunked-${size}`,
				{ 'Content-Type': headers['content-type'], 'Transfer-Encoding': 'chunked' }),
			Buffer.concat(pieces));
			const answered = await wire.answer();
			assert.equal(answered.status, 201, answered.body.toString());
			wire.destroy();
			await assertServes(daemon, `chunked-${size}@1`, model);
		}
	});

	test('an uploader that waits for 100 Continue gets it', async () => {
		const { headers, body } = multipart(partsOf(denseModel()));
		const wire = new Wire(daemon.port);
		await wire.send(requestHead('POST', '/models/continue', { 'Content-Type': headers['content-type'],
			'Content-Length': body.length, Expect: '100-continue' }));
		assert.equal((await wire.answer()).status, 100);
		await wire.send(body);
		assert.equal((await wire.answer()).status, 201);
		wire.destroy();
	});

	test('an uploader that waits for 100 Continue is refused before it sends', async () => {
		const wire = new Wire(daemon.port);
		await wire.send(requestHead('POST', '/models/UPPER',
			{ 'Content-Type': 'multipart/form-data; boundary=x', 'Content-Length': 1000000,
				Expect: '100-continue' }));
		assert.equal((await wire.answer()).status, 400);
		wire.destroy();
	});

	test('preamble, epilogue, transport padding and unknown part headers are let through', async () => {
		const model = denseModel();
		const form = multipart(partsOf(model), { preamble: 'for old mail readers\r\n' });
		const padded = form.body.toString('latin1')
			.replaceAll('--boundary-of-a-test\r\n', '--boundary-of-a-test \t\r\nX-Unknown: 1\r\n');
		const answered = await post(daemon, '/models/padded',
			{ headers: form.headers, body: Buffer.from(`${padded}the end`, 'latin1') });
		assert.equal(answered.status, 201, answered.text);
		await assertServes(daemon, 'padded@1', model);
	});

	test('shards and companions keep their folders', async () => {
		let model = denseModel({ shardBytes: 24, prefix: 'weights/fine/' });
		model = withFile(model, 'docs/labels.txt', utf8('cat\ndog\n'));
		model = withFile(model, 'metadata.json', utf8('{"labels":["cat","dog"]}'));
		model = withFile(model, 'README with blanks é.md', utf8('# Read me\n'));
		await published(daemon, 'companions', model);
		const { files } = (await get(daemon, '/v1/models/companions/versions/1')).json;
		assert.deepEqual(files.map((file) => file.path).sort(), model.files.map((file) => file.path).sort());
		for (const { path: file, bytes } of model.files) {
			const answered = await get(daemon, `/models/companions@1/${encodeURI(file)}`);
			assert.equal(answered.status, 200, file);
			assert.deepEqual(answered.body, Buffer.from(bytes));
		}
	});

	test('a model.json under another name is stored as model.json and keeps the name', async () => {
		const model = denseModel();
		const [json] = partsOf(model);
		const others = partsOf(model).slice(1);
		const answered = await post(daemon, '/models/stride', multipart([...others,
			{ ...json, name: 'model-stride16.json', filename: 'model-stride16.json' },
			{ name: 'metadata.json', filename: 'metadata.json', body: '{"a":1}' }]));
		assert.equal(answered.status, 201, answered.text);
		await assertServes(daemon, 'stride@1', model);
		const old = await get(daemon, '/models/stride@1/model-stride16.json');
		assert.equal(old.status, 200);
		assert.deepEqual(old.body, Buffer.from(model.files[0].bytes));
		assert.equal((await get(daemon, '/models/stride@latest/model-stride16.json')).status, 200);
	});

	test('a topology without weights and weights without a topology are models', async () => {
		const { json, files } = denseModel();
		const bare = { files: [{ path: 'model.json',
			bytes: utf8(JSON.stringify({ modelTopology: json.modelTopology })) }] };
		await published(daemon, 'topology-only', bare);
		await assertServes(daemon, 'topology-only@1', bare);
		const weights = { files: [{ path: 'model.json',
			bytes: utf8(JSON.stringify({ modelTopology: null, weightsManifest: json.weightsManifest })) },
		...shardsOf({ files })] };
		await published(daemon, 'weights-only', weights);
		await assertServes(daemon, 'weights-only@1', weights);
	});

	test('an empty weights part, as for a model without weights, is a file of no bytes', async () => {
		const model = denseModel();
		const empty = withFile(withJson(model, (json) => {
			json.weightsManifest[0].weights = [];
			json.modelTopology.config.layers = [{ class_name: 'Flatten',
				config: { name: 'flatten', trainable: true, batch_input_shape: [null, 2, 2], dtype: 'float32' } }];
			return json;
		}), 'model.weights.bin', new Uint8Array(0));
		await published(daemon, 'no-weights', empty);
		await assertServes(daemon, 'no-weights@1', empty);
	});

	test('a byte order mark and every spelling of numbers survive', async () => {
		const model = withJson(addGraph(), (json) => {
			const text = JSON.stringify(json, null, '\t')
				.replace('"producer": 1645', '"producer": 1.645e3, "minConsumer": -0.0');
			return `\ufeff${text}\n`;
		});
		await published(daemon, 'spelling', model);
		await assertServes(daemon, 'spelling@1', model);
	});

	test('a model of 1000 shards is published', async () => {
		const model = addGraph({ size: 1000, shardBytes: 4 });
		assert.equal(shardsOf(model).length, 1000);
		await published(daemon, 'thousand', model);
		await assertServes(daemon, 'thousand@1', { files: [model.files[0], ...model.files.slice(-3)] });
	});

	describe('with curl', { skip: !have('curl') && 'curl is not installed' }, () => {
		function written(model) {
			const dir = scratchDir('curl');
			for (const { path: file, bytes } of model.files) {
				fs.mkdirSync(path.dirname(path.join(dir, file)), { recursive: true });
				fs.writeFileSync(path.join(dir, file), bytes);
			}
			return dir;
		}

		async function curl(cwd, ...args) {
			const { stdout } = await run('curl', ['-sS', '-w', '\n%{http_code}', ...args], { cwd });
			const [, body, status] = /^([^]*)\n(\d+)$/.exec(stdout);
			return { status: Number(status), body };
		}

		for (const [how, form] of [
			['name=@file', (file) => ['-F', `${file}=@${file}`]],
			['the filename alone', (file) => ['-F', `file=@${file};filename=${file}`]],
			['the part name, its content inline', (file) => ['-F', `${file}=<${file}`]],
			['a type', (file) => ['-F', `${file}=@${file};type=application/octet-stream`]],
		]) {
			const byText = how.includes('inline'); // curl takes text there: no NUL bytes
			test(`-F with ${how}`, async () => {
				const model = byText
					? { files: [{ path: 'model.json', bytes: utf8(JSON.stringify(
						{ modelTopology: denseModel().json.modelTopology })) },
					{ path: 'labels.txt', bytes: utf8('cat\n') }] }
					: denseModel({ shardBytes: 20, prefix: 'sub/' });
				const name = `curl-${how.replaceAll(/[^a-z]+/g, '-')}`.replace(/-$/, '');
				const answered = await curl(written(model),
					...model.files.flatMap(({ path: file }) => form(file)), daemon.url(`/models/${name}`));
				assert.equal(answered.status, 201, answered.body);
				await assertServes(daemon, `${name}@1`, model);
			});
		}

		test('-X PUT with a body above a megabyte', async () => {
			const model = addGraph({ size: 700_000, shardBytes: 1 << 20 });
			const answered = await curl(written(model), '-X', 'PUT',
				...model.files.flatMap(({ path: file }) => ['-F', `${file}=@${file}`]),
				daemon.url('/models/curl/large'));
			assert.equal(answered.status, 201, answered.body);
			await assertServes(daemon, 'curl/large@1', model);
		});

		test('-H "Transfer-Encoding: chunked"', async () => {
			const model = denseModel();
			const answered = await curl(written(model), '-H', 'Transfer-Encoding: chunked',
				...model.files.flatMap(({ path: file }) => ['-F', `${file}=@${file}`]),
				daemon.url('/models/curl-chunked'));
			assert.equal(answered.status, 201, answered.body);
			await assertServes(daemon, 'curl-chunked@1', model);
		});
	});
});
