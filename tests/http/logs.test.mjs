// SPDX-License-Identifier: Apache-2.0
// The log: one line a request, findable by its id and its trace, in the format that is configured, and never
// with anything secret in it.

import assert from 'node:assert/strict';
import { before, describe, test } from 'node:test';

import { file } from '../lib/answers.mjs';
import { startDaemon, until, useDaemon } from '../lib/daemon.mjs';
import { exchange, get, multipart, partsOf, post, published, request } from '../lib/http.mjs';
import { FROM_HERE } from '../lib/imports.mjs';
import { addGraph, denseModel, shardsOf } from '../lib/models.mjs';
import { startOrigin } from '../lib/origin.mjs';
import { bearer, makeToken } from '../lib/tokens.mjs';

const model = denseModel({ inputs: 16 });
const shard = shardsOf(model)[0].path;
const TRACE = '4bf92f3577b34da6a3ce929d0e0e4736';
const lines = (daemon) => daemon.stderr.split('\n').slice(0, -1);

// The access lines of a request with this id, once there is one.
const linesOf = (daemon, id) => until(`a line of ${id}`, () => {
	const found = lines(daemon).filter((line) => / msg=request /.test(line) && line.includes(` id=${id} `));
	return found.length > 0 && found;
});

describe('a request', () => {
	const daemon = useDaemon();
	let etag;

	before(async () => {
		await published(daemon, 'm', model);
		for (let round = 0; round < 3; round++) { // from here on it is at hand
			etag = (await get(daemon, `/models/m@1/${shard}`)).headers.etag;
		}
	});

	const ANSWERS = [
		[200, 'GET', `/models/m@1/${shard}`],
		[200, 'HEAD', `/models/m@1/${shard}`],
		[304, 'GET', `/models/m@1/${shard}`, () => ({ 'if-none-match': etag })],
		[206, 'GET', `/models/m@1/${shard}`, () => ({ range: 'bytes=0-3' })],
		[416, 'GET', `/models/m@1/${shard}`, () => ({ range: 'bytes=999999-' })],
		[200, 'GET', '/models/m/model.json'],
		[200, 'GET', '/models/m@1?tfjs-format=compressed'],
		[404, 'GET', '/models/none/x.bin'],
		[404, 'GET', '/nothing'],
		[405, 'DELETE', '/healthz'],
		[400, 'GET', '/models/m@1/%00'],
		[421, 'GET', '/healthz', () => ({ host: 'evil.example' })],
		[204, 'OPTIONS', '/models/m'],
		[200, 'GET', '/metrics'],
		[200, 'GET', '/v1/models'],
		[415, 'POST', '/models/m', () => ({ 'content-type': 'text/css', 'content-length': '0' })],
	];
	for (const [i, [status, method, target, more]] of ANSWERS.entries()) {
		test(`${status} to ${method} ${target} has the id that came`, async () => {
			for (let round = 0; round < 2; round++) {
				const id = `of-a-test:${i}.${round}`;
				const answered = await request(daemon, method, target,
					{ headers: { ...more?.(), 'x-request-id': id } });
				assert.equal(answered.status, status, answered.text);
				assert.equal(answered.headers['x-request-id'], id);
				const found = await linesOf(daemon, id);
				assert.equal(found.length, 1);
				assert.match(found[0], new RegExp(` method=${method} .* status=${status} `));
			}
		});
	}

	test('the same answer without an id is as before', async () => {
		for (let round = 0; round < 2; round++) {
			const named = await get(daemon, `/models/m@1/${shard}`, { 'x-request-id': 'another' });
			const { headers, body } = await get(daemon, `/models/m@1/${shard}`);
			assert.equal(headers['x-request-id'], undefined);
			assert.deepEqual(body, named.body);
			const { 'x-request-id': id, date, ...rest } = named.headers;
			assert.equal(id, 'another');
			assert.ok(date);
			assert.deepEqual(rest, Object.fromEntries(Object.entries(headers).filter(([name]) => name !== 'date')));
		}
	});

	test('without an id that may stand in a log it gets one', async () => {
		for (const id of ['a b', 'x'.repeat(65), 'mdl_0123_secretsecret', 'a"b', 'a,b', 'é']) {
			const { headers } = await get(daemon, '/nothing', { 'x-request-id': id });
			assert.match(headers['x-request-id'], /^[0-9a-f]+-[0-9a-f]+$/);
			assert.equal((await linesOf(daemon, headers['x-request-id'])).length, 1);
			assert.ok(!daemon.stderr.includes(id), id);
		}
	});

	test('an id in a problem is that of the answer', async () => {
		const { headers, json } = await get(daemon, '/nothing', { 'x-request-id': 'mine' });
		assert.equal(json.request_id, 'mine');
		assert.equal(headers['x-request-id'], 'mine');
	});

	// libmicrohttpd answers these by itself.
	for (const [what, first, rest] of [
		['malformed chunks', 'POST /models/m', ['Content-Type: multipart/form-data; boundary=b', 'Transfer-Encoding: chunked', '', 'zz', '']],
		['a field without a colon', 'GET /colon', ['nothing', '']],
		['a head of 100 KiB', 'GET /large?k=s3cret', [`X: ${'x'.repeat(100_000)}`, '']],
	]) {
		test(`${what} have a line`, async () => {
			const sent = [`${first} HTTP/1.1`, 'Host: localhost', ...rest, ''].join('\r\n');
			const { answers: [answered] } = await exchange(daemon.port, sent, [first.split(' ')[0]]);
			assert.ok([400, 431].includes(answered.status), answered.status);
			const target = first.split(' ')[1].replace(/=.*/, '=*').replace('?', '\\?').replace('*', '\\*');
			await until('its line', () => lines(daemon).some((line) => new RegExp(` id=\\S+ .* target="?${target}"? .* status=400 `).test(line)));
			assert.ok(!daemon.stderr.includes('s3cret'));
		});
	}

	test('a valid traceparent gives its trace id to the line', async () => {
		await get(daemon, `/models/m@1/${shard}`, { 'x-request-id': 'traced', traceparent: `00-${TRACE}-00f067aa0ba902b7-01` });
		assert.match((await linesOf(daemon, 'traced'))[0], new RegExp(` trace=${TRACE}$`));
		await get(daemon, '/nothing', { 'x-request-id': 'untraced', traceparent: `00-${TRACE}-0000000000000000-01` });
		assert.doesNotMatch((await linesOf(daemon, 'untraced'))[0], /trace=/);
	});
});

