// SPDX-License-Identifier: Apache-2.0
// Transfers that break, lie or take too long: what is tried again and what is not, what is fetched twice and
// what is not, and where it ends.

import assert from 'node:assert/strict';
import fs from 'node:fs';
import path from 'node:path';
import { describe, test } from 'node:test';

import {
	bomb, brotli, byRange, chunked, dripped, drippedHead, endlessBody, endlessHead, endlessInterim, endlessLine, etagOf, file,
	gzipped, html, inTurn, largeHead, lfsPointer, plain, reset, silent, stalled, stalledHead, status, truncated, wrongRange,
} from '../lib/answers.mjs';
import { archived, makers } from '../lib/archives.mjs';
import { scratchDir, startDaemon, until, useDaemon } from '../lib/daemon.mjs';
import { assertHolds, FROM_HERE, imported, refused, submit, ended, versionsOf, when } from '../lib/imports.mjs';
import { addGraph, shardsOf } from '../lib/models.mjs';
import { gate, startOrigin } from '../lib/origin.mjs';

const MIB = 1 << 20;
const SIZE = MIB; // of a shard
const CUT = 300_000;

const large = addGraph({ seed: 1, size: SIZE / 2, shardBytes: SIZE }); // two shards
const [first, second] = shardsOf(large).map(({ path, bytes }) => ({ path: `/m/${path}`, bytes: Buffer.from(bytes) }));
const small = addGraph({ seed: 2, size: 24, shardBytes: 32 });
let names = 0;
const fresh = () => `transfers/m${++names}`;
// The requests for a file, without those at the end which ask whether it is still what it was.
const asked = (origin, path) => origin.seen(path).filter(({ headers }) => !headers['if-none-match']);

async function serving(t, model = large) {
	const origin = await startOrigin(t);
	origin.serve('/m', model, (bytes) => file(bytes));
	return { origin, url: origin.url('/m/model.json') };
}

