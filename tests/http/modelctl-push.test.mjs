// SPDX-License-Identifier: Apache-2.0
// modelctl push: publishes what the server has not, goes on where it was cut, and says how far it is.

import assert from 'node:assert/strict';
import fs from 'node:fs';
import path from 'node:path';
import { describe, test } from 'node:test';

import { archived } from '../lib/archives.mjs';
import { have, scratchDir, until, useDaemon, within } from '../lib/daemon.mjs';
import { get } from '../lib/http.mjs';
import {
	INVALID, NETWORK, SERVER, USAGE, folderOf, modelctl, startModelctl,
} from '../lib/modelctl.mjs';
import { addGraph, assemble, cut, denseModel, floatWeight, random, withFile, utf8 } from '../lib/models.mjs';
import { startProxy } from '../lib/proxy.mjs';

const MIB = 1 << 20;
const HEADS = 64 << 10; // that the requests of a test may have, all together

// Weights that no server has yet, in `shards` files of `bytes` each.
function large(seed, bytes, shards = 1) {
	const values = new Uint32Array(bytes * shards / 4);
	const next = random(seed);
	for (let i = 0; i < values.length; i++) {
		values[i] = 0x3f000000 + next() * 0x7fffff; // a float from 0.5 to 1
	}
	const weight = floatWeight('w', [values.length], new Float32Array(values.buffer));
	return assemble({}, [weight], cut(weight.bytes, bytes));
}

// Of a file that may be on its way out.
function sizeOf(file) {
	return fs.statSync(file, { throwIfNoEntry: false })?.size ?? 0;
}

async function pushed(daemon, ...args) {
	const done = await modelctl(daemon, ['push', ...args]);
	assert.equal(done.code, 0, done.stderr);
	return done;
}

async function assertServed(daemon, url, model) {
	for (const { path: name, bytes } of model.files) {
		const served = await get(daemon, new URL(name, url).pathname);
		assert.equal(served.status, 200, `${name}: ${served.text}`);
		assert.ok(Buffer.from(bytes).equals(served.body), name);
	}
}

