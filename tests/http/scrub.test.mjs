// SPDX-License-Identifier: Apache-2.0
// Damage on the disk: the daemon finds it by itself, never answers it, tells of it, and takes the bytes
// anew. And the numbers that it tells at /metrics.

import assert from 'node:assert/strict';
import { execFileSync, spawnSync } from 'node:child_process';
import fs from 'node:fs';
import path from 'node:path';
import { describe, test } from 'node:test';

import { daemonEnv, have, NO_FORMS, runModeld, startDaemon, until } from '../lib/daemon.mjs';
import { assertQuietError, get, head, publish, published, request } from '../lib/http.mjs';
import { metric, metrics, parseMetrics } from '../lib/metrics.mjs';
import { addGraph, denseModel } from '../lib/models.mjs';
import { noStrace } from '../lib/strace.mjs';

const BUSY = { ...NO_FORMS, 'store.scrub_rate': '1GiB', 'store.scrub_interval': '1s' };
const OFF = { ...NO_FORMS, 'store.scrub_rate': '0' };
const DAMAGED = 'modeld_scrub_damaged_blobs';
const PASSED = 'modeld_scrub_last_pass_timestamp_seconds';

const scrub = (daemon, ...options) =>
	runModeld(['scrub', '--config', '/dev/null', '--store', daemon.store, ...options]);

const blobOf = (daemon, bytes) => daemon.files('blobs')
	.find((file) => fs.readFileSync(file).equals(Buffer.from(bytes)));

// In place, as a disk would: what has the file mapped sees it.
function turn(file) {
	fs.chmodSync(file, 0o640);
	const fd = fs.openSync(file, 'r+');
	const byte = Buffer.alloc(1);
	fs.readSync(fd, byte, 0, 1, 2);
	byte[0] ^= 1;
	fs.writeSync(fd, byte, 0, 1, 2);
	fs.closeSync(fd);
}

async function assertServed(daemon, name, files) {
	for (const { path: file, bytes } of files) {
		const answered = await get(daemon, `/models/${name}@1/${file}`);
		assert.equal(answered.status, 200, `${file}: ${answered.headers['x-error-code']}`);
		assert.deepEqual(answered.body, Buffer.from(bytes));
	}
}

const found = (daemon) => daemon.stderr.match(/level=error msg="a file of the store is damaged"/g)?.length ?? 0;

