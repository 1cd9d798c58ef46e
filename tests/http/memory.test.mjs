// SPDX-License-Identifier: Apache-2.0
// A model of any size passes through memory of a fixed size.

import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import fs from 'node:fs';
import path from 'node:path';
import { describe, test } from 'node:test';
import { promisify } from 'node:util';

import { have, NO_FORMS, scratchDir, startDaemon } from '../lib/daemon.mjs';
import { get, head, published, request } from '../lib/http.mjs';
import { addGraph, denseModel, withJson } from '../lib/models.mjs';

const run = promisify(execFile);
const MIB = 1 << 20;
const SHARDS = 4;
const SHARD_BYTES = 128 * MIB;
const ALLOWED_KIB = 32 * 1024;
const ARCHIVES_KIB = 4 * 1024;

const plain = process.env.MODELD_PLAIN;
const skip = (!plain && 'MODELD_PLAIN names no build without sanitizers') ||
	(!have('curl') && 'curl is not installed');

describe('a model of 512 MiB', { skip }, () => {
	// Files with holes: the daemon cannot tell, and the disk holds it once only.
	function writeModel() {
		const dir = scratchDir('large');
		const { json } = addGraph({ size: 1 });
		const paths = Array.from({ length: SHARDS }, (_, i) => `group1-shard${i + 1}of${SHARDS}.bin`);
		json.weightsManifest[0].paths = paths;
		json.weightsManifest[0].weights[0].shape = [SHARDS * SHARD_BYTES / 4];
		fs.writeFileSync(path.join(dir, 'model.json'), JSON.stringify(json));
		for (const [i, name] of paths.entries()) {
			const file = fs.openSync(path.join(dir, name), 'w');
			fs.writeSync(file, `shard ${i}`, 0); // no two alike
			fs.ftruncateSync(file, SHARD_BYTES);
			fs.closeSync(file);
		}
		return { dir, paths };
	}

	test('is taken and given within 32 MiB above idle', async (t) => {
		const daemon = await startDaemon(t, { binary: plain, wrapper: [], set: NO_FORMS });
		await published(daemon, 'warm', denseModel());
		await get(daemon, '/models/warm/model.json');
		const idle = daemon.memoryKiB('VmHWM');
		const { dir, paths } = writeModel();

		const { stdout } = await run('curl', ['-sS', '-o', '-', '-w', '\n%{http_code}',
			...['model.json', ...paths].flatMap((name) => ['-F', `${name}=@${name}`]),
			daemon.url('/models/large')], { cwd: dir });
		assert.match(stdout, /\n201$/);
		const grown = daemon.memoryKiB('VmHWM') - idle;
		assert.ok(grown < ALLOWED_KIB, `an upload took ${grown} KiB`);

		for (const name of paths) {
			const target = `/models/large@1/${name}`;
			assert.equal((await head(daemon, target)).headers['content-length'], String(SHARD_BYTES));
			await run('cmp', [path.join(dir, name), await downloaded(daemon, target, dir)]);
		}
		// Pages of the file itself may be mapped; what counts is memory that is the daemon's own.
		const own = daemon.memoryKiB('RssAnon');
		assert.ok(own - idle < ALLOWED_KIB, `serving took ${own} KiB`);
		const tail = await request(daemon, 'GET', `/models/large@1/${paths[0]}`,
			{ headers: { range: 'bytes=0-6' } });
		assert.equal(tail.text, 'shard 0');
		await daemon.stop();
	});

	const noTar = !have('tar') && 'tar is not installed';
	test('is given as archives within 4 MiB for four', { skip: noTar }, async (t) => {
		// What is done with the new version in the background has memory of its own.
		const daemon = await startDaemon(t, { binary: plain, wrapper: [], set: NO_FORMS });
		const { dir, paths } = writeModel();
		const names = [...paths, 'model.json'];
		await run('curl', ['-sSf', '-o', '/dev/null', ...names.flatMap((name) => ['-F', `${name}=@${name}`]),
			daemon.url('/models/large')], { cwd: dir });
		const sum = async (command) => (await run('sh', ['-c', `${command} | sha256sum`], { cwd: dir })).stdout;
		const whole = await sum(`cat ${names.join(' ')}`);
		const idle = daemon.memoryKiB('RssAnon');
		let most = idle;
		const watch = setInterval(() => (most = Math.max(most, daemon.memoryKiB('RssAnon'))), 5);
		t.after(() => clearInterval(watch));
		const target = daemon.url('/models/large@1?tfjs-format=compressed');
		const four = Array.from({ length: 4 }, () => sum(`curl -sSf '${target}' | tar -xzO`));
		for (const one of await Promise.all(four)) {
			assert.equal(one, whole);
		}
		clearInterval(watch);
		assert.ok(most - idle < ARCHIVES_KIB, `four archives took ${most - idle} KiB`);
		await daemon.stop();
	});

	for (const [type, words] of [
		['application/x-tar', 'tar -cf - .'],
		['application/gzip', 'tar -cf - . | gzip -1'],
		['application/zip', 'zip -q1r - .'],
	]) {
		const program = words.split(' ')[0];
		const lacks = !have(program) && `${program} is not installed`;
		test(`is taken from ${type} within as much`, { skip: lacks }, async (t) => {
			// What has holes swells a thousand times.
			const daemon = await startDaemon(t, { binary: plain, wrapper: [],
				set: { ...NO_FORMS, 'limits.expansion': '1100' } });
			await published(daemon, 'warm', denseModel());
			const idle = daemon.memoryKiB('VmHWM');
			const { dir, paths } = writeModel();

			const { stdout } = await run('sh', ['-c', `${words} | curl -sS -T - -X POST -o /dev/null ` +
				`-w '%{http_code}' -H 'Content-Type: ${type}' "$0"`,
			daemon.url('/v1/models/large/versions')], { cwd: dir });
			assert.equal(stdout, '201');
			const grown = daemon.memoryKiB('VmHWM') - idle;
			assert.ok(grown < ALLOWED_KIB, `an archive took ${grown} KiB`);
			const last = `/models/large@1/${paths.at(-1)}`;
			await run('cmp', [path.join(dir, paths.at(-1)), await downloaded(daemon, last, dir)]);
			await daemon.stop();
		});
	}

	async function downloaded(daemon, target, dir) {
		const to = path.join(dir, 'download');
		await run('curl', ['-sS', '-f', '-o', to, daemon.url(target)]);
		return to;
	}
});

describe('JSON that takes many times its size', { skip: !plain && 'MODELD_PLAIN names no build without sanitizers' }, () => {
	const NUMBERS = 1_500_000; // each two bytes, and a node in memory

	test('is parsed one file at a time, however many are published at once', async (t) => {
		const make = (i) => withJson(denseModel({ seed: i }), (text) => ({ ...text,
			userDefinedMetadata: { numbers: Array(NUMBERS).fill(i) } }));
		const grown = async (n) => {
			const daemon = await startDaemon(t, { binary: plain, wrapper: [], set: { ...NO_FORMS, 'work.threads': 8 } });
			await published(daemon, 'warm', denseModel());
			const idle = daemon.memoryKiB('VmHWM');
			await Promise.all(Array.from({ length: n }, (_, i) => published(daemon, `m${i}`, make(i))));
			const more = daemon.memoryKiB('VmHWM') - idle;
			await daemon.stop();
			return more;
		};
		const one = await grown(1);
		const eight = await grown(8);
		assert.ok(eight < 2 * one, `one took ${one} KiB, eight at once ${eight} KiB`);
	});
});