describe('push', () => {
	const daemon = useDaemon();

	test('publishes a folder; the last line of standard output is the URL', async () => {
		const model = withFile(addGraph({ size: 512, shardBytes: 512 }), 'deep/labels.txt', utf8('a\n'));
		const done = await pushed(daemon, folderOf(model), 'team/first');
		assert.equal(done.stdout, `${daemon.origin}/models/team/first@1/model.json\n`);
		assert.match(done.stderr, /team\/first@1 is published; .* sent, the server had 0 B/);
		await assertServed(daemon, done.stdout.trim(), model);
	});

	test('does not send what the server has, for whatever model', async (t) => {
		const model = large(1, MIB, 2);
		await pushed(daemon, folderOf(model), 'known');
		const proxy = await startProxy(t, daemon);
		const again = await pushed(proxy, folderOf(model), 'known');
		assert.match(again.stderr, /known@1 has these very files; 0 B sent/);
		assert.equal(again.stdout, `${proxy.origin}/models/known@1/model.json\n`);
		await pushed(proxy, folderOf(withFile(model, 'labels.txt', utf8('a'))), 'other/name');
		assert.ok(proxy.up < HEADS, `${proxy.up} bytes`);
	});

	test('moves a label with the version', async () => {
		const done = await pushed(daemon, folderOf(denseModel({ seed: 20 })), 'labelled', '--label', 'stable', '--json');
		assert.equal(done.json.label, 'stable');
		assert.equal((await get(daemon, '/v1/models/labelled/labels/stable')).json.version, 1);
	});

	test('--only-new takes an older version with the same files', async () => {
		const dirs = [21, 22].map((seed) => folderOf(denseModel({ seed })));
		await pushed(daemon, dirs[0], 'new');
		await pushed(daemon, dirs[1], 'new', '--only-new');
		const old = await pushed(daemon, dirs[0], 'new', '--only-new', '--label', 'stable');
		assert.equal(old.stdout, `${daemon.origin}/models/new@1/model.json\n`);
		assert.equal((await get(daemon, '/v1/models/new/labels/stable')).json.version, 1);
		const again = await pushed(daemon, dirs[0], 'new');
		assert.equal(again.stdout, `${daemon.origin}/models/new@3/model.json\n`);
	});

	test('--dry-run says what would be sent and makes no version', async () => {
		const dir = folderOf(large(2, MIB));
		const done = await pushed(daemon, dir, 'dry', '--dry-run');
		assert.match(done.stdout, /^dry: 2 files, 1\.0 MiB; 1\.0 MiB would be sent\n$/);
		assert.equal((await get(daemon, '/v1/models/dry')).status, 404);
		const { json } = await pushed(daemon, dir, 'dry', '--dry-run', '--json');
		assert.equal(json.would_send, json.bytes);
		await pushed(daemon, dir, 'wet');
		const { json: after } = await pushed(daemon, dir, 'dry', '--dry-run', '--json');
		assert.ok(after.would_send < HEADS);
	});

	test('an invalid model is refused before a byte is sent', async (t) => {
		const proxy = await startProxy(t, daemon);
		const model = addGraph({ size: 64, shardBytes: 64 });
		const dir = folderOf(withFile(model, model.files[1].path, utf8('short')));
		const done = await modelctl(proxy, ['push', dir, 'bad']);
		assert.equal(done.code, INVALID);
		assert.match(done.stderr, /^error weights\.too-short model\.json/m);
		assert.equal(done.stdout, '');
		const { json } = await modelctl(proxy, ['push', dir, 'bad', '--json']);
		assert.equal(json.error.errors[0].rule, 'weights.too-short');
		assert.equal(proxy.connections, 0);
	});

	test('an archive is published as its folder would be', async () => {
		const model = denseModel({ seed: 30, inputs: 16, shardBytes: 40 });
		const folder = await pushed(daemon, folderOf(model), 'archive', '--json');
		for (const kind of ['tar -z', 'bsdtar --format=zip']) {
			if (!have(kind.split(' ')[0])) {
				continue;
			}
			const file = path.join(scratchDir('archive'), 'model.bin');
			fs.writeFileSync(file, (await archived(kind, folderOf(model))).body);
			const done = await pushed(daemon, file, 'archive', '--json');
			assert.equal(done.json.root_digest, folder.json.root_digest);
			assert.equal(done.json.deduplicated, true);
		}
	});

	test('a model.json of another name keeps it as a path', async () => {
		const model = denseModel({ seed: 31 });
		model.files[0].path = 'net.json';
		const { stdout } = await pushed(daemon, folderOf(model), 'renamed');
		await assertServed(daemon, stdout.trim(), model);
	});

	test('what the server refuses is told', async () => {
		const dir = folderOf(denseModel({ seed: 32 }));
		const bad = await modelctl(daemon, ['push', dir, 'm', '--label', 'latest']);
		assert.notEqual(bad.code, 0);
		assert.equal((await modelctl(daemon, ['push', dir, 'UPPER'])).code, USAGE);
		assert.equal((await modelctl(daemon, ['push', dir, 'm', '--parallel', '0'])).code, USAGE);
		assert.equal((await modelctl({ origin: 'http://127.0.0.1:1' }, ['push', dir, 'm'])).code, NETWORK);
	});

	test('a file that changes meanwhile is not published', async (t) => {
		const model = large(3, MIB, 4);
		const dir = folderOf(model);
		const proxy = await startProxy(t, daemon, {
			pace: async () => fs.appendFileSync(path.join(dir, model.files.at(-1).path), 'x'),
		});
		const done = await modelctl(proxy, ['push', dir, 'changed', '--parallel', '1']);
		assert.notEqual(done.code, 0);
		assert.match(done.stderr, /changed while it was read/);
		assert.equal((await get(daemon, '/v1/models/changed')).status, 404);
	});
});

