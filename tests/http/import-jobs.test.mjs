// SPDX-License-Identifier: Apache-2.0
// Imports as jobs: they survive whatever ends the daemon, go on where they were, are cancelled at once, and
// leave nothing behind.

import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import path from 'node:path';
import { describe, test } from 'node:test';

import { file, stalled } from '../lib/answers.mjs';
import { Daemon, startDaemon, until, useDaemon } from '../lib/daemon.mjs';
import { assertProblem, get, published } from '../lib/http.mjs';
import {
	assertHolds, cancel, ended, FROM_HERE, imported, importOf, look, Stream, submit, versionsOf, when,
} from '../lib/imports.mjs';
import { addGraph, denseModel, shardsOf } from '../lib/models.mjs';
import { gate, startOrigin } from '../lib/origin.mjs';
import { assertExact, assertSound, modeld } from '../lib/writer.mjs';

const SHARD = 1 << 20;
const model = addGraph({ seed: 1, size: SHARD, shardBytes: SHARD }); // four shards
const shards = shardsOf(model).map(({ path, bytes }) => ({ path: `/m/${path}`, bytes: Buffer.from(bytes) }));
const [a, b, c, d] = shards;
const TOTAL = model.files.reduce((sum, { bytes }) => sum + bytes.length, 0);

async function serving(t) {
	const origin = await startOrigin(t);
	origin.serve('/m', model, (bytes) => file(bytes));
	return { origin, url: origin.url('/m/model.json') };
}

// A writer of nothing, for assertExact().
const nobody = { held: () => [], parts: () => [] };

// The store holds nothing: no blob, no half of a file, no request.
async function assertEmpty(daemon) {
	await assertExact(daemon, [nobody]);
	for (const folder of ['jobs', 'uploads', 'blobs', 'tmp']) {
		assert.deepEqual(daemon.files(folder), [], folder);
	}
}

function remembered(store) {
	const words = [path.join(store, 'catalog.db'), '.timeout 60000', 'SELECT count(*) FROM fetched'];
	const { status, stdout, stderr } = spawnSync('sqlite3', words, { encoding: 'utf8' });
	assert.equal(status, 0, stderr);
	return Number(stdout);
}

// An import whose last two shards are held back, one of them in its middle; the others have arrived.
async function inTheMiddle(t, daemon, name = 'm') {
	const { origin, url } = await serving(t);
	const release = gate();
	origin.on(c.path, stalled(c.bytes, SHARD / 2, release));
	origin.hold(d.path);
	const job = await submit(daemon, name, url);
	const there = model.files[0].bytes.length + a.bytes.length + b.bytes.length + SHARD / 2;
	await when(daemon, job, 'all that is sent to have arrived',
		({ progress }) => progress.bytes >= there && progress.files === 3);
	// What has come is in the catalog some seconds later.
	await until('whole files to be remembered', async () => remembered(daemon.store) === 3);
	const go = () => {
		release.open();
		origin.on(c.path, file(c.bytes));
		origin.release();
		origin.forget();
	};
	return { origin, job, go };
}

