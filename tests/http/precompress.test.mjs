// SPDX-License-Identifier: Apache-2.0
// Precompressed files, as far as they can be seen without asking for them: which files get them, that
// nothing of the store is lost or left over for them, and that they go when the rest goes.

import assert from 'node:assert/strict';
import crypto from 'node:crypto';
import fs from 'node:fs';
import path from 'node:path';
import { describe, test } from 'node:test';
import zlib from 'node:zlib';

import { listFiles, NO_FORMS, runModeld, scratchDir, startDaemon, until } from '../lib/daemon.mjs';
import { get, published, request } from '../lib/http.mjs';
import { metric } from '../lib/metrics.mjs';
import { addGraph, denseModel, random, utf8, withFile } from '../lib/models.mjs';
import { assertSound, modeld } from '../lib/writer.mjs';

const KIB = 1024;
const MIB = 1024 * KIB;
const ROUNDS = process.env.MODELD_WRAPPER ? 1 : 4;
const BUSY = { 'store.precompress_rate': '1GiB' };

const hexOf = (bytes) => crypto.createHash('sha256').update(bytes).digest('hex');

// Text that no other one is like.
function text(seed, bytes) {
	const next = random(seed);
	const lines = [];
	for (let n = 0; n < bytes;) {
		lines.push(`class ${Math.floor(next() * 1e9)}: ${seed}`);
		n += lines.at(-1).length + 1;
	}
	return utf8(`${lines.join('\n')}\n`);
}

const withText = (seed, bytes = 20 * KIB) => withFile(denseModel({ seed }), 'labels.txt', text(seed, bytes));

// Map of path to what the description says of its coded forms.
async function codings(daemon, name, version = 1) {
	const { json } = await get(daemon, `/v1/models/${name}/versions/${version}`);
	return new Map(json.files.map((file) => [file.path, file.codings]));
}

const coded = (daemon, name, file = 'labels.txt', version = 1) => until(`${name}@${version}/${file} to be coded`,
	async () => (await codings(daemon, name, version)).get(file));

const idle = (daemon) => until('nothing to be left to code',
	async () => await metric(daemon, 'modeld_precompress_queue_files') === 0);

// Of the store, files that are a coded form of these bytes.
function formsOf(daemon, bytes) {
	const digest = hexOf(bytes);
	return daemon.files('blobs').filter((file) => [zlib.brotliDecompressSync, zlib.gunzipSync].some((decode) => {
		try {
			return hexOf(decode(fs.readFileSync(file))) === digest;
		} catch {
			return false;
		}
	}));
}

// How nice the threads of a daemon are.
const threadsOf = (daemon) => fs.readdirSync(`/proc/${daemon.pid}/task`).map((thread) =>
	Number(fs.readFileSync(`/proc/${daemon.pid}/task/${thread}/stat`, 'utf8').replace(/^.*\) /, '').split(' ')[16]));

const bytesOf = (model, name) => Buffer.from(model.files.find((file) => file.path === name).bytes);