describe('push over connections that break', () => {
	const daemon = useDaemon();

	test('goes on where it was, without sending again', async (t) => {
		const size = 16 * MIB;
		const model = large(40, size);
		const marks = [5, 9, 13].map((n) => n * MIB);
		// No more than that is on its way at a time, whatever the buffers of sockets would hold for a slow server.
		const onTheWay = MIB;
		let lost = 0;
		const stored = () => daemon.files('uploads').reduce((sum, file) => sum + sizeOf(file), 0);
		const proxy = await startProxy(t, daemon, {
			cut: ({ up }) => {
				const isCut = up > marks[0];
				if (isCut) {
					marks.shift();
					lost = undefined;
				}
				return isCut;
			},
			pace: async (side) => {
				lost ??= proxy.up - stored();
				await until('it to keep up', () => side === 'down' || daemon.files('uploads').length === 0 ||
					stored() > proxy.up - lost - onTheWay);
			},
		});
		const done = await pushed(proxy, folderOf(model), 'cut');
		assert.equal(proxy.cuts, 3);
		// What was on its way when it was cut is lost.
		assert.ok(proxy.up < size + 3 * onTheWay + HEADS, `${proxy.up} bytes of ${size}`);
		await assertServed(daemon, done.stdout.trim().replace(proxy.origin, daemon.origin), model);
	});

	test('takes an answer that was lost for what it was', async (t) => {
		let lost = 0;
		const proxy = await startProxy(t, daemon, {
			cut: ({ up }, side, bytes) => side === 'down' && up > 2 * MIB && /^HTTP\/1\.1 20/m.test(bytes) && lost++ === 0,
		});
		const model = large(41, 2 * MIB);
		const done = await pushed(proxy, folderOf(model), 'lost', '--parallel', '1');
		assert.ok(lost > 0);
		assert.ok(proxy.up < 2 * MIB + HEADS, `${proxy.up} bytes`);
		assert.match(done.stdout, /lost@1/);
	});

	test('the same command goes on after it was interrupted', async (t) => {
		const dir = folderOf(large(42, 4 * MIB, 8));
		let release;
		const held = new Promise((resolve) => (release = resolve));
		t.after(() => release());
		const slow = await startProxy(t, daemon, {
			pace: (side) => (side === 'up' && slow.up > 24 * MIB ? held : undefined),
		});
		const state = { env: { XDG_STATE_HOME: scratchDir('state') } };
		// The server's address is part of what an upload is remembered by: one proxy for both.
		const child = startModelctl(slow, ['push', dir, 'again', '--parallel', '2'], state);
		t.after(() => child.kill('SIGKILL'));
		await until('bytes on their way', () => slow.up > 24 * MIB);
		child.kill('SIGINT');
		const cut = await within('its end', child.closed);
		assert.equal(cut.code, NETWORK, cut.stderr);
		assert.match(cut.stderr, /interrupted\n  The same command goes on/);
		assert.equal(cut.stdout, '');
		release();
		const before = slow.up;
		const done = await modelctl(slow, ['push', dir, 'again', '--parallel', '2'], state);
		assert.equal(done.code, 0, done.stderr);
		assert.match(done.stderr, /Going on with the upload that was interrupted/);
		// What had not come is sent, and at most the two files that were on their way.
		assert.ok(slow.up - before < (8 + 2 * 4) * MIB + HEADS, `${slow.up - before} bytes again`);
		assert.deepEqual(fs.readdirSync(path.join(state.env.XDG_STATE_HOME, 'modelctl/uploads')), []);
	});

	test('two pushes of the same files at once do not share an upload', async () => {
		const dir = folderOf(large(44, MIB, 4));
		const env = { XDG_STATE_HOME: scratchDir('state') };
		const both = await Promise.all([1, 2].map(() => modelctl(daemon, ['push', dir, 'both', '--json'], { env })));
		for (const done of both) {
			assert.equal(done.code, 0, done.stderr);
			assert.doesNotMatch(done.stderr, /Going on/);
		}
		assert.equal(both[0].json.root_digest, both[1].json.root_digest);
	});

	test('gives up on a server that does not come back', async (t) => {
		const proxy = await startProxy(t, daemon, { cut: ({ up }) => up > MIB });
		const child = startModelctl(proxy, ['push', folderOf(large(43, 2 * MIB)), 'never']);
		t.after(() => child.kill('SIGKILL'));
		await until('several attempts', () => proxy.cuts > 2);
		child.kill('SIGTERM');
		assert.equal((await within('its end', child.closed)).code, NETWORK);
	});
});

describe('progress of a push', () => {
	const daemon = useDaemon();
	test('is plain lines elsewhere, and nothing with -q', async () => {
		const dir = folderOf(large(51, MIB));
		const plain = await pushed(daemon, dir, 'plain');
		// eslint-disable-next-line no-control-regex
		assert.doesNotMatch(plain.stderr, /[\r\u001b]/);
		assert.match(plain.stderr, /^sending 100%  1\.0 MiB of 1\.0 MiB/m);
		const quiet = await pushed(daemon, dir, 'quiet', '-q');
		assert.equal(quiet.stderr, '');
		assert.match(quiet.stdout, /^http:.*\n$/);
	});
});

describe('memory of a push', () => {
	const plain = process.env.MODELD_PLAIN;
	const daemon = useDaemon({ binary: plain });

	test('stays under 32 MiB for 1 GiB of weights', { skip: !plain && 'needs MODELD_PLAIN' }, async (t) => {
		// A sparse file: zeros, which are judged, hashed and sent as any other bytes.
		const size = 1 << 30;
		const dir = folderOf(assemble({}, [floatWeight('w', [size / 4], [])], [{ path: 'w.bin', bytes: utf8('') }]));
		fs.truncateSync(path.join(dir, 'w.bin'), size);
		const child = startModelctl(daemon, ['push', dir, 'memory'],
			{ binary: path.join(path.dirname(path.resolve(plain)), 'modelctl') });
		t.after(() => child.kill('SIGKILL'));
		let peak = 0;
		let running = true;
		child.closed.then(() => (running = false));
		while (running) {
			try {
				const status = fs.readFileSync(`/proc/${child.pid}/status`, 'utf8');
				peak = Math.max(peak, Number(status.match(/^VmHWM:\s+(\d+)/m)?.[1] ?? 0));
			} catch {
				break;
			}
			await new Promise((resolve) => setTimeout(resolve, 5));
		}
		const done = await child.closed;
		assert.equal(done.code, 0, done.stderr);
		assert.ok(peak > 0 && peak < 32 << 10, `${peak} KiB`);
	});
});