describe('a transfer that is cut', () => {
	const daemon = useDaemon({ set: FROM_HERE });

	for (const [what, options] of [['closed', {}], ['reset', { reset: true }]]) {
		test(`by a connection that is ${what} goes on where it was, and no byte comes twice`, async (t) => {
			const { origin, url } = await serving(t);
			// Reset throws away what the other side has not read, so what had come is only known of a close.
			origin.on(first.path, inTurn(truncated(first.bytes, CUT, options), file(first.bytes)));
			const name = fresh();
			await imported(daemon, name, url);
			await assertHolds(daemon, name, 1, large.files);
			const [, again] = origin.seen(first.path);
			assert.equal(asked(origin, first.path).length, 2);
			if (options.reset) {
				return;
			}
			assert.equal(again.headers.range, `bytes=${CUT}-`);
			assert.equal(again.headers['if-range'], etagOf(first.bytes));
			assert.equal(origin.sent(first.path), SIZE);
		});
	}

	test('again and again goes on while there is progress', async (t) => {
		const { origin, url } = await serving(t);
		const step = SIZE / 4;
		origin.on(first.path, inTurn(truncated(first.bytes, step), truncated(first.bytes, step), file(first.bytes)));
		await imported(daemon, fresh(), url);
		assert.equal(origin.sent(first.path), SIZE);
	});

	test('starts over when the source has changed', async (t) => {
		const { origin, url } = await serving(t);
		const old = Buffer.alloc(SIZE, 0x11);
		origin.on(first.path, inTurn(truncated(old, CUT), file(first.bytes)));
		const name = fresh();
		await imported(daemon, name, url);
		await assertHolds(daemon, name, 1, large.files);
		const [, again] = origin.seen(first.path);
		assert.equal(again.headers['if-range'], etagOf(old));
		assert.equal(again.status, 200);
	});

	for (const [what, etag] of [['no', ''], ['a weak', 'W/"1"']]) {
		test(`starts over with ${what} ETag, since nothing says that it is the same`, async (t) => {
			const { origin, url } = await serving(t);
			origin.on(first.path, inTurn(truncated(first.bytes, CUT, { etag }), file(first.bytes, { etag })));
			const name = fresh();
			await imported(daemon, name, url);
			await assertHolds(daemon, name, 1, large.files);
			assert.equal(origin.seen(first.path)[1].headers.range, undefined);
		});
	}

	test('starts over when the source does not know ranges', async (t) => {
		const { origin, url } = await serving(t);
		const whole = plain(first.bytes, { ETag: etagOf(first.bytes) });
		origin.on(first.path, inTurn(truncated(first.bytes, CUT), whole));
		const name = fresh();
		await imported(daemon, name, url);
		await assertHolds(daemon, name, 1, large.files);
	});

	for (const [what, said, options] of [
		['other bytes than were asked for', ({ to, length }) => `bytes 0-${to}/${length}`],
		['another size of the whole', ({ from, to, length }) => `bytes ${from}-${to}/${length + 1}`],
		['no Content-Range', () => null], ['nonsense', () => 'bytes x-y/z'],
		['another ETag', ({ from, to, length }) => `bytes ${from}-${to}/${length}`, { etag: '"other"' }],
	]) {
		test(`is not glued to a 206 that has ${what}`, async (t) => {
			const { origin, url } = await serving(t);
			const other = Buffer.alloc(SIZE, 0x22); // what it would be glued to
			const lie = byRange(wrongRange(other, said, options), file(first.bytes));
			origin.on(first.path, inTurn(truncated(first.bytes, CUT), lie));
			const name = fresh();
			const job = await ended(daemon, await submit(daemon, name, url));
			if (job.state === 'done') {
				await assertHolds(daemon, name, 1, large.files);
			} else {
				assert.equal(job.error.code, 'FETCH_FAILED');
				assert.deepEqual(await versionsOf(daemon, name), []);
			}
		});
	}

	test('in the middle of a coded body starts over', async (t) => {
		const { origin, url } = await serving(t);
		origin.on(first.path, inTurn(truncated(first.bytes, CUT, { fields: { 'Content-Encoding': 'gzip' } }),
			gzipped(first.bytes)));
		const name = fresh();
		const job = await ended(daemon, await submit(daemon, name, url));
		// What came was no gzip, which may be seen before the cut.
		assert.ok(job.state === 'done' || job.error.code === 'FETCH_FAILED', JSON.stringify(job));
		if (job.state === 'done') {
			await assertHolds(daemon, name, 1, large.files);
		}
	});

	test('without its last chunk is not taken for whole', async (t) => {
		const { origin, url } = await serving(t, small);
		const shard = shardsOf(small)[0];
		const bytes = Buffer.from(shard.bytes);
		origin.on(`/m/${shard.path}`, inTurn(chunked(bytes, { size: 8, cut: 24 }),
			chunked(bytes, { size: 8, trailers: { 'X-Sum': '1' } })));
		const name = fresh();
		await imported(daemon, name, url);
		await assertHolds(daemon, name, 1, small.files);
		assert.equal(asked(origin, `/m/${shard.path}`).length, 2);
	});
});