describe('the daemon', () => {
	test('makes gzip and Brotli forms of text, and of weights where they save a tenth', async (t) => {
		const daemon = await startDaemon(t, { set: BUSY });
		const floats = addGraph({ size: 50_000, shardBytes: 200_000 });
		const model = withFile(withFile(withFile(floats, 'labels.txt', text(1, 20 * KIB)),
			'zeros.bin', new Uint8Array(MIB)), 'short.txt', utf8('x'.repeat(200)));
		await published(daemon, 'm', model);
		await idle(daemon);
		const seen = await codings(daemon, 'm');
		for (const [name, expected] of [['model.json', true], ['labels.txt', true], ['zeros.bin', true], ['short.txt', false]]) {
			const forms = formsOf(daemon, bytesOf(model, name));
			assert.equal(seen.get(name) !== undefined, expected, name);
			assert.deepEqual(Object.values(seen.get(name) ?? {}).sort(), forms.map((file) => fs.statSync(file).size).sort(), name);
			assert.deepEqual(Object.keys(seen.get(name) ?? {}), expected ? ['br', 'gzip'] : []);
		}
		const shard = bytesOf(model, 'group1-shard1of1.bin');
		const pays = zlib.gzipSync(shard).length <= 0.9 * shard.length;
		assert.equal(seen.get('group1-shard1of1.bin') !== undefined, pays);
		const made = 6 + (pays ? 2 : 0);
		await until(`${made} to be counted`, async () => await metric(daemon, 'modeld_precompressed_files_total') === made);
		await until('what they save', async () => await metric(daemon, 'modeld_precompressed_saved_bytes_total') > MIB / 2);
		await assertSound(daemon.store);
		await daemon.stop();
	});

	test('answers the files themselves all the while', async (t) => {
		const daemon = await startDaemon(t, { set: BUSY });
		const model = withText(1);
		await published(daemon, 'm', model);
		for (let i = 0; i < 2; i++) {
			for (const { path: name, bytes } of model.files) {
				const answered = await get(daemon, `/models/m@1/${name}`, { 'accept-encoding': 'identity' });
				assert.equal(answered.status, 200);
				assert.deepEqual(answered.body, Buffer.from(bytes));
			}
			await coded(daemon, 'm');
		}
		await daemon.stop();
	});

	test('answers them as soon as they are there, also where it has answered the file before', async (t) => {
		const daemon = await startDaemon(t, { set: BUSY });
		const model = withText(1, 300 * KIB);
		await published(daemon, 'm', model);
		await published(daemon, 'n', model);
		const ask = (name) => get(daemon, `/models/${name}@1/labels.txt`, { 'accept-encoding': 'br' });
		for (const name of ['m', 'n']) {
			let answered = await ask(name);
			const { br } = await coded(daemon, name);
			await until('the coded form to be answered', async () => (answered = await ask(name)).headers['content-encoding'] === 'br');
			assert.equal(answered.headers['content-length'], String(br));
			assert.deepEqual(zlib.brotliDecompressSync(answered.body), bytesOf(model, 'labels.txt'));
		}
		await daemon.stop();
	});

	test('makes none with store.precompress_rate = 0, and what is missing after the next start', async (t) => {
		const first = await startDaemon(t, { set: NO_FORMS });
		const model = withText(1);
		await published(first, 'm', model);
		const worthALook = model.files.filter(({ bytes }) => bytes.length >= 256);
		assert.equal(await metric(first, 'modeld_precompress_queue_files'), worthALook.length);
		await first.stop();
		assert.equal(listFiles(path.join(first.store, 'blobs')).length, model.files.length);
		const second = await startDaemon(t, { store: first.store, set: BUSY });
		await coded(second, 'm');
		await coded(second, 'm', 'model.json');
		await second.stop();
	});

	test('makes one for all versions and models with the same bytes', async (t) => {
		const daemon = await startDaemon(t, { set: BUSY });
		const model = withText(1);
		await published(daemon, 'm', model);
		const seen = await coded(daemon, 'm');
		await idle(daemon);
		const files = daemon.files('blobs').length;
		await published(daemon, 'n', model);
		assert.deepEqual((await codings(daemon, 'n')).get('labels.txt'), seen);
		await idle(daemon);
		assert.equal(daemon.files('blobs').length, files);
		await daemon.stop();
	});

	test('does not hold up its stop', { skip: process.env.SUITE_PIDS && 'a service has no say in priorities' }, async (t) => {
		const first = await startDaemon(t, { set: { 'store.precompress_rate': '1' } });
		await published(first, 'm', withText(1));
		// From the first file on, in a thread of its own, it waits for a day.
		await until('it to be at work', () => threadsOf(first).some((nice) => nice === 19));
		await first.stop();
		await assertSound(first.store);
	});

	test('waits while the disk has less space than publishing needs, and says so once', async (t) => {
		const first = await startDaemon(t, { set: NO_FORMS });
		await published(first, 'm', withText(1));
		await published(first, 'n', withText(2));
		await first.stop();
		const second = await startDaemon(t, { store: first.store, set: { ...BUSY, 'store.min_free': '1000000TiB' } });
		await until('the line about it', () => /msg="precompressing a file failed/.test(second.stderr));
		assert.deepEqual([...(await codings(second, 'm')).values()].filter(Boolean), []);
		await second.stop();
		assert.equal(second.stderr.match(/msg="precompressing/g).length, 1);
		const third = await startDaemon(t, { store: first.store, set: BUSY });
		await coded(third, 'm');
		await coded(third, 'n');
		await third.stop();
	});
});

describe('kill -9', () => {
	test(`at ${ROUNDS} moments leaves nothing half, and the next start goes on`, async (t) => {
		const store = scratchDir('coded');
		const moments = random(7);
		let name = 0;
		for (let round = 0; round < ROUNDS; round++) {
			const first = await startDaemon(t, { store, set: BUSY });
			for (let i = 0; i < 3; i++) {
				await published(first, `m${name++}`, withText(name, 100 * KIB));
			}
			await new Promise((resolve) => { setTimeout(resolve, moments() * 400); });
			await first.kill();
			const second = await startDaemon(t, { store, set: BUSY });
			for (let i = 0; i < name; i++) {
				await coded(second, `m${i}`);
			}
			await idle(second);
			await second.stop();
			await assertSound(store);
			assert.deepEqual(second.files('tmp'), []);
			assert.equal((await modeld(store, 'gc', '--grace', '0')).code, 0);
			assert.equal(second.files('blobs').length, name * 4 + 3, 'labels and weights of each, one model.json, and two forms of each text');
		}
	});
});

describe('collection', () => {
	test('takes them with the version, at once without grace', async (t) => {
		const daemon = await startDaemon(t, { set: BUSY });
		const kept = withText(1);
		await published(daemon, 'm', kept);
		await published(daemon, 'm', withText(2));
		await idle(daemon);
		assert.equal(daemon.files('blobs').length, 11); // model.json is the same in both
		assert.match((await modeld(daemon.store, 'gc', '--grace', '0')).stdout, /^collected 0 files/);
		await request(daemon, 'DELETE', '/v1/models/m/versions/2');
		assert.match((await modeld(daemon.store, 'gc', '--grace', '0', '--dry-run')).stdout, /^would collect 4 files/);
		assert.match((await modeld(daemon.store, 'gc', '--grace', '0')).stdout, /^collected 4 files.*; removed 4 /);
		assert.equal(daemon.files('blobs').length, 7);
		assert.equal(formsOf(daemon, bytesOf(kept, 'labels.txt')).length, 2);
		await assertSound(daemon.store);
		await daemon.stop();
	});

	test('beside publishes, deletions and coding leaves what is held and its forms', async (t) => {
		const daemon = await startDaemon(t, { set: { ...BUSY, 'store.gc_interval': '10ms', 'store.gc_grace': '0' } });
		const write = async (writer) => {
			for (let i = 0; i < 10; i++) {
				const name = `m${writer}`;
				const { version } = await published(daemon, name, withText(i % 3, 5 * KIB));
				assert.equal((await request(daemon, 'DELETE', `/v1/models/${name}/versions/${version}`)).status, 204);
			}
			await published(daemon, `kept-${writer}`, withText(writer % 3, 5 * KIB));
		};
		await Promise.all([0, 1, 2, 3].map(write));
		for (let writer = 0; writer < 4; writer++) {
			await coded(daemon, `kept-${writer}`);
		}
		await idle(daemon);
		await daemon.stop();
		assert.equal((await modeld(daemon.store, 'gc', '--grace', '0')).code, 0);
		await assertSound(daemon.store);
		assert.equal(daemon.files('blobs').length, 3 * 4 + 3);
	});
});

describe('damage', () => {
	// As a disk would, in place.
	function turn(file) {
		const bytes = fs.readFileSync(file);
		bytes[2] ^= 1;
		fs.chmodSync(file, 0o640);
		fs.writeFileSync(file, bytes);
	}

	test('of a form is told by fsck, and mended after a scrub, which does not take it for a loss', async (t) => {
		const daemon = await startDaemon(t, { set: { ...BUSY, 'store.scrub_rate': '0' } });
		const model = withText(1);
		await published(daemon, 'm', model);
		const before = await coded(daemon, 'm');
		await idle(daemon);
		const [bad] = formsOf(daemon, bytesOf(model, 'labels.txt'));
		turn(bad);
		const checked = await modeld(daemon.store, 'fsck');
		assert.equal(checked.code, 1);
		assert.match(checked.stdout, /^damaged: blobs.* has other bytes, .*; it is the (br|gzip) form of m@1\/labels\.txt$/m);
		assert.match(checked.stdout, /: 1 damaged, 0 left over$/m);
		const scrubbed = await modeld(daemon.store, 'scrub');
		assert.equal(scrubbed.code, 0, scrubbed.stdout);
		assert.match(scrubbed.stdout, /^dropped: blobs.*; it is the (br|gzip) form of m@1\/labels\.txt$/m);
		assert.match(scrubbed.stdout, /: 0 damaged$/m);
		const answered = await get(daemon, '/models/m@1/labels.txt', { 'accept-encoding': 'identity' });
		assert.deepEqual(answered.body, bytesOf(model, 'labels.txt'));
		await published(daemon, 'other', denseModel()); // the daemon looks into its queue
		await until('it to be made again', async () => Object.keys((await codings(daemon, 'm')).get('labels.txt') ?? {}).length === 2);
		await idle(daemon);
		assert.deepEqual(await coded(daemon, 'm'), before);
		assert.equal(await metric(daemon, 'modeld_scrub_damaged_blobs'), 0);
		await assertSound(daemon.store);
		await daemon.stop();
	});

	test('of a file is found instead of being coded', async (t) => {
		const first = await startDaemon(t, { set: NO_FORMS });
		const model = withText(1);
		await published(first, 'm', model);
		await first.stop();
		turn(first.files('blobs').find((file) => path.basename(file).startsWith(hexOf(bytesOf(model, 'labels.txt')))));
		const second = await startDaemon(t, { store: first.store, set: { ...BUSY, 'store.scrub_rate': '0' } });
		await until('the damage to be found', async () => await metric(second, 'modeld_scrub_damaged_blobs') === 1);
		await until('the line about it', () => /level=error msg="a file of the store is damaged/.test(second.stderr));
		assert.equal((await codings(second, 'm')).get('labels.txt'), undefined);
		await second.stop();
	});
});

test('a backup has them, and what is restored of it', async (t) => {
	const daemon = await startDaemon(t, { set: BUSY });
	const dir = scratchDir('backup');
	const [backup, restored] = [path.join(dir, 'b'), path.join(dir, 'r')];
	await published(daemon, 'm', withText(1));
	const seen = await coded(daemon, 'm');
	await idle(daemon);
	assert.equal((await modeld(daemon.store, 'backup', backup)).code, 0);
	await daemon.stop();
	const ended = await runModeld(['restore', '--config', '/dev/null', '--store', restored, backup]);
	assert.equal(ended.code, 0, ended.stderr);
	const other = await startDaemon(t, { store: restored, set: NO_FORMS });
	assert.deepEqual((await codings(other, 'm')).get('labels.txt'), seen);
	await other.stop();
	await assertSound(restored);
});

test('coding a large file takes bounded memory', { skip: !process.env.MODELD_PLAIN && 'MODELD_PLAIN is not set' }, async (t) => {
	const daemon = await startDaemon(t, { binary: process.env.MODELD_PLAIN, wrapper: [], set: BUSY });
	await published(daemon, 'warm', denseModel());
	await idle(daemon);
	await published(daemon, 'm', withFile(denseModel(), 'labels.txt', text(1, 30 * MIB)));
	const before = daemon.memoryKiB('VmHWM'); // that of the publish, at least
	await coded(daemon, 'm');
	const grown = daemon.memoryKiB('VmHWM') - before;
	assert.ok(grown < 96 * KIB, `${grown} KiB`);
	await daemon.stop();
});