describe('an import that is in its middle', () => {
	for (const [what, end] of [['kill -9', (daemon) => daemon.kill()], ['a stop', (daemon) => daemon.stop()]]) {
		test(`goes on after ${what}, and fetches no whole file twice`, async (t) => {
			const daemon = await startDaemon(t, { set: FROM_HERE });
			const { origin, job, go } = await inTheMiddle(t, daemon);
			await end(daemon);
			go();
			const second = await startDaemon(t, { store: daemon.store, set: FROM_HERE });
			const done = await ended(second, job);
			assert.equal(done.state, 'done', JSON.stringify(done));
			assert.equal(done.attempt, 2);
			assert.equal(done.version, 1);
			assert.equal(done.progress.bytes, TOTAL);
			await assertHolds(second, 'm', 1, model.files);
			for (const { path } of [a, b]) {
				assert.equal(origin.sent(path), 0, `${path} was fetched twice`);
			}
			assert.ok(origin.sent(c.path) <= SHARD);
			t.diagnostic(`${origin.sent(c.path)} of ${SHARD} bytes of a shard whose half had come`);
			await second.stop();
			assert.deepEqual(second.files('jobs'), []);
			await assertSound(second.store);
		});
	}

	test('keeps the half of a file that had come over a stop', async (t) => {
		const daemon = await startDaemon(t, { set: FROM_HERE });
		const { origin, job, go } = await inTheMiddle(t, daemon);
		await daemon.stop();
		go();
		const second = await startDaemon(t, { store: daemon.store, set: FROM_HERE });
		assert.equal((await ended(second, job)).state, 'done');
		assert.equal(origin.sent(c.path), SHARD / 2);
		await assertHolds(second, 'm', 1, model.files);
	});

	test('starts a file over when the source changed over a kill -9', async (t) => {
		const daemon = await startDaemon(t, { set: FROM_HERE });
		const { origin, job, go } = await inTheMiddle(t, daemon);
		await daemon.kill();
		go();
		const other = Buffer.from(addGraph({ seed: 9, size: SHARD / 4 }).files[1].bytes);
		origin.on(c.path, file(other));
		const second = await startDaemon(t, { store: daemon.store, set: FROM_HERE });
		assert.equal((await ended(second, job)).state, 'done');
		const files = model.files.map((one) => (`/m/${one.path}` === c.path ? { ...one, bytes: other } : one));
		await assertHolds(second, 'm', 1, files);
	});

	test('survives three kills in a row', async (t) => {
		let daemon = await startDaemon(t, { set: FROM_HERE });
		const { origin, job, go } = await inTheMiddle(t, daemon);
		for (let n = 1; n <= 3; n++) {
			await daemon.kill();
			const seen = origin.seen(d.path).length;
			daemon = await startDaemon(t, { store: daemon.store, set: FROM_HERE });
			await origin.arrived(d.path, seen + 1);
			assert.equal((await look(daemon, job)).attempt, n + 1);
		}
		go();
		assert.equal((await ended(daemon, job)).state, 'done');
		await assertHolds(daemon, 'm', 1, model.files);
	});

	test('is cancelled at once, and leaves nothing behind', async (t) => {
		const daemon = await startDaemon(t, { set: FROM_HERE });
		const { origin, job } = await inTheMiddle(t, daemon);
		const answered = await cancel(daemon, job);
		assert.equal(answered.status, 200, answered.text);
		assert.equal(answered.json.state, 'cancelled');
		await origin.when('it to hang up', () => origin.active === 0);
		await until('its uploads to be gone', () => daemon.files('uploads').length === 0 && daemon.files('jobs').length === 0);
		assert.equal((await cancel(daemon, job)).status, 200);
		assert.equal((await look(daemon, job)).state, 'cancelled');
		await assertEmpty(daemon);
		assert.deepEqual(await versionsOf(daemon, 'm'), []);
		await daemon.stop();
	});

	test('stays cancelled over a kill -9 that comes at once', async (t) => {
		const daemon = await startDaemon(t, { set: FROM_HERE });
		const { origin, job, go } = await inTheMiddle(t, daemon);
		assert.equal((await cancel(daemon, job)).status, 200);
		await daemon.kill();
		go();
		const second = await startDaemon(t, { store: daemon.store, set: FROM_HERE });
		assert.equal((await look(second, job)).state, 'cancelled');
		await until('what it left to be gone', () => second.files('jobs').length === 0);
		assert.deepEqual(origin.seen(), []);
		await second.stop();
	});

	test('lets a stop of the daemon wait for nothing', async (t) => {
		const daemon = await startDaemon(t, { set: { ...FROM_HERE, 'import.transfers': 2 } });
		const { origin, url } = await serving(t);
		origin.hold('/m/model.json');
		await submit(daemon, 'm', url);
		await origin.arrived('/m/model.json');
		await daemon.stop();
	});
});

