// SPDX-License-Identifier: Apache-2.0
// modelctl lint: the findings of the daemon, without one.

import assert from 'node:assert/strict';
import fs from 'node:fs';
import path from 'node:path';
import { describe, test } from 'node:test';

import { archived, makers, noMaker } from '../lib/archives.mjs';
import { scratchDir, startDaemon, useDaemon } from '../lib/daemon.mjs';
import { multipart, partsOf, post, published } from '../lib/http.mjs';
import { INVALID, NETWORK, SERVER, USAGE, folderOf, modelctl } from '../lib/modelctl.mjs';
import {
	addGraph, assemble, badlyCut, concat, denseModel, floatWeight, stringWeight, utf8, withFile, withJson,
} from '../lib/models.mjs';

const graph = () => addGraph({ size: 64, shardBytes: 64 });
const dense = () => denseModel({ inputs: 16, shardBytes: 40 });
const last = (model) => model.files.at(-1);

const models = {
	'a graph model': graph,
	'a layers model': dense,
	'one shard with ./ before it': () => denseModel({ inputs: 3 }),
	'weights alone': () => assemble({}, [floatWeight('w', [4], [1, 2, 3, 4])],
		[{ path: 'w.bin', bytes: floatWeight('w', [4], [1, 2, 3, 4]).bytes }]),
	'strings': () => {
		const weight = stringWeight('s', [2], ['one', 'two']);
		return assemble({}, [weight], [{ path: 's.bin', bytes: weight.bytes }]);
	},
	'companions': () => withFile(withFile(dense(), 'labels.txt', utf8('a\nb\n')), 'deep/notes.md', utf8('# x')),
	'a model of another name': () => {
		const model = dense();
		model.files[0].path = 'net.json';
		return model;
	},
	'all in one folder': () => {
		const model = graph();
		model.files = model.files.map((file) => ({ ...file, path: `export/web/${file.path}` }));
		return model;
	},
	'zeros': () => denseModel({ inputs: 16, fill: 0 }),
	'not a number': () => addGraph({ size: 4, values: [1, NaN, Infinity, 2] }),
	'a layout that reads as zeros': badlyCut,
	'a shard cut short': () => withFile(graph(), last(graph()).path, last(graph()).bytes.slice(0, 7)),
	'a shard too long': () => withFile(graph(), last(graph()).path, concat([last(graph()).bytes, utf8('more')])),
	'a missing shard': () => withFile(graph(), last(graph()).path, undefined),
	'a page instead of a shard': () =>
		withFile(graph(), last(graph()).path, utf8('<!DOCTYPE html><html><body>404</body></html>')),
	'an LFS pointer for weights': () => withFile(denseModel({ inputs: 3 }), 'model.weights.bin',
		utf8('version https://git-lfs.github.com/spec/v1\noid sha256:00\nsize 5\n')),
	'JSON that is none': () => withJson(dense(), () => '{"modelTopology": '),
	'no model.json': () => withFile(dense(), 'model.json', undefined),
	'two that could be it': () => {
		const model = dense();
		model.files[0].path = 'a.json';
		return withFile(model, 'b.json', model.files[0].bytes);
	},
	'an unknown layer': () => withJson(dense(), (json) => {
		json.modelTopology.config.layers[0].class_name = 'Densest';
		return json;
	}),
	'a weight of another shape': () => withJson(dense(), (json) => {
		json.weightsManifest[0].weights[0].shape = [8, 6];
		return json;
	}),
	'an input that no node gives': () => withJson(graph(), (json) => {
		json.modelTopology.node[2].input = ['x', 'nowhere'];
		return json;
	}),
};

