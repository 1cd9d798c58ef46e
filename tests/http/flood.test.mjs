// SPDX-License-Identifier: Apache-2.0
// More publishes than there is room for are refused, in time and in words, while models are served.

import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import path from 'node:path';
import { describe, test } from 'node:test';

import { NO_FORMS, have, scratchDir, startDaemon, until, within } from '../lib/daemon.mjs';
import { Wire, assertProblem, get, multipart, partsOf, publish, published, requestHead } from '../lib/http.mjs';
import { denseModel } from '../lib/models.mjs';

const THREADS = 4; // of which one more is left to reads
const QUEUE = 2;
const SENDERS = 20;

// Holds the lock of whoever writes to the catalog, until release().
async function holdCatalog(t, store) {
	const sqlite = spawn('sqlite3', [path.join(store, 'catalog.db')]);
	const ended = new Promise((resolve) => { sqlite.on('close', resolve); });
	let said = '';
	sqlite.stdout.on('data', (bytes) => { said += bytes; });
	t.after(() => sqlite.kill('SIGKILL'));
	sqlite.stdin.write('.timeout 10000\nBEGIN IMMEDIATE;\nSELECT \'held\';\n');
	await until('the lock', () => said.includes('held'));
	return async () => {
		sqlite.stdin.end('ROLLBACK;\n');
		await within('sqlite3 to end', ended);
	};
}

// As many publishes at a time as cannot all find room: for each that is answered comes another.
class Flood {
	constructor(daemon) {
		this.answers = [];
		this.goesOn = true;
		this.senders = Array.from({ length: SENDERS }, async (_, i) => {
			for (let n = 0; this.goesOn; n++) {
				this.answers.push(await publish(daemon, `flood-${i}`, denseModel({ seed: 100 * i + n })));
			}
		});
	}

	// How many were at work: the others found no room.
	ended() {
		return this.answers.filter(({ text }) => !text.includes('waiting already; try again')).length;
	}

	async end() {
		this.goesOn = false;
		await Promise.all(this.senders);
	}
}

describe('a flood of publishes', { skip: !have('sqlite3') && 'sqlite3 is not installed' }, () => {
	test('is answered 503 beyond work.queue while models are served, those that are not at hand too', async (t) => {
		const store = scratchDir('store');
		const models = [1, 2, 3, 4].map((seed) => denseModel({ seed }));
		const first = await startDaemon(t, { store, set: NO_FORMS });
		for (const [i, model] of models.entries()) {
			await published(first, `kept-${i}`, model);
		}
		await first.stop();

		// After a restart nothing is at hand: to read a model takes a thread.
		const daemon = await startDaemon(t, { store,
			set: { ...NO_FORMS, 'work.threads': THREADS, 'work.queue': QUEUE } });
		const release = await holdCatalog(t, store);
		const flood = new Flood(daemon);
		await until('more than there is room for', () => flood.answers.length >= 20);
		let free = 0; // reads that no publish had to end for
		for (const [i, model] of models.entries()) {
			const before = flood.ended();
			assert.equal((await get(daemon, `/models/kept-${i}@1/model.json`)).status, 200);
			free += flood.ended() === before;
			for (const { path: file, bytes } of model.files) {
				const answered = await get(daemon, `/models/kept-${i}@1/${file}`);
				assert.equal(answered.status, 200);
				assert.ok(answered.body.equals(Buffer.from(bytes)));
			}
			assert.equal((await get(daemon, `/models/kept-${i}/model.json`)).status, 200);
			assert.equal((await get(daemon, `/v1/models/kept-${i}`)).status, 200);
		}
		assert.ok(free > 0, 'each waited for a publish to give up');
		assert.ok(!flood.answers.some(({ status }) => status === 201), 'the catalog was held all the time');
		for (const answered of flood.answers) {
			assertProblem(answered, 503, 'BUSY');
			assert.match(answered.headers['retry-after'], /^[1-9][0-9]*$/);
		}
		assert.ok(flood.answers.length > flood.ended());

		const { headers, body } = multipart(partsOf(denseModel()));
		await until('a refusal of somebody who asks before sending the body', async () => {
			const wire = new Wire(daemon.port);
			await wire.send(requestHead('POST', '/models/asks-first', { 'Content-Type': headers['content-type'],
				'Content-Length': body.length, Expect: '100-continue' }));
			const answered = await wire.answer('POST');
			wire.destroy();
			return answered?.status === 503;
		});

		await release();
		await flood.end();
		assert.equal((await publish(daemon, 'after', denseModel({ seed: 7 }))).status, 201);
		await daemon.stop();
	});
});