describe('a failure', () => {
	const daemon = useDaemon({ set: { ...FROM_HERE, 'import.attempts': 3 } });
	const shard = `/m/${shardsOf(small)[0].path}`;
	const bytes = Buffer.from(shardsOf(small)[0].bytes);

	for (const [what, answer] of [['503 with Retry-After', status(503, { 'Retry-After': '1' })],
		['429 with Retry-After', status(429, { 'Retry-After': '1' })],
		['500', status(500)], ['502', status(502)], ['504', status(504)], ['408', status(408)], ['a reset', reset()],
		['an empty answer', async (exchange) => exchange.close()]]) {
		test(`that may pass is tried again: ${what}`, async (t) => {
			const { origin, url } = await serving(t, small);
			origin.on(shard, inTurn(answer, file(bytes)));
			const name = fresh();
			await imported(daemon, name, url);
			await assertHolds(daemon, name, 1, small.files);
			assert.equal(asked(origin, shard).length, 2);
		});
	}

	test('that stays is tried as often as import.attempts says', async (t) => {
		const { origin, url } = await serving(t, small);
		origin.on(shard, status(503));
		const error = await refused(daemon, fresh(), url);
		assert.equal(error.code, 'FETCH_STATUS');
		assert.equal(error.upstream_status, 503);
		assert.equal(origin.seen(shard).length, 3);
	});

	for (const code of [400, 401, 403, 404, 410, 451]) {
		test(`that will not pass is not tried again: ${code}`, async (t) => {
			const { origin, url } = await serving(t, small);
			origin.on(shard, status(code, {}, 'some text of theirs'));
			const name = fresh();
			const error = await refused(daemon, name, url);
			assert.equal(error.code, 'FETCH_STATUS');
			assert.equal(error.upstream_status, code);
			assert.ok(error.url.endsWith(shard), error.url);
			assert.doesNotMatch(JSON.stringify(error), /some text of theirs/);
			assert.equal(origin.seen(shard).length, 1);
			assert.deepEqual(await versionsOf(daemon, name), []);
		});
	}

	for (const [what, answer, rule] of [['an HTML page', html(), /HTML/i], ['a Git LFS pointer', lfsPointer(bytes), /LFS/i]]) {
		test(`is named: ${what} in place of a shard`, async (t) => {
			const { origin, url } = await serving(t, small);
			origin.on(shard, answer);
			const error = await refused(daemon, fresh(), url);
			assert.match(JSON.stringify(error), rule);
		});

		test(`is named: ${what} in place of model.json`, async (t) => {
			const { origin, url } = await serving(t, small);
			origin.on('/m/model.json', answer);
			const error = await refused(daemon, fresh(), url);
			assert.match(JSON.stringify(error), rule);
			assert.equal(origin.seen().length, 1);
		});
	}
});

describe('a source that changes meanwhile', () => {
	const daemon = useDaemon({ set: FROM_HERE });
	const replacement = (seed) => Buffer.from(shardsOf(addGraph({ seed, size: SIZE / 2, shardBytes: SIZE }))[1].bytes);

	test('under the same model.json is begun anew, so that no files of two models are mixed', async (t) => {
		const { origin, url } = await serving(t);
		const name = fresh();
		origin.hold(first.path);
		const job = await submit(daemon, name, url);
		await when(daemon, job, 'the other files', ({ progress }) => progress.files === 2);
		const other = replacement(8);
		origin.on(second.path, file(other));
		origin.release();
		assert.equal((await ended(daemon, job)).state, 'done');
		await assertHolds(daemon, name, 1, large.files.map((one) => (`/m/${one.path}` === second.path ? { ...one, bytes: other } : one)));
	});

	test('and goes on with that is given up', async (t) => {
		const { origin, url } = await serving(t);
		let n = 0;
		origin.on(second.path, (exchange) => file(replacement(20 + ++n))(exchange));
		const error = await refused(daemon, fresh(), url);
		assert.equal(error.code, 'FETCH_FAILED');
		assert.match(error.detail, /keeps changing/);
	});
});

describe('a host that takes its time', () => {
	const daemon = useDaemon({ set: { ...FROM_HERE, 'import.attempts': 1, 'import.min_rate': '1KiB', 'import.min_rate_time': '2s',
		'import.file_timeout': '6s' } });
	const shard = `/m/${shardsOf(small)[0].path}`;
	const bytes = Buffer.from(shardsOf(small)[0].bytes);

	for (const [what, answer] of [['says nothing', silent()], ['stops in its head', stalledHead()],
		['drips its head', drippedHead()],
		['stops in its body', stalled(bytes, 8)], ['drips its body', dripped(Buffer.alloc(MIB))]]) {
		test(`is let go: it ${what}`, async (t) => {
			const { origin, url } = await serving(t, small);
			origin.on(shard, answer);
			const error = await refused(daemon, fresh(), url);
			assert.equal(error.code, 'FETCH_TIMED_OUT', JSON.stringify(error));
			await origin.when('it to hang up', () => origin.active === 0);
		});
	}
});