test('[log] format = json: each line is an object', async (t) => {
	const daemon = await startDaemon(t, { set: { 'log.format': 'json', 'log.level': 'debug' } });
	await published(daemon, 'm', model);
	await get(daemon, '/v1/models?prefix="%22', { 'x-request-id': 'refused' });
	await get(daemon, '/v1/models?prefix=%22\\', { 'x-request-id': 'quoted', traceparent: `00-${TRACE}-00f067aa0ba902b7-01` });
	await daemon.stop();
	const objects = lines(daemon).map((line) => JSON.parse(line));
	for (const { time, level, msg } of objects) {
		assert.ok(Math.abs(Date.parse(time) - Date.now()) < 600_000, time);
		assert.match(level, /^(debug|info|warning|error)$/);
		assert.equal(typeof msg, 'string');
	}
	const ours = objects.find(({ id }) => id === 'quoted');
	assert.equal(objects.find(({ id }) => id === 'refused').target, '/v1/models?prefix="%22');
	assert.equal(ours.method, 'GET');
	assert.equal(ours.target, '/v1/models?prefix=%22\\');
	assert.equal(ours.status, 200);
	assert.equal(typeof ours.us, 'number');
	assert.equal(ours.trace, TRACE);
});

// Of mdl_<id>_<secret>; the secret may have a _ of its own, at its start too.
const secretOf = (token) => token.slice(token.indexOf('_', 'mdl_'.length) + 1);

// Where a secret can come in: headers, the query, bodies, what is answered.
for (const format of ['logfmt', 'json']) {
	test(`nothing secret is logged as ${format}`, async (t) => {
		const daemon = await startDaemon(t, { set: { ...FROM_HERE, 'log.format': format, 'log.level': 'debug',
			'auth.anonymous': 'none' } });
		const origin = await startOrigin(t);
		const imports = addGraph({ seed: 1, size: 24 });
		const token = await makeToken(daemon, '--scope', 'read,publish,label,delete,admin');
		const who = { headers: bearer(token) };
		origin.serve('/m', imports, (bytes) => file(bytes));
		assert.equal((await post(daemon, '/models/m', multipart(partsOf(model)), who)).status, 201);
		const made = (await request(daemon, 'POST', '/v1/tokens', { ...who, body: JSON.stringify({ scopes: ['read'] }) })).json;
		assert.ok(made.token, JSON.stringify(made));
		const link = (await request(daemon, 'POST', '/v1/links', { ...who,
			body: JSON.stringify({ ref: 'm', ttl: '1h' }) })).json;
		const k = link.k ?? new URL(link.url, daemon.origin).searchParams.get('k');
		assert.ok(k, JSON.stringify(link));
		const body = { url: origin.url('/m/model.json?sig=s3cret'), headers: { 'X-Api-Key': 's3cret' } };
		const started = await request(daemon, 'POST', '/v1/models/i:import', { ...who, body: JSON.stringify(body) });
		assert.equal(started.status, 202, started.text);
		await until('the import to end', async () => {
			const { json } = await get(daemon, `/v1/jobs/${started.json.id}`, bearer(token));
			return ['done', 'failed'].includes(json.state);
		});
		// Last, since whoever fails so often has to wait.
		for (const target of [`/models/m/model.json?k=${k}`, `/models/m@1/${shard}?k=${token}`, `/models/m@1/x?k=${k}x`,
			`/nothing?%6b=${k}`, `/v1/models?k=mdl_000000000000_${'s3cret'.repeat(7)}s`, `/v1/tokens/${made.token}`]) {
			await get(daemon, target);
			await get(daemon, target, { authorization: `Bearer ${made.token}`, cookie: 'session=s3cret', 'x-request-id': token });
		}
		await get(daemon, '/v1/models', { authorization: 'Basic dXNlcjpzM2NyZXQ=' });
		await daemon.stop();
		for (const secret of [token, secretOf(token), made.token, secretOf(made.token), k, k.slice(4), 's3cret',
			'dXNlcjpzM2NyZXQ', 'Bearer', 'X-Api-Key']) {
			assert.ok(!daemon.stderr.includes(secret), `${secret} is in the log:\n${daemon.stderr}`);
		}
		assert.ok(lines(daemon).length > 10);
	});
}