describe('jobs', () => {
	test('wait while import.jobs others run, and are cancelled while they wait', async (t) => {
		const daemon = await startDaemon(t, { set: { ...FROM_HERE, 'import.jobs': 1 } });
		const { origin, url } = await serving(t);
		origin.hold('/m/model.json');
		const running = await submit(daemon, 'one', url);
		await origin.arrived('/m/model.json');
		const waiting = await submit(daemon, 'two', url);
		const last = await submit(daemon, 'three', url);
		assert.equal((await look(daemon, running)).state, 'running');
		assert.equal((await look(daemon, waiting)).state, 'queued');
		assert.equal((await look(daemon, waiting)).attempt, 0);
		assert.equal((await cancel(daemon, waiting)).json.state, 'cancelled');
		origin.release();
		assert.equal((await ended(daemon, running)).state, 'done');
		assert.equal((await ended(daemon, last)).state, 'done');
		assert.equal((await look(daemon, waiting)).state, 'cancelled');
		assert.deepEqual(await versionsOf(daemon, 'two'), []);
		await daemon.stop();
	});

	test('beyond import.queue are 429, and none is lost over a kill -9', async (t) => {
		const set = { ...FROM_HERE, 'import.jobs': 1, 'import.queue': 3 };
		const daemon = await startDaemon(t, { set });
		const { origin, url } = await serving(t);
		origin.hold('/m/model.json');
		const jobs = [];
		for (const name of ['one', 'two', 'three']) {
			jobs.push(await submit(daemon, name, url));
		}
		assertProblem(await importOf(daemon, 'four', url), 429, 'TOO_MANY');
		await daemon.kill();
		origin.release();
		const second = await startDaemon(t, { store: daemon.store, set });
		for (const [i, name] of ['one', 'two', 'three'].entries()) {
			assert.equal((await ended(second, jobs[i])).state, 'done');
			await assertHolds(second, name, 1, model.files);
		}
		assert.deepEqual(await versionsOf(second, 'four'), []);
	});

	test('are refused where import.jobs is 0', async (t) => {
		const daemon = await startDaemon(t, { set: { ...FROM_HERE, 'import.jobs': 0 } });
		const answered = await importOf(daemon, 'm', 'https://a.example/model.json');
		assert.ok(answered.status >= 400, answered.text);
		await daemon.stop();
	});

	test('are listed newest first, by page, by model and by what is open', async (t) => {
		const daemon = await startDaemon(t, { set: { ...FROM_HERE, 'import.jobs': 1 } });
		const { origin, url } = await serving(t);
		const done = [await imported(daemon, 'a', url), await imported(daemon, 'b', url), await imported(daemon, 'a', url)];
		origin.hold('/m/model.json');
		const open = [await submit(daemon, 'c', url), await submit(daemon, 'a', url)];
		const ids = [...done, ...open].map(({ id }) => id).reverse();
		const list = async (query) => (await get(daemon, `/v1/jobs${query}`)).json;
		assert.deepEqual((await list('')).jobs.map(({ id }) => id), ids);
		assert.deepEqual((await list('?state=open')).jobs.map(({ id }) => id), ids.slice(0, 2));
		assert.deepEqual((await list('?model=a')).jobs.map(({ model: name }) => name), ['a', 'a', 'a']);
		const paged = [];
		for (let token = ''; token !== undefined;) {
			const page = await list(`?limit=2${token && `&page_token=${token}`}`);
			assert.ok(page.jobs.length <= 2);
			paged.push(...page.jobs.map(({ id }) => id));
			token = page.next_page_token;
		}
		assert.deepEqual(paged, ids);
		origin.release();
		for (const job of open) {
			await ended(daemon, job);
		}
		await daemon.stop();
	});

	test('that nobody knows are 404, and those that are done cannot be cancelled', async (t) => {
		const daemon = await startDaemon(t, { set: FROM_HERE });
		const { url } = await serving(t);
		const job = await imported(daemon, 'm', url);
		assertProblem(await cancel(daemon, job), 409, 'CONFLICT');
		for (const id of ['0'.repeat(32), 'x', `${job.id}0`]) {
			assertProblem(await get(daemon, `/v1/jobs/${id}`), 404, 'JOB_NOT_FOUND');
		}
		assertProblem(await cancel(daemon, { id: '0'.repeat(32) }), 404, 'JOB_NOT_FOUND');
	});

	test('are kept over a restart, and forgotten after import.keep', async (t) => {
		const daemon = await startDaemon(t, { set: FROM_HERE });
		const { url } = await serving(t);
		const job = await imported(daemon, 'm', url);
		await daemon.stop();
		const second = await startDaemon(t, { store: daemon.store, set: FROM_HERE });
		const { url: here, ...same } = await look(second, job);
		assert.ok(here.startsWith(second.origin));
		assert.deepEqual(same, (({ url: there, ...rest }) => rest)(job));
		await second.stop();
		const third = await startDaemon(t, { store: daemon.store, set: { ...FROM_HERE, 'import.keep': '0' } });
		await until('the job to be forgotten', async () => (await get(third, `/v1/jobs/${job.id}`)).status === 404);
		await assertHolds(third, 'm', 1, model.files);
	});

	test('do not stand in the way of publishing to the same model', async (t) => {
		const daemon = await startDaemon(t, { set: FROM_HERE });
		const { job, go } = await inTheMiddle(t, daemon);
		assert.equal((await published(daemon, 'm', denseModel())).version, 1);
		go();
		assert.equal((await ended(daemon, job)).version, 2);
		await assertHolds(daemon, 'm', 2, model.files);
	});

	test('hold what has arrived against a collection that runs meanwhile', async (t) => {
		const daemon = await startDaemon(t, { set: FROM_HERE });
		const { job, go } = await inTheMiddle(t, daemon);
		assert.equal((await modeld(daemon.store, 'gc', '--grace', '0')).code, 0);
		go();
		assert.equal((await ended(daemon, job)).state, 'done');
		await assertHolds(daemon, 'm', 1, model.files);
	});
});

