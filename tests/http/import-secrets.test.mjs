// SPDX-License-Identifier: Apache-2.0
// Credentials that an import is given go to the origin, and nowhere else: neither into answers, nor the log,
// nor the store beyond the job, whatever becomes of that.

import assert from 'node:assert/strict';
import { describe, test } from 'node:test';

import { file, redirect, status } from '../lib/answers.mjs';
import { startDaemon, until } from '../lib/daemon.mjs';
import { get } from '../lib/http.mjs';
import { cancel, ended, filesWith, FROM_HERE, imported, look, refused, Stream, submit } from '../lib/imports.mjs';
import { addGraph, shardsOf } from '../lib/models.mjs';
import { startOrigin } from '../lib/origin.mjs';

const HEADER = 'Secret-of-the-header-3f9a';
const QUERY = 'SecretOfTheQuery77c1';
const headers = { Authorization: `Bearer ${HEADER}`, 'X-Api-Key': HEADER };
const options = { set: { ...FROM_HERE, 'log.level': 'debug', 'import.jobs': 1 } };

const model = addGraph({ seed: 1, size: 24, shardBytes: 32 });
const target = `/m/model.json?token=${QUERY}&tfjs-format=file`;

function assertHidden(text, where) {
	for (const secret of [HEADER, QUERY]) {
		assert.ok(!text.includes(secret), `${secret} is in ${where}`);
	}
}

// Once the job has ended, and what it was asked is cleared away: in no file of the store, in nothing that was said.
async function assertNowhere(daemon, id) {
	for (const secret of [HEADER, QUERY]) {
		await until(`${secret} to be gone`, () => filesWith(daemon.store, secret).length === 0);
	}
	assertHidden(daemon.stderr + daemon.stdout, 'the log');
	for (const shown of [`/v1/jobs/${id}`, '/v1/jobs', '/v1/models/m', '/v1/models/m/versions/1', '/v1/models/m/rejections',
		'/v1/models', '/metrics']) {
		assertHidden((await get(daemon, shown)).text, shown);
	}
}

describe('the credentials of an import', () => {
	test('go to the origin with every request, and are gone when it is done', async (t) => {
		const daemon = await startDaemon(t, options);
		const origin = await startOrigin(t);
		origin.serve('/m', model, (bytes) => file(bytes));
		const job = await imported(daemon, 'm', { url: origin.url(target), headers });
		for (const request of origin.seen()) {
			assert.equal(request.headers.authorization, headers.Authorization);
			assert.equal(request.headers['x-api-key'], HEADER);
		}
		assert.equal(origin.fetched().length, model.files.length);
		assert.match(job.request.url, /\?token=\*\*\*&tfjs-format=file$/);
		await assertNowhere(daemon, job.id);
		await daemon.stop();
		assertHidden(daemon.stderr, 'the log');
		assert.deepEqual(filesWith(daemon.store, HEADER), []);
	});

	test('do not go to another origin that it redirects to', async (t) => {
		const daemon = await startDaemon(t, options);
		const origin = await startOrigin(t);
		const other = await startOrigin(t);
		other.serve('/cdn', model, (bytes) => file(bytes));
		for (const { path } of model.files) {
			origin.on(`/m/${path}`, redirect(302, other.url(`/cdn/${path}`)));
		}
		await imported(daemon, 'm', { url: origin.url('/m/model.json'), headers });
		assert.equal(other.fetched().length, model.files.length);
		for (const { text } of other.seen()) {
			assertHidden(text, 'a request to the other origin');
			assert.doesNotMatch(text, /^(authorization|x-api-key|cookie|referer):/im);
		}
	});

	test('go to the host of weightPathPrefix, which the request names too, and not where that redirects to', async (t) => {
		const daemon = await startDaemon(t, options);
		const [origin, weights, other] = [await startOrigin(t), await startOrigin(t), await startOrigin(t)];
		origin.on('/m/model.json', file(Buffer.from(model.files[0].bytes)));
		for (const { path, bytes } of shardsOf(model)) {
			weights.on(`/w/${path}`, redirect(302, other.url(`/cdn/${path}`)));
			other.on(`/cdn/${path}`, file(Buffer.from(bytes)));
		}
		await imported(daemon, 'm', { url: origin.url('/m/model.json'), headers, weightPathPrefix: weights.url('/w/') });
		weights.seen().forEach((request) => assert.equal(request.headers.authorization, headers.Authorization));
		assert.equal(new Set(other.seen().map(({ target }) => target)).size, model.files.length - 1);
		other.seen().forEach(({ text }) => assertHidden(text, 'a request to a host that nobody named'));
	});

	test('are not in the error of one that fails', async (t) => {
		const daemon = await startDaemon(t, options);
		const origin = await startOrigin(t);
		origin.on('/m/model.json', status(403, { 'X-Echo': HEADER }, `${HEADER} ${QUERY} is not allowed`));
		const error = await refused(daemon, 'm', { url: origin.url(target), headers });
		assert.equal(error.code, 'FETCH_STATUS');
		assert.equal(error.upstream_status, 403);
		assert.match(error.url, /token=\*\*\*/);
		await assertNowhere(daemon, error.job.id);
	});

	test('are not in the stream', async (t) => {
		const daemon = await startDaemon(t, options);
		const origin = await startOrigin(t);
		origin.serve('/m', model, (bytes) => file(bytes));
		const stream = await new Stream().open(daemon, 'm', { url: origin.url(target), headers });
		const lines = await stream.rest();
		assert.equal(lines.at(-1).state, 'done');
		assertHidden(JSON.stringify(lines), 'the stream');
		assertHidden(JSON.stringify(stream.response.headers), 'the head of the stream');
	});

	test('survive a kill -9, and are gone when the import that went on is done', async (t) => {
		const daemon = await startDaemon(t, options);
		const origin = await startOrigin(t);
		origin.serve('/m', model, (bytes) => file(bytes));
		const [shard] = shardsOf(model);
		origin.hold(`/m/${shard.path}`);
		const job = await submit(daemon, 'm', { url: origin.url(target), headers });
		await origin.arrived(`/m/${shard.path}`);
		assertHidden(JSON.stringify(await look(daemon, job)), 'the job');
		await daemon.kill();
		assertHidden(daemon.stderr, 'the log');
		origin.release();
		origin.forget();
		const second = await startDaemon(t, { ...options, store: daemon.store });
		assert.equal((await ended(second, job)).state, 'done');
		assert.ok(origin.seen().length > 0);
		origin.seen().forEach((request) => assert.equal(request.headers.authorization, headers.Authorization));
		await assertNowhere(second, job.id);
	});

	test('are gone when it is cancelled, running or waiting', async (t) => {
		const daemon = await startDaemon(t, options);
		const origin = await startOrigin(t);
		origin.serve('/m', model, (bytes) => file(bytes));
		origin.hold('/m/model.json');
		const running = await submit(daemon, 'm', { url: origin.url(target), headers });
		await origin.arrived('/m/model.json');
		const waiting = await submit(daemon, 'other', { url: origin.url(target), headers });
		for (const job of [waiting, running]) {
			assert.equal((await cancel(daemon, job)).status, 200);
		}
		await assertNowhere(daemon, running.id);
		await daemon.stop();
		assert.deepEqual(filesWith(daemon.store, HEADER), []);
	});
});
