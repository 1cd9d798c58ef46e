// SPDX-License-Identifier: Apache-2.0
// modelctl pull: what is missing comes, whole, verified, and into its place together.

import assert from 'node:assert/strict';
import crypto from 'node:crypto';
import fs from 'node:fs';
import http from 'node:http';
import path from 'node:path';
import { before, describe, test } from 'node:test';

import { listFiles, scratchDir, until, useDaemon, within } from '../lib/daemon.mjs';
import { published } from '../lib/http.mjs';
import { NETWORK, SERVER, USAGE, modelctl, startModelctl } from '../lib/modelctl.mjs';
import { addGraph, assemble, cut, denseModel, floatWeight, utf8, withFile } from '../lib/models.mjs';
import { startProxy } from '../lib/proxy.mjs';

const MIB = 1 << 20;
const HEADS = 64 << 10; // that the requests of a test may have, all together

function large(value, bytes, shards) {
	const values = new Float32Array(bytes * shards / 4).map((_, i) => value + i % 251);
	const weight = floatWeight('w', [values.length], values);
	return assemble({}, [weight], cut(weight.bytes, bytes));
}

async function pulled(daemon, ...args) {
	const done = await modelctl(daemon, ['pull', ...args]);
	assert.equal(done.code, 0, done.stderr);
	return done;
}

function assertFiles(dir, model) {
	assert.deepEqual(listFiles(dir).map((file) => path.relative(dir, file)).sort(),
		model.files.map((file) => file.path).sort());
	for (const { path: name, bytes } of model.files) {
		assert.ok(Buffer.from(bytes).equals(fs.readFileSync(path.join(dir, name))), name);
	}
}

describe('pull', () => {
	const daemon = useDaemon();
	const first = withFile(addGraph({ size: 512, shardBytes: 512 }), 'deep/labels.txt', utf8('a\n'));
	const second = denseModel({ seed: 2, inputs: 16, shardBytes: 40 });

	before(async () => {
		await published(daemon, 'team/m', first);
		await published(daemon, 'team/m', second);
	});

	test('fetches a version into a folder that need not be there', async () => {
		const dir = path.join(scratchDir('pull'), 'a/b');
		const done = await pulled(daemon, 'team/m@1', '-o', dir);
		assert.equal(done.stdout, `${dir}\n`);
		assert.match(done.stderr, /team\/m@1: \d files, /);
		assertFiles(dir, first);
	});

	test('is called like the last segment of the name when nothing is said', async () => {
		const cwd = scratchDir('cwd');
		const done = await modelctl(daemon, ['pull', '-q', 'team/m'], { cwd });
		assert.equal(done.code, 0, done.stderr);
		assert.equal(done.stdout, 'm\n');
		assert.equal(done.stderr, '');
		assertFiles(path.join(cwd, 'm'), second);
	});

	test('fetches what is missing or has other bytes, and nothing else', async () => {
		const dir = path.join(scratchDir('pull'), 'm');
		await pulled(daemon, 'team/m@1', '-o', dir);
		assert.equal((await pulled(daemon, 'team/m@1', '-o', dir, '--json')).json.received, 0);
		const [, shard, other] = first.files;
		fs.rmSync(path.join(dir, shard.path));
		fs.writeFileSync(path.join(dir, other.path), Buffer.alloc(other.bytes.length));
		const { json } = await pulled(daemon, 'team/m@1', '-o', dir, '--json');
		assert.equal(json.received, shard.bytes.length + other.bytes.length);
		assert.equal(json.ref, 'team/m@1');
		assertFiles(dir, first);
	});

	test('--include fetches what matches', async () => {
		const dir = path.join(scratchDir('pull'), 'm');
		await pulled(daemon, 'team/m@1', '-o', dir, '--include', '*.txt', '--include', 'model.json');
		assert.deepEqual(listFiles(dir).map((file) => path.relative(dir, file)).sort(),
			['deep/labels.txt', 'model.json']);
		const none = await modelctl(daemon, ['pull', 'team/m@1', '-o', dir, '--include', '*.h5']);
		assert.equal(none.code, USAGE);
		assert.match(none.stderr, /no file that --include asks for/);
	});

	test('what cannot be had is told', async () => {
		const dir = scratchDir('pull');
		assert.equal((await modelctl(daemon, ['pull', 'team/m@9', '-o', dir])).code, SERVER);
		assert.equal((await modelctl(daemon, ['pull', 'Team', '-o', dir])).code, USAGE);
		const file = path.join(dir, 'file');
		fs.writeFileSync(file, '');
		const done = await modelctl(daemon, ['pull', 'team/m', '-o', file]);
		assert.equal(done.code, USAGE);
		assert.match(done.stderr, /cannot make the folder/);
	});
});