describe('lint of a folder', () => {
	const daemon = useDaemon();

	for (const [name, make] of Object.entries(models)) {
		test(`says what the daemon's dry run says: ${name}`, async () => {
			const model = make();
			const dir = folderOf(model);
			const done = await modelctl(undefined, ['lint', dir, '--json']);
			const form = await post(daemon, '/models/m?dry_run=true', multipart(partsOf(model)));
			if (form.status === 200) {
				assert.equal(done.code, 0, done.stderr);
				assert.deepEqual(done.json.findings, form.json.findings);
				assert.equal(done.json.valid, true);
				if (!done.json.resharded) {
					assert.equal(done.json.root_digest, form.json.would_be.root_digest);
				}
			} else {
				assert.equal(form.status, 422, form.text);
				assert.equal(done.code, INVALID, done.stderr);
				assert.deepEqual(done.json.findings, form.json.errors);
				assert.equal(done.json.valid, false);
			}
		});
	}

	test('--rule judges as a server does that has set it', async (t) => {
		const strict = await startDaemon(t, { set: { 'validation.rules': 'weights.all-zero=error' } });
		const model = denseModel({ inputs: 16, fill: 0 });
		const dir = folderOf(model);
		const usual = await modelctl(undefined, ['lint', dir, '--json']);
		assert.equal(usual.code, 0, usual.stderr);
		const done = await modelctl(undefined, ['lint', dir, '--json', '--rule', 'weights.all-zero=error']);
		assert.equal(done.code, INVALID, done.stderr);
		const form = await post(strict, '/models/m?dry_run=true', multipart(partsOf(model)));
		assert.deepEqual(done.json.findings, form.json.errors);
		const off = await modelctl(undefined, ['lint', dir, '--json', '--rule=weights.all-zero=off']);
		assert.deepEqual(off.json.findings.filter(({ rule }) => rule === 'weights.all-zero'), []);
		// Refused before a byte is sent, and with the usual rules by the server itself.
		const origin = { origin: 'http://127.0.0.1:1' };
		assert.equal((await modelctl(origin, ['push', dir, 'm', '--rule', 'weights.all-zero=error'])).code, INVALID);
		const refused = await modelctl(strict, ['push', dir, 'm']);
		assert.equal(refused.code, INVALID, refused.stderr);
		assert.match(refused.stderr, /^error weights\.all-zero/m);
		await strict.stop();
	});

	test('a --rule that is none, or of a REF, is told', async () => {
		const dir = folderOf(dense());
		for (const [words, said] of [[[dir, '--rule', 'nonsense=off'], /there is no such rule.*\n.*modeld-rules\(7\)/],
			[[dir, '--rule', 'weights.all-zero'], /--rule/], [['m', '--rule', 'weights.all-zero=off'], /as its server has set/]]) {
			const done = await modelctl(undefined, ['lint', ...words]);
			assert.equal(done.code, USAGE, done.stderr);
			assert.match(done.stderr, said);
		}
	});

	test('people read the rule, the place, the cause and the fix', async () => {
		const dir = folderOf(models['a shard cut short']());
		const done = await modelctl(undefined, ['lint', dir]);
		assert.equal(done.code, INVALID);
		assert.match(done.stdout, /^error weights\.too-short model\.json \/weightsManifest: .*\n  A shard is cut/);
		assert.match(done.stdout, /: 1 error\n$/);
		assert.doesNotMatch(done.stdout, /\u001b/);
		assert.match((await modelctl(undefined, ['lint', dir, '--color=always'])).stdout, /^\u001b\[31merror/);
		assert.match((await modelctl(undefined, ['lint', folderOf(dense())])).stdout,
			/TensorFlow\.js can load it: layers-model, 7 files, /);
		assert.equal((await modelctl(undefined, ['lint', '-q', folderOf(dense())])).stdout, '');
	});

	test('names that begin with a dot are passed over', async () => {
		const dir = folderOf(withFile(withFile(dense(), '.git/config', utf8('x')), '.DS_Store', utf8('x')));
		assert.equal((await modelctl(undefined, ['lint', dir, '--json'])).json.files, dense().files.length);
	});

	test('what is no model on disk is told', async () => {
		const dir = folderOf(dense());
		fs.symlinkSync('..', path.join(dir, 'loop'));
		const loop = await modelctl(undefined, ['lint', dir]);
		assert.equal(loop.code, USAGE);
		assert.match(loop.stderr, /loop is a link to a folder/);
		const text = path.join(scratchDir('text'), 'x.txt');
		fs.writeFileSync(text, 'hello');
		const none = await modelctl(undefined, ['lint', text]);
		assert.equal(none.code, INVALID);
		assert.match(none.stderr, /x\.txt: this is no tar archive/);
		const empty = await modelctl(undefined, ['lint', scratchDir('empty')]);
		assert.equal(empty.code, INVALID);
		assert.match(empty.stderr, /no file in/);
		assert.equal((await modelctl(undefined, ['lint', '/nowhere/at all'])).code, USAGE);
	});
});

for (const kind of Object.keys(makers)) {
	test(`lint of an archive: ${kind}`, { skip: noMaker(kind) }, async () => {
		const model = withFile(dense(), 'labels.txt', utf8('a'));
		const file = path.join(scratchDir('archive'), 'model.archive');
		fs.writeFileSync(file, (await archived(kind, folderOf(model))).body);
		const tmp = scratchDir('tmp');
		const done = await modelctl(undefined, ['lint', file, '--json'], { env: { TMPDIR: tmp } });
		assert.equal(done.code, 0, done.stderr);
		assert.equal(done.json.root_digest,
			(await modelctl(undefined, ['lint', folderOf(model), '--json'])).json.root_digest);
		assert.deepEqual(fs.readdirSync(tmp), []);
	});
}

describe('lint of a REF', () => {
	const daemon = useDaemon();

	test('tells what the server keeps', async () => {
		await published(daemon, 'm', denseModel({ inputs: 16, fill: 0 }));
		const done = await modelctl(daemon, ['lint', 'm']);
		assert.equal(done.code, 0, done.stderr);
		assert.match(done.stdout, /^warning weights\.all-zero[ :]/m);
		assert.match(done.stdout, /^m@1: \d findings?\n/m);
		const { json } = await modelctl(daemon, ['lint', 'm@1', '--json']);
		assert.equal(json.valid, true);
		assert.equal(json.findings[0].rule, 'weights.all-zero');
		assert.equal((await modelctl(daemon, ['lint', 'm@9'])).code, SERVER);
		assert.equal((await modelctl({ origin: 'http://127.0.0.1:1' }, ['lint', 'm'])).code, NETWORK);
	});
});