describe('a time limit', () => {
	test('of the whole import ends it, whatever it waits for', async (t) => {
		const daemon = await startDaemon(t, { set: { ...FROM_HERE, 'import.timeout': '2s', 'import.min_rate': 0 } });
		const { origin, url } = await serving(t);
		origin.hold(first.path);
		const error = await refused(daemon, fresh(), url);
		assert.equal(error.code, 'FETCH_TIMED_OUT');
		assert.match(error.detail, /import\.timeout/);
		await origin.when('it to hang up', () => origin.active === 0);
		await daemon.stop();
	});

	test('of a file ends its transfer, though bytes come', async (t) => {
		const set = { ...FROM_HERE, 'import.attempts': 1, 'import.file_timeout': '2s', 'import.min_rate': 0 };
		const daemon = await startDaemon(t, { set });
		const { origin, url } = await serving(t);
		origin.on(first.path, dripped(first.bytes));
		// Another file takes as long where we are slow to send it.
		await until('an import that fails for this file', async () => {
			const error = await refused(daemon, fresh(), url);
			assert.equal(error.code, 'FETCH_TIMED_OUT');
			return error.url.endsWith(first.path);
		});
		await daemon.stop();
	});
});

describe('a host that sends too much', () => {
	const daemon = useDaemon({ set: { ...FROM_HERE, 'import.attempts': 1, 'limits.file': '2MiB',
		'limits.model_json': '1MiB', 'limits.version': '4MiB' } });
	const shard = `/m/${shardsOf(small)[0].path}`;
	const bytes = Buffer.from(shardsOf(small)[0].bytes);

	for (const [what, target, answer, code] of [
		['an endless model.json', '/m/model.json', endlessBody(), /TOO_LARGE|NOT_LOADABLE|BAD_JSON/],
		['an endless shard', shard, endlessBody(), /TOO_LARGE|NOT_LOADABLE/],
		['a model.json that says it is larger than a version may be', '/m/model.json',
			plain(Buffer.alloc(8), { 'Content-Length': 5 * MIB }), /TOO_LARGE/],
		['a gzip bomb as model.json', '/m/model.json', plain(bomb(256 * MIB, '{"a":"'), { 'Content-Encoding': 'gzip' }),
			/TOO_LARGE/],
		['a gzip bomb as a shard', shard, plain(bomb(256 * MIB), { 'Content-Encoding': 'gzip' }), /TOO_LARGE|NOT_LOADABLE/],
		['an endless head', shard, endlessHead(), /FETCH_FAILED|TOO_LARGE/],
		['an endless line in a head', shard, endlessLine(), /FETCH_FAILED|TOO_LARGE/],
		['1xx answers without end', shard, endlessInterim(), /FETCH_FAILED|TOO_LARGE/],
		['a head of more than 64 KiB', shard, largeHead(bytes, 80_000), /FETCH_FAILED|TOO_LARGE/],
	]) {
		test(`is cut: ${what}`, async (t) => {
			const { origin, url } = await serving(t, small);
			origin.on(target, answer);
			const name = fresh();
			const error = await refused(daemon, name, url);
			assert.match(error.code, code, JSON.stringify(error));
			await origin.when('it to hang up', () => origin.active === 0);
			// What the sockets and pipes between hold is not the import's to bound.
			assert.ok(origin.sent(target) < 16 * MIB, `${origin.sent(target)} bytes were taken`);
			assert.deepEqual(await versionsOf(daemon, name), []);
		});
	}

	test('is cut: an archive that unpacks to far more than itself', async (t) => {
		const dir = scratchDir('bomb');
		fs.writeFileSync(path.join(dir, 'model.json'), small.files[0].bytes);
		fs.writeFileSync(path.join(dir, 'zeros.bin'), '');
		fs.truncateSync(path.join(dir, 'zeros.bin'), 256 * MIB);
		const own = await startDaemon(t, { set: FROM_HERE });
		const origin = await startOrigin(t);
		for (const [maker, name] of [['tar -z', 'm.tar.gz'], ['bsdtar --format=zip', 'm.zip']]) {
			const { body } = await archived(maker, dir);
			assert.ok(body.length < MIB);
			origin.on(`/${name}`, file(body, { fields: { 'Content-Type': makers[maker].type } }));
			const error = await refused(own, fresh(), origin.url(`/${name}`));
			assert.equal(error.code, 'TOO_LARGE', JSON.stringify(error));
		}
	});

	test('is cut: a shard of one byte more than the model has', async (t) => {
		const { origin, url } = await serving(t, small);
		origin.on(shard, plain(Buffer.concat([bytes, Buffer.alloc(1)])));
		const error = await refused(daemon, fresh(), url);
		assert.match(error.code, /NOT_LOADABLE|TOO_LARGE/);
	});

	test('may send a head of 32 KiB', async (t) => {
		const { origin, url } = await serving(t, small);
		origin.on(shard, largeHead(bytes, 32 << 10));
		await imported(daemon, fresh(), url);
	});

	test('may send brotli', async (t) => {
		const { origin, url } = await serving(t, small);
		origin.on('/m/model.json', brotli(Buffer.from(small.files[0].bytes)));
		const name = fresh();
		await imported(daemon, name, url);
		await assertHolds(daemon, name, 1, small.files);
	});
});