describe('pull over connections that break', () => {
	const daemon = useDaemon();
	const model = large(1, 4 * MIB, 4);
	const size = 16 * MIB;

	before(() => published(daemon, 'large', model));

	test('goes on where it was, without fetching again', async (t) => {
		const marks = [3, 7, 11].map((n) => n * MIB);
		const proxy = await startProxy(t, daemon, { cut: ({ down }) => down > marks[0] && marks.shift() > 0 });
		const dir = path.join(scratchDir('pull'), 'm');
		await pulled(proxy, 'large', '-o', dir);
		assert.equal(proxy.cuts, 3);
		// What was on its way when it was cut is lost.
		assert.ok(proxy.down < size + 3 * MIB, `${proxy.down} bytes of ${size}`);
		assertFiles(dir, model);
	});

	test('the same command goes on after it was interrupted; until all is there nothing changes', async (t) => {
		let release;
		const held = new Promise((resolve) => (release = resolve));
		t.after(() => release());
		const slow = await startProxy(t, daemon, {
			pace: (side) => (side === 'down' && slow.down > 9 * MIB ? held : undefined),
		});
		const dir = path.join(scratchDir('pull'), 'm');
		fs.mkdirSync(dir);
		fs.writeFileSync(path.join(dir, 'model.json'), 'old');
		const child = startModelctl(slow, ['pull', 'large', '-o', dir]);
		t.after(() => child.kill('SIGKILL'));
		await until('bytes on their way', () => slow.down > 9 * MIB);
		child.kill('SIGINT');
		const end = await within('its end', child.closed);
		assert.equal(end.code, NETWORK, end.stderr);
		assert.match(end.stderr, /The same command goes on where it was/);
		assert.equal(fs.readFileSync(path.join(dir, 'model.json'), 'utf8'), 'old');
		assert.deepEqual(fs.readdirSync(dir).sort(), ['.modelctl-parts', 'model.json']);
		const there = listFiles(dir).reduce((n, file) => n + fs.statSync(file).size, 0);
		assert.ok(there > 4 * MIB, `${there} bytes`);
		const before = slow.down;
		release();
		const { json } = await pulled(daemon, 'large', '-o', dir, '--json');
		assert.ok(json.received <= size + HEADS - (there - 3), `${json.received} bytes again`);
		assert.ok(before > 0);
		assertFiles(dir, model);
	});

	test('gives up on a server that does not come back', async (t) => {
		const proxy = await startProxy(t, daemon, { cut: ({ down }) => down > MIB });
		const child = startModelctl(proxy, ['pull', 'large', '-o', scratchDir('pull')]);
		t.after(() => child.kill('SIGKILL'));
		await until('several attempts', () => proxy.cuts > 4);
		child.kill('SIGTERM');
		assert.equal((await within('its end', child.closed)).code, NETWORK);
	});
});

describe('pull from a server that lies', () => {
	// One version of one file; `answer` gives its bytes.
	async function liar(t, file, answer) {
		const requests = [];
		const server = http.createServer((request, response) => {
			if (request.url.startsWith('/v1/')) {
				response.writeHead(200, { 'Content-Type': 'application/json' }).end(
					JSON.stringify({ name: 'm', version: 1, files: [file] }));
				return;
			}
			requests.push(request);
			answer(request, response);
		});
		await new Promise((resolve) => server.listen(0, '127.0.0.1', resolve));
		t.after(() => server.close());
		return { origin: `http://127.0.0.1:${server.address().port}`, requests };
	}
	const bytes = Buffer.from('weights that are right');
	const sha256 = crypto.createHash('sha256').update(bytes).digest('hex');
	const file = { path: 'w.bin', bytes: bytes.length, sha256 };

	test('wrong bytes are fetched once more, and never put in place', async (t) => {
		const wrong = await liar(t, file, (request, response) => response.end(Buffer.alloc(bytes.length)));
		const dir = scratchDir('pull');
		const done = await modelctl(wrong, ['pull', 'm', '-o', dir]);
		assert.equal(done.code, SERVER);
		assert.match(done.stderr, /w\.bin: what came does not have the SHA-256/);
		assert.equal(wrong.requests.length, 2);
		assert.equal(fs.existsSync(path.join(dir, 'w.bin')), false);
	});

	test('a damaged part is thrown away', async (t) => {
		const honest = await liar(t, file, (request, response) => {
			const from = Number(request.headers.range?.match(/bytes=(\d+)-/)[1] ?? 0);
			response.writeHead(from ? 206 : 200).end(bytes.subarray(from));
		});
		const dir = scratchDir('pull');
		fs.mkdirSync(path.join(dir, '.modelctl-parts'));
		fs.writeFileSync(path.join(dir, '.modelctl-parts', `${sha256}-0`), 'WEIGHTS');
		await pulled(honest, 'm', '-o', dir);
		assert.deepEqual(honest.requests.map(({ headers }) => headers.range), ['bytes=7-', undefined]);
		assert.ok(bytes.equals(fs.readFileSync(path.join(dir, 'w.bin'))));
	});

	test('a whole answer to a request for the rest is taken as one', async (t) => {
		const simple = await liar(t, file, (request, response) => response.writeHead(200).end(bytes));
		const dir = scratchDir('pull');
		fs.mkdirSync(path.join(dir, '.modelctl-parts'));
		fs.writeFileSync(path.join(dir, '.modelctl-parts', `${sha256}-0`), bytes.subarray(0, 7));
		await pulled(simple, 'm', '-o', dir);
		assert.ok(bytes.equals(fs.readFileSync(path.join(dir, 'w.bin'))));
	});

	for (const [name, body] of [['too few', bytes.subarray(1)], ['too many', Buffer.concat([bytes, bytes])]]) {
		test(`${name} bytes are no file`, async (t) => {
			const server = await liar(t, file, (request, response) => response.end(body));
			const dir = scratchDir('pull');
			const done = await modelctl(server, ['pull', 'm', '-o', dir]);
			assert.equal(done.code, SERVER, done.stderr);
			assert.equal(fs.existsSync(path.join(dir, 'w.bin')), false);
		});
	}

	for (const bad of ['../w.bin', '/etc/w.bin', 'a/../../w.bin', 'a//b', '.', '']) {
		test(`a path that leads elsewhere is refused: "${bad}"`, async (t) => {
			const server = await liar(t, { ...file, path: bad }, (request, response) => response.end(bytes));
			const dir = scratchDir('pull');
			const done = await modelctl(server, ['pull', 'm', '-o', path.join(dir, 'in/side')]);
			assert.equal(done.code, SERVER, done.stderr);
			assert.equal(server.requests.length, 0);
			assert.deepEqual(listFiles(dir), []);
		});
	}
});