describe('the stream of a job', () => {
	const daemon = useDaemon({ set: FROM_HERE });

	test('has a line for what changes, and ends with the end', async (t) => {
		const { origin, url } = await serving(t);
		origin.hold(d.path);
		const stream = await new Stream().open(daemon, 'stream/a', { url });
		assert.equal(stream.response.statusCode, 202);
		assert.match(stream.response.headers['content-type'], /^application\/x-ndjson/);
		assert.equal(stream.response.headers['x-accel-buffering'], 'no'); // nginx reads it
		const first = await stream.next();
		assert.equal(stream.response.headers.location, `/v1/jobs/${first.id}`);
		let line = first;
		while (line.progress.files < 4) {
			line = await stream.next();
			assert.ok(line, 'the stream ended early');
			assert.equal(line.state, 'running');
		}
		assert.equal(line.progress.total, TOTAL);
		origin.release();
		const rest = await stream.rest();
		assert.equal(rest.at(-1).state, 'done');
		assert.deepEqual(rest.at(-1), await look(daemon, first));
		const bytes = [line, ...rest].map(({ progress }) => progress.bytes);
		assert.deepEqual(bytes, [...bytes].sort((x, y) => x - y), 'progress goes back');
	});

	test('may be left, and the import goes on', async (t) => {
		const { origin, url } = await serving(t);
		origin.hold(d.path);
		const stream = await new Stream().open(daemon, 'stream/b', { url });
		const { id } = await stream.next();
		await origin.arrived(d.path);
		stream.leave();
		origin.release();
		assert.equal((await ended(daemon, { id })).state, 'done');
		await assertHolds(daemon, 'stream/b', 1, model.files);
	});

	test('says when it is cancelled', async (t) => {
		const { origin, url } = await serving(t);
		origin.hold(d.path);
		const stream = await new Stream().open(daemon, 'stream/c', { url });
		const { id } = await stream.next();
		await origin.arrived(d.path);
		assert.equal((await cancel(daemon, { id })).status, 200);
		assert.equal((await stream.rest()).at(-1).state, 'cancelled');
		await origin.when('it to hang up', () => origin.active === 0);
	});

	test('does not keep the daemon from stopping', async (t) => {
		const own = new Daemon({ set: FROM_HERE });
		t.after(() => own.destroy());
		await own.start();
		const { origin, url } = await serving(t);
		origin.hold(d.path);
		const stream = await new Stream().open(own, 'stream/d', { url });
		await stream.next();
		await origin.arrived(d.path);
		await own.stop();
	});
});