describe('progress', () => {
	const daemon = useDaemon({ set: FROM_HERE });

	test('knows the total as soon as model.json is read', async (t) => {
		const { origin, url } = await serving(t);
		origin.hold(first.path, second.path);
		const job = await submit(daemon, fresh(), url);
		await origin.arrived(second.path);
		const total = large.files.reduce((sum, { bytes }) => sum + bytes.length, 0);
		const seen = await when(daemon, job, 'the total', ({ progress }) => progress.total);
		assert.equal(seen.state, 'running');
		assert.equal(seen.progress.total, total);
		assert.equal(seen.progress.files_total, 3);
		assert.ok(seen.progress.bytes < SIZE);
		origin.release();
		assert.equal((await ended(daemon, job)).progress.bytes, total);
	});

	test('counts the bytes of files that are under way, and names one', async (t) => {
		const { origin, url } = await serving(t);
		const release = gate();
		origin.on(first.path, stalled(first.bytes, SIZE / 2, release));
		const job = await submit(daemon, fresh(), url);
		const wanted = large.files[0].bytes.length + second.bytes.length + SIZE / 2;
		// A file counts when it is durable, which is some time behind its last byte.
		const seen = await when(daemon, job, 'half a shard', ({ progress }) => progress.bytes >= wanted && progress.files === 2);
		assert.equal(seen.progress.bytes, wanted);
		assert.ok(first.path.endsWith(seen.progress.file), seen.progress.file);
		release.open();
		assert.equal((await ended(daemon, job)).state, 'done');
	});
});

describe('transfers side by side', () => {
	const SHARDS = 24;
	const many = addGraph({ seed: 5, size: 8 * SHARDS, shardBytes: 32 });

	async function atOnce(t, daemon, n, jobs = 1) {
		const { origin, url } = await serving(t, many);
		const shards = shardsOf(many).map(({ path }) => `/m/${path}`);
		origin.hold(...shards);
		const submitted = [];
		for (let i = 0; i < jobs; i++) {
			submitted.push(await submit(daemon, fresh(), url));
		}
		await origin.when(`${n} at once`, () => origin.active === n);
		origin.release();
		for (const job of submitted) {
			assert.equal((await ended(daemon, job)).state, 'done');
		}
		assert.equal(origin.peak, n);
		return origin;
	}

	describe('of one import', () => {
		const daemon = useDaemon({ set: { ...FROM_HERE, 'import.transfers': 4 } });

		test('are as many as import.transfers says, and never more', async (t) => {
			const origin = await atOnce(t, daemon, 4);
			assert.ok(origin.connections <= 4, `${origin.connections} connections`);
		});
	});

	describe('to one host', () => {
		const daemon = useDaemon({ set: { ...FROM_HERE, 'import.jobs': 2, 'import.transfers': 8,
			'import.transfers_per_host': 3 } });

		test('are never more than import.transfers_per_host, over all imports', async (t) => {
			const origin = await atOnce(t, daemon, 3, 2);
			assert.ok(origin.connections <= 4, `${origin.connections} connections`);
		});
	});
});
