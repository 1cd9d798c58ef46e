// SPDX-License-Identifier: Apache-2.0
// modelctl diff: files, model.json and tensors, whoever has them.

import assert from 'node:assert/strict';
import { before, describe, test } from 'node:test';

import { useDaemon } from '../lib/daemon.mjs';
import { published } from '../lib/http.mjs';
import { DIFFERS, INVALID, SERVER, USAGE, folderOf, modelctl } from '../lib/modelctl.mjs';
import { addGraph, denseModel, node, utf8, withFile, withJson } from '../lib/models.mjs';

const NAMES = ['files', 'model', 'tensors'];

describe('diff', () => {
	const daemon = useDaemon();
	const first = denseModel({ seed: 1, inputs: 4, units: 3 });
	const wider = denseModel({ seed: 1, inputs: 4, units: 5 });
	const retrained = denseModel({ seed: 9, inputs: 4, units: 3 });

	before(async () => {
		for (const model of [first, wider, retrained]) {
			await published(daemon, 'm', model);
		}
	});

	async function diff(...args) {
		const done = await modelctl(daemon, ['diff', ...args]);
		assert.equal(done.code, DIFFERS, done.stderr);
		return done;
	}

	test('equal models have the status 0, on the server and on disk', async () => {
		for (const [a, b] of [['m@1', 'm@1'], ['m@1', folderOf(first)], [folderOf(first), folderOf(first)]]) {
			const done = await modelctl(daemon, ['diff', a, b]);
			assert.equal(done.code, 0, done.stderr);
			assert.equal(done.stdout, '');
			const { json } = await modelctl(daemon, ['diff', a, b, '--json']);
			assert.equal(json.same, true);
			assert.deepEqual(NAMES.map((name) => json[name].length), [0, 0, 0]);
		}
	});

	test('another topology is told by its place, tensors by shape', async () => {
		for (const b of ['m@2', folderOf(wider)]) {
			const { stdout } = await diff('m@1', b);
			assert.ok(stdout.startsWith(`--- m@1\n+++ ${b}\nfiles:\n`), stdout);
			assert.match(stdout, /^ {2}~ \/modelTopology\/config\/layers\/\[dense\]\/config\/units  3 -> 5$/m);
			assert.match(stdout, /^ {2}~ dense\/kernel  shape \[4,3\] -> \[4,5\], mean \d/m);
			assert.match(stdout, /^ {2}~ model\.weights\.bin  bytes 60 -> 100, sha256 /m);
		}
	});

	test('other numbers are told by their statistics', async () => {
		const { json } = await diff('m@1', 'm@3', '--json');
		assert.deepEqual(json.model, []);
		assert.deepEqual(json.tensors.map(({ change, name }) => ({ change, name })),
			['dense/bias', 'dense/kernel'].map((name) => ({ change: 'changed', name })));
		const { fields } = json.tensors[1];
		assert.ok(fields.mean.a !== fields.mean.b);
		assert.ok(!('shape' in fields) && !('zeros' in fields));
		assert.ok((await diff('m@1', 'm@3')).stdout.includes('dense/kernel  min '));
	});

	test('what is only in one of them is added or removed', async () => {
		const more = folderOf(withFile(first, 'labels.txt', utf8('a')));
		const added = await diff('m@1', more);
		assert.match(added.stdout, /^ {2}\+ labels\.txt  bytes 1, sha256 /m);
		assert.match(added.stdout, /^The model itself is the same\.$/m);
		assert.match((await diff(more, 'm@1')).stdout, /^ {2}- labels\.txt  bytes 1, /m);
		assert.match((await diff(more, 'm@1', '--color', 'always')).stdout, /\u001b\[31m- labels/); // eslint-disable-line no-control-regex
	});

	test('nodes are matched by name, wherever they stand', async () => {
		const graph = addGraph({ size: 6 });
		const another = withJson(graph, (json) => {
			json.modelTopology.node.unshift(node('z', 'Relu', ['y']));
			return json;
		});
		const { json } = await diff(folderOf(graph), folderOf(another), '--json');
		assert.deepEqual(json.model.map(({ change, name }) => [change, name]), [['added', '/modelTopology/node/[z]']]);
		assert.equal(json.model[0].fields.value.b.op, 'Relu');
	});

	test('-q is the status alone', async () => {
		const done = await diff('-q', 'm@1', 'm@2');
		assert.equal(done.stdout + done.stderr, '');
	});

	test('what cannot be compared is told', async () => {
		const broken = folderOf(withFile(first, 'model.weights.bin', utf8('x')));
		assert.equal((await modelctl(daemon, ['diff', 'm@1', broken])).code, INVALID);
		assert.equal((await modelctl(daemon, ['diff', 'm@1', 'm@9'])).code, SERVER);
		assert.equal((await modelctl(daemon, ['diff', 'm@1', '/no/such'])).code, USAGE);
		assert.equal((await modelctl(daemon, ['diff', 'm@1'])).code, USAGE);
	});
});