describe('scrubbing', () => {
	test('finds a byte that turned, stops serving it, and is healed by a publish', async (t) => {
		const daemon = await startDaemon(t, { set: BUSY });
		const model = addGraph({ shardBytes: 8 });
		const [, bad, ...others] = model.files;
		const target = `/models/m@1/${bad.path}`;
		await published(daemon, 'm', model);
		await published(daemon, 'n', model);
		await assertServed(daemon, 'm', model.files); // it is in the daemon's memory from now on
		assert.deepEqual((await get(daemon, '/readyz')).json, { status: 'ok' });

		turn(blobOf(daemon, bad.bytes));
		await until('the damage to be found', async () => await metric(daemon, DAMAGED) === 1);
		await until('the line about it', () => found(daemon) > 0);
		assert.match(daemon.stderr, /has other bytes, with SHA-256 .*; it is m@1\/\S+, n@1\//);
		assertQuietError(await get(daemon, target), 500, 'CORRUPT');
		assertQuietError(await get(daemon, `/models/n/${bad.path}`), 500, 'CORRUPT');
		assert.equal((await head(daemon, target)).status, 500);
		await assertServed(daemon, 'm', others);
		const ready = await get(daemon, '/readyz');
		assert.equal(ready.status, 200);
		assert.deepEqual(ready.json, { status: 'ok', damaged_files: 1 });

		const read = await metric(daemon, 'modeld_scrub_blobs_total');
		await until('two more passes', async () =>
			await metric(daemon, 'modeld_scrub_blobs_total') >= read + 3 * model.files.length);
		assert.equal(found(daemon), 1);

		const again = await publish(daemon, 'm', model);
		assert.equal(again.status, 200, again.text);
		assert.equal(again.json.deduplicated, true);
		assert.equal(await metric(daemon, DAMAGED), 0);
		await assertServed(daemon, 'm', model.files);
		await assertServed(daemon, 'n', model.files);
		await daemon.stop();
	});

	test('what was found outlives a kill, and a file that is good again is served again', async (t) => {
		const first = await startDaemon(t, { set: BUSY });
		const model = denseModel();
		const [, bad] = model.files;
		await published(first, 'm', model);
		const file = blobOf(first, bad.bytes);
		turn(file);
		await until('the damage to be found', async () => await metric(first, DAMAGED) === 1);
		await first.kill();
		const second = await startDaemon(t, { store: first.store, set: OFF });
		assertQuietError(await get(second, `/models/m@1/${bad.path}`), 500, 'CORRUPT');
		assert.equal(await metric(second, DAMAGED), 1);
		await until('the line about it', () => /level=error msg="the store has damaged files;.* files=1/.test(second.stderr));
		turn(file);
		const ended = await scrub(second);
		assert.equal(ended.code, 0, ended.stdout);
		assert.match(ended.stdout, /^sound again: blobs.*; it is m@1\/model\.weights\.bin$/m);
		await assertServed(second, 'm', model.files);
		await second.stop();
	});

	test('goes on where it was when the daemon was killed', { skip: !have('sqlite3') && 'sqlite3 is not installed' }, async (t) => {
		const files = 256; // some minutes, of which a position is known after a few seconds
		const first = await startDaemon(t, { set: OFF });
		await published(first, 'm', addGraph({ size: 2 * (files - 1), shardBytes: 8 }));
		await first.stop();
		const second = await startDaemon(t, { store: first.store, set: { ...NO_FORMS, 'store.scrub_rate': '4KiB' } });
		const position = () => execFileSync('sqlite3', ['-readonly', path.join(first.store, 'catalog.db'),
			'SELECT position FROM scrub']).toString().trim();
		await until('a position in the catalog', position);
		assert.equal(await metric(second, PASSED), 0);
		await second.kill();
		const third = await startDaemon(t, { store: first.store, set: { ...NO_FORMS, 'store.scrub_rate': '1GiB' } });
		await until('the end of the pass', async () => await metric(third, PASSED) > 0);
		const rest = await metric(third, 'modeld_scrub_blobs_total');
		assert.ok(rest > 0 && rest < files, String(rest));
		await third.stop();
	});

	test('a stop does not wait for it', async (t) => {
		const first = await startDaemon(t, { set: OFF });
		await published(first, 'm', denseModel({ inputs: 4096, units: 64 }));
		await first.stop();
		const second = await startDaemon(t, { store: first.store, set: { ...NO_FORMS, 'store.scrub_rate': '1' } });
		await until('a piece to be read', async () => await metric(second, 'modeld_scrub_bytes_total') > 0);
		await second.stop(); // the next piece is due in an hour
	});
});

describe('modeld scrub', () => {
	test('works beside a daemon, which stops serving what it finds', async (t) => {
		const daemon = await startDaemon(t, { set: { ...OFF, 'store.gc_interval': '20ms' } });
		const model = addGraph({ shardBytes: 12 });
		const [, bad, other] = model.files;
		await published(daemon, 'm', model);
		let ended = await scrub(daemon, '--rate', '64MiB');
		assert.equal(ended.code, 0, ended.stderr);
		assert.match(ended.stdout, /^scrubbed 3 files, .*: 0 damaged\n$/);
		assert.ok(await metric(daemon, PASSED) > 0);
		await assertServed(daemon, 'm', model.files);

		turn(blobOf(daemon, bad.bytes));
		fs.unlinkSync(blobOf(daemon, other.bytes));
		ended = await scrub(daemon);
		assert.equal(ended.code, 1);
		assert.match(ended.stdout, new RegExp(`^damaged: .* has other bytes.*; it is m@1/${bad.path}$`, 'm'));
		assert.match(ended.stdout, new RegExp(`^damaged: .* is missing; it is m@1/${other.path}$`, 'm'));
		assert.match(ended.stdout, /^scrubbed 3 files, .*: 2 damaged$/m);
		assert.match(ended.stderr, /^modeld: the store in .* is damaged: restore the files/);
		await until('the daemon to let go of it', async () =>
			(await get(daemon, `/models/m@1/${bad.path}`)).status === 500);
		assertQuietError(await get(daemon, `/models/m@1/${other.path}`), 500, 'CORRUPT');
		assert.equal((await scrub(daemon)).code, 1);
		await publish(daemon, 'm', model);
		assert.equal((await scrub(daemon)).code, 0);
		await assertServed(daemon, 'm', model.files);
		await daemon.stop();
	});

	test('a file that the disk does not give is damaged, and not the end', { skip: noStrace }, async (t) => {
		const daemon = await startDaemon(t, { set: OFF });
		const model = addGraph({ shardBytes: 12 });
		const [, bad] = model.files;
		await published(daemon, 'm', model);
		const ended = spawnSync('strace', ['-f', '-qq', '-o', '/dev/null', '-P', blobOf(daemon, bad.bytes), '-e', 'inject=pread64:error=EIO',
			path.resolve(process.env.MODELD), 'scrub', '--config', '/dev/null', '--store', daemon.store],
		{ encoding: 'utf8', env: daemonEnv({ ASAN_OPTIONS: 'detect_leaks=0' }) });
		assert.match(ended.stdout, new RegExp(`^damaged: .*Input/output error; it is m@1/${bad.path}$`, 'm'));
		assert.match(ended.stdout, /^scrubbed 3 files, .*: 1 damaged$/m);
		assert.equal(ended.status, 1, ended.stderr);
		await daemon.stop();
	});

	for (const words of [['scrub', '--rate'], ['scrub', '--rate', 'slow'], ['gc', '--rate', '1MiB']]) {
		test(`${words.join(' ')} makes no sense`, async () => {
			const [verb, ...options] = words;
			const ended = await runModeld([verb, '--config', '/dev/null', '--store', '/nonexistent', ...options]);
			assert.ok([64, 78].includes(ended.code), String(ended.code));
			assert.match(ended.stderr, /^modeld: .*--rate/);
		});
	}

	test('needs a store, and says so', async () => {
		const ended = await runModeld(['scrub', '--config', '/dev/null', '--store', '/nonexistent']);
		assert.equal(ended.code, 78);
		assert.match(ended.stderr, /^modeld: .*\/nonexistent/);
	});
});

describe('GET /metrics', () => {
	test('tells what Prometheus can read', async (t) => {
		const before = Math.floor(Date.now() / 1000);
		const daemon = await startDaemon(t, { set: { ...NO_FORMS, 'store.gc_interval': '20ms', 'store.gc_grace': '0' } });
		const all = await metrics(daemon);
		const release = (await get(daemon, '/version')).json.version;
		assert.equal(all.get(`modeld_build_info{version="${release}"}`), 1n);
		assert.ok(all.get('process_start_time_seconds') >= before);
		assert.ok(all.get('modeld_store_free_bytes') > 0n);
		assert.equal(all.get(DAMAGED), 0n);
		assert.equal(all.get('modeld_collected_blobs_total'), 0n);

		const model = denseModel();
		await published(daemon, 'm', model);
		await request(daemon, 'DELETE', '/v1/models/m');
		await until('the files to be collected', async () =>
			await metric(daemon, 'modeld_collected_blobs_total') === model.files.length);
		const bytes = model.files.reduce((n, file) => n + file.bytes.length, 0);
		await until('and their bytes', async () => await metric(daemon, 'modeld_collected_bytes_total') === bytes);
		assert.equal((await head(daemon, '/metrics')).status, 200);
		assert.equal((await request(daemon, 'POST', '/metrics')).status, 405);
		await daemon.stop();
	});

	test('the parser of this test refuses what is not the format', () => {
		const good = '# HELP a_total Things.\n# TYPE a_total counter\na_total{b="c\\"d"} 3\n';
		assert.deepEqual([...parseMetrics(good)], [['a_total{b="c\\"d"}', 3n]]);
		for (const bad of [good.slice(0, -1), good.replace('3', '3.0'), good.replace('TYPE a_total counter', 'TYPE a_total gauge'),
			good + good, good.replace('# TYPE a_total counter\n', ''), good.replace('"d"', '"d'), 'a 1\n', '\n']) {
			assert.throws(() => parseMetrics(bad), assert.AssertionError, bad);
		}
	});
});
